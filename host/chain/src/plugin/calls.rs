//! Calls into a component.

use super::{Fault, Plugin, exports::Exports, pool::Instance};
use crate::{
    bindings::{
        Server,
        exports::chainplate::server::{handler::Outcome, reconciler::ObjectReference},
    },
    breaker::Breaker,
    imports::{RequestHandle, ResponseHandle, from_wire},
    instance::{Call, State},
    request::Request,
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_plan::TransformRef;
use futures_util::future::BoxFuture;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{Store, component::Resource};

/// What a component decided.
pub(crate) enum Step {
    Respond(ResponseHandle),
    Delegate,
    DelegateWith(Request),
    Fail(Status),
}

/// What a component is called for, for logs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doing<'a> {
    Handle,
    Transform(&'a str),
    Task(&'a str),
    OpenApi,
    Hook(Hook),
    Describe,
    Reconcile(&'a str),
    Admit(&'a str),
    Convert,
    Authenticate,
    Authorize,
    Start,
}

impl fmt::Display for Doing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Doing::Handle => f.write_str("handle"),
            Doing::Transform(name) => write!(f, "transform {name}"),
            Doing::Task(name) => write!(f, "task {name}"),
            Doing::OpenApi => f.write_str("openapi-v3"),
            Doing::Hook(hook) => f.write_str(hook.name()),
            Doing::Describe => f.write_str("describe"),
            Doing::Reconcile(controller) => write!(f, "reconcile {controller}"),
            Doing::Admit(hook) => write!(f, "admit {hook}"),
            Doing::Convert => f.write_str("convert"),
            Doing::Authenticate => f.write_str("authenticate"),
            Doing::Authorize => f.write_str("authorize"),
            Doing::Start => f.write_str("start"),
        }
    }
}

/// The server's part of an instance.
fn server(exports: &Exports) -> wasmtime::Result<&Server> {
    exports.server.as_ref().ok_or_else(|| wasmtime::format_err!("the component is not of the world server"))
}

impl Plugin {
    /// Calls into a warm instance. It is given back if that goes well, and discarded otherwise.
    pub(super) async fn call<T>(
        &self,
        call: Call,
        doing: Doing<'_>,
        run: impl AsyncFnOnce(&mut Store<State>, &Exports) -> wasmtime::Result<T>,
    ) -> Result<T, Fault> {
        let mut lease = self.checkout(call, doing).await?;
        let Some(Instance { store, exports, .. }) = &mut lease.instance else {
            return Err(Fault::Start("the instance is gone".into()));
        };
        let result = tokio::time::timeout_at(call.deadline.into(), run(store, exports)).await;
        let value = self.settle(result, call.limit, doing)?;
        self.breaker(doing).succeeded();
        self.keep(lease);
        Ok(value)
    }

    /// What a call came to.
    fn settle<T>(
        &self,
        result: Result<wasmtime::Result<T>, tokio::time::error::Elapsed>,
        limit: Duration,
        doing: Doing<'_>,
    ) -> Result<T, Fault> {
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(trap)) => Err(self.trapped(&trap, doing)),
            Err(_) => {
                self.context.metrics.timeouts.inc();
                tracing::error!(
                    plugin = self.context.name,
                    %doing,
                    "no answer within {limit:?}, instance discarded"
                );
                // A caller in a hurry is no fault of the component.
                if limit >= self.context.limits.timeout {
                    self.failed(doing);
                }
                Err(Fault::Timeout(limit))
            }
        }
    }

    /// Counts and logs a trap.
    pub(super) fn trapped(&self, trap: &wasmtime::Error, doing: Doing<'_>) -> Fault {
        self.context.metrics.traps.inc();
        tracing::error!(plugin = self.context.name, %doing, "trap, instance discarded: {trap:?}");
        self.failed(doing);
        let why = match trap.downcast_ref::<wasmtime::Trap>() {
            Some(trap) => trap.to_string(),
            None => trap.root_cause().to_string(),
        };
        Fault::Trap(why)
    }

    fn failed(&self, doing: Doing<'_>) {
        if let Some(rest) = self.breaker(doing).failed(Instant::now()) {
            tracing::error!(plugin = self.context.name, %doing, "it failed repeatedly: not called for {rest:?}");
        }
    }

    /// What it does of its own accord rests by itself: a controller that keeps trapping does not take the API with it.
    pub(super) fn breaker(&self, doing: Doing<'_>) -> &Breaker {
        match doing {
            Doing::Reconcile(_) | Doing::Task(_) => &self.context.background_breaker,
            _ => &self.context.breaker,
        }
    }

    /// A call that no request led to.
    fn own_call(&self) -> Call {
        Call::of_its_own(self.context.limits.timeout)
    }

    /// Hands the request to the component.
    pub(crate) async fn handle(&self, request: Arc<Request>) -> Result<Step, Fault> {
        let started = Instant::now();
        let call = Call::of(&request, self.context.limits.timeout);
        let name = &self.context.name;
        let result = self
            .call(call, Doing::Handle, async |store, exports| {
                let handle = store.data_mut().table.push(RequestHandle(request))?;
                let borrowed = Resource::new_borrow(handle.rep());
                let handler = server(exports)?.chainplate_server_handler();
                let outcome = handler.call_handle(&mut *store, borrowed).await?;
                let table = &mut store.data_mut().table;
                let step = match outcome {
                    Ok(Outcome::Respond(response)) => Step::Respond(table.delete(response)?),
                    Ok(Outcome::Delegate) => Step::Delegate,
                    Ok(Outcome::DelegateWith(draft)) => match table.delete(draft)?.into_request() {
                        Ok(request) => Step::DelegateWith(request),
                        Err(status) => Step::Fail(status),
                    },
                    Err(status) => Step::Fail(from_wire(name, status)),
                };
                table.delete(handle)?;
                Ok(step)
            })
            .await;
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

    /// Who the component says it is: name and version.
    pub(crate) async fn describe(&self) -> Result<(String, String), Fault> {
        let info = self
            .call(self.own_call(), Doing::Describe, async |store, exports| {
                exports.plugin.chainplate_server_lifecycle().call_describe(store).await
            })
            .await?;
        Ok((info.name, info.version))
    }

    pub(crate) async fn run_task(&self, task: &str) -> Result<(), String> {
        self.call(self.own_call(), Doing::Task(task), async |store, exports| {
            server(exports)?.chainplate_server_background().call_run(store, task).await
        })
        .await
        .map_err(|fault| fault.to_string())?
    }

    /// Wakes a controller for an object; the time after which to do it again.
    pub(crate) async fn reconcile(
        &self,
        controller: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Duration>, String> {
        let object = ObjectReference { namespace: namespace.map(str::to_owned), name: name.to_owned() };
        let again = self
            .call(self.own_call(), Doing::Reconcile(controller), async |store, exports| {
                let reconciler = server(exports)?.chainplate_server_reconciler();
                reconciler.call_reconcile(store, controller, &object).await
            })
            .await
            .map_err(|fault| fault.to_string())??;
        Ok(again.map(Duration::from_millis))
    }

    /// A document that the component makes when asked.
    pub(crate) async fn openapi_v3(&self, group: &str, version: &str) -> Result<Option<Bytes>, Status> {
        let document = self
            .call(self.own_call(), Doing::OpenApi, async |store, exports| {
                server(exports)?.chainplate_server_documents().call_openapi_v3(store, group, version).await
            })
            .await
            .map_err(|fault| fault.status(self.name()))?;
        Ok(document.map(Bytes::from))
    }

    /// One of the lifecycle's calls.
    pub(crate) async fn lifecycle(&self, hook: Hook) -> Result<(), String> {
        let result = self
            .call(self.own_call(), Doing::Hook(hook), async |store, exports| {
                let lifecycle = exports.plugin.chainplate_server_lifecycle();
                match hook {
                    Hook::Prepare => lifecycle.call_prepare(store).await,
                    Hook::PostStart => lifecycle.call_post_start(store).await,
                    Hook::PreShutdown => lifecycle.call_pre_shutdown(store).await,
                    Hook::Health => lifecycle.call_health(store).await,
                }
            })
            .await
            .map_err(|fault| fault.to_string())
            .flatten();
        if hook == Hook::Health {
            self.health.write().clone_from(&result);
        }
        result
    }

    /// Logs that a transform refused what it must take, or made what it must not.
    fn broken(&self, transform: &TransformRef, why: &str) -> Fault {
        if self.context.may_log() {
            tracing::error!(plugin = self.context.name, transform = transform.name, "no use: {why}");
        }
        Fault::Trap(format!("transform {:?}: {why}", transform.name))
    }

    async fn transform_batch(
        &self,
        transform: &TransformRef,
        objects: Vec<Bytes>,
    ) -> Result<Vec<Bytes>, Fault> {
        let count = objects.len();
        let objects: Vec<Vec<u8>> = objects.into_iter().map(Vec::from).collect();
        let result = self
            .call(self.own_call(), Doing::Transform(&transform.name), async |store, exports| {
                let transforms = server(exports)?.chainplate_server_transforms();
                transforms.call_apply(store, &transform.name, &transform.argument, &objects).await
            })
            .await?;
        match result {
            Ok(results) if results.len() == count => Ok(results.into_iter().map(Bytes::from).collect()),
            Ok(results) => {
                Err(self.broken(transform, &format!("results for {count} objects: {}", results.len())))
            }
            Err(status) => Err(self.broken(transform, &status.message)),
        }
    }
}

impl Plugin {
    /// Runs a transform.
    pub(crate) fn transform<'a>(
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
