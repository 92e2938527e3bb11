//! `metadata` (`meta/v1` ObjectMeta): decoding and the rules that every object keeps
//! (`apimachinery/pkg/api/validation/objectmeta.go`).

mod decode;
mod validate;

pub use decode::decode;
pub use validate::{ANNOTATIONS_MAX, IMMUTABLE, validate, validate_kube_finalizers, validate_update};

use crate::{Value, object};

/// The finalizer that has the garbage collector orphan dependents.
pub const ORPHAN: &str = "orphan";
/// The finalizer that has the garbage collector delete dependents first.
pub const FOREGROUND: &str = "foregroundDeletion";

/// Drops owner references that stand twice, and returns the uids of those dropped.
pub fn dedup_owner_references(object: &mut Value) -> Vec<String> {
    if object::list(object, "ownerReferences").len() < 2 {
        return Vec::new();
    }
    let mut dropped = Vec::new();
    let list = object::metadata_mut(object).and_then(|metadata| metadata.get_mut("ownerReferences"));
    if let Some(list) = list.and_then(Value::as_array_mut) {
        let mut kept: Vec<Value> = Vec::with_capacity(list.len());
        for reference in list.drain(..) {
            if kept.contains(&reference) {
                dropped.push(reference.get("uid").and_then(Value::as_str).unwrap_or_default().to_owned());
            } else {
                kept.push(reference);
            }
        }
        *list = kept;
    }
    dropped
}

#[cfg(test)]
mod tests;
