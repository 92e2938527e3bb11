//! Whom a service account's token speaks for, if it is still good (`pkg/serviceaccount/{jwt,claims}.go`).

use super::{
    GROUP, MOST_TOKEN_BYTES, ServiceAccountTokens,
    claims::{Claims, Private, Reference, Token},
};
use crate::{
    BoxFuture,
    authn::{
        AuthenticationError, CREDENTIAL_ID, TokenAuthentication, TokenAuthenticator, TokenIdentity,
        external::common_audiences,
    },
};
use chainplate_apimachinery::{request::UserInfo, time};
use std::{fmt::Debug, sync::Arc};

/// How far clocks may be apart, in seconds; and how long a token outlives the deletion of what it is bound to.
const LEEWAY: i64 = 60;

/// What is known of an object that a token is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundObject {
    /// Its uid.
    pub uid: String,
    /// `metadata.deletionTimestamp`, in seconds since 1970.
    pub deleted: Option<i64>,
}

/// Finds the objects that tokens are bound to, as upstream's `ServiceAccountTokenGetter`.
pub trait BoundObjects: Debug + Send + Sync + 'static {
    /// An object of the core group; `None` if there is none.
    ///
    /// # Errors
    /// Why it cannot be told.
    fn find<'a>(
        &'a self,
        resource: &'static str,
        namespace: Option<&'a str>,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<BoundObject>, String>>;
}

/// The authenticator of service account tokens.
#[derive(Debug)]
pub struct ServiceAccountAuthenticator {
    tokens: Arc<ServiceAccountTokens>,
    objects: Arc<dyn BoundObjects>,
}

impl TokenAuthenticator for ServiceAccountAuthenticator {
    fn authenticate<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, TokenAuthentication> {
        let now = time::now().as_second();
        Box::pin(async move {
            let judged = self.judge(token, audiences, now).await;
            judged.map_err(|why| {
                tracing::debug!("a service account token is refused: {why}");
                AuthenticationError(why)
            })
        })
    }
}

impl ServiceAccountAuthenticator {
    /// Takes tokens of these issuers and keys that are bound to objects that are there.
    pub fn new(tokens: Arc<ServiceAccountTokens>, objects: Arc<dyn BoundObjects>) -> Self {
        Self { tokens, objects }
    }

    /// Judges a token at a time, in seconds since 1970.
    pub(super) async fn judge(
        &self,
        token: &str,
        asked: &[String],
        now: i64,
    ) -> Result<Option<TokenIdentity>, String> {
        if token.len() > MOST_TOKEN_BYTES {
            return Ok(None);
        }
        let Some((token, claims)) = Token::parse(token) else { return Ok(None) };
        if !self.tokens.issuers.contains(&claims.iss) {
            return Ok(None);
        }
        token.verified_by(&self.tokens.keys)?;
        let audiences = audiences(&claims, asked, &self.tokens.audiences)?;
        in_time(&claims, now)?;
        let private = &claims.private;
        self.look_at_account(private, now).await?;
        self.look_at_bound(private, now).await?;
        if let Some(end) = seconds(private.warnafter).filter(|end| *end != 0 && now > *end) {
            let late = now.saturating_sub(end);
            tracing::info!(target: "audit", subject = claims.sub, late, "authentication.k8s.io/stale-token");
        }
        Ok(Some(TokenIdentity { user: Arc::new(user(&claims)), audiences }))
    }

    async fn look_at_account(&self, private: &Private, now: i64) -> Result<(), String> {
        let Reference { name, uid } = &private.serviceaccount;
        let namespace = &private.namespace;
        let found = self.objects.find("serviceaccounts", Some(namespace), name).await?;
        let found = found.ok_or_else(|| format!("serviceaccounts {name:?} not found"))?;
        if is_gone(&found, now) {
            return Err(format!("service account {namespace}/{name} has been deleted"));
        }
        if found.uid != *uid {
            return Err(format!("service account UID ({}) does not match claim ({uid})", found.uid));
        }
        Ok(())
    }

    /// What the token is bound to must be there. The node of a pod is told, and need not be.
    async fn look_at_bound(&self, private: &Private, now: i64) -> Result<(), String> {
        let namespace = Some(private.namespace.as_str());
        let node = private.node.as_ref().filter(|_| private.pod.is_none());
        for (bound, resource, namespace, kind) in [
            (private.secret.as_ref(), "secrets", namespace, "secret"),
            (private.pod.as_ref(), "pods", namespace, "pod"),
            (node, "nodes", None, "node"),
        ] {
            let Some(Reference { name, uid }) = bound else { continue };
            // Upstream does not tell clients more than that.
            let invalidated = "service account token has been invalidated";
            let found = match self.objects.find(resource, namespace, name).await {
                Ok(found) => found,
                Err(why) => {
                    tracing::warn!(resource, name, "what a token is bound to cannot be looked at: {why}");
                    None
                }
            };
            let found = found.filter(|found| !is_gone(found, now)).ok_or(invalidated)?;
            if found.uid != *uid {
                let there = &found.uid;
                return Err(format!(
                    "{kind} UID ({there}) does not match service account {kind} ref claim ({uid})"
                ));
            }
        }
        Ok(())
    }
}

/// Those of the audiences that were asked for which the token was made for. One without any is for this API.
fn audiences(claims: &Claims, asked: &[String], own: &[String]) -> Result<Vec<String>, String> {
    let made_for = if claims.aud.is_empty() { own } else { &claims.aud };
    let asked = if asked.is_empty() { own } else { asked };
    let good = common_audiences(made_for, asked);
    if good.is_empty() {
        return Err(format!("token audiences {made_for:?} is invalid for the target audiences {asked:?}"));
    }
    Ok(good)
}

fn seconds(date: Option<f64>) -> Option<i64> {
    // Saturates, which is as good as any time that far away.
    #[allow(clippy::cast_possible_truncation, reason = "Go cuts fractions off, too")]
    date.map(|date| date as i64)
}

fn in_time(claims: &Claims, now: i64) -> Result<(), &'static str> {
    // Upstream takes a token without an end. None is made here.
    let end = seconds(claims.exp).ok_or("service account token has no expiry")?;
    if now - LEEWAY > end {
        return Err("service account token has expired");
    }
    let early = |start: Option<f64>| seconds(start).is_some_and(|start| now + LEEWAY < start);
    if early(claims.nbf) || early(claims.iat) {
        return Err("service account token is not valid yet");
    }
    Ok(())
}

/// Whether an object was deleted longer ago than tokens may outlive it.
fn is_gone(object: &BoundObject, now: i64) -> bool {
    object.deleted.is_some_and(|deleted| deleted < now - LEEWAY)
}

/// The user (`apiserver/pkg/authentication/serviceaccount/util.go`).
fn user(claims: &Claims) -> UserInfo {
    let Private { namespace, serviceaccount: account, pod, node, .. } = &claims.private;
    let mut extra = Vec::new();
    let mut tell = |key: &str, value: &str| {
        if !value.is_empty() {
            extra.push((key.to_owned(), vec![value.to_owned()]));
        }
    };
    if !claims.jti.is_empty() {
        tell(CREDENTIAL_ID, &format!("JTI={}", claims.jti));
    }
    if let Some(pod) = pod.as_ref().filter(|pod| !pod.name.is_empty() && !pod.uid.is_empty()) {
        tell("authentication.kubernetes.io/pod-name", &pod.name);
        tell("authentication.kubernetes.io/pod-uid", &pod.uid);
    }
    if let Some(node) = node.as_ref().filter(|node| !node.name.is_empty()) {
        tell("authentication.kubernetes.io/node-name", &node.name);
        tell("authentication.kubernetes.io/node-uid", &node.uid);
    }
    UserInfo {
        name: format!("system:serviceaccount:{namespace}:{}", account.name),
        uid: account.uid.clone(),
        groups: vec![GROUP.to_owned(), format!("{GROUP}:{namespace}")],
        extra,
    }
}
