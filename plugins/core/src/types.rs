//! What the generated tables of built-in types tell, as this server asks for it: forms, documentation, and who owns
//! which fields.

use crate::{
    conversion,
    resources::{self, Resource},
};
use chainplate_sdk::{
    apimachinery::{
        Map, Status, Value,
        managed_fields::{self, Set},
    },
    registry::{Manager, fields},
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
    let unknown = chainplate_types::decode(shape, document)?;
    if let Some(strict) = strict {
        strict.extend(unknown);
    }
    Ok(())
}

/// Fills what Go would write though nobody said it, and leaves out what it would.
pub fn complete(resource: &Resource, object: &mut Value) {
    if let Some(shape) = shape(resource) {
        chainplate_types::complete(shape, object);
    }
}

/// As [`complete`], but what was sent with nothing in it stays until it was seen who owns it.
pub fn complete_decoded(resource: &Resource, object: &mut Value) {
    if let Some(shape) = shape(resource) {
        chainplate_types::complete_decoded(shape, object);
    }
}

/// The OpenAPI v3 document of a group and version, or of another path: see [`crate::openapi::document`].
pub fn openapi(group: &str, version: &str) -> Option<Vec<u8>> {
    crate::openapi::document(group, version)
}

/// Fields that a way of writing does not change, and so cannot own (`GetResetFields`).
fn reset(resource: &Resource, subresource: &str) -> Set {
    let mut set = Set::new();
    match (resource.name, subresource) {
        (_, "") if resource.has_status() => set.insert(&["f:status"]),
        ("certificatesigningrequests", "approval") => set.insert(&["f:spec"]),
        ("namespaces", "finalize") => set.insert(&["f:status"]),
        (_, "status") => set.insert(&["f:spec"]),
        _ => {}
    }
    match (resource.name, subresource) {
        ("certificatesigningrequests", "") => set.insert(&["f:spec"]),
        ("deployments", "status") => set.insert(&["f:metadata", "f:labels"]),
        _ => {}
    }
    set
}

/// Calls `run` with what field management must know of a resource.
fn with_context<T>(
    resource: &Resource,
    subresource: &str,
    shape: TypeRef,
    run: impl FnOnce(&managed_fields::Context<'_, TypeRef>) -> T,
) -> T {
    let mut empty = Value::Object(Map::new());
    chainplate_types::complete(shape, &mut empty);
    let reset = reset(resource, subresource);
    run(&managed_fields::Context { shape, empty: &empty, reset: &reset, convert: &convert })
}

/// An object in another version in which somebody owns fields of it.
fn convert(object: &Value, api_version: &str) -> Option<(Value, TypeRef)> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let kind = object.get("kind").and_then(Value::as_str)?;
    // Only versions of the same objects: those that stand at one place.
    let resource = resources::find_kind(group, version, kind)?;
    let have = object.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
    let (group, version) = have.split_once('/').unwrap_or(("", have));
    if resources::find_kind(group, version, kind)?.storage_prefix() != resource.storage_prefix() {
        return None;
    }
    let mut other = object.clone();
    conversion::convert(&mut other, api_version);
    Some((other, shape(resource)?))
}

/// Records who changed what in `metadata.managedFields`.
pub fn track(resource: &Resource, who: &Manager<'_>, old: Option<&Value>, object: &mut Value) {
    let Some(shape) = shape(resource) else { return };
    with_context(resource, who.subresource, shape, |context| {
        fields::track(context, who, old, object);
    });
}

/// Merges what is applied into what there is.
///
/// # Errors
/// 409 with a cause for each field that another manager owns; 500 for what does not fit the type, as upstream has it.
pub fn apply(
    resource: &Resource,
    who: &Manager<'_>,
    force: bool,
    current: Option<&Value>,
    patch: &Value,
) -> Result<Value, Status> {
    let Some(shape) = shape(resource) else { return Err(Status::unknown_resource()) };
    // Go prints the core group's version behind a slash.
    let what = format!("{}/{}, Kind={}", resource.group, resource.version, resource.kind);
    with_context(resource, who.subresource, shape, |context| {
        fields::apply(context, &what, who, force, current, patch)
    })
}

/// Merges a strategic merge patch.
///
/// # Errors
/// As [`fields::strategic_merge`].
pub fn strategic_merge(resource: &Resource, object: &mut Value, patch: Value) -> Result<(), Status> {
    let shape = shape(resource).ok_or_else(Status::unknown_resource)?;
    fields::strategic_merge(shape, object, patch)
}
