//! What only the engine on etcd does: several hosts, an etcd that goes away and comes back, values of others.

mod faults;
mod hosts;
#[path = "../../../../../tests/support/etcd.rs"]
pub(crate) mod server;
mod tls;

use chainplate_storage::{EngineOptions, EtcdOptions, Options, Store};
use server::Server;
use std::time::{Duration, Instant};

/// Options for a store on a cluster; nobody compacts on his own.
pub(crate) fn options(servers: &[&Server]) -> Options {
    at(servers.iter().map(|server| server.url()).collect())
}

fn at(servers: Vec<String>) -> Options {
    let etcd = EtcdOptions { servers, ..EtcdOptions::default() };
    Options { engine: EngineOptions::Etcd(etcd), compaction_interval: Duration::ZERO, ..Options::default() }
}

async fn open(servers: &[&Server]) -> Store {
    Store::open(options(servers)).await.unwrap()
}

/// Waits for something that the store does by itself.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < crate::LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
