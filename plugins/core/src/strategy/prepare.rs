//! What the server fills in, and what a writer may not change (`PrepareForCreate`, `PrepareForUpdate` of
//! `pkg/registry/*/*/strategy.go`). What all types share is the registry's.

use crate::{certificates, defaults, pods, resources::Resource, server::Shared};
use chainplate_sdk::{
    apimachinery::{Map, Value},
    registry::Context,
};
use serde_json::json;

/// The label that tells a namespace by its name in selectors.
const NAMESPACE_LABEL: &str = "kubernetes.io/metadata.name";
/// The finalizer of the namespace controller.
const NAMESPACE_FINALIZER: &str = "kubernetes";
/// Counts the templates of a DaemonSet; clients of old read it.
const TEMPLATE_GENERATION: &str = "deprecated.daemonset.template.generation";
/// The members of a CSIDriver that can be changed and are counted.
const COUNTED_IN_DRIVERS: [&str; 4] =
    ["tokenRequests", "requiresRepublish", "seLinuxMount", "nodeAllocatableUpdatePeriodSeconds"];

/// A new object.
pub(super) fn create(resource: &Resource, shared: &Shared, context: &Context<'_>, object: &mut Value) {
    match (resource.group, resource.name) {
        ("", "pods") => pods::prepare_create(context, object),
        ("", "namespaces") => {
            let finalizers = member(member_of(object), "spec").entry("finalizers").or_insert(json!([]));
            if let Some(list) = finalizers.as_array_mut()
                && !list.iter().any(|name| name == NAMESPACE_FINALIZER)
            {
                list.push(NAMESPACE_FINALIZER.into());
            }
            set_status(object, json!({ "phase": "Active" }));
            label_namespace(object);
        }
        ("", "persistentvolumes") => {
            set_status(object, json!({ "phase": "Pending", "lastPhaseTransitionTime": context.now }));
        }
        ("", "persistentvolumeclaims") => set_status(object, json!({ "phase": "Pending" })),
        ("", "services") => defaults::services::init(object, None, shared.ip_family()),
        ("apps", "daemonsets") => set_template_generation(object, 1),
        ("batch", "jobs") => {
            let uid = object.pointer("/metadata/uid").and_then(Value::as_str).unwrap_or_default().to_owned();
            defaults::jobs::generate_selector(object, &uid);
            // The job takes over labels that its template has only now.
            defaults::apply(resource.group, resource.version, resource.kind, object);
        }
        ("certificates.k8s.io", _) => certificates::prepare_create(&context.request.user(), object),
        ("scheduling.k8s.io", "priorityclasses") => set_generation(object, 1),
        _ => {}
    }
}

/// An object that replaces `old`.
pub(super) fn update(
    resource: &Resource,
    shared: &Shared,
    context: &Context<'_>,
    object: &mut Value,
    old: &Value,
) {
    match (resource.group, resource.name, context.subresource) {
        ("", "pods", subresource) => pods::prepare_update(subresource, object, old),
        ("", "namespaces", "") => keep(object, old, &["spec", "finalizers"]),
        ("", "namespaces", "finalize") => keep(object, old, &["status"]),
        ("", "persistentvolumes", "status") => time_phase(context, object, old),
        ("", "services", "") => {
            drop_node_ports(object, old);
            defaults::services::init(object, Some(old), shared.ip_family());
        }
        ("apps", "deployments", "status") => keep(object, old, &["metadata", "labels"]),
        ("apps", "daemonsets", "") => {
            let was = old.pointer(&template_generation_pointer()).and_then(Value::as_str);
            let was = was.and_then(|text| text.parse().ok()).unwrap_or(1_i64);
            let changed = object.pointer("/spec/template") != old.pointer("/spec/template");
            set_template_generation(object, if changed { was.saturating_add(1) } else { was });
        }
        ("certificates.k8s.io", _, subresource) => {
            certificates::prepare_update(context, subresource, object, old)
        }
        // Labels are looked at as the content is, here alone.
        ("discovery.k8s.io", "endpointslices", "")
            if object.pointer("/metadata/labels") != old.pointer("/metadata/labels") =>
        {
            set_generation(object, generation(old).saturating_add(1));
        }
        ("scheduling.k8s.io", "priorityclasses", _) => set_generation(object, generation(old)),
        ("storage.k8s.io", "csidrivers", _) => {
            let changed =
                COUNTED_IN_DRIVERS.iter().any(|name| object["spec"].get(name) != old["spec"].get(name));
            match generation(old).saturating_add(i64::from(changed)) {
                0 => {}
                generation => set_generation(object, generation),
            }
        }
        _ => {}
    }
}

/// Namespaces are labelled with their name, whatever a client says.
pub(super) fn label_namespace(object: &mut Value) {
    let metadata = member(member_of(object), "metadata");
    let Some(name) = metadata.get("name").filter(|name| name.as_str().is_some_and(|name| !name.is_empty()))
    else {
        return;
    };
    let name = name.clone();
    member(metadata, "labels").insert(NAMESPACE_LABEL.into(), name);
}

/// The object as a map; anything else becomes an empty one.
fn member_of(value: &mut Value) -> &mut Map {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(map) => map,
        _ => unreachable!("made an object above"),
    }
}

/// A member that is an object, made where it is not.
fn member<'a>(object: &'a mut Map, name: &str) -> &'a mut Map {
    member_of(object.entry(name).or_insert(Value::Null))
}

fn set_status(object: &mut Value, status: Value) {
    member_of(object).insert("status".into(), status);
}

/// Puts back a member as it was.
fn keep(object: &mut Value, old: &Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else { return };
    let was = path.iter().try_fold(old, |value, name| value.get(name));
    let parent = parents.iter().fold(member_of(object), |map, name| member(map, name));
    match was {
        Some(was) => {
            parent.insert((*last).to_owned(), was.clone());
        }
        None => {
            parent.remove(*last);
        }
    }
}

fn generation(object: &Value) -> i64 {
    object.pointer("/metadata/generation").and_then(Value::as_i64).unwrap_or_default()
}

fn set_generation(object: &mut Value, generation: i64) {
    member(member_of(object), "metadata").insert("generation".into(), generation.into());
}

fn template_generation_pointer() -> String {
    format!("/metadata/annotations/{TEMPLATE_GENERATION}")
}

fn set_template_generation(object: &mut Value, generation: i64) {
    let metadata = member(member_of(object), "metadata");
    member(metadata, "annotations").insert(TEMPLATE_GENERATION.into(), generation.to_string().into());
}

/// A Service that no longer wants node ports loses those it had, unless the client says others
/// (`dropTypeDependentFields`).
fn drop_node_ports(object: &mut Value, old: &Value) {
    let has_ports =
        |service: &Value| matches!(service["spec"]["type"].as_str(), Some("NodePort" | "LoadBalancer"));
    if has_ports(object) || !has_ports(old) {
        return;
    }
    let ports = |service: &Value| -> Vec<Value> {
        let ports = service["spec"]["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
        ports.iter().map(|port| port["nodePort"].clone()).collect()
    };
    if ports(object) != ports(old) {
        return;
    }
    let spec = member(member_of(object), "spec");
    spec.remove("healthCheckNodePort");
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    ports.into_iter().flatten().filter_map(Value::as_object_mut).for_each(|port| {
        port.remove("nodePort");
    });
}

/// The time of the last change of a volume's phase (KEP-3762), unless the writer tells one.
fn time_phase(context: &Context<'_>, object: &mut Value, old: &Value) {
    let at = |object: &Value, name: &str| object.pointer(&format!("/status/{name}")).cloned();
    let time = "lastPhaseTransitionTime";
    if at(object, "phase") == at(old, "phase") {
        return;
    }
    let told = at(object, time);
    if told.is_none() || told == at(old, time) {
        member(member_of(object), "status").insert(time.into(), context.now.into());
    }
}
