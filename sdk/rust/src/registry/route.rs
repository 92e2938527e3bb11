//! Which verb of which part of the resource a request means, and what else is 404 or 405.

use super::{Decoding, SubresourceForm, create, delete, exchange::Exchange, patch, update, view};
use crate::{Outcome, Response};
use chainplate_apimachinery::{Status, request::Verb};

pub(super) fn handle(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let (info, descriptor) = (exchange.request.info(), exchange.descriptor);
    let typed = descriptor.decoding == Decoding::Typed;
    // A Namespace's own requests carry its name as their namespace.
    if !descriptor.namespaced && !info.namespace.is_empty() && info.resource != "namespaces" {
        return Err(Status::unknown_resource());
    }
    if !exchange.subresource.is_empty() {
        return subresource(exchange);
    }
    if info.verb == Verb::Watch && !matches!(info.method.as_str(), "get" | "head") {
        // Below `/api/v1/watch/` anything is a watch by name, and only GET is one.
        return Err(Status::method_not_allowed());
    }
    let named = !exchange.name.is_empty();
    if descriptor.namespaced && info.namespace.is_empty() && !matches!(info.verb, Verb::List | Verb::Watch) {
        return Err(if named { Status::unknown_resource() } else { Status::method_not_allowed() });
    }
    if !descriptor.verbs.contains(&info.verb) {
        return Err(Status::method_not_allowed());
    }
    match info.verb {
        Verb::Get => Ok(Response::object(exchange.collection, exchange.scope(), exchange.name).into()),
        Verb::List | Verb::Watch => {
            let scope = exchange.scope().filter(|namespace| !namespace.is_empty());
            Ok(Response::list(exchange.collection, scope).into())
        }
        Verb::Create if named && typed => Err(Status::method_not_allowed()),
        Verb::Create => create::create(exchange),
        Verb::Update | Verb::Patch if !named && typed => Err(Status::method_not_allowed()),
        Verb::Update | Verb::Patch if !named => Err(Status::bad_request("name must be provided")),
        Verb::Update => update::update(exchange),
        Verb::Patch => patch::patch(exchange),
        Verb::Delete => delete::delete(exchange),
        Verb::DeleteCollection => delete::delete_collection(exchange),
        Verb::Proxy | Verb::Other => Err(Status::method_not_allowed()),
    }
}

fn subresource(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let (info, descriptor) = (exchange.request.info(), exchange.descriptor);
    let found = descriptor.subresource(exchange.subresource).filter(|_| info.parts.len() <= 3);
    let found = found.or_else(|| {
        // Paths below a subresource are the strategy's (`/proxy/…`).
        descriptor.subresource(exchange.subresource).filter(|found| found.form == SubresourceForm::Custom)
    });
    let Some(found) = found else {
        // The handler of custom resources names the object, upstream's router for built-in ones does not.
        return Err(match descriptor.decoding {
            Decoding::Typed => Status::unknown_resource(),
            Decoding::Unstructured => exchange.not_found(),
        });
    };
    if descriptor.namespaced && info.namespace.is_empty() {
        return Err(Status::unknown_resource());
    }
    if !found.verbs.contains(&info.verb) {
        return Err(match descriptor.decoding {
            Decoding::Typed => Status::method_not_allowed(),
            Decoding::Unstructured => not_supported(exchange),
        });
    }
    match (&found.form, info.verb) {
        (SubresourceForm::Custom, _) => exchange.strategy.custom(exchange.request, exchange.collection),
        (SubresourceForm::Whole, Verb::Get) => {
            Ok(Response::object(exchange.collection, exchange.scope(), exchange.name).into())
        }
        (SubresourceForm::Whole, Verb::Update) => update::update(exchange),
        (SubresourceForm::Whole, Verb::Patch) => patch::patch(exchange),
        (SubresourceForm::View { api_version, kind }, Verb::Get | Verb::Update | Verb::Patch) => {
            view::handle(exchange, api_version, kind)
        }
        _ => exchange.strategy.custom(exchange.request, exchange.collection),
    }
}

/// 405 of custom resources' own handler (`NewMethodNotSupported`).
fn not_supported(exchange: &Exchange<'_>) -> Status {
    let descriptor = exchange.descriptor;
    let (group, resource, verb) =
        (&*descriptor.group, &*descriptor.resource, exchange.request.info().verb.as_str());
    let message = format!("{verb} is not supported on resources of kind \"{resource}.{group}\"");
    Status::new(405, "MethodNotAllowed", message).with_detail("group", group).with_detail("kind", resource)
}
