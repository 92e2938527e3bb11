//! The program's parts, put together: the generic server in front, the chain behind it, the store below.
//!
//! A library, so that tests and benches run the very server that `main` runs.

mod chain_config;
mod chains;
mod client;
mod handler;
mod identity;
mod metrics;
pub mod plugin;
pub mod storage;

pub use chain_config::{ConfigError, chain_configuration};

use anyhow::Context;
use chainplate_apiserver::{
    BoxError, GenericServer, PreparedServer, ShutdownTrigger, health::Check, listen,
    options::CompletedOptions,
};
use chainplate_chain::{Chain, Host, Metrics};
use chains::Chains;
use handler::ChainHandler;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio::sync::watch;

/// A server whose chain is prepared and that listens; it answers once [`run`](Server::run) is called.
#[derive(Debug)]
pub struct Server {
    prepared: PreparedServer,
    chains: Arc<Chains>,
    stop: watch::Sender<bool>,
}

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
        let data = options.given.chainplate.data_dir.clone();
        // Before anything is opened: the usual mistake is in there.
        chain_configuration(&options, port)?;
        let store = storage::open(&options.given.storage, &data).await?;
        let (stop, stopped) = watch::channel(false);
        let series = Metrics::default();
        let host =
            Host::new(store.clone(), chainplate_components::shipped, data.join("code"), series.clone());
        let chains = Arc::new(Chains::start(host, options.clone(), port).await?);

        let handler = Arc::new(ChainHandler::new(chains.clone(), store.clone(), options.min_watch_timeout()));
        let mut server = GenericServer::new(options, handler)
            .with_listener(listener)
            .with_token_authenticators(chains.identity.tokens.clone())
            .with_service_account_tokens(chains.identity.service_accounts.clone())
            .with_authorizers(chains.identity.access.clone())
            .with_status_encoder(Arc::new(chainplate_plan::status_response))
            .with_listed_paths({
                let chains = chains.clone();
                Arc::new(move || chains.current().paths())
            });
        server.metrics().register(|registry| series.register(registry));
        metrics::register(server.metrics(), &store);
        let health = server.health().clone();
        health.add(Check::new("etcd", {
            let store = store.clone();
            move || store.health().map_err(|error| error.to_string())
        }));
        chains.register(&health);
        tokio::spawn(chains.clone().watch_health(stopped));
        let chain = chains.current();
        for plugin in chain.plugins() {
            server = server.with_post_start_hook(format!("chain/{}", plugin.name()), {
                let (chain, plugin) = (chain.clone(), plugin.clone());
                move || async move {
                    post_start(&chain, &plugin).await;
                    Ok(())
                }
            });
        }
        let server = server.with_pre_shutdown_hook("chain", {
            let chains = chains.clone();
            move || async move { pre_shutdown(&chains.current()).await }
        });
        let server = server.with_finish(move || async move { store.close().await.map_err(Into::into) });
        Ok(Self { prepared: server.prepare().await?, chains, stop })
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
    pub fn chain(&self) -> Arc<Chain> {
        self.chains.current()
    }

    /// Serves until the trigger is pulled, then goes down in order.
    ///
    /// # Errors
    /// What failed on the way up or down.
    pub async fn run(self, trigger: ShutdownTrigger) -> anyhow::Result<()> {
        let causes = tokio::spawn(self.chains.clone().watch_causes(self.stop.subscribe()));
        self.chains.current().start_controllers();
        let outcome = self.prepared.run(trigger).await;
        self.stop.send_replace(true);
        causes.await.context("waiting for reloads")??;
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

/// Ends the chain's own work and runs the components' pre-shutdown hooks, the first delegate first.
async fn pre_shutdown(chain: &Arc<Chain>) -> Result<(), BoxError> {
    chain.retire(None).await;
    let mut failed = Vec::new();
    for plugin in chain.plugins() {
        if let Err(why) = chain.pre_shutdown(plugin).await {
            failed.push(format!("component {:?}: {why}", plugin.name()));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ").into()) }
}
