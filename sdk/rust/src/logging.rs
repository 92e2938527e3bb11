//! Lines in the host's log and counters among its metrics, both under the component's name.
//!
//! [`trace!`](crate::trace), [`debug!`](crate::debug), [`info!`](crate::info), [`warn!`](crate::warn) and
//! [`error!`](crate::error) take what `format!` takes. The host bounds lines in length and in rate.

use crate::telemetry::{self, Level};
use std::fmt;

/// Writes a line; the macros call it.
pub fn line(level: Level, message: fmt::Arguments<'_>) {
    match message.as_str() {
        Some(text) => telemetry::log(level, text),
        None => telemetry::log(level, &message.to_string()),
    }
}

/// A counter of the component: `static REFUSED: Counter = Counter::new("refused");`.
#[derive(Debug, Clone, Copy)]
pub struct Counter(&'static str);

impl Counter {
    /// A counter of that name: letters, digits and underscores.
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Adds one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds some.
    pub fn add(&self, delta: u64) {
        telemetry::count(self.0, delta);
    }
}

/// Logs for the developer of this very line.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::logging::line($crate::telemetry::Level::Trace, format_args!($($message)+)) };
}

/// Logs for developers.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::logging::line($crate::telemetry::Level::Debug, format_args!($($message)+)) };
}

/// Logs for operators.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::logging::line($crate::telemetry::Level::Info, format_args!($($message)+)) };
}

/// Logs something that an operator should look at.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::logging::line($crate::telemetry::Level::Warn, format_args!($($message)+)) };
}

/// Logs a failure.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::logging::line($crate::telemetry::Level::Error, format_args!($($message)+)) };
}
