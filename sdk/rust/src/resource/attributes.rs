//! The attributes of a derived resource as data, and the definition they make.

use chainplate_apimachinery::{Map, Value};
use serde_json::json;

/// What `#[resource(…)]` says.
#[derive(Debug, Clone, Copy)]
pub struct Attributes {
    /// The API group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The resource.
    pub plural: &'static str,
    /// The resource of one.
    pub singular: &'static str,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Further names.
    pub shortnames: &'static [&'static str],
    /// Groups of resources that it belongs to (`all`).
    pub categories: &'static [&'static str],
    /// Whether there is `/status`.
    pub status: bool,
    /// The paths of `/scale`.
    pub scale: Option<ScalePaths>,
    /// The columns of tables, after the name.
    pub printcolumns: &'static [PrintColumn],
    /// The fields that selectors may name.
    pub selectable: &'static [&'static str],
    /// Whether whoever uses it is warned.
    pub deprecated: bool,
    /// The words of that warning, if they are not the usual ones.
    pub deprecation_warning: Option<&'static str>,
    /// The description of the kind.
    pub doc: &'static str,
}

/// Where `/scale` reads and writes.
#[derive(Debug, Clone, Copy)]
pub struct ScalePaths {
    /// The wanted replicas.
    pub spec_replicas_path: &'static str,
    /// The observed replicas.
    pub status_replicas_path: &'static str,
    /// The selector, as text.
    pub label_selector_path: Option<&'static str>,
}

/// A column of tables.
#[derive(Debug, Clone, Copy)]
pub struct PrintColumn {
    /// The title.
    pub name: &'static str,
    /// string, integer, number, boolean or date.
    pub type_: &'static str,
    /// Where the cell is in the object.
    pub json_path: &'static str,
    /// 0 is always shown, more only in wide output.
    pub priority: i32,
    /// The meaning; empty for none.
    pub description: &'static str,
    /// An OpenAPI format; empty for none.
    pub format: &'static str,
}

/// A version of a definition. The caller says which one objects are stored in, if it is another.
pub(super) fn version(attributes: &Attributes, schema: &Value) -> Value {
    let mut version = json!({
        "name": attributes.version,
        "served": true,
        "storage": true,
        "schema": {"openAPIV3Schema": schema},
    });
    let Some(map) = version.as_object_mut() else { return version };
    let mut subresources = Map::new();
    if attributes.status {
        subresources.insert("status".into(), json!({}));
    }
    if let Some(scale) = &attributes.scale {
        let mut paths = json!({
            "specReplicasPath": scale.spec_replicas_path,
            "statusReplicasPath": scale.status_replicas_path,
        });
        if let Some(path) = scale.label_selector_path {
            paths["labelSelectorPath"] = path.into();
        }
        subresources.insert("scale".into(), paths);
    }
    if !subresources.is_empty() {
        map.insert("subresources".into(), subresources.into());
    }
    let columns: Vec<Value> = attributes.printcolumns.iter().map(column).collect();
    if !columns.is_empty() {
        map.insert("additionalPrinterColumns".into(), columns.into());
    }
    let fields: Vec<Value> = attributes.selectable.iter().map(|path| json!({"jsonPath": path})).collect();
    if !fields.is_empty() {
        map.insert("selectableFields".into(), fields.into());
    }
    if attributes.deprecated {
        map.insert("deprecated".into(), true.into());
    }
    if let Some(text) = attributes.deprecation_warning {
        map.insert("deprecationWarning".into(), text.into());
    }
    version
}

fn column(column: &PrintColumn) -> Value {
    let mut value = json!({"name": column.name, "type": column.type_, "jsonPath": column.json_path});
    if column.priority != 0 {
        value["priority"] = column.priority.into();
    }
    for (key, text) in [("description", column.description), ("format", column.format)] {
        if !text.is_empty() {
            value[key] = text.into();
        }
    }
    value
}

/// A definition whose names are accepted: what [`Definition::compile`](crate::custom::Definition::compile) takes.
pub fn definition(attributes: &Attributes, versions: Vec<Value>) -> Value {
    let Attributes { group, kind, plural, singular, shortnames, categories, .. } = attributes;
    let mut names =
        json!({"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular});
    for (key, list) in [("shortNames", shortnames), ("categories", categories)] {
        if !list.is_empty() {
            names[key] = json!(list);
        }
    }
    let condition = |type_: &str| json!({"type": type_, "status": "True"});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": names,
            "scope": if attributes.namespaced { "Namespaced" } else { "Cluster" },
            "versions": versions,
        },
        "status": {
            "acceptedNames": names,
            "conditions": [condition("NamesAccepted"), condition("Established")],
        },
    })
}
