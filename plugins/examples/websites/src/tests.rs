//! The extension against the in-memory host, request by request.

use crate::{Web, v1, v1alpha1};
use chainplate_sdk::{
    Extension, Plugin, Resource, Server, Store,
    apimachinery::Value,
    native::{self, send, send_as},
    publication,
};
use serde_json::json;

const V1: &str = "/apis/web.example.com/v1/namespaces/ns/websites";
const ALPHA: &str = "/apis/web.example.com/v1alpha1/namespaces/ns/websites";

fn server() -> Extension<Web> {
    native::reset();
    let server = Extension::<Web>::configure(json!({})).unwrap();
    server.prepare().unwrap();
    server
}

fn website(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "web.example.com/v1", "kind": "Website", "metadata": {"name": name}, "spec": spec})
}

fn git(name: &str) -> Value {
    let host = format!("{name}.example.com");
    website(name, json!({"host": host, "source": {"git": {"url": "https://git.example.com/site"}}}))
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or_default()
}

#[test]
fn a_website_gets_the_defaults_of_its_type_and_those_of_code() {
    let server = server();
    let (code, made) = send(&server, "POST", V1, git("a"));
    assert_eq!(code, 201, "{made}");
    assert_eq!(
        made["spec"],
        json!({"host": "a.example.com", "replicas": 1, "tls": "Automatic",
            "source": {"git": {"url": "https://git.example.com/site", "branch": "main"}}})
    );
    assert_eq!(made["metadata"]["generation"], 1);
    let local = website("b", json!({"host": "b.localhost", "source": {"inline": {"html": "<p>"}}}));
    assert_eq!(send(&server, "POST", V1, local).1["spec"]["tls"], "Off");
}

#[test]
fn what_the_type_or_the_rules_forbid_is_refused_with_the_field() {
    let server = server();
    for (spec, wanted) in [
        (json!({"host": "a.b"}), "spec.source: Required value"),
        (
            json!({"host": "a.b", "source": {"inline": {"html": ""}}, "replicas": 101}),
            "spec.replicas: Invalid value: 101",
        ),
        (
            json!({"host": "a.b", "source": {"inline": {"html": ""}, "git": {"url": "https://x"}}}),
            "spec.source",
        ),
        (json!({"host": "A_b", "source": {"inline": {"html": ""}}}), "spec.host: Invalid value: \"A_b\""),
        (json!({"host": "a.b", "source": {"git": {"url": "git://x"}}}), "spec.source.git.url: Invalid value"),
        (
            json!({"host": "a.b", "source": {"inline": {"html": ""}}, "aliases": [{"host": "a.b"}]}),
            "spec.aliases[0].host: Duplicate value: \"a.b\"",
        ),
        (
            json!({"host": "a.b", "source": {"inline": {"html": ""}}, "aliases": [{"host": "c"}, {"host": "c"}]}),
            "spec.aliases[1]: Duplicate value",
        ),
    ] {
        let (code, status) = send(&server, "POST", V1, website("a", spec));
        assert_eq!(code, 422, "{status}");
        assert!(message(&status).contains(wanted), "{status}");
    }
}

#[test]
fn unknown_fields_are_pruned_warned_of_or_refused() {
    let server = server();
    let mut object = git("a");
    object["spec"]["hots"] = "typo".into();
    let (code, status) = send(&server, "POST", &format!("{V1}?fieldValidation=Strict"), object.clone());
    assert_eq!(code, 400);
    assert!(message(&status).contains("unknown field \"spec.hots\""), "{status}");
    let (code, made) = send(&server, "POST", V1, object);
    assert_eq!((code, made["spec"].get("hots")), (201, None));
    assert_eq!(native::take_warnings(), ["unknown field \"spec.hots\""]);
}

#[test]
fn a_host_belongs_to_one_website_and_stays_with_it() {
    let server = server();
    assert_eq!(send(&server, "POST", V1, git("a")).0, 201);
    let mut other = git("b");
    other["spec"]["host"] = "a.example.com".into();
    let (code, status) = send(&server, "POST", V1, other);
    assert_eq!(code, 409);
    assert!(message(&status).ends_with("the host a.example.com belongs to ns/a"), "{status}");
    let (code, status) =
        send(&server, "PATCH", &format!("{V1}/a"), json!({"spec": {"host": "c.example.com"}}));
    assert_eq!(code, 422);
    assert!(message(&status).contains("spec.host: Forbidden: a website keeps its host"), "{status}");
}

#[test]
fn a_protected_website_is_not_deleted() {
    let server = server();
    let mut object = git("a");
    object["metadata"]["annotations"] = json!({"web.example.com/protect": "true"});
    send(&server, "POST", V1, object);
    let (code, status) = send(&server, "DELETE", &format!("{V1}/a"), Value::Null);
    assert_eq!(code, 403);
    assert!(message(&status).contains("it is protected"), "{status}");
    let free = json!({"metadata": {"annotations": {"web.example.com/protect": null}}});
    assert_eq!(send(&server, "PATCH", &format!("{V1}/a"), free).0, 200);
    assert_eq!(send(&server, "DELETE", &format!("{V1}/a"), Value::Null).0, 200);
}

#[test]
fn both_versions_show_one_website_and_lose_nothing() {
    let server = server();
    let mut object =
        website("a", json!({"host": "a.example.com", "source": {"inline": {"html": "<p>"}}, "tls": "Off"}));
    object["spec"]["aliases"] = json!([{"host": "b", "redirect": true}, {"host": "c", "redirect": false}]);
    let (_, made) = send(&server, "POST", V1, object);
    assert_eq!(native::take_warnings(), ["spec.tls: a.example.com will be served without TLS"]);
    let path = format!("{ALPHA}/a");
    let (code, alpha) = send(&server, "GET", &path, Value::Null);
    assert_eq!((code, &alpha["apiVersion"]), (200, &json!("web.example.com/v1alpha1")));
    assert_eq!(
        alpha["spec"],
        json!({"domain": "a.example.com", "gitRepo": "", "replicas": 1, "aliases": ["b", "c"]})
    );
    assert_eq!(send(&server, "GET", ALPHA, Value::Null).1["items"], json!([alpha]));

    let (code, changed) = send(&server, "PATCH", &path, json!({"spec": {"replicas": 3}}));
    assert_eq!((code, &changed["spec"]["replicas"]), (200, &json!(3)), "{changed}");
    assert!(native::take_warnings().contains(
        &"web.example.com/v1alpha1 Website is deprecated; use web.example.com/v1 Website".to_owned()
    ));
    let (_, now) = send(&server, "GET", &format!("{V1}/a"), Value::Null);
    let mut wanted = made["spec"].clone();
    wanted["replicas"] = 3.into();
    assert_eq!((&now["spec"], &now["apiVersion"]), (&wanted, &json!("web.example.com/v1")));
    assert_eq!(now["metadata"].get("annotations"), None);
    assert_eq!(now["metadata"]["generation"], 2);
}

#[test]
fn a_website_may_be_made_in_the_first_version() {
    let server = server();
    let object = json!({"apiVersion": "web.example.com/v1alpha1", "kind": "Website", "metadata": {"name": "a"},
        "spec": {"domain": "a.example.com", "gitRepo": "https://git.example.com/site#live"}});
    let (code, made) = send(&server, "POST", ALPHA, object.clone());
    assert_eq!((code, &made["spec"]["domain"]), (201, &json!("a.example.com")), "{made}");
    let stored = Store::<v1::Website>::open().unwrap().get(Some("ns"), "a").unwrap().unwrap();
    assert_eq!(
        stored.spec.source,
        v1::Source::Git { url: "https://git.example.com/site".into(), branch: "live".into() }
    );
    assert_eq!(stored.spec.tls, Some(v1::Tls::Automatic), "rules of the stored version hold for all");
    let mut wrong = object;
    wrong["spec"]["gitRepo"] = "git://x".into();
    wrong["metadata"]["name"] = "b".into();
    wrong["spec"]["domain"] = "b.example.com".into();
    assert_eq!(send(&server, "POST", ALPHA, wrong).0, 422);
}

#[test]
fn status_and_scale_are_written_through_their_subresources() {
    let server = server();
    send(&server, "POST", V1, git("a"));
    let path = format!("{V1}/a");
    let status = json!({"status": {"replicas": 2, "selector": "site=a", "conditions": [{"type": "Ready", "status": "True"}]}, "spec": {"replicas": 50}});
    let (code, object) = send(&server, "PATCH", &format!("{path}/status"), status);
    assert_eq!(
        (code, &object["spec"]["replicas"], &object["status"]["replicas"]),
        (200, &json!(1), &json!(2)),
        "{object}"
    );
    let (_, scale) = send(&server, "GET", &format!("{path}/scale"), Value::Null);
    assert_eq!(
        (&scale["kind"], &scale["spec"], &scale["status"]),
        (&json!("Scale"), &json!({"replicas": 1}), &json!({"replicas": 2, "selector": "site=a"}))
    );
    let (code, scale) = send(&server, "PATCH", &format!("{path}/scale"), json!({"spec": {"replicas": 5}}));
    assert_eq!((code, &scale["spec"]["replicas"]), (200, &json!(5)), "{scale}");
    assert_eq!(send(&server, "GET", &path, Value::Null).1["spec"]["replicas"], 5);
    let (code, _) = send(&server, "PATCH", &format!("{path}/scale"), json!({"spec": {"replicas": 500}}));
    assert_eq!(code, 422, "the schema holds for the scale, too");
}

#[test]
fn appliers_share_a_list_by_its_keys() {
    let server = server();
    let apply = |manager: &str, spec: Value| {
        let path = format!("{V1}/a?fieldManager={manager}");
        send_as(&server, "PATCH", &path, "application/apply-patch+yaml", website("a", spec))
    };
    let base =
        json!({"host": "a.example.com", "source": {"inline": {"html": ""}}, "aliases": [{"host": "b"}]});
    assert_eq!(apply("one", base).0, 201);
    let (code, object) = apply("two", json!({"aliases": [{"host": "c", "redirect": true}]}));
    assert_eq!(code, 200, "{object}");
    assert_eq!(
        object["spec"]["aliases"],
        json!([{"host": "b", "redirect": false}, {"host": "c", "redirect": true}])
    );
    let (code, status) = apply("two", json!({"host": "x.example.com"}));
    assert_eq!((code, &status["details"]["causes"][0]["field"]), (409, &json!(".spec.host")));
}

#[test]
fn what_is_served_is_published() {
    let server = server();
    assert_eq!(native::claims(), ["/apis/web.example.com"]);
    let all = publication::all().unwrap();
    let versions: Vec<&str> = all.iter().map(|item| item.version.as_str()).collect();
    assert_eq!(versions, ["v1", "v1alpha1"]);
    let discovery: Value = serde_json::from_slice(&all[0].discovery).unwrap();
    let resource = &discovery["resources"][0];
    assert_eq!(
        (&resource["resource"], &resource["shortNames"], &resource["categories"]),
        (&json!("websites"), &json!(["ws"]), &json!(["all"]))
    );
    let subresources = resource["subresources"].as_array().unwrap();
    assert_eq!(subresources.iter().map(|one| &one["subresource"]).collect::<Vec<_>>(), ["status", "scale"]);
    let document: Value =
        serde_json::from_slice(&server.openapi_v3("web.example.com", "v1").unwrap()).unwrap();
    let schema = &document["components"]["schemas"]["com.example.web.v1.Website"];
    assert_eq!(
        schema["properties"]["spec"]["properties"]["host"]["description"],
        "The host name that it answers to."
    );
    assert!(server.openapi_v3("web.example.com", "v2").is_none());
}

#[test]
fn what_is_not_served_is_not_found_or_delegated() {
    let server = server();
    send(&server, "POST", V1, git("a"));
    for (method, path, code) in [
        ("GET", "/apis/web.example.com/v1/namespaces/ns/others", 404),
        ("GET", "/apis/web.example.com/v2/namespaces/ns/websites", 0),
        ("GET", "/apis/web.example.com/v1/websites/a", 404),
        ("GET", "/apis/web.example.com/v1/namespaces/ns/websites/a/log", 404),
        ("POST", "/apis/web.example.com/v1/namespaces/ns/websites/a/status", 405),
        ("GET", "/apis/other.example.com/v1/websites", 0),
        ("GET", "/elsewhere", 0),
    ] {
        assert_eq!(send(&server, method, path, Value::Null).0, code, "{method} {path}");
    }
}

#[test]
fn rows_have_the_cells_of_the_columns() {
    let server = server();
    let (_, mut made) = send(&server, "POST", V1, git("a"));
    made["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    let columns = json!([
        ["string", ".spec.host"],
        ["integer", ".spec.replicas"],
        ["string", ".status.conditions[?(@.type==\"Ready\")].status"]
    ]);
    let rows = server
        .transform("rows", columns.to_string().as_bytes(), vec![made.to_string().into_bytes()])
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&rows[0]), r#"["a","a.example.com",1,"True"]"#);
}

#[test]
fn stored_objects_are_written_as_types() {
    native::reset();
    let store = Store::<v1::Website>::open().unwrap();
    let spec = json!({"host": "a.example.com", "source": {"inline": {"html": ""}}});
    let mut website = v1::Website::new("a", serde_json::from_value(spec).unwrap());
    website.meta_mut().namespace = Some("ns".into());
    let made = store.create(&website).unwrap();
    assert_eq!(store.create(&website).unwrap_err().reason(), "AlreadyExists");
    assert!(made.uid().is_some() && made.resource_version().is_some());
    let mut changed = made.clone();
    changed.spec.replicas = 4;
    let changed = store.update(&changed).unwrap();
    assert_eq!(store.update(&made).unwrap_err().reason(), "Conflict");
    assert_eq!(store.page(None, "", "", 10, None).unwrap().items, std::slice::from_ref(&changed));
    store.delete(&changed).unwrap();
    assert!(store.get(Some("ns"), "a").unwrap().is_none());
}

#[test]
fn what_an_earlier_release_stored_is_read_in_its_version() {
    let server = server();
    let store = Store::<v1alpha1::Website>::open().unwrap();
    let spec = json!({"domain": "a.example.com", "gitRepo": "https://git.example.com/site"});
    let mut website = v1alpha1::Website::new("a", serde_json::from_value(spec).unwrap());
    website.meta_mut().namespace = Some("ns".into());
    store.create(&website).unwrap();
    let (code, read) = send(&server, "GET", &format!("{V1}/a"), Value::Null);
    assert_eq!((code, &read["spec"]["host"]), (200, &json!("a.example.com")), "{read}");
    let typed = Store::<v1::Website>::open().unwrap();
    assert_eq!(typed.get(Some("ns"), "a").unwrap_err().code(), 500);
    let typed = typed.also_stored_as::<v1alpha1::Website>();
    assert_eq!(typed.get(Some("ns"), "a").unwrap().unwrap().spec.host, "a.example.com");
}

/// Reconciles a website against a server that has it; what was sent, by method and path.
fn reconciled(website: Value) -> Vec<(String, String, Value)> {
    let sent = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    native::reset();
    native::serve_client({
        let sent = sent.clone();
        move |method, path, _, body| {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            sent.borrow_mut().push((
                method.to_owned(),
                path.split('?').next().unwrap_or_default().to_owned(),
                body.clone(),
            ));
            Ok(if method == "GET" { website.clone() } else { body })
        }
    });
    let server = Extension::<Web>::configure(json!({})).unwrap();
    let object = chainplate_sdk::ObjectReference { namespace: Some("ns".into()), name: "a".into() };
    server.reconcile("websites", &object).unwrap();
    sent.take()
}

#[test]
fn a_website_is_made_of_what_serves_it() {
    let mut there =
        website("a", json!({"host": "a.example.com", "replicas": 2, "source": {"inline": {"html": "<p>"}}}));
    there["metadata"] = json!({"name": "a", "namespace": "ns", "uid": "u", "generation": 3});
    let sent = reconciled(there);
    let paths: Vec<&str> = sent.iter().map(|(_, path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            &format!("{V1}/a"),
            "/api/v1/namespaces/ns/configmaps/a",
            "/api/v1/namespaces/ns/services/a",
            "/apis/apps/v1/namespaces/ns/deployments/a",
            &format!("{V1}/a/status"),
        ]
    );
    let deployment = &sent[3].2;
    assert_eq!(deployment["spec"]["replicas"], 2);
    assert_eq!(deployment["metadata"]["ownerReferences"][0]["uid"], "u");
    let status = &sent[4].2["status"];
    assert_eq!(
        (&status["observedGeneration"], &status["conditions"][0]["status"]),
        (&json!(3), &json!("False"))
    );
}

#[test]
fn a_website_that_goes_is_left_alone() {
    let mut there = website("a", json!({"host": "a.example.com", "source": {"inline": {"html": "<p>"}}}));
    there["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert_eq!(reconciled(there).len(), 1);
}
