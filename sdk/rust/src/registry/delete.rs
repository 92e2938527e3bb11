//! DELETE of an object and of a collection (`Store.Delete`, `registry/rest/delete.go`).

use super::{
    DefaultPropagation, DeleteOptions,
    admission::Admission,
    body::Format,
    exchange::Exchange,
    rules::{remove_meta, set_meta},
};
use crate::{Outcome, Response, StoredObject};
use chainplate_apimachinery::{
    Map, Status, Value,
    meta::{FOREGROUND, ORPHAN},
    object,
    request::{Verb, query_value},
    status::MODIFIED,
    time,
};

/// See `update::ATTEMPTS`.
const ATTEMPTS: usize = 64;
/// How many objects a deletion of a collection looks at in one step.
const PAGE: u32 = 500;

/// What became of an object that was to be deleted.
enum Fate {
    /// It is gone.
    Gone(Box<Value>),
    /// It will go: the stored object that says so.
    Going(StoredObject),
    /// A dry run of that.
    WouldGo(Box<Value>),
    /// A deletion is under way already and nothing changes.
    Pending(Box<Value>),
}

pub(super) fn delete(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let options = options(exchange)?;
    let fate = delete_one(exchange, exchange.name, &options)?;
    let descriptor = exchange.descriptor;
    let code = match &fate {
        // Whoever asks for `orphanDependents=false` learns that the object is still there.
        Fate::Going(_) | Fate::WouldGo(_) | Fate::Pending(_) if options.orphan_dependents == Some(false) => {
            202
        }
        _ => 200,
    };
    let object = match &fate {
        Fate::Going(stored) => return Ok(Response::stored(code, exchange.collection, stored).into()),
        Fate::WouldGo(object) => return Ok(exchange.unsaved(code, object)),
        Fate::Gone(object) | Fate::Pending(object) => object,
    };
    if descriptor.returns_deleted_object {
        return Ok(exchange.unsaved(code, object));
    }
    let status =
        Status::deleted(&descriptor.group, &descriptor.resource, object::name(object), object::uid(object));
    let bytes = serde_json::to_vec(&status.to_value()).unwrap_or_default();
    Ok(Response::document(code, &bytes).into())
}

/// The options of the body, if there is one, else of the query.
fn options(exchange: &Exchange<'_>) -> Result<DeleteOptions, Status> {
    let body = exchange.request.body()?;
    let options = if body.is_empty() {
        DeleteOptions::from_query(exchange.request.query())?
    } else {
        let default = ("v1", "DeleteOptions");
        let document = Format::of(exchange.request, true)?
            .parse(exchange.strategy, default, &body)
            .map_err(|why| Status::bad_request(why.text()))?;
        DeleteOptions::from_value(&document.value)?
    };
    options.validate()?;
    let says_nothing = options.propagation_policy.is_none() && options.orphan_dependents.is_none();
    if let (true, Some(text)) = (says_nothing, &exchange.descriptor.delete_warning) {
        exchange.request.warn(text);
    }
    Ok(options)
}

fn delete_one(exchange: &Exchange<'_>, name: &str, options: &DeleteOptions) -> Result<Fate, Status> {
    let (collection, scope) = (exchange.collection, exchange.scope());
    let descriptor = exchange.descriptor;
    let not_found = || Status::not_found(&descriptor.group, &descriptor.resource, name);
    for _ in 0..ATTEMPTS {
        let stored = collection.get(scope, name).ok_or_else(not_found)?;
        let mut object = exchange.load(&stored)?;
        check_preconditions(exchange, name, &object, options)?;
        collection.admit(Verb::Delete, scope, name)?;
        Admission::of_delete(exchange, name, options).remove(&object)?;
        let step = decide(exchange, &mut object, options.clone())?;
        let result = match step {
            Step::Pending => return Ok(Fate::Pending(Box::new(object))),
            Step::Update | Step::UpdateThenDelete if options.is_dry_run() => {
                return Ok(Fate::WouldGo(Box::new(object)));
            }
            Step::Delete if options.is_dry_run() => return Ok(Fate::Gone(Box::new(object))),
            Step::Update => {
                let bytes = exchange.bytes(object)?;
                collection.update(scope, name, &bytes, stored.revision()).map(Fate::Going)
            }
            Step::UpdateThenDelete => {
                let bytes = exchange.bytes(object)?;
                collection
                    .update(scope, name, &bytes, stored.revision())
                    .and_then(|marked| collection.delete(scope, name, marked.revision()))
                    .and_then(|gone| Ok(Fate::Gone(Box::new(exchange.load(&gone)?))))
            }
            Step::Delete => collection
                .delete(scope, name, stored.revision())
                .and_then(|gone| Ok(Fate::Gone(Box::new(exchange.load(&gone)?)))),
        };
        match result {
            Err(status) if status.reason() == "Conflict" => {}
            result => return result,
        }
        if exchange.request.remaining_ms() == 0 {
            break;
        }
    }
    Err(Status::conflict(&descriptor.group, &descriptor.resource, name, MODIFIED))
}

fn check_preconditions(
    exchange: &Exchange<'_>,
    name: &str,
    object: &Value,
    options: &DeleteOptions,
) -> Result<(), Status> {
    // Upstream names the kind here, not the resource.
    let conflict =
        |why: String| Status::conflict(&exchange.descriptor.group, &exchange.descriptor.kind, name, &why);
    let uid = object::uid(object);
    if let Some(want) = options.precondition_uid.as_deref().filter(|want| *want != uid) {
        return Err(conflict(format!(
            "the UID in the precondition ({want}) does not match the UID in record ({uid}). The object might have been deleted and then recreated"
        )));
    }
    let version = object::meta_str(object, "resourceVersion");
    if let Some(want) = options.precondition_resource_version.as_deref().filter(|want| *want != version) {
        return Err(conflict(format!(
            "the ResourceVersion in the precondition ({want}) does not match the ResourceVersion in record ({version}). The object might have been modified"
        )));
    }
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Nothing: a deletion is under way.
    Pending,
    /// The object is marked and waits for its finalizers or its grace period.
    Update,
    /// It is marked, for those who watch, and removed.
    UpdateThenDelete,
    /// It is removed.
    Delete,
}

/// What is to be done with an object; it is marked accordingly.
fn decide(exchange: &Exchange<'_>, object: &mut Value, mut options: DeleteOptions) -> Result<Step, Status> {
    let context = exchange.context(Verb::Delete, options.is_dry_run());
    // Negative periods mean one second.
    if options.grace_period_seconds.is_some_and(|seconds| seconds < 0) {
        options.grace_period_seconds = Some(1);
    }
    let graceful = if exchange.descriptor.graceful_deletion {
        if object::is_deleting(object) {
            match shorten(exchange, object, &options) {
                Shortened::No => return Ok(Step::Pending),
                Shortened::ByNow => None,
                Shortened::To(seconds) => Some(seconds),
            }
        } else if exchange.strategy.check_graceful_delete(&context, object, &mut options) {
            let seconds = options
                .grace_period_seconds
                .ok_or_else(|| Status::internal("options.GracePeriodSeconds should not be nil"))?;
            mark(exchange, object, Some(seconds));
            Some(seconds)
        } else {
            None
        }
    } else {
        None
    };
    exchange.strategy.before_delete(&context, object)?;
    propagate(exchange.descriptor.default_propagation, object, &options);
    let has_finalizers = !object::list(object, "finalizers").is_empty();
    Ok(match graceful {
        Some(seconds) if has_finalizers || seconds > 0 => Step::Update,
        Some(_) => Step::UpdateThenDelete,
        None if has_finalizers => {
            mark(exchange, object, Some(0));
            Step::Update
        }
        None if exchange.strategy.is_held(object) => {
            mark(exchange, object, None);
            Step::Update
        }
        None => Step::Delete,
    })
}

enum Shortened {
    /// The period that runs is not longer than the one wanted.
    No,
    /// It is over.
    ByNow,
    /// It ends sooner now.
    To(i64),
}

/// A second deletion may only shorten the grace period that runs (`BeforeDelete`).
fn shorten(exchange: &Exchange<'_>, object: &mut Value, options: &DeleteOptions) -> Shortened {
    let running = object::metadata(object).and_then(|metadata| metadata.get("deletionGracePeriodSeconds"));
    let running = match running.and_then(Value::as_i64) {
        None | Some(0) => return Shortened::ByNow,
        Some(seconds) => seconds.max(1),
    };
    let Some(mut wanted) = options.grace_period_seconds.filter(|wanted| *wanted < running) else {
        return Shortened::No;
    };
    let end = time::parse(object::meta_str(object, "deletionTimestamp")).unwrap_or(exchange.now);
    let mut end = time::plus_seconds(end, wanted - running);
    if end < exchange.now {
        end = exchange.now;
        if wanted != 0 {
            // The whole period is over, but somebody else still does the last step.
            wanted = 1;
        }
    }
    set_meta(object, "deletionTimestamp", time::format(end).into());
    set_meta(object, "deletionGracePeriodSeconds", wanted.into());
    Shortened::To(wanted)
}

/// Marks an object as being deleted, with a grace period if it has one (`markAsDeleting`).
fn mark(exchange: &Exchange<'_>, object: &mut Value, grace: Option<i64>) {
    let end = time::plus_seconds(exchange.now, grace.unwrap_or_default());
    let there = time::parse(object::meta_str(object, "deletionTimestamp"));
    if there.is_none() && object::generation(object) > 0 {
        set_meta(object, "generation", (object::generation(object) + 1).into());
    }
    if there.is_none_or(|there| there > end) {
        set_meta(object, "deletionTimestamp", time::format(end).into());
    }
    if let Some(grace) = grace {
        set_meta(object, "deletionGracePeriodSeconds", grace.into());
    }
}

/// Adds and takes away the garbage collector's finalizers (`deletionFinalizersForGarbageCollection`).
fn propagate(default: DefaultPropagation, object: &mut Value, options: &DeleteOptions) {
    let there = |wanted: &str| {
        object::finalizers(object).find(|name| matches!(*name, ORPHAN | FOREGROUND)) == Some(wanted)
    };
    let (orphan, foreground) =
        match (default, options.orphan_dependents, options.propagation_policy.as_deref()) {
            (DefaultPropagation::Unsupported, ..) => (false, false),
            (_, Some(orphan), _) => (orphan, false),
            (_, _, Some("Orphan")) => (true, false),
            (_, _, Some("Foreground")) => (false, true),
            (_, _, Some(_)) => (false, false),
            _ if there(ORPHAN) => (true, false),
            _ if there(FOREGROUND) => (false, true),
            (DefaultPropagation::Orphan, ..) => (true, false),
            (DefaultPropagation::Background, ..) => (false, false),
        };
    let has = |wanted: &str| object::finalizers(object).any(|name| name == wanted);
    if has(ORPHAN) == orphan && has(FOREGROUND) == foreground {
        return;
    }
    let mut kept: Vec<Value> = object::finalizers(object)
        .filter(|name| !matches!(*name, ORPHAN | FOREGROUND))
        .map(Value::from)
        .collect();
    kept.extend(orphan.then(|| ORPHAN.into()));
    kept.extend(foreground.then(|| FOREGROUND.into()));
    if kept.is_empty() {
        remove_meta(object, "finalizers");
    } else {
        set_meta(object, "finalizers", Value::Array(kept));
    }
}

pub(super) fn delete_collection(exchange: &Exchange<'_>) -> Result<Outcome, Status> {
    let options = options(exchange)?;
    let query = exchange.request.query();
    let selector = |key: &str| query_value(query, key).unwrap_or_default();
    let (labels, fields) = (selector("labelSelector"), selector("fieldSelector"));
    let limit = selector("limit").parse::<u32>().unwrap_or_default();
    let scope = exchange.scope();
    let mut items = Vec::new();
    let mut revision = 0;
    let mut after: Option<String> = None;
    loop {
        let step = if limit == 0 { PAGE } else { limit.min(PAGE) };
        let page = exchange.collection.page(scope, &labels, &fields, step, after.as_deref())?;
        for stored in page.items {
            let object = exchange.load(&stored)?;
            revision = revision.max(stored.revision());
            match delete_one(exchange, object::name(&object), &options) {
                Ok(Fate::Going(marked)) => revision = revision.max(marked.revision()),
                Err(status) if status.code() != 404 => return Err(status),
                _ => {}
            }
            items.push(object);
        }
        after = page.next;
        if after.is_none() || limit != 0 && items.len() >= limit as usize {
            break;
        }
    }
    let descriptor = exchange.descriptor;
    let mut list = Map::new();
    list.insert("kind".into(), (*descriptor.list_kind).into());
    list.insert("apiVersion".into(), (*descriptor.api_version()).into());
    list.insert("metadata".into(), serde_json::json!({"resourceVersion": revision.to_string()}));
    list.insert("items".into(), Value::Array(items));
    Ok(exchange.unsaved(200, &Value::Object(list)))
}
