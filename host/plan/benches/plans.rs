//! What plans cost: a list of 10 000 objects, the fan-out of one event, the matching of a selector.
#![allow(clippy::unwrap_used, missing_docs, reason = "a bench may stop; criterion's macros make items")]

use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, Verb},
    selector::LabelSelector,
};
use chainplate_plan::{Body, Collection, Context, Execution, Plan, TransformRef, Transformer, execute};
use chainplate_storage::{Key, Options, Store};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use std::{
    future::Future,
    hint::black_box,
    pin::Pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

const OBJECTS: usize = 10_000;
const WATCHERS: usize = 500;

struct Identity;

impl Transformer for Identity {
    fn transform<'a>(
        &'a self,
        _: &'a TransformRef,
        objects: Vec<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Bytes>, Status>> + Send + 'a>> {
        Box::pin(std::future::ready(Ok(objects)))
    }
}

fn collection() -> Arc<Collection> {
    Arc::new(Collection {
        group: String::new(),
        version: "v1".into(),
        resource: "configmaps".into(),
        kind: "ConfigMap".into(),
        list_kind: "ConfigMapList".into(),
        namespaced: true,
        storage_prefix: "configmaps".into(),
        items_with_type_meta: false,
        field_labels: Vec::new(),
        columns: Vec::new(),
        rows: None,
        conversion: None,
    })
}

fn object(name: &str, size: usize) -> Bytes {
    let colour = if name.ends_with('0') { "red" } else { "blue" };
    format!(
        r#"{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"annotations":{{"a":"b"}},"labels":{{"app":"web","colour":"{colour}"}},"name":"{name}","namespace":"ns"}},"data":{{"k":"{}"}}}}"#,
        "x".repeat(size)
    )
    .into()
}

async fn store(objects: usize) -> Store {
    let options = Options { history_events: 1000, ..Options::default() };
    let store = Store::open(options).await.unwrap();
    for index in 0..objects {
        let name = format!("n{index:05}");
        store.create(Key::new("configmaps", Some("ns"), &name), object(&name, 850), None).await.unwrap();
    }
    store
}

/// Kept alive: a watch ends when nobody can announce a shutdown any more.
static SHUTDOWN: LazyLock<tokio::sync::watch::Sender<bool>> =
    LazyLock::new(|| tokio::sync::watch::Sender::new(false));

async fn run(store: &Store, query: &str, verb: Verb) -> Body {
    let info = RequestInfo {
        is_resource: true,
        verb,
        method: "get".into(),
        path: String::new(),
        api_prefix: "api".into(),
        group: String::new(),
        version: "v1".into(),
        namespace: "ns".into(),
        resource: "configmaps".into(),
        subresource: String::new(),
        name: String::new(),
        parts: Vec::new(),
    };
    let headers = HeaderMap::new();
    let context = Context {
        store,
        info: &info,
        query,
        headers: &headers,
        shutdown: SHUTDOWN.subscribe(),
        min_watch_timeout: Duration::from_secs(1800),
    };
    let plan = Plan::List { collection: collection(), namespace: Some("ns".into()) };
    let transformer: Arc<dyn Transformer> = Arc::new(Identity);
    execute(Execution { plan, headers: Vec::new(), transformer }, &context).await.into_body()
}

async fn drain(mut body: Body) -> usize {
    let mut bytes = 0;
    while let Some(frame) = body.frame().await {
        bytes += frame.unwrap().into_data().map_or(0, |data| data.len());
    }
    bytes
}

fn plans(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let full = runtime.block_on(store(OBJECTS));
    let mut group = criterion.benchmark_group("list");
    group.throughput(Throughput::Elements(OBJECTS as u64)).sample_size(20);
    for (name, query) in [("10000", ""), ("10000-label-selector", "labelSelector=colour%3Dred")] {
        group.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| async { drain(run(&full, query, Verb::List).await).await });
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("watch");
    group.throughput(Throughput::Elements(WATCHERS as u64)).sample_size(20);
    let small = runtime.block_on(store(1));
    let mut size = 0;
    group.bench_function("fan-out-500", |bencher| {
        bencher.to_async(&runtime).iter_batched(
            || {
                size += 1;
                object("n00000", 850 + size % 100)
            },
            |value| async {
                let query = format!("watch=1&resourceVersion={}", small.revision());
                let mut watchers = Vec::with_capacity(WATCHERS);
                for _ in 0..WATCHERS {
                    watchers.push(run(&small, &query, Verb::Watch).await);
                }
                small.update(Key::new("configmaps", Some("ns"), "n00000"), value, None, None).await.unwrap();
                for watcher in &mut watchers {
                    black_box(watcher.frame().await);
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();

    let selector = LabelSelector::parse("app in (web,api),colour!=red").unwrap();
    let metadata = br#"{"resourceVersion":"12345","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"a\":1}"},"creationTimestamp":"2026-01-01T00:00:00Z","labels":{"app":"web","colour":"blue","pod-template-hash":"5d4f8c7b9"},"name":"a","namespace":"ns"}"#;
    criterion.bench_function("label-selector", |bencher| {
        bencher.iter(|| black_box(&selector).matches_metadata(black_box(metadata)));
    });
}

criterion_group!(benches, plans);
criterion_main!(benches);
