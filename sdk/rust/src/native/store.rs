//! The store behind the native facade.

use super::{Page, StoredObject};
use std::{
    cell::RefCell,
    collections::BTreeMap,
    fmt::Debug,
    ops::Bound::{Excluded, Included, Unbounded},
};

/// Storage for native runs. Values are JSON without resourceVersion, as components write them.
pub trait Store: Debug {
    /// One object.
    fn get(&self, prefix: &str, namespace: Option<&str>, name: &str) -> Option<StoredObject>;
    /// Makes an object; `None` if it is there.
    fn create(&self, prefix: &str, namespace: Option<&str>, name: &str, value: &[u8])
    -> Option<StoredObject>;
    /// Replaces (or without a value removes) an object that is at `expected`; `None` if it is not.
    fn replace(
        &self,
        prefix: &str,
        namespace: Option<&str>,
        name: &str,
        value: Option<&[u8]>,
        expected: u64,
    ) -> Option<StoredObject>;
    /// A page in key order.
    fn page(&self, prefix: &str, namespace: Option<&str>, limit: u32, after: Option<&str>) -> Page;
}

/// A map.
#[derive(Debug, Default)]
pub struct Memory(RefCell<Objects>);

#[derive(Debug, Default)]
struct Objects {
    revision: u64,
    /// By prefix and `[<namespace>/]<name>`: the value and its revision.
    map: BTreeMap<(String, String), (Vec<u8>, u64)>,
}

fn key(prefix: &str, namespace: Option<&str>, name: &str) -> (String, String) {
    let path = namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"));
    (prefix.to_owned(), path)
}

impl Store for Memory {
    fn get(&self, prefix: &str, namespace: Option<&str>, name: &str) -> Option<StoredObject> {
        let objects = self.0.borrow();
        let (value, revision) = objects.map.get(&key(prefix, namespace, name))?;
        Some(StoredObject::new(value, *revision))
    }

    fn create(
        &self,
        prefix: &str,
        namespace: Option<&str>,
        name: &str,
        value: &[u8],
    ) -> Option<StoredObject> {
        let mut objects = self.0.borrow_mut();
        let key = key(prefix, namespace, name);
        if objects.map.contains_key(&key) {
            return None;
        }
        objects.revision += 1;
        let revision = objects.revision;
        objects.map.insert(key, (value.to_owned(), revision));
        Some(StoredObject::new(value, revision))
    }

    fn replace(
        &self,
        prefix: &str,
        namespace: Option<&str>,
        name: &str,
        value: Option<&[u8]>,
        expected: u64,
    ) -> Option<StoredObject> {
        let mut objects = self.0.borrow_mut();
        let key = key(prefix, namespace, name);
        let (there, revision) = objects.map.get(&key)?;
        if *revision != expected {
            return None;
        }
        if value == Some(there.as_slice()) {
            return Some(StoredObject::new(there, *revision));
        }
        let last = there.clone();
        objects.revision += 1;
        let revision = objects.revision;
        match value {
            Some(value) => objects.map.insert(key, (value.to_owned(), revision)),
            None => objects.map.remove(&key),
        };
        Some(StoredObject::new(value.unwrap_or(&last), revision))
    }

    fn page(&self, prefix: &str, namespace: Option<&str>, limit: u32, after: Option<&str>) -> Page {
        let objects = self.0.borrow();
        let within = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let from = match after {
            Some(after) => Excluded((prefix.to_owned(), after.to_owned())),
            None => Included((prefix.to_owned(), within.clone())),
        };
        let limit = if limit == 0 { 500 } else { limit.min(500) } as usize;
        let mut found = objects
            .map
            .range((from, Unbounded))
            .take_while(|((there, path), _)| there == prefix && path.starts_with(&within));
        let mut items = Vec::new();
        let mut last = None;
        for ((_, path), (value, revision)) in found.by_ref().take(limit) {
            items.push(StoredObject::new(value, *revision));
            last = Some(path.clone());
        }
        let more = found.next().is_some();
        Page { items, next: last.filter(|_| more) }
    }
}

/// Puts `"resourceVersion"` in as the first member of `metadata`, as the host does.
pub(super) fn splice(value: &[u8], revision: u64) -> Vec<u8> {
    let Ok(mut object) = serde_json::from_slice::<serde_json::Value>(value) else { return value.to_owned() };
    if let Some(metadata) = object.get_mut("metadata").and_then(serde_json::Value::as_object_mut) {
        metadata.insert("resourceVersion".into(), revision.to_string().into());
    }
    object.to_string().into_bytes()
}
