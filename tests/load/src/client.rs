//! Connections to the server: TLS with HTTP/1.1 or HTTP/2, and requests whose answers are counted, not parsed.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// JSON, as the content of a request.
pub(crate) const JSON: &str = "application/json";
/// A JSON merge patch (RFC 7396).
pub(crate) const MERGE_PATCH: &str = "application/merge-patch+json";

/// Most bytes of an answer that are kept to say why it was no success.
const EXCERPT: usize = 400;
/// Flow control of client-go's transport (golang.org/x/net/http2): 4 MiB for a stream, 1 GiB for a connection.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 1 << 30;

/// The version of HTTP that requests are sent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Protocol {
    /// HTTP/1.1
    #[value(name = "1")]
    Http1,
    /// HTTP/2, as client-go does
    #[value(name = "2")]
    Http2,
}

/// A server, and how to reach it.
#[derive(Debug)]
pub(crate) struct Target {
    address: SocketAddr,
    /// Host and port, as the URL has them.
    pub(crate) authority: String,
    name: ServerName<'static>,
    /// The value of the Authorization header.
    pub(crate) authorization: String,
    tls: ClientConfig,
    limit: Duration,
}

impl Target {
    /// Prepares for the server at `url`. Its certificate is verified only when `ca_file` names the authorities in PEM.
    /// No connection attempt and no request may take longer than `limit`.
    ///
    /// # Errors
    /// A URL that is not `https://host:port`, a name without an address, an unreadable file.
    pub(crate) async fn new(url: &str, token: &str, ca_file: Option<&Path>, limit: Duration) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
        let (Some("https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            bail!("{url}: give the server as https://host:port");
        };
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(443);
        let address = tokio::net::lookup_host((bare, port))
            .await
            .with_context(|| format!("{host} cannot be resolved"))?
            .next()
            .with_context(|| format!("{host} has no address"))?;
        Ok(Self {
            address,
            authority: format!("{host}:{port}"),
            name: ServerName::try_from(bare.to_owned())
                .with_context(|| format!("{host} cannot be in a certificate"))?,
            authorization: format!("Bearer {token}"),
            tls: tls(ca_file)?,
            limit,
        })
    }

    /// Opens a connection and speaks TLS on it.
    ///
    /// # Errors
    /// The server does not listen, or does not speak the protocol, or not in time.
    pub(crate) async fn connect_tls(&self, protocol: Protocol) -> Result<TlsStream<TcpStream>> {
        let mut config = self.tls.clone();
        config.alpn_protocols = match protocol {
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
        };
        let connecting = async {
            let tcp = TcpStream::connect(self.address).await?;
            tcp.set_nodelay(true)?;
            TlsConnector::from(Arc::new(config)).connect(self.name.clone(), tcp).await
        };
        let stream = timeout(self.limit, connecting)
            .await
            .with_context(|| format!("{} let a connection wait too long", self.address))?
            .with_context(|| format!("cannot connect to {}", self.address))?;
        if protocol == Protocol::Http2 && stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            bail!("{} does not speak HTTP/2: use --http 1", self.address);
        }
        Ok(stream)
    }

    /// Opens a connection for requests.
    ///
    /// # Errors
    /// As [`Self::connect_tls`].
    pub(crate) async fn connect(self: &Arc<Self>, protocol: Protocol) -> Result<Connection> {
        let stream = TokioIo::new(self.connect_tls(protocol).await?);
        // The driver ends with the connection; what went wrong on it, the requests tell.
        let sender = match protocol {
            Protocol::Http1 => {
                let (sender, driver) = http1::handshake(stream).await?;
                tokio::spawn(driver);
                Sender::Http1(sender)
            }
            Protocol::Http2 => {
                let (sender, driver) = http2::Builder::new(TokioExecutor::new())
                    .initial_stream_window_size(STREAM_WINDOW)
                    .initial_connection_window_size(CONNECTION_WINDOW)
                    .handshake(stream)
                    .await?;
                tokio::spawn(driver);
                Sender::Http2(sender)
            }
        };
        Ok(Connection { sender, target: self.clone() })
    }
}

/// A request to make.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// GET, POST, PATCH or DELETE.
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    /// What `body` is.
    pub(crate) content_type: &'static str,
    /// What is sent.
    pub(crate) body: Bytes,
}

impl Call {
    /// A GET of `path`.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), content_type: JSON, body: Bytes::new() }
    }

    /// A POST of JSON to `path`.
    pub(crate) fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, path: path.into(), content_type: JSON, body: body.into() }
    }

    /// A merge patch of `path`.
    pub(crate) fn merge_patch(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self { method: Method::PATCH, path: path.into(), content_type: MERGE_PATCH, body: body.into() }
    }

    /// A DELETE of `path`.
    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), content_type: JSON, body: Bytes::new() }
    }
}

/// A connection that requests are sent on, one after the other.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: Sender,
    target: Arc<Target>,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// The same connection for another client, whose requests go beside this one's: HTTP/2 only.
    pub(crate) fn shared(&self) -> Option<Self> {
        match &self.sender {
            Sender::Http1(_) => None,
            Sender::Http2(sender) => {
                Some(Self { sender: Sender::Http2(sender.clone()), target: self.target.clone() })
            }
        }
    }

    /// Sends a request and reads the answer to its end, without keeping it; the length of its body in bytes.
    ///
    /// # Errors
    /// A broken connection, a passed time limit, or a status other than success, with the body's beginning.
    pub(crate) async fn send(&mut self, call: Call) -> Result<u64> {
        self.limited(call, |response| async {
            let mut body = response.into_body();
            let mut bytes = 0;
            while let Some(frame) = body.frame().await {
                bytes += frame?.data_ref().map_or(0, Bytes::len) as u64;
            }
            Ok(bytes)
        })
        .await
    }

    /// Sends a request and keeps the answer's body.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub(crate) async fn fetch(&mut self, call: Call) -> Result<Bytes> {
        self.limited(call, |response| async { Ok(response.into_body().collect().await?.to_bytes()) }).await
    }

    /// Sends a request and says with which status it was answered, whatever that is.
    ///
    /// # Errors
    /// A broken connection or a passed time limit.
    pub(crate) async fn status(&mut self, call: Call) -> Result<StatusCode> {
        let limit = self.target.limit;
        let exchange = async {
            let response = self.exchange(call).await?;
            let status = response.status();
            response.into_body().collect().await?;
            Ok(status)
        };
        timeout(limit, exchange).await.context("no answer in time")?
    }

    async fn limited<T, F>(
        &mut self,
        call: Call,
        read: impl FnOnce(http::Response<Incoming>) -> F,
    ) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let limit = self.target.limit;
        let what = (call.method.clone(), call.path.clone());
        let exchange = async {
            let response = self.exchange(call).await?;
            let status = response.status();
            if status.is_success() {
                return read(response).await;
            }
            let body = response.into_body().collect().await?.to_bytes();
            bail!("{status}: {}", String::from_utf8_lossy(&body[..body.len().min(EXCERPT)]))
        };
        match timeout(limit, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => bail!("no answer within {} s", limit.as_secs()),
        }
        .with_context(|| format!("{} {}", what.0, what.1))
    }

    async fn exchange(&mut self, call: Call) -> Result<http::Response<Incoming>> {
        let target = &self.target;
        // HTTP/2 carries the authority in the URI, HTTP/1.1 in the Host header.
        let uri = match self.sender {
            Sender::Http1(_) => call.path,
            Sender::Http2(_) => format!("https://{}{}", target.authority, call.path),
        };
        let mut request = Request::builder()
            .method(call.method)
            .uri(uri)
            .header(header::AUTHORIZATION, &target.authorization)
            .header(header::ACCEPT, JSON)
            .header(header::USER_AGENT, "chainplate-load");
        if !call.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, call.content_type);
        }
        if matches!(self.sender, Sender::Http1(_)) {
            request = request.header(header::HOST, &target.authority);
        }
        let request = request.body(Full::new(call.body))?;
        Ok(match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        })
    }
}

fn tls(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let Some(path) = ca_file else {
        let verifier = Arc::new(Anybody(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).with_context(|| path.display().to_string())? {
        roots.add(certificate.with_context(|| path.display().to_string())?)?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Trusts every server: what is measured here holds no secret.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
