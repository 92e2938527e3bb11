//! From documents of any version to the objects that hooks see, and back.

use crate::{Resource, store};
use chainplate_apimachinery::{Map, Value, object};
use std::fmt::Display;

/// One version of a resource whose stored version is `H`.
pub(super) struct Version<H> {
    /// Its name.
    pub(super) name: &'static str,
    /// Its part of the definition.
    pub(super) crd: fn() -> Value,
    /// A document of it as the stored type.
    pub(super) read: fn(&Value) -> Result<H, String>,
    /// The stored type as a document of it.
    pub(super) write: fn(H) -> Result<Value, String>,
}

impl<H: Resource> Version<H> {
    pub(super) fn of<V>() -> Self
    where
        V: Resource + TryFrom<H, Error: Display> + TryInto<H, Error: Display>,
    {
        Self {
            name: V::ATTRIBUTES.version,
            crd: V::crd_version,
            read: |document| {
                let object: V = serde::Deserialize::deserialize(document)
                    .map_err(|error: serde_json::Error| error.to_string())?;
                object.try_into().map_err(|error| error.to_string())
            },
            write: |object| {
                let object = V::try_from(object).map_err(|error| error.to_string())?;
                store::document(&object)
            },
        }
    }
}

/// Makes `document` what was converted from it. Of the metadata a conversion changes labels and annotations alone, as with
/// upstream's webhooks.
pub(super) fn replace(document: &mut Value, mut converted: Value) {
    let mut metadata = object::metadata(document).cloned().unwrap_or_default();
    for key in ["labels", "annotations"] {
        match object::metadata_mut(&mut converted).and_then(|metadata| metadata.remove(key)) {
            Some(value) => drop(metadata.insert(key.into(), value)),
            None => drop(metadata.remove(key)),
        }
    }
    if let Some(map) = converted.as_object_mut() {
        map.insert("metadata".into(), metadata.into());
    }
    *document = converted;
}

/// Does to `target` what was done to `before` to make it `after`. What the type does not tell apart (a field that is empty
/// or not there) stays as it was sent.
pub(super) fn transfer(before: &Value, after: &Value, target: &mut Value) {
    if before == after {
        return;
    }
    let (Some(old), Some(new)) = (before.as_object(), after.as_object()) else {
        *target = after.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(target) = target.as_object_mut() else { return };
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        target.remove(key);
    }
    for (key, value) in new {
        match old.get(key) {
            Some(was) if was == value => {}
            Some(was) => transfer(was, value, target.entry(key.clone()).or_insert_with(|| was.clone())),
            None => drop(target.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_was_changed_is_carried_over() {
        let mut target = json!({"spec": {"a": 1, "unset": null, "list": [1]}});
        let before = json!({"spec": {"a": 1, "b": 0, "gone": 1, "list": [1]}});
        transfer(&before, &json!({"spec": {"a": 2, "b": 0, "list": [1, 2]}, "status": {}}), &mut target);
        assert_eq!(target, json!({"spec": {"a": 2, "unset": null, "list": [1, 2]}, "status": {}}));
    }

    #[test]
    fn conversions_change_labels_and_annotations_alone() {
        let mut document =
            json!({"metadata": {"name": "a", "uid": "u", "labels": {"l": "1"}}, "spec": {"old": 1}});
        replace(
            &mut document,
            json!({"metadata": {"name": "b", "annotations": {"x": "y"}}, "spec": {"new": 1}}),
        );
        assert_eq!(
            document,
            json!({"metadata": {"name": "a", "uid": "u", "annotations": {"x": "y"}}, "spec": {"new": 1}})
        );
    }
}
