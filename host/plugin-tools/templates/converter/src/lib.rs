//! The versions of `{{kind}}` in `{{group}}`: `v1` has `spec.host` and `spec.port` where `v1alpha1` has one `spec.address`.

use chainplate_sdk::{
    Plugin,
    apimachinery::{Status, Value},
    converter::{Converter, unknown},
};
use serde_json::json;

struct Versions;

impl Plugin for Versions {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(_config: Value) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Converter for Versions {
    fn convert(&self, object: &mut Value, from: &str, to: &str) -> Result<(), Status> {
        let spec = &object["spec"];
        object["spec"] = match (from, to) {
            ("{{group}}/v1alpha1", "{{group}}/v1") => {
                let address = spec["address"].as_str().unwrap_or_default();
                let (host, port) = address.rsplit_once(':').unwrap_or((address, "80"));
                json!({"host": host, "port": port.parse().unwrap_or(80)})
            }
            ("{{group}}/v1", "{{group}}/v1alpha1") => {
                let host = spec["host"].as_str().unwrap_or_default();
                json!({"address": format!("{host}:{}", spec["port"])})
            }
            _ => return Err(unknown("{{kind}}", from, to)),
        };
        Ok(())
    }
}

chainplate_sdk::export!(converter: Versions);
