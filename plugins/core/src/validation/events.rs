//! Events: `pkg/apis/core/validation/events.go`, for both groups that serve them.

use super::checks::{Errors, IMMUTABLE, qualified, required, same, subdomain};
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Path};

/// Members of the internal type, with their names in `events.k8s.io`.
///
/// `reason` is there twice, as upstream compares it twice and so tells of it twice.
const MEMBERS: [(&str, &str); 14] = [
    ("involvedObject", "regarding"),
    ("reason", "reason"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("count", "deprecatedCount"),
    ("reason", "reason"),
    ("type", "type"),
    ("eventTime", "eventTime"),
    ("action", "action"),
    ("related", "related"),
    ("reportingComponent", "reportingController"),
    ("reportingInstance", "reportingInstance"),
];

/// The name of a member in the group that the event was sent to.
fn name_in(group: &str, name: &'static str) -> &'static str {
    if group.is_empty() {
        return name;
    }
    MEMBERS.iter().find(|(core, _)| *core == name).map_or(name, |(_, new)| new)
}

/// The name in errors, which is the internal type's.
fn told(name: &'static str) -> Path<'static> {
    Path::Child(&Path::Root, if name == "reportingComponent" { "reportingController" } else { name })
}

pub(super) fn create(group: &str, object: &Value, errors: &mut Errors) {
    let event = Node::root(object);
    legacy(group, &event, errors);
    if group.is_empty() {
        return;
    }
    series(&event, errors);
    if !event.has("eventTime") {
        errors.push(Error::required(&told("eventTime"), ""));
    }
    let kind = event.text("type");
    if !matches!(kind, "Normal" | "Warning") {
        errors.push(Error::invalid(&told("type"), "", format!("has invalid value: {kind}")));
    }
    for name in ["firstTimestamp", "lastTimestamp", "count", "source"] {
        let value = event.get(name_in(group, name));
        let set = match value {
            Value::Null => false,
            Value::Number(number) => number.as_i64() != Some(0),
            Value::Object(source) => {
                source.values().any(|part| part.as_str().is_some_and(|part| !part.is_empty()))
            }
            _ => true,
        };
        if set {
            errors.push(Error::invalid(&told(name), "", "needs to be unset"));
        }
    }
}

pub(super) fn update(group: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let (event, was) = (Node::root(new), Node::root(old));
    legacy(group, &event, errors);
    if group.is_empty() {
        return;
    }
    if !same(event.get("series"), was.get("series")) {
        series(&event, errors);
    }
    for (name, own) in MEMBERS {
        let (now, before) = (event.get(own), was.get(own));
        if !same(now, before) {
            errors.push(Error::invalid(&told(name), now.clone(), IMMUTABLE));
        }
    }
}

fn series(event: &Node<'_, '_>, errors: &mut Errors) {
    let Some(series) = event.some("series") else { return };
    if series.int("count") < 2 {
        errors.push(Error::invalid(&series.path.child("count"), "", "should be at least 2"));
    }
    if !series.has("lastObservedTime") {
        errors.push(Error::required(&series.path.child("lastObservedTime"), ""));
    }
}

fn legacy(group: &str, event: &Node<'_, '_>, errors: &mut Errors) {
    let about = event.child(name_in(group, "involvedObject"));
    let (namespace, own) = (about.text("namespace"), event.child("metadata").text("namespace"));
    let timed = event.has("eventTime");
    let fits = match (timed, namespace) {
        (true, "") => matches!(own, "default" | "kube-system"),
        (true, _) => true,
        (false, "") => matches!(own, "" | "default"),
        (false, namespace) => namespace == own,
    };
    if !fits {
        let path = told("involvedObject");
        errors.push(Error::invalid(&path.child("namespace"), namespace, "does not match event.namespace"));
    }
    if timed {
        let controller = event.child(name_in(group, "reportingComponent"));
        let name = controller.str();
        if name.is_empty() {
            errors.push(Error::required(&told("reportingComponent"), ""));
        }
        for reason in qualified(name) {
            errors.push(Error::invalid(&told("reportingComponent"), name, reason));
        }
        for (name, most) in [("reportingInstance", 128), ("action", 128), ("reason", 128)] {
            required(event, name, errors);
            too_long(name, event.text(name), most, errors);
        }
        too_long("message", event.text(name_in(group, "message")), 1024, errors);
    }
    for reason in subdomain(own) {
        errors.push(Error::invalid(&told("namespace"), own, reason));
    }
}

fn too_long(name: &'static str, text: &str, most: usize, errors: &mut Errors) {
    if text.len() > most {
        errors.push(Error::invalid(&told(name), "", format!("can have at most {most} characters")));
    }
}
