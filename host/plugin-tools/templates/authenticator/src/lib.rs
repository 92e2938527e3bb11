//! An authenticator: tokens of the form `{{name}}:<user>:<secret>`.

use chainplate_sdk::{
    Plugin,
    apimachinery::{Value, request::UserInfo},
    authenticator::{Authenticator, Identity},
};

struct Tokens {
    secret: String,
}

impl Plugin for Tokens {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    /// `config` is what stands below `configuration` in the chain's configuration.
    fn configure(config: Value) -> Result<Self, String> {
        let secret = config["secret"].as_str().unwrap_or("change me").to_owned();
        Ok(Self { secret })
    }
}

impl Authenticator for Tokens {
    fn authenticate(&self, token: &str, _audiences: &[String]) -> Result<Option<Identity>, String> {
        // Not one of ours: others are asked.
        let Some(ours) = token.strip_prefix("{{name}}:") else {
            return Ok(None);
        };
        let (user, secret) = ours.split_once(':').ok_or("the token has no secret")?;
        if secret != self.secret {
            return Err("the token's secret is wrong".to_owned());
        }
        let user = UserInfo {
            name: user.to_owned(),
            groups: vec!["{{name}}".to_owned()],
            ..UserInfo::default()
        };
        let audiences = Vec::new();
        Ok(Some(Identity { user, audiences }))
    }
}

chainplate_sdk::export!(authenticator: Tokens);
