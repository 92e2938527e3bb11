//! chainplate-engine.
