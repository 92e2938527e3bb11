//! What a component is and wants, for people and programs.

use crate::{Component, Error, chain};
use chainplate_manifest::{Capabilities, Conversion, Hook};
use serde::Serialize;
use serde_json::Value;

/// What is to be known of a component.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its name.
    pub name: String,
    /// Its own version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// What it does.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The contract that it was built against, `chainplate:server@0.2.0`.
    pub contract: String,
    /// The worlds that it is built for.
    pub worlds: Vec<&'static str>,
    /// What pins it.
    pub digest: String,
    /// The size of the file, in bytes.
    pub size: usize,
    /// What it wants to do.
    pub wants: Capabilities,
    /// Its admission hooks, as they stand in the manifest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admission: Vec<Hook>,
    /// The kinds that it converts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conversions: Vec<Conversion>,
    /// What it imports from the host.
    pub imports: Vec<String>,
    /// What a chain makes of its wants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
}

/// What a chain grants.
#[derive(Debug, Serialize)]
pub struct Grants {
    /// All that is granted, asked for or not.
    pub granted: Capabilities,
    /// What is asked for and not granted, each as `<field>: <value>`.
    pub missing: Vec<String>,
}

impl Grants {
    /// What `chain` makes of what a component wants.
    ///
    /// # Errors
    /// A chain without the component, or with grants that are not understood.
    pub fn of(component: &Component, chain: &Value) -> Result<Self, Error> {
        let name = component.name();
        let Some(entry) = chain::find(chain, &name, &component.path) else {
            let why = format!(
                "the chain configuration has no component {name:?} and none of this file; \
                 `chainplate plugin inspect --entry` prints one to paste"
            );
            return Err(Error::unfit(&component.path, why));
        };
        let granted = chain::granted(entry).map_err(|why| Error::unfit(&component.path, why))?;
        let wants = component.manifest.as_ref().map(|manifest| manifest.wants.clone()).unwrap_or_default();
        Ok(Self { missing: wants.missing(&granted), granted })
    }
}

/// Tells what is to be known of a component, with a chain what that grants.
///
/// # Errors
/// As [`Grants::of`].
pub fn inspect(component: &Component, chain: Option<&Value>) -> Result<Report, Error> {
    let grants = chain.map(|chain| Grants::of(component, chain)).transpose()?;
    let manifest = component.manifest.clone();
    let (version, description, wants, admission, conversions) = manifest
        .map(|it| (it.version, it.description, it.wants, it.admission, it.conversions))
        .unwrap_or_default();
    Ok(Report {
        name: component.name(),
        version,
        description,
        contract: format!("chainplate:server@{}", component.contract.version().unwrap_or_default()),
        worlds: component.contract.worlds(),
        digest: component.digest(),
        size: component.bytes.len(),
        wants,
        admission,
        conversions,
        imports: component.contract.imports.clone(),
        grants,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::tests::{HOOKS, of};
    use chainplate_manifest::Manifest;
    use serde_json::json;

    fn component() -> Component {
        let mut component = of(&["chainplate:server/review@0.2.0"], &[HOOKS]);
        let text = "{apiVersion: chainplate.dev/v1alpha1, kind: Plugin, name: a, version: 1.0.0,
            wants: {roles: [validating], outbound: [x.example.com]},
            admission: [{name: h, phase: validating, rules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}]}]}";
        component.manifest = Some(Manifest::parse(text).unwrap());
        component
    }

    #[test]
    fn a_report_tells_what_a_component_is_and_wants() {
        let report = serde_json::to_value(inspect(&component(), None).unwrap()).unwrap();
        assert_eq!(report["worlds"], json!(["admission"]));
        assert_eq!(report["contract"], "chainplate:server@0.2.0");
        assert_eq!(report["wants"], json!({"roles": ["validating"], "outbound": ["x.example.com"]}));
        assert_eq!(report["admission"][0]["rules"][0]["resources"], json!(["pods"]));
        assert_eq!(report.get("grants"), None);
    }

    #[test]
    fn with_a_chain_it_tells_what_is_missing() {
        let chain = json!({"components": [{"name": "a", "grants": {"roles": ["validating"]}}]});
        let grants = inspect(&component(), Some(&chain)).unwrap().grants.unwrap();
        assert_eq!(grants.missing, ["outbound: x.example.com"]);
        let told = inspect(&component(), Some(&json!({"components": []}))).unwrap_err().to_string();
        assert!(told.contains("no component \"a\""), "{told}");
    }
}
