//! Whether a schema is structural (`apiextensions-apiserver/pkg/apiserver/schema/validation.go`, `complete.go`).
//!
//! Works on the document as it came, because what makes a schema unstructural does not survive parsing.

use super::pattern;
use crate::{Map, Value, field};
use serde_json::json;

/// Where in a schema a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Why `schema` (JSONSchemaProps) is not structural, sorted by text; nothing if it is.
pub fn validate(schema: &Map, path: &field::Path<'_>) -> Vec<field::Error> {
    let mut errors = Vec::new();
    invariants(schema, Level::Root, path, &mut errors);
    junctor_completeness(schema, Some(schema), path, path, &mut errors);
    errors.sort_by_cached_key(ToString::to_string);
    errors
}

/// The first member of the schema that can never be part of a structural one, in upstream's words.
pub fn unsupported(schema: &Map) -> Option<String> {
    for (key, name) in [
        ("id", "id"),
        ("$schema", "schema"),
        ("$ref", "$ref"),
        ("patternProperties", "patternProperties"),
        ("dependencies", "dependencies"),
        ("additionalItems", "additionalItems"),
        ("definitions", "definitions"),
    ] {
        let there = schema.get(key).is_some_and(|value| {
            !(value.is_null()
                || value == ""
                || value.as_object().is_some_and(Map::is_empty) && key != "additionalItems")
        });
        if there {
            return Some(format!("OpenAPIV3Schema '{name}' is not supported"));
        }
    }
    if schema.get("items").is_some_and(Value::is_array) {
        return Some("OpenAPIV3Schema 'items' must be a schema, but is an array".into());
    }
    children(schema).into_iter().find_map(|(_, child)| unsupported(child))
}

/// All schemas directly below this one, with the keyword they stand at.
pub(super) fn children(schema: &Map) -> Vec<(&'static str, &Map)> {
    let mut all = Vec::new();
    for key in ["items", "not", "additionalProperties"] {
        all.extend(schema.get(key).and_then(Value::as_object).map(|child| (key, child)));
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        let list = schema.get(key).and_then(Value::as_array).into_iter().flatten();
        all.extend(list.filter_map(Value::as_object).map(|child| (key, child)));
    }
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    all.extend(properties.filter_map(|(_, child)| child.as_object()).map(|child| ("properties", child)));
    all
}

pub(super) fn text<'a>(schema: &'a Map, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn flag(schema: &Map, key: &str) -> bool {
    schema.get(key).and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn object<'a>(schema: &'a Map, key: &str) -> Option<&'a Map> {
    schema.get(key).and_then(Value::as_object)
}

fn list<'a>(schema: &'a Map, key: &str) -> impl Iterator<Item = (usize, &'a Map)> {
    let list = schema.get(key).and_then(Value::as_array).into_iter().flatten();
    list.enumerate().filter_map(|(index, item)| Some((index, item.as_object()?)))
}

fn properties(schema: &Map) -> impl Iterator<Item = (&String, &Map)> {
    object(schema, "properties")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key, value.as_object()?)))
}

fn is_int_or_string(any_of: Option<&Value>) -> bool {
    any_of.is_some_and(|any_of| *any_of == json!([{"type": "integer"}, {"type": "string"}]))
}

fn invariants(schema: &Map, level: Level, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    let type_ = text(schema, "type");
    let embedded = flag(schema, "x-kubernetes-embedded-resource");
    let preserve = flag(schema, "x-kubernetes-preserve-unknown-fields");
    let int_or_string = flag(schema, "x-kubernetes-int-or-string");
    let items = path.child("items");
    match object(schema, "items") {
        Some(item) => invariants(item, Level::Item, &items, errors),
        None if type_ == "array" => errors.push(field::Error::required(&items, "must be specified")),
        None => {}
    }
    let below = path.child("properties");
    for (key, property) in properties(schema) {
        invariants(property, Level::Field, &below.key(key), errors);
    }
    let additional = schema.get("additionalProperties").filter(|additional| !additional.is_null());
    let additional_path = path.child("additionalProperties");
    if let Some(additional) = additional {
        if level == Level::Root {
            errors.push(field::Error::forbidden(&additional_path, "must not be used at the root"));
        }
        if let Some(additional) = additional.as_object() {
            invariants(additional, Level::Field, &additional_path, errors);
        }
    }
    for (other, there) in
        [("x-kubernetes-preserve-unknown-fields", preserve), ("x-kubernetes-embedded-resource", embedded)]
    {
        if int_or_string && there {
            let why = "must be false if x-kubernetes-int-or-string is true";
            errors.push(field::Error::invalid(&path.child(other), true, why));
        }
    }
    let skip_any_of = is_int_or_string(schema.get("anyOf"));
    let skip_all_of =
        is_int_or_string(list(schema, "allOf").next().and_then(|(_, first)| first.get("anyOf")));
    value_validation(schema, skip_any_of, skip_all_of, path, errors);

    let type_path = path.child("type");
    if embedded && type_ != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        errors.push(if type_.is_empty() {
            field::Error::required(&type_path, why)
        } else {
            field::Error::invalid(&type_path, type_, why)
        });
    } else if type_.is_empty() && !int_or_string && !preserve {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(field::Error::required(&type_path, why));
    }
    if embedded && additional.is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(field::Error::forbidden(&additional_path, why));
    }
    if level == Level::Root && !type_.is_empty() && type_ != "object" {
        errors.push(field::Error::invalid(&type_path, type_, "must be object at the root"));
    }
    metadata(schema, level, embedded, path, errors);
    let no_properties = object(schema, "properties").is_none_or(Map::is_empty);
    if embedded && !preserve && no_properties {
        let why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(field::Error::required(&below, why));
    }
}

/// What may be said about `kind`, `apiVersion` and `metadata`.
fn metadata(
    schema: &Map,
    level: Level,
    embedded: bool,
    path: &field::Path<'_>,
    errors: &mut Vec<field::Error>,
) {
    let checked = level == Level::Root || embedded;
    let Some(members) = object(schema, "properties") else { return };
    let below = path.child("properties");
    for key in ["kind", "apiVersion"] {
        if let Some(member) = members.get(key).and_then(Value::as_object)
            && checked
            && text(member, "type") != "string"
        {
            let type_ = text(member, "type");
            errors.push(field::Error::invalid(&below.key(key).child("type"), type_, "must be string"));
        }
    }
    let Some(metadata) = members.get("metadata").and_then(Value::as_object) else { return };
    let place = below.key("metadata");
    if checked && text(metadata, "type") != "object" {
        errors.push(field::Error::invalid(&place.child("type"), text(metadata, "type"), "must be object"));
    }
    if level == Level::Root {
        let only_names = object(metadata, "properties")
            .is_none_or(|members| members.keys().all(|key| key == "name" || key == "generateName"));
        let others = metadata.iter().any(|(key, value)| {
            !matches!(key.as_str(), "type" | "properties" | "default") && !is_zero(value)
        });
        if !only_names || others {
            let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            errors.push(field::Error::forbidden(&place, why));
        }
    }
}

/// Whether a member of a schema says nothing, as an unset field of the Go struct.
pub(super) fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn value_validation(
    schema: &Map,
    skip_any_of: bool,
    skip_all_of_any_of: bool,
    path: &field::Path<'_>,
    errors: &mut Vec<field::Error>,
) {
    if !skip_any_of {
        for (index, nested) in list(schema, "anyOf") {
            nested_validation(nested, false, &path.child("anyOf").index(index), errors);
        }
    }
    for (index, nested) in list(schema, "allOf") {
        let skip = skip_all_of_any_of && index == 0;
        nested_validation(nested, skip, &path.child("allOf").index(index), errors);
    }
    for (index, nested) in list(schema, "oneOf") {
        nested_validation(nested, false, &path.child("oneOf").index(index), errors);
    }
    if let Some(not) = object(schema, "not") {
        nested_validation(not, false, &path.child("not"), errors);
    }
    let expression = text(schema, "pattern");
    if !expression.is_empty()
        && let Err(why) = pattern::compile(expression)
    {
        let why = format!("must be a valid regular expression, but isn't: {why}");
        errors.push(field::Error::invalid(&path.child("pattern"), expression, why));
    }
}

/// A schema below `allOf`, `anyOf`, `oneOf` or `not`: it may restrict values, nothing else.
fn nested_validation(
    schema: &Map,
    skip_any_of: bool,
    path: &field::Path<'_>,
    errors: &mut Vec<field::Error>,
) {
    value_validation(schema, skip_any_of, false, path, errors);
    if let Some(items) = object(schema, "items") {
        nested_validation(items, false, &path.child("items"), errors);
    }
    for (key, property) in properties(schema) {
        nested_validation(property, false, &path.child("properties").key(key), errors);
    }
    let mut forbid = |key: &str, there: bool, why: &str| {
        if there {
            errors.push(field::Error::forbidden(&path.child(key), why));
        }
    };
    let said = |key: &str| schema.get(key).is_some_and(|value| !is_zero(value));
    let set = |key: &str| schema.get(key).is_some_and(|value| !value.is_null());
    forbid("type", said("type"), "must be empty to be structural");
    let additional =
        set("additionalProperties") && schema.get("additionalProperties") != Some(&Value::Bool(false));
    forbid("additionalProperties", additional, "must be undefined to be structural");
    forbid("default", set("default"), "must be undefined to be structural");
    forbid("title", said("title"), "must be empty to be structural");
    forbid("description", said("description"), "must be empty to be structural");
    forbid("nullable", said("nullable"), "must be false to be structural");
    for key in [
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-int-or-string",
    ] {
        forbid(key, flag(schema, key), "must be false to be structural");
    }
    forbid(
        "x-kubernetes-list-map-keys",
        said("x-kubernetes-list-map-keys"),
        "must be empty to be structural",
    );
    for key in ["x-kubernetes-list-type", "x-kubernetes-map-type"] {
        forbid(key, set(key), "must be undefined to be structural");
    }
    forbid("x-kubernetes-validations", said("x-kubernetes-validations"), "must be empty to be structural");
    if object(schema, "properties").is_some_and(|members| members.contains_key("metadata")) {
        let place = path.child("properties");
        errors.push(field::Error::forbidden(
            &place.key("metadata"),
            "must not be specified in a nested context",
        ));
    }
}

/// Everything that the junctors of the root mention is also specified outside of them. (Upstream looks no deeper.)
fn junctor_completeness(
    rules: &Map,
    schema: Option<&Map>,
    schema_path: &field::Path<'_>,
    rules_path: &field::Path<'_>,
    errors: &mut Vec<field::Error>,
) {
    if let Some(not) = object(rules, "not") {
        nested_completeness(not, schema, schema_path, &rules_path.child("not"), errors);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for (index, nested) in list(rules, key) {
            nested_completeness(nested, schema, schema_path, &rules_path.child(key).index(index), errors);
        }
    }
}

fn nested_completeness(
    rules: &Map,
    schema: Option<&Map>,
    schema_path: &field::Path<'_>,
    rules_path: &field::Path<'_>,
    errors: &mut Vec<field::Error>,
) {
    let Some(schema) = schema else {
        return errors
            .push(field::Error::required(schema_path, format!("because it is defined in {rules_path}")));
    };
    junctor_completeness(rules, Some(schema), schema_path, rules_path, errors);
    if let Some(items) = object(rules, "items") {
        let (schema_path, rules_path) = (schema_path.child("items"), rules_path.child("items"));
        nested_completeness(items, object(schema, "items"), &schema_path, &rules_path, errors);
    }
    let (schema_below, rules_below) = (schema_path.child("properties"), rules_path.child("properties"));
    for (key, property) in properties(rules) {
        let known =
            object(schema, "properties").and_then(|members| members.get(key)).and_then(Value::as_object);
        nested_completeness(property, known, &schema_below.key(key), &rules_below.key(key), errors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(schema: Value) -> Vec<String> {
        let path = field::Path::Root.child("s").to_string();
        let path = field::Path::Child(&field::Path::Root, &path);
        validate(schema.as_object().unwrap(), &path).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_rule_is_told_in_upstreams_words() {
        let spec = |spec: Value| json!({"type": "object", "properties": {"spec": spec}});
        for (schema, wanted) in [
            (
                json!({"properties": {"spec": {"type": "object"}}}),
                "s.type: Required value: must not be empty at the root",
            ),
            (
                json!({"type": "array", "items": {"type": "string"}}),
                "s.type: Invalid value: \"array\": must be object at the root",
            ),
            (
                spec(json!({"properties": {"a": {"type": "string"}}})),
                "s.properties[spec].type: Required value: must not be empty for specified object fields",
            ),
            (
                spec(json!({"type": "array", "items": {}})),
                "s.properties[spec].items.type: Required value: must not be empty for specified array items",
            ),
            (spec(json!({"type": "array"})), "s.properties[spec].items: Required value: must be specified"),
            (
                spec(json!({"type": "object", "oneOf": [{"type": "string"}]})),
                "s.properties[spec].oneOf[0].type: Forbidden: must be empty to be structural",
            ),
            (
                json!({"type": "object", "anyOf": [{"required": ["a"], "properties": {"a": {}}}]}),
                "s.properties[a]: Required value: because it is defined in s.anyOf[0].properties[a]",
            ),
            (
                spec(json!({"type": "string", "pattern": "("})),
                "s.properties[spec].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: error parsing regexp",
            ),
            (
                json!({"type": "object", "additionalProperties": {"type": "string"}}),
                "s.additionalProperties: Forbidden: must not be used at the root",
            ),
            (
                json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}}),
                "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
            ),
            (
                spec(
                    json!({"x-kubernetes-int-or-string": true, "x-kubernetes-preserve-unknown-fields": true}),
                ),
                "s.properties[spec].x-kubernetes-preserve-unknown-fields: Invalid value: true: must be false if x-kubernetes-int-or-string is true",
            ),
            (
                spec(json!({"type": "object", "x-kubernetes-embedded-resource": true})),
                "s.properties[spec].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
            ),
        ] {
            let texts = errors(schema.clone());
            assert_eq!(texts.len(), 1, "{schema}: {texts:?}");
            assert!(texts[0].starts_with(wanted), "{schema}: {texts:?}");
        }
    }

    #[test]
    fn structural_schemas_pass() {
        for schema in [
            json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 3}}}}}),
            json!({"type": "object", "properties": {"port": {"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}]}}}),
            json!({"type": "object", "properties": {"port": {"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}, {"pattern": "a"}]}}}),
            json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
        ] {
            assert!(errors(schema.clone()).is_empty(), "{schema}");
        }
    }
}
