//! Extensions against the in-memory host.

use super::*;
use crate::{
    Column, Response, Store,
    native::{self, send},
    registry::{Context, Subresource},
};
use chainplate_apimachinery::request::Verb;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{cell::RefCell, rc::Rc};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, chainplate_sdk::Resource)]
#[resource(
    group = "g.example.com",
    version = "v1",
    kind = "Counter",
    printcolumn(name = "N", type_ = "integer", json_path = ".spec.n")
)]
struct CounterSpec {
    n: u32,
    /// Set by the server alone.
    #[serde(default)]
    steps: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, chainplate_sdk::Resource)]
#[resource(group = "g.example.com", version = "v1", kind = "Loop", plural = "loops")]
struct LoopSpec {
    #[schemars(extend("x-kubernetes-list-type" = "map"))]
    items: Vec<String>,
}

struct Counters;

impl ResourceServer for Counters {
    type Object = Counter;

    fn prepare_for_create(&self, _context: &Context<'_>, object: &mut Counter) {
        object.spec.steps = 1;
    }

    fn prepare_for_update(&self, _context: &Context<'_>, object: &mut Counter, old: &Counter) {
        object.spec.steps = old.spec.steps + 1;
    }

    fn columns(&self) -> Vec<Column> {
        vec![Column {
            name: "Even".into(),
            type_: "boolean".into(),
            format: String::new(),
            description: "Whether it is.".into(),
            priority: 0,
        }]
    }

    fn cells(&self, object: &Counter) -> Vec<Value> {
        vec![object.spec.n.is_multiple_of(2).into()]
    }

    fn subresources(&self) -> Vec<Subresource> {
        vec![Subresource::custom("double", &[Verb::Create, Verb::Patch])]
    }

    fn subresource(&self, request: &Request<'_>, store: &Store<Counter>) -> Result<Outcome, Status> {
        let name = &request.info().name;
        let found = store.get(None, name)?;
        let mut counter = found.ok_or_else(|| Status::not_found("g.example.com", "counters", name))?;
        let body: Value = serde_json::from_slice(&request.body()?).unwrap_or_default();
        counter.spec.n *= u32::try_from(body["by"].as_u64().unwrap_or(2)).unwrap();
        let written = store.update(&counter)?;
        Ok(Response::document(200, json!({"n": written.spec.n}).to_string().as_bytes()).into())
    }
}

struct Things;

impl Plugin for Things {
    const NAME: &'static str = "things";
    const VERSION: &'static str = "1";

    fn configure(_config: Value) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Api for Things {
    fn resources(&self) -> Vec<Endpoint> {
        vec![Served::new(Counters).into()]
    }

    fn paths(&self) -> Vec<String> {
        vec!["/one".into(), "/below/*".into()]
    }

    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let path = request.info().path.as_bytes();
        Ok(Response::bytes(200, "text/plain", path).into())
    }
}

const COUNTERS: &str = "/apis/g.example.com/v1/counters";

fn server() -> Extension<Things> {
    native::reset();
    let server = Extension::<Things>::configure(Value::Null).unwrap();
    server.prepare().unwrap();
    server
}

fn counter(n: u32) -> Value {
    json!({"apiVersion": "g.example.com/v1", "kind": "Counter", "metadata": {"name": "a"}, "spec": {"n": n, "steps": 40}})
}

#[test]
fn fields_of_the_server_are_not_set_by_others() {
    let server = server();
    let (code, made) = send(&server, "POST", COUNTERS, counter(2));
    assert_eq!((code, &made["spec"]["steps"]), (201, &json!(1)), "{made}");
    let changed = send(&server, "PATCH", &format!("{COUNTERS}/a"), json!({"spec": {"n": 3, "steps": 9}})).1;
    assert_eq!(changed["spec"], json!({"n": 3, "steps": 2}));
}

#[test]
fn a_further_subresource_is_answered_by_code() {
    let server = server();
    let told: Value = serde_json::from_slice(&publication::all().unwrap()[0].discovery).unwrap();
    assert_eq!(told["resources"][0]["subresources"][0]["subresource"], "double");
    send(&server, "POST", COUNTERS, counter(2));
    assert_eq!(send(&server, "POST", &format!("{COUNTERS}/a/double"), Value::Null), (200, json!({"n": 4})));
    assert_eq!(send(&server, "GET", &format!("{COUNTERS}/a/double"), Value::Null).0, 405);
    assert_eq!(send(&server, "GET", &format!("{COUNTERS}/a"), Value::Null).1["spec"]["n"], 4);
}

#[test]
fn writes_to_a_further_subresource_go_through_admission() {
    let server = server();
    send(&server, "POST", COUNTERS, counter(2));
    let asked = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&asked);
    native::validate_with(move |attributes, object, _| {
        let read = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
        let kind = attributes.kind.as_ref().map(|kind| kind.name.clone());
        let options = attributes.options.as_deref().map(read).unwrap_or_default();
        log.borrow_mut().push((
            attributes.operation.as_str(),
            attributes.subresource.clone(),
            attributes.name.clone(),
            kind,
            options["kind"].clone(),
            object.map(read),
        ));
        Ok(())
    });
    let double = format!("{COUNTERS}/a/double");
    let body = json!({"apiVersion": "g.example.com/v1", "kind": "Factor", "by": 3});
    assert_eq!(send(&server, "POST", &double, body.clone()).1, json!({"n": 6}));
    assert_eq!(send(&server, "PATCH", &double, json!({"by": 1})).1, json!({"n": 6}));
    let place = |operation| (operation, "double".to_owned(), "a".to_owned());
    let told = |(operation, subresource, name), kind: Option<&str>, options: &str, object| {
        (operation, subresource, name, kind.map(str::to_owned), json!(options), object)
    };
    assert_eq!(
        asked.take(),
        [
            told(place("CREATE"), Some("Factor"), "CreateOptions", Some(body)),
            told(place("UPDATE"), None, "UpdateOptions", None),
        ]
    );
    native::mutate_with(|_, object, _| {
        Ok(object.map(|_| br#"{"apiVersion":"g.example.com/v1","kind":"Factor","by":5}"#.to_vec()))
    });
    assert_eq!(send(&server, "POST", &double, json!({"by": 3})).1, json!({"n": 30}), "as admission left it");
    native::validate_with(|_, _, _| Err(Status::new(403, "Forbidden", "not today")));
    assert_eq!(send(&server, "POST", &double, Value::Null).0, 403);
    assert_eq!(send(&server, "GET", &format!("{COUNTERS}/a"), Value::Null).1["spec"]["n"], 30);
}

#[test]
fn columns_of_code_stand_after_those_by_path() {
    let server = server();
    let object = counter(4).to_string().into_bytes();
    let rows = server.transform("rows", b"counters.g.example.com/v1", vec![object, b"{}".to_vec()]).unwrap();
    assert_eq!(String::from_utf8_lossy(&rows[0]), r#"["a",4,true]"#);
    assert_eq!(String::from_utf8_lossy(&rows[1]), r#"["",null,null]"#);
}

#[test]
fn own_paths_are_claimed_and_answered() {
    let server = server();
    assert_eq!(native::claims(), ["/apis/g.example.com", "/below", "/one$"]);
    assert_eq!(send(&server, "GET", "/below/it", Value::Null), (200, "/below/it".into()));
}

#[test]
fn types_that_cannot_be_served_are_told_to_their_author() {
    let error = Endpoint::from(Served::<Plain<Loop>>::plain()).check().unwrap_err();
    assert!(error.starts_with("the schema of loops.g.example.com in v1 cannot be served: "), "{error}");
    assert!(error.contains("x-kubernetes-list-map-keys"), "{error}");
}
