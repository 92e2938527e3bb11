//! The store's and the watches' series, under upstream's names where the meaning is the same.

use chainplate_apiserver::metrics::Metrics;
use chainplate_storage::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

/// Adds the series.
pub(crate) fn register(metrics: &Metrics, store: &Store) {
    metrics.register_collector(Box::new(StoreSeries(store.clone())));
}

#[derive(Debug)]
struct StoreSeries(Store);

impl Collector for StoreSeries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = ConstGauge::new(0_i64);
        let mut objects = encoder.encode_descriptor(
            "apiserver_resource_objects",
            "Stored objects, by collection",
            None,
            gauge.metric_type(),
        )?;
        for (prefix, count) in self.0.collections() {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            let labels = [("resource", prefix)];
            ConstGauge::new(count).encode(objects.encode_family(&labels)?)?;
        }
        let stats = self.0.stats();
        for (name, help, value) in [
            ("chainplate_storage_commits", "Durable commits, each of one or more writes", stats.commits),
            ("chainplate_storage_writes", "Writes that changed something", stats.writes),
            ("chainplate_storage_failed_commits", "Commits that the engine refused", stats.failed_commits),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let watches = chainplate_plan::metrics::watches();
        let counter = ConstCounter::new(0_u64);
        let mut events = encoder.encode_descriptor(
            "apiserver_watch_events",
            "Events sent to watchers",
            None,
            counter.metric_type(),
        )?;
        for ((group, version, resource), counters) in &watches {
            let labels = [("group", group), ("version", version), ("resource", resource)];
            ConstCounter::new(counters.events()).encode(events.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
