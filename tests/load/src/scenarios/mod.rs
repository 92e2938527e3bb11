//! What is measured, one module for each kind.

mod admission;
mod crd;
mod large;
mod list;
mod mixed;
mod plugins;
mod rates;
mod reload;
mod start;
mod watching;

use crate::{bench::Bench, report::Row};
use anyhow::Result;

/// Something to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// From exec to /readyz, the first time and again on the same data; memory when idle. Needs --program
    Start,
    /// Durable creates of ConfigMaps
    Create,
    /// GET of single objects
    Get,
    /// Merge patches
    Patch,
    /// LIST of --list-objects, all and with a label selector that a tenth matches; memory that it takes at its peak
    List,
    /// Events to --watchers watchers: how many per second while --writers write, and how long until the last watcher
    /// knows when one write follows the other
    Watch,
    /// Memory of each of --idle-watches watches
    IdleWatch,
    /// --objects objects: memory of each, LIST, and with --program a restart
    Large,
    /// From a CustomResourceDefinition to its first custom resource; memory of each of --crds
    Crd,
    /// 10 000 creates, 40 000 GETs, 10 000 patches, with 500 watchers: memory afterwards
    Mixed,
    /// What a validating rule adds to creates: as an admission plugin, and as a webhook on loopback. Needs --program
    Admission,
    /// --plugins components in the chain: memory of each, and the start with an empty and a filled code cache. Needs
    /// --program
    Plugins,
    /// --reloads reloads of the chain under --rate requests per second: none may fail. Needs --program
    Reload,
}

impl Scenario {
    /// Whether it starts servers itself.
    pub(crate) fn starts_servers(self) -> bool {
        matches!(self, Self::Start | Self::Admission | Self::Plugins | Self::Reload)
    }

    /// Measures, and tells each result to `report` as soon as it is known.
    ///
    /// # Errors
    /// A request fails or a time limit passes.
    pub(crate) async fn run(self, bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
        match self {
            Self::Start => start::start(bench, report).await,
            Self::Create => rates::create(bench, report).await,
            Self::Get => rates::get(bench, report).await,
            Self::Patch => rates::patch(bench, report).await,
            Self::List => list::list(bench, report).await,
            Self::Watch => watching::watch(bench, report).await,
            Self::IdleWatch => watching::idle(bench, report).await,
            Self::Large => large::large(bench, report).await,
            Self::Crd => crd::crd(bench, report).await,
            Self::Mixed => mixed::mixed(bench, report).await,
            Self::Admission => admission::admission(bench, report).await,
            Self::Plugins => plugins::plugins(bench, report).await,
            Self::Reload => reload::reload(bench, report).await,
        }
    }
}

/// "1 client", "64 clients", "2 watches".
fn counted(count: usize, thing: &str) -> String {
    let plural = match thing {
        _ if count == 1 => "",
        _ if thing.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {thing}{plural}")
}
