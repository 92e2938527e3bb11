//! JSON merge patch and JSON patch as upstream's library applies them (`evanphx/json-patch`, version 4), which
//! differs from RFC 7386 and RFC 6902 in places: nulls are pruned from what a merge patch adds, negative indices
//! count from the end, `replace` of an absent member adds it, a `test` for null passes where nothing is.

use crate::{Map, Value, decode::MAX_DEPTH};
use serde_json::map::Entry;

/// The most operations of a JSON patch (`endpoints/handlers/patch.go`).
pub const MAX_OPERATIONS: usize = 10_000;
/// The most bytes that the `copy` operations of one JSON patch may add (`server/config.go`).
pub const MAX_COPIED: usize = 3 * 1024 * 1024;

/// Applies a merge patch. `null` members delete; a patch that is no object replaces.
pub fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    target.remove(&key);
                    continue;
                }
                match target.entry(key) {
                    Entry::Occupied(mut there) => merge(there.get_mut(), value),
                    Entry::Vacant(slot) => {
                        slot.insert(pruned(value));
                    }
                }
            }
        }
        (target, patch) => *target = pruned(patch),
    }
}

/// A value without nulls, in objects and in lists.
fn pruned(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let rest = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(rest.map(|(key, value)| (key, pruned(value))).collect())
        }
        Value::Array(list) => {
            Value::Array(list.into_iter().filter(|item| !item.is_null()).map(pruned).collect())
        }
        leaf => leaf,
    }
}

/// One operation of a JSON patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    op: String,
    path: Option<String>,
    from: Option<String>,
    value: Option<Value>,
}

/// Reads a JSON patch. Members that are unknown are named, `[0].foo`, in `unknown`.
///
/// # Errors
/// Go's text when it is not a list of operations.
pub fn operations(patch: Value, unknown: &mut Vec<String>) -> Result<Vec<Operation>, String> {
    const LIST: &str = "[]handlers.jsonPatchOp";
    let Value::Array(list) = patch else {
        return if patch.is_null() {
            Ok(Vec::new())
        } else {
            Err(format!(
                "json: cannot unmarshal {} into Go value of type {LIST}",
                crate::options::json_kind(&patch)
            ))
        };
    };
    let mut operations = Vec::with_capacity(list.len());
    for (index, item) in list.into_iter().enumerate() {
        let Value::Object(map) = item else {
            let kind = crate::options::json_kind(&item);
            return Err(format!("json: cannot unmarshal {kind} into Go value of type handlers.jsonPatchOp"));
        };
        operations.push(operation(map, index, unknown)?);
    }
    Ok(operations)
}

fn operation(map: Map, index: usize, unknown: &mut Vec<String>) -> Result<Operation, String> {
    let mut operation = Operation { op: String::new(), path: None, from: None, value: None };
    for (key, value) in map {
        if key == "value" {
            operation.value = Some(value);
            continue;
        }
        if !matches!(key.as_str(), "op" | "path" | "from") {
            unknown.push(format!("[{index}].{key}"));
            continue;
        }
        match (key.as_str(), value) {
            (_, Value::Null) => {}
            ("op", Value::String(text)) => operation.op = text,
            ("path", Value::String(text)) => operation.path = Some(text),
            ("from", Value::String(text)) => operation.from = Some(text),
            (key, other) => {
                let kind = crate::options::json_kind(&other);
                return Err(format!(
                    "json: cannot unmarshal {kind} into Go struct field jsonPatchOp.{key} of type string"
                ));
            }
        }
    }
    Ok(operation)
}

/// Why a JSON patch does not apply. Clients get a general text; this is for logs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is nothing at the path, or its parent.
    #[error("there is nothing at {0:?}")]
    Missing(String),
    /// An index that is no number, or outside of the list.
    #[error("{0:?} is no place in the list")]
    Index(String),
    /// A test failed.
    #[error("the test of {0:?} failed")]
    Test(String),
    /// An unknown operation, or one without its path.
    #[error("the operation {0:?} is unknown or lacks a member")]
    Operation(String),
    /// Copies grew over [`MAX_COPIED`].
    #[error("the copies are larger than {MAX_COPIED} bytes")]
    Copied,
    /// What is put at the path lies deeper in the document than any that can be read, [`MAX_DEPTH`].
    #[error("the value at {0:?} lies too deep")]
    Depth(String),
}

/// Applies a JSON patch. When an operation is refused the document is left as that operation found it.
///
/// # Errors
/// Why an operation does not apply.
pub fn apply(document: &mut Value, operations: &[Operation]) -> Result<(), Refused> {
    let mut copied = 0;
    for operation in operations {
        let path = operation.path.as_deref().ok_or_else(|| Refused::Operation(operation.op.clone()))?;
        let value = || operation.value.clone().unwrap_or(Value::Null);
        let from = || operation.from.as_deref().ok_or_else(|| Refused::Operation(operation.op.clone()));
        match operation.op.as_str() {
            "add" => add(document, path, fits(path, value())?)?,
            "remove" => {
                remove(document, path)?;
            }
            "replace" => replace(document, path, fits(path, value())?)?,
            "move" => {
                let taken = remove(document, from()?)?;
                add(document, path, fits(path, taken)?)?;
            }
            "copy" => {
                let source = fits(path, find(document, from()?)?.cloned().unwrap_or(Value::Null))?;
                copied += size(&source);
                if copied > MAX_COPIED {
                    return Err(Refused::Copied);
                }
                add(document, path, source)?;
            }
            "test" => {
                let there = find(document, path)?.unwrap_or(&Value::Null);
                if !equal(there, operation.value.as_ref().unwrap_or(&Value::Null)) {
                    return Err(Refused::Test(path.to_owned()));
                }
            }
            other => return Err(Refused::Operation(other.to_owned())),
        }
    }
    Ok(())
}

/// `value`, unless it would lie too deep at `path`: copies of a document into itself make it ever deeper, and
/// deep values exhaust the stack of whoever walks them.
fn fits(path: &str, value: Value) -> Result<Value, Refused> {
    let above = path.split('/').skip(1).count();
    if above + depth(&value) > MAX_DEPTH { Err(Refused::Depth(path.to_owned())) } else { Ok(value) }
}

/// How many objects and lists lie in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or_default(),
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

/// The bytes that a value takes as JSON.
fn size(value: &Value) -> usize {
    struct Count(usize);
    impl std::io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 += bytes.len();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    // Counting cannot fail.
    let _ = serde_json::to_writer(&mut count, value);
    count.0
}

/// Equal as JSON: 1 equals 1.0.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64() && !(left.is_i64() && right.is_i64())
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => left == right,
    }
}

/// `~1` is `/`, `~0` is `~`.
fn unescape(part: &str) -> String {
    if part.contains('~') { part.replace("~1", "/").replace("~0", "~") } else { part.to_owned() }
}

/// The place in a list of `length` items that a part of a path names.
fn index(part: &str, length: usize) -> Option<usize> {
    let number: i64 = part.parse().ok()?;
    let length = i64::try_from(length).ok()?;
    usize::try_from(if number < 0 { number + length } else { number }).ok()
}

/// The container of the last part of a path, and that part.
fn parent<'d>(document: &'d mut Value, path: &str) -> Result<(&'d mut Value, String), Refused> {
    let missing = || Refused::Missing(path.to_owned());
    let mut parts = path.split('/');
    parts.next();
    let mut place = document;
    let mut last = unescape(parts.next().ok_or_else(missing)?);
    for part in parts {
        place = match place {
            Value::Object(map) => map.get_mut(&last).ok_or_else(missing)?,
            Value::Array(list) => {
                let at = index(&last, list.len()).ok_or_else(missing)?;
                list.get_mut(at).ok_or_else(missing)?
            }
            _ => return Err(missing()),
        };
        last = unescape(part);
    }
    if place.is_object() || place.is_array() { Ok((place, last)) } else { Err(missing()) }
}

/// The value at a path; `None` for an absent member of an object that is there.
fn find<'d>(document: &'d Value, path: &str) -> Result<Option<&'d Value>, Refused> {
    if path.is_empty() {
        return Ok(Some(document));
    }
    let missing = || Refused::Missing(path.to_owned());
    let mut parts = path.split('/').skip(1).peekable();
    let mut place = document;
    while let Some(part) = parts.next() {
        let part = unescape(part);
        place = match place {
            Value::Object(map) => match map.get(&part) {
                Some(value) => value,
                None if parts.peek().is_none() => return Ok(None),
                None => return Err(missing()),
            },
            Value::Array(list) => {
                let at = index(&part, list.len()).and_then(|at| list.get(at));
                at.ok_or_else(|| Refused::Index(path.to_owned()))?
            }
            _ => return Err(missing()),
        };
    }
    Ok(Some(place))
}

fn add(document: &mut Value, path: &str, value: Value) -> Result<(), Refused> {
    let (place, last) = parent(document, path)?;
    match place {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => {
            // A negative index counts from the place after the end.
            let at = index(&last, list.len() + 1).filter(|at| *at <= list.len());
            list.insert(at.ok_or_else(|| Refused::Index(path.to_owned()))?, value);
        }
        _ => return Err(Refused::Missing(path.to_owned())),
    }
    Ok(())
}

fn remove(document: &mut Value, path: &str) -> Result<Value, Refused> {
    let missing = || Refused::Missing(path.to_owned());
    let (place, last) = parent(document, path)?;
    match place {
        Value::Object(map) => map.remove(&last).ok_or_else(missing),
        Value::Array(list) => {
            let at = index(&last, list.len()).filter(|at| *at < list.len());
            Ok(list.remove(at.ok_or_else(|| Refused::Index(path.to_owned()))?))
        }
        _ => Err(missing()),
    }
}

fn replace(document: &mut Value, path: &str, value: Value) -> Result<(), Refused> {
    let (place, last) = parent(document, path)?;
    match place {
        Value::Object(map) => {
            map.insert(last, value);
        }
        Value::Array(list) => {
            let at = index(&last, list.len()).and_then(|at| list.get_mut(at));
            *at.ok_or_else(|| Refused::Index(path.to_owned()))? = value;
        }
        _ => return Err(Refused::Missing(path.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests;
