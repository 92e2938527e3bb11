//! The bytes of one row of the log: bincode 2, standard configuration (little endian, variable integers), and a
//! checksum. A change here needs a new [`FORMAT`].

use super::Failure;
use crate::{Event, EventKind, Key, Object, Revision, object::Parts};
use bincode::{BorrowDecode, Encode, config};
use bytes::Bytes;
use std::{collections::HashSet, sync::Arc};

/// Version of the format of the tables and their rows, kept in the store. 1 had the current objects by key and no
/// history.
pub(crate) const FORMAT: u64 = 2;
/// What all keys start with, as upstream's (`--etcd-prefix`).
const ROOT: &str = "/registry/";
/// Bytes of the checksum at the end of a row.
const CHECKSUM: usize = 4;

/// What happened at a revision. Of a deletion only the first five members are used: its object is the last state.
#[derive(Encode, BorrowDecode)]
struct Record<'a> {
    deleted: bool,
    /// Where the object stands.
    key: &'a str,
    /// Length of the key's prefix: prefixes may contain slashes, so the key alone does not tell.
    prefix: u32,
    /// The row that this one replaces; 0 if there was no object.
    previous: u64,
    /// Milliseconds on the clock of the history.
    at: u64,
    create_revision: u64,
    /// Milliseconds since 1970; 0 for never.
    expires: u64,
    member: u32,
    open: u32,
    end: u32,
    /// The document with its resourceVersion, ready to be served.
    json: &'a [u8],
}

/// A row as it is replayed.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) revision: Revision,
    /// The row that this one replaces; 0 if there was no object.
    pub(crate) previous: Revision,
    /// When, on the clock of the history.
    pub(crate) at: u64,
    /// The new state; `None` of a deletion.
    pub(crate) object: Option<Object>,
}

/// Writes the row of a change into the buffers, which are cleared first.
pub(crate) fn encode(event: &Event, at: u64, key: &mut String, out: &mut Vec<u8>) -> Result<(), Failure> {
    let object = &event.object;
    let deleted = event.kind == EventKind::Deleted;
    let previous = event.previous.as_ref().map_or(0, |previous| previous.revision());
    encode_object(object, deleted, previous, at, key, out)
}

/// Writes the row of an object into the buffers, which are cleared first.
pub(crate) fn encode_object(
    object: &Object,
    deleted: bool,
    previous: Revision,
    at: u64,
    key: &mut String,
    out: &mut Vec<u8>,
) -> Result<(), Failure> {
    let Key { prefix, path } = object.key();
    key.clear();
    for part in [ROOT, prefix, "/", path] {
        key.push_str(part);
    }
    out.clear();
    let prefix = prefix.len() as u32;
    let record = if deleted {
        Record {
            deleted,
            key,
            prefix,
            previous,
            at,
            create_revision: 0,
            expires: 0,
            member: 0,
            open: 0,
            end: 0,
            json: &[],
        }
    } else {
        let Parts { create_revision, expires, member, open, end, .. } = object.parts();
        let json = object.json();
        Record { deleted, key, prefix, previous, at, create_revision, expires, member, open, end, json }
    };
    bincode::encode_into_std_write(record, out, config::standard())
        .map_err(|error| format!("{}: the record cannot be encoded: {error}", object.key()))?;
    let checksum = checksum(object.revision(), out);
    out.extend_from_slice(&checksum);
    Ok(())
}

/// CRC-32 of the row's revision and its bytes: redb verifies its pages only after a crash.
fn checksum(revision: Revision, bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&revision.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize().to_le_bytes()
}

/// Reads a row; `prefixes` holds those seen before, to share them.
pub(crate) fn decode(
    revision: Revision,
    value: &[u8],
    prefixes: &mut HashSet<Arc<str>>,
) -> Result<Row, Failure> {
    let broken = |why: &str| format!("the record of revision {revision} is damaged: {why}");
    let (bytes, sum) = value.split_last_chunk::<CHECKSUM>().ok_or_else(|| broken("it is too short"))?;
    if *sum != checksum(revision, bytes) {
        return Err(broken("its checksum is wrong"));
    }
    let (record, read): (Record<'_>, usize) = bincode::borrow_decode_from_slice(bytes, config::standard())
        .map_err(|error| broken(&error.to_string()))?;
    if read != bytes.len() {
        return Err(broken("it has bytes too many"));
    }
    let rest = record.key.strip_prefix(ROOT).ok_or_else(|| broken("its key is not below /registry/"))?;
    let (prefix, path) = rest
        .split_at_checked(record.prefix as usize)
        .and_then(|(prefix, path)| Some((prefix, path.strip_prefix('/')?)))
        .ok_or_else(|| broken("its prefix does not fit its key"))?;
    let prefix = match prefixes.get(prefix) {
        Some(prefix) => prefix.clone(),
        None => {
            let prefix: Arc<str> = prefix.into();
            prefixes.insert(prefix.clone());
            prefix
        }
    };
    let key = Key { prefix, path: path.into() };
    let Record { deleted, previous, at, create_revision, expires, member, open, end, json, .. } = record;
    if deleted {
        return Ok(Row { key, revision, previous, at, object: None });
    }
    let parts = Parts { revision, create_revision, expires, member, open, end };
    let object = Object::restore(key.clone(), &parts, Bytes::copy_from_slice(json))
        .ok_or_else(|| broken("its offsets do not fit the document"))?;
    Ok(Row { key, revision, previous, at, object: Some(object) })
}

/// A number with a checksum that also covers its name, as the marks are kept.
pub(crate) fn encode_mark(name: &str, number: u64) -> [u8; 8 + CHECKSUM] {
    let mut bytes = [0; 8 + CHECKSUM];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..].copy_from_slice(&checksum(number, name.as_bytes()));
    bytes
}

/// The number of a mark; `None` if it is damaged.
pub(crate) fn decode_mark(name: &str, value: &[u8]) -> Option<u64> {
    let (number, sum) = value.split_first_chunk::<8>()?;
    let number = u64::from_le_bytes(*number);
    (sum == checksum(number, name.as_bytes())).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn a_row_comes_back_as_it_was_and_damage_is_seen() {
        let json = Bytes::from_static(br#"{"kind":"A","metadata":{"name":"b"},"spec":1}"#);
        let document = Document::parse(json, 1000).unwrap();
        let key = Key::new("services/specs", Some("a"), "b");
        let object = Arc::new(Object::new(key, &document, 300, 299).expiring(77_000));
        let event = |kind| Event { kind, object: object.clone(), previous: Some(object.clone()) };
        let (mut key, mut value) = (String::from("x"), vec![1]);
        encode(&event(EventKind::Modified), 5, &mut key, &mut value).unwrap();
        assert_eq!(key, "/registry/services/specs/a/b");
        let mut prefixes = HashSet::new();
        let row = decode(300, &value, &mut prefixes).unwrap();
        assert_eq!((&row.key, row.revision, row.previous, row.at), (object.key(), 300, 300, 5));
        let back = row.object.unwrap();
        assert_eq!((back.json(), back.parts()), (object.json(), object.parts()));

        for cut in 0..value.len() {
            assert!(decode(300, &value[..cut], &mut prefixes).is_err());
        }
        for index in 0..value.len() {
            let mut changed = value.clone();
            changed[index] ^= 0x10;
            assert!(decode(300, &changed, &mut prefixes).is_err(), "byte {index}");
        }
        assert!(decode(301, &value, &mut prefixes).unwrap_err().contains("checksum"));

        encode(&event(EventKind::Deleted), 5, &mut key, &mut value).unwrap();
        assert!(value.len() < 64 && decode(300, &value, &mut prefixes).unwrap().object.is_none());
    }

    #[test]
    fn a_mark_belongs_to_its_name() {
        let mark = encode_mark("revision", 7);
        assert_eq!(decode_mark("revision", &mark), Some(7));
        assert_eq!(decode_mark("floor", &mark), None);
        assert_eq!(decode_mark("revision", &mark[..11]), None);
        for index in 0..mark.len() {
            let mut changed = mark;
            changed[index] ^= 1;
            assert_eq!(decode_mark("revision", &changed), None);
        }
    }
}
