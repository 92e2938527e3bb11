//! Bodies of requests that no collection stands behind: reviews, bindings, evictions, tokens.

use crate::{defaults, resources::Resource, types};
use chainplate_sdk::{
    Outcome, Request, Response,
    apimachinery::{Status, Value, decode, object, time},
    registry::Manager,
};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Reads the body as a document of a kind, checked against its type.
///
/// # Errors
/// 400 for what is no such document, 415 for a media type that is not understood, 413 for too long a body.
pub(crate) fn read(request: &Request<'_>, group: &str, version: &str, kind: &str) -> Result<Value, Status> {
    let body = request.body()?;
    let media_type = request.header("content-type").into_iter().next().unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let parsed = match media_type.as_str() {
        "" | "application/json" => decode::json(&body),
        "application/yaml" => decode::yaml(&body),
        PROTOBUF => {
            let api_version = crate::resources::api_version(group, version);
            let document = chainplate_types::protobuf::decode(&body, (&api_version, kind))
                .map_err(|why| Status::bad_request(why.message))?;
            return typed(document, group, version, kind);
        }
        _ => {
            return Err(Status::unsupported_media_type(&["application/json", "application/yaml", PROTOBUF]));
        }
    };
    let as_what = "couldn't get version/kind; json parse error: ";
    let document = parsed.map_err(|why| Status::bad_request(format!("{as_what}{why}")))?.value;
    typed(document, group, version, kind)
}

/// Checks that a document is of a kind, and gives it that form.
///
/// # Errors
/// 400 for what is no such document.
pub(crate) fn typed(mut document: Value, group: &str, version: &str, kind: &str) -> Result<Value, Status> {
    if document.is_null() {
        document = serde_json::json!({});
    }
    let Some(members) = document.as_object_mut() else {
        return Err(Status::bad_request(
            "couldn't get version/kind; json parse error: the body is not an object",
        ));
    };
    let api_version = crate::resources::api_version(group, version);
    for (name, want) in [("apiVersion", api_version.as_str()), ("kind", kind)] {
        match members.get(name).and_then(Value::as_str).unwrap_or_default() {
            "" => {
                members.insert(name.into(), want.into());
            }
            have if have == want => {}
            have => {
                return Err(Status::bad_request(format!(
                    "the {name} of the object ({have}) does not match the expected one ({want})"
                )));
            }
        }
    }
    let Some(shape) = chainplate_types::lookup(group, version, kind) else { return Ok(document) };
    chainplate_types::decode(shape, &mut document).map_err(|why| {
        Status::bad_request(format!("{kind} in version {version:?} cannot be handled as a {kind}: {why}"))
    })?;
    defaults::apply(group, version, kind, &mut document);
    Ok(document)
}

/// Records who asked, as it is told of everything that is sent; these are no exception.
pub(crate) fn track(resource: &Resource, subresource: &str, request: &Request<'_>, document: &mut Value) {
    let _ = object::metadata_mut(document);
    let agent = request.header("user-agent").into_iter().next().unwrap_or_default();
    let name = agent.split('/').next().unwrap_or_default();
    let manager =
        Manager { name, api_version: &resource.api_version(), subresource, time: &time::format(time::now()) };
    types::track(resource, &manager, None, document);
}

/// Answers with a document that is not stored.
pub(crate) fn created(document: &Value) -> Outcome {
    Response::document(201, &object::encode_unsaved(document)).into()
}

/// The Status that tells of something done, 201.
pub(crate) fn done() -> Outcome {
    created(&serde_json::json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "code": 201,
    }))
}
