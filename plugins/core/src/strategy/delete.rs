//! How pods and namespaces go away: gradually.

use chainplate_sdk::{apimachinery::Value, registry::DeleteOptions};

/// How long a pod is given: nothing when no node runs it (`pkg/registry/core/pod/strategy.go`).
pub(crate) fn pod_grace(pod: &Value, options: &mut DeleteOptions) -> bool {
    let of_spec = pod.pointer("/spec/terminationGracePeriodSeconds").and_then(Value::as_i64);
    let mut period = options.grace_period_seconds.or(of_spec).unwrap_or_default();
    let text = |path: &str| pod.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if text("/spec/nodeName").is_empty() || matches!(text("/status/phase"), "Failed" | "Succeeded") {
        period = 0;
    }
    // Below zero means "as soon as one can".
    options.grace_period_seconds = Some(if period < 0 { 1 } else { period });
    true
}

/// Has a namespace end: its controller looks at the phase (`pkg/registry/core/namespace/storage`).
pub(super) fn terminate_namespace(namespace: &mut Value) {
    if !namespace_is_held(namespace) {
        return;
    }
    if let Some(namespace) = namespace.as_object_mut() {
        let status = namespace.entry("status").or_insert_with(|| serde_json::json!({}));
        if let Some(status) = status.as_object_mut() {
            status.insert("phase".into(), "Terminating".into());
        }
    }
}

/// Whether a namespace has finalizers in its spec.
pub(super) fn namespace_is_held(namespace: &Value) -> bool {
    namespace.pointer("/spec/finalizers").and_then(Value::as_array).is_some_and(|list| !list.is_empty())
}
