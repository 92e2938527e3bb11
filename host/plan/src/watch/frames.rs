//! The events of a watch as lines of JSON. Watchers that want the same share one encoding.

use crate::{
    Collection, TransformRef, Transformer,
    answer::Failure,
    document::{self, Document, write_metadata, write_whole},
    protobuf,
    render::{list_metadata, write_table_head},
    table::{Include, Rows},
};
use bytes::Bytes;
use chainplate_apimachinery::{
    Status,
    negotiation::{Encoding, Form, MediaType, MetaVersion},
    selector::scan,
};
use chainplate_storage::{Event, EventKind, Revision};
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

/// What a change is to one watcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Added,
    Modified,
    Deleted,
    /// Still there, but no longer selected: told as a deletion, with the last content that was selected.
    Left,
    /// No change: how far the watch got.
    Bookmark,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::Added => "ADDED",
            Kind::Modified => "MODIFIED",
            Kind::Deleted | Kind::Left => "DELETED",
            Kind::Bookmark => "BOOKMARK",
        }
    }
}

impl From<EventKind> for Kind {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Added => Kind::Added,
            EventKind::Modified => Kind::Modified,
            EventKind::Deleted => Kind::Deleted,
        }
    }
}

/// A change to tell.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) kind: Kind,
    pub(crate) event: Arc<Event>,
}

/// In which form objects are told.
enum Projection {
    /// As they are; with their head.
    Whole(Vec<u8>),
    /// As `PartialObjectMetadata`; with its head.
    Metadata(Vec<u8>),
    /// As Tables of one row.
    Table { version: MetaVersion, rows: Rows, columns_sent: bool },
}

/// Encodes the events of one watch.
pub(crate) struct Encoder {
    collection: Arc<Collection>,
    transformer: Arc<dyn Transformer>,
    object_head: Vec<u8>,
    projection: Projection,
    encoding: Encoding,
    /// None for Tables, which differ from watcher to watcher.
    shared: Option<Arc<Shared>>,
}

impl Encoder {
    pub(crate) fn new(
        collection: Arc<Collection>,
        transformer: Arc<dyn Transformer>,
        media: &MediaType,
        include: Include,
    ) -> Self {
        let object_head = document::head(&collection.kind, &collection.api_version());
        let projection = match media.form {
            Form::Plain => Projection::Whole(object_head.clone()),
            Form::Metadata(version) | Form::MetadataList(version) => {
                Projection::Metadata(document::head("PartialObjectMetadata", version.api_version()))
            }
            Form::Table(version) => Projection::Table {
                version,
                rows: Rows::new(&collection, version, include),
                columns_sent: false,
            },
        };
        let shared = match &projection {
            Projection::Whole(head) | Projection::Metadata(head) => {
                Some(Shared::of(&collection, head, media.encoding))
            }
            Projection::Table { .. } => None,
        };
        Self { collection, transformer, object_head, projection, encoding: media.encoding, shared }
    }

    pub(crate) fn collection(&self) -> &Collection {
        &self.collection
    }

    pub(crate) fn transformer(&self) -> &dyn Transformer {
        &*self.transformer
    }

    /// The frames of changes, in their order.
    ///
    /// # Errors
    /// What a transform answers.
    pub(crate) async fn changes(&mut self, changes: &[Change]) -> Result<Bytes, Status> {
        let Some(shared) = self.shared.clone().filter(|shared| Arc::strong_count(shared) > 1 + 1) else {
            let documents = changes.iter().map(|change| (change.kind, self.document(change))).collect();
            return Ok(self.fresh(documents).await?.into());
        };
        // A conversion is made by one watcher while the others wait for it.
        let guard = match &self.collection.conversion {
            Some(_) => Some(shared.converting.lock().await),
            None => None,
        };
        let mut frames = shared.known(changes);
        let missing: Vec<usize> = (0..changes.len()).filter(|index| frames[*index].is_none()).collect();
        if !missing.is_empty() {
            let mut documents: Vec<_> = missing.iter().map(|index| self.document(&changes[*index])).collect();
            document::convert(&self.collection, &*self.transformer, &mut documents).await?;
            for (index, document) in missing.into_iter().zip(documents) {
                let change = &changes[index];
                let mut frame = Vec::with_capacity(document.len() + 64);
                self.write(&mut frame, change.kind, &document);
                let frame = Bytes::from(frame);
                shared.remember(change, &frame);
                frames[index] = Some(frame);
            }
        }
        drop(guard);
        let mut frames: Vec<Bytes> = frames.into_iter().flatten().collect();
        // The usual case: one change, sent from where it is kept.
        if frames.len() == 1
            && let Some(frame) = frames.pop()
        {
            return Ok(frame);
        }
        Ok(frames.concat().into())
    }

    /// Frames of documents that are told as ADDED.
    ///
    /// # Errors
    /// What a transform answers.
    pub(crate) async fn present(&mut self, documents: Vec<Document>) -> Result<Vec<u8>, Status> {
        self.fresh(documents.into_iter().map(|document| (Kind::Added, document)).collect()).await
    }

    async fn fresh(&mut self, changes: Vec<(Kind, Document)>) -> Result<Vec<u8>, Status> {
        let (kinds, mut documents): (Vec<_>, Vec<_>) = changes.into_iter().unzip();
        document::convert(&self.collection, &*self.transformer, &mut documents).await?;
        let mut out = Vec::with_capacity(documents.iter().map(|document| document.len() + 64).sum());
        let cells = match &self.projection {
            Projection::Table { rows, .. } => {
                rows.cells(&self.collection, &*self.transformer, &documents).await?
            }
            Projection::Whole(_) | Projection::Metadata(_) => Vec::new(),
        };
        for (index, (kind, document)) in kinds.into_iter().zip(&documents).enumerate() {
            match cells.get(index) {
                Some(cells) => self.write_table(&mut out, kind.as_str(), document, cells),
                None => self.write(&mut out, kind, document),
            }
        }
        Ok(out)
    }

    /// What a change tells of, before conversion.
    fn document(&self, change: &Change) -> Document {
        let event = &change.event;
        match (&event.previous, change.kind) {
            (Some(previous), Kind::Left) => {
                // A conversion has to see the version that the content is of.
                let json = previous.json();
                let own = &json[..json.len() - previous.after_head().len()];
                let head = if self.collection.conversion.is_some() { own } else { &self.object_head };
                Document::Left(document::at_revision(head, previous, event.revision()))
            }
            _ => Document::Stored(event.object.clone()),
        }
    }

    fn write(&self, out: &mut Vec<u8>, kind: Kind, document: &Document) {
        if self.encoding == Encoding::Protobuf {
            let mut json = Vec::with_capacity(document.len() + 64);
            self.write_object(&mut json, document);
            protobuf::write_frame(out, kind.as_str(), &json);
            return;
        }
        open(out, kind.as_str());
        self.write_object(out, document);
        out.extend_from_slice(b"}\n");
    }

    fn write_object(&self, out: &mut Vec<u8>, document: &Document) {
        match &self.projection {
            Projection::Metadata(head) => write_metadata(out, head, document),
            Projection::Whole(head) => write_whole(out, head, document),
            Projection::Table { .. } => write_whole(out, &self.object_head, document),
        }
    }

    fn write_table(&mut self, out: &mut Vec<u8>, kind: &str, document: &Document, cells: &[u8]) {
        let Projection::Table { version, rows, columns_sent } = &mut self.projection else { return };
        open(out, kind);
        let revision = scan::member(document.metadata(), "resourceVersion").unwrap_or_default();
        let revision = scan::string(revision).unwrap_or_default();
        let columns = (!std::mem::replace(columns_sent, true)).then_some(&*self.collection);
        write_table_head(out, *version, &list_metadata(false, &revision, None, None), columns);
        rows.write_row(out, cells, document);
        out.extend_from_slice(b"]}}\n");
    }

    /// A bookmark; with `initial` the one that closes what was there already.
    pub(crate) async fn bookmark(&mut self, revision: Revision, initial: bool) -> Vec<u8> {
        let annotations =
            if initial { ",\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}" } else { "" };
        let metadata = format!("\"metadata\":{{\"resourceVersion\":\"{revision}\"{annotations}}}}}");
        let document = Document::Served([&self.object_head, metadata.as_bytes()].concat().into());
        let mut out = Vec::new();
        if let Projection::Table { rows, .. } = &mut self.projection {
            // There is no object: a transform that cannot do without one leaves the cells empty.
            let cells =
                rows.cells(&self.collection, &*self.transformer, std::slice::from_ref(&document)).await;
            let cells = cells.ok().and_then(|cells| cells.into_iter().next());
            let include = rows.include;
            if initial && include == Include::None {
                rows.include = Include::Metadata;
            }
            self.write_table(&mut out, "BOOKMARK", &document, cells.as_deref().unwrap_or(b"[]"));
            if let Projection::Table { rows, .. } = &mut self.projection {
                rows.include = include;
            }
            return out;
        }
        self.write(&mut out, Kind::Bookmark, &document);
        out
    }

    /// An ERROR event.
    pub(crate) fn error(&self, status: &Status) -> Bytes {
        let status = Failure::from(status.clone()).to_value().to_string();
        let mut out = Vec::new();
        if self.encoding == Encoding::Protobuf {
            protobuf::write_frame(&mut out, "ERROR", status.as_bytes());
            return out.into();
        }
        open(&mut out, "ERROR");
        out.extend_from_slice(status.as_bytes());
        out.extend_from_slice(b"}\n");
        out.into()
    }
}

fn open(out: &mut Vec<u8>, kind: &str) {
    out.extend_from_slice(b"{\"type\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\",\"object\":");
}

/// What watchers of one form of one collection have in common; gone with the last of them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    frames: Mutex<Frames>,
    converting: tokio::sync::Mutex<()>,
}

/// The latest frames, up to [`FRAMES_BYTES`].
#[derive(Debug, Default)]
struct Frames {
    /// By the address of the event, which `order` keeps from being used again.
    by_event: HashMap<(usize, Kind), Bytes>,
    order: VecDeque<Change>,
    bytes: usize,
}

/// How much is kept for watchers that come a little later, in bytes of frames.
const FRAMES_BYTES: usize = 512 * 1024;

/// What frames depend on.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SharedForm {
    prefix: Arc<str>,
    head: Vec<u8>,
    encoding: Encoding,
    conversion: Option<TransformRef>,
}

static SHARED: LazyLock<Mutex<HashMap<SharedForm, Weak<Shared>>>> = LazyLock::new(Mutex::default);

impl Shared {
    fn of(collection: &Collection, head: &[u8], encoding: Encoding) -> Arc<Self> {
        let form = SharedForm {
            prefix: collection.storage_prefix.clone(),
            head: head.to_vec(),
            encoding,
            conversion: collection.conversion.clone(),
        };
        let mut all = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = all.get(&form).and_then(Weak::upgrade) {
            return shared;
        }
        all.retain(|_, shared| shared.strong_count() > 0);
        let shared = Arc::new(Self::default());
        all.insert(form, Arc::downgrade(&shared));
        shared
    }

    fn known(&self, changes: &[Change]) -> Vec<Option<Bytes>> {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        changes.iter().map(|change| frames.by_event.get(&address(change)).cloned()).collect()
    }

    fn remember(&self, change: &Change, frame: &Bytes) {
        let mut frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        if frames.by_event.insert(address(change), frame.clone()).is_some() {
            return;
        }
        frames.bytes += frame.len();
        frames.order.push_back(change.clone());
        // The newest one stays, however large it is.
        while frames.bytes > FRAMES_BYTES && frames.order.len() > 1 {
            let Some(oldest) = frames.order.pop_front() else { break };
            let gone = frames.by_event.remove(&address(&oldest)).map_or(0, |frame| frame.len());
            frames.bytes = frames.bytes.saturating_sub(gone);
        }
    }
}

fn address(change: &Change) -> (usize, Kind) {
    (Arc::as_ptr(&change.event).addr(), change.kind)
}
