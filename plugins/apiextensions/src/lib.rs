//! chainplate-apiextensions.
