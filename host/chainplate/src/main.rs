//! The `chainplate` program: a Kubernetes API server whose server chain is made of WebAssembly components.

use anyhow::Context;
use chainplate::{
    Server,
    plugin::{CapturedLog, PluginCommand},
    storage::StorageCommand,
};
use chainplate_apiserver::{ShutdownTrigger, options::Options, version::GIT_VERSION};
use clap::{Parser, Subcommand};
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::{EnvFilter, fmt::writer::BoxMakeWriter};

/// Gives freed memory back, and costs less than glibc's in threads that allocate for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Kubernetes API server whose server chain is made of WebAssembly components
#[derive(Debug, Parser)]
// The last of a repeated flag counts, as upstream.
#[command(name = "chainplate", version = GIT_VERSION, about, long_about = None, args_override_self = true)]
#[command(args_conflicts_with_subcommands = true)]
struct Command {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    tool: Option<Tool>,
}

/// What the program does instead of serving.
#[derive(Debug, Subcommand)]
enum Tool {
    /// Looks after stored objects
    #[command(subcommand)]
    Storage(StorageCommand),
    /// Makes, builds and tests plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
}

fn main() -> ExitCode {
    let Command { options, tool } = match Command::try_parse() {
        Ok(command) => command,
        Err(message) => {
            // Help and the version come this way, too. Nothing can be done about a closed terminal.
            let _ = message.print();
            return if message.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    let captured = match &tool {
        Some(Tool::Plugin(command)) => command.captured_log(),
        _ => None,
    };
    start_logging(options.logging.verbosity, captured.clone());
    match tool {
        Some(Tool::Storage(command)) => return exit(on_runtime(command.run())),
        Some(Tool::Plugin(command)) => return exit(on_runtime(command.run(captured))),
        None => {}
    }
    let completed = options.complete();
    if let Err(faults) = completed.validate() {
        for fault in faults {
            eprintln!("error: {fault}");
        }
        return ExitCode::FAILURE;
    }
    exit(on_runtime(async {
        let trigger = ShutdownTrigger::new();
        trigger.on_signals().context("signals cannot be handled")?;
        let server = Server::prepare(completed).await?;
        eprintln!("chainplate serves on https://{}", server.local_address());
        eprintln!("kubeconfig: {}", server.kubeconfig().display());
        eprintln!("try: kubectl --kubeconfig {} get namespaces", server.kubeconfig().display());
        server.run(trigger).await
    }))
}

fn on_runtime(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("the runtime's threads cannot be started")?.block_on(work)
}

fn exit(outcome: anyhow::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error, or where a tool wants it. `-v` raises the level; `RUST_LOG` overrides it.
fn start_logging(verbosity: u8, captured: Option<CapturedLog>) {
    let level = match verbosity {
        0 | 1 => "warn,chainplate=info,chainplate_chain=info,chainplate_apiserver=info",
        2 | 3 => "info",
        4 | 5 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = captured.is_none() && std::io::stderr().is_terminal();
    let writer = match captured {
        Some(log) => BoxMakeWriter::new(move || log.clone()),
        None => BoxMakeWriter::new(std::io::stderr),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours).init();
}
