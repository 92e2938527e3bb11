//! The filters in front of the chain, in upstream's order (`DefaultBuildHandlerChain` in
//! `apiserver/pkg/server/config.go`): audit id, panic recovery, request info, HTTP log, shutdown, HSTS,
//! cache-control, deadline, warnings, authentication, impersonation, in-flight limits, authorization.

pub(crate) mod body;
mod deadline;
mod headers;
mod impersonation;
mod inflight;

pub(crate) use body::TrackedBody;
pub(crate) use inflight::Limits;

use crate::{
    BoxFuture, Handler,
    authn::{self, AuthenticationError, Authenticator, Credentials, PeerCertificates},
    authz::{self, Attributes, Authorizer, Decision},
    body::{Body, RequestBody},
    context::{RequestContext, Warnings},
    lifecycle::{InFlight, Token},
    metrics::{Metrics, Record},
    native::Native,
    response::{StatusEncoder, nosniff, text_error},
};
use chainplate_apimachinery::{
    Status,
    request::{ParseError, RequestInfo, query_value},
};
use futures_util::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use hyper::body::Incoming;
use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Notify, watch};

/// What a request's connection knows.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) remote: SocketAddr,
    pub(crate) certificates: Option<PeerCertificates>,
    /// Asks the connection to end after the requests it has.
    pub(crate) close: Notify,
}

/// What is in flight, and whether more may come.
#[derive(Debug)]
pub(crate) struct Flight {
    pub(crate) short: InFlight,
    pub(crate) long: InFlight,
    draining: AtomicBool,
    shutdown: watch::Sender<bool>,
}

impl Default for Flight {
    fn default() -> Self {
        Self {
            short: InFlight::default(),
            long: InFlight::default(),
            draining: AtomicBool::new(false),
            shutdown: watch::Sender::new(false),
        }
    }
}

impl Flight {
    /// Turns new requests away from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Tells long-running requests to end.
    pub(crate) fn end_watches(&self) {
        self.shutdown.send_replace(true);
    }
}

/// Settings of the filters.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) request_timeout: Duration,
    pub(crate) hsts: Option<HeaderValue>,
    pub(crate) goaway_chance: f64,
    pub(crate) send_retry_after: bool,
}

/// The filters and what stands behind them.
pub(crate) struct Pipeline {
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) native: Native,
    pub(crate) authenticator: Arc<dyn Authenticator>,
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) limits: Limits,
    pub(crate) settings: Settings,
    pub(crate) flight: Arc<Flight>,
    pub(crate) metrics: Metrics,
    pub(crate) encoder: StatusEncoder,
}

/// What a request holds until the last byte of its answer is out.
#[derive(Debug, Default)]
pub(crate) struct Held {
    token: Option<Token>,
    permit: Option<Arc<inflight::Permit>>,
}

/// What the filters know of a request on its way.
struct Passage<'a> {
    info: Arc<RequestInfo>,
    audit_id: Arc<str>,
    warnings: Warnings,
    deadline: Option<Instant>,
    connection: &'a Connection,
    record: &'a mut Record,
    held: &'a mut Held,
}

impl Pipeline {
    /// Answers one request. Never fails and never panics: whatever happens becomes an answer.
    pub(crate) async fn serve(
        &self,
        connection: &Connection,
        request: Request<Incoming>,
    ) -> Response<TrackedBody> {
        let received = Instant::now();
        let audit_id = headers::audit_id(request.headers());
        let version = request.version();
        let path = request.uri().path();
        let query = request.uri().query().unwrap_or_default();
        let info = match RequestInfo::parse(request.method().as_str(), path, query) {
            Ok(info) => Arc::new(info),
            Err(error) => {
                let response = unparsable(&error, request.uri());
                return self.decorate(response, &audit_id, &Warnings::default()).map(TrackedBody::untracked);
            }
        };
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let dry_run = if info.is_mutating() { query_value(query, "dryRun") } else { None };
        let mut record = self.metrics.start(&info, content_type, dry_run.as_deref());
        let agent = request.headers().get(header::USER_AGENT).cloned();
        let accept = headers::negotiation(request.headers());
        let warnings = Warnings::default();
        let mut held = Held::default();
        let deadline = match deadline::of(&info, query, received, self.settings.request_timeout) {
            Ok(deadline) => deadline,
            Err(status) => {
                record.answered(status.code());
                let response = self.decorate((self.encoder)(&status, &accept), &audit_id, &warnings);
                return response.map(|body| TrackedBody::new(body, record, held, None));
            }
        };

        let passage = Passage {
            info: info.clone(),
            audit_id: audit_id.clone(),
            warnings: warnings.clone(),
            deadline,
            connection,
            record: &mut record,
            held: &mut held,
        };
        let passing = AssertUnwindSafe(self.pass(passage, request)).catch_unwind();
        let outcome = match deadline {
            None => Ok(passing.await),
            Some(deadline) => tokio::time::timeout_at(deadline.into(), passing).await,
        };
        let response = match outcome {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => {
                tracing::error!(path = %info.path, audit_id = %audit_id, panic = panic_text(&*panic), "a request panicked");
                (self.encoder)(&panicked(), &accept)
            }
            Err(_elapsed) => {
                record.terminated();
                (self.encoder)(&deadline::passed(&info), &accept)
            }
        };
        record.answered(response.status().as_u16());
        let mut response = self.decorate(response, &audit_id, &warnings);
        if version == Version::HTTP_2 {
            self.maybe_close(connection, &mut response);
        }
        tracing::debug!(
            target: "chainplate_apiserver::http",
            verb = info.verb_name(),
            path = %info.path,
            code = response.status().as_u16(),
            latency = ?record.elapsed(),
            user_agent = ?agent,
            audit_id = %audit_id,
            remote = %connection.remote,
            "served"
        );
        // Long-running answers end by themselves; all others within their time, the client's reading included.
        response.map(|body| TrackedBody::new(body, record, held, deadline))
    }

    /// The filters that may turn a request away, and what stands behind them.
    async fn pass(&self, passage: Passage<'_>, mut request: Request<Incoming>) -> Response<Body> {
        let Passage { info, audit_id, warnings, deadline, connection, record, held } = passage;
        let long_running = info.is_long_running();
        if !headers::exempt_from_shutdown(&info.path) {
            // Counted first, then asked: whoever is not seen by the drain sees that it is on.
            held.token =
                Some(if long_running { self.flight.long.enter() } else { self.flight.short.enter() });
            if self.flight.draining.load(Ordering::Acquire) {
                held.token = None;
                record.terminated();
                connection.close.notify_one();
                return self.shutting_down();
            }
        }

        let credentials = Credentials::new(request.headers(), connection.certificates.as_ref(), &warnings);
        let answer = self.authenticator.authenticate(credentials).await;
        self.metrics.authenticated(&answer);
        let user = match answer {
            Ok(Some(user)) => user,
            refused => {
                if let Err(AuthenticationError(why)) = refused {
                    tracing::info!(path = %info.path, audit_id = %audit_id, remote = %connection.remote, why, "unauthenticated");
                }
                connection.close_after(request.version());
                return (self.encoder)(&Status::unauthorized(), request.headers());
            }
        };
        headers::remove_credentials(request.headers_mut());
        if authn::is_anonymous(&user) {
            connection.close_after(request.version());
        }
        let user = match impersonation::apply(&*self.authorizer, user, &info, request.headers_mut()).await {
            Ok(user) => user,
            Err(refusal) => return self.refuse(refusal, &request),
        };

        if !long_running {
            let mutating = info.is_mutating();
            match self.limits.enter(mutating) {
                Ok((permit, count)) => {
                    held.permit = Some(Arc::new(permit));
                    self.metrics.in_flight(mutating, count);
                }
                // Masters always get an answer: they are who can end an overload.
                Err(()) if authn::is_master(&user) => {}
                Err(()) => {
                    record.terminated();
                    return too_many_requests();
                }
            }
        }

        let query = request.uri().query().unwrap_or_default();
        let attributes = Attributes::of(&user, &info).with_query(query);
        let verdict = self.authorizer.authorize(attributes).await;
        self.metrics.authorized(&verdict);
        match verdict {
            Ok(verdict) if verdict.decision == Decision::Allow => {}
            Ok(verdict) => {
                return self.refuse(Refusal::Status(authz::forbidden(attributes, &verdict.reason)), &request);
            }
            Err(error) => return self.refuse(Refusal::Internal(error), &request),
        }

        if let Some(response) = self.native.answer(&info, query) {
            return response;
        }
        let context = RequestContext {
            info,
            user,
            audit_id,
            deadline,
            warnings,
            shutdown: self.flight.shutdown.subscribe(),
            remote_address: connection.remote,
        };
        let request = request.map(|body| RequestBody::new(body, deadline));
        let answer: BoxFuture<'static, _> = self.handler.clone().handle(request, context);
        answer.await
    }

    fn refuse<B>(&self, refusal: Refusal, request: &Request<B>) -> Response<Body> {
        match refusal {
            Refusal::Status(status) => nosniff((self.encoder)(&status, request.headers())),
            Refusal::Internal(error) => {
                tracing::error!(error, "authorization failed");
                text_error(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    &format!("Internal Server Error: {}: {error}", authz::quote(&request.uri().to_string())),
                )
            }
        }
    }

    /// With `--shutdown-send-retry-after` new connections come in while requests drain; without it only what
    /// arrives on connections that were open.
    fn shutting_down(&self) -> Response<Body> {
        let (code, text) = if self.settings.send_retry_after {
            (StatusCode::TOO_MANY_REQUESTS, "The apiserver is shutting down, please try again later.")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "apiserver is shutting down.")
        };
        let mut response = text_error(code, text);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }

    /// Headers that every answer has.
    fn decorate(&self, mut response: Response<Body>, audit_id: &str, warnings: &Warnings) -> Response<Body> {
        let headers = response.headers_mut();
        if let Ok(id) = HeaderValue::from_str(audit_id) {
            headers.entry(headers::AUDIT_ID).or_insert(id);
        }
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
        if let Some(hsts) = &self.settings.hsts {
            headers.entry(header::STRICT_TRANSPORT_SECURITY).or_insert_with(|| hsts.clone());
        }
        for warning in warnings.headers() {
            headers.append(header::WARNING, warning);
        }
        response
    }

    /// HTTP/2 has no `Connection: close`; a GOAWAY stands for it.
    fn maybe_close(&self, connection: &Connection, response: &mut Response<Body>) {
        let asked = response.headers_mut().remove(header::CONNECTION).is_some_and(|value| value == "close");
        if asked || headers::chance(self.settings.goaway_chance) {
            connection.close.notify_one();
        }
    }
}

impl Connection {
    /// Strangers do not get to keep an HTTP/2 connection (upstream's UnauthenticatedHTTP2DOSMitigation, for
    /// CVE-2023-44487 and its like).
    fn close_after(&self, version: Version) {
        if version == Version::HTTP_2 {
            self.close.notify_one();
        }
    }
}

/// Why a filter does not let a request on.
pub(crate) enum Refusal {
    Status(Status),
    Internal(String),
}

fn too_many_requests() -> Response<Body> {
    let mut response =
        text_error(StatusCode::TOO_MANY_REQUESTS, "Too many requests, please try again later.");
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// Upstream's words for a panic, as a Status.
fn panicked() -> Status {
    Status::new(500, "InternalError", "This request caused apiserver to panic. Look in the logs for details.")
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn unparsable(error: &ParseError, uri: &http::Uri) -> Response<Body> {
    match error {
        ParseError::BadEscape(_) => text_error(StatusCode::BAD_REQUEST, "400 Bad Request"),
        error => text_error(
            StatusCode::INTERNAL_SERVER_ERROR,
            &format!(
                "Internal Server Error: {}: failed to create RequestInfo: {error}",
                authz::quote(&uri.to_string())
            ),
        ),
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("settings", &self.settings).finish_non_exhaustive()
    }
}
