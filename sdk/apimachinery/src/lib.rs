//! The Kubernetes API machinery as plain Rust: objects, Status, names, selectors, patches, schemas, documents.
//!
//! Pure on purpose: no I/O, no wasm, no clock but the one handed in. The server components, third-party
//! plugins and, where it fits, the host use the same code, so a rule stands in one place.

pub mod decode;
pub mod discovery;
pub mod field;
pub mod generate_name;
pub mod list_options;
pub mod managed_fields;
pub mod meta;
pub mod names;
pub mod negotiation;
pub mod object;
pub mod openapi;
pub mod options;
pub mod patch;
pub mod quantity;
pub mod request;
pub mod schema;
pub mod selector;
pub mod shape;
pub mod status;
pub mod strategic;
pub mod table;
pub mod time;

pub use status::{Cause, Status};

/// An API object or any JSON document. Integers keep 64 bits; keys are sorted.
pub type Value = serde_json::Value;
/// A JSON object.
pub type Map = serde_json::Map<String, serde_json::Value>;
