//! A snapshot of a server that runs.

use anyhow::{Context, anyhow, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chainplate_apiserver::Body;
use chainplate_storage::Store;
use http::{Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde::Deserialize;
use std::{io::Write, path::Path, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

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
    let Target { server, tls } = Target::read(kubeconfig)
        .with_context(|| format!("{} names no server that can be asked", kubeconfig.display()))?;
    let host = server.host().context("the server has no host")?.trim_matches(['[', ']']).to_owned();
    let port = server.port_u16().unwrap_or(443);
    let context = || format!("the server at {server} cannot be asked for a snapshot");
    let stream = TcpStream::connect((host.as_str(), port)).await.with_context(context)?;
    let name = ServerName::try_from(host.clone())?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.with_context(context)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.with_context(context)?;
    let driver = tokio::spawn(connection);
    let request = Request::get(SNAPSHOT_PATH)
        .header(header::HOST, format!("{host}:{port}"))
        .body(Empty::<Bytes>::new())?;
    let mut response = sender.send_request(request).await.with_context(context)?;
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
    driver.abort();
    Ok(())
}

/// A server, and how it is known and we are.
struct Target {
    server: Uri,
    tls: ClientConfig,
}

#[derive(Deserialize)]
struct Kubeconfig {
    clusters: Vec<Named<Cluster>>,
    users: Vec<Named<User>>,
    contexts: Vec<Named<KubeContext>>,
    #[serde(rename = "current-context")]
    current: String,
}

#[derive(Deserialize)]
struct Named<T> {
    name: String,
    #[serde(alias = "cluster", alias = "user", alias = "context")]
    value: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority_data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate_data: String,
    client_key_data: String,
}

#[derive(Deserialize)]
struct KubeContext {
    cluster: String,
    user: String,
}

impl Target {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let config: Kubeconfig = serde_saphyr::from_str(&std::fs::read_to_string(path)?)?;
        let context = find(config.contexts, &config.current)?;
        let cluster = find(config.clusters, &context.cluster)?;
        let user = find(config.users, &context.user)?;
        let pem = |text: &str| STANDARD.decode(text.trim());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem(&cluster.certificate_authority_data)?) {
            roots.add(certificate?)?;
        }
        let chain = CertificateDer::pem_slice_iter(&pem(&user.client_certificate_data)?)
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&pem(&user.client_key_data)?)?;
        let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        Ok(Self { server: cluster.server.parse()?, tls })
    }
}

fn find<T>(list: Vec<Named<T>>, name: &str) -> anyhow::Result<T> {
    let found = list.into_iter().find(|item| item.name == name);
    found.map(|item| item.value).ok_or_else(|| anyhow!("it has no {name:?}"))
}
