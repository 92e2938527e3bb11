//! What a component does of its own accord: requests to this server, controllers, conversions by others.

use super::to_wire;
use crate::{
    bindings::chainplate::server::{client, controllers, conversion, types as wire},
    controllers::{Controller, GroupVersionResource, Wakes},
    instance::State,
};
use chainplate_apimachinery::Status;
use std::time::Duration;
use wasmtime::component::Resource;

/// A controller that a component is about to start.
#[derive(Debug)]
pub struct ControllerHandle(Controller);

/// How often all objects are looked at again, if the component does not say.
const RESYNC: Duration = Duration::from_secs(36_000);

impl client::Host for State {
    async fn send(
        &mut self,
        method: String,
        path: String,
        media_type: String,
        body: Vec<u8>,
    ) -> wasmtime::Result<Result<Vec<u8>, wire::Status>> {
        let Some(chain) = self.plugin.shared.chain() else {
            let why = "the chain is not complete yet: ask it in post-start or later";
            return Ok(Err(to_wire(Status::unavailable(why).with_retry_after(1))));
        };
        let answer = chain.send(&self.plugin, self.call, &method, &path, &media_type, body.into()).await;
        Ok(answer.map(Vec::from).map_err(to_wire))
    }
}

impl conversion::Host for State {
    fn converts(&mut self, group: String, kind: String) -> wasmtime::Result<bool> {
        let conversions = self.plugin.shared.conversions.get();
        Ok(conversions.is_some_and(|conversions| conversions.converts(&group, &kind)))
    }

    async fn convert(
        &mut self,
        group: String,
        kind: String,
        api_version: String,
        objects: Vec<Vec<u8>>,
    ) -> wasmtime::Result<Result<Vec<Vec<u8>>, wire::Status>> {
        let Some(conversions) = self.plugin.shared.conversions.get() else {
            let why = "the chain is not complete yet: convert in post-start or later";
            return Ok(Err(to_wire(Status::unavailable(why).with_retry_after(1))));
        };
        let converted = conversions.convert(&group, &kind, &api_version, objects, self.call).await;
        Ok(converted.map(|objects| objects.into_iter().map(Vec::from).collect()).map_err(to_wire))
    }
}

impl State {
    fn controller(&mut self, this: &Resource<ControllerHandle>) -> wasmtime::Result<&mut Controller> {
        Ok(&mut self.table.get_mut(this)?.0)
    }

    /// Whether the component may watch: what it was granted, and what is its own.
    fn may_watch(&self, what: &GroupVersionResource) -> bool {
        let grants = &self.plugin.grants;
        let own = format!("{}/{}", what.group, what.resource);
        grants.allows_storage(&own) || grants.allows_request("watch", &what.group, &what.resource, "", "")
    }
}

impl controllers::HostController for State {
    fn new(
        &mut self,
        name: String,
        group: String,
        version: String,
        resource: String,
    ) -> wasmtime::Result<Resource<ControllerHandle>> {
        let resource = GroupVersionResource { group, version, resource };
        let controller = Controller { name, resource, watched: Vec::new(), resync: Some(RESYNC) };
        Ok(self.table.push(ControllerHandle(controller))?)
    }

    fn owns(
        &mut self,
        this: Resource<ControllerHandle>,
        group: String,
        version: String,
        resource: String,
    ) -> wasmtime::Result<()> {
        let what = GroupVersionResource { group, version, resource };
        self.controller(&this)?.watched.push((what, Wakes::Owner));
        Ok(())
    }

    fn watches(
        &mut self,
        this: Resource<ControllerHandle>,
        group: String,
        version: String,
        resource: String,
    ) -> wasmtime::Result<()> {
        let what = GroupVersionResource { group, version, resource };
        self.controller(&this)?.watched.push((what, Wakes::All));
        Ok(())
    }

    fn set_resync(&mut self, this: Resource<ControllerHandle>, seconds: u32) -> wasmtime::Result<()> {
        let period = Duration::from_secs(seconds.into());
        self.controller(&this)?.resync = (seconds > 0).then_some(period);
        Ok(())
    }

    fn drop(&mut self, this: Resource<ControllerHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl controllers::Host for State {
    fn start(
        &mut self,
        controller: Resource<ControllerHandle>,
    ) -> wasmtime::Result<Result<(), wire::Status>> {
        let controller = self.table.delete(controller)?.0;
        let watched = controller.watched.iter().map(|(what, _)| what);
        for what in std::iter::once(&controller.resource).chain(watched) {
            if !self.may_watch(what) {
                let why = format!(
                    "component {:?} may not watch {}; add it, with the verb watch, to grants.resources of this component",
                    self.plugin.name, what.resource
                );
                return Ok(Err(to_wire(Status::forbidden(&what.group, &what.resource, "", &why))));
            }
        }
        Ok(self
            .plugin
            .controllers
            .add(controller)
            .map_err(|why| to_wire(Status::bad_request(format!("component {:?}: {why}", self.plugin.name)))))
    }
}
