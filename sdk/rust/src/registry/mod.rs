//! The generic registry: everything that create, update, patch and delete mean for an object, whatever its type.
//!
//! One engine for built-in and custom types. A type brings a [`Strategy`] and its [`Descriptor`]; [`handle`] does the
//! rest: names, server-owned metadata, preconditions, conflicts, finalizers, propagation, dry runs, field validation.
//! Source of the rules: upstream's `registry/generic/registry/store.go`, `registry/rest` and `endpoints/handlers`.

mod admission;
mod body;
mod create;
mod delete;
mod descriptor;
mod exchange;
pub mod fields;
mod patch;
mod route;
mod rules;
mod strategy;
mod subresource;
mod update;
mod view;

#[cfg(test)]
mod tests;

pub(crate) use body::media_type;
pub use chainplate_apimachinery::{decode::Malformed, options::DeleteOptions};
pub use descriptor::{
    ALL_VERBS, Decoding, DefaultPropagation, Descriptor, Generation, NameRule, Subresource, SubresourceForm,
    Text,
};
pub use exchange::ensure_namespace;
pub use strategy::{Context, Manager, Strategy};
pub use subresource::SubresourceAdmission;

use crate::{Collection, Outcome, Request};
use chainplate_apimachinery::{
    Map, Status,
    time::{self, Instant},
};

/// Answers a request for a resource. The caller has matched group, version and resource; the registry does the rest,
/// 404 of unknown subresources and 405 included.
///
/// # Errors
/// The Status that the client gets.
pub fn handle(
    request: &Request<'_>,
    strategy: &dyn Strategy,
    collection: &Collection,
) -> Result<Outcome, Status> {
    handle_at(request, strategy, collection, time::now())
}

/// [`handle`] at a given time.
///
/// # Errors
/// The Status that the client gets.
pub fn handle_at(
    request: &Request<'_>,
    strategy: &dyn Strategy,
    collection: &Collection,
    now: Instant,
) -> Result<Outcome, Status> {
    route::handle(&exchange::Exchange::new(request, strategy, collection, now))
}

/// 415 of a patch in a media type that the resource does not take.
pub(crate) fn unsupported_patch(descriptor: &Descriptor) -> Status {
    if descriptor.decoding == Decoding::Typed {
        // The answer of upstream's router, which knows the types of built-in resources.
        return Status::new(415, "UnsupportedMediaType", "415: Unsupported Media Type")
            .with_details(Map::new());
    }
    let mut types = vec!["application/json-patch+json", "application/merge-patch+json"];
    if descriptor.strategic_merge {
        types.push("application/strategic-merge-patch+json");
    }
    if descriptor.apply {
        types.push("application/apply-patch+yaml");
    }
    Status::unsupported_media_type(&types)
}
