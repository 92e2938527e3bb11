//! One HTTP request at a time to a registry or what it points to, with a bound on everything that is read.

use crate::{Access, Digest, Error};
use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST, HeaderValue, LOCATION, USER_AGENT};
use http::{HeaderMap, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use sha2::Digest as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

/// For connecting, and for the head of an answer once the request is sent.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// For one request with its bodies: 100 MiB over 3 Mbit/s.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(300);
/// Redirects that are followed: registries send one, to where the content is stored.
const MAX_REDIRECTS: usize = 5;
/// What is read of an answer that is no success.
pub(crate) const MAX_MESSAGE: u64 = 64 << 10;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Outgoing {
    pub(crate) fn new(method: Method, uri: Uri) -> Self {
        Self { method, uri, headers: HeaderMap::new(), body: Bytes::new() }
    }
}

/// An answer, read completely.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body's digest.
    pub(crate) digest: Digest,
}

/// Connects, sends and reads. A connection for each request: an operation makes a handful.
#[derive(Debug)]
pub(crate) struct Transport {
    plain_http: bool,
    /// The registry is on this machine: what it points to may be without TLS, if it is here as well. Another registry must not
    /// point a server to what listens beside it.
    loopback: bool,
    authorities: Option<Vec<u8>>,
    tls: OnceCell<TlsConfig>,
}

type TlsConfig = Arc<rustls::ClientConfig>;

impl Transport {
    /// For a registry at this host and port.
    pub(crate) fn new(host: &str, access: &Access) -> Self {
        Self {
            plain_http: access.plain_http,
            loopback: host.parse().is_ok_and(|authority| is_loopback(&authority)),
            authorities: access.certificate_authorities.clone(),
            tls: OnceCell::new(),
        }
    }

    /// `http` or `https`, for the registry itself.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.plain_http || self.loopback { "http" } else { "https" }
    }

    /// Sends a request and reads the answer, at most `limit` bytes of it. Follows the redirects of a GET or HEAD, without the
    /// credentials when they lead to another host.
    ///
    /// # Errors
    /// [`Error::Connection`], [`Error::PlainHttp`], [`Error::Certificates`], [`Error::TooLarge`] with `what`.
    pub(crate) async fn send(
        &self,
        mut request: Outgoing,
        what: &'static str,
        limit: u64,
    ) -> Result<Answer, Error> {
        let follow = matches!(request.method, Method::GET | Method::HEAD);
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.once(&request, what, limit).await?;
            let location = answer.headers.get(LOCATION).filter(|_| follow && answer.status.is_redirection());
            let Some(location) = location else { return Ok(answer) };
            let next = resolve(&request.uri, location)?;
            if !same_server(&next, &request.uri) {
                request.headers.remove(AUTHORIZATION);
            }
            request.uri = next;
        }
        Err(broken(&request.uri, format!("more than {MAX_REDIRECTS} redirects")))
    }

    async fn once(&self, request: &Outgoing, what: &'static str, limit: u64) -> Result<Answer, Error> {
        match tokio::time::timeout(REQUEST_TIMEOUT, self.exchange(request, what, limit)).await {
            Ok(result) => result,
            Err(_) => {
                Err(broken(&request.uri, format!("no complete answer in {} s", REQUEST_TIMEOUT.as_secs())))
            }
        }
    }

    async fn exchange(&self, request: &Outgoing, what: &'static str, limit: u64) -> Result<Answer, Error> {
        let uri = &request.uri;
        let Some(authority) = uri.authority() else {
            return Err(broken(uri, format!("{uri} is no complete address")));
        };
        let host = authority.host();
        match uri.scheme_str() {
            Some("https") => {
                let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(bare).map_err(|error| broken(uri, error.to_string()))?;
                let tls = TlsConnector::from(Arc::clone(self.tls().await?));
                let port = authority.port_u16().unwrap_or(443);
                let secured = async { tls.connect(name, connect(host, port).await?).await };
                speak(within(uri, secured).await?, request, what, limit).await
            }
            Some("http") if self.plain_http || (self.loopback && is_loopback(authority)) => {
                let connect = connect(host, authority.port_u16().unwrap_or(80));
                speak(within(uri, connect).await?, request, what, limit).await
            }
            _ => Err(Error::PlainHttp { host: authority.to_string() }),
        }
    }

    /// Reads the machine's certificates when the first TLS connection is made.
    async fn tls(&self) -> Result<&TlsConfig, Error> {
        let make = || {
            let given = self.authorities.clone();
            let work = tokio::task::spawn_blocking(move || tls_config(given.as_deref()));
            async { work.await.unwrap_or(Err(Error::Shutdown)) }
        };
        self.tls.get_or_try_init(make).await
    }
}

fn tls_config(given: Option<&[u8]>) -> Result<TlsConfig, Error> {
    let mut roots = rustls::RootCertStore::empty();
    // What the machine has and rustls cannot read is of no use to anybody; the handshake says if a root is missing.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(pem) = given {
        let mut any = false;
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|error| Error::Certificates(format!("{error:?}")))?;
            roots.add(certificate).map_err(|error| Error::Certificates(error.to_string()))?;
            any = true;
        }
        if !any {
            return Err(Error::Certificates("none is in there".into()));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Certificates(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

async fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((host.trim_start_matches('[').trim_end_matches(']'), port)).await
}

async fn within<T>(uri: &Uri, connect: impl Future<Output = std::io::Result<T>>) -> Result<T, Error> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
        Ok(result) => result.map_err(|error| broken(uri, error.to_string())),
        Err(_) => Err(broken(uri, format!("no connection in {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

/// Sends the request on a new connection and reads the answer.
async fn speak<S>(stream: S, request: &Outgoing, what: &'static str, limit: u64) -> Result<Answer, Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| broken(&request.uri, error.to_string());
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with `sender` and the body, at the end of this function.
    let driver = tokio::spawn(connection);
    let result = read(&mut sender, request, what, limit).await;
    driver.abort();
    result
}

async fn read(
    sender: &mut http1::SendRequest<Full<Bytes>>,
    request: &Outgoing,
    what: &'static str,
    limit: u64,
) -> Result<Answer, Error> {
    let failed = |error: hyper::Error| broken(&request.uri, error.to_string());
    let response = sender.send_request(message(request)?).await.map_err(failed)?;
    let (head, mut body) = response.into_parts();
    let success = head.status.is_success();
    let limit = if success { limit } else { MAX_MESSAGE };
    let too_large = || Error::TooLarge { reference: request.uri.to_string(), what, limit };

    let announced = hyper::body::Body::size_hint(&body).lower();
    if success && announced > limit && request.method != Method::HEAD {
        return Err(too_large());
    }
    let mut content = Vec::with_capacity(usize::try_from(announced.min(limit)).unwrap_or_default());
    let mut hasher = sha2::Sha256::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(failed)?.into_data() else { continue };
        if (content.len() + data.len()) as u64 > limit {
            // The beginning of an error message does as well.
            if success {
                return Err(too_large());
            }
            break;
        }
        hasher.update(&data);
        content.extend_from_slice(&data);
    }
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: content.into(),
        digest: Digest::finish(hasher),
    })
}

/// The request in the form that goes to the host itself.
fn message(request: &Outgoing) -> Result<Request<Full<Bytes>>, Error> {
    let uri = &request.uri;
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let host = uri.authority().map_or("", http::uri::Authority::as_str);
    // Whoever names a user in an address means no host.
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let mut message = Request::builder()
        .method(&request.method)
        .uri(path)
        .header(HOST, host)
        .header(USER_AGENT, concat!("chainplate/", env!("CARGO_PKG_VERSION")))
        .body(Full::new(request.body.clone()))
        .map_err(|error| broken(uri, error.to_string()))?;
    message.headers_mut().extend(request.headers.clone());
    Ok(message)
}

/// The address that a `Location` means, seen from the one that was asked.
///
/// # Errors
/// [`Error::Connection`] if it is neither complete nor a path from the root.
pub(crate) fn resolve(base: &Uri, location: &HeaderValue) -> Result<Uri, Error> {
    let refused = || broken(base, "the registry points to an address that is none".into());
    let location: Uri = location.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(refused)?;
    if location.scheme().is_some() {
        return Ok(location);
    }
    if location.authority().is_some() || !location.path().starts_with('/') {
        return Err(refused());
    }
    let mut parts = base.clone().into_parts();
    parts.path_and_query = location.into_parts().path_and_query;
    Uri::from_parts(parts).map_err(|_| refused())
}

/// Whether two addresses are of one server, so that what is secret to it may go to both.
pub(crate) fn same_server(one: &Uri, other: &Uri) -> bool {
    let server = |uri: &Uri| {
        let port = if uri.scheme_str() == Some("http") { 80 } else { 443 };
        let host = uri.host().map(str::to_ascii_lowercase);
        (uri.scheme().cloned(), host, uri.port_u16().unwrap_or(port))
    };
    server(one) == server(other)
}

fn is_loopback(authority: &http::uri::Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The connection's error, without the path and query: storage services put a signature there.
fn broken(uri: &Uri, reason: String) -> Error {
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    Error::Connection { host, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_seen_from_the_address_that_was_asked() {
        let base: Uri = "https://registry.example.com/v2/a/blobs/uploads/".parse().unwrap();
        let resolved = |text: &'static str| resolve(&base, &HeaderValue::from_static(text));
        assert_eq!(resolved("/v2/u?id=1").unwrap(), "https://registry.example.com/v2/u?id=1");
        assert_eq!(resolved("https://store.example.com/x").unwrap(), "https://store.example.com/x");
        assert!(resolved("uploads/1").is_err());
        assert!(resolved("a b").is_err());
    }

    #[test]
    fn a_port_may_be_named_or_not() {
        let same = |one: &str, other: &str| same_server(&one.parse().unwrap(), &other.parse().unwrap());
        assert!(same("https://a.example.com/x", "https://A.example.com:443/y"));
        assert!(!same("https://a.example.com", "http://a.example.com"));
        assert!(!same("https://a.example.com", "https://a.example.com:444"));
        assert!(!same("https://a.example.com", "https://b.example.com"));
    }

    #[test]
    fn only_the_loopback_interface_goes_without_tls() {
        let access = Access::default();
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000"] {
            assert_eq!(Transport::new(host, &access).scheme(), "http", "{host}");
        }
        for host in ["registry.example.com", "localhost.example.com:5000", "10.0.0.1:5000"] {
            assert_eq!(Transport::new(host, &access).scheme(), "https", "{host}");
        }
        let open = Access { plain_http: true, ..access };
        assert_eq!(Transport::new("registry.example.com", &open).scheme(), "http");
    }

    #[tokio::test]
    async fn an_address_without_tls_is_refused_before_a_connection_is_made() {
        let access = Access::default();
        for (registry, address) in [
            ("registry.example.com", "http://registry.example.com/token"),
            ("registry.example.com", "http://127.0.0.1/token"),
            ("localhost:5000", "http://registry.example.com/token"),
        ] {
            let request = Outgoing::new(Method::GET, address.parse().unwrap());
            let error = Transport::new(registry, &access).send(request, "token", 1).await.unwrap_err();
            assert!(matches!(error, Error::PlainHttp { .. }), "{registry} {address}: {error}");
        }
    }
}
