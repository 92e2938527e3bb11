//! The configuration.

use chainplate_sdk::{
    admission::GroupVersionName,
    apimachinery::{Map, Value, names, quantity::Quantity},
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Most rules.
const MAX_RULES: usize = 100;

/// What the operator wrote.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Configuration {
    pub(crate) rules: Vec<Rule>,
}

/// What objects of some kinds in some namespaces are given.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(crate) struct Rule {
    /// `Pod`, `Deployment.apps`, or `*`.
    kinds: Vec<String>,
    /// `team-a`, `team-*`; everywhere if there are none.
    namespaces: Vec<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) image_pull_policy: Option<String>,
    pub(crate) pod_security_context: Map,
    pub(crate) container_security_context: Map,
    pub(crate) tolerations: Vec<Value>,
    pub(crate) requests: BTreeMap<String, String>,
}

impl Configuration {
    /// Reads it; every fault is told at once.
    pub(crate) fn read(config: Value) -> Result<Self, String> {
        let read: Self = serde_json::from_value(config).map_err(|error| {
            format!(
                "configuration: {error}; give a list \"rules\", each with \"kinds\" and what they are given"
            )
        })?;
        let mut faults = Vec::new();
        if read.rules.len() > MAX_RULES {
            faults.push(format!("{} rules, {MAX_RULES} are the limit", read.rules.len()));
        }
        for (at, rule) in read.rules.iter().enumerate() {
            rule.faults(&format!("rules[{at}]"), &mut faults);
        }
        if faults.is_empty() { Ok(read) } else { Err(format!("configuration: {}", faults.join("; "))) }
    }
}

impl Rule {
    pub(crate) fn matches(&self, kind: &GroupVersionName, namespace: Option<&str>) -> bool {
        let kinds = self.kinds.iter().any(|wanted| {
            let (name, group) = wanted.split_once('.').unwrap_or((wanted, ""));
            wanted == "*" || (name == kind.name && group == kind.group)
        });
        let within = |wanted: &String| match (wanted.strip_suffix('*'), namespace) {
            (_, None) => false,
            (Some(start), Some(namespace)) => namespace.starts_with(start),
            (None, Some(namespace)) => wanted == namespace,
        };
        kinds && (self.namespaces.is_empty() || self.namespaces.iter().any(within))
    }

    fn faults(&self, place: &str, faults: &mut Vec<String>) {
        if self.kinds.is_empty() {
            faults.push(format!("{place} names no kinds; name some, or \"*\""));
        }
        for (key, value) in &self.labels {
            let why = names::qualified_name(key).into_iter().chain(names::label_value(value));
            faults.extend(why.map(|why| format!("{place}.labels.{key}: {why}")));
        }
        for key in self.annotations.keys() {
            let why = names::qualified_name(&key.to_lowercase()).into_iter();
            faults.extend(why.map(|why| format!("{place}.annotations.{key}: {why}")));
        }
        if let Some(policy) = &self.image_pull_policy
            && !["Always", "IfNotPresent", "Never"].contains(&policy.as_str())
        {
            faults.push(format!("{place}.imagePullPolicy: {policy:?} must be Always, IfNotPresent or Never"));
        }
        for (at, toleration) in self.tolerations.iter().enumerate().filter(|(_, it)| !it.is_object()) {
            faults.push(format!("{place}.tolerations[{at}]: {toleration} must be an object"));
        }
        for (resource, quantity) in &self.requests {
            if let Err(why) = Quantity::parse(quantity) {
                faults.push(format!("{place}.requests.{resource}: {quantity:?}: {why}"));
            }
        }
    }
}
