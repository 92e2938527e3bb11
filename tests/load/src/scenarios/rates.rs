//! Requests for single objects: how many per second, and how long each takes.

use super::counted;
use crate::{
    bench::{Bench, Until, config_map, name},
    client::Call,
    report::Row,
};
use anyhow::Result;
use std::time::Duration;

/// Objects that are read and patched, in turn: many more than clients, so that no two patch the same at once.
const OBJECTS: usize = 1000;
/// Time that a rate is approached in before it is measured.
const WARM_UP: Duration = Duration::from_millis(500);

/// Creates of objects of --size bytes.
///
/// # Errors
/// A request fails.
pub(super) async fn create(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    for clients in bench.options.clients.clone() {
        let path = bench.namespace(&format!("create-{clients}")).await?;
        let size = bench.options.size;
        for (first, until) in [(0, Until::Passed(WARM_UP)), (5_000_000, time(bench))] {
            let path = path.clone();
            let create = move |turn: usize| Call::post(path.clone(), config_map(first + turn, size));
            let measured = bench.run(clients, until, create).await?;
            if first > 0 {
                report(measured.row(Row::new("create", counted(clients, "client"))));
            }
        }
    }
    Ok(())
}

/// GETs.
///
/// # Errors
/// A request fails.
pub(super) async fn get(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    on_objects(
        bench,
        "get",
        |path, turn| Call::get(format!("{path}/{}", name(turn * 7919 % OBJECTS))),
        report,
    )
    .await
}

/// Merge patches of one short field.
///
/// # Errors
/// A request fails.
pub(super) async fn patch(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    on_objects(bench, "patch", patch_of, report).await
}

/// The merge patch with a number: objects in turn, each time with another value.
pub(super) fn patch_of(path: &str, turn: usize) -> Call {
    Call::merge_patch(
        format!("{path}/{}", name(turn % OBJECTS)),
        format!(r#"{{"data":{{"turn":"{turn}"}}}}"#),
    )
}

async fn on_objects(
    bench: &mut Bench,
    scenario: &'static str,
    call: fn(&str, usize) -> Call,
    report: &mut (dyn FnMut(Row) + Send),
) -> Result<()> {
    let path = bench.namespace(scenario).await?;
    bench.fill(&path, 0, OBJECTS).await?;
    for (round, clients) in bench.options.clients.clone().into_iter().enumerate() {
        for (pass, until) in [(0, Until::Passed(WARM_UP)), (1, time(bench))] {
            let path = path.clone();
            // Other numbers than in passes before, lest a patch change nothing.
            let first = (2 * round + pass) * 100_000_000;
            let measured = bench.run(clients, until, move |turn| call(&path, first + turn)).await?;
            if pass > 0 {
                report(measured.row(Row::new(scenario, counted(clients, "client"))));
            }
        }
    }
    Ok(())
}

fn time(bench: &Bench) -> Until {
    Until::Passed(Duration::from_secs(bench.options.seconds))
}
