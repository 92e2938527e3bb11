//! Documents on their way out: encoded objects, and what is written of them.

use crate::{Collection, Transformer};
use bytes::Bytes;
use chainplate_apimachinery::{Status, selector::scan};
use chainplate_storage::{Object, Revision};
use std::sync::Arc;

/// An object of a collection, encoded.
#[derive(Debug, Clone)]
pub(crate) enum Document {
    /// As it is stored.
    Stored(Arc<Object>),
    /// As it was stored, at another revision; not converted yet.
    Left(Bytes),
    /// As it is served: converted, or never stored.
    Served(Bytes),
}

impl Document {
    /// The value of `metadata`.
    pub(crate) fn metadata(&self) -> &[u8] {
        match self {
            Document::Stored(object) => object.metadata(),
            Document::Left(json) | Document::Served(json) => scan::member(json, "metadata").unwrap_or(b"{}"),
        }
    }

    /// The JSON document; it may be stored under another apiVersion than it is served in.
    pub(crate) fn json(&self) -> &[u8] {
        match self {
            Document::Stored(object) => object.json(),
            Document::Left(json) | Document::Served(json) => json,
        }
    }

    /// The length of the JSON document, in bytes.
    pub(crate) fn len(&self) -> usize {
        self.json().len()
    }
}

/// `{"kind":…,"apiVersion":…,`: what objects of a collection begin with.
pub(crate) fn head(kind: &str, api_version: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(kind.len() + api_version.len() + 28);
    out.extend_from_slice(b"{\"kind\":");
    write_string(&mut out, kind);
    out.extend_from_slice(b",\"apiVersion\":");
    write_string(&mut out, api_version);
    out.push(b',');
    out
}

/// Writes a string literal.
pub(crate) fn write_string(out: &mut Vec<u8>, text: &str) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// Writes the whole document. Stored ones are given `head`: they may be stored under another apiVersion.
pub(crate) fn write_whole(out: &mut Vec<u8>, head: &[u8], document: &Document) {
    match document {
        Document::Stored(object) => {
            out.extend_from_slice(head);
            out.extend_from_slice(object.after_head());
        }
        Document::Left(json) | Document::Served(json) => out.extend_from_slice(json),
    }
}

/// Writes the document without kind and apiVersion, as built-in lists have their items.
pub(crate) fn write_bare(out: &mut Vec<u8>, document: &Document) {
    match document {
        Document::Stored(object) => {
            out.push(b'{');
            out.extend_from_slice(object.after_head());
        }
        Document::Left(json) | Document::Served(json) => {
            out.push(b'{');
            let mut first = true;
            for member in scan::members(json) {
                if member.is("kind") || member.is("apiVersion") {
                    continue;
                }
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                out.extend_from_slice(member.key);
                out.push(b':');
                out.extend_from_slice(member.value);
            }
            out.push(b'}');
        }
    }
}

/// Writes `PartialObjectMetadata`; `head` is its head.
pub(crate) fn write_metadata(out: &mut Vec<u8>, head: &[u8], document: &Document) {
    out.extend_from_slice(head);
    out.extend_from_slice(b"\"metadata\":");
    out.extend_from_slice(document.metadata());
    out.push(b'}');
}

/// The document that an object is served as if it is not converted: its own bytes where the head is right.
pub(crate) fn served(head: &[u8], object: &Object) -> Bytes {
    let json = object.json();
    if json.starts_with(head) && json.len() == head.len() + object.after_head().len() {
        return json.clone();
    }
    [head, object.after_head()].concat().into()
}

/// An object's document with another resourceVersion: what left a selection is told with its last content and the
/// revision at which it left.
pub(crate) fn at_revision(head: &[u8], object: &Object, revision: Revision) -> Bytes {
    const START: &[u8] = b"\"metadata\":{\"resourceVersion\":\"";
    let after = object.after_head();
    let digits =
        after.strip_prefix(START).map_or(0, |rest| rest.iter().take_while(|b| b.is_ascii_digit()).count());
    if digits == 0 {
        // Storage splices the version in as the first member; without it there is nothing to replace.
        return served(head, object);
    }
    [head, START, revision.to_string().as_bytes(), &after[START.len() + digits..]].concat().into()
}

/// Turns stored documents into served ones with the collection's conversion, if it has one.
///
/// # Errors
/// What the transform answers, or 500 if it breaks its contract.
pub(crate) async fn convert(
    collection: &Collection,
    transformer: &dyn Transformer,
    documents: &mut [Document],
) -> Result<(), Status> {
    let Some(conversion) = &collection.conversion else { return Ok(()) };
    let mut places = Vec::new();
    let mut inputs = Vec::new();
    for (place, document) in documents.iter().enumerate() {
        match document {
            Document::Stored(object) => inputs.push(object.json().clone()),
            Document::Left(json) => inputs.push(json.clone()),
            Document::Served(_) => continue,
        }
        places.push(place);
    }
    let _ = head;
    for (place, output) in places.into_iter().zip(transform(transformer, conversion, inputs).await?) {
        documents[place] = Document::Served(output);
    }
    Ok(())
}

/// Runs a transform over a batch and holds it to as many results as objects.
///
/// # Errors
/// What the transform answers, or 500 if the count is wrong.
pub(crate) async fn transform(
    transformer: &dyn Transformer,
    transform: &crate::TransformRef,
    inputs: Vec<Bytes>,
) -> Result<Vec<Bytes>, Status> {
    if inputs.is_empty() {
        return Ok(Vec::new());
    }
    let count = inputs.len();
    let outputs = transformer.transform(transform, inputs).await?;
    if outputs.len() == count {
        return Ok(outputs);
    }
    let name = &transform.name;
    Err(Status::internal(format_args!(
        "transform {name:?} made {} results of {count} objects",
        outputs.len()
    )))
}
