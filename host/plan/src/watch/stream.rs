//! One watch: a state that is polled for the next chunk of frames.

use super::{
    Start,
    frames::{Change, Encoder, Kind},
};
use crate::{
    body::CHUNK,
    document::{self, Document},
    filter::Filter,
    get::unreadable,
    metrics::Open,
};
use bytes::Bytes;
use chainplate_apimachinery::Status;
use chainplate_storage::{Event, EventKind, Revision, Watch};
use std::{sync::Arc, time::Duration, vec};
use tokio::{
    sync::watch::Receiver,
    time::{Instant, sleep_until},
};

/// How often a bookmark is sent (`storage/cacher/cacher.go`).
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);
/// How long before the end of a watch the last bookmark is sent.
const BOOKMARK_BEFORE_END: Duration = Duration::from_secs(2);
/// How many events are taken at once.
const BATCH: usize = 64;

/// A watch that is being served.
pub(crate) struct Watcher {
    encoder: Encoder,
    filter: Filter,
    namespace: Option<String>,
    deadline: Instant,
    shutdown: Receiver<bool>,
    open: Open,
    /// `None` when there is nothing more to come.
    cursor: Option<Watch>,
    floor: Revision,
    present: Option<vec::IntoIter<Document>>,
    /// Whether a bookmark follows what was there already.
    announce: bool,
    next_bookmark: Option<Instant>,
    /// Told as an ERROR, after which the watch ends.
    error: Option<Bytes>,
}

impl Watcher {
    pub(crate) fn new(
        encoder: Encoder,
        filter: Filter,
        namespace: Option<String>,
        deadline: Instant,
        shutdown: Receiver<bool>,
        open: Open,
    ) -> Self {
        Self {
            encoder,
            filter,
            namespace,
            deadline,
            shutdown,
            open,
            cursor: None,
            floor: 0,
            present: None,
            announce: false,
            next_bookmark: None,
            error: None,
        }
    }

    pub(crate) fn start(&mut self, start: Start, bookmarks: bool) {
        self.cursor = Some(start.cursor);
        self.floor = start.floor;
        self.present = start.present.map(|selection| selection.documents.into_iter());
        self.announce = start.announce;
        if bookmarks {
            self.schedule_bookmark();
        }
    }

    /// Ends the watch with an ERROR event.
    pub(crate) fn fail(&mut self, status: &Status) {
        self.cursor = None;
        self.error = Some(self.encoder.error(status));
    }

    fn schedule_bookmark(&mut self) {
        let now = Instant::now();
        let last = self.deadline.checked_sub(BOOKMARK_BEFORE_END);
        self.next_bookmark = last.map(|last| last.min(now + BOOKMARK_EVERY)).filter(|next| *next > now);
    }

    /// The next chunk; `None` at the end of the watch.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        let chunk = match self.advance().await {
            Ok(Some((events, chunk))) => {
                self.open.counters().sent(events, chunk.len());
                return Some(chunk);
            }
            Ok(None) => self.error.take(),
            Err(status) => {
                self.fail(&status);
                self.error.take()
            }
        };
        self.cursor = None;
        if let Some(chunk) = &chunk {
            self.open.counters().sent(1, chunk.len());
        }
        chunk
    }

    /// The next frames and their number; `None` when nothing more comes.
    async fn advance(&mut self) -> Result<Option<(usize, Bytes)>, Status> {
        if self.present.is_some() {
            let (events, chunk) = self.initial().await?;
            if events > 0 {
                return Ok(Some((events, chunk.into())));
            }
        }
        loop {
            let Some(cursor) = &mut self.cursor else { return Ok(None) };
            // Asked first: a stream of events must not outlive the watch.
            if *self.shutdown.borrow() || Instant::now() >= self.deadline {
                return Ok(None);
            }
            let shutdown = &mut self.shutdown;
            let wake = self.next_bookmark.unwrap_or(self.deadline).min(self.deadline);
            let events = tokio::select! {
                biased;
                events = cursor.next(BATCH) => Some(events),
                () = sleep_until(wake) => None,
                // Also when the host is gone without a word.
                () = async { drop(shutdown.wait_for(|ending| *ending).await) } => return Ok(None),
            };
            let events = match events {
                Some(None) => return Ok(None),
                Some(Some(events)) => events.map_err(|error| unreadable(&error))?,
                None if self.next_bookmark.is_none_or(|next| next > Instant::now()) => continue,
                None => {
                    let revision = cursor.progress().max(self.floor);
                    self.schedule_bookmark();
                    return Ok(Some((1, self.encoder.bookmark(revision, false).await.into())));
                }
            };
            let changes = self.select(events).await?;
            if !changes.is_empty() {
                return Ok(Some((changes.len(), self.encoder.changes(&changes).await?)));
            }
        }
    }

    /// A chunk of what was there already, and behind the last one the bookmark.
    async fn initial(&mut self) -> Result<(usize, Vec<u8>), Status> {
        let mut batch = Vec::new();
        let mut size = 0;
        if let Some(present) = &mut self.present {
            while size < CHUNK {
                let Some(document) = present.next() else { break };
                size += document.len();
                batch.push(document);
            }
            if size < CHUNK {
                self.present = None;
            }
        }
        let mut events = batch.len();
        let mut out = if batch.is_empty() { Vec::new() } else { self.encoder.present(batch).await? };
        if self.present.is_none() && self.announce {
            out.extend_from_slice(&self.encoder.bookmark(self.floor, true).await);
            events += 1;
        }
        Ok((events, out))
    }

    /// What events are to this watcher.
    async fn select(&self, mut events: Vec<Arc<Event>>) -> Result<Vec<Change>, Status> {
        events.retain(|event| event.revision() > self.floor && self.in_namespace(event));
        if self.filter.is_empty() {
            return Ok(events.into_iter().map(|event| Change { kind: event.kind.into(), event }).collect());
        }
        // Whether the state before and the state after are selected.
        let mut states: Vec<(bool, bool)> = events
            .iter()
            .map(|event| {
                let before =
                    event.previous.as_ref().is_some_and(|object| self.filter.matches_metadata(object));
                (before, event.kind != EventKind::Deleted && self.filter.matches_metadata(&event.object))
            })
            .collect();
        self.select_content(&events, &mut states).await?;
        let changes = events.into_iter().zip(states).filter_map(|(event, state)| {
            let kind = match (event.kind, state) {
                (EventKind::Deleted, (true, _)) => Kind::Deleted,
                (EventKind::Deleted, (false, _)) | (_, (false, false)) => return None,
                (_, (true, true)) => Kind::Modified,
                (_, (false, true)) => Kind::Added,
                (_, (true, false)) => Kind::Left,
            };
            Some(Change { kind, event })
        });
        Ok(changes.collect())
    }

    /// Narrows `states` by the fields beyond name and namespace.
    async fn select_content(&self, events: &[Arc<Event>], states: &mut [(bool, bool)]) -> Result<(), Status> {
        let mut documents = Vec::new();
        for (event, (before, after)) in events.iter().zip(&*states) {
            if *before {
                documents.extend(event.previous.clone().map(Document::Stored));
            }
            if *after {
                documents.push(Document::Stored(event.object.clone()));
            }
        }
        if self.filter.needs_conversion() {
            document::convert(self.encoder.collection(), self.encoder.transformer(), &mut documents).await?;
        }
        let mut documents = documents.iter();
        for (before, after) in states {
            for state in [before, after] {
                *state =
                    *state && documents.next().is_some_and(|document| self.filter.matches_content(document));
            }
        }
        Ok(())
    }

    fn in_namespace(&self, event: &Event) -> bool {
        self.namespace.as_deref().is_none_or(|namespace| event.object.key().namespace() == Some(namespace))
    }
}
