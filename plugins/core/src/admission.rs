//! What upstream's default admission plugins write into new objects of the built-in types.
//!
//! Only plugins that fill something in and need no more than the objects themselves: StorageObjectInUseProtection,
//! TaintNodesByCondition, DefaultTolerationSeconds, Priority and the names of ServiceAccount
//! (`plugin/pkg/admission`). Policies and webhooks are the host's.

use crate::server::Shared;
use chainplate_sdk::{
    apimachinery::{Map, Status, Value, object},
    registry::Context,
};
use serde_json::json;

/// Seconds that pods stay on a node in trouble.
const PATIENCE: i64 = 300;
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";

/// Fills in what the plugins of a type would.
pub(crate) fn admit(shared: &Shared, group: &str, resource: &str, new: &mut Value) {
    match (group, resource) {
        ("", "persistentvolumeclaims") => protect(new, "kubernetes.io/pvc-protection"),
        ("", "persistentvolumes") => protect(new, "kubernetes.io/pv-protection"),
        ("storage.k8s.io", "volumeattributesclasses") => protect(new, "kubernetes.io/vac-protection"),
        ("", "nodes") => taint(new),
        ("", "pods") => pod(shared, new),
        _ => {}
    }
}

/// Refuses what the plugins of a type would. Called when the object is otherwise right.
///
/// # Errors
/// 403 for a pod whose priority class or service account is not there.
pub(crate) fn check(shared: &Shared, context: &Context<'_>, pod: &Value) -> Result<(), Status> {
    let text = |name: &str| pod["spec"][name].as_str().unwrap_or_default();
    let forbidden = |why: String| Err(Status::forbidden("", "pods", object::name(pod), &why));
    let class = text("priorityClassName");
    if !class.is_empty() && priority_class(shared, class).is_none() {
        return forbidden(format!("no PriorityClass with name {class} was found"));
    }
    let account = text("serviceAccountName");
    // Without a controller that makes it, the account of that name must not stand in the way of every pod.
    if matches!(account, "" | "default") {
        return Ok(());
    }
    let accounts = shared.named("", "v1", "serviceaccounts")?;
    if accounts.get(Some(context.namespace), account).is_none() {
        let namespace = context.namespace;
        return forbidden(format!(
            "error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"
        ));
    }
    Ok(())
}

fn protect(new: &mut Value, finalizer: &str) {
    let Some(metadata) = object::metadata_mut(new) else { return };
    let finalizers = metadata.entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = finalizers.as_array_mut()
        && !list.iter().any(|there| there == finalizer)
    {
        list.push(finalizer.into());
    }
}

fn spec_of(new: &mut Value) -> Option<&mut Map> {
    new.get_mut("spec")?.as_object_mut()
}

/// Nobody is placed on a node before it says that it is ready.
fn taint(node: &mut Value) {
    let Some(spec) = spec_of(node) else { return };
    let taints = spec.entry("taints").or_insert_with(|| json!([]));
    if let Some(list) = taints.as_array_mut()
        && !list.iter().any(|taint| taint["key"] == NOT_READY && taint["effect"] == "NoSchedule")
    {
        list.push(json!({ "key": NOT_READY, "effect": "NoSchedule" }));
    }
}

fn pod(shared: &Shared, pod: &mut Value) {
    let Some(spec) = spec_of(pod) else { return };
    let text = |spec: &Map, name: &str| spec.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut account = text(spec, "serviceAccountName");
    if account.is_empty() {
        account = "default".into();
    }
    spec.insert("serviceAccountName".into(), account.as_str().into());
    spec.insert("serviceAccount".into(), account.into());
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    if let Some(list) = tolerations.as_array_mut() {
        for key in [NOT_READY, UNREACHABLE] {
            if !list.iter().any(|toleration| tolerates(toleration, key)) {
                list.push(json!({
                    "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": PATIENCE,
                }));
            }
        }
    }
    let class = priority_class(shared, &text(spec, "priorityClassName"));
    let of_class = |name: &str| class.as_ref().and_then(|class| class.get(name)).cloned();
    spec.insert("priority".into(), of_class("value").unwrap_or_else(|| 0.into()));
    spec.insert(
        "preemptionPolicy".into(),
        of_class("preemptionPolicy").unwrap_or_else(|| "PreemptLowerPriority".into()),
    );
}

fn tolerates(toleration: &Value, key: &str) -> bool {
    let text = |name: &str| toleration[name].as_str().unwrap_or_default();
    (text("key") == key || text("key").is_empty()) && matches!(text("effect"), "NoExecute" | "")
}

fn priority_class(shared: &Shared, name: &str) -> Option<Value> {
    if name.is_empty() {
        return None;
    }
    let classes = shared.named("scheduling.k8s.io", "v1", "priorityclasses").ok()?;
    serde_json::from_slice(&classes.get(None, name)?.value()).ok()
}
