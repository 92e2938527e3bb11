//! Reloads of the chain under load.

use crate::{
    bench::{Bench, config_map, name},
    client::Call,
    components::{ChainFile, RULE, SERVER},
    report::Row,
    stats::Latencies,
};
use anyhow::{Context, Result, bail};
use http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep_until};

/// Connections that share the rate: so many requests may be under way.
const CONNECTIONS: usize = 32;
/// Objects that are read.
const OBJECTS: usize = 100;
/// From the end of one reload to the next.
const PAUSE: Duration = Duration::from_millis(250);
/// So many times --reloads reloads are made without requests, twice.
const AT_REST: usize = 5;
const RELOAD: &str = "/debug/chain/reload";

/// --reloads reloads of a chain with an admission plugin and a server more, one after the other, under --rate requests per
/// second: of ten, one creates, three go to the server, six read an object. Before that the same without reloads, and then
/// reloads without requests.
///
/// # Errors
/// A component does not build, or a reload is refused. A request that fails is counted.
pub(super) async fn reload(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let chain = ChainFile::with(vec![SERVER, RULE]).await?;
    let mut server = bench.beside([chain.argument()]).await?;
    let path = server.namespace("reload").await?;
    server.fill(&path, 0, OBJECTS).await?;

    let mut load = Load::start(&server, &path, 1).await?;
    tokio::time::sleep(Duration::from_secs(server.options.seconds)).await;
    report(load.end(Row::new("reload", "none")).await?);

    load = Load::start(&server, &path, 2).await?;
    let count = server.options.reloads;
    let reloads = reload_times(&server, count, PAUSE).await?;
    let row = load.end(Row::new("reload", what(&reloads, "under load"))).await?;
    report(timed(row, &reloads));

    // What the load made stays in memory, and the first reloads warm the engine's slots: what each leaves shows after that.
    reload_times(&server, AT_REST * count, Duration::ZERO).await?;
    let before = server.settled().await?;
    let reloads = reload_times(&server, AT_REST * count, Duration::ZERO).await?;
    let row = timed(Row::new("reload", what(&reloads, "at rest")), &reloads);
    report(row.growth("each left in memory", before, server.settled().await?, reloads.len()));
    Ok(())
}

fn what(reloads: &Latencies, when: &str) -> String {
    format!("{}, {when}", super::counted(reloads.len(), "reload"))
}

fn timed(row: Row, reloads: &Latencies) -> Row {
    row.time("reload p50", reloads.median()).time("reload slowest", reloads.percentile(100))
}

/// Reloads the chain so often, with a pause after each: how long each took.
async fn reload_times(server: &Bench, count: usize, pause: Duration) -> Result<Latencies> {
    let mut connection = server.connect().await?;
    let mut reloads = Vec::new();
    while reloads.len() < count {
        let asked = Instant::now();
        match connection.status(Call::post(RELOAD, "")).await? {
            status if status.is_success() => reloads.push(asked.elapsed()),
            // One of its own accord, because a file changed.
            StatusCode::TOO_MANY_REQUESTS => {}
            status => bail!("POST {RELOAD}: {status}"),
        }
        tokio::time::sleep(pause).await;
    }
    Ok(Latencies::new(reloads))
}

/// Requests at a rate, until told to end.
#[derive(Debug)]
struct Load {
    ended: Arc<AtomicBool>,
    started: Instant,
    tasks: JoinSet<Result<(Vec<Duration>, usize)>>,
}

impl Load {
    /// Begins. `round` tells its objects from those of others.
    async fn start(server: &Bench, path: &str, round: usize) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(server.connect().await?);
        }
        let (ended, next) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let started = Instant::now();
        let (rate, size, http) = (server.options.rate, server.options.size, server.options.http);
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let (ended, next, target) = (ended.clone(), next.clone(), server.target.clone());
            let path = path.to_owned();
            tasks.spawn(async move {
                let (mut latencies, mut failed) = (Vec::new(), 0);
                while !ended.load(Ordering::Relaxed) {
                    let turn = next.fetch_add(1, Ordering::Relaxed) as usize;
                    let due = started + Duration::from_secs(1).mul_f64(turn as f64 / rate as f64);
                    // When all connections are busy, a request waits: that counts.
                    let mut from = due;
                    if Instant::now() < due {
                        sleep_until(due.into()).await;
                        from = Instant::now();
                    }
                    match connection.status(call(&path, round, turn, size)).await {
                        Ok(status) if status.is_success() => latencies.push(from.elapsed()),
                        outcome => {
                            failed += 1;
                            if outcome.is_err() {
                                connection = target.connect(http).await.context("after a broken request")?;
                            }
                        }
                    }
                }
                Ok((latencies, failed))
            });
        }
        Ok(Self { ended, started, tasks })
    }

    /// Ends, and adds what was measured to a result.
    async fn end(mut self, row: Row) -> Result<Row> {
        let elapsed = self.started.elapsed();
        self.ended.store(true, Ordering::Relaxed);
        let (mut latencies, mut failed) = (Vec::new(), 0);
        while let Some(outcome) = self.tasks.join_next().await {
            let (mut of_one, failed_of_one) = outcome??;
            latencies.append(&mut of_one);
            failed += failed_of_one;
        }
        let latencies = Latencies::new(latencies);
        Ok(row
            .with("rate", latencies.len() as f64 / elapsed.as_secs_f64(), "/s")
            .latencies(&latencies)
            .time("slowest", latencies.percentile(100))
            .with("failed", failed as f64, "requests"))
    }
}

/// The request with a number.
fn call(path: &str, round: usize, turn: usize, size: usize) -> Call {
    match turn % 10 {
        0 => Call::post(path, config_map(round * 1_000_000 + turn, size)),
        3 | 6 | 9 => Call::get("/faulty/ok"),
        _ => Call::get(format!("{path}/{}", name(turn % OBJECTS))),
    }
}
