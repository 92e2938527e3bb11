//! YAML as kubectl and sigs.k8s.io/yaml write it: the first document, YAML 1.1 booleans, keys as text.

use super::{
    Document, MAX_DEPTH,
    json::{self, Any},
};
use crate::Value;
use serde::{Deserialize, Deserializer, de::DeserializeSeed};
use serde_saphyr::{Error, options::DuplicateKeyPolicy};
use std::cell::Cell;

/// More nodes than any request of 3 MiB has that means well; also bounds what aliases may blow up.
const MAX_NODES: usize = 400_000;

pub(super) fn parse(body: &[u8]) -> Result<Document, String> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        // JSON is YAML, and the common case of `kubectl` reading a pipe.
        if let Ok(document) = json::parse(body) {
            return Ok(document);
        }
    }
    let text = std::str::from_utf8(body).map_err(|_| "yaml: invalid leading UTF-8 octet".to_owned())?;
    let first = first_document(text);
    match read(first, DuplicateKeyPolicy::Error) {
        Ok(value) => Ok(Document { value, has_duplicates: false, yaml_errors: Vec::new() }),
        Err(error) => match duplicate(&error) {
            Some(text) => {
                let value = read(first, DuplicateKeyPolicy::LastWins).map_err(|error| message(&error))?;
                Ok(Document { value, has_duplicates: true, yaml_errors: vec![text] })
            }
            None => Err(message(&error)),
        },
    }
}

fn read(text: &str, duplicate_keys: DuplicateKeyPolicy) -> Result<Value, Error> {
    let budget = serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES };
    let options = serde_saphyr::options! {
        budget: budget,
        duplicate_keys: duplicate_keys,
        legacy_octal_numbers: true,
        emit_comments: false,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Yaml>(text, options).map(|yaml| yaml.0)
}

/// A value whose keys may be booleans or numbers, which JSON has as text.
struct Yaml(Value);

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Any::<true>(&Cell::new(false)).deserialize(deserializer).map(Yaml)
    }
}

/// The text up to the end of the first document that has content. A marker stands at the start of a line, where
/// no block scalar can reach.
fn first_document(text: &str) -> &str {
    let mut content = false;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim_end();
        let marker = |sign: &str| {
            trimmed == sign || trimmed.strip_prefix(sign).is_some_and(|rest| rest.starts_with([' ', '\t']))
        };
        if content && (marker("---") || marker("...")) {
            return &text[..offset];
        }
        content |=
            !trimmed.is_empty() && !trimmed.starts_with('#') && trimmed != "---" && !trimmed.starts_with('%');
        offset += line.len();
    }
    text
}

fn duplicate(error: &Error) -> Option<String> {
    match error {
        Error::DuplicateMappingKey { key, location } => {
            let key = key.as_deref().unwrap_or_default();
            Some(format!("line {}: key {key:?} already set in map", location.line()))
        }
        _ => None,
    }
}

const UNCLOSED: [(&str, &str); 2] = [
    ("unclosed bracket '['", "did not find expected ',' or ']'"),
    ("unclosed bracket '{'", "did not find expected ',' or '}'"),
];

fn message(error: &Error) -> String {
    let text = error.to_string();
    // What libyaml says of the commonest mistake; people search for these words.
    let text =
        UNCLOSED.iter().find(|(theirs, _)| text.contains(theirs)).map_or(text.as_str(), |(_, known)| known);
    match error.location() {
        Some(location) if location.line() > 0 => format!("yaml: line {}: {text}", location.line()),
        _ => format!("yaml: {text}"),
    }
}
