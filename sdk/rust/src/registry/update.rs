//! PUT, and the loop in which PUT and PATCH replace an object that others may replace, too (`Store.Update`).

use super::{
    admission::Admission,
    body::Format,
    create, ensure_namespace,
    exchange::Exchange,
    rules::{before_update, ignore_timestamps, remove_meta, set_meta},
    view::View,
};
use crate::{Outcome, Response, StoredObject};
use chainplate_apimachinery::{
    Status, Value, field, object,
    options::{Write, WriteOptions},
    request::Verb,
    status::MODIFIED,
};

/// How often a write starts over because somebody else was faster. Each time somebody made progress, so only a
/// very busy object gets there.
const ATTEMPTS: usize = 64;

/// What becomes of a write.
pub(super) enum Written {
    /// It is stored.
    Stored(StoredObject),
    /// It is not stored: a dry run, or the last finalizer is gone and the object with it.
    Unsaved(Value),
    /// It was made.
    Created(Outcome),
}

pub(super) fn update(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let body = exchange.request.body()?;
    let options = WriteOptions::parse(exchange.request.query(), Write::Update)?;
    let format = Format::of(exchange.request, exchange.descriptor.decoding == super::Decoding::Typed)?;
    let read = |validation| -> Result<Value, Status> {
        let mut object = exchange.read_object(format, &body, validation)?;
        ensure_namespace(&mut object, exchange.namespace)?;
        exchange.check_name(&object)?;
        Ok(object)
    };
    let mut first = read(options.field_validation)?;
    exchange.dedup_owners(&mut first, "");
    let uid = object::uid(&first).to_owned();
    let writer = exchange.writer(&options);
    let mut pristine = Some(first);
    let written = replace(exchange, &options, exchange.descriptor.allow_create_on_update, None, |old| {
        if !uid.is_empty() && uid != old.map_or("", object::uid) {
            return Err(exchange.conflict(&format!(
                "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
                old.map_or("", object::uid)
            )));
        }
        // Only a second attempt reads the body again; what it has to tell was told.
        let mut object = match pristine.take() {
            Some(object) => object,
            None => read(chainplate_apimachinery::options::FieldValidation::Ignore)?,
        };
        exchange.strategy.track(&exchange.manager(&writer), old, &mut object);
        Ok(object)
    })?;
    Ok(respond(exchange, written))
}

pub(super) fn respond(exchange: &Exchange<'_>, written: Written) -> Outcome {
    match written {
        Written::Stored(stored) => Response::stored(200, exchange.collection, &stored).into(),
        Written::Unsaved(object) => exchange.unsaved(200, &object),
        Written::Created(outcome) => outcome,
    }
}

/// Replaces the object of the URL by what `produce` makes of it, as often as it takes. `produce` gets `None` if there is
/// no object, which only happens with `allow_create`. Admission sees the object through the `view`, if there is one.
pub(super) fn replace(
    exchange: &Exchange<'_>,
    options: &WriteOptions,
    allow_create: bool,
    view: Option<&View<'_>>,
    mut produce: impl FnMut(Option<&Value>) -> Result<Value, Status>,
) -> Result<Written, Status> {
    let (collection, scope, name) = (exchange.collection, exchange.scope(), exchange.name);
    let dry_run = options.is_dry_run();
    for _ in 0..ATTEMPTS {
        let Some(stored) = collection.get(scope, name) else {
            if !allow_create {
                return Err(exchange.not_found());
            }
            let mut object = produce(None)?;
            // A version of what is not there says nothing here, unlike in a POST.
            remove_meta(&mut object, "resourceVersion");
            collection.admit(Verb::Create, scope, name)?;
            let admission = Admission::of_create(exchange, name, options);
            admission.mutate(&mut object, None)?;
            match create::make(exchange, object, dry_run, &admission) {
                Err(status) if create::is_already_exists(&status) && !dry_run => continue,
                result => return result.map(Written::Created),
            }
        };
        let old = exchange.load(&stored)?;
        let mut object = produce(Some(&old))?;
        check_version(exchange, &mut object, &old)?;
        collection.admit(Verb::Update, scope, name)?;
        let admission = Admission::of_update(exchange, view, options);
        admission.mutate(&mut object, Some(&old))?;
        before_update(exchange, &mut object, &old, dry_run)?;
        admission.validate(&object, Some(&old))?;
        ignore_timestamps(&mut object, &old);
        let result = if is_last_finalizer_gone(exchange, &object, &old) {
            if dry_run {
                return Ok(Written::Unsaved(object));
            }
            match collection.delete(scope, name, stored.revision()) {
                // Somebody else removed it: the same result.
                Err(status) if status.code() != 404 => Err(status),
                _ => return Ok(Written::Unsaved(object)),
            }
        } else if dry_run {
            return Ok(Written::Unsaved(object));
        } else {
            let bytes = exchange.bytes(object)?;
            collection.update(scope, name, &bytes, stored.revision())
        };
        match result {
            Ok(stored) => return Ok(Written::Stored(stored)),
            Err(status) if matches!(status.reason(), "Conflict" | "NotFound") => {}
            Err(status) => return Err(status),
        }
        if exchange.request.remaining_ms() == 0 {
            break;
        }
    }
    Err(exchange.conflict(MODIFIED))
}

/// Holds the object's resourceVersion against the stored one, which it then has.
fn check_version(exchange: &Exchange<'_>, object: &mut Value, old: &Value) -> Result<(), Status> {
    let descriptor = exchange.descriptor;
    let text = object::meta_str(object, "resourceVersion");
    let version =
        if text.is_empty() { 0 } else { text.parse::<u64>().map_err(|error| unparsable(text, &error))? };
    let there = object::meta_str(old, "resourceVersion");
    if version == 0 {
        if !descriptor.allow_unconditional_update {
            let metadata = field::Path::Child(&field::Path::Root, "metadata");
            let path = metadata.child("resourceVersion");
            let error = field::Error::invalid(&path, 0, "must be specified for an update");
            // Upstream names the resource here, not the kind.
            return Err(Status::invalid(&descriptor.group, &descriptor.resource, exchange.name, &[error]));
        }
        let there = there.to_owned();
        set_meta(object, "resourceVersion", there.into());
        return Ok(());
    }
    if there.parse() == Ok(version) { Ok(()) } else { Err(exchange.conflict(MODIFIED)) }
}

fn unparsable(text: &str, error: &std::num::ParseIntError) -> Status {
    let why = if matches!(error.kind(), std::num::IntErrorKind::PosOverflow) {
        "value out of range"
    } else {
        "invalid syntax"
    };
    Status::new(500, "", format!("strconv.ParseUint: parsing {text:?}: {why}"))
}

/// Whether a write takes the last finalizer off an object that was to be deleted: then it goes
/// (`ShouldDeleteDuringUpdate`).
fn is_last_finalizer_gone(exchange: &Exchange<'_>, object: &Value, old: &Value) -> bool {
    let grace = object::metadata(old).and_then(|metadata| metadata.get("deletionGracePeriodSeconds"));
    object::is_deleting(old)
        && object::list(object, "finalizers").is_empty()
        && grace.and_then(Value::as_i64).unwrap_or_default() == 0
        && !exchange.strategy.is_held(object)
}
