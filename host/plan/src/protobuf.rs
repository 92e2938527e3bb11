//! Protobuf of what needs no type tables: Status and the metadata projections
//! (`apimachinery/pkg/apis/meta/v1/generated.proto`, `apimachinery/pkg/runtime/generated.proto`).
//!
//! Field numbers are those of the files named above. Empty fields are left out, which decodes to the same.

use chainplate_apimachinery::{Map, Value};
use jiff::Timestamp;

/// How values of a message are told from JSON.
enum Field {
    Text,
    Integer,
    Truth,
    Time,
    /// Strings, one field each.
    Texts,
    /// A map of strings.
    TextMap,
    Message(&'static [Entry]),
    Messages(&'static [Entry]),
    /// `FieldsV1`: the JSON itself.
    Raw,
}

/// The member in JSON, the field's number, and its type.
type Entry = (&'static str, u32, Field);

const LIST_META: &[Entry] = &[
    ("resourceVersion", 2, Field::Text),
    ("continue", 3, Field::Text),
    ("remainingItemCount", 4, Field::Integer),
];

const CAUSE: &[Entry] = &[("reason", 1, Field::Text), ("message", 2, Field::Text), ("field", 3, Field::Text)];

const STATUS_DETAILS: &[Entry] = &[
    ("name", 1, Field::Text),
    ("group", 2, Field::Text),
    ("kind", 3, Field::Text),
    ("causes", 4, Field::Messages(CAUSE)),
    ("retryAfterSeconds", 5, Field::Integer),
    ("uid", 6, Field::Text),
];

const STATUS: &[Entry] = &[
    ("metadata", 1, Field::Message(LIST_META)),
    ("status", 2, Field::Text),
    ("message", 3, Field::Text),
    ("reason", 4, Field::Text),
    ("details", 5, Field::Message(STATUS_DETAILS)),
    ("code", 6, Field::Integer),
];

const OWNER_REFERENCE: &[Entry] = &[
    ("kind", 1, Field::Text),
    ("name", 3, Field::Text),
    ("uid", 4, Field::Text),
    ("apiVersion", 5, Field::Text),
    ("controller", 6, Field::Truth),
    ("blockOwnerDeletion", 7, Field::Truth),
];

const MANAGED_FIELDS: &[Entry] = &[
    ("manager", 1, Field::Text),
    ("operation", 2, Field::Text),
    ("apiVersion", 3, Field::Text),
    ("time", 4, Field::Time),
    ("fieldsType", 6, Field::Text),
    ("fieldsV1", 7, Field::Raw),
    ("subresource", 8, Field::Text),
];

const OBJECT_META: &[Entry] = &[
    ("name", 1, Field::Text),
    ("generateName", 2, Field::Text),
    ("namespace", 3, Field::Text),
    ("selfLink", 4, Field::Text),
    ("uid", 5, Field::Text),
    ("resourceVersion", 6, Field::Text),
    ("generation", 7, Field::Integer),
    ("creationTimestamp", 8, Field::Time),
    ("deletionTimestamp", 9, Field::Time),
    ("deletionGracePeriodSeconds", 10, Field::Integer),
    ("labels", 11, Field::TextMap),
    ("annotations", 12, Field::TextMap),
    ("ownerReferences", 13, Field::Messages(OWNER_REFERENCE)),
    ("finalizers", 14, Field::Texts),
    ("managedFields", 17, Field::Messages(MANAGED_FIELDS)),
];

const METADATA: &[Entry] = &[("metadata", 1, Field::Message(OBJECT_META))];

const METADATA_LIST: &[Entry] =
    &[("metadata", 1, Field::Message(LIST_META)), ("items", 2, Field::Messages(METADATA))];

/// A Status, PartialObjectMetadata or list of them in the envelope of Kubernetes (`runtime.Unknown`); `None` for any
/// other kind.
pub(crate) fn encode(value: &Value) -> Option<Vec<u8>> {
    let kind = value["kind"].as_str()?;
    let entries = match kind {
        "Status" => STATUS,
        "PartialObjectMetadata" => METADATA,
        "PartialObjectMetadataList" => METADATA_LIST,
        _ => return None,
    };
    let mut raw = Vec::new();
    message(&mut raw, entries, value.as_object()?);
    let mut type_meta = Vec::new();
    bytes(&mut type_meta, 1, value["apiVersion"].as_str()?.as_bytes());
    bytes(&mut type_meta, 2, kind.as_bytes());
    let mut out = b"k8s\0".to_vec();
    bytes(&mut out, 1, &type_meta);
    bytes(&mut out, 2, &raw);
    Some(out)
}

/// An event of a watch: a `WatchEvent` without envelope, behind its length in four bytes.
pub(crate) fn watch_frame(kind: &str, object: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(object.len() + 8);
    bytes(&mut raw, 1, object);
    let mut event = vec![0; 4];
    bytes(&mut event, 1, kind.as_bytes());
    bytes(&mut event, 2, &raw);
    // Objects are far smaller than 4 GiB.
    let length = u32::try_from(event.len() - 4).unwrap_or(u32::MAX);
    event[..4].copy_from_slice(&length.to_be_bytes());
    event
}

fn message(out: &mut Vec<u8>, entries: &[Entry], map: &Map) {
    for (name, number, field) in entries {
        if let Some(value) = map.get(*name) {
            write(out, *number, field, value);
        }
    }
}

fn write(out: &mut Vec<u8>, number: u32, field: &Field, value: &Value) {
    match (field, value) {
        (Field::Text, Value::String(text)) if !text.is_empty() => bytes(out, number, text.as_bytes()),
        (Field::Integer, Value::Number(integer)) => {
            varint(out, u64::from(number) << 3);
            // Two's complement, as protobuf has negative numbers.
            varint(out, integer.as_i64().unwrap_or_default().cast_unsigned());
        }
        (Field::Truth, Value::Bool(truth)) => {
            varint(out, u64::from(number) << 3);
            varint(out, u64::from(*truth));
        }
        (Field::Time, Value::String(text)) => {
            let Ok(time) = text.parse::<Timestamp>() else { return };
            let mut inner = Vec::new();
            varint(&mut inner, 1 << 3);
            varint(&mut inner, time.as_second().cast_unsigned());
            bytes(out, number, &inner);
        }
        (Field::Texts, Value::Array(texts)) => {
            for text in texts.iter().filter_map(Value::as_str) {
                bytes(out, number, text.as_bytes());
            }
        }
        (Field::TextMap, Value::Object(map)) => {
            for (key, value) in map {
                let mut inner = Vec::new();
                bytes(&mut inner, 1, key.as_bytes());
                bytes(&mut inner, 2, value.as_str().unwrap_or_default().as_bytes());
                bytes(out, number, &inner);
            }
        }
        (Field::Message(entries), Value::Object(map)) => {
            let mut inner = Vec::new();
            message(&mut inner, entries, map);
            bytes(out, number, &inner);
        }
        (Field::Messages(entries), Value::Array(items)) => {
            for map in items.iter().filter_map(Value::as_object) {
                let mut inner = Vec::new();
                message(&mut inner, entries, map);
                bytes(out, number, &inner);
            }
        }
        (Field::Raw, value) => {
            let mut inner = Vec::new();
            bytes(&mut inner, 1, value.to_string().as_bytes());
            bytes(out, number, &inner);
        }
        _ => {}
    }
}

fn bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint(out, (u64::from(number) << 3) | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_status_is_enveloped() {
        let status =
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404});
        let want = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Status\x12\x0e\x0a\x00\x12\x07Failure\x30\x94\x03";
        assert_eq!(encode(&status).expect("encoded"), want);
        assert_eq!(encode(&json!({"kind": "Pod", "apiVersion": "v1"})), None);
    }

    #[test]
    fn metadata_keeps_maps_times_and_fields() {
        let value = json!({
            "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
            "metadata": {
                "name": "a", "labels": {"k": "v"}, "generation": -1, "creationTimestamp": "1970-01-01T00:00:05Z",
                "managedFields": [{"fieldsV1": {"f:a": {}}}], "finalizers": ["x"],
            },
        });
        let encoded = encode(&value).expect("encoded");
        let has = |part: &[u8]| encoded.windows(part.len()).any(|window| window == part);
        assert!(has(b"\x0a\x01a"));
        assert!(has(b"\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
        assert!(has(b"\x42\x02\x08\x05"));
        assert!(has(b"\x5a\x06\x0a\x01k\x12\x01v"));
        assert!(has(b"\x72\x01x"));
        assert!(has(b"\x3a\x0c\x0a\x0a{\"f:a\":{}}"));
    }
}
