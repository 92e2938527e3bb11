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

/// The user that the request is made for: the impersonated one, or the one who asks. Takes the headers away.
pub(super) async fn apply(
    authorizer: &dyn Authorizer,
    user: Arc<UserInfo>,
    headers: &mut HeaderMap,
) -> Result<Arc<UserInfo>, Refusal> {
    if !headers.keys().any(|name| name.as_str().starts_with("impersonate-")) {
        return Ok(user);
    }
    let Some(wanted) = Wanted::of(headers)? else { return Ok(user) };
    for info in wanted.questions() {
        let attributes = Attributes { user: &user, info: &info, verb: "impersonate" };
        let reason = match authorizer.authorize(attributes).await {
            Ok(verdict) if verdict.decision == Decision::Allow => continue,
            Ok(verdict) => verdict.reason,
            Err(error) => {
                tracing::warn!(error, "authorization of an impersonation failed");
                String::new()
            }
        };
        return Err(Refusal::Status(authz::forbidden(attributes, &reason)));
    }
    for name in [USER, GROUP, UID] {
        headers.remove(name);
    }
    remove_prefixed(headers, EXTRA);
    let impersonated = wanted.into_user();
    tracing::info!(user = user.name, impersonated = impersonated.name, "impersonation");
    Ok(Arc::new(impersonated))
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
            wanted.questions().into_iter().map(|info| format!("{} {}", info.resource, info.name)).collect();
        let message = format!("requested [{}] without impersonating a user", asked.join(", "));
        Err(Refusal::Status(Status::bad_request(message)))
    }

    /// Namespace and name of a service account's user name.
    fn service_account(&self) -> Option<(&str, &str)> {
        let (namespace, name) = self.user.strip_prefix("system:serviceaccount:")?.split_once(':')?;
        (!namespace.is_empty() && !name.is_empty() && !name.contains(':')).then_some((namespace, name))
    }

    /// What the one who asks must be allowed to impersonate, each by itself.
    fn questions(&self) -> Vec<RequestInfo> {
        let mut questions = Vec::new();
        match self.service_account() {
            Some((namespace, name)) => questions.push(question("", "serviceaccounts", "", namespace, name)),
            None if self.user.is_empty() => {}
            None => questions.push(question("", "users", "", "", &self.user)),
        }
        questions.extend(self.groups.iter().map(|group| question("", "groups", "", "", group)));
        for (key, values) in &self.extra {
            questions
                .extend(values.iter().map(|value| question(GROUP_OF_REVIEWS, "userextras", key, "", value)));
        }
        if !self.uid.is_empty() {
            questions.push(question(GROUP_OF_REVIEWS, "uids", "", "", &self.uid));
        }
        questions
    }

    fn into_user(self) -> UserInfo {
        let mut groups = self.groups.clone();
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

const GROUP_OF_REVIEWS: &str = "authentication.k8s.io";

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
        let result = apply(&PrivilegedGroups, Arc::new(user), &mut headers).await;
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
        let user = ask(MASTERS, &[(USER, "system:serviceaccount:ns:sa")]).await.expect("allowed");
        assert_eq!(user.groups, ["system:serviceaccounts", "system:serviceaccounts:ns", AUTHENTICATED]);
    }

    #[tokio::test]
    async fn others_are_told_what_they_may_not() {
        let status = ask(&[], &[(USER, "alice")]).await.expect_err("forbidden");
        assert_eq!(
            status.message(),
            r#"users "alice" is forbidden: User "me" cannot impersonate resource "users" in API group "" at the cluster scope"#
        );
        let status = ask(MASTERS, &[(GROUP, "a")]).await.expect_err("no user");
        assert_eq!(status.code(), 400);
    }

    #[tokio::test]
    async fn without_the_headers_nothing_changes() {
        assert_eq!(ask(&[], &[]).await.expect("me").name, "me");
    }
}
