//! What is wrong with an object, as the type's validation tells.

use crate::{conversion, resources::Resource, validation};
use chainplate_sdk::apimachinery::{Value, field::Error};

/// A new object.
pub(crate) fn create(resource: &Resource, object: &Value) -> Vec<Error> {
    validation::create(resource.group, resource.kind, &checked(resource, object))
}

/// An object that replaces `old`, through the main resource or a subresource.
pub(crate) fn update(resource: &Resource, subresource: &str, object: &Value, old: &Value) -> Vec<Error> {
    let (object, old) = (checked(resource, object), checked(resource, old));
    validation::update_subresource(resource.group, resource.kind, subresource, &object, &old)
}

/// Autoscalers are validated in one form, whatever version they came in: upstream's internal one, which is v2.
fn checked<'a>(resource: &Resource, object: &'a Value) -> std::borrow::Cow<'a, Value> {
    if resource.group != "autoscaling" || resource.is_storage_version() {
        return std::borrow::Cow::Borrowed(object);
    }
    let mut object = object.clone();
    conversion::to_storage(&mut object);
    std::borrow::Cow::Owned(object)
}
