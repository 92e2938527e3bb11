//! chainplate-aggregator.
