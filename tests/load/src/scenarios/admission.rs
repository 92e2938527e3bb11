//! What a rule adds to writes.

use super::counted;
use crate::{
    bench::{Bench, Client, Measured, Until, config_map, name},
    client::{Call, Connection, Protocol},
    components::{ChainFile, RULE},
    report::Row,
    stats::Latencies,
    webhook::{self, Webhook},
};
use anyhow::{Context, Result, ensure};
use http::StatusCode;
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Times that each case is measured, in turn with the others, for a part of --seconds: a machine has its moods.
const ROUNDS: u32 = 5;
/// Time that a rate is approached in before it is measured, each time.
const WARM_UP: Duration = Duration::from_millis(300);
/// Most objects that a round makes.
const MOST: usize = 1_000_000;
/// Series of the server: the time of hooks.
const HOOKS: &str = "chainplate_plugin_admission_duration_seconds";

/// Creates by --clients clients: without a rule; with the rule as an admission plugin; and with the same rule as a webhook
/// on loopback HTTPS, which each client asks before its create, as a server would. Then the webhook alone.
///
/// # Errors
/// The component does not build, or a request fails.
pub(super) async fn admission(bench: &mut Bench, report: &mut (dyn FnMut(Row) + Send)) -> Result<()> {
    let chain = ChainFile::with(vec![RULE]).await?;
    let mut ruled = bench.beside([chain.argument()]).await?;
    refuses_what_breaks_the_rule(&mut ruled).await?;
    let limit = Duration::from_secs(bench.options.request_limit);
    let webhook = Webhook::start(limit).await?;
    // As a Go client does: all requests on one connection.
    let ask = webhook.target(limit).await?.connect(Protocol::Http2).await?;
    for clients in bench.options.clients.clone() {
        let paths = [
            bench.namespace(&format!("plain-{clients}")).await?,
            ruled.namespace(&format!("ruled-{clients}")).await?,
            bench.namespace(&format!("asked-{clients}")).await?,
        ];
        let [plain, in_plugin, asked] = paths.map(Some);
        let mut cases = [
            Case::new(bench, plain, None),
            Case::new(&ruled, in_plugin, None),
            Case::new(bench, asked, Some(&ask)),
            Case::new(bench, None, Some(&ask)),
        ];
        let before = HookTime::read(&ruled).await?;
        for round in 0..ROUNDS as usize {
            for case in &mut cases {
                case.round(round, clients).await?;
            }
        }
        let hook = HookTime::read(&ruled).await?.since(&before);
        let [none, plugin, asked, alone] = cases.map(|case| (case.measured, case.reviews));
        let row = |what, measured: &Measured| {
            measured.row(Row::new("admission", format!("{what}, {}", counted(clients, "client"))))
        };
        report(row("no rule", &none.0));
        report(hook.row(added(row("plugin", &plugin.0), &plugin.0, &none.0)));
        let reviews = Latencies::new(mem::take(&mut locked(&asked.1)));
        let webhook = added(row("webhook", &asked.0), &asked.0, &none.0);
        report(webhook.time("review p50", reviews.median()).time("review p99", reviews.percentile(99)));
        report(row("webhook alone", &alone.0));
    }
    Ok(())
}

/// What is compared is worth nothing if the rule is not asked.
async fn refuses_what_breaks_the_rule(ruled: &mut Bench) -> Result<()> {
    let path = ruled.namespace("refused").await?;
    let unlabelled = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
    let status = ruled.connect().await?.status(Call::post(path, unlabelled)).await?;
    ensure!(status == StatusCode::FORBIDDEN, "the rule does not refuse what breaks it: {status}");
    Ok(())
}

/// Adds by how much more `with` took than `none`.
fn added(row: Row, with: &Measured, none: &Measured) -> Row {
    [("added p50", 50), ("added p99", 99)].into_iter().fold(row, |row, (name, percent)| {
        let millis = |measured: &Measured| measured.latencies.percentile(percent).as_secs_f64() * 1e3;
        row.with(name, millis(with) - millis(none), "ms")
    })
}

/// A way to write, and what was measured of it.
#[derive(Debug)]
struct Case<'a> {
    server: &'a Bench,
    /// Where objects are made, if any are.
    path: Option<String>,
    /// The webhook that is asked before, if one is.
    ask: Option<&'a Connection>,
    measured: Measured,
    reviews: Arc<Mutex<Vec<Duration>>>,
}

impl<'a> Case<'a> {
    fn new(server: &'a Bench, path: Option<String>, ask: Option<&'a Connection>) -> Self {
        Self { server, path, ask, measured: Measured::default(), reviews: Arc::default() }
    }

    /// Measures for a part of the time, after a warm-up.
    async fn round(&mut self, round: usize, clients: usize) -> Result<()> {
        let time = Duration::from_secs(self.server.options.seconds) / ROUNDS;
        for (pass, time) in [WARM_UP, time].into_iter().enumerate() {
            let measured = pass == 1;
            let mut writers = Vec::with_capacity(clients);
            for _ in 0..clients {
                let create = match &self.path {
                    Some(path) => Some((self.server.connect().await?, path.clone())),
                    None => None,
                };
                let ask = match self.ask {
                    Some(ask) => Some(ask.shared().context("the webhook is spoken to in HTTP/2")?),
                    None => None,
                };
                let (first, size) = ((2 * round + pass) * MOST, self.server.options.size);
                let reviews = measured.then(|| self.reviews.clone());
                writers.push(Writer { create, ask, first, size, reviews });
            }
            let done = self.server.together(writers, Until::Passed(time)).await?;
            if measured {
                self.measured = mem::take(&mut self.measured).and(done);
            }
        }
        Ok(())
    }
}

/// A client that asks the webhook, or creates, or does one after the other.
#[derive(Debug)]
struct Writer {
    create: Option<(Connection, String)>,
    ask: Option<Connection>,
    first: usize,
    size: usize,
    /// Where the time of reviews is noted.
    reviews: Option<Arc<Mutex<Vec<Duration>>>>,
}

impl Client for Writer {
    async fn operate(&mut self, turn: usize) -> Result<Duration> {
        let number = self.first + turn;
        let object = config_map(number, self.size);
        let review = match &self.ask {
            Some(_) => webhook::review_of("load", &name(number), &object)?,
            None => Vec::new(),
        };
        let sent = Instant::now();
        if let Some(webhook) = &mut self.ask {
            let answer = webhook.fetch(Call::post(webhook::PATH, review)).await?;
            let allowed = memchr::memmem::find(&answer, br#""allowed":true"#).is_some();
            ensure!(allowed, "the webhook refuses: {}", String::from_utf8_lossy(&answer));
            if let Some(reviews) = &self.reviews {
                locked(reviews).push(sent.elapsed());
            }
        }
        if let Some((connection, path)) = &mut self.create {
            connection.send(Call::post(path.clone(), object)).await?;
        }
        Ok(sent.elapsed())
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the server itself tells of the time that hooks took: a histogram.
#[derive(Debug, Clone, Default, PartialEq)]
struct HookTime {
    count: f64,
    seconds: f64,
    /// Upper bounds in seconds, with how many were not above.
    buckets: Vec<(f64, f64)>,
}

impl HookTime {
    async fn read(server: &Bench) -> Result<Self> {
        let text = server.connect().await?.fetch(Call::get("/metrics")).await?;
        Ok(Self::parse(&String::from_utf8_lossy(&text)))
    }

    /// All hooks and outcomes together.
    fn parse(metrics: &str) -> Self {
        let mut all = Self::default();
        for series in metrics.lines().filter_map(|line| line.strip_prefix(HOOKS)) {
            let Some((labels, value)) = series.rsplit_once(' ') else { continue };
            let Ok(value) = value.parse::<f64>() else { continue };
            if labels.starts_with("_count") {
                all.count += value;
            } else if labels.starts_with("_sum") {
                all.seconds += value;
            } else if let Some((_, bound)) = labels.split_once("le=\"")
                && let Some(Ok(bound)) = bound.split('"').next().map(str::parse::<f64>)
            {
                match all.buckets.iter_mut().find(|(there, _)| *there == bound) {
                    Some((_, count)) => *count += value,
                    None => all.buckets.push((bound, value)),
                }
            }
        }
        all.buckets.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        all
    }

    fn since(mut self, before: &Self) -> Self {
        self.count -= before.count;
        self.seconds -= before.seconds;
        for (bound, count) in &mut self.buckets {
            let there = before.buckets.iter().find(|(there, _)| there == bound);
            *count -= there.map_or(0.0, |(_, count)| *count);
        }
        self
    }

    /// Adds the mean, and the bound that 99 of 100 were not above, to a result.
    fn row(&self, row: Row) -> Row {
        let bound = self.buckets.iter().find(|(_, count)| *count >= self.count * 0.99);
        row.with("hook mean", self.seconds * 1e6 / self.count.max(1.0), "µs").with(
            "hook p99 at most",
            bound.map_or(f64::INFINITY, |(bound, _)| bound * 1e6),
            "µs",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_hooks_is_read_from_the_servers_metrics() {
        let metrics = |slow: u32| {
            format!(
                "# TYPE {HOOKS} histogram\n{HOOKS}_sum{{plugin=\"r\",name=\"h\"}} 0.5\n{HOOKS}_count{{plugin=\"r\"}} {}\n\
                 {HOOKS}_bucket{{le=\"2e-5\",plugin=\"r\"}} 100\n{HOOKS}_bucket{{le=\"+Inf\",plugin=\"r\"}} {}\nother 7\n",
                100 + slow,
                100 + slow
            )
        };
        let before = HookTime::parse("");
        let row = HookTime::parse(&metrics(1)).since(&before).row(Row::new("a", ""));
        assert!(row.to_string().ends_with("hook p99 at most 20.0 µs"), "{row}");
        let row = HookTime::parse(&metrics(2)).since(&before).row(Row::new("a", ""));
        assert!(row.to_string().ends_with("hook p99 at most inf µs"), "{row}");
        let twice = HookTime::parse(&metrics(1)).since(&HookTime::parse(&metrics(1)));
        assert_eq!((twice.count, twice.buckets[0].1), (0.0, 0.0));
    }
}
