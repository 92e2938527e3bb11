//! The server against the in-memory host, request by request.

use crate::ApiExtensions;
use chainplate_sdk::{
    Outcome, Plugin, Request, Server,
    apimachinery::{Status, Value, request::RequestInfo},
    native, publication,
};
use serde_json::json;

const CRDS: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS: &str = "/apis/g.example.com/v1/namespaces/ns/widgets";

fn server() -> ApiExtensions {
    native::reset();
    let server = ApiExtensions::configure(json!({})).unwrap();
    server.prepare().unwrap();
    server.post_start().unwrap();
    server
}

fn ask(
    server: &ApiExtensions,
    method: &str,
    path: &str,
    type_: &str,
    body: Value,
) -> Result<Outcome, Status> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let info = RequestInfo::parse(method, path, query).unwrap();
    let mut request = Request::new(info, query);
    if !body.is_null() {
        request = request.with_body(type_, body.to_string());
    }
    server.handle(&request)
}

fn document(outcome: Result<Outcome, Status>) -> (u16, Value) {
    match outcome {
        Ok(Outcome::Respond(response)) => response.json().unwrap_or((200, Value::Null)),
        Ok(_) => (0, "delegated".into()),
        Err(status) => (status.code(), status.to_value()),
    }
}

fn post(server: &ApiExtensions, path: &str, body: Value) -> (u16, Value) {
    document(ask(server, "POST", path, "application/json", body))
}

fn patch(server: &ApiExtensions, path: &str, body: Value) -> (u16, Value) {
    document(ask(server, "PATCH", path, "application/merge-patch+json", body))
}

fn stored(prefix: &str, namespace: Option<&str>, name: &str) -> Option<Value> {
    let objects = chainplate_sdk::Collection::open("", "", "", "", true, prefix).unwrap();
    objects.get(namespace, name).map(|object| serde_json::from_slice(&object.value()).unwrap())
}

fn crd(name: &str) -> Option<Value> {
    stored("apiextensions.k8s.io/customresourcedefinitions", None, name)
}

fn widgets(schema: Value) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "widgets.g.example.com"},
        "spec": {"group": "g.example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}]}})
}

fn sized() -> Value {
    json!({"type": "object", "properties": {
        "spec": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}, "color": {"type": "string", "default": "red"}}},
        "status": {"type": "object", "properties": {"phase": {"type": "string", "enum": ["New", "Done"]}}}}})
}

fn widget(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "g.example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec})
}

#[test]
fn a_new_type_serves_as_soon_as_it_is_made() {
    let server = server();
    assert_eq!(post(&server, WIDGETS, widget("a", json!({"size": 1}))).0, 0);
    let (code, made) = post(&server, CRDS, widgets(sized()));
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["spec"]["names"]["listKind"], "WidgetList");
    let stored_crd = crd("widgets.g.example.com").unwrap();
    assert_eq!(stored_crd["status"]["conditions"][1]["type"], "Established");
    assert_eq!(stored_crd["status"]["conditions"][1]["status"], "True");
    assert!(
        publication::all().unwrap().iter().any(|item| item.group == "g.example.com" && item.version == "v1")
    );

    let (code, object) = post(&server, WIDGETS, widget("a", json!({"size": 1, "nope": true})));
    assert_eq!(code, 201, "{object}");
    assert_eq!(object["spec"], json!({"size": 1, "color": "red"}));
    assert_eq!(object["metadata"]["generation"], 1);
    assert_eq!(native::take_warnings(), ["unknown field \"spec.nope\""]);
    let (code, status) = post(&server, WIDGETS, widget("b", json!({"size": "x"})));
    assert_eq!(code, 422);
    assert_eq!(
        status["message"],
        "Widget.g.example.com \"b\" is invalid: spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\""
    );
}

#[test]
fn status_is_written_through_its_subresource_alone() {
    let server = server();
    post(&server, CRDS, widgets(sized()));
    let mut object = widget("a", json!({"size": 1}));
    object["status"] = json!({"phase": "Done"});
    assert!(post(&server, WIDGETS, object).1.get("status").is_none());
    let path = format!("{WIDGETS}/a");
    let (code, object) = patch(
        &server,
        &format!("{path}/status"),
        json!({"status": {"phase": "New"}, "spec": {"size": 5}, "metadata": {"labels": {"l": "v"}}}),
    );
    assert_eq!(
        (code, &object["status"]["phase"], &object["spec"]["size"]),
        (200, &json!("New"), &json!(1)),
        "{object}"
    );
    assert_eq!(object["metadata"].get("labels"), None, "nor is metadata");
    assert_eq!(object["metadata"]["managedFields"].as_array().map(Vec::len), Some(2));
    let (_, object) = patch(&server, &path, json!({"status": {"phase": "Done"}, "spec": {"size": 2}}));
    assert_eq!((&object["status"]["phase"], &object["metadata"]["generation"]), (&json!("New"), &json!(2)));
    let (code, status) = patch(&server, &format!("{path}/status"), json!({"status": {"phase": "Odd"}}));
    assert_eq!(code, 422);
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .ends_with("status.phase: Unsupported value: \"Odd\": supported values: \"New\", \"Done\"")
    );
}

#[test]
fn what_is_not_served_is_delegated_or_refused_as_upstream_does() {
    let server = server();
    post(&server, CRDS, widgets(sized()));
    post(&server, WIDGETS, widget("a", json!({"size": 1})));
    for (method, path, code) in [
        ("GET", "/apis/g.example.com/v1/namespaces/ns/others", 0),
        ("GET", "/apis/g.example.com/v2/namespaces/ns/widgets", 0),
        ("GET", "/apis/g.example.com/v1/widgets/a", 0),
        ("GET", "/apis/g.example.com/v1", 0),
        ("GET", "/apis/apiextensions.k8s.io/v1/nothing", 404),
        ("GET", "/apis/g.example.com/v1/namespaces/ns/widgets/a/nothing", 404),
        ("GET", "/apis/g.example.com/v1/namespaces/ns/widgets/a/scale", 404),
        ("POST", "/apis/g.example.com/v1/namespaces/ns/widgets/a/status", 405),
    ] {
        assert_eq!(document(ask(&server, method, path, "", Value::Null)).0, code, "{method} {path}");
    }
}

#[test]
fn a_name_in_use_is_not_accepted_until_it_is_free() {
    let server = server();
    post(&server, CRDS, widgets(sized()));
    let mut second = widgets(sized());
    second["metadata"]["name"] = "gadgets.g.example.com".into();
    second["spec"]["names"] = json!({"plural": "gadgets", "singular": "gadget", "kind": "Widget"});
    assert_eq!(post(&server, CRDS, second).0, 201);
    let gadgets = crd("gadgets.g.example.com").unwrap();
    assert_eq!(gadgets["status"]["conditions"][0]["reason"], "ListKindConflict");
    assert_eq!(document(ask(&server, "GET", "/apis/g.example.com/v1/gadgets", "", Value::Null)).0, 0);

    assert_eq!(
        document(ask(&server, "DELETE", &format!("{CRDS}/widgets.g.example.com"), "", Value::Null)).0,
        200
    );
    for task in native::take_tasks() {
        server.run_task(&task).unwrap();
    }
    assert!(crd("widgets.g.example.com").is_none());
    let gadgets = crd("gadgets.g.example.com").unwrap();
    assert_eq!(gadgets["status"]["conditions"][0]["status"], "True");
    assert_eq!(gadgets["status"]["acceptedNames"]["kind"], "Widget");
}

#[test]
fn deleting_a_definition_deletes_its_objects_first() {
    let server = server();
    post(&server, CRDS, widgets(sized()));
    post(&server, WIDGETS, widget("a", json!({"size": 1})));
    let mut held = widget("b", json!({"size": 1}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    post(&server, WIDGETS, held);
    let path = format!("{CRDS}/widgets.g.example.com");
    let (code, answer) = document(ask(&server, "DELETE", &path, "", Value::Null));
    assert_eq!(code, 200, "{answer}");
    assert_eq!(answer["metadata"]["finalizers"], json!(["customresourcecleanup.apiextensions.k8s.io"]));
    assert_eq!(answer["status"]["conditions"][2]["type"], "Terminating");
    assert!(!answer["metadata"]["deletionTimestamp"].is_null());

    let run = |server: &ApiExtensions| {
        for task in native::take_tasks() {
            server.run_task(&task).unwrap();
        }
    };
    run(&server);
    assert!(stored("g.example.com/widgets", Some("ns"), "a").is_none());
    let waiting = stored("g.example.com/widgets", Some("ns"), "b").unwrap();
    assert!(!waiting["metadata"]["deletionTimestamp"].is_null());
    assert!(crd("widgets.g.example.com").is_some());
    let (code, status) = post(&server, WIDGETS, widget("c", json!({"size": 1})));
    assert_eq!(code, 403);
    assert_eq!(
        status["message"],
        "widgets.g.example.com \"c\" is forbidden: create not allowed while custom resource definition is terminating"
    );
    patch(&server, &format!("{WIDGETS}/b"), json!({"metadata": {"finalizers": null}}));
    run(&server);
    assert!(crd("widgets.g.example.com").is_none());
    assert!(!publication::all().unwrap().iter().any(|item| item.group == "g.example.com"));
    assert_eq!(post(&server, CRDS, widgets(sized())).0, 201);
}

#[test]
fn versions_that_are_gone_are_taken_back() {
    let server = server();
    let mut two = widgets(sized());
    let mut second = two["spec"]["versions"][0].clone();
    second["name"] = "v1beta1".into();
    second["storage"] = false.into();
    second["deprecated"] = true.into();
    two["spec"]["versions"].as_array_mut().unwrap().push(second);
    assert_eq!(post(&server, CRDS, two).0, 201);
    let versions = || {
        let all = publication::all().unwrap();
        all.into_iter()
            .filter(|item| item.group == "g.example.com")
            .map(|item| item.version)
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(), ["v1", "v1beta1"]);
    post(&server, WIDGETS, widget("a", json!({"size": 1})));
    let beta = "/apis/g.example.com/v1beta1/namespaces/ns/widgets/a";
    native::take_warnings();
    assert_eq!(
        patch(&server, beta, json!({"metadata": {"labels": {"l": "v"}}})).1["apiVersion"],
        "g.example.com/v1beta1"
    );
    assert_eq!(
        native::take_warnings(),
        ["g.example.com/v1beta1 Widget is deprecated; use g.example.com/v1 Widget"]
    );
    let mut one = crd("widgets.g.example.com").unwrap();
    one["spec"]["versions"].as_array_mut().unwrap().pop();
    let (code, answer) =
        document(ask(&server, "PUT", &format!("{CRDS}/widgets.g.example.com"), "application/json", one));
    assert_eq!(code, 200, "{answer}");
    assert_eq!(versions(), ["v1"]);
    assert_eq!(patch(&server, beta, json!({})).0, 0);
}

#[test]
fn a_start_makes_up_for_what_a_crash_left_undone() {
    let first = server();
    post(&first, CRDS, widgets(sized()));
    publication::replace("g.example.com", &[]).unwrap();
    let again = ApiExtensions::configure(Value::Null).unwrap();
    again.prepare().unwrap();
    again.post_start().unwrap();
    assert!(publication::all().unwrap().iter().any(|item| item.group == "g.example.com"));
}

#[test]
fn definitions_that_break_rules_are_refused() {
    let server = server();
    let (code, status) = post(&server, CRDS, widgets(json!({"properties": {"spec": {"type": "object"}}})));
    assert_eq!(code, 422);
    assert_eq!(
        status["message"],
        "CustomResourceDefinition.apiextensions.k8s.io \"widgets.g.example.com\" is invalid: spec.validation.openAPIV3Schema.type: Required value: must not be empty at the root"
    );
    assert!(crd("widgets.g.example.com").is_none());
}
