//! The first version: content came from git alone, and aliases were names.

use crate::v1;
use chainplate_sdk::Resource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What v1alpha1 cannot say of a source, so that it comes back unharmed.
const SOURCE: &str = "web.example.com/v1-source";
/// The aliases that lead visitors on, separated by commas: v1alpha1 does not tell.
const REDIRECTS: &str = "web.example.com/v1-redirects";
/// How the address is protected: v1alpha1 does not tell.
const TLS: &str = "web.example.com/v1-tls";

/// A website that somebody wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Resource)]
#[resource(group = "web.example.com", version = "v1alpha1", kind = "Website", namespaced, deprecated)]
#[resource(doc = "A website, as it was described first.", status = "v1::WebsiteStatus")]
#[resource(scale(
    spec_replicas_path = ".spec.replicas",
    status_replicas_path = ".status.replicas",
    label_selector_path = ".status.selector"
))]
#[resource(printcolumn(name = "Domain", type_ = "string", json_path = ".spec.domain"))]
#[resource(selectable = ".spec.domain")]
#[serde(rename_all = "camelCase")]
pub struct WebsiteSpec {
    /// The host name that it answers to.
    #[schemars(length(min = 1, max = 253))]
    pub domain: String,
    /// The repository that its content comes from, with the branch after `#`; empty where v1 says another source.
    #[serde(default)]
    pub git_repo: String,
    /// How many servers there shall be.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Other hosts that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "set"))]
    pub aliases: Vec<String>,
}

fn one() -> i32 {
    1
}

impl From<v1::Website> for Website {
    fn from(website: v1::Website) -> Self {
        let v1::Website { mut metadata, spec, status } = website;
        let git_repo = match &spec.source {
            v1::Source::Git { url, branch } => format!("{url}#{branch}"),
            source @ v1::Source::Inline { .. } => {
                let told = serde_json::to_string(source).unwrap_or_default();
                metadata.annotations.insert(SOURCE.to_owned(), told);
                String::new()
            }
        };
        let redirects: Vec<&str> =
            spec.aliases.iter().filter(|alias| alias.redirect).map(|alias| alias.host.as_str()).collect();
        if !redirects.is_empty() {
            metadata.annotations.insert(REDIRECTS.to_owned(), redirects.join(","));
        }
        if let Some(tls) = spec.tls {
            let told = if tls == v1::Tls::Off { "Off" } else { "Automatic" };
            metadata.annotations.insert(TLS.to_owned(), told.to_owned());
        }
        let aliases = spec.aliases.into_iter().map(|alias| alias.host).collect();
        Self {
            metadata,
            spec: WebsiteSpec { domain: spec.host, git_repo, replicas: spec.replicas, aliases },
            status,
        }
    }
}

impl TryFrom<Website> for v1::Website {
    type Error = String;

    fn try_from(website: Website) -> Result<Self, String> {
        let Website { mut metadata, spec, status } = website;
        let told = metadata.annotations.remove(SOURCE);
        let source = match (spec.git_repo.split_once('#'), told) {
            (None, Some(told)) if spec.git_repo.is_empty() => {
                serde_json::from_str(&told).map_err(|error| format!("the annotation {SOURCE}: {error}"))?
            }
            (Some((url, branch)), _) => v1::Source::Git { url: url.to_owned(), branch: branch.to_owned() },
            (None, _) => v1::Source::Git { url: spec.git_repo, branch: "main".to_owned() },
        };
        let redirects = metadata.annotations.remove(REDIRECTS).unwrap_or_default();
        let redirect = |host: &str| redirects.split(',').any(|there| there == host);
        let aliases =
            spec.aliases.into_iter().map(|host| v1::Alias { redirect: redirect(&host), host }).collect();
        let tls = metadata.annotations.remove(TLS).and_then(|told| match told.as_str() {
            "Off" => Some(v1::Tls::Off),
            "Automatic" => Some(v1::Tls::Automatic),
            _ => None,
        });
        let spec = v1::WebsiteSpec { host: spec.domain, source, replicas: spec.replicas, aliases, tls };
        Ok(Self { metadata, spec, status })
    }
}
