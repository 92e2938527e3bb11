//! Requests for custom resources (`apiextensions-apiserver/pkg/apiserver/customresource_handler.go`).

use super::{
    strategy::Objects,
    transforms::{READ, ROWS},
};
use crate::{
    cleanup,
    definition::{Definition, SUBRESOURCE_VERBS, Version},
};
use chainplate_sdk::{
    Collection, Outcome, Request,
    apimachinery::{Map, Status, request::Verb},
    registry::{self, ALL_VERBS},
};
use std::rc::Rc;

/// Answers a request for objects of a definition, or passes it on as upstream does: wrong scope, a version that is not
/// served, names that were not accepted.
///
/// # Errors
/// The Status that the client gets.
pub(crate) fn serve(request: &Request<'_>, definition: &Rc<Definition>) -> Result<Outcome, Status> {
    let info = request.info();
    let across = matches!(info.verb, Verb::List | Verb::Watch);
    let scope_fits = match (definition.namespaced, info.namespace.is_empty()) {
        (false, inside) => inside,
        (true, everywhere) => !everywhere || across,
    };
    if !scope_fits || !definition.answers {
        return Ok(Outcome::Delegate);
    }
    let Some(version) = definition.version(&info.version) else { return Ok(Outcome::Delegate) };
    if let Some(warning) = &version.warning {
        request.warn(warning);
    }
    let verbs = if info.subresource.is_empty() { ALL_VERBS } else { SUBRESOURCE_VERBS };
    let known = info.subresource.is_empty() || version.has_subresource(&info.subresource);
    if !known || info.parts.len() > 3 {
        return Err(Status::not_found(&info.group, &info.resource, &info.name));
    }
    if !verbs.contains(&info.verb) {
        return Err(not_supported(&info.group, &info.resource, info.verb));
    }
    if definition.webhook_conversion && !version.storage {
        let why = "conversion by webhook is not supported; use the storage version, or set spec.conversion.strategy to None";
        return Err(Status::internal(format_args!("{}.{}: {why}", info.resource, info.group)));
    }
    let objects = open(definition, version)?;
    let strategy = Objects::new(definition, version);
    let outcome = registry::handle(request, &strategy, &objects);
    if definition.terminating && matches!(info.verb, Verb::Update | Verb::Patch | Verb::Delete) {
        // The last finalizer may be gone.
        cleanup::schedule(&format!("{}.{}", definition.plural, definition.group));
    }
    outcome
}

/// The stored objects of a definition in one of its versions.
fn open(definition: &Definition, version: &Version) -> Result<Collection, Status> {
    let objects = Collection::open(
        &definition.group,
        &version.name,
        &definition.plural,
        &version.descriptor.kind,
        definition.namespaced,
        &definition.storage_prefix,
    )?;
    objects.set_list_kind(&definition.list_kind);
    objects.set_item_type_meta(true);
    objects.set_table(&version.columns, ROWS, &version.rows_argument);
    if !version.field_labels.is_empty() {
        objects.set_field_labels(&version.field_labels);
    }
    if let Some(argument) = &version.read_argument {
        objects.set_conversion(READ, argument);
    }
    Ok(objects)
}

/// 405 as the handler of custom resources words it.
fn not_supported(group: &str, resource: &str, verb: Verb) -> Status {
    let mut details = Map::new();
    details.insert("group".into(), group.into());
    details.insert("kind".into(), resource.into());
    let message = format!("{} is not supported on resources of kind \"{resource}.{group}\"", verb.as_str());
    Status::new(405, "MethodNotAllowed", message).with_details(details)
}
