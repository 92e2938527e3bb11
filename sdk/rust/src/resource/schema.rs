//! From the schema of a Rust type to a structural one.
//!
//! What schemars writes is valid OpenAPI, but a definition may say less: a place has one type, its properties stand
//! outside of `oneOf` and its like, and no `$ref`. [`structural`] rewrites it in the ways of kube-rs' rewriter.

use super::Resource;
use chainplate_apimachinery::{Map, Value};
use schemars::generate::SchemaSettings;
use serde_json::json;

const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
const INT_OR_STRING: &str = "x-kubernetes-int-or-string";

/// The keywords that a definition knows and that do not begin with `x-kubernetes-`.
const KNOWN: &[&str] = &[
    "additionalProperties",
    "allOf",
    "anyOf",
    "default",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "externalDocs",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "nullable",
    "oneOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
    "$ref",
];
/// The keywords that restrict a value without describing it: what may stand inside of a junctor.
const RESTRICTIONS: &[&str] = &[
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
];

/// The structural schema of the objects of a resource.
pub(super) fn object<T: Resource>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schemas = T::schemas(&mut settings.into_generator());
    let mut properties = Map::new();
    for (key, schema) in [("spec", Some(schemas.spec)), ("status", schemas.status)] {
        if let Some(schema) = schema {
            let mut schema = schema.to_value();
            structural(&mut schema);
            properties.insert(key.into(), schema);
        }
    }
    json!({
        "type": "object",
        "description": T::ATTRIBUTES.doc,
        "required": ["spec"],
        "properties": properties,
    })
}

/// Rewrites a schema as schemars makes it (without `$ref`) into a structural one that takes the same values, or more where
/// a structural one cannot say it: a value that may be an object or a text is taken as it comes.
///
/// - `Option<T>` is `nullable`.
/// - Variants of an enum with data stand beside each other, and `oneOf` says which of them go together.
/// - Variants without data are an `enum`.
/// - An integer or a text is `x-kubernetes-int-or-string`.
/// - Anything (`serde_json::Value`, `#[serde(flatten)]` of a map) keeps unknown fields.
/// - A `BTreeSet` of scalars is a list of type `set`.
pub fn structural(schema: &mut Value) {
    let Value::Object(map) = schema else {
        *schema = json!({PRESERVE: true});
        return;
    };
    below(map);
    types(map);
    for key in ["anyOf", "oneOf"] {
        junctor(map, key);
    }
    all_of(map);
    additional(map);
    bounds(map);
    if map.get("default").is_some_and(Value::is_null) {
        map.remove("default");
    }
    if map.remove("uniqueItems") == Some(Value::Bool(true)) {
        let scalar = map.get("items").and_then(|items| items.get("type")?.as_str());
        if scalar.is_some_and(|type_| !matches!(type_, "object" | "array")) {
            map.entry("x-kubernetes-list-type").or_insert_with(|| "set".into());
        }
    }
    if map.contains_key("properties") {
        map.entry("type").or_insert_with(|| "object".into());
    }
    map.retain(|key, _| key.starts_with("x-kubernetes-") || KNOWN.contains(&key.as_str()));
    let says_what = ["type", INT_OR_STRING, PRESERVE, "$ref"].iter().any(|key| map.contains_key(*key));
    if !says_what {
        map.insert(PRESERVE.into(), true.into());
    }
}

/// All places below this one.
fn below(map: &mut Map) {
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        properties.values_mut().for_each(structural);
    }
    if let Some(Value::Object(patterns)) = map.remove("patternProperties") {
        // Maps with keys that are numbers: their keys are texts in JSON.
        if let Some((_, value)) = patterns.into_iter().next() {
            map.entry("additionalProperties").and_modify(|there| *there = value.clone()).or_insert(value);
        }
    }
    if map.remove("prefixItems").is_some() || map.get("items").is_some_and(Value::is_array) {
        map.insert("items".into(), true.into());
    }
    if let Some(items) = map.get_mut("items") {
        structural(items);
    }
    if let Some(additional) = map.get_mut("additionalProperties").filter(|additional| additional.is_object())
    {
        structural(additional);
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        let list = map.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten();
        list.filter(|schema| describes(schema)).for_each(structural);
    }
}

/// Whether a schema below a junctor says what a value is, and not only which of them will do.
fn describes(schema: &Value) -> bool {
    let Some(map) = schema.as_object() else { return true };
    let restricts =
        |key: &String| RESTRICTIONS.contains(&key.as_str()) || key == "properties" || key == "not";
    map.is_empty() || !map.keys().all(restricts)
}

/// One type, and `nullable` for `null`.
fn types(map: &mut Map) {
    if let Some(value) = map.remove("const") {
        map.insert("enum".into(), json!([value]));
    }
    if let Some(Value::Array(types)) = map.get("type") {
        let all: Vec<String> = types.iter().filter_map(|type_| type_.as_str().map(str::to_owned)).collect();
        let mut others: Vec<&str> = all.iter().map(String::as_str).filter(|type_| *type_ != "null").collect();
        others.sort_unstable();
        if others.len() < all.len() {
            map.insert("nullable".into(), true.into());
        }
        map.remove("type");
        match others.as_slice() {
            [one] => drop(map.insert("type".into(), (*one).into())),
            ["integer", "string"] => drop(map.insert(INT_OR_STRING.into(), true.into())),
            _ => drop(map.insert(PRESERVE.into(), true.into())),
        }
    }
    if let Some(Value::Array(values)) = map.get_mut("enum")
        && values.len() > 1
        && values.contains(&Value::Null)
    {
        values.retain(|value| !value.is_null());
        map.insert("nullable".into(), true.into());
    }
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|type_| type_ == "null") || schema.get("enum") == Some(&json!([null]))
}

/// Brings what `anyOf` or `oneOf` describes out of it.
fn junctor(map: &mut Map, key: &str) {
    let Some(Value::Array(mut list)) = map.remove(key) else { return };
    if !list.iter().any(describes) {
        map.insert(key.into(), list.into());
        return;
    }
    let before = list.len();
    list.retain(|schema| !is_null(schema));
    if list.len() < before {
        map.insert("nullable".into(), true.into());
    }
    if list.len() <= 1 {
        list.into_iter().for_each(|schema| merge(map, schema));
        return;
    }
    let type_of = |schema: &Value| schema.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut types: Vec<String> = list.iter().map(type_of).collect();
    types.sort_unstable();
    types.dedup();
    let types: Vec<&str> = types.iter().map(String::as_str).collect();
    match types.as_slice() {
        ["object"] => objects(map, key, list),
        [""] if list.iter().all(|schema| schema.get(INT_OR_STRING).is_some()) => {
            map.insert(INT_OR_STRING.into(), true.into());
        }
        ["integer", "string"] => {
            map.insert(INT_OR_STRING.into(), true.into());
        }
        [one @ ("string" | "integer" | "number" | "boolean")] => {
            map.insert("type".into(), (*one).into());
            let values: Option<Vec<Value>> = list
                .iter()
                .map(|schema| schema.get("enum")?.as_array().cloned())
                .collect::<Option<Vec<_>>>()
                .map(|all| all.concat());
            if let Some(values) = values {
                map.insert("enum".into(), values.into());
            }
        }
        _ => {
            map.remove("type");
            map.insert(PRESERVE.into(), true.into());
        }
    }
}

/// Variants that are objects: their properties stand together, and the junctor says which of them are needed.
fn objects(map: &mut Map, key: &str, list: Vec<Value>) {
    let mut variants = Vec::new();
    for mut schema in list {
        let mut variant = Map::new();
        if let Some(required) =
            schema.get("required").filter(|required| required.as_array().is_some_and(|list| !list.is_empty()))
        {
            variant.insert("required".into(), required.clone());
        }
        // The tag of an internally tagged enum.
        let tags = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
        let tags: Map = tags
            .filter_map(|(name, property)| {
                let values = property
                    .get("enum")
                    .filter(|values| values.as_array().is_some_and(|list| list.len() == 1))?;
                Some((name.clone(), json!({"enum": values})))
            })
            .collect();
        if !tags.is_empty() {
            variant.insert("properties".into(), tags.into());
        }
        variants.push(variant);
        if let Some(schema) = schema.as_object_mut() {
            // What one variant needs, the others do not; and what a variant is for says nothing of the others.
            for key in ["required", "description", "title"] {
                schema.remove(key);
            }
        }
        merge(map, schema);
    }
    if variants.iter().all(|variant| !variant.is_empty()) {
        map.insert(key.into(), variants.into_iter().map(Value::Object).collect());
    }
}

/// Adds what `schema` says to `map`, which comes first where both say something.
fn merge(map: &mut Map, schema: Value) {
    let Value::Object(schema) = schema else { return };
    for (key, value) in schema {
        match (key.as_str(), map.get_mut(&key), value) {
            ("properties", Some(Value::Object(there)), Value::Object(properties)) => {
                for (name, property) in properties {
                    match there.get_mut(&name) {
                        Some(known) => both(known, property),
                        None => drop(there.insert(name, property)),
                    }
                }
            }
            ("required", Some(Value::Array(there)), Value::Array(required)) => {
                required.into_iter().for_each(|name| {
                    if !there.contains(&name) {
                        there.push(name);
                    }
                });
            }
            (_, Some(_), _) => {}
            (_, None, value) => drop(map.insert(key, value)),
        }
    }
}

/// One property that two variants have.
fn both(known: &mut Value, other: Value) {
    if let (Some(Value::Array(values)), Some(Value::Array(more))) = (known.get_mut("enum"), other.get("enum"))
    {
        let new: Vec<Value> = more.iter().filter(|value| !values.contains(value)).cloned().collect();
        values.extend(new);
        return;
    }
    let same = {
        let bare = |schema: &Value| {
            let mut schema = schema.clone();
            if let Some(map) = schema.as_object_mut() {
                map.remove("description");
            }
            schema
        };
        bare(known) == bare(&other)
    };
    if !same {
        *known = json!({PRESERVE: true});
    }
}

/// What stands in `allOf` (a described `#[serde(flatten)]`), apart from mere restrictions.
fn all_of(map: &mut Map) {
    let Some(Value::Array(list)) = map.remove("allOf") else { return };
    let (describing, restricting): (Vec<_>, Vec<_>) = list.into_iter().partition(describes);
    if !restricting.is_empty() {
        map.insert("allOf".into(), restricting.into());
    }
    describing.into_iter().for_each(|schema| merge(map, schema));
}

/// Properties and further ones exclude each other, and nothing is closed: what is not known is pruned.
fn additional(map: &mut Map) {
    let open = match map.get("additionalProperties") {
        Some(Value::Bool(open)) => *open,
        Some(Value::Object(_)) => map.get("properties").is_some_and(|properties| properties != &json!({})),
        _ => return,
    };
    let closed = map.get("additionalProperties") == Some(&Value::Bool(false));
    if open || closed {
        map.remove("additionalProperties");
    }
    if open {
        map.insert(PRESERVE.into(), true.into());
    }
}

/// OpenAPI 3.0 says of a bound whether it is exclusive, JSON Schema has another bound for that.
fn bounds(map: &mut Map) {
    for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
        if let Some(limit) = map.get(exclusive).filter(|limit| limit.is_number()).cloned() {
            map.insert(bound.into(), limit);
            map.insert(exclusive.into(), true.into());
        }
    }
}
