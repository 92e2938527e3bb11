//! Tracking of what managers own on creates, updates and patches
//! (`apimachinery/pkg/util/managedfields/internal`, structured-merge-diff `merge/update.go`).

use super::{
    compare::{Comparison, compare},
    entries::{Entry, Manager, Operation, decode, encode, entries, is_reset},
    set::Set,
};
use crate::{Value, shape::Shape};

/// How many updaters are told apart; the oldest of more are folded into one.
const MAX_UPDATERS: usize = 10;
/// The manager that the oldest are folded into.
const FOLDED: &str = "ancient-changes";

/// Converts an object into a version: the object and its shape there, `None` if the version is not served.
pub type Convert<'a, S> = &'a dyn Fn(&Value, &str) -> Option<(Value, S)>;

/// What depends on the resource rather than on the object.
pub struct Context<'a, S> {
    /// The shape of the object in the version that is written.
    pub shape: S,
    /// An object with nothing in it, as Go writes it (`spec: {}`, `status: {}`): what creates are compared with.
    pub empty: &'a Value,
    /// Fields that this endpoint does not write (`f:status` for the resource itself), never owned through it.
    pub reset: &'a Set,
    /// Converts an object into another version in which a manager owns fields; `None` if it is no longer
    /// served, which drops the manager.
    pub convert: Convert<'a, S>,
}

/// The [`Context::convert`] of resources with one version.
pub const fn one_version<S>(_object: &Value, _api_version: &str) -> Option<(Value, S)> {
    None
}

/// Sets `metadata.managedFields` of `new`, which `manager` is about to write over `live` (`None`: creates).
/// Both are to be in the form in which they are stored, with what Go always writes.
pub fn update<S: Shape>(
    context: &Context<'_, S>,
    live: Option<&Value>,
    new: &mut Value,
    manager: &Manager<'_>,
) {
    let sent = super::strip(new);
    let mut entries = entries_before(live, sent, manager.subresource);
    // An object that is not tracked stays so until it is applied.
    if entries.is_empty() && live.is_some() {
        return;
    }
    track(context, live.unwrap_or(context.empty), new, &mut entries, manager);
    encode(new, entries);
}

/// Subresources cannot edit the entries; other clients may, unless what they send cannot be read.
fn entries_before(live: Option<&Value>, sent: Option<Value>, subresource: &str) -> Vec<Entry> {
    let of_live = || live.and_then(decode).unwrap_or_default();
    if !subresource.is_empty() {
        return of_live();
    }
    if is_reset(sent.as_ref()) {
        return Vec::new();
    }
    match entries(sent) {
        Some(entries) if !entries.is_empty() => entries,
        _ => of_live(),
    }
}

/// Gives `manager` what it changed, and takes that from the others.
pub(super) fn track<S: Shape>(
    context: &Context<'_, S>,
    live: &Value,
    new: &Value,
    entries: &mut Vec<Entry>,
    manager: &Manager<'_>,
) {
    let comparison = filtered(compare(context.shape, live, new), context.reset);
    let changed = if entries.is_empty() {
        comparison.modified.join(comparison.added)
    } else {
        take_changed(context, live, new, entries, manager, comparison)
    };
    let changed = without_metadata(changed);
    if !changed.is_empty() {
        let mut own = Entry::of(manager, Operation::Update);
        own.time = Some(manager.time.to_owned());
        own.fields = changed;
        match entries.iter_mut().find(|entry| entry.is_same(&own)) {
            Some(entry) => {
                own.fields = own.fields.union(&entry.fields);
                *entry = own;
            }
            None => entries.push(own),
        }
    }
    cap(entries);
}

/// Takes what changed from whoever owns it; tells what that is.
fn take_changed<S: Shape>(
    context: &Context<'_, S>,
    live: &Value,
    new: &Value,
    entries: &mut Vec<Entry>,
    manager: &Manager<'_>,
    comparison: Comparison,
) -> Set {
    let changed = comparison.modified.clone().union(&comparison.added);
    let mut versions = Versions::new(context, live, new, manager.api_version, comparison);
    entries.retain_mut(|entry| match versions.get(&entry.api_version) {
        Some(comparison) => {
            let fields = std::mem::take(&mut entry.fields);
            entry.fields = fields
                .difference(&comparison.modified)
                .difference(&comparison.added)
                .difference(&comparison.removed);
            !entry.fields.is_empty()
        }
        None => false,
    });
    changed
}

/// Comparisons of the same two objects in each version that managers use.
pub(super) struct Versions<'a, S> {
    context: &'a Context<'a, S>,
    live: &'a Value,
    new: &'a Value,
    known: Vec<(String, Option<Comparison>)>,
}

impl<'a, S: Shape> Versions<'a, S> {
    pub(super) fn new(
        context: &'a Context<'a, S>,
        live: &'a Value,
        new: &'a Value,
        api_version: &str,
        comparison: Comparison,
    ) -> Self {
        Self { context, live, new, known: vec![(api_version.to_owned(), Some(comparison))] }
    }

    /// `None` if the version is not served.
    pub(super) fn get(&mut self, api_version: &str) -> Option<&Comparison> {
        let at = self.known.iter().position(|(known, _)| known == api_version).unwrap_or_else(|| {
            self.known.push((api_version.to_owned(), self.compare(api_version)));
            self.known.len() - 1
        });
        self.known.get(at).and_then(|(_, comparison)| comparison.as_ref())
    }

    fn compare(&self, api_version: &str) -> Option<Comparison> {
        let (new, shape) = (self.context.convert)(self.new, api_version)?;
        let (live, _) = (self.context.convert)(self.live, api_version)?;
        Some(filtered(compare(shape, &live, &new), self.context.reset))
    }
}

pub(super) fn filtered(comparison: Comparison, reset: &Set) -> Comparison {
    if reset.is_empty() {
        return comparison;
    }
    Comparison {
        removed: comparison.removed.recursive_difference(reset),
        modified: comparison.modified.recursive_difference(reset),
        added: comparison.added.recursive_difference(reset),
    }
}

/// Without what the server alone writes and nobody owns.
pub(super) fn without_metadata(fields: Set) -> Set {
    const METADATA: [&str; 9] = [
        "f:name",
        "f:namespace",
        "f:creationTimestamp",
        "f:selfLink",
        "f:uid",
        "f:clusterName",
        "f:generation",
        "f:managedFields",
        "f:resourceVersion",
    ];
    let Value::Object(mut map) = fields.into_value() else { return Set::new() };
    for name in ["f:apiVersion", "f:kind"] {
        map.remove(name);
    }
    if let Some(Value::Object(metadata)) = map.get_mut("f:metadata") {
        for name in METADATA {
            metadata.remove(name);
        }
        metadata.remove(".");
        if metadata.is_empty() {
            map.remove("f:metadata");
        }
    }
    Set::from_map(map)
}

/// Folds the oldest updaters of a version into one while there are too many.
fn cap(entries: &mut Vec<Entry>) {
    let mut updaters: Vec<usize> = (0..entries.len())
        .filter(|index| entries.get(*index).is_some_and(|entry| entry.operation == Operation::Update))
        .collect();
    if updaters.len() <= MAX_UPDATERS {
        return;
    }
    updaters.sort_by_key(|index| {
        let entry = &entries[*index];
        (entry.time.clone().unwrap_or_default(), entry.manager.clone(), entry.api_version.clone())
    });
    let mut excess = updaters.len() - MAX_UPDATERS;
    // The first of each version is renamed when a second one joins it.
    let mut first: Vec<(String, usize)> = Vec::new();
    let mut folded = Vec::new();
    for index in updaters {
        if excess == 0 {
            break;
        }
        let entry = entries[index].clone();
        let Some((_, into)) = first.iter().find(|(version, _)| *version == entry.api_version) else {
            first.push((entry.api_version, index));
            continue;
        };
        let bucket = &mut entries[*into];
        FOLDED.clone_into(&mut bucket.manager);
        bucket.subresource.clear();
        bucket.time = entry.time;
        bucket.fields = std::mem::take(&mut bucket.fields).union(&entry.fields);
        folded.push(index);
        excess -= 1;
    }
    folded.sort_unstable();
    for index in folded.into_iter().rev() {
        entries.remove(index);
    }
    // An earlier bucket of the same version may have been there already.
    let mut index = 0;
    while index < entries.len() {
        let same = entries[..index].iter().position(|entry| entry.is_same(&entries[index]));
        match same {
            Some(into) => {
                let entry = entries.remove(index);
                entries[into].fields = std::mem::take(&mut entries[into].fields).union(&entry.fields);
                entries[into].time = entry.time.max(entries[into].time.take());
            }
            None => index += 1,
        }
    }
}
