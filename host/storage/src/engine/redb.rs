//! The embedded engine: one redb file, one transaction with fsync for each batch.

use super::{Batch, Engine, Failure, record};
use crate::{FIRST_REVISION, Object, Revision, replay::Replay};
use redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable,
    ReadableTableMetadata, StorageError, TableDefinition, TableError,
};
use std::{
    collections::{HashMap, HashSet},
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Every change by its revision: all there is of the objects. New rows come at the end; rows leave when neither the
/// current state nor the history needs them.
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// Numbers with a checksum.
const MARKS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("marks");
/// The store's revision when rows were removed last; that of the last row counts if it is later.
const MARK_REVISION: &str = "revision";
/// Where the history of all collections begins at the earliest.
const MARK_FLOOR: &str = "floor";
/// Followed by a prefix: where the history of that collection begins.
const MARK_HISTORY: &str = "history/";
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";

/// The file in the data directory.
pub(crate) const FILE: &str = "store.redb";
/// The same while a snapshot is restored.
const RESTORING: &str = "restoring.redb";
/// Locked while a process uses the directory; redb's own lock is released for a moment by `recover`.
const LOCK: &str = "lock";
/// Reads come from the store's memory: the cache only serves the inner pages of the tree on writes.
const CACHE_BYTES: usize = 4 << 20;

/// A store in a file.
#[derive(Debug)]
pub(crate) struct Redb {
    file: PathBuf,
    database: Option<Database>,
    /// Nothing was ever committed.
    fresh: bool,
    /// The file was not closed in order.
    repaired: bool,
    /// Held, never read.
    _lock: File,
}

impl Redb {
    /// Opens the store in `directory`, which is made if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
        if directory.join(RESTORING).exists() {
            let directory = directory.display();
            return Err(format!(
                "a snapshot was not restored to its end in {directory}; empty the directory and restore it again"
            ));
        }
        Self::open_file(directory, FILE)
    }

    fn open_file(directory: &Path, file: &str) -> Result<Self, Failure> {
        let cannot = |what: &str, error: &dyn std::fmt::Display| {
            format!("{what} {}: {error}; check the path and its permissions", directory.display())
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| cannot("cannot make the data directory", &error))?;
        let lock = private().open(directory.join(LOCK)).map_err(|error| cannot("cannot write in", &error))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => in_use(directory),
            TryLockError::Error(error) => cannot("cannot lock", &error),
        })?;
        let file = directory.join(file);
        let repaired = Arc::new(AtomicBool::new(false));
        let database = open_database(&file, &repaired)?;
        let repaired = repaired.load(Ordering::Relaxed);
        // The new file's name must be as durable as what is written into it.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| cannot("cannot sync", &error))?;
        Ok(Self { file, database: Some(database), fresh: false, repaired, _lock: lock })
    }

    fn database(&self) -> Result<&Database, Failure> {
        self.database.as_ref().ok_or_else(|| format!("{} is not open", self.file.display()))
    }

    /// Runs `work`, which may hit an assertion in redb when the file is damaged.
    fn guarded<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        let database = self.database()?;
        catch_unwind(AssertUnwindSafe(|| work(database)))
            .unwrap_or_else(|_| Err(damaged(&self.file, &"see the log")))
    }

    fn failed(&self, error: &dyn std::fmt::Display) -> Failure {
        format!("{}: {error}; check free space and permissions", self.file.display())
    }
}

/// What only closed stores need; see `crate::maintenance`.
impl Redb {
    /// Whether a process uses the store in `directory`.
    pub(crate) fn in_use(directory: &Path) -> bool {
        let lock = File::open(directory.join(LOCK));
        lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Opens the store in `directory` if there is one.
    pub(crate) fn open_existing(directory: &Path) -> Result<Self, Failure> {
        let file = directory.join(FILE);
        match file.metadata() {
            Ok(_) => Self::open(directory),
            Err(error) => Err(format!("there is no store in {}: {error}", directory.display())),
        }
    }

    /// Makes a store of `objects` at `revision`, without any history. When that fails, nothing is left.
    pub(crate) fn restore(
        directory: &Path,
        revision: Revision,
        at: u64,
        objects: impl Iterator<Item = Result<Object, Failure>>,
    ) -> Result<u64, Failure> {
        let cannot = |error| {
            format!("cannot use {}: {error}; check the path and its permissions", directory.display())
        };
        // Certificates and the like may be there already.
        if directory.join(FILE).try_exists().map_err(cannot)? {
            let directory = directory.display();
            return Err(format!(
                "there is a store in {directory} already; restore into another directory, or move {FILE} away"
            ));
        }
        match std::fs::remove_file(directory.join(RESTORING)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(cannot(error)),
            Ok(()) | Err(_) => {}
        }
        let mut engine = Self::open_file(directory, RESTORING)?;
        let file = engine.file.clone();
        let filled = engine.guarded(|database| {
            fill(database, revision, at, objects).map_err(|error| match error {
                Ok(error) => engine.failed(&error),
                Err(failure) => failure,
            })
        });
        let filled = filled.and_then(|count| engine.close().map(|()| count)).and_then(|count| {
            std::fs::rename(&file, directory.join(FILE))
                .and_then(|()| File::open(directory)?.sync_all())
                .map_err(cannot)?;
            Ok(count)
        });
        if filled.is_err() {
            // What cannot be removed is refused by name when it is opened.
            let _ = engine.close();
            let _ = std::fs::remove_file(&file);
            let _ = std::fs::remove_file(directory.join(LOCK));
        }
        filled
    }

    /// Whether the file was not closed in order.
    pub(crate) fn repaired(&self) -> bool {
        self.repaired
    }

    /// Verifies every page of the file. `false`: it was repaired.
    pub(crate) fn verify(&mut self) -> Result<bool, Failure> {
        let file = self.file.clone();
        let Some(database) = &mut self.database else {
            return Err(format!("{} is not open", file.display()));
        };
        match catch_unwind(AssertUnwindSafe(|| database.check_integrity())) {
            Ok(Ok(clean)) => Ok(clean),
            Ok(Err(error)) => Err(damaged(&file, &error)),
            Err(_) => Err(damaged(&file, &"see the log")),
        }
    }

    /// Gives the free pages of the file back.
    pub(crate) fn shrink(&mut self) -> Result<(), Failure> {
        let file = self.file.clone();
        let Some(database) = &mut self.database else {
            return Err(format!("{} is not open", file.display()));
        };
        match catch_unwind(AssertUnwindSafe(|| database.compact())) {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(damaged(&file, &"see the log")),
        }
    }
}

impl Engine for Redb {
    fn load(&mut self, replay: &mut Replay) -> Result<Revision, Failure> {
        let revision = self.guarded(|database| {
            let transaction = database.begin_read().map_err(|error| damaged(&self.file, &error))?;
            load(&transaction, &self.file, replay)
        })?;
        self.fresh = revision.is_none();
        Ok(revision.unwrap_or(FIRST_REVISION))
    }

    fn keeps_log(&self) -> bool {
        true
    }

    fn commit(&mut self, batch: Batch<'_>) -> Result<(), Failure> {
        let fresh = self.fresh;
        self.guarded(|database| write(database, batch, fresh).map_err(|error| self.failed(&error)))?;
        self.fresh = false;
        Ok(())
    }

    fn recover(&mut self) -> Result<Revision, Failure> {
        // After an I/O error redb refuses everything until the file is opened anew.
        let database = self.database.take();
        catch_unwind(AssertUnwindSafe(|| drop(database))).unwrap_or_default();
        self.database = Some(open_database(&self.file, &Arc::default())?);
        self.guarded(|database| durable_revision(database).map_err(|error| self.failed(&error)))
    }

    fn close(&mut self) -> Result<(), Failure> {
        let database = self.database.take();
        catch_unwind(AssertUnwindSafe(|| drop(database))).map_err(|_| self.failed(&"closing it failed"))
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// `repaired` is set if it was not closed in order.
fn open_database(file: &Path, repaired: &Arc<AtomicBool>) -> Result<Database, Failure> {
    let handle = private()
        .open(file)
        .map_err(|error| format!("cannot open {}: {error}; check its permissions", file.display()))?;
    let repaired = repaired.clone();
    let opened = catch_unwind(AssertUnwindSafe(|| {
        Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_repair_callback(move |repair| {
                repaired.store(true, Ordering::Relaxed);
                tracing::info!(progress = repair.progress(), "repairing the store");
            })
            .create_file(handle)
    }));
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(DatabaseError::DatabaseAlreadyOpen)) => Err(in_use(file)),
        Ok(Err(DatabaseError::UpgradeRequired(version))) => Err(format!(
            "{} has the file format {version} of an older engine; use the release that wrote it",
            file.display()
        )),
        Ok(Err(DatabaseError::Storage(StorageError::Io(error))))
            if error.kind() != std::io::ErrorKind::InvalidData
                && error.kind() != std::io::ErrorKind::UnexpectedEof =>
        {
            Err(format!("cannot open {}: {error}; check free space and permissions", file.display()))
        }
        Ok(Err(error)) => Err(damaged(file, &error)),
        Err(_) => Err(damaged(file, &"see the log")),
    }
}

/// Replays the log. `None`: there is none yet.
fn load(
    transaction: &ReadTransaction,
    file: &Path,
    replay: &mut Replay,
) -> Result<Option<Revision>, Failure> {
    let damaged = |error: &dyn std::fmt::Display| damaged(file, error);
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(damaged(&error)),
    };
    match meta.get(META_FORMAT).map_err(|error| damaged(&error))?.map(|format| format.value()) {
        Some(record::FORMAT) => {}
        Some(format) => {
            let (file, ours) = (file.display(), record::FORMAT);
            return Err(format!(
                "{file} has format {format}, this program has {ours}; use the release that wrote it"
            ));
        }
        None => return Err(damaged(&"it has no format")),
    }
    let marks = transaction.open_table(MARKS).map_err(|error| damaged(&error))?;
    let (mut revision, mut floor, mut horizons) = (None, 0, HashMap::new());
    for entry in marks.iter().map_err(|error| damaged(&error))? {
        let (name, value) = entry.map_err(|error| damaged(&error))?;
        let name = name.value();
        let number = record::decode_mark(name, value.value())
            .ok_or_else(|| damaged(&format!("the checksum of its mark {name} is wrong")))?;
        match name.strip_prefix(MARK_HISTORY) {
            Some(prefix) => drop(horizons.insert(prefix.to_owned(), number)),
            None if name == MARK_REVISION => revision = Some(number),
            None if name == MARK_FLOOR => floor = number,
            None => return Err(damaged(&format!("it has an unknown mark {name}"))),
        }
    }
    let marked = revision.ok_or_else(|| damaged(&"it has no revision"))?;
    let log = transaction.open_table(LOG).map_err(|error| damaged(&error))?;
    let mut prefixes = HashSet::new();
    let last = match log.last().map_err(|error| damaged(&error))? {
        Some((revision, value)) => Some(
            record::decode(revision.value(), value.value(), &mut prefixes)
                .map_err(|error| damaged(&error))?,
        ),
        None => None,
    };
    let (last_at, last_revision) = last.map_or((0, 0), |row| (row.at, row.revision));
    replay.begin(last_at, floor, horizons);
    let mut seen = 0;
    let mut rows = 0;
    for entry in log.iter().map_err(|error| damaged(&error))? {
        let (revision, value) = entry.map_err(|error| damaged(&error))?;
        let row = record::decode(revision.value(), value.value(), &mut prefixes)
            .map_err(|error| damaged(&error))?;
        if row.revision <= seen {
            return Err(damaged(&format!("revision {} stands after {seen}", row.revision)));
        }
        seen = row.revision;
        rows += 1;
        replay.row(row).map_err(|error| damaged(&error))?;
    }
    let stated = log.len().map_err(|error| damaged(&error))?;
    if (seen, rows) != (last_revision, stated) {
        return Err(damaged(&format!("its log has {rows} rows instead of {stated}")));
    }
    Ok(Some(marked.max(seen)))
}

/// Commits in one phase, with one fsync. Quick repair would save the walk over the tree after a crash (1.8 ms for
/// each MB, while loading takes as long anyway) and cost a second fsync in each commit, which is 1.7 × the
/// latency; and the walk verifies every page.
fn write(database: &Database, batch: Batch<'_>, fresh: bool) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut log = transaction.open_table(LOG)?;
        let (mut key, mut value) = (String::new(), Vec::new());
        for event in batch.changes {
            record::encode(event, batch.at, &mut key, &mut value)
                .map_err(|error| redb::Error::Io(std::io::Error::other(error)))?;
            log.insert(event.revision(), value.as_slice())?;
        }
        for row in &batch.trim.rows {
            log.remove(row)?;
        }
        if fresh {
            transaction.open_table(META)?.insert(META_FORMAT, record::FORMAT)?;
        }
        // Without changes no row tells the revision.
        if fresh || !batch.trim.is_empty() || batch.changes.is_empty() {
            let mut marks = transaction.open_table(MARKS)?;
            let mut mark = |name: &str, number| {
                marks.insert(name, record::encode_mark(name, number).as_slice()).map(drop)
            };
            mark(MARK_REVISION, batch.revision)?;
            if batch.trim.floor > 0 {
                mark(MARK_FLOOR, batch.trim.floor)?;
            }
            for (prefix, horizon) in &batch.trim.horizons {
                mark(&[MARK_HISTORY, prefix].concat(), *horizon)?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Everything in one transaction: a torn restore is none.
fn fill(
    database: &Database,
    revision: Revision,
    at: u64,
    objects: impl Iterator<Item = Result<Object, Failure>>,
) -> Result<u64, Result<redb::Error, Failure>> {
    let broken = |error: redb::Error| Ok(error);
    let transaction = database.begin_write().map_err(|error| broken(error.into()))?;
    let mut count = 0;
    {
        let mut log = transaction.open_table(LOG).map_err(|error| broken(error.into()))?;
        let (mut key, mut value) = (String::new(), Vec::new());
        for object in objects {
            let object = object.map_err(Err)?;
            record::encode_object(&object, false, 0, at, &mut key, &mut value).map_err(Err)?;
            log.insert(object.revision(), value.as_slice()).map_err(|error| broken(error.into()))?;
            count += 1;
        }
    }
    let finish = || -> Result<(), redb::Error> {
        transaction.open_table(META)?.insert(META_FORMAT, record::FORMAT)?;
        let mut marks = transaction.open_table(MARKS)?;
        for name in [MARK_REVISION, MARK_FLOOR] {
            marks.insert(name, record::encode_mark(name, revision).as_slice())?;
        }
        drop(marks);
        transaction.commit()?;
        Ok(())
    };
    finish().map_err(broken)?;
    Ok(count)
}

fn durable_revision(database: &Database) -> Result<Revision, redb::Error> {
    let transaction = database.begin_read()?;
    let last = match transaction.open_table(LOG) {
        Ok(log) => log.last()?.map_or(0, |(revision, _)| revision.value()),
        Err(TableError::TableDoesNotExist(_)) => return Ok(FIRST_REVISION),
        Err(error) => return Err(error.into()),
    };
    let marks = transaction.open_table(MARKS)?;
    let marked = marks.get(MARK_REVISION)?;
    let marked = marked.and_then(|mark| record::decode_mark(MARK_REVISION, mark.value()));
    marked.map(|marked| marked.max(last)).ok_or_else(|| redb::Error::Corrupted("no revision".to_owned()))
}

fn in_use(place: &Path) -> Failure {
    format!("{} is in use by another process; stop it or use another data directory", place.display())
}

fn damaged(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    format!(
        "{} is damaged or not a store: {error}; restore it from a snapshot, or move it away to start empty",
        file.display()
    )
}
