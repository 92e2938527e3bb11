//! World `authorizer`: who may do what.

use crate::Plugin;
pub use crate::host::AccessRequest;

/// An authorizer.
pub trait Authorizer: Plugin {
    /// Decides.
    ///
    /// # Errors
    /// Why it cannot: no opinion, and a line in the host's log.
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Decision, String>;
}

/// What an authorizer says, with a reason for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, whatever those behind say.
    Allow(String),
    /// Refused, whatever those behind say.
    Deny(String),
    /// For those behind to decide.
    NoOpinion(String),
}
