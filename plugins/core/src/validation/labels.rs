//! Labels and selectors (`apimachinery/pkg/apis/meta/v1/validation`).

use super::checks::{Errors, qualified, reasons, text};
use super::view::Node;
use chainplate_apimachinery::field::Error;
use chainplate_apimachinery::{Map, Value, names};

/// A map of labels: every error stands at the map, not at the key.
pub(super) fn labels(node: &Node<'_, '_>, errors: &mut Errors) {
    let Some(map) = node.value.as_object() else { return };
    for (key, value) in map {
        for reason in qualified(key) {
            errors.push(Error::invalid(&node.path, key.as_str(), reason));
        }
        for reason in names::label_value(value.as_str().unwrap_or_default()) {
            errors.push(Error::invalid(&node.path, value.clone(), reason));
        }
    }
}

/// A `LabelSelector`, if there is one.
pub(super) fn selector(node: &Node<'_, '_>, errors: &mut Errors) {
    labels(&node.child("matchLabels"), errors);
    node.child("matchExpressions").each(|_, requirement| {
        match requirement.text("operator") {
            "In" | "NotIn" => {
                if requirement.is_empty("values") {
                    errors.push(Error::required(
                        &requirement.path.child("values"),
                        "must be specified when `operator` is 'In' or 'NotIn'",
                    ));
                }
            }
            "Exists" | "DoesNotExist" => {
                if !requirement.is_empty("values") {
                    errors.push(Error::forbidden(
                        &requirement.path.child("values"),
                        "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
                    ));
                }
            }
            operator => errors.push(Error::invalid(
                &requirement.path.child("operator"),
                operator,
                "not a valid selector operator",
            )),
        }
        let key = requirement.child("key");
        for reason in qualified(requirement.text("key")) {
            errors.push(Error::invalid(&key.path, requirement.text("key"), reason));
        }
        requirement.child("values").each(|_, value| {
            reasons(value, names::label_value(value.str()), errors);
        });
    });
}

/// A label's key.
pub(super) fn key(node: &Node<'_, '_>, errors: &mut Errors) {
    if node.present() {
        text(node, qualified, errors);
    } else {
        for reason in qualified("") {
            errors.push(Error::invalid(&node.path, "", reason));
        }
    }
}

/// What a selector selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// These labels, or everything.
    Yes,
    /// Other labels.
    No,
    /// The selector has an operator that there is not.
    Invalid,
}

/// Whether a `LabelSelector` selects labels. None selects nothing, an empty one everything.
pub(super) fn matches(selector: &Value, labels: Option<&Map>) -> Match {
    if selector.is_null() {
        return Match::No;
    }
    let label = |key: &str| labels.and_then(|labels| labels.get(key)).and_then(Value::as_str);
    let node = Node::root(selector);
    let mut found = Match::Yes;
    if let Some(wanted) = node.map("matchLabels")
        && !wanted.iter().all(|(key, value)| label(key) == value.as_str() && label(key).is_some())
    {
        found = Match::No;
    }
    for requirement in node.list("matchExpressions") {
        let requirement = Node::root(requirement);
        let value = label(requirement.text("key"));
        let listed = value.is_some_and(|value| requirement.lists("values", value));
        let holds = match requirement.text("operator") {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => return Match::Invalid,
        };
        if !holds {
            found = Match::No;
        }
    }
    found
}

/// Whether a selector has no requirement.
pub(super) fn selects_all(node: &Node<'_, '_>) -> bool {
    node.is_empty("matchLabels") && node.is_empty("matchExpressions")
}
