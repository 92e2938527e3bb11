//! OpenAPI v2 in protobuf. Numbers of fields: `google/gnostic/openapiv2/OpenAPIv2.proto`.

use crate::{Map, Value};

/// How a member is written.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Flag,
    Whole,
    Float,
    /// Any value, as YAML.
    Any,
    Anys,
    /// A message, by its members.
    Message(&'static [Member]),
    /// A schema, within as many messages as there are numbers.
    Schema(&'static [u32]),
    /// One text or a list of them, in a message.
    Type,
    SchemaOrFlag,
    Properties,
    Operation,
    Parameters,
    Responses,
}

/// The name in JSON, the number and the form.
type Member = (&'static str, u32, Form);

const INFO: &[Member] =
    &[("title", 1, Form::Text), ("version", 2, Form::Text), ("description", 3, Form::Text)];

const SCHEMA: &[Member] = &[
    ("$ref", 1, Form::Text),
    ("format", 2, Form::Text),
    ("title", 3, Form::Text),
    ("description", 4, Form::Text),
    ("default", 5, Form::Any),
    ("multipleOf", 6, Form::Float),
    ("maximum", 7, Form::Float),
    ("exclusiveMaximum", 8, Form::Flag),
    ("minimum", 9, Form::Float),
    ("exclusiveMinimum", 10, Form::Flag),
    ("maxLength", 11, Form::Whole),
    ("minLength", 12, Form::Whole),
    ("pattern", 13, Form::Text),
    ("maxItems", 14, Form::Whole),
    ("minItems", 15, Form::Whole),
    ("uniqueItems", 16, Form::Flag),
    ("maxProperties", 17, Form::Whole),
    ("minProperties", 18, Form::Whole),
    ("required", 19, Form::Texts),
    ("enum", 20, Form::Anys),
    ("additionalProperties", 21, Form::SchemaOrFlag),
    ("type", 22, Form::Type),
    ("items", 23, Form::Schema(&[1])),
    ("properties", 25, Form::Properties),
    ("externalDocs", 29, Form::Message(&[("description", 1, Form::Text), ("url", 2, Form::Text)])),
    ("example", 30, Form::Any),
];
const SCHEMA_EXTENSIONS: u32 = 31;

const OPERATION: &[Member] = &[
    ("tags", 1, Form::Texts),
    ("summary", 2, Form::Text),
    ("description", 3, Form::Text),
    ("operationId", 5, Form::Text),
    ("produces", 6, Form::Texts),
    ("consumes", 7, Form::Texts),
    ("parameters", 8, Form::Parameters),
    ("responses", 9, Form::Responses),
    ("schemes", 10, Form::Texts),
    ("deprecated", 11, Form::Flag),
];
const OPERATION_EXTENSIONS: u32 = 13;

const PATH_ITEM: &[Member] = &[
    ("get", 2, Form::Operation),
    ("put", 3, Form::Operation),
    ("post", 4, Form::Operation),
    ("delete", 5, Form::Operation),
    ("options", 6, Form::Operation),
    ("head", 7, Form::Operation),
    ("patch", 8, Form::Operation),
    ("parameters", 9, Form::Parameters),
];

const BODY: &[Member] = &[
    ("description", 1, Form::Text),
    ("name", 2, Form::Text),
    ("in", 3, Form::Text),
    ("required", 4, Form::Flag),
    ("schema", 5, Form::Schema(&[])),
];

const QUERY: &[Member] = &[
    ("required", 1, Form::Flag),
    ("in", 2, Form::Text),
    ("description", 3, Form::Text),
    ("name", 4, Form::Text),
    ("type", 6, Form::Text),
    ("format", 7, Form::Text),
    ("uniqueItems", 20, Form::Flag),
];

/// Of a path, and of a header.
const PATH: &[Member] = &[
    ("required", 1, Form::Flag),
    ("in", 2, Form::Text),
    ("description", 3, Form::Text),
    ("name", 4, Form::Text),
    ("type", 5, Form::Text),
    ("format", 6, Form::Text),
    ("uniqueItems", 19, Form::Flag),
];

const RESPONSE: &[Member] = &[("description", 1, Form::Text), ("schema", 2, Form::Schema(&[1]))];

const API_KEY: &[Member] = &[
    ("type", 1, Form::Text),
    ("name", 2, Form::Text),
    ("in", 3, Form::Text),
    ("description", 4, Form::Text),
];

/// Writes a document.
pub(super) struct Writer {
    out: Vec<u8>,
    paths: Vec<u8>,
    definitions: Vec<u8>,
}

impl Writer {
    pub(super) fn new(info: &Value) -> Self {
        let mut out = Vec::new();
        text(&mut out, 1, "2.0");
        nested(&mut out, 2, |out| message(out, INFO, None, info));
        Self { out, paths: Vec::new(), definitions: Vec::new() }
    }

    pub(super) fn path(&mut self, path: &str, item: &Value) {
        named(&mut self.paths, 2, path, |out| message(out, PATH_ITEM, Some(10), item));
    }

    pub(super) fn definition(&mut self, name: &str, definition: &Value) {
        named(&mut self.definitions, 1, name, |out| schema(out, definition));
    }

    pub(super) fn finish(mut self, security: &Value, definitions: &Value) -> Vec<u8> {
        bytes(&mut self.out, 8, &self.paths);
        drop(self.paths);
        bytes(&mut self.out, 9, &self.definitions);
        drop(self.definitions);
        for requirement in security.as_array().into_iter().flatten() {
            nested(&mut self.out, 12, |out| {
                for (name, scopes) in requirement.as_object().into_iter().flatten() {
                    named(out, 1, name, |out| texts(out, 1, scopes));
                }
            });
        }
        nested(&mut self.out, 13, |out| {
            for (name, definition) in definitions.as_object().into_iter().flatten() {
                named(out, 1, name, |out| nested(out, 2, |out| message(out, API_KEY, None, definition)));
            }
        });
        self.out
    }
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

fn tag(out: &mut Vec<u8>, number: u32, wire_type: u64) {
    varint(out, u64::from(number) << 3 | wire_type);
}

fn bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    tag(out, number, 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, number: u32, value: &str) {
    bytes(out, number, value.as_bytes());
}

fn nested(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let mut inner = Vec::new();
    write(&mut inner);
    bytes(out, number, &inner);
}

/// A name and its value, as maps are written.
fn named(out: &mut Vec<u8>, number: u32, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    nested(out, number, |out| {
        text(out, 1, name);
        nested(out, 2, write);
    });
}

fn texts(out: &mut Vec<u8>, number: u32, list: &Value) {
    for item in list.as_array().into_iter().flatten().filter_map(Value::as_str) {
        text(out, number, item);
    }
}

/// JSON is YAML.
fn any(out: &mut Vec<u8>, number: u32, value: &Value) {
    nested(out, number, |out| text(out, 2, &format!("{value}\n")));
}

fn schema(out: &mut Vec<u8>, value: &Value) {
    message(out, SCHEMA, Some(SCHEMA_EXTENSIONS), value);
}

/// A schema in messages that hold nothing else.
fn wrapped(out: &mut Vec<u8>, numbers: &[u32], value: &Value) {
    match numbers.split_first() {
        Some((number, rest)) => nested(out, *number, |out| wrapped(out, rest, value)),
        None => schema(out, value),
    }
}

fn message(out: &mut Vec<u8>, members: &[Member], extensions: Option<u32>, value: &Value) {
    let Value::Object(map) = value else { return };
    for (name, number, form) in members {
        if let Some(value) = map.get(*name) {
            member(out, *number, *form, value);
        }
    }
    if let Some(number) = extensions {
        self::extensions(out, number, map);
    }
}

fn extensions(out: &mut Vec<u8>, number: u32, map: &Map) {
    for (name, value) in map.iter().filter(|(name, _)| name.starts_with("x-")) {
        named(out, number, name, |out| text(out, 2, &format!("{value}\n")));
    }
}

fn member(out: &mut Vec<u8>, number: u32, form: Form, value: &Value) {
    match form {
        Form::Text => text(out, number, value.as_str().unwrap_or_default()),
        Form::Texts => texts(out, number, value),
        Form::Flag => {
            if value == &Value::Bool(true) {
                tag(out, number, 0);
                out.push(1);
            }
        }
        Form::Whole => {
            tag(out, number, 0);
            varint(out, value.as_i64().unwrap_or_default().cast_unsigned());
        }
        Form::Float => {
            tag(out, number, 1);
            out.extend_from_slice(&value.as_f64().unwrap_or_default().to_le_bytes());
        }
        Form::Any => any(out, number, value),
        Form::Anys => value.as_array().into_iter().flatten().for_each(|value| any(out, number, value)),
        Form::Message(members) => {
            nested(out, number, |out| message(out, members, None, value));
        }
        Form::Schema(numbers) => nested(out, number, |out| wrapped(out, numbers, value)),
        Form::Type => nested(out, number, |out| match value {
            Value::String(name) => text(out, 1, name),
            list => texts(out, 1, list),
        }),
        Form::SchemaOrFlag => nested(out, number, |out| match value {
            Value::Bool(allowed) => {
                tag(out, 2, 0);
                out.push(u8::from(*allowed));
            }
            value => nested(out, 1, |out| schema(out, value)),
        }),
        Form::Properties => nested(out, number, |out| {
            for (name, value) in value.as_object().into_iter().flatten() {
                named(out, 1, name, |out| schema(out, value));
            }
        }),
        Form::Operation => {
            nested(out, number, |out| message(out, OPERATION, Some(OPERATION_EXTENSIONS), value));
        }
        Form::Parameters => {
            for value in value.as_array().into_iter().flatten() {
                nested(out, number, |out| nested(out, 1, |out| parameter(out, value)));
            }
        }
        Form::Responses => nested(out, number, |out| {
            for (code, value) in value.as_object().into_iter().flatten() {
                named(out, 1, code, |out| nested(out, 1, |out| message(out, RESPONSE, Some(5), value)));
            }
        }),
    }
}

fn parameter(out: &mut Vec<u8>, value: &Value) {
    let (number, members, extensions) = match value.get("in").and_then(Value::as_str).unwrap_or_default() {
        "body" => return nested(out, 1, |out| message(out, BODY, Some(6), value)),
        "path" => (4, PATH, 22),
        "header" => (1, PATH, 22),
        _ => (3, QUERY, 23),
    };
    nested(out, 2, |out| nested(out, number, |out| message(out, members, Some(extensions), value)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_have_their_numbers_and_forms() {
        let mut out = Vec::new();
        schema(&mut out, &json!({"type": "string", "minimum": 1, "maxLength": 300, "x-k": true}));
        let mut expected = vec![9 << 3 | 1, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 11 << 3, 0xac, 0x02];
        // type: field 22; the number takes two bytes from 16 on.
        expected.extend_from_slice(b"\xb2\x01\x08\x0a\x06string");
        expected.extend_from_slice(b"\xfa\x01\x0e\x0a\x03x-k\x12\x07\x12\x05true\n");
        assert_eq!(out, expected);
    }

    #[test]
    fn a_document_has_its_parts_in_order() {
        let mut writer = Writer::new(&json!({"title": "K", "version": "1"}));
        writer.path("/p", &json!({"get": {"operationId": "o", "responses": {"200": {"description": "OK"}}}}));
        writer.definition("d", &json!({"type": "object"}));
        let out = writer.finish(&json!([{"t": []}]), &json!({"t": {"type": "apiKey"}}));
        assert!(out.starts_with(b"\x0a\x032.0\x12\x06\x0a\x01K\x12\x011\x42"));
        let security = b"\x62\x07\x0a\x05\x0a\x01t\x12\x00\x6a";
        assert!(out.windows(security.len()).any(|window| window == security));
    }
}
