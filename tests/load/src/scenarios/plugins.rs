//! Many components in the chain.

use super::counted;
use crate::{
    bench::Bench,
    components::{ChainFile, SERVER},
    report::Row,
};
use anyhow::{Context, Result};

/// Starts with a chain of --plugins components more, all of one file: with an empty code cache, and again. The memory of each
/// is what the server has above the one without them, before anybody used it.
///
/// # Errors
/// The component does not build, or the server does not start.
pub(super) async fn plugins(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    // Twice started like the one it is compared with.
    let (_, up) = bench.restart().await?;
    let none = bench.settled().await?;
    report(Row::new("plugins", "none").time("to /readyz", up).memory(none));
    let count = bench.options.plugins;
    let label = counted(count, "component");
    let chain = ChainFile::with(vec![SERVER; count]).await?;
    let mut full = bench.beside([chain.argument()]).await?;
    let first = full.first_ready.context("it was started here")?;
    let memory = full.settled().await?;
    report(Row::new("plugins", format!("{label}, first start")).time("to /readyz", first).memory(memory));
    let (_, up_with) = full.restart().await?;
    let memory = full.settled().await?;
    let row = Row::new("plugins", format!("{label}, again"))
        .time("to /readyz", up_with)
        .time("each", up_with.saturating_sub(up) / count as u32)
        .memory(memory)
        .growth("each anonymous", none, memory, count);
    report(match (none, memory) {
        (Some(none), Some(memory)) => {
            let growth = memory.resident as f64 - none.resident as f64;
            row.with("each resident", growth / count as f64, "B")
        }
        _ => row,
    });
    Ok(())
}
