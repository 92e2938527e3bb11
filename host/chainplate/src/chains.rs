//! The chain that serves, and the one that takes its place: on SIGHUP, when the configuration or a component's file changes, or
//! when an administrator asks.
//!
//! The new chain is loaded, prepared and asked for its health beside the old one. Then it serves, from one request to the
//! next; what is under way on the old one ends there. A chain that does not come up changes nothing.

use crate::{chain_config::chain_configuration, identity::Identity};
use anyhow::Context;
use arc_swap::ArcSwap;
use chainplate_apiserver::{
    health::{Check, Health},
    options::CompletedOptions,
};
use chainplate_chain::{
    Chain, Host,
    config::{ServerChainConfiguration, Source},
};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use tokio::{sync::watch, time};

/// POST there has the chain reloaded.
pub(crate) const RELOAD_PATH: &str = "/debug/chain/reload";
/// How often files are looked at. What changed must look the same twice: it may still be being written.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often components are asked whether they can serve.
const HEALTH_EVERY: Duration = Duration::from_secs(5);

/// The chain that serves, and what the next one is made with.
#[derive(Debug)]
pub(crate) struct Chains {
    current: ArcSwap<Chain>,
    host: Host,
    options: CompletedOptions,
    port: u16,
    /// Held while a chain is being replaced.
    turn: tokio::sync::Mutex<()>,
    /// The files that the chain was made of, as they were.
    files: Mutex<Fingerprint>,
    /// Who is asked about tokens and access.
    pub(crate) identity: Identity,
    health: OnceLock<Health>,
    checked: Mutex<BTreeSet<String>>,
}

/// Files as they look from outside.
type Fingerprint = Vec<(PathBuf, Option<(i64, i64, u64, u64)>)>;

impl Chains {
    /// Loads and prepares the first chain. `port` is the one that is listened on.
    pub(crate) async fn start(host: Host, options: CompletedOptions, port: u16) -> anyhow::Result<Self> {
        let identity = Identity::load(&options)?;
        let host = host.with_tokens(identity.of_components());
        let configuration = chain_configuration(&options, port)?;
        let files = fingerprint(files(&options, &configuration)).await;
        let chain = Chain::load(&configuration, &host, false).await?;
        chain.prepare().await?;
        identity.follow(&chain);
        Ok(Self {
            identity,
            current: ArcSwap::new(chain),
            host,
            options,
            port,
            turn: tokio::sync::Mutex::new(()),
            files: Mutex::new(files),
            health: OnceLock::new(),
            checked: Mutex::default(),
        })
    }

    /// The chain that serves.
    pub(crate) fn current(&self) -> Arc<Chain> {
        self.current.load_full()
    }

    /// Replaces the chain by what the configuration says now.
    ///
    /// # Errors
    /// Why the new chain does not come up. The old one goes on.
    pub(crate) async fn reload(self: &Arc<Self>) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        self.replace().await
    }

    /// [`reload`](Self::reload), unless one is under way: then `None`.
    pub(crate) async fn try_reload(self: &Arc<Self>) -> Option<anyhow::Result<()>> {
        let _turn = self.turn.try_lock().ok()?;
        Some(self.replace().await)
    }

    async fn replace(self: &Arc<Self>) -> anyhow::Result<()> {
        let started = Instant::now();
        let configuration = chain_configuration(&self.options, self.port)?;
        *self.files.lock() = fingerprint(files(&self.options, &configuration)).await;
        let chain = Chain::load(&configuration, &self.host, true).await?;
        if let Err(error) = come_up(&chain).await {
            chain.retire(None).await;
            return Err(error);
        }
        let old = self.current.swap(Arc::clone(&chain));
        self.identity.follow(&chain);
        self.watch_members();
        // From here on the new chain answers; what the old one does of its own accord ends before the new one begins.
        old.retire(Some(&chain)).await;
        chain.start_controllers();
        tracing::info!(took = ?started.elapsed(), components = chain.plugins().len(), "chain reloaded");
        Ok(())
    }

    /// Has the components of the current chain stand in the health documents.
    pub(crate) fn register(self: &Arc<Self>, health: &Health) {
        // A server registers once.
        let _ = self.health.set(health.clone());
        self.watch_members();
    }

    fn watch_members(self: &Arc<Self>) {
        let Some(health) = self.health.get() else { return };
        for plugin in self.current().plugins() {
            if !self.checked.lock().insert(plugin.name().to_owned()) {
                continue;
            }
            let (chains, name) = (Arc::downgrade(self), plugin.name().to_owned());
            health.add(Check::new(format!("chain/{name}"), move || {
                let chain = chains.upgrade().map(|chains| chains.current());
                // A component that was taken out is well.
                chain
                    .and_then(|chain| chain.plugin(&name).map(|plugin| plugin.last_health()))
                    .unwrap_or(Ok(()))
            }));
        }
    }

    /// Asks components now and then whether they can serve, so that a health check need not wait for them.
    pub(crate) async fn watch_health(self: Arc<Self>, mut stopped: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = time::sleep(HEALTH_EVERY) => {}
                _ = stopped.wait_for(|stopped| *stopped) => return,
            }
            let chain = self.current();
            for plugin in chain.plugins() {
                // Kept by the component.
                let _ = chain.health(plugin).await;
            }
        }
    }

    /// Reloads on SIGHUP, and when a file changes.
    pub(crate) async fn watch_causes(
        self: Arc<Self>,
        mut stopped: watch::Receiver<bool>,
    ) -> anyhow::Result<()> {
        let hangup = tokio::signal::unix::SignalKind::hangup();
        let mut hangup = tokio::signal::unix::signal(hangup).context("SIGHUP cannot be handled")?;
        let has_file = self.options.given.chainplate.chain_config.is_some();
        let mut before = None;
        loop {
            let cause = tokio::select! {
                // What it waits for is locked while it is looked at: not beyond.
                () = async { drop(stopped.wait_for(|stopped| *stopped).await) } => return Ok(()),
                _ = hangup.recv() => "SIGHUP",
                () = time::sleep(LOOK_EVERY), if has_file => {
                    let known = self.files.lock().clone();
                    let paths: Vec<_> = known.iter().map(|(path, _)| path.clone()).collect();
                    let now = fingerprint(paths).await;
                    let settled = before.replace(now.clone()) == Some(now.clone());
                    if now == known || !settled {
                        continue;
                    }
                    // Looked at; if it cannot be used, the next change is another try.
                    *self.files.lock() = now;
                    "a file changed"
                }
            };
            if let Err(error) = self.reload().await {
                tracing::error!("the chain was not reloaded ({cause}), the old one goes on: {error:#}");
            }
        }
    }
}

/// Prepares a chain and asks whether it can serve.
async fn come_up(chain: &Chain) -> anyhow::Result<()> {
    chain.prepare().await?;
    for plugin in chain.plugins() {
        let failed = |what, why| anyhow::anyhow!("component {:?}: {what}: {why}", plugin.name());
        chain.post_start(plugin).await.map_err(|why| failed("post-start hook", why))?;
        chain.health(plugin).await.map_err(|why| failed("health", why))?;
    }
    Ok(())
}

/// The files that a chain is made of.
fn files(options: &CompletedOptions, configuration: &ServerChainConfiguration) -> Vec<PathBuf> {
    let components = configuration.components.iter().filter_map(|component| match &component.source {
        Source::Path(path) => Some(path.clone()),
        Source::Builtin(_) => None,
    });
    options.given.chainplate.chain_config.clone().into_iter().chain(components).collect()
}

async fn fingerprint(files: impl IntoIterator<Item = PathBuf>) -> Fingerprint {
    let mut seen = Vec::new();
    for path in files {
        let looks = tokio::fs::metadata(&path).await.ok();
        seen.push((path, looks.map(|it| (it.mtime(), it.mtime_nsec(), it.size(), it.ino()))));
    }
    seen
}
