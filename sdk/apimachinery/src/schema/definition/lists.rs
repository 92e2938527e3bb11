//! Rules for the list types of a schema.

use super::super::structural::{flag, object, text};
use crate::{Map, Value, field};

/// What keeps the items of a set from being atomic.
pub(super) fn non_atomic_item(schema: &Map) -> Option<(&'static str, Value)> {
    if text(schema, "x-kubernetes-list-type") != "set" {
        return None;
    }
    let items = object(schema, "items")?;
    match text(items, "type") {
        "array" => {
            let list_type = text(items, "x-kubernetes-list-type");
            (!matches!(list_type, "" | "atomic")).then(|| ("x-kubernetes-list-type", list_type.into()))
        }
        "object" => (text(items, "x-kubernetes-map-type") != "atomic").then(|| {
            let list_type = items.get("x-kubernetes-list-type").cloned().unwrap_or_default();
            ("x-kubernetes-map-type", list_type)
        }),
        _ => None,
    }
}

/// The keys of a map list name scalar members of its items, each once.
pub(super) fn map_list(schema: &Map, path: &field::Path<'_>, errors: &mut Vec<field::Error>) {
    let keys_path = path.child("x-kubernetes-list-map-keys");
    let keys =
        schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array).filter(|keys| !keys.is_empty());
    let list_type = schema.get("x-kubernetes-list-type").and_then(Value::as_str);
    if keys.is_some() && list_type != Some("map") {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        let place = path.child("x-kubernetes-list-type");
        errors.push(match list_type {
            None => field::Error::required(&place, why),
            Some(list_type) => field::Error::invalid(&place, list_type, why),
        });
    }
    if list_type != Some("map") {
        return;
    }
    if keys.is_none() {
        let why = "must not be empty if x-kubernetes-list-type is map";
        errors.push(field::Error::required(&keys_path, why));
    }
    let items_path = path.child("items");
    let Some(items) = object(schema, "items") else {
        let why = "must have a schema if x-kubernetes-list-type is map";
        return errors.push(field::Error::required(&items_path, why));
    };
    let type_ = text(items, "type");
    if type_ != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        return errors.push(field::Error::invalid(&items_path.child("type"), type_, why));
    }
    let names: Vec<&str> = keys.into_iter().flatten().filter_map(Value::as_str).collect();
    for (index, name) in names.iter().enumerate() {
        match object(items, "properties").and_then(|members| members.get(*name)).and_then(Value::as_object) {
            Some(member) if matches!(text(member, "type"), "array" | "object") => {
                let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                let place = items_path.child("properties");
                errors.push(field::Error::invalid(&place.key(name).child("type"), type_, why));
            }
            Some(_) => {}
            None => {
                let why = "entries must all be names of item properties";
                errors.push(field::Error::invalid(&keys_path, Value::from(names.clone()), why));
            }
        }
        if names.iter().take(index).any(|before| before == name) {
            let why = "must not contain duplicate entries";
            errors.push(field::Error::invalid(&keys_path, Value::from(names.clone()), why));
        }
    }
}

/// Keys of map lists have a value in every item, and items of map lists and sets are not null.
pub(super) fn map_list_keys(schema: &Map, path: &field::Path<'_>) -> Vec<field::Error> {
    let mut errors = Vec::new();
    let list_type = text(schema, "x-kubernetes-list-type");
    let Some(items) = object(schema, "items").filter(|_| matches!(list_type, "set" | "map")) else {
        return errors;
    };
    let items_path = path.child("items");
    if flag(items, "nullable") {
        let why = format!("cannot be nullable when x-kubernetes-list-type is {list_type}");
        errors.push(field::Error::forbidden(&items_path.child("nullable"), why));
    }
    if list_type == "set" {
        return errors;
    }
    let required = items.get("required").and_then(Value::as_array);
    let keys = schema.get("x-kubernetes-list-map-keys").and_then(Value::as_array);
    let properties_path = items_path.child("properties");
    for key in keys.into_iter().flatten().filter_map(Value::as_str) {
        let Some(member) = object(items, "properties").and_then(|members| members.get(key)) else { continue };
        let place = properties_path.key(key);
        let is_required = required.is_some_and(|required| required.iter().any(|name| name == key));
        if !is_required && member.get("default").is_none_or(Value::is_null) {
            let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
            errors.push(field::Error::required(&place.child("default"), why));
        }
        if member.get("nullable") == Some(&Value::Bool(true)) {
            let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
            errors.push(field::Error::forbidden(&place.child("nullable"), why));
        }
    }
    errors
}
