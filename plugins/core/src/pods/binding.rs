//! `pods/binding` and `bindings`: a scheduler gives a pod to a node (`pkg/registry/core/pod/storage`).

use super::set_condition;
use crate::{body, sent::Sent, server::Shared, validation};
use chainplate_sdk::{
    Collection, Outcome, Request,
    apimachinery::{Status, Value, field, object, time},
};
use serde_json::json;

/// How often a pod that changes meanwhile is tried again.
const ATTEMPTS: usize = 8;

/// POST to `pods/<name>/binding`.
///
/// # Errors
/// 400, 404, 409 and 500 as upstream; the refusal of admission.
pub(crate) fn bind(shared: &Shared, request: &Request<'_>, pods: &Collection) -> Result<Outcome, Status> {
    let sent = Sent::read(request, pods, "", "v1", "Binding")?;
    if object::name(&sent.document) != request.info().name {
        return Err(Status::bad_request("name in URL does not match name in Binding object"));
    }
    assign(shared, request, &sent)
}

/// POST to `bindings`, the form of old.
///
/// # Errors
/// As [`bind`].
pub(crate) fn bind_by_body(shared: &Shared, request: &Request<'_>) -> Result<Outcome, Status> {
    // Nothing is stored below this name; it is what admission knows the resource by.
    let bindings = Collection::open("", "v1", "bindings", "Binding", true, "pods")?;
    assign(shared, request, &Sent::read(request, &bindings, "", "v1", "Binding")?)
}

fn assign(shared: &Shared, request: &Request<'_>, sent: &Sent) -> Result<Outcome, Status> {
    let binding = &sent.document;
    let errors = validation::create("", "Binding", binding);
    if !errors.is_empty() {
        // Upstream hands the bare errors on, which become a Status without a reason.
        return Err(Status::new(500, "", field::aggregate(&errors)));
    }
    sent.validate()?;
    let pods = shared.named("", "v1", "pods")?;
    let namespace = Some(request.info().namespace.as_str());
    let name = object::name(binding);
    for _ in 0..ATTEMPTS {
        let stored = pods.get(namespace, name).ok_or_else(|| Status::not_found("", "pods", name))?;
        let mut pod: Value = serde_json::from_slice(&stored.value()).map_err(Status::internal)?;
        set_node(&mut pod, binding).map_err(|why| Status::conflict("", "pods/binding", name, &why))?;
        if sent.options.is_dry_run() {
            return Ok(body::done());
        }
        match pods.update(namespace, name, &object::encode(&pod), stored.revision()) {
            Ok(_) => return Ok(body::done()),
            Err(status) if status.code() == 409 => {}
            Err(status) => return Err(status),
        }
    }
    Err(Status::modified("", "pods", name))
}

/// Writes the node into the pod, or tells why not.
fn set_node(pod: &mut Value, binding: &Value) -> Result<(), String> {
    let name = object::name(pod).to_owned();
    for (member, what) in [("uid", "uid"), ("resourceVersion", "resourceVersion")] {
        let wanted = object::meta_str(binding, member);
        let have = object::meta_str(pod, member);
        if !wanted.is_empty() && wanted != have {
            return Err(format!(
                "Precondition failed: {what} in precondition: {wanted}, {what} in object meta: {have}"
            ));
        }
    }
    if object::is_deleting(pod) {
        return Err(format!("pod {name} is being deleted, cannot be assigned to a host"));
    }
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut) else {
        return Err(format!("pod {name} has no spec"));
    };
    let node = spec.get("nodeName").and_then(Value::as_str).unwrap_or_default();
    if !node.is_empty() {
        return Err(format!("pod {name} is already assigned to node {node:?}"));
    }
    if spec.get("schedulingGates").and_then(Value::as_array).is_some_and(|gates| !gates.is_empty()) {
        return Err(format!("pod {name} has non-empty .spec.schedulingGates"));
    }
    spec.insert("nodeName".into(), binding["target"]["name"].clone());
    if let Some(metadata) = object::metadata_mut(pod) {
        for (member, overwrite) in [("annotations", true), ("labels", false)] {
            let Some(given) = binding["metadata"].get(member).and_then(Value::as_object) else { continue };
            let all = metadata.entry(member).or_insert_with(|| json!({}));
            let Some(all) = all.as_object_mut() else { continue };
            for (key, value) in given {
                if overwrite || !all.contains_key(key) {
                    all.insert(key.clone(), value.clone());
                }
            }
        }
    }
    if let Some(pod) = pod.as_object_mut() {
        let status = pod.entry("status").or_insert_with(|| json!({}));
        if let Some(status) = status.as_object_mut() {
            set_condition(status, "PodScheduled", "True", &time::format(time::now()));
        }
    }
    Ok(())
}
