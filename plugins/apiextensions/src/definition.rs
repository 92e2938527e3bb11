//! The documents of definitions: what they are called, and their conditions.

use chainplate_sdk::apimachinery::{Map, Value};
pub(crate) use chainplate_sdk::custom::definition::{condition_is, flag, schema_of, text, versions};
use serde_json::json;

/// The group that definitions live in.
pub(crate) const GROUP: &str = "apiextensions.k8s.io";
/// The version that definitions are served in.
pub(crate) const VERSION: &str = "v1";
/// The resource of definitions.
pub(crate) const RESOURCE: &str = "customresourcedefinitions";
/// The kind of definitions.
pub(crate) const KIND: &str = "CustomResourceDefinition";
/// The finalizer that holds a definition until its objects are gone.
pub(crate) const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

/// Sets a condition; the time of its last transition moves only with its status.
pub(crate) fn set_condition(
    crd: &mut Value,
    type_: &str,
    status: &str,
    reason: &str,
    message: &str,
    now: &str,
) {
    let Some(slot) = crd.get_mut("status").and_then(Value::as_object_mut) else { return };
    let list = slot.entry("conditions").or_insert_with(|| json!([]));
    if !list.is_array() {
        *list = json!([]);
    }
    let Some(list) = list.as_array_mut() else { return };
    let there = list.iter_mut().find(|condition| text(condition, "type") == type_);
    let time = match &there {
        Some(old) if text(old, "status") == status && !text(old, "lastTransitionTime").is_empty() => {
            text(old, "lastTransitionTime").to_owned()
        }
        _ => now.to_owned(),
    };
    let new = json!({
        "type": type_, "status": status, "lastTransitionTime": time, "reason": reason, "message": message,
    });
    match there {
        Some(old) => *old = new,
        None => list.push(new),
    }
}

/// The names that were accepted, an empty object if none were.
pub(crate) fn accepted_names(crd: &Value) -> Map {
    crd.pointer("/status/acceptedNames").and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_sdk::custom::definition::condition;

    #[test]
    fn transition_times_move_with_the_status() {
        let mut crd = json!({"status": {}});
        set_condition(&mut crd, "A", "False", "R", "m", "t1");
        set_condition(&mut crd, "A", "False", "S", "n", "t2");
        assert_eq!(condition(&crd, "A").unwrap()["lastTransitionTime"], "t1");
        set_condition(&mut crd, "A", "True", "S", "n", "t3");
        assert_eq!(condition(&crd, "A").unwrap()["lastTransitionTime"], "t3");
    }
}
