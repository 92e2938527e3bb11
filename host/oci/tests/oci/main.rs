//! Push, pull and signatures against a registry in this process.

#![allow(clippy::unwrap_used, reason = "a failed expectation is a failed test")]

mod artifacts;
mod registry;
mod signatures;
