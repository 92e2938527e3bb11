//! The bytes of one stored object: bincode 2, standard configuration (little endian, variable integers).
//! A change here needs a new [`FORMAT`].

use super::Failure;
use crate::{Key, Object, object::Parts};
use bincode::{BorrowDecode, Encode, config};
use bytes::Bytes;
use std::{collections::HashSet, sync::Arc};

/// Version of the format of keys and records, kept in the store.
pub(super) const FORMAT: u64 = 1;
/// What all keys start with, as upstream's (`--etcd-prefix`).
const ROOT: &str = "/registry/";

#[derive(Encode, BorrowDecode)]
struct Record<'a> {
    /// Length of the key's prefix: prefixes may contain slashes, so the key alone does not tell.
    prefix: u32,
    revision: u64,
    create_revision: u64,
    member: u32,
    open: u32,
    end: u32,
    /// The document with its resourceVersion, ready to be served.
    json: &'a [u8],
    /// CRC-32 of the key and the members above: redb verifies its pages only after a crash.
    checksum: u32,
}

impl Record<'_> {
    fn checksum(&self, key: &str) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(key.as_bytes());
        for number in [self.revision, self.create_revision] {
            hasher.update(&number.to_le_bytes());
        }
        for number in [self.prefix, self.member, self.open, self.end] {
            hasher.update(&number.to_le_bytes());
        }
        hasher.update(self.json);
        hasher.finalize()
    }
}

/// Writes the key and the record of `object` into the buffers, which are cleared first.
pub(super) fn encode(object: &Object, key: &mut String, value: &mut Vec<u8>) -> Result<(), Failure> {
    encode_key(object.key(), key);
    value.clear();
    let Parts { revision, create_revision, member, open, end } = object.parts();
    let prefix = object.key().prefix.len() as u32;
    let json = object.json();
    let mut record = Record { prefix, revision, create_revision, member, open, end, json, checksum: 0 };
    record.checksum = record.checksum(key);
    bincode::encode_into_std_write(record, value, config::standard())
        .map(drop)
        .map_err(|error| format!("{}: the record cannot be encoded: {error}", object.key()))
}

/// Writes the key into the buffer, which is cleared first.
pub(super) fn encode_key(key: &Key, out: &mut String) {
    out.clear();
    out.push_str(ROOT);
    out.push_str(&key.prefix);
    out.push('/');
    out.push_str(&key.path);
}

/// Reads an object; `prefixes` holds those seen before, to share them.
pub(super) fn decode(key: &str, value: &[u8], prefixes: &mut HashSet<Arc<str>>) -> Result<Object, Failure> {
    let broken = |why: &str| format!("the record of {key} is damaged: {why}");
    let (record, read): (Record<'_>, usize) = bincode::borrow_decode_from_slice(value, config::standard())
        .map_err(|error| broken(&error.to_string()))?;
    if read != value.len() {
        return Err(broken("it has bytes too many"));
    }
    if record.checksum != record.checksum(key) {
        return Err(broken("its checksum is wrong"));
    }
    let rest = key.strip_prefix(ROOT).ok_or_else(|| broken("its key is not below /registry/"))?;
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
    let Record { revision, create_revision, member, open, end, json, .. } = record;
    let parts = Parts { revision, create_revision, member, open, end };
    Object::restore(Key { prefix, path: path.into() }, &parts, Bytes::copy_from_slice(json))
        .ok_or_else(|| broken("its offsets do not fit the document"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn a_record_comes_back_as_it_was_and_damage_is_seen() {
        let json = Bytes::from_static(br#"{"kind":"A","metadata":{"name":"b"},"spec":1}"#);
        let document = Document::parse(json, 1000).unwrap();
        let object = Object::new(Key::new("services/specs", Some("a"), "b"), &document, 300, 299);
        let (mut key, mut value) = (String::from("x"), vec![1]);
        encode(&object, &mut key, &mut value).unwrap();
        assert_eq!(key, "/registry/services/specs/a/b");
        let mut prefixes = HashSet::new();
        let back = decode(&key, &value, &mut prefixes).unwrap();
        assert_eq!(back.key(), object.key());
        assert_eq!((back.json(), back.parts()), (object.json(), object.parts()));

        for cut in 0..value.len() {
            assert!(decode(&key, &value[..cut], &mut prefixes).is_err());
        }
        for index in 0..value.len() {
            let mut changed = value.clone();
            changed[index] ^= 0x10;
            assert!(decode(&key, &changed, &mut prefixes).is_err(), "byte {index}");
        }
        let other = decode("/registry/services/specs/a/c", &value, &mut prefixes);
        assert!(other.unwrap_err().contains("checksum"));
        value.push(0);
        assert!(decode(&key, &value, &mut prefixes).unwrap_err().contains("too many"));
    }
}
