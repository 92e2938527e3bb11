//! Tokens, for servers of accounts and reviews: signed by the host, judged by the host and all authenticators.

use crate::authenticator::Identity;
use chainplate_apimachinery::{Map, Status};

/// Signs the claims of a service account's token; the token is a JWT in compact form. The host sets `iss`.
///
/// # Errors
/// 403 without the grant `serviceAccountTokens`; 400 for claims that would never be accepted.
pub fn sign(claims: &Map) -> Result<String, Status> {
    crate::host::sign_token(&serde_json::to_vec(claims).map_err(Status::internal)?)
}

/// Whom a token belongs to, and those of the audiences that it is good for. None if there is nobody to ask.
///
/// # Errors
/// Why the token is no good, or that nobody knows it; and without the grant `tokenReviews`.
pub fn review(token: &str, audiences: &[String]) -> Result<Option<Identity>, String> {
    crate::host::review_token(token, audiences)
}
