//! Server-side apply (structured-merge-diff `merge/update.go`, `apimachinery/pkg/util/managedfields/internal`).

use super::{
    compare::{Comparison, compare, fields_of, remove},
    entries::{Entry, Manager, Operation, decode, encode, managed_fields, rest_is_same},
    merge::{check, merge},
    set::{Set, display},
    stripped,
    update::{Context, Versions, filtered, track, without_metadata},
};
use crate::{Map, Value, shape::Shape};

/// What owns the fields of an object that was not tracked before it was first applied.
const BEFORE: &str = "before-first-apply";
/// Where client-side `kubectl apply` keeps what it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A field that another manager owns with another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The other manager, as clients read it: `"kubectl" using apps/v1`.
    pub manager: String,
    /// The path: `.spec.replicas`.
    pub field: String,
}

impl Conflict {
    /// The message of its cause: `conflict with "kubectl" using apps/v1`.
    pub fn message(&self) -> String {
        format!("conflict with {}", self.manager)
    }
}

/// Why a configuration is not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyError {
    /// 409: others own fields with other values, sorted by manager.
    Conflicts(Vec<Conflict>),
    /// The configuration does not fit the type; 500 upstream, as `failed to create typed patch object (…): …`.
    Invalid(String),
    /// The object's own `managedFields` cannot be read.
    Undecodable,
}

impl ApplyError {
    /// The message of the Status for conflicts: `Apply failed with 1 conflict: …`.
    pub fn conflict_message(conflicts: &[Conflict]) -> String {
        if let [conflict] = conflicts {
            return format!("Apply failed with 1 conflict: {}: {}", conflict.message(), conflict.field);
        }
        let mut lines = Vec::new();
        let mut manager = None;
        for conflict in conflicts {
            if manager != Some(&conflict.manager) {
                manager = Some(&conflict.manager);
                lines.push(format!("conflicts with {}:", conflict.manager));
            }
            lines.push(format!("- {}", conflict.field));
        }
        format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
    }
}

/// The object after `manager` applied `config` to `live` (`None`: there is none yet), with its
/// `managedFields`. It is still to be decoded, defaulted and validated. If nothing but `managedFields` differs
/// from `live`, nothing was applied, though ownership may have changed.
///
/// # Errors
/// [`ApplyError`]; conflicts never with `force`.
pub fn apply<S: Shape>(
    context: &Context<'_, S>,
    live: Option<&Value>,
    config: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    check(context.shape, config).map_err(ApplyError::Invalid)?;
    let result = attempt(context, live, config, manager, force);
    let (Err(ApplyError::Conflicts(conflicts)), "kubectl", Some(live)) = (&result, manager.name, live) else {
        return kept_last_applied(result, config, manager);
    };
    // What client-side apply wrote last may be taken over, if nobody changed it since.
    let Some(ours) = last_applied(context.shape, live, manager.api_version) else { return result };
    let mut left: Vec<Conflict> = conflicts.clone();
    ours.for_each(&mut |path| left.retain(|conflict| conflict.field != display(path)));
    if left.is_empty() {
        kept_last_applied(attempt(context, Some(live), config, manager, true), config, manager)
    } else {
        Err(ApplyError::Conflicts(left))
    }
}

fn attempt<S: Shape>(
    context: &Context<'_, S>,
    live: Option<&Value>,
    config: &Value,
    manager: &Manager<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    let mut entries = live.map_or(Some(Vec::new()), decode).ok_or(ApplyError::Undecodable)?;
    let live = live.unwrap_or(context.empty);
    if entries.is_empty() && !rest_is_same(live, context.empty) {
        let before = Manager { name: BEFORE, ..*manager };
        track(context, context.empty, live, &mut entries, &before);
    }
    let mut merged = stripped(live);
    merge(context.shape, &mut merged, config).map_err(ApplyError::Invalid)?;
    let mut own = Entry::of(manager, Operation::Apply);
    own.fields = fields_of(context.shape, config).recursive_difference(context.reset);
    let last = entries.iter().position(|entry| entry.is_same(&own)).map(|at| entries.remove(at));
    // Mostly the same fields are applied again, and there is nothing to remove.
    if let Some(last) = last.as_ref().filter(|last| !own.fields.covers(&last.fields)) {
        merged = prune(context, merged, &entries, &own, last);
    }
    let mut comparison = filtered(compare(context.shape, live, &merged), context.reset);
    take_over(context, live, &merged, &mut entries, manager, &mut comparison, force)?;
    // `managedFields: null` in the configuration is a change upstream, too: the object had none while it was merged.
    let changed = managed_fields(&merged).is_some() || !rest_is_same(live, &merged);
    own.fields = without_metadata(own.fields);
    own.time = if changed { Some(manager.time.to_owned()) } else { last.and_then(|last| last.time) };
    if !own.fields.is_empty() {
        entries.push(own);
    }
    encode(&mut merged, entries);
    Ok(merged)
}

/// Takes from the other managers what changes; without `force` that is a conflict.
fn take_over<S: Shape>(
    context: &Context<'_, S>,
    live: &Value,
    merged: &Value,
    entries: &mut Vec<Entry>,
    manager: &Manager<'_>,
    comparison: &mut Comparison,
    force: bool,
) -> Result<(), ApplyError> {
    let mut versions = Versions::new(context, live, merged, manager.api_version, std::mem::take(comparison));
    entries.retain(|entry| versions.get(&entry.api_version).is_some());
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut() {
        let Some(comparison) = versions.get(&entry.api_version) else { continue };
        let changed = comparison.modified.clone().union(&comparison.added);
        if !force {
            let manager = describe(entry);
            entry.fields.intersection(&changed).for_each(&mut |path| {
                conflicts.push(Conflict { manager: manager.clone(), field: display(path) });
            });
        }
        let fields = std::mem::take(&mut entry.fields);
        entry.fields = fields.difference(&changed).difference(&comparison.removed);
    }
    if !conflicts.is_empty() {
        conflicts.sort_by(|a, b| a.manager.cmp(&b.manager));
        return Err(ApplyError::Conflicts(conflicts));
    }
    entries.retain(|entry| !entry.fields.is_empty());
    Ok(())
}

fn describe(entry: &Entry) -> String {
    let mut text = format!("{:?}", entry.manager);
    if !entry.subresource.is_empty() {
        text.push_str(&format!(" with subresource {:?}", entry.subresource));
    }
    if entry.operation == Operation::Update {
        text.push_str(&format!(" using {}", entry.api_version));
    }
    text
}

/// Removes what the manager applied last time and no longer does, unless another owns it.
///
/// Managers of another version are asked in their version; what was owned last in a version that is not
/// served stays.
fn prune<S: Shape>(
    context: &Context<'_, S>,
    merged: Value,
    entries: &[Entry],
    own: &Entry,
    last: &Entry,
) -> Value {
    if last.api_version != own.api_version {
        return merged;
    }
    let shape = context.shape;
    let named = |set: Set| set.with_named_fields(shape);
    let cut = |value: &Value, set: &Set| {
        remove(shape, value, set.map()).unwrap_or_else(|| Value::Object(Map::new()))
    };
    let whole = named(fields_of(shape, &merged));
    let mut pruned = cut(&merged, &named(last.fields.clone()));
    // Back comes what others own, and what this manager still applies. Owners in another version count by the
    // same paths: versions of a type hardly ever name a list's key or a shared field differently.
    let mut owned = own.fields.clone();
    for entry in entries {
        owned = owned.union(&entry.fields);
    }
    let keep = named(fields_of(shape, &pruned)).union(&named(owned));
    pruned = cut(&merged, &whole.clone().difference(&keep));
    // And what this manager never owned.
    let lost = whole.difference(&named(fields_of(shape, &pruned)));
    cut(&merged, &lost.intersection(&named(last.fields.clone())))
}

/// The fields that client-side apply wrote and that still have that value.
fn last_applied<S: Shape>(shape: S, live: &Value, api_version: &str) -> Option<Set> {
    let text = live.get("metadata")?.get("annotations")?.get(LAST_APPLIED)?.as_str()?;
    let applied: Value = serde_json::from_str(text).ok()?;
    if applied.get("apiVersion")?.as_str()? != api_version {
        return None;
    }
    let comparison = compare(shape, &applied, live);
    Some(
        fields_of(shape, &applied)
            .difference(&comparison.modified)
            .difference(&comparison.added)
            .difference(&comparison.removed),
    )
}

/// `kubectl apply --server-side` keeps the annotation of client-side apply up to date where it is there.
fn kept_last_applied(
    result: Result<Value, ApplyError>,
    config: &Value,
    manager: &Manager<'_>,
) -> Result<Value, ApplyError> {
    let mut object = result?;
    if manager.name != "kubectl" {
        return Ok(object);
    }
    let annotations = object.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"));
    if let Some(Value::Object(annotations)) = annotations
        && annotations.get(LAST_APPLIED).and_then(Value::as_str).is_some_and(|text| !text.is_empty())
    {
        let mut config = config.clone();
        if let Some(Value::Object(of_config)) =
            config.get_mut("metadata").and_then(|metadata| metadata.get_mut("annotations"))
        {
            of_config.remove(LAST_APPLIED);
        }
        // Go's encoder ends a document with a line end.
        annotations.insert(LAST_APPLIED.into(), format!("{config}\n").into());
    }
    Ok(object)
}
