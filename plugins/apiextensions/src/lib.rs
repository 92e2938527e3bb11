//! The extensions API server: CustomResourceDefinitions and the objects they define, as a server component.
//!
//! It is the last server of the chain. A definition is stored like any object; what follows from it (names,
//! discovery, OpenAPI, the condition `Established`) is brought about in the request that wrote it, so that a client
//! that has its answer can use the new type at once. Nothing here is true but storage: each instance keeps compiled
//! definitions as a cache, and compares their revision before it uses them.

mod cache;
mod cleanup;
mod custom;
mod definition;
mod discovery;
mod lifecycle;
mod naming;
mod server;
mod strategy;
#[cfg(test)]
mod tests;
mod validation;

pub use server::ApiExtensions;

chainplate_sdk::export!(ApiExtensions);
