//! Resources that a schema describes: those of CustomResourceDefinitions, and those that are derived from Rust types.
//!
//! One engine for both, because a derived type is a definition that was known when the component was compiled. It takes
//! a `CustomResourceDefinition` as a document ([`Definition::compile`]), and everything follows from that: pruning,
//! defaulting, validation, list types, server-side apply, `/status`, `/scale`, tables by JSONPath, selectable fields,
//! deprecated versions, discovery and OpenAPI. What code adds is a [`Behaviour`].
//! Source of the rules: `apiextensions-apiserver/pkg/registry/customresource` and `pkg/apiserver`.

mod behaviour;
pub mod definition;
pub mod discovery;
pub mod openapi;
mod scale;
mod serve;
mod strategy;
mod transforms;

pub use behaviour::Behaviour;
pub use definition::{Definition, Scale, Version};
pub use serve::{in_scope, open, serve};
pub use strategy::{Objects, read};
pub use transforms::{READ, ROWS, Transforms};
