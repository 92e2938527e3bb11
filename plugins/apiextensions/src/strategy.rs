//! What makes a CustomResourceDefinition differ from other objects.

use crate::{
    definition::{self, FINALIZER, GROUP, KIND, RESOURCE, VERSION, flag, schema_of, text, versions},
    validation,
};
use chainplate_sdk::{
    apimachinery::{Status, Value, field, managed_fields, object, schema},
    registry::{Context, Descriptor, Generation, Malformed, Manager, Strategy, Subresource, fields},
};
use chainplate_types::TypeRef;
use serde_json::json;
use std::{borrow::Cow, cell::RefCell};

/// The strategy of definitions. Made for one request: it remembers what was written.
#[derive(Debug)]
pub(crate) struct Definitions {
    descriptor: Descriptor,
    shape: Option<TypeRef>,
    touched: RefCell<Vec<Touched>>,
}

/// A definition that was written or deleted.
#[derive(Debug, Clone)]
pub(crate) struct Touched {
    /// Its name.
    pub(crate) name: String,
    /// The definition before, if there was one.
    pub(crate) old: Option<Value>,
}

impl Definitions {
    pub(crate) fn new() -> Self {
        let mut descriptor = Descriptor::new(GROUP, VERSION, RESOURCE, KIND, false);
        descriptor.subresources = Cow::Borrowed(const { &[Subresource::STATUS] });
        descriptor.generation = Generation::Spec;
        descriptor.strategic_merge = true;
        Self {
            descriptor,
            shape: chainplate_types::lookup(GROUP, VERSION, KIND),
            touched: RefCell::default(),
        }
    }

    /// Runs `then` with what managed fields must know of definitions.
    fn managed<T>(
        &self,
        subresource: &str,
        then: impl FnOnce(&managed_fields::Context<'_, TypeRef>) -> T,
    ) -> Option<T> {
        let shape = self.shape?;
        let mut empty = json!({"apiVersion": self.descriptor.api_version(), "kind": KIND, "metadata": {}});
        chainplate_types::complete(shape, &mut empty);
        let reset = fields::members(if subresource == "status" { &["spec"] } else { &["status"] });
        let convert = managed_fields::one_version;
        let context = managed_fields::Context { shape, empty: &empty, reset: &reset, convert: &convert };
        Some(then(&context))
    }

    /// What was written, or marked for deletion, since the last call.
    pub(crate) fn take_touched(&self) -> Vec<Touched> {
        self.touched.take()
    }

    fn touch(&self, context: &Context<'_>, name: &str, old: Option<&Value>) {
        if !context.dry_run {
            self.touched.borrow_mut().push(Touched { name: name.to_owned(), old: old.cloned() });
        }
    }
}

/// What a definition does not say (`apis/apiextensions/v1/defaults.go`).
fn set_defaults(crd: &mut Value) {
    let Some(spec) = crd.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if let Some(names) = spec.get_mut("names").and_then(Value::as_object_mut) {
        let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let empty = |names: &serde_json::Map<String, Value>, key: &str| {
            names.get(key).and_then(Value::as_str).unwrap_or_default().is_empty()
        };
        if empty(names, "singular") {
            names.insert("singular".into(), kind.to_lowercase().into());
        }
        if empty(names, "listKind") && !kind.is_empty() {
            names.insert("listKind".into(), format!("{kind}List").into());
        }
    }
    if spec.get("conversion").is_none_or(Value::is_null) {
        spec.insert("conversion".into(), json!({"strategy": "None"}));
    }
    let port = spec
        .get_mut("conversion")
        .and_then(|conversion| conversion.pointer_mut("/webhook/clientConfig/service"))
        .and_then(Value::as_object_mut);
    if let Some(service) = port {
        service.entry("port").or_insert_with(|| 443.into());
    }
    // `false` is what Go leaves out.
    if spec.get("preserveUnknownFields") == Some(&Value::Bool(false)) {
        spec.remove("preserveUnknownFields");
    }
}

/// Adds the storage version to the versions that objects were stored in.
fn remember_storage_version(crd: &mut Value) {
    let Some(name) = versions(crd)
        .find(|version| flag(version, "storage"))
        .map(|version| text(version, "name").to_owned())
    else {
        return;
    };
    let Some(status) = crd.get_mut("status").and_then(Value::as_object_mut) else { return };
    let stored = status.entry("storedVersions").or_insert_with(|| json!([]));
    if stored.is_null() {
        *stored = json!([]);
    }
    if let Some(stored) = stored.as_array_mut()
        && !stored.iter().any(|version| *version == name)
    {
        stored.push(name.into());
    }
}

fn formats(crd: &Value) -> Vec<String> {
    versions(crd)
        .filter_map(|version| schema_of(version).as_object())
        .flat_map(schema::definition::unrecognized_formats)
        .collect()
}

fn set_warnings(crd: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for schema in versions(crd).filter_map(|version| schema_of(version).as_object()) {
        schema::definition::any(schema, &mut |schema| {
            let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
            let item = schema.get("items").map(|items| text(items, "type")).unwrap_or_default();
            if list_type == Some("set") && matches!(item, "object" | "array") {
                warnings.push(format!(
                    "x-kubernetes-list-type: set for items of type {item:?} is not supported by server-side apply or CEL validation rules"
                ));
            }
            false
        });
    }
    warnings.sort();
    warnings.dedup();
    warnings
}

impl Strategy for Definitions {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn decode(&self, document: &mut Value, strict: Option<&mut Vec<String>>) -> Result<(), String> {
        let Some(shape) = self.shape else { return Ok(()) };
        let unknown = chainplate_types::decode(shape, document)?;
        if let Some(strict) = strict {
            strict.extend(unknown);
        }
        Ok(())
    }

    fn decode_protobuf(&self, body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
        chainplate_types::protobuf::decode(body, default)
    }

    fn default(&self, object: &mut Value) {
        set_defaults(object);
    }

    fn prepare_for_create(&self, _context: &Context<'_>, object: &mut Value) {
        if let Some(root) = object.as_object_mut() {
            let status = json!({"conditions": null, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": []});
            root.insert("status".into(), status);
        }
        remember_storage_version(object);
    }

    fn prepare_for_update(&self, context: &Context<'_>, object: &mut Value, _old: &Value) {
        if context.subresource.is_empty() {
            remember_storage_version(object);
        }
    }

    fn validate(&self, _context: &Context<'_>, object: &Value) -> Vec<field::Error> {
        validation::create(object)
    }

    fn validate_update(&self, context: &Context<'_>, object: &Value, old: &Value) -> Vec<field::Error> {
        match context.subresource {
            "status" => validation::update_status(object),
            _ => validation::update(object, old),
        }
    }

    fn warnings(&self, context: &Context<'_>, object: &Value, old: Option<&Value>) -> Vec<String> {
        if !context.subresource.is_empty() {
            return Vec::new();
        }
        let known = old.map(formats).unwrap_or_default();
        let mut warnings: Vec<String> = formats(object)
            .into_iter()
            .filter(|format| !known.contains(format))
            .map(|format| format!("unrecognized format {format:?}"))
            .collect();
        let known = old.map(set_warnings).unwrap_or_default();
        warnings.extend(set_warnings(object).into_iter().filter(|warning| !known.contains(warning)));
        warnings
    }

    fn begin_write(
        &self,
        context: &Context<'_>,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        self.touch(context, object::name(object), old);
        Ok(())
    }

    fn track(&self, manager: &Manager<'_>, old: Option<&Value>, object: &mut Value) {
        self.managed(manager.subresource, |context| fields::track(context, manager, old, object));
    }

    fn apply(
        &self,
        manager: &Manager<'_>,
        force: bool,
        current: Option<&Value>,
        patch: Value,
    ) -> Result<Value, Status> {
        let what = format!("{GROUP}/{VERSION}, Kind={KIND}");
        self.managed(manager.subresource, |context| {
            fields::apply(context, &what, manager, force, current, &patch)
        })
        .unwrap_or_else(|| Err(Status::internal("the type of definitions is not known")))
    }

    fn strategic_merge(&self, object: &mut Value, patch: Value) -> Result<(), Status> {
        let shape = self.shape.ok_or_else(Status::unknown_resource)?;
        fields::strategic_merge(shape, object, patch)
    }

    fn canonicalize(&self, object: &mut Value) {
        if let Some(shape) = self.shape {
            chainplate_types::complete(shape, object);
        }
    }

    fn before_delete(&self, context: &Context<'_>, object: &mut Value) -> Result<(), Status> {
        self.touch(context, object::name(object), Some(object));
        if definition::condition_is(object, "Terminating", "True") {
            return Ok(());
        }
        let held = object::finalizers(object).any(|finalizer| finalizer == FINALIZER);
        if !held && let Some(metadata) = object::metadata_mut(object) {
            let list = metadata.entry("finalizers").or_insert_with(|| json!([]));
            if let Some(list) = list.as_array_mut() {
                list.push(FINALIZER.into());
            }
        }
        let message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon";
        definition::set_condition(
            object,
            "Terminating",
            "True",
            "InstanceDeletionPending",
            message,
            context.now,
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_conversion_are_defaulted() {
        let mut crd = json!({"spec": {"names": {"plural": "widgets", "kind": "Widget"}, "preserveUnknownFields": false}});
        set_defaults(&mut crd);
        assert_eq!(
            crd["spec"],
            json!({"names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}, "conversion": {"strategy": "None"}})
        );
    }

    #[test]
    fn the_storage_version_is_remembered() {
        let mut crd = json!({"spec": {"versions": [{"name": "v1"}, {"name": "v2", "storage": true}]}, "status": {"storedVersions": ["v1"]}});
        remember_storage_version(&mut crd);
        remember_storage_version(&mut crd);
        assert_eq!(crd["status"]["storedVersions"], json!(["v1", "v2"]));
    }
}
