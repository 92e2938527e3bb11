//! From the filters to the chain, and from its answer to bytes.

use crate::storage::{self, SNAPSHOT_PATH};
use chainplate_apimachinery::{
    Status,
    list_options::value,
    request::{RequestInfo, Verb},
};
use chainplate_apiserver::{Body, BoxFuture, Handler, RequestBody, RequestContext};
use chainplate_chain::{Answer, Chain, Request};
use chainplate_plan::{Context, execute, status_response, status_response_for, unreadable};
use chainplate_storage::Store;
use http::{HeaderValue, Response, StatusCode, header};
use std::{sync::Arc, time::Duration};

/// The chain as the generic server enters it.
pub(crate) struct ChainHandler {
    chain: Arc<Chain>,
    store: Store,
    min_watch_timeout: Duration,
}

/// Upstream's answer while parts of the chain are missing (`genericapiserver/handler.go`): controllers act destructively on
/// a 404 that is none.
const NOT_INSTALLED: &str =
    "the request has been made before all known HTTP paths have been installed, please try again";

impl ChainHandler {
    pub(crate) fn new(chain: Arc<Chain>, store: Store, min_watch_timeout: Duration) -> Self {
        Self { chain, store, min_watch_timeout }
    }

    async fn answer(&self, request: http::Request<RequestBody>, context: RequestContext) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let warnings = context.warnings.clone();
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
        };
        let (headers, query) = (request.headers.clone(), request.query.clone());
        if self.store.is_shared()
            && wants_the_latest(&request.info, &query)
            && let Err(error) = self.store.refresh().await
        {
            return status_response_for(&unreadable(&error), &headers, &query);
        }
        if request.info.path == SNAPSHOT_PATH && request.info.verb == Verb::Get {
            return match storage::serve_snapshot(&self.store).await {
                Ok(response) => response,
                Err(error) => status_response_for(&unreadable(&error), &headers, &query),
            };
        }
        match self.chain.handle(request).await {
            Answer::Plan(execution, request) => {
                let context = Context {
                    store: &self.store,
                    info: &request.info,
                    query: &request.query,
                    headers: &request.headers,
                    shutdown: context.shutdown.clone(),
                    min_watch_timeout: self.min_watch_timeout,
                };
                execute(execution, &context).await
            }
            Answer::Status(status) => status_response_for(&status, &headers, &query),
            Answer::NotInstalled => {
                let status = Status::unavailable(NOT_INSTALLED).with_retry_after(5);
                status_response(&status, &headers)
            }
            Answer::NotFound => not_found(),
        }
    }
}

/// Whether what is read must hold every write that was acknowledged before, by whichever server: all requests for
/// stored objects but reads that name a resourceVersion or the snapshot that they go on with.
fn wants_the_latest(info: &RequestInfo, query: &str) -> bool {
    if !info.is_resource {
        return false;
    }
    let names_a_state = || {
        ["resourceVersion", "continue"]
            .iter()
            .any(|name| value(query, name).is_some_and(|value| !value.is_empty()))
    };
    match info.verb {
        Verb::Get | Verb::List | Verb::Watch => !names_a_state(),
        _ => true,
    }
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
