//! chainplate-storage.
