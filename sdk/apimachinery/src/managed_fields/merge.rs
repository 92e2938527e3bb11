//! Merging of an applied configuration into an object (structured-merge-diff `typed/merge.go`).

use super::{
    compare::{Form, form},
    display,
    set::item,
};
use crate::{
    Map, Value,
    shape::{Kind, ListKind, Scalar, Shape},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Puts into `live` what `config`, which was [`check`]ed, says: objects by member, lists by key or value, the rest replaced.
/// Items keep the order of `config`, with those of `live` alone where they stood.
///
/// # Errors
/// The path and reason of a list item that has no key, or whose key another has. `live` is then partly merged.
pub fn merge<S: Shape>(shape: S, live: &mut Value, config: &Value) -> Result<(), String> {
    let (live_form, config_form) = (form(shape, live), form(shape, config));
    match (config_form, config) {
        (Form::Members, Value::Object(config)) if live_form == Form::Members => {
            if !live.is_object() {
                *live = Value::Object(Map::new());
            }
            let Value::Object(live) = live else { return Ok(()) };
            for (name, value) in config {
                let inner =
                    shape.field(name).ok_or_else(|| format!(".{name}: field not declared in schema"))?;
                match live.get_mut(name) {
                    Some(live) => merge(inner, live, value).map_err(|error| format!(".{name}{error}"))?,
                    None => drop(live.insert(name.clone(), value.clone())),
                }
            }
        }
        (Form::Items(kind), Value::Array(config)) if live_form == config_form => {
            let before = match live {
                Value::Array(list) => std::mem::take(list),
                _ => Vec::new(),
            };
            *live = Value::Array(lists(shape, kind, before, config)?);
        }
        // An empty object or list in place of nothing changes nothing.
        (Form::Members | Form::Items(_), Value::Null) if is_filled(live) => {}
        _ => live.clone_from(config),
    }
    Ok(())
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
    find_faults(shape, value, Place::Root, &mut faults);
    match faults.len() {
        0 => Ok(()),
        1 => Err(faults.swap_remove(0)),
        _ => Err(faults.iter().fold("errors:".to_owned(), |text, fault| format!("{text}\n  {fault}"))),
    }
}

/// Where a value stands; borrowed links, so that a configuration without fault costs no text.
#[derive(Clone, Copy)]
enum Place<'a> {
    Root,
    Member(&'a Place<'a>, &'a str),
    /// An item by its element.
    Item(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    fn told(&self, text: String) -> String {
        let path = self.to_string();
        if path.is_empty() { text } else { format!("{path}: {text}") }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Member(parent, name) => write!(f, "{parent}.{name}"),
            Place::Item(parent, element) => write!(f, "{parent}{}", display(&[element])),
            Place::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn find_faults<S: Shape>(shape: S, value: &Value, place: Place<'_>, faults: &mut Vec<String>) {
    match (shape.kind(), value) {
        (_, Value::Null) => {}
        (Kind::Scalar(scalar), value) => {
            faults.extend(scalar_fault(scalar, value).map(|text| place.told(text)));
        }
        (Kind::Struct { .. } | Kind::Map { .. }, Value::Object(map)) => {
            for (name, value) in map {
                let place = Place::Member(&place, name);
                match shape.field(name) {
                    Some(inner) => find_faults(inner, value, place, faults),
                    None => faults.push(place.told("field not declared in schema".into())),
                }
            }
        }
        (Kind::Struct { .. } | Kind::Map { .. }, other) => {
            faults.push(place.told(format!("expected map, got &{{{}}}", go(other))));
        }
        (Kind::List(ListKind::Atomic), Value::Array(list)) => {
            let Some(element) = shape.element() else { return };
            for (at, value) in list.iter().enumerate() {
                find_faults(element, value, Place::Index(&place, at), faults);
            }
        }
        (Kind::List(kind), Value::Array(list)) => {
            let mut seen = BTreeSet::new();
            for (at, value) in list.iter().enumerate() {
                let key = match key_of(shape, kind, at, value) {
                    Ok(key) => key,
                    Err(text) => return faults.push(place.told(text)),
                };
                if seen.contains(&key) {
                    faults.push(place.told(format!("duplicate entries for key {}", display(&[&key]))));
                }
                if let Some(element) = shape.element() {
                    find_faults(element, value, Place::Item(&place, &key), faults);
                }
                seen.insert(key);
            }
        }
        (Kind::List(_), other) => {
            faults.push(place.told(format!("expected list, got &{{{}}}", go(other))));
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

/// The elements of a list, in its order.
fn elements<S: Shape>(shape: S, kind: ListKind, list: &[Value]) -> Result<Vec<String>, String> {
    list.iter()
        .enumerate()
        .map(|(at, value)| key_of(shape, kind, at, value).map_err(|text| format!(": {text}")))
        .collect()
}

/// Where each element stands; `None` for one that several items have.
fn places(elements: &[String]) -> BTreeMap<&str, Option<usize>> {
    let mut places = BTreeMap::new();
    for (at, element) in elements.iter().enumerate() {
        places.entry(element.as_str()).and_modify(|place| *place = None).or_insert(Some(at));
    }
    places
}

fn lists<S: Shape>(
    shape: S,
    kind: ListKind,
    live: Vec<Value>,
    config: &[Value],
) -> Result<Vec<Value>, String> {
    let (live_order, order) = (elements(shape, kind, &live)?, elements(shape, kind, config)?);
    let (live_places, places) = (places(&live_order), places(&order));
    if let Some(twice) = order.iter().find(|key| places.get(key.as_str()) == Some(&None)) {
        return Err(format!(": duplicate entries for key {}", display(&[twice])));
    }
    let mut out = Vec::with_capacity(live.len().max(config.len()));
    // Each is taken once: merged, or as it is.
    let mut live: Vec<Option<Value>> = live.into_iter().map(Some).collect();
    let mut shared = order.iter().filter(|key| live_places.contains_key(key.as_str())).peekable();
    let mut merged: BTreeSet<&str> = BTreeSet::new();
    let put = |at: usize, key: &str, live: &mut [Option<Value>]| -> Result<Option<Value>, String> {
        let Some(value) = config.get(at) else { return Ok(None) };
        let before = live_places.get(key).copied().flatten().and_then(|at| live.get_mut(at)?.take());
        let (Some(element), Some(mut before)) = (shape.element(), before) else {
            return Ok(Some(value.clone()));
        };
        merge(element, &mut before, value).map_err(|error| format!("{}{error}", display(&[key])))?;
        Ok(Some(before))
    };
    let (mut left, mut right) = (0, 0);
    while left < live_order.len() || right < order.len() {
        if let (Some(key), Some(wanted)) = (live_order.get(left), order.get(right)) {
            if key == wanted {
                out.extend(put(right, key, &mut live)?);
                merged.insert(key);
                left += 1;
                right += 1;
                shared.next();
                continue;
            }
            if places.contains_key(key.as_str()) && shared.peek().is_some_and(|next| *next != key) {
                // Its turn comes later in the new order.
                left += 1;
                continue;
            }
        }
        if let Some(key) = live_order.get(left) {
            if !places.contains_key(key.as_str()) {
                out.extend(live.get_mut(left).and_then(Option::take));
                left += 1;
                continue;
            }
            if merged.contains(key.as_str()) {
                left += 1;
            }
        }
        if let Some(key) = order.get(right) {
            out.extend(put(right, key, &mut live)?);
            merged.insert(key);
            right += 1;
            if shared.peek().is_some_and(|next| *next == key) {
                shared.next();
            }
        }
    }
    Ok(out)
}
