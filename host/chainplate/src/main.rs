//! The `chainplate` program: a Kubernetes API server whose server chain is made of WebAssembly components.

use anyhow::Context;
use chainplate::Server;
use chainplate_apiserver::{ShutdownTrigger, options::Options, version::GIT_VERSION};
use clap::Parser;
use std::{io::IsTerminal, process::ExitCode};
use tracing_subscriber::EnvFilter;

/// A Kubernetes API server whose server chain is made of WebAssembly components
#[derive(Debug, Parser)]
// The last of a repeated flag counts, as upstream.
#[command(name = "chainplate", version = GIT_VERSION, about, long_about = None, args_override_self = true)]
struct Command {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let options = match Command::try_parse().map(|command| command.options) {
        Ok(options) => options,
        Err(message) => {
            // Help and the version come this way, too. Nothing can be done about a closed terminal.
            let _ = message.print();
            return if message.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    start_logging(options.logging.verbosity);
    let completed = options.complete();
    if let Err(faults) = completed.validate() {
        for fault in faults {
            eprintln!("error: {fault}");
        }
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.context("the runtime's threads cannot be started").and_then(|runtime| {
        runtime.block_on(async {
            let trigger = ShutdownTrigger::new();
            trigger.on_signals().context("signals cannot be handled")?;
            let server = Server::prepare(completed).await?;
            eprintln!("chainplate serves on https://{}", server.local_address());
            eprintln!("kubeconfig: {}", server.kubeconfig().display());
            eprintln!("try: kubectl --kubeconfig {} get namespaces", server.kubeconfig().display());
            server.run(trigger).await
        })
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Logs to standard error. `-v` raises the level; `RUST_LOG` overrides it.
fn start_logging(verbosity: u8) {
    let level = match verbosity {
        0 | 1 => "warn,chainplate=info,chainplate_chain=info,chainplate_apiserver=info",
        2 | 3 => "info",
        4 | 5 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}
