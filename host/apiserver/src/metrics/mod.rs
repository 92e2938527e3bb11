//! Metrics, in upstream's names where the meaning is the same (`apiserver/pkg/endpoints/metrics/metrics.go`).

mod process;
mod text;

pub use text::CONTENT_TYPE;

use crate::{
    authn::Authentication,
    authz::{Decision, Verdict},
};
use chainplate_apimachinery::request::{RequestInfo, Verb};
use parking_lot::{Mutex, RwLock};
use prometheus_client::{
    collector::Collector,
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::Registry,
};
use std::{
    collections::{HashMap, hash_map::RandomState},
    fmt,
    hash::BuildHasher as _,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// Labels of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    verb: &'static str,
    group: Arc<str>,
    version: Arc<str>,
    resource: Arc<str>,
    subresource: Arc<str>,
    scope: &'static str,
    component: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    #[prometheus(flatten)]
    target: Target,
    dry_run: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    #[prometheus(flatten)]
    timed: Timed,
    code: u16,
}

/// The series of one kind of answer, so that counting it takes one look-up.
#[derive(Debug, Clone)]
struct Series {
    requests: Counter,
    durations: Histogram,
    sizes: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    #[prometheus(flatten)]
    target: Target,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    request_kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    result: &'static str,
}

/// Counters by result, found without a look-up.
#[derive(Debug)]
struct Outcomes<const N: usize> {
    family: Family<Outcome, Counter>,
    counters: [Counter; N],
}

impl<const N: usize> Outcomes<N> {
    fn new(results: [&'static str; N]) -> Self {
        let family = Family::<Outcome, Counter>::default();
        let counters = results.map(|result| family.get_or_create_owned(&Outcome { result }));
        Self { family, counters }
    }
}

/// Buckets of a histogram family.
#[derive(Debug, Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

const SECONDS: Buckets = Buckets(&[
    0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0,
    20.0, 30.0, 45.0, 60.0,
]);
const BYTES: Buckets = Buckets(&[1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]);

/// Distinct resources that get series of their own. Paths are the clients' to choose, memory is not.
const MOST_RESOURCES: usize = 2_000;

/// The registry and the server's own metrics. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    durations: Family<Timed, Histogram, Buckets>,
    sizes: Family<Target, Histogram, Buckets>,
    long_running: Family<Target, Gauge>,
    terminations: Family<Refused, Counter>,
    aborts: Family<Target, Counter>,
    handshake_errors: Counter,
    connections: Gauge,
    in_flight: Family<Kind, Gauge>,
    authentications: Outcomes<3>,
    authorizations: Outcomes<4>,
    watermarks: [AtomicI64; 2],
    series: RwLock<HashMap<Answered, Series>>,
    /// Known resources by the hash of their four parts: a look-up needs no copy of them.
    resources: RwLock<HashMap<u64, Vec<[Arc<str>; 4]>>>,
    hasher: RandomState,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with the server's and the process's metrics.
    pub fn new() -> Self {
        let inner = Inner {
            registry: Mutex::new(Registry::default()),
            requests: Family::default(),
            durations: Family::new_with_constructor(SECONDS),
            sizes: Family::new_with_constructor(BYTES),
            long_running: Family::default(),
            terminations: Family::default(),
            aborts: Family::default(),
            handshake_errors: Counter::default(),
            connections: Gauge::default(),
            in_flight: Family::default(),
            authentications: Outcomes::new(["success", "failure", "error"]),
            authorizations: Outcomes::new(["allowed", "denied", "no-opinion", "error"]),
            watermarks: Default::default(),
            series: RwLock::default(),
            resources: RwLock::default(),
            hasher: RandomState::new(),
        };
        {
            let mut registry = inner.registry.lock();
            registry.register(
                "apiserver_request",
                "Requests answered, by what was asked for and the code",
                inner.requests.clone(),
            );
            registry.register(
                "apiserver_request_duration_seconds",
                "From the request's head to the end of the answer",
                inner.durations.clone(),
            );
            registry.register(
                "apiserver_response_sizes",
                "Bytes of the answers' bodies",
                inner.sizes.clone(),
            );
            registry.register(
                "apiserver_longrunning_requests",
                "Watches and other long-running requests that are open",
                inner.long_running.clone(),
            );
            registry.register(
                "apiserver_request_terminations",
                "Requests ended in self-defence",
                inner.terminations.clone(),
            );
            registry.register(
                "apiserver_request_aborts",
                "Requests whose client went away before the answer",
                inner.aborts.clone(),
            );
            registry.register(
                "apiserver_tls_handshake_errors",
                "Connections that failed before the first request",
                inner.handshake_errors.clone(),
            );
            registry.register(
                "apiserver_open_connections",
                "Connections that are open",
                inner.connections.clone(),
            );
            registry.register(
                "apiserver_current_inflight_requests",
                "Most requests in flight at once within the last second",
                inner.in_flight.clone(),
            );
            registry.register(
                "authentication_attempts",
                "Requests whose sender was asked for, by what was found",
                inner.authentications.family.clone(),
            );
            registry.register(
                "authorization_attempts",
                "Requests that were judged, by the verdict",
                inner.authorizations.family.clone(),
            );
            registry.register_collector(Box::new(process::Process::new()));
        }
        Self(Arc::new(inner))
    }

    /// Registers more: `register(|registry| registry.register("name", "help", metric.clone()))`.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.0.registry.lock());
    }

    /// Registers a collector that is asked at every scrape.
    pub fn register_collector(&self, collector: Box<dyn Collector>) {
        self.0.registry.lock().register_collector(collector);
    }

    /// All metrics in Prometheus' text format 0.0.4.
    pub fn encode(&self) -> String {
        let mut open = String::new();
        // Writing to a String fails only where a collector does; what it wrote until then still counts.
        if let Err(error) = prometheus_client::encoding::text::encode(&mut open, &self.0.registry.lock()) {
            tracing::warn!(%error, "a metric could not be encoded");
        }
        text::from_open_metrics(&open)
    }

    pub(crate) fn handshake_failed(&self) {
        self.0.handshake_errors.inc();
    }

    pub(crate) fn connections(&self) -> &Gauge {
        &self.0.connections
    }

    /// Counts an authentication (`endpoints/filters/metrics.go`).
    pub(crate) fn authenticated(&self, answer: &Authentication) {
        let index = match answer {
            Ok(Some(_)) => 0,
            Ok(None) => 1,
            Err(_) => 2,
        };
        self.0.authentications.counters[index].inc();
    }

    /// Counts a request's authorization (`endpoints/filters/metrics.go`).
    pub(crate) fn authorized(&self, verdict: &Result<Verdict, String>) {
        let index = match verdict {
            Ok(Verdict { decision: Decision::Allow, .. }) => 0,
            Ok(Verdict { decision: Decision::Deny, .. }) => 1,
            Ok(Verdict { decision: Decision::NoOpinion, .. }) => 2,
            Err(_) => 3,
        };
        self.0.authorizations.counters[index].inc();
    }

    /// Remembers how many requests were in flight.
    pub(crate) fn in_flight(&self, mutating: bool, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.0.watermarks[usize::from(mutating)].fetch_max(count, Ordering::Relaxed);
    }

    /// Publishes the watermarks and starts over; to be called once a second.
    pub(crate) fn publish_in_flight(&self) {
        for (index, request_kind) in ["readOnly", "mutating"].into_iter().enumerate() {
            let most = self.0.watermarks[index].swap(0, Ordering::Relaxed);
            self.0.in_flight.get_or_create(&Kind { request_kind }).set(most);
        }
    }

    /// A request comes in. The record counts when it is dropped.
    pub(crate) fn start(
        &self,
        info: &RequestInfo,
        content_type: Option<&str>,
        dry_run: Option<&str>,
    ) -> Record {
        let target = self.target(info, content_type);
        let long_running = info.is_long_running().then(|| {
            let gauge = self.0.long_running.get_or_create_owned(&target);
            gauge.inc();
            gauge
        });
        Record {
            metrics: self.clone(),
            target,
            dry_run: match dry_run {
                None => "",
                Some("All") => "All",
                Some(_) => "invalid",
            },
            started: std::time::Instant::now(),
            code: None,
            bytes: 0,
            terminated: false,
            long_running,
        }
    }

    fn target(&self, info: &RequestInfo, content_type: Option<&str>) -> Target {
        let verb = match (info.is_resource, info.verb) {
            (_, Verb::Patch)
                if content_type.is_some_and(|kind| kind.starts_with("application/apply-patch")) =>
            {
                "APPLY"
            }
            (true, verb) => upper(verb),
            (false, verb @ (Verb::Get | Verb::Create | Verb::Update | Verb::Patch | Verb::Delete)) => {
                upper(verb)
            }
            _ => "OTHER",
        };
        let scope = match info {
            RequestInfo { is_resource: false, .. } => "",
            info if !info.name.is_empty() || info.verb == Verb::Create => "resource",
            info if !info.namespace.is_empty() => "namespace",
            _ => "cluster",
        };
        let [group, version, resource, subresource] = if info.is_resource {
            self.resource([&info.group, &info.version, &info.resource, &info.subresource])
        } else {
            // Upstream has the path of health and the like there; any other path stays out of the labels.
            let path = match info.path.as_str() {
                path @ ("/healthz" | "/livez" | "/readyz" | "/version" | "/metrics" | "/openapi/v2"
                | "/openapi/v3") => path,
                _ => "",
            };
            ["".into(), "".into(), "".into(), path.into()]
        };
        Target { verb, group, version, resource, subresource, scope, component: "apiserver" }
    }

    /// The labels of a resource, or `other` when there are too many already.
    fn resource(&self, parts: [&str; 4]) -> [Arc<str>; 4] {
        let hash = self.0.hasher.hash_one(parts);
        let find = |known: &HashMap<u64, Vec<[Arc<str>; 4]>>| {
            let same = |there: &&[Arc<str>; 4]| there.iter().zip(parts).all(|(there, part)| **there == *part);
            known.get(&hash)?.iter().find(same).cloned()
        };
        if let Some(known) = find(&self.0.resources.read()) {
            return known;
        }
        let mut known = self.0.resources.write();
        if known.len() >= MOST_RESOURCES {
            return ["other", "", "other", ""].map(Arc::from);
        }
        // Twice, when two requests find it missing at once, does no harm: equal parts are one series.
        let parts = parts.map(Arc::from);
        known.entry(hash).or_default().push(parts.clone());
        parts
    }

    fn series(&self, answered: &Answered) -> Series {
        if let Some(series) = self.0.series.read().get(answered) {
            return series.clone();
        }
        let series = Series {
            requests: self.0.requests.get_or_create_owned(answered),
            durations: self.0.durations.get_or_create_owned(&answered.timed),
            sizes: self.0.sizes.get_or_create_owned(&answered.timed.target),
        };
        self.0.series.write().insert(answered.clone(), series.clone());
        series
    }
}

const fn upper(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "GET",
        Verb::List => "LIST",
        Verb::Watch => "WATCH",
        Verb::Create => "POST",
        Verb::Update => "PUT",
        Verb::Patch => "PATCH",
        Verb::Delete => "DELETE",
        Verb::DeleteCollection => "DELETECOLLECTION",
        Verb::Proxy => "CONNECT",
        Verb::Other => "OTHER",
    }
}

/// One request on its way.
#[derive(Debug)]
pub(crate) struct Record {
    metrics: Metrics,
    target: Target,
    dry_run: &'static str,
    started: std::time::Instant,
    code: Option<u16>,
    bytes: u64,
    terminated: bool,
    long_running: Option<Gauge>,
}

impl Record {
    /// The answer's code is known.
    pub(crate) fn answered(&mut self, code: u16) {
        self.code = Some(code);
    }

    /// Bytes of the body were sent.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    /// The server turned the request away or cut it off.
    pub(crate) fn terminated(&mut self) {
        self.terminated = true;
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let inner = &self.metrics.0;
        if let Some(gauge) = &self.long_running {
            gauge.dec();
        }
        let Some(code) = self.code else {
            inner.aborts.get_or_create(&self.target).inc();
            return;
        };
        if self.terminated {
            inner.terminations.get_or_create(&Refused { target: self.target.clone(), code }).inc();
        }
        let timed = Timed { target: self.target.clone(), dry_run: self.dry_run };
        let series = self.metrics.series(&Answered { timed, code });
        series.durations.observe(self.started.elapsed().as_secs_f64());
        #[allow(clippy::cast_precision_loss, reason = "a histogram of sizes up to a few gigabytes")]
        series.sizes.observe(self.bytes as f64);
        series.requests.inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(method: &str, path: &str) -> RequestInfo {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        RequestInfo::parse(method, path, query).expect(path)
    }

    #[test]
    fn requests_are_counted_under_upstreams_names_and_labels() {
        let metrics = Metrics::new();
        let mut record =
            metrics.start(&info("POST", "/apis/apps/v1/namespaces/x/deployments"), None, Some("All"));
        record.answered(201);
        record.sent(2000);
        drop(record);
        let watch = metrics.start(&info("GET", "/api/v1/pods?watch=1"), None, None);
        let text = metrics.encode();
        assert!(text.contains("# TYPE apiserver_request_total counter"), "{text}");
        let line = text.lines().find(|line| line.starts_with("apiserver_request_total{")).expect("counted");
        for label in [
            r#"verb="POST""#,
            r#"group="apps""#,
            r#"version="v1""#,
            r#"resource="deployments""#,
            r#"scope="resource""#,
            r#"component="apiserver""#,
            r#"dry_run="All""#,
            r#"code="201""#,
            r#"subresource="""#,
        ] {
            assert!(line.contains(label), "{label} in {line}");
        }
        assert!(line.ends_with(" 1"), "{line}");
        assert!(text.contains("apiserver_response_sizes_bucket{le=\"10000.0\""), "{text}");
        let open = |text: &str| {
            text.lines().any(|line| {
                line.starts_with("apiserver_longrunning_requests{verb=\"WATCH\"") && line.ends_with(" 1")
            })
        };
        assert!(open(&text), "{text}");
        drop(watch);
        assert!(!open(&metrics.encode()));
        assert!(metrics.encode().contains("apiserver_request_aborts_total{verb=\"WATCH\""));
    }

    #[test]
    fn strange_paths_make_no_endless_series() {
        let metrics = Metrics::new();
        for index in 0..3 * MOST_RESOURCES {
            drop(metrics.start(&info("GET", &format!("/apis/g{index}/v1/things")), None, None));
            drop(metrics.start(&info("GET", &format!("/path{index}")), None, None));
        }
        assert!(metrics.encode().lines().count() < MOST_RESOURCES + 200);
    }

    #[test]
    fn the_most_in_flight_within_a_second_is_published() {
        let metrics = Metrics::new();
        metrics.in_flight(true, 3);
        metrics.in_flight(true, 1);
        metrics.publish_in_flight();
        assert!(
            metrics.encode().contains("apiserver_current_inflight_requests{request_kind=\"mutating\"} 3")
        );
        metrics.publish_in_flight();
        assert!(
            metrics.encode().contains("apiserver_current_inflight_requests{request_kind=\"mutating\"} 0")
        );
    }
}
