//! Field management over the built-in types, as recordings of a kube-apiserver show it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

use chainplate_apimachinery::{
    Value,
    managed_fields::{
        ApplyError, Context, Manager, Set, apply, ignore_time_only_change, one_version, update,
    },
};
use chainplate_types::{TypeRef, complete, complete_decoded, empty, lookup};
use serde_json::json;

const TIME: &str = "2024-01-01T00:00:00Z";

struct Server {
    shape: TypeRef,
    api_version: &'static str,
    empty: Value,
    reset: Set,
}

impl Server {
    fn new(group: &str, version: &str, kind: &str, api_version: &'static str) -> Self {
        let shape = lookup(group, version, kind).unwrap();
        Self { shape, api_version, empty: empty(shape), reset: Set::new() }
    }

    fn config_map() -> Self {
        Self::new("", "v1", "ConfigMap", "v1")
    }

    fn context(&self) -> Context<'_, TypeRef> {
        Context { shape: self.shape, empty: &self.empty, reset: &self.reset, convert: &one_version }
    }

    fn manager<'a>(&self, name: &'a str) -> Manager<'a> {
        Manager { name, api_version: self.api_version, subresource: "", time: TIME }
    }

    fn update(&self, live: Option<&Value>, new: Value, name: &str) -> Value {
        let mut new = new;
        complete(self.shape, &mut new);
        update(&self.context(), live, &mut new, &self.manager(name));
        new
    }

    fn apply(
        &self,
        live: Option<&Value>,
        config: &Value,
        name: &str,
        force: bool,
    ) -> Result<Value, ApplyError> {
        apply(&self.context(), live, config, &self.manager(name), force)
    }
}

/// manager → fields
fn owners(object: &Value) -> Value {
    let mut out = serde_json::Map::new();
    for entry in object["metadata"]["managedFields"].as_array().unwrap_or(&vec![]) {
        out.insert(entry["manager"].as_str().unwrap().into(), entry["fieldsV1"].clone());
    }
    Value::Object(out)
}

fn config_map(data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
}

#[test]
fn each_writer_owns_what_it_changed() {
    let server = Server::config_map();
    let first = server.update(None, config_map(json!({"k": "v"})), "one");
    assert_eq!(
        first["metadata"]["managedFields"],
        json!([{"manager": "one", "operation": "Update", "apiVersion": "v1", "time": TIME,
            "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {".": {}, "f:k": {}}}}])
    );
    let second = server.update(Some(&first), config_map(json!({"k": "v", "l": "w"})), "two");
    assert_eq!(
        owners(&second),
        json!({"one": {"f:data": {".": {}, "f:k": {}}}, "two": {"f:data": {"f:l": {}}}})
    );
    let mut labelled = second.clone();
    labelled["metadata"]["labels"] = json!({"x": "y"});
    let third = server.update(Some(&second), labelled, "three");
    assert_eq!(owners(&third)["three"], json!({"f:metadata": {"f:labels": {".": {}, "f:x": {}}}}));
    let fourth = server.update(Some(&third), config_map(json!({"k": "changed"})), "four");
    assert_eq!(owners(&fourth), json!({"one": {"f:data": {}}, "four": {"f:data": {"f:k": {}}}}));
}

#[test]
fn a_client_ends_tracking_by_an_empty_entry() {
    let server = Server::config_map();
    let live = server.update(None, config_map(json!({"k": "v"})), "one");
    for reset in [json!([{}]), json!([])] {
        let mut new = live.clone();
        new["metadata"]["managedFields"] = reset;
        let object = server.update(Some(&live), new, "two");
        assert_eq!(object["metadata"].get("managedFields"), None);
        let later = server.update(Some(&object), config_map(json!({"m": "n"})), "three");
        assert_eq!(later["metadata"].get("managedFields"), None);
    }
}

#[test]
fn a_write_of_nothing_but_the_time_is_none() {
    let server = Server::config_map();
    let live = server.update(None, config_map(json!({"k": "v"})), "one");
    let mut new = live.clone();
    new["metadata"]["managedFields"][0]["time"] = "2025-01-01T00:00:00Z".into();
    ignore_time_only_change(&live, &mut new);
    assert_eq!(new, live);
}

#[test]
fn at_most_ten_updaters_are_told_apart() {
    let server = Server::config_map();
    let mut live = server.update(None, config_map(json!({"k0": "v"})), "m00");
    for number in 1..15 {
        let mut new = live.clone();
        new["data"][format!("k{number}")] = "v".into();
        live = server.update(Some(&live), new, &format!("m{number:02}"));
    }
    let owners = owners(&live);
    assert_eq!(owners.as_object().unwrap().len(), 10);
    assert!(owners.get("ancient-changes").is_some());
    assert!(owners.get("m14").is_some());
}

#[test]
fn items_of_lists_are_owned_by_their_keys() {
    let server = Server::new("apps", "v1", "Deployment", "apps/v1");
    let object = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80}], "command": ["x"]}]}}}});
    let live = server.update(None, object, "one");
    assert_eq!(
        owners(&live)["one"]["f:spec"],
        json!({"f:replicas": {}, "f:selector": {}, "f:template": {
            "f:metadata": {"f:labels": {".": {}, "f:a": {}}},
            "f:spec": {"f:containers": {"k:{\"name\":\"c\"}": {".": {}, "f:name": {}, "f:image": {}, "f:command": {}, "f:resources": {},
                "f:ports": {".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}}}}})
    );
}

#[test]
fn an_applier_removes_what_it_no_longer_applies() {
    let server = Server::config_map();
    let first = server.apply(None, &config_map(json!({"a": "1", "b": "2"})), "x", false).unwrap();
    assert_eq!(first["metadata"]["managedFields"][0]["operation"], "Apply");
    assert_eq!(owners(&first), json!({"x": {"f:data": {"f:a": {}, "f:b": {}}}}));
    let shared = server.apply(Some(&first), &config_map(json!({"b": "2"})), "y", false).unwrap();
    let second = server.apply(Some(&shared), &config_map(json!({"a": "1"})), "x", false).unwrap();
    assert_eq!(second["data"], json!({"a": "1", "b": "2"}), "another applies it, too");
    let third = server.apply(Some(&second), &config_map(json!({"c": "3"})), "x", false).unwrap();
    assert_eq!(third["data"], json!({"b": "2", "c": "3"}));
}

#[test]
fn fields_of_others_are_a_conflict_unless_forced() {
    let server = Server::config_map();
    let live = server.update(None, config_map(json!({"k": "v", "l": "w"})), "one");
    let config = config_map(json!({"k": "other"}));
    let Err(ApplyError::Conflicts(conflicts)) = server.apply(Some(&live), &config, "two", false) else {
        panic!("no conflict")
    };
    assert_eq!(
        ApplyError::conflict_message(&conflicts),
        "Apply failed with 1 conflict: conflict with \"one\" using v1: .data.k"
    );
    let both = config_map(json!({"k": "other", "l": "other"}));
    let Err(ApplyError::Conflicts(conflicts)) = server.apply(Some(&live), &both, "two", false) else {
        panic!("no conflict")
    };
    assert_eq!(
        ApplyError::conflict_message(&conflicts),
        "Apply failed with 2 conflicts: conflicts with \"one\" using v1:\n- .data.k\n- .data.l"
    );
    let forced = server.apply(Some(&live), &config, "two", true).unwrap();
    assert_eq!(forced["data"], json!({"k": "other", "l": "w"}));
    assert_eq!(
        owners(&forced),
        json!({"one": {"f:data": {".": {}, "f:l": {}}}, "two": {"f:data": {"f:k": {}}}})
    );
    let agreed = server.apply(Some(&live), &config_map(json!({"k": "v"})), "two", false).unwrap();
    assert_eq!(agreed["metadata"]["managedFields"][0].get("time"), None, "nothing changed");
}

#[test]
fn untracked_objects_are_owned_by_whoever_was_before() {
    let server = Server::config_map();
    let live = config_map(json!({"k": "v"}));
    let object = server.apply(Some(&live), &config_map(json!({"l": "w"})), "x", false).unwrap();
    assert_eq!(
        owners(&object),
        json!({"before-first-apply": {"f:data": {".": {}, "f:k": {}}}, "x": {"f:data": {"f:l": {}}}})
    );
}

#[test]
fn applied_lists_are_merged_in_the_order_of_the_configuration() {
    let server = Server::new("", "v1", "Service", "v1");
    let service = |ports: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": ports}});
    let live = server
        .apply(None, &service(json!([{"port": 1, "name": "a"}, {"port": 2, "name": "b"}])), "x", false)
        .unwrap();
    let config = service(json!([{"port": 3, "name": "c"}, {"port": 2, "name": "bb"}]));
    let object = server.apply(Some(&live), &config, "y", true).unwrap();
    let names: Vec<&str> = object["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["a", "c", "bb"]);
    let removed = server.apply(Some(&object), &service(json!([])), "x", false).unwrap();
    let names: Vec<&str> = removed["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["c", "bb"]);
    let Err(ApplyError::Invalid(text)) =
        server.apply(None, &service(json!([{"port": 1}, {"port": 1}])), "x", false)
    else {
        panic!("duplicates were taken")
    };
    assert_eq!(text, ".spec.ports: duplicate entries for key [port=1,protocol=\"TCP\"]");
}

#[test]
fn a_configuration_is_held_against_its_type() {
    let server = Server::config_map();
    let refused = |server: &Server, config: Value| match server.apply(None, &config, "m", false) {
        Err(ApplyError::Invalid(why)) => why,
        other => panic!("{other:?}"),
    };
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": 5}});
    assert_eq!(refused(&server, config), ".data.k: expected string, got &value.valueUnstructured{Value:5}");
    let deployments = Server::new("apps", "v1", "Deployment", "apps/v1");
    let config = json!({"spec": {"replicas": "3", "template": {"spec": {"containers": {}}}, "nope": 1}});
    assert_eq!(
        refused(&deployments, config),
        "errors:\n  .spec.nope: field not declared in schema\n  .spec.replicas: expected numeric (int or float), got string\n  .spec.template.spec.containers: expected list, got &{{}}"
    );
}

#[test]
fn a_key_that_is_always_written_goes_without_saying() {
    let server = Server::new("apps", "v1", "Deployment", "apps/v1");
    let config = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
        "spec": {"template": {"spec": {"containers": [{"image": "i"}]}}}});
    let object = server.apply(None, &config, "m", false).unwrap();
    let containers = "/metadata/managedFields/0/fieldsV1/f:spec/f:template/f:spec/f:containers";
    let keys: Vec<&String> = object.pointer(containers).and_then(Value::as_object).unwrap().keys().collect();
    assert_eq!(keys, ["k:{\"name\":\"\"}"]);
}

#[test]
fn an_empty_list_that_was_sent_is_owned() {
    let server = Server::new("rbac.authorization.k8s.io", "v1", "Role", "rbac.authorization.k8s.io/v1");
    let mut sent = json!({"metadata": {"name": "a"}, "rules": []});
    complete_decoded(server.shape, &mut sent);
    update(&server.context(), None, &mut sent, &server.manager("m"));
    assert_eq!(sent["metadata"]["managedFields"][0]["fieldsV1"], json!({"f:rules": {}}));
    complete(server.shape, &mut sent);
    assert_eq!(sent["rules"], Value::Null, "stored as none");
    let mut silent = json!({"metadata": {"name": "a"}});
    complete_decoded(server.shape, &mut silent);
    update(&server.context(), None, &mut silent, &server.manager("m"));
    assert_eq!(silent["metadata"].get("managedFields"), None);
}
