//! What a plugin may do: asked for in its manifest, granted in the chain's configuration.

use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt};

/// What a plugin may do; deny by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Capabilities {
    /// API groups that it may serve: claim `/apis/<group>`, publish documents of, and store below `<group>/`. The empty
    /// string is the core group; `*` lets it publish any group, and gives neither paths nor storage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Further paths that it may claim, each with everything below it: `/hello`, or `/`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Further storage prefixes: `pods`, `stable.example.com/crontabs`, `stable.example.com/*`, or `*`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub storage: Vec<String>,
    /// What it may ask of this very server, and watch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<PolicyRule>,
    /// Hosts that it may call: `api.example.com` (https, port 443), `*.example.com`, `http://127.0.0.1:8080`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbound: Vec<String>,
    /// Whether it may read what others publish (the aggregator does).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub publications: bool,
    /// Whether it may have tokens of service accounts signed (core does). Whoever may do that can be anybody.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub service_account_tokens: bool,
    /// Whether it may ask whom a token belongs to (core does, for TokenReview).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub token_reviews: bool,
    /// What it may be besides a server.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub roles: BTreeSet<Role>,
}

/// What a plugin may be besides a server: each of them has a say on what is not its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Changes objects before they are stored.
    Mutating,
    /// Judges objects before they are stored.
    Validating,
    /// Converts custom resources.
    Converter,
    /// Says who somebody is.
    Authenticator,
    /// Says who may do what.
    Authorizer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Mutating => "mutating",
            Role::Validating => "validating",
            Role::Converter => "converter",
            Role::Authenticator => "authenticator",
            Role::Authorizer => "authorizer",
        })
    }
}

/// Verbs on resources, as in an RBAC Role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyRule {
    /// The API groups; the empty string is the core group, `*` any.
    pub api_groups: Vec<String>,
    /// The plural resources, `ingresses`, `deployments/scale`; `*` any with all subresources, `*/scale`, `pods/*`.
    pub resources: Vec<String>,
    /// The verbs: get, list, watch, create, update, patch, delete, deletecollection; `*` any.
    pub verbs: Vec<String>,
    /// The namespaces; everywhere if there are none, cluster-scoped objects included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
}

impl PolicyRule {
    fn allows(&self, verb: &str, group: &str, resource: &str, subresource: &str, namespace: &str) -> bool {
        let any = |list: &[String], one: &str| list.iter().any(|it| it == "*" || it == one);
        any(&self.verbs, verb)
            && any(&self.api_groups, group)
            && self.resources.iter().any(|granted| names_resource(granted, resource, subresource))
            && (self.namespaces.is_empty() || self.namespaces.iter().any(|it| it == namespace))
    }
}

/// Whether a rule's resource covers one (`rbac/v1.ResourceMatches`), and `pods/*` all of the subresources of one.
pub(crate) fn names_resource(rule: &str, resource: &str, subresource: &str) -> bool {
    match rule.split_once('/') {
        None => rule == "*" || (subresource.is_empty() && rule == resource),
        Some((whole, sub)) => {
            (whole == "*" || whole == resource)
                && (sub == "*" || (!subresource.is_empty() && sub == subresource))
        }
    }
}

/// Whether `path` is `root` or stands below it. The empty root covers everything.
fn covers(root: &str, path: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Capabilities {
    /// Whether the storage prefix is granted.
    pub fn allows_storage(&self, prefix: &str) -> bool {
        let of_group = prefix.split_once('/').is_some_and(|(group, _)| self.names_group(group));
        of_group
            || self.storage.iter().any(|grant| match grant.strip_suffix('*') {
                Some(start) => prefix.starts_with(start),
                None => grant == prefix,
            })
    }

    /// Whether the path, and all below it, may be claimed.
    pub fn allows_path(&self, path: &str) -> bool {
        let of_group = path.strip_prefix("/apis/").and_then(|rest| rest.split('/').next());
        of_group.is_some_and(|group| self.names_group(group))
            || self.paths.iter().any(|grant| covers(grant.trim_end_matches('/'), path))
    }

    /// Whether documents of the group may be published.
    pub fn allows_group(&self, group: &str) -> bool {
        self.groups.iter().any(|grant| grant == "*" || grant == group)
    }

    /// Whether the group is granted by its name.
    fn names_group(&self, group: &str) -> bool {
        !group.is_empty() && group != "*" && self.groups.iter().any(|grant| grant == group)
    }

    /// Whether a request to this very server is granted.
    pub fn allows_request(
        &self,
        verb: &str,
        group: &str,
        resource: &str,
        subresource: &str,
        namespace: &str,
    ) -> bool {
        self.resources.iter().any(|rule| rule.allows(verb, group, resource, subresource, namespace))
    }

    /// What is asked for in `self` and not granted in `granted`, each as `<field>: <value>`.
    pub fn missing(&self, granted: &Self) -> Vec<String> {
        let mut missing = Vec::new();
        let mut note = |field: &str, what: &dyn fmt::Display, there: bool| {
            if !there {
                missing.push(format!("{field}: {what}"));
            }
        };
        for group in &self.groups {
            note("groups", group, granted.allows_group(group));
        }
        for path in &self.paths {
            note("paths", path, granted.allows_path(path.trim_end_matches('/')));
        }
        for prefix in &self.storage {
            note("storage", prefix, granted.storage.contains(prefix) || granted.allows_storage(prefix));
        }
        for rule in &self.resources {
            for group in &rule.api_groups {
                for resource in &rule.resources {
                    let (whole, sub) = resource.split_once('/').unwrap_or((resource, ""));
                    for verb in &rule.verbs {
                        let namespaces =
                            if rule.namespaces.is_empty() { &[String::new()][..] } else { &rule.namespaces };
                        let there = namespaces
                            .iter()
                            .all(|namespace| granted.allows_request(verb, group, whole, sub, namespace));
                        let dot = if group.is_empty() { "" } else { "." };
                        note("resources", &format_args!("{verb} {resource}{dot}{group}"), there);
                    }
                }
            }
        }
        for host in &self.outbound {
            note("outbound", host, granted.outbound.contains(host));
        }
        for (field, wanted, there) in [
            ("publications", self.publications, granted.publications),
            ("serviceAccountTokens", self.service_account_tokens, granted.service_account_tokens),
            ("tokenReviews", self.token_reviews, granted.token_reviews),
        ] {
            note(field, &true, !wanted || there);
        }
        for role in &self.roles {
            note("roles", role, granted.roles.contains(role));
        }
        missing
    }

    /// What cannot be meant, each with the place.
    pub fn faults(&self, place: &str, faults: &mut Vec<String>) {
        for (at, rule) in self.resources.iter().enumerate() {
            if rule.api_groups.is_empty() || rule.resources.is_empty() || rule.verbs.is_empty() {
                faults.push(format!("{place}.resources[{at}] allows nothing: apiGroups, resources and verbs must each name something"));
            }
        }
        for path in self.paths.iter().filter(|path| !path.starts_with('/')) {
            faults.push(format!("{place}.paths: {path:?} must begin with '/'"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value) -> Capabilities {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_group_brings_its_paths_and_its_storage() {
        let granted = of(serde_json::json!({"groups": ["hello.example.com"], "paths": ["/hello"]}));
        assert!(granted.allows_storage("hello.example.com/greetings"));
        assert!(granted.allows_path("/apis/hello.example.com/v1"));
        assert!(granted.allows_path("/hello/there"));
        assert!(!granted.allows_storage("secrets"));
        assert!(!granted.allows_storage("hello.example.community/x"));
        assert!(!granted.allows_path("/hello-there"));
        assert!(!granted.allows_path("/apis"));
        assert!(!granted.allows_path("/"));
        assert!(!granted.allows_group(""));
    }

    #[test]
    fn any_group_is_no_storage() {
        let granted = of(serde_json::json!({"groups": ["*"]}));
        assert!(
            granted.allows_group("apps")
                && !granted.allows_storage("apps/x")
                && !granted.allows_path("/apis/apps")
        );
    }

    #[test]
    fn rules_are_those_of_rbac() {
        let granted = of(serde_json::json!({"resources": [
            {"apiGroups": [""], "resources": ["pods", "pods/status"], "verbs": ["get"], "namespaces": ["a"]},
            {"apiGroups": ["apps"], "resources": ["*/scale"], "verbs": ["*"]},
        ]}));
        assert!(granted.allows_request("get", "", "pods", "", "a"));
        assert!(granted.allows_request("get", "", "pods", "status", "a"));
        assert!(!granted.allows_request("get", "", "pods", "log", "a"));
        assert!(!granted.allows_request("get", "", "pods", "", "b"));
        assert!(!granted.allows_request("get", "", "pods", "", ""));
        assert!(!granted.allows_request("list", "", "pods", "", "a"));
        assert!(granted.allows_request("patch", "apps", "deployments", "scale", "b"));
        assert!(!granted.allows_request("patch", "apps", "deployments", "", "b"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let wanted = of(serde_json::json!({
            "groups": ["a.example.com"], "outbound": ["api.example.com"], "roles": ["mutating"],
            "publications": true, "serviceAccountTokens": true,
            "resources": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]}],
        }));
        let granted = of(serde_json::json!({
            "groups": ["a.example.com"], "publications": true,
            "resources": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}],
        }));
        assert_eq!(
            wanted.missing(&granted),
            [
                "resources: list deployments.apps",
                "outbound: api.example.com",
                "serviceAccountTokens: true",
                "roles: mutating"
            ]
        );
        assert!(wanted.missing(&wanted).is_empty());
    }
}
