//! A snapshot of a server that runs.

use crate::client::Client;
use anyhow::{Context, bail};
use bytes::Bytes;
use chainplate_apiserver::Body;
use chainplate_storage::Store;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, StreamBody};
use std::{io::Write, path::Path};

/// Where a server hands out a snapshot. A path without a resource: whoever may GET it may read everything.
pub(crate) const SNAPSHOT_PATH: &str = "/debug/storage/snapshot";

/// Answers with a snapshot.
///
/// # Errors
/// Why the store cannot make one.
pub(crate) async fn serve(store: &Store) -> Result<Response<Body>, chainplate_storage::Error> {
    let chunks = store.snapshot().await?;
    let frames =
        futures_util::stream::iter(chunks.map(|chunk| chunk.map(http_body::Frame::data).map_err(Into::into)));
    let mut response = Response::new(StreamBody::new(frames).boxed_unsync());
    let media_type = header::HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    Ok(response)
}

/// Has the server that `kubeconfig` names send a snapshot.
///
/// # Errors
/// What went wrong on the way, or the server's answer.
pub(super) async fn save(kubeconfig: &Path, sink: &mut impl Write) -> anyhow::Result<()> {
    let client = Client::read(kubeconfig)?;
    let context = || format!("the server at {} cannot be asked for a snapshot", client.server());
    let mut connection = client.connect(true).await.with_context(context)?;
    let request = Request::get(SNAPSHOT_PATH).body(Empty::<Bytes>::new())?;
    let mut response = connection.send(request).await.with_context(context)?;
    if response.status() != StatusCode::OK {
        let status = response.status();
        let body = response.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        bail!("{}: {status}: {}", context(), String::from_utf8_lossy(&body));
    }
    while let Some(frame) = response.body_mut().frame().await {
        if let Ok(data) = frame.with_context(context)?.into_data() {
            sink.write_all(&data)?;
        }
    }
    Ok(())
}
