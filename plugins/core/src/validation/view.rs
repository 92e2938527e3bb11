//! A place in an object that is being validated: its value and its path, without copies.

use chainplate_apimachinery::field::Path;
use chainplate_apimachinery::{Map, Value};

static NULL: Value = Value::Null;

/// A value and where it stands. What is absent is null, so that rules read as Go's do on zero values.
#[derive(Clone, Copy)]
pub(super) struct Node<'p, 'v> {
    /// Where.
    pub(super) path: Path<'p>,
    /// What; null for what is absent.
    pub(super) value: &'v Value,
}

impl<'v> Node<'static, 'v> {
    /// The object itself.
    pub(super) fn root(value: &'v Value) -> Self {
        Self { path: Path::Root, value }
    }
}

impl<'p, 'v> Node<'p, 'v> {
    /// The same value under another path: upstream's paths are not always where the value stands.
    pub(super) fn at<'q>(&self, path: Path<'q>) -> Node<'q, 'v> {
        Node { path, value: self.value }
    }

    /// A member.
    pub(super) fn child<'b>(&'b self, name: &'b str) -> Node<'b, 'v> {
        Node { path: self.path.child(name), value: self.get(name) }
    }

    /// A member, if it is there.
    pub(super) fn some<'b>(&'b self, name: &'b str) -> Option<Node<'b, 'v>> {
        let child = self.child(name);
        child.present().then_some(child)
    }

    /// A member's value, null if it is absent.
    pub(super) fn get(&self, name: &str) -> &'v Value {
        self.value.get(name).unwrap_or(&NULL)
    }

    /// Whether a member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        !self.get(name).is_null()
    }

    /// Whether there is a value.
    pub(super) fn present(&self) -> bool {
        !self.value.is_null()
    }

    /// A member's text, empty if there is none.
    pub(super) fn text(&self, name: &str) -> &'v str {
        self.get(name).as_str().unwrap_or_default()
    }

    /// The text itself.
    pub(super) fn str(&self) -> &'v str {
        self.value.as_str().unwrap_or_default()
    }

    /// A member's number, zero if there is none.
    pub(super) fn int(&self, name: &str) -> i64 {
        self.get(name).as_i64().unwrap_or_default()
    }

    /// A member's number, if there is one.
    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.get(name).as_i64()
    }

    /// A member's truth, false if there is none.
    pub(super) fn is(&self, name: &str) -> bool {
        self.get(name).as_bool().unwrap_or_default()
    }

    /// The list of a member, empty if there is none.
    pub(super) fn list(&self, name: &str) -> &'v [Value] {
        self.get(name).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str) -> impl Iterator<Item = &'v str> {
        self.list(name).iter().map(|item| item.as_str().unwrap_or_default())
    }

    /// Whether a list has a text.
    pub(super) fn lists(&self, name: &str, text: &str) -> bool {
        self.texts(name).any(|item| item == text)
    }

    /// The map of a member, if there is one.
    pub(super) fn map(&self, name: &str) -> Option<&'v Map> {
        self.get(name).as_object()
    }

    /// How many members or items a member has.
    pub(super) fn len(&self, name: &str) -> usize {
        match self.get(name) {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        }
    }

    /// Whether a list or map has nothing in it.
    pub(super) fn is_empty(&self, name: &str) -> bool {
        self.len(name) == 0
    }

    /// Does something with each item of this list.
    pub(super) fn each(&self, mut act: impl FnMut(usize, &Node<'_, 'v>)) {
        for (index, value) in self.value.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate()
        {
            act(index, &Node { path: self.path.index(index), value });
        }
    }

    /// Does something with each member of this map, in the order of keys.
    pub(super) fn entries(&self, mut act: impl FnMut(&'v str, &Node<'_, 'v>)) {
        let Some(map) = self.value.as_object() else { return };
        for (key, value) in map {
            act(key, &Node { path: self.path.key(key), value });
        }
    }
}
