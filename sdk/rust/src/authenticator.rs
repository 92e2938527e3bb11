//! World `authenticator`: who somebody is, by a bearer token that the host does not know.

use crate::Plugin;
use chainplate_apimachinery::request::UserInfo;

/// An authenticator of bearer tokens.
pub trait Authenticator: Plugin {
    /// Whom the token belongs to; none if it is not a token of this authenticator, so that others are asked.
    ///
    /// `audiences` are those that the server stands for. `system:authenticated` is added by the host.
    ///
    /// # Errors
    /// Why one of its own tokens is no good. The client gets 401 without that text; the host logs it, so it must not
    /// hold the token.
    fn authenticate(&self, token: &str, audiences: &[String]) -> Result<Option<Identity>, String>;
}

/// Whom a token belongs to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserInfo,
    /// Those of the audiences that were asked for which the token is good for; empty if it says nothing of audiences.
    pub audiences: Vec<String>,
}
