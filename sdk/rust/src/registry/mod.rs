//! The generic registry: everything that create, update, patch and delete mean for an object, whatever its type.
//!
//! One engine for built-in and custom types. A type brings a [`Strategy`] and its [`Descriptor`]; `handle` does the
//! rest: names, server-owned metadata, preconditions, conflicts, finalizers, propagation, dry runs, field validation.
//! Source of the rules: upstream's `registry/generic/registry/store.go`, `registry/rest` and `endpoints/handlers`.

mod descriptor;
mod strategy;

pub use chainplate_apimachinery::options::DeleteOptions;
pub use descriptor::{
    ALL_VERBS, Decoding, DefaultPropagation, Descriptor, Generation, NameRule, Subresource, SubresourceForm,
    Text,
};
pub use strategy::{Context, Manager, Strategy};

use chainplate_apimachinery::Status;

/// 415 of a patch in a media type that the resource does not take.
pub(crate) fn unsupported_patch(descriptor: &Descriptor) -> Status {
    let mut types = vec!["application/json-patch+json", "application/merge-patch+json"];
    if descriptor.strategic_merge {
        types.push("application/strategic-merge-patch+json");
    }
    if descriptor.apply {
        types.push("application/apply-patch+yaml");
    }
    Status::unsupported_media_type(&types)
}
