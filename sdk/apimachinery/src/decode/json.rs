//! JSON, duplicate keys noticed.

use super::Document;
use crate::{Map, Value};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::de::Read;
use std::{cell::Cell, fmt};

/// Reads a document.
///
/// # Errors
/// Go's text of what is wrong.
pub(super) fn parse(body: &[u8]) -> Result<Document, String> {
    // Checked as a whole, which is faster than text by text.
    match std::str::from_utf8(body) {
        Ok(text) => read(serde_json::Deserializer::from_str(text)),
        Err(_) => read(serde_json::Deserializer::from_slice(body)),
    }
    .map_err(|error| syntax_error(body, &error))
}

fn read<'a, R: Read<'a>>(mut deserializer: serde_json::Deserializer<R>) -> serde_json::Result<Document> {
    let duplicates = Cell::new(false);
    let value = Any::<false>(&duplicates).deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(Document { value, has_duplicates: duplicates.get(), yaml_errors: Vec::new() })
}

/// Any value. The cell is set when a key stands twice. In YAML a key may be a boolean or a number, which turns
/// into its text.
#[derive(Clone, Copy)]
pub(super) struct Any<'a, const YAML: bool>(pub(super) &'a Cell<bool>);

impl<'de, const YAML: bool> DeserializeSeed<'de> for Any<'_, YAML> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, const YAML: bool> Visitor<'de> for Any<'_, YAML> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        loop {
            let key = if YAML { members.next_key_seed(Key)? } else { members.next_key::<String>()? };
            let Some(key) = key else { break };
            if map.insert(key, members.next_value_seed(self)?).is_some() {
                self.0.set(true);
            }
        }
        Ok(Value::Object(map))
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a boolean as a key")
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("null".to_owned())
    }

    fn visit_bool<E>(self, key: bool) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_i64<E>(self, key: i64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_u64<E>(self, key: u64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_f64<E>(self, key: f64) -> Result<String, E> {
        Ok(key.to_string())
    }

    fn visit_str<E>(self, key: &str) -> Result<String, E> {
        Ok(key.to_owned())
    }

    fn visit_string<E>(self, key: String) -> Result<String, E> {
        Ok(key)
    }
}

/// What encoding/json of Go says of a document that serde_json refused: clients and tests know these texts.
pub fn syntax_error(body: &[u8], error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.is_eof() {
        return "unexpected end of JSON input".to_owned();
    }
    if text.starts_with("recursion limit") {
        return "exceeded max depth".to_owned();
    }
    let context = CONTEXTS.iter().find(|(theirs, _)| text.starts_with(theirs)).map_or("", |(_, go)| *go);
    match offending(body, error) {
        Some(character) if !context.is_empty() => {
            format!("invalid character {} {context}", quote(character))
        }
        _ => text,
    }
}

const CONTEXTS: &[(&str, &str)] = &[
    ("expected value", "looking for beginning of value"),
    ("key must be a string", "looking for beginning of object key string"),
    ("expected `:`", "after object key"),
    ("expected `,` or `}`", "after object key:value pair"),
    ("expected `,` or `]`", "after array element"),
    ("trailing characters", "after top-level value"),
    ("trailing comma", "looking for beginning of value"),
    ("expected ident", "in literal"),
    ("invalid escape", "in string escape code"),
    ("control character", "in string literal"),
    ("invalid number", "in numeric literal"),
];

/// The character at which the parser stopped.
fn offending(body: &[u8], error: &serde_json::Error) -> Option<char> {
    let line = body.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    let rest = &line[error.column().saturating_sub(1).min(line.len())..];
    let text = String::from_utf8_lossy(&rest[..rest.len().min(4)]);
    text.chars().next()
}

/// Go's `quoteChar`.
fn quote(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        other => format!("'{}'", other.escape_debug()),
    }
}
