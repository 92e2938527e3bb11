use super::*;
use serde_json::json;

fn crd(change: impl FnOnce(&mut Value)) -> Value {
    let mut crd = json!({"metadata": {"name": "widgets.g.example.com"}, "spec": {"group": "g.example.com", "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object",
            "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}],
        "conversion": {"strategy": "None"}},
        "status": {"storedVersions": ["v1"], "acceptedNames": {"plural": "", "kind": ""}, "conditions": null}});
    change(&mut crd);
    crd
}

fn texts(change: impl FnOnce(&mut Value)) -> Vec<String> {
    create(&crd(change)).iter().map(ToString::to_string).collect()
}

#[test]
fn a_good_definition_passes() {
    assert!(texts(|_| {}).is_empty());
}

#[test]
fn each_rule_is_told_in_upstreams_words() {
    type Change = fn(&mut Value);
    let cases: [(Change, &str); 14] = [
        (
            |crd| crd["metadata"]["name"] = "x".into(),
            "metadata.name: Invalid value: \"x\": must be spec.names.plural+\".\"+spec.group",
        ),
        (
            |crd| crd["spec"]["scope"] = "Galaxy".into(),
            "spec.scope: Unsupported value: \"Galaxy\": supported values: \"Cluster\", \"Namespaced\"",
        ),
        (
            |crd| crd["spec"]["versions"][0]["schema"] = Value::Null,
            "spec.versions[0].schema.openAPIV3Schema: Required value",
        ),
        (
            |crd| {
                crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"] =
                    json!({"properties": {"spec": {"type": "object"}}})
            },
            "spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root",
        ),
        (
            |crd| crd["spec"]["names"]["listKind"] = "Widget".into(),
            "spec.names.listKind: Invalid value: \"Widget\": kind and listKind may not be the same",
        ),
        (
            |crd| crd["spec"]["preserveUnknownFields"] = true.into(),
            "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        ),
        (
            |crd| crd["spec"]["versions"][0]["deprecationWarning"] = "x".into(),
            "spec.versions[0].deprecationWarning: Invalid value: \"x\": can only be set for deprecated versions",
        ),
        (
            |crd| {
                crd["spec"]["versions"][0]["subresources"] =
                    json!({"scale": {"specReplicasPath": ".spec.r", "statusReplicasPath": ".spec.r"}})
            },
            "spec.subresources.scale.statusReplicasPath: Invalid value: \".spec.r\": should be a json path under .status",
        ),
        (
            |crd| {
                crd["spec"]["versions"][0]["additionalPrinterColumns"] =
                    json!([{"name": "X", "type": "thing", "jsonPath": ".spec.x"}])
            },
            "spec.additionalPrinterColumns[0].type: Invalid value: \"thing\": must be one of boolean,date,integer,number,string",
        ),
        (
            |crd| {
                crd["spec"]["versions"][0]["additionalPrinterColumns"] =
                    json!([{"name": "X", "type": "string", "jsonPath": "spec.x"}])
            },
            "spec.additionalPrinterColumns[0].JSONPath: Invalid value: \"spec.x\": must be a simple json path starting with .",
        ),
        (
            |crd| {
                crd["spec"]["versions"][0]["additionalPrinterColumns"] =
                    json!([{"name": "X", "type": "string", "jsonPath": ".spec.x[", "format": "bogus"}])
            },
            "spec.additionalPrinterColumns[0].format: Invalid value: \"bogus\": must be one of byte,date,date-time,double,float,int32,int64,password",
        ),
        (
            |crd| crd["spec"]["versions"][0]["selectableFields"] = json!([{"jsonPath": ".metadata.name"}]),
            "spec.selectableFields[0].jsonPath: Invalid value: \".metadata.name\": must not point to fields in metadata",
        ),
        (
            |crd| crd["spec"]["conversion"]["strategy"] = "Webhook".into(),
            "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
        ),
        (
            |crd| {
                crd["spec"]["group"] = "k8s.io".into();
                crd["metadata"]["name"] = "widgets.k8s.io".into();
            },
            "metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\", see https://github.com/kubernetes/enhancements/pull/1111",
        ),
    ];
    for (change, wanted) in cases {
        let found = texts(change);
        assert_eq!(found.first().map(String::as_str), Some(wanted), "{found:?}");
    }
}

#[test]
fn versions_that_differ_are_told_one_by_one() {
    let found = texts(|crd| {
        let second = json!({"name": "v2", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "array", "items": {"type": "string"}}}});
        crd["spec"]["versions"].as_array_mut().unwrap().push(second);
    });
    assert_eq!(
        found[0],
        "spec.versions[1].schema.openAPIV3Schema.type: Invalid value: \"array\": must be object at the root"
    );
    assert!(
        found[1].starts_with("spec.versions: Invalid value: ")
            && found[1].ends_with("must have exactly one version marked as storage version")
    );
}

#[test]
fn names_are_immutable_and_stored_versions_stay() {
    let old = crd(|crd| crd["status"]["conditions"] = json!([{"type": "Established", "status": "True"}]));
    let change = |change: &dyn Fn(&mut Value)| {
        let mut new = old.clone();
        change(&mut new);
        update(&new, &old).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(change(&|_| {}).is_empty());
    assert_eq!(
        change(&|new| new["spec"]["scope"] = "Cluster".into()),
        ["spec.scope: Invalid value: \"Cluster\": field is immutable"]
    );
    assert_eq!(
        change(&|new| new["spec"]["group"] = "x.example.com".into()),
        ["spec.group: Invalid value: \"x.example.com\": field is immutable"]
    );
    assert_eq!(
        change(&|new| new["spec"]["names"]["plural"] = "gadgets".into()),
        ["spec.names.plural: Invalid value: \"gadgets\": field is immutable"]
    );
    let renamed = change(&|new| {
        new["spec"]["versions"][0]["name"] = "v2".into();
        new["status"]["storedVersions"] = json!(["v1", "v2"]);
    });
    assert_eq!(renamed.len(), 1);
    assert!(renamed[0].starts_with("status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage version"));
}
