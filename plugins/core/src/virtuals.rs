//! Resources of the core group that nothing is stored of: `bindings` and `componentstatuses`.

use crate::{pods, resources::Resource, server::Shared};
use chainplate_sdk::{
    Outcome, Request, Response,
    apimachinery::{Status, request::Verb},
};
use serde_json::json;

/// Answers a request to one of them.
///
/// # Errors
/// 405 for verbs they have not; 404 for a component.
pub(crate) fn handle(shared: &Shared, resource: &Resource, request: &Request<'_>) -> Result<Outcome, Status> {
    let info = request.info();
    match (resource.name, info.verb) {
        (_, _) if !info.subresource.is_empty() => Err(Status::unknown_resource()),
        ("bindings", Verb::Create) if info.name.is_empty() && !info.namespace.is_empty() => {
            pods::bind_by_body(shared, request)
        }
        ("componentstatuses", Verb::List) => {
            deprecated(request);
            // The components that upstream asks here run elsewhere, if they run at all.
            let list =
                json!({ "kind": "ComponentStatusList", "apiVersion": "v1", "metadata": {}, "items": [] });
            Ok(Response::document(200, list.to_string().as_bytes()).into())
        }
        ("componentstatuses", Verb::Get) => {
            deprecated(request);
            Err(Status::not_found("", "componentstatus", &info.name))
        }
        _ => Err(Status::method_not_allowed()),
    }
}

fn deprecated(request: &Request<'_>) {
    request.warn("v1 ComponentStatus is deprecated in v1.19+");
}
