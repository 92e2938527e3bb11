//! What admission is asked about subresources: the same as upstream's webhooks are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test outside of a test module")]

use chainplate_core::Core;
use chainplate_sdk::{
    Plugin,
    admission::Operation,
    apimachinery::{Status, Value},
    native::{self, Attributes, send},
};
use serde_json::json;
use std::{cell::RefCell, rc::Rc};

/// What the validating hooks were asked: attributes, the document, the old one.
type Asked = Rc<RefCell<Vec<(Attributes, Value, Value)>>>;

const PODS: &str = "/api/v1/namespaces/default/pods";
/// The frame of a certificate request in PEM; nobody looks into it.
const REQUEST: &str =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KQUE9PQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K";

/// A server with a pod, a node, a service and a CertificateSigningRequest, and what admission is asked from then on.
fn server() -> (Core, Asked) {
    native::reset();
    let core = Core::configure(json!({})).unwrap();
    core.prepare().unwrap();
    core.post_start().unwrap();
    for (path, object) in [
        (
            PODS,
            json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            }),
        ),
        ("/api/v1/nodes", json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})),
        (
            "/api/v1/namespaces/default/services",
            json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]},
            }),
        ),
        (
            "/apis/certificates.k8s.io/v1/certificatesigningrequests",
            json!({
                "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "r"},
                "spec": {"request": REQUEST, "signerName": "example.com/s", "usages": ["client auth"]},
            }),
        ),
    ] {
        let (code, made) = send(&core, "POST", path, object);
        assert_eq!(code, 201, "{made}");
    }
    let asked = Asked::default();
    let log = Rc::clone(&asked);
    native::validate_with(move |attributes, object, old| {
        let read =
            |json: Option<&[u8]>| json.map_or(Value::Null, |json| serde_json::from_slice(json).unwrap());
        log.borrow_mut().push((attributes.clone(), read(object), read(old)));
        Ok(())
    });
    (core, asked)
}

/// Refuses whatever is asked about.
fn refuse() {
    native::validate_with(|_, _, _| Err(Status::new(403, "Forbidden", "not today")));
}

fn kind(attributes: &Attributes) -> String {
    let kind = attributes.kind.clone().unwrap_or_default();
    format!("{}/{} {}", kind.group, kind.version, kind.name)
}

fn binding() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "a"},
        "target": {"kind": "Node", "name": "n"},
    })
}

#[test]
fn a_binding_is_asked_about_as_a_create_and_not_done_when_it_is_refused() {
    let (core, asked) = server();
    for (path, subresource) in [
        (format!("{PODS}/a/binding?dryRun=All"), "binding"),
        ("/api/v1/namespaces/default/bindings?dryRun=All".into(), ""),
    ] {
        let (code, done) = send(&core, "POST", &path, binding());
        assert_eq!(code, 201, "{done}");
        let (attributes, object, old) = asked.take().pop().unwrap();
        assert_eq!((attributes.operation, attributes.subresource.as_str()), (Operation::Create, subresource));
        assert_eq!((attributes.namespace.as_deref(), attributes.name.as_str()), (Some("default"), "a"));
        assert_eq!(kind(&attributes), "/v1 Binding");
        assert!(attributes.dry_run);
        let options: Value = serde_json::from_slice(&attributes.options.unwrap()).unwrap();
        assert_eq!((&options["kind"], &options["dryRun"]), (&json!("CreateOptions"), &json!(["All"])));
        assert_eq!(object["metadata"], json!({"name": "a", "namespace": "default"}));
        assert_eq!((&object["target"]["name"], old), (&json!("n"), Value::Null));
    }
    refuse();
    for path in [format!("{PODS}/a/binding"), "/api/v1/namespaces/default/bindings".to_owned()] {
        assert_eq!(send(&core, "POST", &path, binding()).0, 403);
    }
    assert_eq!(send(&core, "GET", &format!("{PODS}/a"), Value::Null).1["spec"].get("nodeName"), None);
}

#[test]
fn a_binding_is_done_as_admission_changed_it() {
    let (core, _) = server();
    native::mutate_with(|_, object, _| {
        let mut object: Value = serde_json::from_slice(object.unwrap()).unwrap();
        object["target"]["name"] = "other".into();
        Ok(Some(object.to_string().into_bytes()))
    });
    assert_eq!(send(&core, "POST", &format!("{PODS}/a/binding"), binding()).0, 201);
    assert_eq!(send(&core, "GET", &format!("{PODS}/a"), Value::Null).1["spec"]["nodeName"], "other");
    native::mutate_with(|_, _, _| Ok(Some(br#"{"apiVersion":"v1","kind":"Pod"}"#.to_vec())));
    let (code, status) = send(&core, "POST", &format!("{PODS}/a/binding"), binding());
    assert_eq!(code, 500);
    assert!(
        status["message"].as_str().unwrap().contains("the Binding that admission plugins made"),
        "{status}"
    );
}

#[test]
fn an_eviction_is_asked_about_as_a_create_and_not_done_when_it_is_refused() {
    let (core, asked) = server();
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a"}});
    let path = format!("{PODS}/a/eviction");
    refuse();
    assert_eq!(send(&core, "POST", &path, eviction.clone()).0, 403);
    assert_eq!(send(&core, "GET", &format!("{PODS}/a"), Value::Null).0, 200);
    let log = Rc::clone(&asked);
    native::validate_with(move |attributes, object, _| {
        log.borrow_mut().push((
            attributes.clone(),
            serde_json::from_slice(object.unwrap()).unwrap(),
            Value::Null,
        ));
        Ok(())
    });
    assert_eq!(send(&core, "POST", &path, eviction).0, 201);
    let asked = asked.take();
    let [(attributes, object, _)] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((attributes.operation, attributes.subresource.as_str()), (Operation::Create, "eviction"));
    assert_eq!((kind(attributes).as_str(), attributes.name.as_str()), ("policy/v1 Eviction", "a"));
    assert_eq!(object["metadata"], json!({"name": "a", "namespace": "default"}));
}

#[test]
fn a_token_is_asked_about_as_a_create_and_not_made_when_it_is_refused() {
    let (core, asked) = server();
    let accounts = "/api/v1/namespaces/default/serviceaccounts";
    send(&core, "POST", accounts, json!({"metadata": {"name": "robot"}}));
    asked.take();
    let path = format!("{accounts}/robot/token");
    let (code, made) = send(&core, "POST", &path, json!({"spec": {"audiences": ["a"]}}));
    assert_eq!(code, 201, "{made}");
    let (attributes, object, _) = asked.take().pop().unwrap();
    assert_eq!((attributes.operation, attributes.subresource.as_str()), (Operation::Create, "token"));
    assert_eq!(
        (kind(&attributes).as_str(), attributes.name.as_str()),
        ("authentication.k8s.io/v1 TokenRequest", "robot")
    );
    assert_eq!((&object["spec"]["expirationSeconds"], object["status"].get("token")), (&json!(3600), None));
    refuse();
    assert_eq!(send(&core, "POST", &path, json!({})).0, 403);
}

#[test]
fn a_review_is_asked_about_as_a_create_and_not_answered_when_it_is_refused() {
    let (core, asked) = server();
    let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    let review = json!({"spec": {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}}});
    let (code, answer) = send(&core, "POST", path, review.clone());
    assert_eq!((code, &answer["status"]["allowed"]), (201, &json!(true)), "{answer}");
    let (attributes, object, _) = asked.take().pop().unwrap();
    assert_eq!((attributes.operation, attributes.namespace.as_deref()), (Operation::Create, None));
    assert_eq!(kind(&attributes), "authorization.k8s.io/v1 SelfSubjectAccessReview");
    assert_eq!(object["spec"], review["spec"]);
    refuse();
    assert_eq!(send(&core, "POST", path, review).0, 403);
}

#[test]
fn parts_of_an_object_are_asked_about_as_updates_with_the_old_object() {
    let (core, asked) = server();
    for (path, change) in [
        (
            format!("{PODS}/a/ephemeralcontainers"),
            json!({"spec": {"ephemeralContainers": [{"name": "e", "image": "i"}]}}),
        ),
        (format!("{PODS}/a/resize"), json!({"spec": {"containers": [{"name": "c", "resources": {}}]}})),
        (format!("{PODS}/a/status"), json!({"status": {"phase": "Running"}})),
        (
            "/apis/certificates.k8s.io/v1/certificatesigningrequests/r/approval".into(),
            json!({"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "r"}]}}),
        ),
    ] {
        let type_ = "application/strategic-merge-patch+json";
        let (code, changed) = native::send_as(&core, "PATCH", &path, type_, change);
        assert_eq!(code, 200, "{path}: {changed}");
        let (attributes, object, old) = asked.take().pop().unwrap();
        assert_eq!(attributes.operation, Operation::Update, "{path}");
        assert!(path.ends_with(&format!("/{}", attributes.subresource)), "{path}");
        assert_eq!(object["metadata"]["uid"], old["metadata"]["uid"], "{path}");
    }
    let mut namespace = send(&core, "GET", "/api/v1/namespaces/default", Value::Null).1;
    namespace["spec"]["finalizers"] = json!(["kubernetes", "example.com/mine"]);
    let (code, changed) = send(&core, "PUT", "/api/v1/namespaces/default/finalize", namespace);
    assert_eq!(code, 200, "{changed}");
    let (attributes, object, old) = asked.take().pop().unwrap();
    assert_eq!((attributes.operation, attributes.subresource.as_str()), (Operation::Update, "finalize"));
    assert_eq!(
        (&object["metadata"]["name"], &old["spec"]["finalizers"]),
        (&json!("default"), &json!(["kubernetes"]))
    );
}

#[test]
fn connections_are_asked_about_with_their_options_before_anybody_looks_for_the_object() {
    let (core, asked) = server();
    for (method, path, name, document) in [
        (
            "POST",
            format!("{PODS}/a/exec?command=sh&command=-c&stdin=false&stdout=1&tty=true&container=c"),
            "a",
            json!({"kind": "PodExecOptions", "stdout": true, "tty": true, "container": "c", "command": ["sh", "-c"]}),
        ),
        (
            "GET",
            format!("{PODS}/gone/attach?stderr"),
            "gone",
            json!({"kind": "PodAttachOptions", "stderr": true}),
        ),
        (
            "POST",
            format!("{PODS}/a/portforward?ports=1,2&ports=3"),
            "a",
            json!({"kind": "PodPortForwardOptions", "ports": [1, 2, 3]}),
        ),
        ("GET", format!("{PODS}/a/proxy/x/y/"), "a", json!({"kind": "PodProxyOptions", "path": "/x/y/"})),
        (
            "DELETE",
            "/api/v1/namespaces/default/services/https:s:80/proxy/x".into(),
            "https:s:80",
            json!({"kind": "ServiceProxyOptions", "path": "/x"}),
        ),
        ("GET", "/api/v1/nodes/n/proxy".into(), "n", json!({"kind": "NodeProxyOptions"})),
    ] {
        let before = send(&core, method, &path, Value::Null).0;
        let (attributes, mut object, old) = asked.take().pop().unwrap_or_else(|| panic!("{path}: not asked"));
        assert_eq!(attributes.operation, Operation::Connect, "{path}");
        assert_eq!(
            (attributes.name.as_str(), &attributes.options, old),
            (name, &None, Value::Null),
            "{path}"
        );
        assert_eq!(kind(&attributes), format!("/v1 {}", document["kind"].as_str().unwrap()));
        assert_eq!(object.as_object_mut().unwrap().remove("apiVersion"), Some(json!("v1")));
        assert_eq!(object, document, "{path}");
        assert!(before >= 400, "nobody is connected: {path}");
    }
    let dry = send(&core, "POST", &format!("{PODS}/a/exec?dryRun=All"), Value::Null);
    assert_eq!((dry.0, dry.1["message"].as_str()), (400, Some("dryRun is not supported")));
    assert_eq!(send(&core, "POST", &format!("{PODS}/a/portforward?ports=x"), Value::Null).0, 400);
    assert!(asked.take().is_empty());
    refuse();
    assert_eq!(send(&core, "POST", &format!("{PODS}/gone/exec"), Value::Null).0, 403);
    assert_eq!(send(&core, "GET", "/api/v1/nodes/gone/proxy", Value::Null).0, 403);
    assert_eq!(
        send(&core, "GET", &format!("{PODS}/a/log"), Value::Null).0,
        204,
        "a log is read, not written"
    );
}
