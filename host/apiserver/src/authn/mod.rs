//! Authentication: who sends a request. Authenticators are asked in upstream's order; the first that knows the
//! credentials decides.

mod certificate;
mod external;
mod service_account;
mod token;

pub use certificate::{ClientCertificates, PeerCertificates};
pub use external::{TokenAuthentication, TokenAuthenticator, TokenAuthenticators, TokenEntry, TokenIdentity};
pub use service_account::{
    BoundObject, BoundObjects, ServiceAccountAuthenticator, ServiceAccountTokens, SigningError,
};
pub(crate) use service_account::{GROUP as SERVICE_ACCOUNTS, OPENID_PATHS, OpenIdDocuments};
pub use token::TokenFile;
pub(crate) use token::WEBSOCKET_BEARER;

use crate::{BoxFuture, Warnings};
use chainplate_apimachinery::request::UserInfo;
use http::HeaderMap;
use std::{fmt::Debug, sync::Arc};

/// The user of a request without credentials.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of [`ANONYMOUS`].
pub const UNAUTHENTICATED: &str = "system:unauthenticated";
/// The group of everybody else.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group that may do all.
pub const MASTERS: &str = "system:masters";

/// Extra key that names the credential, `user.CredentialIDKey`.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

/// What a request shows of its sender.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Credentials<'a> {
    /// The request's headers.
    pub headers: &'a HeaderMap,
    /// The certificates that the client showed in the handshake.
    pub certificates: Option<&'a PeerCertificates>,
    /// Warnings for the client.
    pub warnings: &'a Warnings,
}

impl<'a> Credentials<'a> {
    /// Credentials of a request.
    pub fn new(
        headers: &'a HeaderMap,
        certificates: Option<&'a PeerCertificates>,
        warnings: &'a Warnings,
    ) -> Self {
        Self { headers, certificates, warnings }
    }
}

/// Why credentials are not accepted. For the log: the client is told `Unauthorized` and no more. Never holds
/// the credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AuthenticationError(pub String);

/// `None`: these are not credentials of this kind, ask the next.
pub type Authentication = Result<Option<Arc<UserInfo>>, AuthenticationError>;

/// Finds out who sends a request.
pub trait Authenticator: Debug + Send + Sync + 'static {
    /// Judges the credentials.
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> BoxFuture<'a, Authentication>;
}

/// Several authenticators, and what becomes of a request that none of them knows.
#[derive(Debug)]
pub struct Union {
    members: Vec<Arc<dyn Authenticator>>,
    anonymous: Option<Arc<UserInfo>>,
}

impl Union {
    /// Asks the members in order. With `anonymous`, a request without any credentials is one of
    /// [`ANONYMOUS`]; one with bad credentials is refused all the same.
    pub fn new(members: Vec<Arc<dyn Authenticator>>, anonymous: bool) -> Self {
        let anonymous = anonymous.then(|| {
            Arc::new(UserInfo {
                name: ANONYMOUS.to_owned(),
                groups: vec![UNAUTHENTICATED.to_owned()],
                ..UserInfo::default()
            })
        });
        Self { members, anonymous }
    }
}

impl Authenticator for Union {
    fn authenticate<'a>(&'a self, credentials: Credentials<'a>) -> BoxFuture<'a, Authentication> {
        Box::pin(async move {
            let mut errors = Vec::new();
            for member in &self.members {
                match member.authenticate(credentials).await {
                    Ok(Some(user)) => return Ok(Some(with_group(user))),
                    Ok(None) => {}
                    Err(error) => errors.push(error.0),
                }
            }
            if errors.is_empty() {
                Ok(self.anonymous.clone())
            } else {
                Err(AuthenticationError(errors.join("; ")))
            }
        })
    }
}

/// Adds [`AUTHENTICATED`], as upstream's group adder does.
pub(crate) fn with_group(user: Arc<UserInfo>) -> Arc<UserInfo> {
    let known = |group: &String| group == AUTHENTICATED || group == UNAUTHENTICATED;
    if user.name == ANONYMOUS || user.groups.iter().any(known) {
        return user;
    }
    let mut user = Arc::unwrap_or_clone(user);
    user.groups.push(AUTHENTICATED.to_owned());
    Arc::new(user)
}

/// Whether nobody is behind the request that anything is known of.
pub fn is_anonymous(user: &UserInfo) -> bool {
    user.name == ANONYMOUS || user.groups.iter().any(|group| group == UNAUTHENTICATED)
}

/// Whether the user is in [`MASTERS`].
pub fn is_master(user: &UserInfo) -> bool {
    user.groups.iter().any(|group| group == MASTERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(Authentication);

    impl Authenticator for Fixed {
        fn authenticate<'a>(&'a self, _: Credentials<'a>) -> BoxFuture<'a, Authentication> {
            Box::pin(async move { self.0.clone() })
        }
    }

    fn user(name: &str) -> Authentication {
        Ok(Some(Arc::new(UserInfo { name: name.to_owned(), ..UserInfo::default() })))
    }

    async fn ask(members: Vec<Authentication>, anonymous: bool) -> Authentication {
        let members =
            members.into_iter().map(|answer| Arc::new(Fixed(answer)) as Arc<dyn Authenticator>).collect();
        let (headers, warnings) = (HeaderMap::new(), Warnings::default());
        Union::new(members, anonymous).authenticate(Credentials::new(&headers, None, &warnings)).await
    }

    fn bad() -> Authentication {
        Err(AuthenticationError("invalid bearer token".into()))
    }

    #[tokio::test]
    async fn the_first_that_knows_the_credentials_decides() {
        let found =
            ask(vec![Ok(None), bad(), user("a"), user("b")], true).await.expect("known").expect("user");
        assert_eq!((found.name.as_str(), &found.groups[..]), ("a", &[AUTHENTICATED.to_owned()][..]));
    }

    #[tokio::test]
    async fn anonymous_is_for_requests_without_credentials_only() {
        let found = ask(vec![Ok(None)], true).await.expect("known").expect("user");
        assert!(is_anonymous(&found));
        assert_eq!(found.groups, [UNAUTHENTICATED]);
        assert_eq!(ask(vec![bad(), Ok(None)], true).await, bad());
        assert_eq!(ask(vec![Ok(None)], false).await, Ok(None));
    }
}
