use crate::Core;
use chainplate_sdk::{Plugin, apimachinery::Value, authenticator::Identity, native};
use serde_json::json;

const API: &str = "https://kubernetes.default.svc.cluster.local";
const TOKEN: &str = "/api/v1/namespaces/a/serviceaccounts/robot/token";

/// A server with a service account, and its uid.
fn core(config: Value) -> (Core, String) {
    native::reset();
    let core = Core::configure(config).unwrap();
    core.prepare().unwrap();
    create(&core, "/api/v1/namespaces", json!({ "metadata": { "name": "a" } }));
    let account =
        create(&core, "/api/v1/namespaces/a/serviceaccounts", json!({ "metadata": { "name": "robot" } }));
    let uid = uid(&account);
    (core, uid)
}

fn create(core: &Core, path: &str, object: Value) -> Value {
    let (code, made) = native::send(core, "POST", path, object);
    assert_eq!(code, 201, "{made}");
    made
}

fn uid(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap().to_owned()
}

fn ask(core: &Core, spec: Value) -> (u16, Value) {
    native::send(core, "POST", TOKEN, json!({ "spec": spec }))
}

/// The claims of the token that is made; nothing is signed here.
fn claims(core: &Core, spec: Value) -> (Value, Value) {
    let (code, answer) = ask(core, spec);
    assert_eq!(code, 201, "{answer}");
    let claims = serde_json::from_str(answer["status"]["token"].as_str().unwrap()).unwrap();
    (claims, answer)
}

fn pod(core: &Core, name: &str, node: &str) -> Value {
    let spec = json!({
        "serviceAccountName": "robot", "nodeName": node, "containers": [{ "name": "c", "image": "i" }],
    });
    create(core, "/api/v1/namespaces/a/pods", json!({ "metadata": { "name": name }, "spec": spec }))
}

#[test]
fn a_token_tells_its_account_its_audiences_and_its_end() {
    let (core, uid) = core(json!({}));
    let (claims, answer) = claims(&core, json!({}));
    assert_eq!(claims["sub"], "system:serviceaccount:a:robot");
    assert_eq!(claims["aud"], json!([API]));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    assert_eq!(claims["nbf"], claims["iat"]);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
    assert!(claims.get("iss").is_none(), "the host's");
    assert_eq!(
        claims["kubernetes.io"],
        json!({ "namespace": "a", "serviceaccount": { "name": "robot", "uid": uid } })
    );
    assert_eq!(answer["spec"]["expirationSeconds"], 3600);
    assert_eq!(answer["spec"]["audiences"], json!([API]));
    let metadata = &answer["metadata"];
    assert_eq!(
        (&metadata["name"], &metadata["namespace"], &metadata["uid"]),
        (&json!("robot"), &json!("a"), &json!(uid))
    );
}

#[test]
fn a_token_is_bound_to_what_was_asked_for() {
    let (core, _) = core(json!({}));
    let node = uid(&create(&core, "/api/v1/nodes", json!({ "metadata": { "name": "n" } })));
    let secret = uid(&create(&core, "/api/v1/namespaces/a/secrets", json!({ "metadata": { "name": "s" } })));
    let (here, elsewhere) = (uid(&pod(&core, "here", "n")), uid(&pod(&core, "elsewhere", "gone")));
    let bound = |kind: &str, name: &str| {
        let reference = json!({ "apiVersion": "v1", "kind": kind, "name": name });
        let mut private = claims(&core, json!({ "boundObjectRef": reference })).0["kubernetes.io"].take();
        private.as_object_mut().unwrap().retain(|name, _| !matches!(&**name, "namespace" | "serviceaccount"));
        private
    };
    assert_eq!(
        bound("Pod", "here"),
        json!({ "pod": { "name": "here", "uid": here }, "node": { "name": "n", "uid": node } })
    );
    assert_eq!(
        bound("Pod", "elsewhere"),
        json!({ "pod": { "name": "elsewhere", "uid": elsewhere }, "node": { "name": "gone" } })
    );
    assert_eq!(bound("Secret", "s"), json!({ "secret": { "name": "s", "uid": secret } }));
    assert_eq!(bound("Node", "n"), json!({ "node": { "name": "n", "uid": node } }));
}

#[test]
fn what_cannot_be_bound_to_is_refused_in_upstreams_words() {
    let (core, _) = core(json!({}));
    create(&core, "/api/v1/namespaces/a/serviceaccounts", json!({ "metadata": { "name": "other" } }));
    create(&core, "/api/v1/namespaces/a/secrets", json!({ "metadata": { "name": "s" } }));
    pod(&core, "p", "");
    for (reference, code, message) in [
        (json!({ "kind": "Pod", "name": "x" }), 404, "pods \"x\" not found"),
        (json!({ "kind": "Node", "name": "x" }), 404, "nodes \"x\" not found"),
        (
            json!({ "kind": "ConfigMap", "name": "x" }),
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            json!({ "kind": "Secret", "name": "s", "uid": "other" }),
            409,
            "Operation cannot be fulfilled on Secret \"s\": the UID in the bound object reference (other) does not \
             match the UID in record. The object might have been deleted and then recreated",
        ),
    ] {
        let mut reference = reference;
        reference["apiVersion"] = "v1".into();
        let (there, answer) = ask(&core, json!({ "boundObjectRef": reference }));
        assert_eq!((there, answer["message"].as_str().unwrap()), (code, message));
    }
    let body = json!({ "spec": { "boundObjectRef": { "apiVersion": "v1", "kind": "Pod", "name": "p" } } });
    let (code, answer) =
        native::send(&core, "POST", "/api/v1/namespaces/a/serviceaccounts/other/token", body);
    assert_eq!(code, 400);
    assert_eq!(
        answer["message"],
        "cannot bind token for serviceaccount \"other\" to pod running with different serviceaccount name."
    );
}

#[test]
fn a_request_about_another_account_is_refused() {
    let (core, uid) = core(json!({}));
    for (metadata, code, message) in [
        (
            json!({ "name": "other" }),
            422,
            "TokenRequest.authentication.k8s.io \"robot\" is invalid: metadata.name: Invalid value: \"other\": must \
             match the service account name if specified"
                .to_owned(),
        ),
        (
            json!({ "namespace": "b" }),
            400,
            "the namespace of the provided object does not match the namespace sent on the request".to_owned(),
        ),
        (
            json!({ "uid": "1" }),
            409,
            format!(
                "Operation cannot be fulfilled on TokenRequest.authentication.k8s.io \"robot\": the UID in the token \
                 request (1) does not match the UID of the service account ({uid})"
            ),
        ),
    ] {
        let (there, answer) = native::send(&core, "POST", TOKEN, json!({ "metadata": metadata }));
        assert_eq!((there, answer["message"].as_str().unwrap()), (code, &*message));
    }
}

#[test]
fn a_life_is_cut_to_the_longest_and_stretched_for_projected_volumes() {
    let (core, _) = core(json!({ "serviceAccountMaxTokenExpirationSeconds": 7200 }));
    let life = |claims: &Value| claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    let (long, answer) = claims(&core, json!({ "expirationSeconds": 100_000 }));
    assert_eq!((life(&long), &answer["spec"]["expirationSeconds"]), (7200, &json!(7200)));
    assert_eq!(native::take_warnings(), ["requested expiration of 100000 seconds shortened to 7200 seconds"]);
    pod(&core, "p", "");
    let reference = json!({ "apiVersion": "v1", "kind": "Pod", "name": "p" });
    let (projected, answer) =
        claims(&core, json!({ "expirationSeconds": 3607, "boundObjectRef": reference }));
    assert_eq!((life(&projected), &answer["spec"]["expirationSeconds"]), (31_536_000, &json!(3607)));
    let warn_after = projected["kubernetes.io"]["warnafter"].as_i64().unwrap();
    assert_eq!(warn_after - projected["iat"].as_i64().unwrap(), 3607);
    for spec in [
        json!({ "expirationSeconds": 3607 }),
        json!({ "expirationSeconds": 3608, "boundObjectRef": reference }),
        json!({ "expirationSeconds": 3607, "boundObjectRef": reference, "audiences": [API, "other"] }),
    ] {
        assert!(life(&claims(&core, spec).0) < 4000);
    }
}

#[test]
fn a_review_tells_whose_a_token_is_and_for_which_audiences() {
    let (core, _) = core(json!({ "apiAudiences": ["api"] }));
    native::review_tokens_with(|token, audiences| match token {
        "good" => {
            let mut identity = Identity { audiences: audiences.to_vec(), ..Identity::default() };
            identity.user.name = "somebody".into();
            Ok(Some(identity))
        }
        "elsewhere" => Ok(Some(Identity { audiences: vec!["elsewhere".into()], ..Identity::default() })),
        _ => Err("worn".into()),
    });
    let review = |spec: Value| {
        let path = "/apis/authentication.k8s.io/v1/tokenreviews";
        let (code, answer) = native::send(&core, "POST", path, json!({ "spec": spec }));
        (code, answer["status"].clone())
    };
    let good = |audience: &str| json!({ "authenticated": true, "user": { "username": "somebody" }, "audiences": [audience] });
    assert_eq!(review(json!({ "token": "good" })), (201, good("api")));
    assert_eq!(review(json!({ "token": "good", "audiences": ["b"] })), (201, good("b")));
    assert_eq!(review(json!({ "token": "bad" })), (201, json!({ "user": {}, "error": "worn" })));
    assert_eq!(review(json!({ "token": "elsewhere" })).0, 500);
    assert_eq!(review(json!({})).0, 400);
}
