//! Starts, and the memory of a server that nobody uses.

use crate::{bench::Bench, report::Row, stats::Latencies};
use anyhow::{Context, Result};

/// Restarts that are measured.
const RESTARTS: usize = 5;

/// From exec to /readyz. The first start, which makes certificates and all, was just done by `bench`.
///
/// # Errors
/// The server was not started here, or does not start again.
pub(super) async fn start(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let first = bench.first_ready.context("start needs --program")?;
    let memory = bench.settled().await?;
    report(Row::new("start", "first").time("to /readyz", first).memory(memory));
    let (mut down, mut up) = (Vec::new(), Vec::new());
    for _ in 0..RESTARTS {
        let (one_down, one_up) = bench.restart().await?;
        down.push(one_down);
        up.push(one_up);
    }
    let memory = bench.settled().await?;
    let row = Row::new("start", format!("again, median of {RESTARTS}"))
        .time("to /readyz", Latencies::new(up).median())
        .time("SIGTERM to exit", Latencies::new(down).median());
    report(row.memory(memory));
    Ok(())
}
