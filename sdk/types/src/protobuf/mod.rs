//! The protobuf form of built-in objects, driven by the tables: no type has code of its own.
//!
//! A document is `k8s\0` and a `runtime.Unknown`, whose `raw` is the object's message; kind and apiVersion stand in the
//! `Unknown` alone (`apimachinery/pkg/runtime/serializer/protobuf`). Field numbers are those of the `generated.proto`
//! beside every API package.

mod decode;
mod encode;
mod wire;

#[cfg(test)]
mod tests;

pub use decode::decode;
pub use encode::{List, encode, is_known, watch_frame};

use crate::tables::{self, TypeRef};

/// What every document begins with.
const MAGIC: &[u8] = b"k8s\0";
/// Numbers in `runtime.Unknown`, and in the `TypeMeta` that is its first field.
const TYPE_META: u32 = 1;
const RAW: u32 = 2;
const API_VERSION: u32 = 1;
const KIND: u32 = 2;
/// Numbers in lists and in `PartialObjectMetadata`.
const METADATA: u32 = 1;
const ITEMS: u32 = 2;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";

/// The message of a kind.
#[derive(Debug, Clone, Copy)]
enum Root {
    Struct(TypeRef),
    /// `metadata` of a type, and `items` in lists.
    Meta {
        metadata: TypeRef,
        items: Option<Item>,
    },
}

#[derive(Debug, Clone, Copy)]
enum Item {
    Struct(TypeRef),
    /// `PartialObjectMetadata`.
    Metadata(TypeRef),
}

/// The message of a kind; `None` if it has no protobuf.
fn root(api_version: &str, kind: &str) -> Option<Root> {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    if let Some(shape) = tables::lookup(group, version, kind) {
        return Some(Root::Struct(shape));
    }
    let meta = |name: &str| tables::named(&format!("{META}{name}"));
    match kind {
        "PartialObjectMetadata" => Some(Root::Meta { metadata: meta("ObjectMeta")?, items: None }),
        "PartialObjectMetadataList" => {
            let items = Some(Item::Metadata(meta("ObjectMeta")?));
            Some(Root::Meta { metadata: meta("ListMeta")?, items })
        }
        // Registered in every group and version (`meta/v1/register.go`).
        "DeleteOptions" | "CreateOptions" | "UpdateOptions" | "PatchOptions" | "GetOptions" | "Status"
        | "APIVersions" | "APIGroupList" | "APIGroup" | "APIResourceList" => meta(kind).map(Root::Struct),
        _ => {
            let item = tables::lookup(group, version, kind.strip_suffix("List")?)?;
            Some(Root::Meta { metadata: meta("ListMeta")?, items: Some(Item::Struct(item)) })
        }
    }
}

/// How a value whose JSON may have any form lies in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loose {
    /// `RawExtension`, `FieldsV1`, `JSON`: the JSON text is field 1.
    Raw,
    /// `JSONSchemaPropsOrBool`: the truth is 1, the schema 2.
    OrBool,
    /// `JSONSchemaPropsOrArray`: the schema is 1, schemas are 2.
    OrArray,
    /// `JSONSchemaPropsOrStringArray`: the schema is 1, texts are 2.
    OrTexts,
}

fn loose(shape: TypeRef) -> Loose {
    match shape.go_name() {
        "v1.JSONSchemaPropsOrBool" => Loose::OrBool,
        "v1.JSONSchemaPropsOrArray" => Loose::OrArray,
        "v1.JSONSchemaPropsOrStringArray" => Loose::OrTexts,
        _ => Loose::Raw,
    }
}

/// Whether a list is a message `{items = 1}`: as the value of a map, and where Go names the list's type.
fn is_wrapped(shape: TypeRef) -> bool {
    shape.go_name() == "v1.Verbs"
}
