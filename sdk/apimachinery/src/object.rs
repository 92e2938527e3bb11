//! API objects as documents: reading well-known members, and the form in which they are stored.

use crate::{Map, Value};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::ser::Formatter;
use std::io;

/// `metadata`, if there is an object of that name.
pub fn metadata(object: &Value) -> Option<&Map> {
    object.get("metadata")?.as_object()
}

/// `metadata`, made if it is not there or not an object. `None` only if the document itself is no object.
pub fn metadata_mut(object: &mut Value) -> Option<&mut Map> {
    let slot = object.as_object_mut()?.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if !slot.is_object() {
        *slot = Value::Object(Map::new());
    }
    slot.as_object_mut()
}

/// A text in `metadata`; empty if it is not there.
pub fn meta_str<'a>(object: &'a Value, key: &str) -> &'a str {
    metadata(object).and_then(|metadata| metadata.get(key)).and_then(Value::as_str).unwrap_or_default()
}

/// `metadata.name`.
pub fn name(object: &Value) -> &str {
    meta_str(object, "name")
}

/// `metadata.namespace`.
pub fn namespace(object: &Value) -> &str {
    meta_str(object, "namespace")
}

/// `metadata.uid`.
pub fn uid(object: &Value) -> &str {
    meta_str(object, "uid")
}

/// `metadata.generation`; 0 if it is not there.
pub fn generation(object: &Value) -> i64 {
    metadata(object)
        .and_then(|metadata| metadata.get("generation"))
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

/// `metadata.finalizers` that are texts.
pub fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    list(object, "finalizers").iter().filter_map(Value::as_str)
}

/// A list in `metadata`; empty if it is not there.
pub fn list<'a>(object: &'a Value, key: &str) -> &'a [Value] {
    metadata(object)
        .and_then(|metadata| metadata.get(key))
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// Whether a deletion has begun.
pub fn is_deleting(object: &Value) -> bool {
    !meta_str(object, "deletionTimestamp").is_empty()
}

/// The stored form: `kind`, `apiVersion`, `metadata` (without resourceVersion, which the host puts in when it
/// serves), then the other members in order. Numbers are written as Go writes them. Equal objects have equal bytes.
pub fn encode(object: &Value) -> Vec<u8> {
    write(&Document { object, keep_resource_version: false })
}

/// The served form of an object that is not stored: as [`encode`], with its resourceVersion.
pub fn encode_unsaved(object: &Value) -> Vec<u8> {
    write(&Document { object, keep_resource_version: true })
}

fn write(document: &Document<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, GoNumbers);
    // A Value has text keys and finite numbers only, and a Vec takes any byte: this cannot fail.
    let _ = document.serialize(&mut serializer);
    bytes
}

const FIRST: [&str; 3] = ["kind", "apiVersion", "metadata"];

struct Document<'a> {
    object: &'a Value,
    keep_resource_version: bool,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(object) = self.object.as_object() else { return self.object.serialize(serializer) };
        let mut map = serializer.serialize_map(None)?;
        for key in FIRST {
            match object.get(key) {
                Some(Value::Object(metadata)) if key == "metadata" && !self.keep_resource_version => {
                    map.serialize_entry(key, &Unversioned(metadata))?;
                }
                Some(value) => map.serialize_entry(key, value)?,
                None => {}
            }
        }
        for (key, value) in object.iter().filter(|(key, _)| !FIRST.contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

struct Unversioned<'a>(&'a Map);

impl Serialize for Unversioned<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().filter(|(key, _)| *key != "resourceVersion"))
    }
}

/// Go's encoding of float64: no `.0`, an exponent only for the very large and the very small.
struct GoNumbers;

impl Formatter for GoNumbers {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let size = value.abs();
        if size != 0.0 && size < 1e-6 {
            write!(writer, "{value:e}")
        } else if size >= 1e21 {
            let text = format!("{value:e}");
            writer.write_all(text.replace('e', "e+").as_bytes())
        } else {
            write!(writer, "{value}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn type_and_metadata_stand_first_and_the_resource_version_goes() {
        let object = json!({
            "apiVersion": "v1", "binaryData": 1, "kind": "ConfigMap", "data": {"z": 1, "a": null},
            "metadata": {"name": "n", "resourceVersion": "7", "labels": {}},
        });
        let text = String::from_utf8(encode(&object)).unwrap();
        assert_eq!(
            text,
            r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"labels":{},"name":"n"},"binaryData":1,"data":{"a":null,"z":1}}"#
        );
        assert!(String::from_utf8(encode_unsaved(&object)).unwrap().contains(r#""resourceVersion":"7""#));
    }

    #[test]
    fn numbers_are_written_as_go_writes_them() {
        let text = String::from_utf8(encode(&json!([
            1000.0,
            0.5,
            1e21,
            1e-7,
            -2.0,
            1,
            100_000_000_000_000_000_000.0
        ])))
        .unwrap();
        assert_eq!(text, "[1000,0.5,1e+21,1e-7,-2,1,100000000000000000000]");
    }

    #[test]
    fn members_of_malformed_metadata_are_absent() {
        for object in [
            json!({}),
            json!({"metadata": 1}),
            json!(null),
            json!({"metadata": {"name": 5, "finalizers": {}}}),
        ] {
            assert_eq!(name(&object), "");
            assert_eq!(finalizers(&object).count(), 0);
            assert_eq!(generation(&object), 0);
        }
        let mut object = json!({"metadata": "text"});
        assert!(metadata_mut(&mut object).unwrap().is_empty());
        assert!(metadata_mut(&mut json!([])).is_none());
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-z]{0,3}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_encoded_reads_back(value in any_value()) {
            let back: Value = serde_json::from_slice(&encode_unsaved(&value)).unwrap();
            prop_assert_eq!(back, value);
        }
    }
}
