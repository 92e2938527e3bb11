use super::*;
use proptest::prelude::*;
use serde_json::json;

fn merged(mut target: Value, patch: Value) -> Value {
    merge(&mut target, patch);
    target
}

fn patched(mut document: Value, patch: Value) -> Result<Value, Refused> {
    let operations = operations(patch, &mut Vec::new()).unwrap();
    apply(&mut document, &operations).map(|()| document)
}

#[test]
fn merge_deletes_with_null_and_merges_objects() {
    assert_eq!(
        merged(
            json!({"a": {"x": 1, "y": 2}, "l": [1, 2]}),
            json!({"a": {"x": null, "z": 3}, "l": [9], "no": null})
        ),
        json!({"a": {"y": 2, "z": 3}, "l": [9]})
    );
    assert_eq!(
        merged(json!({"a": 1}), json!({"a": {"b": {"c": null, "d": [null, {"e": null}]}}})),
        json!({"a": {"b": {"d": [{}]}}})
    );
}

#[test]
fn json_patch_places_in_lists() {
    let list = || json!({"l": ["a", "b", "c"]});
    let one = |op: Value| patched(list(), json!([op])).map(|document| document["l"].clone());
    assert_eq!(one(json!({"op": "add", "path": "/l/0", "value": "x"})).unwrap(), json!(["x", "a", "b", "c"]));
    assert_eq!(one(json!({"op": "add", "path": "/l/-", "value": "x"})).unwrap(), json!(["a", "b", "c", "x"]));
    assert_eq!(one(json!({"op": "add", "path": "/l/3", "value": "x"})).unwrap(), json!(["a", "b", "c", "x"]));
    assert_eq!(one(json!({"op": "remove", "path": "/l/-1"})).unwrap(), json!(["a", "b"]));
    assert_eq!(one(json!({"op": "replace", "path": "/l/1", "value": "x"})).unwrap(), json!(["a", "x", "c"]));
    assert_eq!(one(json!({"op": "move", "from": "/l/2", "path": "/l/0"})).unwrap(), json!(["c", "a", "b"]));
    assert_eq!(
        one(json!({"op": "copy", "from": "/l/0", "path": "/l/-"})).unwrap(),
        json!(["a", "b", "c", "a"])
    );
    for wrong in ["/l/7", "/l/one", "/l/-4", "/none/0", "/l/0/x", ""] {
        assert!(one(json!({"op": "remove", "path": wrong})).is_err(), "{wrong}");
    }
    assert!(one(json!({"op": "add", "path": "/l/4", "value": 1})).is_err());
}

#[test]
fn json_patch_tests_compare_json() {
    let document = || json!({"a": {"b": 1}, "x~/y": 2});
    let test = |path: &str, value: Value| {
        patched(document(), json!([{"op": "test", "path": path, "value": value}])).is_ok()
    };
    assert!(test("/a", json!({"b": 1.0})));
    assert!(test("/x~0~1y", json!(2)));
    assert!(test("/a/none", json!(null)), "nothing is null");
    assert!(!test("/a/none", json!(1)));
    assert!(!test("/none/none", json!(null)));
    assert!(!test("/a/b", json!(2)));
}

#[test]
fn replacing_an_absent_member_adds_it_and_removing_it_fails() {
    assert_eq!(patched(json!({}), json!([{"op": "replace", "path": "/a", "value": 1}])), Ok(json!({"a": 1})));
    assert!(patched(json!({}), json!([{"op": "remove", "path": "/a"}])).is_err());
    assert!(patched(json!({}), json!([{"op": "grow", "path": "/a"}])).is_err());
    assert!(patched(json!({}), json!([{"op": "add", "value": 1}])).is_err());
}

#[test]
fn copies_are_bounded() {
    let big = json!({"a": "x".repeat(MAX_COPIED / 2)});
    let copy = |times: usize| {
        Value::Array(
            (0..times).map(|n| json!({"op": "copy", "from": "/a", "path": format!("/b{n}")})).collect(),
        )
    };
    assert!(patched(big.clone(), copy(1)).is_ok());
    assert_eq!(patched(big, copy(3)), Err(Refused::Copied));
}

#[test]
fn nothing_is_put_deeper_than_documents_can_be_read() {
    let nesting: Vec<Value> = (0..200).map(|_| json!({"op": "copy", "from": "", "path": "/a"})).collect();
    assert_eq!(patched(json!({"a": 1}), nesting.into()), Err(Refused::Depth("/a".into())));
    let pool: Map = (0..200).map(|number| (number.to_string(), json!({}))).collect();
    let sinking: Vec<Value> = (0..199)
        .map(|n| json!({"op": "move", "from": format!("/{n}"), "path": format!("/{}/a", n + 1)}))
        .collect();
    assert_eq!(patched(pool.into(), sinking.into()), Err(Refused::Depth("/126/a".into())));
    let deep = (0..MAX_DEPTH - 1).fold(json!({}), |inner, _| json!([inner]));
    assert!(patched(json!({}), json!([{"op": "add", "path": "/a", "value": deep}])).is_err());
    assert!(patched(json!({}), json!([{"op": "add", "path": "/a", "value": deep[0]}])).is_ok());
}

#[test]
fn operations_are_typed() {
    let mut unknown = Vec::new();
    operations(json!([{"op": "add", "path": "/a", "value": 1, "foo": 2}]), &mut unknown).unwrap();
    assert_eq!(unknown, ["[0].foo"]);
    for (wrong, want) in [
        (json!({}), "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"),
        (json!([1]), "json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"),
        (
            json!([{"op": 1}]),
            "json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
        ),
    ] {
        assert_eq!(operations(wrong, &mut Vec::new()).unwrap_err(), want);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (0..9i64).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// RFC 7396, section 2, word for word.
fn rfc_7396(target: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { return patch };
    let mut target = match target {
        Value::Object(target) => target,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            let before = target.remove(&name).unwrap_or(Value::Null);
            target.insert(name, rfc_7396(before, value));
        }
    }
    Value::Object(target)
}

/// Whether a list has a null anywhere in it, which upstream's library takes out.
fn has_null_in_list(value: &Value, in_list: bool) -> bool {
    match value {
        Value::Null => in_list,
        Value::Array(list) => list.iter().any(|item| has_null_in_list(item, true)),
        Value::Object(map) => map.values().any(|member| has_null_in_list(member, in_list)),
        _ => false,
    }
}

proptest! {
    #[test]
    fn a_merge_is_that_of_the_rfc(target in any_value(), patch in any_value()) {
        prop_assume!(!has_null_in_list(&patch, false) && !patch.is_null());
        prop_assert_eq!(merged(target.clone(), patch.clone()), rfc_7396(target, patch));
    }

    #[test]
    fn what_is_put_somewhere_tests_as_there(document in any_value(), value in any_value()) {
        prop_assume!(document.is_object());
        for op in ["add", "replace"] {
            let patch = json!([{"op": op, "path": "/a", "value": value}, {"op": "test", "path": "/a", "value": value}]);
            let once = patched(document.clone(), patch.clone()).unwrap();
            prop_assert_eq!(&once["a"], &value);
            prop_assert_eq!(patched(once.clone(), patch), Ok(once));
        }
    }

    #[test]
    fn replacing_and_moving_back_is_nothing(list in prop::collection::vec(any_value(), 1..5), from in 0..5_usize, to in 0..5_usize, value in any_value()) {
        let (from, to) = (from % list.len(), to % list.len());
        let document = json!({"l": list});
        let (there, back) = (format!("/l/{to}"), format!("/l/{from}"));
        let moved = json!([{"op": "move", "from": back, "path": there}, {"op": "move", "from": there, "path": back}]);
        prop_assert_eq!(patched(document.clone(), moved), Ok(document.clone()));
        let inserted = json!([{"op": "add", "path": there, "value": value}, {"op": "remove", "path": there}]);
        prop_assert_eq!(patched(document.clone(), inserted), Ok(document.clone()));
        let replaced = json!([{"op": "replace", "path": there, "value": value}, {"op": "replace", "path": there, "value": list[to]}]);
        prop_assert_eq!(patched(document.clone(), replaced), Ok(document.clone()));
        let copied = json!([{"op": "copy", "from": there, "path": "/c"}, {"op": "test", "path": "/c", "value": list[to]}, {"op": "remove", "path": "/c"}]);
        prop_assert_eq!(patched(document.clone(), copied), Ok(document));
    }

    #[test]
    fn a_failed_test_fails_the_patch(value in any_value(), other in any_value()) {
        let outcome = patched(json!({"a": value}), json!([{"op": "test", "path": "/a", "value": other}]));
        prop_assert_eq!(outcome.is_ok(), equal(&value, &other));
    }

    #[test]
    fn merging_twice_is_merging_once(target in any_value(), patch in any_value()) {
        let once = merged(target, patch.clone());
        prop_assert_eq!(merged(once.clone(), patch), once);
    }

    #[test]
    fn an_empty_object_merges_into_an_object_without_change(target in any_value()) {
        prop_assume!(target.is_object());
        prop_assert_eq!(merged(target.clone(), json!({})), target);
    }

    #[test]
    fn adding_then_removing_is_nothing(value in any_value()) {
        let patch = json!([{"op": "add", "path": "/new", "value": value}, {"op": "test", "path": "/new", "value": value}, {"op": "remove", "path": "/new"}]);
        prop_assert_eq!(patched(json!({"a": 1}), patch), Ok(json!({"a": 1})));
    }

    #[test]
    fn no_path_makes_it_panic(document in any_value(), path in "(/[a-c0-9~-]{0,2}){0,3}", from in "(/[a-c0-9-]{0,2}){0,3}", op in "(add|remove|replace|move|copy|test)") {
        let _ = patched(document, json!([{"op": op, "path": path, "from": from, "value": {"a": []}}]));
    }
}
