//! The generic API server over real sockets, in one process: a handler of our own behind it, clients in front.

mod faults;
mod harness;
mod identity;
mod lifecycle;
mod requests;
