//! A bit of everything.

use super::{rates::patch_of, watching};
use crate::{
    bench::{Bench, Until, name},
    client::Call,
    report::Row,
};
use anyhow::Result;
use std::time::Instant;

const CREATES: usize = 10_000;
const GETS: usize = 40_000;
const PATCHES: usize = 10_000;
const WATCHERS: usize = 500;
const CLIENTS: usize = 64;

/// Creates, GETs and patches, one kind after the other, while watchers are told of the writes: memory afterwards.
///
/// # Errors
/// A request fails, a watch ends, or an event does not arrive.
pub(super) async fn mixed(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let path = bench.namespace("mixed").await?;
    let limit = std::time::Duration::from_secs(bench.options.request_limit);
    let meter = bench.meter()?;
    let started = Instant::now();
    let mut watches = watching::open(bench, &path, WATCHERS, CREATES + PATCHES).await?;
    bench.fill(&path, 0, CREATES).await?;
    let of = path.clone();
    let get = move |turn: usize| Call::get(format!("{of}/{}", name(turn * 7919 % CREATES)));
    bench.run(CLIENTS, Until::Operations(GETS), get).await?;
    let of = path.clone();
    bench.run(CLIENTS, Until::Operations(PATCHES), move |turn| patch_of(&of, turn)).await?;
    watches.arrived(CREATES + PATCHES - 1, limit).await?;
    let (elapsed, cpu) = (started.elapsed(), bench.cpu_since(meter)?);
    let open = bench.settled().await?;
    let row = Row::new("mixed", format!("{WATCHERS} watchers still there")).time("took", elapsed);
    report(cpu.row(row, CREATES + GETS + PATCHES).memory(open));
    drop(watches);
    report(Row::new("mixed", "afterwards").memory(bench.settled().await?));
    Ok(())
}
