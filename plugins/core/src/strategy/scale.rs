//! `autoscaling/v1` Scale documents of the workloads (`pkg/registry/apps/*/storage`, `…/core/replicationcontroller`).

use crate::{printers, resources::Resource};
use chainplate_sdk::apimachinery::{
    Status, Value,
    field::{Error, Path},
};
use serde_json::json;

/// The Scale of a workload.
pub(super) fn view(resource: &Resource, object: &Value) -> Result<Value, Status> {
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or_default();
    let selector = match object.pointer("/spec/selector") {
        // A ReplicationController selects by labels alone.
        Some(labels) if resource.group.is_empty() => printers::selector(&json!({ "matchLabels": labels })),
        Some(selector) => printers::selector(selector),
        None => String::new(),
    };
    let mut status = json!({ "replicas": number("/status/replicas") });
    if !selector.is_empty() {
        status["selector"] = selector.into();
    }
    // A spec of no replicas is written as an empty one.
    let spec = match number("/spec/replicas") {
        0 => json!({}),
        replicas => json!({ "replicas": replicas }),
    };
    Ok(json!({ "spec": spec, "status": status }))
}

/// What is wrong with a Scale (`ValidateScale`).
pub(super) fn validate(view: &Value) -> Vec<Error> {
    let replicas = view.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
    if replicas < 0 {
        let path = Path::Root;
        let path = path.child("spec");
        return vec![Error::invalid(&path.child("replicas"), replicas, "must be greater than or equal to 0")];
    }
    Vec::new()
}

/// Writes the wanted number of replicas into the workload.
pub(super) fn set(object: &mut Value, view: &Value) {
    let replicas = view.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or_default();
    let Some(map) = object.as_object_mut() else { return };
    if let Value::Object(spec) = map.entry("spec").or_insert_with(|| json!({})) {
        spec.insert("replicas".into(), replicas.into());
    }
}
