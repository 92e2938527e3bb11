use super::*;

#[test]
fn a_write_against_an_old_state_is_refused() {
    let fixture = Fixture::typed();
    let (_, first) = fixture.post(widget("a"));
    let mut body = first.clone();
    body["spec"]["size"] = json!(3);
    let (code, second) = fixture.put("a", body.clone());
    assert_eq!((code, &second["metadata"]["generation"]), (200, &json!(2)));
    let answer = fixture.put("a", body.clone());
    assert_eq!(answer.0, 409);
    assert_eq!(
        message(&answer),
        "Operation cannot be fulfilled on widgets.example.com \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    body["metadata"]["resourceVersion"] = json!("word");
    let answer = fixture.put("a", body);
    assert_eq!((answer.0, message(&answer)), (500, "strconv.ParseUint: parsing \"word\": invalid syntax"));
}

#[test]
fn a_version_is_needed_where_the_type_says_so() {
    let body = widget("a");
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    assert_eq!(fixture.put("a", body.clone()).0, 200);
    let fixture = Fixture::custom();
    fixture.post(widget("a"));
    let answer = fixture.put("a", body);
    assert_eq!(
        (answer.0, message(&answer)),
        (
            422,
            "widgets.example.com \"a\" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update"
        )
    );
    assert_eq!(fixture.merge("/a", json!({"spec": {"size": 9}})).0, 200, "a patch stands on what is there");
}

#[test]
fn a_write_that_changes_nothing_moves_nothing() {
    let fixture = Fixture::typed();
    let (_, first) =
        fixture.send("POST", "?fieldManager=tracked", "application/json", widget("a").to_string().as_bytes());
    let later = Fixture { now: "2031-01-01T00:00:00Z", ..fixture };
    let mut body = first.clone();
    body["metadata"].as_object_mut().unwrap().remove("managedFields");
    let (code, second) =
        later.send("PUT", "/a?fieldManager=tracked", "application/json", body.to_string().as_bytes());
    assert_eq!((code, second), (200, first), "not even the times of managed fields");
}

#[test]
fn server_owned_metadata_stays() {
    let fixture = Fixture::typed();
    let (_, first) = fixture.post(widget("a"));
    let mut body = widget("a");
    body["metadata"]["creationTimestamp"] = json!("2001-01-01T00:00:00Z");
    body["metadata"]["generation"] = json!(77);
    let (_, second) = fixture.put("a", body.clone());
    for key in ["uid", "creationTimestamp", "generation"] {
        assert_eq!(second["metadata"][key], first["metadata"][key], "{key}");
    }
    body["metadata"]["deletionTimestamp"] = json!("2001-01-01T00:00:00Z");
    assert_eq!(fixture.put("a", body.clone()).0, 422);
    body = widget("a");
    body["metadata"]["uid"] = json!("other");
    let answer = fixture.put("a", body);
    assert_eq!(answer.0, 409);
    assert!(
        message(&answer).contains("Precondition failed: UID in precondition: other, UID in object meta: ")
    );
}

#[test]
fn name_and_namespace_must_match_the_url() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    assert_eq!(
        message(&fixture.put("a", widget("b"))),
        "the name of the object (b) does not match the name on the URL (a)"
    );
    assert_eq!(
        message(&fixture.put("a", widget(""))),
        "the name of the object (a based on URL) was undeterminable: name must be provided"
    );
}

#[test]
fn a_missing_object_is_made_where_the_type_says_so() {
    let answer = Fixture::typed().put("a", widget("a"));
    assert_eq!((answer.0, message(&answer)), (404, "widgets.example.com \"a\" not found"));
    let fixture = Fixture::new(|descriptor| descriptor.allow_create_on_update = true);
    let (code, object) = fixture.put("a", widget("a"));
    assert_eq!((code, &object["metadata"]["generation"]), (201, &json!(1)));
    let mut body = widget("b");
    body["metadata"]["resourceVersion"] = json!("1");
    assert_eq!(fixture.put("b", body).0, 201);
    let (code, _) =
        fixture.send("PUT", "/c?dryRun=All", "application/json", widget("c").to_string().as_bytes());
    assert_eq!((code, fixture.get("c").0), (201, 404));
    assert_eq!(fixture.merge("/d", json!({})).0, 404, "only apply and PUT make objects");
}

#[test]
fn spec_and_status_are_written_apart() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let mut body = widget("a");
    body["metadata"]["labels"] = json!({"l": "1"});
    body["spec"]["size"] = json!(7);
    body["status"] = json!({"done": true});
    let (code, object) = fixture.send("PUT", "/a/status", "application/json", body.to_string().as_bytes());
    assert_eq!(code, 200);
    assert_eq!((&object["spec"]["size"], &object["status"]["done"]), (&json!(2), &json!(true)));
    assert_eq!(object["metadata"]["generation"], 1);
    let (_, object) = fixture.merge("/a", json!({"spec": {"size": 8}, "status": null}));
    assert_eq!((&object["spec"]["size"], &object["status"]["done"]), (&json!(8), &json!(true)));
    assert_eq!(object["metadata"]["generation"], 2);
    assert_eq!(fixture.get("a/status").1, object);
}

#[test]
fn what_moves_the_generation_is_the_type_s_choice() {
    let generation = |rule: Generation, patch: Value| {
        let fixture = Fixture::new(|descriptor| descriptor.generation = rule);
        fixture.post(widget("a"));
        fixture.merge("/a", patch).1["metadata"]["generation"].clone()
    };
    let (spec, annotation, label, data) = (
        json!({"spec": {"size": 5}}),
        json!({"metadata": {"annotations": {"a": "b"}}}),
        json!({"metadata": {"labels": {"a": "b"}}}),
        json!({"data": {"a": "b"}}),
    );
    assert_eq!(generation(Generation::Off, spec.clone()), Value::Null);
    assert_eq!(generation(Generation::Spec, spec.clone()), 2);
    assert_eq!(generation(Generation::Spec, annotation.clone()), 1);
    assert_eq!(generation(Generation::SpecOrAnnotations, annotation), 2);
    assert_eq!(generation(Generation::SpecOrAnnotations, label.clone()), 1);
    assert_eq!(generation(Generation::NotMetadata, data), 2);
    assert_eq!(generation(Generation::NotMetadata, label), 1);
    assert_eq!(generation(Generation::NotMetadata, json!({"spec": null})), 2);
}

#[test]
fn causes_of_metadata_are_told_as_often_as_upstream_checks() {
    let causes = |whole: bool| {
        let fixture = Fixture::new(|descriptor| descriptor.validates_whole_on_update = whole);
        fixture.post(widget("a"));
        let (code, status) = fixture.merge("/a", json!({"metadata": {"labels": {"a b": "c"}}}));
        assert_eq!(code, 422);
        assert_eq!(status["message"].as_str().unwrap().matches("name part").count(), 1);
        status["details"]["causes"].as_array().unwrap().len()
    };
    assert_eq!((causes(false), causes(true)), (3, 4));
}

#[test]
fn a_view_reads_and_writes_a_part() {
    let fixture = Fixture::typed();
    let (_, object) = fixture.post(widget("a"));
    let (code, scale) = fixture.get("a/scale");
    assert_eq!(code, 200);
    assert_eq!(
        (&scale["kind"], &scale["apiVersion"], &scale["spec"]),
        (&json!("Scale"), &json!("autoscaling/v1"), &json!({"replicas": 2}))
    );
    assert_eq!(scale["metadata"]["uid"], object["metadata"]["uid"]);
    assert_eq!(scale["metadata"].get("generation"), None);
    let (code, scale) = fixture.merge("/a/scale", json!({"spec": {"replicas": 5}}));
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(5)));
    let (_, now) = fixture.get("a");
    assert_eq!((&now["spec"]["size"], &now["metadata"]["generation"]), (&json!(5), &json!(2)));
    let mut stale = scale.clone();
    stale["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
    let put = |body: &Value| fixture.send("PUT", "/a/scale", "application/json", body.to_string().as_bytes());
    assert_eq!(put(&stale).0, 409);
    let mut other = scale.clone();
    other["metadata"]["name"] = json!("other");
    assert_eq!(
        message(&put(&other)),
        "the name of the object (other) does not match the name on the URL (a)"
    );
    let mut negative = scale;
    negative["spec"]["replicas"] = json!(-1);
    assert_eq!(
        message(&put(&negative)),
        "Scale.autoscaling \"a\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0"
    );
    assert_eq!(fixture.get("none/scale").0, 404);
}

#[test]
fn a_version_of_what_is_not_there_says_nothing() {
    let fixture = Fixture::new(|descriptor| descriptor.allow_create_on_update = true);
    let mut body = widget("a");
    body["metadata"]["resourceVersion"] = json!("77");
    assert_eq!(fixture.post(body.clone()).0, 500);
    let (code, object) = fixture.put("a", body);
    assert_eq!(code, 201);
    assert_ne!(object["metadata"]["resourceVersion"], "77");
}

#[test]
fn causes_are_told_as_often_as_the_type_looks() {
    let causes = |whole: bool, path: &str| {
        let fixture = Fixture::new(|descriptor| descriptor.validates_whole_on_update = whole);
        fixture.post(widget("a"));
        let (code, status) = fixture.merge(path, json!({"metadata": {"labels": {"Bad Label!": "x"}}}));
        assert_eq!(code, 422);
        status["details"]["causes"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((causes(false, "/a"), causes(true, "/a"), causes(true, "/a/status")), (3, 4, 3));
}

#[test]
fn a_refusal_names_the_group_that_the_type_is_validated_in() {
    let fixture = Fixture::new(|descriptor| descriptor.told_group = Some("".into()));
    let mut body = widget("a");
    body["spec"]["size"] = json!(-1);
    let (code, status) = fixture.post(body);
    assert_eq!((code, status["details"].get("group")), (422, None));
    assert!(status["message"].as_str().unwrap().starts_with("Widget \"a\" is invalid"));
}
