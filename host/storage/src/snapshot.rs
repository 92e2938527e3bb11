//! The whole state of a store at one revision as a stream of bytes, taken while the store serves.
//!
//! The format is portable between machines and engines. Numbers are little endian.
//!
//! | Part | Content |
//! |---|---|
//! | head | `chainplate snapshot\n`, format (u32, 1), revision (u64), number of objects (u64), CRC-32 of these (u32) |
//! | each object, in the order of their revisions | revision (u64), length (u32), the row as in the embedded store's log, with a CRC-32 of its own |
//! | end | 0 (u64), CRC-32 of everything before (u32) |
//!
//! ```
//! # use chainplate_storage::{EngineOptions, Key, Options, Store, snapshot};
//! # let place = tempfile::tempdir()?;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let store = Store::open(Options::default()).await?;
//! store.create(Key::new("nodes", None, "a"), r#"{"metadata":{"name":"a"}}"#.into(), None).await?;
//! let mut file = Vec::new();
//! store.snapshot().await?.write_to(&mut file)?;
//! let directory = place.path().join("data");
//! assert_eq!(snapshot::restore(file.as_slice(), &directory)?.revision, store.revision());
//! let engine = EngineOptions::Embedded { directory };
//! let copy = Store::open(Options { engine, ..Options::default() }).await?;
//! assert_eq!(copy.count("nodes"), 1);
//! # copy.close().await?; store.close().await?; Ok::<_, Box<dyn std::error::Error>>(()) })?; Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use crate::{
    Error, ListRequest, Object, Result, Revision, Store,
    engine::{record, redb::Redb},
    expiry::wall,
};
use bytes::Bytes;
use std::{
    collections::HashSet,
    io::{ErrorKind, Read, Write},
    path::Path,
    sync::Arc,
};

/// What a snapshot begins with.
const MAGIC: &[u8; 20] = b"chainplate snapshot\n";
/// Version of the stream's format.
const FORMAT: u32 = 1;
/// Bytes of the head: magic, format, revision, number of objects, checksum.
const HEAD: usize = MAGIC.len() + 4 + 8 + 8 + 4;
/// Bytes that are handed out at once, about.
const CHUNK: usize = 64 << 10;
/// How often the state at one revision is asked for, at most: it fails when history ends just there meanwhile.
const ATTEMPTS: usize = 16;

impl Store {
    /// The whole state at the current revision. Takes no longer than lists of all collections; writers are not
    /// disturbed, and later changes do not show.
    ///
    /// # Errors
    /// `Engine` and `Closed` as [`Store::refresh`]; `Snapshot` if history is so short that no state holds still.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        self.refresh().await?;
        let mut last = None;
        for _ in 0..ATTEMPTS {
            match self.state() {
                Ok((revision, objects)) => return Ok(Snapshot::new(revision, objects)),
                Err(error @ Error::Compacted { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        let why = last.map(|error| error.to_string()).unwrap_or_default();
        Err(Error::Snapshot(format!("the state at one revision cannot be had: {why}; try again")))
    }

    fn state(&self) -> Result<(Revision, Vec<Arc<Object>>)> {
        // The revision first: what a collection has that is made after this, is later.
        let revision = self.revision();
        let mut objects = Vec::new();
        for (prefix, _) in self.collections() {
            let request = ListRequest { prefix: &prefix, at: Some(revision), ..ListRequest::default() };
            objects.extend(self.list(&request)?.objects);
        }
        objects.sort_unstable_by_key(|object| object.revision());
        Ok((revision, objects))
    }
}

/// A state to be written out. As an iterator it yields the stream in pieces of about 64 KiB, for asynchronous sinks.
#[derive(Debug)]
pub struct Snapshot {
    revision: Revision,
    objects: Vec<Arc<Object>>,
    /// The next object; `None` when the end was given out.
    next: Option<usize>,
    hasher: crc32fast::Hasher,
    at: u64,
}

impl Snapshot {
    fn new(revision: Revision, objects: Vec<Arc<Object>>) -> Self {
        Self { revision, objects, next: Some(0), hasher: crc32fast::Hasher::new(), at: wall() }
    }

    /// The revision of the state.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The objects, in the order of their revisions.
    pub fn objects(&self) -> &[Arc<Object>] {
        &self.objects
    }

    /// Writes the stream. The caller makes it durable.
    ///
    /// # Errors
    /// `Snapshot` with the sink's error.
    pub fn write_to(self, sink: &mut impl Write) -> Result<()> {
        for chunk in self {
            sink.write_all(&chunk?).map_err(|error| {
                Error::Snapshot(format!("it cannot be written: {error}; check free space"))
            })?;
        }
        Ok(())
    }

    fn head(&self) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&FORMAT.to_le_bytes());
        head.extend_from_slice(&self.revision.to_le_bytes());
        head.extend_from_slice(&(self.objects.len() as u64).to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&head).to_le_bytes());
        head
    }
}

impl Iterator for Snapshot {
    type Item = Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = self.next?;
        let mut chunk = if first == 0 { self.head() } else { Vec::with_capacity(CHUNK) };
        let (mut key, mut row) = (String::new(), Vec::new());
        let mut next = first;
        while let Some(object) = self.objects.get(next).filter(|_| chunk.len() < CHUNK) {
            if let Err(failure) = record::encode_object(object, false, 0, self.at, &mut key, &mut row) {
                self.next = None;
                return Some(Err(Error::Snapshot(failure)));
            }
            chunk.extend_from_slice(&object.revision().to_le_bytes());
            // Objects are far below 4 GiB.
            chunk.extend_from_slice(&(row.len() as u32).to_le_bytes());
            chunk.extend_from_slice(&row);
            next += 1;
        }
        self.next = Some(next);
        self.hasher.update(&chunk);
        if next == self.objects.len() {
            self.next = None;
            self.hasher.update(&[0; 8]);
            chunk.extend_from_slice(&[0; 8]);
            chunk.extend_from_slice(&self.hasher.clone().finalize().to_le_bytes());
        }
        Some(Ok(chunk.into()))
    }
}

/// A stream that is read: an iterator over its objects, in the order of their revisions. Only when it has ended
/// without an error was the snapshot complete.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    hasher: crc32fast::Hasher,
    prefixes: HashSet<Arc<str>>,
    revision: Revision,
    objects: u64,
    seen: u64,
    last: Revision,
    done: bool,
}

/// Begins to read a snapshot.
///
/// # Errors
/// `Snapshot` when it does not begin like one, or is of another format.
pub fn read<R: Read>(source: R) -> Result<Reader<R>> {
    let mut reader = Reader {
        source,
        hasher: crc32fast::Hasher::new(),
        prefixes: HashSet::new(),
        revision: 0,
        objects: 0,
        seen: 0,
        last: 0,
        done: false,
    };
    reader.head().map_err(Error::Snapshot)?;
    Ok(reader)
}

impl<R: Read> Reader<R> {
    /// The revision of the state.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// How many objects there are.
    pub fn objects(&self) -> u64 {
        self.objects
    }

    fn head(&mut self) -> Result<(), String> {
        let head = self.take::<HEAD>()?;
        let (head, sum) = head.split_at(HEAD - 4);
        let mut rest = head.strip_prefix(MAGIC).ok_or("it does not begin like one; check the file")?;
        if crc32fast::hash(head).to_le_bytes() != *sum {
            return Err("its head is damaged; use another one".to_owned());
        }
        let mut number = |length: usize| {
            let (bytes, after) = rest.split_at(length);
            rest = after;
            bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let format = number(4);
        if format != u64::from(FORMAT) {
            return Err(format!(
                "it has format {format}, this program reads {FORMAT}; use the release that wrote it"
            ));
        }
        (self.revision, self.objects) = (number(8), number(8));
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(|error| broken(&error))?;
        self.hasher.update(&bytes);
        Ok(bytes)
    }

    fn object(&mut self) -> Result<Option<Object>, String> {
        let revision = u64::from_le_bytes(self.take()?);
        let sum = self.hasher.clone().finalize();
        let number = u32::from_le_bytes(self.take()?);
        if revision == 0 {
            if number != sum || self.seen != self.objects {
                return Err("its end does not fit its content; use another one".to_owned());
            }
            return Ok(None);
        }
        let mut row = Vec::new();
        let read = self.source.by_ref().take(u64::from(number)).read_to_end(&mut row);
        if read.map_err(|error| broken(&error))? < number as usize {
            return Err(broken(&ErrorKind::UnexpectedEof.into()));
        }
        self.hasher.update(&row);
        let row = record::decode(revision, &row, &mut self.prefixes)?;
        if revision <= self.last || revision > self.revision {
            return Err(format!("revision {revision} stands at the wrong place; use another one"));
        }
        self.last = revision;
        self.seen += 1;
        row.object.map(Some).ok_or_else(|| format!("revision {revision} is not an object; use another one"))
    }
}

fn broken(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => {
            "it ends too early: it was not written to its end; use another one".to_owned()
        }
        _ => format!("it cannot be read: {error}"),
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Object>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.object().map_err(Error::Snapshot).transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The revision from which the store goes on.
    pub revision: Revision,
    /// How many objects it has.
    pub objects: u64,
}

/// Makes an embedded store out of a snapshot, at the snapshot's revision. There is no history: watches and lists
/// from before are refused as compacted. What has expired since is deleted when the store is opened.
///
/// # Errors
/// `Snapshot` when the stream is damaged or incomplete; `Engine` when the directory has a store already or
/// cannot be written. No store is left then.
pub fn restore(source: impl Read, directory: &Path) -> Result<Restored> {
    let mut reader = read(source)?;
    let (revision, mut fault) = (reader.revision(), None);
    let objects = reader.by_ref().map(|object| {
        object.map_err(|error| {
            let text = error.to_string();
            fault = Some(error);
            text
        })
    });
    let restored = Redb::restore(directory, revision, wall(), objects);
    match (restored, fault) {
        (_, Some(fault)) => Err(fault),
        (Err(failure), None) => Err(Error::Engine(failure)),
        (Ok(objects), None) => Ok(Restored { revision, objects }),
    }
}
