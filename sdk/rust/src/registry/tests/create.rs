use super::*;

#[test]
fn a_new_object_gets_its_metadata_from_the_server() {
    let fixture = Fixture::typed();
    let mut body = widget("a");
    body["metadata"] = json!({"name": "a", "uid": "u", "creationTimestamp": "2001-01-01T00:00:00Z", "generation": 9,
        "deletionTimestamp": "2001-01-01T00:00:00Z", "deletionGracePeriodSeconds": 7, "selfLink": "/x", "resourceVersion": "0"});
    body["status"] = json!({"done": true});
    let (code, object) = fixture.post(body);
    assert_eq!(code, 201, "{object}");
    let metadata = &object["metadata"];
    assert_eq!(metadata["namespace"], "n");
    assert_eq!(metadata["generation"], 1);
    assert_eq!(metadata["creationTimestamp"], fixture.now);
    assert_eq!(metadata["uid"].as_str().unwrap().len(), 36);
    assert_eq!(metadata["resourceVersion"], "1");
    for gone in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
        assert_eq!(metadata.get(gone), None);
    }
    assert_eq!(object.get("status"), None);
    assert_eq!(fixture.get("a"), (200, object));
}

#[test]
fn what_exists_is_not_made_again() {
    let fixture = Fixture::typed();
    fixture.post(widget("a"));
    let answer = fixture.post(widget("a"));
    assert_eq!((answer.0, message(&answer)), (409, "widgets.example.com \"a\" already exists"));
    let dry = fixture.send("POST", "?dryRun=All", "application/json", widget("a").to_string().as_bytes());
    assert_eq!(dry, answer);
    fixture.merge("/a", json!({"metadata": {"finalizers": ["e.com/f"]}}));
    fixture.delete("/a");
    let answer = fixture.post(widget("a"));
    assert_eq!(message(&answer), "object is being deleted: widgets.example.com \"a\" already exists");
}

#[test]
fn a_dry_run_leaves_no_trace() {
    let fixture = Fixture::typed();
    let (code, object) =
        fixture.send("POST", "?dryRun=All", "application/json", widget("a").to_string().as_bytes());
    assert_eq!((code, object["metadata"].get("resourceVersion")), (201, None));
    assert_eq!(fixture.get("a").0, 404);
}

#[test]
fn names_are_generated_and_checked() {
    let fixture = Fixture::typed();
    let mut body = widget("");
    body["metadata"] = json!({"generateName": "web-"});
    let (code, object) = fixture.post(body.clone());
    assert_eq!(code, 201);
    assert_eq!(object["metadata"]["name"].as_str().unwrap().len(), 9);
    assert_eq!(object["metadata"]["generateName"], "web-");
    body["metadata"] = json!({"generateName": "Bad_Prefix-"});
    let (code, status) = fixture.post(body.clone());
    assert_eq!((code, &status["details"]["causes"][0]["field"]), (422, &json!("metadata.generateName")));
    body["metadata"] = json!({});
    let answer = fixture.post(body);
    assert_eq!(
        message(&answer),
        "Widget.example.com \"\" is invalid: metadata.name: Required value: name or generateName is required"
    );
    assert_eq!(answer.1["details"].get("name"), None);
}

#[test]
fn validation_tells_metadata_first_and_all_at_once() {
    let fixture = Fixture::typed();
    let mut body = widget("UPPER");
    body["spec"]["size"] = json!(-1);
    let (code, status) = fixture.post(body);
    assert_eq!(code, 422);
    let fields: Vec<_> = status["details"]["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| cause["field"].as_str().unwrap())
        .collect();
    assert_eq!(fields, ["metadata.name", "spec.size"]);
    assert_eq!(status["details"]["kind"], "Widget");
}

#[test]
fn bare_finalizers_are_refused_where_the_type_says_so() {
    let mut body = widget("a");
    body["metadata"]["finalizers"] = json!(["bare"]);
    let strict = Fixture::new(|descriptor| descriptor.kube_finalizers = true);
    assert_eq!(
        message(&strict.post(body.clone())),
        "Widget.example.com \"a\" is invalid: metadata.finalizers[0]: Invalid value: \"bare\": name is neither a standard finalizer name nor is it fully qualified"
    );
    assert_eq!(Fixture::custom().post(body).0, 201);
}

#[test]
fn namespace_and_type_must_match_the_url() {
    let fixture = Fixture::typed();
    let mut body = widget("a");
    body["metadata"]["namespace"] = json!("other");
    let answer = fixture.post(body);
    assert_eq!(
        (answer.0, message(&answer)),
        (400, "the namespace of the provided object does not match the namespace sent on the request")
    );
    for (key, value) in [("kind", "Gadget"), ("apiVersion", "example.com/v2")] {
        let mut body = widget("a");
        body[key] = json!(value);
        assert_eq!(fixture.post(body).0, 400, "{key}");
    }
    // Go finds type members whatever their case.
    let answer = fixture.post(json!({"ApiVersion": "v2", "Kind": "Other", "metadata": {"name": "d"}}));
    assert_eq!(answer.0, 400);
    assert_eq!(fixture.post(json!({"metadata": {"name": "typeless"}})).0, 201);
    let custom = Fixture::custom();
    assert!(
        message(&custom.post(json!({"metadata": {"name": "a"}}))).contains("Object 'Kind' is missing in")
    );
    let mut body = widget("a");
    body["apiVersion"] = json!("example.com/v2");
    assert_eq!(
        message(&custom.post(body)),
        "the API version in the data (example.com/v2) does not match the expected API version (example.com/v1)"
    );
}

#[test]
fn a_resource_version_cannot_be_chosen() {
    let mut body = widget("a");
    body["metadata"]["resourceVersion"] = json!("1");
    let (code, status) = Fixture::typed().post(body);
    assert_eq!((code, status.get("reason")), (500, None));
    assert_eq!(status["message"], "resourceVersion should not be set on objects to be created");
}

#[test]
fn unknown_and_duplicate_fields_are_told_as_wished() {
    const BODY: &[u8] = br#"{"apiVersion":"example.com/v1","kind":"Widget","metadata":{"name":"a","nope":1},"data":{"k":"1","k":"2"},"extra":{"x":1}}"#;
    const TOLD: [&str; 3] =
        ["unknown field \"metadata.nope\"", "duplicate field \"data.k\"", "unknown field \"extra\""];
    let fixture = Fixture::typed();
    let answer = fixture.send("POST", "?fieldValidation=Strict", "application/json", BODY);
    assert_eq!(
        (answer.0, message(&answer)),
        (
            400,
            &*format!(
                "Widget in version \"v1\" cannot be handled as a Widget: strict decoding error: {}",
                TOLD.join(", ")
            )
        )
    );
    assert!(native::take_warnings().is_empty());
    let (code, object) = fixture.send("POST", "?fieldValidation=Ignore&dryRun=All", "application/json", BODY);
    assert_eq!((code, &object["data"]), (201, &json!({"k": "2"})));
    assert!(native::take_warnings().is_empty());
    assert_eq!(fixture.send("POST", "", "application/json", BODY).0, 201);
    assert_eq!(native::take_warnings(), TOLD);
    let custom = Fixture::custom();
    custom.send("POST", "", "application/json", BODY);
    assert_eq!(native::take_warnings(), [TOLD[1], TOLD[2], TOLD[0]], "duplicates first");
}

#[test]
fn bodies_that_cannot_be_read_are_quoted() {
    let fixture = Fixture::typed();
    let text = |media_type: &str, body: &[u8]| {
        let answer = fixture.send("POST", "", media_type, body);
        assert_eq!(answer.0, 400);
        message(&answer).to_owned()
    };
    assert_eq!(
        text("application/json", b""),
        "the object provided is unrecognized (must be of type Widget): couldn't get version/kind; json parse error: unexpected end of JSON input (<empty>)"
    );
    assert!(
        text("application/yaml", b"metadata:\n  name: [a\n")
            .starts_with("the object provided is unrecognized (must be of type Widget): yaml: line ")
    );
    assert_eq!(
        text("application/json", br#"{"metadata":{"labels":{"a":5}}}"#),
        "Widget in version \"v1\" cannot be handled as a Widget: json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
    );
    assert_eq!(fixture.send("POST", "", "text/plain", b"{}").0, 415);
    assert_eq!(
        fixture.send("POST", "", "application/yaml", b"").0,
        422,
        "an empty document reaches validation"
    );
    assert_eq!(fixture.send("POST", "", "application/json; charset=utf-8", b"null").0, 422);
}

#[test]
fn only_the_first_yaml_document_counts() {
    let (code, object) = Fixture::typed().send(
        "POST",
        "",
        "application/yaml",
        b"kind: Widget\nmetadata:\n  name: c\n---\nkind: Widget\n",
    );
    assert_eq!((code, &object["metadata"]["name"]), (201, &json!("c")));
}

#[test]
fn equal_owners_are_kept_once_and_told() {
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"});
    let mut body = widget("a");
    body["metadata"]["ownerReferences"] = json!([owner, owner]);
    let (_, object) = Fixture::typed().post(body);
    assert_eq!(object["metadata"]["ownerReferences"], json!([owner]));
    assert!(native::take_warnings()[0].ends_with("duplicate UID(s) observed: u"));
}

#[test]
fn options_are_checked_before_the_body() {
    let fixture = Fixture::typed();
    let answer = fixture.send("POST", "?dryRun=None", "application/json", b"{");
    assert_eq!((answer.0, &answer.1["details"]["kind"]), (422, &json!("CreateOptions")));
}

#[test]
fn what_writes_is_known() {
    let fixture = Fixture::typed();
    let (_, object) =
        fixture.send("POST", "?fieldManager=tracked", "application/json", widget("a").to_string().as_bytes());
    assert_eq!(object["metadata"]["managedFields"][0]["manager"], "tracked");
    let (_, object) =
        fixture.send_as("POST", "", "application/json", widget("b").to_string().as_bytes(), "tracked/v1");
    assert_eq!(object["metadata"]["managedFields"][0]["time"], fixture.now);
}
