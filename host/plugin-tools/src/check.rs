//! Whether a host would be content with a component.

use crate::{Component, Grants};
use chainplate_engine::MAX_COMPONENT_SIZE;
use chainplate_manifest::{Manifest, Role};
use serde_json::Value;
use std::fmt;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Good,
    /// It works, but not as meant.
    Warning,
    /// A host refuses the component, or something of it never works.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found, and what to do.
    pub text: String,
}

impl Finding {
    /// All is well with something.
    pub fn good(text: impl Into<String>) -> Self {
        Self { severity: Severity::Good, text: text.into() }
    }

    /// Something does not work as meant.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, text: text.into() }
    }

    /// Something does not work.
    pub fn error(text: impl Into<String>) -> Self {
        Self { severity: Severity::Error, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.severity {
            Severity::Good => "ok",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{word}: {}", self.text)
    }
}

/// A component that is larger than that, in bytes, is worth a word: it is compiled when it is first loaded.
const LARGE: usize = MAX_COMPONENT_SIZE / 2;

/// Judges a component without running it; with a chain configuration also what that grants.
pub fn check(component: &Component, chain: Option<&Value>) -> Vec<Finding> {
    let contract = &component.contract;
    let worlds = contract.worlds();
    let version = contract.version().unwrap_or_default();
    let mut findings =
        vec![Finding::good(format!("a component of {} (chainplate:server@{version})", worlds.join(", ")))];
    findings.extend(component.unknown_imports().map(|name| {
        Finding::error(format!(
            "it imports {name}, which no host has; a plugin may import chainplate:server and WASI 0.2 (cli, clocks, \
             filesystem, io, random, sockets), and calls other hosts through the SDK"
        ))
    }));
    let size = component.bytes.len();
    findings.push(if size > LARGE {
        Finding::warning(format!("it has {size} bytes; {MAX_COMPONENT_SIZE} are the limit"))
    } else {
        Finding::good(format!("it has {size} bytes"))
    });
    match &component.manifest {
        Some(manifest) => of_manifest(manifest, component, &mut findings),
        None => findings.push(Finding::error(
            "it has no manifest; `chainplate plugin build` puts plugin.yaml into it (--component for other languages)",
        )),
    }
    match chain.map(|chain| Grants::of(component, chain)) {
        None => {}
        Some(Err(error)) => findings.push(Finding::error(error.to_string())),
        Some(Ok(grants)) if grants.missing.is_empty() => {
            findings.push(Finding::good("the chain grants all that it wants"));
        }
        Some(Ok(grants)) => findings.extend(grants.missing.iter().map(|what| {
            Finding::error(format!(
                "the chain does not grant {what}; add it to the component's grants, or do without"
            ))
        })),
    }
    findings
}

/// Whether the manifest and the exports speak of the same plugin.
fn of_manifest(manifest: &Manifest, component: &Component, findings: &mut Vec<Finding>) {
    let before = findings.len();
    for (field, value) in [("name", &manifest.name), ("version", &manifest.version)] {
        if value.is_empty() {
            findings.push(Finding::error(format!("the manifest has no {field}; build the plugin anew")));
        }
    }
    let built = component.contract.version().unwrap_or_default();
    if !manifest.contract.is_empty() && manifest.contract != built {
        let told = &manifest.contract;
        findings.push(Finding::error(format!(
            "the manifest tells of chainplate:server@{told}, the component is built against {built}; build it anew"
        )));
    }
    let worlds = component.contract.worlds();
    let has = |world: &str| worlds.contains(&world);
    if has("admission") && manifest.admission.is_empty() {
        findings.push(Finding::error(
            "it exports admission-hooks, but the manifest lists no hooks below `admission`: it would never be asked",
        ));
    }
    if !has("admission") && !manifest.admission.is_empty() {
        findings.push(Finding::error(
            "the manifest lists admission hooks, but the component exports no admission-hooks; export the admission \
             plugin, or take them out",
        ));
    }
    if has("converter") && manifest.conversions.is_empty() {
        findings.push(Finding::error(
            "it exports version-conversion, but the manifest lists no kinds below `conversions`: it would never be asked",
        ));
    }
    if !has("converter") && !manifest.conversions.is_empty() {
        findings.push(Finding::error(
            "the manifest lists conversions, but the component exports no version-conversion; export the converter, or \
             take them out",
        ));
    }
    let mut roles = manifest.roles();
    roles.extend(has("authenticator").then_some(Role::Authenticator));
    roles.extend(has("authorizer").then_some(Role::Authorizer));
    for role in roles.difference(&manifest.wants.roles) {
        findings.push(Finding::error(format!(
            "it is {role}, but does not want that role; build it anew, or write it below wants.roles"
        )));
    }
    for role in manifest.wants.roles.difference(&roles) {
        findings.push(Finding::warning(format!(
            "it wants the role {role}, but has nothing for it; take it out of wants.roles"
        )));
    }
    let wants = &manifest.wants;
    if wants.storage.iter().any(|prefix| prefix == "*") || wants.groups.iter().any(|group| group == "*") {
        findings.push(Finding::warning("it wants all storage or all groups; few operators will grant that"));
    }
    if findings.len() == before {
        let (name, version) = (&manifest.name, &manifest.version);
        findings.push(Finding::good(format!("the manifest of {name} {version} tells what the component is")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::tests::{HANDLER, HOOKS, of};
    use serde_json::json;

    fn with(imports: &[&str], exports: &[&str], manifest: &str) -> Component {
        let mut component = of(imports, exports);
        let text = format!("{{apiVersion: chainplate.dev/v1alpha1, kind: Plugin, {manifest}}}");
        component.manifest = Some(Manifest::parse(&text).unwrap());
        component
    }

    fn bad(component: &Component, chain: Option<&Value>) -> Vec<String> {
        let findings = check(component, chain).into_iter();
        findings.filter(|it| it.severity != Severity::Good).map(|it| it.to_string()).collect()
    }

    const HOOK: &str = "admission: [{name: h, phase: mutating, rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}]";

    #[test]
    fn a_good_component_has_nothing_to_be_told() {
        let server = with(&["wasi:io/streams@0.2.6"], &[HANDLER], "name: a, version: 1.0.0, contract: 0.2.0");
        assert!(bad(&server, None).is_empty());
        let mutating = format!("name: a, version: 1.0.0, wants: {{roles: [mutating]}}, {HOOK}");
        assert!(bad(&with(&[], &[HOOKS], &mutating), None).is_empty());
    }

    #[test]
    fn a_manifest_that_tells_of_another_plugin_is_an_error() {
        let hooks = format!("name: a, version: 1.0.0, {HOOK}");
        let cases: [(&str, &str, &str); 9] = [
            (HANDLER, "name: a", "has no version"),
            (HANDLER, "name: a, version: 1.0.0, contract: 0.1.0", "tells of chainplate:server@0.1.0"),
            (HOOKS, "name: a, version: 1.0.0", "lists no hooks"),
            (HANDLER, &hooks, "exports no admission-hooks"),
            (HOOKS, &hooks, "does not want that role"),
            (HANDLER, "name: a, version: 1.0.0, wants: {roles: [authorizer]}", "warning: it wants the role"),
            (HANDLER, "name: a, version: 1.0.0, conversions: [{group: a, kind: B}]", "no version-conversion"),
            ("chainplate:server/version-conversion@0.2.0", "name: a, version: 1.0.0", "lists no kinds"),
            (HANDLER, "name: a, version: 1.0.0, wants: {storage: ['*']}", "wants all storage"),
        ];
        for (export, manifest, wanted) in cases {
            let told = bad(&with(&[], &[export], manifest), None);
            assert!(told.iter().any(|it| it.contains(wanted)), "{wanted}: {told:?}");
        }
    }

    #[test]
    fn imports_and_grants_that_are_missing_are_errors() {
        let component =
            with(&["wasi:http/types@0.2.6"], &[HANDLER], "name: a, version: 1.0.0, wants: {paths: [/a, /b]}");
        let chain = json!({"components": [{"name": "a", "grants": {"paths": ["/a"]}}]});
        let told = bad(&component, Some(&chain));
        assert_eq!(told.len(), 2, "{told:?}");
        assert!(told[0].starts_with("error: it imports wasi:http/types@0.2.6"), "{told:?}");
        assert!(told[1].starts_with("error: the chain does not grant paths: /b"), "{told:?}");
    }

    #[test]
    fn a_component_without_a_manifest_is_an_error() {
        assert!(bad(&of(&[], &[HANDLER]), None)[0].contains("it has no manifest"));
    }
}
