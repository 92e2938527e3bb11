//! The facade on `wasi:http`. A component that sends nothing imports nothing of it.

use crate::outbound::{Error, Request, Response, Url};
use wasip2::{
    http::{
        outgoing_handler,
        types::{
            ErrorCode, Fields, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
            http_error_code,
        },
    },
    io::streams::StreamError,
};

/// The host takes no more in one blocking write.
const WRITE: usize = 4096;
/// Bytes to ask for in one read.
const READ: u64 = 64 << 10;

pub(crate) fn send(request: &Request, url: &Url<'_>) -> Result<Response, Error> {
    let failed = |code| from_wire(&code, request);
    let out = outgoing(request, url).map_err(Error::Url)?;
    let options = RequestOptions::new();
    let wait = Some(u64::try_from(request.timeout.as_nanos()).unwrap_or(u64::MAX));
    // A host that knows none of them has its own.
    let _ = options.set_connect_timeout(wait);
    let _ = options.set_first_byte_timeout(wait);
    let _ = options.set_between_bytes_timeout(wait);
    // An empty body of unknown length would be sent in chunks.
    let body = if request.body.is_empty() { None } else { Some(out.body().map_err(|()| broken())?) };
    let answer = outgoing_handler::handle(out, Some(options)).map_err(failed)?;
    if let Some(body) = body {
        // Where the host does not take it, the answer says why. It takes no more once it has as much as was announced, so a
        // write that fails says nothing.
        write(&body, &request.body);
        let _ = OutgoingBody::finish(body, None);
    }
    answer.subscribe().block();
    let response = answer.get().ok_or_else(broken)?.map_err(|()| broken())?.map_err(failed)?;
    let headers = response.headers().entries();
    let incoming = response.consume().map_err(|()| broken())?;
    let body = read(&incoming, request)?;
    Ok(Response { code: response.status(), headers, body })
}

fn broken() -> Error {
    Error::Broken("the host gave no answer".into())
}

/// The request as the host knows it.
fn outgoing(request: &Request, url: &Url<'_>) -> Result<OutgoingRequest, String> {
    let fields = Fields::new();
    for (name, value) in &request.headers {
        fields.append(name, value.as_bytes()).map_err(|_| name.clone())?;
    }
    if !request.body.is_empty() {
        let length = request.body.len().to_string();
        fields.set("content-length", &[length.into_bytes()]).map_err(|_| "content-length".to_owned())?;
    }
    let out = OutgoingRequest::new(fields);
    let method = match request.method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    };
    let scheme = if url.tls { Scheme::Https } else { Scheme::Http };
    // Hosts differ in what they make of a URL without a path.
    let slash = if url.path_and_query.starts_with('/') { "" } else { "/" };
    let path = format!("{slash}{}", url.path_and_query);
    out.set_method(&method).map_err(|()| request.method.clone())?;
    out.set_scheme(Some(&scheme)).map_err(|()| request.url.clone())?;
    out.set_authority(Some(url.authority)).map_err(|()| request.url.clone())?;
    out.set_path_with_query(Some(&path)).map_err(|()| request.url.clone())?;
    Ok(out)
}

/// Writes as far as the host takes it.
fn write(body: &OutgoingBody, bytes: &[u8]) {
    if let Ok(stream) = body.write() {
        let _ = bytes.chunks(WRITE).try_for_each(|chunk| stream.blocking_write_and_flush(chunk));
    }
}

fn read(body: &IncomingBody, request: &Request) -> Result<Vec<u8>, Error> {
    let stream = body.stream().map_err(|()| broken())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(chunk) if bytes.len() + chunk.len() > request.limit => return Err(Error::TooLarge),
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return Ok(bytes),
            Err(StreamError::LastOperationFailed(error)) => {
                return Err(http_error_code(&error).map_or_else(broken, |code| from_wire(&code, request)));
            }
        }
    }
}

fn from_wire(code: &ErrorCode, request: &Request) -> Error {
    let unreachable = |why: &str| Error::Unreachable(why.into());
    match code {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            Error::Denied(request.url.clone())
        }
        ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestMethodInvalid => Error::Url(request.url.clone()),
        ErrorCode::ConnectionLimitReached => Error::Busy,
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => Error::Timeout,
        ErrorCode::HttpResponseBodySize(_) => Error::TooLarge,
        ErrorCode::DnsError(_) | ErrorCode::DnsTimeout => unreachable("the name is not known"),
        ErrorCode::ConnectionRefused => unreachable("refused"),
        ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => unreachable("no way there"),
        ErrorCode::TlsCertificateError => unreachable("its certificate is not trusted"),
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => unreachable("TLS failed"),
        ErrorCode::HttpRequestBodySize(_) => Error::Broken("the request is larger than the limit".into()),
        ErrorCode::HttpResponseIncomplete => Error::Broken("the answer is incomplete".into()),
        ErrorCode::HttpResponseHeaderSectionSize(_) => {
            Error::Broken("the answer's headers are too large".into())
        }
        _ => Error::Broken("no HTTP, or none that the host speaks".into()),
    }
}
