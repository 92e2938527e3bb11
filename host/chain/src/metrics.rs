//! Per-component series, `chainplate_plugin_*`.

use parking_lot::Mutex;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use std::{collections::HashMap, time::Duration};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    plugin: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NameLabel {
    plugin: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WorkLabel {
    plugin: String,
    /// The hook or the controller.
    name: String,
    outcome: &'static str,
}

/// The series of all components.
#[derive(Debug, Clone)]
pub struct Metrics {
    calls: Family<OutcomeLabel, Counter>,
    seconds: Family<PluginLabel, Histogram, fn() -> Histogram>,
    traps: Family<PluginLabel, Counter>,
    timeouts: Family<PluginLabel, Counter>,
    instances: Family<PluginLabel, Gauge>,
    memory: Family<PluginLabel, Gauge>,
    events: Family<NameLabel, Counter>,
    admission: Family<WorkLabel, Histogram, fn() -> Histogram>,
    reconcile: Family<WorkLabel, Histogram, fn() -> Histogram>,
    outbound: Family<OutcomeLabel, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        // Warm calls take microseconds, durable writes milliseconds, limits seconds.
        let buckets: fn() -> Histogram = || {
            Histogram::new([
                1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.5,
                2.5, 10.0, 30.0,
            ])
        };
        Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(buckets),
            traps: Family::default(),
            timeouts: Family::default(),
            instances: Family::default(),
            memory: Family::default(),
            events: Family::default(),
            admission: Family::new_with_constructor(buckets),
            reconcile: Family::new_with_constructor(buckets),
            outbound: Family::default(),
        }
    }
}

impl Metrics {
    /// Adds the series to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("chainplate_plugin");
        registry.register("calls", "Calls into a component, by outcome", self.calls.clone());
        registry.register("call_duration_seconds", "How long calls took", self.seconds.clone());
        registry.register("traps", "Calls that trapped; their instance was discarded", self.traps.clone());
        registry.register(
            "timeouts",
            "Calls that ran out of time; their instance was discarded",
            self.timeouts.clone(),
        );
        registry.register("instances", "Live instances, warm ones included", self.instances.clone());
        registry.register("memory_bytes", "Linear memory of all live instances", self.memory.clone());
        registry.register("events", "What a component counts itself, by name", self.events.clone());
        registry.register(
            "admission_duration_seconds",
            "How long admission hooks took, by hook and outcome",
            self.admission.clone(),
        );
        registry.register(
            "reconcile_duration_seconds",
            "How long controllers took for an object, by controller and outcome",
            self.reconcile.clone(),
        );
        registry.register(
            "outbound_requests",
            "Requests of a component to the outside, by the class of the answer's code or why there was none",
            self.outbound.clone(),
        );
    }

    pub(crate) fn outbound(&self, name: &str) -> OutboundMetrics {
        OutboundMetrics { plugin: name.to_owned(), requests: self.outbound.clone() }
    }

    pub(crate) fn plugin(&self, name: &str) -> PluginMetrics {
        let plugin = PluginLabel { plugin: name.to_owned() };
        let calls =
            |outcome| self.calls.get_or_create_owned(&OutcomeLabel { plugin: name.to_owned(), outcome });
        PluginMetrics {
            name: name.to_owned(),
            responded: calls("respond"),
            delegated: calls("delegate"),
            failed: calls("status"),
            broken: calls("fault"),
            seconds: self.seconds.get_or_create_owned(&plugin),
            traps: self.traps.get_or_create_owned(&plugin),
            timeouts: self.timeouts.get_or_create_owned(&plugin),
            instances: self.instances.get_or_create_owned(&plugin),
            memory: self.memory.get_or_create_owned(&plugin),
            events: self.events.clone(),
            admission: self.admission.clone(),
            reconcile: self.reconcile.clone(),
            counters: Mutex::default(),
        }
    }
}

/// Most counters that a component may make.
const MAX_COUNTERS: usize = 100;

/// One component's series, looked up once.
#[derive(Debug)]
pub(crate) struct PluginMetrics {
    name: String,
    pub(crate) responded: Counter,
    pub(crate) delegated: Counter,
    pub(crate) failed: Counter,
    pub(crate) broken: Counter,
    seconds: Histogram,
    pub(crate) traps: Counter,
    pub(crate) timeouts: Counter,
    pub(crate) instances: Gauge,
    pub(crate) memory: Gauge,
    events: Family<NameLabel, Counter>,
    admission: Family<WorkLabel, Histogram, fn() -> Histogram>,
    reconcile: Family<WorkLabel, Histogram, fn() -> Histogram>,
    counters: Mutex<HashMap<String, Counter>>,
}

impl PluginMetrics {
    pub(crate) fn observe(&self, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn admitted(&self, hook: &str, outcome: &'static str, took: Duration) {
        self.admission.get_or_create(&self.work(hook, outcome)).observe(took.as_secs_f64());
    }

    pub(crate) fn reconciled(&self, controller: &str, success: bool, took: Duration) {
        let outcome = if success { "success" } else { "error" };
        self.reconcile.get_or_create(&self.work(controller, outcome)).observe(took.as_secs_f64());
    }

    fn work(&self, name: &str, outcome: &'static str) -> WorkLabel {
        WorkLabel { plugin: self.name.clone(), name: name.to_owned(), outcome }
    }

    /// Adds to a counter of the component's own; new names over the limit are dropped.
    pub(crate) fn count(&self, name: &str, delta: u64) {
        let mut counters = self.counters.lock();
        if let Some(counter) = counters.get(name) {
            counter.inc_by(delta);
        } else if counters.len() < MAX_COUNTERS {
            let label = NameLabel { plugin: self.name.clone(), name: name.to_owned() };
            let counter = self.events.get_or_create_owned(&label);
            counter.inc_by(delta);
            counters.insert(name.to_owned(), counter);
        }
    }
}

/// The series of one component's requests to the outside.
#[derive(Debug)]
pub(crate) struct OutboundMetrics {
    plugin: String,
    requests: Family<OutcomeLabel, Counter>,
}

impl OutboundMetrics {
    pub(crate) fn count(&self, outcome: &'static str) {
        self.requests.get_or_create_owned(&OutcomeLabel { plugin: self.plugin.clone(), outcome }).inc();
    }
}
