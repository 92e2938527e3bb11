//! The SDK for plugins: what a component is given and what it gives back, as ordinary Rust.
//!
//! A component is a type that implements [`Plugin`] and the trait of a world, and one line:
//!
//! | world | trait | the line |
//! |---|---|---|
//! | `server`: requests, background work, controllers | [`Server`] | `chainplate_sdk::export!(Sites);` |
//! | `admission`: change or refuse writes | [`admission::Admission`] | `chainplate_sdk::export!(admission: Policy);` |
//! | `converter`: custom resources between versions | [`converter::Converter`] | `chainplate_sdk::export!(converter: Shapes);` |
//! | `authenticator`: who somebody is, by a token | [`authenticator::Authenticator`] | `chainplate_sdk::export!(authenticator: Tokens);` |
//! | `authorizer`: who may do what | [`authorizer::Authorizer`] | `chainplate_sdk::export!(authorizer: Rules);` |
//!
//! One component may be of several worlds: `chainplate_sdk::export!(server: Sites, admission: Policy);`.
//!
//! All of them may ask this very server for objects ([`client`]), within what they were granted; a server may have itself
//! woken for objects that change ([`controllers`]).
//!
//! Compiled for `wasm32-wasip2` a component talks to the host through `wit/`; compiled natively the same types stand on
//! [`native`], an in-memory host, so that a plugin's logic is tested with `cargo test` and nothing else.
//!
//! One instance serves one call at a time and is one of several: what is kept in `self` is a cache, never
//! the truth. The truth is in storage.

// The derive names this crate.
#[cfg(test)]
extern crate self as chainplate_sdk;

/// The author's guide: what it shows compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Guide;

pub mod admission;
pub mod authenticator;
pub mod authorizer;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod client;
pub mod controllers;
pub mod converter;
pub mod custom;
pub mod extension;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod logging;
#[cfg(not(target_family = "wasm"))]
pub mod native;
pub mod outbound;
mod plugin;
pub mod registry;
pub mod resource;
mod server;
mod store;
pub mod tokens;

#[cfg(target_family = "wasm")]
mod wasm;

#[cfg(not(target_family = "wasm"))]
use native as host;
#[cfg(target_family = "wasm")]
use wasm as host;

pub use chainplate_apimachinery as apimachinery;
pub use chainplate_sdk_macros::Resource;
pub use controllers::{Action, ObjectReference};
pub use extension::{Api, Extension, ResourceServer, Served};
pub use host::{
    Collection, Draft, Request, Response, StoredObject, conversion, publication, router, tasks, telemetry,
};
pub use plugin::Plugin;
pub use resource::{HasStatus, ObjectMeta, Resource};
pub use schemars;
pub use serde;
pub use server::{Column, FieldLabel, GroupVersion, Outcome, Page, Server};
pub use store::{Items, Store};
