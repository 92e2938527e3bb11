//! What components ask of the host about tokens.

use crate::plugin::Identity;
use chainplate_apimachinery::{Map, Status};
use futures_util::future::BoxFuture;

/// Signs tokens, and tells whom they belong to. Whether a component may ask was checked before.
pub trait Tokens: std::fmt::Debug + Send + Sync + 'static {
    /// Signs the claims of a service account's token.
    ///
    /// # Errors
    /// 400 for claims that would never be accepted; 500 if they cannot be signed.
    fn sign(&self, claims: Map) -> Result<String, Status>;

    /// Whom a token belongs to, and those of the audiences that it is good for; `None` if there is nobody to ask.
    ///
    /// # Errors
    /// Why the token is no good, or that nobody knows it. Never holds the token.
    fn review<'a>(
        &'a self,
        token: &'a str,
        audiences: &'a [String],
    ) -> BoxFuture<'a, Result<Option<Identity>, String>>;
}
