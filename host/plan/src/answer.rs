//! Small answers: bytes, documents and Status, encoded as negotiated.

use crate::{Body, Collection, gzip, pretty, protobuf, yaml};
use bytes::Bytes;
use chainplate_apimachinery::{
    Status, Value,
    negotiation::{self, ENCODINGS, Encoding, Endpoint, MediaType, Preferences},
};
use http::{HeaderMap, HeaderValue, Response, header};

/// The encodings of objects that the tables of types do not know. Their metadata has protobuf, too.
const PLAIN: [Encoding; 2] = [Encoding::Json, Encoding::Yaml];

/// A Status, and the token in its `metadata` where a list can be gone on with.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    pub(crate) continue_token: Option<String>,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        Self { status, continue_token: None }
    }
}

impl Failure {
    /// The JSON form.
    pub(crate) fn to_value(&self) -> Value {
        let mut value = self.status.to_value();
        if let Some(token) = &self.continue_token {
            value["metadata"]["continue"] = token.clone().into();
        }
        value
    }
}

/// What negotiation reads of a request.
pub(crate) fn preferences<'a>(headers: &'a HeaderMap, query: &'a str) -> Preferences<'a> {
    let text =
        |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    Preferences { accept: text(header::ACCEPT), query, user_agent: text(header::USER_AGENT) }
}

/// Agrees on a media type for objects of a collection. Only built-in resources stand behind upstream's router.
pub(crate) fn agree(
    collection: &Collection,
    available: &[&str],
    preferences: Preferences<'_>,
) -> Result<MediaType, Status> {
    if !collection.items_with_type_meta {
        negotiation::route(preferences.accept, available)?;
    }
    let known = !collection.items_with_type_meta
        && chainplate_types::protobuf::is_known(&collection.api_version(), &collection.kind);
    negotiation::negotiate(preferences, Endpoint::Resource, &ENCODINGS, plain(known))
}

/// The encodings of a document as it is, by whether its type has protobuf.
pub(crate) fn plain(has_protobuf: bool) -> &'static [Encoding] {
    if has_protobuf { &ENCODINGS } else { &PLAIN }
}

/// Whether the client takes gzip.
pub(crate) fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.split(',').any(|coding| coding.trim() == "gzip")
}

/// A response with a body of known length.
pub(crate) fn bytes(code: u16, media_type: &str, body: Bytes) -> Response<Body> {
    respond(code, media_type, crate::body::full(body))
}

/// A response with any body.
pub(crate) fn respond(code: u16, media_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    if let Ok(code) = http::StatusCode::from_u16(code) {
        *response.status_mut() = code;
    }
    // An answer without a body has no type.
    if let Ok(value) = HeaderValue::from_str(media_type)
        && !value.is_empty()
    {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    response
}

/// A JSON document in the agreed encoding.
pub(crate) fn encoded(
    code: u16,
    json: Vec<u8>,
    media: &MediaType,
    compress: bool,
) -> Result<Response<Body>, Status> {
    let body = encode(json, media)?;
    let media_type = media.encoding.media_type();
    if compress && body.len() > gzip::THRESHOLD {
        return Ok(gzip::compressed(respond(code, media_type, crate::body::full(body.into()))));
    }
    Ok(bytes(code, media_type, body.into()))
}

fn encode(mut json: Vec<u8>, media: &MediaType) -> Result<Vec<u8>, Status> {
    Ok(match media.encoding {
        Encoding::Json if media.pretty => pretty::indent(&json),
        Encoding::Json => {
            json.push(b'\n');
            json
        }
        Encoding::Yaml => yaml::from_json(&json)
            .map_err(|why| Status::internal(format_args!("a document cannot be written as YAML: {why}")))?
            .into_bytes(),
        Encoding::Protobuf => protobuf::encode(&json)
            .ok_or_else(|| Status::internal("a document cannot be written as protobuf"))?,
    })
}

/// Encodes a Status in the negotiated media type, with `Retry-After` where `details` name it. `headers` are those
/// of the request.
pub fn status_response(status: &Status, headers: &HeaderMap) -> Response<Body> {
    status_response_for(status, headers, "")
}

/// [`status_response`] that heeds `pretty` in the request's raw query string, too.
pub fn status_response_for(status: &Status, headers: &HeaderMap, query: &str) -> Response<Body> {
    let failure = Failure { status: status.clone(), continue_token: None };
    self::failure(&failure, preferences(headers, query))
}

/// Encodes a failure. When the client accepts nothing that an error can be told in, it is told in laid out JSON
/// (`responsewriters.WriteRawJSON`).
pub(crate) fn failure(failure: &Failure, preferences: Preferences<'_>) -> Response<Body> {
    let code = failure.status.code();
    let json = serde_json::to_vec(&failure.to_value()).unwrap_or_default();
    let fallback = MediaType { encoding: Encoding::Json, form: negotiation::Form::Plain, pretty: true };
    let media =
        negotiation::negotiate(preferences, Endpoint::Document, &ENCODINGS, &ENCODINGS).unwrap_or(fallback);
    let mut response = match encode(json, &media) {
        Ok(body) => bytes(code, media.encoding.media_type(), body.into()),
        Err(_) => bytes(500, Encoding::Json.media_type(), Bytes::new()),
    };
    if let Some(seconds) = failure.status.retry_after_seconds() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}
