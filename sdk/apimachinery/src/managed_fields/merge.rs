//! Merging of an applied configuration into an object (structured-merge-diff `typed/merge.go`).

use super::{
    compare::{Form, form},
    set::item,
};
use crate::{
    Value,
    shape::{Kind, ListKind, Scalar, Shape},
};
use std::collections::{BTreeMap, BTreeSet};

/// `live` with what `config`, which was [`check`]ed, says put into it: objects by member, lists by key or value, the rest replaced.
/// Items keep the order of `config`, with those of `live` alone where they stood.
///
/// # Errors
/// The path and reason of a list item that has no key, or whose key another has.
pub fn merge<S: Shape>(shape: S, live: &Value, config: &Value) -> Result<Value, String> {
    let (live_form, config_form) = (form(shape, live), form(shape, config));
    match (config_form, config) {
        (Form::Members, Value::Object(config)) if live_form == Form::Members => {
            let before = live.as_object();
            let mut out = before.cloned().unwrap_or_default();
            for (name, value) in config {
                let merged = match (shape.field(name), before.and_then(|before| before.get(name))) {
                    (Some(shape), Some(before)) => merge(shape, before, value),
                    (Some(_), None) => Ok(value.clone()),
                    (None, _) => return Err(format!(".{name}: field not declared in schema")),
                };
                out.insert(name.clone(), merged.map_err(|error| format!(".{name}{error}"))?);
            }
            Ok(Value::Object(out))
        }
        (Form::Items(kind), Value::Array(config)) if live_form == config_form => {
            let live = live.as_array().map(Vec::as_slice).unwrap_or_default();
            lists(shape, kind, live, config)
        }
        // An empty object or list in place of nothing changes nothing.
        (Form::Members | Form::Items(_), Value::Null) if is_filled(live) => Ok(live.clone()),
        _ => Ok(config.clone()),
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

/// Whether a configuration fits its type: the form of each value, and the keys of list items
/// (structured-merge-diff `typed/validate.go`).
///
/// # Errors
/// All that is wrong, each with its path.
pub(super) fn check<S: Shape>(shape: S, value: &Value) -> Result<(), String> {
    let mut faults = Vec::new();
    find_faults(shape, value, &mut String::new(), &mut faults);
    match faults.len() {
        0 => Ok(()),
        1 => Err(faults.swap_remove(0)),
        _ => Err(faults.iter().fold("errors:".to_owned(), |text, fault| format!("{text}\n  {fault}"))),
    }
}

fn find_faults<S: Shape>(shape: S, value: &Value, path: &mut String, faults: &mut Vec<String>) {
    let length = path.len();
    let told = |path: &str, text: String| {
        if path.is_empty() { text } else { format!("{path}: {text}") }
    };
    match (shape.kind(), value) {
        (_, Value::Null) => {}
        (Kind::Scalar(scalar), value) => {
            faults.extend(scalar_fault(scalar, value).map(|text| told(path, text)));
        }
        (Kind::Struct { .. } | Kind::Map { .. }, Value::Object(map)) => {
            for (name, value) in map {
                path.push('.');
                path.push_str(name);
                match shape.field(name) {
                    Some(inner) => find_faults(inner, value, path, faults),
                    None => faults.push(told(path, "field not declared in schema".into())),
                }
                path.truncate(length);
            }
        }
        (Kind::Struct { .. } | Kind::Map { .. }, other) => {
            faults.push(told(path, format!("expected map, got &{{{}}}", go(other))));
        }
        (Kind::List(kind), Value::Array(list)) => {
            let mut seen = BTreeSet::new();
            for (at, value) in list.iter().enumerate() {
                let key = match kind {
                    ListKind::Atomic => Ok(format!("i:{at}")),
                    _ => key_of(shape, kind, at, value),
                };
                let key = match key {
                    Ok(key) => key,
                    Err(text) => return faults.push(told(path, text)),
                };
                let shown = super::display(&[key.as_str()]);
                if !seen.insert(key) {
                    faults.push(told(path, format!("duplicate entries for key {shown}")));
                }
                if let Some(element) = shape.element() {
                    path.push_str(&shown);
                    find_faults(element, value, path, faults);
                    path.truncate(length);
                }
            }
        }
        (Kind::List(_), other) => {
            faults.push(told(path, format!("expected list, got &{{{}}}", go(other))));
        }
        (Kind::Any { .. }, _) => {}
    }
}

fn scalar_fault(scalar: Scalar, value: &Value) -> Option<String> {
    match scalar {
        Scalar::String | Scalar::Bytes if !value.is_string() => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{}}}", go(value)))
        }
        Scalar::Int32 | Scalar::Int64 | Scalar::Float if !value.is_number() => {
            let kind = match value {
                Value::String(_) => "string",
                Value::Bool(_) => "bool",
                Value::Array(_) => "[]interface {}",
                _ => "map[string]interface {}",
            };
            Some(format!("expected numeric (int or float), got {kind}"))
        }
        Scalar::Bool if !value.is_boolean() => Some(format!("expected boolean, got &{{{}}}", go(value))),
        _ if value.is_object() || value.is_array() => {
            Some(format!("expected any scalar, got &{{{}}}", go(value)))
        }
        _ => None,
    }
}

/// A value as Go prints it, near enough: scalars are told as they are.
fn go(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The element of an item among the others.
fn key_of<S: Shape>(shape: S, kind: ListKind, at: usize, value: &Value) -> Result<String, String> {
    item(shape, kind, value).ok_or_else(|| match kind {
        ListKind::Map => {
            let names: Vec<String> = (0..shape.list_key_count())
                .filter_map(|index| shape.list_key(index).map(|name| format!("{name:?}")))
                .collect();
            format!(
                "element {at}: associative list with keys has an element that omits all key fields [{}] \
                 (and doesn't have default values for any key fields)",
                names.join(" ")
            )
        }
        _ => format!("element {at}: associative list without keys has an element that is no scalar"),
    })
}

/// The elements of a list in its order, and the item of each; `None` for one that several items have.
type Index<'a> = (Vec<String>, BTreeMap<String, Option<&'a Value>>);

fn index<S: Shape>(shape: S, kind: ListKind, list: &[Value], duplicates: bool) -> Result<Index<'_>, String> {
    let mut order = Vec::with_capacity(list.len());
    let mut items: BTreeMap<String, Option<&Value>> = BTreeMap::new();
    for (at, value) in list.iter().enumerate() {
        let key = key_of(shape, kind, at, value).map_err(|text| format!(": {text}"))?;
        if items.contains_key(&key) {
            if !duplicates {
                let shown = super::display(&[key.as_str()]);
                return Err(format!(": duplicate entries for key {shown}"));
            }
            items.insert(key.clone(), None);
        } else {
            items.insert(key.clone(), Some(value));
        }
        order.push(key);
    }
    Ok((order, items))
}

fn lists<S: Shape>(shape: S, kind: ListKind, live: &[Value], config: &[Value]) -> Result<Value, String> {
    let (live_order, live_items) = index(shape, kind, live, true)?;
    let (order, items) = index(shape, kind, config, false)?;
    let mut out = Vec::with_capacity(live.len().max(config.len()));
    let mut shared = order.iter().filter(|key| live_items.contains_key(*key)).peekable();
    let mut merged: BTreeSet<&str> = BTreeSet::new();
    let put = |key: &String, out: &mut Vec<Value>| -> Result<(), String> {
        let Some(Some(value)) = items.get(key) else { return Ok(()) };
        out.push(match (shape.element(), live_items.get(key)) {
            (Some(element), Some(Some(before))) => {
                merge(element, before, value).map_err(|error| format!("{}{error}", super::display(&[key])))?
            }
            _ => (*value).clone(),
        });
        Ok(())
    };
    let (mut left, mut right) = (0, 0);
    while left < live_order.len() || right < order.len() {
        if let (Some(key), Some(wanted)) = (live_order.get(left), order.get(right)) {
            if key == wanted {
                put(key, &mut out)?;
                merged.insert(key);
                left += 1;
                right += 1;
                shared.next();
                continue;
            }
            if items.contains_key(key) && shared.peek().is_some_and(|next| *next != key) {
                // Its turn comes later in the new order.
                left += 1;
                continue;
            }
        }
        if let Some(key) = live_order.get(left) {
            if !items.contains_key(key) {
                out.extend(live.get(left).cloned());
                left += 1;
                continue;
            }
            if merged.contains(key.as_str()) {
                left += 1;
            }
        }
        if let Some(key) = order.get(right) {
            put(key, &mut out)?;
            merged.insert(key);
            right += 1;
            if shared.peek().is_some_and(|next| *next == key) {
                shared.next();
            }
        }
    }
    Ok(Value::Array(out))
}
