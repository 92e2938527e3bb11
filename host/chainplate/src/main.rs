//! The `chainplate` program.
fn main() {}
