//! From the filters to the chain, and from its answer to bytes.

use crate::{
    chains::{Chains, RELOAD_PATH},
    storage::{self, SNAPSHOT_PATH},
};
use chainplate_apimachinery::{Status, request::Verb};
use chainplate_apiserver::{Body, BoxFuture, Handler, RequestBody, RequestContext};
use chainplate_chain::Request;
use chainplate_plan::{status_response, unreadable};
use chainplate_storage::Store;
use http::{HeaderValue, Response, StatusCode, header};
use std::{sync::Arc, time::Duration};

/// The chain as the generic server enters it.
pub(crate) struct ChainHandler {
    chains: Arc<Chains>,
    store: Store,
    min_watch_timeout: Duration,
}

impl ChainHandler {
    pub(crate) fn new(chains: Arc<Chains>, store: Store, min_watch_timeout: Duration) -> Self {
        Self { chains, store, min_watch_timeout }
    }

    async fn answer(&self, request: http::Request<RequestBody>, context: RequestContext) -> Response<Body> {
        let (parts, body) = request.into_parts();
        match (context.info.path.as_str(), context.info.method.as_str()) {
            (SNAPSHOT_PATH, "get") => {
                return match storage::serve_snapshot(&self.store).await {
                    Ok(response) => response,
                    Err(error) => status_response(&unreadable(&error), &parts.headers),
                };
            }
            (RELOAD_PATH, "post") => return reload(&self.chains, &parts.headers).await,
            _ => {}
        }
        let (warnings, audit_id) = (context.warnings.clone(), context.audit_id.clone());
        let request = Request {
            info: context.info.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers,
            user: context.user.clone(),
            audit_id: context.audit_id.to_string(),
            deadline: context.deadline,
            body: chainplate_chain::Body::on_demand(Box::new(move || {
                Box::pin(body.collect_bounded(RequestBody::LIMIT))
            })),
            warn: Arc::new(move |text| warnings.add(text)),
            annotate: Arc::new(move |key, value| {
                tracing::info!(target: "audit", audit_id = &*audit_id, key, value, "annotation");
            }),
            depth: 0,
        };
        let chain = self.chains.current();
        let response = chain.respond(request, context.shutdown.clone(), self.min_watch_timeout).await;
        response.unwrap_or_else(not_found)
    }
}

/// Has the chain loaded anew, and tells what came of it.
async fn reload(chains: &Arc<Chains>, headers: &http::HeaderMap) -> Response<Body> {
    let status = match chains.try_reload().await {
        Some(Ok(())) => Status::success("the chain was reloaded"),
        Some(Err(error)) => Status::new(422, "Invalid", format!("the chain was not reloaded: {error:#}")),
        None => Status::too_many_requests("a reload is under way, please try again", 1),
    };
    status_response(&status, headers)
}

impl Handler for ChainHandler {
    fn handle(
        self: Arc<Self>,
        request: http::Request<RequestBody>,
        context: RequestContext,
    ) -> BoxFuture<'static, Response<Body>> {
        Box::pin(async move {
            if matches!(context.info.verb, Verb::Get | Verb::List | Verb::Watch) {
                return self.answer(request, context).await;
            }
            // A write is seen through even when its caller goes away or is told 504: a component may be between two
            // steps of it.
            match tokio::spawn(async move { self.answer(request, context).await }).await {
                Ok(response) => response,
                Err(died) => status_response(&Status::internal(died), &http::HeaderMap::new()),
            }
        })
    }
}

/// What Go's `http.NotFound` says.
fn not_found() -> Response<Body> {
    let body = http_body_util::Full::new(bytes::Bytes::from_static(b"404 page not found\n"));
    let mut response =
        Response::new(Body::new(http_body_util::BodyExt::map_err(body, |never| match never {})));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
