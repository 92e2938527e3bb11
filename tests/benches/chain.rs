//! What the chain costs: hops, plans, loading, and components against the same code linked natively.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench")]

#[path = "../support/components.rs"]
mod components;

use bytes::Bytes;
use chainplate_apimachinery::request::{RequestInfo, UserInfo};
use chainplate_chain::{Answer, Body, Chain, Host, Metrics, Request, config::ServerChainConfiguration};
use chainplate_plan::{Context, execute};
use chainplate_sdk::{Outcome, Page, Plugin, Server, StoredObject, native};
use chainplate_storage::{Key, ListRequest, Options, Store};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http_body_util::BodyExt;
use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, OnceLock},
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
/// A Pod of 4 KB.
const POD: &str = include_str!("../../sdk/types/benches/data/pod.json");
const ACCOUNTS: &str = "/api/v1/namespaces/shop/serviceaccounts";
const DRY_PODS: &str = "/api/v1/namespaces/shop/pods?dryRun=All";

fn request(method: &str, path: &str, body: &str) -> Request {
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", http::HeaderValue::from_static("application/json"));
    let groups = vec!["system:masters".to_owned(), "system:authenticated".to_owned()];
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        info: Arc::new(RequestInfo::parse(method, path, query).unwrap()),
        query: query.to_owned(),
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
    /// The built-in chain with the fixture `faulty` in front, that often, on a store in memory: what is measured is the chain.
    fn new(hops: usize) -> Self {
        let runtime = runtime();
        let mut entries = String::new();
        for hop in 0..hops {
            entries += &format!(
                "- name: faulty-{hop}\n  source: {{path: '{}'}}\n  grants: {{paths: [/faulty]}}\n",
                component("faulty").display()
            );
        }
        entries += "- name: core\n";
        let text =
            include_str!("../../host/chainplate/src/chain.yaml").replacen("- name: core\n", &entries, 1);
        let configuration = ServerChainConfiguration::parse("bench", &text).unwrap();
        let (chain, store) = runtime.block_on(async {
            let (host, store) = host().await;
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

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Where compiled code is kept.
fn code_cache() -> PathBuf {
    std::env::temp_dir().join(format!("chainplate-bench-{}", std::process::id()))
}

/// A host on a new store in memory.
async fn host() -> (Host, Store) {
    let store = Store::open(Options::default()).await.unwrap();
    let host = Host::new(store.clone(), chainplate_components::shipped, code_cache(), Metrics::default());
    (host, store)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The fixture and the example plugins, all built at the first call.
fn component(package: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_BIN_EXE_chainplate")).parent().unwrap().join("../components");
        let packages = EXAMPLES.iter().map(|(package, _)| *package).chain(["faulty"]);
        components::build(&root(), &target, packages).unwrap()
    });
    components::file(built, package)
}

/// The example plugins, and a configuration that they start with.
const EXAMPLES: [(&str, &str); 6] = [
    ("hello", "{}"),
    ("unique-hosts", "{}"),
    ("defaults", "{rules: [{kinds: [Pod], labels: {team: none}}]}"),
    (
        "jwt-issuer",
        // The key is that of the plugin's own test cases.
        "{issuer: {url: 'https://ci.example.com', audiences: [kubernetes], jwks: {keys: [{kty: OKP, crv: Ed25519, kid: a, \
         x: Ar6Lu5HN5Y-aAU5wGXf504OaVI02AexK80-B-ZrrOyo}]}}, claimMappings: {username: {claim: sub, prefix: 'ci:'}}}",
    ),
    ("releases", "{service: 'http://127.0.0.1:1'}"),
    ("websites", "{}"),
];

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
    let bench = Bench::new(1);
    let mut group = criterion.benchmark_group("chain");
    let mut measure = |name: &str, path: &'static str, want: u16| {
        assert_eq!(bench.runtime.block_on(bench.send("GET", path, "")).0, want, "{path}");
        group.bench_function(name, |bencher| {
            bencher.to_async(&bench.runtime).iter(|| bench.send("GET", path, ""));
        });
    };
    measure("nobody claims the path", "/nowhere", 404);
    measure("4 KiB through the guest", "/faulty/body", 200);
    bench.runtime.block_on(bench.send("POST", PATH, &deployment("web")));
    measure("4 KiB by a plan", "/apis/apps/v1/namespaces/default/deployments/web", 200);
    group.finish();
}

/// A request that every component claims and passes on: against "nobody claims the path", divided by their number, that is the
/// cost of a hop.
fn delegating(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("delegating");
    for hops in [1, 5, 20] {
        let bench = Bench::new(hops);
        assert_eq!(bench.runtime.block_on(bench.send("GET", "/faulty/delegates", "")).0, 404);
        group.bench_function(format!("{hops} components"), |bencher| {
            bencher.to_async(&bench.runtime).iter(|| bench.send("GET", "/faulty/delegates", ""));
        });
    }
    group.finish();
}

/// From a file to a component that has been asked for its name: compiled, and from the code cache.
fn loading(criterion: &mut Criterion) {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let (host, _store) = runtime.block_on(host());
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for (package, configuration) in EXAMPLES {
        let wasm = directory.path().join(format!("{package}.wasm"));
        let yaml = root().join("plugins/examples").join(package).join("plugin.yaml");
        components::with_manifest(&component(package), package, &yaml, &wasm).unwrap();
        let chain = format!(
            "apiVersion: chainplate.dev/v1alpha1\nkind: ServerChainConfiguration\ncomponents:\n- name: {package}\n  \
             source: {{path: '{}'}}\n  configuration: {configuration}\n  \
             grants: {{roles: [mutating, validating, authenticator], groups: ['*'], paths: [/], storage: ['*']}}\n",
            wasm.display()
        );
        let configuration = ServerChainConfiguration::parse("bench", &chain).unwrap();
        let load = || async { Chain::load(&configuration, &host, false).await.unwrap() };
        let empty = || drop(std::fs::remove_dir_all(code_cache()));
        group.bench_function(format!("{package}, compiled"), |bencher| {
            bencher.to_async(&runtime).iter_batched(empty, |()| load(), BatchSize::PerIteration);
        });
        runtime.block_on(load());
        group.bench_function(format!("{package}, from the cache"), |bencher| {
            bencher.to_async(&runtime).iter(load);
        });
    }
    group.finish();
}

fn against_native(criterion: &mut Criterion) {
    let bench = Bench::new(1);
    native::use_store(Rc::new(OnStore(bench.store.clone(), bench.runtime.handle().clone())));
    let core =
        chainplate_core::Core::configure(serde_json::json!({ "serviceClusterIPRange": "10.0.0.0/24" }))
            .unwrap();
    bench.runtime.block_on(bench.send("POST", PATH, &deployment("web")));
    let send = |method: &str, path: &str, body: &str| {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let info = RequestInfo::parse(method, path, query).unwrap();
        let request = native::Request::new(info, query).with_body("application/json", body);
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
    // A dry run: everything but the write, so that the machinery is what is compared.
    let account = r#"{"metadata":{"name":"app"}}"#;
    for (path, object) in [("/api/v1/namespaces", r#"{"metadata":{"name":"shop"}}"#), (ACCOUNTS, account)] {
        let (code, _) = bench.runtime.block_on(bench.send("POST", path, object));
        assert_eq!(code, 201, "{path}");
    }
    let (code, _) = bench.runtime.block_on(bench.send("POST", DRY_PODS, POD));
    assert_eq!(code, 201);
    group.bench_function("dry run of a Pod, component", |bencher| {
        bencher.iter(|| bench.runtime.block_on(bench.send("POST", DRY_PODS, POD)));
    });
    group.bench_function("dry run of a Pod, native", |bencher| {
        bencher.iter(|| send("POST", DRY_PODS, POD));
    });
    group.finish();
}

criterion_group!(benches, hops, delegating, loading, against_native);
criterion_main!(benches);
