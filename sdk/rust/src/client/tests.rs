use super::*;
use crate::native;
use serde::Deserialize;

fn pods() -> Resource {
    Resource::new("", "v1", "pods")
}

fn pod(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "namespace": "a" } })
}

#[test]
fn paths_and_queries_are_encoded() {
    let query = [("labelSelector", "a in (b,c)".to_owned()), ("continue", String::new())];
    assert_eq!(pods().path(None, None, &query), "/api/v1/pods?labelSelector=a%20in%20%28b%2Cc%29");
    let roles = Resource::new("rbac.authorization.k8s.io", "v1", "clusterroles");
    assert_eq!(
        roles.path(None, Some("system:node"), &[]),
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode"
    );
    assert_eq!(
        pods().subresource("status").dry_run().path(Some("a/.."), Some("b"), &[]),
        "/api/v1/namespaces/a%2F../pods/b/status?dryRun=All"
    );
}

#[test]
fn objects_are_made_found_changed_and_removed() {
    native::reset();
    let pods = pods();
    pods.create(Some("a"), &pod("x")).unwrap();
    assert_eq!(pods.create(Some("a"), &pod("x")).unwrap_err().reason(), "AlreadyExists");
    let mut object: Value = pods.get(Some("a"), "x").unwrap();
    object["spec"] = json!({ "nodeName": "n" });
    pods.update(Some("a"), "x", &object).unwrap();
    let patch = Patch::Merge(json!({ "spec": { "nodeName": null, "hostname": "h" } }));
    assert_eq!(pods.patch::<Value>(Some("a"), "x", &patch).unwrap()["spec"], json!({ "hostname": "h" }));
    let patch = Patch::Json(vec![json!({ "op": "remove", "path": "/spec" })]);
    assert!(pods.patch::<Value>(Some("a"), "x", &patch).unwrap().get("spec").is_none());
    pods.delete(Some("a"), "x", None).unwrap();
    assert_eq!(pods.find::<Value>(Some("a"), "x").unwrap(), None);
}

#[test]
fn an_apply_names_its_manager() {
    native::reset();
    native::serve_client(|method, path, media_type, _| {
        assert_eq!((method, media_type), ("PATCH", "application/apply-patch+yaml"));
        assert_eq!(path, "/api/v1/namespaces/a/pods/x?fieldManager=me&force=true");
        Ok(json!({}))
    });
    let patch = Patch::Apply { object: pod("x"), manager: "me".into(), force: true };
    pods().patch::<Value>(Some("a"), "x", &patch).unwrap();
}

#[derive(Deserialize)]
struct Named {
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[test]
fn a_list_goes_on_to_its_end() {
    native::reset();
    for at in 0..1201 {
        native::put_object("/api/v1/namespaces/a/pods", pod(&format!("p{at:04}")));
        native::put_object("/api/v1/namespaces/b/pods", pod(&format!("q{at:04}")));
    }
    let all: Vec<Named> = pods().list(None, &Selection::default()).unwrap();
    assert_eq!(all.len(), 2402);
    let of_one: Vec<Named> = pods().list(Some("a"), &Selection::default()).unwrap();
    assert_eq!(of_one.len(), 1201);
    assert_eq!(of_one[1200].metadata.name, "p1200");
}

#[test]
fn a_list_that_never_ends_is_given_up() {
    native::reset();
    let mut asked = 0;
    native::serve_client(move |_, _, _, _| {
        asked += 1;
        let items: Vec<Value> = (0..500).map(|_| pod("x")).collect();
        Ok(json!({ "metadata": { "continue": asked.to_string() }, "items": items }))
    });
    let status = pods().list::<Value>(None, &Selection::default()).unwrap_err();
    assert_eq!(status.code(), 413);
    native::serve_client(|_, _, _, _| Ok(json!({ "metadata": { "continue": "same" }, "items": null })));
    assert_eq!(pods().list::<Value>(None, &Selection::default()).unwrap_err().code(), 500);
}

#[test]
fn a_refusal_is_told_as_it_is() {
    native::reset();
    native::serve_client(|_, _, _, _| Err(Status::forbidden("", "pods", "x", "no grant")));
    assert_eq!(pods().find::<Value>(Some("a"), "x").unwrap_err().code(), 403);
}
