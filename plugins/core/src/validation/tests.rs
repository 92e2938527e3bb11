//! Rules by kind, and the answers of a real server to what it refused.

use super::{create, name_rule, update, update_subresource};
use crate::defaults;
use chainplate_apimachinery::{Value, field};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The errors of an object that a write has prepared.
fn errors(version: &str, mut object: Value) -> Vec<String> {
    let (group, version) = version.split_once('/').unwrap_or(("", version));
    let kind = object["kind"].as_str().unwrap().to_owned();
    defaults::apply(group, version, &kind, &mut object);
    match kind.as_str() {
        "Job" => {
            object["metadata"]["uid"] = UID.into();
            defaults::jobs::generate_selector(&mut object, UID);
        }
        "Secret" => defaults::secrets::merge_string_data(&mut object),
        "Service" => defaults::services::init(&mut object, None, "IPv4"),
        _ => {}
    }
    create(group, &kind, &object).iter().map(field::Error::to_string).collect()
}

const UID: &str = "6b1f";

fn scenarios() -> Option<PathBuf> {
    let root = std::env::var_os("CHAINPLATE_CONFORMANCE")
        .map(PathBuf::from)
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"));
    let scenarios = root.join("scenarios");
    scenarios.is_dir().then_some(scenarios)
}

/// The errors of a Status, without those of metadata and of compiled expressions.
fn refused(answer: &Value) -> Vec<String> {
    let causes = answer["details"]["causes"].as_array().cloned().unwrap_or_default();
    let text = |cause: &Value, key: &str| cause[key].as_str().unwrap_or_default().to_owned();
    causes
        .iter()
        .filter(|cause| !cause["message"].is_null())
        .map(|cause| format!("{}: {}", text(cause, "field"), text(cause, "message")))
        .filter(|error| !ours_not(error))
        .collect()
}

/// What the registry, allocators and compilers say.
fn ours_not(error: &str) -> bool {
    const OTHERS: [&str; 7] = [
        "metadata.name: Invalid value",
        "metadata.name: Required",
        "metadata.finalizers",
        "compilation failed",
        "must evaluate to",
        "failed to allocate IP",
        "provided port is not in the valid range",
    ];
    OTHERS.iter().any(|other| error.contains(other)) && !error.contains("52 characters")
}

/// `{rand}` and the like are names that a body may have; the codec has made quantities canonical.
fn filled(value: &Value) -> Value {
    let text = value
        .to_string()
        .replace("{rand}", "rand")
        .replace("{ns}", "ns")
        .replace("<uid>", UID)
        .replace("\"0.5\"", "\"500m\"");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn recorded_refusals_come_out_as_recorded() {
    let Some(scenarios) = scenarios() else { return };
    let mut found = Vec::new();
    for area in ["types", "errors", "crud", "admission", "auth"] {
        let Ok(files) = std::fs::read_dir(scenarios.join(area)) else { continue };
        let mut files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
        files.sort();
        for file in files {
            let scenario: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            for step in scenario["steps"].as_array().unwrap() {
                let answer = &step["expect"]["body"];
                let body = filled(&step["body"]);
                let kind = body["kind"].as_str().unwrap_or_default().to_owned();
                let created = step["method"] == "POST" && step["expect"]["status"] == 422;
                let version = body["apiVersion"].as_str().unwrap_or_default().to_owned();
                let of_kind = answer["details"]["kind"] == kind.as_str() && area != "errors";
                let admitted = area == "admission" && kind == "Pod";
                if !created
                    || version.is_empty()
                    || (!of_kind && answer["details"]["kind"].is_string())
                    || admitted
                {
                    continue;
                }
                let theirs = refused(&filled(answer));
                let mut body = body;
                if body["metadata"]["namespace"].is_null() {
                    body["metadata"]["namespace"] = "ns".into();
                }
                let ours: Vec<String> = errors(&version, body).into_iter().filter(|e| !ours_not(e)).collect();
                if ours != theirs && !theirs.is_empty() {
                    let file = file.file_name().unwrap().to_string_lossy().into_owned();
                    found.push(format!("{file} {kind}\n  ours   {ours:#?}\n  theirs {theirs:#?}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn recorded_objects_are_accepted() {
    let Some(scenarios) = scenarios() else { return };
    let mut found = Vec::new();
    for area in
        ["types", "types-catalogue", "crud", "patch", "apply", "list", "delete", "watch", "negotiation"]
    {
        let Ok(files) = std::fs::read_dir(scenarios.join(area)) else { continue };
        for file in files.filter_map(|file| Some(file.ok()?.path())) {
            let scenario: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
            for step in scenario["steps"].as_array().unwrap() {
                let body = filled(&step["body"]);
                let version = body["apiVersion"].as_str().unwrap_or_default().to_owned();
                if step["method"] != "POST" || step["expect"]["status"] != 201 || version.is_empty() {
                    continue;
                }
                let mut body = body;
                if body["kind"] == "Pod" {
                    body["spec"]["serviceAccountName"] = "default".into();
                }
                if body["metadata"]["namespace"].is_null() {
                    body["metadata"]["namespace"] = "ns".into();
                }
                if body["kind"] == "Event" && body["involvedObject"]["namespace"].is_string() {
                    body["metadata"]["namespace"] = body["involvedObject"]["namespace"].clone();
                }
                if body["metadata"]["generateName"].is_string() {
                    body["metadata"]["name"] = "generated".into();
                }
                let kind = body["kind"].clone();
                let ours = errors(&version, body);
                if !ours.is_empty() {
                    let file = file.file_name().unwrap().to_string_lossy().into_owned();
                    found.push(format!("{file} {kind} {ours:?}"));
                }
            }
        }
    }
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_pod_needs_containers_with_names_and_images() {
    let pod = json!({"kind": "Pod", "spec": {}});
    assert_eq!(errors("v1", pod), ["spec.containers: Required value"]);
    let pod = json!({"kind": "Pod", "spec": {"containers": [{"name": "c"}, {"name": "c", "image": " i"}]}});
    assert_eq!(
        errors("v1", pod),
        [
            "spec.containers[0].image: Required value",
            "spec.containers[1].name: Duplicate value: \"c\"",
            "spec.containers[1].image: Invalid value: \" i\": must not have leading or trailing whitespace",
        ]
    );
}

#[test]
fn a_pod_keeps_all_but_a_few_fields() {
    let mut old = json!({"kind": "Pod", "spec": {"containers": [{"name": "c", "image": "a"}]}});
    defaults::apply("", "v1", "Pod", &mut old);
    let mut new = old.clone();
    new["spec"]["containers"][0]["image"] = "b".into();
    assert!(update("", "Pod", &new, &old).is_empty());
    new["spec"]["nodeName"] = "n".into();
    let found = update("", "Pod", &new, &old);
    assert_eq!(found.len(), 1);
    assert!(found[0].detail.starts_with("pod updates may not change fields other than"));
}

#[test]
fn selectors_and_other_identities_do_not_change() {
    let deployment = |app: &str| {
        let labels = json!({"app": app});
        let mut object = json!({"kind": "Deployment", "spec": {"selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}});
        defaults::apply("apps", "v1", "Deployment", &mut object);
        object
    };
    let found = update("apps", "Deployment", &deployment("b"), &deployment("a"));
    assert_eq!(
        found.iter().map(field::Error::to_string).collect::<Vec<_>>(),
        ["spec.selector: Invalid value: {\"matchLabels\":{\"app\":\"b\"}}: field is immutable"]
    );
    let class = |provisioner: &str| json!({"provisioner": provisioner, "parameters": {}});
    assert_eq!(update("storage.k8s.io", "StorageClass", &class("a"), &class("b")).len(), 1);
    let role = |name: &str| json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}});
    let found = update("rbac.authorization.k8s.io", "RoleBinding", &role("x"), &role("y"));
    assert_eq!(
        found[0].to_string(),
        "roleRef: Invalid value: {\"APIGroup\":\"rbac.authorization.k8s.io\",\"Kind\":\"Role\",\"Name\":\"x\"}: cannot change roleRef"
    );
}

#[test]
fn counts_of_a_status_fit_together() {
    let new = json!({"status": {"replicas": 1, "readyReplicas": 2}});
    let found = update_subresource("apps", "ReplicaSet", "status", &new, &json!({}));
    assert_eq!(
        found.iter().map(field::Error::to_string).collect::<Vec<_>>(),
        ["status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"]
    );
}

#[test]
fn names_follow_the_rule_of_their_kind() {
    assert!(!name_rule("", "Namespace")("a.b", false).is_empty());
    assert!(name_rule("", "ConfigMap")("a.b", false).is_empty());
    assert!(name_rule("rbac.authorization.k8s.io", "Role")("system:x", false).is_empty());
    assert!(!name_rule("networking.k8s.io", "IPAddress")("x", false).is_empty());
    assert!(name_rule("networking.k8s.io", "IPAddress")("10.0.0.1", false).is_empty());
}

#[test]
fn nonsense_is_refused_without_panic() {
    let kinds = [
        ("", "Pod"),
        ("", "Service"),
        ("", "Secret"),
        ("", "Node"),
        ("", "LimitRange"),
        ("", "ResourceQuota"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("networking.k8s.io", "Ingress"),
        ("networking.k8s.io", "NetworkPolicy"),
        ("resource.k8s.io", "ResourceSlice"),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema"),
        ("events.k8s.io", "Event"),
        ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"),
    ];
    for (group, kind) in kinds {
        for object in [
            json!(null),
            json!([]),
            json!({"spec": []}),
            json!({"spec": {"containers": {}, "ports": "x", "rules": [1]}}),
            json!({"spec": {"template": {"spec": {"volumes": [[], {}, {"iscsi": {"iqn": "iqn.é"}}]}}}}),
        ] {
            create(group, kind, &object);
            update(group, kind, &object, &object);
            update_subresource(group, kind, "status", &object, &object);
        }
    }
}

#[test]
fn a_template_is_told_by_the_part_that_changed() {
    let job = |image: &str, label: &str| {
        json!({"kind": "Job", "spec": {"template": {"metadata": {"labels": {"a": label}},
            "spec": {"containers": [{"name": "c", "image": image}]}}}})
    };
    let changed = |new: &Value| -> Vec<String> {
        let errors = update("batch", "Job", new, &job("i", "l"));
        errors
            .iter()
            .filter(|error| error.detail == "field is immutable")
            .map(|error| error.field.clone())
            .collect()
    };
    assert_eq!(changed(&job("other", "l")), ["spec.template.spec"]);
    assert_eq!(changed(&job("i", "other")), ["spec.template.metadata"]);
}

#[test]
fn requests_of_a_claim_are_no_amounts() {
    let template = |requests: Value| json!({"spec": {"spec": {"devices": {"requests": requests}}}});
    let request =
        json!([{"name": "r", "exactly": {"deviceClassName": "c", "count": 1, "allocationMode": "All"}}]);
    let errors = update("resource.k8s.io", "ResourceClaimTemplate", &template(json!([])), &template(request));
    assert_eq!(errors.last().map(|error| error.field.as_str()), Some("spec"));
}

#[test]
fn a_changed_reason_of_an_event_is_told_twice() {
    let event = |reason: &str| json!({"metadata": {"namespace": "n"}, "regarding": {"namespace": "n"}, "reason": reason});
    let errors = update("events.k8s.io", "Event", &event("new"), &event("old"));
    assert_eq!(errors.iter().filter(|error| error.field == "reason").count(), 2);
}
