//! The Table projection (`meta/v1.Table`, `apiserver/pkg/registry/rest/table.go`).

use crate::{
    Collection, Column, Transformer,
    document::{self, Document, write_metadata, write_string, write_whole},
};
use bytes::Bytes;
use chainplate_apimachinery::{Status, list_options, negotiation::MetaVersion, selector::scan, table::age};
use jiff::Timestamp;

/// What the rows carry besides their cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing.
    None,
    /// `PartialObjectMetadata`.
    Metadata,
    /// The whole object.
    Object,
}

impl Include {
    /// Reads `includeObject`.
    ///
    /// # Errors
    /// 400 for an unknown policy.
    pub(crate) fn parse(query: &str) -> Result<Self, Status> {
        let policy = list_options::value(query, "includeObject").unwrap_or_default();
        match policy.as_str() {
            "" | "Metadata" => Ok(Include::Metadata),
            "None" => Ok(Include::None),
            "Object" => Ok(Include::Object),
            other => Err(Status::bad_request(format!(
                "Unable to convert to Table as requested: includeObject: Invalid value: {other:?}: must be 'Metadata', \
                 'Object', 'None', or empty"
            ))),
        }
    }
}

/// Name, type, format, description and priority of a column.
type ColumnText<'a> = (&'a str, &'a str, &'a str, &'a str, i32);

/// The columns of types that have no printer of their own.
const DEFAULT_COLUMNS: [ColumnText<'static>; 2] = [
    (
        "Name",
        "string",
        "name",
        "Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names",
        0,
    ),
    (
        "Created At",
        "date",
        "",
        "CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        0,
    ),
];

/// The columns of a Scale, which has no collection.
const SCALE_COLUMNS: [ColumnText<'static>; 4] = [
    ("Name", "string", "", DEFAULT_COLUMNS[0].3, 0),
    ("Desired", "integer", "", "replicas is the desired number of instances for the scaled object.", 0),
    (
        "Available",
        "integer",
        "",
        "replicas is the actual number of observed instances of the scaled object.",
        0,
    ),
    ("Age", "string", "", DEFAULT_COLUMNS[1].3, 0),
];

/// Writes the value of `columnDefinitions`.
pub(crate) fn write_columns(out: &mut Vec<u8>, collection: &Collection) {
    if collection.rows.is_none() {
        return write_column_texts(out, DEFAULT_COLUMNS.into_iter());
    }
    let columns = collection.columns.iter().map(|column| {
        let Column { name, type_, format, description, priority } = column;
        (name.as_str(), type_.as_str(), format.as_str(), description.as_str(), *priority)
    });
    write_column_texts(out, columns);
}

fn write_column_texts<'a>(out: &mut Vec<u8>, columns: impl Iterator<Item = ColumnText<'a>>) {
    out.push(b'[');
    for (index, (name, type_, format, description, priority)) in columns.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        for (key, text) in [
            ("{\"name\":", name),
            (",\"type\":", type_),
            (",\"format\":", format),
            (",\"description\":", description),
        ] {
            out.extend_from_slice(key.as_bytes());
            write_string(out, text);
        }
        out.extend_from_slice(format!(",\"priority\":{priority}}}").as_bytes());
    }
    out.push(b']');
}

/// Writes the Table of a document that belongs to no collection: a Scale has columns of its own, anything else name
/// and creation time.
pub(crate) fn write_document(
    out: &mut Vec<u8>,
    version: MetaVersion,
    include: Include,
    kind: &str,
    document: &Document,
) {
    let json = match document {
        Document::Stored(object) => object.json(),
        Document::Left(json) | Document::Served(json) => json,
    };
    let metadata = document.metadata();
    let text = |name| scan::member(metadata, name).and_then(scan::string);
    let revision = text("resourceVersion").unwrap_or_default();
    out.extend_from_slice(&document::head("Table", version.api_version()));
    out.extend_from_slice(b"\"metadata\":{");
    if !revision.is_empty() {
        out.extend_from_slice(format!("\"resourceVersion\":\"{revision}\"").as_bytes());
    }
    out.extend_from_slice(b"},\"columnDefinitions\":");
    let cells = if kind == "Scale" {
        write_column_texts(out, SCALE_COLUMNS.into_iter());
        let replicas = |place| {
            let count = scan::walk(json, &[place, "replicas"]).and_then(scan::scalar);
            count.and_then(|count| count.parse::<i64>().ok()).unwrap_or_default()
        };
        let age = age(text("creationTimestamp").as_deref(), Timestamp::now());
        serde_json::json!([text("name").unwrap_or_default(), replicas("spec"), replicas("status"), age])
            .to_string()
            .into()
    } else {
        write_column_texts(out, DEFAULT_COLUMNS.into_iter());
        default_cells(document)
    };
    out.extend_from_slice(b",\"rows\":[");
    let rows = Rows {
        include,
        object_head: Vec::new(),
        metadata_head: document::head("PartialObjectMetadata", version.api_version()),
    };
    rows.write_row(out, &cells, document);
    out.extend_from_slice(b"]}");
}

/// How rows are written.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) include: Include,
    /// The head of served objects.
    pub(crate) object_head: Vec<u8>,
    /// The head of `PartialObjectMetadata`.
    pub(crate) metadata_head: Vec<u8>,
}

impl Rows {
    pub(crate) fn new(collection: &Collection, version: MetaVersion, include: Include) -> Self {
        Self {
            include,
            object_head: document::head(&collection.kind, &collection.api_version()),
            metadata_head: document::head("PartialObjectMetadata", version.api_version()),
        }
    }

    /// The rows of documents as they are served, in one batch.
    ///
    /// # Errors
    /// What the transform answers.
    pub(crate) async fn write(
        &self,
        out: &mut Vec<u8>,
        first: &mut bool,
        collection: &Collection,
        transformer: &dyn Transformer,
        documents: &[Document],
    ) -> Result<(), Status> {
        let cells = self.cells(collection, transformer, documents).await?;
        for (document, cells) in documents.iter().zip(cells) {
            if !std::mem::take(first) {
                out.push(b',');
            }
            self.write_row(out, &cells, document);
        }
        Ok(())
    }

    /// What stands in a row in front of its object, for each document.
    pub(crate) async fn cells(
        &self,
        collection: &Collection,
        transformer: &dyn Transformer,
        documents: &[Document],
    ) -> Result<Vec<Bytes>, Status> {
        let Some(rows) = &collection.rows else {
            return Ok(documents.iter().map(default_cells).collect());
        };
        let inputs = documents
            .iter()
            .map(|document| match document {
                Document::Stored(object) => document::served(&self.object_head, object),
                Document::Left(json) | Document::Served(json) => json.clone(),
            })
            .collect();
        document::transform(transformer, rows, inputs).await
    }

    /// Writes one row.
    pub(crate) fn write_row(&self, out: &mut Vec<u8>, cells: &[u8], document: &Document) {
        out.extend_from_slice(b"{\"cells\":");
        if cells.trim_ascii_start().starts_with(b"{") {
            out.extend_from_slice(scan::member(cells, "cells").unwrap_or(b"[]"));
            if let Some(conditions) = scan::member(cells, "conditions") {
                out.extend_from_slice(b",\"conditions\":");
                out.extend_from_slice(conditions);
            }
        } else {
            out.extend_from_slice(cells);
        }
        out.extend_from_slice(b",\"object\":");
        match self.include {
            Include::None => out.extend_from_slice(b"null"),
            Include::Metadata => write_metadata(out, &self.metadata_head, document),
            Include::Object => write_whole(out, &self.object_head, document),
        }
        out.push(b'}');
    }
}

/// Name and creation time.
fn default_cells(document: &Document) -> Bytes {
    let metadata = document.metadata();
    let text =
        |name| scan::member(metadata, name).filter(|value| value.starts_with(b"\"")).unwrap_or(b"\"\"");
    // The zero time of Go, which upstream prints for an object without one.
    let created = scan::member(metadata, "creationTimestamp").filter(|value| value.starts_with(b"\""));
    [b"[", text("name"), b",", created.unwrap_or(b"\"0001-01-01T00:00:00Z\""), b"]"].concat().into()
}
