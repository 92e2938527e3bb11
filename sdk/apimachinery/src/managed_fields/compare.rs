//! What a value consists of, and how two values differ, as sets of field paths
//! (structured-merge-diff `typed/compare.go`, `typed/tofieldset.go`).

use super::set::{Set, field, is_member, item, member_above};
use crate::{
    Map, Value,
    shape::{Kind, ListKind, Shape},
};
use std::collections::BTreeMap;

/// How one value differs from another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// Paths that only the old value has.
    pub removed: Set,
    /// Leaves with another value.
    pub modified: Set,
    /// Paths that only the new value has.
    pub added: Set,
}

/// How the parts of a value are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Not at all.
    Leaf,
    /// By the names of members.
    Members,
    /// By the keys or values of items.
    Items(ListKind),
}

pub(crate) fn form<S: Shape>(shape: S, value: &Value) -> Form {
    match shape.kind() {
        Kind::Struct { atomic: false } | Kind::Map { atomic: false } => Form::Members,
        Kind::List(kind @ (ListKind::Set | ListKind::Map)) => Form::Items(kind),
        Kind::Any { atomic: false } if value.is_object() => Form::Members,
        _ => Form::Leaf,
    }
}

/// The paths that differ between `old` and `new`; `metadata.managedFields` is left out.
pub fn compare<S: Shape>(shape: S, old: &Value, new: &Value) -> Comparison {
    let mut out = Difference::default();
    members(shape, old.as_object(), new.as_object(), Some("metadata"), &mut out);
    Comparison {
        removed: Set::from_map(out.removed),
        modified: Set::from_map(out.modified),
        added: Set::from_map(out.added),
    }
}

#[derive(Default)]
struct Difference {
    removed: Map,
    modified: Map,
    added: Map,
}

impl Difference {
    /// Hangs what was found below `element` there.
    fn hang(&mut self, element: &str, below: Below) {
        for (map, node) in [
            (&mut self.removed, below.removed),
            (&mut self.modified, below.modified),
            (&mut self.added, below.added),
        ] {
            if let Some(node) = node {
                map.insert(element.to_owned(), Value::Object(node));
            }
        }
    }
}

/// The nodes of one path; a node that is there and empty is a leaf.
#[derive(Default)]
struct Below {
    removed: Option<Map>,
    modified: Option<Map>,
    added: Option<Map>,
}

/// Of what there is of two values; they differ.
fn below<S: Shape>(shape: S, old: Option<&Value>, new: Option<&Value>, skip: Option<&str>) -> Below {
    match (old, new) {
        (Some(old), Some(new)) => both(shape, old, new, skip),
        (Some(old), None) => Below { removed: Some(everything(shape, old)), ..Below::default() },
        (None, Some(new)) => Below { added: Some(everything(shape, new)), ..Below::default() },
        (None, None) => Below::default(),
    }
}

/// Of two values that differ.
fn both<S: Shape>(shape: S, old: &Value, new: &Value, skip: Option<&str>) -> Below {
    let (old_form, new_form) = (form(shape, old), form(shape, new));
    let mut out = Difference::default();
    let mut is_leaf = old_form != new_form;
    for form in [Some(old_form), (old_form != new_form).then_some(new_form)].into_iter().flatten() {
        match form {
            Form::Leaf => is_leaf = true,
            _ if is_hollow(old) && is_hollow(new) => is_leaf = true,
            Form::Members => members(shape, old.as_object(), new.as_object(), skip, &mut out),
            Form::Items(kind) => items(shape, kind, old.as_array(), new.as_array(), &mut out),
        }
    }
    let some = |map: Map| (!map.is_empty()).then_some(map);
    let mut modified = some(out.modified);
    if is_leaf {
        modified = Some(member_above(modified.unwrap_or_default()));
    }
    Below { removed: some(out.removed), modified, added: some(out.added) }
}

fn is_hollow(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => true,
    }
}

/// All paths of a value that is wholly new or gone: each of its nodes is one.
fn everything<S: Shape>(shape: S, value: &Value) -> Map {
    let mut out = Difference::default();
    match form(shape, value) {
        Form::Leaf => {}
        Form::Members => members(shape, None, value.as_object(), None, &mut out),
        Form::Items(kind) => items(shape, kind, None, value.as_array(), &mut out),
    }
    member_above(out.added)
}

/// `skip` names the member whose own `managedFields` is passed over.
fn members<S: Shape>(
    shape: S,
    old: Option<&Map>,
    new: Option<&Map>,
    skip: Option<&str>,
    out: &mut Difference,
) {
    let passes = |name: &str| skip == Some("managedFields") && name == "managedFields";
    let deeper = |name: &str| match skip {
        Some("metadata") if name == "metadata" => Some("managedFields"),
        _ => None,
    };
    for (name, value) in new.into_iter().flatten() {
        let Some(shape) = shape.field(name).filter(|_| !passes(name)) else { continue };
        let before = old.and_then(|map| map.get(name));
        let deeper = deeper(name);
        if deeper.is_some() && before.is_none() {
            // Even a new object's managedFields are nobody's.
            let mut inner = Difference::default();
            members(shape, None, value.as_object(), deeper, &mut inner);
            out.hang(&field(name), Below { added: Some(member_above(inner.added)), ..Below::default() });
            continue;
        }
        if before != Some(value) {
            out.hang(&field(name), below(shape, before, Some(value), deeper));
        }
    }
    for (name, value) in old.into_iter().flatten() {
        if new.is_some_and(|map| map.contains_key(name)) || passes(name) {
            continue;
        }
        if let Some(shape) = shape.field(name) {
            out.hang(&field(name), below(shape, Some(value), None, None));
        }
    }
}

fn items<S: Shape>(
    shape: S,
    kind: ListKind,
    old: Option<&Vec<Value>>,
    new: Option<&Vec<Value>>,
    out: &mut Difference,
) {
    let Some(element) = shape.element() else { return };
    let mut pairs: BTreeMap<String, (Vec<&Value>, Vec<&Value>)> = BTreeMap::new();
    for value in old.into_iter().flatten() {
        if let Some(key) = item(shape, kind, value) {
            pairs.entry(key).or_default().0.push(value);
        }
    }
    for value in new.into_iter().flatten() {
        if let Some(key) = item(shape, kind, value) {
            pairs.entry(key).or_default().1.push(value);
        }
    }
    for (key, (old, new)) in pairs {
        let leaf = || Some(Map::new());
        // Duplicates cannot be told apart: they are owned as one.
        let found = match (old.as_slice(), new.as_slice()) {
            (old, new) if old == new => continue,
            ([] | [_], [] | [_]) => below(element, old.first().copied(), new.first().copied(), None),
            ([_, _, ..], [_, _, ..]) => Below { modified: leaf(), ..Below::default() },
            ([_, _, ..], _) => {
                let mut found = below(element, None, new.first().copied(), None);
                found.removed = leaf();
                found
            }
            (_, [_, _, ..]) => {
                let mut found = below(element, old.first().copied(), None, None);
                found.added = leaf();
                found
            }
        };
        out.hang(&key, found);
    }
}

/// The paths that an applied configuration consists of: its leaves, list items and keys of maps.
pub fn fields_of<S: Shape>(shape: S, value: &Value) -> Set {
    Set::from_map(leaves(shape, value))
}

/// The node of a value; empty where the value is a leaf (or holds nothing).
fn leaves<S: Shape>(shape: S, value: &Value) -> Map {
    let mut out = Map::new();
    match (form(shape, value), value) {
        (Form::Members, Value::Object(map)) => {
            let is_struct = matches!(shape.kind(), Kind::Struct { .. });
            for (name, value) in map {
                let Some(shape) = shape.field(name) else { continue };
                let node = leaves(shape, value);
                let is_leaf = form(shape, value) == Form::Leaf || value.is_null();
                let hollow = value.as_object().is_some_and(Map::is_empty);
                let node = match (is_leaf || hollow || !is_struct, node.is_empty()) {
                    (true, _) => member_above(node),
                    (false, false) => node,
                    // A list without items is nobody's.
                    (false, true) => continue,
                };
                out.insert(field(name), Value::Object(node));
            }
        }
        (Form::Items(kind), Value::Array(list)) => {
            let Some(element) = shape.element() else { return out };
            for value in list {
                let Some(key) = item(shape, kind, value) else { continue };
                match out.get_mut(&key) {
                    Some(duplicate) => *duplicate = Value::Object(Map::new()),
                    None => {
                        out.insert(key, Value::Object(member_above(leaves(element, value))));
                    }
                }
            }
        }
        _ => {}
    }
    out
}

/// `value` without the paths of `set`; `None` if a container lost all it had.
pub(crate) fn remove<S: Shape>(shape: S, value: &Value, set: &Map) -> Option<Value> {
    match (form(shape, value), value) {
        (Form::Members, Value::Object(map)) if !map.is_empty() => {
            let mut out = Map::new();
            for (name, value) in map {
                match set.get(&field(name)) {
                    Some(Value::Object(node)) if is_member(node) => {}
                    Some(Value::Object(node)) => {
                        let kept = match shape.field(name) {
                            Some(shape) => remove(shape, value, node).unwrap_or(Value::Null),
                            None => value.clone(),
                        };
                        out.insert(name.clone(), kept);
                    }
                    _ => {
                        out.insert(name.clone(), value.clone());
                    }
                }
            }
            (!out.is_empty()).then_some(Value::Object(out))
        }
        (Form::Items(kind), Value::Array(list)) if !list.is_empty() => {
            let mut out = Vec::with_capacity(list.len());
            for value in list {
                let node = item(shape, kind, value).and_then(|key| set.get(&key));
                match (node, shape.element()) {
                    (Some(Value::Object(node)), _) if is_member(node) => {}
                    (Some(Value::Object(node)), Some(element)) => {
                        out.push(remove(element, value, node).unwrap_or(Value::Null));
                    }
                    _ => out.push(value.clone()),
                }
            }
            (!out.is_empty()).then_some(Value::Array(out))
        }
        _ => Some(value.clone()),
    }
}
