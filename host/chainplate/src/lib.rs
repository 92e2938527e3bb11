//! The program's parts, put together: the generic server in front, the chain behind it, the store below.
//!
//! A library, so that tests and benches run the very server that `main` runs.

mod chain_config;
mod handler;
mod metrics;
pub mod storage;

pub use chain_config::{ConfigError, chain_configuration};

use anyhow::Context;
use chainplate_apiserver::{
    GenericServer, PreparedServer, ShutdownTrigger, health::Check, listen, options::CompletedOptions,
};
use chainplate_chain::{Chain, Host, Metrics};
use handler::ChainHandler;
use parking_lot::RwLock;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A server whose chain is prepared and that listens; it answers once [`run`](Server::run) is called.
#[derive(Debug)]
pub struct Server {
    prepared: PreparedServer,
    chain: Arc<Chain>,
    stop: watch::Sender<bool>,
}

/// How often components are asked whether they can serve.
const HEALTH_EVERY: Duration = Duration::from_secs(5);
/// The pause before a post-start hook that failed is tried again; doubled up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);

impl Server {
    /// Opens the store, loads and prepares the chain, makes certificates and listens.
    ///
    /// # Errors
    /// What cannot be used, with the flag or file at fault.
    pub async fn prepare(options: CompletedOptions) -> anyhow::Result<Self> {
        let listener = listen(&options).await?;
        let port = listener.local_addr().context("the port that was bound")?.port();
        let configuration = chain_configuration(&options, port)?;
        let data = options.given.chainplate.data_dir.clone();
        let store = storage::open(&options.given.storage, &data).await?;
        let (stop, stopped) = watch::channel(false);
        let series = Metrics::default();
        let host = Host {
            store: store.clone(),
            shipped: chainplate_components::shipped,
            code_cache: data.join("code"),
            stopped,
            metrics: series.clone(),
        };
        let chain = Arc::new(Chain::load(&configuration, &host).await?);
        chain.prepare().await?;

        let handler = Arc::new(ChainHandler::new(chain.clone(), store.clone(), options.min_watch_timeout()));
        let mut server = GenericServer::new(options, handler)
            .with_listener(listener)
            .with_status_encoder(Arc::new(chainplate_plan::status_response))
            .with_listed_paths({
                let chain = chain.clone();
                Arc::new(move || chain.paths())
            });
        server.metrics().register(|registry| series.register(registry));
        metrics::register(server.metrics(), &store);
        let health = server.health().clone();
        health.add(Check::new("etcd", {
            let store = store.clone();
            move || store.health().map_err(|error| error.to_string())
        }));
        for plugin in chain.plugins() {
            let state: Arc<RwLock<Result<(), String>>> = Arc::new(RwLock::new(Ok(())));
            health.add(Check::new(format!("chain/{}", plugin.name()), {
                let state = state.clone();
                move || state.read().clone()
            }));
            tokio::spawn(watch_health(chain.clone(), plugin.clone(), state, stop.subscribe()));
            server = server.with_post_start_hook(format!("chain/{}", plugin.name()), {
                let (chain, plugin) = (chain.clone(), plugin.clone());
                move || async move {
                    post_start(&chain, &plugin).await;
                    Ok(())
                }
            });
            server = server.with_pre_shutdown_hook(format!("chain/{}", plugin.name()), {
                let (chain, plugin) = (chain.clone(), plugin.clone());
                move || async move { chain.pre_shutdown(&plugin).await.map_err(Into::into) }
            });
        }
        let server = server.with_finish(move || async move { store.close().await.map_err(Into::into) });
        Ok(Self { prepared: server.prepare().await?, chain, stop })
    }

    /// Where it listens, with the port that was chosen.
    pub fn local_address(&self) -> SocketAddr {
        self.prepared.local_address()
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        self.prepared.kubeconfig()
    }

    /// The chain behind it.
    pub fn chain(&self) -> &Arc<Chain> {
        &self.chain
    }

    /// Serves until the trigger is pulled, then goes down in order.
    ///
    /// # Errors
    /// What failed on the way up or down.
    pub async fn run(self, trigger: ShutdownTrigger) -> anyhow::Result<()> {
        let outcome = self.prepared.run(trigger).await;
        self.stop.send_replace(true);
        Ok(outcome?)
    }
}

/// Runs a component's post-start hook until it succeeds; `/readyz` waits for it.
async fn post_start(chain: &Chain, plugin: &chainplate_chain::Plugin) {
    let mut pause = FIRST_PAUSE;
    while let Err(why) = chain.post_start(plugin).await {
        tracing::error!(plugin = plugin.name(), "post-start hook failed, again in {pause:?}: {why}");
        tokio::time::sleep(pause).await;
        pause = LAST_PAUSE.min(pause * 2);
    }
}

/// Asks a component now and then whether it can serve, so that a health check need not wait for it.
async fn watch_health(
    chain: Arc<Chain>,
    plugin: Arc<chainplate_chain::Plugin>,
    state: Arc<RwLock<Result<(), String>>>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(HEALTH_EVERY) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
        let health = chain.health(&plugin).await;
        *state.write() = health;
    }
}
