//! From claims to a user.

use crate::configuration::{Configuration, find};
use chainplate_sdk::{
    apimachinery::{Map, Value, request::UserInfo},
    authenticator::Identity,
};

/// Where kube-apiserver puts the id of a token.
const CREDENTIAL_ID: &str = "authentication.kubernetes.io/credential-id";

impl Configuration {
    /// Whom the claims of a token that was signed by the issuer belong to.
    pub(crate) fn identity(&self, claims: &Map, asked: &[String]) -> Result<Identity, String> {
        let audiences = self.audiences(claims, asked)?;
        for rule in &self.claim_validation_rules {
            if find(claims, &rule.claim).and_then(Value::as_str) != Some(&rule.required_value) {
                return Err(format!("the token's claim {:?} is not {:?}", rule.claim, rule.required_value));
            }
        }
        let mappings = &self.claim_mappings;
        let name = self.name(claims)?;
        let mut groups = Vec::new();
        if let Some(mapping) = &mappings.groups
            && let Some(value) = find(claims, &mapping.claim)
        {
            for group in strings(&mapping.claim, value)?.into_iter().filter(|group| !group.is_empty()) {
                groups.push(own(format!("{}{group}", mapping.prefix))?);
            }
        }
        let uid = mappings.uid.as_ref().map(|uid| text(claims, &uid.claim)).transpose()?.unwrap_or_default();
        let mut extra = Vec::new();
        if let Some(id) = claims.get("jti").and_then(Value::as_str) {
            extra.push((CREDENTIAL_ID.to_owned(), vec![format!("JTI={id}")]));
        }
        for mapping in &mappings.extra {
            let values =
                find(claims, &mapping.claim).map(|value| strings(&mapping.claim, value)).transpose()?;
            if let Some(values) = values.filter(|values| !values.is_empty()) {
                extra.push((mapping.key.clone(), values));
            }
        }
        Ok(Identity { user: UserInfo { name, uid, groups, extra }, audiences })
    }

    /// Those that were asked for. None of them: the operator says that tokens for the configured ones are for this server.
    fn audiences(&self, claims: &Map, asked: &[String]) -> Result<Vec<String>, String> {
        let of_token = strings("aud", claims.get("aud").ok_or("the token has no \"aud\"")?)?;
        if !of_token.iter().any(|audience| self.issuer.audiences.contains(audience)) {
            return Err("the token is for other audiences".into());
        }
        Ok(asked.iter().filter(|audience| of_token.contains(audience)).cloned().collect())
    }

    fn name(&self, claims: &Map) -> Result<String, String> {
        let mapping = &self.claim_mappings.username;
        let name = text(claims, &mapping.claim)?;
        if name.is_empty() {
            return Err(format!("the token's claim {:?} is empty", mapping.claim));
        }
        // An address that its owner has not proven is nobody's name (`plugin/pkg/authenticator/token/oidc`).
        let unproven = claims.get("email_verified").is_some_and(|proven| *proven != Value::Bool(true));
        if mapping.claim == "email" && unproven {
            return Err("the token's email is not verified".into());
        }
        own(format!("{}{name}", mapping.prefix))
    }
}

/// A name that is not the server's own.
fn own(name: String) -> Result<String, String> {
    if name.starts_with("system:") {
        Err(format!("{name:?} is a name of the server's own; give the mapping a prefix"))
    } else {
        Ok(name)
    }
}

fn text(claims: &Map, claim: &str) -> Result<String, String> {
    let value = find(claims, claim).ok_or_else(|| format!("the token has no claim {claim:?}"))?;
    value.as_str().map(str::to_owned).ok_or_else(|| format!("the token's claim {claim:?} is no string"))
}

/// A string, or a list of strings.
fn strings(claim: &str, value: &Value) -> Result<Vec<String>, String> {
    let all: Option<Vec<String>> = match value {
        Value::Array(values) => values.iter().map(|value| value.as_str().map(str::to_owned)).collect(),
        value => value.as_str().map(|text| vec![text.to_owned()]),
    };
    all.ok_or_else(|| format!("the token's claim {claim:?} is neither a string nor a list of strings"))
}
