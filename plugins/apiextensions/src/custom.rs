//! Requests for the objects of definitions (`apiextensions-apiserver/pkg/apiserver/customresource_handler.go`).

use crate::cleanup;
use chainplate_sdk::{
    Outcome, Request,
    apimachinery::{Status, Value, request::Verb},
    custom::{self, Behaviour, Definition},
    registry::Malformed,
};

/// The objects of a definition do what their schema says. `DeleteOptions` may come in protobuf.
struct BySchema;

impl Behaviour for BySchema {
    fn decode_protobuf(&self, body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
        chainplate_types::protobuf::decode(body, default)
    }
}

/// Answers a request for objects of a definition, or passes it on as upstream does: wrong scope, a version that is not
/// served, names that were not accepted.
///
/// # Errors
/// The Status that the client gets.
pub(crate) fn serve(request: &Request<'_>, definition: &Definition) -> Result<Outcome, Status> {
    let info = request.info();
    let version = definition
        .version(&info.version)
        .filter(|_| definition.answers && custom::in_scope(request, definition));
    let Some(version) = version else { return Ok(Outcome::Delegate) };
    if definition.webhook_conversion && !version.storage {
        let why = "conversion by webhook is not supported; use the storage version, or set spec.conversion.strategy to None";
        return Err(Status::internal(format_args!("{}.{}: {why}", info.resource, info.group)));
    }
    let outcome = custom::serve(request, definition, version, &BySchema);
    if definition.terminating && matches!(info.verb, Verb::Update | Verb::Patch | Verb::Delete) {
        // The last finalizer may be gone.
        cleanup::schedule(&format!("{}.{}", definition.plural, definition.group));
    }
    outcome
}
