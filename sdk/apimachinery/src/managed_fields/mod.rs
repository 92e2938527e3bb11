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
fn strip(object: &mut Value) {
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.remove("managedFields");
    }
}
