//! What is answered in front of the chain: health, version, metrics, the documents of OpenID discovery, and the index of
//! paths.

use crate::{
    authn::{OPENID_PATHS, OpenIdDocuments},
    body::Body,
    health::Health,
    metrics::{self, Metrics},
    response::{json_response, status_response, with_type},
    version,
};
use chainplate_apimachinery::{Status, request::RequestInfo};
use http::{Response, StatusCode};
use serde_json::json;
use std::{collections::BTreeSet, fmt, sync::Arc};

/// Tells the paths that the index at `/` lists besides the server's own.
pub type ListedPaths = Arc<dyn Fn() -> Vec<String> + Send + Sync>;

/// The paths in front of the chain.
#[derive(Clone)]
pub(crate) struct Native {
    pub(crate) health: Health,
    pub(crate) metrics: Metrics,
    /// What tells others of the keys of service account tokens, if it is told.
    pub(crate) openid: Option<OpenIdDocuments>,
    pub(crate) listed: Option<ListedPaths>,
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native").finish_non_exhaustive()
    }
}

impl Native {
    /// Answers a path that is not the chain's; `None` for all others.
    pub(crate) fn answer(&self, info: &RequestInfo, query: &str) -> Option<Response<Body>> {
        if info.is_resource {
            return None;
        }
        match info.path.as_str() {
            "/" | "/index.html" => Some(json_response(StatusCode::OK, &json!({ "paths": self.paths() }))),
            "/metrics" => Some(with_type(StatusCode::OK, metrics::CONTENT_TYPE, self.metrics.encode())),
            "/version" | "/version/" => Some(if info.method == "get" {
                json_response(StatusCode::OK, &version::info())
            } else {
                status_response(&Status::method_not_allowed())
            }),
            path if path.starts_with("/version/") => Some(status_response(&Status::unknown_resource())),
            path => {
                let openid = self.openid.as_ref().and_then(|documents| documents.answer(&info.method, path));
                openid.or_else(|| self.health.answer(path, query))
            }
        }
    }

    fn paths(&self) -> BTreeSet<String> {
        let mut paths: BTreeSet<String> = ["/metrics", "/version"].map(str::to_owned).into();
        paths.extend(self.openid.iter().flat_map(|_| OPENID_PATHS).map(str::to_owned));
        paths.extend(self.health.paths());
        paths.extend(self.listed.iter().flat_map(|listed| listed()));
        paths
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::time::Duration;

    fn native() -> Native {
        Native {
            health: Health::new(Duration::ZERO),
            metrics: Metrics::new(),
            openid: None,
            listed: Some(Arc::new(|| vec!["/apis".into(), "/version".into()])),
        }
    }

    async fn get(method: &str, path: &str) -> Option<(u16, String)> {
        let info = RequestInfo::parse(method, path, "").expect(path);
        let response = native().answer(&info, "")?;
        let code = response.status().as_u16();
        let body = response.into_body().collect().await.expect("body").to_bytes();
        Some((code, String::from_utf8(body.to_vec()).expect("text")))
    }

    #[tokio::test]
    async fn the_version_is_a_document_and_nothing_below_it() {
        for path in ["/version", "/version/"] {
            let (code, body) = get("GET", path).await.expect(path);
            assert_eq!(code, 200);
            let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!((&body["major"], &body["minor"]), (&json!("1"), &json!("36")));
            let keys: Vec<&String> = body.as_object().expect("object").keys().collect();
            assert_eq!(keys.len(), 13, "{keys:?}");
        }
        let (code, body) = get("GET", "/version/x").await.expect("answered");
        assert_eq!(code, 404);
        assert!(body.contains(r#""message":"the server could not find the requested resource""#), "{body}");
        assert_eq!(get("POST", "/version").await.expect("answered").0, 405);
    }

    #[tokio::test]
    async fn the_index_lists_every_path_once_in_order() {
        let (_, body) = get("GET", "/").await.expect("index");
        let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(
            body["paths"],
            json!([
                "/apis",
                "/healthz",
                "/healthz/ping",
                "/livez",
                "/livez/ping",
                "/metrics",
                "/readyz",
                "/readyz/ping",
                "/version"
            ])
        );
    }

    #[tokio::test]
    async fn other_paths_are_the_chains() {
        for path in ["/apis", "/api/v1/pods", "/healthz/unknown", "/versions"] {
            assert!(get("GET", path).await.is_none(), "{path}");
        }
    }
}
