//! What holds for any sequence of writes, over a small type with each form of value.

use super::*;
use crate::schema::{Resource, Schema};
use proptest::{collection::btree_map, collection::btree_set, collection::vec, option, prelude::*};
use serde_json::json;
use std::collections::BTreeMap;

fn schema() -> Schema {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    let item = json!({"type": "object", "properties": {"k": text, "v": number, "w": text}});
    Schema::parse(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "text": text,
        "number": number,
        "free": {"type": "object", "additionalProperties": text},
        "whole": {"type": "object", "additionalProperties": text, "x-kubernetes-map-type": "atomic"},
        "inner": {"type": "object", "properties": {"a": number, "b": number}},
        "set": {"type": "array", "items": text, "x-kubernetes-list-type": "set"},
        "plain": {"type": "array", "items": number},
        "map": {"type": "array", "items": item, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
    }}}}))
}

/// An object with some of the members, none of them empty: Go leaves those out.
fn config() -> impl Strategy<Value = Value> {
    let texts = || btree_map("[ab]", "[xyz]", 1..3);
    let item = (option::of(0..3_i64), option::of("[xy]"));
    let members = (
        option::of("[xyz]"),
        option::of(0..3_i64),
        option::of(texts()),
        option::of(texts()),
        option::of(btree_map("[ab]", 0..3_i64, 1..3)),
        option::of(btree_set("[xyz]", 1..4)),
        option::of(vec(0..3_i64, 1..3)),
        option::of(btree_map("[klm]", item, 1..4)),
    );
    members.prop_map(|(text, number, free, whole, inner, set, plain, map)| {
        let map = map.map(|items| {
            items.into_iter().map(|(key, (v, w))| without_nulls(json!({"k": key, "v": v, "w": w}))).collect::<Vec<_>>()
        });
        let spec = without_nulls(json!({
            "text": text, "number": number, "free": free, "whole": whole, "inner": inner, "set": set, "plain": plain,
            "map": map,
        }));
        json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": spec})
    })
}

fn without_nulls(mut value: Value) -> Value {
    if let Value::Object(map) = &mut value {
        map.retain(|_, value| !value.is_null());
    }
    value
}

const CONTAINERS: [&str; 5] = ["f:spec", "f:free", "f:inner", "f:set", "f:map"];
const MANAGERS: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone)]
enum Write {
    Apply { manager: usize, config: Value, force: bool },
    Update { manager: usize, object: Value },
}

fn writes() -> impl Strategy<Value = Vec<Write>> {
    let apply = (0..MANAGERS.len(), config(), any::<bool>())
        .prop_map(|(manager, config, force)| Write::Apply { manager, config, force });
    let update =
        (0..MANAGERS.len(), config()).prop_map(|(manager, object)| Write::Update { manager, object });
    vec(prop_oneof![3 => apply, 1 => update], 1..8)
}

fn manager(index: usize) -> Manager<'static> {
    let time = "2026-01-08T12:00:00Z";
    Manager { name: MANAGERS[index], api_version: "example.com/v1", subresource: "", time }
}

fn run<T>(test: impl FnOnce(&Context<'_, Resource<'_>>) -> T) -> T {
    let schema = schema();
    let (empty, reset) = (json!({}), Set::new());
    test(&Context { shape: Resource::new(&schema), empty: &empty, reset: &reset, convert: &one_version })
}

/// What a writer owns.
fn owned(object: &Value, name: &str, operation: Operation) -> Set {
    let entries = decode(object).unwrap();
    let entry = entries.into_iter().find(|entry| entry.manager == name && entry.operation == operation);
    entry.map(|entry| entry.fields).unwrap_or_default()
}

/// As upstream's decoder leaves a document: without what holds nothing.
fn decoded(value: &Value) -> Value {
    let hollow = |value: &Value| value.is_null() || value == &json!({}) || value == &json!([]);
    let mut value = value.clone();
    if let Some(Value::Object(spec)) = value.get_mut("spec") {
        spec.retain(|_, value| !hollow(value));
    }
    if value.get("spec").is_some_and(hollow) {
        value["spec"] = json!({});
    }
    value
}

proptest! {
    #[test]
    fn what_is_applied_is_there_and_owned_and_applying_it_again_changes_nothing(
        before in writes(), config in config(), who in 0..MANAGERS.len(),
    ) {
        run(|context| {
            let mut live = None;
            for write in before {
                let Write::Apply { manager: who, config, .. } = write else { continue };
                live = Some(decoded(&apply(context, live.as_ref(), &config, &manager(who), true).unwrap()));
            }
            let after = decoded(&apply(context, live.as_ref(), &config, &manager(who), true).unwrap());
            let difference = compare(context.shape, &config, &after);
            prop_assert!(difference.removed.is_empty() && difference.modified.is_empty(), "{:?} {}", difference, after);
            let fields = update::without_metadata(fields_of(context.shape, &config));
            prop_assert_eq!(owned(&after, MANAGERS[who], Operation::Apply).into_value(), fields.into_value());
            for force in [false, true] {
                let again = apply(context, Some(&after), &config, &manager(who), force);
                prop_assert_eq!(again.as_ref().map(decoded), Ok(after.clone()));
            }
            Ok(())
        })?;
    }

    #[test]
    fn owners_agree_on_what_they_share(writes in writes()) {
        run(|context| {
            let mut live: Option<Value> = None;
            let mut last: BTreeMap<(usize, Operation), Value> = BTreeMap::new();
            for write in writes {
                match write {
                    Write::Apply { manager: who, config, force } => {
                        match apply(context, live.as_ref(), &config, &manager(who), force) {
                            Ok(object) => {
                                live = Some(decoded(&object));
                                last.insert((who, Operation::Apply), config);
                            }
                            Err(ApplyError::Conflicts(conflicts)) => {
                                prop_assert!(!force && !conflicts.is_empty());
                                // The others own what is in conflict, with another value, or what it stands in: a
                                // member that had lost all it had comes back.
                                let wanted = fields_of(context.shape, &config);
                                let mut fields = Vec::new();
                                wanted.for_each(&mut |path| fields.push(display(path)));
                                for conflict in conflicts {
                                    let there = fields.iter().any(|field| field.starts_with(&conflict.field));
                                    prop_assert!(there, "{:?} {:?}", conflict, fields);
                                }
                            }
                            Err(other) => prop_assert!(false, "{:?}", other),
                        }
                    }
                    Write::Update { manager: who, object } => {
                        let mut new = object;
                        if let Some(entries) = live.as_ref().and_then(|live| live.pointer("/metadata/managedFields")) {
                            new["metadata"]["managedFields"] = entries.clone();
                        }
                        update(context, live.as_ref(), &mut new, &manager(who));
                        last.insert((who, Operation::Update), new.clone());
                        live = Some(new);
                    }
                }
                let Some(live) = &live else { continue };
                for ((who, operation), wrote) in &last {
                    let owned = owned(live, MANAGERS[*who], *operation);
                    let difference = compare(context.shape, wrote, live);
                    let changed = difference.modified.union(&difference.removed);
                    // Whoever owns a field finds there what it wrote, so that owners of one field agree. A member that
                    // lost all it had goes though it is owned.
                    let mut lost = Vec::new();
                    owned.intersection(&changed).for_each(&mut |path| {
                        if !path.last().is_some_and(|last| CONTAINERS.contains(last)) {
                            lost.push(display(path));
                        }
                    });
                    prop_assert!(lost.is_empty(), "{} {:?}: {:?} in {}", MANAGERS[*who], operation, lost, live);
                }
            }
            Ok(())
        })?;
    }
}

/// Upstream sets the time when the merged object differs from the live one, which has no `managedFields` while they are merged.
#[test]
fn a_configuration_that_names_managed_fields_counts_as_a_change() {
    run(|context| {
        let config = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"text": "t"}});
        let live = apply(context, None, &config, &manager(0), false).unwrap();
        let time = |config: &Value| {
            let after = apply(context, Some(&live), config, &manager(1), false).unwrap();
            decode(&after).unwrap().into_iter().find(|entry| entry.manager == MANAGERS[1]).unwrap().time
        };
        assert_eq!(time(&config), None);
        let mut named = config.clone();
        named["metadata"]["managedFields"] = Value::Null;
        assert_eq!(time(&named).as_deref(), Some(manager(1).time));
    });
}
