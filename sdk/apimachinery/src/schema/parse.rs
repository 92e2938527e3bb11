//! From `openAPIV3Schema` to [`Schema`].

use super::{Additional, Checks, ListType, Schema, Type, format, pattern::Pattern};
use crate::{Map, Value};

impl Schema {
    /// Reads an `openAPIV3Schema` (JSONSchemaProps).
    ///
    /// Lenient: members of the wrong form are as if they were not there. A schema that was stored has passed
    /// [`definition`](super::definition) before.
    pub fn parse(props: &Value) -> Self {
        let Some(props) = props.as_object() else { return Self::default() };
        let mut schema = Self {
            type_: text(props, "type").and_then(Type::parse),
            nullable: flag(props, "nullable"),
            preserve_unknown: flag(props, "x-kubernetes-preserve-unknown-fields"),
            embedded_resource: flag(props, "x-kubernetes-embedded-resource"),
            int_or_string: flag(props, "x-kubernetes-int-or-string"),
            atomic_map: text(props, "x-kubernetes-map-type") == Some("atomic"),
            list_type: match text(props, "x-kubernetes-list-type") {
                Some("set") => ListType::Set,
                Some("map") => ListType::Map,
                _ => ListType::Atomic,
            },
            list_map_keys: texts(props, "x-kubernetes-list-map-keys"),
            default: props.get("default").filter(|value| !value.is_null()).cloned(),
            items: props
                .get("items")
                .filter(|items| items.is_object())
                .map(|items| Box::new(Self::parse(items))),
            additional: match props.get("additionalProperties") {
                Some(Value::Bool(allows)) => Additional::Bool(*allows),
                Some(schema @ Value::Object(_)) => Additional::Schema(Box::new(Self::parse(schema))),
                _ => Additional::Unset,
            },
            rules: props
                .get("x-kubernetes-validations")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
            ..Self::default()
        };
        if let Some(properties) = props.get("properties").and_then(Value::as_object) {
            schema.properties =
                properties.iter().map(|(name, props)| (name.clone(), Self::parse(props))).collect();
            schema.properties.sort_by(|(left, _), (right, _)| left.cmp(right));
        }
        schema.checks = checks(props, &schema).map(Box::new);
        schema.has_defaults = schema.default.is_some();
        schema.has_embedded = schema.embedded_resource;
        schema.has_list_types = schema.list_type != ListType::Atomic;
        let below = schema.properties.iter().map(|(_, below)| below);
        let below = below.chain(schema.items.as_deref()).chain(schema.additional.schema());
        let (mut defaults, mut embedded, mut list_types) = (false, false, false);
        for below in below {
            defaults |= below.has_defaults;
            embedded |= below.has_embedded;
            list_types |= below.has_list_types;
        }
        schema.has_defaults |= defaults;
        schema.has_embedded |= embedded;
        schema.has_list_types |= list_types;
        schema
    }
}

fn checks(props: &Map, schema: &Schema) -> Option<Checks> {
    let list = |key: &str| -> Vec<Schema> {
        props
            .get(key)
            .and_then(Value::as_array)
            .map(|list| list.iter().map(Schema::parse).collect())
            .unwrap_or_default()
    };
    let number = |key: &str| props.get(key).and_then(Value::as_f64);
    let whole = |key: &str| props.get(key).and_then(Value::as_i64);
    let format = text(props, "format")
        .filter(|format| {
            !schema.int_or_string && format::is_supported(schema.type_, format)
                || schema.int_or_string && format::is_supported(None, format)
        })
        .map(str::to_owned);
    let checks = Checks {
        format,
        maximum: number("maximum"),
        exclusive_maximum: flag(props, "exclusiveMaximum"),
        minimum: number("minimum"),
        exclusive_minimum: flag(props, "exclusiveMinimum"),
        multiple_of: number("multipleOf"),
        max_length: whole("maxLength"),
        min_length: whole("minLength"),
        pattern: text(props, "pattern").filter(|pattern| !pattern.is_empty()).map(Pattern::new),
        max_items: whole("maxItems"),
        min_items: whole("minItems"),
        unique_items: flag(props, "uniqueItems"),
        max_properties: whole("maxProperties"),
        min_properties: whole("minProperties"),
        required: texts(props, "required"),
        enum_: props.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        all_of: list("allOf"),
        any_of: list("anyOf"),
        one_of: list("oneOf"),
        not: props.get("not").filter(|not| not.is_object()).map(|not| Box::new(Schema::parse(not))),
    };
    let empty = checks.format.is_none()
        && checks.maximum.is_none()
        && checks.minimum.is_none()
        && checks.multiple_of.is_none()
        && checks.max_length.is_none()
        && checks.min_length.is_none()
        && checks.pattern.is_none()
        && checks.max_items.is_none()
        && checks.min_items.is_none()
        && !checks.unique_items
        && checks.max_properties.is_none()
        && checks.min_properties.is_none()
        && checks.required.is_empty()
        && checks.enum_.is_empty()
        && checks.all_of.is_empty()
        && checks.any_of.is_empty()
        && checks.one_of.is_empty()
        && checks.not.is_none();
    (!empty).then_some(checks)
}

fn text<'a>(props: &'a Map, key: &str) -> Option<&'a str> {
    props.get(key).and_then(Value::as_str)
}

fn texts(props: &Map, key: &str) -> Vec<String> {
    let list = props.get(key).and_then(Value::as_array);
    list.map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()).unwrap_or_default()
}

fn flag(props: &Map, key: &str) -> bool {
    props.get(key).and_then(Value::as_bool).unwrap_or(false)
}
