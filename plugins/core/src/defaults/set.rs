//! Setting what is unset, in the three senses that Go types have: a nil pointer, an empty string, a zero.

use chainplate_apimachinery::{Map, Value};

/// Sets a member that is absent or null: a nil pointer, map or list.
pub(super) fn pointer(map: &mut Map, key: &str, value: impl Into<Value>) {
    match map.get_mut(key) {
        Some(there) if there.is_null() => *there = value.into(),
        Some(_) => {}
        None => {
            map.insert(key.into(), value.into());
        }
    }
}

/// Sets a member that is absent, null or the empty string.
pub(super) fn text(map: &mut Map, key: &str, value: &str) {
    match map.get_mut(key) {
        Some(there) if there.is_null() || there.as_str() == Some("") => *there = value.into(),
        Some(_) => {}
        None => {
            map.insert(key.into(), value.into());
        }
    }
}

/// Sets a member that is absent, null or zero.
pub(super) fn number(map: &mut Map, key: &str, value: i64) {
    match map.get_mut(key) {
        Some(there) if there.is_null() || there.as_i64() == Some(0) => *there = value.into(),
        Some(_) => {}
        None => {
            map.insert(key.into(), value.into());
        }
    }
}

/// [`text`] for each pair of a table.
pub(super) fn texts(map: &mut Map, table: &[(&str, &str)]) {
    for (key, value) in table {
        text(map, key, value);
    }
}

/// [`number`] for each pair of a table.
pub(super) fn numbers(map: &mut Map, table: &[(&str, i64)]) {
    for (key, value) in table {
        number(map, key, *value);
    }
}

/// The object below `key`, if there is one.
pub(super) fn child<'a>(map: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    map.get_mut(key)?.as_object_mut()
}

/// The object below `key`, made if it is absent or null; none if something else stands there.
pub(super) fn ensure<'a>(map: &'a mut Map, key: &str) -> Option<&'a mut Map> {
    pointer(map, key, Map::new());
    child(map, key)
}

/// Does something with each object of the list below `key`.
pub(super) fn each(map: &mut Map, key: &str, mut act: impl FnMut(&mut Map)) {
    if let Some(Value::Array(items)) = map.get_mut(key) {
        for item in items {
            if let Value::Object(item) = item {
                act(item);
            }
        }
    }
}

/// Whether a member is there and not null.
pub(super) fn has(map: &Map, key: &str) -> bool {
    map.get(key).is_some_and(|value| !value.is_null())
}

/// The text below `key`, empty if there is none.
pub(super) fn str_of<'a>(map: &'a Map, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Whether a list or map is absent, null or empty.
pub(super) fn is_empty(map: &Map, key: &str) -> bool {
    match map.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(_) => false,
    }
}
