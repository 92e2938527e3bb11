//! LIST: a snapshot, streamed.

use crate::{
    Body, BoxError, Collection, Context, Transformer,
    answer::{self, Failure, takes_gzip},
    body::{self, CHUNK},
    document::{self, Document, write_bare, write_metadata, write_whole},
    filter::Filter,
    gzip, protobuf,
    render::{self, list_metadata, write_table_head},
    select::{Selection, Selector},
    table::{Include, Rows},
};
use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    list_options::ListOptions,
    negotiation::{Encoding, Form, MediaType},
    selector::scan,
};
use http::Response;
use serde_json::value::RawValue;
use std::{sync::Arc, vec};

/// How items are written.
#[derive(Debug)]
enum Items {
    /// With kind and apiVersion.
    Whole(Vec<u8>),
    /// Without.
    Bare,
    /// As `PartialObjectMetadata`.
    Metadata(Vec<u8>),
    /// As rows of a Table.
    Rows(Rows),
}

/// A list that is being written.
struct Writer {
    collection: Arc<Collection>,
    transformer: Arc<dyn Transformer>,
    items: Items,
    documents: vec::IntoIter<Document>,
    /// What waits to be sent; the head at first.
    out: Vec<u8>,
    tail: &'static [u8],
    /// Whether no item was written yet.
    first: bool,
    done: bool,
}

/// Lists a collection.
///
/// # Errors
/// 400, 406, 410, 422 and 504 as the options and the store have it, and what a transform answers in the beginning.
pub(crate) async fn list(
    collection: Arc<Collection>,
    namespace: Option<String>,
    media: &MediaType,
    transformer: Arc<dyn Transformer>,
    context: &Context<'_>,
) -> Result<Response<Body>, Failure> {
    let options = ListOptions::parse(context.query)?;
    let filter = Filter::new(&collection, &options, &context.info.name)?;
    let selector = Selector {
        store: context.store,
        collection: &collection,
        namespace: namespace.as_deref(),
        filter: &filter,
        transformer: &*transformer,
    };
    let selection = selector.select(&options).await?;
    selected(collection, selection, media, transformer, context).await
}

/// Sends a list that a component made of objects of a collection, as it does of those that it removed.
///
/// # Errors
/// 406 for the form of one object, 400 for a malformed `includeObject`, 500 for what is no list, and what a transform
/// answers in the beginning.
pub(crate) async fn unsaved(
    collection: Arc<Collection>,
    json: &Bytes,
    media: &MediaType,
    transformer: Arc<dyn Transformer>,
    context: &Context<'_>,
) -> Result<Response<Body>, Failure> {
    let malformed = |error| Status::internal(format_args!("a component answered a malformed list: {error}"));
    let items = scan::member(json, "items").unwrap_or(b"[]");
    let items: Vec<&RawValue> = serde_json::from_slice(items).map_err(malformed)?;
    let metadata = scan::member(json, "metadata").unwrap_or(b"{}");
    let revision = scan::member(metadata, "resourceVersion").and_then(scan::string);
    let selection = Selection {
        documents: items.iter().map(|item| Document::Served(json.slice_ref(item.get().as_bytes()))).collect(),
        revision: revision.and_then(|text| text.parse().ok()).unwrap_or_default(),
        continue_token: None,
        remaining: None,
    };
    selected(collection, selection, media, transformer, context).await
}

async fn selected(
    collection: Arc<Collection>,
    selection: Selection,
    media: &MediaType,
    transformer: Arc<dyn Transformer>,
    context: &Context<'_>,
) -> Result<Response<Body>, Failure> {
    let object_head = document::head(&collection.kind, &collection.api_version());
    if media.encoding == Encoding::Protobuf {
        return protobuf_list(&collection, &*transformer, media.form, selection, context).await;
    }
    let size: usize = selection.documents.iter().map(Document::len).sum();
    let mut writer = Writer::new(collection, transformer, media, object_head, selection, context.query)?;

    if media.pretty || media.encoding != Encoding::Json {
        let mut json = Vec::with_capacity(size + size / 8);
        while let Some(chunk) = writer.next().await? {
            json.extend_from_slice(&chunk);
        }
        return Ok(answer::encoded(200, json, media, takes_gzip(context.headers))?);
    }
    writer.tail = match writer.tail {
        b"]}" => b"]}\n",
        _ => b"}\n",
    };
    // The first chunk is made before the answer begins: a transform that fails can still be told in a Status.
    let media_type = media.encoding.media_type();
    let first = writer.next().await?.unwrap_or_default();
    if writer.done {
        return Ok(answer::bytes(200, media_type, first));
    }
    let rest = futures_util::stream::try_unfold(writer, |mut writer| async move {
        match writer.next().await {
            Ok(chunk) => Ok(chunk.map(|chunk| (chunk, writer))),
            Err(status) => {
                tracing::warn!(resource = writer.collection.resource, "a list broke off: {status}");
                Err(Box::new(status) as BoxError)
            }
        }
    });
    use futures_util::StreamExt as _;
    let chunks = futures_util::stream::once(std::future::ready(Ok(first))).chain(rest);
    let response = answer::respond(200, media_type, body::stream(chunks));
    Ok(if takes_gzip(context.headers) && size > gzip::THRESHOLD {
        gzip::compressed(response)
    } else {
        response
    })
}

/// A list in protobuf: its length stands in front, so that the items are encoded before the first byte is sent.
async fn protobuf_list(
    collection: &Collection,
    transformer: &dyn Transformer,
    form: Form,
    selection: Selection,
    context: &Context<'_>,
) -> Result<Response<Body>, Failure> {
    let (api_version, kind) = match form {
        Form::MetadataList(version) => (version.api_version().to_owned(), "PartialObjectMetadataList"),
        Form::Metadata(_) => return Err(render::no_object(collection).into()),
        Form::Plain | Form::Table(_) => (collection.api_version(), &*collection.list_kind),
    };
    let unwritable = || Status::internal(format_args!("a {kind} cannot be written as protobuf"));
    let list = protobuf::List::new(&api_version, kind).ok_or_else(unwritable)?;
    let Selection { documents, revision, continue_token, remaining } = selection;
    let metadata = list_metadata(false, &revision.to_string(), continue_token.as_deref(), remaining);
    let mut pieces = protobuf::Pieces::default();
    let mut documents = documents.into_iter();
    loop {
        let mut batch = Vec::new();
        let mut size = 0;
        while size < CHUNK {
            let Some(document) = documents.next() else { break };
            size += document.len();
            batch.push(document);
        }
        if batch.is_empty() {
            break;
        }
        document::convert(collection, transformer, &mut batch).await?;
        for document in &batch {
            pieces.item(&list, document.json()).ok_or_else(unwritable)?;
        }
        // Other requests wait for this thread, too.
        tokio::task::yield_now().await;
    }
    let pieces = pieces.finish(&list, &metadata).ok_or_else(unwritable)?;
    let media_type = Encoding::Protobuf.media_type();
    let size: usize = pieces.iter().map(Bytes::len).sum();
    let body = match <[Bytes; 1]>::try_from(pieces) {
        Ok([whole]) => body::full(whole),
        Err(pieces) => body::stream(futures_util::stream::iter(pieces.into_iter().map(Ok::<_, BoxError>))),
    };
    let response = answer::respond(200, media_type, body);
    let compress = takes_gzip(context.headers) && size > gzip::THRESHOLD;
    Ok(if compress { gzip::compressed(response) } else { response })
}

impl Writer {
    fn new(
        collection: Arc<Collection>,
        transformer: Arc<dyn Transformer>,
        media: &MediaType,
        object_head: Vec<u8>,
        selection: Selection,
        query: &str,
    ) -> Result<Self, Status> {
        let Selection { documents, revision, continue_token, remaining } = selection;
        let keep = collection.items_with_type_meta && media.form == Form::Plain;
        let metadata = list_metadata(keep, &revision.to_string(), continue_token.as_deref(), remaining);
        let mut out = Vec::with_capacity(CHUNK + CHUNK / 4);
        let mut tail: &'static [u8] = b"]}";
        let items = match media.form {
            Form::Plain => {
                out.extend_from_slice(&document::head(&collection.list_kind, &collection.api_version()));
                out.extend_from_slice(format!("\"metadata\":{metadata},\"items\":[").as_bytes());
                if collection.items_with_type_meta { Items::Whole(object_head) } else { Items::Bare }
            }
            Form::Metadata(_) => return Err(render::no_object(&collection)),
            Form::MetadataList(version) => {
                out.extend_from_slice(&document::head("PartialObjectMetadataList", version.api_version()));
                out.extend_from_slice(format!("\"metadata\":{metadata},\"items\":[").as_bytes());
                Items::Metadata(document::head("PartialObjectMetadata", version.api_version()))
            }
            Form::Table(version) => {
                write_table_head(&mut out, version, &metadata, Some(&collection));
                Items::Rows(Rows::new(&collection, version, Include::parse(query)?))
            }
        };
        // Go prints a list that was never filled as null: these two forms start without one.
        let unfilled = match &items {
            Items::Metadata(_) => true,
            Items::Rows(_) => collection.rows.is_none(),
            Items::Whole(_) | Items::Bare => false,
        };
        if unfilled && documents.is_empty() {
            out.pop();
            out.extend_from_slice(b"null");
            tail = b"}";
        }
        let documents = documents.into_iter();
        Ok(Self { collection, transformer, items, documents, out, tail, first: true, done: false })
    }

    /// The next chunk; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        if self.done {
            return Ok(None);
        }
        let slow = self.collection.conversion.is_some() || matches!(self.items, Items::Rows(_));
        while self.out.len() < CHUNK {
            let more = if slow { self.batch().await? } else { self.item() };
            if !more {
                self.out.extend_from_slice(self.tail);
                self.done = true;
                break;
            }
        }
        let next = if self.done { Vec::new() } else { Vec::with_capacity(CHUNK + CHUNK / 4) };
        Ok(Some(std::mem::replace(&mut self.out, next).into()))
    }

    /// Writes one item that needs no transform.
    fn item(&mut self) -> bool {
        let Some(document) = self.documents.next() else { return false };
        self.write(&document);
        true
    }

    fn write(&mut self, document: &Document) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        match &self.items {
            Items::Whole(head) => write_whole(&mut self.out, head, document),
            Items::Metadata(head) => write_metadata(&mut self.out, head, document),
            Items::Bare | Items::Rows(_) => write_bare(&mut self.out, document),
        }
    }

    /// Writes as many items as one call of a transform takes.
    async fn batch(&mut self) -> Result<bool, Status> {
        let mut batch = Vec::new();
        let mut size = 0;
        while size < CHUNK {
            let Some(document) = self.documents.next() else { break };
            size += document.len();
            batch.push(document);
        }
        if batch.is_empty() {
            return Ok(false);
        }
        document::convert(&self.collection, &*self.transformer, &mut batch).await?;
        if let Items::Rows(rows) = &self.items {
            rows.write(&mut self.out, &mut self.first, &self.collection, &*self.transformer, &batch).await?;
        } else {
            for document in &batch {
                self.write(document);
            }
        }
        Ok(true)
    }
}
