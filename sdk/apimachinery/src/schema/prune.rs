//! Pruning: members that a schema does not know are dropped
//! (`apiextensions-apiserver/pkg/apiserver/schema/pruning`).

use super::{Additional, Schema};
use crate::{Map, Value};
use std::fmt::Write as _;

const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops what the schema does not know from an object of the resource; `apiVersion`, `kind` and `metadata` stay.
/// With `unknown`, the paths of what was dropped are added to it, sorted.
pub fn prune(schema: &Schema, object: &mut Value, unknown: Option<&mut Vec<String>>) {
    run(schema, object, true, unknown);
}

/// As [`prune`], for a value that stands somewhere inside: metadata is kept only where the schema says so.
pub fn prune_value(schema: &Schema, value: &mut Value) {
    run(schema, value, false, None);
}

fn run(schema: &Schema, object: &mut Value, root: bool, unknown: Option<&mut Vec<String>>) {
    let mut track = Track { path: String::new(), unknown: unknown.is_some().then(Vec::new) };
    track.value(Some(schema), object, root);
    if let (Some(unknown), Some(mut paths)) = (unknown, track.unknown) {
        paths.sort();
        unknown.append(&mut paths);
    }
}

struct Track {
    path: String,
    unknown: Option<Vec<String>>,
}

impl Track {
    fn value(&mut self, schema: Option<&Schema>, value: &mut Value, resource: bool) {
        match schema {
            Some(schema) if schema.preserve_unknown => self.preserved(schema, value, resource),
            _ => self.pruned(schema, value, resource),
        }
    }

    /// Runs `then` one member further down.
    fn below(&mut self, part: Part<'_>, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        // Paths cost nothing when nobody asks for them.
        if self.unknown.is_some() {
            part.append(&mut self.path);
        }
        then(self);
        self.path.truncate(length);
    }

    fn record(&mut self, key: &str) {
        if let Some(unknown) = &mut self.unknown {
            let mut path = self.path.clone();
            Part::Key(key).append(&mut path);
            unknown.push(path);
        }
    }

    fn pruned(&mut self, schema: Option<&Schema>, value: &mut Value, resource: bool) {
        match value {
            Value::Object(object) => {
                let Some(schema) = schema else {
                    for key in object.keys() {
                        self.record(key);
                    }
                    return object.clear();
                };
                let meta = resource || schema.embedded_resource;
                let root = self.path.is_empty();
                retain(object, |key, value| {
                    if meta && META.contains(&key) {
                        return true;
                    }
                    match (schema.property(key), &schema.additional) {
                        (None, Additional::Unset) => {
                            if !(root && META.contains(&key)) {
                                self.record(key);
                            }
                            return false;
                        }
                        (Some(property), _) => {
                            self.below(Part::Key(key), |track| track.value(Some(property), value, false));
                        }
                        (None, additional) => {
                            self.below(Part::Key(key), |track| {
                                track.value(additional.schema(), value, false)
                            });
                        }
                    }
                    true
                });
            }
            Value::Array(items) => {
                let item_schema = schema.and_then(|schema| schema.items.as_deref());
                for (index, item) in items.iter_mut().enumerate() {
                    self.below(Part::Index(index), |track| track.value(item_schema, item, false));
                }
            }
            _ => {}
        }
    }

    fn preserved(&mut self, schema: &Schema, value: &mut Value, resource: bool) {
        match value {
            Value::Object(object) => {
                let meta = resource || schema.embedded_resource;
                for (key, value) in object.iter_mut() {
                    if meta && META.contains(&key.as_str()) {
                        continue;
                    }
                    match (schema.property(key), &schema.additional) {
                        (None, Additional::Unset) => {}
                        (Some(property), _) => {
                            self.below(Part::Key(key), |track| track.value(Some(property), value, false));
                        }
                        (None, additional) => {
                            self.below(Part::Key(key), |track| {
                                track.value(additional.schema(), value, false)
                            });
                        }
                    }
                }
            }
            Value::Array(items) => {
                if let Some(item_schema) = &schema.items {
                    for (index, item) in items.iter_mut().enumerate() {
                        self.below(Part::Index(index), |track| track.preserved(item_schema, item, false));
                    }
                }
            }
            _ => {}
        }
    }
}

enum Part<'a> {
    Key(&'a str),
    Index(usize),
}

impl Part<'_> {
    fn append(&self, path: &mut String) {
        match self {
            Part::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            // Writing to a String cannot fail.
            Part::Index(index) => drop(write!(path, "[{index}]")),
        }
    }
}

fn retain(object: &mut Map, mut keep: impl FnMut(&str, &mut Value) -> bool) {
    object.retain(|key, value| keep(key, value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pruned(schema: Value, mut object: Value) -> (Value, Vec<String>) {
        let mut unknown = Vec::new();
        prune(&Schema::parse(&schema), &mut object, Some(&mut unknown));
        (object, unknown)
    }

    #[test]
    fn unknown_members_go_and_are_told() {
        let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "size": {"type": "integer"},
            "free": {"type": "object", "additionalProperties": {"type": "object", "properties": {"k": {"type": "string"}}}},
            "list": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}}}}}});
        let (object, unknown) = pruned(
            schema,
            json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "a", "x": 1}, "extra": {"x": 1},
                "spec": {"size": 1, "nope": true, "free": {"z": {"k": "1", "j": 2}}, "list": [{"k": "1", "j": 2}]}}),
        );
        assert_eq!(
            object,
            json!({"apiVersion": "g/v1", "kind": "K", "metadata": {"name": "a", "x": 1},
                "spec": {"size": 1, "free": {"z": {"k": "1"}}, "list": [{"k": "1"}]}})
        );
        assert_eq!(unknown, ["extra", "spec.free.z.j", "spec.list[0].j", "spec.nope"]);
    }

    #[test]
    fn preserving_places_keep_all_but_what_known_members_prune() {
        let schema = json!({"type": "object", "properties": {
            "spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {
                "strict": {"type": "object", "properties": {"a": {"type": "string"}}}}},
            "any": {"x-kubernetes-preserve-unknown-fields": true}}});
        let (object, unknown) = pruned(
            schema,
            json!({"spec": {"x": {"y": [null]}, "strict": {"a": "1", "b": 2}}, "any": [{"k": null}]}),
        );
        assert_eq!(object, json!({"spec": {"x": {"y": [null]}, "strict": {"a": "1"}}, "any": [{"k": null}]}));
        assert_eq!(unknown, ["spec.strict.b"]);
    }

    #[test]
    fn embedded_resources_keep_their_metadata() {
        let schema = json!({"type": "object", "properties": {"t": {"type": "object", "x-kubernetes-embedded-resource": true,
            "properties": {"spec": {"type": "object"}}}}});
        let (object, unknown) = pruned(
            schema,
            json!({"t": {"apiVersion": "v1", "kind": "F", "metadata": {"name": "n"}, "spec": {"a": 1}, "o": 1}}),
        );
        assert_eq!(
            object,
            json!({"t": {"apiVersion": "v1", "kind": "F", "metadata": {"name": "n"}, "spec": {}}})
        );
        assert_eq!(unknown, ["t.o", "t.spec.a"]);
    }

    #[test]
    fn additional_properties_true_keeps_scalars_alone() {
        let schema =
            json!({"type": "object", "properties": {"m": {"type": "object", "additionalProperties": true}}});
        let (object, unknown) = pruned(schema, json!({"m": {"a": 1, "b": {"c": 1}}}));
        assert_eq!(object, json!({"m": {"a": 1, "b": {}}}));
        assert_eq!(unknown, ["m.b.c"]);
    }
}
