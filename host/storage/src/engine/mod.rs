//! What makes writes durable. Only the writer thread calls an engine; what is read comes from memory.

pub(crate) mod memory;
pub(crate) mod record;
pub(crate) mod redb;

use crate::{Event, Revision, replay::Replay};
use std::sync::Arc;

/// Why an engine failed, for people, with the next step where there is one.
pub(crate) type Failure = String;

/// Changes that become durable together or not at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The store's revision afterwards.
    pub(crate) revision: Revision,
    /// When, on the clock of the history (`Shared::now`).
    pub(crate) at: u64,
    /// In the order of their revisions; may be empty.
    pub(crate) changes: &'a [Arc<Event>],
    /// What the log need not keep any more.
    pub(crate) trim: &'a Trim,
}

/// What leaves the log.
#[derive(Debug, Default)]
pub(crate) struct Trim {
    /// Rows that nothing refers to any more. A deletion goes together with the state that it ended.
    pub(crate) rows: Vec<Revision>,
    /// Where the history of the collections of these rows begins now.
    pub(crate) horizons: Vec<(Arc<str>, Revision)>,
    /// Where the history of all collections begins at the earliest; 0: as before.
    pub(crate) floor: Revision,
}

impl Trim {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.floor == 0
    }
}

/// A place that survives the process, or pretends to.
pub(crate) trait Engine: Send {
    /// Has the log replayed and returns the last revision that was committed, at least 1. Called once, first.
    fn load(&mut self, replay: &mut Replay) -> Result<Revision, Failure>;
    /// Whether there is a log that has to be trimmed.
    fn keeps_log(&self) -> bool;
    /// Makes a batch durable. After a failure the batch may or may not be durable; `recover` tells.
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), Failure>;
    /// Makes the engine usable after a failure and returns the last revision that is durable.
    fn recover(&mut self) -> Result<Revision, Failure>;
    /// Gives everything back that others may want to use.
    fn close(&mut self) -> Result<(), Failure>;
}
