//! Managed fields and server-side apply, for definitions and custom resources alike.

use chainplate_sdk::{
    apimachinery::{
        Cause, Map, Status, Value,
        managed_fields::{self, ApplyError, Context, Set},
        object,
        shape::Shape,
    },
    registry::Manager,
};

fn manager<'a>(manager: &Manager<'a>) -> managed_fields::Manager<'a> {
    managed_fields::Manager {
        name: manager.name,
        api_version: manager.api_version,
        subresource: manager.subresource,
        time: manager.time,
    }
}

/// A set of top-level members.
pub(crate) fn members(names: &[&str]) -> Set {
    let all: Map = names.iter().map(|name| (format!("f:{name}"), Value::Object(Map::new()))).collect();
    Set::from_value(&Value::Object(all))
}

/// Records who changed what.
pub(crate) fn track<S: Shape>(
    context: &Context<'_, S>,
    by: &Manager<'_>,
    old: Option<&Value>,
    object: &mut Value,
) {
    managed_fields::update(context, old, object, &manager(by));
}

/// Applies a configuration. `what` is the kind as Go prints it, `apps/v1, Kind=Deployment`.
///
/// # Errors
/// 409 with a cause for each conflict; 500 for a configuration that does not fit the type.
pub(crate) fn apply<S: Shape>(
    context: &Context<'_, S>,
    what: &str,
    by: &Manager<'_>,
    force: bool,
    current: Option<&Value>,
    patch: &Value,
) -> Result<Value, Status> {
    managed_fields::apply(context, current, patch, &manager(by), force).map_err(|error| match error {
        ApplyError::Conflicts(conflicts) => {
            let causes = conflicts.iter().map(|conflict| Cause {
                reason: "FieldManagerConflict".into(),
                message: conflict.message(),
                field: conflict.field.clone(),
            });
            Status::new(409, "Conflict", ApplyError::conflict_message(&conflicts)).with_causes(causes)
        }
        ApplyError::Invalid(why) => {
            let (namespace, name) = (object::namespace(patch), object::name(patch));
            let text = format!("failed to create typed patch object ({namespace}/{name}; {what}): {why}");
            Status::new(500, "", text)
        }
        ApplyError::Undecodable => Status::new(500, "", "failed to decode managed fields of the object"),
    })
}
