//! Field management: who owns which field of an object, and server-side apply.
//!
//! Upstream: `apimachinery/pkg/util/managedfields` over structured-merge-diff v6; KEP-555.

mod apply;
mod compare;
mod entries;
mod merge;
mod set;
#[cfg(test)]
mod tests;
mod update;

pub use apply::{ApplyError, Conflict, apply};
pub use compare::{Comparison, compare, fields_of};
pub use entries::{Entry, Manager, Operation, decode, encode, ignore_time_only_change};
pub use merge::merge;
pub use set::{Set, display};
pub use update::{Context, Convert, one_version, update};

use crate::Value;

/// Takes `metadata.managedFields` out.
fn strip(object: &mut Value) -> Option<Value> {
    object.get_mut("metadata")?.as_object_mut()?.remove("managedFields")
}

/// A copy without `metadata.managedFields`, which may be the larger part.
fn stripped(object: &Value) -> Value {
    let Value::Object(members) = object else { return object.clone() };
    let copy = |(name, value): (&String, &Value)| match value {
        Value::Object(metadata) if name == "metadata" => {
            let rest = metadata.iter().filter(|(name, _)| *name != "managedFields");
            (name.clone(), rest.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        _ => (name.clone(), value.clone()),
    };
    Value::Object(members.iter().map(copy).collect())
}
