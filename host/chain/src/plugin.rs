//! A loaded component: its code, its pool of warm instances, and the calls into it.

mod calls;
mod exports;
mod pool;

pub(crate) use calls::{Hook, Step};
pub(crate) use exports::Judgement;
pub use exports::{Decision, Identity};

use crate::{
    bindings::{self, Server},
    breaker::Breaker,
    claims::Claims,
    config::EffectiveLimits,
    controllers::Controllers,
    instance::State,
    log_budget::{LogBudget, Verdict},
    metrics::PluginMetrics,
    outbound,
    shared::Shared,
    tasks::Tasks,
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_engine::Trust;
use chainplate_manifest::{Capabilities, FailurePolicy, Manifest};
use chainplate_storage::Store;
use exports::Roles;
use parking_lot::RwLock;
use pool::Pool;
use serde::de::IgnoredAny;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

/// What all instances of a component share.
pub(crate) struct PluginContext {
    pub(crate) name: String,
    /// The digest of its code.
    pub(crate) digest: String,
    pub(crate) grants: Capabilities,
    pub(crate) limits: EffectiveLimits,
    pub(crate) failure_policy: FailurePolicy,
    pub(crate) claims: Claims,
    pub(crate) tasks: Tasks,
    pub(crate) controllers: Controllers,
    /// Of what requests lead to.
    pub(crate) breaker: Breaker,
    /// Of controllers and tasks.
    pub(crate) background_breaker: Breaker,
    pub(crate) log_budget: LogBudget,
    pub(crate) metrics: PluginMetrics,
    pub(crate) outbound: Arc<outbound::Client>,
    pub(crate) store: Store,
    pub(crate) shared: Arc<Shared>,
    trust: Trust,
}

/// What a [`PluginContext`] is made of.
pub(crate) struct PluginParts<'a> {
    pub(crate) name: &'a str,
    pub(crate) digest: String,
    pub(crate) grants: &'a Capabilities,
    pub(crate) limits: EffectiveLimits,
    pub(crate) failure_policy: FailurePolicy,
    pub(crate) trust: Trust,
    pub(crate) metrics: PluginMetrics,
    pub(crate) outbound: Arc<outbound::Client>,
    pub(crate) store: &'a Store,
    pub(crate) shared: &'a Arc<Shared>,
}

impl PluginContext {
    fn new(parts: PluginParts<'_>) -> Self {
        let limits = parts.limits;
        Self {
            name: parts.name.to_owned(),
            digest: parts.digest,
            grants: parts.grants.clone(),
            failure_policy: parts.failure_policy,
            claims: Claims::default(),
            tasks: Tasks::default(),
            controllers: Controllers::default(),
            breaker: Breaker::default(),
            background_breaker: Breaker::default(),
            log_budget: LogBudget::new(limits.log_lines_per_second, Instant::now()),
            limits,
            metrics: parts.metrics,
            outbound: parts.outbound,
            store: parts.store.clone(),
            shared: Arc::clone(parts.shared),
            trust: parts.trust,
        }
    }

    /// Whether a line of it, or about what it answered, may still go into the log. Tells what did not.
    pub(crate) fn may_log(&self) -> bool {
        match self.log_budget.take(Instant::now()) {
            Verdict::Write(0) => true,
            Verdict::Write(dropped) => {
                tracing::warn!(
                    plugin = self.name,
                    dropped,
                    "log lines over the limit were dropped; see limits.logLinesPerSecond"
                );
                true
            }
            Verdict::Drop => false,
        }
    }

    /// Holds what a component calls JSON to it. Not for those that ship with the host: they are tested with it, and what
    /// they make is large.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check_json(&self, json: &[u8]) -> Result<(), String> {
        if self.trust == Trust::Shipped {
            return Ok(());
        }
        // Text that is skipped is not looked at by serde_json.
        let text = std::str::from_utf8(json).map_err(|error| error.to_string())?;
        serde_json::from_str::<IgnoredAny>(text).map(drop).map_err(|error| error.to_string())
    }
}

/// A component in the chain.
pub struct Plugin {
    pub(crate) context: Arc<PluginContext>,
    pre: InstancePre<State>,
    roles: Roles,
    engine: wasmtime::Engine,
    configuration: Bytes,
    manifest: Option<Manifest>,
    pool: Pool,
    health: RwLock<Result<(), String>>,
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
    /// It failed too often and rests.
    #[error("it failed repeatedly and is tried again in {0:?}")]
    Resting(Duration),
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
            Fault::Resting(left) => {
                let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
                Status::unavailable(format!(
                    "server component {plugin:?} failed repeatedly, please try again; see the server's log"
                ))
                .with_retry_after(seconds)
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
    bindings::admission::chainplate::server::review::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| {
        state
    })?;
    bindings::authorizer::chainplate::server::access::add_to_linker::<_, HasSelf<_>>(&mut linker, |state| {
        state
    })?;
    Ok(linker)
}

impl Plugin {
    /// Links a component. Nothing of it runs yet.
    ///
    /// # Errors
    /// What it imports that the host has not, or what it does not export.
    pub(crate) fn new(
        parts: PluginParts<'_>,
        linker: &Linker<State>,
        component: &Component,
        configuration: Bytes,
        manifest: Option<Manifest>,
    ) -> wasmtime::Result<Arc<Self>> {
        let pre = linker.instantiate_pre(component)?;
        let roles = Roles::of(&pre)?;
        let context = PluginContext::new(parts);
        let plugin = Arc::new(Self {
            pre,
            roles,
            engine: linker.engine().clone(),
            configuration,
            manifest,
            pool: Pool::new(context.limits.instances),
            context: Arc::new(context),
            health: RwLock::new(Ok(())),
        });
        plugin.context.tasks.belong_to(&plugin);
        plugin.context.shared.publications.introduce(&plugin);
        Ok(plugin)
    }

    /// Its name in the chain.
    pub fn name(&self) -> &str {
        &self.context.name
    }

    /// The digest of its code, `sha256:<hex>`.
    pub fn digest(&self) -> &str {
        &self.context.digest
    }

    /// What it says of itself, if it does.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// The paths that it claims, for the index at `/`.
    pub fn paths(&self) -> Vec<String> {
        self.context.claims.paths()
    }

    /// Whether it could serve when it was last asked.
    ///
    /// # Errors
    /// Why not.
    pub fn last_health(&self) -> Result<(), String> {
        self.health.read().clone()
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({})", self.context.name)
    }
}
