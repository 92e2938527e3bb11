//! A CustomResourceDefinition, compiled for serving.

use crate::{
    Column, FieldLabel,
    registry::{ALL_VERBS, Decoding, Descriptor, Generation, Subresource},
};
use chainplate_apimachinery::{
    Value,
    discovery::compare_versions,
    object,
    schema::{Schema, jsonpath::JsonPath},
};
use serde_json::json;
use std::{borrow::Cow, cmp::Ordering, rc::Rc};

const NAME_DESCRIPTION: &str = "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names";
const AGE_DESCRIPTION: &str = "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";

/// A definition, compiled.
#[derive(Debug)]
pub struct Definition {
    /// The API group of its objects.
    pub group: String,
    /// The resource.
    pub plural: String,
    /// The kind of lists.
    pub list_kind: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// Whether it answers requests: `NamesAccepted` or `Established`.
    pub answers: bool,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether versions are converted by a webhook.
    pub webhook_conversion: bool,
    /// Where its objects are stored.
    pub storage_prefix: String,
    /// The version that objects are stored in, which need not be served.
    pub storage_version: String,
    /// Its served versions.
    pub versions: Vec<Rc<Version>>,
}

/// One served version of a definition.
#[derive(Debug)]
pub struct Version {
    /// Its name.
    pub name: String,
    /// Whether objects are stored in it.
    pub storage: bool,
    /// What its users are told.
    pub warning: Option<String>,
    /// What its objects look like.
    pub schema: Schema,
    /// The schema of `status`, if there is one.
    pub status_schema: Option<Schema>,
    /// What the registry must know of it.
    pub descriptor: Descriptor,
    /// The paths of the scale subresource.
    pub scale: Option<Scale>,
    /// The columns of tables.
    pub columns: Vec<Column>,
    /// The argument of the transform that fills the columns.
    pub rows_argument: Vec<u8>,
    /// The fields that selectors may name.
    pub field_labels: Vec<FieldLabel>,
    /// The argument of the transform that brings stored objects into this version, where it is needed.
    pub read_argument: Option<Vec<u8>>,
}

/// The paths of the scale subresource, member by member.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scale {
    /// As it is written.
    pub spec_path: String,
    /// Where the wanted replicas stand.
    pub spec_replicas: Vec<String>,
    /// As it is written.
    pub status_path: String,
    /// Where the observed replicas stand.
    pub status_replicas: Vec<String>,
    /// As it is written.
    pub selector_path: Option<String>,
    /// Where the selector stands.
    pub selector: Option<Vec<String>>,
}

impl Definition {
    /// Compiles a stored definition. `converted` says that code converts between its versions.
    pub fn compile(crd: &Value, converted: bool) -> Self {
        let spec = crd.get("spec").unwrap_or(&Value::Null);
        let accepted = crd.pointer("/status/acceptedNames").unwrap_or(&Value::Null);
        let group = text(spec, "group").to_owned();
        let plural = text(accepted, "plural").to_owned();
        let kind = text(accepted, "kind").to_owned();
        let namespaced = text(spec, "scope") == "Namespaced";
        let raw: Vec<&Value> = versions(crd).collect();
        let schemas: Vec<&Value> = raw.iter().map(|version| schema_of(version)).collect();
        let same = schemas.windows(2).all(|pair| pair[0] == pair[1]);
        // Stored by this very schema: nothing that could be pruned or defaulted.
        let as_stored = same && object::generation(crd) <= 1 && !converted;
        let served = raw.iter().filter(|version| flag(version, "served"));
        let served: Vec<Rc<Version>> = served
            .map(|version| {
                let names = (group.as_str(), plural.as_str(), kind.as_str());
                Rc::new(Version::compile(version, crd, names, namespaced, (as_stored, converted)))
            })
            .collect();
        Self {
            storage_version: versions(crd)
                .find(|version| flag(version, "storage"))
                .map(|version| text(version, "name").to_owned())
                .unwrap_or_default(),
            storage_prefix: format!("{group}/{}", text(spec.get("names").unwrap_or(&Value::Null), "plural")),
            list_kind: text(accepted, "listKind").to_owned(),
            answers: condition_is(crd, "NamesAccepted", "True") || condition_is(crd, "Established", "True"),
            terminating: object::is_deleting(crd) || condition_is(crd, "Terminating", "True"),
            webhook_conversion: spec.pointer("/conversion/strategy").and_then(Value::as_str)
                == Some("Webhook"),
            group,
            plural,
            namespaced,
            versions: served,
        }
    }

    /// The served version of that name.
    pub fn version(&self, name: &str) -> Option<&Rc<Version>> {
        self.versions.iter().find(|version| version.name == name)
    }
}

impl Version {
    fn compile(
        version: &Value,
        crd: &Value,
        (group, plural, kind): (&str, &str, &str),
        namespaced: bool,
        (as_stored, converted): (bool, bool),
    ) -> Self {
        let name = text(version, "name").to_owned();
        let raw_schema = schema_of(version);
        let schema = Schema::parse(raw_schema);
        let subresources = version.get("subresources").unwrap_or(&Value::Null);
        let scale = subresources.get("scale").filter(|scale| scale.is_object()).map(Scale::compile);
        let mut list = Vec::new();
        if subresources.get("status").is_some_and(|status| !status.is_null()) {
            list.push(Subresource::STATUS);
        }
        if scale.is_some() {
            list.push(Subresource::SCALE);
        }
        let mut descriptor =
            Descriptor::new(group.to_owned(), name.clone(), plural.to_owned(), kind.to_owned(), namespaced);
        descriptor.verbs = Cow::Borrowed(ALL_VERBS);
        descriptor.subresources = Cow::Owned(list);
        descriptor.generation = Generation::NotMetadata;
        descriptor.decoding = Decoding::Unstructured;
        let api_version = format!("{group}/{name}");
        let changes = schema.has_defaults || !schema.preserve_unknown || converted;
        let read_argument = (!as_stored && changes).then(|| {
            json!({"apiVersion": api_version, "kind": kind, "schema": raw_schema}).to_string().into_bytes()
        });
        let (columns, rows_argument) = columns(version);
        Self {
            storage: flag(version, "storage"),
            warning: deprecation(version, crd, &api_version, group, kind),
            status_schema: schema.property("status").cloned(),
            field_labels: field_labels(version),
            name,
            schema,
            descriptor,
            scale,
            columns,
            rows_argument,
            read_argument,
        }
    }

    /// Whether the status subresource is served.
    pub fn has_subresource(&self, name: &str) -> bool {
        self.descriptor.subresource(name).is_some()
    }
}

impl Scale {
    fn compile(scale: &Value) -> Self {
        let path = |key: &str| text(scale, key).to_owned();
        let selector = Some(path("labelSelectorPath")).filter(|path| !path.is_empty());
        Self {
            spec_replicas: members(&path("specReplicasPath")),
            spec_path: path("specReplicasPath"),
            status_replicas: members(&path("statusReplicasPath")),
            status_path: path("statusReplicasPath"),
            selector: selector.as_deref().map(members),
            selector_path: selector,
        }
    }
}

/// `.spec.replicas` as members.
fn members(path: &str) -> Vec<String> {
    path.strip_prefix('.').unwrap_or(path).split('.').map(str::to_owned).collect()
}

/// The columns of a version and the argument of the transform that fills them. Columns that cannot be read are left
/// out, as upstream does.
fn columns(version: &Value) -> (Vec<Column>, Vec<u8>) {
    let column = |name: &str, type_: &str, format: &str, description: &str, priority: i32| Column {
        name: name.into(),
        type_: type_.into(),
        format: format.into(),
        description: description.into(),
        priority,
    };
    let mut columns = vec![column("Name", "string", "name", NAME_DESCRIPTION, 0)];
    let mut cells = Vec::new();
    let given =
        version.get("additionalPrinterColumns").and_then(Value::as_array).filter(|list| !list.is_empty());
    match given {
        None => {
            columns.push(column("Age", "date", "", AGE_DESCRIPTION, 0));
            cells.push(json!(["date", ".metadata.creationTimestamp"]));
        }
        Some(list) => {
            for given in list {
                let path = text(given, "jsonPath");
                if JsonPath::parse(path).is_err() {
                    break;
                }
                let description = match text(given, "description") {
                    "" => format!("Custom resource definition column (in JSONPath format): {path}"),
                    description => description.to_owned(),
                };
                let priority = given.get("priority").and_then(Value::as_i64).unwrap_or_default();
                let priority = i32::try_from(priority).unwrap_or_default();
                let (name, type_) = (text(given, "name"), text(given, "type"));
                columns.push(column(name, type_, text(given, "format"), &description, priority));
                cells.push(json!([type_, path]));
            }
        }
    }
    (columns, Value::from(cells).to_string().into_bytes())
}

fn field_labels(version: &Value) -> Vec<FieldLabel> {
    let list = version.get("selectableFields").and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|field| field_label(text(field, "jsonPath"))).collect()
}

/// The field that selectors may name by a simple path, `.spec.host`.
pub fn field_label(source: &str) -> Option<FieldLabel> {
    let path = JsonPath::parse(source).ok()?;
    let path = path.members()?.into_iter().map(str::to_owned).collect();
    Some(FieldLabel { label: source.trim_start_matches('.').to_owned(), path, default: String::new() })
}

/// The warning of a deprecated version: its own text, or one that names the version to use.
fn deprecation(version: &Value, crd: &Value, api_version: &str, group: &str, kind: &str) -> Option<String> {
    if !flag(version, "deprecated") {
        return None;
    }
    if let Some(own) = version.get("deprecationWarning").and_then(Value::as_str) {
        return Some(own.to_owned());
    }
    let name = text(version, "name");
    let mut better: Vec<&str> = versions(crd)
        .filter(|other| flag(other, "served") && !flag(other, "deprecated"))
        .map(|other| text(other, "name"))
        .filter(|other| compare_versions(other, name) == Ordering::Less)
        .collect();
    better.sort_by(|left, right| compare_versions(left, right));
    let hint = better.first().map(|best| format!("; use {group}/{best} {kind}")).unwrap_or_default();
    Some(format!("{api_version} {kind} is deprecated{hint}"))
}

/// `spec.versions`.
pub fn versions(crd: &Value) -> impl Iterator<Item = &Value> {
    crd.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten()
}

/// `schema.openAPIV3Schema` of a version.
pub fn schema_of(version: &Value) -> &Value {
    version.pointer("/schema/openAPIV3Schema").unwrap_or(&Value::Null)
}

/// A text member; empty if it is not there.
pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A boolean member; false if it is not there.
pub fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// The condition of that type.
pub fn condition<'a>(crd: &'a Value, type_: &str) -> Option<&'a Value> {
    let list = crd.pointer("/status/conditions").and_then(Value::as_array)?;
    list.iter().find(|condition| text(condition, "type") == type_)
}

/// Whether the condition of that type has that status.
pub fn condition_is(crd: &Value, type_: &str, status: &str) -> bool {
    condition(crd, type_).is_some_and(|condition| text(condition, "status") == status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd() -> Value {
        json!({"metadata": {"generation": 1}, "spec": {"group": "g.example.com", "scope": "Namespaced", "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}},
                 "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}},
                 "selectableFields": [{"jsonPath": ".spec.color"}]},
                {"name": "v1alpha1", "served": true, "deprecated": true, "schema": {"openAPIV3Schema": {"type": "object"}}},
                {"name": "v0", "served": false, "schema": {"openAPIV3Schema": {"type": "object"}}}]},
            "status": {"acceptedNames": {"plural": "widgets", "kind": "Widget", "listKind": "WidgetList"},
                "conditions": [{"type": "NamesAccepted", "status": "True"}]}})
    }

    #[test]
    fn served_versions_are_compiled() {
        let definition = Definition::compile(&crd(), false);
        assert!(definition.answers && !definition.terminating && definition.namespaced);
        assert_eq!(definition.storage_prefix, "g.example.com/widgets");
        assert_eq!(definition.versions.len(), 2);
        let v1 = definition.version("v1").unwrap();
        assert!(v1.storage && v1.has_subresource("status") && v1.has_subresource("scale"));
        assert_eq!(v1.scale.as_ref().unwrap().spec_replicas, ["spec", "replicas"]);
        assert_eq!(v1.field_labels[0].label, "spec.color");
        assert_eq!(v1.columns[1].name, "Age");
        let alpha = definition.version("v1alpha1").unwrap();
        assert_eq!(
            alpha.warning.as_deref(),
            Some("g.example.com/v1alpha1 Widget is deprecated; use g.example.com/v1 Widget")
        );
    }

    #[test]
    fn objects_are_read_anew_only_when_the_schema_may_have_changed() {
        let mut changed = crd();
        changed["spec"]["versions"][1]["schema"] =
            json!({"openAPIV3Schema": {"type": "object", "properties": {"a": {"type": "string"}}}});
        assert!(Definition::compile(&changed, false).version("v1").unwrap().read_argument.is_some());
        assert!(Definition::compile(&crd(), false).version("v1").unwrap().read_argument.is_none());
        let mut later = crd();
        later["metadata"]["generation"] = 2.into();
        assert!(Definition::compile(&later, false).version("v1").unwrap().read_argument.is_some());
    }
}
