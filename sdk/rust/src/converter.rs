//! World `converter`: custom resources from one version to another, in code.

use crate::Plugin;
use chainplate_apimachinery::{Status, Value};

/// A conversion of the kinds that the manifest names in `conversions`.
pub trait Converter: Plugin {
    /// Turns an object of apiVersion `from` into one of `to`. `apiVersion` itself is set afterwards; of metadata only
    /// labels and annotations may change. Pure: same input, same output, and there and back without loss.
    ///
    /// # Errors
    /// Why such an object cannot be converted; the request fails with that Status.
    fn convert(&self, object: &mut Value, from: &str, to: &str) -> Result<(), Status>;
}

/// Has a batch converted to `to`. Objects of that version stay as they are.
///
/// # Errors
/// The converter's; 500 for an object that is no JSON object with an `apiVersion`.
pub fn run<C: Converter>(converter: &C, to: &str, objects: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Status> {
    objects.iter().map(|json| one(converter, to, json)).collect()
}

fn one<C: Converter>(converter: &C, to: &str, json: &[u8]) -> Result<Vec<u8>, Status> {
    let mut object: Value = serde_json::from_slice(json).map_err(Status::internal)?;
    let from = object.get("apiVersion").and_then(Value::as_str).map(str::to_owned);
    let from = from.ok_or_else(|| Status::internal("an object to be converted has no apiVersion"))?;
    if from != to {
        converter.convert(&mut object, &from, to)?;
        let members = object
            .as_object_mut()
            .ok_or_else(|| Status::internal(format_args!("{} made no object of one", C::NAME)))?;
        members.insert("apiVersion".into(), to.into());
    }
    serde_json::to_vec(&object).map_err(Status::internal)
}

/// The Status of a conversion that the converter does not know.
pub fn unknown(kind: &str, from: &str, to: &str) -> Status {
    Status::bad_request(format!("{kind} cannot be converted from {from} to {to}"))
}
