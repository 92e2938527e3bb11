//! Who asks, and who may.

use crate::harness::{ALICE, ROOT, Server, object, request};
use http::HeaderValue;
use serde_json::json;

#[tokio::test]
async fn tokens_certificates_and_nobody_are_told_apart() {
    let server = Server::start(&[]).await;
    for h2 in [false, true] {
        let mut client = server.client(h2, None).await;
        let root = client.get(&object("echo"), Some(ROOT)).await.json();
        assert_eq!(root["user"], "root");
        assert_eq!(root["groups"], json!(["system:masters", "system:authenticated"]));
        assert_eq!(client.get(&object("echo"), Some(ALICE)).await.json()["user"], "alice");

        let mut admin = server.client(h2, Some(server.admin())).await;
        let admin = admin.get(&object("echo"), None).await.json();
        assert_eq!(admin["user"], "kubernetes-admin");
        assert_eq!(admin["groups"], json!(["system:masters", "system:authenticated"]));

        let nobody = client.get(&object("echo"), None).await;
        assert_eq!(nobody.code, 403);
        assert_eq!(
            nobody.json()["message"],
            r#"configmaps "echo" is forbidden: User "system:anonymous" cannot get resource "configmaps" in API group "" in the namespace "x""#
        );
        assert_eq!(nobody.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_bad_token_is_401_everywhere_even_with_anonymous_on() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    for path in ["/healthz", "/apis", "/nothing", "/api/v1/pods"] {
        let answer = client.get(path, Some("nonsense")).await;
        assert_eq!(answer.code, 401);
        assert_eq!(
            answer.json(),
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": "Unauthorized", "reason": "Unauthorized", "code": 401})
        );
    }
}

#[tokio::test]
async fn without_anonymous_auth_nobody_is_401() {
    let server = Server::start(&["--anonymous-auth=false"]).await;
    let mut client = server.http1().await;
    assert_eq!(client.get("/healthz", None).await.code, 401);
    assert_eq!(client.get("/healthz", Some(ALICE)).await.code, 200);
}

#[tokio::test]
async fn a_strangers_certificate_is_401_and_no_broken_handshake() {
    let server = Server::start(&[]).await;
    let key = rcgen::KeyPair::generate().expect("key");
    let certificate = rcgen::CertificateParams::default().self_signed(&key).expect("certificate");
    let stranger = (certificate.pem().into_bytes(), key.serialize_pem().into_bytes());
    let mut client = server.client(false, Some(stranger)).await;
    assert_eq!(client.get("/healthz", None).await.code, 401);
    // Upstream's union: what another authenticator accepts counts.
    assert_eq!(client.get(&object("echo"), Some(ALICE)).await.json()["user"], "alice");
}

#[tokio::test]
async fn credentials_do_not_reach_the_handler() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    let mut asked = request("GET", &object("echo"), Some(ROOT));
    asked.headers_mut().insert("x-remote-user", HeaderValue::from_static("somebody"));
    let headers = client.send(asked).await.json()["headers"].clone();
    assert_eq!(headers, json!(["host"]));
}

#[tokio::test]
async fn masters_may_impersonate_and_the_impersonated_is_judged() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    for (user, path, code) in [
        ("alice", object("echo"), 200),
        ("alice", "/api/v1/secrets".to_owned(), 403),
        ("eve", object("echo"), 403),
    ] {
        let mut asked = request("GET", &path, Some(ROOT));
        asked.headers_mut().insert("impersonate-user", HeaderValue::from_static(user));
        let answer = client.send(asked).await;
        assert_eq!(answer.code, code, "{user} {path}");
        if code == 200 {
            assert_eq!(answer.json()["user"], user);
        }
    }
    let mut asked = request("GET", &object("echo"), Some(ALICE));
    asked.headers_mut().insert("impersonate-user", HeaderValue::from_static("root"));
    asked.headers_mut().insert("impersonate-group", HeaderValue::from_static("system:masters"));
    assert_eq!(client.send(asked).await.json()["user"], "root", "alice's authorizer allows it");
}

#[tokio::test]
async fn paths_are_open_as_upstream_has_them() {
    let server = Server::start(&[]).await;
    let mut client = server.http1().await;
    for (path, anonymous, somebody) in [
        ("/healthz", 200, 200),
        ("/livez", 200, 200),
        ("/readyz", 200, 200),
        ("/version", 200, 200),
        ("/healthz/ping", 403, 403),
        ("/apis", 403, 200),
        ("/metrics", 403, 403),
        ("/", 403, 403),
    ] {
        assert_eq!(client.get(path, None).await.code, anonymous, "{path}");
        assert_eq!(client.get(path, Some("bob-token")).await.code, somebody, "{path}");
        assert_eq!(client.get(path, Some(ROOT)).await.code, 200, "{path}");
    }
}
