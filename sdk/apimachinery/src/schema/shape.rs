//! Schemas as [`Shape`]s, for managed fields and apply.

use super::{Additional, ListType, Schema, Type};
use crate::{
    Value,
    shape::{Kind, ListKind, Scalar, Shape},
};
use serde_json::json;
use std::{borrow::Cow, sync::OnceLock};

/// Any value: what preserving places hold.
fn any() -> &'static Schema {
    static ANY: OnceLock<Schema> = OnceLock::new();
    ANY.get_or_init(|| Schema { preserve_unknown: true, ..Schema::default() })
}

/// `apiVersion`, `kind` and `metadata`, which every resource has without saying so.
fn resource_member(name: &str) -> Option<&'static Schema> {
    static META: OnceLock<Schema> = OnceLock::new();
    META.get_or_init(|| {
        let string = json!({"type": "string"});
        let strings = json!({"type": "object", "additionalProperties": {"type": "string"}});
        Schema::parse(&json!({"type": "object", "properties": {
            "apiVersion": string, "kind": string,
            "metadata": {"type": "object", "properties": {
                "annotations": strings, "labels": strings,
                "creationTimestamp": string, "deletionTimestamp": string, "generateName": string, "name": string,
                "namespace": string, "resourceVersion": string, "selfLink": string, "uid": string,
                "deletionGracePeriodSeconds": {"type": "integer"}, "generation": {"type": "integer"},
                "finalizers": {"type": "array", "items": string, "x-kubernetes-list-type": "set"},
                "managedFields": {"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": true}},
                "ownerReferences": {"type": "array", "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["uid"],
                    "items": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {
                        "apiVersion": string, "kind": string, "name": string, "uid": string,
                        "controller": {"type": "boolean"}, "blockOwnerDeletion": {"type": "boolean"}}}},
            }},
        }}))
    })
    .property(name)
}

/// The root of a custom resource: its schema, and the metadata that schemas leave unsaid.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    schema: &'a Schema,
    root: bool,
}

impl<'a> Resource<'a> {
    /// The shape of objects of this schema.
    pub fn new(schema: &'a Schema) -> Self {
        Self { schema, root: true }
    }

    fn below(schema: &'a Schema) -> Self {
        Self { schema, root: false }
    }

    fn has_meta(&self) -> bool {
        self.root || self.schema.embedded_resource
    }
}

impl<'a> Shape for Resource<'a> {
    fn kind(&self) -> Kind {
        let schema = self.schema;
        let atomic = schema.atomic_map;
        if schema.int_or_string {
            return Kind::Scalar(Scalar::IntOrString);
        }
        match schema.type_ {
            Some(Type::Object) => match &schema.additional {
                _ if schema.preserve_unknown => Kind::Any { atomic },
                Additional::Schema(_) if schema.properties.is_empty() => Kind::Map { atomic },
                Additional::Bool(true) => Kind::Map { atomic },
                _ => Kind::Struct { atomic },
            },
            Some(Type::Array) => Kind::List(match schema.list_type {
                ListType::Atomic => ListKind::Atomic,
                ListType::Set => ListKind::Set,
                ListType::Map => ListKind::Map,
            }),
            Some(Type::Boolean) => Kind::Scalar(Scalar::Bool),
            Some(Type::Integer) => Kind::Scalar(Scalar::Int64),
            Some(Type::Number) => Kind::Scalar(Scalar::Float),
            Some(Type::String) => Kind::Scalar(Scalar::String),
            None => Kind::Any { atomic },
        }
    }

    fn field(&self, name: &str) -> Option<Self> {
        if self.has_meta()
            && let Some(member) = resource_member(name)
        {
            return Some(Self::below(member));
        }
        if let Some(member) = self.schema.member(name) {
            return Some(Self::below(member));
        }
        let open = self.schema.preserve_unknown
            || self.schema.type_.is_none()
            || matches!(self.schema.additional, Additional::Bool(true));
        open.then(|| Self::below(any()))
    }

    fn element(&self) -> Option<Self> {
        match self.schema.type_ {
            Some(Type::Array) => {
                let items: Option<&'a Schema> = self.schema.items.as_deref();
                Some(Self::below(match items {
                    Some(items) => items,
                    None => any(),
                }))
            }
            Some(Type::Object) => match &self.schema.additional {
                Additional::Schema(schema) => Some(Self::below(schema)),
                Additional::Bool(true) => Some(Self::below(any())),
                _ => None,
            },
            _ => None,
        }
    }

    fn list_key_count(&self) -> usize {
        self.schema.list_map_keys.len()
    }

    fn list_key(&self, index: usize) -> Option<&str> {
        self.schema.list_map_keys.get(index).map(String::as_str)
    }

    fn default_value(&self) -> Option<Cow<'_, Value>> {
        self.schema.default.as_ref().map(Cow::Borrowed)
    }

    fn is_embedded_resource(&self) -> bool {
        self.schema.embedded_resource
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_follow_the_schema() {
        let schema = Schema::parse(
            &json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
            "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
            "ports": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "proto"],
                "items": {"type": "object", "properties": {"port": {"type": "integer"}, "proto": {"type": "string", "default": "TCP"}}}},
            "whole": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"a": {"type": "string"}}},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "port": {"x-kubernetes-int-or-string": true}}}}}),
        );
        let root = Resource::new(&schema);
        assert_eq!(root.kind(), Kind::Struct { atomic: false });
        let spec = root.field("spec").unwrap();
        assert_eq!(spec.field("set").unwrap().kind(), Kind::List(ListKind::Set));
        let ports = spec.field("ports").unwrap();
        assert_eq!(ports.kind(), Kind::List(ListKind::Map));
        assert_eq!((ports.list_key_count(), ports.list_key(1)), (2, Some("proto")));
        let proto = ports.element().unwrap().field("proto").unwrap();
        assert_eq!(proto.default_value().as_deref(), Some(&json!("TCP")));
        assert_eq!(spec.field("whole").unwrap().kind(), Kind::Struct { atomic: true });
        assert_eq!(spec.field("open").unwrap().field("x").unwrap().kind(), Kind::Any { atomic: false });
        assert_eq!(spec.field("map").unwrap().element().unwrap().kind(), Kind::Scalar(Scalar::Int64));
        assert_eq!(spec.field("port").unwrap().kind(), Kind::Scalar(Scalar::IntOrString));
        assert!(spec.field("nope").is_none() && spec.field("metadata").is_none());
        let owners = root.field("metadata").unwrap().field("ownerReferences").unwrap();
        assert_eq!(owners.list_key(0), Some("uid"));
    }
}
