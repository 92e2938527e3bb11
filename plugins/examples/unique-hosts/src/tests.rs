use super::*;
use chainplate_sdk::native;
use serde_json::json;

fn ingress(namespace: &str, name: &str, host: &str, paths: &[&str]) -> Value {
    let paths: Vec<Value> = paths.iter().map(|path| json!({ "path": path, "pathType": "Prefix" })).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "namespace": namespace, "name": name },
        "spec": { "rules": [{ "host": host, "http": { "paths": paths } }] },
    })
}

fn store(objects: &[Value]) {
    native::reset();
    for object in objects {
        let namespace = object["metadata"]["namespace"].as_str().unwrap();
        let collection = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses");
        native::put_object(&collection, object.clone());
    }
}

fn create(object: Value) -> Result<Decision, Status> {
    UniqueHosts::configure(json!({}))
        .unwrap()
        .admit("unique-hosts", &native::AdmissionRequest::create("ingresses", object))
}

fn update(old: Value, object: Value) -> Result<Decision, Status> {
    UniqueHosts::configure(json!({}))
        .unwrap()
        .admit("unique-hosts", &native::AdmissionRequest::update("ingresses", old, object))
}

#[test]
fn a_claim_of_another_tenant_is_refused_without_its_name() {
    store(&[ingress("a", "secret-name", "x.example.com", &["/", "/api"])]);
    let refused = create(ingress("b", "mine", "X.example.com", &["/free", "/api"])).unwrap_err();
    assert_eq!(refused.code(), 403);
    assert_eq!(
        refused.message(),
        r#"ingresses.networking.k8s.io "mine" is forbidden: host "x.example.com" with path "/api" is already claimed by an Ingress in another namespace"#
    );
    assert!(!refused.to_value().to_string().contains("secret-name"));
    assert_eq!(refused.details().unwrap()["causes"][0]["field"], "spec.rules[0].http.paths[1]");
    assert_eq!(create(ingress("b", "mine", "x.example.com", &["/free"])), Ok(Decision::Allow));
}

#[test]
fn a_claim_in_the_same_namespace_is_refused_by_name() {
    store(&[ingress("a", "first", "x.example.com", &[""])]);
    let refused = create(ingress("a", "second", "x.example.com", &["/"])).unwrap_err();
    assert!(refused.message().contains(r#"claimed by Ingress "first""#), "{refused}");
}

#[test]
fn an_ingress_does_not_conflict_with_itself() {
    let old = ingress("a", "one", "x.example.com", &["/"]);
    store(std::slice::from_ref(&old));
    assert_eq!(update(old.clone(), ingress("a", "one", "x.example.com", &["/", "/b"])), Ok(Decision::Allow));
    let elsewhere = ingress("b", "one", "x.example.com", &["/"]);
    assert!(create(elsewhere).is_err(), "the same name in another namespace is another Ingress");
}

#[test]
fn a_conflict_that_is_there_can_be_mended() {
    let old = ingress("b", "late", "x.example.com", &["/"]);
    store(&[ingress("a", "first", "x.example.com", &["/"]), old.clone()]);
    let mut labelled = old.clone();
    labelled["metadata"]["labels"] = json!({ "a": "b" });
    assert_eq!(update(old.clone(), labelled), Ok(Decision::Allow));
    assert_eq!(update(old, ingress("b", "late", "y.example.com", &["/"])), Ok(Decision::Allow));
}

#[test]
fn a_wildcard_of_another_namespace_covers_one_label() {
    store(&[ingress("a", "all", "*.example.com", &["/"])]);
    assert!(create(ingress("b", "x", "x.example.com", &["/"])).is_err());
    assert!(create(ingress("b", "x", "*.example.com", &["/"])).is_err());
    assert_eq!(create(ingress("b", "x", "y.x.example.com", &["/"])), Ok(Decision::Allow));
    assert_eq!(create(ingress("b", "x", "example.com", &["/"])), Ok(Decision::Allow));
    assert_eq!(create(ingress("a", "x", "x.example.com", &["/"])), Ok(Decision::Allow));
    store(&[ingress("a", "x", "x.example.com", &["/"])]);
    assert!(create(ingress("b", "all", "*.example.com", &["/"])).is_err());
}

#[test]
fn an_object_whose_name_is_yet_to_be_made_is_judged() {
    store(&[ingress("a", "first", "x.example.com", &["/"])]);
    let mut generated = ingress("a", "", "x.example.com", &["/"]);
    generated["metadata"] = json!({ "namespace": "a", "generateName": "first-" });
    assert!(create(generated).is_err());
}

#[test]
fn classes_are_apart_where_that_is_configured() {
    store(&[ingress("a", "first", "x.example.com", &["/"])]);
    let mut other = ingress("b", "second", "x.example.com", &["/"]);
    other["spec"]["ingressClassName"] = json!("internal");
    assert!(create(other.clone()).is_err());
    let apart = UniqueHosts::configure(json!({ "perClass": true })).unwrap();
    let request = native::AdmissionRequest::create("ingresses", other);
    assert_eq!(apart.admit("unique-hosts", &request), Ok(Decision::Allow));
}

#[test]
fn claims_on_every_page_count() {
    let many: Vec<Value> = (0..1203)
        .map(|at| ingress("a", &format!("i{at:04}"), &format!("h{at}.example.com"), &["/"]))
        .collect();
    store(&many);
    assert!(create(ingress("b", "late", "h1202.example.com", &["/"])).is_err());
}

#[test]
fn what_cannot_be_looked_up_is_not_allowed() {
    native::reset();
    native::serve_client(|_, _, _, _| {
        Err(Status::forbidden("networking.k8s.io", "ingresses", "", "no grant"))
    });
    let failed = create(ingress("b", "x", "x.example.com", &["/"])).unwrap_err();
    assert_eq!(failed.code(), 500);
    assert!(failed.message().contains("unique-hosts: listing Ingresses: "), "{failed}");
}

#[test]
fn a_misspelt_setting_is_refused() {
    assert!(UniqueHosts::configure(json!({ "perclass": true })).unwrap_err().contains("perclass"));
}
