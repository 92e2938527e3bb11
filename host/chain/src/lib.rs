//! chainplate-chain.
