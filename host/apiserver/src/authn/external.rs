//! Bearer tokens: the file of tokens first, then the authenticators that somebody brings, service accounts before
//! those that stand in the place of upstream's token webhook.

use super::{
    Authentication, AuthenticationError, Authenticator, Credentials, TokenFile, token::bearer_token,
    with_group,
};
use crate::{
    BoxFuture,
    cache::{Expiring, Key, KeyHasher},
};
use arc_swap::ArcSwap;
use chainplate_apimachinery::request::UserInfo;
use std::{
    fmt::Debug,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::time::Instant;

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenIdentity {
    /// The user.
    pub user: Arc<UserInfo>,
    /// Those of the audiences that were asked for which the token is good for. Of an authenticator: none if the token says
    /// nothing of audiences, which makes it one for this server.
    pub audiences: Vec<String>,
}

/// `None`: this is not a token of this kind, ask the next.
pub type TokenAuthentication = Result<Option<TokenIdentity>, AuthenticationError>;

/// Finds out whom a bearer token speaks for, as upstream's `authenticator.Token`.
pub trait TokenAuthenticator: Debug + Send + Sync + 'static {
    /// Judges a token. It must be meant for one of the audiences; with none given, any will do. `None` means
    /// that it is not a token of this kind: the next is asked. The future may be dropped where it waits.
    ///
    /// # Errors
    /// The token is of this kind and not good, or could not be judged. The next is asked all the same; when
    /// nobody knows the token, the client gets 401 and the log the error, which must not hold the token.
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, TokenAuthentication>;
}

/// A [`TokenAuthenticator`] in the list, and how its answers are kept.
#[derive(Debug, Clone)]
pub struct TokenEntry {
    /// What it is called in messages.
    pub name: String,
    /// Who is asked.
    pub authenticator: Arc<dyn TokenAuthenticator>,
    /// How long a token's user is remembered, zero for not at all. A token that ends or is taken back in
    /// between is good for as long.
    pub known: Duration,
    /// How long it is remembered that a token is none of this kind. Errors never are.
    pub unknown: Duration,
    /// An answer that takes longer is an error.
    pub timeout: Duration,
}

impl TokenEntry {
    /// Users are remembered for 10 s and nothing else is, as upstream does for all kinds of tokens
    /// (`pkg/kubeapiserver/options/authentication.go`, `tokenSuccessCacheTTL`). Its webhook adds 2 minutes, which
    /// pay for a round trip that is not needed here, with tokens that outlive their end. An answer has 10 s.
    pub fn new(name: impl Into<String>, authenticator: Arc<dyn TokenAuthenticator>) -> Self {
        Self {
            name: name.into(),
            authenticator,
            known: Duration::from_secs(10),
            unknown: Duration::ZERO,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Answers that are remembered of each authenticator, and as many tokens that it does not know
/// (`token/cache/cached_token_authenticator.go` has as many for both). Apart from each other, so that made-up
/// tokens do not drive out good ones.
const MOST_ANSWERS: usize = 4_096;

/// Time that all of them together have for a token. Each may take half of what is left, so that one that hangs leaves time
/// for all behind it.
const MOST_TIME: Duration = Duration::from_secs(20);

/// Bytes of a user: names, groups and the like together. Users are remembered and go with every request.
const MOST_USER_BYTES: usize = 64 * 1024;

/// Token authenticators, asked in order. The list may be replaced while requests are served.
#[derive(Debug)]
pub struct TokenAuthenticators {
    audiences: Vec<String>,
    file: OnceLock<Arc<TokenFile>>,
    members: ArcSwap<Vec<Member>>,
}

impl TokenAuthenticators {
    /// Asks these in order, for tokens that are meant for one of the audiences; for any tokens without any.
    pub fn new(audiences: Vec<String>, entries: Vec<TokenEntry>) -> Self {
        Self { audiences, file: OnceLock::new(), members: ArcSwap::from_pointee(members(entries)) }
    }

    /// Looks into this file before anybody is asked. For a server that is being assembled: it has one file.
    pub(crate) fn look_first_into(&self, file: Arc<TokenFile>) {
        // A second one would be the same.
        let _ = self.file.set(file);
    }

    /// Asks these from now on. What the old ones answered is forgotten; requests that wait for one of them get
    /// its answer.
    pub fn replace(&self, entries: Vec<TokenEntry>) {
        self.members.store(Arc::new(members(entries)));
    }

    /// Whom a token speaks for, as the first says that knows it; `None` if there is nobody to ask. The token must be
    /// meant for one of the audiences; with none given, any will do.
    ///
    /// # Errors
    /// Nobody knows the token, with what those say who know that it is no good. Never holds the token.
    pub async fn review(&self, token: &str, audiences: &[String]) -> TokenAuthentication {
        let members = self.members.load_full();
        let file = self.file.get();
        if members.is_empty() && file.is_none() {
            return Ok(None);
        }
        if let Some(user) = file.and_then(|file| file.user(token))
            && let Some(audiences) = self.good_for(&[], audiences)
        {
            return Ok(Some(TokenIdentity { user, audiences }));
        }
        let mut hasher = KeyHasher::default();
        hasher.text(token).texts(audiences);
        let key = hasher.key();
        let mut errors = Vec::new();
        let end = Instant::now() + MOST_TIME;
        for member in members.iter() {
            let left = end.saturating_duration_since(Instant::now());
            match member.ask(key, token, audiences, left / 2).await {
                Ok(Some(TokenIdentity { user, audiences: made_for })) => {
                    if let Some(audiences) = self.good_for(&made_for, audiences) {
                        return Ok(Some(TokenIdentity { user, audiences }));
                    }
                    errors.push(format!(
                        "authenticator {}: the token is not meant for {audiences:?}",
                        member.entry.name
                    ));
                }
                Ok(None) => {}
                Err(error) => errors.push(error.0),
            }
        }
        let error = if errors.is_empty() { "invalid bearer token".to_owned() } else { errors.join("; ") };
        Err(AuthenticationError(error))
    }

    /// Those of the audiences that a token is made for which were asked for; one that says nothing of them is for this
    /// server (`authenticator/audagnostic.go`). `None` if it is good for none of them.
    fn good_for(&self, made_for: &[String], asked: &[String]) -> Option<Vec<String>> {
        let made_for = if made_for.is_empty() { &self.audiences } else { made_for };
        if asked.is_empty() {
            return Some(made_for.to_vec());
        }
        let good = common_audiences(made_for, asked);
        (!good.is_empty()).then_some(good)
    }
}

/// Those of the audiences that a token is made for which were asked for.
pub(super) fn common_audiences(made_for: &[String], asked: &[String]) -> Vec<String> {
    made_for.iter().filter(|audience| asked.contains(audience)).cloned().collect()
}

impl Authenticator for TokenAuthenticators {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> BoxFuture<'a, Authentication> {
        Box::pin(async move {
            let Some(token) = bearer_token(credentials) else { return Ok(None) };
            let found = self.review(&token, &self.audiences).await?;
            Ok(found.map(|identity| identity.user))
        })
    }
}

fn members(entries: Vec<TokenEntry>) -> Vec<Member> {
    entries
        .into_iter()
        .map(|entry| Member {
            entry,
            known: Expiring::new(MOST_ANSWERS),
            unknown: Expiring::new(MOST_ANSWERS),
        })
        .collect()
}

#[derive(Debug)]
struct Member {
    entry: TokenEntry,
    known: Expiring<TokenIdentity>,
    unknown: Expiring<()>,
}

impl Member {
    async fn ask(&self, key: Key, token: &str, audiences: &[String], most: Duration) -> TokenAuthentication {
        if let Some(identity) = self.known.get(&key) {
            return Ok(Some(identity));
        }
        if self.unknown.get(&key).is_some() {
            return Ok(None);
        }
        let TokenEntry { name, authenticator, timeout, .. } = &self.entry;
        let error = |text: &str| AuthenticationError(format!("authenticator {name}: {text}"));
        let timeout = most.min(*timeout);
        let asked = tokio::time::timeout(timeout, authenticator.authenticate(token, audiences));
        let Ok(answer) = asked.await else {
            tracing::warn!(authenticator = name, ?timeout, "an authenticator did not answer in time");
            return Err(error(&format!("no answer within {timeout:?}")));
        };
        let Some(TokenIdentity { user, audiences }) = answer.map_err(|text| error(&text.0))? else {
            self.unknown.put(key, (), self.entry.unknown);
            return Ok(None);
        };
        if user.name.is_empty() {
            return Err(error("the user has no name"));
        }
        if bytes(&user) > MOST_USER_BYTES {
            return Err(error(&format!("the user has more than {MOST_USER_BYTES} bytes")));
        }
        let identity = TokenIdentity { user: with_group(user), audiences };
        self.known.put(key, identity.clone(), self.entry.known);
        Ok(Some(identity))
    }
}

fn bytes(user: &UserInfo) -> usize {
    let sum = |texts: &[String]| texts.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
    let extra: usize = user.extra.iter().map(|(key, values)| key.len() + sum(values)).sum();
    user.name.len() + user.uid.len() + sum(&user.groups) + extra
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Warnings, authn::AUTHENTICATED};
    use http::{HeaderMap, header};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Gives one answer, or none ever, and counts how often it is asked.
    #[derive(Debug)]
    struct Fixed(Option<Authentication>, AtomicUsize);

    impl TokenAuthenticator for Fixed {
        fn authenticate<'a>(&'a self, _: &'a str, asked: &'a [String]) -> BoxFuture<'a, TokenAuthentication> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                match &self.0 {
                    Some(answer) => answer
                        .clone()
                        .map(|user| user.map(|user| TokenIdentity { user, audiences: asked.to_vec() })),
                    None => std::future::pending().await,
                }
            })
        }
    }

    impl Fixed {
        fn new(answer: Authentication) -> Arc<Self> {
            Arc::new(Self(Some(answer), AtomicUsize::new(0)))
        }

        fn asked(&self) -> usize {
            self.1.load(Ordering::Relaxed)
        }
    }

    fn user(name: &str) -> Authentication {
        Ok(Some(Arc::new(UserInfo { name: name.into(), groups: vec!["g".into()], ..UserInfo::default() })))
    }

    fn bad(text: &str) -> Authentication {
        Err(AuthenticationError(text.into()))
    }

    fn list(members: &[Arc<Fixed>]) -> TokenAuthenticators {
        let entry = |(index, member): (usize, &Arc<Fixed>)| TokenEntry {
            unknown: Duration::from_secs(2),
            ..TokenEntry::new(index.to_string(), member.clone())
        };
        TokenAuthenticators::new(Vec::new(), members.iter().enumerate().map(entry).collect())
    }

    async fn ask(list: &TokenAuthenticators, token: &str) -> Authentication {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Bearer {token}").parse().expect("header"));
        let warnings = Warnings::default();
        list.authenticate(Credentials::new(&headers, None, &warnings)).await
    }

    #[tokio::test]
    async fn the_first_that_knows_the_token_decides() {
        let list = list(&[
            Fixed::new(Ok(None)),
            Fixed::new(bad("worn")),
            Fixed::new(user("a")),
            Fixed::new(user("b")),
        ]);
        let found = ask(&list, "t").await.expect("known").expect("user");
        assert_eq!((found.name.as_str(), found.groups[..].join(",")), ("a", format!("g,{AUTHENTICATED}")));
    }

    #[tokio::test]
    async fn a_token_that_nobody_knows_is_an_error_and_one_for_nobody_is_not() {
        assert_eq!(ask(&list(&[Fixed::new(Ok(None))]), "t").await, bad("invalid bearer token"));
        let errors = list(&[Fixed::new(bad("worn")), Fixed::new(Ok(None)), Fixed::new(bad("torn"))]);
        assert_eq!(ask(&errors, "t").await, bad("authenticator 0: worn; authenticator 2: torn"));
        assert_eq!(ask(&list(&[]), "t").await, Ok(None));
        let (headers, warnings) = (HeaderMap::new(), Warnings::default());
        assert_eq!(errors.authenticate(Credentials::new(&headers, None, &warnings)).await, Ok(None));
    }

    #[tokio::test]
    async fn a_user_without_a_name_or_without_end_is_an_error() {
        assert_eq!(
            ask(&list(&[Fixed::new(user(""))]), "t").await,
            bad("authenticator 0: the user has no name")
        );
        let long = user(&"x".repeat(MOST_USER_BYTES));
        assert!(ask(&list(&[Fixed::new(long)]), "t").await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn users_and_strangers_are_remembered_for_their_time_and_errors_are_not() {
        let members = [Fixed::new(Ok(None)), Fixed::new(bad("worn")), Fixed::new(user("a"))];
        let asked = || members.each_ref().map(|member| member.asked());
        let list = list(&members);
        for _ in 0..2 {
            assert!(ask(&list, "t").await.is_ok());
        }
        assert_eq!(asked(), [1, 2, 1]);
        assert!(ask(&list, "other").await.is_ok());
        assert_eq!(asked(), [2, 3, 2]);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert!(ask(&list, "t").await.is_ok());
        assert_eq!(asked(), [3, 4, 2]);
        tokio::time::advance(Duration::from_secs(8)).await;
        assert!(ask(&list, "t").await.is_ok());
        assert_eq!(asked(), [4, 5, 3]);
    }

    #[tokio::test]
    async fn the_file_comes_first_and_its_tokens_are_for_this_server() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("tokens");
        std::fs::write(&path, "t,alice,1\n").expect("written");
        let member = Fixed::new(user("a"));
        let list = TokenAuthenticators::new(vec!["api".into()], vec![TokenEntry::new("0", member.clone())]);
        list.look_first_into(Arc::new(TokenFile::load(&path).expect("loads")));
        assert_eq!(ask(&list, "t").await.expect("known").expect("user").name, "alice");
        let review = async |audiences: &[&str]| {
            let audiences: Vec<String> = audiences.iter().map(|&audience| audience.into()).collect();
            let identity = list.review("t", &audiences).await.expect("known").expect("user");
            (identity.user.name.clone(), identity.audiences.join(","))
        };
        assert_eq!(review(&["b", "api"]).await, ("alice".into(), "api".into()));
        assert_eq!(member.asked(), 0);
        // What is remembered for some audiences is nothing to others.
        assert_eq!(review(&["b"]).await, ("a".into(), "b".into()));
        assert_eq!(review(&["c"]).await, ("a".into(), "c".into()));
        assert_eq!(member.asked(), 2);
    }

    #[tokio::test]
    async fn a_new_list_knows_nothing_of_what_the_old_one_answered() {
        let list = list(&[Fixed::new(user("a"))]);
        assert_eq!(ask(&list, "t").await.expect("known").expect("user").name, "a");
        list.replace(vec![TokenEntry::new("new", Fixed::new(user("b")))]);
        assert_eq!(ask(&list, "t").await.expect("known").expect("user").name, "b");
        list.replace(Vec::new());
        assert_eq!(ask(&list, "t").await, Ok(None));
    }

    #[tokio::test(start_paused = true)]
    async fn several_that_do_not_answer_have_a_bound_together() {
        let hangs: Vec<_> = (0..8).map(|_| Arc::new(Fixed(None, AtomicUsize::new(0)))).collect();
        let begin = Instant::now();
        let members: Vec<_> = hangs.iter().cloned().chain([Fixed::new(user("a"))]).collect();
        let found = ask(&list(&members), "t").await.expect("known").expect("user");
        assert_eq!(found.name, "a", "the last one is asked, too");
        assert!(begin.elapsed() <= MOST_TIME, "{:?}", begin.elapsed());
        assert!(hangs.iter().all(|member| member.asked() == 1));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_does_not_answer_is_left_for_the_next() {
        let hangs = Arc::new(Fixed(None, AtomicUsize::new(0)));
        let found = ask(&list(&[hangs.clone(), Fixed::new(user("a"))]), "t").await;
        assert_eq!(found.expect("known").expect("user").name, "a");
        assert_eq!(ask(&list(&[hangs]), "t").await, bad("authenticator 0: no answer within 10s"));
    }
}
