//! Strategic merge patch: a merge patch that knows how lists are told apart
//! (`apimachinery/pkg/util/strategicpatch`).
//!
//! Directives: `$patch: replace|delete|merge`, `$retainKeys`, `$setElementOrder/<list>` and
//! `$deleteFromPrimitiveList/<list>`.

use crate::{
    Map, Value,
    shape::{PatchStrategy, Shape},
};
use std::collections::{HashMap, HashSet};

const DIRECTIVE: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// Why a patch cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// 400: a directive of the wrong form.
    #[error("{0}")]
    BadFormat(&'static str),
    /// 422: lists of lists.
    #[error("lists of lists are not supported")]
    ListOfLists,
    /// 500 upstream: a patch that does not fit the object.
    #[error("{0}")]
    Mismatch(String),
}

type Result<T> = std::result::Result<T, PatchError>;

/// Applies `patch` to `original`, an object of `shape`.
///
/// # Errors
/// [`PatchError`]; `original` is then half patched.
pub fn merge_patch<S: Shape>(shape: S, original: &mut Map, patch: Map) -> Result<()> {
    merge_map(shape, original, patch)
}

fn merge_map<S: Shape>(shape: S, original: &mut Map, mut patch: Map) -> Result<()> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        match directive.as_str() {
            Some("replace") => {
                patch.remove(DIRECTIVE);
                *original = patch;
            }
            Some("delete") => original.clear(),
            _ => return Err(unknown_directive(directive)),
        }
        return Ok(());
    }
    retain_keys(original, &mut patch)?;
    set_orders(shape, original, &mut patch)?;
    for (key, mut value) in patch {
        let (key, deletes) = match key.strip_prefix(DELETE_FROM) {
            Some(list) => (list.to_owned(), true),
            None => (key, false),
        };
        if value.is_null() {
            original.remove(&key);
            continue;
        }
        match (original.get_mut(&key), value) {
            (Some(Value::Object(before)), Value::Object(value)) => {
                let inner = member(shape, &key)?;
                if inner.patch_strategy().replace {
                    *before = value;
                } else {
                    merge_map(inner, before, value)?;
                }
            }
            (Some(Value::Array(before)), Value::Array(value)) => {
                let inner = member(shape, &key)?;
                *before = merge_lists(inner, std::mem::take(before), value, deletes)?;
            }
            // Nothing to delete from.
            _ if deletes => {}
            (_, other) => {
                value = other;
                discard_nulls(&mut value);
                if remove_directives(&mut value) {
                    original.insert(key, value);
                } else {
                    original.remove(&key);
                }
            }
        }
    }
    Ok(())
}

fn member<S: Shape>(shape: S, key: &str) -> Result<S> {
    shape.field(key).ok_or_else(|| PatchError::Mismatch(format!("unable to find api field {key:?}")))
}

fn unknown_directive(directive: &Value) -> PatchError {
    PatchError::Mismatch(format!("unknown patch type: {directive}"))
}

/// Clears what `$retainKeys` does not name.
fn retain_keys(original: &mut Map, patch: &mut Map) -> Result<()> {
    let Some(keys) = patch.remove(RETAIN_KEYS) else { return Ok(()) };
    let bad = PatchError::BadFormat("invalid patch format of retainKeys");
    let Value::Array(keys) = keys else { return Err(bad) };
    let retained = |name: &str| keys.iter().any(|key| key.as_str() == Some(name));
    let stray = patch.iter().any(|(key, value)| {
        !value.is_null() && !key.starts_with(DELETE_FROM) && !key.starts_with(SET_ORDER) && !retained(key)
    });
    if stray {
        return Err(bad);
    }
    original.retain(|key, _| retained(key));
    Ok(())
}

/// Merges and orders the lists that `$setElementOrder` names, and takes them out of the patch.
fn set_orders<S: Shape>(shape: S, original: &mut Map, patch: &mut Map) -> Result<()> {
    let directives: Vec<String> = patch.keys().filter(|key| key.starts_with(SET_ORDER)).cloned().collect();
    for directive in directives {
        let name = directive.trim_start_matches(SET_ORDER);
        let order = list(patch.remove(&directive))?.unwrap_or_default();
        let before = list(original.get(name).cloned())?;
        let changes = list(patch.get(name).cloned())?;
        let inner = member(shape, name)?;
        let merge_key = inner.merge_key();
        if let Some(changes) = &changes {
            follows_order(changes, &order, merge_key)?;
        }
        let merged = match (&before, changes) {
            (None, None) => continue,
            (Some(before), None) => before.clone(),
            (None, Some(changes)) => {
                let mut value = Value::Array(changes);
                remove_directives(&mut value);
                list(Some(value))?.unwrap_or_default()
            }
            (Some(before), Some(changes)) => merge_lists(inner, before.clone(), changes, false)?,
        };
        let server_order = before.unwrap_or_default();
        let (ordered, server_only) = partition(merged, &order, merge_key)?;
        let all = normalize(ordered, server_only, &order, &server_order, merge_key)?;
        original.insert(name.to_owned(), Value::Array(all));
        patch.remove(name);
    }
    Ok(())
}

fn list(value: Option<Value>) -> Result<Option<Vec<Value>>> {
    match value {
        None => Ok(None),
        Some(Value::Array(list)) => Ok(Some(list)),
        Some(other) => Err(PatchError::Mismatch(format!("expected a list, but received {other}"))),
    }
}

/// The items of a patch must stand in the order that it sets.
fn follows_order(changes: &[Value], order: &[Value], merge_key: Option<&str>) -> Result<()> {
    if changes.is_empty() || order.is_empty() {
        return Ok(());
    }
    let mut order_left = order.iter();
    for item in changes.iter().filter(|item| item.get(DIRECTIVE).is_none()) {
        let wanted = key_of(item, merge_key)?;
        loop {
            let Some(next) = order_left.next() else {
                return Err(PatchError::Mismatch(format!(
                    "The order in patch list:\n{}\n doesn't match {SET_ORDER} list:\n{}\n",
                    Value::from(changes.to_vec()),
                    Value::from(order.to_vec())
                )));
            };
            if key_of(next, merge_key)? == wanted {
                break;
            }
        }
    }
    Ok(())
}

/// What tells an item from others: the value of its merge key, or the item.
fn key_of<'a>(item: &'a Value, merge_key: Option<&str>) -> Result<&'a Value> {
    match (merge_key, item) {
        (Some(key), Value::Object(map)) => map.get(key).ok_or_else(|| {
            PatchError::Mismatch(format!("map: {item} does not contain declared merge key: {key}"))
        }),
        (Some(_), other) => Err(PatchError::Mismatch(format!("expected a map, but received {other}"))),
        (None, other) => Ok(other),
    }
}

/// Where the first item with each key stands; lists are as long as a client likes.
fn places<'a>(list: &'a [Value], merge_key: Option<&str>) -> HashMap<&'a Value, usize> {
    let mut places = HashMap::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let key = match merge_key {
            Some(name) => item.get(name),
            None => Some(item),
        };
        if let Some(key) = key {
            places.entry(key).or_insert(at);
        }
    }
    places
}

fn merge_lists<S: Shape>(
    shape: S,
    before: Vec<Value>,
    changes: Vec<Value>,
    deletes: bool,
) -> Result<Vec<Value>> {
    let PatchStrategy { merge, .. } = shape.patch_strategy();
    if !merge && !deletes {
        return Ok(changes);
    }
    let Some(first) = before.first().or(changes.first()) else { return Ok(before) };
    if first.is_array() {
        return Err(PatchError::ListOfLists);
    }
    let kind = std::mem::discriminant(first);
    if before.iter().chain(&changes).any(|item| std::mem::discriminant(item) != kind) {
        return Err(PatchError::Mismatch(format!(
            "list element types are not identical: {}",
            Value::from(changes)
        )));
    }
    if !first.is_object() {
        return Ok(merge_scalars(before, changes, deletes));
    }
    let Some(merge_key) = shape.merge_key().map(str::to_owned) else {
        return Err(PatchError::Mismatch("cannot merge lists without merge key".to_owned()));
    };
    let element = shape.element();
    let (mut merged, changes) = special_items(before, changes, &merge_key)?;
    let server_order = merged.clone();
    let mut known = places(&server_order, Some(&merge_key));
    for change in &changes {
        let key = key_of(change, Some(&merge_key))?;
        let at = known.get(key).copied();
        match (at.and_then(|at| merged.get_mut(at)), change, element) {
            (Some(Value::Object(item)), Value::Object(change), Some(element)) => {
                merge_map(element, item, change.clone())?;
            }
            _ => {
                known.entry(key).or_insert(merged.len());
                merged.push(change.clone());
            }
        }
    }
    let key = Some(merge_key.as_str());
    let (ordered, server_only) = partition(merged, &changes, key)?;
    normalize(ordered, server_only, &changes, &server_order, key)
}

fn merge_scalars(before: Vec<Value>, changes: Vec<Value>, deletes: bool) -> Vec<Value> {
    let of_patch: HashSet<&Value> = changes.iter().collect();
    if deletes {
        return before.into_iter().filter(|item| !of_patch.contains(item)).collect();
    }
    // Those of the patch first, in its order; the others keep their places among them.
    let mut seen = HashSet::new();
    let merged = before.iter().chain(&changes).filter(|item| seen.insert(*item)).cloned();
    let (ordered, server_only) = merged.partition(|item| of_patch.contains(item));
    normalize(ordered, server_only, &changes, &before, None).unwrap_or_default()
}

/// Carries out `$patch` of items; what is left are items to merge.
fn special_items(
    mut before: Vec<Value>,
    changes: Vec<Value>,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut left = Vec::with_capacity(changes.len());
    let mut replaces = false;
    let mut deleted = HashSet::new();
    for change in changes {
        match change.get(DIRECTIVE) {
            None => left.push(change),
            Some(Value::String(directive)) if directive == "delete" => {
                deleted.insert(key_of(&change, Some(merge_key))?.clone());
            }
            Some(Value::String(directive)) if directive == "replace" => replaces = true,
            Some(Value::String(directive)) if directive == "merge" => {
                return Err(PatchError::Mismatch(
                    "merging lists cannot yet be specified in the patch".into(),
                ));
            }
            Some(directive) => return Err(unknown_directive(directive)),
        }
    }
    if !deleted.is_empty() {
        before.retain(|item| item.get(merge_key).is_none_or(|key| !deleted.contains(key)));
    }
    Ok(if replaces { (left, Vec::new()) } else { (before, left) })
}

/// The items that `by` names, and the others.
fn partition(items: Vec<Value>, by: &[Value], merge_key: Option<&str>) -> Result<(Vec<Value>, Vec<Value>)> {
    let mut named = Vec::with_capacity(items.len());
    let mut others = Vec::new();
    let by = places(by, merge_key);
    for item in items {
        if by.contains_key(key_of(&item, merge_key)?) {
            named.push(item);
        } else {
            others.push(item);
        }
    }
    Ok((named, others))
}

/// One list of both: the patch's items in its order, those of the server alone in theirs, each of these before
/// the first of the patch's that it stood before.
fn normalize(
    mut ordered: Vec<Value>,
    mut server_only: Vec<Value>,
    order: &[Value],
    server_order: &[Value],
    merge_key: Option<&str>,
) -> Result<Vec<Value>> {
    for item in ordered.iter().chain(&server_only).chain(order) {
        key_of(item, merge_key)?;
    }
    let (order, server_order) = (places(order, merge_key), places(server_order, merge_key));
    let rank = |places: &HashMap<&Value, usize>, item: &Value| {
        key_of(item, merge_key).ok().and_then(|key| places.get(key).copied())
    };
    ordered.sort_by_cached_key(|item| rank(&order, item));
    server_only.sort_by_cached_key(|item| rank(&server_order, item));
    let mut all = Vec::with_capacity(ordered.len() + server_only.len());
    let mut left = server_only.into_iter().peekable();
    for item in ordered {
        while let Some(next) = left.peek() {
            match (rank(&server_order, next), rank(&server_order, &item)) {
                (Some(before), Some(after)) if before < after => all.extend(left.next()),
                _ => break,
            }
        }
        all.push(item);
    }
    all.extend(left);
    Ok(all)
}

fn discard_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(discard_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(discard_nulls),
        _ => {}
    }
}

/// Removes objects with a directive from a value that is new; tells whether the value itself stays.
fn remove_directives(value: &mut Value) -> bool {
    match value {
        Value::Object(map) => {
            if map.contains_key(DIRECTIVE) {
                return false;
            }
            map.retain(|_, value| remove_directives(value));
            true
        }
        Value::Array(list) => {
            list.retain_mut(remove_directives);
            true
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        patch,
        schema::{Resource, Schema},
    };
    use proptest::prelude::*;
    use serde_json::json;

    /// A value of free form, with nulls as members alone: what lists hold is replaced as it is.
    fn object(nulls: bool) -> impl Strategy<Value = Value> {
        let item = prop_oneof![(0..9i64).prop_map(Value::from), "[a-c]{0,2}".prop_map(Value::from)];
        let list = prop::collection::vec(item.clone(), 0..4).prop_map(Value::from);
        let null = Just(Value::Null).boxed();
        let leaf = prop_oneof![4 => item.clone(), 2 => list, 1 => if nulls { null } else { item.boxed() }];
        let map = |inner| {
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect()))
        };
        map(leaf.prop_recursive(3, 24, 4, move |inner| map(inner.boxed())).boxed())
    }

    proptest! {
        #[test]
        fn without_directives_and_merge_keys_it_is_a_merge_patch(target in object(false), patch in object(true)) {
            let schema = Schema::parse(&json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
            let mut merged = target.clone();
            patch::merge(&mut merged, patch.clone());
            let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else { return Ok(()) };
            prop_assert_eq!(merge_patch(Resource::new(&schema), &mut target, patch), Ok(()));
            prop_assert_eq!(Value::Object(target), merged);
        }
    }
}
