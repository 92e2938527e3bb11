//! chainplate-types.
