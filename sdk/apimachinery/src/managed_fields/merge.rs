//! Merging of an applied configuration into an object (structured-merge-diff `typed/merge.go`).

use super::{
    compare::{Form, form},
    set::item,
};
use crate::{
    Value,
    shape::{ListKind, Shape},
};
use std::collections::BTreeMap;

/// `live` with what `config` says put into it: objects by member, lists by key or value, the rest replaced.
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
                    (Some(shape), None) => check(shape, value).map(|()| value.clone()),
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
        _ => {
            check(shape, config)?;
            Ok(config.clone())
        }
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Object(map) => !map.is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => false,
    }
}

/// Whether the items of all lists in a configuration have keys of their own.
pub(super) fn check<S: Shape>(shape: S, value: &Value) -> Result<(), String> {
    match (form(shape, value), value) {
        (Form::Members, Value::Object(map)) => {
            for (name, value) in map {
                let inner =
                    shape.field(name).ok_or_else(|| format!(".{name}: field not declared in schema"))?;
                check(inner, value).map_err(|error| format!(".{name}{error}"))?;
            }
            Ok(())
        }
        (Form::Items(kind), Value::Array(list)) => index(shape, kind, list, false).map(|_| ()),
        _ => Ok(()),
    }
}

/// The elements of a list in its order, and the item of each; `None` for one that several items have.
type Index<'a> = (Vec<String>, BTreeMap<String, Option<&'a Value>>);

fn index<S: Shape>(shape: S, kind: ListKind, list: &[Value], duplicates: bool) -> Result<Index<'_>, String> {
    let mut order = Vec::with_capacity(list.len());
    let mut items: BTreeMap<String, Option<&Value>> = BTreeMap::new();
    for (at, value) in list.iter().enumerate() {
        let key = item(shape, kind, value).ok_or_else(|| match kind {
            ListKind::Map => {
                let names: Vec<String> = (0..shape.list_key_count())
                    .filter_map(|index| shape.list_key(index).map(|name| format!("{name:?}")))
                    .collect();
                format!(
                    ": element {at}: associative list with keys has an element that omits all key fields \
                     [{}] (and doesn't have default values for any key fields)",
                    names.join(" ")
                )
            }
            _ => format!(": element {at}: associative list without keys has an element that is no scalar"),
        })?;
        if items.contains_key(&key) {
            if !duplicates {
                let shown = super::display(&[key.as_str()]);
                return Err(format!(": duplicate entries for key {shown}"));
            }
            items.insert(key.clone(), None);
        } else {
            items.insert(key.clone(), Some(value));
            if let (Some(element), false) = (shape.element(), duplicates) {
                let shown = || super::display(&[key.as_str()]);
                check(element, value).map_err(|error| format!("{}{error}", shown()))?;
            }
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
    let mut merged: Vec<&str> = Vec::new();
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
                merged.push(key);
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
            if merged.contains(&key.as_str()) {
                left += 1;
            }
        }
        if let Some(key) = order.get(right) {
            put(key, &mut out)?;
            merged.push(key);
            right += 1;
            if shared.peek().is_some_and(|next| *next == key) {
                shared.next();
            }
        }
    }
    Ok(Value::Array(out))
}
