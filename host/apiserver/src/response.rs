//! Answers that this crate gives by itself.

use crate::body::{Body, full_body};
use chainplate_apimachinery::Status;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use std::sync::Arc;

/// Encodes a Status for a request with the given headers. The integrator may hand in one that negotiates;
/// without it every Status is JSON.
pub type StatusEncoder = Arc<dyn Fn(&Status, &HeaderMap) -> Response<Body> + Send + Sync>;

const NOSNIFF: (HeaderName, HeaderValue) =
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));

/// A Status as JSON, with `Retry-After` where its details say so.
pub fn status_response(status: &Status) -> Response<Body> {
    let code = StatusCode::from_u16(status.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json_response(code, &status.to_value());
    if let Some(seconds) = status.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A JSON document, ended by a newline as upstream's encoder does.
pub fn json_response(code: StatusCode, value: &serde_json::Value) -> Response<Body> {
    let mut text = value.to_string();
    text.push('\n');
    with_type(code, "application/json", text)
}

/// Plain text as Go's `http.Error` writes it: a newline at the end, no sniffing.
pub fn text_error(code: StatusCode, text: &str) -> Response<Body> {
    let mut response = with_type(code, TEXT, format!("{text}\n"));
    let (name, value) = NOSNIFF;
    response.headers_mut().insert(name, value);
    response
}

/// Plain text as it is.
pub fn text(code: StatusCode, text: impl Into<String>) -> Response<Body> {
    with_type(code, TEXT, text.into())
}

const TEXT: &str = "text/plain; charset=utf-8";

pub(crate) fn with_type(code: StatusCode, media_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(full_body(body));
    *response.status_mut() = code;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Adds `X-Content-Type-Options: nosniff`.
pub(crate) fn nosniff(mut response: Response<Body>) -> Response<Body> {
    let (name, value) = NOSNIFF;
    response.headers_mut().insert(name, value);
    response
}
