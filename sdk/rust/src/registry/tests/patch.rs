use super::*;

fn json_patch(fixture: &Fixture, path: &str, body: Value) -> Answer {
    fixture.send("PATCH", path, "application/json-patch+json", body.to_string().as_bytes())
}

#[test]
fn patches_change_what_they_name() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let (code, object) = json_patch(
        &fixture,
        "/a",
        json!([{"op": "test", "path": "/spec/size", "value": 2}, {"op": "replace", "path": "/spec/size", "value": 3}]),
    );
    assert_eq!((code, &object["spec"]["size"]), (200, &json!(3)));
    let (_, object) = fixture.merge("/a", json!({"spec": {"size": null, "note": "x"}}));
    assert_eq!(object["spec"], json!({"size": 1, "note": "x"}), "defaults come back");
    assert_eq!(fixture.merge("/none", json!({})).0, 404);
}

#[test]
fn a_patch_that_does_not_apply_says_little() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let (code, status) =
        json_patch(&fixture, "/a", json!([{"op": "test", "path": "/spec/size", "value": 9}]));
    assert_eq!((code, &status["reason"], &status["details"]), (422, &json!("Invalid"), &json!({})));
    assert_eq!(status["message"], "the server rejected our request due to an error in our request");
}

#[test]
fn malformed_patches_are_bad_requests() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let text = |body: &str| {
        let answer = fixture.send("PATCH", "/a", "application/merge-patch+json", body.as_bytes());
        assert_eq!(answer.0, 400, "{body}");
        message(&answer).to_owned()
    };
    assert_eq!(text("{"), "error decoding patch: unexpected end of JSON input");
    assert_eq!(text(""), "error decoding patch: unexpected end of JSON input");
    assert_eq!(text("null"), "Invalid JSON Patch");
    assert_eq!(
        text("[]"),
        "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
    );
    let many = Value::Array(vec![json!({"op": "test", "path": "/spec/size", "value": 2}); 10_001]);
    let answer = json_patch(&fixture, "/a", many);
    assert_eq!(
        (answer.0, message(&answer)),
        (413, "Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001")
    );
}

#[test]
fn media_types_of_patches_are_the_type_s_and_case_sensitive() {
    let fixture = Fixture::custom();
    fixture.post(widget("a"));
    let answer = fixture.send("PATCH", "/a", "application/strategic-merge-patch+json", b"{}");
    assert_eq!(
        (answer.0, message(&answer)),
        (
            415,
            "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        )
    );
    assert_eq!(fixture.send("PATCH", "/a", "application/Merge-Patch+json", b"{}").0, 415);
    assert_eq!(fixture.send("PATCH", "/a", "application/merge-patch+json; charset=utf-8", b"{}").0, 200);
    let answer = Fixture::typed().send("PATCH", "/a", "application/json", b"{}");
    assert_eq!(
        (answer.0, message(&answer), &answer.1["details"]),
        (415, "415: Unsupported Media Type", &json!({}))
    );
}

#[test]
fn a_result_of_another_type_is_invalid() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    for patch in
        [json!({"spec": {"size": "big"}}), json!({"kind": "Gadget"}), json!({"metadata": {"labels": 5}})]
    {
        let (code, status) = fixture.merge("/a", patch.clone());
        assert_eq!((code, &status["details"]["causes"][0]["field"]), (422, &json!("patch")), "{patch}");
        assert_eq!(status["details"].get("name"), None);
    }
    assert_eq!(
        fixture.merge("/a", json!({"spec": {"size": -1}})).1["details"]["causes"][0]["field"],
        "spec.size"
    );
}

#[test]
fn names_cannot_be_patched() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let answer = fixture.merge("/a", json!({"metadata": {"name": "b"}}));
    assert_eq!(
        (answer.0, message(&answer)),
        (400, "the name of the object (b) does not match the name on the URL (a)")
    );
    let answer = fixture.merge("/a", json!({"metadata": {"uid": "v"}}));
    assert_eq!((answer.0, &answer.1["details"]["causes"][0]["field"]), (422, &json!("metadata.uid")));
}

#[test]
fn a_resource_version_in_a_patch_is_a_condition() {
    let fixture = Fixture::typed();
    let (_, first) = fixture.post(widget("a"));
    let version = &first["metadata"]["resourceVersion"];
    let patch = |size: i64, version: Value| {
        fixture.merge("/a", json!({"metadata": {"resourceVersion": version}, "spec": {"size": size}})).0
    };
    assert_eq!(patch(3, version.clone()), 200);
    assert_eq!(patch(4, version.clone()), 409);
    assert_eq!(patch(4, json!("0")), 200);
    assert_eq!(patch(5, Value::Null), 200);
    assert_eq!(patch(6, json!("word")), 500);
}

#[test]
fn unknown_and_duplicate_fields_of_patches_are_told() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let send = |path: &str| {
        fixture.send(
            "PATCH",
            path,
            "application/merge-patch+json",
            br#"{"data":{"k":"1","k":"2"},"extra":1}"#,
        )
    };
    let (code, status) = send("/a?fieldValidation=Strict");
    assert_eq!((code, &status["details"]["causes"][0]["field"]), (422, &json!("patch")));
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .ends_with("strict decoding error: duplicate field \"data.k\", unknown field \"extra\"")
    );
    assert_eq!(send("/a").0, 200);
    assert_eq!(native::take_warnings(), ["duplicate field \"data.k\"", "unknown field \"extra\""]);
    let (code, _) =
        json_patch(&fixture, "/a", json!([{"op": "add", "path": "/data", "value": {}, "foo": 1}]));
    assert_eq!(
        (code, native::take_warnings()),
        (200, vec!["json patch unknown field \"[0].foo\"".to_owned()])
    );
}

fn apply(fixture: &Fixture, path: &str, body: &str) -> Answer {
    fixture.send("PATCH", path, "application/apply-patch+yaml", body.as_bytes())
}

#[test]
fn apply_makes_or_changes_the_object() {
    let fixture = Fixture::custom();
    let body = "apiVersion: example.com/v1\nkind: Widget\nmetadata:\n  name: a\nspec:\n  size: 4\n";
    let (code, object) = apply(&fixture, "/a?fieldManager=m", body);
    assert_eq!((code, &object["metadata"]["generation"]), (201, &json!(1)), "{object}");
    let (code, object) = apply(&fixture, "/a?fieldManager=m", &body.replace('4', "5"));
    assert_eq!(
        (code, &object["spec"]["size"], &object["metadata"]["generation"]),
        (200, &json!(5), &json!(2))
    );
}

#[test]
fn apply_has_rules_of_its_own() {
    let fixture = Fixture::custom();
    let head = "apiVersion: example.com/v1\nkind: Widget\n";
    let text = |path: &str, body: &str| {
        let answer = apply(&fixture, path, body);
        (answer.0, message(&answer).to_owned())
    };
    assert_eq!(text("/a", head).0, 422, "without a manager");
    let on = "/a?fieldManager=m";
    assert_eq!(
        text(on, &format!("{head}metadata:\n  name: a\n  managedFields: []\n")),
        (400, "metadata.managedFields must be nil".into())
    );
    assert_eq!(
        text(on, "kind: Secret\napiVersion: v1\n"),
        (400, "invalid object type: /v1, Kind=Secret".into())
    );
    assert_eq!(text(on, "{}"), (400, "invalid object type: /, Kind=".into()));
    assert_eq!(
        text(on, &format!("{head}metadata:\n  name: b\n")).1,
        "the name of the object (b) does not match the name on the URL (a)"
    );
    assert_eq!(text(on, &format!("{head}metadata:\n  name: a\n  uid: u\n")).0, 409);
    assert_eq!(
        text(
            &format!("{on}&fieldValidation=Strict"),
            &format!("{head}metadata:\n  name: a\ndata:\n  k: v\n  k: w\n")
        )
        .1,
        "error strict decoding YAML: error converting YAML to JSON: yaml: unmarshal errors:\n  line 7: key \"k\" already set in map"
    );
    assert!(text(on, "a: [").1.starts_with("error decoding YAML: error converting YAML to JSON: yaml: "));
}

#[test]
fn a_view_is_applied_as_what_it_says_of_the_object() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let apply = |body: Value| {
        let body = body.to_string();
        fixture.send("PATCH", "/a/scale?fieldManager=m", "application/apply-patch+yaml", body.as_bytes())
    };
    let scale = |spec: Value| json!({"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, "spec": spec});
    let (code, view) = apply(scale(json!({"replicas": 7})));
    assert_eq!((code, &view["kind"], &view["spec"]["replicas"]), (200, &json!("Scale"), &json!(7)));
    assert_eq!(fixture.get("a").1["spec"]["size"], 7);
    let answer = apply(json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}));
    assert_eq!((answer.0, message(&answer)), (400, "invalid object type: apps/v1, Kind=Deployment"));
    let answer = apply(scale(json!({"size": 1})));
    assert!(answer.0 == 500 && message(&answer).ends_with(".spec.size: field not declared in schema"));
    assert_eq!(apply(scale(json!({"replicas": -1}))).0, 422);
}
