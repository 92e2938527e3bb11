//! The SDK for server components: what a component is given and what it gives back, as ordinary Rust.
//!
//! A component is a type that implements [`Server`] and one line, `chainplate_sdk::export!(MyServer);`. Compiled
//! for `wasm32-wasip2` it talks to the host through `wit/`; compiled natively the same types stand on
//! [`native`], an in-memory host, so that a server's logic is tested with `cargo test` and nothing else.
//!
//! One instance serves one request at a time and is one of several: what is kept in `self` is a cache, never
//! the truth. The truth is in storage.

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod outbound;
pub mod registry;
mod server;

#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
use native as host;
#[cfg(target_family = "wasm")]
use wasm as host;

pub use chainplate_apimachinery as apimachinery;
pub use host::{Collection, Draft, Request, Response, StoredObject, publication, router, tasks, telemetry};
pub use server::{Column, FieldLabel, GroupVersion, Outcome, Page, Server};
