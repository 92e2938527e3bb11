//! The server chain: WebAssembly components in order, each answering *respond* or *delegate*.
//!
//! The chain is a loop in the host. Each component has its own instances, limits, grants and metrics; a trap or a
//! timeout costs one instance and one request. What comes out is a plan, executed elsewhere.

mod admission;
mod bindings;
mod breaker;
mod chain;
mod claims;
pub mod config;
mod controllers;
mod conversions;
pub mod imports;
mod instance;
mod load;
mod log_budget;
mod loopback;
mod metrics;
mod outbound;
mod plugin;
mod publications;
mod request;
mod shared;
mod tasks;
mod tokens;

pub use chain::{Answer, Chain};
pub use imports::AccessRequest;
pub use load::{Error, Host, Shipped};
pub use metrics::Metrics;
pub use outbound::Grant as OutboundGrant;
pub use plugin::{Decision, Identity, Plugin};
pub use publications::{GroupVersion, Publications};
pub use request::{Annotate, Body, ReadBody, Request, Warn};
pub use tokens::Tokens;
