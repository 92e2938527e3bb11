//! Strategic merge patches over the built-in types, as recordings of a kube-apiserver show them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use chainplate_apimachinery::{
    Value,
    strategic::{PatchError, merge_patch},
};
use chainplate_types::lookup;
use serde_json::json;

fn patched(kind: &str, original: &Value, patch: Value) -> Result<Value, PatchError> {
    let (Value::Object(mut original), Value::Object(patch)) = (original.clone(), patch) else {
        panic!("not objects")
    };
    let group = if kind == "Deployment" { "apps" } else { "" };
    merge_patch(lookup(group, "v1", kind).unwrap(), &mut original, patch)?;
    Ok(Value::Object(original))
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn containers_are_merged_by_name_and_new_ones_come_first() {
    let pod = json!({"spec": {"containers": [
        {"name": "web", "image": "w:1", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], "args": ["x"]},
        {"name": "side", "image": "s:1"}]}});
    let object =
        patched("Pod", &pod, json!({"spec": {"containers": [{"name": "extra", "image": "e:1"}]}})).unwrap();
    assert_eq!(names(&object["spec"]["containers"]), ["extra", "web", "side"]);
    let object = patched(
        "Pod",
        &pod,
        json!({"spec": {"containers": [{"name": "web", "args": ["z"],
            "env": [{"name": "A", "$patch": "delete"}, {"name": "C", "value": "3"}]}]}}),
    )
    .unwrap();
    let web = &object["spec"]["containers"][0];
    assert_eq!(web["args"], json!(["z"]));
    assert_eq!(web["image"], "w:1");
    assert_eq!(names(&web["env"]), ["C", "B"]);
    let object = patched(
        "Pod",
        &pod,
        json!({"spec": {"containers": [{"name": "new", "image": "n"}, {"$patch": "replace"}]}}),
    )
    .unwrap();
    assert_eq!(names(&object["spec"]["containers"]), ["new"]);
    let error = patched("Pod", &pod, json!({"spec": {"containers": [{"image": "no-name"}]}})).unwrap_err();
    assert!(matches!(error, PatchError::Mismatch(_)));
}

#[test]
fn lists_of_scalars_are_merged_as_sets_and_deleted_from() {
    let pod = json!({"metadata": {"finalizers": ["1", "2", "3"]}});
    let finalizers = |patch: Value| patched("Pod", &pod, patch).unwrap()["metadata"]["finalizers"].clone();
    assert_eq!(finalizers(json!({"metadata": {"finalizers": ["4", "1"]}})), json!(["4", "1", "2", "3"]));
    let delete = "$deleteFromPrimitiveList/finalizers";
    assert_eq!(finalizers(json!({"metadata": {delete: ["2", "absent"]}})), json!(["1", "3"]));
    assert_eq!(finalizers(json!({"metadata": {delete: "1"}})), json!(["1", "2", "3"]));
    assert_eq!(
        finalizers(
            json!({"metadata": {"$setElementOrder/finalizers": ["2", "3", "1"], "finalizers": ["3"]}})
        ),
        json!(["2", "3", "1"])
    );
    assert_eq!(
        finalizers(json!({"metadata": {delete: ["1"], "$setElementOrder/finalizers": ["3", "2"]}})),
        json!(["3", "2"])
    );
}

#[test]
fn the_order_of_items_is_set() {
    let pod = json!({"spec": {"containers": [{"name": "b"}, {"name": "a"}, {"name": "c"}]}});
    let order = "$setElementOrder/containers";
    let object = patched(
        "Pod",
        &pod,
        json!({"spec": {order: [{"name": "n"}, {"name": "c"}], "containers": [{"name": "n"}]}}),
    )
    .unwrap();
    assert_eq!(names(&object["spec"]["containers"]), ["n", "b", "a", "c"]);
    let object =
        patched("Pod", &pod, json!({"spec": {order: [{"name": "c"}, {"name": "a"}, {"name": "b"}]}}))
            .unwrap();
    assert_eq!(names(&object["spec"]["containers"]), ["c", "a", "b"]);
    for bad in [json!({order: [{"name": "a"}], "containers": [{"name": "unlisted"}]}), json!({order: "text"})]
    {
        assert!(matches!(patched("Pod", &pod, json!({"spec": bad})), Err(PatchError::Mismatch(_))));
    }
}

#[test]
fn keys_that_are_not_retained_are_cleared() {
    let deployment =
        json!({"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}});
    let strategy = |patch: Value| patched("Deployment", &deployment, json!({"spec": {"strategy": patch}}));
    let object = strategy(json!({"$retainKeys": ["type"], "type": "Recreate"})).unwrap();
    assert_eq!(object["spec"]["strategy"], json!({"type": "Recreate"}));
    let object = strategy(json!({"$patch": "replace", "type": "Recreate"})).unwrap();
    assert_eq!(object["spec"]["strategy"], json!({"type": "Recreate"}));
    for bad in [
        json!({"$retainKeys": ["type"], "rollingUpdate": {"maxSurge": 2}}),
        json!({"$retainKeys": "type", "type": "Recreate"}),
    ] {
        assert_eq!(strategy(bad), Err(PatchError::BadFormat("invalid patch format of retainKeys")));
    }
}

#[test]
fn maps_are_merged_replaced_and_deleted() {
    let pod =
        json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"nodeSelector": {"p": "1", "q": "2"}}});
    let object = patched("Pod", &pod, json!({"spec": {"nodeSelector": {"p": null, "r": "3"}}})).unwrap();
    assert_eq!(object["spec"]["nodeSelector"], json!({"q": "2", "r": "3"}));
    let labels = |patch: Value| patched("Pod", &pod, json!({"metadata": {"labels": patch}}));
    assert_eq!(
        labels(json!({"$patch": "replace", "z": "3"})).unwrap()["metadata"]["labels"],
        json!({"z": "3"})
    );
    assert_eq!(labels(json!({"$patch": "delete"})).unwrap()["metadata"]["labels"], json!({}));
    assert!(labels(json!({"$patch": "frob"})).is_err());
    assert_eq!(labels(Value::Null).unwrap()["metadata"], json!({}));
}
