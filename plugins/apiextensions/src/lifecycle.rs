//! From a stored definition to one that is served: names, publications, `Established`.
//!
//! Everything happens in the request that wrote the definition, and in this order: discovery and OpenAPI are
//! published before `Established` is stored, so that nobody who reads it is told of a type that discovery does
//! not know. Several instances may do this for one group at once; whoever publishes looks at the group again
//! afterwards and starts over if it moved, so that the last publication is of the last state.

use crate::{
    definition::{self, GROUP, KIND, RESOURCE, VERSION, text},
    naming,
};
use chainplate_sdk::{
    Collection, GroupVersion,
    apimachinery::{Status, Value, object, time},
    custom::{discovery, openapi},
    publication,
};
use std::collections::BTreeSet;

/// How often a group is looked at again before a request gives up: each round means that somebody else wrote to the
/// group meanwhile.
const MAX_ROUNDS: usize = 50;
/// Objects read in one call.
const PAGE: u32 = 500;
/// `groupPriorityMinimum` and `versionPriority` of all custom resources.
const PRIORITIES: (i32, i32) = (1000, 100);

/// Opens the collection of definitions.
///
/// # Errors
/// 403 without a grant for it.
pub(crate) fn open() -> Result<Collection, Status> {
    let prefix = format!("{GROUP}/{RESOURCE}");
    Collection::open(GROUP, VERSION, RESOURCE, KIND, false, &prefix)
}

/// A definition in storage.
#[derive(Debug)]
struct Stored {
    value: Value,
    revision: u64,
}

/// Does what follows from writes to the definitions `names`.
///
/// # Errors
/// The Status of a storage or publication that failed; what was written stays, and the start of the server or the
/// next write to the group makes up for it.
pub(crate) fn follow<'a>(crds: &Collection, names: impl IntoIterator<Item = &'a str>) -> Result<(), Status> {
    // `<plural>.<group>`, checked when it was made.
    let groups: BTreeSet<&str> = names.into_iter().filter_map(|name| Some(name.split_once('.')?.1)).collect();
    groups.into_iter().try_for_each(|group| reconcile(crds, group))
}

/// Brings all groups in order, at the start of the server.
///
/// # Errors
/// As [`follow`]; and the names of definitions that are being deleted are returned.
pub(crate) fn start(crds: &Collection) -> Result<Vec<String>, Status> {
    let mut groups = BTreeSet::new();
    let mut terminating = Vec::new();
    for stored in read(crds, None)? {
        groups.insert(text(stored.value.get("spec").unwrap_or(&Value::Null), "group").to_owned());
        if object::is_deleting(&stored.value) {
            terminating.push(object::name(&stored.value).to_owned());
        }
    }
    for group in &groups {
        reconcile(crds, group)?;
    }
    Ok(terminating)
}

/// The definitions of a group, or all.
fn read(crds: &Collection, group: Option<&str>) -> Result<Vec<Stored>, Status> {
    // Definitions are large: those of other groups are passed by without being parsed.
    let needle = group.map(|group| Value::from(group).to_string());
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = crds.page(None, "", "", PAGE, after.as_deref())?;
        for item in &page.items {
            let document = item.value();
            if needle.as_ref().is_some_and(|needle| !contains(&document, needle.as_bytes())) {
                continue;
            }
            let value: Value = serde_json::from_slice(&document)
                .map_err(|error| Status::internal(format_args!("a stored {KIND} cannot be read: {error}")))?;
            if group.is_none_or(|group| value.pointer("/spec/group").is_some_and(|this| this == group)) {
                found.push(Stored { value, revision: item.revision() });
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

fn revisions(group: &[Stored]) -> Vec<(String, u64)> {
    group.iter().map(|stored| (object::name(&stored.value).to_owned(), stored.revision)).collect()
}

/// Names, publications and conditions of one group.
///
/// # Errors
/// As [`follow`].
pub(crate) fn reconcile(crds: &Collection, group: &str) -> Result<(), Status> {
    let mut stored = read(crds, Some(group))?;
    for _ in 0..MAX_ROUNDS {
        let wanted = names(&stored);
        publish(group, &wanted)?;
        let mut moved = false;
        for (stored, wanted) in stored.iter_mut().zip(&wanted) {
            if stored.value == *wanted {
                continue;
            }
            let name = object::name(wanted).to_owned();
            match crds.update(None, &name, &object::encode(wanted), stored.revision) {
                Ok(written) => {
                    stored.revision = written.revision();
                    stored.value = wanted.clone();
                }
                // Somebody else wrote meanwhile: look again.
                Err(status) if matches!(status.code(), 404 | 409) => moved = true,
                Err(status) => return Err(status),
            }
        }
        let now = read(crds, Some(group))?;
        if !moved && revisions(&now) == revisions(&stored) {
            return Ok(());
        }
        stored = now;
    }
    Err(Status::too_many_requests(
        format!("the definitions of group {group:?} change all the time, please try again"),
        1,
    ))
}

/// What the definitions of a group should look like, the oldest claim to a name first.
fn names(stored: &[Stored]) -> Vec<Value> {
    let now = time::format(time::now());
    let mut wanted: Vec<Value> = stored.iter().map(|stored| stored.value.clone()).collect();
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by_cached_key(|index| {
        let crd = &stored[*index].value;
        (object::meta_str(crd, "creationTimestamp").to_owned(), stored[*index].revision)
    });
    for index in order {
        let Some(crd) = wanted.get(index) else { continue };
        let new = naming::accept(crd, &wanted, &now);
        wanted[index] = new;
    }
    wanted
}

/// Publishes all versions of the group in one step, and takes back those that are served no more.
fn publish(group: &str, crds: &[Value]) -> Result<(), Status> {
    let list: Vec<GroupVersion> = discovery::served_versions(crds)
        .iter()
        .map(|version| GroupVersion {
            group: group.to_owned(),
            version: version.clone(),
            discovery: discovery::document(group, version, crds).to_string().into_bytes(),
            openapi_v3: Some(openapi::document(group, version, crds).to_string().into_bytes()),
            group_priority_minimum: PRIORITIES.0,
            version_priority: PRIORITIES.1,
            ..GroupVersion::default()
        })
        .collect();
    publication::replace(group, &list)
}

/// Publishes this server's own group.
///
/// # Errors
/// 403 if the group is not granted.
pub(crate) fn publish_own() -> Result<(), Status> {
    publication::publish(&[GroupVersion {
        group: GROUP.into(),
        version: VERSION.into(),
        discovery: crate::discovery::own().to_string().into_bytes(),
        // As upstream's table of local APIServices.
        group_priority_minimum: 16_700,
        version_priority: 15,
        ..GroupVersion::default()
    }])
}

/// The stored definition and its revision.
///
/// # Errors
/// 500 when the stored document cannot be read.
pub(crate) fn stored(crds: &Collection, name: &str) -> Result<Option<(Value, u64)>, Status> {
    let Some(stored) = crds.get(None, name) else { return Ok(None) };
    let value = serde_json::from_slice(&stored.value()).map_err(|error| {
        Status::internal(format_args!("the stored definition {name} cannot be read: {error}"))
    })?;
    Ok(Some((value, stored.revision())))
}

/// Whether the definition is being deleted.
pub(crate) fn is_terminating(crd: &Value) -> bool {
    object::is_deleting(crd) || definition::condition_is(crd, "Terminating", "True")
}
