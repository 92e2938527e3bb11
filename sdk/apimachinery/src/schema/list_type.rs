//! `x-kubernetes-list-type`: items of sets and maps are unique
//! (`apiextensions-apiserver/pkg/apiserver/schema/listtype`).

use super::{ListType, Schema};
use crate::{Map, Value, field};
use std::collections::HashMap;

/// The duplicates in an object's lists of type `set` and `map`.
pub fn validate(schema: &Schema, object: &Value) -> Vec<field::Error> {
    let mut errors = Vec::new();
    if schema.has_list_types {
        walk(schema, object, &field::Path::Root, &mut errors);
    }
    errors
}

fn walk(schema: &Schema, value: &Value, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    if !schema.has_list_types {
        return;
    }
    match value {
        Value::Object(object) => {
            if let Some(additional) = schema.additional.schema() {
                for (key, value) in object {
                    walk(additional, value, &path.key(key), errors);
                }
            }
            for (name, property) in &schema.properties {
                if let Some(value) = object.get(name) {
                    walk(property, value, &path.child(name), errors);
                }
            }
        }
        Value::Array(items) => {
            match schema.list_type {
                ListType::Atomic => {}
                ListType::Set => {
                    for index in repeated(items.iter()) {
                        errors.push(field::Error::duplicate(&path.index(index), items[index].clone()));
                    }
                }
                ListType::Map => list_map(schema, items, path, errors),
            }
            if let Some(item_schema) = &schema.items {
                for (index, item) in items.iter().enumerate() {
                    walk(item_schema, item, &path.index(index), errors);
                }
            }
        }
        _ => {}
    }
}

fn list_map(schema: &Schema, items: &[Value], path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    if let Some((index, item)) =
        items.iter().enumerate().find(|(_, item)| !item.is_null() && !item.is_object())
    {
        let why = "must be an object for an array of list-type map";
        errors.push(field::Error::invalid(&path.index(index), item.clone(), why));
        return;
    }
    if items.len() < 2 {
        return;
    }
    let keys: Vec<Value> = items
        .iter()
        .map(|item| {
            let of = |key: &String| item.get(key).map(|value| (key.clone(), value.clone()));
            Value::Object(schema.list_map_keys.iter().filter_map(of).collect::<Map>())
        })
        .collect();
    for index in repeated(keys.iter()) {
        errors.push(field::Error::duplicate(&path.index(index), keys[index].clone()));
    }
}

/// The place of the second of each repeated value.
fn repeated<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<usize> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut twice = Vec::new();
    for (index, value) in values.enumerate() {
        let times = seen.entry(value.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            twice.push(index);
        }
    }
    twice
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_second_of_each_repeated_item_is_told() {
        let schema = Schema::parse(&json!({"type": "object", "properties": {
            "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "proto"],
                "items": {"type": "object", "properties": {"port": {"type": "integer"}, "proto": {"type": "string"}}}},
        }}));
        let object = json!({
            "set": ["x", "x", "y", "x", "y"],
            "ports": [{"port": 1, "proto": "TCP"}, {"port": 1, "proto": "TCP", "name": "o"}, {"port": 1}],
        });
        let texts: Vec<String> = validate(&schema, &object).iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "ports[1]: Duplicate value: {\"port\":1,\"proto\":\"TCP\"}",
                "set[1]: Duplicate value: \"x\"",
                "set[4]: Duplicate value: \"y\"",
            ]
        );
    }
}
