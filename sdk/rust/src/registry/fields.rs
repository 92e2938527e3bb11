//! Patches and owners of typed fields: from what the registry knows of a writer to `apimachinery::managed_fields`, and back to a Status.

use super::Manager;
use chainplate_apimachinery::{
    Cause, Map, Status, Value,
    managed_fields::{self, ApplyError, Context, Set},
    object,
    shape::Shape,
    strategic::{self, PatchError},
};

fn manager<'a>(by: &Manager<'a>) -> managed_fields::Manager<'a> {
    managed_fields::Manager {
        name: by.name,
        api_version: by.api_version,
        subresource: by.subresource,
        time: by.time,
    }
}

/// A set of top-level members: what [`Context::reset`] wants.
pub fn members(names: &[&str]) -> Set {
    let all: Map = names.iter().map(|name| (format!("f:{name}"), Value::Object(Map::new()))).collect();
    Set::from_value(&Value::Object(all))
}

/// Records who changed what; what [`Strategy::track`](super::Strategy::track) is to do for a type of that shape.
pub fn track<S: Shape>(context: &Context<'_, S>, by: &Manager<'_>, old: Option<&Value>, object: &mut Value) {
    managed_fields::update(context, old, object, &manager(by));
}

/// Merges a strategic merge patch; what [`Strategy::strategic_merge`](super::Strategy::strategic_merge) is to do for a
/// type of that shape.
///
/// # Errors
/// 400 for directives that make no sense, 422 for lists of lists, 500 for a patch that does not fit.
pub fn strategic_merge<S: Shape>(shape: S, object: &mut Value, patch: Value) -> Result<(), Status> {
    let (Value::Object(members), Value::Object(patch)) = (object, patch) else {
        return Err(Status::bad_request("a strategic merge patch must be an object"));
    };
    strategic::merge_patch(shape, members, patch).map_err(|error| match error {
        PatchError::BadFormat(why) => Status::bad_request(why),
        PatchError::ListOfLists => Status::new(422, "Invalid", error.to_string()),
        PatchError::Mismatch(why) => Status::new(500, "", why),
    })
}

/// Merges an applied configuration; `what` is the kind as Go prints it, `apps/v1, Kind=Deployment`.
///
/// What [`Strategy::apply`](super::Strategy::apply) is to do for a type of that shape.
///
/// # Errors
/// 409 with a cause for each field that another manager owns; 500 for a configuration that does not fit the type or
/// managed fields that cannot be read, as upstream has it.
pub fn apply<S: Shape>(
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
