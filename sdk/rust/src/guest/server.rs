//! World `server`.

use super::{plugin, plugin_or_status};
use crate::{
    ObjectReference, Outcome, Request, Server,
    bindings::{
        chainplate::server::types::Status,
        server::exports::chainplate::server::{background, documents, handler, reconciler, transforms},
    },
    wasm,
};
use std::{marker::PhantomData, time::Duration};

/// The exports of a server.
#[derive(Debug)]
pub struct Serves<S>(PhantomData<S>);

impl<S: Server> handler::Guest for Serves<S> {
    fn handle(request: &handler::Request) -> Result<handler::Outcome, Status> {
        match plugin_or_status::<S>()?.handle(&Request::new(request)) {
            Ok(Outcome::Respond(response)) => Ok(handler::Outcome::Respond(response.into_wire())),
            Ok(Outcome::Delegate) => Ok(handler::Outcome::Delegate),
            Ok(Outcome::DelegateWith(draft)) => Ok(handler::Outcome::DelegateWith(draft.into_wire())),
            Err(status) => Err(wasm::to_wire(status)),
        }
    }
}

impl<S: Server> transforms::Guest for Serves<S> {
    fn apply(name: String, argument: Vec<u8>, objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        plugin_or_status::<S>()?.transform(&name, &argument, objects).map_err(wasm::to_wire)
    }
}

impl<S: Server> documents::Guest for Serves<S> {
    fn openapi_v3(group: String, version: String) -> Option<Vec<u8>> {
        plugin::<S>().ok()?.openapi_v3(&group, &version)
    }
}

impl<S: Server> background::Guest for Serves<S> {
    fn run(task: String) -> Result<(), String> {
        plugin::<S>()?.run_task(&task)
    }
}

impl<S: Server> reconciler::Guest for Serves<S> {
    fn reconcile(controller: String, object: reconciler::ObjectReference) -> Result<Option<u64>, String> {
        let object = ObjectReference { namespace: object.namespace, name: object.name };
        let action = plugin::<S>()?.reconcile(&controller, &object)?;
        Ok(action.requeue_after().map(milliseconds))
    }
}

fn milliseconds(after: Duration) -> u64 {
    u64::try_from(after.as_millis()).unwrap_or(u64::MAX)
}
