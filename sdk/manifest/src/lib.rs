//! The manifest of a plugin: what it says of itself, and what it asks for.
//!
//! An author writes it as `plugin.yaml` beside the code; the build puts it into the component as a custom section
//! ([`section`]), so that a host can tell what a component wants before a line of it runs. What it *may* do is another
//! matter: the operator's grants say that, in the same words ([`Capabilities`]).

mod capabilities;
mod hooks;
pub mod section;

pub use capabilities::{Capabilities, PolicyRule, Role};
pub use hooks::{
    Conversion, FailurePolicy, Hook, MatchPolicy, Narrowing, Operation, Phase, Reinvocation, Rule, Scope,
    Target,
};

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The `apiVersion` of manifests.
pub const API_VERSION: &str = "chainplate.dev/v1alpha1";
/// The `kind` of manifests.
pub const KIND: &str = "Plugin";
/// Largest manifest, in bytes.
pub const MAX_SIZE: usize = 64 << 10;
/// Most hooks of one plugin.
const MAX_HOOKS: usize = 32;

/// What a plugin says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    api_version: String,
    kind: String,
    /// Its name: lower-case letters, digits and `-`, at most 63.
    #[serde(default)]
    pub name: String,
    /// Its own version, as semver.
    #[serde(default)]
    pub version: String,
    /// One sentence on what it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The version of `chainplate:server` that it was built against; the build's word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contract: String,
    /// What it wants to do.
    #[serde(default)]
    pub wants: Capabilities,
    /// The admission hooks that it has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub admission: Vec<Hook>,
    /// The kinds that it converts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conversions: Vec<Conversion>,
}

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is not understood, or says something impossible. All faults at once.
    #[error("manifest: {}", .0.join("; "))]
    Invalid(Vec<String>),
    /// The component's bytes cannot be read.
    #[error("not a WebAssembly component: {0}; build it for the target wasm32-wasip2")]
    NotAComponent(String),
}

impl Manifest {
    /// Reads the YAML (or JSON) of a manifest.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.len() > MAX_SIZE {
            let why = format!("it has {} bytes, {MAX_SIZE} are the limit", text.len());
            return Err(Error::Invalid(vec![why]));
        }
        let manifest: Self =
            serde_saphyr::from_str(text).map_err(|error| Error::Invalid(vec![error.to_string()]))?;
        let faults = manifest.faults();
        if faults.is_empty() { Ok(manifest) } else { Err(Error::Invalid(faults)) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.api_version != API_VERSION || self.kind != KIND {
            faults.push(format!(
                "it is {} {}, not {API_VERSION} {KIND}; correct apiVersion and kind",
                self.api_version, self.kind
            ));
        }
        // Empty: the build fills it in.
        if !self.name.is_empty() && !is_label(&self.name) {
            let name = &self.name;
            faults.push(format!("name {name:?} must be lower-case letters, digits and '-', at most 63"));
        }
        if self.admission.len() > MAX_HOOKS {
            faults
                .push(format!("it has {} admission hooks, {MAX_HOOKS} are the limit", self.admission.len()));
        }
        let mut names = BTreeSet::new();
        for hook in &self.admission {
            if !is_label(&hook.name) {
                let name = &hook.name;
                faults.push(format!(
                    "admission hook {name:?} must be lower-case letters, digits and '-', at most 63"
                ));
            }
            if !names.insert(&hook.name) {
                faults.push(format!("admission hook {:?} is there twice; names tell hooks apart", hook.name));
            }
            hook.faults(&mut faults);
        }
        self.wants.faults("wants", &mut faults);
        faults
    }

    /// The roles that it plays besides that of a server, as its hooks and conversions tell.
    pub fn roles(&self) -> BTreeSet<Role> {
        let hooks = self.admission.iter().map(|hook| match hook.phase {
            Phase::Mutating => Role::Mutating,
            Phase::Validating => Role::Validating,
        });
        hooks.chain((!self.conversions.is_empty()).then_some(Role::Converter)).collect()
    }
}

/// A DNS-1123 label.
pub(crate) fn is_label(name: &str) -> bool {
    chainplate_apimachinery::names::dns1123_label(name).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
apiVersion: chainplate.dev/v1alpha1
kind: Plugin
name: unique-hosts
version: 0.1.0
description: No two Ingresses claim one host
wants:
  resources: [{apiGroups: [networking.k8s.io], resources: [ingresses], verbs: [list]}]
admission:
- name: unique-hosts
  phase: validating
  rules: [{apiGroups: [networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [ingresses]}]
";

    #[test]
    fn a_manifest_tells_hooks_and_wants() {
        let manifest = Manifest::parse(TEXT).unwrap();
        assert_eq!(manifest.roles().into_iter().collect::<Vec<_>>(), [Role::Validating]);
        assert!(manifest.wants.allows_request("list", "networking.k8s.io", "ingresses", "", "a"));
        assert!(!manifest.wants.allows_request("list", "", "secrets", "", "a"));
        assert_eq!(manifest.admission[0].failure_policy, FailurePolicy::Fail);
    }

    #[test]
    fn every_fault_is_told_at_once() {
        let text = TEXT
            .replace("unique-hosts", "Unique")
            .replace("kind: Plugin", "kind: Plug")
            .replace("[CREATE, UPDATE]", "[]");
        let told = Manifest::parse(&text).unwrap_err().to_string();
        for part in [
            "chainplate.dev/v1alpha1 Plug, not",
            "name \"Unique\"",
            "admission hook \"Unique\"",
            "operations",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let told = Manifest::parse(&TEXT.replace("phase:", "fase:")).unwrap_err().to_string();
        assert!(told.contains("fase"), "{told}");
    }
}
