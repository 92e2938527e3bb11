//! chainplate-sdk.
