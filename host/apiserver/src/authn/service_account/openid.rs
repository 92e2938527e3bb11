//! Where others find the keys of service account tokens: the documents of OpenID Connect Discovery
//! (`pkg/serviceaccount/openidmetadata.go`, KEP-1393).

use super::ServiceAccountTokens;
use crate::{
    body::Body,
    options::is_https,
    response::{status_response, with_type},
};
use chainplate_apimachinery::Status;
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::SocketAddr};

const CONFIGURATION: &str = "/.well-known/openid-configuration";
const KEYS: &str = "/openid/v1/jwks";

/// Both paths, as the index lists them.
pub(crate) const PATHS: [&str; 2] = [CONFIGURATION, KEYS];

/// The documents, ready to be sent.
#[derive(Debug, Clone)]
pub(crate) struct OpenIdDocuments {
    pub(super) configuration: String,
    keys: String,
}

impl ServiceAccountTokens {
    /// The documents of a server at this address; `None` if the issuer is no URL that OpenID allows: https, without
    /// query and fragment.
    pub(crate) fn documents(&self, address: SocketAddr) -> Option<OpenIdDocuments> {
        let issuer = self.issuers.first()?;
        if !is_https(issuer) || issuer.contains(['?', '#']) {
            tracing::info!(
                issuer,
                "the documents of OpenID discovery are not served: --service-account-issuer is no https URL"
            );
            return None;
        }
        let keys: Vec<Value> = self.keys.iter().map(super::PublicKey::web_key).collect();
        let algorithms: BTreeSet<&str> = self.keys.iter().map(|key| key.algorithm().name()).collect();
        let configuration = json!({
            "issuer": issuer,
            "jwks_uri": self.jwks_uri.clone().unwrap_or_else(|| format!("https://{address}{KEYS}")),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": algorithms,
        });
        Some(OpenIdDocuments {
            configuration: configuration.to_string(),
            keys: json!({ "keys": keys }).to_string(),
        })
    }
}

impl OpenIdDocuments {
    /// Answers one of [`PATHS`]; `None` for others.
    pub(crate) fn answer(&self, method: &str, path: &str) -> Option<Response<Body>> {
        let (media_type, body) = match path.strip_suffix('/').unwrap_or(path) {
            CONFIGURATION => ("application/json", &self.configuration),
            KEYS => ("application/jwk-set+json", &self.keys),
            _ => return None,
        };
        if method != "get" {
            return Some(status_response(&Status::method_not_allowed()));
        }
        let mut response = with_type(StatusCode::OK, media_type, body.clone());
        // For as long as a key is told before it signs (`pkg/routes/openidmetadata.go`).
        let cached = HeaderValue::from_static("public, max-age=3600");
        response.headers_mut().insert(header::CACHE_CONTROL, cached);
        Some(response)
    }
}
