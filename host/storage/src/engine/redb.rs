//! The embedded engine: one redb file, one transaction with fsync for each batch.

use super::{Batch, Engine, Failure, record};
use crate::{EventKind, FIRST_REVISION, Object, Revision};
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError, TableDefinition,
    TableError,
};
use std::{
    collections::HashSet,
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

const OBJECTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("objects");
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const META_FORMAT: &str = "format";
const META_REVISION: &str = "revision";

/// The file in the data directory.
const FILE: &str = "store.redb";
/// Locked while a process uses the directory; redb's own lock is released for a moment by `recover`.
const LOCK: &str = "lock";
/// Reads come from the store's memory: the cache only serves the inner pages of the tree on writes.
const CACHE_BYTES: usize = 4 << 20;

/// A store in a file.
#[derive(Debug)]
pub(crate) struct Redb {
    file: PathBuf,
    database: Option<Database>,
    /// Held, never read.
    _lock: File,
}

impl Redb {
    /// Opens the store in `directory`, which is made if it is not there.
    pub(crate) fn open(directory: &Path) -> Result<Self, Failure> {
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
        let file = directory.join(FILE);
        let database = open_database(&file)?;
        // The new file's name must be as durable as what is written into it.
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| cannot("cannot sync", &error))?;
        Ok(Self { file, database: Some(database), _lock: lock })
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

impl Engine for Redb {
    fn load(&mut self, visit: &mut dyn FnMut(Object)) -> Result<Revision, Failure> {
        self.guarded(|database| {
            let damaged = |error: &dyn std::fmt::Display| damaged(&self.file, error);
            let transaction = database.begin_read().map_err(|error| damaged(&error))?;
            let meta = match transaction.open_table(META) {
                Ok(meta) => meta,
                Err(TableError::TableDoesNotExist(_)) => return Ok(FIRST_REVISION),
                Err(error) => return Err(damaged(&error)),
            };
            let number = |name: &str| match meta.get(name) {
                Ok(Some(number)) => Ok(number.value()),
                Ok(None) => Err(damaged(&format!("it has no {name}"))),
                Err(error) => Err(damaged(&error)),
            };
            let format = number(META_FORMAT)?;
            if format != record::FORMAT {
                let file = self.file.display();
                let ours = record::FORMAT;
                return Err(format!(
                    "{file} has format {format}, this program has {ours}; use the release that wrote it"
                ));
            }
            let revision = number(META_REVISION)?;
            let objects = transaction.open_table(OBJECTS).map_err(|error| damaged(&error))?;
            let mut prefixes = HashSet::new();
            for entry in objects.iter().map_err(|error| damaged(&error))? {
                let (key, value) = entry.map_err(|error| damaged(&error))?;
                let object = record::decode(key.value(), value.value(), &mut prefixes)
                    .map_err(|error| damaged(&error))?;
                if object.revision() > revision {
                    return Err(damaged(&format!("{} is newer than the store", object.key())));
                }
                visit(object);
            }
            Ok(revision)
        })
    }

    fn commit(&mut self, batch: Batch<'_>) -> Result<(), Failure> {
        self.guarded(|database| write(database, batch).map_err(|error| self.failed(&error)))
    }

    fn recover(&mut self) -> Result<Revision, Failure> {
        // After an I/O error redb refuses everything until the file is opened anew.
        let database = self.database.take();
        catch_unwind(AssertUnwindSafe(|| drop(database))).unwrap_or_default();
        self.database = Some(open_database(&self.file)?);
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

fn open_database(file: &Path) -> Result<Database, Failure> {
    let handle = private()
        .open(file)
        .map_err(|error| format!("cannot open {}: {error}; check its permissions", file.display()))?;
    let opened = catch_unwind(AssertUnwindSafe(|| {
        Builder::new()
            .set_cache_size(CACHE_BYTES)
            .set_repair_callback(|repair| tracing::info!(progress = repair.progress(), "repairing the store"))
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

/// Commits in one phase, with one fsync. Quick repair would save the walk over the tree after a crash (1.8 ms for
/// each MB, while loading takes as long anyway) and cost a second fsync in each commit, which is 1.7 × the
/// latency; and the walk verifies every page.
fn write(database: &Database, batch: Batch<'_>) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut objects = transaction.open_table(OBJECTS)?;
        let (mut key, mut value) = (String::new(), Vec::new());
        for event in batch.changes {
            match event.kind {
                EventKind::Added | EventKind::Modified => {
                    record::encode(&event.object, &mut key, &mut value)
                        .map_err(|error| redb::Error::Io(std::io::Error::other(error)))?;
                    objects.insert(key.as_str(), value.as_slice())?;
                }
                EventKind::Deleted => {
                    record::encode_key(event.object.key(), &mut key);
                    objects.remove(key.as_str())?;
                }
            }
        }
        let mut meta = transaction.open_table(META)?;
        meta.insert(META_FORMAT, record::FORMAT)?;
        meta.insert(META_REVISION, batch.revision)?;
    }
    transaction.commit()?;
    Ok(())
}

fn durable_revision(database: &Database) -> Result<Revision, redb::Error> {
    let transaction = database.begin_read()?;
    match transaction.open_table(META) {
        Ok(meta) => Ok(meta.get(META_REVISION)?.map_or(FIRST_REVISION, |revision| revision.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(FIRST_REVISION),
        Err(error) => Err(error.into()),
    }
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
