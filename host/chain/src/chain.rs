//! The chain: components in order, and a request's way along them.

use crate::{
    claims::Claims,
    config::{ComponentConfiguration, ServerChainConfiguration, Source},
    metrics::Metrics,
    outbound,
    plugin::{self, Fault, Hook, Plugin, PluginContext, Step},
    publications::Publications,
    request::Request,
    tasks::Tasks,
};
use chainplate_apimachinery::Status;
use chainplate_engine::{CodeCache, Trust};
use chainplate_plan::Execution;
use chainplate_storage::Store;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::sync::watch;

/// A component that ships with the host.
#[derive(Debug, Clone, Copy)]
pub struct Shipped {
    /// The component.
    pub wasm: &'static [u8],
    /// The digest of the component, `sha256:<hex>`.
    pub digest: &'static str,
    /// Its code, precompiled by the program's own build for [`Trust::Shipped`].
    pub precompiled: &'static [u8],
}

/// What a chain stands on.
#[derive(Debug)]
pub struct Host {
    /// The store behind all collections.
    pub store: Store,
    /// Finds a shipped component by name.
    pub shipped: fn(&str) -> Option<Shipped>,
    /// Where third-party code is kept; made when the first such component is loaded.
    pub code_cache: PathBuf,
    /// Turns true when the host stops.
    pub stopped: watch::Receiver<bool>,
    /// The series of all components.
    pub metrics: Metrics,
}

/// Why a chain cannot be made. Each message names the component and the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An engine or a component's code.
    #[error("component {name:?}: {source}")]
    Engine {
        /// The component.
        name: String,
        /// Why.
        source: chainplate_engine::Error,
    },
    /// A shipped component that this host has not.
    #[error(
        "component {name:?}: this host ships no {builtin:?}; it ships aggregator, core and apiextensions"
    )]
    UnknownBuiltin {
        /// The component.
        name: String,
        /// What it asks for.
        builtin: String,
    },
    /// A component's file.
    #[error("component {name:?}: {}: {source}", path.display())]
    Read {
        /// The component.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A component that does not link or start.
    #[error(
        "component {name:?} does not start: {why}; correct its configuration or take it out of the chain"
    )]
    Start {
        /// The component.
        name: String,
        /// Why.
        why: String,
    },
}

/// What a request came to.
pub enum Answer {
    /// A plan to execute, for the request as it was answered (components in front may have edited it).
    Plan(Execution, Arc<Request>),
    /// A failure to encode.
    Status(Status),
    /// Nobody serves the path.
    NotFound,
    /// Nobody serves the path yet: some components are still being prepared.
    NotInstalled,
}

/// The chain of components.
#[derive(Debug)]
pub struct Chain {
    plugins: Vec<Arc<Plugin>>,
    publications: Arc<Publications>,
    /// Whether all components are prepared.
    installed: AtomicBool,
}

/// Most components that a request may meet, however they delegate.
const MAX_HOPS: usize = 64;

impl Chain {
    /// Loads, links and starts one instance of every component, the last delegate first.
    ///
    /// # Errors
    /// The first component that does not come up.
    pub async fn load(configuration: &ServerChainConfiguration, host: &Host) -> Result<Self, Error> {
        let publications = Arc::new(Publications::default());
        let mut loader = Loader { host, publications: &publications, shipped: None, third_party: None };
        let mut plugins = Vec::new();
        for component in configuration.components.iter().rev() {
            plugins.push(loader.load(component).await?);
        }
        plugins.reverse();
        Ok(Self { plugins, publications, installed: AtomicBool::new(false) })
    }

    /// The components, outermost first.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// What the components publish.
    pub fn publications(&self) -> &Publications {
        &self.publications
    }

    /// Prepares every component, the last delegate first. Afterwards unclaimed paths are 404.
    ///
    /// # Errors
    /// The first component that cannot be prepared.
    pub async fn prepare(&self) -> Result<(), Error> {
        for plugin in self.plugins.iter().rev() {
            let name = plugin.name().to_owned();
            plugin.lifecycle(Hook::Prepare).await.map_err(|why| Error::Start { name, why })?;
        }
        self.installed.store(true, Ordering::Release);
        Ok(())
    }

    /// Runs a component's post-start hook.
    ///
    /// # Errors
    /// Why it failed; it may be tried again.
    pub async fn post_start(&self, plugin: &Plugin) -> Result<(), String> {
        plugin.lifecycle(Hook::PostStart).await
    }

    /// Runs a component's pre-shutdown hook.
    ///
    /// # Errors
    /// Why it failed.
    pub async fn pre_shutdown(&self, plugin: &Plugin) -> Result<(), String> {
        plugin.lifecycle(Hook::PreShutdown).await
    }

    /// Whether a component can serve.
    ///
    /// # Errors
    /// Why not.
    pub async fn health(&self, plugin: &Plugin) -> Result<(), String> {
        plugin.lifecycle(Hook::Health).await
    }

    /// The claimed paths of all components, and those of published groups and versions, for the index at `/`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: BTreeSet<String> = self.plugins.iter().flat_map(|plugin| plugin.paths()).collect();
        for item in self.publications.all() {
            let group = if item.group.is_empty() { "/api".into() } else { format!("/apis/{}", item.group) };
            paths.insert(format!("{group}/{}", item.version));
            paths.insert(group);
        }
        paths.into_iter().filter(|path| !path.is_empty()).collect()
    }

    /// Takes a request along the chain until somebody answers.
    pub async fn handle(&self, request: Request) -> Answer {
        let mut request = Arc::new(request);
        for plugin in self.plugins.iter().take(MAX_HOPS) {
            if !plugin.context.claims.matches(&request.info.path) {
                continue;
            }
            match plugin.handle(Arc::clone(&request)).await {
                Ok(Step::Respond(response)) => {
                    let execution = Execution {
                        plan: response.plan,
                        headers: response.headers,
                        transformer: Arc::clone(plugin) as _,
                    };
                    return Answer::Plan(execution, request);
                }
                Ok(Step::Delegate) => {}
                Ok(Step::DelegateWith(edited)) => request = Arc::new(edited),
                Ok(Step::Fail(status)) => return Answer::Status(status),
                Err(fault) => {
                    if matches!(fault, Fault::Busy(_) | Fault::Start(_)) {
                        tracing::error!(plugin = plugin.name(), ?request, "{fault}");
                    }
                    return Answer::Status(fault.status(plugin.name()));
                }
            }
        }
        if self.installed.load(Ordering::Acquire) { Answer::NotFound } else { Answer::NotInstalled }
    }
}

/// An engine with everything linked that a component may import.
struct Linked {
    engine: wasmtime::Engine,
    linker: wasmtime::component::Linker<crate::instance::State>,
}

struct Loader<'a> {
    host: &'a Host,
    publications: &'a Arc<Publications>,
    shipped: Option<Arc<Linked>>,
    third_party: Option<Arc<Linked>>,
}

impl Loader<'_> {
    fn linked(&mut self, name: &str, trust: Trust) -> Result<Arc<Linked>, Error> {
        let slot = match trust {
            Trust::Shipped => &mut self.shipped,
            Trust::ThirdParty => &mut self.third_party,
        };
        if let Some(linked) = slot {
            return Ok(Arc::clone(linked));
        }
        let engine = chainplate_engine::engine(trust)
            .map_err(|source| Error::Engine { name: name.to_owned(), source })?;
        let broken = |why: String| Error::Start { name: name.to_owned(), why };
        let mut linker = plugin::linker(&engine).map_err(|error| broken(format!("{error:#}")))?;
        if trust == Trust::ThirdParty {
            outbound::link(&mut linker).map_err(|error| broken(format!("{error:#}")))?;
            tick(&engine).map_err(|error| broken(format!("no thread for interruptions: {error}")))?;
        }
        let linked = Arc::new(Linked { engine, linker });
        *slot = Some(Arc::clone(&linked));
        Ok(linked)
    }

    async fn load(&mut self, configuration: &ComponentConfiguration) -> Result<Arc<Plugin>, Error> {
        let name = &configuration.name;
        let broken = |why: String| Error::Start { name: name.clone(), why };
        let (trust, linked, component, digest) = match &configuration.source {
            Source::Builtin(builtin) => {
                let Some(shipped) = (self.host.shipped)(builtin) else {
                    return Err(Error::UnknownBuiltin { name: name.clone(), builtin: builtin.clone() });
                };
                let linked = self.linked(name, Trust::Shipped)?;
                let component = load_shipped(name, shipped, &self.host.code_cache, &linked.engine).await?;
                (Trust::Shipped, linked, component, shipped.digest.to_owned())
            }
            Source::Path(path) => {
                let linked = self.linked(name, Trust::ThirdParty)?;
                let (component, digest) =
                    load_file(name, path, &self.host.code_cache, &linked.engine).await?;
                (Trust::ThirdParty, linked, component, digest)
            }
        };
        let limits = configuration.limits.effective(trust);
        let metrics = self.host.metrics.outbound(name);
        let outbound = outbound::Client::load(configuration, &limits, metrics).await.map_err(broken)?;
        let context = PluginContext {
            name: name.clone(),
            digest,
            grants: configuration.grants.clone(),
            limits,
            claims: Claims::default(),
            tasks: Tasks::default(),
            metrics: self.host.metrics.plugin(name),
            outbound,
            store: self.host.store.clone(),
            publications: Arc::clone(self.publications),
            stopped: self.host.stopped.clone(),
        };
        let json =
            serde_json::to_vec(&configuration.configuration).map_err(|error| broken(error.to_string()))?;
        let plugin = Plugin::new(context, trust, &linked.linker, &component, json.into())
            .map_err(|error| broken(format!("{error:#}")))?;
        let (component_name, version) = plugin.describe().await.map_err(|fault| broken(fault.to_string()))?;
        tracing::info!(plugin = name, component = component_name, version, "component loaded");
        Ok(plugin)
    }
}

/// Has third-party code yield every [`chainplate_engine::EPOCH`], as long as the engine lives.
///
/// A thread of its own: were it a task, code that loops on every worker would keep it from ever ending that.
fn tick(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let run = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(chainplate_engine::EPOCH);
        }
    };
    std::thread::Builder::new().name("epochs".into()).spawn(run).map(drop)
}

/// Loads a shipped component, off the runtime's threads.
async fn load_shipped(
    name: &str,
    shipped: Shipped,
    cache: &std::path::Path,
    engine: &wasmtime::Engine,
) -> Result<wasmtime::component::Component, Error> {
    let (cache, engine) = (cache.to_owned(), engine.clone());
    let load = move || {
        let Shipped { wasm, digest, precompiled } = shipped;
        CodeCache::open(cache)?.load_shipped(&engine, precompiled, wasm, digest)
    };
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => loaded.map_err(|source| Error::Engine { name: name.to_owned(), source }),
        Err(died) => Err(Error::Start { name: name.to_owned(), why: format!("loading it failed: {died}") }),
    }
}

/// Reads and compiles a third-party component, off the runtime's threads.
async fn load_file(
    name: &str,
    path: &std::path::Path,
    cache: &std::path::Path,
    engine: &wasmtime::Engine,
) -> Result<(wasmtime::component::Component, String), Error> {
    let (owned_name, path, cache, engine) =
        (name.to_owned(), path.to_owned(), cache.to_owned(), engine.clone());
    let load = move || {
        let wasm = std::fs::read(&path).map_err(|source| Error::Read {
            name: owned_name.clone(),
            path: path.clone(),
            source,
        })?;
        let engine_error = |source| Error::Engine { name: owned_name.clone(), source };
        let code =
            CodeCache::open(cache).and_then(|cache| cache.load(&engine, &wasm)).map_err(engine_error)?;
        Ok((code, CodeCache::digest(&wasm)))
    };
    match tokio::task::spawn_blocking(load).await {
        Ok(loaded) => loaded,
        Err(died) => Err(Error::Start { name: name.to_owned(), why: format!("loading it failed: {died}") }),
    }
}
