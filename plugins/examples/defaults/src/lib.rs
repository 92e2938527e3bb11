//! A mutating admission plugin: gives objects what their authors left open, as its configuration says. `README.md` tells an
//! operator how to configure it.

mod pods;
mod rules;
#[cfg(test)]
mod tests;

use chainplate_sdk::{
    Plugin,
    admission::{Admission, AdmissionRequest, Decision, Operation},
    apimachinery::{Map, Status, Value},
};
use rules::{Configuration, Rule};
use serde_json::json;
use std::collections::BTreeMap;

/// The injector.
#[derive(Debug)]
pub struct Defaults {
    rules: Vec<Rule>,
}

impl Plugin for Defaults {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        Ok(Self { rules: Configuration::read(config)?.rules })
    }
}

impl Admission for Defaults {
    fn admit(&self, _hook: &str, request: &AdmissionRequest<'_>) -> Result<Decision, Status> {
        // Later most of it cannot be changed.
        if request.operation() != Operation::Create || !request.subresource().is_empty() {
            return Ok(Decision::Allow);
        }
        let kind = request.kind();
        let namespace = request.namespace();
        let matching: Vec<&Rule> =
            self.rules.iter().filter(|rule| rule.matches(&kind, namespace.as_deref())).collect();
        if matching.is_empty() {
            return Ok(Decision::Allow);
        }
        Decision::edit(request, |object: &mut Value| {
            for rule in matching {
                fill(object, "labels", &rule.labels);
                fill(object, "annotations", &rule.annotations);
                if let Some(spec) = pods::spec_mut(&kind.group, &kind.name, object) {
                    pods::fill(spec, rule);
                }
            }
        })
    }
}

/// Adds what is not there to a map of strings in `metadata`.
fn fill(object: &mut Value, member: &str, defaults: &BTreeMap<String, String>) {
    if defaults.is_empty() {
        return;
    }
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if let Some(there) = members_mut(metadata, member) {
        for (key, value) in defaults {
            there.entry(key).or_insert_with(|| value.clone().into());
        }
    }
}

/// An object's member that is an object, made if it is absent; none if it is something else.
fn members_mut<'a>(object: &'a mut Map, member: &str) -> Option<&'a mut Map> {
    let there = object.entry(member).or_insert(Value::Null);
    if there.is_null() {
        *there = json!({});
    }
    there.as_object_mut()
}

chainplate_sdk::export!(admission: Defaults);
