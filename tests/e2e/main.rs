//! The program from outside: real clients against the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod extension;
mod faults;
mod http;
mod kube_rs;
mod kubectl;
mod lifecycle;
mod outbound;
mod plugin_tools;
mod plugins;
mod reload;
mod service_accounts;
mod storage;
mod support;
