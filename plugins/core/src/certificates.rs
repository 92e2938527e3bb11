//! CertificateSigningRequests: who asked is the server's word, who approved a subresource's
//! (`pkg/registry/certificates/certificates/strategy.go`).

use chainplate_sdk::{
    apimachinery::{Map, Value, request::UserInfo},
    registry::Context,
};
use serde_json::json;

/// Conditions that `/status` may not set or take away.
const APPROVALS: [&str; 2] = ["Approved", "Denied"];

/// Writes into a new request who made it.
pub(crate) fn prepare_create(user: &UserInfo, object: &mut Value) {
    let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) else { return };
    for name in ["username", "uid", "groups", "extra"] {
        spec.remove(name);
    }
    let extra: Map = user.extra.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
    for (name, value, empty) in [
        ("username", json!(user.name), user.name.is_empty()),
        ("uid", json!(user.uid), user.uid.is_empty()),
        ("groups", json!(user.groups), user.groups.is_empty()),
        ("extra", Value::Object(extra), user.extra.is_empty()),
    ] {
        if !empty {
            spec.insert(name.into(), value);
        }
    }
}

/// Lets each way of writing change its part: nothing but metadata, the approval, or everything else of the status.
pub(crate) fn prepare_update(context: &Context<'_>, subresource: &str, object: &mut Value, old: &Value) {
    let Some(members) = object.as_object_mut() else { return };
    put(members, "spec", old.get("spec"));
    let conditions = |of: Option<&Value>| -> Vec<Value> {
        of.and_then(|status| status.get("conditions")).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let had = conditions(old.get("status"));
    let mut wanted = conditions(members.get("status"));
    match subresource {
        "approval" => put(members, "status", old.get("status")),
        "status" => {
            let is_approval = |condition: &Value| APPROVALS.iter().any(|kind| condition["type"] == *kind);
            wanted.retain(|condition| !is_approval(condition));
            let approvals = had.iter().filter(|condition| is_approval(condition)).cloned();
            wanted = approvals.chain(wanted).collect();
        }
        _ => {
            put(members, "status", old.get("status"));
            return;
        }
    }
    for condition in &mut wanted {
        set_times(condition, &had, context.now);
    }
    let status = members.entry("status").or_insert_with(|| json!({}));
    if let Some(status) = status.as_object_mut() {
        put(status, "conditions", (!wanted.is_empty()).then_some(&Value::Array(wanted)));
    }
}

/// Times that the writer left open: now, or when the status was last another.
fn set_times(condition: &mut Value, had: &[Value], now: &str) {
    let before = had.iter().find(|before| before["type"] == condition["type"]);
    let kept = before
        .filter(|before| before["status"] == condition["status"])
        .and_then(|before| before.get("lastTransitionTime"))
        .cloned();
    let Some(condition) = condition.as_object_mut() else { return };
    let open = |condition: &Map, name: &str| condition.get(name).is_none_or(Value::is_null);
    if open(condition, "lastTransitionTime") {
        condition.insert("lastTransitionTime".into(), kept.unwrap_or_else(|| now.into()));
    }
    if open(condition, "lastUpdateTime") {
        condition.insert("lastUpdateTime".into(), now.into());
    }
}

fn put(members: &mut Map, name: &str, value: Option<&Value>) {
    match value {
        Some(value) => {
            members.insert(name.into(), value.clone());
        }
        None => {
            members.remove(name);
        }
    }
}
