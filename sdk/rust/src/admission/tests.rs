use super::*;
use crate::native;
use chainplate_apimachinery::Cause;
use serde::Deserialize;
use serde_json::json;

fn both_ways(one: Value, other: Value) {
    for (before, after) in [(&one, &other), (&other, &one)] {
        let patch = Decision::patch(&diff(before, after)).unwrap();
        assert_eq!(&patch.apply(before).unwrap(), after, "{patch:?}");
    }
}

#[test]
fn a_diff_makes_one_document_of_the_other() {
    both_ways(json!({"a": 1}), json!({"a": 2, "b": {"c": [1, 2]}}));
    both_ways(json!({"a": [1, 2, 3, {"x": 1}]}), json!({"a": [2]}));
    both_ways(json!({"a/b": {"~": 1}, "": 0}), json!({"a/b": {"~": 2, "/": []}}));
    both_ways(json!({"a": {}}), json!({"a": []}));
    assert!(diff(&json!({"a": [1]}), &json!({"a": [1]})).is_empty());
}

/// Knows only a part of a Pod.
#[derive(Debug, Serialize, Deserialize)]
struct Part {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Serialize, Deserialize)]
struct Metadata {
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Spec {
    containers: Vec<Container>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Container {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<String>,
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "b"},
        "spec": {"nodeName": "n", "containers": [{"name": "x", "tty": true}, {"name": "y", "stdin": true}]},
    })
}

#[test]
fn an_edit_leaves_alone_what_its_type_does_not_know() {
    let request = native::AdmissionRequest::create("pods", pod());
    let decision = Decision::edit(&request, |pod: &mut Part| {
        pod.metadata.labels.insert("a/b".into(), "c".into());
        pod.spec.containers[1].image = Some("i".into());
        pod.spec.containers.insert(0, Container { name: "first".into(), image: None });
    });
    let mut expected = pod();
    expected["metadata"]["labels"] = json!({"a/b": "c"});
    expected["spec"]["containers"] =
        json!([{"name": "first"}, {"name": "x", "tty": true}, {"name": "y", "stdin": true, "image": "i"}]);
    assert_eq!(decision.unwrap().apply(&pod()).unwrap(), expected);
    assert_eq!(Decision::edit(&request, |_: &mut Part| ()).unwrap(), Decision::Allow);
}

#[test]
fn an_edit_keeps_members_of_elements_that_moved() {
    let request = native::AdmissionRequest::create("pods", pod());
    let decision = Decision::edit(&request, |pod: &mut Part| {
        pod.spec.containers.remove(0);
    });
    let pod = decision.unwrap().apply(&pod()).unwrap();
    assert_eq!(pod["spec"]["containers"], json!([{"name": "y", "stdin": true}]));
}

#[test]
fn a_denial_names_the_object_and_may_have_causes() {
    let request = native::AdmissionRequest::create("pods", pod());
    let denied = request.deny("why").with_causes([Cause {
        reason: "FieldValueInvalid".into(),
        message: "no".into(),
        field: "spec".into(),
    }]);
    assert_eq!((denied.code(), denied.message()), (403, r#"pods "a" is forbidden: why"#));
    assert_eq!(denied.details().unwrap()["causes"][0]["field"], "spec");
    let errors = [field::Error::required(&field::Path::Root.child("spec"), "")];
    let invalid = request.invalid(&errors);
    assert_eq!((invalid.code(), invalid.reason()), (422, "Invalid"));
    assert!(invalid.message().starts_with(r#"Pod "a" is invalid: spec"#), "{invalid}");
}

#[test]
fn what_is_not_there_cannot_be_read() {
    let request = native::AdmissionRequest::delete("pods", pod());
    assert_eq!(request.object::<Value>().unwrap_err().code(), 400);
    assert_eq!(request.old_object::<Value>().unwrap()["kind"], "Pod");
    assert_eq!(request.options::<Value>().unwrap(), json!({}));
    let unfit = native::AdmissionRequest::create("pods", json!({"kind": "Pod", "spec": []}));
    assert!(unfit.object::<Part>().unwrap_err().message().contains("object cannot be read"));
}
