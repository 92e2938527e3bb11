use super::*;

fn with_finalizers(fixture: &Fixture, name: &str, finalizers: &[&str]) -> Value {
    let mut body = widget(name);
    body["metadata"]["finalizers"] = json!(finalizers);
    let (code, object) = fixture.post(body);
    assert_eq!(code, 201, "{object}");
    object
}

#[test]
fn a_deleted_object_is_answered_with_a_status_or_with_itself() {
    let fixture = Fixture::typed();
    let (_, object) = fixture.post(widget("a"));
    let (code, status) = fixture.delete("/a");
    assert_eq!(code, 200);
    assert_eq!(status["status"], "Success");
    assert_eq!(
        status["details"],
        json!({"name": "a", "group": "example.com", "kind": "widgets", "uid": object["metadata"]["uid"]})
    );
    assert_eq!(fixture.delete("/a").0, 404);
    let fixture = Fixture::new(|descriptor| descriptor.returns_deleted_object = true);
    fixture.post(widget("a"));
    assert_eq!(fixture.delete("/a").1["kind"], "Widget");
    assert_eq!(fixture.get("a").0, 404);
}

#[test]
fn finalizers_hold_an_object_until_the_last_is_gone() {
    let fixture = Fixture::typed();
    let before = with_finalizers(&fixture, "a", &["e.com/f", "e.com/g"]);
    let (code, first) = fixture.delete("/a");
    assert_eq!(code, 200);
    assert_eq!(first["metadata"]["deletionTimestamp"], fixture.now);
    assert_eq!(first["metadata"]["deletionGracePeriodSeconds"], 0);
    assert_eq!(first["metadata"]["generation"], 2);
    assert_ne!(first["metadata"]["resourceVersion"], before["metadata"]["resourceVersion"]);
    let later = Fixture { now: "2031-01-01T00:00:00Z", ..fixture };
    assert_eq!(later.delete("/a"), (200, first.clone()), "a second deletion changes nothing");
    let (code, _) = later.merge("/a", json!({"metadata": {"finalizers": ["e.com/f", "e.com/g", "e.com/h"]}}));
    assert_eq!(code, 422);
    let (code, object) =
        later.merge("/a", json!({"metadata": {"finalizers": ["e.com/g"], "deletionTimestamp": null}}));
    assert_eq!(
        (code, &object["metadata"]["deletionTimestamp"]),
        (200, &first["metadata"]["deletionTimestamp"])
    );
    let (code, last) =
        later.merge("/a", json!({"metadata": {"finalizers": null}, "spec": {"note": "never stored"}}));
    assert_eq!((code, &last["spec"]["note"]), (200, &json!("never stored")));
    assert_eq!(later.get("a").0, 404);
}

#[test]
fn the_last_finalizer_may_go_by_the_status_too_and_not_by_a_dry_run() {
    let fixture = Fixture::typed();
    with_finalizers(&fixture, "a", &["e.com/f"]);
    fixture.delete("/a");
    let patch = json!({"metadata": {"finalizers": []}});
    assert_eq!(fixture.merge("/a?dryRun=All", patch.clone()).0, 200);
    assert_eq!(fixture.get("a").0, 200);
    assert_eq!(fixture.merge("/a/status", patch).0, 200);
    assert_eq!(fixture.get("a").0, 404);
}

#[test]
fn the_propagation_policy_sets_the_collector_s_finalizers() {
    let fixture = Fixture::typed();
    let finalizers = |path: &str| fixture.delete(path).1["metadata"]["finalizers"].clone();
    fixture.post(widget("a"));
    assert_eq!(finalizers("/a?propagationPolicy=Foreground"), json!(["foregroundDeletion"]));
    assert_eq!(finalizers("/a"), json!(["foregroundDeletion"]), "what is there stays");
    assert_eq!(finalizers("/a?orphanDependents=true"), json!(["orphan"]));
    assert_eq!(finalizers("/a?propagationPolicy=Background"), Value::Null);
    assert_eq!(fixture.get("a").0, 404);
    with_finalizers(&fixture, "b", &["e.com/f", "orphan"]);
    assert_eq!(finalizers("/b?propagationPolicy=Background"), json!(["e.com/f"]));
    assert_eq!(fixture.delete("/b?orphanDependents=false").0, 202);
    assert_eq!(fixture.delete("/b?orphanDependents=false&propagationPolicy=Orphan").0, 422);
    let orphaning = Fixture::new(|descriptor| descriptor.default_propagation = DefaultPropagation::Orphan);
    orphaning.post(widget("a"));
    assert_eq!(orphaning.delete("/a").1["metadata"]["finalizers"], json!(["orphan"]));
    let unsupported =
        Fixture::new(|descriptor| descriptor.default_propagation = DefaultPropagation::Unsupported);
    unsupported.post(widget("a"));
    assert_eq!(unsupported.delete("/a?propagationPolicy=Orphan").1["status"], "Success");
}

#[test]
fn a_body_replaces_the_query_s_options() {
    let fixture = Fixture::typed();
    with_finalizers(&fixture, "a", &["e.com/f"]);
    let send = |path: &str, media_type: &str, body: &[u8]| fixture.send("DELETE", path, media_type, body);
    let (code, object) = send(
        "/a?dryRun=All&propagationPolicy=Foreground",
        "application/json",
        br#"{"kind":"DeleteOptions","apiVersion":"v1","propagationPolicy":"Orphan"}"#,
    );
    assert_eq!((code, &object["metadata"]["finalizers"]), (200, &json!(["e.com/f", "orphan"])));
    assert_eq!(fixture.get("a").1, object, "dryRun of the query does not count");
    assert_eq!(send("/a", "text/plain", b"{}").0, 415);
    assert_eq!(send("/a", "application/json", br#"{"kind":"Pod"}"#).0, 400);
    assert_eq!(
        send("/a", "application/yaml", b"propagationPolicy: Foreground\n").1["metadata"]["finalizers"],
        json!(["e.com/f", "foregroundDeletion"])
    );
}

#[test]
fn preconditions_name_the_kind() {
    let fixture = Fixture::typed();
    let (_, object) = fixture.post(widget("a"));
    let send = |preconditions: Value| {
        fixture.send(
            "DELETE",
            "/a",
            "application/json",
            json!({"preconditions": preconditions}).to_string().as_bytes(),
        )
    };
    let (code, status) = send(json!({"uid": "other"}));
    assert_eq!((code, &status["details"]["kind"]), (409, &json!("Widget")));
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("the UID in the precondition (other) does not match the UID in record (")
    );
    assert_eq!(send(json!({"resourceVersion": "999"})).0, 409);
    let metadata = &object["metadata"];
    assert_eq!(send(json!({"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]})).0, 200);
}

#[test]
fn dry_runs_delete_nothing() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    assert_eq!(fixture.delete("/a?dryRun=All").1["status"], "Success");
    let held = with_finalizers(&fixture, "b", &["e.com/f"]);
    let (_, object) = fixture.delete("/b?dryRun=All");
    assert_eq!(object["metadata"]["deletionTimestamp"], fixture.now);
    assert_eq!(fixture.get("b").1, held);
    assert_eq!(fixture.get("a").0, 200);
}

#[test]
fn a_grace_period_can_only_be_shortened() {
    let fixture = Fixture::new(|descriptor| {
        descriptor.graceful_deletion = true;
        descriptor.returns_deleted_object = true;
    });
    let mut body = widget("a");
    body["spec"]["note"] = json!("slow");
    fixture.post(body.clone());
    let (_, object) = fixture.delete("/a");
    assert_eq!(
        (&object["metadata"]["deletionTimestamp"], &object["metadata"]["deletionGracePeriodSeconds"]),
        (&json!("2030-01-01T00:00:30Z"), &json!(30))
    );
    assert_eq!(object["metadata"]["generation"], 2);
    assert_eq!(fixture.delete("/a?gracePeriodSeconds=60").1, object);
    let (_, object) = fixture.delete("/a?gracePeriodSeconds=10");
    assert_eq!(
        (&object["metadata"]["deletionTimestamp"], &object["metadata"]["generation"]),
        (&json!("2030-01-01T00:00:10Z"), &json!(2))
    );
    assert_eq!(fixture.get("a").0, 200);
    fixture.delete("/a?gracePeriodSeconds=0");
    assert_eq!(fixture.get("a").0, 404);
    fixture.post(body);
    let (_, object) = fixture.delete("/a?gracePeriodSeconds=-5");
    assert_eq!(object["metadata"]["deletionGracePeriodSeconds"], 1, "a negative period is a second");
    fixture.post(widget("quick"));
    fixture.delete("/quick");
    assert_eq!(fixture.get("quick").0, 404, "what needs no grace goes at once");
}

#[test]
fn what_a_type_holds_is_marked_only() {
    let fixture = Fixture::typed();
    let mut body = widget("a");
    body["spec"]["note"] = json!("held");
    fixture.post(body);
    let (code, object) = fixture.delete("/a");
    assert_eq!((code, &object["metadata"]["deletionTimestamp"]), (200, &json!(fixture.now)));
    assert_eq!(object["metadata"].get("deletionGracePeriodSeconds"), None);
    assert_eq!(fixture.delete("/a").1, object);
    assert_eq!(fixture.merge("/a", json!({"spec": {"note": null}})).0, 200);
    assert_eq!(fixture.get("a").0, 404);
}

#[test]
fn a_collection_is_deleted_as_a_list() {
    let fixture = Fixture::typed();
    for index in 0..5 {
        fixture.post(widget(&format!("w{index}")));
    }
    with_finalizers(&fixture, "x", &["e.com/f"]);
    let (code, list) = fixture.delete("?limit=2");
    assert_eq!((code, list["items"].as_array().unwrap().len()), (200, 2));
    assert_eq!(fixture.get("w0").0, 404);
    let (_, list) = fixture.delete("");
    assert_eq!(list["kind"], "WidgetList");
    assert_eq!(list["items"].as_array().unwrap().len(), 4);
    assert_eq!(list["items"][0]["kind"], "Widget", "the host takes it out where lists go without");
    assert_eq!(fixture.get("w4").0, 404);
    assert_eq!(fixture.get("x").1["metadata"]["deletionTimestamp"], fixture.now);
}
