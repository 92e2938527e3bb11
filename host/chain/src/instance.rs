//! One instance of a component: its store, its limits, its handles.

use crate::{outbound, plugin::PluginContext, request::Request};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{ResourceLimiter, component::ResourceTable};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// Most handles that an instance may hold: requests, collections, objects of a page.
const MAX_HANDLES: usize = 20_000;

/// What belongs to one instance.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) plugin: Arc<PluginContext>,
    pub(crate) limiter: Limiter,
    /// The call that the instance is in.
    pub(crate) call: Call,
    pub(crate) outbound: outbound::Sender,
    wasi: WasiCtx,
}

/// What a call may still do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// When it is given up.
    pub(crate) deadline: Instant,
    /// How long it had until then, when it began.
    pub(crate) limit: Duration,
    /// How many requests of components to this very server led to it.
    pub(crate) depth: u8,
}

impl Call {
    /// A call that nobody's request led to.
    pub(crate) fn of_its_own(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, limit, depth: 0 }
    }

    /// A call that this one waits for, with a limit of its own.
    pub(crate) fn within(self, limit: Duration) -> Self {
        let limit = limit.min(self.deadline.saturating_duration_since(Instant::now()));
        Self { depth: self.depth, ..Self::of_its_own(limit) }
    }

    /// A call on behalf of a request.
    pub(crate) fn of(request: &Request, limit: Duration) -> Self {
        Self { depth: request.depth, ..Self::of_its_own(request.patience(limit)) }
    }
}

impl State {
    pub(crate) fn new(plugin: Arc<PluginContext>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        let limiter = Limiter { used: 0, limit: plugin.limits.memory };
        let outbound = outbound::Sender::new(&plugin.outbound);
        // No arguments, environment, files or sockets; output goes nowhere (logs have an import of their own).
        let wasi = WasiCtx::builder().build();
        let call = Call::of_its_own(plugin.limits.timeout);
        Self { table, plugin, limiter, call, outbound, wasi }
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Bounds an instance's linear memory, over all its memories together.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// Bytes in use.
    pub(crate) used: usize,
    limit: usize,
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let after = self.used.saturating_sub(current).saturating_add(desired);
        if after > self.limit {
            // What grows is told that it cannot; what cannot even begin is for the operator.
            wasmtime::ensure!(
                current > 0,
                "it begins with {after} bytes of memory and has {}; raise limits.memory of this component",
                self.limit
            );
            return Ok(false);
        }
        self.used = after;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= 100_000)
    }
}
