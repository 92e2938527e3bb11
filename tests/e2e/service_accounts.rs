//! Tokens of service accounts: asked for, used, and refused.

use crate::support::{SOON, Server};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chainplate_apiserver::{authn::ServiceAccountTokens, options::Options};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const ROBOT: &str = "system:serviceaccount:default:robot";

fn ok(server: &Server, arguments: &[&str]) -> String {
    let output = server.kubectl(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn token(server: &Server, more: &[&str]) -> String {
    ok(server, &[&["create", "token", "robot"], more].concat())
}

/// Whether the server knows who sends the token: it tells a user what it may not do, and strangers nothing.
fn is_robot(server: &Server, token: &str) -> bool {
    let said = server.kubectl_as(token, &["get", "secrets"]);
    let refused = said.contains("Unauthorized") || said.contains("must be logged in");
    assert!(refused != said.contains(&format!("User {ROBOT:?} cannot list resource")), "{said}");
    !refused
}

fn claims(token: &str) -> Value {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_its_account_until_its_pod_is_gone() {
    let server = Server::start(&[]);
    ok(&server, &["create", "serviceaccount", "robot"]);
    let pod = json!({
        "metadata": { "name": "p" },
        "spec": { "serviceAccountName": "robot", "containers": [{ "name": "c", "image": "i" }] },
    });
    let made = server.send("POST", "/api/v1/namespaces/default/pods", pod.to_string()).await.json();
    let token = token(&server, &["--bound-object-kind=Pod", "--bound-object-name=p", "--duration=15m"]);
    assert!(is_robot(&server, &token));
    let claims = claims(&token);
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);

    let review = async || {
        let review = json!({ "spec": { "token": token } }).to_string();
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        server.send("POST", path, review).await.json()["status"].take()
    };
    let issuer = &claims["iss"];
    assert_eq!(
        review().await,
        json!({
            "authenticated": true,
            "audiences": [issuer],
            "user": {
                "username": ROBOT,
                "uid": claims["kubernetes.io"]["serviceaccount"]["uid"],
                "groups": [
                    "system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated",
                ],
                "extra": {
                    "authentication.kubernetes.io/credential-id": [format!("JTI={}", claims["jti"].as_str().unwrap())],
                    "authentication.kubernetes.io/pod-name": ["p"],
                    "authentication.kubernetes.io/pod-uid": [made["metadata"]["uid"]],
                },
            },
        })
    );

    // What others verify it with is there for it to read.
    let configuration = server.kubectl_as(&token, &["get", "--raw", "/.well-known/openid-configuration"]);
    let configuration: Value = serde_json::from_str(&configuration).unwrap();
    assert_eq!(&configuration["issuer"], issuer);
    assert!(configuration["jwks_uri"].as_str().unwrap().ends_with("/openid/v1/jwks"), "{configuration}");
    let keys: Value =
        serde_json::from_str(&server.kubectl_as(&token, &["get", "--raw", "/openid/v1/jwks"])).unwrap();
    let header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);

    ok(&server, &["delete", "pod", "p", "--now"]);
    let deadline = Instant::now() + SOON;
    // Good answers are remembered for 10 s.
    while is_robot(&server, &token) {
        assert!(Instant::now() < deadline, "a token outlives its pod:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(500));
    }
    let status = review().await;
    assert!(status["error"].as_str().unwrap().contains("has been invalidated"), "{status}");
    assert_eq!(status["authenticated"], Value::Null);
}

#[test]
fn only_good_tokens_of_this_server_are_good() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start_in(directory.path(), &[]);
    ok(&server, &["create", "serviceaccount", "robot"]);
    let good = token(&server, &[]);
    assert!(is_robot(&server, &good));
    assert!(!is_robot(&server, &token(&server, &["--audience=https://other.example.com"])));
    let with_ours =
        ["--audience=https://other.example.com", "--audience=https://kubernetes.default.svc.cluster.local"];
    assert!(is_robot(&server, &token(&server, &with_ours)));

    let [header, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!("{good}") };
    let mut forged = claims(&good);
    forged["exp"] = (forged["exp"].as_i64().unwrap() + 1).into();
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    for tampered in [format!("{header}.{forged}.{signature}"), format!("{header}.{body}.AAAA")] {
        assert!(!is_robot(&server, &tampered));
    }

    // One that the server's own key signed, and that has ended.
    let data = format!("--data-dir={}", directory.path().display());
    let keys = ServiceAccountTokens::load(&Options::from_args([data]).unwrap().complete()).unwrap();
    let mut old = claims(&good);
    assert!(is_robot(&server, &keys.sign(old.as_object().unwrap().clone()).unwrap()), "it is its key");
    let at = old["iat"].as_i64().unwrap() - 3600;
    for (claim, time) in [("iat", at), ("nbf", at), ("exp", at + 600)] {
        old[claim] = time.into();
    }
    assert!(!is_robot(&server, &keys.sign(old.as_object().unwrap().clone()).unwrap()));

    server.signal("TERM");
    assert!(server.wait().success());
    let server = Server::start_in(directory.path(), &[]);
    assert!(is_robot(&server, &good), "keys are kept");
    ok(&server, &["delete", "serviceaccount", "robot"]);
    ok(&server, &["create", "serviceaccount", "robot"]);
    let deadline = Instant::now() + SOON;
    while is_robot(&server, &good) {
        assert!(Instant::now() < deadline, "a token is good for another account of that name");
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(is_robot(&server, &token(&server, &[])));
}

#[test]
fn a_component_signs_and_reviews_tokens_only_where_it_is_granted() {
    let directory = tempfile::tempdir().unwrap();
    let chain = directory.path().join("chain.yaml");
    let own = include_str!("../../host/chainplate/src/chain.yaml");
    let without = own.replace("    serviceAccountTokens: true\n", "").replace("    tokenReviews: true\n", "");
    assert_ne!(own, without);
    std::fs::write(&chain, without).unwrap();
    let server = Server::start(&[&format!("--chain-config={}", chain.display())]);
    ok(&server, &["create", "serviceaccount", "robot"]);
    let output = server.kubectl(&["create", "token", "robot"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("set grants.serviceAccountTokens of this component"), "{said}");
    let review = json!({
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": { "token": "t" },
    });
    let file = directory.path().join("review.json");
    std::fs::write(&file, review.to_string()).unwrap();
    let said = ok(&server, &["create", "-o", "json", "-f", file.to_str().unwrap()]);
    assert!(said.contains("set grants.tokenReviews of this component"), "{said}");
}
