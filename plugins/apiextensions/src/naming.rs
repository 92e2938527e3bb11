//! Which names a definition gets (`apiextensions-apiserver/pkg/controller/status/naming_controller.go`).

use crate::definition::{accepted_names, condition_is, set_condition, text};
use chainplate_sdk::apimachinery::{Map, Value, object};
use serde_json::json;
use std::collections::BTreeSet;

/// Names in use by the other definitions of a group.
#[derive(Debug, Default)]
struct Used {
    resources: BTreeSet<String>,
    kinds: BTreeSet<String>,
}

impl Used {
    fn by<'a>(crds: impl Iterator<Item = &'a Value>) -> Self {
        let mut used = Self::default();
        for crd in crds {
            let names = Value::Object(accepted_names(crd));
            used.resources.extend(["plural", "singular"].map(|key| text(&names, key).to_owned()));
            used.resources.extend(texts(&names, "shortNames").map(str::to_owned));
            used.kinds.extend(["kind", "listKind"].map(|key| text(&names, key).to_owned()));
        }
        used.resources.remove("");
        used.kinds.remove("");
        used
    }
}

fn texts<'a>(names: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    names.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// Gives `crd` the names it asks for as far as nobody else has them, and says so in its status. `others` are the other
/// definitions of its group. The result differs from `crd` only if something changed.
///
/// `Established` follows: it becomes true with the names, and is never taken back.
pub(crate) fn accept(crd: &Value, others: &[Value], now: &str) -> Value {
    let used = Used::by(others.iter().filter(|other| object::name(other) != object::name(crd)));
    let asked = crd.pointer("/spec/names").cloned().unwrap_or_else(|| json!({}));
    let accepted = Value::Object(accepted_names(crd));
    let mut names = accepted_names(crd);
    let mut conflict: Option<(&str, String)> = None;
    let mut single = |names: &mut Map, key: &str, reason: &'static str, used: &BTreeSet<String>| {
        let wanted = text(&asked, key);
        if wanted != text(&accepted, key) && used.contains(wanted) {
            conflict = Some((reason, format!("{wanted:?} is already in use")));
        } else if wanted.is_empty() {
            names.remove(key);
        } else {
            names.insert(key.into(), wanted.into());
        }
    };
    single(&mut names, "plural", "PluralConflict", &used.resources);
    single(&mut names, "singular", "SingularConflict", &used.resources);
    let mut kinds = Map::new();
    let mut kind_conflict = None;
    for (key, reason) in [("kind", "KindConflict"), ("listKind", "ListKindConflict")] {
        let wanted = text(&asked, key);
        if wanted != text(&accepted, key) && used.kinds.contains(wanted) {
            kind_conflict = Some((reason, format!("{wanted:?} is already in use")));
            // What was accepted before stays.
            kinds.insert(key.into(), text(&accepted, key).into());
        } else {
            kinds.insert(key.into(), wanted.into());
        }
    }
    let own: BTreeSet<&str> = texts(&accepted, "shortNames").collect();
    let taken: Vec<String> = texts(&asked, "shortNames")
        .filter(|name| !own.contains(name) && used.resources.contains(*name))
        .map(|name| format!("{name:?} is already in use"))
        .collect();
    match taken.as_slice() {
        [] => copy(&mut names, &asked, "shortNames"),
        [one] => conflict = Some(("ShortNamesConflict", one.clone())),
        several => conflict = Some(("ShortNamesConflict", format!("[{}]", several.join(", ")))),
    }
    // The last conflict is the one that is told.
    let conflict = kind_conflict.or(conflict);
    copy(&mut names, &asked, "categories");
    names.extend(kinds);
    if names.get("listKind").is_some_and(|kind| kind == "") {
        names.remove("listKind");
    }

    let mut new = crd.clone();
    if let Some(root) = new.as_object_mut() {
        let status = root.entry("status").or_insert_with(|| json!({}));
        if let Some(status) = status.as_object_mut() {
            names.entry("plural").or_insert_with(|| "".into());
            status.insert("acceptedNames".into(), names.into());
        }
    }
    match conflict {
        None => {
            set_condition(&mut new, "NamesAccepted", "True", "NoConflicts", "no conflicts found", now);
            if !condition_is(&new, "Established", "True") {
                let message = "the initial names have been accepted";
                set_condition(&mut new, "Established", "True", "InitialNamesAccepted", message, now);
            }
        }
        Some((reason, message)) => {
            set_condition(&mut new, "NamesAccepted", "False", reason, &message, now);
            if !condition_is(&new, "Established", "True") {
                set_condition(
                    &mut new,
                    "Established",
                    "False",
                    "NotAccepted",
                    "not all names are accepted",
                    now,
                );
            }
        }
    }
    new
}

fn copy(names: &mut Map, asked: &Value, key: &str) {
    match asked.get(key).filter(|value| value.as_array().is_some_and(|list| !list.is_empty())) {
        Some(value) => {
            names.insert(key.into(), value.clone());
        }
        None => {
            names.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(plural: &str, kind: &str, short: &[&str]) -> Value {
        json!({"metadata": {"name": format!("{plural}.g")}, "spec": {"group": "g", "names": {
            "plural": plural, "singular": plural.trim_end_matches('s'), "kind": kind, "listKind": format!("{kind}List"), "shortNames": short}},
            "status": {"acceptedNames": {"plural": "", "kind": ""}, "conditions": null, "storedVersions": ["v1"]}})
    }

    #[test]
    fn free_names_are_accepted_and_establish() {
        let new = accept(&crd("widgets", "Widget", &["wd"]), &[], "t");
        assert_eq!(
            new["status"],
            json!({"acceptedNames": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList", "shortNames": ["wd"]},
                "storedVersions": ["v1"], "conditions": [
                {"type": "NamesAccepted", "status": "True", "lastTransitionTime": "t", "reason": "NoConflicts", "message": "no conflicts found"},
                {"type": "Established", "status": "True", "lastTransitionTime": "t", "reason": "InitialNamesAccepted", "message": "the initial names have been accepted"}]})
        );
        assert_eq!(accept(&new, std::slice::from_ref(&new), "later"), new);
    }

    #[test]
    fn names_in_use_are_refused_and_the_rest_accepted() {
        let first = accept(&crd("widgets", "Widget", &["wd"]), &[], "t");
        let second = accept(&crd("gadgets", "Widget", &["wd"]), std::slice::from_ref(&first), "t");
        assert_eq!(
            second["status"],
            json!({"acceptedNames": {"plural": "gadgets", "singular": "gadget", "kind": ""}, "storedVersions": ["v1"], "conditions": [
                {"type": "NamesAccepted", "status": "False", "lastTransitionTime": "t", "reason": "ListKindConflict", "message": "\"WidgetList\" is already in use"},
                {"type": "Established", "status": "False", "lastTransitionTime": "t", "reason": "NotAccepted", "message": "not all names are accepted"}]})
        );
        let third = accept(&crd("gizmos", "Gizmo", &["wd"]), &[first, second], "t");
        assert_eq!(third["status"]["conditions"][0]["reason"], "ShortNamesConflict");
        assert_eq!(third["status"]["acceptedNames"]["kind"], "Gizmo");
    }
}
