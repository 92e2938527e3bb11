//! The server: assembled, prepared, run.

use crate::{
    BoxError, BoxFuture, Handler, ListedPaths,
    authn::{self, Authenticator, ClientCertificates, ServiceAccountTokens, TokenAuthenticators, TokenFile},
    authz::{self, AlwaysAllowPaths, Authorizer, Authorizers, BootstrapPaths, PrivilegedGroups},
    filters::{Flight, Limits, Pipeline, Settings},
    health::{Check, Endpoint, Health},
    lifecycle::ShutdownTrigger,
    metrics::Metrics,
    native::Native,
    options::CompletedOptions,
    response::{StatusEncoder, status_response},
    serve::{self, Bounds, Serving},
    tls::{self, ClientCa, Generated, Reload, ServingCertificate, TlsError},
};
use futures_util::future::join_all;
use http::HeaderValue;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinHandle,
};

/// Why the server cannot start or ended badly. Each names what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The port cannot be listened on.
    #[error("--bind-address, --secure-port: cannot listen on {address}: {source}; {}", listen_advice(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certificate, key, authority or token file is at fault.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The kubeconfig cannot be written.
    #[error("--kubeconfig-out: {path}: {source}; name a file that this user may write")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A pattern of paths is malformed.
    #[error("--authorization-always-allow-paths: {0}; put a * at the end only")]
    Pattern(#[from] authz::PatternError),
    /// A post-start hook failed: the server is not what it should be, so it went down in order.
    #[error("post-start hook {name} failed: {source}")]
    PostStartHook {
        /// The hook.
        name: String,
        /// Why.
        source: BoxError,
    },
    /// The last step, which closes the storage, failed.
    #[error("the shutdown was not clean: {0}")]
    Finish(BoxError),
}

fn listen_advice(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => "stop the other server, or choose another --secure-port",
        std::io::ErrorKind::PermissionDenied => {
            "choose a --secure-port above 1023, or grant the right to bind it"
        }
        std::io::ErrorKind::AddrNotAvailable => "choose a --bind-address that this machine has",
        _ => "check --bind-address and --secure-port",
    }
}

/// A step of the start or the end, run once.
type Hook = Box<dyn FnOnce() -> BoxFuture<'static, Result<(), BoxError>> + Send>;

/// A pre-shutdown hook has so long; then the shutdown goes on without it.
const PRE_SHUTDOWN: Duration = Duration::from_secs(60);
/// Requests get at most so long to finish, whatever `--request-timeout` says.
const DRAIN: Duration = Duration::from_secs(60);
/// Watches that were told to end get so long even without a grace period, so that streams end and do not break.
const WATCHES_END: Duration = Duration::from_secs(1);
/// Connections without requests get so long to say goodbye.
const CONNECTIONS_END: Duration = Duration::from_secs(2);
/// How often certificate, authority and token files are looked at.
const RELOAD: Duration = Duration::from_secs(5);

/// How often it is looked whether certificates near their end.
const RENEW: Duration = Duration::from_secs(12 * 60 * 60);

/// A server that is being assembled.
pub struct GenericServer {
    options: CompletedOptions,
    handler: Arc<dyn Handler>,
    health: Health,
    metrics: Metrics,
    tokens: Option<Arc<TokenAuthenticators>>,
    service_accounts: Option<Arc<ServiceAccountTokens>>,
    external_authorizers: Option<Arc<Authorizers>>,
    authorizers: Vec<Arc<dyn Authorizer>>,
    post_start: Vec<(String, Hook)>,
    pre_shutdown: Vec<(String, Hook)>,
    finish: Option<Hook>,
    encoder: StatusEncoder,
    listed: Option<ListedPaths>,
    listener: Option<TcpListener>,
}

/// Takes the address of the options. Connections wait in the kernel until the server runs.
///
/// # Errors
/// The address cannot be listened on.
pub async fn listen(options: &CompletedOptions) -> Result<TcpListener, ServerError> {
    TcpListener::bind(options.bind)
        .await
        .map_err(|source| ServerError::Listen { address: options.bind, source })
}

impl fmt::Debug for GenericServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GenericServer").field("bind", &self.options.bind).finish_non_exhaustive()
    }
}

impl GenericServer {
    /// A server for a handler. The options should have been validated.
    pub fn new(options: CompletedOptions, handler: Arc<dyn Handler>) -> Self {
        let health = Health::new(options.given.generic.livez_grace_period.get());
        Self {
            options,
            handler,
            health,
            metrics: Metrics::new(),
            tokens: None,
            service_accounts: None,
            external_authorizers: None,
            authorizers: Vec::new(),
            post_start: Vec::new(),
            pre_shutdown: Vec::new(),
            finish: None,
            encoder: Arc::new(|status, _| status_response(status)),
            listed: None,
            listener: None,
        }
    }

    /// The health checks, to add more.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// The metrics, to register more.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Uses metrics that were made before, so that a handler can register its own first.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Asks these about bearer tokens, behind client certificates. The file of `--token-auth-file` becomes the first of
    /// them.
    #[must_use]
    pub fn with_token_authenticators(mut self, tokens: Arc<TokenAuthenticators>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Serves the documents that tell others of these keys, if their issuer is a URL.
    #[must_use]
    pub fn with_service_account_tokens(mut self, tokens: Arc<ServiceAccountTokens>) -> Self {
        self.service_accounts = Some(tokens);
        self
    }

    /// Asks these about everybody but [`authn::MASTERS`], and everything but the paths that are always allowed,
    /// before the built-in ones: what they deny stays denied.
    #[must_use]
    pub fn with_authorizers(mut self, authorizers: Arc<Authorizers>) -> Self {
        self.external_authorizers = Some(authorizers);
        self
    }

    /// Adds an authorizer behind the built-in ones.
    #[must_use]
    pub fn with_authorizer(mut self, authorizer: Arc<dyn Authorizer>) -> Self {
        self.authorizers.push(authorizer);
        self
    }

    /// Encodes the filters' Statuses as the request's Accept header wants them.
    #[must_use]
    pub fn with_status_encoder(mut self, encoder: StatusEncoder) -> Self {
        self.encoder = encoder;
        self
    }

    /// Tells the paths that the index at `/` lists besides the server's own.
    #[must_use]
    pub fn with_listed_paths(mut self, listed: ListedPaths) -> Self {
        self.listed = Some(listed);
        self
    }

    /// Serves on a listener that [`listen`] made, for those who must know the port before the handler is made.
    #[must_use]
    pub fn with_listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(listener);
        self
    }

    /// Adds a step that runs once the server listens. `/readyz` fails as `poststarthook/<name>` until it is
    /// done; if it fails, the server shuts down and [`PreparedServer::run`] returns the error.
    #[must_use]
    pub fn with_post_start_hook<F>(
        mut self,
        name: impl Into<String>,
        hook: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.post_start.push((name.into(), boxed(hook)));
        self
    }

    /// Adds a step that runs when the shutdown starts, while requests are still served. It has 60 s.
    #[must_use]
    pub fn with_pre_shutdown_hook<F>(
        mut self,
        name: impl Into<String>,
        hook: impl FnOnce() -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.pre_shutdown.push((name.into(), boxed(hook)));
        self
    }

    /// The very last step, when no request is left: closes the storage.
    #[must_use]
    pub fn with_finish<F>(mut self, hook: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.finish = Some(boxed(hook));
        self
    }

    /// Makes or reads certificates, tokens and authorities, listens, and writes the kubeconfig. Connections
    /// wait in the kernel until [`PreparedServer::run`].
    ///
    /// # Errors
    /// A file or the port cannot be used.
    pub async fn prepare(self) -> Result<PreparedServer, ServerError> {
        let options = &self.options;
        let generated = tls::generate(options, SystemTime::now())?;
        let serving = &options.given.serving;
        let certificate =
            Arc::new(ServingCertificate::load(&generated.serving_certificate, &generated.serving_key)?);
        let mut authorities = vec![generated.client_authority.clone()];
        authorities.extend(options.given.authentication.client_ca_file.clone());
        let client_ca = Arc::new(ClientCa::load(authorities)?);
        let mut reloads: Vec<Arc<dyn Reload>> = vec![certificate.clone(), client_ca.clone()];

        let tokens = self
            .tokens
            .unwrap_or_else(|| Arc::new(TokenAuthenticators::new(options.api_audiences.clone(), Vec::new())));
        if let Some(path) = &options.given.authentication.token_auth_file {
            let file = Arc::new(TokenFile::load(path)?);
            reloads.push(file.clone());
            tokens.look_first_into(file);
        }
        let authenticators: Vec<Arc<dyn Authenticator>> =
            vec![Arc::new(ClientCertificates::new(client_ca)), tokens];
        let anonymous = options.given.authentication.anonymous_auth;
        let authenticator = Arc::new(authn::Union::new(authenticators, anonymous));

        let paths = AlwaysAllowPaths::new(&options.given.authorization.authorization_always_allow_paths)?;
        let mut authorizers: Vec<Arc<dyn Authorizer>> = vec![Arc::new(PrivilegedGroups), Arc::new(paths)];
        authorizers.extend(self.external_authorizers.map(|external| external as Arc<dyn Authorizer>));
        authorizers.push(Arc::new(BootstrapPaths::default()));
        authorizers.extend(self.authorizers);

        let config = tls::server_config(
            &serving.tls_min_version,
            &serving.tls_cipher_suites,
            certificate.clone(),
            true,
        )?;
        let listener = match self.listener {
            Some(listener) => listener,
            None => listen(options).await?,
        };
        let address =
            listener.local_addr().map_err(|source| ServerError::Listen { address: options.bind, source })?;
        write_kubeconfig(options, &generated, &certificate, address)?;

        let advertised = SocketAddr::new(options.advertise_address, address.port());
        let generic = &options.given.generic;
        let flight = Arc::new(Flight::default());
        let count = |value: i64| usize::try_from(value).unwrap_or(0);
        let directives = &generic.strict_transport_security_directives;
        let pipeline = Pipeline {
            handler: self.handler,
            native: Native {
                health: self.health.clone(),
                metrics: self.metrics.clone(),
                openid: self.service_accounts.and_then(|tokens| tokens.documents(advertised)),
                listed: self.listed,
            },
            authenticator,
            authorizer: Arc::new(authz::Union::new(authorizers)),
            limits: Limits::new(
                count(generic.max_requests_inflight),
                count(generic.max_mutating_requests_inflight),
            ),
            settings: Settings {
                request_timeout: options.request_timeout(),
                hsts: HeaderValue::from_str(&directives.join("; ")).ok().filter(|_| !directives.is_empty()),
                goaway_chance: generic.goaway_chance,
                send_retry_after: generic.shutdown_send_retry_after,
            },
            flight,
            metrics: self.metrics.clone(),
            encoder: self.encoder,
        };
        Ok(PreparedServer {
            listener,
            address,
            tls: Arc::new(config),
            pipeline: Arc::new(pipeline),
            health: self.health,
            post_start: self.post_start,
            pre_shutdown: self.pre_shutdown,
            finish: self.finish,
            reloads,
            certificate,
            options: self.options,
        })
    }
}

fn boxed<F>(hook: impl FnOnce() -> F + Send + 'static) -> Hook
where
    F: Future<Output = Result<(), BoxError>> + Send + 'static,
{
    Box::new(move || Box::pin(hook()))
}

/// Written again only when it says something new: a file that has not changed keeps its time.
fn write_kubeconfig(
    options: &CompletedOptions,
    generated: &Generated,
    certificate: &ServingCertificate,
    address: SocketAddr,
) -> Result<(), ServerError> {
    let server = format!("https://{}", SocketAddr::new(options.local_host(), address.port()));
    let authority = generated.authority_pem.clone().map_or_else(|| certificate.pem(), String::into_bytes);
    let text =
        tls::kubeconfig(&server, &authority, &generated.admin_certificate_pem, &generated.admin_key_pem);
    let path = &options.kubeconfig;
    if std::fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(());
    }
    tls::write_private(path, text.as_bytes())
        .map_err(|source| ServerError::Kubeconfig { path: path.clone(), source })
}

/// A server that listens and has not answered yet.
pub struct PreparedServer {
    options: CompletedOptions,
    listener: TcpListener,
    address: SocketAddr,
    tls: Arc<ServerConfig>,
    pipeline: Arc<Pipeline>,
    health: Health,
    post_start: Vec<(String, Hook)>,
    pre_shutdown: Vec<(String, Hook)>,
    finish: Option<Hook>,
    reloads: Vec<Arc<dyn Reload>>,
    certificate: Arc<ServingCertificate>,
}

impl fmt::Debug for PreparedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedServer").field("address", &self.address).finish_non_exhaustive()
    }
}

impl PreparedServer {
    /// Where it listens, with the port that was chosen.
    pub fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.options.kubeconfig
    }

    /// Serves until the trigger is pulled (or a post-start hook fails), then goes down in order: `/readyz` red,
    /// pre-shutdown hooks beside the shutdown delay, no new requests, drain, connections closed, finish.
    ///
    /// # Errors
    /// A post-start hook or the finish failed.
    pub async fn run(self, trigger: ShutdownTrigger) -> Result<(), ServerError> {
        let generic = &self.options.given.generic;
        let (serving, receiver) = watch::channel(Serving::Accepting);
        let bounds = Bounds {
            connections: self.options.given.chainplate.max_connections,
            http2_streams: self.options.http2_max_streams(),
        };
        let (failed, mut failures) = mpsc::channel(1);
        let hooks = start_hooks(self.post_start, &self.health, &failed);
        self.health.add_to(Endpoint::Readyz, {
            let trigger = trigger.clone();
            Check::new("shutdown", move || {
                if trigger.is_initiated() { Err("process is shutting down".into()) } else { Ok(()) }
            })
        });
        let listener =
            tokio::spawn(serve::run(self.listener, self.tls, self.pipeline.clone(), bounds, receiver));
        let background = [
            tokio::spawn(reload(self.reloads)),
            tokio::spawn(renew(self.options.clone(), self.certificate, self.address)),
            tokio::spawn(publish(self.pipeline.metrics.clone())),
        ];

        let failure = tokio::select! {
            () = trigger.initiated() => None,
            // `failed` is kept, so the channel does not end before a hook fails.
            failure = failures.recv() => failure,
        };
        trigger.initiate();
        tracing::info!("shutdown initiated");

        tokio::join!(
            pre_shutdown(self.pre_shutdown),
            tokio::time::sleep(generic.shutdown_delay_duration.get()),
        );
        tracing::info!("not accepting new requests");
        let flight = &self.pipeline.flight;
        flight.drain();
        if !generic.shutdown_send_retry_after {
            serving.send_replace(Serving::Draining);
        }
        flight.end_watches();
        let short = flight.short.drained(self.options.request_timeout().min(DRAIN));
        let grace = generic.shutdown_watch_termination_grace_period.get().max(WATCHES_END);
        let (short, long) = tokio::join!(short, flight.long.drained(grace));
        tracing::info!(requests_left = short, watches_left = long, "requests drained");
        serving.send_replace(Serving::Draining);
        let mut listener = listener;
        if tokio::time::timeout(CONNECTIONS_END, &mut listener).await.is_err() {
            serving.send_replace(Serving::Stopped);
            // It ends at once now; a panic in it was reported where it happened.
            let _ = listener.await;
        }
        for task in hooks.into_iter().chain(background) {
            task.abort();
        }
        if let Some(finish) = self.finish {
            finish().await.map_err(ServerError::Finish)?;
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Starts the post-start hooks, each with its check.
fn start_hooks(
    hooks: Vec<(String, Hook)>,
    health: &Health,
    failed: &mpsc::Sender<ServerError>,
) -> Vec<JoinHandle<()>> {
    let start = |(name, hook): (String, Hook)| {
        let done = Arc::new(AtomicBool::new(false));
        let state = done.clone();
        health.add_boot_sequence(Check::new(format!("poststarthook/{name}"), move || {
            if state.load(Ordering::Acquire) { Ok(()) } else { Err("not finished".into()) }
        }));
        let failed = failed.clone();
        tokio::spawn(async move {
            match hook().await {
                Ok(()) => done.store(true, Ordering::Release),
                Err(source) => {
                    tracing::error!(hook = name, error = %source, "a post-start hook failed");
                    // Full: another hook failed first, and one is enough.
                    let _ = failed.try_send(ServerError::PostStartHook { name, source });
                }
            }
        })
    };
    hooks.into_iter().map(start).collect()
}

/// Runs the pre-shutdown hooks side by side. What fails or takes too long is logged; the shutdown goes on.
async fn pre_shutdown(hooks: Vec<(String, Hook)>) {
    let run = |(name, hook): (String, Hook)| async move {
        match tokio::time::timeout(PRE_SHUTDOWN, hook()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(hook = name, %error, "a pre-shutdown hook failed"),
            Err(_) => tracing::error!(hook = name, "a pre-shutdown hook took too long"),
        }
    };
    join_all(hooks.into_iter().map(run)).await;
}

/// Looks at the files again and again. A broken one is told once, not every time.
async fn reload(reloads: Vec<Arc<dyn Reload>>) {
    let told: Arc<Mutex<Vec<Option<String>>>> = Arc::new(Mutex::new(vec![None; reloads.len()]));
    let reloads = Arc::new(reloads);
    loop {
        tokio::time::sleep(RELOAD).await;
        let (reloads, told) = (reloads.clone(), told.clone());
        let looked = tokio::task::spawn_blocking(move || {
            for (reload, told) in reloads.iter().zip(told.lock().iter_mut()) {
                match reload.reload() {
                    Ok(changed) => {
                        if changed {
                            tracing::info!(source = ?reload, "read again");
                        }
                        *told = None;
                    }
                    Err(error) => {
                        if told.as_ref() != Some(&error) {
                            tracing::error!(
                                error,
                                "a changed file is not usable; what was read before stays in use"
                            );
                            *told = Some(error);
                        }
                    }
                }
            }
        });
        if let Err(error) = looked.await {
            tracing::error!(%error, "looking at changed files failed");
        }
    }
}

/// Makes certificates anew when they near their end, for servers that run for a year.
async fn renew(options: CompletedOptions, certificate: Arc<ServingCertificate>, address: SocketAddr) {
    loop {
        tokio::time::sleep(RENEW).await;
        let (options, certificate) = (options.clone(), certificate.clone());
        let renewed = tokio::task::spawn_blocking(move || {
            let generated = tls::generate(&options, SystemTime::now())?;
            // The kubeconfig holds the authority; the certificate itself is taken by the reload.
            write_kubeconfig(&options, &generated, &certificate, address)
        });
        match renewed.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "certificates could not be renewed"),
            Err(error) => tracing::error!(%error, "renewing certificates failed"),
        }
    }
}

/// Publishes what is measured by the second.
async fn publish(metrics: Metrics) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        metrics.publish_in_flight();
    }
}
