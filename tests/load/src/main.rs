//! A load generator for Kubernetes API servers: see `--help`.

mod bench;
mod client;
mod components;
mod frames;
mod options;
mod process;
mod program;
mod report;
mod scenarios;
mod stats;
mod watch;
mod webhook;

use anyhow::{Context, Result, anyhow};
use bench::Bench;
use clap::{Parser, ValueEnum};
use options::{Options, Part};
use report::Row;
use scenarios::Scenario;
use serde_json::{Value, json};
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    time::timeout,
};

fn main() -> ExitCode {
    let options = Arc::new(Options::parse());
    let mut rows = Vec::new();
    let outcome = runtime::Builder::new_multi_thread()
        .worker_threads(options.threads.into())
        .enable_all()
        .build()
        .context("threads cannot be started")
        .and_then(|runtime| match options.part {
            Some(Part::Webhook) => runtime.block_on(until_a_signal(webhook::serve())),
            None => runtime.block_on(until_a_signal(measure(options.clone(), &mut rows))),
        });
    // What was measured before something failed is a result, too.
    let written = write(&options, &rows);
    match outcome.and(written) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Ends `work` early, with all that it started, when the generator is told to end.
async fn until_a_signal(work: impl Future<Output = Result<()>>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        outcome = work => outcome,
        _ = interrupt.recv() => Err(anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow!("terminated")),
    }
}

/// Runs the scenarios, each with a server of its own when servers are started here. One that fails does not keep the
/// others from running.
async fn measure(options: Arc<Options>, rows: &mut Vec<Row>) -> Result<()> {
    let chosen = match options.scenarios.as_slice() {
        // A server that runs already cannot be started, nor get another chain.
        [] => Scenario::value_variants()
            .iter()
            .copied()
            .filter(|scenario| !scenario.starts_servers() || options.program.is_some())
            .collect(),
        chosen => chosen.to_vec(),
    };
    let limit = Duration::from_secs(options.scenario_limit);
    let mut failed = Vec::new();
    for scenario in chosen {
        let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        let mut report = |row: Row| {
            println!("{row}");
            rows.push(row);
        };
        let outcome = match timeout(limit, one(&options, scenario, &mut report)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(anyhow!("not done within {} s: see --scenario-limit", limit.as_secs())),
        };
        if let Err(error) = outcome {
            eprintln!("{name}: {error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(anyhow!("failed: {}", failed.join(", "))) }
}

async fn one(options: &Arc<Options>, scenario: Scenario, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let mut bench = Bench::new(options.clone()).await?;
    let outcome = scenario.run(&mut bench, report).await;
    // The scenario's own failure says more than that of the tidying after it.
    outcome.and(bench.tidy().await)
}

fn write(options: &Options, rows: &[Row]) -> Result<()> {
    let Some(path) = &options.json else { return Ok(()) };
    let server = match &options.program {
        Some(program) => program.display().to_string(),
        None => options.server.clone().unwrap_or_default(),
    };
    let arguments: Vec<_> = options.arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let results: Vec<Value> = rows.iter().map(Row::to_json).collect();
    let report =
        json!({ "server": server, "arguments": arguments, "size": options.size, "results": results });
    std::fs::write(path, format!("{report:#}\n")).with_context(|| path.display().to_string())
}
