//! Between the versions of the two types that are served in more than one form.
//!
//! All other types have one version each, so that only `apiVersion` could differ.

mod autoscaling;
mod events;
#[cfg(test)]
mod tests;

use crate::resources::Resource;
use chainplate_sdk::apimachinery::{Map, Status, Value, object};

/// The transform that turns stored documents into served ones; its argument is the served `apiVersion`.
pub const TRANSFORM: &str = "convert";

/// Whether documents of a resource must be converted when they are read.
pub fn is_needed(resource: &Resource) -> bool {
    !resource.is_storage_version()
}

/// Converts a batch of documents to the `apiVersion` in `argument`.
///
/// # Errors
/// 500 when a document is no JSON.
pub fn transform(argument: &[u8], objects: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Status> {
    let api_version = String::from_utf8_lossy(argument);
    objects
        .iter()
        .map(|bytes| {
            let mut document: Value = serde_json::from_slice(bytes)
                .map_err(|error| Status::internal(format_args!("a document to convert: {error}")))?;
            convert(&mut document, &api_version);
            Ok(object::encode_unsaved(&document))
        })
        .collect()
}

/// Converts a document, of whatever version it is, into the version that its type is stored in. Documents of types
/// with one version stay as they are.
pub fn to_storage(object: &mut Value) {
    let kind = object.get("kind").and_then(Value::as_str);
    match (object.get("apiVersion").and_then(Value::as_str), kind) {
        (Some("events.k8s.io/v1"), Some("Event")) => convert(object, "v1"),
        (Some("autoscaling/v1"), Some("HorizontalPodAutoscaler")) => convert(object, "autoscaling/v2"),
        _ => {}
    }
}

/// Converts a document to `api_version`.
pub fn convert(object: &mut Value, api_version: &str) {
    let Value::Object(members) = object else { return };
    let is = |members: &Map, key: &str, want: &str| members.get(key).and_then(Value::as_str) == Some(want);
    match api_version {
        "events.k8s.io/v1" if is(members, "apiVersion", "v1") => events::to_events(members),
        "v1" if is(members, "apiVersion", "events.k8s.io/v1") => events::to_core(members),
        "autoscaling/v1" if is(members, "apiVersion", "autoscaling/v2") => autoscaling::to_v1(members),
        "autoscaling/v2" if is(members, "apiVersion", "autoscaling/v1") => autoscaling::to_v2(members),
        _ => {}
    }
    members.insert("apiVersion".into(), api_version.into());
}
