//! Requests for such resources (`apiextensions-apiserver/pkg/apiserver/customresource_handler.go`).

use super::{Behaviour, Definition, Objects, READ, ROWS, Version};
use crate::{
    Collection, Outcome, Request,
    registry::{self, ALL_VERBS},
};
use chainplate_apimachinery::{Status, request::Verb};

/// Whether a request is in the scope of a definition: in a namespace or across all, or outside of them.
pub fn in_scope(request: &Request<'_>, definition: &Definition) -> bool {
    let info = request.info();
    let across = matches!(info.verb, Verb::List | Verb::Watch);
    match (definition.namespaced, info.namespace.is_empty()) {
        (false, inside) => inside,
        (true, everywhere) => !everywhere || across,
    }
}

/// Answers a request for objects of a definition in one of its versions. The caller has matched group, version, resource
/// and scope ([`in_scope`]).
///
/// # Errors
/// The Status that the client gets.
pub fn serve(
    request: &Request<'_>,
    definition: &Definition,
    version: &Version,
    behaviour: &dyn Behaviour,
) -> Result<Outcome, Status> {
    let info = request.info();
    if let Some(warning) = &version.warning {
        request.warn(warning);
    }
    if info.subresource.is_empty() {
        if !ALL_VERBS.contains(&info.verb) {
            return Err(not_supported(&info.group, &info.resource, info.verb));
        }
    } else {
        let subresource = version.descriptor.subresource(&info.subresource).filter(|_| info.parts.len() <= 3);
        let Some(subresource) = subresource else {
            return Err(Status::not_found(&info.group, &info.resource, &info.name));
        };
        if !subresource.verbs.contains(&info.verb) {
            return Err(not_supported(&info.group, &info.resource, info.verb));
        }
    }
    let objects = open(definition, version)?;
    registry::handle(request, &Objects::new(definition, version, behaviour), &objects)
}

/// The stored objects of a definition in one of its versions.
///
/// # Errors
/// 403 without a grant for their storage prefix.
pub fn open(definition: &Definition, version: &Version) -> Result<Collection, Status> {
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
    let message = format!("{} is not supported on resources of kind \"{resource}.{group}\"", verb.as_str());
    Status::new(405, "MethodNotAllowed", message).with_detail("group", group).with_detail("kind", resource)
}
