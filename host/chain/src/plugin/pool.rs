//! Warm instances. Last in, first out, so that the memory in use stays in the caches and the rest can go.

use super::{Fault, Plugin, calls::Doing, exports::Exports};
use crate::instance::{Call, State};
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
    pub(super) exports: Exports,
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
    /// A warm instance, or a new one, for a call.
    pub(super) async fn checkout(&self, call: Call, doing: Doing<'_>) -> Result<Lease, Fault> {
        self.breaker(doing).admit(Instant::now()).map_err(Fault::Resting)?;
        let permits = Arc::clone(&self.pool.permits);
        let patience = call.deadline.min(Instant::now() + PATIENCE);
        let permit = match Arc::clone(&permits).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => match tokio::time::timeout_at(patience.into(), permits.acquire_owned()).await {
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
            if self.context.trust == Trust::ThirdParty {
                // Counted from now: an instance that waited for work has let its last deadline pass, and would yield at
                // once. The tick to come may be near, so that one is not enough.
                instance.store.set_epoch_deadline(2);
            }
            instance.store.data_mut().call = call;
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

    /// Lets go of what waits for work: a chain that was replaced has little of it left.
    pub(crate) fn rest(&self) {
        let idle = std::mem::take(&mut *self.pool.idle.lock());
        for instance in idle {
            self.context.metrics.instances.dec();
            self.context.metrics.memory.dec_by(instance.counted);
        }
    }

    async fn instantiate(&self) -> Result<Instance, Fault> {
        let mut store = Store::new(&self.engine, State::new(Arc::clone(&self.context)));
        store.limiter(|state| &mut state.limiter);
        store.set_hostcall_fuel(self.context.limits.hostcall_bytes);
        if self.context.trust == Trust::ThirdParty {
            store.set_epoch_deadline(1);
            store.epoch_deadline_async_yield_and_update(1);
        }
        let limit = self.context.limits.timeout;
        let start = async {
            let instance = self.pre.instantiate_async(&mut store).await?;
            let exports = self.roles.load(&mut store, &instance)?;
            let lifecycle = exports.plugin.chainplate_server_lifecycle();
            let configured = lifecycle.call_configure(&mut store, &self.configuration).await?;
            wasmtime::Result::Ok((exports, configured))
        };
        let (exports, configured) = match tokio::time::timeout(limit, start).await {
            Ok(Ok(started)) => started,
            Ok(Err(trap)) => return Err(self.trapped(&trap, Doing::Start)),
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
            exports,
            calls_left: self.context.limits.calls_per_instance,
            used: Instant::now(),
            counted: used,
        })
    }
}
