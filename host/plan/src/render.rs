//! Answers that hold one object.

use crate::{
    Body, Collection, Context, Transformer,
    answer::{self, Failure, takes_gzip},
    document::{self, Document, write_metadata, write_whole},
    table::{self, Include, Rows},
};
use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    negotiation::{Form, MediaType, MetaVersion},
    selector::scan,
};
use http::Response;
use std::sync::Arc;

/// Sends one object of a collection in the form that was agreed on.
///
/// # Errors
/// 406 for the form of a list, 400 for a malformed `includeObject`, and what a transform answers.
pub(crate) async fn object(
    code: u16,
    collection: Arc<Collection>,
    document: Document,
    media: &MediaType,
    transformer: Arc<dyn Transformer>,
    context: &Context<'_>,
) -> Result<Response<Body>, Failure> {
    let mut json = Vec::with_capacity(document.len() + 512);
    let mut documents = [document];
    let convert = document::convert(&collection, &*transformer, &mut documents);
    match media.form {
        Form::Plain => {
            convert.await?;
            write_whole(
                &mut json,
                &document::head(&collection.kind, &collection.api_version()),
                &documents[0],
            );
        }
        Form::Metadata(version) => {
            convert.await?;
            let head = document::head("PartialObjectMetadata", version.api_version());
            write_metadata(&mut json, &head, &documents[0]);
        }
        Form::MetadataList(_) => return Err(no_list(&go_type(&collection, &collection.kind)).into()),
        Form::Table(version) => {
            let rows = Rows::new(&collection, version, Include::parse(context.query)?);
            convert.await?;
            let revision = scan::member(documents[0].metadata(), "resourceVersion").unwrap_or_default();
            let revision = scan::string(revision).unwrap_or_default();
            write_table_head(
                &mut json,
                version,
                &list_metadata(false, &revision, None, None),
                Some(&collection),
            );
            rows.write(&mut json, &mut true, &collection, &*transformer, &documents).await?;
            json.extend_from_slice(b"]}");
        }
    }
    Ok(answer::encoded(code, json, media, takes_gzip(context.headers))?)
}

/// Sends a document that belongs to no collection. A Status is sent as it is, whatever form was asked for, and so is
/// a list instead of a Table.
///
/// # Errors
/// 406 for a form that the document cannot have.
pub(crate) fn document(
    code: u16,
    json: Bytes,
    media: &MediaType,
    context: &Context<'_>,
) -> Result<Response<Body>, Status> {
    let kind = scan::member(&json, "kind").and_then(scan::string).unwrap_or_default().into_owned();
    let document = Document::Served(json.clone());
    let mut out = Vec::with_capacity(json.len() + 1);
    match media.form {
        Form::Metadata(version) if kind != "Status" => {
            write_metadata(
                &mut out,
                &document::head("PartialObjectMetadata", version.api_version()),
                &document,
            );
        }
        Form::MetadataList(_) if kind != "Status" => return Err(no_list(&format!("*{kind}"))),
        Form::Table(version) if kind != "Status" && !kind.ends_with("List") => {
            table::write_document(&mut out, version, Include::parse(context.query)?, &kind, &document);
        }
        _ => out.extend_from_slice(&json),
    }
    answer::encoded(code, out, media, takes_gzip(context.headers))
}

/// The value of a list's `metadata`. Custom resource lists have `continue` even where it is empty.
pub(crate) fn list_metadata(
    keep_continue: bool,
    revision: &str,
    continue_token: Option<&str>,
    remaining: Option<usize>,
) -> String {
    // Revisions are digits and tokens base64: nothing to escape.
    let mut out = format!("{{\"resourceVersion\":\"{revision}\"");
    match continue_token {
        Some(token) => out.push_str(&format!(",\"continue\":\"{token}\"")),
        None if keep_continue => out.push_str(",\"continue\":\"\""),
        None => {}
    }
    if let Some(remaining) = remaining {
        out.push_str(&format!(",\"remainingItemCount\":{remaining}"));
    }
    out.push('}');
    out
}

/// Writes a Table up to its first row; without `columns` they are null, as in a watch after the first event.
pub(crate) fn write_table_head(
    out: &mut Vec<u8>,
    version: MetaVersion,
    metadata: &str,
    columns: Option<&Collection>,
) {
    out.extend_from_slice(&document::head("Table", version.api_version()));
    out.extend_from_slice(format!("\"metadata\":{metadata},\"columnDefinitions\":").as_bytes());
    match columns {
        Some(collection) => table::write_columns(out, collection),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"rows\":[");
}

fn no_list(go_type: &str) -> Status {
    let message = format!(
        "you requested PartialObjectMetadataList, but the requested object is not a list ({go_type})"
    );
    Status::new(406, "NotAcceptable", message)
}

/// 406 for a list as a single object.
pub(crate) fn no_object(collection: &Collection) -> Status {
    let go_type = go_type(collection, &collection.list_kind);
    let message =
        format!("you requested PartialObjectMetadata, but the requested object is a list ({go_type})");
    Status::new(406, "NotAcceptable", message)
}

/// What upstream prints of an object's type: `*core.Pod`, `*unstructured.Unstructured`.
fn go_type(collection: &Collection, kind: &str) -> String {
    if collection.items_with_type_meta {
        let list = if kind == collection.list_kind { "List" } else { "" };
        return format!("*unstructured.Unstructured{list}");
    }
    let package = match collection.group.as_str() {
        "" | "events.k8s.io" => "core",
        group => group.split('.').next().unwrap_or_default(),
    };
    format!("*{package}.{kind}")
}
