//! What the generated tables of built-in types tell, as this server asks for it.

use crate::resources::Resource;
use chainplate_sdk::{
    apimachinery::{Status, Value},
    registry::Manager,
};
use chainplate_types::TypeRef;

/// The type of a resource's objects.
pub fn shape(resource: &Resource) -> Option<TypeRef> {
    chainplate_types::lookup(resource.group, resource.version, resource.kind)
}

/// The documentation of a member of a type (`io.k8s.api.core.v1.PodSpec`, `nodeName`); empty when there is none.
pub fn description(definition: &str, member: &str) -> &'static str {
    chainplate_types::named(definition)
        .and_then(|shape| shape.member(member))
        .map(chainplate_types::Field::description)
        .unwrap_or_default()
}

/// Gives a document the form of its type; with `strict`, the paths of members that were dropped are added.
///
/// # Errors
/// Go's text for the first value that does not fit.
pub fn decode(
    resource: &Resource,
    document: &mut Value,
    strict: Option<&mut Vec<String>>,
) -> Result<(), String> {
    let Some(shape) = shape(resource) else { return Ok(()) };
    let decoded = chainplate_types::decode_value(shape, document).map_err(|error| error.to_string())?;
    *document = decoded.value;
    if let Some(strict) = strict {
        strict.extend(
            decoded.strict.iter().filter_map(|text| {
                Some(text.strip_prefix("unknown field \"")?.strip_suffix('"')?.to_owned())
            }),
        );
    }
    Ok(())
}

/// Fills what Go would write though nobody said it, and leaves out what it would.
pub fn complete(resource: &Resource, object: &mut Value) {
    if let Some(shape) = shape(resource) {
        chainplate_types::complete(shape, object);
    }
}

/// Records who changed what.
pub fn track(_resource: &Resource, _manager: &Manager<'_>, _old: Option<&Value>, object: &mut Value) {
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
}

/// The OpenAPI v3 document of a group and version.
pub fn openapi(_group: &str, _version: &str) -> Option<Vec<u8>> {
    None
}

/// Merges an applied patch.
///
/// # Errors
/// 409 with the conflicts.
pub fn apply(
    _resource: &Resource,
    _manager: &Manager<'_>,
    _force: bool,
    _current: Option<&Value>,
    _patch: Value,
) -> Result<Value, Status> {
    Err(Status::unsupported_media_type(&["application/json-patch+json", "application/merge-patch+json"]))
}

/// Merges a strategic merge patch.
///
/// # Errors
/// 400 for directives that make no sense.
pub fn strategic_merge(_resource: &Resource, _object: &mut Value, _patch: Value) -> Result<(), Status> {
    Err(Status::unsupported_media_type(&["application/json-patch+json", "application/merge-patch+json"]))
}
