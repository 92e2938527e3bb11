//! Requests for the objects of definitions (`apiextensions-apiserver/pkg/apiserver/customresource_handler.go`).

use crate::cleanup;
use chainplate_sdk::{
    Outcome, Request,
    apimachinery::{Status, Value, object, request::Verb, selector::scan},
    conversion,
    custom::{self, Behaviour, Definition, Version},
    registry::Malformed,
};
use std::borrow::Cow;

/// The objects of a definition do what their schema says, and what a component does that converts them.
/// `DeleteOptions` may come in protobuf.
struct BySchema<'a> {
    group: &'a str,
    kind: &'a str,
    /// The version that a component converts to before objects are stored.
    stored: Option<&'a str>,
}

impl<'a> BySchema<'a> {
    fn new(definition: &'a Definition, version: &'a Version) -> Self {
        let (group, kind) = (&*definition.group, &*version.descriptor.kind);
        let stored = conversion::converts(group, kind).then_some(&*definition.storage_version);
        Self { group, kind, stored }
    }
}

impl Behaviour for BySchema<'_> {
    fn stored_version(&self) -> Option<&str> {
        self.stored
    }

    fn convert(&self, object: &mut Value, _from: &str, to: &str) -> Result<(), Status> {
        if self.stored.is_none() {
            return Ok(());
        }
        let document = object::encode_unsaved(object);
        let converted =
            conversion::convert(self.group, self.kind, &format!("{}/{to}", self.group), &[document])?;
        *object = serde_json::from_slice(&converted.concat()).map_err(Status::internal)?;
        Ok(())
    }

    fn decode_protobuf(&self, body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
        chainplate_types::protobuf::decode(body, default)
    }
}

/// Objects as a component converts them to the version that the argument of the transform [`custom::READ`] names, where
/// one does.
///
/// # Errors
/// What the conversion ends with.
pub(crate) fn converted(argument: &[u8], mut objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
    fn text<'a>(document: &'a [u8], key: &str) -> Cow<'a, str> {
        scan::member(document, key).and_then(scan::string).unwrap_or_default()
    }
    let (wanted, kind) = (text(argument, "apiVersion"), text(argument, "kind"));
    let group = wanted.split_once('/').map_or("", |(group, _)| group);
    if !conversion::converts(group, &kind) {
        return Ok(objects);
    }
    let others: Vec<usize> =
        (0..objects.len()).filter(|at| text(&objects[*at], "apiVersion") != wanted).collect();
    let documents: Vec<Vec<u8>> = others.iter().map(|at| std::mem::take(&mut objects[*at])).collect();
    for (at, converted) in others.into_iter().zip(conversion::convert(group, &kind, &wanted, &documents)?) {
        objects[at] = converted;
    }
    Ok(objects)
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
    let behaviour = BySchema::new(definition, version);
    if definition.webhook_conversion && !version.storage && behaviour.stored.is_none() {
        let why = "conversion by webhook is not supported; add a component that converts the kind, use the storage version, or set spec.conversion.strategy to None";
        return Err(Status::internal(format_args!("{}.{}: {why}", info.resource, info.group)));
    }
    let outcome = custom::serve(request, definition, version, &behaviour);
    if definition.terminating && matches!(info.verb, Verb::Update | Verb::Patch | Verb::Delete) {
        // The last finalizer may be gone.
        cleanup::schedule(&format!("{}.{}", definition.plural, definition.group));
    }
    outcome
}
