//! What an Ingress claims.

use serde::Deserialize;
use std::{collections::BTreeMap, fmt};

/// The annotation that named the class before there was a field.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// As much of an Ingress as is looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ingress {
    pub(crate) metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) namespace: String,
    annotations: BTreeMap<String, String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    ingress_class_name: Option<String>,
    rules: Vec<Rule>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Rule {
    host: String,
    http: Option<Http>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Http {
    paths: Vec<Path>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Path {
    path: String,
}

/// A host, which may be empty or begin with `*.`, and a path.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    host: String,
    path: String,
    /// Where it stands in its Ingress.
    pub(crate) field: String,
}

impl Ingress {
    pub(crate) fn class(&self) -> &str {
        let annotation = || self.metadata.annotations.get(CLASS_ANNOTATION).map(String::as_str);
        self.spec.ingress_class_name.as_deref().or_else(annotation).unwrap_or_default()
    }

    /// A rule without paths sends everything to the default backend, so it claims `/`.
    pub(crate) fn claims(&self) -> Vec<Claim> {
        let mut claims = Vec::new();
        for (at, rule) in self.spec.rules.iter().enumerate() {
            let mut claim = |path: &str, field| {
                let path = if path.is_empty() { "/" } else { path };
                claims.push(Claim { host: rule.host.to_ascii_lowercase(), path: path.to_owned(), field });
            };
            match &rule.http {
                None => claim("/", format!("spec.rules[{at}].host")),
                Some(http) => {
                    for (nth, path) in http.paths.iter().enumerate() {
                        claim(&path.path, format!("spec.rules[{at}].http.paths[{nth}]"));
                    }
                }
            }
        }
        claims
    }
}

impl Claim {
    pub(crate) fn same(&self, other: &Self) -> bool {
        self.host == other.host && self.path == other.path
    }

    /// Whether both cannot be; `local` if they are in one namespace.
    pub(crate) fn conflicts(&self, other: &Self, local: bool) -> bool {
        let covers = || covers(&self.host, &other.host) || covers(&other.host, &self.host);
        self.path == other.path && (self.host == other.host || (!local && covers()))
    }
}

/// Whether a wildcard means a host: `*` stands for one label (`networking/v1.IngressRule`).
fn covers(wildcard: &str, host: &str) -> bool {
    let Some(domain) = wildcard.strip_prefix("*.") else { return false };
    host.split_once('.').is_some_and(|(label, rest)| label != "*" && rest == domain)
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.is_empty() {
            write!(f, "path {:?} without a host", self.path)
        } else {
            write!(f, "host {:?} with path {:?}", self.host, self.path)
        }
    }
}
