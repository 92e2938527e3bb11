//! What the schema of a version makes of its objects (`apiextensions-apiserver/pkg/registry/customresource`).

use super::{
    Behaviour,
    definition::{Definition, Version},
    scale,
};
use crate::{
    Collection, Outcome, Request,
    registry::{Context, Descriptor, Malformed, Manager, Strategy, fields},
};
use chainplate_apimachinery::{
    Status, Value, field, managed_fields, names, object,
    schema::{Resource, Schema, defaulting, embedded, list_type, prune, validate},
};
use serde_json::json;
use std::fmt;

/// The strategy of the objects of one version: what its schema says, and what code adds.
pub struct Objects<'a> {
    definition: &'a Definition,
    version: &'a Version,
    behaviour: &'a dyn Behaviour,
}

impl fmt::Debug for Objects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects")
            .field("version", &self.version.descriptor.api_version())
            .finish_non_exhaustive()
    }
}

impl<'a> Objects<'a> {
    /// The objects of `definition` as they are in `version`.
    pub fn new(definition: &'a Definition, version: &'a Version, behaviour: &'a dyn Behaviour) -> Self {
        Self { definition, version, behaviour }
    }

    /// Runs `then` with what managed fields must know of the objects.
    fn managed<T>(
        &self,
        subresource: &str,
        then: impl FnOnce(&managed_fields::Context<'_, Resource<'_>>) -> T,
    ) -> T {
        let descriptor = &self.version.descriptor;
        let empty = json!({"apiVersion": descriptor.api_version(), "kind": descriptor.kind, "metadata": {}});
        let reset: &[&str] = match subresource {
            "status" => &["metadata", "spec"],
            _ if descriptor.has_status() => &["status"],
            _ => &[],
        };
        let reset = fields::members(reset);
        let convert = |object: &Value, api_version: &str| {
            let (group, version) = api_version.split_once('/')?;
            let version = self.definition.version(version).filter(|_| group == self.definition.group)?;
            let mut object = object.clone();
            self.behaviour.convert(&mut object, &self.version.name, &version.name).ok()?;
            object.as_object_mut()?.insert("apiVersion".into(), api_version.into());
            Some((object, Resource::new(&version.schema)))
        };
        let shape = Resource::new(&self.version.schema);
        then(&managed_fields::Context { shape, empty: &empty, reset: &reset, convert: &convert })
    }
}

/// Brings a stored document into `version`.
///
/// # Errors
/// 500 when there is no conversion from the version it was stored in.
pub fn read(version: &Version, behaviour: &dyn Behaviour, document: &mut Value) -> Result<(), Status> {
    let descriptor = &version.descriptor;
    let stored = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let stored = stored.rsplit('/').next().unwrap_or_default().to_owned();
    if stored != version.name {
        behaviour.convert(document, &stored, &version.name)?;
    }
    if version.read_argument.is_some() {
        fit(&version.schema, &descriptor.api_version(), &descriptor.kind, document);
    } else if let Some(root) = document.as_object_mut() {
        root.insert("apiVersion".into(), descriptor.api_version().into());
        root.insert("kind".into(), descriptor.kind.clone().into());
    }
    Ok(())
}

/// Gives a stored document the form of a schema, and the name of its version.
pub(super) fn fit(schema: &Schema, api_version: &str, kind: &str, document: &mut Value) {
    if let Some(root) = document.as_object_mut() {
        root.insert("apiVersion".into(), api_version.into());
        root.insert("kind".into(), kind.into());
    }
    prune::prune(schema, document, None);
    defaulting::drop_nulls(schema, document);
    embedded::coerce_lenient(schema, document);
    defaulting::default(schema, document);
}

impl Strategy for Objects<'_> {
    fn descriptor(&self) -> &Descriptor {
        &self.version.descriptor
    }

    fn decode(&self, document: &mut Value, mut strict: Option<&mut Vec<String>>) -> Result<(), String> {
        let schema = &self.version.schema;
        prune::prune(schema, document, strict.as_deref_mut());
        defaulting::drop_nulls(schema, document);
        embedded::coerce(schema, document, strict)
    }

    fn decode_protobuf(&self, body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
        self.behaviour.decode_protobuf(body, default)
    }

    fn default(&self, object: &mut Value) {
        defaulting::default(&self.version.schema, object);
        self.behaviour.default(&self.version.name, object);
    }

    fn from_storage(&self, document: &mut Value) -> Result<(), Status> {
        read(self.version, self.behaviour, document)
    }

    fn to_storage(&self, object: &mut Value) -> Result<(), Status> {
        let Some(storage) = self.behaviour.stored_version().filter(|storage| *storage != self.version.name)
        else {
            return Ok(());
        };
        self.behaviour.convert(object, &self.version.name, storage)?;
        if let Some(root) = object.as_object_mut() {
            root.insert("apiVersion".into(), format!("{}/{storage}", self.definition.group).into());
        }
        Ok(())
    }

    fn prepare_for_create(&self, context: &Context<'_>, object: &mut Value) {
        self.behaviour.prepare(context, &self.version.name, object, None);
    }

    fn prepare_for_update(&self, context: &Context<'_>, object: &mut Value, old: &Value) {
        if context.subresource != "status" {
            return self.behaviour.prepare(context, &self.version.name, object, Some(old));
        }
        // Only the status and who owns its fields are taken (`statusStrategy.PrepareForUpdate`).
        let fields = object::metadata_mut(object).and_then(|metadata| metadata.remove("managedFields"));
        if let (Some(metadata), Some(was)) = (object::metadata_mut(object), object::metadata(old)) {
            metadata.clone_from(was);
            metadata.remove("managedFields");
            metadata.extend(fields.map(|fields| ("managedFields".to_owned(), fields)));
        }
        self.behaviour.prepare(context, &self.version.name, object, Some(old));
    }

    fn validate(&self, context: &Context<'_>, object: &Value) -> Vec<field::Error> {
        let schema = &self.version.schema;
        let mut errors = validate::validate(schema, object, "");
        if let Some(paths) = &self.version.scale {
            scale::validate_spec(paths, object, &mut errors);
            scale::validate_status(paths, object, &mut errors);
        }
        errors.extend(embedded::validate(schema, object));
        errors.extend(list_type::validate(schema, object));
        if errors.is_empty() {
            errors = self.behaviour.validate(context, &self.version.name, object, None);
        }
        errors
    }

    fn validate_update(&self, context: &Context<'_>, object: &Value, old: &Value) -> Vec<field::Error> {
        let schema = &self.version.schema;
        let mut errors = Vec::new();
        if context.subresource == "status" {
            if let (Some(schema), Some(status)) = (&self.version.status_schema, object.get("status")) {
                errors = match old.get("status") {
                    Some(old) => validate::validate_update(schema, status, old, "status"),
                    None => validate::validate(schema, status, "status"),
                };
            }
        } else {
            errors = validate::validate_update(schema, object, old, "");
        }
        if let Some(paths) = &self.version.scale {
            if context.subresource != "status" {
                scale::validate_spec(paths, object, &mut errors);
            }
            scale::validate_status(paths, object, &mut errors);
        }
        errors.extend(embedded::validate(schema, object));
        // Lists that had duplicates before may keep them.
        if list_type::validate(schema, old).is_empty() {
            errors.extend(list_type::validate(schema, object));
        }
        if errors.is_empty() {
            errors = self.behaviour.validate(context, &self.version.name, object, Some(old));
        }
        errors
    }

    fn warnings(&self, context: &Context<'_>, object: &Value, old: Option<&Value>) -> Vec<String> {
        let mut added: Vec<&str> = object::finalizers(object)
            .filter(|finalizer| {
                !old.is_some_and(|old| object::finalizers(old).any(|there| there == *finalizer))
            })
            .collect();
        added.sort_unstable();
        let mut warnings: Vec<String> = added.into_iter().flat_map(finalizer_warnings).collect();
        warnings.extend(self.behaviour.warnings(context, &self.version.name, object, old));
        warnings
    }

    fn begin_write(
        &self,
        context: &Context<'_>,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        if self.definition.terminating && old.is_none() {
            let descriptor = &self.version.descriptor;
            let why = "create not allowed while custom resource definition is terminating";
            return Err(Status::forbidden(
                &descriptor.group,
                &descriptor.resource,
                object::name(object),
                why,
            ));
        }
        self.behaviour.before_write(context, &self.version.name, object, old)
    }

    fn before_delete(&self, context: &Context<'_>, object: &mut Value) -> Result<(), Status> {
        self.behaviour.before_delete(context, &self.version.name, object)
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
        let descriptor = &self.version.descriptor;
        let what = format!("{}, Kind={}", descriptor.api_version(), descriptor.kind);
        self.managed(manager.subresource, |context| {
            fields::apply(context, &what, manager, force, current, &patch)
        })
    }

    fn view(&self, _subresource: &str, object: &Value) -> Result<Value, Status> {
        match &self.version.scale {
            Some(paths) => scale::view(paths, object),
            None => Err(Status::unknown_resource()),
        }
    }

    fn validate_view(&self, _subresource: &str, view: &Value) -> Vec<field::Error> {
        scale::validate(view)
    }

    fn set_from_view(&self, _subresource: &str, object: &mut Value, view: &Value) -> Result<(), Status> {
        match &self.version.scale {
            Some(paths) => scale::set(paths, object, view),
            None => Err(Status::unknown_resource()),
        }
    }

    fn custom(&self, request: &Request<'_>, collection: &Collection) -> Result<Outcome, Status> {
        self.behaviour.subresource(request, collection)
    }
}

/// What upstream says about finalizers without a domain.
fn finalizer_warnings(finalizer: &str) -> Vec<String> {
    let place = "metadata.finalizers";
    let mut warnings: Vec<String> = names::qualified_name(finalizer)
        .into_iter()
        .map(|reason| format!("{place}: {finalizer:?}: {reason}"))
        .collect();
    let standard = matches!(finalizer, "orphan" | "foregroundDeletion" | "kubernetes");
    if !finalizer.contains('/') && !standard {
        let how = if finalizer.contains('.') { " including a path (/)" } else { "" };
        warnings.push(format!(
            "{place}: {finalizer:?}: prefer a domain-qualified finalizer name{how} to avoid accidental conflicts with other finalizer writers"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finalizers_should_have_a_domain() {
        assert_eq!(
            finalizer_warnings("nope"),
            [
                "metadata.finalizers: \"nope\": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
            ]
        );
        assert!(finalizer_warnings("a.b")[0].contains("including a path (/)"));
        assert!(finalizer_warnings("example.com/x").is_empty() && finalizer_warnings("orphan").is_empty());
    }

    #[test]
    fn stored_objects_take_the_form_of_the_schema() {
        let schema = Schema::parse(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {"color": {"type": "string", "default": "blue"}}}}}),
        );
        let mut object =
            json!({"apiVersion": "g/v1", "kind": "W", "metadata": {"name": "a"}, "spec": {"old": 1}});
        fit(&schema, "g/v2", "W", &mut object);
        assert_eq!(
            object,
            json!({"apiVersion": "g/v2", "kind": "W", "metadata": {"name": "a"}, "spec": {"color": "blue"}})
        );
    }
}
