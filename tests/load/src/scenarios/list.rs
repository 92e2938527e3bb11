//! LISTs of many objects.

use super::counted;
use crate::{bench::Bench, client::Call, report::Row, stats::Latencies};
use anyhow::Result;
use std::time::Instant;

/// LISTs whose median counts.
const LISTS: usize = 10;

/// LIST of --list-objects, and of a tenth of them.
///
/// # Errors
/// A request fails.
pub(super) async fn list(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let objects = bench.options.list_objects;
    let path = bench.namespace("list").await?;
    bench.fill(&path, 0, objects).await?;
    let selected = format!("{path}?labelSelector=tenth%3D3");
    let all = Row::new("list", counted(objects, "object"));
    report(lists(bench, &path, LISTS, all).await?);
    let tenth = Row::new("list", format!("a tenth of {objects}"));
    report(lists(bench, &selected, LISTS, tenth).await?);
    Ok(())
}

/// Measures `count` LISTs of `path`, one after the other: bytes, median, how much memory they took above what the
/// server had before.
///
/// # Errors
/// A request fails.
pub(super) async fn lists(bench: &Bench, path: &str, count: usize, row: Row) -> Result<Row> {
    let mut connection = bench.connect().await?;
    let before = bench.settled().await?;
    bench.processes.reset_peak()?;
    let meter = bench.meter()?;
    let (mut bytes, mut latencies) = (0, Vec::new());
    for _ in 0..count {
        let sent = Instant::now();
        bytes = connection.send(Call::get(path)).await?;
        latencies.push(sent.elapsed());
    }
    let cpu = bench.cpu_since(meter)?;
    let latencies = Latencies::new(latencies);
    let row =
        row.size("body", bytes).time("median", latencies.median()).time("slowest", latencies.percentile(100));
    let row = match (before, bench.processes.memory()?) {
        (Some(before), Some(after)) => {
            row.size("peak above before", after.peak.saturating_sub(before.resident))
        }
        _ => row,
    };
    Ok(cpu.row(row, count))
}
