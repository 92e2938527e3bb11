//! Raw requests: bad input is refused and nothing is stored, and many writers get in order.

use crate::support::{Answer, SOON, Server};
use futures_util::{StreamExt, stream::FuturesUnordered};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

const JSON: &str = "application/json";

/// The administrator with one connection, and a namespace of one test.
struct Admin {
    client: kube::Client,
    configmaps: String,
    _server: Arc<Server>,
}

impl Admin {
    async fn new(namespace: &str) -> Self {
        let server = Server::shared();
        let configmaps = format!("/api/v1/namespaces/{namespace}/configmaps");
        let admin = Self { client: server.client().await, configmaps, _server: server };
        let made = admin.post("/api/v1/namespaces", &json!({"metadata": {"name": namespace}})).await;
        assert_eq!(made.code, 201, "{}", made.text());
        admin
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = http::Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(kube::client::Body::from(body)).unwrap();
        let (parts, body) = self.client.send(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { code: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], vec![]).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[("content-type", JSON)], body.to_string().into()).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[("content-type", JSON)], body.to_string().into()).await
    }

    /// The names of the config maps that are there.
    async fn stored(&self) -> Vec<String> {
        let list = self.get(&self.configmaps).await.json();
        list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Checks that an answer is the Status of an error.
#[track_caller]
fn refused(answer: &Answer, code: u16, reason: &str, what: &str) {
    assert_eq!(answer.code, code, "{what}: {}", answer.text());
    let status = answer.json();
    let told = (&status["kind"], &status["status"], &status["code"], &status["reason"]);
    assert_eq!(told, (&"Status".into(), &"Failure".into(), &code.into(), &reason.into()), "{what}: {status}");
}

/// A config map as text.
fn map(name: &str, data: &str) -> String {
    format!(
        r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}"}}, "data": {data}}}"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_such_object_are_refused() {
    let admin = Admin::new("http-bodies").await;
    let deep = |depth: usize, open: &str, close: &str| {
        map("deep", &format!("{}1{}", open.repeat(depth), close.repeat(depth)))
    };
    let deep_yaml = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: deep}}\ndata: {}{}",
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    let aliases = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: bomb}}\na: &a [x,x,x,x,x,x,x,x,x]\n{}data: *i\n",
        ('b'..='i')
            .map(|name| format!(
                "{name}: &{name} [{}]\n",
                format!("*{},", (name as u8 - 1) as char).repeat(9)
            ))
            .collect::<String>()
    );
    for (what, media_type, body) in [
        ("no body", JSON, String::new()),
        ("cut off", JSON, map("a", "{")),
        ("no JSON", JSON, "hello".into()),
        ("a list", JSON, "[]".into()),
        ("a string", JSON, "\"a\"".into()),
        ("a number where a string belongs", JSON, map("a", r#"{"k": 1}"#)),
        ("a list where a map belongs", JSON, map("a", "[]")),
        ("something after the object", JSON, map("a", "{}") + "{}"),
        ("invalid UTF-8 escapes", JSON, map("a", r#"{"k": "\u12"}"#)),
        ("another kind", JSON, map("a", "{}").replace("ConfigMap", "Secret")),
        ("an unknown kind", JSON, map("a", "{}").replace("ConfigMap", "Nothing")),
        ("another version", JSON, map("a", "{}").replace("\"v1\"", "\"v2\"")),
        ("another group", JSON, map("a", "{}").replace("\"v1\"", "\"apps/v1\"")),
        ("broken YAML", "application/yaml", "metadata: {name: [a\n".into()),
        ("JSON nested deep", JSON, deep(100_000, "[", "]")),
        ("JSON nested deep in objects", JSON, deep(100_000, "{\"a\":", "}")),
        ("JSON nested without an end", JSON, map("deep", &"[".repeat(1_000_000))),
        ("YAML nested deep", "application/yaml", deep_yaml),
        ("a YAML bomb", "application/yaml", aliases),
        ("protobuf that is none", "application/vnd.kubernetes.protobuf", "k8s\0\u{1}\u{7f}\u{7f}".into()),
        (
            "another namespace",
            JSON,
            map("a", "{}").replace("\"name\"", "\"namespace\": \"default\", \"name\""),
        ),
    ] {
        let answer =
            admin.send("POST", &admin.configmaps, &[("content-type", media_type)], body.into()).await;
        refused(&answer, 400, "BadRequest", what);
        assert_eq!(admin.get("/healthz").await.text(), "ok", "after {what}");
    }
    assert_eq!(admin.stored().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_over_three_mebibytes_are_refused() {
    let admin = Admin::new("http-large").await;
    assert_eq!(
        admin.post(&admin.configmaps, &serde_json::from_str(&map("a", "{}")).unwrap()).await.code,
        201
    );
    let one = format!("{}/a", admin.configmaps);
    let large = map("a", &format!(r#"{{"k": "{}"}}"#, "x".repeat(3 << 20)));
    for (method, path, media_type) in [
        ("POST", &admin.configmaps, JSON),
        ("PUT", &one, JSON),
        ("PATCH", &one, "application/merge-patch+json"),
        ("PATCH", &one, "application/strategic-merge-patch+json"),
        ("DELETE", &one, JSON),
    ] {
        let answer = admin.send(method, path, &[("content-type", media_type)], large.clone().into()).await;
        refused(&answer, 413, "RequestEntityTooLarge", method);
        assert_eq!(answer.json()["message"], "Request entity too large: limit is 3145728");
    }
    let within = map("b", &format!(r#"{{"k": "{}"}}"#, "x".repeat(2 << 20)));
    let answer = admin.send("POST", &admin.configmaps, &[("content-type", JSON)], within.into()).await;
    refused(&answer, 422, "Invalid", "more than a config map may hold");
    assert_eq!(admin.stored().await, ["a"]);
    assert_eq!(admin.get(&one).await.json().get("data"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_types_that_are_not_spoken_are_refused() {
    let admin = Admin::new("http-media").await;
    for (method, path, media_type) in [
        ("POST", "", "text/plain"),
        ("POST", "", "application/x-www-form-urlencoded"),
        ("POST", "", "application/json-patch+json"),
        ("PUT", "/a", "text/plain"),
        ("PATCH", "/a", JSON),
        ("PATCH", "/a", "text/plain"),
    ] {
        let path = format!("{}{path}", admin.configmaps);
        let answer = admin.send(method, &path, &[("content-type", media_type)], map("a", "{}").into()).await;
        refused(&answer, 415, "UnsupportedMediaType", &format!("{method} {media_type}"));
    }
    for accept in
        ["text/html", "image/png", "application/json;as=Tableau;v=v1;g=meta.k8s.io", "application/xml;q=0.9"]
    {
        let answer = admin.send("GET", &admin.configmaps, &[("accept", accept)], vec![]).await;
        assert_eq!(answer.code, 406, "{accept}: {}", answer.text());
        assert!(answer.text().contains("application/json"), "the choice is told: {}", answer.text());
    }
    for accept in ["*/*", "text/html, application/json;q=0.1", "application/yaml"] {
        let answer = admin.send("GET", &admin.configmaps, &[("accept", accept)], vec![]).await;
        assert_eq!(answer.code, 200, "{accept}: {}", answer.text());
    }
    assert_eq!(admin.stored().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn illegal_names_and_values_are_refused() {
    let admin = Admin::new("http-names").await;
    let long = "x".repeat(254);
    for name in ["", "Upper", "a_b", "-a", "a-", "a..b", "a/b", "a b", "ä", ".", "..", "%", &long] {
        let body = json!({"metadata": {"name": name}});
        refused(&admin.post(&admin.configmaps, &body).await, 422, "Invalid", name);
    }
    for (what, body) in [
        ("no name", json!({})),
        ("a label", json!({"metadata": {"name": "a", "labels": {"a b": "c"}}})),
        ("a label's value", json!({"metadata": {"name": "a", "labels": {"a": "b c"}}})),
        ("an annotation's key", json!({"metadata": {"name": "a", "annotations": {"/": "b"}}})),
        ("a finalizer", json!({"metadata": {"name": "a", "finalizers": ["no domain"]}})),
        ("a key", json!({"metadata": {"name": "a"}, "data": {"a b": "c"}})),
        (
            "an owner",
            json!({"metadata": {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "", "uid": ""}]}}),
        ),
    ] {
        refused(&admin.post(&admin.configmaps, &body).await, 422, "Invalid", what);
    }
    assert_eq!(admin.stored().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_refused() {
    let admin = Admin::new("http-paths").await;
    let (all, one) = (admin.configmaps.clone(), format!("{}/a", admin.configmaps));
    for (method, path, code, reason) in [
        ("GET", "/api/v1/unknowns", 404, "NotFound"),
        ("GET", "/api/v2/pods", 404, "NotFound"),
        ("GET", "/apis/unknown.example.com/v1/things", 404, "NotFound"),
        ("GET", "/apis/apps/v1/namespaces/http-paths/unknowns/a", 404, "NotFound"),
        ("GET", &format!("{one}/unknown"), 404, "NotFound"),
        ("GET", &format!("{one}/status"), 404, "NotFound"),
        ("GET", "/api/v1/namespaces/none", 404, "NotFound"),
        ("POST", "/api/v1/namespaces/none/configmaps", 404, "NotFound"),
        ("POST", "/api/v1/configmaps", 405, "MethodNotAllowed"),
        ("PUT", &all, 405, "MethodNotAllowed"),
        ("PATCH", &all, 405, "MethodNotAllowed"),
        ("POST", &one, 405, "MethodNotAllowed"),
        ("DELETE", "/api/v1/namespaces", 405, "MethodNotAllowed"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 405, "MethodNotAllowed"),
    ] {
        let body = map("a", "{}");
        let answer = admin.send(method, path, &[("content-type", JSON)], body.into()).await;
        assert_eq!(answer.code, code, "{method} {path}: {}", answer.text());
        // Paths that nobody claims answer in plain words.
        if answer.headers.get("content-type").is_some_and(|media| media == JSON) {
            refused(&answer, code, reason, &format!("{method} {path}"));
        }
    }
    for method in ["FETCH", "TRACE", "OPTIONS"] {
        let answer = admin.send(method, &one, &[], vec![]).await;
        assert_eq!(answer.code, 405, "{method}: {}", answer.text());
    }
    assert_eq!(admin.stored().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_options_are_refused() {
    let admin = Admin::new("http-options").await;
    for (query, code) in [
        ("limit=abc", 400),
        ("labelSelector=a%20in", 400),
        ("labelSelector=a%3D%3D%3Db", 400),
        ("fieldSelector=unknown%3Da", 400),
        ("fieldSelector=a", 400),
        ("continue=nonsense", 400),
        ("resourceVersion=1&continue=nonsense", 400),
        ("resourceVersionMatch=Exact", 422),
        ("resourceVersion=5&resourceVersionMatch=Newest", 422),
        ("watch=1&resourceVersionMatch=NotOlderThan", 422),
        ("watch=1&sendInitialEvents=true", 422),
    ] {
        let answer = admin.get(&format!("{}?{query}", admin.configmaps)).await;
        refused(&answer, code, if code == 400 { "BadRequest" } else { "Invalid" }, query);
    }
    for (query, reason) in
        [("dryRun=Some", "Invalid"), ("fieldValidation=Loose", "Invalid"), ("fieldManager=%07", "Invalid")]
    {
        let path = format!("{}?{query}", admin.configmaps);
        refused(&admin.post(&path, &json!({"metadata": {"name": "a"}})).await, 422, reason, query);
    }
    let strict = format!("{}?fieldValidation=Strict", admin.configmaps);
    refused(
        &admin.post(&strict, &json!({"metadata": {"name": "a"}, "extra": 1})).await,
        400,
        "BadRequest",
        "an unknown field",
    );
    assert_eq!(admin.stored().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writers_with_one_version_one_wins() {
    let admin = Admin::new("http-writers").await;
    let path = format!("{}/a", admin.configmaps);
    let mut object = admin.post(&admin.configmaps, &json!({"metadata": {"name": "a"}})).await.json();
    for round in 0..8 {
        let writers: FuturesUnordered<_> = (0..64)
            .map(|writer| {
                let mut body = object.clone();
                body["data"] = json!({"round": round.to_string(), "writer": writer.to_string()});
                let (admin, path) = (&admin, &path);
                async move { admin.put(path, &body).await }
            })
            .collect();
        let (mut won, mut lost) = (vec![], 0);
        for answer in writers.collect::<Vec<_>>().await {
            match answer.code {
                200 => won.push(answer.json()),
                _ => {
                    refused(&answer, 409, "Conflict", "a stale writer");
                    lost += 1;
                }
            }
        }
        assert_eq!((won.len(), lost), (1, 63), "round {round}");
        let stored = admin.get(&path).await.json();
        assert_eq!(stored, won[0], "what is stored is what the winner wrote");
        object = stored;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn patches_without_a_version_all_get_in() {
    let admin = Admin::new("http-patches").await;
    let path = format!("{}/a", admin.configmaps);
    admin.post(&admin.configmaps, &json!({"metadata": {"name": "a"}})).await;
    let writers: FuturesUnordered<_> = (0..64)
        .map(|writer| {
            let body = json!({"data": {format!("k{writer}"): "v"}}).to_string();
            admin.send("PATCH", &path, &[("content-type", "application/merge-patch+json")], body.into())
        })
        .collect();
    let codes: BTreeSet<_> = writers.map(|answer| answer.code).collect().await;
    // Upstream tries a patch five times, then tells of the conflict.
    assert!(codes.is_subset(&BTreeSet::from([200, 409])), "{codes:?}");
    let stored = admin.get(&path).await.json();
    assert!(!stored["data"].as_object().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_creators_of_one_name_one_wins() {
    let admin = Admin::new("http-creators").await;
    for name in ["a", "b", "c"] {
        let body = json!({"metadata": {"name": name}});
        let creators: FuturesUnordered<_> = (0..64).map(|_| admin.post(&admin.configmaps, &body)).collect();
        let mut codes: Vec<_> = creators.map(|answer| answer.code).collect().await;
        codes.sort_unstable();
        assert_eq!((codes[0], &codes[1..]), (201, &[409; 63][..]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generated_names_do_not_collide() {
    let admin = Admin::new("http-generated").await;
    let body = json!({"metadata": {"generateName": "made-"}});
    let creators: FuturesUnordered<_> = (0..256).map(|_| admin.post(&admin.configmaps, &body)).collect();
    let mut names = BTreeSet::new();
    for answer in creators.collect::<Vec<_>>().await {
        assert_eq!(answer.code, 201, "{}", answer.text());
        let name = answer.json()["metadata"]["name"].as_str().unwrap().to_owned();
        assert!(name.starts_with("made-") && name.len() == 10, "{name}");
        assert!(names.insert(name));
    }
    assert_eq!(admin.stored().await, names.into_iter().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_object_of_a_new_definition_comes_soon() {
    let admin = Admin::new("http-soon").await;
    let mut times = vec![];
    for round in 0..5 {
        let group = format!("soon{round}.example.com");
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("things.{group}")},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                }],
            },
        });
        let thing = json!({"apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": "a"}});
        let path = format!("/apis/{group}/v1/namespaces/http-soon/things");
        let started = Instant::now();
        let made = admin.post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &definition).await;
        assert_eq!(made.code, 201, "{}", made.text());
        loop {
            let answer = admin.post(&path, &thing).await;
            if answer.code == 201 {
                break;
            }
            assert_eq!(answer.code, 404, "{}", answer.text());
            assert!(started.elapsed() < SOON, "never served");
        }
        times.push(started.elapsed());
        let discovered = admin.get(&format!("/apis/{group}/v1")).await;
        assert!(discovered.text().contains("\"things\""), "discovery comes first: {}", discovered.text());
    }
    times.sort_unstable();
    println!("POST of a definition → its first object: {times:?}");
    // The aim is 50 ms for a release build. This one is slower and not alone on its machine: the quickest of five tells
    // what the server needs.
    assert!(times[0] < Duration::from_millis(500), "{times:?}");
}
