use super::*;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ed25519_dalek::Signer;
use serde_json::json;

/// A key that nobody has any more, and a token that was made with it: `anna`, until 2 000 000 000.
const RSA_MODULUS: &str = "9liNKnRu5xN8CowEfN_lW-55KE1nXC-jitBmwayWcxlNL29jcPb9ByVSgizMhneJ6cg5gPr1QOj7kvu_QIWox70COUC1zGkl7zbP\
    1NmJWFHyclOtrZ9bWXnOg_dT68O2ZxUAKX22rWhITnUCYk5dzk0V4FV7orWZA1AMrwwjsNCrXavh2m-ybsBFYEuAAs34Dn3yULwX\
    yP5j2253UjG0t2WJfvIRYG4_LbWjrxw9mZeK0zsSMOwUkrfQksq3hvtdtDFWEOoDNq_D7kjv2_1PeefrUG5esT896NFAti_WqYQs\
    TI6Mi0hrxUyk_V7wNzrLmykDYDktD9qcxDHndcVeXw";
const RSA_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA9liNKnRu5xN8CowEfN/l\n\
    W+55KE1nXC+jitBmwayWcxlNL29jcPb9ByVSgizMhneJ6cg5gPr1QOj7kvu/QIWo\n\
    x70COUC1zGkl7zbP1NmJWFHyclOtrZ9bWXnOg/dT68O2ZxUAKX22rWhITnUCYk5d\n\
    zk0V4FV7orWZA1AMrwwjsNCrXavh2m+ybsBFYEuAAs34Dn3yULwXyP5j2253UjG0\n\
    t2WJfvIRYG4/LbWjrxw9mZeK0zsSMOwUkrfQksq3hvtdtDFWEOoDNq/D7kjv2/1P\n\
    eefrUG5esT896NFAti/WqYQsTI6Mi0hrxUyk/V7wNzrLmykDYDktD9qcxDHndcVe\n\
    XwIDAQAB\n\
    -----END PUBLIC KEY-----";
const RSA_TOKEN: &str = "eyJhbGciOiAiUlMyNTYiLCAidHlwIjogIkpXVCJ9.eyJpc3MiOiAiaHR0cHM6Ly9jaS5leGFtcGxlLmNvbSIsICJhdWQiOiAia3V\
    iZXJuZXRlcyIsICJzdWIiOiAiYW5uYSIsICJleHAiOiAyMDAwMDAwMDAwfQ.tKdi80goYfJJ2bf4lrjVruIeTFFiNjxthSWkIfte\
    zZDvNoeChyY7Jgt6aTJ-lbMF4xE9z1cccXrECHsM-9ITOxWBEaoqbdzQUWnw53uzBWp3_3bBlI9jNWb6uEXRmwxJ3GtXSlEtft_h\
    JadGkQgXJHAI7R5kjXqAnLvJ2WCAAtITTN7M755hHayu1zwL9PaL9HiNX8VmaAzY-GyXpE0MX-A7cdmuGiSBphdmcfoA1215cWQt\
    bAR3fB1BfZvNij8FJYHQ22UmFZGKQiAJC_89T2mXZsGopLwezcS_mZFo7FsatmajSb1AM-zeS_wGaQ37Do_1ooN273LcTHb7_wO6\
    0Q";
const NOW: f64 = 1_900_000_000.0;

fn base64(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn ed25519() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[7; 32])
}

fn p256() -> p256::ecdsa::SigningKey {
    p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap()
}

fn configuration() -> Value {
    let point = p256().verifying_key().to_sec1_point(false);
    json!({
        "issuer": {
            "url": "https://ci.example.com",
            "audiences": ["kubernetes", "staging"],
            "jwks": { "keys": [
                { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "alg": "EdDSA", "use": "sig", "x": base64(ed25519().verifying_key().as_bytes()) },
                { "kty": "EC", "crv": "P-256", "kid": "ec", "x": base64(point.x().unwrap()), "y": base64(point.y().unwrap()) },
                { "kty": "RSA", "kid": "rsa", "n": RSA_MODULUS, "e": "AQAB" },
                { "kty": "oct", "kid": "hmac", "k": "c2VjcmV0" },
                { "kty": "EC", "crv": "P-384", "x": "", "y": "" },
            ] },
        },
        "claimMappings": {
            "username": { "claim": "sub", "prefix": "ci:" },
            "groups": { "claim": "/realm_access/roles", "prefix": "ci:" },
            "uid": { "claim": "sub" },
            "extra": [{ "key": "example.com/tenant", "claim": "tenant" }],
        },
        "claimValidationRules": [{ "claim": "project", "requiredValue": "shop" }],
    })
}

fn claims() -> Value {
    json!({
        "iss": "https://ci.example.com", "aud": ["kubernetes", "other"], "sub": "anna", "jti": "1", "exp": NOW + 10.0,
        "nbf": NOW - 10.0, "project": "shop", "tenant": "a", "realm_access": { "roles": ["builders", "readers"] },
    })
}

fn signed(header: &Value, claims: &Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let message =
        format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64(&signature))
}

fn token(claims: &Value) -> String {
    signed(&json!({ "alg": "EdDSA", "kid": "ed" }), claims, |message| {
        ed25519().sign(message).to_bytes().to_vec()
    })
}

fn asked() -> Vec<String> {
    vec!["kubernetes".into(), "https://kubernetes.default.svc".into()]
}

fn authenticate(token: &str) -> Result<Option<Identity>, String> {
    JwtIssuer::configure(configuration()).unwrap().authenticate_at(token, &asked(), NOW)
}

/// The answer to the usual claims, but for one.
fn with(claim: &str, value: Value) -> Result<Option<Identity>, String> {
    let mut claims = claims();
    match value {
        Value::Null => claims.as_object_mut().unwrap().remove(claim),
        value => claims.as_object_mut().unwrap().insert(claim.into(), value),
    };
    authenticate(&token(&claims))
}

#[test]
fn claims_become_a_user() {
    let identity = authenticate(&token(&claims())).unwrap().unwrap();
    let user = identity.user;
    assert_eq!((user.name.as_str(), user.uid.as_str()), ("ci:anna", "anna"));
    assert_eq!(user.groups, ["ci:builders", "ci:readers"]);
    let extra = |key: &str, value: &str| (key.to_owned(), vec![value.to_owned()]);
    let id = extra("authentication.kubernetes.io/credential-id", "JTI=1");
    assert_eq!(user.extra, [id, extra("example.com/tenant", "a")]);
    assert_eq!(identity.audiences, ["kubernetes"]);
}

#[test]
fn each_type_of_key_is_verified() {
    let es256 = signed(&json!({ "alg": "ES256" }), &claims(), |message| {
        let signature: p256::ecdsa::Signature = p256().sign(message);
        signature.to_bytes().to_vec()
    });
    assert!(authenticate(&es256).unwrap().is_some());
    let mut plain = configuration();
    plain["claimValidationRules"] = json!([]);
    let by_jwk = JwtIssuer::configure(plain.clone()).unwrap();
    plain["issuer"]["jwks"] = json!({ "keys": [] });
    plain["issuer"]["publicKeys"] = json!([RSA_PEM]);
    let by_pem = JwtIssuer::configure(plain).unwrap();
    for issuer in [by_jwk, by_pem] {
        let identity = issuer.authenticate_at(RSA_TOKEN, &[], NOW).unwrap().unwrap();
        assert_eq!(identity.user.name, "ci:anna");
        assert!(issuer.authenticate_at(RSA_TOKEN, &[], NOW + 200_000_000.0).unwrap_err().contains("expired"));
        let (message, signature) = RSA_TOKEN.rsplit_once('.').unwrap();
        let mut signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        signature[9] ^= 1;
        let forged = format!("{message}.{}", base64(&signature));
        assert!(issuer.authenticate_at(&forged, &[], NOW).unwrap_err().contains("signature is wrong"));
    }
}

#[test]
fn keys_in_pem_are_of_their_type() {
    let points = [
        "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6aYelfAundKnDpHM5jl7XvqG1QJT\noAtE7gJYDecKIIK65lVBznjK9X971guAsGg4WDpAL2rlH02p4w7zpsyH5A==\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAr6Lu5HN5Y+aAU5wGXf504OaVI02AexK80+B+ZrrOyo=\n-----END PUBLIC KEY-----\n",
    ];
    let mut configured = configuration();
    configured["issuer"]["jwks"] = json!({ "keys": [] });
    configured["issuer"]["publicKeys"] = json!(points);
    let issuer = JwtIssuer::configure(configured).unwrap();
    assert!(issuer.authenticate_at(RSA_TOKEN, &[], NOW).unwrap_err().contains("no key fits"));
    assert!(issuer.authenticate_at(&token(&claims()), &[], NOW).unwrap_err().contains("signature is wrong"));
}

#[test]
fn a_token_cannot_choose_its_algorithm() {
    let claims = claims();
    for alg in ["none", "None", "HS256", "RS256", "ES384", "eddsa", ""] {
        for signature in [Vec::new(), vec![0; 64]] {
            let header = json!({ "alg": alg, "kid": "ed" });
            let told = authenticate(&signed(&header, &claims, |_| signature.clone())).unwrap_err();
            assert!(told.contains("no key fits"), "{alg}: {told}");
        }
    }
    let hmac = signed(&json!({ "alg": "HS256", "kid": "hmac" }), &claims, |_| vec![0; 32]);
    assert!(authenticate(&hmac).is_err());
    let critical = signed(&json!({ "alg": "EdDSA", "crit": ["b64"], "b64": false }), &claims, |message| {
        ed25519().sign(message).to_bytes().to_vec()
    });
    assert!(authenticate(&critical).unwrap_err().contains("crit"));
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    let good = token(&claims());
    let [header, _, signature]: [&str; 3] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let mut forged = claims();
    forged["sub"] = json!("root");
    let forged = format!("{header}.{}.{signature}", base64(forged.to_string().as_bytes()));
    assert_eq!(authenticate(&forged).unwrap_err(), "the token's signature is wrong");
}

#[test]
fn tokens_of_others_are_left_to_others() {
    assert_eq!(with("iss", json!("https://other.example.com")), Ok(None));
    for text in ["", "abc", "a.b.c", "a.b", "....", &"x".repeat(20_000), &format!("{}=", token(&claims()))] {
        assert_eq!(authenticate(text), Ok(None), "{text}");
    }
}

#[test]
fn times_are_taken_with_a_minute_of_leeway() {
    assert!(with("exp", json!(NOW - 59.0)).is_ok());
    assert!(with("exp", json!(NOW - 61.0)).unwrap_err().contains("expired 61 s ago"));
    assert!(with("exp", Value::Null).unwrap_err().contains("no \"exp\""));
    assert!(with("exp", json!("tomorrow")).unwrap_err().contains("no number"));
    assert!(with("nbf", json!(NOW + 59.0)).is_ok());
    assert!(with("nbf", json!(NOW + 61.0)).unwrap_err().contains("good in 61 s"));
}

#[test]
fn audiences_are_those_configured_and_asked_for() {
    assert!(with("aud", json!("other")).unwrap_err().contains("other audiences"));
    assert!(with("aud", Value::Null).unwrap_err().contains("no \"aud\""));
    assert!(with("aud", json!([1])).is_err());
    // For this server, the operator says, though it was not asked for by that name.
    assert_eq!(with("aud", json!("staging")).unwrap().unwrap().audiences, Vec::<String>::new());
}

#[test]
fn required_claims_are_required() {
    assert!(with("project", json!("bank")).unwrap_err().contains("\"project\" is not \"shop\""));
    assert!(with("project", Value::Null).is_err());
}

#[test]
fn names_of_the_servers_own_are_refused() {
    let mut bare = configuration();
    bare["claimMappings"]["username"]["prefix"] = json!("");
    bare["claimMappings"]["groups"]["prefix"] = json!("");
    let issuer = JwtIssuer::configure(bare).unwrap();
    for (claim, value) in
        [("sub", json!("system:admin")), ("realm_access", json!({ "roles": "system:masters" }))]
    {
        let mut claims = claims();
        claims[claim] = value;
        assert!(issuer.authenticate_at(&token(&claims), &[], NOW).unwrap_err().contains("server's own"));
    }
    assert!(with("sub", json!("")).is_err());
    assert!(with("sub", Value::Null).is_err());
    assert!(with("realm_access", json!({ "roles": [1] })).is_err());
    assert_eq!(with("realm_access", Value::Null).unwrap().unwrap().user.groups, Vec::<String>::new());
}

#[test]
fn an_email_must_be_verified() {
    let mut by_email = configuration();
    by_email["claimMappings"]["username"]["claim"] = json!("email");
    let issuer = JwtIssuer::configure(by_email).unwrap();
    let mut claims = claims();
    claims["email"] = json!("anna@example.com");
    claims["email_verified"] = json!(true);
    let identity = issuer.authenticate_at(&token(&claims), &[], NOW).unwrap().unwrap();
    assert_eq!(identity.user.name, "ci:anna@example.com");
    claims["email_verified"] = json!(false);
    assert!(issuer.authenticate_at(&token(&claims), &[], NOW).unwrap_err().contains("not verified"));
}

#[test]
fn faults_in_the_configuration_are_named() {
    let refused = |change: fn(&mut Value)| {
        let mut configured = configuration();
        change(&mut configured);
        JwtIssuer::configure(configured).unwrap_err()
    };
    assert!(refused(|it| it["issuer"]["jwks"] = json!({ "keys": [] })).contains("has no key"));
    assert!(refused(|it| it["issuer"]["audiences"] = json!([])).contains("issuer.audiences is empty"));
    assert!(refused(|it| it["issuer"]["publicKeys"] = json!(["x"])).contains("publicKeys[0]"));
    assert!(refused(|it| it["issuer"]["jwks"]["keys"][2]["n"] = json!("AQAB")).contains("jwks.keys[2]"));
    assert!(refused(|it| it["issuer"]["jwks"]["keys"][1]["x"] = json!("AQAB")).contains("jwks.keys[1]"));
    assert!(refused(|it| it["claimMappings"]["username"] = json!({ "claim": "sub" })).contains("prefix"));
    assert!(
        refused(|it| it["claimMappings"]["extra"][0]["key"] = json!("x.k8s.io/a"))
            .contains("Kubernetes' own")
    );
}
