//! The server components that ship with the host, precompiled into the program by this crate's build.

use chainplate_chain::Shipped;

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// A shipped component by name: `aggregator`, `core` or `apiextensions`.
pub fn shipped(name: &str) -> Option<Shipped> {
    SHIPPED.iter().find(|(shipped, _)| *shipped == name).map(|(_, component)| *component)
}
