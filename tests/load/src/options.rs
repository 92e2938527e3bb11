//! The command line.

use crate::{client::Protocol, scenarios::Scenario};
use clap::Parser;
use std::{ffi::OsString, path::PathBuf};

/// Measures a Kubernetes API server: throughput, latency, fan-out of watches, memory
///
/// The server is either started here (--program, a new one with a new data directory for each scenario) or runs
/// already (--server). Prints one line for each result. Generator and server share the machine: with each rate comes
/// the processor time that each of the two took for an operation.
#[derive(Debug, Clone, Parser)]
#[command(name = "chainplate-load", version, after_help = EXAMPLES)]
#[command(subcommand_negates_reqs = true, disable_help_subcommand = true)]
#[command(group(clap::ArgGroup::new("which").required(true).args(["program", "server"])))]
pub(crate) struct Options {
    /// What this program is instead, when it started itself.
    #[command(subcommand)]
    pub(crate) part: Option<Part>,

    /// What to measure [default: all of it]
    #[arg(value_enum, value_name = "SCENARIO")]
    pub(crate) scenarios: Vec<Scenario>,

    /// Further arguments for --program, such as --etcd-servers; with that, each start gets an --etcd-prefix of its
    /// own, too, unless one is given
    #[arg(last = true, value_name = "ARGUMENT", requires = "program")]
    pub(crate) arguments: Vec<OsString>,

    /// Server to start, a chainplate. It keeps its data below TMPDIR: on a tmpfs, writes would not be durable
    #[arg(long, value_name = "FILE", help_heading = "Server")]
    pub(crate) program: Option<PathBuf>,

    /// Server that runs already, as https://HOST:PORT. Objects that were made there are deleted at the end
    #[arg(long, value_name = "URL", requires = "token", help_heading = "Server")]
    pub(crate) server: Option<String>,

    /// Bearer token of an administrator of --server
    #[arg(long, value_name = "TOKEN", conflicts_with = "program", help_heading = "Server")]
    pub(crate) token: Option<String>,

    /// Authorities to verify the certificate of --server with, in PEM; with none, any certificate will do
    #[arg(long, value_name = "FILE", conflicts_with = "program", help_heading = "Server")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Processes whose memory and processor time count: --server itself, and its etcd
    #[arg(long, value_name = "PID", value_delimiter = ',', help_heading = "Server")]
    pub(crate) pid: Vec<u32>,

    /// Version of HTTP for all but watches, which use HTTP/2
    #[arg(long, value_enum, default_value = "2", help_heading = "Load")]
    pub(crate) http: Protocol,

    /// Threads that make the load
    #[arg(long, value_name = "COUNT", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..), help_heading = "Load")]
    pub(crate) threads: u16,

    /// How long a rate is measured
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600), help_heading = "Load")]
    pub(crate) seconds: u64,

    /// Size of the objects, in bytes of JSON as sent
    #[arg(long, value_name = "BYTES", default_value_t = 1024, help_heading = "Load")]
    pub(crate) size: usize,

    /// create, get, patch, admission: numbers of clients, each with a connection of its own
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "1,64", value_parser = positive, help_heading = "Load")]
    pub(crate) clients: Vec<usize>,

    /// list: objects in the list
    #[arg(long, value_name = "COUNT", default_value = "10000", value_parser = positive, help_heading = "Load")]
    pub(crate) list_objects: usize,

    /// watch: numbers of watchers
    #[arg(long, value_name = "COUNT", value_delimiter = ',', default_value = "500,1000", value_parser = positive, help_heading = "Load")]
    pub(crate) watchers: Vec<usize>,

    /// watch: writes that each watcher is told of
    #[arg(long, value_name = "COUNT", default_value = "200", value_parser = positive, help_heading = "Load")]
    pub(crate) writes: usize,

    /// watch: clients that write at the same time while events per second are measured
    #[arg(long, value_name = "COUNT", default_value = "8", value_parser = positive, help_heading = "Load")]
    pub(crate) writers: usize,

    /// watch, idle-watch, mixed: watches on each connection
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = positive, help_heading = "Load")]
    pub(crate) streams: usize,

    /// idle-watch: watches
    #[arg(long, value_name = "COUNT", default_value = "10000", value_parser = positive, help_heading = "Load")]
    pub(crate) idle_watches: usize,

    /// large: objects
    #[arg(long, value_name = "COUNT", default_value = "100000", value_parser = positive, help_heading = "Load")]
    pub(crate) objects: usize,

    /// crd: CustomResourceDefinitions for the memory of each
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = positive, help_heading = "Load")]
    pub(crate) crds: usize,

    /// plugins: components in the chain
    #[arg(long, value_name = "COUNT", default_value = "100", value_parser = positive, help_heading = "Load")]
    pub(crate) plugins: usize,

    /// reload: reloads of the chain
    #[arg(long, value_name = "COUNT", default_value = "20", value_parser = positive, help_heading = "Load")]
    pub(crate) reloads: usize,

    /// reload: requests per second meanwhile
    #[arg(long, value_name = "COUNT", default_value = "1000", value_parser = positive, help_heading = "Load")]
    pub(crate) rate: usize,

    /// Longest time for one request, and for a server to start or end
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub(crate) request_limit: u64,

    /// Longest time for one scenario
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Limits")]
    pub(crate) scenario_limit: u64,

    /// Where to write the results as JSON, too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

/// A process of this program that another one of it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Subcommand)]
pub(crate) enum Part {
    /// A validating webhook, until standard input ends.
    #[command(hide = true, name = crate::webhook::SUBCOMMAND)]
    Webhook,
}

const EXAMPLES: &str = "Examples:
  chainplate-load --program target/release/chainplate
  chainplate-load --program target/release/chainplate create watch --json out.json
  chainplate-load --program target/release/chainplate admission plugins reload
  chainplate-load --program target/release/chainplate create --pid $(pidof etcd) -- \\
      --etcd-servers=http://127.0.0.1:2379
  chainplate-load --server https://127.0.0.1:6443 --token T --pid $(pidof kube-apiserver),$(pidof etcd)";

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("give 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn scenarios_and_arguments_for_the_program_are_told_apart() {
        let line = [
            "chainplate-load",
            "--program",
            "p",
            "idle-watch",
            "get",
            "--",
            "--etcd-servers=http://e",
            "-v=2",
        ];
        let options = Options::try_parse_from(line).unwrap();
        assert_eq!(options.scenarios, [Scenario::IdleWatch, Scenario::Get]);
        assert_eq!(options.arguments, ["--etcd-servers=http://e", "-v=2"]);
        assert_eq!(options.clients, [1, 64]);
    }

    #[test]
    fn the_webhook_needs_no_server() {
        let webhook = Options::try_parse_from(["chainplate-load", "webhook"]).unwrap();
        assert_eq!(webhook.part, Some(Part::Webhook));
        assert!(Options::command().get_subcommands().all(clap::Command::is_hide_set));
    }

    #[test]
    fn a_server_is_named_in_one_way() {
        for line in [
            &["get"][..],
            &["--server", "https://s"],
            &["--server", "https://s", "--token", "t", "--program", "p"],
        ] {
            let line = [&["chainplate-load"], line].concat();
            assert!(Options::try_parse_from(&line).is_err(), "{line:?}");
        }
        assert!(
            Options::try_parse_from(["chainplate-load", "--server", "https://s", "--token", "t"]).is_ok()
        );
    }
}
