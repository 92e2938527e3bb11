//! Admission hooks and conversions. Words and meanings are those of `admissionregistration.k8s.io/v1`.

use crate::capabilities::names_resource;
use chainplate_apimachinery::selector::LabelSelector;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An admission hook: when the plugin is asked, and what follows when it cannot answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Hook {
    /// Its name, unique in the plugin: a DNS label.
    pub name: String,
    /// Whether it may change objects, or only judge them.
    pub phase: Phase,
    /// What it is asked for; one match is enough.
    pub rules: Vec<Rule>,
    /// What follows when it traps, takes too long or cannot be reached.
    #[serde(default)]
    pub failure_policy: FailurePolicy,
    /// Whether requests in another version of the same resource count.
    #[serde(default)]
    pub match_policy: MatchPolicy,
    /// Asked only for objects in namespaces with such labels (a `metav1.LabelSelector`); everywhere without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Value>,
    /// Asked only for objects with such labels, the new one or the old (a `metav1.LabelSelector`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<Value>,
    /// Mutating hooks: whether it is asked again when a hook after it changed the object.
    #[serde(default)]
    pub reinvocation_policy: Reinvocation,
    /// The longest answer in seconds, 1 to 30; the component's own limit without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
}

/// What an operator makes of a hook: fewer requests, or another failure policy. Never more requests than the plugin's own rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Narrowing {
    /// The hook.
    pub name: String,
    /// The hook's rules and these must match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// The hook's selector and this must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Value>,
    /// The hook's selector and this must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<Value>,
    /// Instead of the hook's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_policy: Option<FailurePolicy>,
    /// Instead of the hook's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u64>,
    /// Takes the hook out altogether.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// When a hook is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Before the object is prepared and validated; may change it.
    Mutating,
    /// After that; may refuse it.
    Validating,
}

/// What follows when a plugin cannot answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum FailurePolicy {
    /// The request is refused.
    #[default]
    Fail,
    /// The request goes on as if the plugin were not there.
    Ignore,
}

/// Which requests a rule's versions mean.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MatchPolicy {
    /// Those in the versions it names.
    Exact,
    /// Those in any version of the resource. (The object is handed over in the version of the request.)
    #[default]
    Equivalent,
}

/// Whether a mutating hook is asked again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reinvocation {
    /// Never.
    #[default]
    Never,
    /// Once more, if a later hook changed the object.
    IfNeeded,
}

/// A kind of write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Operation {
    /// Any.
    #[serde(rename = "*")]
    Any,
    /// The object is made.
    #[serde(rename = "CREATE")]
    Create,
    /// It is changed.
    #[serde(rename = "UPDATE")]
    Update,
    /// It is removed.
    #[serde(rename = "DELETE")]
    Delete,
    /// Somebody connects to a subresource.
    #[serde(rename = "CONNECT")]
    Connect,
}

/// Where a rule's objects live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Anywhere.
    #[default]
    #[serde(rename = "*")]
    Any,
    /// In no namespace; Namespaces themselves are there, too.
    Cluster,
    /// In namespaces.
    Namespaced,
}

/// Operations on resources (`RuleWithOperations`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Rule {
    /// The API groups; `*` any.
    pub api_groups: Vec<String>,
    /// The versions; `*` any.
    pub api_versions: Vec<String>,
    /// The operations.
    pub operations: Vec<Operation>,
    /// The resources: `pods`, `pods/log`, `pods/*`, `*/scale`, `*` (all without subresources), `*/*`.
    pub resources: Vec<String>,
    /// Where the objects live.
    #[serde(default)]
    pub scope: Scope,
}

/// A write, as far as rules look at it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The API group.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// The plural resource.
    pub resource: &'a str,
    /// The subresource, empty for the main resource.
    pub subresource: &'a str,
    /// What is done.
    pub operation: Operation,
    /// Whether the object lives in a namespace. (A Namespace does not.)
    pub namespaced: bool,
}

impl Rule {
    /// Whether the rule means such a write (`apiserver/pkg/admission/plugin/webhook/predicates/rules`).
    pub fn matches(&self, target: &Target<'_>, policy: MatchPolicy) -> bool {
        let any = |list: &[String], one: &str| list.iter().any(|it| it == "*" || it == one);
        let scope = match self.scope {
            Scope::Any => true,
            Scope::Cluster => !target.namespaced,
            Scope::Namespaced => target.namespaced,
        };
        scope
            && any(&self.api_groups, target.group)
            && (policy == MatchPolicy::Equivalent || any(&self.api_versions, target.version))
            && self.operations.iter().any(|it| *it == Operation::Any || *it == target.operation)
            && self.resources.iter().any(|rule| {
                // Unlike in RBAC, `*` alone means no subresources.
                let bare = rule == "*" && target.subresource.is_empty();
                bare || (rule != "*" && names_resource(rule, target.resource, target.subresource))
            })
    }

    fn faults(&self, place: &str, faults: &mut Vec<String>) {
        let empty = [
            ("apiGroups", self.api_groups.is_empty()),
            ("apiVersions", self.api_versions.is_empty()),
            ("operations", self.operations.is_empty()),
            ("resources", self.resources.is_empty()),
        ];
        for (field, _) in empty.iter().filter(|(_, empty)| *empty) {
            faults.push(format!("{place}: {field} is empty; name what it means, or \"*\""));
        }
    }
}

impl Hook {
    pub(crate) fn faults(&self, faults: &mut Vec<String>) {
        let place = format!("admission hook {:?}", self.name);
        if self.rules.is_empty() {
            faults.push(format!("{place} has no rules and would never be asked"));
        }
        self.rules.iter().for_each(|rule| rule.faults(&place, faults));
        selector_faults(&place, &self.namespace_selector, &self.object_selector, faults);
        timeout_faults(&place, self.timeout_seconds, faults);
    }
}

impl Narrowing {
    /// What cannot be meant.
    pub fn faults(&self, component: &str, faults: &mut Vec<String>) {
        let place = format!("component {component:?}: admission hook {:?}", self.name);
        self.rules.iter().for_each(|rule| rule.faults(&place, faults));
        selector_faults(&place, &self.namespace_selector, &self.object_selector, faults);
        timeout_faults(&place, self.timeout_seconds, faults);
    }
}

fn selector_faults(place: &str, namespace: &Option<Value>, object: &Option<Value>, faults: &mut Vec<String>) {
    for (field, selector) in [("namespaceSelector", namespace), ("objectSelector", object)] {
        if let Some(selector) = selector
            && let Err(why) = LabelSelector::from_json(selector)
        {
            faults.push(format!("{place}: {field}: {why}"));
        }
    }
}

fn timeout_faults(place: &str, seconds: Option<u64>, faults: &mut Vec<String>) {
    if seconds.is_some_and(|seconds| !(1..=30).contains(&seconds)) {
        faults.push(format!("{place}: timeoutSeconds must be 1 to 30"));
    }
}

/// A kind that a plugin converts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Conversion {
    /// The API group.
    pub group: String,
    /// The kind.
    pub kind: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(resources: &[&str]) -> Rule {
        Rule {
            api_groups: vec!["apps".into()],
            api_versions: vec!["v1".into()],
            operations: vec![Operation::Create],
            resources: resources.iter().map(|&it| it.to_owned()).collect(),
            scope: Scope::Namespaced,
        }
    }

    const TARGET: Target<'static> = Target {
        group: "apps",
        version: "v1",
        resource: "deployments",
        subresource: "",
        operation: Operation::Create,
        namespaced: true,
    };

    #[test]
    fn rules_mean_what_they_mean_for_webhooks() {
        let exact = MatchPolicy::Exact;
        assert!(rule(&["deployments"]).matches(&TARGET, exact));
        assert!(rule(&["*"]).matches(&TARGET, exact));
        assert!(rule(&["*/*"]).matches(&TARGET, exact));
        assert!(!rule(&["pods"]).matches(&TARGET, exact));
        let scale = Target { subresource: "scale", ..TARGET };
        assert!(!rule(&["*"]).matches(&scale, exact));
        assert!(rule(&["*/scale"]).matches(&scale, exact));
        assert!(rule(&["deployments/*"]).matches(&scale, exact));
        assert!(!rule(&["*"]).matches(&Target { operation: Operation::Delete, ..TARGET }, exact));
        assert!(!rule(&["*"]).matches(&Target { namespaced: false, ..TARGET }, exact));
        let older = Target { version: "v1beta1", ..TARGET };
        assert!(!rule(&["*"]).matches(&older, exact));
        assert!(rule(&["*"]).matches(&older, MatchPolicy::Equivalent));
    }
}
