//! Authenticators and authorizers that somebody else brings.

use crate::harness::{ALICE, ROOT, Server, object};
use chainplate_apimachinery::request::UserInfo;
use chainplate_apiserver::{
    BoxFuture,
    authn::{
        AuthenticationError, TokenAuthentication, TokenAuthenticator, TokenAuthenticators, TokenEntry,
        TokenIdentity,
    },
    authz::{Attributes, Authorizer, AuthorizerEntry, Authorizers, Decision, Verdict},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// Knows the tokens `<name>@<audience>`, and `boss` for whom it is a master.
#[derive(Debug, Default)]
struct Issuer {
    asked: AtomicUsize,
}

impl TokenAuthenticator for Issuer {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, TokenAuthentication> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let known = |name: &str, groups: &[&str]| {
            let groups = groups.iter().map(|&group| group.into()).collect();
            let user = UserInfo { name: name.into(), groups, ..UserInfo::default() };
            Ok(Some(TokenIdentity { user: Arc::new(user), audiences: audiences.to_vec() }))
        };
        let answer = match token.split_once('@') {
            Some((name, audience)) if audiences.iter().any(|wanted| wanted == audience) => {
                known(name, &["ops", "devs"])
            }
            Some((_, audience)) => Err(AuthenticationError(format!("meant for {audience}"))),
            None if token == "boss" => known("boss", &["system:masters"]),
            None => Ok(None),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// Carol may do all but list. It fails for Bob, or does not answer at all. Nobody else is its business.
#[derive(Debug, Default)]
struct Policy {
    asked: AtomicUsize,
}

impl Authorizer for Policy {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            Ok(match (attributes.user.name.as_str(), attributes.verb) {
                ("carol", "list") => {
                    let selector = attributes.label_selector().unwrap_or_default();
                    Verdict { decision: Decision::Deny, reason: format!("no lists of {selector:?} today") }
                }
                ("carol", _) => Verdict::silent(Decision::Allow),
                ("bob", "list") => return Err("the rules cannot be read".into()),
                ("bob", _) => std::future::pending().await,
                _ => Verdict::silent(Decision::NoOpinion),
            })
        })
    }
}

async fn server(
    issuer: &Arc<Issuer>,
    policy: &Arc<Policy>,
) -> (Server, Arc<TokenAuthenticators>, Arc<Authorizers>) {
    let tokens = Arc::new(TokenAuthenticators::new(
        vec!["here".into()],
        vec![
            TokenEntry::new("issuer", issuer.clone()),
            TokenEntry::new("second", Arc::new(Issuer::default())),
        ],
    ));
    let entry = AuthorizerEntry {
        timeout: Duration::from_millis(50),
        ..AuthorizerEntry::new("policy", policy.clone())
    };
    let rules = Arc::new(Authorizers::new(vec![entry]));
    let edit = {
        let (tokens, rules) = (tokens.clone(), rules.clone());
        |server: chainplate_apiserver::GenericServer| {
            server.with_token_authenticators(tokens).with_authorizers(rules)
        }
    };
    (Server::start_with(&[], edit).await, tokens, rules)
}

#[tokio::test]
async fn a_token_that_only_a_third_party_knows_gets_through_and_is_asked_for_once() {
    let (issuer, policy) = <(Arc<Issuer>, Arc<Policy>)>::default();
    let (server, tokens, rules) = server(&issuer, &policy).await;
    for h2 in [false, true] {
        let mut client = server.client(h2, None).await;
        for _ in 0..2 {
            let carol = client.get(&object("echo"), Some("carol@here")).await.json();
            assert_eq!(carol["user"], "carol");
            assert_eq!(carol["groups"], json!(["ops", "devs", "system:authenticated"]));
        }
    }
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);
    assert_eq!(policy.asked.load(Ordering::Relaxed), 1);

    // The built-in ones come first, and what they know is nobody else's business.
    let mut client = server.http1().await;
    assert_eq!(client.get(&object("echo"), Some(ALICE)).await.json()["user"], "alice");
    assert_eq!(issuer.asked.load(Ordering::Relaxed), 1);

    rules.replace(Vec::new());
    assert_eq!(client.get(&object("echo"), Some("carol@here")).await.code, 403);
    tokens.replace(Vec::new());
    assert_eq!(client.get(&object("echo"), Some("carol@here")).await.code, 401);
}

#[tokio::test]
async fn a_token_that_everybody_finds_fault_with_is_401() {
    let (issuer, policy) = <(Arc<Issuer>, Arc<Policy>)>::default();
    let (server, ..) = server(&issuer, &policy).await;
    let mut client = server.http1().await;
    for token in ["carol@there", "unheard-of"] {
        let answer = client.get("/healthz", Some(token)).await;
        assert_eq!((answer.code, &answer.json()["message"]), (401, &json!("Unauthorized")), "{token}");
    }
    let metrics = client.get("/metrics", Some(ROOT)).await.body;
    for line in [
        "# TYPE authentication_attempts counter",
        "authentication_attempts{result=\"error\"} 2",
        "authentication_attempts{result=\"success\"} 1",
        "authorization_attempts_total{result=\"allowed\"} 1",
    ] {
        assert!(metrics.lines().any(|there| there == line), "{line} in {metrics}");
    }
}

#[tokio::test]
async fn what_a_third_party_denies_is_403_with_its_reason() {
    let (issuer, policy) = <(Arc<Issuer>, Arc<Policy>)>::default();
    let (server, ..) = server(&issuer, &policy).await;
    let mut client = server.http1().await;
    for path in ["/api/v1/pods?labelSelector=a%3Db", "/api/v1/pods?limit=1&labelSelector=a%3Db"] {
        let answer = client.get(path, Some("carol@here")).await;
        assert_eq!(answer.code, 403);
        assert_eq!(
            answer.json()["message"],
            r#"pods is forbidden: User "carol" cannot list resource "pods" in API group "" at the cluster scope: no lists of "a=b" today"#
        );
    }
    assert_eq!(policy.asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_an_opinion_the_built_in_rules_decide() {
    let (issuer, policy) = <(Arc<Issuer>, Arc<Policy>)>::default();
    let (server, ..) = server(&issuer, &policy).await;
    let mut client = server.http1().await;
    assert_eq!(client.get(&object("echo"), Some(ALICE)).await.code, 200);
    assert_eq!(client.get("/api/v1/secrets", Some(ALICE)).await.code, 403);
    assert_eq!(client.get("/version", None).await.code, 200);
    assert_eq!(policy.asked.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn masters_and_probes_do_not_depend_on_third_parties() {
    let (issuer, policy) = <(Arc<Issuer>, Arc<Policy>)>::default();
    let (server, ..) = server(&issuer, &policy).await;
    let mut client = server.http1().await;
    for token in [ROOT, "boss"] {
        assert_eq!(client.get("/api/v1/secrets", Some(token)).await.code, 200);
    }
    assert_eq!(client.get("/readyz", None).await.code, 200);
    assert_eq!(policy.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_authorizer_that_fails_or_hangs_has_no_opinion() {
    let (issuer, policy) = <(Arc<Issuer>, Arc<Policy>)>::default();
    let (server, ..) = server(&issuer, &policy).await;
    let mut client = server.http1().await;
    for (path, why) in
        [("/api/v1/pods", "the rules cannot be read"), ("/api/v1/pods/a", "no answer within 50ms")]
    {
        let answer = client.get(path, Some("bob-token")).await;
        assert_eq!(answer.code, 403, "{path}");
        let message = answer.json()["message"].as_str().expect("text").to_owned();
        assert!(message.ends_with(&format!(": authorizer policy: {why}")), "{message}");
    }
    // The bootstrap rules still let him look around.
    assert_eq!(client.get("/apis", Some("bob-token")).await.code, 200);
}
