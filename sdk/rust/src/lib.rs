//! The SDK for server components: what a component is given and what it gives back, as ordinary Rust.
//!
//! An API group is types with `#[derive(Resource)]`, an [`Api`] that names them, and one line,
//! `chainplate_sdk::export!(Extension<MyApi>);`: see [`extension`]. What it does not write, it gets: claims, discovery,
//! OpenAPI, validation, apply, tables, status and scale.
//!
//! Below that, a component is a type that implements [`Server`] and one line, `chainplate_sdk::export!(MyServer);`. Compiled
//! for `wasm32-wasip2` it talks to the host through `wit/`; compiled natively the same types stand on
//! [`native`], an in-memory host, so that a server's logic is tested with `cargo test` and nothing else.
//!
//! A panic ends the instance; its words, with file and line, go to the host's log, and so does the trap with a backtrace.
//! The backtrace has names if the release build keeps them: `strip = "debuginfo"` in the profile, not `strip = true`
//! (and `panic = "abort"`, `lto = "fat"`, `codegen-units = 1` for a small component).
//!
//! One instance serves one request at a time and is one of several: what is kept in `self` is a cache, never
//! the truth. The truth is in storage.

// The derive names this crate.
#[cfg(test)]
extern crate self as chainplate_sdk;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod custom;
pub mod extension;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod logging;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod registry;
pub mod resource;
mod server;
mod store;

#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
use native as host;
#[cfg(target_family = "wasm")]
use wasm as host;

pub use chainplate_apimachinery as apimachinery;
pub use chainplate_sdk_macros::Resource;
pub use extension::{Api, Extension, ResourceServer, Served};
pub use host::{Collection, Draft, Request, Response, StoredObject, publication, router, tasks, telemetry};
pub use resource::{HasStatus, ObjectMeta, Resource};
pub use schemars;
pub use serde;
pub use server::{Column, FieldLabel, GroupVersion, Outcome, Page, Server};
pub use store::{Items, Store};
