//! Calls into a component.

use super::{
    Fault, Plugin,
    pool::{Instance, Lease},
};
use crate::{
    bindings::exports::chainplate::server::handler::Outcome,
    imports::{RequestHandle, ResponseHandle, from_wire},
    request::Request,
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_plan::{TransformRef, Transformer};
use futures_util::future::BoxFuture;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::component::Resource;

/// What a component decided.
pub(crate) enum Step {
    Respond(ResponseHandle),
    Delegate,
    DelegateWith(Request),
    Fail(Status),
}

/// The parts of a lease that a call needs; a lease without an instance is only seen while it is dropped.
fn parts(lease: &mut Lease) -> Result<&mut Instance, Fault> {
    lease.instance.as_mut().ok_or_else(|| Fault::Start("the instance is gone".into()))
}

impl Plugin {
    /// Hands the request to the component.
    pub(crate) async fn handle(&self, request: Arc<Request>) -> Result<Step, Fault> {
        let started = Instant::now();
        let limit = request.patience(self.context.limits.timeout);
        let result = self.call_handle(request, limit).await;
        let metrics = &self.context.metrics;
        metrics.observe(started.elapsed());
        match &result {
            Ok(Step::Respond(_)) => metrics.responded.inc(),
            Ok(Step::Delegate | Step::DelegateWith(_)) => metrics.delegated.inc(),
            Ok(Step::Fail(_)) => metrics.failed.inc(),
            Err(_) => metrics.broken.inc(),
        };
        result
    }

    async fn call_handle(&self, request: Arc<Request>, limit: Duration) -> Result<Step, Fault> {
        let mut lease = self.checkout().await?;
        let Instance { store, server, .. } = parts(&mut lease)?;
        let handle = match store.data_mut().table.push(RequestHandle(request)) {
            Ok(handle) => handle,
            Err(full) => return Err(self.trapped(&full.into(), "handle")),
        };
        let borrowed = Resource::new_borrow(handle.rep());
        let call = server.chainplate_server_handler().call_handle(&mut *store, borrowed);
        let outcome = self.settle(tokio::time::timeout(limit, call).await, limit, "handle")?;
        let table = &mut store.data_mut().table;
        let misuse = |error: wasmtime::component::ResourceTableError| self.trapped(&error.into(), "handle");
        let step = match outcome {
            Ok(Outcome::Respond(response)) => Step::Respond(table.delete(response).map_err(misuse)?),
            Ok(Outcome::Delegate) => Step::Delegate,
            Ok(Outcome::DelegateWith(draft)) => match table.delete(draft).map_err(misuse)?.into_request() {
                Ok(request) => Step::DelegateWith(request),
                Err(status) => Step::Fail(status),
            },
            Err(status) => Step::Fail(from_wire(&self.context.name, status)),
        };
        table.delete(handle).map_err(misuse)?;
        self.keep(lease);
        Ok(step)
    }

    /// What a call came to. The instance of a failed one is discarded with its lease.
    fn settle<T>(
        &self,
        result: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
        limit: Duration,
        doing: &str,
    ) -> Result<T, Fault> {
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(trap)) => Err(self.trapped(&trap, doing)),
            Err(_) => {
                self.context.metrics.timeouts.inc();
                tracing::error!(
                    plugin = self.context.name,
                    doing,
                    "no answer within {limit:?}, instance discarded"
                );
                Err(Fault::Timeout(limit))
            }
        }
    }

    /// Who the component says it is: name and version.
    pub(crate) async fn describe(&self) -> Result<(String, String), Fault> {
        let limit = self.context.limits.timeout;
        let mut lease = self.checkout().await?;
        let Instance { store, server, .. } = parts(&mut lease)?;
        let call = server.chainplate_server_lifecycle().call_describe(&mut *store);
        let info = self.settle(tokio::time::timeout(limit, call).await, limit, "describe")?;
        self.keep(lease);
        Ok((info.name, info.version))
    }

    pub(crate) async fn run_task(&self, task: &str) -> Result<(), String> {
        let fault = |fault: Fault| fault.to_string();
        let limit = self.context.limits.timeout;
        let mut lease = self.checkout().await.map_err(fault)?;
        let Instance { store, server, .. } = parts(&mut lease).map_err(fault)?;
        let call = server.chainplate_server_background().call_run(&mut *store, task);
        let result = self.settle(tokio::time::timeout(limit, call).await, limit, task).map_err(fault)?;
        self.keep(lease);
        result
    }

    /// A document that the component makes when asked.
    pub(crate) async fn openapi_v3(&self, group: &str, version: &str) -> Result<Option<Bytes>, Status> {
        let fault = |fault: Fault| fault.status(self.name());
        let limit = self.context.limits.timeout;
        let mut lease = self.checkout().await.map_err(fault)?;
        let Instance { store, server, .. } = parts(&mut lease).map_err(fault)?;
        let call = server.chainplate_server_documents().call_openapi_v3(&mut *store, group, version);
        let document =
            self.settle(tokio::time::timeout(limit, call).await, limit, "openapi-v3").map_err(fault)?;
        self.keep(lease);
        Ok(document.map(Bytes::from))
    }

    /// One of the lifecycle's calls.
    pub(crate) async fn lifecycle(&self, hook: Hook) -> Result<(), String> {
        let fault = |fault: Fault| fault.to_string();
        let limit = self.context.limits.timeout;
        let mut lease = self.checkout().await.map_err(fault)?;
        let Instance { store, server, .. } = parts(&mut lease).map_err(fault)?;
        let lifecycle = server.chainplate_server_lifecycle();
        let call = async {
            match hook {
                Hook::Prepare => lifecycle.call_prepare(&mut *store).await,
                Hook::PostStart => lifecycle.call_post_start(&mut *store).await,
                Hook::PreShutdown => lifecycle.call_pre_shutdown(&mut *store).await,
                Hook::Health => lifecycle.call_health(&mut *store).await,
            }
        };
        let result =
            self.settle(tokio::time::timeout(limit, call).await, limit, hook.name()).map_err(fault)?;
        self.keep(lease);
        result
    }

    async fn transform_batch(
        &self,
        transform: &TransformRef,
        objects: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, Fault> {
        let limit = self.context.limits.timeout;
        let count = objects.len();
        let objects: Vec<Vec<u8>> = objects.into_iter().map(Vec::from).collect();
        let mut lease = self.checkout().await?;
        let Instance { store, server, .. } = parts(&mut lease)?;
        let call = server.chainplate_server_transforms().call_apply(
            &mut *store,
            &transform.name,
            &transform.argument,
            &objects,
        );
        let result = self.settle(tokio::time::timeout(limit, call).await, limit, &transform.name)?;
        self.keep(lease);
        match result {
            Ok(results) if results.len() == count => Ok(results.into_iter().map(Bytes::from).collect()),
            Ok(results) => Err(Fault::Trap(format!(
                "transform {:?} turned {count} objects into {}",
                transform.name,
                results.len()
            ))),
            Err(status) => Err(Fault::Trap(format!("transform {:?}: {}", transform.name, status.message))),
        }
    }
}

impl Transformer for Plugin {
    fn transform<'a>(
        &'a self,
        transform: &'a TransformRef,
        objects: Vec<Bytes>,
    ) -> BoxFuture<'a, Result<Vec<Bytes>, Status>> {
        Box::pin(async move {
            // Pure, so a trap may be an instance's bad day: once more, on a fresh one.
            let again = objects.clone();
            match self.transform_batch(transform, objects).await {
                Err(Fault::Trap(_)) => self.transform_batch(transform, again).await,
                other => other,
            }
            .map_err(|fault| fault.status(self.name()))
        })
    }
}

/// A call of the lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Prepare,
    PostStart,
    PreShutdown,
    Health,
}

impl Hook {
    const fn name(self) -> &'static str {
        match self {
            Hook::Prepare => "prepare",
            Hook::PostStart => "post-start",
            Hook::PreShutdown => "pre-shutdown",
            Hook::Health => "health",
        }
    }
}
