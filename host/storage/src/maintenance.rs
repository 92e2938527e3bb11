//! Work on embedded stores that are not open: verifying them, and making their files small.

use crate::{
    Error, Options, Result, Revision,
    collection::Bounds,
    engine::{
        Batch, Engine, Failure, Trim,
        redb::{FILE, Redb},
    },
    expiry::wall,
    replay::{Replay, Replayed},
};
use std::{collections::BTreeMap, path::Path};

/// What a check has found in a sound store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The store's revision.
    pub revision: Revision,
    /// How many objects each collection has; those without are not named.
    pub objects: BTreeMap<String, usize>,
    /// Changes in the log, deletions included.
    pub rows: u64,
    /// How many of these neither the state nor a history within the default bounds needs; the server removes them
    /// little by little, [`compact`] at once.
    pub dead_rows: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// The file was not closed in order, and was repaired. Nothing that was acknowledged is lost by that.
    pub repaired: bool,
}

/// Whether a process uses the store of a directory.
pub fn in_use(directory: &Path) -> bool {
    Redb::in_use(directory)
}

/// Reads and verifies everything in the store of a directory.
///
/// # Errors
/// `Engine` when there is none, a process uses it, or it is damaged; the text says what and the next step.
pub fn check(directory: &Path) -> Result<Report> {
    verify(directory).map_err(Error::Engine)
}

fn verify(directory: &Path) -> Result<Report, Failure> {
    let mut engine = Redb::open_existing(directory)?;
    let repaired = !engine.verify()? || engine.repaired();
    let (revision, replayed) = load(&mut engine)?;
    engine.close()?;
    let objects =
        replayed.collections.iter().map(|collection| (collection.prefix.to_string(), collection.count()));
    Ok(Report {
        revision,
        objects: objects.filter(|(_, count)| *count > 0).collect(),
        rows: replayed.rows,
        dead_rows: replayed.retired.iter().map(|retired| retired.rows().count() as u64).sum(),
        file_bytes: file_bytes(directory)?,
        repaired,
    })
}

/// What a compaction has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Bytes of the file before.
    pub before: u64,
    /// Bytes of the file now.
    pub after: u64,
    /// Rows that were removed.
    pub rows: u64,
}

/// Removes what neither the state nor a history within the default bounds needs from the store of a directory, and
/// makes its file as small as it can be.
///
/// # Errors
/// `Engine` as [`check`].
pub fn compact(directory: &Path) -> Result<Compacted> {
    shrink(directory).map_err(Error::Engine)
}

fn shrink(directory: &Path) -> Result<Compacted, Failure> {
    let mut engine = Redb::open_existing(directory)?;
    let before = file_bytes(directory)?;
    let (revision, replayed) = load(&mut engine)?;
    let trim = Trim {
        rows: replayed.retired.iter().flat_map(|retired| retired.rows()).collect(),
        horizons: replayed
            .collections
            .iter()
            .map(|collection| (collection.prefix.clone(), collection.horizon()))
            .collect(),
        floor: 0,
    };
    if !trim.is_empty() {
        engine.commit(Batch { revision, at: replayed.now, changes: &[], trim: &trim })?;
    }
    engine.shrink()?;
    engine.close()?;
    Ok(Compacted { before, after: file_bytes(directory)?, rows: trim.rows.len() as u64 })
}

fn load(engine: &mut Redb) -> Result<(Revision, Replayed), Failure> {
    let mut replay = Replay::new(Bounds::of(&Options::default()), wall());
    let revision = engine.load(&mut replay)?;
    Ok((revision, replay.finish()))
}

fn file_bytes(directory: &Path) -> Result<u64, Failure> {
    let file = directory.join(FILE);
    file.metadata()
        .map(|metadata| metadata.len())
        .map_err(|error| format!("cannot read {}: {error}; check its permissions", file.display()))
}
