//! From two documents to the JSON patch between them.

use chainplate_apimachinery::Value;
use serde_json::json;

/// The operations of a JSON patch (RFC 6902) that make `after` of `before`. Lists are compared by position.
pub fn diff(before: &Value, after: &Value) -> Vec<Value> {
    let mut operations = Vec::new();
    walk(&mut String::new(), before, after, &mut operations);
    operations
}

fn walk(path: &mut String, before: &Value, after: &Value, operations: &mut Vec<Value>) {
    match (before, after) {
        (Value::Object(was), Value::Object(is)) => {
            for key in was.keys().filter(|key| !is.contains_key(*key)) {
                below(path, key, |path| operations.push(json!({ "op": "remove", "path": path })));
            }
            for (key, value) in is {
                below(path, key, |path| match was.get(key) {
                    Some(was) => walk(path, was, value, operations),
                    None => operations.push(json!({ "op": "add", "path": path, "value": value })),
                });
            }
        }
        (Value::Array(was), Value::Array(is)) => {
            for (at, (was, is)) in was.iter().zip(is).enumerate() {
                below(path, &at.to_string(), |path| walk(path, was, is, operations));
            }
            // From the end, so that positions stay true.
            for at in (is.len()..was.len()).rev() {
                below(path, &at.to_string(), |path| operations.push(json!({ "op": "remove", "path": path })));
            }
            for value in is.iter().skip(was.len()) {
                below(path, "-", |path| {
                    operations.push(json!({ "op": "add", "path": path, "value": value }));
                });
            }
        }
        _ if before == after => {}
        _ => operations.push(json!({ "op": "replace", "path": path, "value": after })),
    }
}

/// Runs something one member further down, with the member escaped as RFC 6901 has it.
fn below(path: &mut String, member: &str, run: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(&member.replace('~', "~0").replace('/', "~1"));
    run(path);
    path.truncate(length);
}

/// Does to `whole` what made `after` of `before`, a part of it. Members that neither has stay.
pub(super) fn carry(whole: &mut Value, before: &Value, after: &Value) {
    if before == after {
        return;
    }
    match (whole, before, after) {
        (Value::Object(whole), Value::Object(was), Value::Object(is)) => {
            for key in was.keys().filter(|key| !is.contains_key(*key)) {
                whole.remove(key);
            }
            for (key, value) in is {
                match was.get(key) {
                    Some(was) if was == value => {}
                    Some(was) => carry(whole.entry(key).or_insert_with(|| empty(value)), was, value),
                    None => carry(whole.entry(key).or_insert_with(|| empty(value)), &empty(value), value),
                }
            }
        }
        (Value::Array(whole), Value::Array(was), Value::Array(is)) if whole.len() == was.len() => {
            let elements = (0..is.len()).map(|at| match origin(was, is, at) {
                Some(from) => {
                    let mut element = whole[from].clone();
                    carry(&mut element, &was[from], &is[at]);
                    element
                }
                None => is[at].clone(),
            });
            *whole = elements.collect();
        }
        (whole, _, after) => *whole = after.clone(),
    }
}

/// Which element of a list became the one at a place: its equal, the one of its name (as server-side apply has it for most
/// lists), or else the one in its place, if that is nowhere else. None for a new one.
fn origin(was: &[Value], is: &[Value], at: usize) -> Option<usize> {
    let value = &is[at];
    let equal = [at].into_iter().chain(0..was.len()).find(|&from| was.get(from) == Some(value));
    match value.get("name") {
        _ if equal.is_some() => equal,
        Some(name) => was.iter().position(|there| there.get("name") == Some(name)),
        None => was.get(at).filter(|there| !is.contains(there)).map(|_| at),
    }
}

/// What a value is built up from.
fn empty(value: &Value) -> Value {
    match value {
        Value::Object(_) => json!({}),
        Value::Array(_) => json!([]),
        _ => Value::Null,
    }
}
