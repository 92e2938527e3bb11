//! What the chain costs: hops, plans, and components against the same code linked natively.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench")]

use bytes::Bytes;
use chainplate_apimachinery::request::{RequestInfo, UserInfo};
use chainplate_chain::{Answer, Body, Chain, Host, Metrics, Request, config::ServerChainConfiguration};
use chainplate_plan::{Context, execute};
use chainplate_sdk::{Outcome, Page, Plugin, Server, StoredObject, native};
use chainplate_storage::{Key, ListRequest, Options, Store};
use criterion::{Criterion, criterion_group, criterion_main};
use http_body_util::BodyExt;
use std::{
    path::{Path, PathBuf},
    process::Command,
    rc::Rc,
    sync::Arc,
};
use tokio::{runtime::Runtime, sync::watch};

/// A Deployment of about 4 KiB.
fn deployment(name: &str) -> String {
    let variables: Vec<String> = (0..48)
        .map(|index| format!(r#"{{"name":"VARIABLE_{index}","value":"value of the variable {index}"}}"#))
        .collect();
    format!(
        r#"{{"apiVersion":"apps/v1","kind":"Deployment","metadata":{{"name":"{name}","labels":{{"app":"web"}}}},"spec":{{"selector":{{"matchLabels":{{"app":"web"}}}},"template":{{"metadata":{{"labels":{{"app":"web"}}}},"spec":{{"containers":[{{"name":"c","image":"registry.test/web:1","ports":[{{"containerPort":8080}}],"env":[{}]}}]}}}}}}}}"#,
        variables.join(",")
    )
}

const PATH: &str = "/apis/apps/v1/namespaces/default/deployments";

fn request(method: &str, path: &str, body: &str) -> Request {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
    Request {
        info: Arc::new(RequestInfo::parse(method, path, "").unwrap()),
        query: String::new(),
        headers,
        user: Arc::new(UserInfo { name: "bench".into(), groups, ..UserInfo::default() }),
        audit_id: String::new(),
        deadline: None,
        body: Body::ready(Bytes::copy_from_slice(body.as_bytes())),
        warn: Arc::new(|_| ()),
        annotate: Arc::new(|_, _| ()),
        depth: 0,
    }
}

struct Bench {
    runtime: Runtime,
    chain: Arc<Chain>,
    store: Store,
}

impl Bench {
    /// The built-in chain with the fixture `faulty` in front, on a store in memory: what is measured is the chain.
    fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let directory = std::env::temp_dir().join(format!("chainplate-bench-{}", std::process::id()));
        let entry = format!(
            "- name: faulty\n  source: {{path: {}}}\n  grants: {{paths: [/faulty]}}\n- name: core\n",
            component().display()
        );
        let text = include_str!("../../host/chainplate/src/chain.yaml").replacen("- name: core\n", &entry, 1);
        let configuration = ServerChainConfiguration::parse("bench", &text).unwrap();
        let (chain, store) = runtime.block_on(async {
            let store = Store::open(Options::default()).await.unwrap();
            let shipped = chainplate_components::shipped;
            let host = Host::new(store.clone(), shipped, directory, Metrics::default());
            let chain = Chain::load(&configuration, &host, false).await.unwrap();
            chain.prepare().await.unwrap();
            for plugin in chain.plugins() {
                chain.post_start(plugin).await.unwrap();
            }
            (chain, store)
        });
        Self { runtime, chain, store }
    }

    /// Sends a request along the chain and reads the whole answer; code and length.
    async fn send(&self, method: &str, path: &str, body: &str) -> (u16, usize) {
        match self.chain.handle(request(method, path, body)).await {
            Answer::Plan(execution, request) => {
                let (_keep, shutdown) = watch::channel(false);
                let context = Context {
                    store: &self.store,
                    info: &request.info,
                    query: &request.query,
                    headers: &request.headers,
                    shutdown,
                    min_watch_timeout: std::time::Duration::from_secs(1800),
                };
                let response = execute(execution, &context).await;
                let code = response.status().as_u16();
                (code, response.into_body().collect().await.unwrap().to_bytes().len())
            }
            Answer::Status(status) => (status.code(), 0),
            Answer::NotFound | Answer::NotInstalled => (404, 0),
        }
    }
}

fn component() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target = std::env::temp_dir().join("chainplate-bench-components");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root).args(["build", "--quiet", "--locked", "--profile", "component"]);
    cargo.args(["--target", "wasm32-wasip2", "-p", "faulty", "--target-dir"]).arg(&target);
    assert!(cargo.status().unwrap().success());
    target.join("wasm32-wasip2/component/faulty.wasm")
}

/// The real store under the native facade, so that both sides do the same work.
#[derive(Debug)]
struct OnStore(Store, tokio::runtime::Handle);

impl native::Store for OnStore {
    fn get(&self, prefix: &str, namespace: Option<&str>, name: &str) -> Option<StoredObject> {
        let object = self.0.get(&Key::new(prefix, namespace, name))?;
        Some(StoredObject::served(object.json(), object.revision()))
    }

    fn create(
        &self,
        prefix: &str,
        namespace: Option<&str>,
        name: &str,
        value: &[u8],
    ) -> Option<StoredObject> {
        let key = Key::new(prefix, namespace, name);
        let object = self.1.block_on(self.0.create(key, Bytes::copy_from_slice(value), None)).ok()?;
        Some(StoredObject::served(object.json(), object.revision()))
    }

    fn replace(
        &self,
        prefix: &str,
        namespace: Option<&str>,
        name: &str,
        value: Option<&[u8]>,
        expected: u64,
    ) -> Option<StoredObject> {
        let key = Key::new(prefix, namespace, name);
        let object = match value {
            Some(value) => {
                self.1.block_on(self.0.update(key, Bytes::copy_from_slice(value), Some(expected), None))
            }
            None => self.1.block_on(self.0.delete(key, Some(expected))),
        };
        object.ok().map(|object| StoredObject::served(object.json(), object.revision()))
    }

    fn page(&self, prefix: &str, namespace: Option<&str>, limit: u32, after: Option<&str>) -> Page {
        let request = ListRequest { prefix, namespace, after, limit: limit as usize, at: None };
        let objects = self.0.list(&request).map(|list| list.objects).unwrap_or_default();
        let items =
            objects.iter().map(|object| StoredObject::served(object.json(), object.revision())).collect();
        Page { items, next: None }
    }
}

fn hops(criterion: &mut Criterion) {
    let bench = Bench::new();
    let mut group = criterion.benchmark_group("chain");
    let mut measure = |name: &str, path: &'static str, want: u16| {
        assert_eq!(bench.runtime.block_on(bench.send("GET", path, "")).0, want, "{path}");
        group.bench_function(name, |bencher| {
            bencher.to_async(&bench.runtime).iter(|| bench.send("GET", path, ""));
        });
    };
    measure("nobody claims the path", "/nowhere", 404);
    measure("one component delegates", "/faulty/delegates", 404);
    measure("4 KiB through the guest", "/faulty/body", 200);
    bench.runtime.block_on(bench.send("POST", PATH, &deployment("web")));
    measure("4 KiB by a plan", "/apis/apps/v1/namespaces/default/deployments/web", 200);
    group.finish();
}

fn against_native(criterion: &mut Criterion) {
    let bench = Bench::new();
    native::use_store(Rc::new(OnStore(bench.store.clone(), bench.runtime.handle().clone())));
    let core =
        chainplate_core::Core::configure(serde_json::json!({ "serviceClusterIPRange": "10.0.0.0/24" }))
            .unwrap();
    bench.runtime.block_on(bench.send("POST", PATH, &deployment("web")));
    let send = |method: &str, path: &str, body: &str| {
        let info = RequestInfo::parse(method, path, "").unwrap();
        let request = native::Request::new(info, "").with_body("application/json", body);
        match core.handle(&request) {
            Ok(Outcome::Respond(response)) => response.json().unwrap().0,
            other => panic!("{other:?}"),
        }
    };
    let mut group = criterion.benchmark_group("core");
    let one = format!("{PATH}/web");
    group.bench_function("get, component", |bencher| {
        bencher.to_async(&bench.runtime).iter(|| bench.chain.handle(request("GET", &one, "")));
    });
    group.bench_function("get, native", |bencher| {
        bencher.iter(|| {
            let info = RequestInfo::parse("GET", &one, "").unwrap();
            core.handle(&native::Request::new(info, "")).unwrap()
        });
    });
    let mut next = 0_u64;
    let mut name = || {
        next += 1;
        format!("web-{next}")
    };
    group.bench_function("create, component", |bencher| {
        bencher.iter(|| bench.runtime.block_on(bench.send("POST", PATH, &deployment(&name()))));
    });
    group.bench_function("create, native", |bencher| {
        bencher.iter(|| send("POST", PATH, &deployment(&name())))
    });
    group.finish();
}

criterion_group!(benches, hops, against_native);
criterion_main!(benches);
