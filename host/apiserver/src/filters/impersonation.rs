//! `Impersonate-*` headers: a request of one user in the name of another, if that is allowed
//! (`endpoints/filters/impersonation`).

use super::{Refusal, headers::remove_prefixed};
use crate::{
    authn::{ANONYMOUS, AUTHENTICATED, UNAUTHENTICATED},
    authz::{self, Attributes, Authorizer, Decision},
};
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, UserInfo, Verb, decode_path},
};
use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

const USER: &str = "impersonate-user";
const GROUP: &str = "impersonate-group";
const UID: &str = "impersonate-uid";
const EXTRA: &str = "impersonate-extra-";

/// A way to be allowed an impersonation. The constrained ones (KEP-5284, on by default in 1.36) name what is
/// impersonated and for which request; the old one is for any request. The mode for a service account's own
/// node needs tokens that are bound to one, so it is not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    ArbitraryNode,
    ServiceAccount,
    UserInfo,
    Legacy,
}

impl Mode {
    /// In the order in which they are tried.
    const ALL: [Mode; 4] = [Mode::ArbitraryNode, Mode::ServiceAccount, Mode::UserInfo, Mode::Legacy];

    /// The name in verbs, `impersonate:user-info`; none for the old mode.
    const fn name(self) -> Option<&'static str> {
        match self {
            Mode::ArbitraryNode => Some("arbitrary-node"),
            Mode::ServiceAccount => Some("serviceaccount"),
            Mode::UserInfo => Some("user-info"),
            Mode::Legacy => None,
        }
    }

    fn applies(self, wanted: &Wanted) -> bool {
        match self {
            Mode::ArbitraryNode => wanted.only_name() && wanted.node().is_some(),
            Mode::ServiceAccount => wanted.only_name() && wanted.service_account().is_some(),
            Mode::UserInfo => wanted.node().is_none() && wanted.service_account().is_none(),
            Mode::Legacy => true,
        }
    }
}

/// The user that the request is made for: the impersonated one, or the one who asks. Takes the headers away.
pub(super) async fn apply(
    authorizer: &dyn Authorizer,
    user: Arc<UserInfo>,
    info: &RequestInfo,
    headers: &mut HeaderMap,
) -> Result<Arc<UserInfo>, Refusal> {
    if !headers.keys().any(|name| name.as_str().starts_with("impersonate-")) {
        return Ok(user);
    }
    let Some(wanted) = Wanted::of(headers)? else { return Ok(user) };
    let mut first = None;
    for mode in Mode::ALL.into_iter().filter(|mode| mode.applies(&wanted)) {
        match wanted.allowed(mode, authorizer, &user, info).await {
            Ok(()) => {
                for name in [USER, GROUP, UID] {
                    headers.remove(name);
                }
                remove_prefixed(headers, EXTRA);
                let impersonated = wanted.into_user(mode);
                tracing::info!(user = user.name, impersonated = impersonated.name, ?mode, "impersonation");
                return Ok(Arc::new(impersonated));
            }
            // The client is told of the first mode: the one that asks for the least.
            Err(status) => first = first.or(Some(status)),
        }
    }
    Err(Refusal::Status(first.unwrap_or_else(Status::unauthorized)))
}

async fn check(authorizer: &dyn Authorizer, attributes: Attributes<'_>) -> Result<(), Status> {
    let reason = match authorizer.authorize(attributes).await {
        Ok(verdict) if verdict.decision == Decision::Allow => return Ok(()),
        Ok(verdict) => verdict.reason,
        Err(error) => {
            tracing::warn!(error, "authorization of an impersonation failed");
            String::new()
        }
    };
    Err(authz::forbidden(attributes, &reason))
}

/// What the headers ask for.
struct Wanted {
    user: String,
    groups: Vec<String>,
    uid: String,
    extra: Vec<(String, Vec<String>)>,
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let first = |name| headers.get(name).map(text).unwrap_or_default();
        let wanted = Self {
            user: first(USER),
            groups: headers.get_all(GROUP).iter().map(text).collect(),
            uid: first(UID),
            extra: headers
                .keys()
                .filter_map(|name| {
                    let key = name.as_str().strip_prefix(EXTRA)?;
                    let key = decode_path(key).map_or_else(|_| key.to_owned(), |key| key.into_owned());
                    Some((key, headers.get_all(name).iter().map(text).collect()))
                })
                .collect(),
        };
        if !wanted.user.is_empty() {
            return Ok(Some(wanted));
        }
        if wanted.groups.is_empty() && wanted.uid.is_empty() && wanted.extra.is_empty() {
            return Ok(None);
        }
        let asked: Vec<String> =
            wanted.questions(Mode::Legacy).map(|info| format!("{} {}", info.resource, info.name)).collect();
        let message = format!("requested [{}] without impersonating a user name", asked.join(", "));
        Err(Refusal::Status(Status::bad_request(message)))
    }

    /// Whether one mode allows all of it, for this request.
    async fn allowed(
        &self,
        mode: Mode,
        authorizer: &dyn Authorizer,
        user: &UserInfo,
        info: &RequestInfo,
    ) -> Result<(), Status> {
        let verb = match mode.name() {
            None => "impersonate".to_owned(),
            Some(name) => {
                let on = format!("impersonate-on:{name}:{}", info.verb_name());
                check(authorizer, Attributes { user, info, verb: &on, query: "" }).await?;
                format!("impersonate:{name}")
            }
        };
        for info in self.questions(mode) {
            check(authorizer, Attributes { user, info: &info, verb: &verb, query: "" }).await?;
        }
        Ok(())
    }

    fn only_name(&self) -> bool {
        self.groups.is_empty() && self.uid.is_empty() && self.extra.is_empty()
    }

    /// The node that the user name is of.
    fn node(&self) -> Option<&str> {
        self.user.strip_prefix("system:node:").filter(|name| !name.is_empty())
    }

    /// Namespace and name of a service account's user name.
    fn service_account(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
    }

    /// What the one who asks must be allowed to impersonate, each by itself.
    fn questions(&self, mode: Mode) -> impl Iterator<Item = RequestInfo> {
        let group = if mode == Mode::Legacy { "" } else { REVIEWS };
        let name = match (self.service_account(), self.node()) {
            (Some((namespace, name)), _) => Some(question(group, "serviceaccounts", "", namespace, name)),
            (None, Some(node)) if mode != Mode::Legacy => Some(question(group, "nodes", "", "", node)),
            _ if self.user.is_empty() => None,
            _ => Some(question(group, "users", "", "", &self.user)),
        };
        let uid = (!self.uid.is_empty()).then(|| question(REVIEWS, "uids", "", "", &self.uid));
        let groups = self.groups.iter().map(move |name| question(group, "groups", "", "", name));
        let extra = self.extra.iter().flat_map(|(key, values)| {
            values.iter().map(move |value| question(REVIEWS, "userextras", key, "", value))
        });
        name.into_iter().chain(uid).chain(groups).chain(extra)
    }

    fn into_user(self, mode: Mode) -> UserInfo {
        let mut groups = self.groups.clone();
        if mode == Mode::ArbitraryNode {
            groups = vec!["system:nodes".into()];
        }
        if let Some((namespace, _)) = self.service_account().filter(|_| groups.is_empty()) {
            groups = vec!["system:serviceaccounts".into(), format!("system:serviceaccounts:{namespace}")];
        }
        let has = |wanted: &str| groups.iter().any(|group| group == wanted);
        if self.user == ANONYMOUS {
            if !has(UNAUTHENTICATED) {
                groups.push(UNAUTHENTICATED.into());
            }
        } else if !has(AUTHENTICATED) && !has(UNAUTHENTICATED) {
            groups.push(AUTHENTICATED.into());
        }
        UserInfo { name: self.user, uid: self.uid, groups, extra: self.extra }
    }
}

/// The group that users, groups and the like are resources of.
const REVIEWS: &str = "authentication.k8s.io";

fn question(group: &str, resource: &str, subresource: &str, namespace: &str, name: &str) -> RequestInfo {
    RequestInfo {
        is_resource: true,
        verb: Verb::Other,
        method: String::new(),
        path: String::new(),
        api_prefix: String::new(),
        group: group.into(),
        version: if group.is_empty() { String::new() } else { "v1".into() },
        namespace: namespace.into(),
        resource: resource.into(),
        subresource: subresource.into(),
        name: name.into(),
        parts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::PrivilegedGroups;

    async fn ask(
        asker_groups: &[&str],
        pairs: &[(&'static str, &'static str)],
    ) -> Result<Arc<UserInfo>, Status> {
        let user = UserInfo {
            name: "me".into(),
            groups: asker_groups.iter().map(|&group| group.into()).collect(),
            ..UserInfo::default()
        };
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let info = RequestInfo::parse("GET", "/api/v1/namespaces/x/configmaps", "").expect("a path");
        let result = apply(&PrivilegedGroups, Arc::new(user), &info, &mut headers).await;
        if result.is_ok() {
            assert!(headers.is_empty(), "{headers:?}");
        }
        result.map_err(|refusal| match refusal {
            Refusal::Status(status) => status,
            Refusal::Internal(error) => panic!("{error}"),
        })
    }

    const MASTERS: &[&str] = &["system:masters"];

    #[tokio::test]
    async fn masters_may_become_anybody() {
        let user = ask(
            MASTERS,
            &[(USER, "alice"), (GROUP, "a"), (GROUP, "b"), (UID, "7"), ("impersonate-extra-sc%2fope", "x")],
        )
        .await
        .expect("allowed");
        assert_eq!((user.name.as_str(), user.uid.as_str()), ("alice", "7"));
        assert_eq!(user.groups, ["a", "b", AUTHENTICATED]);
        assert_eq!(user.extra, [("sc/ope".to_owned(), vec!["x".to_owned()])]);
    }

    #[tokio::test]
    async fn groups_follow_from_the_name() {
        let user = ask(MASTERS, &[(USER, ANONYMOUS)]).await.expect("allowed");
        assert_eq!(user.groups, [UNAUTHENTICATED]);
        let user = ask(MASTERS, &[(USER, "system:node:n1")]).await.expect("allowed");
        assert_eq!(user.groups, ["system:nodes", AUTHENTICATED]);
        let user = ask(MASTERS, &[(USER, "system:serviceaccount:ns:sa")]).await.expect("allowed");
        assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED]);
    }

    #[tokio::test]
    async fn others_are_told_what_they_may_not() {
        let status = ask(&[], &[(USER, "alice")]).await.expect_err("forbidden");
        let message = |mode: &str| {
            format!(
                r#"configmaps is forbidden: User "me" cannot impersonate-on:{mode}:list resource "configmaps" in API group "" in the namespace "x""#
            )
        };
        assert_eq!(status.message(), message("user-info"));
        let status = ask(&[], &[(USER, "system:serviceaccount:x:y")]).await.expect_err("forbidden");
        assert_eq!(status.message(), message("serviceaccount"));
        let status =
            ask(&[], &[(USER, "system:serviceaccount:x:y"), (GROUP, "g")]).await.expect_err("forbidden");
        assert_eq!(
            status.message(),
            r#"serviceaccounts "y" is forbidden: User "me" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "x""#
        );
        let status = ask(MASTERS, &[(GROUP, "a")]).await.expect_err("no user");
        assert_eq!(status.code(), 400);
    }

    #[tokio::test]
    async fn without_the_headers_nothing_changes() {
        assert_eq!(ask(&[], &[]).await.expect("me").name, "me");
    }
}
