//! chainplate-core.
