//! The chain: components in order, and a request's way along them.

use crate::{
    config::ServerChainConfiguration,
    controllers::GroupVersionResource,
    load::{self, Error, Host},
    plugin::{Fault, Hook, Plugin, Step},
    publications::Publications,
    request::Request,
    shared::Shared,
};
use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    list_options::value,
    request::{RequestInfo, Verb},
};
use chainplate_manifest::FailurePolicy;
use chainplate_plan::{
    Body, Collection, Context, Execution, TransformRef, Transformer, execute, status_response_for, unreadable,
};
use chainplate_storage::Store;
use futures_util::future::BoxFuture;
use parking_lot::RwLock;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

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
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Store,
    /// Whether all components are prepared.
    installed: AtomicBool,
    /// Collections that controllers asked for; few.
    resolved: RwLock<Vec<(GroupVersionResource, Arc<Collection>)>>,
}

/// Upstream's answer while parts of the chain are missing (`genericapiserver/handler.go`): controllers act destructively on
/// a 404 that is none.
const NOT_INSTALLED: &str =
    "the request has been made before all known HTTP paths have been installed, please try again";

impl Chain {
    /// Loads, links and starts one instance of every component, the last delegate first. `replaces` says that another
    /// chain on the same store is still at work.
    ///
    /// # Errors
    /// The first component that does not come up.
    pub async fn load(
        configuration: &ServerChainConfiguration,
        host: &Host,
        replaces: bool,
    ) -> Result<Arc<Self>, Error> {
        let store = host.store().clone();
        let shared = Arc::new(Shared::new(store.is_shared() || replaces, host.tokens()));
        let mut plugins = Vec::new();
        for component in configuration.components.iter().rev() {
            plugins.push(load::load(host, &shared, component).await?);
        }
        plugins.reverse();
        load::register(&shared, &plugins, &configuration.components)?;
        let chain = Arc::new(Self {
            plugins,
            shared: Arc::clone(&shared),
            store,
            installed: AtomicBool::new(false),
            resolved: RwLock::default(),
        });
        shared.belong_to(&chain);
        Ok(chain)
    }

    /// The components, outermost first.
    pub fn plugins(&self) -> &[Arc<Plugin>] {
        &self.plugins
    }

    /// The component of that name.
    pub fn plugin(&self, name: &str) -> Option<&Arc<Plugin>> {
        self.plugins.iter().find(|plugin| plugin.name() == name)
    }

    /// What the components publish.
    pub fn publications(&self) -> &Publications {
        &self.shared.publications
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

    /// Begins the work of its own: controllers. Once it serves.
    pub fn start_controllers(self: &Arc<Self>) {
        for plugin in &self.plugins {
            plugin.context.controllers.run(self, plugin);
        }
    }

    /// Ends the work of its own, and waits for what is under way. Requests are answered as before; tasks that wait go to
    /// the successor.
    pub async fn retire(&self, successor: Option<&Arc<Self>>) {
        self.shared.retire(successor).await;
        self.plugins.iter().for_each(|plugin| plugin.rest());
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

    /// Whether a component can serve; see also [`Plugin::last_health`].
    ///
    /// # Errors
    /// Why not.
    pub async fn health(&self, plugin: &Plugin) -> Result<(), String> {
        plugin.lifecycle(Hook::Health).await
    }

    /// The claimed paths of all components, and those of published groups and versions, for the index at `/`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths: BTreeSet<String> = self.plugins.iter().flat_map(|plugin| plugin.paths()).collect();
        for item in self.shared.publications.all() {
            let group = if item.group.is_empty() { "/api".into() } else { format!("/apis/{}", item.group) };
            paths.insert(format!("{group}/{}", item.version));
            paths.insert(group);
        }
        paths.into_iter().filter(|path| !path.is_empty()).collect()
    }

    /// Takes a request along the chain until somebody answers.
    pub async fn handle(self: &Arc<Self>, request: Request) -> Answer {
        let mut request = Arc::new(request);
        for plugin in &self.plugins {
            // The path is that of the request as it is now: components in front may have edited it.
            if !plugin.context.claims.matches(&request.info.path) {
                continue;
            }
            match plugin.handle(Arc::clone(&request)).await {
                Ok(Step::Respond(response)) => {
                    let execution = Execution {
                        plan: response.plan,
                        headers: response.headers,
                        transformer: Arc::new(Member {
                            plugin: Arc::clone(plugin),
                            _chain: Arc::clone(self),
                        }),
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
                    if plugin.context.failure_policy == FailurePolicy::Fail {
                        return Answer::Status(fault.status(plugin.name()));
                    }
                    tracing::warn!(
                        plugin = plugin.name(),
                        ?request,
                        "passed by, as its failurePolicy says: {fault}"
                    );
                }
            }
        }
        if self.installed.load(Ordering::Acquire) { Answer::NotFound } else { Answer::NotInstalled }
    }

    /// Answers a request; `None` where nobody serves the path. Watches end when `shutdown` turns true;
    /// `min_watch_timeout` is the least life of those that name none.
    pub async fn respond(
        self: &Arc<Self>,
        request: Request,
        shutdown: watch::Receiver<bool>,
        min_watch_timeout: Duration,
    ) -> Option<http::Response<Body>> {
        let (headers, query) = (request.headers.clone(), request.query.clone());
        let failed = |status: &Status| Some(status_response_for(status, &headers, &query));
        if self.store.is_shared()
            && wants_the_latest(&request.info, &query)
            && let Err(error) = self.store.refresh().await
        {
            return failed(&unreadable(&error));
        }
        match self.handle(request).await {
            Answer::Plan(execution, request) => {
                let context = Context {
                    store: &self.store,
                    info: &request.info,
                    query: &request.query,
                    headers: &request.headers,
                    shutdown,
                    min_watch_timeout,
                };
                Some(execute(execution, &context).await)
            }
            Answer::Status(status) => failed(&status),
            Answer::NotInstalled => failed(&Status::unavailable(NOT_INSTALLED).with_retry_after(5)),
            Answer::NotFound => None,
        }
    }

    /// The collection behind a resource, if [`resolve`](Self::resolve) has found it before.
    pub(crate) fn resolved(&self, what: &GroupVersionResource) -> Option<Arc<Collection>> {
        self.resolved
            .read()
            .iter()
            .find(|(there, _)| there == what)
            .map(|(_, collection)| Arc::clone(collection))
    }

    pub(crate) fn remember(&self, what: &GroupVersionResource, collection: &Arc<Collection>) {
        let mut resolved = self.resolved.write();
        resolved.retain(|(there, _)| there != what);
        resolved.push((what.clone(), Arc::clone(collection)));
    }
}

/// A component with its chain, which must live as long as the streams that the component transforms: it may need others
/// of the chain.
struct Member {
    plugin: Arc<Plugin>,
    _chain: Arc<Chain>,
}

impl Transformer for Member {
    fn transform<'a>(
        &'a self,
        transform: &'a TransformRef,
        objects: Vec<Bytes>,
    ) -> BoxFuture<'a, Result<Vec<Bytes>, Status>> {
        Box::pin(async move {
            let made = self.plugin.transform(transform, objects).await?;
            for json in &made {
                self.plugin.context.check_json(json).map_err(|why| {
                    let (plugin, name) = (self.plugin.name(), &transform.name);
                    Status::internal(format_args!(
                        "component {plugin:?}: transform {name:?} made what is no JSON: {why}"
                    ))
                })?;
            }
            Ok(made)
        })
    }
}

/// Whether what is read must hold every write that was acknowledged before, by whichever server: all requests for
/// stored objects but reads that name a resourceVersion or the snapshot that they go on with.
fn wants_the_latest(info: &RequestInfo, query: &str) -> bool {
    if !info.is_resource {
        return false;
    }
    let names_a_state = || {
        ["resourceVersion", "continue"]
            .iter()
            .any(|name| value(query, name).is_some_and(|value| !value.is_empty()))
    };
    match info.verb {
        Verb::Get | Verb::List | Verb::Watch => !names_a_state(),
        _ => true,
    }
}
