//! What holds for every object that is about to be stored: `BeforeCreate` and `BeforeUpdate` of upstream's
//! `registry/rest`.

use super::{Context, Descriptor, Generation, Strategy, exchange::Exchange};
use chainplate_apimachinery::{Map, Status, Value, field, meta, names, object, request::Verb};

/// Brings a new object into the form that is stored. Its name, uid and creationTimestamp are set.
pub(super) fn before_create(
    exchange: &Exchange<'_>,
    object: &mut Value,
    dry_run: bool,
) -> Result<(), Status> {
    let (strategy, descriptor) = (exchange.strategy, exchange.descriptor);
    let context = exchange.context(Verb::Create, dry_run);
    if descriptor.has_status()
        && let Some(map) = object.as_object_mut()
    {
        map.remove("status");
    }
    if descriptor.generation != Generation::Off {
        set_meta(object, "generation", 1.into());
    }
    strategy.prepare_for_create(&context, object);
    let mut errors = validate_metadata(descriptor, object);
    errors.extend(strategy.validate(&context, object));
    if errors.is_empty() {
        let path = field::Path::Child(&field::Path::Root, "metadata");
        let name = object::name(object);
        errors.extend(
            names::path_segment(name, false)
                .into_iter()
                .map(|why| field::Error::invalid(&path.child("name"), name, why)),
        );
    }
    refuse(descriptor, object, &errors)?;
    finish(strategy, &context, object, None)
}

/// Brings an object that shall replace `old` into the form that is stored.
pub(super) fn before_update(
    exchange: &Exchange<'_>,
    object: &mut Value,
    old: &Value,
    dry_run: bool,
) -> Result<(), Status> {
    let (strategy, descriptor) = (exchange.strategy, exchange.descriptor);
    let context = exchange.context(Verb::Update, dry_run);
    keep(object, old, "generation");
    match exchange.subresource {
        "status" => take_status_only(object, old),
        "" if descriptor.has_status() => keep_status(object, old),
        _ => {}
    }
    strategy.prepare_for_update(&context, object, old);
    if exchange.subresource != "status" && moves_generation(descriptor, object, old) {
        set_meta(object, "generation", (object::generation(old) + 1).into());
    }
    if object::uid(object).is_empty() {
        keep(object, old, "uid");
    }
    for key in ["creationTimestamp", "deletionTimestamp"] {
        if !object::meta_str(old, key).is_empty() {
            keep(object, old, key);
        }
    }
    let grace = |of: &Value| {
        object::metadata(of).is_some_and(|metadata| metadata.contains_key("deletionGracePeriodSeconds"))
    };
    if grace(old) && !grace(object) {
        keep(object, old, "deletionGracePeriodSeconds");
    }
    let mut errors = validate_metadata_update(descriptor, exchange.subresource, object, old);
    errors.extend(strategy.validate_update(&context, object, old));
    refuse(descriptor, object, &errors)?;
    finish(strategy, &context, object, Some(old))
}

fn finish(
    strategy: &dyn Strategy,
    context: &Context<'_>,
    object: &mut Value,
    old: Option<&Value>,
) -> Result<(), Status> {
    for text in strategy.warnings(context, object, old) {
        context.request.warn(&text);
    }
    strategy.canonicalize(object);
    strategy.begin_write(context, object, old)
}

fn refuse(descriptor: &Descriptor, object: &Value, errors: &[field::Error]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    let group = descriptor.told_group.as_ref().unwrap_or(&descriptor.group);
    Err(Status::invalid(group, &descriptor.kind, object::name(object), errors))
}

fn validate_metadata(descriptor: &Descriptor, object: &Value) -> Vec<field::Error> {
    let mut errors = meta::validate(object, descriptor.namespaced, descriptor.name_rule);
    if descriptor.kube_finalizers {
        errors.extend(meta::validate_kube_finalizers(object));
    }
    errors
}

/// Upstream runs the same rules several times, once for all types and once in the type's own validation; each run
/// adds its causes.
fn validate_metadata_update(
    descriptor: &Descriptor,
    subresource: &str,
    object: &Value,
    old: &Value,
) -> Vec<field::Error> {
    let whole = meta::validate(object, descriptor.namespaced, names::path_segment);
    let change = meta::validate_update(object, old);
    let mut errors: Vec<field::Error> = whole.iter().chain(&change).chain(&change).cloned().collect();
    if descriptor.kube_finalizers {
        errors.extend(meta::validate_kube_finalizers(object));
    }
    if descriptor.validates_whole_on_update && subresource.is_empty() {
        errors.extend(validate_metadata(descriptor, object));
    }
    errors
}

/// Whether the change counts as one of what somebody wants.
fn moves_generation(descriptor: &Descriptor, object: &Value, old: &Value) -> bool {
    let spec = || object.get("spec") != old.get("spec");
    match descriptor.generation {
        Generation::Off => false,
        Generation::Spec => spec(),
        Generation::SpecOrAnnotations => {
            let annotations = |of| object::metadata(of).and_then(|metadata| metadata.get("annotations"));
            spec() || annotations(object) != annotations(old)
        }
        Generation::NotMetadata => {
            let skip_status = descriptor.has_status();
            let relevant = |key: &str| match key {
                "metadata" | "apiVersion" | "kind" => false,
                "status" => !skip_status,
                _ => true,
            };
            let part = |of: &Value| -> usize {
                of.as_object().map_or(0, |map| map.keys().filter(|key| relevant(key)).count())
            };
            let same = object.as_object().is_none_or(|map| {
                map.iter().filter(|(key, _)| relevant(key)).all(|(key, value)| old.get(key) == Some(value))
            });
            !same || part(object) != part(old)
        }
    }
}

/// Sets a member of `metadata`.
pub(super) fn set_meta(object: &mut Value, key: &str, value: Value) {
    if let Some(metadata) = object::metadata_mut(object) {
        metadata.insert(key.to_owned(), value);
    }
}

/// Removes a member of `metadata`.
pub(super) fn remove_meta(object: &mut Value, key: &str) {
    if let Some(metadata) = object::metadata_mut(object) {
        metadata.remove(key);
    }
}

/// Puts back a member of `metadata` as it was.
fn keep(object: &mut Value, old: &Value, key: &str) {
    match object::metadata(old).and_then(|metadata| metadata.get(key)) {
        Some(value) => set_meta(object, key, value.clone()),
        None => remove_meta(object, key),
    }
}

fn keep_status(object: &mut Value, old: &Value) {
    if let Some(map) = object.as_object_mut() {
        match old.get("status") {
            Some(status) => {
                map.insert("status".into(), status.clone());
            }
            None => {
                map.remove("status");
            }
        }
    }
}

/// Keeps metadata and status of the new object and everything else of the old one.
fn take_status_only(object: &mut Value, old: &Value) {
    let (Some(map), Some(old)) = (object.as_object_mut(), old.as_object()) else { return };
    let mut kept = Map::new();
    for key in ["metadata", "status"] {
        if let Some(value) = map.remove(key) {
            kept.insert(key.into(), value);
        }
    }
    for (key, value) in old.iter().filter(|(key, _)| !matches!(key.as_str(), "metadata" | "status")) {
        kept.insert(key.clone(), value.clone());
    }
    *map = kept;
}

/// If nothing changed but the times of managed fields, takes those back: such a write is none
/// (`IgnoreManagedFieldsTimestampsTransformer`).
pub(super) fn ignore_timestamps(object: &mut Value, old: &Value) {
    if differ(object, old, &["metadata"]) {
        return;
    }
    let (Some(new_meta), Some(old_meta)) = (object.get("metadata"), old.get("metadata")) else { return };
    if differ(new_meta, old_meta, &["managedFields"]) {
        return;
    }
    let (new, before) = (object::list(object, "managedFields"), object::list(old, "managedFields"));
    if new.is_empty()
        || new.len() != before.len()
        || new.iter().zip(before).any(|(new, old)| differ(new, old, &["time"]))
    {
        return;
    }
    keep(object, old, "managedFields");
}

/// Whether two objects differ outside of some members.
fn differ(left: &Value, right: &Value, but: &[&str]) -> bool {
    let (Some(left), Some(right)) = (left.as_object(), right.as_object()) else { return left != right };
    let rest = |map| Map::iter(map).filter(|(key, _)| !but.contains(&key.as_str()));
    !rest(left).eq(rest(right))
}
