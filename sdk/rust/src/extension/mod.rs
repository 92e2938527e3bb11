//! An extension of the API from derived types: what its author does not write.
//!
//! The author brings types with `#[derive(Resource)]`, a [`ResourceServer`] for each, an [`Api`] that names them, and
//! `chainplate_sdk::export!(Extension<MyApi>);`. From that follow the claims, discovery, OpenAPI, and everything that
//! requests mean: see [`custom`](crate::custom).

mod convert;
mod resource_server;
mod served;
mod subresource;

pub use resource_server::{Plain, ResourceServer};
pub use served::{Endpoint, Served};

use crate::{
    Action, GroupVersion, ObjectReference, Outcome, Plugin, Request, Server, custom, publication, router,
};
use chainplate_apimachinery::{Status, Value};
use std::{collections::BTreeSet, fmt};

/// What an extension serves: its resources, and its own paths.
pub trait Api: Plugin {
    /// `groupPriorityMinimum` and `versionPriority` of its groups, as in APIService: where they stand in discovery.
    const PRIORITIES: (i32, i32) = (1000, 100);

    /// The resources.
    fn resources(&self) -> Vec<Endpoint> {
        Vec::new()
    }

    /// The paths that are no resources: `/hello`, or `/hello/*` for everything below it, too.
    fn paths(&self) -> Vec<String> {
        Vec::new()
    }

    /// Answers a request that is for none of the resources.
    ///
    /// # Errors
    /// The Status that the client gets. Never a delegation.
    fn handle(&self, _request: &Request<'_>) -> Result<Outcome, Status> {
        Ok(Outcome::Delegate)
    }

    /// Runs a task that was scheduled; see [`Server::run_task`].
    ///
    /// # Errors
    /// As there.
    fn run_task(&self, task: &str) -> Result<(), String> {
        Err(format!("{} has no task {task:?}", Self::NAME))
    }

    /// Brings the world in line with an object of a [`Controller`](crate::controllers::Controller) that was started in
    /// [`Plugin::prepare`]; see [`Server::reconcile`].
    ///
    /// # Errors
    /// As there.
    fn reconcile(&self, controller: &str, _object: &ObjectReference) -> Result<Action, String> {
        Err(format!("{} has no controller {controller:?}", Self::NAME))
    }
}

/// The server of an [`Api`].
pub struct Extension<A> {
    api: A,
    endpoints: Vec<Endpoint>,
    transforms: custom::Transforms,
}

impl<A: Api> fmt::Debug for Extension<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extension").field("api", &A::NAME).field("endpoints", &self.endpoints).finish()
    }
}

impl<A: Api> Extension<A> {
    /// The extension's own part.
    pub fn api(&self) -> &A {
        &self.api
    }

    fn groups(&self) -> BTreeSet<&'static str> {
        self.endpoints.iter().map(|endpoint| endpoint.attributes().group).collect()
    }

    /// The definitions of a group.
    fn definitions(&self, group: &str) -> Vec<Value> {
        let of = self.endpoints.iter().filter(|endpoint| endpoint.attributes().group == group);
        of.map(Endpoint::crd).collect()
    }

    /// The endpoint that the argument of a transform names.
    fn endpoint_of<'a>(&'a self, argument: &'a [u8]) -> Option<(&'a Endpoint, &'a str)> {
        let (name, version) = std::str::from_utf8(argument).ok()?.split_once('/')?;
        let endpoint = self.endpoints.iter().find(|endpoint| endpoint.name() == name)?;
        Some((endpoint, version))
    }
}

impl<A: Api> Plugin for Extension<A> {
    const NAME: &'static str = A::NAME;
    const VERSION: &'static str = A::VERSION;

    fn configure(config: Value) -> Result<Self, String> {
        let api = A::configure(config)?;
        let endpoints = api.resources();
        Ok(Self { api, endpoints, transforms: custom::Transforms::default() })
    }

    fn prepare(&self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        for endpoint in &self.endpoints {
            endpoint.check()?;
            if !names.insert(endpoint.name()) {
                return Err(format!(
                    "{} is served twice: make it one `Served` with both versions",
                    endpoint.name()
                ));
            }
        }
        for path in self.api.paths() {
            match path.strip_suffix("/*") {
                Some(prefix) => router::claim(prefix),
                None => router::claim_exact(&path),
            }
        }
        for group in self.groups() {
            router::claim(&format!("/apis/{group}"));
            let crds = self.definitions(group);
            let mut published = Vec::new();
            for version in custom::discovery::served_versions(&crds) {
                let mut discovery = custom::discovery::document(group, &version, &crds);
                self.endpoints.iter().for_each(|endpoint| endpoint.tell_subresources(&mut discovery));
                published.push(GroupVersion {
                    group: group.to_owned(),
                    version,
                    discovery: discovery.to_string().into_bytes(),
                    group_priority_minimum: A::PRIORITIES.0,
                    version_priority: A::PRIORITIES.1,
                    ..GroupVersion::default()
                });
            }
            publication::replace(group, &published)
                .map_err(|status| format!("publishing {group}: {status}"))?;
        }
        self.api.prepare()
    }

    fn post_start(&self) -> Result<(), String> {
        self.api.post_start()
    }

    fn pre_shutdown(&self) -> Result<(), String> {
        self.api.pre_shutdown()
    }

    fn health(&self) -> Result<(), String> {
        self.api.health()
    }
}

impl<A: Api> Server for Extension<A> {
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        let of_group = || self.endpoints.iter().filter(|endpoint| endpoint.attributes().group == info.group);
        if !info.is_resource || info.api_prefix != "apis" || of_group().next().is_none() {
            return self.api.handle(request);
        }
        if !of_group().any(|endpoint| endpoint.has_version(&info.version)) {
            return Ok(Outcome::Delegate);
        }
        let found = of_group().find(|endpoint| endpoint.attributes().plural == info.resource);
        found.ok_or_else(Status::unknown_resource)?.serve(request)
    }

    fn transform(&self, name: &str, argument: &[u8], objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        match (self.endpoint_of(argument), name) {
            (Some((endpoint, version)), custom::READ) => endpoint.read(version, objects),
            (Some((endpoint, version)), custom::ROWS) => endpoint.rows(version, &self.transforms, objects),
            _ => self.transforms.apply(name, argument, objects),
        }
    }

    fn openapi_v3(&self, group: &str, version: &str) -> Option<Vec<u8>> {
        let crds = self.definitions(group);
        let served = custom::discovery::served_versions(&crds).iter().any(|served| served == version);
        served.then(|| custom::openapi::document(group, version, &crds).to_string().into_bytes())
    }

    fn run_task(&self, task: &str) -> Result<(), String> {
        self.api.run_task(task)
    }

    fn reconcile(&self, controller: &str, object: &ObjectReference) -> Result<Action, String> {
        self.api.reconcile(controller, object)
    }
}

#[cfg(test)]
mod tests;
