use super::*;
use crate::{field, names};
use serde_json::json;

fn decoded(metadata: Value) -> Result<(Value, Vec<String>), String> {
    let mut object = json!({"metadata": metadata});
    let mut unknown = Vec::new();
    decode(&mut object, Some(&mut unknown))?;
    Ok((object["metadata"].take(), unknown))
}

fn texts(errors: &[field::Error]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn empty_members_go_and_unknown_ones_are_named() {
    let (metadata, unknown) = decoded(json!({
        "name": "a", "namespace": "", "labels": {}, "annotations": null, "creationTimestamp": null, "generation": 0,
        "deletionGracePeriodSeconds": 0, "finalizers": [], "ownerReferences": [{"apiVersion": "v1", "nope": 1}],
        "Labels": {"x": "y"}, "selfLink": "/x", "managedFields": [],
    }))
    .unwrap();
    assert_eq!(
        metadata,
        json!({"name": "a", "deletionGracePeriodSeconds": 0, "ownerReferences": [{"apiVersion": "v1"}], "managedFields": []})
    );
    assert_eq!(unknown, ["metadata.Labels", "metadata.ownerReferences[0].nope"]);
}

#[test]
fn types_are_checked_with_go_s_words() {
    for (metadata, want) in [
        (
            json!({"labels": {"a": 5}}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            json!({"labels": []}),
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
        ),
        (
            json!({"name": 1}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.name of type string",
        ),
        (
            json!({"generation": 1.5}),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.generation of type int64",
        ),
        (
            json!({"finalizers": "x"}),
            "json: cannot unmarshal string into Go struct field ObjectMeta.metadata.finalizers of type []string",
        ),
        (json!("x"), "json: cannot unmarshal string into Go struct field metadata of type v1.ObjectMeta"),
    ] {
        assert_eq!(decoded(metadata).unwrap_err(), want);
    }
    assert!(
        decoded(json!({"creationTimestamp": "yesterday"}))
            .unwrap_err()
            .starts_with("parsing time \"yesterday\"")
    );
}

#[test]
fn times_are_normalised() {
    let (metadata, _) = decoded(json!({"creationTimestamp": "2020-01-01T01:00:00.5+01:00"})).unwrap();
    assert_eq!(metadata["creationTimestamp"], "2020-01-01T00:00:00Z");
}

#[test]
fn names_and_namespaces_are_required() {
    assert_eq!(
        texts(&validate(&json!({"metadata": {}}), true, names::subdomain)),
        [
            "metadata.name: Required value: name or generateName is required",
            "metadata.namespace: Required value"
        ]
    );
    let object = json!({"metadata": {"name": "a", "namespace": "n"}});
    assert_eq!(
        texts(&validate(&object, false, names::subdomain)),
        ["metadata.namespace: Forbidden: not allowed on this type"]
    );
    assert!(validate(&object, true, names::subdomain).is_empty());
}

#[test]
fn owners_are_validated() {
    let owner = |reference: Value| {
        let object = json!({"metadata": {"name": "a", "ownerReferences": [reference]}});
        texts(&validate(&object, false, names::subdomain))
    };
    assert_eq!(
        owner(json!({"apiVersion": "v1"})),
        [
            "metadata.ownerReferences.kind: Invalid value: \"\": must not be empty",
            "metadata.ownerReferences.name: Invalid value: \"\": must not be empty",
            "metadata.ownerReferences.uid: Invalid value: \"\": must not be empty"
        ]
    );
    assert_eq!(
        owner(json!({"apiVersion": "a/b/c", "kind": "K", "name": "n", "uid": "u"})),
        ["metadata.ownerReferences.apiVersion: Invalid value: \"a/b/c\": version must not be empty"]
    );
    assert_eq!(
        owner(json!({"apiVersion": "v1", "kind": "Event", "name": "o", "uid": "u"})),
        [
            "metadata.ownerReferences: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"o\",\"uid\":\"u\"}: /v1, Kind=Event is disallowed from being an owner"
        ]
    );
}

#[test]
fn one_owner_is_the_controller() {
    let reference = |name: &str| json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": "u", "controller": true});
    let object = json!({"metadata": {"name": "a", "ownerReferences": [reference("o"), reference("p")]}});
    assert_eq!(
        texts(&validate(&object, false, names::subdomain)),
        [
            "metadata.ownerReferences: Invalid value: [{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"o\",\"uid\":\"u\",\"controller\":true},{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"p\",\"uid\":\"u\",\"controller\":true}]: Only one reference can have Controller set to true. Found \"true\" in references for ConfigMap/o and ConfigMap/p"
        ]
    );
}

#[test]
fn equal_owners_are_kept_once() {
    let reference = |uid: &str| json!({"apiVersion": "v1", "kind": "K", "name": "n", "uid": uid});
    let mut object =
        json!({"metadata": {"ownerReferences": [reference("u"), reference("v"), reference("u")]}});
    assert_eq!(dedup_owner_references(&mut object), ["u"]);
    assert_eq!(object::list(&object, "ownerReferences").len(), 2);
}

#[test]
fn finalizers_are_qualified_names_and_the_two_policies_exclude_each_other() {
    let object = json!({"metadata": {"name": "a", "finalizers": ["orphan", "foregroundDeletion"]}});
    assert_eq!(
        texts(&validate(&object, false, names::subdomain)),
        [
            "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and foregroundDeletion cannot be both set"
        ]
    );
    let object = json!({"metadata": {"name": "a", "finalizers": ["e.com/f", "bare", "kubernetes"]}});
    assert_eq!(
        texts(&validate_kube_finalizers(&object)),
        [
            "metadata.finalizers[1]: Invalid value: \"bare\": name is neither a standard finalizer name nor is it fully qualified"
        ]
    );
}

#[test]
fn labels_and_annotations_have_limits() {
    let object = json!({"metadata": {"name": "a", "labels": {"a b": "c", "ok": "-"}, "annotations": {"x/y/z": "1", "UPPER.example.com/k": "x".repeat(ANNOTATIONS_MAX)}}});
    let found = texts(&validate(&object, false, names::subdomain));
    assert_eq!(found.len(), 4, "{found:?}");
    assert!(found[0].starts_with("metadata.labels: Invalid value: \"a b\": name part must consist of"));
    assert!(found[1].starts_with("metadata.labels: Invalid value: \"-\": a valid label must be"));
    assert!(found[2].starts_with("metadata.annotations: Invalid value: \"x/y/z\": a valid label key"));
    assert_eq!(found[3], "metadata.annotations: Too long: may not be more than 262144 bytes");
}

#[test]
fn no_finalizer_is_added_to_what_is_being_deleted() {
    let old = json!({"metadata": {"name": "a", "deletionTimestamp": "2020-01-01T00:00:00Z", "finalizers": ["e.com/f"]}});
    let mut new = old.clone();
    new["metadata"]["finalizers"] = json!(["e.com/f", "e.com/z", "e.com/b"]);
    assert_eq!(
        texts(&validate_update(&new, &old)),
        [
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"e.com/b\", \"e.com/z\"}"
        ]
    );
    new["metadata"]["finalizers"] = json!([]);
    assert!(validate_update(&new, &old).is_empty());
}

#[test]
fn fixed_members_cannot_change() {
    let old = json!({"metadata": {"name": "a", "uid": "u", "generation": 2}});
    let new = json!({"metadata": {"name": "b", "uid": "v", "generation": 1, "deletionTimestamp": "2020-01-01T00:00:00Z"}});
    assert_eq!(
        texts(&validate_update(&new, &old)),
        [
            "metadata.generation: Invalid value: 1: must not be decremented",
            "metadata.name: Invalid value: \"b\": field is immutable",
            "metadata.uid: Invalid value: \"v\": field is immutable",
            "metadata.deletionTimestamp: Invalid value: \"2020-01-01T00:00:00Z\": field is immutable"
        ]
    );
}

#[test]
fn managed_fields_are_validated() {
    let object = json!({"metadata": {"name": "a", "managedFields": [{"operation": "Take", "fieldsType": "V2", "manager": "a\u{7}"}, {}]}});
    let found = texts(&validate(&object, false, names::subdomain));
    assert_eq!(found.len(), 4, "{found:?}");
    assert_eq!(
        found[0],
        "metadata.managedFields[0].operation: Unsupported value: \"Take\": supported values: \"Apply\", \"Update\""
    );
    assert_eq!(found[3], "metadata.managedFields[1].operation: Required value: must not be empty");
}
