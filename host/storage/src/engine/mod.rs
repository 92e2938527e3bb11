//! What makes writes durable. Only the writer thread calls an engine; what is read comes from memory.

pub(crate) mod memory;
mod record;
pub(crate) mod redb;

use crate::{Event, Object, Revision};

/// Why an engine failed, for people, with the next step where there is one.
pub(crate) type Failure = String;

/// Changes that become durable together or not at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// The store's revision afterwards.
    pub(crate) revision: Revision,
    /// In the order of their revisions; may be empty.
    pub(crate) changes: &'a [std::sync::Arc<Event>],
}

/// A place that survives the process, or pretends to.
pub(crate) trait Engine: Send {
    /// Hands out every stored object and returns the last revision that was committed, at least 1. Called once,
    /// first.
    fn load(&mut self, visit: &mut dyn FnMut(Object)) -> Result<Revision, Failure>;
    /// Makes a batch durable. After a failure the batch may or may not be durable; `recover` tells.
    fn commit(&mut self, batch: Batch<'_>) -> Result<(), Failure>;
    /// Makes the engine usable after a failure and returns the last revision that is durable.
    fn recover(&mut self) -> Result<Revision, Failure>;
    /// Gives everything back that others may want to use.
    fn close(&mut self) -> Result<(), Failure>;
}
