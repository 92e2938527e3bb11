//! The Kubernetes API machinery as plain Rust: objects, Status, names, selectors, patches, schemas, documents.
//!
//! Pure on purpose: no I/O, no wasm, no clock but the one handed in. The server components, third-party
//! plugins and, where it fits, the host use the same code, so a rule stands in one place.

pub mod field;
pub mod list_options;
pub mod names;
pub mod negotiation;
pub mod options;
pub mod request;
pub mod selector;
pub mod shape;
pub mod status;

pub use status::{Cause, Status};

/// An API object or any JSON document. Integers keep 64 bits; keys are sorted.
pub type Value = serde_json::Value;
/// A JSON object.
pub type Map = serde_json::Map<String, serde_json::Value>;
