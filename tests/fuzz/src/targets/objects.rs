//! Objects to start from: random ones of every built-in type, made from the tables of types.

use crate::Rng;
use chainplate_apimachinery::{
    Map, Value,
    shape::{Kind, Scalar, Shape},
};
use chainplate_types::{TypeRef, kinds};
use serde_json::json;

pub(super) const POD: &str = include_str!("../../../../sdk/types/benches/data/pod.json");
pub(super) const DEPLOYMENT: &str = include_str!("../../../../sdk/types/benches/data/deployment.json");

/// Words that mean something in objects.
pub(super) const WORDS: &[&str] = &[
    "metadata",
    "name",
    "namespace",
    "spec",
    "status",
    "labels",
    "annotations",
    "finalizers",
    "managedFields",
    "ownerReferences",
    "apiVersion",
    "kind",
    "containers",
    "initContainers",
    "volumes",
    "ports",
    "protocol",
    "containerPort",
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$setElementOrder/finalizers",
    "$deleteFromPrimitiveList/finalizers",
    "replace",
    "delete",
    "merge",
    "Always",
    "TCP",
    "100m",
    "1Gi",
    "25%",
    "f:spec",
    "k:{\"name\":\"app\"}",
    "v:\"a\"",
    "fieldsV1",
    "Apply",
    "Update",
    "op",
    "path",
    "from",
    "value",
    "add",
    "remove",
    "move",
    "copy",
    "test",
    "/spec",
    "/metadata/labels/a",
    "/spec/template/spec/containers/0",
    "/spec/template/spec/containers/-",
    "",
    "null",
    "~0~1",
    "resourceVersion",
    "uid",
    "generateName",
    "deletionTimestamp",
    "matchLabels",
    "matchExpressions",
    "operator",
    "In",
    "values",
    "key",
];

/// An object of each served kind, with apiVersion and kind.
pub(super) fn of_every_kind(seed: u64) -> impl Iterator<Item = (String, &'static str, TypeRef, Value)> {
    kinds().enumerate().map(move |(number, (group, version, kind, shape))| {
        let mut rng = Rng::new(seed, number as u64);
        let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        let mut object = made(shape, &mut rng, 0);
        if let Value::Object(map) = &mut object {
            map.insert("apiVersion".into(), api_version.as_str().into());
            map.insert("kind".into(), kind.into());
        }
        (api_version, kind, shape, object)
    })
}

/// A random value that fits a shape.
fn made(shape: TypeRef, rng: &mut Rng, depth: usize) -> Value {
    let number = rng.below(1000);
    match shape.kind() {
        Kind::Scalar(Scalar::String) => {
            ["a", "app", "10.0.0.1", "10.0.0.0/24", "http", "/data", "fe80::1", "registry.example.com/a:1"]
                [number % 8]
                .into()
        }
        Kind::Scalar(Scalar::Bool) => number.is_multiple_of(2).into(),
        Kind::Scalar(Scalar::Int32 | Scalar::Int64) => [1, 80, 0, 30_000, 3, 600][number % 6].into(),
        Kind::Scalar(Scalar::Float) => json!(0.5),
        Kind::Scalar(Scalar::Bytes) => "AAEC/w==".into(),
        Kind::Scalar(Scalar::Time) => "2024-01-02T03:04:05Z".into(),
        Kind::Scalar(Scalar::MicroTime) => "2024-01-02T03:04:05.000006Z".into(),
        Kind::Scalar(Scalar::Quantity) => ["100m", "1Gi", "0", "1e3"][number % 4].into(),
        Kind::Scalar(Scalar::IntOrString) => [json!(80), json!("http"), json!("25%")][number % 3].clone(),
        Kind::Struct { .. } => {
            let mut map = Map::new();
            for field in shape.fields() {
                let wanted = field.is_required() || depth < 2 || rng.below(2 + depth) == 0;
                if wanted && depth < 10 {
                    map.insert(field.name().to_owned(), made(field.shape(), rng, depth + 1));
                }
            }
            Value::Object(map)
        }
        Kind::Map { .. } => {
            let value = shape.element().map(|element| made(element, rng, depth + 1));
            json!({ "app": value })
        }
        Kind::List(_) => {
            let Some(element) = shape.element() else { return Value::Null };
            (0..1 + number % 2).map(|_| made(element, rng, depth + 1)).collect::<Vec<_>>().into()
        }
        Kind::Any { .. } => [json!({"f:spec": {"f:replicas": {}}}), json!(true), json!({"type": "string"})]
            [number % 3]
            .clone(),
    }
}
