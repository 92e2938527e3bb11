//! Compression of large answers (`handlers/responsewriters/writers.go`).

use crate::{Body, BoxError};
use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderValue, Response, header};
use http_body_util::BodyExt as _;
use std::io::Write as _;

/// Bodies up to this size are sent as they are, in bytes.
pub(crate) const THRESHOLD: usize = 128 * 1024;

struct State {
    /// `None` once the body is over.
    source: Option<Body>,
    encoder: GzEncoder<Vec<u8>>,
}

/// The response with its body compressed on the way, at the fastest level.
pub(crate) fn compressed(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let state = State { source: Some(body), encoder: GzEncoder::new(Vec::new(), Compression::fast()) };
    let chunks = futures_util::stream::try_unfold(state, |mut state| async move {
        loop {
            let Some(source) = &mut state.source else { return Ok(None) };
            match source.frame().await {
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        state.encoder.write_all(&data)?;
                    }
                }
                None => {
                    state.source = None;
                    state.encoder.try_finish()?;
                }
            }
            let out = std::mem::take(state.encoder.get_mut());
            if !out.is_empty() {
                return Ok::<_, BoxError>(Some((Bytes::from(out), state)));
            }
        }
    });
    Response::from_parts(parts, crate::body::stream(chunks))
}
