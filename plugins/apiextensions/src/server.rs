//! The server in the chain.

use crate::{
    cache::Cache,
    cleanup, custom,
    definition::{GROUP, RESOURCE, VERSION},
    lifecycle,
    strategy::Definitions,
};
use chainplate_sdk::{
    Collection, Outcome, Plugin, Request, Server,
    apimachinery::{Status, Value, request::Verb},
    custom::{READ, Transforms},
    registry, router, tasks, telemetry,
};
use serde::Deserialize;
use std::{cell::RefCell, rc::Rc};

/// The task that establishes the definitions of a group where the request that wrote them could not.
const RECONCILE: &str = "reconcile/";
/// The task that follows a definition which another server may have written.
const FOLLOW: &str = "follow/";
/// How long [`RECONCILE`] waits, in milliseconds.
const RETRY_MS: u64 = 100;

/// The extensions API server.
#[derive(Debug)]
pub struct ApiExtensions {
    cache: Cache,
    transforms: Transforms,
    crds: RefCell<Option<Rc<Collection>>>,
}

/// It needs no configuration, and takes none that it would ignore.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Configuration {}

impl Plugin for ApiExtensions {
    const NAME: &'static str = "apiextensions-apiserver";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        if !config.is_null() {
            serde_json::from_value::<Configuration>(config).map_err(|error| error.to_string())?;
        }
        Ok(Self { cache: Cache::default(), transforms: Transforms::default(), crds: RefCell::default() })
    }

    fn prepare(&self) -> Result<(), String> {
        // Whatever group nobody in front answers may be a custom one.
        router::claim("/apis");
        lifecycle::publish_own().map_err(|status| format!("publishing {GROUP}: {status}"))
    }

    fn post_start(&self) -> Result<(), String> {
        let crds = self.crds().map_err(|status| status.to_string())?;
        tasks::follow(&crds, FOLLOW);
        let terminating =
            lifecycle::start(&crds).map_err(|status| format!("establishing definitions: {status}"))?;
        for name in terminating {
            cleanup::schedule(&name);
        }
        Ok(())
    }
}

impl Server for ApiExtensions {
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        if !info.is_resource || info.api_prefix != "apis" {
            return Ok(Outcome::Delegate);
        }
        let crds = self.crds()?;
        if info.group == GROUP {
            return match (info.version.as_str(), info.resource.as_str()) {
                (VERSION, RESOURCE) => definitions(request, &crds),
                (VERSION, _) => Err(Status::unknown_resource()),
                _ => Ok(Outcome::Delegate),
            };
        }
        match self.cache.get(&crds, &format!("{}.{}", info.resource, info.group))? {
            Some(definition) => custom::serve(request, &definition),
            None => Ok(Outcome::Delegate),
        }
    }

    fn transform(&self, name: &str, argument: &[u8], objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        let objects = if name == READ { custom::converted(argument, objects)? } else { objects };
        self.transforms.apply(name, argument, objects)
    }

    fn run_task(&self, task: &str) -> Result<(), String> {
        let crds = self.crds().map_err(|status| status.to_string())?;
        if let Some(group) = task.strip_prefix(RECONCILE) {
            return lifecycle::reconcile(&crds, group)
                .map_err(|status| format!("establishing group {group}: {status}"));
        }
        if let Some(name) = task.strip_prefix(FOLLOW) {
            let stored = lifecycle::stored(&crds, name).map_err(|status| status.to_string())?;
            if stored.is_some_and(|(crd, _)| lifecycle::is_terminating(&crd)) {
                // The server that was asked to delete it may be gone.
                cleanup::schedule(name);
            }
            return lifecycle::follow(&crds, [name]).map_err(|status| format!("following {name}: {status}"));
        }
        let name = cleanup::task(task).ok_or_else(|| format!("{} has no task {task:?}", Self::NAME))?;
        cleanup::run(&crds, name).map_err(|status| format!("cleaning up after {name}: {status}"))
    }
}

impl ApiExtensions {
    /// The collection of definitions, opened at the first use.
    fn crds(&self) -> Result<Rc<Collection>, Status> {
        if let Some(there) = &*self.crds.borrow() {
            return Ok(Rc::clone(there));
        }
        let opened = Rc::new(lifecycle::open()?);
        self.crds.replace(Some(Rc::clone(&opened)));
        Ok(opened)
    }
}

/// Answers a request for definitions, and brings about what follows from it.
fn definitions(request: &Request<'_>, crds: &Collection) -> Result<Outcome, Status> {
    let strategy = Definitions::new();
    let outcome = registry::handle(request, &strategy, crds);
    let touched = strategy.take_touched();
    if touched.is_empty() {
        return outcome;
    }
    if let Err(status) = lifecycle::follow(crds, touched.iter().map(|one| one.name.as_str())) {
        // The write is done; a client that is told otherwise would do it again.
        telemetry::log(
            telemetry::Level::Error,
            &format!("a definition was written but not established: {status}"),
        );
        for (_, group) in touched.iter().filter_map(|one| one.name.split_once('.')) {
            tasks::schedule(&format!("{RECONCILE}{group}"), RETRY_MS);
        }
    }
    for one in &touched {
        let deleted = matches!(request.info().verb, Verb::Delete | Verb::DeleteCollection);
        let terminating = deleted || one.old.as_ref().is_some_and(lifecycle::is_terminating);
        if terminating {
            cleanup::schedule(&one.name);
        }
    }
    outcome
}
