//! chainplate-apiserver.
