//! POST of an object, and the making of objects by PUT and PATCH.

use super::{
    admission::Admission,
    body::Format,
    ensure_namespace,
    exchange::Exchange,
    rules::{before_create, remove_meta, set_meta},
};
use crate::{Outcome, Response};
use chainplate_apimachinery::{
    Status, Value, generate_name, object,
    options::{Write, WriteOptions},
    request::Verb,
};

/// Members of `metadata` that a creator cannot set.
const SYSTEM: [&str; 5] =
    ["creationTimestamp", "uid", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"];

pub(super) fn create(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let format = Format::of(exchange.request, exchange.descriptor.decoding == super::Decoding::Typed)?;
    let body = exchange.request.body()?;
    let options = WriteOptions::parse(exchange.request.query(), Write::Create)?;
    let mut object = exchange.read_object(format, &body, options.field_validation)?;
    drop(body);
    SYSTEM.iter().for_each(|key| remove_meta(&mut object, key));
    ensure_namespace(&mut object, exchange.namespace)?;
    exchange.dedup_owners(&mut object, "");
    exchange.collection.admit(Verb::Create, exchange.scope(), object::name(&object))?;
    let writer = exchange.writer(&options);
    exchange.strategy.track(&exchange.manager(&writer), None, &mut object);
    let admission = Admission::of_create(exchange, object::name(&object), &options);
    admission.mutate(&mut object, None)?;

    if !object::name(&object).is_empty() || object::meta_str(&object, "generateName").is_empty() {
        return make(exchange, object, options.is_dry_run(), &admission)
            .map_err(|status| explain(exchange, status));
    }
    // Each name is tried on a copy; the last attempt takes the object itself.
    for _ in 1..generate_name::ATTEMPTS {
        match make_generated(exchange, object.clone(), options.is_dry_run(), &admission) {
            Err(status) if is_already_exists(&status) => {}
            result => return result,
        }
    }
    make_generated(exchange, object, options.is_dry_run(), &admission)
}

fn make_generated(
    exchange: &Exchange<'_>,
    mut object: Value,
    dry_run: bool,
    admission: &Admission<'_>,
) -> Result<Outcome, Status> {
    let name = generate_name::generate(object::meta_str(&object, "generateName"));
    set_meta(&mut object, "name", name.as_str().into());
    make(exchange, object, dry_run, admission).map_err(|status| {
        if !is_already_exists(&status) {
            return status;
        }
        let why = ", the server was not able to generate a unique name for the object";
        let message = format!("{}{why}", status.message());
        status.with_message(message).with_retry_after(1)
    })
}

/// Makes an object whose name is known. Its managed fields are done; uid and creationTimestamp are set here.
pub(super) fn make(
    exchange: &Exchange<'_>,
    mut object: Value,
    dry_run: bool,
    admission: &Admission<'_>,
) -> Result<Outcome, Status> {
    SYSTEM.iter().for_each(|key| remove_meta(&mut object, key));
    set_meta(&mut object, "uid", generate_name::uid().into());
    set_meta(&mut object, "creationTimestamp", exchange.now_text.as_str().into());
    before_create(exchange, &mut object, dry_run)?;
    let version = object::meta_str(&object, "resourceVersion");
    if !dry_run && version.parse::<u64>().is_ok_and(|version| version != 0) {
        return Err(Status::new(500, "", "resourceVersion should not be set on objects to be created"));
    }
    remove_meta(&mut object, "resourceVersion");
    admission.validate(&object, None)?;
    let name = object::name(&object).to_owned();
    if dry_run {
        if exchange.collection.get(exchange.scope(), &name).is_some() {
            let descriptor = exchange.descriptor;
            return Err(Status::already_exists(&descriptor.group, &descriptor.resource, &name));
        }
        return Ok(exchange.unsaved(201, &object));
    }
    let bytes = exchange.bytes(object)?;
    let stored = exchange.collection.create(exchange.scope(), &name, &bytes)?;
    Ok(Response::stored(201, exchange.collection, &stored).into())
}

pub(super) fn is_already_exists(status: &Status) -> bool {
    status.reason() == "AlreadyExists"
}

/// Says if the object that stands in the way is on its way out.
fn explain(exchange: &Exchange<'_>, status: Status) -> Status {
    if !is_already_exists(&status) {
        return status;
    }
    let name =
        status.details().and_then(|details| details.get("name")).and_then(Value::as_str).unwrap_or_default();
    let deleting = exchange
        .collection
        .get(exchange.scope(), name)
        .and_then(|stored| exchange.load(&stored).ok())
        .is_some_and(|there| object::is_deleting(&there));
    if !deleting {
        return status;
    }
    let message = format!("object is being deleted: {}", status.message());
    status.with_message(message)
}
