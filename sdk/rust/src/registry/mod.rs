//! The generic registry: everything that create, update, patch and delete mean for an object, whatever its type.
//!
//! One engine for built-in and custom types. A type brings a [`Strategy`] and its [`Descriptor`]; [`handle`] does the
//! rest: names, server-owned metadata, preconditions, conflicts, finalizers, propagation, dry runs, field validation.
//! Source of the rules: upstream's `registry/generic/registry/store.go`, `registry/rest` and `endpoints/handlers`.

mod descriptor;
mod strategy;

pub use chainplate_apimachinery::options::DeleteOptions;
pub use descriptor::{
    ALL_VERBS, Decoding, DefaultPropagation, Descriptor, Generation, NameRule, Subresource, SubresourceForm, Text,
};
pub use strategy::{Context, Manager, Strategy};

use crate::{Collection, Outcome, Request};
use chainplate_apimachinery::Status;

/// Answers a request for a resource. The caller has matched group, version and resource; the registry does the rest,
/// 404 of unknown subresources and 405 included.
///
/// # Errors
/// The Status that the client gets.
pub fn handle(request: &Request<'_>, strategy: &dyn Strategy, collection: &Collection) -> Result<Outcome, Status> {
    engine::handle(request, strategy, collection)
}
