//! Embedded `apiVersion`, `kind` and `metadata` (`apiextensions-apiserver/pkg/apiserver/schema/objectmeta`).

use super::Schema;
use crate::{Map, Value, field, names};

/// A member of `ObjectMeta`, as Go declares it.
#[derive(Debug, Clone, Copy)]
enum Form {
    Text,
    Whole,
    Flag,
    Time,
    TextMap,
    Texts,
    Raw,
    Structs(&'static str, &'static [Member]),
}

/// Name, form, and whether an empty value is left out.
type Member = (&'static str, Form, bool);

const OBJECT_META: &[Member] = &[
    ("annotations", Form::TextMap, true),
    ("creationTimestamp", Form::Time, true),
    ("deletionGracePeriodSeconds", Form::Whole, false),
    ("deletionTimestamp", Form::Time, true),
    ("finalizers", Form::Texts, true),
    ("generateName", Form::Text, true),
    ("generation", Form::Whole, true),
    ("labels", Form::TextMap, true),
    ("managedFields", Form::Structs("ManagedFieldsEntry", MANAGED_FIELDS), true),
    ("name", Form::Text, true),
    ("namespace", Form::Text, true),
    ("ownerReferences", Form::Structs("OwnerReference", OWNER_REFERENCE), true),
    ("resourceVersion", Form::Text, true),
    ("selfLink", Form::Text, true),
    ("uid", Form::Text, true),
];

const OWNER_REFERENCE: &[Member] = &[
    ("apiVersion", Form::Text, false),
    ("blockOwnerDeletion", Form::Flag, false),
    ("controller", Form::Flag, false),
    ("kind", Form::Text, false),
    ("name", Form::Text, false),
    ("uid", Form::Text, false),
];

const MANAGED_FIELDS: &[Member] = &[
    ("apiVersion", Form::Text, true),
    ("fieldsType", Form::Text, true),
    ("fieldsV1", Form::Raw, true),
    ("manager", Form::Text, true),
    ("operation", Form::Text, true),
    ("subresource", Form::Text, true),
    ("time", Form::Time, true),
];

/// Checks the JSON types of embedded `apiVersion`, `kind` and `metadata`, and drops what `ObjectMeta` does not know;
/// the paths of what was dropped are added to `unknown`.
///
/// # Errors
/// Upstream's text, `spec.template.metadata: Invalid value: …`.
pub fn coerce(schema: &Schema, object: &mut Value, unknown: Option<&mut Vec<String>>) -> Result<(), String> {
    if !schema.has_embedded {
        return Ok(());
    }
    let mut paths = Vec::new();
    walk(schema, object, &field::Path::Root, false, &mut paths).map_err(|error| error.to_string())?;
    if let Some(unknown) = unknown {
        paths.sort();
        unknown.append(&mut paths);
    }
    Ok(())
}

/// As [`coerce`], but what has the wrong form is dropped: for what was stored.
pub fn coerce_lenient(schema: &Schema, object: &mut Value) {
    if schema.has_embedded {
        // With `lenient` nothing fails.
        drop(walk(schema, object, &field::Path::Root, true, &mut Vec::new()));
    }
}

fn walk(
    schema: &Schema,
    value: &mut Value,
    path: &field::Path<'_>,
    lenient: bool,
    unknown: &mut Vec<String>,
) -> Result<(), field::Error> {
    if !schema.has_embedded {
        return Ok(());
    }
    match value {
        Value::Object(object) => {
            if schema.embedded_resource {
                resource(object, path, lenient, unknown)?;
            }
            for (key, value) in object.iter_mut() {
                if let Some(property) = schema.property(key) {
                    walk(property, value, &path.child(key), lenient, unknown)?;
                } else if let Some(additional) = schema.additional.schema() {
                    walk(additional, value, &path.key(key), lenient, unknown)?;
                }
            }
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for (index, item) in items.iter_mut().enumerate() {
                    walk(item_schema, item, &path.index(index), lenient, unknown)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn resource(
    object: &mut Map,
    path: &field::Path<'_>,
    lenient: bool,
    unknown: &mut Vec<String>,
) -> Result<(), field::Error> {
    for key in ["apiVersion", "kind"] {
        if let Some(value) = object.get(key)
            && !value.is_string()
        {
            if !lenient {
                return Err(field::Error::invalid(&path.child(key), value.clone(), "must be a string"));
            }
            object.remove(key);
        }
    }
    let Some(metadata) = object.get_mut("metadata") else { return Ok(()) };
    let place = path.child("metadata");
    match decode_metadata(metadata, &place.to_string(), lenient, unknown) {
        Ok(decoded) => *metadata = Value::Object(decoded),
        Err(_) if lenient => {}
        Err(why) => return Err(field::Error::invalid(&place, metadata.clone(), why)),
    }
    Ok(())
}

/// `metadata` as it comes out of Go's `ObjectMeta`: known members of the right types, empty ones left out.
/// The paths of unknown members, below `place`, are added to `unknown`.
///
/// # Errors
/// The text of Go's decoder; never with `lenient`, which drops what it cannot read, unless `metadata` is no object.
pub fn decode_metadata(
    metadata: &Value,
    place: &str,
    lenient: bool,
    unknown: &mut Vec<String>,
) -> Result<Map, String> {
    Decoder { lenient, unknown }.members("ObjectMeta", "", OBJECT_META, metadata, place)
}

struct Decoder<'a> {
    lenient: bool,
    unknown: &'a mut Vec<String>,
}

impl Decoder<'_> {
    fn members(
        &mut self,
        type_: &str,
        stack: &str,
        members: &[Member],
        value: &Value,
        place: &str,
    ) -> Result<Map, String> {
        let object = match value {
            Value::Object(object) => object,
            Value::Null => return Ok(Map::new()),
            other => {
                let whole =
                    if stack.is_empty() { format!("value of type v1.{type_}") } else { String::new() };
                return Err(format!("json: cannot unmarshal {} into Go {whole}", json_name(other)));
            }
        };
        let mut decoded = Map::new();
        for (key, value) in object {
            let Some((name, form, omit_empty)) = members.iter().find(|(name, ..)| name == key) else {
                self.unknown.push(format!("{place}.{key}"));
                continue;
            };
            let stack = if stack.is_empty() { (*name).to_owned() } else { format!("{stack}.{name}") };
            match self.member(type_, &stack, *form, value, &format!("{place}.{key}")) {
                Ok(Some(value)) if !(*omit_empty && is_empty(&value)) => {
                    decoded.insert(key.clone(), value);
                }
                Ok(_) => {}
                Err(_) if self.lenient => {}
                Err(why) => return Err(why),
            }
        }
        for (name, form, omit_empty) in members {
            if !omit_empty && matches!(form, Form::Text) && !decoded.contains_key(*name) {
                decoded.insert((*name).to_owned(), "".into());
            }
        }
        Ok(decoded)
    }

    fn member(
        &mut self,
        type_: &str,
        stack: &str,
        form: Form,
        value: &Value,
        place: &str,
    ) -> Result<Option<Value>, String> {
        let wrong = |value: &Value, go: &str| {
            Err(format!(
                "json: cannot unmarshal {} into Go struct field {type_}.{stack} of type {go}",
                json_name(value)
            ))
        };
        if value.is_null() {
            return Ok(None);
        }
        match form {
            Form::Text if !value.is_string() => wrong(value, "string"),
            Form::Flag if !value.is_boolean() => wrong(value, "bool"),
            Form::Whole if value.as_i64().is_none() => match value {
                Value::Number(number) => Err(format!(
                    "json: cannot unmarshal number {number} into Go struct field {type_}.{stack} of type int64"
                )),
                _ => wrong(value, "int64"),
            },
            Form::Time => match value.as_str() {
                None => {
                    Err(format!("json: cannot unmarshal {} into Go value of type string", json_name(value)))
                }
                Some(text) if super::format::is_valid("date-time", text) => Ok(Some(value.clone())),
                Some(text) => {
                    let layout = "2006-01-02T15:04:05Z07:00";
                    Err(format!("parsing time {text:?} as {layout:?}: cannot parse {text:?} as \"2006\""))
                }
            },
            Form::TextMap => {
                let Some(map) = value.as_object() else { return wrong(value, "map[string]string") };
                let mut texts = Map::new();
                for (key, value) in map {
                    match value {
                        Value::String(_) => drop(texts.insert(key.clone(), value.clone())),
                        Value::Null => drop(texts.insert(key.clone(), "".into())),
                        _ => return wrong(value, "string"),
                    }
                }
                Ok(Some(texts.into()))
            }
            Form::Texts => {
                let Some(list) = value.as_array() else { return wrong(value, "[]string") };
                match list.iter().find(|item| !item.is_string() && !item.is_null()) {
                    Some(item) => wrong(item, "string"),
                    None => Ok(Some(
                        list.iter().map(|item| Value::from(item.as_str().unwrap_or_default())).collect(),
                    )),
                }
            }
            Form::Structs(item_type, members) => {
                let Some(list) = value.as_array() else { return wrong(value, &format!("[]v1.{item_type}")) };
                let mut structs = Vec::with_capacity(list.len());
                for (index, item) in list.iter().enumerate() {
                    if !item.is_object() && !item.is_null() {
                        return wrong(item, &format!("v1.{item_type}"));
                    }
                    let place = format!("{place}[{index}]");
                    structs.push(Value::Object(self.members(item_type, stack, members, item, &place)?));
                }
                Ok(Some(structs.into()))
            }
            Form::Text | Form::Flag | Form::Whole | Form::Raw => Ok(Some(value.clone())),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) => false,
    }
}

fn json_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// What is wrong with embedded `apiVersion`, `kind` and `metadata`.
pub fn validate(schema: &Schema, object: &Value) -> Vec<field::Error> {
    let mut errors = Vec::new();
    check(schema, object, &field::Path::Root, &mut errors);
    errors
}

fn check(schema: &Schema, value: &Value, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    if !schema.has_embedded {
        return;
    }
    match value {
        Value::Object(object) => {
            if schema.embedded_resource {
                check_resource(object, path, errors);
            }
            for (key, value) in object {
                if let Some(property) = schema.property(key) {
                    check(property, value, &path.child(key), errors);
                } else if let Some(additional) = schema.additional.schema() {
                    check(additional, value, &path.key(key), errors);
                }
            }
        }
        Value::Array(items) => {
            if let Some(item_schema) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    check(item_schema, item, &path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn check_resource(object: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    for key in ["apiVersion", "kind"] {
        let place = path.child(key);
        let Some(value) = object.get(key) else {
            errors.push(field::Error::required(&place, ""));
            continue;
        };
        let Some(text) = value.as_str() else {
            errors.push(field::Error::invalid(&place, value.clone(), "must be a string"));
            continue;
        };
        if text.is_empty() {
            errors.push(field::Error::invalid(&place, text, "must not be empty"));
        } else if key == "apiVersion" {
            if text.matches('/').count() > 1 {
                let why = format!("unexpected GroupVersion string: {text}");
                errors.push(field::Error::invalid(&place, text, why));
            }
        } else {
            let reasons = names::dns1035_label(&text.to_lowercase());
            if !reasons.is_empty() {
                let why = format!("may have mixed case, but should otherwise match: {}", reasons.join(","));
                errors.push(field::Error::invalid(&place, text, why));
            }
        }
    }
    if let Some(metadata) = object.get("metadata") {
        match decode_metadata(metadata, "", false, &mut Vec::new()) {
            Ok(metadata) => check_metadata(&metadata, &path.child("metadata"), errors),
            Err(why) => errors.push(field::Error::invalid(&path.child("metadata"), metadata.clone(), why)),
        }
    }
}

fn check_metadata(metadata: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut tell = |key: &str, value: &str, reasons: Vec<String>| {
        for reason in reasons {
            errors.push(field::Error::invalid(&path.child(key), value, reason));
        }
    };
    for (key, prefix) in [("generateName", true), ("name", false)] {
        if !text(key).is_empty() {
            tell(key, text(key), names::path_segment(text(key), prefix));
        }
    }
    if !text("namespace").is_empty() {
        tell("namespace", text("namespace"), names::dns1123_label(text("namespace")));
    }
    if let Some(labels) = metadata.get("labels").and_then(Value::as_object) {
        for (key, value) in labels {
            let value = value.as_str().unwrap_or_default();
            tell("labels", key, names::qualified_name(key));
            tell("labels", value, names::label_value(value));
        }
    }
    if let Some(annotations) = metadata.get("annotations").and_then(Value::as_object) {
        for key in annotations.keys() {
            tell("annotations", key, names::qualified_name(&key.to_lowercase()));
        }
    }
    if let Some(finalizers) = metadata.get("finalizers").and_then(Value::as_array) {
        for finalizer in finalizers.iter().filter_map(Value::as_str) {
            tell("finalizers", finalizer, names::qualified_name(finalizer));
        }
    }
    let owners = metadata.get("ownerReferences").and_then(Value::as_array);
    let place = path.child("ownerReferences");
    for owner in owners.into_iter().flatten() {
        for (key, empty) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if owner.get(key).and_then(Value::as_str).unwrap_or_default().is_empty() {
                errors.push(field::Error::invalid(&place.child(key), "", empty));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Schema {
        Schema::parse(&json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "template": {"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}}}}}))
    }

    fn template(template: Value) -> Value {
        json!({"spec": {"template": template}})
    }

    #[test]
    fn unknown_metadata_goes_and_is_told() {
        let mut object = template(
            json!({"apiVersion": "v1", "kind": "F", "metadata": {"name": "x", "bogus": 1, "labels": {"a": "b"}, "annotations": null}}),
        );
        let mut unknown = Vec::new();
        coerce(&schema(), &mut object, Some(&mut unknown)).unwrap();
        assert_eq!(unknown, ["spec.template.metadata.bogus"]);
        assert_eq!(object["spec"]["template"]["metadata"], json!({"name": "x", "labels": {"a": "b"}}));
        assert!(validate(&schema(), &object).is_empty());
    }

    #[test]
    fn wrong_types_are_refused_as_gos_decoder_does() {
        let mut object = template(json!({"metadata": {"labels": {"a": 5}}}));
        assert_eq!(
            coerce(&schema(), &mut object, None).unwrap_err(),
            "spec.template.metadata: Invalid value: {\"labels\":{\"a\":5}}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string"
        );
        coerce_lenient(&schema(), &mut object);
        assert_eq!(object, template(json!({"metadata": {}})));
    }

    #[test]
    fn type_meta_must_be_there_and_make_sense() {
        for (given, wanted) in [
            (
                json!({"metadata": {"name": "x"}}),
                vec!["spec.template.apiVersion: Required value", "spec.template.kind: Required value"],
            ),
            (
                json!({"apiVersion": "v1", "kind": ""}),
                vec!["spec.template.kind: Invalid value: \"\": must not be empty"],
            ),
            (
                json!({"apiVersion": "a/b/c", "kind": "Foo"}),
                vec![
                    "spec.template.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c",
                ],
            ),
        ] {
            let texts: Vec<String> =
                validate(&schema(), &template(given)).iter().map(ToString::to_string).collect();
            assert_eq!(texts, wanted);
        }
        let errors = validate(
            &schema(),
            &template(
                json!({"apiVersion": "v1", "kind": "C", "metadata": {"name": "UPPER_", "labels": {"a b": "c"}}}),
            ),
        );
        assert_eq!(
            errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(),
            ["spec.template.metadata.labels"]
        );
    }
}
