//! HTTP requests of components to the outside: `wasi:http/outgoing-handler`, for third-party components alone.
//!
//! Nothing is granted by default. Every request is checked here, whatever the component did to make it, and is bounded
//! in number, time and size. Each has a connection of its own: what one component opened no other can use, and a
//! connection never outlives its request. Redirects are the component's to follow, as requests of their own.

mod address;
mod body;
mod grant;
mod send;
mod tls;

pub use grant::Grant;

use crate::{
    config::{ComponentConfiguration, EffectiveLimits},
    instance::State,
    metrics::OutboundMetrics,
};
use grant::Origin;
use http::{HeaderName, header};
use parking_lot::Mutex;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsConnector;
use wasmtime::{
    StoreContextMut,
    component::{Linker, Resource, ResourceTable},
};
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpCtx,
    WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
};

/// Most memory of one set of headers that a component makes, in bytes; it traps beyond.
const MAX_FIELDS: usize = 64 << 10;
/// Most different warnings about one component's requests; a component must not fill the log.
const MAX_WARNINGS: usize = 100;

/// Links what a component needs to send requests. Once per engine.
pub(crate) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    // The library's own knows none of the errors that its bodies end with: a component could not tell silence from a cut.
    linker.allow_shadowing(true);
    linker.instance("wasi:http/types@0.2.12")?.func_wrap(
        "http-error-code",
        |store: StoreContextMut<'_, State>, (error,): (Resource<wasmtime::Error>,)| {
            Ok((store.data().table.get(&error)?.downcast_ref().and_then(body::code),))
        },
    )?;
    linker.allow_shadowing(false);
    Ok(())
}

/// One component's way outside, shared by its instances.
pub(crate) struct Client {
    plugin: String,
    grants: Vec<Grant>,
    /// None without a grant for https.
    tls: Option<TlsConnector>,
    /// The longest request, its answer's body included.
    timeout: Duration,
    /// Most bytes of a body, either way.
    max_body: usize,
    /// The most requests at a time, and a permit for each.
    max_requests: usize,
    permits: Arc<Semaphore>,
    metrics: OutboundMetrics,
    /// What the log was told already.
    warned: Mutex<BTreeSet<String>>,
}

impl Client {
    /// The way outside that a component was granted.
    ///
    /// # Errors
    /// A grant that is none, a file of authorities that cannot be used, or a system without any; the text says what to do.
    pub(crate) async fn load(
        component: &ComponentConfiguration,
        limits: &EffectiveLimits,
        metrics: OutboundMetrics,
    ) -> Result<Arc<Self>, String> {
        let grants = component.grants.outbound.iter().map(|grant| grant.parse());
        let grants: Vec<Grant> = grants.collect::<Result<_, _>>()?;
        let tls = if grants.iter().any(Grant::tls) {
            let authorities = component.outbound_ca_file.clone();
            let load = tokio::task::spawn_blocking(move || tls::connector(authorities.as_deref()));
            Some(load.await.map_err(|died| died.to_string())??)
        } else {
            None
        };
        Ok(Arc::new(Self {
            plugin: component.name.clone(),
            grants,
            tls,
            timeout: limits.timeout,
            max_body: limits.outbound_bytes,
            max_requests: limits.outbound_requests,
            permits: Arc::new(Semaphore::new(limits.outbound_requests)),
            metrics,
            warned: Mutex::default(),
        }))
    }

    fn allows(&self, target: &Origin) -> bool {
        self.grants.iter().any(|grant| grant.covers(target))
    }

    /// Warns once of each thing, up to a bound.
    fn warn(&self, what: String) {
        let mut warned = self.warned.lock();
        if warned.len() < MAX_WARNINGS && !warned.contains(&what) {
            tracing::warn!(plugin = self.plugin, "{what}");
            warned.insert(what);
        }
    }
}

/// A request's place among those at a time: left when the answer was read, the connection ended or all handles are gone,
/// whichever is first.
#[derive(Clone)]
struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    fn leave(&self) {
        self.0.lock().take();
    }
}

/// What one instance needs to send requests.
pub(crate) struct Sender {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Sender {
    pub(crate) fn new(client: &Arc<Client>) -> Self {
        let mut ctx = WasiHttpCtx::new();
        ctx.set_field_size_limit(MAX_FIELDS);
        Self { ctx, hooks: Hooks(Arc::clone(client)) }
    }

    fn view<'a>(&'a mut self, table: &'a mut ResourceTable) -> WasiHttpCtxView<'a> {
        WasiHttpCtxView { ctx: &mut self.ctx, table, hooks: &mut self.hooks }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        self.outbound.view(&mut self.table)
    }
}

struct Hooks(Arc<Client>);

/// The end of a request: the rest of its connection's work.
type Rest = Box<dyn Future<Output = Result<(), Error>> + Send>;

impl WasiHttpHooks for Hooks {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        let hop_by_hop = |name: &HeaderName| *name == header::TE || *name == header::TRAILER;
        Arc::new(move |name| DEFAULT_FORBIDDEN_HEADERS.contains(name) || hop_by_hop(name))
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Rest,
    ) -> Box<dyn Future<Output = Result<(http::Response<WasiBody>, Rest), Error>> + Send> {
        let client = Arc::clone(&self.0);
        Box::new(async move { client.send(request, options.unwrap_or_default()).await })
    }
}
