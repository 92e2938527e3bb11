//! An engine that keeps nothing: the store's own memory is all there is.

use super::{Batch, Engine, Failure};
use crate::{FIRST_REVISION, Revision, replay::Replay};

/// Accepts everything.
#[derive(Debug)]
pub(crate) struct Memory {
    revision: Revision,
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self { revision: FIRST_REVISION }
    }
}

impl Engine for Memory {
    fn load(&mut self, _replay: &mut Replay) -> Result<Revision, Failure> {
        Ok(self.revision)
    }

    fn keeps_log(&self) -> bool {
        false
    }

    fn commit(&mut self, batch: Batch<'_>) -> Result<(), Failure> {
        self.revision = batch.revision;
        Ok(())
    }

    fn recover(&mut self) -> Result<Revision, Failure> {
        Ok(self.revision)
    }

    fn close(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}
