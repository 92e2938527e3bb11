//! What single steps of a write cost: a Pod and a Deployment of 4 KB, the latter with three managers.
#![allow(clippy::unwrap_used, reason = "a bench")]
#![allow(missing_docs, reason = "criterion's macros make public items")]

use chainplate_apimachinery::{
    Value, decode as document,
    managed_fields::{Context, Manager, Set, apply, one_version, update},
    strategic,
};
use chainplate_types::{TypeRef, complete, complete_decoded, decode, empty, lookup, protobuf};
use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use std::hint::black_box;

const POD: &str = include_str!("data/pod.json");
const DEPLOYMENT: &str = include_str!("data/deployment.json");

fn pods(criterion: &mut Criterion) {
    let shape = lookup("", "v1", "Pod").unwrap();
    let mut group = criterion.benchmark_group("pod");
    let mut value = document::json(POD.as_bytes()).unwrap().value;
    decode(shape, &mut value).unwrap();
    let text = serde_json::to_vec(&value).unwrap();
    let body = protobuf::encode(&text, "v1", "Pod").unwrap();
    group.bench_function("parse", |bencher| {
        bencher.iter(|| document::json(black_box(POD.as_bytes())).unwrap());
    });
    group.bench_function("parse-decode-complete-encode", |bencher| {
        bencher.iter(|| {
            let mut pod = document::json(black_box(POD.as_bytes())).unwrap().value;
            decode(shape, &mut pod).unwrap();
            complete(shape, &mut pod);
            serde_json::to_vec(&pod).unwrap()
        });
    });
    group.bench_function("protobuf-encode", |bencher| {
        bencher.iter(|| protobuf::encode(black_box(&text), "v1", "Pod").unwrap());
    });
    group.bench_function("protobuf-decode", |bencher| {
        bencher.iter(|| protobuf::decode(black_box(&body), ("v1", "Pod")).unwrap());
    });
}

fn manager(name: &'static str) -> Manager<'static> {
    Manager { name, api_version: "apps/v1", subresource: "", time: "2026-01-08T12:00:00Z" }
}

fn context<'a>(shape: TypeRef, empty: &'a Value, reset: &'a Set) -> Context<'a, TypeRef> {
    Context { shape, empty, reset, convert: &one_version }
}

fn deployments(criterion: &mut Criterion) {
    let shape = lookup("apps", "v1", "Deployment").unwrap();
    let empty = empty(shape);
    let reset = Set::from_value(&json!({"f:status": {}}));
    let context = context(shape, &empty, &reset);
    let config: Value = serde_json::from_str(DEPLOYMENT).unwrap();
    // One manager applied it, one scaled it, and one wrote its status and an annotation.
    let mut live = apply(&context, None, &config, &manager("gitops"), false).unwrap();
    complete_decoded(shape, &mut live);
    for (name, path, value) in [
        ("autoscaler", "/spec/replicas", json!(5)),
        ("controller", "/metadata/annotations", json!({"deployment.kubernetes.io/revision": "1"})),
    ] {
        let mut new = live.clone();
        let (parent, member) = path.rsplit_once('/').unwrap();
        new.pointer_mut(parent).unwrap()[member] = value;
        update(&context, Some(&live), &mut new, &manager(name));
        live = new;
    }
    assert_eq!(live["metadata"]["managedFields"].as_array().unwrap().len(), 3);
    let mut unscaled = config.clone();
    unscaled["spec"].as_object_mut().unwrap().remove("replicas");
    unscaled["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/team/app:2".into();
    let mut group = criterion.benchmark_group("deployment");
    group.bench_function("apply", |bencher| {
        bencher
            .iter(|| apply(&context, Some(black_box(&live)), &unscaled, &manager("gitops"), false).unwrap());
    });
    group.bench_function("update", |bencher| {
        let mut new = live.clone();
        new["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example.com/team/app:3".into();
        bencher.iter(|| {
            let mut new = new.clone();
            update(&context, Some(black_box(&live)), &mut new, &manager("editor"));
            new
        });
    });
    let patch = json!({"spec": {"template": {"spec": {
        "$setElementOrder/containers": [{"name": "app"}, {"name": "sidecar"}],
        "containers": [{"name": "app", "image": "registry.example.com/team/app:4",
            "env": [{"name": "MODE", "value": "canary"}]}],
    }}}});
    group.bench_function("strategic-merge", |bencher| {
        bencher.iter(|| {
            let (Value::Object(mut object), Value::Object(patch)) = (live.clone(), patch.clone()) else {
                return None;
            };
            strategic::merge_patch(shape, &mut object, black_box(patch)).unwrap();
            Some(object)
        });
    });
}

criterion_group!(benches, pods, deployments);
criterion_main!(benches);
