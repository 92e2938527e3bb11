//! What is wrong with an object, as the type's validation tells.

use crate::resources::Resource;
use chainplate_sdk::apimachinery::{Value, field::Error};

/// A new object.
pub fn create(_resource: &Resource, _object: &Value) -> Vec<Error> {
    Vec::new()
}

/// An object that replaces `old`, through the main resource or a subresource.
pub fn update(_resource: &Resource, _subresource: &str, _object: &Value, _old: &Value) -> Vec<Error> {
    Vec::new()
}
