//! Controllers of components: the host watches, queues and retries, the component is woken for one object at a time.

mod lease;
mod queue;

use crate::{
    chain::Chain,
    plugin::{Plugin, PluginContext},
};
use chainplate_apimachinery::selector::scan;
use chainplate_plan::Collection;
use chainplate_storage::{ListRequest, Object};
use lease::Lease;
use parking_lot::Mutex;
use queue::{Path, Queue};
use serde::Deserialize;
use std::{
    sync::{Arc, Weak},
    time::{Duration, Instant},
};
use tokio::sync::watch;

/// Most controllers of one component.
const MAX_CONTROLLERS: usize = 32;
/// Most resources that one controller watches.
const MAX_WATCHED: usize = 32;
/// Changes taken from a watched collection in one go.
const BATCH: usize = 256;
/// The pause before a resource that nobody serves is looked for again; doubled up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// A resource in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupVersionResource {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) resource: String,
}

/// What a change of a watched object wakes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wakes {
    /// The object that controls it.
    Owner,
    /// Each object of the controller.
    All,
}

/// A controller as the component declares it.
#[derive(Debug, Clone)]
pub(crate) struct Controller {
    pub(crate) name: String,
    pub(crate) resource: GroupVersionResource,
    pub(crate) watched: Vec<(GroupVersionResource, Wakes)>,
    /// `None`: never.
    pub(crate) resync: Option<Duration>,
}

/// The controllers of one component.
#[derive(Debug, Default)]
pub(crate) struct Controllers(Mutex<Vec<Arc<Controller>>>);

impl Controllers {
    /// Adds a controller.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn add(&self, controller: Controller) -> Result<(), String> {
        let mut all = self.0.lock();
        if controller.watched.len() > MAX_WATCHED {
            return Err(format!(
                "controller {:?} watches more than {MAX_WATCHED} resources",
                controller.name
            ));
        }
        if all.iter().any(|there| there.name == controller.name) {
            return Err(format!("controller {:?} was started already", controller.name));
        }
        if all.len() >= MAX_CONTROLLERS {
            return Err(format!("{MAX_CONTROLLERS} controllers are the limit"));
        }
        all.push(Arc::new(controller));
        Ok(())
    }

    /// Runs them, as long as the chain is not retired.
    pub(crate) fn run(&self, chain: &Arc<Chain>, plugin: &Arc<Plugin>) {
        for controller in self.0.lock().iter() {
            let run = Run {
                chain: Arc::downgrade(chain),
                plugin: Arc::downgrade(plugin),
                context: Arc::clone(&plugin.context),
                controller: Arc::clone(controller),
                queue: Arc::default(),
            };
            plugin.context.shared.spawn(run.run());
        }
    }
}

/// One controller at work.
#[derive(Clone)]
struct Run {
    chain: Weak<Chain>,
    plugin: Weak<Plugin>,
    context: Arc<PluginContext>,
    controller: Arc<Controller>,
    queue: Arc<Queue>,
}

impl Run {
    async fn run(self) {
        let mut retired = self.context.shared.retirement();
        let mut ended = retired.clone();
        let ended = async move {
            // The sender lives as long as the chain.
            let _ = ended.wait_for(|retired| *retired).await;
        };
        if !self.context.store.is_shared() {
            return self.lead(ended).await;
        }
        let mut lease = Lease::new(&self.context, &self.controller.name);
        loop {
            tokio::select! {
                () = lease.acquire() => {}
                _ = retired.wait_for(|retired| *retired) => return,
            }
            let (lost, mut is_lost) = watch::channel(false);
            let mut end = retired.clone();
            let until = async move {
                tokio::select! {
                    _ = is_lost.wait_for(|lost| *lost) => {}
                    _ = end.wait_for(|retired| *retired) => {}
                }
            };
            // Renewal goes on while the last object is being worked on.
            let leading = self.lead(until);
            tokio::pin!(leading);
            tokio::select! {
                () = &mut leading => {}
                () = lease.hold() => {
                    lost.send_replace(true);
                    leading.await;
                }
            }
            if *retired.borrow() {
                lease.release().await;
                return;
            }
        }
    }

    /// Watches and works until told to end; what is being worked on then is finished.
    async fn lead(&self, until: impl Future<Output = ()>) {
        let (stop, stopped) = watch::channel(false);
        let mut watchers = Vec::new();
        let primary = (self.controller.resource.clone(), None);
        let watched =
            self.controller.watched.iter().map(|(resource, wakes)| (resource.clone(), Some(*wakes)));
        for (resource, wakes) in std::iter::once(primary).chain(watched) {
            let (run, mut stopped) = (self.clone(), stopped.clone());
            watchers.push(tokio::spawn(async move {
                tokio::select! {
                    () = run.watch(&resource, wakes) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => {}
                }
            }));
        }
        tokio::pin!(until);
        loop {
            let path = tokio::select! {
                () = &mut until => break,
                path = self.queue.next() => path,
            };
            self.reconcile(path).await;
        }
        stop.send_replace(true);
        for watcher in watchers {
            // What panicked has ended, too.
            let _ = watcher.await;
        }
    }

    async fn reconcile(&self, path: Path) {
        let Some(plugin) = self.plugin.upgrade() else { return };
        let (namespace, name) = match path.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, &*path),
        };
        let started = Instant::now();
        let result = plugin.reconcile(&self.controller.name, namespace, name).await;
        self.context.metrics.reconciled(&self.controller.name, result.is_ok(), started.elapsed());
        let outcome = result.map_err(|why| {
            let controller = &self.controller.name;
            tracing::warn!(
                plugin = self.context.name,
                controller,
                object = &*path,
                "reconcile failed, again later: {why}"
            );
        });
        self.queue.done(&path, outcome, Instant::now());
    }

    /// Looks at all objects of a resource, then at each that changes; ends when the store closes or the chain is gone.
    /// `wakes` is none for the controller's own resource.
    async fn watch(&self, resource: &GroupVersionResource, wakes: Option<Wakes>) {
        let Some(collection) = self.resolve(resource).await else { return };
        let prefix = Arc::clone(&collection.storage_prefix);
        let store = &self.context.store;
        loop {
            let Ok(list) = store.list(&ListRequest { prefix: &prefix, ..ListRequest::default() }) else {
                return;
            };
            let own = wakes.is_none();
            if own || wakes == Some(Wakes::Owner) {
                list.objects.iter().for_each(|object| self.wake(object, wakes));
            }
            let mut watch = match store.watch(&prefix, list.revision) {
                Ok(watch) => watch,
                Err(_) => continue,
            };
            drop(list);
            let resync = async {
                match self.controller.resync.filter(|_| own) {
                    Some(period) => tokio::time::sleep(period).await,
                    None => std::future::pending().await,
                }
            };
            tokio::pin!(resync);
            loop {
                tokio::select! {
                    // All of them anew.
                    () = &mut resync => break,
                    batch = watch.next(BATCH) => match batch {
                        // Once for all that changed: each object is in the queue once, anyway.
                        Some(Ok(_)) if wakes == Some(Wakes::All) => self.wake_all(),
                        Some(Ok(events)) => events.iter().for_each(|event| self.wake(&event.object, wakes)),
                        // Too slow for the history: all of them anew. What was deleted meanwhile is not told of; whoever
                        // needs that has a finalizer.
                        Some(Err(_)) => break,
                        None => return,
                    },
                }
            }
        }
    }

    fn wake(&self, object: &Object, wakes: Option<Wakes>) {
        match wakes {
            None => self.queue.add(object.key().path.clone()),
            Some(Wakes::Owner) => {
                if let Some(owner) = self.owner(object) {
                    self.queue.add(owner);
                }
            }
            Some(Wakes::All) => self.wake_all(),
        }
    }

    fn wake_all(&self) {
        let Some(chain) = self.chain.upgrade() else { return };
        let Some(collection) = chain.resolved(&self.controller.resource) else { return };
        let all = ListRequest { prefix: &collection.storage_prefix, ..ListRequest::default() };
        if let Ok(list) = self.context.store.list(&all) {
            list.objects.iter().for_each(|object| self.queue.add(object.key().path.clone()));
        }
    }

    /// The object of the controller's resource that controls another.
    fn owner(&self, object: &Object) -> Option<Path> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Owner {
            api_version: String,
            kind: String,
            name: String,
            #[serde(default)]
            controller: bool,
        }
        let chain = self.chain.upgrade()?;
        let collection = chain.resolved(&self.controller.resource)?;
        let references = scan::member(object.metadata(), "ownerReferences")?;
        let owners: Vec<Owner> = serde_json::from_slice(references).ok()?;
        let group = |api_version: &str| {
            api_version.rsplit_once('/').map_or(String::new(), |(group, _)| group.to_owned())
        };
        let owner = owners.into_iter().find(|owner| {
            owner.controller && owner.kind == collection.kind && group(&owner.api_version) == collection.group
        })?;
        Some(match object.key().namespace().filter(|_| collection.namespaced) {
            Some(namespace) => format!("{namespace}/{}", owner.name).into(),
            None => owner.name.into(),
        })
    }

    /// The collection behind a resource, once somebody serves it.
    async fn resolve(&self, resource: &GroupVersionResource) -> Option<Arc<Collection>> {
        let mut pause = FIRST_PAUSE;
        loop {
            let found = self.chain.upgrade()?.resolve(resource).await;
            match found {
                Ok(collection) => return Some(collection),
                Err(why) => {
                    let controller = &self.controller.name;
                    let GroupVersionResource { group, version, resource } = resource;
                    tracing::debug!(
                        plugin = self.context.name,
                        controller,
                        group,
                        version,
                        resource,
                        "not served yet: {why}"
                    );
                }
            }
            tokio::time::sleep(pause).await;
            pause = LAST_PAUSE.min(pause * 2);
        }
    }
}
