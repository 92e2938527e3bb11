//! Sets of field paths, kept in their encoded form.
//!
//! `FieldsV1` is a tree of objects whose keys are path elements: `f:<name>`, `k:{"<key>":…}`, `v:<value>`,
//! `i:<index>`. A node is a member of the set if it is empty or holds `.`. Working on that tree as it is spares
//! decoding and encoding every manager's set on each write (upstream: structured-merge-diff `fieldpath`).

use crate::{
    Map, Value,
    shape::{Kind, ListKind, Shape},
};

/// Marks a node with children as a member itself.
const SELF: &str = ".";

/// A set of field paths.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Set(Map);

impl Set {
    /// The empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a `FieldsV1`. What is no object holds nothing.
    pub fn from_value(value: &Value) -> Self {
        match value {
            Value::Object(map) => Self(map.clone()),
            _ => Self::new(),
        }
    }

    pub(crate) fn from_map(map: Map) -> Self {
        Self(map)
    }

    /// As a `FieldsV1`.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }

    /// Whether it holds no path.
    pub fn is_empty(&self) -> bool {
        self.0.keys().all(|key| key == SELF)
    }

    pub(crate) fn map(&self) -> &Map {
        &self.0
    }

    /// Adds a path, as encoded elements.
    pub fn insert(&mut self, path: &[&str]) {
        fn chain(path: &[&str]) -> Map {
            let mut map = Map::new();
            if let [first, rest @ ..] = path {
                map.insert((*first).to_owned(), Value::Object(chain(rest)));
            }
            map
        }
        fn insert(map: &mut Map, path: &[&str]) {
            let [first, rest @ ..] = path else { return };
            match map.get_mut(*first) {
                Some(Value::Object(node)) => {
                    // A leaf that gets children, and a node that is added itself, are members above others.
                    if node.is_empty() != rest.is_empty() {
                        node.insert(SELF.into(), Value::Object(Map::new()));
                    }
                    insert(node, rest);
                }
                _ => {
                    map.insert((*first).to_owned(), Value::Object(chain(rest)));
                }
            }
        }
        insert(&mut self.0, path);
    }

    /// Whether it holds the path.
    pub fn has(&self, path: &[&str]) -> bool {
        let mut map = &self.0;
        for element in path {
            match map.get(*element) {
                Some(Value::Object(inner)) => map = inner,
                _ => return false,
            }
        }
        !path.is_empty() && is_member(map)
    }

    /// Whether it holds all paths of `other`.
    pub(crate) fn covers(&self, other: &Set) -> bool {
        covers(&self.0, &other.0)
    }

    /// Paths of either.
    #[must_use]
    pub fn union(mut self, other: &Set) -> Set {
        union(&mut self.0, &other.0);
        self
    }

    /// As [`Set::union`], without a copy where one is empty.
    pub(crate) fn join(self, other: Set) -> Set {
        if self.0.is_empty() { other } else { self.union(&other) }
    }

    /// Paths of both.
    #[must_use]
    pub fn intersection(&self, other: &Set) -> Set {
        Set(intersection(&self.0, &other.0, true).unwrap_or_default())
    }

    /// Paths of `self` that `other` has not.
    #[must_use]
    pub fn difference(mut self, other: &Set) -> Set {
        difference(&mut self.0, &other.0, true);
        self
    }

    /// Paths of `self` that neither are in `other` nor lie below one that is.
    #[must_use]
    pub fn recursive_difference(mut self, other: &Set) -> Set {
        recursive_difference(&mut self.0, &other.0);
        self
    }

    /// With each member of a struct that leads to a path being a path itself.
    #[must_use]
    pub(crate) fn with_named_fields<S: Shape>(mut self, shape: S) -> Set {
        name_fields(&mut self.0, Some(shape));
        self
    }

    /// Calls `visit` with each path, members of a node before what is below it.
    pub fn for_each(&self, visit: &mut dyn FnMut(&[&str])) {
        fn walk<'a>(map: &'a Map, path: &mut Vec<&'a str>, visit: &mut dyn FnMut(&[&str])) {
            for below in [false, true] {
                for (element, node) in map {
                    let Value::Object(node) = node else { continue };
                    if element == SELF {
                        continue;
                    }
                    path.push(element);
                    if below {
                        walk(node, path, visit);
                    } else if is_member(node) {
                        visit(path);
                    }
                    path.pop();
                }
            }
        }
        walk(&self.0, &mut Vec::new(), visit);
    }
}

/// Whether a node (not the root) is in the set itself.
pub(crate) fn is_member(node: &Map) -> bool {
    node.is_empty() || node.contains_key(SELF)
}

fn has_children(node: &Map) -> bool {
    node.keys().any(|key| key != SELF)
}

/// A node that is a member, above `children`.
pub(crate) fn member_above(mut children: Map) -> Map {
    if !children.is_empty() {
        children.insert(SELF.into(), Value::Object(Map::new()));
    }
    children
}

fn covers(ours: &Map, theirs: &Map) -> bool {
    theirs.iter().all(|(element, node)| match (node, ours.get(element)) {
        (Value::Object(theirs), Some(Value::Object(ours))) if element != SELF => {
            (is_member(ours) || !is_member(theirs)) && covers(ours, theirs)
        }
        // Of the node itself the caller took care.
        _ => element == SELF || !node.is_object(),
    })
}

fn union(into: &mut Map, other: &Map) {
    for (element, node) in other {
        let Value::Object(theirs) = node else { continue };
        if element == SELF {
            into.insert(SELF.into(), Value::Object(Map::new()));
            continue;
        }
        match into.get_mut(element) {
            Some(Value::Object(ours)) => {
                let member = is_member(ours) || is_member(theirs);
                union(ours, theirs);
                if member && has_children(ours) {
                    ours.insert(SELF.into(), Value::Object(Map::new()));
                }
            }
            _ => {
                into.insert(element.clone(), node.clone());
            }
        }
    }
}

/// `None` if nothing is left.
fn intersection(ours: &Map, theirs: &Map, root: bool) -> Option<Map> {
    let mut out = Map::new();
    for (element, node) in ours {
        let (Value::Object(mine), Some(Value::Object(other))) = (node, theirs.get(element)) else { continue };
        if element == SELF {
            continue;
        }
        if let Some(inner) = intersection(mine, other, false) {
            out.insert(element.clone(), Value::Object(inner));
        }
    }
    let member = !root && is_member(ours) && is_member(theirs);
    match (member, out.is_empty()) {
        (true, _) => Some(member_above(out)),
        (false, true) => None,
        (false, false) => Some(out),
    }
}

/// Whether something is left.
fn difference(ours: &mut Map, theirs: &Map, root: bool) -> bool {
    let was_leaf = ours.is_empty();
    ours.retain(|element, node| {
        if element == SELF {
            return root || !is_member(theirs);
        }
        match (node, theirs.get(element)) {
            (Value::Object(mine), Some(Value::Object(other))) => difference(mine, other, false),
            _ => true,
        }
    });
    if was_leaf { root || !is_member(theirs) } else { normalize(ours) }
}

fn recursive_difference(ours: &mut Map, theirs: &Map) {
    ours.retain(|element, node| match (node, theirs.get(element)) {
        (Value::Object(mine), Some(Value::Object(other))) if element != SELF => {
            if is_member(other) {
                return false;
            }
            let leaf = mine.is_empty();
            recursive_difference(mine, other);
            leaf || normalize(mine)
        }
        _ => true,
    });
}

/// Makes a node that lost children a leaf if it is a member; tells whether something is left.
fn normalize(node: &mut Map) -> bool {
    if node.len() == 1 && node.contains_key(SELF) {
        node.remove(SELF);
        return true;
    }
    !node.is_empty()
}

fn name_fields<S: Shape>(map: &mut Map, shape: Option<S>) {
    let kind = shape.map(|shape| shape.kind());
    for (element, node) in map.iter_mut() {
        let Value::Object(inner) = node else { continue };
        if inner.is_empty() || element == SELF {
            continue;
        }
        let below = match (element.strip_prefix("f:"), shape, kind) {
            (Some(name), Some(shape), Some(kind)) => {
                let below = shape.field(name);
                if matches!(kind, Kind::Struct { .. }) && below.is_some() {
                    inner.insert(SELF.into(), Value::Object(Map::new()));
                }
                below
            }
            (None, Some(shape), Some(Kind::List(_))) => shape.element(),
            _ => None,
        };
        name_fields(inner, below);
    }
}

/// The element of a member.
pub(crate) fn field(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    out.push_str("f:");
    out.push_str(name);
    out
}

/// The element of an item of a set or of a list with keys, `None` if the item has no key.
pub(crate) fn item<S: Shape>(list: S, kind: ListKind, value: &Value) -> Option<String> {
    match (kind, value) {
        (ListKind::Set, Value::Object(_) | Value::Array(_) | Value::Null) | (ListKind::Atomic, _) => None,
        (ListKind::Set, value) => Some(format!("v:{value}")),
        (ListKind::Map, Value::Object(map)) => {
            let element = list.element();
            let mut names: Vec<&str> =
                (0..list.list_key_count()).filter_map(|index| list.list_key(index)).collect();
            names.sort_unstable();
            let mut out = String::from("k:{");
            for name in names {
                let default = element.and_then(|element| element.field(name));
                let default = default.as_ref().and_then(Shape::default_value);
                let Some(value) = map.get(name).or(default.as_deref()) else { continue };
                if out.len() > 3 {
                    out.push(',');
                }
                write_text(&mut out, name);
                out.push(':');
                match value {
                    Value::String(text) => write_text(&mut out, text),
                    other => out.push_str(&other.to_string()),
                }
            }
            if out.len() == 3 {
                return None;
            }
            out.push('}');
            Some(out)
        }
        _ => None,
    }
}

fn write_text(out: &mut String, text: &str) {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}

/// A path as people read it: `.spec.containers[name="a"].image`, `.finalizers[="x"]`.
pub fn display(path: &[&str]) -> String {
    let mut out = String::new();
    for element in path {
        let (kind, rest) = element.split_at_checked(2).unwrap_or((element, ""));
        match kind {
            "f:" => {
                out.push('.');
                out.push_str(rest);
            }
            "k:" => {
                out.push('[');
                if let Ok(Value::Object(keys)) = serde_json::from_str::<Value>(rest) {
                    let keys: Vec<String> =
                        keys.iter().map(|(name, value)| format!("{name}={value}")).collect();
                    out.push_str(&keys.join(","));
                }
                out.push(']');
            }
            "v:" => {
                out.push_str("[=");
                out.push_str(rest);
                out.push(']');
            }
            _ => {
                out.push('[');
                out.push_str(rest);
                out.push(']');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(value: Value) -> Set {
        Set::from_value(&value)
    }

    #[test]
    fn inserts_paths_and_their_parents_once() {
        let mut all = Set::new();
        all.insert(&["f:a", "f:b"]);
        all.insert(&["f:a"]);
        all.insert(&["f:c"]);
        all.insert(&["f:c", "f:d"]);
        assert_eq!(
            all.clone().into_value(),
            json!({"f:a": {".": {}, "f:b": {}}, "f:c": {".": {}, "f:d": {}}})
        );
        assert!(all.has(&["f:a"]) && all.has(&["f:a", "f:b"]) && !all.has(&["f:b"]));
    }

    #[test]
    fn unites_intersects_and_subtracts_exact_paths() {
        let a = set(json!({"f:x": {".": {}, "f:y": {}}, "f:z": {}}));
        let b = set(json!({"f:x": {"f:y": {}, "f:w": {}}}));
        assert_eq!(a.intersection(&b), set(json!({"f:x": {"f:y": {}}})));
        assert_eq!(a.clone().difference(&b), set(json!({"f:x": {}, "f:z": {}})));
        assert_eq!(b.clone().difference(&a), set(json!({"f:x": {"f:w": {}}})));
        assert_eq!(a.clone().union(&b), set(json!({"f:x": {".": {}, "f:y": {}, "f:w": {}}, "f:z": {}})));
        assert!(b.clone().difference(&b).is_empty());
        assert!(a.covers(&a) && a.covers(&Set::new()) && !a.covers(&b) && !b.covers(&a));
        assert!(a.covers(&set(json!({"f:x": {"f:y": {}}}))) && !Set::new().covers(&a));
        assert!(!b.covers(&set(json!({"f:x": {}}))), "a node is no member for what lies below it");
        assert_eq!(set(json!({"f:x": {}})).union(&b), set(json!({"f:x": {".": {}, "f:y": {}, "f:w": {}}})));
    }

    #[test]
    fn subtracts_what_lies_below() {
        let a = set(json!({"f:status": {"f:a": {}, "f:b": {}}, "f:spec": {}}));
        assert_eq!(a.recursive_difference(&set(json!({"f:status": {}}))), set(json!({"f:spec": {}})));
    }

    #[test]
    fn shows_paths_as_people_read_them() {
        assert_eq!(
            display(&["f:spec", "f:ports", r#"k:{"port":80,"protocol":"TCP"}"#, "f:name"]),
            ".spec.ports[port=80,protocol=\"TCP\"].name"
        );
        assert_eq!(display(&["f:finalizers", r#"v:"a""#]), ".finalizers[=\"a\"]");
    }
}
