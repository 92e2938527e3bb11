//! The core API server: all built-in resources of Kubernetes, as a server component.
//!
//! One [table](resources) tells what is served, where it is stored and which rules its writes follow; the
//! generic registry of the SDK does what all types share.

mod admission;
mod allocator;
mod body;
mod bootstrap;
mod certificates;
mod checks;
pub mod conversion;
pub mod defaults;
pub mod discovery;
pub mod fields;
mod nodes;
pub mod openapi;
mod pods;
pub mod printers;
pub mod resources;
mod reviews;
mod sent;
pub mod server;
mod service_accounts;
pub mod strategy;
pub mod types;
pub mod validation;
mod virtuals;
mod warnings;

pub use server::Core;

chainplate_sdk::export!(Core);
