//! The generic API server over real sockets, in one process: a handler of our own behind it, clients in front.

#![allow(clippy::expect_used, clippy::panic, reason = "a failed expectation is a failed test")]

mod external;
mod faults;
mod harness;
mod identity;
mod lifecycle;
mod requests;
