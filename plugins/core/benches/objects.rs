//! What a write of a 4 KB Pod costs natively, step by step and whole, a Table of 1 000 of them, and an OpenAPI
//! document. The component boundary is measured elsewhere (`tests/benches/chain.rs`).
#![allow(clippy::unwrap_used, reason = "a bench")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use chainplate_core::{Core, defaults, printers, resources, types, validation};
use chainplate_sdk::{
    Outcome, Plugin, Request, Server,
    apimachinery::{Value, decode, meta, request::RequestInfo},
    native,
};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use std::hint::black_box;

const POD: &str = include_str!("../../../sdk/types/benches/data/pod.json");
const PODS: &str = "/api/v1/namespaces/shop/pods";

fn send(core: &Core, path: &str, body: &str) -> Outcome {
    let info = RequestInfo::parse("POST", path, "").unwrap();
    core.handle(&Request::new(info, "").with_body("application/json", body)).unwrap()
}

fn pod(criterion: &mut Criterion) {
    let resource = resources::find("", "v1", "pods").unwrap();
    criterion.bench_function("pod/parse-default-validate-encode", |bencher| {
        bencher.iter(|| {
            let mut pod = decode::json(black_box(POD.as_bytes())).unwrap().value;
            meta::decode(&mut pod, None).unwrap();
            types::decode(resource, &mut pod, None).unwrap();
            defaults::apply("", "v1", "Pod", &mut pod);
            assert!(validation::create("", "Pod", &pod).is_empty());
            types::complete(resource, &mut pod);
            serde_json::to_vec(&pod).unwrap()
        });
    });
    let core = Core::configure(json!({})).unwrap();
    criterion.bench_function("pod/create", |bencher| {
        bencher.iter(|| {
            native::reset();
            let account = r#"{"metadata":{"name":"app"}}"#;
            send(&core, "/api/v1/namespaces/shop/serviceaccounts", account);
            send(&core, PODS, black_box(POD))
        });
    });
}

fn table(criterion: &mut Criterion) {
    let resource = resources::find("", "v1", "pods").unwrap();
    let mut pod: Value = serde_json::from_str(POD).unwrap();
    pod["metadata"]["creationTimestamp"] = "2026-01-08T11:00:00Z".into();
    pod["status"] = json!({"phase": "Running", "podIPs": [{"ip": "192.0.2.9"}], "containerStatuses": [
        {"name": "app", "ready": true, "restartCount": 1, "state": {"running": {}}},
        {"name": "sidecar", "ready": true, "restartCount": 0, "state": {"running": {}}}]});
    let pods: Vec<Vec<u8>> = (0..1000)
        .map(|number| {
            pod["metadata"]["name"] = format!("app-{number}").into();
            serde_json::to_vec(&pod).unwrap()
        })
        .collect();
    let argument = printers::argument(resource);
    criterion.bench_function("table/1000-pods", |bencher| {
        bencher.iter(|| printers::rows(argument.as_bytes(), black_box(&pods)).unwrap());
    });
}

/// What the first reader of a document waits for; the host keeps it.
fn openapi(criterion: &mut Criterion) {
    criterion.bench_function("openapi/apps-v1", |bencher| {
        bencher.iter(|| types::openapi(black_box("apps"), "v1").unwrap());
    });
}

criterion_group!(benches, pod, table, openapi);
criterion_main!(benches);
