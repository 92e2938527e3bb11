//! One request: checked, connected, sent, answered.

use super::{
    Client, Place, Rest, address,
    body::{Incoming, Outgoing},
    grant::{Host, Origin},
};
use http::{Method, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use std::{error::Error as _, io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, timeout_at},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// Longest path and query, in bytes.
const MAX_URI: usize = 16 << 10;
/// Most headers of an answer.
const MAX_HEADERS: usize = 100;
/// Most bytes of an answer's head.
const MAX_HEAD: usize = 64 << 10;
/// What a request may take beyond the longest call.
const GRACE: Duration = Duration::from_secs(1);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// When the steps of a request must be over.
struct Deadlines {
    connect: Instant,
    head: Instant,
    silence: Duration,
    end: Instant,
}

impl Deadlines {
    /// What the component asked for, within bounds. A call that runs out of time ends its requests with it: the bound
    /// here is for those that a call left behind, and later, so that such a call is told the truth.
    fn new(options: RequestOptions, longest_call: Duration) -> Self {
        let now = Instant::now();
        let longest = longest_call + GRACE;
        let within = |wanted: Option<Duration>| wanted.map_or(longest, |wanted| wanted.min(longest));
        Self {
            connect: now + within(options.connect_timeout),
            head: now + within(options.first_byte_timeout),
            silence: within(options.between_bytes_timeout),
            end: now + longest,
        }
    }
}

impl Client {
    /// Sends a request if it is granted, and counts what came of it.
    pub(super) async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<(Response<WasiBody>, Rest), Error> {
        let sent = self.checked(request, options).await;
        self.metrics.count(match &sent {
            Ok((response, _)) => match response.status().as_u16() / 100 {
                1 => "1xx",
                2 => "2xx",
                3 => "3xx",
                4 => "4xx",
                _ => "5xx",
            },
            Err(Error::HttpRequestDenied | Error::DestinationIpProhibited) => "denied",
            Err(Error::ConnectionLimitReached) => "limited",
            Err(Error::ConnectionTimeout | Error::ConnectionReadTimeout) => "timeout",
            Err(_) => "failed",
        });
        sent
    }

    async fn checked(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<(Response<WasiBody>, Rest), Error> {
        let target = Origin::of(request.uri()).ok_or(Error::HttpRequestUriInvalid)?;
        if !self.allows(&target) {
            self.warn(format!(
                "request to {target} refused: not granted; add {:?} to grants.outbound of this component",
                target.to_string()
            ));
            return Err(Error::HttpRequestDenied);
        }
        if matches!(*request.method(), Method::CONNECT | Method::TRACE) {
            return Err(Error::HttpRequestMethodInvalid);
        }
        if request.uri().path_and_query().is_some_and(|path| path.as_str().len() > MAX_URI) {
            return Err(Error::HttpRequestUriTooLong);
        }
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            self.warn(format!(
                "request refused: {} at a time is the limit; raise limits.outboundRequests of this component",
                self.max_requests
            ));
            return Err(Error::ConnectionLimitReached);
        };
        let deadlines = Deadlines::new(options, self.timeout);
        let place = Place::new(permit);
        let connecting = self.connect(&target, place.clone());
        let connect = deadlines.connect.min(deadlines.head);
        let stream = timeout_at(connect, connecting).await.unwrap_or(Err(Error::ConnectionTimeout))?;
        self.exchange(stream, request, &deadlines, place).await
    }

    async fn connect(&self, target: &Origin, place: Place) -> Result<Box<dyn Stream>, Error> {
        let addresses = address::resolve(target, place).await.inspect_err(|error| {
            if matches!(error, Error::DestinationIpProhibited) {
                self.warn(format!(
                    "request to {target} refused: the name leads to an inner address; \
                     if that is meant, name the address itself in grants.outbound of this component"
                ));
            }
        })?;
        // One after the other, in the resolver's order; the deadline is the caller's.
        let stream = TcpStream::connect(&*addresses).await.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
            io::ErrorKind::TimedOut => Error::ConnectionTimeout,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                Error::DestinationIpUnroutable
            }
            _ => Error::DestinationUnavailable,
        })?;
        // A request is written as a whole; failing to say so costs milliseconds, not the request.
        let _ = stream.set_nodelay(true);
        if !target.tls {
            return Ok(Box::new(stream));
        }
        // A grant that covers an https target made one.
        let connector = self.tls.as_ref().ok_or(Error::ConfigurationError)?;
        let name = match &target.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid)?
            }
        };
        match connector.connect(name, stream).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(self.distrusted(target, &error)),
        }
    }

    /// Why TLS failed, told to the operator, too: a certificate is theirs to mend.
    fn distrusted(&self, target: &Origin, error: &io::Error) -> Error {
        self.warn(format!(
            "TLS with {target} failed: {error}; \
             if its authority is a private one, name it in outboundCAFile of this component"
        ));
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
            _ => Error::TlsProtocolError,
        }
    }

    async fn exchange(
        &self,
        stream: Box<dyn Stream>,
        mut request: Request<WasiBody>,
        deadlines: &Deadlines,
        place: Place,
    ) -> Result<(Response<WasiBody>, Rest), Error> {
        let mut builder = http1::Builder::new();
        builder.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD);
        let (mut sender, connection) =
            builder.handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        // The connection works beside the request, until the body is read or nobody wants it.
        let end = deadlines.end;
        let held = place.clone();
        let connection = wasmtime_wasi::runtime::spawn(async move {
            // What ended it shows in the answer, or nobody looks any more.
            let _ = timeout_at(end, connection).await;
            held.leave();
        });
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
        let request = request.map(|body| Outgoing::new(body, self.max_body));
        let response = timeout_at(deadlines.head, sender.send_request(request))
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| broken(&error))?;
        let announced = response.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if announced.is_some_and(|length| length > self.max_body as u64) {
            return Err(Error::HttpResponseBodySize(announced));
        }
        let bounded = |body| Incoming::new(body, self.max_body, deadlines.silence, end, place).boxed_unsync();
        let rest = async move {
            connection.await;
            Ok(())
        };
        Ok((response.map(bounded), Box::new(rest)))
    }
}

/// What the component is told of a broken exchange.
pub(super) fn broken(error: &hyper::Error) -> Error {
    // The body of the request is ours.
    match error.source().and_then(|source| source.downcast_ref::<Error>()) {
        Some(Error::HttpRequestBodySize(limit)) => return Error::HttpRequestBodySize(*limit),
        Some(_) => return Error::HttpProtocolError,
        None => {}
    }
    let cut = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    if cut.is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof) {
        Error::HttpResponseIncomplete
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(Some(MAX_HEAD as u32))
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        Error::HttpResponseIncomplete
    } else {
        Error::HttpProtocolError
    }
}
