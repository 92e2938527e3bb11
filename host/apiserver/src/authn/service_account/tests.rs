use super::{
    claims::Token,
    key::{PublicKey, SigningKey, public_keys},
    *,
};
use crate::{BoxFuture, options::Options};
use chainplate_apimachinery::Value;
use std::{collections::HashMap, sync::Arc};

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";
const NOW: i64 = 1_700_000_000;

/// RSA with 2048 bits, made for these tests: ring makes none. PKCS#8 and, below, the same in PKCS#1.
const RSA: &str = include_str!("testdata/rsa.pem");
const RSA_PKCS1: &str = include_str!("testdata/rsa-pkcs1.pem");
const RSA_PUBLIC: &str = include_str!("testdata/rsa-public.pem");
/// P-256 and P-384 in SEC 1, with their parameters, and the public keys.
const P256: &str = include_str!("testdata/p256-sec1.pem");
const P256_PUBLIC: &str = include_str!("testdata/p256-public.pem");
const P384: &str = include_str!("testdata/p384-sec1.pem");
const P384_PUBLIC: &str = include_str!("testdata/p384-public.pem");

fn options(arguments: &[&str]) -> (tempfile::TempDir, CompletedOptions) {
    let directory = tempfile::tempdir().expect("directory");
    let data = format!("--data-dir={}", directory.path().display());
    let options = Options::from_args(arguments.iter().copied().chain([&*data])).expect("options");
    (directory, options.complete())
}

fn tokens(arguments: &[&str]) -> Arc<ServiceAccountTokens> {
    let (_directory, options) = options(arguments);
    Arc::new(ServiceAccountTokens::load(&options).expect("loads"))
}

/// The objects that there are, by resource, namespace and name.
#[derive(Debug, Default)]
struct Objects(HashMap<(&'static str, String, String), BoundObject>);

impl Objects {
    fn with(mut self, resource: &'static str, namespace: &str, name: &str, deleted: Option<i64>) -> Self {
        let object = BoundObject { uid: format!("uid-of-{name}"), deleted };
        self.0.insert((resource, namespace.into(), name.into()), object);
        self
    }
}

impl BoundObjects for Objects {
    fn find<'a>(
        &'a self,
        resource: &'static str,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<BoundObject>, String>> {
        let key = (resource, namespace.unwrap_or_default().to_owned(), name.to_owned());
        Box::pin(std::future::ready(Ok(self.0.get(&key).cloned())))
    }
}

fn claims(edit: impl FnOnce(&mut Value)) -> Map {
    let mut claims = json!({
        "sub": "system:serviceaccount:a:robot",
        "aud": [ISSUER],
        "exp": NOW + 3600, "nbf": NOW, "iat": NOW,
        "jti": "id",
        "kubernetes.io": { "namespace": "a", "serviceaccount": { "name": "robot", "uid": "uid-of-robot" } },
    });
    edit(&mut claims);
    claims.as_object().expect("object").clone()
}

fn objects() -> Objects {
    Objects::default().with("serviceaccounts", "a", "robot", None)
}

fn ask(
    tokens: &Arc<ServiceAccountTokens>,
    objects: Objects,
    token: &str,
) -> Result<Option<crate::authn::TokenIdentity>, String> {
    let authenticator = ServiceAccountAuthenticator::new(tokens.clone(), Arc::new(objects));
    let asked = [ISSUER.to_owned()];
    let judged = authenticator.judge(token, &asked, NOW);
    futures_util::FutureExt::now_or_never(judged).expect("nothing to wait for")
}

/// What is wrong with a token of these claims.
fn refused(objects: Objects, edit: impl FnOnce(&mut Value)) -> String {
    let tokens = tokens(&[]);
    let token = tokens.sign(claims(edit)).expect("signed");
    ask(&tokens, objects, &token).expect_err("refused")
}

#[test]
fn every_form_of_a_key_is_read_and_named_alike() {
    for (private, public, algorithm) in [
        (RSA, RSA_PUBLIC, "RS256"),
        (RSA_PKCS1, RSA_PUBLIC, "RS256"),
        (P256, P256_PUBLIC, "ES256"),
        (P384, P384_PUBLIC, "ES384"),
    ] {
        let signer = SigningKey::from_pem(private.as_bytes()).expect(algorithm);
        let [key]: [PublicKey; 1] =
            public_keys(public.as_bytes()).expect(algorithm).try_into().expect("one key");
        assert_eq!((key.id(), key.algorithm().name()), (signer.public().id(), algorithm));
        let signature = signer.sign(b"message").expect("signs");
        assert!(key.verifies(b"message", &signature) && !key.verifies(b"massage", &signature));
    }
    // `openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | basenc --base64url`, without padding.
    let [key]: [PublicKey; 1] = public_keys(RSA_PUBLIC.as_bytes()).expect("key").try_into().expect("one key");
    assert_eq!(key.id(), include_str!("testdata/rsa-public.kid").trim());
    let several = [RSA_PUBLIC, P384, P256_PUBLIC].concat();
    assert_eq!(public_keys(several.as_bytes()).expect("keys").len(), 3);
    assert!(SigningKey::from_pem(RSA_PUBLIC.as_bytes()).expect_err("public").contains("no private key"));
}

#[test]
fn a_key_is_made_once_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (directory, options) = options(&[]);
    let id = || ServiceAccountTokens::load(&options).expect("loads").signer.public().id().to_owned();
    assert_eq!(id(), id());
    let path = directory.path().join("certs/sa.key");
    assert_eq!(fs::metadata(&path).expect("made").permissions().mode() & 0o777, 0o600);
    fs::write(&path, "nonsense").expect("written");
    let error = ServiceAccountTokens::load(&options).expect_err("kept as it is").to_string();
    assert!(error.contains("sa.key") && error.contains("no private key"), "{error}");
}

#[test]
fn a_good_token_is_its_account() {
    let tokens = tokens(&["--api-audiences", &format!("{ISSUER},api")]);
    let token = tokens
        .sign(claims(|it| {
            it["aud"] = json!(["other", ISSUER]);
            it["kubernetes.io"]["pod"] = json!({ "name": "p", "uid": "uid-of-p" });
            it["kubernetes.io"]["node"] = json!({ "name": "n", "uid": "gone" });
        }))
        .expect("signed");
    let objects = objects().with("pods", "a", "p", Some(NOW - 60));
    let identity = ask(&tokens, objects, &token).expect("good").expect("ours");
    assert_eq!(identity.audiences, [ISSUER]);
    let user = &identity.user;
    assert_eq!((&*user.name, &*user.uid), ("system:serviceaccount:a:robot", "uid-of-robot"));
    assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:a"]);
    let extra: Vec<(&str, &str)> = user.extra.iter().map(|(key, values)| (&**key, &*values[0])).collect();
    assert_eq!(
        extra,
        [
            ("authentication.kubernetes.io/credential-id", "JTI=id"),
            ("authentication.kubernetes.io/pod-name", "p"),
            ("authentication.kubernetes.io/pod-uid", "uid-of-p"),
            ("authentication.kubernetes.io/node-name", "n"),
            ("authentication.kubernetes.io/node-uid", "gone"),
        ]
    );
}

#[test]
fn a_token_that_is_not_ours_is_nobodys_business() {
    let tokens = tokens(&[]);
    let other = self::tokens(&["--service-account-issuer=https://other.example.com"]);
    let theirs = other.sign(claims(|_| {})).expect("signed");
    let long = "x".repeat(MOST_TOKEN_BYTES + 1);
    for token in ["", "a.b.c", "{\"iss\":1}", "a.b", "....", &theirs, &long] {
        assert_eq!(ask(&tokens, objects(), token), Ok(None), "{token}");
    }
}

#[test]
fn a_token_that_was_tampered_with_is_refused() {
    let tokens = tokens(&[]);
    let token = tokens.sign(claims(|_| {})).expect("signed");
    let [header, body, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let mut forged: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).expect("base64")).expect("JSON");
    forged["kubernetes.io"]["serviceaccount"]["name"] = "root".into();
    let id = tokens.signer.public().id();
    let none = encode(&json!({ "alg": "none" }));
    for token in [
        format!("{header}.{}.{signature}", encode(&forged)),
        format!("{header}.{body}."),
        format!("{none}.{body}."),
        format!("{none}.{body}.{signature}"),
        format!("{}.{body}.{signature}", encode(&json!({ "alg": "HS256", "kid": id }))),
        format!("{}.{body}.{signature}", encode(&json!({ "alg": "ES256", "kid": "other" }))),
        format!("{}.{body}.{signature}", encode(&json!({ "alg": "ES256", "kid": id, "crit": ["x"] }))),
    ] {
        assert!(ask(&tokens, objects(), &token).is_err(), "{token}");
    }
    // Same issuer, another key.
    let stranger = self::tokens(&[]).sign(claims(|_| {})).expect("signed");
    assert_eq!(ask(&tokens, objects(), &stranger), Err("invalid signature, no keys found".into()));
}

#[test]
fn a_token_is_good_in_its_time() {
    for (edit, why) in [
        (json!({ "exp": NOW - 61 }), "service account token has expired"),
        (json!({ "nbf": NOW + 61 }), "service account token is not valid yet"),
        (json!({ "iat": NOW + 61 }), "service account token is not valid yet"),
    ] {
        let edit = edit.as_object().expect("object").clone();
        let refused = refused(objects(), |it| it.as_object_mut().expect("object").extend(edit));
        assert_eq!(refused, why);
    }
    let tokens = tokens(&[]);
    let skewed = tokens
        .sign(claims(|it| {
            it["exp"] = (NOW - 60).into();
            it["nbf"] = (NOW + 60).into();
        }))
        .expect("signed");
    assert!(ask(&tokens, objects(), &skewed).is_ok(), "clocks differ");
}

#[test]
fn a_token_for_others_is_refused() {
    let refused = refused(objects(), |it| it["aud"] = json!(["a", "b"]));
    assert_eq!(
        refused,
        format!("token audiences [\"a\", \"b\"] is invalid for the target audiences [{ISSUER:?}]")
    );
}

#[test]
fn a_token_ends_with_what_it_is_bound_to() {
    let gone = refused(Objects::default(), |_| {});
    assert_eq!(gone, "serviceaccounts \"robot\" not found");
    let deleted = Objects::default().with("serviceaccounts", "a", "robot", Some(NOW - 61));
    assert_eq!(refused(deleted, |_| {}), "service account a/robot has been deleted");
    let other = refused(objects(), |it| it["kubernetes.io"]["serviceaccount"]["uid"] = "old".into());
    assert_eq!(other, "service account UID (uid-of-robot) does not match claim (old)");
    for (kind, resource, namespace) in
        [("pod", "pods", "a"), ("secret", "secrets", "a"), ("node", "nodes", "")]
    {
        let bound = |uid: &str| {
            let reference = json!({ "name": "x", "uid": uid });
            move |it: &mut Value| it["kubernetes.io"][kind] = reference
        };
        let invalidated = "service account token has been invalidated";
        assert_eq!(refused(objects(), bound("uid-of-x")), invalidated, "{kind}");
        let deleted = || objects().with(resource, namespace, "x", Some(NOW - 61));
        assert_eq!(refused(deleted(), bound("uid-of-x")), invalidated, "{kind}");
        let there = || objects().with(resource, namespace, "x", None);
        assert_eq!(
            refused(there(), bound("old")),
            format!("{kind} UID (uid-of-x) does not match service account {kind} ref claim (old)")
        );
        let tokens = tokens(&[]);
        let token = tokens.sign(claims(bound("uid-of-x"))).expect("signed");
        assert!(ask(&tokens, there(), &token).is_ok(), "{kind}");
    }
}

#[test]
fn keys_and_issuers_change_without_a_token_ending() {
    let (directory, before) = options(&["--service-account-issuer=https://old.example.com"]);
    let old = ServiceAccountTokens::load(&before).expect("loads");
    let token = old.sign(claims(|_| {})).expect("signed");
    let key = format!("--service-account-key-file={}", directory.path().join("certs/sa.key").display());
    let file = directory.path().join("rsa.pem");
    fs::write(&file, RSA).expect("written");
    let signing = format!("--service-account-signing-key-file={}", file.display());
    let issuers = [
        format!("--service-account-issuer={ISSUER}"),
        "--service-account-issuer=https://old.example.com".into(),
    ];
    let now = tokens(&[&key, &signing, &issuers[0], &issuers[1]]);
    assert!(ask(&now, objects(), &token).expect("good").is_some());
    let fresh = now.sign(claims(|_| {})).expect("signed");
    let (_, claims) = Token::parse(&fresh).expect("token");
    assert_eq!(claims.iss, ISSUER, "the first one issues");
    assert!(ask(&now, objects(), &fresh).expect("good").is_some());
}

#[test]
fn claims_that_would_never_be_accepted_are_not_signed() {
    let tokens = tokens(&[]);
    let without = |name: &str| {
        let mut claims = claims(|_| {});
        claims.remove(name);
        tokens.sign(claims).expect_err(name)
    };
    assert_eq!(without("exp"), SigningError::Missing("exp"));
    assert_eq!(without("kubernetes.io"), SigningError::Missing("kubernetes.io"));
    let long = claims(|it| it["aud"] = json!(["x".repeat(MOST_TOKEN_BYTES)]));
    assert_eq!(tokens.sign(long), Err(SigningError::TooLong));
}

#[tokio::test]
async fn others_find_the_keys() {
    use http_body_util::BodyExt as _;
    let address = "10.1.2.3:6443".parse().expect("address");
    let (directory, _) = options(&[]);
    let file = directory.path().join("rsa.pem");
    fs::write(&file, RSA).expect("written");
    let signing = format!("--service-account-signing-key-file={}", file.display());
    let documents = tokens(&[&signing]).documents(address).expect("served");
    let get = async |path: &str| {
        let response = documents.answer("get", path).expect(path);
        let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
        let (media_type, cached) = (header("content-type"), header("cache-control"));
        assert_eq!(cached, "public, max-age=3600");
        let body = response.into_body().collect().await.expect("body").to_bytes();
        (media_type, serde_json::from_slice::<Value>(&body).expect("JSON"))
    };
    let (media_type, configuration) = get("/.well-known/openid-configuration").await;
    assert_eq!(media_type, "application/json");
    assert_eq!(
        configuration,
        json!({
            "issuer": ISSUER,
            "jwks_uri": "https://10.1.2.3:6443/openid/v1/jwks",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    );
    let (media_type, keys) = get("/openid/v1/jwks/").await;
    assert_eq!(media_type, "application/jwk-set+json");
    let key = &keys["keys"][0];
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"], &key["e"]),
        (&json!("RSA"), &json!("RS256"), &json!("sig"), &json!("AQAB"))
    );
    assert_eq!(key["n"].as_str().expect("text").len(), 342, "256 bytes, no leading zero");
    assert_eq!(documents.answer("post", "/openid/v1/jwks").expect("answered").status(), 405);
    assert!(documents.answer("get", "/openid/v1").is_none());

    let uri = tokens(&["--service-account-jwks-uri=https://keys.example.com/k"]).documents(address);
    assert!(uri.expect("served").configuration.contains("\"jwks_uri\":\"https://keys.example.com/k\""));
    for issuer in ["kubernetes/serviceaccount", "http://a.example.com", "https://a.example.com?b"] {
        assert!(tokens(&[&format!("--service-account-issuer={issuer}")]).documents(address).is_none());
    }
}
