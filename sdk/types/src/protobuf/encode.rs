//! From JSON text to protobuf, in one pass over the text.
//!
//! Members of embedded structs are each put into an occurrence of the message around them of their own: readers merge
//! the occurrences of a message that is not repeated.

use super::{
    API_VERSION, ITEMS, Item, KIND, Loose, MAGIC, METADATA, RAW, Root, TYPE_META, is_wrapped, loose, root,
    wire::{bytes, close, form, integer, key, open, varint},
};
use crate::tables::TypeRef;
use base64::{Engine, engine::general_purpose::STANDARD};
use chainplate_apimachinery::shape::{Kind, Scalar, Shape};
use jiff::Timestamp;
use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Whether objects of a kind have a protobuf form. Lists of served kinds have one, too.
pub fn is_known(api_version: &str, kind: &str) -> bool {
    root(api_version, kind).is_some()
}

/// Encodes the JSON text of a document. Members that the type does not know or that do not fit it are left out; `None`
/// if the text is no JSON or its kind has no protobuf.
pub fn encode(json: &[u8], api_version: &str, kind: &str) -> Option<Vec<u8>> {
    let root = root(api_version, kind)?;
    let mut out = Vec::with_capacity(json.len() + 64);
    begin(&mut out, api_version, kind);
    let start = open(&mut out, RAW);
    write_root(&mut out, root, json)?;
    close(&mut out, start);
    Some(out)
}

/// Writes what stands in front of the message of a document.
fn begin(out: &mut Vec<u8>, api_version: &str, kind: &str) {
    out.extend_from_slice(MAGIC);
    let meta = open(out, TYPE_META);
    bytes(out, API_VERSION, api_version.as_bytes());
    bytes(out, KIND, kind.as_bytes());
    close(out, meta);
}

/// Makes a list whose items are encoded one by one, so that it need not lie in one piece: [`item`](List::item) for each,
/// then [`head`](List::head), which is sent first.
#[derive(Debug)]
pub struct List {
    api_version: String,
    kind: String,
    metadata: TypeRef,
    item: Item,
}

impl List {
    /// A list of this apiVersion and kind (`PodList`, `PartialObjectMetadataList`); `None` if it has no protobuf.
    pub fn new(api_version: &str, kind: &str) -> Option<Self> {
        let Root::Meta { metadata, items: Some(item) } = root(api_version, kind)? else { return None };
        Some(Self { api_version: api_version.to_owned(), kind: kind.to_owned(), metadata, item })
    }

    /// Appends an item that is JSON so far; its kind and apiVersion do not count. `None` if it is no JSON.
    pub fn item(&self, out: &mut Vec<u8>, json: &[u8]) -> Option<()> {
        let start = open(out, ITEMS);
        let root = match self.item {
            Item::Struct(shape) => Root::Struct(shape),
            Item::Metadata(metadata) => Root::Meta { metadata, items: None },
        };
        write_root(out, root, json)?;
        close(out, start);
        Some(())
    }

    /// The beginning of the list: `length` bytes of items follow it. `metadata` is the list's, in JSON; `None` if it is
    /// no JSON.
    pub fn head(&self, metadata: &[u8], length: usize) -> Option<Vec<u8>> {
        let mut meta = Vec::new();
        let start = open(&mut meta, METADATA);
        write_root(&mut meta, Root::Struct(self.metadata), metadata)?;
        close(&mut meta, start);
        let mut out = Vec::with_capacity(meta.len() + 128);
        begin(&mut out, &self.api_version, &self.kind);
        key(&mut out, RAW, form::BYTES);
        varint(&mut out, (meta.len() + length) as u64);
        out.extend_from_slice(&meta);
        Some(out)
    }
}

/// An event of a watch: a `WatchEvent` without envelope, behind its length in four bytes. `object` is a document.
pub fn watch_frame(out: &mut Vec<u8>, kind: &str, object: &[u8]) {
    let begin = out.len();
    out.extend_from_slice(&[0; 4]);
    bytes(out, 1, kind.as_bytes());
    let start = open(out, 2);
    bytes(out, 1, object);
    close(out, start);
    // Objects are far smaller than 4 GiB.
    let length = u32::try_from(out.len() - begin - 4).unwrap_or(u32::MAX);
    out[begin..begin + 4].copy_from_slice(&length.to_be_bytes());
}

fn write_root(out: &mut Vec<u8>, root: Root, json: &[u8]) -> Option<()> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    match root {
        Root::Struct(of) => Message { out, of }.deserialize(&mut deserializer).ok(),
        Root::Meta { metadata, items } => {
            MetaMessage { out, metadata, items }.deserialize(&mut deserializer).ok()
        }
    }
}

/// Writes the members of a struct.
struct Message<'a> {
    out: &'a mut Vec<u8>,
    of: TypeRef,
}

impl<'de> DeserializeSeed<'de> for Message<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Message<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(found) = members.next_key_seed(Name(self.of))? {
            match found {
                Some((shape, tag, way)) => {
                    members.next_value_seed(Slot { out: self.out, shape, tag, way, is_value: false })?;
                }
                None => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// The shape, number and way of a member.
struct Name(TypeRef);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<(TypeRef, u32, u16)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(TypeRef, u32, u16)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let Some(field) = self.0.member(name) else { return Ok(None) };
        let (tag, way) = field.protobuf_tags();
        // Kind and apiVersion of objects have no number.
        Ok((tag != 0).then(|| (field.shape(), u32::from(tag), way)))
    }
}

/// Writes a list, or `PartialObjectMetadata`.
struct MetaMessage<'a> {
    out: &'a mut Vec<u8>,
    metadata: TypeRef,
    items: Option<Item>,
}

impl<'de> DeserializeSeed<'de> for MetaMessage<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MetaMessage<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            match (name.as_str(), self.items) {
                ("metadata", _) => members.next_value_seed(Slot {
                    out: self.out,
                    shape: self.metadata,
                    tag: METADATA,
                    way: 0,
                    is_value: false,
                })?,
                ("items", Some(item)) => members.next_value_seed(Items { out: self.out, item })?,
                _ => drop(members.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct Items<'a> {
    out: &'a mut Vec<u8>,
    item: Item,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        loop {
            let start = open(self.out, ITEMS);
            let found = match self.item {
                Item::Struct(of) => items.next_element_seed(Message { out: self.out, of })?,
                Item::Metadata(metadata) => {
                    items.next_element_seed(MetaMessage { out: self.out, metadata, items: None })?
                }
            };
            if found.is_none() {
                // The item that was begun for nothing: a byte each for its number and length.
                self.out.truncate(start - 2);
                return Ok(());
            }
            close(self.out, start);
        }
    }
}

/// Writes a value as the field `tag`; nothing for null and for what does not fit.
struct Slot<'a> {
    out: &'a mut Vec<u8>,
    shape: TypeRef,
    tag: u32,
    /// The messages around it, see [`Field::protobuf_tags`](crate::Field::protobuf_tags).
    way: u16,
    /// An element of a list or the value of an entry, not a member.
    is_value: bool,
}

impl Slot<'_> {
    /// Writes inside the messages on the way.
    fn within<T>(self, write: impl FnOnce(Slot<'_>) -> T) -> T {
        if self.way == 0 {
            return write(self);
        }
        let Self { out, shape, tag, way, is_value } = self;
        let outer = open(out, u32::from(way & 0xff));
        let inner = (way > 0xff).then(|| open(out, u32::from(way >> 8)));
        let done = write(Slot { out, shape, tag, way: 0, is_value });
        if let Some(start) = inner {
            close(out, start);
        }
        close(out, outer);
        done
    }

    fn integer(self, value: i64) {
        self.within(|slot| match slot.shape.kind() {
            Kind::Scalar(Scalar::Int32 | Scalar::Int64) => integer(slot.out, slot.tag, value.cast_unsigned()),
            Kind::Scalar(Scalar::Float) => float(slot.out, slot.tag, value as f64),
            Kind::Scalar(Scalar::IntOrString) => {
                let start = open(slot.out, slot.tag);
                integer(slot.out, 1, 0);
                integer(slot.out, 2, value.cast_unsigned());
                close(slot.out, start);
            }
            Kind::Scalar(Scalar::Quantity) => {
                let start = open(slot.out, slot.tag);
                bytes(slot.out, 1, value.to_string().as_bytes());
                close(slot.out, start);
            }
            _ => {}
        });
    }

    fn text(self, text: &str) {
        self.within(|Slot { out, shape, tag, .. }| match shape.kind() {
            Kind::Scalar(Scalar::String) => bytes(out, tag, text.as_bytes()),
            Kind::Scalar(Scalar::Bytes) => {
                if let Ok(content) = STANDARD.decode(text) {
                    bytes(out, tag, &content);
                }
            }
            Kind::Scalar(Scalar::Time | Scalar::MicroTime) => {
                let Ok(time) = text.parse::<Timestamp>() else { return };
                // Nanoseconds count up from the whole second, also before 1970.
                let back = i64::from(time.subsec_nanosecond() < 0);
                let nanos = i64::from(time.subsec_nanosecond()) + back * 1_000_000_000;
                let start = open(out, tag);
                integer(out, 1, (time.as_second() - back).cast_unsigned());
                integer(out, 2, nanos.cast_unsigned());
                close(out, start);
            }
            Kind::Scalar(Scalar::Quantity) => {
                let start = open(out, tag);
                bytes(out, 1, text.as_bytes());
                close(out, start);
            }
            Kind::Scalar(Scalar::IntOrString) => {
                let start = open(out, tag);
                integer(out, 1, 1);
                bytes(out, 3, text.as_bytes());
                close(out, start);
            }
            _ => {}
        });
    }
}

fn float(out: &mut Vec<u8>, tag: u32, value: f64) {
    key(out, tag, form::FIXED64);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

impl<'de> DeserializeSeed<'de> for Slot<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if !matches!(self.shape.kind(), Kind::Any { .. }) || loose(self.shape) != Loose::Raw {
            return deserializer.deserialize_any(self);
        }
        let json = Box::<RawValue>::deserialize(deserializer)?;
        if json.get() != "null" || self.is_value {
            self.within(|Slot { out, tag, .. }| {
                let start = open(out, tag);
                bytes(out, 1, json.get().as_bytes());
                close(out, start);
            });
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Slot<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        // An element keeps its place.
        if self.is_value {
            match self.shape.kind() {
                Kind::Scalar(Scalar::String | Scalar::Bytes) => bytes(self.out, self.tag, b""),
                Kind::Scalar(Scalar::Bool | Scalar::Int32 | Scalar::Int64) => integer(self.out, self.tag, 0),
                Kind::Scalar(Scalar::Float) => float(self.out, self.tag, 0.0),
                _ => bytes(self.out, self.tag, b""),
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        match self.shape.kind() {
            Kind::Scalar(Scalar::Bool) => {
                self.within(|slot| integer(slot.out, slot.tag, u64::from(value)));
            }
            Kind::Any { .. } if loose(self.shape) == Loose::OrBool => {
                self.within(|Slot { out, tag, .. }| {
                    let start = open(out, tag);
                    integer(out, 1, u64::from(value));
                    close(out, start);
                })
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.integer(value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.integer(value.cast_signed());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        if self.shape.kind() == Kind::Scalar(Scalar::Float) {
            self.within(|slot| float(slot.out, slot.tag, value));
        } else if value.fract() == 0.0 {
            self.integer(value as i64);
        }
        Ok(())
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if let (Kind::Any { .. }, Some(of)) = (self.shape.kind(), self.shape.loose_struct()) {
            return self.within(|Slot { out, shape, tag, .. }| {
                let start = open(out, tag);
                if loose(shape) == Loose::OrTexts {
                    while let Some(text) = items.next_element::<String>()? {
                        bytes(out, 2, text.as_bytes());
                    }
                } else {
                    let tag = 2;
                    while items
                        .next_element_seed(Slot { out, shape: of, tag, way: 0, is_value: true })?
                        .is_some()
                    {}
                }
                close(out, start);
                Ok(())
            });
        }
        let Some(element) = self.shape.element().filter(|_| matches!(self.shape.kind(), Kind::List(_)))
        else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        let wrapped = self.is_value || is_wrapped(self.shape);
        self.within(|Slot { out, tag, .. }| {
            let start = wrapped.then(|| open(out, tag));
            let tag = if wrapped { 1 } else { tag };
            while items
                .next_element_seed(Slot { out, shape: element, tag, way: 0, is_value: true })?
                .is_some()
            {}
            if let Some(start) = start {
                close(out, start);
            }
            Ok(())
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        match (self.shape.kind(), self.shape.element()) {
            (Kind::Struct { .. }, _) => self.within(|Slot { out, shape, tag, .. }| {
                let start = open(out, tag);
                Message { out, of: shape }.visit_map(members)?;
                close(out, start);
                Ok(())
            }),
            (Kind::Map { .. }, Some(element)) => self.within(|Slot { out, tag, .. }| {
                loop {
                    let start = open(out, tag);
                    if members.next_key_seed(EntryKey(out))?.is_none() {
                        // The entry that was begun for nothing.
                        let mut head = Vec::new();
                        open(&mut head, tag);
                        out.truncate(start - head.len());
                        return Ok(());
                    }
                    members.next_value_seed(Slot { out, shape: element, tag: 2, way: 0, is_value: true })?;
                    close(out, start);
                }
            }),
            (Kind::Any { .. }, Some(_)) => self.within(|Slot { out, shape, tag, .. }| {
                let start = open(out, tag);
                let schema = if loose(shape) == Loose::OrBool {
                    integer(out, 1, 1);
                    open(out, 2)
                } else {
                    open(out, 1)
                };
                Message { out, of: shape.loose_struct().unwrap_or(shape) }.visit_map(members)?;
                close(out, schema);
                close(out, start);
                Ok(())
            }),
            _ => {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }
    }
}

/// Writes the key of a map's entry.
struct EntryKey<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for EntryKey<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for EntryKey<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<(), E> {
        bytes(self.0, 1, key.as_bytes());
        Ok(())
    }
}
