//! Watches: the fan-out of events, and the memory of watches that nothing happens on.

use super::counted;
use crate::{
    bench::{Bench, config_map, resource_version},
    client::Call,
    report::Row,
    stats::Latencies,
    watch::Watches,
};
use anyhow::{Context, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

/// Writes to --watchers watchers: first one after the other, each when all watchers know of the one before; then as
/// fast as --writers clients write.
///
/// # Errors
/// A request fails, a watch ends, or an event does not arrive.
pub(super) async fn watch(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    for watchers in bench.options.watchers.clone() {
        let path = bench.namespace(&format!("watch-{watchers}")).await?;
        let writes = bench.options.writes;
        let mut watches = open(bench, &path, watchers, 2 * writes).await?;
        report(paced(bench, &path, &mut watches, watchers).await?);
        report(flood(bench, &path, &mut watches, watchers).await?);
    }
    Ok(())
}

/// Opens watches of all that happens at `path` from now on.
///
/// # Errors
/// A request fails.
pub(super) async fn open(bench: &Bench, path: &str, watchers: usize, events: usize) -> Result<Watches> {
    let list = bench.connect().await?.fetch(Call::get(format!("{path}?limit=1"))).await?;
    let from = resource_version(&list)?;
    let path = format!("{path}?watch=true&resourceVersion={from}&timeoutSeconds=3600");
    Watches::open(&bench.target, &path, watchers, bench.options.streams, events, limit(bench)).await
}

async fn paced(bench: &Bench, path: &str, watches: &mut Watches, watchers: usize) -> Result<Row> {
    let writes = bench.options.writes;
    let mut writer = bench.connect().await?;
    let mut latencies = Vec::with_capacity(writes);
    let meter = bench.meter()?;
    for number in 0..writes {
        let call = Call::post(path, config_map(number, bench.options.size));
        let sent = Instant::now();
        writer.send(call).await?;
        let arrived = watches.arrived(number, limit(bench)).await?;
        latencies.push(arrived.saturating_duration_since(sent));
    }
    let cpu = bench.cpu_since(meter)?;
    let row = Row::new("watch", format!("{}, paced", counted(watchers, "watcher")));
    Ok(cpu.row(row.latencies(&Latencies::new(latencies)), watchers * writes))
}

async fn flood(bench: &Bench, path: &str, watches: &mut Watches, watchers: usize) -> Result<Row> {
    let writes = bench.options.writes;
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..bench.options.writers {
        connections.push(bench.connect().await?);
    }
    let meter = bench.meter()?;
    let started = Instant::now();
    let mut writers = JoinSet::new();
    for mut connection in connections {
        let (next, path, size) = (next.clone(), path.to_owned(), bench.options.size);
        writers.spawn(async move {
            let mut written = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= writes {
                    return anyhow::Ok(written);
                }
                let call = Call::post(path.as_str(), config_map(writes + number, size));
                let sent = Instant::now();
                let answer = connection.fetch(call).await?;
                written.push((resource_version(&answer)?, sent));
            }
        });
    }
    let mut written = Vec::with_capacity(writes);
    while let Some(outcome) = writers.join_next().await {
        written.append(&mut outcome??);
    }
    let wrote = started.elapsed();
    // Events come in the order of their resource versions.
    written.sort_unstable_by_key(|(version, _)| *version);
    let mut latencies = Vec::with_capacity(writes);
    let mut last = started;
    for (index, (_, sent)) in written.into_iter().enumerate() {
        let arrived = watches.arrived(writes + index, limit(bench)).await?;
        latencies.push(arrived.saturating_duration_since(sent));
        last = last.max(arrived);
    }
    let cpu = bench.cpu_since(meter)?;
    let events = watchers * writes;
    let row = Row::new(
        "watch",
        format!("{}, {}", counted(watchers, "watcher"), counted(bench.options.writers, "writer")),
    )
    .with("events", events as f64 / (last - started).as_secs_f64(), "/s")
    .with("writes", writes as f64 / wrote.as_secs_f64(), "/s")
    .latencies(&Latencies::new(latencies));
    Ok(cpu.row(row, events))
}

/// --idle-watches watches that nothing happens on.
///
/// # Errors
/// A request fails or a watch ends.
pub(super) async fn idle(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let count = bench.options.idle_watches;
    let path = bench.namespace("idle").await?;
    // One for which everything is made that all watches share.
    let mut first = open(bench, &path, 1, 1).await?;
    bench.fill(&path, 0, 1).await?;
    first.arrived(0, limit(bench)).await?;
    let before = bench.settled().await?;
    let started = Instant::now();
    let mut watches = open(bench, &path, count, 1).await?;
    let opened = started.elapsed();
    let after = bench.settled().await?;
    watches.check()?;
    // They are alive: an event reaches them all.
    let sent = Instant::now();
    bench.fill(&path, 1, 1).await?;
    let arrived = watches.arrived(0, limit(bench)).await?;
    let row = Row::new("idle-watch", counted(count, "watch"))
        .growth("each", before, after, count)
        .time("to open all", opened)
        .time("first event to all", arrived.checked_duration_since(sent).context("an event came early")?);
    report(row.memory(after));
    Ok(())
}

fn limit(bench: &Bench) -> Duration {
    Duration::from_secs(bench.options.request_limit)
}
