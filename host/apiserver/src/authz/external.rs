//! Authorizers that somebody else brings: the place of upstream's authorization webhooks.

use super::{Attributes, Authorizer, Decision, Union, Verdict};
use crate::{
    BoxFuture,
    cache::{Expiring, Key, KeyHasher},
};
use arc_swap::ArcSwap;
use std::{sync::Arc, time::Duration};

/// An [`Authorizer`] in the list, and how its verdicts are kept.
#[derive(Debug, Clone)]
pub struct AuthorizerEntry {
    /// What it is called in messages.
    pub name: String,
    /// Who is asked.
    pub authorizer: Arc<dyn Authorizer>,
    /// How long it is remembered that something is allowed, zero for not at all.
    pub allowed: Duration,
    /// How long it is remembered that something is denied, or that there is no opinion. Errors never are.
    pub denied: Duration,
    /// A verdict that takes longer is none.
    pub timeout: Duration,
}

impl AuthorizerEntry {
    /// Verdicts are remembered for as long as those of upstream's webhook: 5 minutes and 30 s
    /// (`--authorization-webhook-cache-authorized-ttl`, `…-unauthorized-ttl`). A verdict has 10 s.
    pub fn new(name: impl Into<String>, authorizer: Arc<dyn Authorizer>) -> Self {
        Self {
            name: name.into(),
            authorizer,
            allowed: Duration::from_secs(5 * 60),
            denied: Duration::from_secs(30),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Verdicts that are remembered of each authorizer, as `authorizer/webhook/webhook.go` has it.
const MOST_VERDICTS: usize = 8_192;

/// Bytes that a reason is cut to. Reasons are remembered, and clients see them.
const MOST_REASON_BYTES: usize = 1_024;

/// Authorizers, asked in order: the first that has an opinion decides. One that fails or does not answer in time
/// has none, so that the ones behind it, and in the end nobody, decide. The list may be replaced while requests
/// are served.
#[derive(Debug)]
pub struct Authorizers(ArcSwap<Union>);

impl Authorizers {
    /// Asks these in order.
    pub fn new(entries: Vec<AuthorizerEntry>) -> Self {
        Self(ArcSwap::from_pointee(union(entries)))
    }

    /// Asks these from now on. What the old ones decided is forgotten; requests that wait for one of them get
    /// its verdict.
    pub fn replace(&self, entries: Vec<AuthorizerEntry>) {
        self.0.store(Arc::new(union(entries)));
    }
}

impl Authorizer for Authorizers {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        let members = self.0.load_full();
        Box::pin(async move { members.authorize(attributes).await })
    }
}

fn union(entries: Vec<AuthorizerEntry>) -> Union {
    let member =
        |entry| Arc::new(Member { entry, verdicts: Expiring::new(MOST_VERDICTS) }) as Arc<dyn Authorizer>;
    Union::new(entries.into_iter().map(member).collect())
}

#[derive(Debug)]
struct Member {
    entry: AuthorizerEntry,
    verdicts: Expiring<Verdict>,
}

impl Member {
    async fn ask(&self, attributes: Attributes<'_>) -> Verdict {
        let AuthorizerEntry { name, authorizer, allowed, denied, timeout } = &self.entry;
        let key = key(attributes);
        if let Some(verdict) = self.verdicts.get(&key) {
            return verdict;
        }
        let error = match tokio::time::timeout(*timeout, authorizer.authorize(attributes)).await {
            Ok(Ok(mut verdict)) => {
                cut(&mut verdict.reason);
                let life = if verdict.decision == Decision::Allow { *allowed } else { *denied };
                self.verdicts.put(key, verdict.clone(), life);
                return verdict;
            }
            // Whoever brought it knows how much of that the log can take.
            Ok(Err(error)) => error,
            Err(_elapsed) => {
                tracing::warn!(authorizer = name, ?timeout, "an authorizer did not answer in time");
                format!("no answer within {timeout:?}")
            }
        };
        let mut reason = format!("authorizer {name}: {error}");
        cut(&mut reason);
        Verdict { decision: Decision::NoOpinion, reason }
    }
}

impl Authorizer for Member {
    fn authorize<'a>(&'a self, attributes: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
        Box::pin(async move { Ok(self.ask(attributes).await) })
    }
}

fn cut(reason: &mut String) {
    reason.truncate(reason.floor_char_boundary(MOST_REASON_BYTES));
}

/// All that an authorizer may look at. What is missing here would be answered for something else.
fn key(attributes: Attributes<'_>) -> Key {
    let Attributes { user, info, verb, .. } = attributes;
    let mut hasher = KeyHasher::default();
    hasher.text(&user.name).text(&user.uid).texts(&user.groups).count(user.extra.len());
    for (key, values) in &user.extra {
        hasher.text(key).texts(values);
    }
    hasher.count(usize::from(info.is_resource)).text(verb);
    for text in [
        &info.method,
        &info.path,
        &info.group,
        &info.version,
        &info.namespace,
        &info.resource,
        &info.subresource,
        &info.name,
    ] {
        hasher.text(text);
    }
    for selector in [attributes.field_selector(), attributes.label_selector()] {
        hasher.count(usize::from(selector.is_some())).text(selector.as_deref().unwrap_or_default());
    }
    hasher.key()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_apimachinery::request::{RequestInfo, UserInfo};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Gives one answer, or none ever, and counts how often it is asked.
    #[derive(Debug)]
    struct Fixed(Option<Result<Verdict, String>>, AtomicUsize);

    impl Authorizer for Fixed {
        fn authorize<'a>(&'a self, _: Attributes<'a>) -> BoxFuture<'a, Result<Verdict, String>> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Box::pin(async {
                match &self.0 {
                    Some(answer) => answer.clone(),
                    None => std::future::pending().await,
                }
            })
        }
    }

    impl Fixed {
        fn new(answer: Option<Result<Verdict, String>>) -> Arc<Self> {
            Arc::new(Self(answer, AtomicUsize::new(0)))
        }

        fn says(decision: Decision, reason: &str) -> Arc<Self> {
            Self::new(Some(Ok(Verdict { decision, reason: reason.into() })))
        }

        fn asked(&self) -> usize {
            self.1.load(Ordering::Relaxed)
        }
    }

    fn entries(members: &[Arc<Fixed>]) -> Vec<AuthorizerEntry> {
        let entry = |(index, member): (usize, &Arc<Fixed>)| {
            AuthorizerEntry::new(index.to_string(), member.clone() as Arc<dyn Authorizer>)
        };
        members.iter().enumerate().map(entry).collect()
    }

    fn list(members: &[Arc<Fixed>]) -> Authorizers {
        Authorizers::new(entries(members))
    }

    fn user(name: &str, groups: &[&str]) -> UserInfo {
        let groups = groups.iter().map(|&group| group.into()).collect();
        UserInfo { name: name.into(), groups, ..UserInfo::default() }
    }

    async fn ask(list: &Authorizers, user: &UserInfo, method: &str, path: &str) -> (Decision, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let info = RequestInfo::parse(method, path, query).expect(path);
        let attributes = Attributes::of(user, &info).with_query(query);
        let verdict = list.authorize(attributes).await.expect("a list never fails");
        (verdict.decision, verdict.reason)
    }

    #[tokio::test]
    async fn the_first_opinion_decides_and_a_failure_is_none() {
        let fails = || Fixed::new(Some(Err("down".into())));
        let silent = || Fixed::says(Decision::NoOpinion, "who?");
        let (allows, denies) =
            (|| Fixed::says(Decision::Allow, ""), || Fixed::says(Decision::Deny, "not today"));
        for (members, decision, reason) in [
            (vec![fails(), silent(), allows(), denies()], Decision::Allow, ""),
            (vec![fails(), denies(), allows()], Decision::Deny, "not today"),
            (vec![fails(), silent()], Decision::NoOpinion, "authorizer 0: down\nwho?"),
            (vec![], Decision::NoOpinion, ""),
        ] {
            let verdict = ask(&list(&members), &user("u", &[]), "GET", "/x").await;
            assert_eq!(verdict, (decision, reason.to_owned()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_has_no_opinion() {
        let hangs = || Fixed::new(None);
        let (decision, reason) = ask(&list(&[hangs()]), &user("u", &[]), "GET", "/x").await;
        assert_eq!((decision, &*reason), (Decision::NoOpinion, "authorizer 0: no answer within 10s"));
        let next = list(&[hangs(), Fixed::says(Decision::Allow, "")]);
        assert_eq!(ask(&next, &user("u", &[]), "GET", "/x").await.0, Decision::Allow);
    }

    #[tokio::test(start_paused = true)]
    async fn verdicts_are_remembered_for_their_time_and_failures_are_not() {
        for (member, seconds) in [
            (Fixed::says(Decision::Allow, ""), 300),
            (Fixed::says(Decision::Deny, ""), 30),
            (Fixed::says(Decision::NoOpinion, ""), 30),
        ] {
            let list = list(std::slice::from_ref(&member));
            for (wait, asked) in [(0, 1), (seconds - 1, 1), (1, 2)] {
                tokio::time::advance(Duration::from_secs(wait)).await;
                ask(&list, &user("u", &[]), "GET", "/x").await;
                assert_eq!(member.asked(), asked, "{member:?}");
            }
        }
        let fails = Fixed::new(Some(Err("down".into())));
        let list = list(std::slice::from_ref(&fails));
        for asked in [1, 2] {
            ask(&list, &user("u", &[]), "GET", "/x").await;
            assert_eq!(fails.asked(), asked);
        }
    }

    #[tokio::test]
    async fn a_verdict_is_for_one_user_and_one_request() {
        let member = Fixed::says(Decision::Allow, "");
        let list = list(std::slice::from_ref(&member));
        let questions = [
            (user("u", &[]), "GET", "/api/v1/namespaces/x/pods"),
            (user("v", &[]), "GET", "/api/v1/namespaces/x/pods"),
            (user("u", &["g"]), "GET", "/api/v1/namespaces/x/pods"),
            (user("u", &["g", "h"]), "GET", "/api/v1/namespaces/x/pods"),
            (user("u", &["gh"]), "GET", "/api/v1/namespaces/x/pods"),
            (user("u", &[]), "GET", "/api/v1/namespaces/x/pods?watch=1"),
            (user("u", &[]), "GET", "/api/v1/namespaces/x/pods?labelSelector=a"),
            (user("u", &[]), "GET", "/api/v1/namespaces/x/pods?fieldSelector=a%3Db"),
            (user("u", &[]), "GET", "/api/v1/namespaces/y/pods"),
            (user("u", &[]), "GET", "/api/v1/namespaces/x/pods/a"),
            (user("u", &[]), "GET", "/api/v1/namespaces/x/pods/a/log"),
            (user("u", &[]), "DELETE", "/api/v1/namespaces/x/pods/a"),
            (user("u", &[]), "GET", "/apis/g/v1/namespaces/x/pods"),
            (user("u", &[]), "GET", "/x"),
        ];
        for round in 0..2 {
            for (index, (user, method, path)) in questions.iter().enumerate() {
                ask(&list, user, method, path).await;
                let asked = if round == 0 { index + 1 } else { questions.len() };
                assert_eq!(member.asked(), asked, "{user:?} {method} {path}");
            }
        }
        ask(&list, &user("u", &[]), "GET", "/api/v1/namespaces/x/pods?limit=5").await;
        assert_eq!(member.asked(), questions.len(), "what no authorizer sees is not part of the question");
    }

    #[tokio::test]
    async fn a_new_list_knows_nothing_of_what_the_old_one_decided() {
        let list = list(&[Fixed::says(Decision::Allow, "")]);
        assert_eq!(ask(&list, &user("u", &[]), "GET", "/x").await.0, Decision::Allow);
        list.replace(entries(&[Fixed::says(Decision::Deny, "")]));
        assert_eq!(ask(&list, &user("u", &[]), "GET", "/x").await.0, Decision::Deny);
        list.replace(Vec::new());
        assert_eq!(ask(&list, &user("u", &[]), "GET", "/x").await.0, Decision::NoOpinion);
    }

    #[tokio::test]
    async fn a_reason_is_cut_between_letters() {
        let reason = "é".repeat(MOST_REASON_BYTES);
        let list = list(&[Fixed::says(Decision::Deny, &format!("x{reason}"))]);
        let (_, reason) = ask(&list, &user("u", &[]), "GET", "/x").await;
        assert_eq!(reason.len(), MOST_REASON_BYTES - 1);
    }
}
