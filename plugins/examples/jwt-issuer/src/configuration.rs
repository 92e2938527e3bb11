//! What the operator wrote, in the words of `apiserver.config.k8s.io` AuthenticationConfiguration.

use crate::keys::Jwk;
use chainplate_sdk::apimachinery::{Map, Value};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Configuration {
    pub(crate) issuer: Issuer,
    #[serde(default)]
    pub(crate) claim_validation_rules: Vec<Required>,
    pub(crate) claim_mappings: Mappings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Issuer {
    /// The claim `iss`.
    pub(crate) url: String,
    /// The token must be for one of them.
    pub(crate) audiences: Vec<String>,
    #[serde(default)]
    pub(crate) jwks: Jwks,
    /// In PEM.
    #[serde(default)]
    pub(crate) public_keys: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Jwks {
    pub(crate) keys: Vec<Jwk>,
}

/// A claim that must have a value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Required {
    pub(crate) claim: String,
    #[serde(default)]
    pub(crate) required_value: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mappings {
    pub(crate) username: Prefixed,
    pub(crate) groups: Option<Prefixed>,
    pub(crate) uid: Option<Claim>,
    #[serde(default)]
    pub(crate) extra: Vec<Extra>,
}

/// A claim, and what is put before its values: empty for nothing, but said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prefixed {
    pub(crate) claim: String,
    pub(crate) prefix: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    pub(crate) claim: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Extra {
    pub(crate) key: String,
    pub(crate) claim: String,
}

impl Configuration {
    /// Reads it; every fault is told at once.
    pub(crate) fn read(config: Value) -> Result<Self, String> {
        let read: Self = serde_json::from_value(config).map_err(|error| format!("configuration: {error}"))?;
        let mut faults = Vec::new();
        if read.issuer.url.is_empty() {
            faults.push("issuer.url is empty; give what stands in \"iss\"".to_owned());
        }
        if read.issuer.audiences.is_empty() {
            faults.push(
                "issuer.audiences is empty; name those that tokens for this server are made for".into(),
            );
        }
        for extra in &read.claim_mappings.extra {
            let domain = extra.key.split('/').next().unwrap_or_default();
            let reserved = |name: &str| domain == name || domain.ends_with(&format!(".{name}"));
            if !extra.key.contains('/') || extra.key.chars().any(char::is_uppercase) {
                faults.push(format!(
                    "claimMappings.extra: key {:?} must be lower case with a domain, example.com/tenant",
                    extra.key
                ));
            } else if reserved("kubernetes.io") || reserved("k8s.io") {
                faults.push(format!("claimMappings.extra: key {:?} is Kubernetes' own", extra.key));
            }
        }
        if faults.is_empty() { Ok(read) } else { Err(format!("configuration: {}", faults.join("; "))) }
    }
}

/// The value of a claim: by its name, or by a JSON pointer.
pub(crate) fn find<'a>(claims: &'a Map, claim: &str) -> Option<&'a Value> {
    let found = match claim.strip_prefix('/') {
        None => claims.get(claim),
        Some(pointer) => match pointer.split_once('/') {
            None => claims.get(pointer),
            Some((first, rest)) => claims.get(first)?.pointer(&format!("/{rest}")),
        },
    };
    found.filter(|value| !value.is_null())
}
