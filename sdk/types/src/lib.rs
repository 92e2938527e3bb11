//! The built-in types of Kubernetes 1.36 as data: what members a Deployment has, of which form, how lists are
//! merged, and how Go would decode and encode them.
//!
//! The tables are made at build time (`build/main.rs`) and are plain statics: nothing is parsed or allocated
//! at start. [`lookup`] finds a served kind, [`named`] any definition; both give a [`TypeRef`], which is the
//! [`Shape`](chainplate_apimachinery::shape::Shape) that merging, apply and managed fields work with.

mod complete;
mod decode;
#[cfg(feature = "descriptions")]
pub mod openapi;
pub mod protobuf;
mod tables;
mod time;

pub use complete::{complete, complete_decoded, empty};
pub use decode::decode;
pub use tables::{Field, Presence, TypeRef, kinds, lookup, named};
