//! Stored objects and their changes.

use crate::{
    Key, Revision,
    document::{Document, Spliced, resource_version, splice},
};
use bytes::Bytes;
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// One stored object, encoded, as it is served: `metadata.resourceVersion` is spliced in as the first member
/// of metadata.
#[derive(Debug)]
pub struct Object {
    key: Key,
    revision: Revision,
    create_revision: Revision,
    /// When it is deleted, in milliseconds since 1970; 0 for never.
    expires: u64,
    spliced: Spliced,
}

impl Object {
    pub(crate) fn new(key: Key, document: &Document, revision: Revision, create_revision: Revision) -> Self {
        Self { key, revision, create_revision, expires: 0, spliced: document.splice(revision) }
    }

    /// The same object with a time to be deleted at, in milliseconds since 1970; 0 for never.
    pub(crate) fn expiring(self, expires: u64) -> Self {
        Self { expires, ..self }
    }

    /// The same content at another revision: the last state of a deleted object.
    pub(crate) fn at(&self, revision: Revision) -> Self {
        let (before, after) = self.stored();
        let Spliced { member, open, inserted, end, .. } = self.spliced;
        let empty = self.spliced.json[(open + inserted) as usize - 1] != b',';
        let spliced = splice(before, after, empty, revision, (member, open, end - inserted));
        let Self { create_revision, expires, .. } = *self;
        Self { key: self.key.clone(), revision, create_revision, expires, spliced }
    }

    /// An object as an engine kept it. `None` if the offsets do not fit the document.
    pub(crate) fn restore(key: Key, parts: &Parts, json: Bytes) -> Option<Self> {
        let Parts { revision, create_revision, expires, member, open, end } = *parts;
        let after = json.get(open as usize..end as usize)?;
        let with_others = resource_version(revision, false);
        let alone = resource_version(revision, true);
        let inserted =
            [with_others, alone].into_iter().find(|text| after.starts_with(text.as_bytes()))?.len();
        let braces = json.get((open as usize).checked_sub(1)?) == Some(&b'{')
            && json.get((end as usize).checked_sub(1)?) == Some(&b'}');
        let name = json.get(member as usize..)?.starts_with(b"\"metadata\"");
        let spliced = Spliced { json, member, open, inserted: inserted as u32, end };
        (braces && name).then_some(Self { key, revision, create_revision, expires, spliced })
    }

    /// What an engine keeps beside key and document.
    pub(crate) fn parts(&self) -> Parts {
        let Spliced { member, open, end, .. } = self.spliced;
        let Self { revision, create_revision, expires, .. } = *self;
        Parts { revision, create_revision, expires, member, open, end }
    }

    /// Where it stands.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The whole JSON document, resourceVersion included:
    /// `{"kind":…,"apiVersion":…,"metadata":{"resourceVersion":"7",…},…}`.
    pub fn json(&self) -> &Bytes {
        &self.spliced.json
    }

    /// From `"metadata":` to the end of the document, closing brace included: what follows when another head
    /// (`{"kind":…,"apiVersion":…,`) is written in front.
    pub fn after_head(&self) -> &[u8] {
        &self.spliced.json[self.spliced.member as usize..]
    }

    /// The value of `metadata` alone, `{"resourceVersion":…}`.
    pub fn metadata(&self) -> &[u8] {
        &self.spliced.json[self.spliced.open as usize - 1..self.spliced.end as usize]
    }

    /// The document without resourceVersion, as it was written, in two pieces (before and after the splice).
    pub fn stored(&self) -> (&[u8], &[u8]) {
        let Spliced { json, open, inserted, .. } = &self.spliced;
        (&json[..*open as usize], &json[(open + inserted) as usize..])
    }

    /// The revision of the last write; of a deleted object that of the deletion.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision at which it was made.
    pub fn create_revision(&self) -> Revision {
        self.create_revision
    }

    /// When it will be deleted, to the millisecond; `None` if it was written without a time to live.
    pub fn expires(&self) -> Option<SystemTime> {
        (self.expires > 0).then(|| UNIX_EPOCH + Duration::from_millis(self.expires))
    }

    /// As [`Object::expires`], in milliseconds since 1970; 0 for never.
    pub(crate) fn expires_millis(&self) -> u64 {
        self.expires
    }
}

/// Numbers that an engine keeps with an object. Offsets are in bytes and count the spliced document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) revision: Revision,
    pub(crate) create_revision: Revision,
    /// In milliseconds since 1970; 0 for never.
    pub(crate) expires: u64,
    pub(crate) member: u32,
    pub(crate) open: u32,
    pub(crate) end: u32,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    /// It was made.
    Added,
    /// It was replaced.
    Modified,
    /// It was removed.
    Deleted,
}

/// One change. Shared by all watchers.
#[derive(Debug)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// The object after the change; of a deletion, the last state with the deletion's revision.
    pub object: Arc<Object>,
    /// The state before, if there was one.
    pub previous: Option<Arc<Object>>,
}

impl Event {
    /// The revision of the change.
    pub fn revision(&self) -> Revision {
        self.object.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        let document = Document::parse(Bytes::copy_from_slice(text.as_bytes()), 1000).unwrap();
        Object::new(Key::new("pods", Some("a"), "b"), &document, 12, 5).expiring(99_000)
    }

    #[test]
    fn views_of_the_document() {
        let text = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"b"},"spec":{}}"#;
        let object = object(text);
        assert_eq!(object.metadata(), br#"{"resourceVersion":"12","name":"b"}"#);
        assert_eq!(object.after_head(), br#""metadata":{"resourceVersion":"12","name":"b"},"spec":{}}"#);
        let (before, after) = object.stored();
        assert_eq!([before, after].concat(), text.as_bytes());
    }

    #[test]
    fn another_revision_keeps_the_content() {
        for (text, metadata) in [
            (r#"{"metadata":{"a":1}}"#, r#"{"resourceVersion":"1000","a":1}"#),
            (r#"{"metadata":{}}"#, r#"{"resourceVersion":"1000"}"#),
        ] {
            let later = object(text).at(1000);
            assert_eq!(later.metadata(), metadata.as_bytes());
            assert_eq!((later.revision(), later.create_revision()), (1000, 5));
            assert_eq!(later.expires(), Some(UNIX_EPOCH + Duration::from_secs(99)));
            let (before, after) = later.stored();
            assert_eq!([before, after].concat(), text.as_bytes());
        }
    }

    #[test]
    fn restoring_checks_the_offsets() {
        for text in [r#"{"metadata":{"a":1},"b":2}"#, r#"{"metadata":{}}"#] {
            let object = object(text);
            let restore = |parts: Parts| Object::restore(object.key().clone(), &parts, object.json().clone());
            let restored = restore(object.parts()).unwrap();
            assert_eq!(restored.metadata(), object.metadata());
            assert_eq!(restored.stored(), object.stored());
            let parts = object.parts();
            for wrong in [
                Parts { revision: 13, ..parts },
                Parts { member: 0, ..parts },
                Parts { open: parts.open + 1, ..parts },
                Parts { open: 0, ..parts },
                Parts { end: 0, ..parts },
                Parts { end: u32::MAX, ..parts },
            ] {
                assert!(restore(wrong).is_none(), "{wrong:?}");
            }
        }
    }
}
