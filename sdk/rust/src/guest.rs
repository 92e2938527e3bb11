//! From the host's calls to a [`Server`].

use crate::{
    Outcome, Request, Server,
    bindings::{
        chainplate::server::types as wire,
        exports::chainplate::server::{background, documents, handler, lifecycle, transforms},
    },
    wasm,
};
use std::{any::Any, cell::RefCell, marker::PhantomData, rc::Rc};

thread_local! {
    /// This instance's server, made by `configure`. (A component has one thread.)
    static SERVER: RefCell<Option<Rc<dyn Any>>> = const { RefCell::new(None) };
}

/// The component that serves with `S`.
#[derive(Debug)]
pub struct Component<S>(PhantomData<S>);

fn server<S: Server>() -> Option<Rc<S>> {
    SERVER.with_borrow(|server| server.clone()?.downcast::<S>().ok())
}

fn with<S: Server, T>(run: impl FnOnce(&S) -> Result<T, String>) -> Result<T, String> {
    match server::<S>() {
        Some(server) => run(&server),
        None => Err(format!("{} was called before it was configured", S::NAME)),
    }
}

fn unconfigured<S: Server>() -> wire::Status {
    wasm::to_wire(chainplate_apimachinery::Status::internal(format_args!(
        "{} was called before it was configured",
        S::NAME
    )))
}

impl<S: Server> lifecycle::Guest for Component<S> {
    fn describe() -> lifecycle::Info {
        lifecycle::Info { name: S::NAME.into(), version: S::VERSION.into() }
    }

    fn configure(config: Vec<u8>) -> Result<(), String> {
        // A trap says no more than "unreachable": have the panic's own words logged first.
        std::panic::set_hook(Box::new(|info| {
            crate::telemetry::log(crate::telemetry::Level::Error, &info.to_string());
        }));
        let config = serde_json::from_slice(&config).map_err(|error| format!("configuration: {error}"))?;
        let server = S::configure(config)?;
        SERVER.set(Some(Rc::new(server)));
        Ok(())
    }

    fn prepare() -> Result<(), String> {
        with::<S, _>(Server::prepare)
    }

    fn post_start() -> Result<(), String> {
        with::<S, _>(Server::post_start)
    }

    fn pre_shutdown() -> Result<(), String> {
        with::<S, _>(Server::pre_shutdown)
    }

    fn health() -> Result<(), String> {
        with::<S, _>(Server::health)
    }
}

impl<S: Server> handler::Guest for Component<S> {
    fn handle(request: &handler::Request) -> Result<handler::Outcome, wire::Status> {
        let server = server::<S>().ok_or_else(unconfigured::<S>)?;
        match server.handle(&Request::new(request)) {
            Ok(Outcome::Respond(response)) => Ok(handler::Outcome::Respond(response.into_wire())),
            Ok(Outcome::Delegate) => Ok(handler::Outcome::Delegate),
            Ok(Outcome::DelegateWith(draft)) => Ok(handler::Outcome::DelegateWith(draft.into_wire())),
            Err(status) => Err(wasm::to_wire(status)),
        }
    }
}

impl<S: Server> transforms::Guest for Component<S> {
    fn apply(name: String, argument: Vec<u8>, objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, wire::Status> {
        let server = server::<S>().ok_or_else(unconfigured::<S>)?;
        server.transform(&name, &argument, objects).map_err(wasm::to_wire)
    }
}

impl<S: Server> documents::Guest for Component<S> {
    fn openapi_v3(group: String, version: String) -> Option<Vec<u8>> {
        server::<S>()?.openapi_v3(&group, &version)
    }
}

impl<S: Server> background::Guest for Component<S> {
    fn run(task: String) -> Result<(), String> {
        with::<S, _>(|server| server.run_task(&task))
    }
}
