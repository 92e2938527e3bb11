//! Patches and server-side apply: a document and a patch of it, parted by a NUL.

use super::{objects, size};
use crate::{Target, mutate::PART};
use chainplate_apimachinery::{
    Map, Value, decode,
    managed_fields::{ApplyError, Context, Manager, Set, apply, one_version, update},
    patch::{self, MAX_COPIED, MAX_OPERATIONS},
    strategic,
};
use chainplate_types::{TypeRef, complete, decode, empty, lookup};
use serde_json::json;

pub(super) const JSON_PATCH: Target =
    Target { name: "json_patch", check: json_patch, seeds: json_patch_seeds, words: objects::WORDS };
pub(super) const MERGE_PATCH: Target =
    Target { name: "merge_patch", check: merge_patch, seeds: merge_seeds, words: objects::WORDS };
pub(super) const STRATEGIC_MERGE_PATCH: Target = Target {
    name: "strategic_merge_patch",
    check: strategic_merge_patch,
    seeds: strategic_seeds,
    words: objects::WORDS,
};
pub(super) const APPLY: Target =
    Target { name: "apply", check: apply_, seeds: apply_seeds, words: objects::WORDS };

/// The document and the patch; none for what the decoder refuses before.
fn parts(input: &[u8]) -> Option<(Value, Value)> {
    let at = input.iter().position(|byte| *byte == PART)?;
    Some((decode::json(&input[..at]).ok()?.value, decode::json(&input[at + 1..]).ok()?.value))
}

fn seed(document: &str, patch: &Value) -> Vec<u8> {
    [document.trim().as_bytes(), &[PART], &serde_json::to_vec(patch).unwrap_or_default()].concat()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

fn json_patch_seeds() -> Vec<Vec<u8>> {
    let nesting: Vec<Value> = (0..30).map(|_| json!({"op": "copy", "from": "", "path": "/a"})).collect();
    let sinking: Vec<Value> = (0..2000)
        .map(|number| json!({"op": "move", "from": format!("/{number}"), "path": format!("/{}/a", number + 1)}))
        .collect();
    let pool: Map = (0..2001).map(|number| (number.to_string(), json!({}))).collect();
    vec![
        seed(
            objects::DEPLOYMENT,
            &json!([
                {"op": "test", "path": "/spec/replicas", "value": 3},
                {"op": "replace", "path": "/spec/replicas", "value": 4},
                {"op": "add", "path": "/metadata/labels/a~1b", "value": "c"},
                {"op": "copy", "from": "/spec/template", "path": "/spec/other"},
                {"op": "move", "from": "/spec/other", "path": "/status"},
                {"op": "remove", "path": "/status"},
                {"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "x"}},
            ]),
        ),
        seed(
            r#"{"a":[1,[2,[3]]]}"#,
            &json!([{"op": "add", "path": "/a/-1", "value": 1}, {"op": "remove", "path": "/a/0"}]),
        ),
        seed(r#"{"a":1}"#, &Value::Array(nesting)),
        seed(&Value::Object(pool).to_string(), &Value::Array(sinking)),
    ]
}

fn json_patch(input: &[u8]) {
    let Some((mut document, patch)) = parts(input) else { return };
    let before = size(&document) + size(&patch);
    let mut unknown = Vec::new();
    let Ok(operations) = patch::operations(patch, &mut unknown) else { return };
    if operations.len() > MAX_OPERATIONS {
        return;
    }
    let applied = patch::apply(&mut document, &operations);
    let after = size(&document);
    assert!(after <= before + MAX_COPIED, "{before} bytes became {after}: {applied:?}");
    assert!(depth(&document) <= decode::MAX_DEPTH, "{} deep: {applied:?}", depth(&document));
}

fn merge_seeds() -> Vec<Vec<u8>> {
    vec![
        seed(
            objects::POD,
            &json!({"metadata": {"labels": {"a": null, "b": "c"}}, "spec": {"containers": null}}),
        ),
        seed(r#"{"a":{"b":1},"c":[1]}"#, &json!({"a": {"b": null, "d": {"e": null}}, "c": {"f": [null, 1]}})),
    ]
}

fn merge_patch(input: &[u8]) {
    let Some((document, patch)) = parts(input) else { return };
    let (before, deepest) = (size(&document) + size(&patch), depth(&document).max(depth(&patch)));
    let mut once = document;
    patch::merge(&mut once, patch.clone());
    let mut twice = once.clone();
    patch::merge(&mut twice, patch);
    assert_eq!(once, twice, "merging again changes nothing");
    assert!(size(&once) <= before && depth(&once) <= deepest, "{before} bytes became {}", size(&once));
}

fn deployment() -> Option<TypeRef> {
    lookup("apps", "v1", "Deployment")
}

fn strategic_seeds() -> Vec<Vec<u8>> {
    let many: Vec<Value> = (0..1500).map(|number| json!({"name": format!("c{number}")})).collect();
    let in_template = |spec: Value| json!({"spec": {"template": {"spec": spec}}});
    [
        in_template(json!({
            "$setElementOrder/containers": [{"name": "sidecar"}, {"name": "app"}],
            "containers": [{"name": "app", "image": "x", "ports": [{"containerPort": 8080, "$patch": "delete"}]}],
            "$retainKeys": ["containers"],
        })),
        json!({"metadata": {"finalizers": ["a"], "$deleteFromPrimitiveList/finalizers": ["b"],
            "$setElementOrder/finalizers": ["a"], "labels": {"$patch": "replace", "x": "y"}}}),
        json!({"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}, "template": {"$patch": "delete"}}}),
        in_template(json!({"containers": [{"$patch": "replace"}, {"name": "only"}], "nodeSelector": null})),
        in_template(json!({"containers": many})),
    ]
    .iter()
    .map(|patch| seed(objects::DEPLOYMENT, patch))
    .collect()
}

fn strategic_merge_patch(input: &[u8]) {
    let (Some((Value::Object(mut document), Value::Object(patch))), Some(shape)) =
        (parts(input), deployment())
    else {
        return;
    };
    let (document_size, patch_size) =
        (size(&Value::Object(document.clone())), size(&Value::Object(patch.clone())));
    if strategic::merge_patch(shape, &mut document, patch).is_ok() {
        let after = size(&Value::Object(document));
        assert!(after <= document_size + patch_size, "{document_size} and {patch_size} bytes became {after}");
    }
}

fn apply_seeds() -> Vec<Vec<u8>> {
    let Some(shape) = deployment() else { return Vec::new() };
    let config: Value = serde_json::from_str(objects::DEPLOYMENT).unwrap_or_default();
    let Some(live) = with_context(shape, |context| {
        let mut live = apply(context, None, &config, &manager("one"), false).ok()?;
        let mut new = live.clone();
        *new.pointer_mut("/spec/replicas")? = json!(9);
        new["metadata"]["finalizers"] = json!(["a.example.com/b", "c.example.com/d"]);
        update(context, Some(&live), &mut new, &manager("two"));
        std::mem::swap(&mut live, &mut new);
        Some(live)
    }) else {
        return Vec::new();
    };
    let mut less = config.clone();
    if let Some(Value::Object(spec)) = less.get_mut("spec") {
        spec.remove("replicas");
    }
    let live = live.to_string();
    vec![
        seed(&live, &config),
        seed(&live, &less),
        seed(
            &live,
            &json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app", "finalizers": ["a.example.com/b"]},
            "spec": {"template": {"spec": {"containers": [{"name": "app", "ports": [{"containerPort": 1}]}]}}}}),
        ),
        seed("{}", &config),
    ]
}

fn manager(name: &str) -> Manager<'_> {
    Manager { name, api_version: "apps/v1", subresource: "", time: "2026-01-08T12:00:00Z" }
}

fn with_context<T>(shape: TypeRef, run: impl FnOnce(&Context<'_, TypeRef>) -> T) -> T {
    let empty = empty(shape);
    let reset = Set::from_value(&json!({"f:status": {}}));
    run(&Context { shape, empty: &empty, reset: &reset, convert: &one_version })
}

/// As it is stored.
fn stored(shape: TypeRef, object: &Value) -> Option<Value> {
    let mut object = object.clone();
    decode(shape, &mut object).ok()?;
    complete(shape, &mut object);
    Some(object)
}

/// Whether there is an object or a list with nothing in it.
fn has_hollow(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty() || members.values().any(has_hollow),
        Value::Array(items) => items.is_empty() || items.iter().any(has_hollow),
        _ => false,
    }
}

fn apply_(input: &[u8]) {
    let (Some((live, config)), Some(shape)) = (parts(input), deployment()) else { return };
    // What is stored went through the decoder; what is applied is a document with metadata.
    let Some(live) = stored(shape, &live) else { return };
    if !config.is_object()
        || !live["metadata"].is_object()
        || config.pointer("/metadata/managedFields").is_some()
    {
        return;
    }
    with_context(shape, |context| {
        for force in [false, true] {
            let first = match apply(context, Some(&live), &config, &manager("one"), force) {
                Ok(first) => first,
                Err(ApplyError::Conflicts(conflicts)) => {
                    assert!(!force && !conflicts.is_empty(), "conflicts without force alone");
                    assert!(!ApplyError::conflict_message(&conflicts).is_empty(), "conflicts are told");
                    continue;
                }
                Err(ApplyError::Invalid(why)) => {
                    assert!(!why.is_empty(), "a refusal says why");
                    continue;
                }
                Err(ApplyError::Undecodable) => continue,
            };
            assert!(size(&first) <= 4 * (size(&live) + size(&config)) + 4096, "{} bytes", size(&first));
            // What comes out is decoded before it is written, so that a key that is null is another one then.
            let mut decoded = config.clone();
            // And where a field was removed that was the last of its struct, the struct goes, too, even if it is applied
            // with nothing in it: it comes with the next apply, upstream as here.
            if decode(shape, &mut decoded).is_err() || decoded != config || has_hollow(&config) {
                continue;
            }
            let Some(first) = stored(shape, &first) else { continue };
            let again = apply(context, Some(&first), &config, &manager("one"), force);
            let again = again.map(|again| stored(shape, &again));
            assert_eq!(again, Ok(Some(first)), "applying again changes nothing");
        }
    });
}
