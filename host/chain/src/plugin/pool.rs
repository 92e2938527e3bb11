//! Warm instances. Last in, first out, so that the memory in use stays in the caches and the rest can go.

use super::{Fault, Plugin};
use crate::{bindings::Server, instance::State};
use chainplate_engine::Trust;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;

/// Instances that nobody needed for so long are dropped; one stays.
const IDLE: Duration = Duration::from_secs(30);
/// The longest wait for a free instance.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Pool {
    idle: Mutex<Vec<Instance>>,
    permits: Arc<Semaphore>,
    size: usize,
}

/// An instance, and its place among those that may exist.
pub(super) struct Instance {
    pub(super) store: Store<State>,
    pub(super) server: Server,
    calls_left: u32,
    used: Instant,
    /// Memory that the gauge counts for this instance.
    counted: i64,
}

/// An instance in use. Dropped without [`Plugin::keep`], it is discarded: after a trap, a timeout, or a caller that went away.
pub(super) struct Lease {
    pub(super) instance: Option<Instance>,
    plugin: Arc<super::PluginContext>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(size: usize) -> Self {
        Self { idle: Mutex::default(), permits: Arc::new(Semaphore::new(size)), size }
    }
}

impl Lease {
    fn discard(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.plugin.metrics.instances.dec();
            self.plugin.metrics.memory.dec_by(instance.counted);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.discard();
    }
}

impl Plugin {
    /// A warm instance, or a new one.
    pub(super) async fn checkout(&self) -> Result<Lease, Fault> {
        let permits = Arc::clone(&self.pool.permits);
        let permit = match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout(PATIENCE, permits.acquire_owned()).await {
                Ok(Ok(permit)) => permit,
                _ => return Err(Fault::Busy(self.pool.size)),
            },
        };
        let warm = self.pool.idle.lock().pop();
        let instance = match warm {
            Some(instance) => instance,
            None => self.instantiate().await?,
        };
        let mut lease =
            Lease { instance: Some(instance), plugin: Arc::clone(&self.context), _permit: permit };
        if let Some(instance) = &mut lease.instance {
            instance.store.set_hostcall_fuel(self.context.limits.hostcall_bytes);
        }
        Ok(lease)
    }

    /// Gives an instance back after a call that went well.
    pub(super) fn keep(&self, mut lease: Lease) {
        let Some(mut instance) = lease.instance.take() else { return };
        instance.calls_left = instance.calls_left.saturating_sub(1);
        let used = i64::try_from(instance.store.data().limiter.used).unwrap_or(i64::MAX);
        self.context.metrics.memory.inc_by(used - instance.counted);
        instance.counted = used;
        if instance.calls_left == 0 {
            lease.instance = Some(instance);
            return; // Dropped with its lease.
        }
        let now = Instant::now();
        instance.used = now;
        let mut idle = self.pool.idle.lock();
        idle.push(instance);
        // The first of the stack is the one that nobody needed for longest.
        let stale = match idle.first() {
            Some(first) if idle.len() > 1 && now.duration_since(first.used) > IDLE => Some(idle.remove(0)),
            _ => None,
        };
        drop(idle);
        lease.instance = stale;
    }

    async fn instantiate(&self) -> Result<Instance, Fault> {
        let mut store = Store::new(&self.engine, State::new(Arc::clone(&self.context)));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.context.limits.hostcall_bytes);
        if self.trust == Trust::ThirdParty {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
        }
        let limit = self.context.limits.timeout;
        let start = async {
            let server = self.pre.instantiate_async(&mut store).await?;
            let lifecycle = server.chainplate_server_lifecycle();
            let configured = lifecycle.call_configure(&mut store, &self.configuration).await?;
            wasmtime::Result::Ok((server, configured))
        };
        let (server, configured) = match tokio::time::timeout(limit, start).await {
            Ok(Ok(started)) => started,
            Ok(Err(trap)) => return Err(self.trapped(&trap, "start")),
            Err(_) => {
                self.context.metrics.timeouts.inc();
                return Err(Fault::Timeout(limit));
            }
        };
        if let Err(why) = configured {
            return Err(Fault::Start(format!("configuration refused: {why}")));
        }
        self.context.metrics.instances.inc();
        let used = i64::try_from(store.data().limiter.used).unwrap_or(i64::MAX);
        self.context.metrics.memory.inc_by(used);
        Ok(Instance {
            store,
            server,
            calls_left: self.context.limits.calls_per_instance,
            used: Instant::now(),
            counted: used,
        })
    }

    /// Counts and logs a trap.
    pub(super) fn trapped(&self, trap: &wasmtime::Error, doing: &str) -> Fault {
        self.context.metrics.traps.inc();
        tracing::error!(plugin = self.context.name, doing, "trap, instance discarded: {trap:?}");
        let why = match trap.downcast_ref::<wasmtime::Trap>() {
            Some(trap) => trap.to_string(),
            None => trap.root_cause().to_string(),
        };
        Fault::Trap(why)
    }
}
