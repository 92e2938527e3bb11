//! What the store costs: durable writes, reads, lists, fan-out, start.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, reason = "a bench stops at the first fault")]

use bytes::Bytes;
use chainplate_storage::{EngineOptions, Key, ListRequest, Options, Store};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use std::{
    hint::black_box,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// An object of about `size` bytes.
fn value(name: &str, size: usize) -> Bytes {
    let head = format!(
        r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"default","uid":"6f1c2f9e-7a4e-4a5e-9d0b-0c3a2f5b9b11","creationTimestamp":"2026-01-01T00:00:00Z","labels":{{"app":"x"}}}},"data":{{"k":""#
    );
    let fill = size.saturating_sub(head.len() + 3);
    Bytes::from(format!("{head}{}\"}}}}", "x".repeat(fill)))
}

fn key(name: &str) -> Key {
    Key::new("configmaps", Some("default"), name)
}

fn open(runtime: &Runtime, directory: Option<&Path>) -> Store {
    let engine = directory.map_or(EngineOptions::Memory, |directory| EngineOptions::Embedded {
        directory: directory.to_owned(),
    });
    let options = Options { engine, ..Options::default() };
    runtime.block_on(Store::open(options)).expect("open")
}

async fn fill(store: &Store, count: usize, size: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..64 {
        let store = store.clone();
        tasks.spawn(async move {
            for number in (client..count).step_by(64) {
                let name = format!("object-{number:07}");
                store.create(key(&name), value(&name, size), None).await.expect("create");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("client");
    }
}

/// The time in which `clients` make `count` objects.
async fn creates(store: &Store, next: &AtomicU64, clients: u64, count: u64) -> Duration {
    let begun = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..clients {
        let store = store.clone();
        let share = count / clients + u64::from(client < count % clients);
        let first = next.fetch_add(share, Ordering::Relaxed);
        tasks.spawn(async move {
            for number in first..first + share {
                let name = format!("created-{number:09}");
                store.create(key(&name), value(&name, 1024), None).await.expect("create");
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("client");
    }
    begun.elapsed()
}

fn writes(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("runtime");
    let next = AtomicU64::new(0);
    let mut group = criterion.benchmark_group("create");
    group.throughput(Throughput::Elements(1)).sample_size(10);
    for clients in [1, 64] {
        for durable in [true, false] {
            let directory = tempfile::tempdir().expect("directory");
            let store = open(&runtime, durable.then_some(directory.path()));
            let engine = if durable { "durable" } else { "memory" };
            group.bench_function(format!("{engine}/{clients}-clients"), |bencher| {
                bencher.iter_custom(|count| runtime.block_on(creates(&store, &next, clients, count)));
            });
            println!("{:?}", store.stats());
            runtime.block_on(store.close()).expect("close");
        }
    }
}

fn reads(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("runtime");
    let store = open(&runtime, None);
    runtime.block_on(fill(&store, 10_000, 1024));
    let middle = key("object-0005000");
    criterion.bench_function("get", |bencher| bencher.iter(|| black_box(store.get(black_box(&middle)))));
    let mut group = criterion.benchmark_group("list");
    let request = ListRequest { prefix: "configmaps", ..ListRequest::default() };
    group.bench_function("10000", |bencher| {
        bencher.iter_batched(|| (), |()| store.list(&request).expect("list"), BatchSize::PerIteration);
    });
    let after = middle.path.to_string();
    let page = ListRequest { after: Some(&after), limit: 500, namespace: Some("default"), ..request.clone() };
    group.bench_function("page-500-of-10000", |bencher| {
        bencher.iter_with_large_drop(|| store.list(&page).expect("list"));
    });
    let at = store.revision();
    for number in 0..500 {
        runtime.block_on(store.delete(key(&format!("object-{number:07}")), None)).expect("delete");
    }
    let page = ListRequest { at: Some(at), ..page };
    group.bench_function("page-500-at-revision-500-back", |bencher| {
        bencher.iter_with_large_drop(|| store.list(&page).expect("list"));
    });
}

fn fan_out(criterion: &mut Criterion) {
    const WATCHERS: usize = 500;
    const WRITES: u64 = 200;
    let runtime = Runtime::new().expect("runtime");
    let next = AtomicU64::new(0);
    let mut group = criterion.benchmark_group("fan-out");
    group.throughput(Throughput::Elements(WATCHERS as u64 * WRITES)).sample_size(10);
    for (clients, durable) in [(8, false), (1, true), (64, true)] {
        let directory = tempfile::tempdir().expect("directory");
        let store = open(&runtime, durable.then_some(directory.path()));
        let engine = if durable { "durable" } else { "memory" };
        let name = format!("{engine}/500-watchers-200-writes-{clients}-clients");
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|rounds| {
                (0..rounds).map(|_| runtime.block_on(round(&store, &next, clients))).sum()
            });
        });
        runtime.block_on(store.close()).expect("close");
    }

    async fn round(store: &Store, next: &AtomicU64, clients: u64) -> Duration {
        let mut watchers = tokio::task::JoinSet::new();
        for _ in 0..WATCHERS {
            let mut watch = store.watch("configmaps", store.revision()).expect("watch");
            watchers.spawn(async move {
                let mut seen = 0;
                while seen < WRITES {
                    seen += watch.next(100).await.expect("open").expect("events").len() as u64;
                }
            });
        }
        let begun = Instant::now();
        creates(store, next, clients, WRITES).await;
        while let Some(done) = watchers.join_next().await {
            done.expect("watcher");
        }
        begun.elapsed()
    }
}

fn start(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("runtime");
    let mut group = criterion.benchmark_group("open");
    group.sample_size(10);
    for count in [100, 100_000] {
        let directory = tempfile::tempdir().expect("directory");
        let store = open(&runtime, Some(directory.path()));
        runtime.block_on(fill(&store, count, 1024));
        // A copy of a store in use is what a crash leaves.
        let crashed = tempfile::tempdir().expect("directory");
        let copy = || std::fs::copy(directory.path().join("store.redb"), crashed.path().join("store.redb"));
        group.bench_function(format!("{count}-after-crash"), |bencher| {
            bencher.iter_custom(|rounds| {
                let mut total = Duration::ZERO;
                for _ in 0..rounds {
                    copy().expect("copy");
                    let begun = Instant::now();
                    let store = open(&runtime, Some(crashed.path()));
                    total += begun.elapsed();
                    assert_eq!(store.count("configmaps"), count);
                    runtime.block_on(store.close()).expect("close");
                }
                total
            });
        });
        runtime.block_on(store.close()).expect("close");
    }
}

/// Resident memory of this process, in bytes; 0 where /proc is not there.
fn resident() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<i64>().ok()).map_or(0, |kib| kib * 1024)
}

/// Not timed: memory for each object and each idle watch. First, while the allocator holds nothing back.
fn memory(_: &mut Criterion) {
    const OBJECTS: i64 = 100_000;
    const WATCHES: i64 = 10_000;
    let runtime = Runtime::new().expect("runtime");
    let directory = tempfile::tempdir().expect("directory");
    let before = resident();
    let store = open(&runtime, Some(directory.path()));
    println!("memory: an empty durable store: {} KiB", (resident() - before) / 1024);
    let before = resident();
    runtime.block_on(fill(&store, OBJECTS as usize, 1024));
    println!(
        "memory: {} bytes for each of {OBJECTS} objects of 1 KiB, just written",
        (resident() - before) / OBJECTS
    );
    let before = resident();
    let watch = |_| {
        let mut watch = store.watch("configmaps", store.revision()).expect("watch");
        runtime.spawn(async move { watch.next(1).await.is_some() })
    };
    let tasks: Vec<_> = (0..WATCHES).map(watch).collect();
    runtime.block_on(async { tokio::task::yield_now().await });
    println!(
        "memory: {} bytes for each of {WATCHES} idle watches, task included",
        (resident() - before) / WATCHES
    );
    runtime.block_on(store.close()).expect("close");
    drop(tasks);
}

criterion_group!(benches, memory, writes, reads, fan_out, start);
criterion_main!(benches);
