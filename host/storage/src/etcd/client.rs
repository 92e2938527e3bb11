//! Calls to etcd, through whichever endpoint answers.

use super::{
    api::{self, Headed, WatchCreateRequest, WatchRequest, WatchResponse},
    health::Health,
};
use crate::{EtcdOptions, Revision, shared::Shared};
use http::uri::PathAndQuery;
use std::{
    error::Error as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tonic::{
    Code, Request, Status, Streaming,
    client::Grpc,
    metadata::MetadataValue,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};
use tonic_prost::ProstCodec;

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(2);
/// How long one endpoint may take for an answer. etcd itself gives up after 7 s.
const ANSWER: Duration = Duration::from_secs(8);
/// The pause after all endpoints were tried.
const PAUSE: Duration = Duration::from_millis(50);
/// How often an idle connection is probed, and how long it may take; etcd accepts no less than 5 s between probes.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
/// Flow control: pages and watch responses have megabytes.
const WINDOWS: (u32, u32) = (2 << 20, 8 << 20);

/// Why a call failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) why: String,
}

/// What is known of a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// It did not reach a member that could have done it.
    Away,
    /// Whether it took place is not known.
    Unknown,
    /// The history that was asked for is gone.
    Compacted,
    /// The lease has expired.
    NoLease,
    TooLarge,
    /// etcd does not want to.
    Refused,
}

/// Connections to all endpoints, made when they are needed.
#[derive(Debug)]
pub(super) struct Client {
    shared: Arc<Shared>,
    health: Arc<Health>,
    endpoints: Vec<(String, Channel)>,
    /// The endpoint that is asked first.
    first: AtomicUsize,
}

/// A call as it is tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    pub(super) path: &'static str,
    /// Trying it twice does no harm.
    pub(super) repeatable: bool,
    /// The answer's revision is at least that of the moment when it was asked.
    pub(super) linearizable: bool,
    /// How long it is tried again, at least once.
    pub(super) patience: Duration,
}

impl Client {
    /// # Errors
    /// The flag or file that cannot be used.
    pub(super) fn new(
        options: &EtcdOptions,
        shared: Arc<Shared>,
        health: Arc<Health>,
    ) -> Result<Self, String> {
        if options.servers.is_empty() {
            return Err("no server is given; set --etcd-servers".to_owned());
        }
        let tls = tls(options)?;
        let mut endpoints = Vec::with_capacity(options.servers.len());
        for server in &options.servers {
            let bad = |why: &dyn std::fmt::Display| {
                format!(
                    "--etcd-servers: {server} cannot be used: {why}; give http://HOST:PORT or https://HOST:PORT"
                )
            };
            let endpoint = Endpoint::from_shared(server.clone()).map_err(|error| bad(&error))?;
            let mut endpoint = endpoint
                .connect_timeout(CONNECT)
                .http2_keep_alive_interval(KEEP_ALIVE.0)
                .keep_alive_timeout(KEEP_ALIVE.1)
                .initial_stream_window_size(WINDOWS.0)
                .initial_connection_window_size(WINDOWS.1);
            match (endpoint.uri().scheme_str(), &tls) {
                (Some("http"), _) => {}
                (Some("https"), Some(tls)) => {
                    endpoint = endpoint.tls_config(tls.clone()).map_err(|error| bad(&text(&error)))?;
                }
                (Some("https"), None) => return Err(format!("{server} needs --etcd-cafile")),
                _ => return Err(bad(&"its scheme is neither http nor https")),
            }
            endpoints.push((server.clone(), endpoint.connect_lazy()));
        }
        Ok(Self { shared, health, endpoints, first: AtomicUsize::new(0) })
    }

    /// One call; tried on all endpoints in turn as long as that is safe.
    pub(super) async fn call<Q, A>(&self, call: Call, request: &Q) -> Result<A, Fault>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + Headed + 'static,
    {
        let until = Instant::now() + call.patience;
        let mut tries = 0;
        loop {
            let index = self.first.load(Ordering::Relaxed);
            let floor = if call.linearizable { self.shared.revision() } else { 0 };
            let fault = match self.try_one(index, call, request, floor).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            self.avoid(index);
            let again =
                fault.kind == FaultKind::Away || (call.repeatable && fault.kind == FaultKind::Unknown);
            tries += 1;
            let round = tries % self.endpoints.len() == 0;
            if !again || (round && Instant::now() + PAUSE >= until) {
                return Err(fault);
            }
            if round {
                sleep(PAUSE).await;
            }
        }
    }

    async fn try_one<Q, A>(&self, index: usize, call: Call, request: &Q, floor: Revision) -> Result<A, Fault>
    where
        Q: prost::Message + Clone + 'static,
        A: prost::Message + Default + Headed + 'static,
    {
        let (server, channel) = &self.endpoints[index % self.endpoints.len()];
        let limit = if call.repeatable { call.patience.clamp(CONNECT, ANSWER) } else { ANSWER };
        let answered = timeout(limit, async {
            let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(usize::MAX);
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            let path = PathAndQuery::from_static(call.path);
            grpc.unary(with_leader(request.clone()), path, ProstCodec::<Q, A>::default()).await
        });
        let answer = match answered.await {
            Ok(answer) => answer.map_err(|status| Fault::of(server, &status))?.into_inner(),
            Err(_) => {
                let why = format!("{server} did not answer in {} s", limit.as_secs());
                return Err(Fault { kind: FaultKind::Unknown, why });
            }
        };
        let accepted = self.health.accept(&answer.header(), floor);
        // An answer that is none of ours may still have changed something there.
        accepted.map_err(|why| Fault { kind: FaultKind::Refused, why: format!("{server}: {why}") })?;
        Ok(answer)
    }

    /// A watch on a range, when etcd has confirmed it within `patience`.
    pub(super) async fn watch(
        &self,
        create: WatchCreateRequest,
        patience: Duration,
    ) -> Result<Streaming<WatchResponse>, Fault> {
        let index = self.first.load(Ordering::Relaxed);
        let opened = self.try_watch(index, create, Instant::now() + patience).await;
        if opened.is_err() {
            self.avoid(index);
        }
        opened
    }

    async fn try_watch(
        &self,
        index: usize,
        create: WatchCreateRequest,
        until: Instant,
    ) -> Result<Streaming<WatchResponse>, Fault> {
        let (server, channel) = &self.endpoints[index % self.endpoints.len()];
        let silent =
            |_| Fault { kind: FaultKind::Away, why: format!("{server} did not confirm a watch in time") };
        let fault = |status: Status| Fault::of(server, &status);
        let opening = async {
            let mut grpc = Grpc::new(channel.clone()).max_decoding_message_size(usize::MAX);
            grpc.ready().await.map_err(|error| Status::from_error(error.into()))?;
            let path = PathAndQuery::from_static(api::WATCH);
            // One request; the stream stays open on our side, as etcd ends the watch with it.
            let request = WatchRequest { create: Some(create) };
            let requests = futures_util::stream::once(std::future::ready(request));
            let requests = futures_util::StreamExt::chain(requests, futures_util::stream::pending());
            let request = with_leader(requests);
            grpc.streaming(request, path, ProstCodec::<WatchRequest, WatchResponse>::default()).await
        };
        let mut stream = timeout_at(until, opening).await.map_err(silent)?.map_err(fault)?.into_inner();
        let first = timeout_at(until, stream.message()).await.map_err(silent)?.map_err(fault)?;
        let Some(first) = first else {
            return Err(Fault { kind: FaultKind::Away, why: format!("{server} ended the watch") });
        };
        if first.canceled {
            return Err(Fault::cancelled(server, &first));
        }
        let accepted = self.health.accept(&first.header(), 0);
        accepted.map_err(|why| Fault { kind: FaultKind::Refused, why: format!("{server}: {why}") })?;
        Ok(stream)
    }

    /// Has another endpoint be asked first.
    fn avoid(&self, index: usize) {
        let next = index.wrapping_add(1);
        // Somebody else may have done it already.
        let _ = self.first.compare_exchange(index, next, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The endpoints, for messages.
    pub(super) fn servers(&self) -> String {
        self.endpoints.iter().map(|(server, _)| server.as_str()).collect::<Vec<_>>().join(",")
    }
}

/// A member that is cut off from the leader shall say so instead of keeping us waiting.
fn with_leader<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    request
}

impl Fault {
    fn of(server: &str, status: &Status) -> Self {
        let kind = classify(status);
        let why = causes(status.message().to_owned(), status.source());
        let why = if kind == FaultKind::Away && status.source().is_some() {
            format!("{server} cannot be reached: {why}")
        } else {
            format!("{server}: {why}")
        };
        Self { kind, why }
    }

    /// A watch that etcd ended.
    pub(super) fn cancelled(server: &str, response: &WatchResponse) -> Self {
        let kind = if response.compact_revision > 0 { FaultKind::Compacted } else { FaultKind::Away };
        Self { kind, why: format!("{server} ended the watch: {}", response.cancel_reason) }
    }
}

/// What a status says about the call. The messages are those of etcd's `api/v3rpc/rpctypes/error.go`.
fn classify(status: &Status) -> FaultKind {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<tonic::ConnectError>() {
            return FaultKind::Away;
        }
        source = error.source();
    }
    let message = status.message();
    let says = |text: &str| message.starts_with("etcdserver: ") && message.contains(text);
    match status.code() {
        Code::OutOfRange if says("compacted") => FaultKind::Compacted,
        Code::NotFound if says("lease not found") => FaultKind::NoLease,
        Code::InvalidArgument if says("request is too large") => FaultKind::TooLarge,
        // Told before anything is proposed.
        Code::Unavailable if message == "etcdserver: no leader" => FaultKind::Away,
        Code::ResourceExhausted if says("too many requests") || says("space exceeded") => FaultKind::Refused,
        Code::InvalidArgument
        | Code::NotFound
        | Code::PermissionDenied
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::Unauthenticated => FaultKind::Refused,
        _ => FaultKind::Unknown,
    }
}

/// An error with its causes.
fn text(error: &dyn std::error::Error) -> String {
    causes(error.to_string(), error.source())
}

fn causes(mut text: String, mut source: Option<&(dyn std::error::Error + 'static)>) -> String {
    while let Some(cause) = source {
        let more = cause.to_string();
        if !more.is_empty() && !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        source = cause.source();
    }
    text
}

fn tls(options: &EtcdOptions) -> Result<Option<ClientTlsConfig>, String> {
    let read = |flag: &str, path: &Path| {
        std::fs::read(path).map_err(|error| format!("{flag} {} cannot be read: {error}", path.display()))
    };
    let Some(ca_file) = &options.ca_file else {
        return match options.cert_file.as_ref().or(options.key_file.as_ref()) {
            Some(_) => Err("--etcd-certfile and --etcd-keyfile need --etcd-cafile, too".to_owned()),
            None => Ok(None),
        };
    };
    let mut tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("--etcd-cafile", ca_file)?));
    match (&options.cert_file, &options.key_file) {
        (None, None) => {}
        (Some(cert), Some(key)) => {
            tls = tls
                .identity(Identity::from_pem(read("--etcd-certfile", cert)?, read("--etcd-keyfile", key)?));
        }
        _ => {
            return Err("--etcd-certfile and --etcd-keyfile belong together; give both or neither".to_owned());
        }
    }
    Ok(Some(tls))
}
