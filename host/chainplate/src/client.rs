//! A client of a server, by its kubeconfig: for tools that ask a server something.

use anyhow::{Context, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderValue, Request, Response, Uri, header};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use serde::Deserialize;
use std::{path::Path, sync::Arc};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_rustls::TlsConnector;

/// A server, and how it is known and we are.
pub(crate) struct Client {
    server: Uri,
    /// As the user of the kubeconfig.
    known: Arc<ClientConfig>,
    /// Without a certificate.
    unknown: Arc<ClientConfig>,
}

/// A connection to a server; it is closed when it is dropped.
pub(crate) struct Connection<B> {
    authority: HeaderValue,
    sender: SendRequest<B>,
    driver: JoinHandle<hyper::Result<()>>,
}

impl Client {
    /// Reads the current context of a kubeconfig with everything embedded.
    ///
    /// # Errors
    /// What it lacks.
    pub(crate) fn read(kubeconfig: &Path) -> anyhow::Result<Self> {
        let read = || {
            let config: Kubeconfig = serde_saphyr::from_str(&std::fs::read_to_string(kubeconfig)?)?;
            let context = find(config.contexts, &config.current)?;
            Self::new(find(config.clusters, &context.cluster)?, find(config.users, &context.user)?)
        };
        read().with_context(|| format!("{} names no server that can be asked", kubeconfig.display()))
    }

    fn new(cluster: Cluster, user: User) -> anyhow::Result<Self> {
        let pem = |text: &str| STANDARD.decode(text.trim());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem(&cluster.certificate_authority_data)?) {
            roots.add(certificate?)?;
        }
        let chain = CertificateDer::pem_slice_iter(&pem(&user.client_certificate_data)?)
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(&pem(&user.client_key_data)?)?;
        let builder = || {
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?;
            anyhow::Ok(builder.with_root_certificates(roots.clone()))
        };
        Ok(Self {
            server: cluster.server.parse()?,
            known: Arc::new(builder()?.with_client_auth_cert(chain, key)?),
            unknown: Arc::new(builder()?.with_no_client_auth()),
        })
    }

    /// Where the server is.
    pub(crate) fn server(&self) -> &Uri {
        &self.server
    }

    /// Connects, as the user of the kubeconfig or without a certificate.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub(crate) async fn connect<B>(&self, as_user: bool) -> anyhow::Result<Connection<B>>
    where
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let host = self.server.host().context("the server has no host")?.trim_matches(['[', ']']).to_owned();
        let port = self.server.port_u16().unwrap_or(443);
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        let tls = if as_user { &self.known } else { &self.unknown };
        let stream = TlsConnector::from(tls.clone()).connect(ServerName::try_from(host)?, stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let authority = self.server.authority().map(ToString::to_string).unwrap_or_default();
        Ok(Connection { authority: authority.parse()?, sender, driver: tokio::spawn(connection) })
    }
}

impl<B: Body + 'static> Connection<B> {
    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub(crate) async fn send(&mut self, mut request: Request<B>) -> hyper::Result<Response<Incoming>> {
        request.headers_mut().insert(header::HOST, self.authority.clone());
        self.sender.send_request(request).await
    }
}

impl<B> Drop for Connection<B> {
    fn drop(&mut self) {
        self.driver.abort();
    }
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

fn find<T>(list: Vec<Named<T>>, name: &str) -> anyhow::Result<T> {
    let found = list.into_iter().find(|item| item.name == name);
    found.map(|item| item.value).ok_or_else(|| anyhow!("it has no {name:?}"))
}
