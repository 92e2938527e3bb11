//! An authorizer: whoever is in the group `readers` may look at ConfigMaps.

use chainplate_sdk::{
    Plugin,
    apimachinery::Value,
    authorizer::{AccessRequest, Authorizer, Decision},
};

struct Readers;

impl Plugin for Readers {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(_config: Value) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Authorizer for Readers {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Decision, String> {
        let looks = matches!(request.verb().as_str(), "get" | "list" | "watch");
        let reader = request.user().groups.iter().any(|group| group == "readers");
        if looks && reader && request.resource() == "configmaps" {
            return Ok(Decision::Allow("readers may look at ConfigMaps".to_owned()));
        }
        // For those behind to decide. `Decision::Deny` would be the last word.
        Ok(Decision::NoOpinion(String::new()))
    }
}

chainplate_sdk::export!(authorizer: Readers);
