//! From the host's calls to what a component implements: one module for each world, and the life they share.

mod admission;
mod authenticator;
mod authorizer;
mod converter;
mod server;

pub use self::{
    admission::Judges, authenticator::Authenticates, authorizer::Authorizes, converter::Converts,
    server::Serves,
};
use crate::{Plugin, bindings::exports::chainplate::server::lifecycle, wasm};
use chainplate_apimachinery::{Status, Value};
use std::{
    any::{Any, TypeId},
    cell::RefCell,
    marker::PhantomData,
    rc::Rc,
};

thread_local! {
    /// This instance's plugins by their type, made by `configure`. (A component has one thread.)
    static PLUGINS: RefCell<Vec<(TypeId, Rc<dyn Any>)>> = const { RefCell::new(Vec::new()) };
}

fn plugin<P: Plugin>() -> Result<Rc<P>, String> {
    let there = PLUGINS.with_borrow(|plugins| {
        let (_, there) = plugins.iter().find(|(id, _)| *id == TypeId::of::<P>())?;
        Rc::clone(there).downcast::<P>().ok()
    });
    there.ok_or_else(|| format!("{} was called before it was configured", P::NAME))
}

fn plugin_or_status<P: Plugin>() -> Result<Rc<P>, crate::bindings::chainplate::server::types::Status> {
    plugin().map_err(|why| wasm::to_wire(Status::internal(why)))
}

/// The types behind the worlds of one component; the first gives it its name.
pub trait Plugins: 'static {
    /// Who the component is.
    fn describe() -> lifecycle::Info;
    /// Makes each plugin, once.
    ///
    /// # Errors
    /// The first that fails.
    fn configure(config: &Value) -> Result<(), String>;
    /// Takes each plugin through a step of its life, in turn.
    ///
    /// # Errors
    /// The first that fails.
    fn step(step: Step) -> Result<(), String>;
}

/// A step of a plugin's life.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// [`Plugin::prepare`].
    Prepare,
    /// [`Plugin::post_start`].
    PostStart,
    /// [`Plugin::pre_shutdown`].
    PreShutdown,
    /// [`Plugin::health`].
    Health,
}

/// The end of the list.
impl Plugins for () {
    fn describe() -> lifecycle::Info {
        lifecycle::Info { name: String::new(), version: String::new() }
    }

    fn configure(_config: &Value) -> Result<(), String> {
        Ok(())
    }

    fn step(_step: Step) -> Result<(), String> {
        Ok(())
    }
}

impl<P: Plugin, Rest: Plugins> Plugins for (P, Rest) {
    fn describe() -> lifecycle::Info {
        lifecycle::Info { name: P::NAME.into(), version: P::VERSION.into() }
    }

    fn configure(config: &Value) -> Result<(), String> {
        // A type that plays several parts is one plugin.
        let there = PLUGINS.with_borrow(|plugins| plugins.iter().any(|(id, _)| *id == TypeId::of::<P>()));
        if !there {
            let made: Rc<dyn Any> = Rc::new(P::configure(config.clone())?);
            PLUGINS.with_borrow_mut(|plugins| plugins.push((TypeId::of::<P>(), made)));
        }
        Rest::configure(config)
    }

    fn step(step: Step) -> Result<(), String> {
        let plugin = plugin::<P>()?;
        match step {
            Step::Prepare => plugin.prepare(),
            Step::PostStart => plugin.post_start(),
            Step::PreShutdown => plugin.pre_shutdown(),
            Step::Health => plugin.health(),
        }?;
        Rest::step(step)
    }
}

/// The life of a component.
#[derive(Debug)]
pub struct Component<P>(PhantomData<P>);

impl<P: Plugins> lifecycle::Guest for Component<P> {
    fn describe() -> lifecycle::Info {
        P::describe()
    }

    fn configure(config: Vec<u8>) -> Result<(), String> {
        // A trap says no more than "unreachable": have the panic's own words logged first.
        std::panic::set_hook(Box::new(|info| {
            crate::telemetry::log(crate::telemetry::Level::Error, &info.to_string());
        }));
        let config = serde_json::from_slice(&config).map_err(|error| format!("configuration: {error}"))?;
        PLUGINS.with_borrow_mut(Vec::clear);
        P::configure(&config)
    }

    fn prepare() -> Result<(), String> {
        P::step(Step::Prepare)
    }

    fn post_start() -> Result<(), String> {
        P::step(Step::PostStart)
    }

    fn pre_shutdown() -> Result<(), String> {
        P::step(Step::PreShutdown)
    }

    fn health() -> Result<(), String> {
        P::step(Step::Health)
    }
}
