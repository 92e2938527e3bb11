//! The fields that a way of writing definitions or custom resources leaves alone.

use chainplate_sdk::apimachinery::{Map, Value, managed_fields::Set};

/// A set of top-level members.
pub(crate) fn members(names: &[&str]) -> Set {
    let all: Map = names.iter().map(|name| (format!("f:{name}"), Value::Object(Map::new()))).collect();
    Set::from_value(&Value::Object(all))
}
