//! HTTP requests to services outside, where the operator granted them (`grants.outbound`).
//!
//! ```
//! use chainplate_sdk::outbound::{Error, Request};
//!
//! fn latest() -> Result<String, Error> {
//!     let answer = Request::get("https://releases.example.com/latest").header("accept", "application/json").send()?;
//!     answer.ok()?.json()
//! }
//! # chainplate_sdk::native::outbound::respond(
//! #     "https://releases.example.com/latest",
//! #     chainplate_sdk::outbound::Response::new(200, "\"1.2.3\""),
//! # );
//! # assert_eq!(latest().unwrap(), "1.2.3");
//! ```
//!
//! A request blocks this instance, and nobody else. Redirects are answers like others: the component follows them, or not.

use chainplate_apimachinery::Status;
use serde::{Serialize, de::DeserializeOwned};
use std::{fmt, time::Duration};

/// The longest wait unless [`Request::timeout`] says otherwise: short enough that a slow service is still an answer of the
/// component, and not the end of its call.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The largest body of an answer unless [`Request::limit`] says otherwise, in bytes.
const LIMIT: usize = 1 << 20;

/// A request to build and send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) limit: usize,
}

impl Request {
    /// A request without headers and body; the URL is `https://host[:port][/path][?query]`, or `http` of the same form.
    #[must_use]
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: TIMEOUT,
            limit: LIMIT,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// A POST; see [`body`](Self::body) and [`json`](Self::json).
    #[must_use]
    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header. `Host` and those of the connection are the host's.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets a body in JSON, with its media type.
    ///
    /// # Errors
    /// [`Error::Json`] for a value that has no JSON.
    pub fn json(self, value: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(value).map_err(|error| Error::Json(error.to_string()))?;
        Ok(self.header("content-type", "application/json").body(body))
    }

    /// The longest wait for the answer's head, and for each further part of its body; 5 seconds unless set. The call's own
    /// end comes first.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest body to take, in bytes; 1 MiB unless set. The operator's limit may be lower.
    #[must_use]
    pub const fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Sends it and waits for the whole answer, whatever its code.
    ///
    /// # Errors
    /// Why there is no answer.
    pub fn send(&self) -> Result<Response, Error> {
        let url = Url::parse(&self.url).ok_or_else(|| Error::Url(self.url.clone()))?;
        crate::host::outbound::send(self, &url)
    }

    /// Where it goes.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The method.
    pub fn method(&self) -> &str {
        &self.method
    }
}

/// The parts of a URL that a request names.
#[cfg_attr(not(target_family = "wasm"), allow(dead_code, reason = "the test double goes by the whole URL"))]
pub(crate) struct Url<'a> {
    pub(crate) tls: bool,
    pub(crate) authority: &'a str,
    /// Begins with `/` or `?`, or is empty.
    pub(crate) path_and_query: &'a str,
}

impl<'a> Url<'a> {
    fn parse(url: &'a str) -> Option<Self> {
        let (tls, rest) = match url.split_once("://")? {
            ("https", rest) => (true, rest),
            ("http", rest) => (false, rest),
            _ => return None,
        };
        let rest = rest.split('#').next()?;
        let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        (!authority.is_empty()).then_some(Self { tls, authority, path_and_query })
    }
}

/// A service's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub(crate) code: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// An answer as a test's service would give it.
    pub fn new(code: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { code, headers: Vec::new(), body: body.into() }
    }

    /// Adds a header; the name in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The HTTP status code.
    pub const fn code(&self) -> u16 {
        self.code
    }

    /// The first value of a header, if it is text; the name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(there, _)| there == name)?;
        std::str::from_utf8(value).ok()
    }

    /// The whole body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Itself, if the code is 2xx.
    ///
    /// # Errors
    /// [`Error::Code`].
    pub fn ok(self) -> Result<Self, Error> {
        if self.code / 100 == 2 { Ok(self) } else { Err(Error::Code(self.code)) }
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    /// [`Error::Json`].
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Json(error.to_string()))
    }
}

/// Why a service gave no answer, or none that can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The URL, a header or the method is none. A mistake of the component or its configuration.
    Url(String),
    /// The operator granted no requests to this URL, or its name leads to an inner address.
    Denied(String),
    /// Too many requests of this component at a time; later it may go through.
    Busy,
    /// No answer in time; it may or may not have been carried out.
    Timeout,
    /// There is no connection to the service.
    Unreachable(String),
    /// The service's answer is larger than the limit.
    TooLarge,
    /// The exchange broke off, or was none in HTTP.
    Broken(String),
    /// The service answered with this code, which is no success.
    Code(u16),
    /// What was said is no JSON of the expected form.
    Json(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Url(what) => write!(f, "{what:?} cannot be sent"),
            Error::Denied(url) => {
                write!(f, "request to {url} refused by the host; see its log and grants.outbound")
            }
            Error::Busy => f.write_str("too many requests at a time"),
            Error::Timeout => f.write_str("no answer in time"),
            Error::Unreachable(why) => write!(f, "no connection: {why}"),
            Error::TooLarge => f.write_str("the answer is larger than the limit"),
            Error::Broken(why) => write!(f, "the exchange broke off: {why}"),
            Error::Code(code) => write!(f, "the service answered {code}"),
            Error::Json(why) => write!(f, "unexpected JSON: {why}"),
        }
    }
}

impl std::error::Error for Error {}

impl Error {
    /// What a client of this component is told: codes that clients try again on where that may help (503 with
    /// `Retry-After`, 504), 502 where the service is at fault, 500 where a grant or the configuration is.
    #[must_use]
    pub fn status(&self, service: &str) -> Status {
        let message = format!("{service}: {self}");
        match self {
            Error::Url(_) | Error::Denied(_) => Status::internal(message),
            Error::Busy | Error::Unreachable(_) | Error::Code(429 | 503) => {
                Status::unavailable(message).with_retry_after(1)
            }
            Error::Timeout | Error::Code(504) => Status::timeout(message),
            // There is no reason of its own for 502.
            _ => Status::new(502, "InternalError", message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native;

    #[test]
    fn a_test_sets_what_a_service_answers() {
        native::reset();
        let answer = Response::new(200, r#"{"a":1}"#).with_header("etag", "x");
        native::outbound::respond("https://a.example.com/b?c", answer);
        let answer = Request::get("https://a.example.com/b?c").header("accept", "*/*").send().unwrap();
        assert_eq!((answer.code(), answer.header("etag")), (200, Some("x")));
        assert_eq!(answer.json::<serde_json::Value>().unwrap()["a"], 1);
        let sent = native::outbound::take_requests();
        assert_eq!((sent.len(), sent[0].method(), sent[0].url()), (1, "GET", "https://a.example.com/b?c"));
        let denied = Request::get("https://b.example.com/").send().unwrap_err();
        assert_eq!(denied, Error::Denied("https://b.example.com/".into()));
    }

    #[test]
    fn an_answer_over_the_requests_limit_is_refused() {
        native::reset();
        native::outbound::respond("https://a.example.com/", Response::new(200, vec![b' '; 11]));
        let request = Request::get("https://a.example.com/");
        assert_eq!(request.clone().limit(10).send(), Err(Error::TooLarge));
        assert_eq!(request.limit(11).send().unwrap().body().len(), 11);
    }

    #[test]
    fn failures_become_codes_that_clients_understand() {
        let code = |error: Error| error.status("service").code();
        assert_eq!(code(Error::Denied("https://a".into())), 500);
        assert_eq!(code(Error::Timeout), 504);
        assert_eq!((code(Error::Code(500)), code(Error::Code(404)), code(Error::TooLarge)), (502, 502, 502));
        let busy = Error::Busy.status("service");
        assert_eq!((busy.code(), busy.retry_after_seconds()), (503, Some(1)));
    }

    #[test]
    fn urls_are_taken_apart_and_others_refused() {
        let parts = |url| Url::parse(url).map(|url| (url.tls, url.authority, url.path_and_query));
        assert_eq!(parts("https://a.b:1/c?d#e"), Some((true, "a.b:1", "/c?d")));
        assert_eq!(parts("http://a?b"), Some((false, "a", "?b")));
        assert_eq!(parts("http://[::1]"), Some((false, "[::1]", "")));
        for url in ["", "a", "ftp://a", "https://", "https:///a", "HTTPS://a"] {
            assert!(matches!(Request::get(url).send(), Err(Error::Url(_))), "{url}");
        }
    }
}
