//! Bodies that a real server was sent, against the objects it answered with.

use super::apply;
use chainplate_apimachinery::Value;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Where recorded requests lie, if they do.
fn scenarios() -> Option<PathBuf> {
    let root = std::env::var_os("CHAINPLATE_CONFORMANCE")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"));
    let scenarios = root.join("scenarios");
    scenarios.is_dir().then_some(scenarios)
}

/// Members that other parts of a server set: identity, admission, allocation, strategies, controllers.
const OTHERS: &[&str] = &[
    "metadata",
    "status",
    "data",
    "selector",
    "serviceAccount",
    "serviceAccountName",
    "clusterIP",
    "clusterIPs",
    "nodePort",
    "healthCheckNodePort",
    "ipFamilies",
    "ipFamilyPolicy",
    "tolerations",
    "priority",
    "preemptionPolicy",
    "nodeName",
    "stringData",
    "generation",
    "storageClassName",
    "username",
    "groups",
    "uid",
    "extra",
    "overhead",
    "runtimeClassName",
    "finalizers",
    "creationTimestamp",
    "taints",
    "token",
];

/// Where `ours` differs from `theirs` in a member that defaults are about.
fn differences(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                if OTHERS.contains(&key.as_str()) {
                    continue;
                }
                let path = format!("{path}.{key}");
                match ours.get(key) {
                    // A list or time that is written even when there is none is the codec's affair, too.
                    None | Some(Value::Array(_)) if is_zero(value) => {}
                    Some(there) => differences(&path, there, value, found),
                    None => found.push(format!("{path}: missing {value}")),
                }
            }
            for (key, value) in ours {
                if !theirs.contains_key(key) && !OTHERS.contains(&key.as_str()) && !is_zero(value) {
                    found.push(format!("{path}.{key}: not expected {value}"));
                }
            }
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            for (index, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                differences(&format!("{path}[{index}]"), ours, theirs, found);
            }
        }
        // A quantity or a time in another form is the codec's affair.
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::String(_)) => {}
        _ if ours == theirs => {}
        _ => found.push(format!("{path}: {ours} is not {theirs}")),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(it) => !it,
        Value::Number(it) => it.as_i64() == Some(0),
        Value::String(it) => it.is_empty(),
        Value::Array(it) => it.is_empty(),
        Value::Object(it) => it.values().all(is_zero),
    }
}

#[test]
fn recorded_creations_come_out_as_recorded() {
    let Some(scenarios) = scenarios() else { return };
    let mut found = Vec::new();
    for area in ["types", "types-catalogue", "crud", "patch", "admission"] {
        let Ok(files) = std::fs::read_dir(scenarios.join(area)) else { continue };
        let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let scenario: Value = serde_json::from_str(&text).unwrap();
            for step in scenario["steps"].as_array().unwrap() {
                let (body, answer) = (&step["body"], &step["expect"]["body"]);
                let created = step["method"] == "POST" && step["expect"]["status"] == 201;
                let parts: Vec<&str> = step["path"].as_str().unwrap_or_default().split('?').collect();
                if !created || !answer.is_object() || body["kind"] != answer["kind"] {
                    continue;
                }
                if parts[0].contains("mutat") || area == "admission" && body["kind"] == "Pod" {
                    continue;
                }
                let version = body["apiVersion"].as_str().unwrap();
                let (group, version) = version.split_once('/').unwrap_or(("", version));
                let mut ours = body.clone();
                apply(group, version, body["kind"].as_str().unwrap(), &mut ours);
                let name = format!("{} {}", file.file_name().unwrap().to_string_lossy(), body["kind"]);
                differences(&name, &ours, answer, &mut found);
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn defaulting_twice_changes_nothing() {
    for (group, version, mut object) in [
        (
            "",
            "v1",
            json!({"kind": "Pod", "spec": {"containers": [{"name": "c", "image": "i",
            "resources": {"limits": {"cpu": "1"}}, "livenessProbe": {"httpGet": {"port": 1}}}],
            "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "s"}}]}}),
        ),
        ("apps", "v1", json!({"kind": "StatefulSet", "spec": {"volumeClaimTemplates": [{}]}})),
        ("autoscaling", "v2", json!({"kind": "HorizontalPodAutoscaler", "spec": {"behavior": {}}})),
        (
            "",
            "v1",
            json!({"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}}),
        ),
    ] {
        let kind = object["kind"].as_str().unwrap().to_owned();
        apply(group, version, &kind, &mut object);
        let once = object.clone();
        apply(group, version, &kind, &mut object);
        assert_eq!(object, once);
    }
}

#[test]
fn values_of_the_wrong_type_are_left_alone() {
    for (group, kind) in [("", "Pod"), ("", "Service"), ("apps", "Deployment"), ("batch", "Job")] {
        for spec in [json!(1), json!([]), json!({"template": 1, "containers": {}, "ports": [1]})] {
            let mut object = json!({"spec": spec, "metadata": "x"});
            apply(group, "v1", kind, &mut object);
        }
    }
}
