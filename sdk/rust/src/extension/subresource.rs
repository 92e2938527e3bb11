//! Admission of requests to the subresources of code, which only that code understands.

use crate::{
    Collection, Request,
    admission::Operation,
    registry::{SubresourceAdmission, media_type},
};
use chainplate_apimachinery::{
    Status, Value, decode, object,
    options::{Write, WriteOptions},
    request::Verb,
};

/// Has admission look at a write, by the operation that upstream gives to its method. The document is the body of a POST
/// or a PUT, if it is an object in JSON or YAML; what a PATCH will come to nobody but the code knows, so that there is
/// none. The result is the request with the document that admission made of it, if it changed it.
///
/// # Errors
/// The Status of a refusal; 422 for options that are wrong.
pub(super) fn admit<'a>(request: &Request<'a>, of: &Collection) -> Result<Option<Request<'a>>, Status> {
    let info = request.info();
    let (operation, options) = match info.verb {
        Verb::Create => (Operation::Create, Write::Create),
        Verb::Update => (Operation::Update, Write::Update),
        Verb::Patch => (Operation::Update, Write::Patch),
        Verb::Delete => (Operation::Delete, Write::Create),
        _ => return Ok(None),
    };
    let admission = SubresourceAdmission::new(request, of, operation, &info.name);
    if !admission.is_asked() {
        return Ok(None);
    }
    let admission = admission.with_options(&WriteOptions::parse(request.query(), options)?);
    let document = match info.verb {
        Verb::Create | Verb::Update => document(request)?,
        _ => None,
    };
    let admission = match &document {
        Some(document) => {
            let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
            let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
            match text("kind") {
                "" => admission,
                kind => admission.with_kind(group, version, kind),
            }
        }
        None => admission,
    };
    let changed = admission.mutate(document.as_ref())?;
    admission.validate(changed.as_ref().or(document.as_ref()))?;
    Ok(changed.map(|changed| request.with_document(object::encode_unsaved(&changed))))
}

/// The body as an object; none when it is something else.
fn document(request: &Request<'_>) -> Result<Option<Value>, Status> {
    let body = request.body()?;
    let read = match media_type(request).to_ascii_lowercase().as_str() {
        "" | "application/json" => decode::json(&body),
        "application/yaml" => decode::yaml(&body),
        _ => return Ok(None),
    };
    Ok(read.ok().map(|document| document.value).filter(Value::is_object))
}
