//! Tokens, signed and judged by the host.

use super::{to_wire, user_to_wire};
use crate::{
    bindings::chainplate::server::{service_account_tokens, token_review, types as wire},
    instance::State,
};
use chainplate_apimachinery::{Map, Status};

impl State {
    /// What a component is told that asks for something it was not granted.
    fn not_granted(&self, what: &str, grant: &str) -> String {
        let name = &self.plugin.name;
        let why = format!("component {name:?} may not {what}; set grants.{grant} of this component");
        tracing::warn!(plugin = name, "refused: {why}");
        why
    }

    fn sign_token(&self, claims: &[u8]) -> Result<String, Status> {
        if !self.plugin.grants.service_account_tokens {
            let why = self.not_granted("have tokens signed", "serviceAccountTokens");
            return Err(Status::forbidden("", "", "", &why));
        }
        let tokens = self.plugin.shared.tokens.as_ref();
        let tokens = tokens.ok_or_else(|| Status::new(501, "NotImplemented", "this host signs no tokens"))?;
        let claims: Map = serde_json::from_slice(claims)
            .map_err(|error| Status::bad_request(format!("the claims are no JSON object: {error}")))?;
        tokens.sign(claims)
    }
}

impl service_account_tokens::Host for State {
    fn sign(&mut self, claims: Vec<u8>) -> wasmtime::Result<Result<String, wire::Status>> {
        Ok(self.sign_token(&claims).map_err(to_wire))
    }
}

impl token_review::Host for State {
    async fn authenticate(
        &mut self,
        token: String,
        audiences: Vec<String>,
    ) -> wasmtime::Result<Result<Option<token_review::Identity>, String>> {
        if !self.plugin.grants.token_reviews {
            return Ok(Err(self.not_granted("review tokens", "tokenReviews")));
        }
        let Some(tokens) = self.plugin.shared.tokens.clone() else { return Ok(Ok(None)) };
        let found = tokens.review(&token, &audiences).await;
        Ok(found.map(|found| {
            found.map(|identity| token_review::Identity {
                user: user_to_wire(&identity.user),
                audiences: identity.audiences,
            })
        }))
    }
}
