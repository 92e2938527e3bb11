//! Many objects.

use super::{counted, list};
use crate::{bench::Bench, report::Row};
use anyhow::Result;

/// LISTs whose median counts.
const LISTS: usize = 3;

/// Makes --objects objects: what each costs, how long a LIST of all takes, and how long a restart.
///
/// # Errors
/// A request fails.
pub(super) async fn large(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let objects = bench.options.objects;
    let path = bench.namespace("large").await?;
    // What all objects share is there before.
    bench.fill(&path, 0, 1).await?;
    let before = bench.settled().await?;
    let disk_before = bench.program.as_ref().map(|program| program.disk());
    let made = bench.fill(&path, 1, objects).await?;
    let after = bench.settled().await?;
    let row = made.row(Row::new("large", format!("{} made", counted(objects, "object"))));
    let row = row.growth("each in memory", before, after, objects);
    let row = match (disk_before, &bench.program) {
        (Some(before), Some(program)) => {
            row.with("each on disk", (program.disk() as f64 - before as f64) / objects as f64, "B")
        }
        _ => row,
    };
    report(row.memory(after));
    report(list::lists(bench, &path, LISTS, Row::new("large", "list")).await?);
    if bench.program.is_some() {
        let (down, up) = bench.restart().await?;
        let idle = bench.settled().await?;
        let row = Row::new("large", "restarted").time("to /readyz", up).time("SIGTERM to exit", down);
        report(row.memory(idle));
        report(list::lists(bench, &path, 1, Row::new("large", "first list after it")).await?);
    }
    Ok(())
}
