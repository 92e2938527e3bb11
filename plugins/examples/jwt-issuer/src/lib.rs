//! An authenticator: users by the signed tokens (JWT) of another issuer. `README.md` tells an operator how to configure it.

mod configuration;
mod identity;
mod keys;
#[cfg(test)]
mod tests;
mod token;

use chainplate_sdk::{
    Plugin,
    apimachinery::Value,
    authenticator::{Authenticator, Identity},
};
use configuration::Configuration;
use keys::Keys;
use std::time::{SystemTime, UNIX_EPOCH};
use token::Token;

/// The authenticator of one issuer's tokens.
#[derive(Debug)]
pub struct JwtIssuer {
    configuration: Configuration,
    keys: Keys,
}

impl Plugin for JwtIssuer {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        let configuration = Configuration::read(config)?;
        let keys = Keys::read(&configuration.issuer)?;
        Ok(Self { configuration, keys })
    }
}

impl Authenticator for JwtIssuer {
    fn authenticate(&self, token: &str, audiences: &[String]) -> Result<Option<Identity>, String> {
        let now =
            SystemTime::now().duration_since(UNIX_EPOCH).map_err(|error| format!("the clock: {error}"))?;
        self.authenticate_at(token, audiences, now.as_secs_f64())
    }
}

impl JwtIssuer {
    /// `now` in seconds since 1970.
    fn authenticate_at(
        &self,
        text: &str,
        audiences: &[String],
        now: f64,
    ) -> Result<Option<Identity>, String> {
        // The issuer is believed so far as to tell whose token it is; all else waits for the signature.
        let Some(token) = Token::read(text) else { return Ok(None) };
        if token.claims.get("iss").and_then(Value::as_str) != Some(self.configuration.issuer.url.as_str()) {
            return Ok(None);
        }
        token.header.check()?;
        self.keys.verify(&token)?;
        token::check_times(&token.claims, now)?;
        self.configuration.identity(&token.claims, audiences).map(Some)
    }
}

chainplate_sdk::export!(authenticator: JwtIssuer);
