//! chainplate-plan.
