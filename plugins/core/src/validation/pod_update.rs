//! What may change in a pod: `ValidatePodUpdate` and its subresources.

use super::checks::{
    Errors, METADATA, SPEC, STATUS, between, member_if_any, none_negative, qualified, same, subdomain,
    supported,
};
use super::net;
use super::pod::{MAX, MIRROR, metadata_and_spec};
use super::view::Node;
use chainplate_apimachinery::field::{Error, Path};
use chainplate_apimachinery::{Map, Value};

/// A Pod that is replaced or patched.
pub(super) fn update(new: &Value, old: &Value, errors: &mut Errors) {
    let (pod, was) = (Node::root(new), Node::root(old));
    metadata_and_spec(&pod, errors);
    annotation_updates(&pod, &was, errors);
    let (spec, old_spec) = (pod.child("spec"), was.child("spec"));
    for list in ["containers", "initContainers"] {
        if spec.len(list) != old_spec.len(list) {
            let reason = "pod updates may not add or remove containers";
            return errors.push(Error::forbidden(&SPEC.child(list), reason));
        }
        spec.child(list).each(|_, container| {
            if container.text("image").is_empty() {
                errors.push(Error::required(&container.path.child("image"), ""));
            }
        });
    }
    let deadline = SPEC.child("activeDeadlineSeconds");
    match (spec.number("activeDeadlineSeconds"), old_spec.number("activeDeadlineSeconds")) {
        (Some(new), _) if !(0..=MAX).contains(&new) => {
            return errors.push(Error::invalid(&deadline, new, between(0, MAX)));
        }
        (Some(new), Some(old)) if old < new => {
            return errors.push(Error::invalid(
                &deadline,
                new,
                "must be less than or equal to previous value",
            ));
        }
        (None, Some(_)) => {
            let reason = "must not update from a positive integer to nil value";
            errors.push(Error::invalid(&deadline, Value::Null, reason));
        }
        _ => {}
    }
    if !tolerations_only_added(&spec, &old_spec) {
        let reason = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(Error::forbidden(&SPEC.child("tolerations"), reason));
    }
    spec.child("schedulingGates").each(|_, gate| {
        let name = gate.text("name");
        if !old_spec.list("schedulingGates").iter().any(|old| Node::root(old).text("name") == name) {
            let reason = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.push(Error::forbidden(&gate.path.child("name"), reason));
        }
    });
    if !same(spec.value, old_spec.value) {
        other_changes(&spec, &old_spec, errors);
    }
}

fn annotation_updates(pod: &Node<'_, '_>, old: &Node<'_, '_>, errors: &mut Errors) {
    const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
    let (metadata, old) = (pod.child("metadata"), old.child("metadata"));
    let (new, old) = (metadata.child("annotations"), old.child("annotations"));
    old.entries(|key, value| {
        if new.get(key) == value.value {
            return;
        }
        if key.starts_with(APP_ARMOR) {
            let reason = "may not remove or update AppArmor annotations";
            errors.push(Error::forbidden(&new.path.key(key), reason));
        }
        if key == MIRROR {
            let reason = "may not remove or update mirror pod annotation";
            errors.push(Error::forbidden(&new.path.key(key), reason));
        }
    });
    new.entries(|key, item| {
        if old.has(key) {
            return;
        }
        if key.starts_with(APP_ARMOR) {
            errors.push(Error::forbidden(&item.path, "may not add AppArmor annotations"));
        }
        if key == MIRROR {
            errors.push(Error::forbidden(&item.path, "may not add mirror pod annotation"));
        }
    });
}

fn tolerations_only_added(new: &Node<'_, '_>, old: &Node<'_, '_>) -> bool {
    let equal = |a: &Value, b: &Value| {
        let (a, b) = (Node::root(a), Node::root(b));
        ["key", "operator", "value", "effect"].iter().all(|member| a.text(member) == b.text(member))
    };
    old.list("tolerations").iter().all(|old| new.list("tolerations").iter().any(|new| equal(old, new)))
}

/// Anything but the fields that may be updated.
fn other_changes(spec: &Node<'_, '_>, old: &Node<'_, '_>, errors: &mut Errors) {
    const UPDATABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,\
`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing \
tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n";
    let mut munged = spec.value.clone();
    let Some(map) = munged.as_object_mut() else { return };
    let take = |map: &mut Map, member: &str| {
        map.remove(member);
        if old.has(member) {
            map.insert(member.into(), old.get(member).clone());
        }
    };
    for list in ["containers", "initContainers"] {
        let Some(Value::Array(containers)) = map.get_mut(list) else { continue };
        for (container, old) in containers.iter_mut().zip(old.list(list)) {
            if let (Some(container), Some(image)) = (container.as_object_mut(), old.get("image")) {
                container.insert("image".into(), image.clone());
            }
        }
    }
    for member in ["activeDeadlineSeconds", "schedulingGates", "tolerations"] {
        take(map, member);
    }
    let grace = "terminationGracePeriodSeconds";
    if old.int(grace) < 0 && map.get(grace).and_then(Value::as_i64) == Some(1) {
        take(map, grace);
    }
    if !old.is_empty("schedulingGates") {
        gated(spec, old, errors);
        take(map, "nodeSelector");
        let affinity = map.get("affinity").cloned().unwrap_or_default();
        let rest = |affinity: &Value| {
            let mut rest = affinity.as_object().cloned().unwrap_or_default();
            rest.remove("nodeAffinity");
            rest
        };
        if rest(&affinity) == rest(old.get("affinity")) {
            take(map, "affinity");
        }
    }
    if !same(&munged, old.value) {
        errors.push(Error::forbidden(&SPEC, UPDATABLE));
    }
}

/// A gated pod may be told more about where to run, not less.
fn gated(spec: &Node<'_, '_>, old: &Node<'_, '_>, errors: &mut Errors) {
    if let Some(wanted) = old.map("nodeSelector") {
        let kept = wanted.iter().all(|(key, value)| spec.child("nodeSelector").get(key) == value);
        if !kept {
            let reason = "only additions are allowed (no mutations or deletions)";
            let path = SPEC.child("nodeSelector");
            errors.push(Error::invalid(&path, spec.get("nodeSelector").clone(), reason));
        }
    }
    let required = "/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    let (new_terms, old_terms) =
        (spec.get("affinity").pointer(required), old.get("affinity").pointer(required));
    if let Some(old_terms) = old_terms.and_then(Value::as_array) {
        let new_terms = new_terms.and_then(Value::as_array);
        let affinity = SPEC.child("affinity");
        let affinity = affinity.child("nodeAffinity");
        let path = affinity.child("requiredDuringSchedulingIgnoredDuringExecution");
        let path = path.child("nodeSelectorTerms");
        if new_terms.is_none_or(|new| new.len() != old_terms.len()) {
            let reason = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
            let shown = new_terms.cloned().map_or(Value::Null, Value::Array);
            errors.push(Error::invalid(&path, shown, reason));
        }
    }
}

/// `pods/status`.
pub(super) fn update_status(new: &Value, old: &Value, errors: &mut Errors) {
    let (pod, was) = (Node::root(new), Node::root(old));
    annotation_updates(&pod, &was, errors);
    let (status, old_status) = (pod.child("status"), was.child("status"));
    let conditions = METADATA.child("conditions");
    status.child("conditions").at(conditions).each(|_, condition| {
        let kind = condition.text("type");
        if !matches!(kind, "PodScheduled" | "Ready" | "Initialized") {
            for reason in qualified(kind) {
                errors.push(Error::invalid(&condition.path.child("Type"), kind, reason));
            }
        }
    });
    if pod.child("spec").text("nodeName") != was.child("spec").text("nodeName") {
        errors.push(Error::forbidden(&STATUS.child("nodeName"), "may not be changed directly"));
    }
    if status.text("nominatedNodeName") != old_status.text("nominatedNodeName") {
        member_if_any(&status, "nominatedNodeName", subdomain, errors);
    }
    if !status.text("qosClass").eq(old_status.text("qosClass")) {
        super::checks::immutable(&status, &old_status, "qosClass", errors);
    }
    let restarts = was.child("spec").text("restartPolicy");
    for (list, policy) in [
        ("containerStatuses", restarts),
        ("initContainerStatuses", restarts),
        ("ephemeralContainerStatuses", "Never"),
    ] {
        if policy == "Always" {
            continue;
        }
        old_status.child(list).each(|_, was| {
            let ended = was.child("state").child("terminated").value;
            let again = ended.get("exitCode").and_then(Value::as_i64).unwrap_or_default() != 0;
            if ended.is_null() || (again && policy == "OnFailure") {
                return;
            }
            let back = status
                .list(list)
                .iter()
                .map(Node::root)
                .any(|now| now.text("name") == was.text("name") && !now.child("state").has("terminated"));
            if back {
                let reason = "may not be transitioned to non-terminated state";
                errors.push(Error::forbidden(&was.path.child("state"), reason));
            }
        });
    }
    for list in ["podIPs", "hostIPs"] {
        let ips = status.child(list);
        ips.each(|_, item| {
            net::ip(&item.path, item.text("ip"), errors);
        });
        let all = status.list(list);
        let texts = || all.iter().map(|item| item.get("ip").and_then(Value::as_str).unwrap_or_default());
        if all.len() > 2 || (all.len() == 2 && !net::dual_stack(texts())) {
            let reason = "may specify no more than one IP for each IP family";
            errors.push(Error::invalid(&ips.path, ips.value.clone(), reason));
        }
    }
    none_negative(&status, &["observedGeneration"], errors);
}

/// `pods/ephemeralcontainers`.
pub(super) fn update_ephemeral(new: &Value, old: &Value, errors: &mut Errors) {
    let (pod, was) = (Node::root(new), Node::root(old));
    metadata_and_spec(&pod, errors);
    annotation_updates(&pod, &was, errors);
    if was.child("metadata").child("annotations").has(MIRROR) {
        errors.clear();
        let reason = "static pods do not support ephemeral containers";
        return errors.push(Error::forbidden(&Path::Child(&Path::Root, "[]"), reason));
    }
    let spec = pod.child("spec");
    let list = spec.child("ephemeralContainers");
    for old in was.child("spec").list("ephemeralContainers") {
        let name = Node::root(old).text("name");
        let now = spec.list("ephemeralContainers").iter().find(|new| Node::root(new).text("name") == name);
        let what = match now {
            None => "removed",
            Some(now) if !same(now, old) => "changed",
            Some(_) => continue,
        };
        let reason = format!("existing ephemeral containers {name:?} may not be {what}\n");
        errors.push(Error::forbidden(&list.path, reason));
    }
}

/// `pods/resize`: requests and limits of cpu and memory, and nothing else.
pub(super) fn update_resize(new: &Value, old: &Value, errors: &mut Errors) {
    let (pod, was) = (Node::root(new), Node::root(old));
    metadata_and_spec(&pod, errors);
    let (spec, old_spec) = (pod.child("spec"), was.child("spec"));
    if was.child("metadata").child("annotations").has(MIRROR) {
        errors.clear();
        let path = Path::Child(&Path::Root, "[]");
        return errors.push(Error::forbidden(&path, "static pods cannot be resized"));
    }
    let class = super::qos::class(&spec);
    if super::qos::class(&old_spec) != class {
        let reason = "Pod QOS Class may not change as a result of resizing";
        let shown = pod.child("status").get("qosClass").clone();
        errors.push(Error::invalid(&SPEC, shown, reason));
    }
    for list in ["initContainers", "containers"] {
        spec.child(list).each(|index, container| {
            let Some(old) = old_spec.list(list).get(index) else { return };
            let sidecar = container.text("restartPolicy") == "Always";
            if list == "containers" || sidecar {
                resize_container(container, &Node::root(old), errors);
                if !same(&without_compute(container.value), &without_compute(old)) {
                    let reason = if sidecar {
                        "only cpu and memory resources for sidecar containers are mutable"
                    } else {
                        "only cpu and memory resources are mutable"
                    };
                    errors.push(Error::forbidden(&SPEC, reason));
                }
            } else if !same(container.value, old) {
                let reason = "resources for non-sidecar init containers are immutable";
                errors.push(Error::forbidden(&SPEC, reason));
            }
        });
    }
    if errors.is_empty() && !same(&without_containers(spec.value), &without_containers(old_spec.value)) {
        errors.push(Error::forbidden(&SPEC, "only cpu and memory resources are mutable"));
    }
}

fn resize_container(new: &Node<'_, '_>, old: &Node<'_, '_>, errors: &mut Errors) {
    let (new, old) = (new.child("resources"), old.child("resources"));
    for (list, reason) in
        [("requests", "resource requests cannot be removed"), ("limits", "resource limits cannot be removed")]
    {
        let removed = old.map(list).is_some_and(|old| old.keys().any(|name| !new.child(list).has(name)));
        if removed {
            errors.push(Error::forbidden(&new.path.child(list), reason));
        }
    }
}

fn without_compute(container: &Value) -> Value {
    let mut container = container.clone();
    for list in ["requests", "limits"] {
        if let Some(map) = container.pointer_mut(&format!("/resources/{list}")).and_then(Value::as_object_mut)
        {
            map.remove("cpu");
            map.remove("memory");
        }
    }
    container
}

fn without_containers(spec: &Value) -> Value {
    let mut spec = spec.clone();
    if let Some(map) = spec.as_object_mut() {
        map.remove("containers");
        map.remove("initContainers");
    }
    spec
}

/// `pods/binding`.
pub(super) fn binding(object: &Value, errors: &mut Errors) {
    let binding = Node::root(object);
    let target = binding.child("target");
    if !matches!(target.text("kind"), "" | "Node") {
        supported(&target.path.child("kind"), target.text("kind"), &["Node", "<empty>"], errors);
    }
    super::checks::required(&target, "name", errors);
}
