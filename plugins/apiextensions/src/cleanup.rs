//! The deletion of a definition: its objects first (`apiextensions-apiserver/pkg/controller/finalizer`).

use crate::{
    definition::{self, FINALIZER, flag, text, versions},
    lifecycle,
};
use chainplate_sdk::{
    Collection,
    apimachinery::{Map, Status, Value, object, time},
    tasks,
};

const PREFIX: &str = "cleanup/";
/// Objects deleted in one step, so that an instance is not held for long.
const PAGE: u32 = 200;
/// How long until objects that finalizers hold are looked at again, in milliseconds, if no write to them was seen.
const WAIT_MS: u64 = 5_000;

/// Has the objects of a definition deleted.
pub(crate) fn schedule(name: &str) {
    tasks::schedule(&format!("{PREFIX}{name}"), 0);
}

/// The definition that a task is about, if it is one of these tasks.
pub(crate) fn task(task: &str) -> Option<&str> {
    task.strip_prefix(PREFIX)
}

/// Deletes one page of objects; after the last one, the definition. Schedules itself until that is done.
///
/// # Errors
/// The Status of the storage; the host calls again.
pub(crate) fn run(crds: &Collection, name: &str) -> Result<(), Status> {
    let Some((crd, revision)) = lifecycle::stored(crds, name)? else {
        return lifecycle::follow(crds, [name]);
    };
    if !lifecycle::is_terminating(&crd) || !object::finalizers(&crd).any(|finalizer| finalizer == FINALIZER) {
        return Ok(());
    }
    match delete_page(&crd)? {
        Left::More => {
            schedule(name);
            Ok(())
        }
        Left::Held => {
            let mut new = crd.clone();
            let message = "CustomResource deletion is in progress";
            set_terminating(&mut new, "InstanceDeletionInProgress", message);
            if new != crd {
                // Lost to another writer: the next run tries again.
                let written = crds.update(None, name, &object::encode(&new), revision);
                written.map(drop).or_else(ignore_conflict)?;
            }
            tasks::schedule(&format!("{PREFIX}{name}"), WAIT_MS);
            Ok(())
        }
        Left::Nothing => finish(crds, name, crd, revision),
    }
}

fn finish(crds: &Collection, name: &str, crd: Value, revision: u64) -> Result<(), Status> {
    let mut new = crd.clone();
    set_terminating(&mut new, "InstanceDeletionCompleted", "removed all instances");
    if let Some(metadata) = object::metadata_mut(&mut new) {
        let left: Vec<Value> = metadata
            .get("finalizers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter(|finalizer| *finalizer != FINALIZER)
            .cloned()
            .collect();
        if left.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".into(), left.into());
        }
    }
    let written = if object::finalizers(&new).next().is_some() {
        crds.update(None, name, &object::encode(&new), revision).map(drop)
    } else {
        crds.delete(None, name, revision).map(drop)
    };
    match written {
        Err(status) if status.code() == 409 => {
            schedule(name);
            Ok(())
        }
        Err(status) if status.code() != 404 => Err(status),
        // Its names are free, its versions are no longer served.
        _ => lifecycle::follow(crds, [name]),
    }
}

enum Left {
    Nothing,
    More,
    Held,
}

/// Deletes up to a page of the definition's objects, in whatever version they are stored.
fn delete_page(crd: &Value) -> Result<Left, Status> {
    let spec = crd.get("spec").unwrap_or(&Value::Null);
    let names = spec.get("names").unwrap_or(&Value::Null);
    let (group, plural) = (text(spec, "group"), text(names, "plural"));
    let namespaced = text(spec, "scope") == "Namespaced";
    let version = versions(crd).find(|version| flag(version, "storage")).map(|version| text(version, "name"));
    let prefix = format!("{group}/{plural}");
    let objects = Collection::open(
        group,
        version.unwrap_or_default(),
        plural,
        text(names, "kind"),
        namespaced,
        &prefix,
    )?;
    let mut after: Option<String> = None;
    let mut held = false;
    loop {
        let page = objects.page(None, "", "", PAGE, after.as_deref())?;
        let mut deleted = false;
        for item in &page.items {
            let object: Value = serde_json::from_slice(&item.value()).map_err(|error| {
                Status::internal(format_args!("a stored {prefix} cannot be read: {error}"))
            })?;
            match delete(&objects, object, item.revision())? {
                true => deleted = true,
                false => held = true,
            }
        }
        match page.next {
            // One page of work at a time; pages of objects that wait are only looked through.
            Some(_) if deleted => return Ok(Left::More),
            Some(next) => after = Some(next),
            None => return Ok(if held { Left::Held } else { Left::Nothing }),
        }
    }
}

/// Deletes an object, or marks it if finalizers hold it. Whether it is gone.
fn delete(objects: &Collection, mut object: Value, revision: u64) -> Result<bool, Status> {
    let name = object::name(&object).to_owned();
    let namespace = object::namespace(&object).to_owned();
    let namespace = (!namespace.is_empty()).then_some(namespace.as_str());
    if object::finalizers(&object).next().is_none() {
        return match objects.delete(namespace, &name, revision) {
            Ok(_) => Ok(true),
            Err(status) if status.code() == 404 => Ok(true),
            Err(status) if status.code() == 409 => Ok(false),
            Err(status) => Err(status),
        };
    }
    if !object::is_deleting(&object) {
        let generation = object::generation(&object);
        if let Some(metadata) = object::metadata_mut(&mut object) {
            mark(metadata, generation);
        }
        let written = objects.update(namespace, &name, &object::encode(&object), revision);
        written.map(drop).or_else(ignore_conflict)?;
    }
    Ok(false)
}

fn mark(metadata: &mut Map, generation: i64) {
    metadata.insert("deletionTimestamp".into(), time::format(time::now()).into());
    metadata.insert("deletionGracePeriodSeconds".into(), 0.into());
    if generation > 0 {
        metadata.insert("generation".into(), (generation + 1).into());
    }
}

fn ignore_conflict(status: Status) -> Result<(), Status> {
    if matches!(status.code(), 404 | 409) { Ok(()) } else { Err(status) }
}

fn set_terminating(crd: &mut Value, reason: &str, message: &str) {
    let now = time::format(time::now());
    definition::set_condition(crd, "Terminating", "True", reason, message, &now);
}
