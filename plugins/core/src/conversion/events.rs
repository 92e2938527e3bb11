//! `v1` Event and `events.k8s.io/v1` Event: the same fields under other names (`pkg/apis/events/v1/conversion.go`).

use chainplate_sdk::apimachinery::{Map, Value};

/// Names in core and in `events.k8s.io`.
const NAMES: [(&str, &str); 7] = [
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reportingComponent", "reportingController"),
];
/// Members that each version always writes, and what stands there when there is nothing to tell: structs are
/// written empty, times as null, and the texts and objects of one version are optional in the other.
const ALWAYS_IN_CORE: [&str; 3] = ["involvedObject", "reportingComponent", "reportingInstance"];

pub(super) fn to_events(object: &mut Map) {
    for (core, events) in NAMES {
        rename(object, core, events);
    }
    for name in ["reportingController", "reportingInstance"] {
        drop_empty(object, name);
    }
    if object.get("regarding").and_then(Value::as_object).is_some_and(Map::is_empty) {
        object.remove("regarding");
    }
    fill(object, ["deprecatedSource", "deprecatedFirstTimestamp", "deprecatedLastTimestamp"]);
}

pub(super) fn to_core(object: &mut Map) {
    for (core, events) in NAMES {
        rename(object, events, core);
    }
    for name in ALWAYS_IN_CORE {
        if name == "involvedObject" {
            object.entry(name).or_insert_with(|| Map::new().into());
        } else {
            object.entry(name).or_insert_with(|| "".into());
        }
    }
    fill(object, ["source", "firstTimestamp", "lastTimestamp"]);
}

fn rename(object: &mut Map, from: &str, to: &str) {
    if let Some(value) = object.remove(from) {
        object.insert(to.into(), value);
    }
}

fn drop_empty(object: &mut Map, name: &str) {
    if object.get(name).and_then(Value::as_str) == Some("") {
        object.remove(name);
    }
}

fn fill(object: &mut Map, [source, first, last]: [&str; 3]) {
    object.entry(source).or_insert_with(|| Map::new().into());
    for name in [first, last, "eventTime"] {
        object.entry(name).or_insert(Value::Null);
    }
}
