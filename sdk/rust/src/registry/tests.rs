//! The registry on the in-memory host, with a small type in its built-in and its custom form.

mod create;
mod delete;
mod patch;
mod update;

use super::*;
use crate::{Collection, Outcome, Request, native};
use chainplate_apimachinery::{Status, Value, field, request::RequestInfo};
use serde_json::json;

/// A type with `spec` (`size`, `note`) and `status`.
struct Widgets {
    descriptor: Descriptor,
}

impl Strategy for Widgets {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn decode(&self, document: &mut Value, mut strict: Option<&mut Vec<String>>) -> Result<(), String> {
        let Some(map) = document.as_object_mut() else { return Ok(()) };
        map.retain(|key, _| {
            let known =
                matches!(key.as_str(), "apiVersion" | "kind" | "metadata" | "spec" | "status" | "data");
            if let (false, Some(strict)) = (known, strict.as_mut()) {
                strict.push(key.clone());
            }
            known
        });
        match document.pointer("/spec/size") {
            None | Some(Value::Number(_)) => Ok(()),
            Some(_) => {
                Err("json: cannot unmarshal string into Go struct field Widget.spec.size of type int32"
                    .into())
            }
        }
    }

    fn default(&self, object: &mut Value) {
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.entry("size").or_insert(json!(1));
        }
    }

    fn validate(&self, _context: &Context<'_>, object: &Value) -> Vec<field::Error> {
        let path = field::Path::Child(&field::Path::Root, "spec");
        let size = object.pointer("/spec/size").and_then(Value::as_i64).unwrap_or_default();
        if size < 0 {
            vec![field::Error::invalid(&path.child("size"), size, "must not be negative")]
        } else {
            Vec::new()
        }
    }

    fn track(&self, manager: &Manager<'_>, old: Option<&Value>, object: &mut Value) {
        if self.descriptor.decoding == Decoding::Typed && manager.name == "tracked" {
            let mut without = object.clone();
            without["metadata"]["managedFields"] = Value::Null;
            let time = manager.time;
            object["metadata"]["managedFields"] =
                json!([{"manager": manager.name, "operation": "Update", "time": time}]);
            assert!(old.is_none_or(|old| old["metadata"]["uid"].is_string()));
        }
    }

    fn apply(
        &self,
        manager: &Manager<'_>,
        _force: bool,
        current: Option<&Value>,
        patch: Value,
    ) -> Result<Value, Status> {
        let mut merged = current.cloned().unwrap_or(json!({}));
        chainplate_apimachinery::patch::merge(&mut merged, patch);
        merged["metadata"]["managedFields"] = json!([{"manager": manager.name, "operation": "Apply"}]);
        Ok(merged)
    }

    fn check_graceful_delete(&self, _: &Context<'_>, object: &Value, options: &mut DeleteOptions) -> bool {
        if object.pointer("/spec/note") == Some(&json!("slow")) {
            options.grace_period_seconds.get_or_insert(30);
            return true;
        }
        false
    }

    fn is_held(&self, object: &Value) -> bool {
        object.pointer("/spec/note") == Some(&json!("held"))
    }

    fn view(&self, _subresource: &str, object: &Value) -> Result<Value, Status> {
        Ok(json!({"spec": {"replicas": object.pointer("/spec/size")}}))
    }

    fn validate_view(&self, _subresource: &str, view: &Value) -> Vec<field::Error> {
        let path = field::Path::Child(&field::Path::Root, "spec");
        match view.pointer("/spec/replicas").and_then(Value::as_i64) {
            Some(replicas) if replicas >= 0 => Vec::new(),
            other => vec![field::Error::invalid(
                &path.child("replicas"),
                other,
                "must be greater than or equal to 0",
            )],
        }
    }

    fn set_from_view(&self, _subresource: &str, object: &mut Value, view: &Value) -> Result<(), Status> {
        object["spec"]["size"] = view["spec"]["replicas"].clone();
        Ok(())
    }
}

/// A server with that one type.
struct Fixture {
    strategy: Widgets,
    collection: Collection,
    now: &'static str,
}

type Answer = (u16, Value);

impl Fixture {
    fn new(change: impl FnOnce(&mut Descriptor)) -> Self {
        native::reset();
        let mut descriptor = Descriptor::new("example.com", "v1", "widgets", "Widget", true);
        descriptor.generation = Generation::Spec;
        descriptor.allow_unconditional_update = true;
        descriptor.subresources = vec![Subresource::STATUS, Subresource::SCALE].into();
        change(&mut descriptor);
        let collection =
            Collection::open("example.com", "v1", "widgets", "Widget", true, "example.com/widgets").unwrap();
        Self { strategy: Widgets { descriptor }, collection, now: "2030-01-01T00:00:00Z" }
    }

    fn typed() -> Self {
        Self::new(|_| {})
    }

    fn custom() -> Self {
        Self::new(|descriptor| {
            descriptor.decoding = Decoding::Unstructured;
            descriptor.generation = Generation::NotMetadata;
            descriptor.allow_unconditional_update = false;
        })
    }

    /// Sends a request; `path` is what follows `…/namespaces/n/widgets`.
    fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Answer {
        self.send_as(method, path, media_type, body, "me/1.0")
    }

    fn send_as(&self, method: &str, path: &str, media_type: &str, body: &[u8], agent: &str) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = format!("/apis/example.com/v1/namespaces/n/widgets{path}");
        self.send_to(method, &path, query, media_type, body, agent)
    }

    fn send_to(
        &self,
        method: &str,
        path: &str,
        query: &str,
        media_type: &str,
        body: &[u8],
        agent: &str,
    ) -> Answer {
        let info = RequestInfo::parse(method, path, query).unwrap();
        let request = Request::new(info, query).with_body(media_type, body).with_header("user-agent", agent);
        let now = chainplate_apimachinery::time::parse(self.now).unwrap();
        match handle_at(&request, &self.strategy, &self.collection, now) {
            Ok(Outcome::Respond(response)) => response.json().unwrap_or((404, Value::Null)),
            Ok(other) => panic!("{other:?}"),
            Err(status) => (status.code(), status.to_value()),
        }
    }

    fn post(&self, body: Value) -> Answer {
        self.send("POST", "", "application/json", body.to_string().as_bytes())
    }

    fn put(&self, name: &str, body: Value) -> Answer {
        self.send("PUT", &format!("/{name}"), "application/json", body.to_string().as_bytes())
    }

    fn merge(&self, path: &str, body: Value) -> Answer {
        self.send("PATCH", path, "application/merge-patch+json", body.to_string().as_bytes())
    }

    fn get(&self, name: &str) -> Answer {
        self.send("GET", &format!("/{name}"), "", b"")
    }

    fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, "", b"")
    }
}

fn widget(name: &str) -> Value {
    json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": 2}})
}

fn message(answer: &Answer) -> &str {
    answer.1["message"].as_str().unwrap_or_default()
}

#[test]
fn paths_and_verbs_that_do_not_exist_are_told_apart() {
    let typed = Fixture::typed();
    assert_eq!(typed.send("POST", "/a", "application/json", b"{}").0, 405);
    assert_eq!(typed.send("PUT", "", "application/json", b"{}").0, 405);
    assert_eq!(typed.get("a/nothing").0, 404);
    assert_eq!(typed.get("a/nothing").1["details"], json!({}));
    assert_eq!(typed.send("POST", "/a/status", "application/json", b"{}").0, 405);
    assert_eq!(typed.send("DELETE", "/a/status", "", b"").0, 405);
    let cluster = |method: &str, path: &str| typed.send_to(method, path, "", "application/json", b"{}", "").0;
    assert_eq!(cluster("POST", "/apis/example.com/v1/widgets"), 405);
    assert_eq!(cluster("GET", "/apis/example.com/v1/widgets/a"), 404);
    assert_eq!(cluster("POST", "/apis/example.com/v1/watch/namespaces/n/widgets"), 405);
    assert_eq!(cluster("DELETE", "/apis/example.com/v1/watch/namespaces/n/widgets/a"), 405);
    let custom = Fixture::custom();
    let answer = custom.send("PUT", "", "application/json", b"{}");
    assert_eq!((answer.0, message(&answer)), (400, "name must be provided"));
    assert_eq!(custom.get("a/nothing").1["details"]["name"], "a");
    let answer = custom.send("POST", "/a/status", "application/json", b"{}");
    assert_eq!(
        (answer.0, message(&answer)),
        (405, "create is not supported on resources of kind \"widgets.example.com\"")
    );
}

#[test]
fn cluster_scoped_objects_have_no_namespace() {
    let fixture = Fixture::new(|descriptor| descriptor.namespaced = false);
    assert_eq!(fixture.get("a").0, 404);
    let mut body = widget("a");
    body["metadata"]["namespace"] = json!("other");
    let path = "/apis/example.com/v1/widgets";
    let answer = fixture.send_to("POST", path, "", "application/json", body.to_string().as_bytes(), "");
    assert_eq!((answer.0, answer.1["metadata"].get("namespace")), (201, None), "{answer:?}");
}
