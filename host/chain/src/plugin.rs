//! A loaded component: its code, its pool of warm instances, and the calls into it.

mod calls;
mod pool;

pub(crate) use calls::{Hook, Step};

use crate::{
    bindings::{Server, ServerPre},
    claims::Claims,
    config::{EffectiveLimits, Grants},
    instance::State,
    metrics::PluginMetrics,
    outbound,
    publications::Publications,
    tasks::Tasks,
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_engine::Trust;
use chainplate_storage::Store;
use pool::Pool;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;
use wasmtime::component::{Component, HasSelf, Linker};

/// What all instances of a component share.
pub(crate) struct PluginContext {
    pub(crate) name: String,
    /// The digest of its code.
    pub(crate) digest: String,
    pub(crate) grants: Grants,
    pub(crate) limits: EffectiveLimits,
    pub(crate) claims: Claims,
    pub(crate) tasks: Tasks,
    pub(crate) metrics: PluginMetrics,
    pub(crate) outbound: Arc<outbound::Client>,
    pub(crate) store: Store,
    pub(crate) publications: Arc<Publications>,
    /// Turns true when the host stops.
    pub(crate) stopped: watch::Receiver<bool>,
}

/// A component in the chain.
pub struct Plugin {
    pub(crate) context: Arc<PluginContext>,
    trust: Trust,
    pre: ServerPre<State>,
    engine: wasmtime::Engine,
    configuration: Bytes,
    pool: Pool,
}

/// Why a call gave no answer. Never the component's own word.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// It trapped, or misused the contract; its instance is gone.
    #[error("it trapped: {0}")]
    Trap(String),
    /// It took too long; its instance is gone.
    #[error("it did not answer within {0:?}")]
    Timeout(Duration),
    /// No instance became free in time.
    #[error("all of its {0} instances are busy")]
    Busy(usize),
    /// An instance could not be made.
    #[error("no instance can be made: {0}")]
    Start(String),
}

impl Fault {
    /// What the caller is told. Details are for the log.
    pub(crate) fn status(&self, plugin: &str) -> Status {
        match self {
            Fault::Timeout(limit) => {
                Status::timeout(format!("server component {plugin:?} did not answer within {limit:?}"))
            }
            Fault::Busy(_) => {
                Status::unavailable(format!("server component {plugin:?} is busy, please try again"))
                    .with_retry_after(1)
            }
            Fault::Trap(_) | Fault::Start(_) => {
                Status::internal(format_args!("server component {plugin:?} failed; see the server's log"))
            }
        }
    }
}

/// Links everything that a component may import. Once per engine.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    Server::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| state)?;
    Ok(linker)
}

impl Plugin {
    /// Links a component. Nothing of it runs yet.
    ///
    /// # Errors
    /// What it imports that the host has not.
    pub(crate) fn new(
        context: PluginContext,
        trust: Trust,
        linker: &Linker<State>,
        component: &Component,
        configuration: Bytes,
    ) -> wasmtime::Result<Arc<Self>> {
        let pre = ServerPre::new(linker.instantiate_pre(component)?)?;
        let pool = Pool::new(context.limits.instances);
        let plugin = Arc::new(Self {
            trust,
            pre,
            engine: linker.engine().clone(),
            configuration,
            pool,
            context: Arc::new(context),
        });
        plugin.context.tasks.belong_to(&plugin);
        plugin.context.publications.introduce(&plugin);
        Ok(plugin)
    }

    /// Its name in the chain.
    pub fn name(&self) -> &str {
        &self.context.name
    }

    /// The paths that it claims, for the index at `/`.
    pub fn paths(&self) -> Vec<String> {
        self.context.claims.paths()
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({})", self.context.name)
    }
}
