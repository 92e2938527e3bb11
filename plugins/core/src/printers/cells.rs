//! What several types print alike.

use super::Row;
use chainplate_sdk::apimachinery::{Value, table};
use std::collections::BTreeSet;

/// No value, in upstream's spelling.
pub(super) const NONE: &str = "<none>";
/// A value that nobody set.
pub(super) const UNSET: &str = "<unset>";

impl<'a> Row<'a> {
    /// A member by its path, `spec.nodeName`.
    pub(super) fn at(&self, path: &str) -> &'a Value {
        at(self.object, path)
    }

    /// A text; empty when there is none.
    pub(super) fn text(&self, path: &str) -> &'a str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// A text, or something else when it is empty.
    pub(super) fn text_or(&self, path: &str, other: &str) -> Value {
        or(self.text(path), other)
    }

    /// A number; 0 when there is none.
    pub(super) fn number(&self, path: &str) -> i64 {
        self.at(path).as_i64().unwrap_or_default()
    }

    /// A list; empty when there is none.
    pub(super) fn list(&self, path: &str) -> &'a [Value] {
        list(self.object, path)
    }

    /// The number of entries of a list or of a map.
    pub(super) fn count(&self, path: &str) -> usize {
        match self.at(path) {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        }
    }

    pub(super) fn name(&self) -> Value {
        self.text("metadata.name").into()
    }

    pub(super) fn age(&self) -> Value {
        self.age_of("metadata.creationTimestamp").into()
    }

    /// The age of a time, `<unknown>` without one.
    pub(super) fn age_of(&self, path: &str) -> String {
        table::age(self.at(path).as_str(), self.now)
    }

    pub(super) fn is_deleting(&self) -> bool {
        !self.at("metadata.deletionTimestamp").is_null()
    }

    /// Names and images of containers.
    pub(super) fn containers(&self, path: &str) -> [Value; 2] {
        let join = |member: &str| {
            let texts: Vec<&str> = self.list(path).iter().map(|container| text(container, member)).collect();
            texts.join(",").into()
        };
        [join("name"), join("image")]
    }
}

/// A member by its path; null when there is none.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> &'a Value {
    path.split('.').fold(value, |value, member| value.get(member).unwrap_or(&Value::Null))
}

pub(super) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).as_str().unwrap_or_default()
}

pub(super) fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).as_array().map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn or(text: &str, other: &str) -> Value {
    if text.is_empty() { other.into() } else { text.into() }
}

/// A number or text as it stands (`IntOrString`, quantities).
pub(super) fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// `labels.FormatLabels`.
pub(super) fn labels(value: &Value) -> Value {
    let pairs: Vec<String> = value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    or(&pairs.join(","), NONE)
}

/// `metav1.FormatLabelSelector`.
pub(super) fn selector(value: &Value) -> Value {
    or(&selector_text(value), NONE)
}

/// A label selector in the form of the `labelSelector` parameter, its requirements sorted by key.
pub(super) fn selector_text(value: &Value) -> String {
    let mut requirements: Vec<(&str, String)> = at(value, "matchLabels")
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), format!("{key}={}", value.as_str().unwrap_or_default())))
        .collect();
    for expression in list(value, "matchExpressions") {
        let key = text(expression, "key");
        let values: BTreeSet<&str> = list(expression, "values").iter().filter_map(Value::as_str).collect();
        let values = values.into_iter().collect::<Vec<_>>().join(",");
        requirements.push((
            key,
            match text(expression, "operator") {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "DoesNotExist" => format!("!{key}"),
                _ => key.to_owned(),
            },
        ));
    }
    requirements.sort_by_key(|(key, _)| *key);
    let texts: Vec<String> = requirements.into_iter().map(|(_, text)| text).collect();
    texts.join(",")
}

/// The first texts of a longer list, and how many more there are.
pub(super) fn few(list: &[String], count: usize, max: usize, empty: &str) -> String {
    if count > max {
        return format!("{} + {} more...", list[..list.len().min(max)].join(","), count - max);
    }
    if list.is_empty() { empty.to_owned() } else { list.join(",") }
}

/// Whether a condition is `True`.
pub(super) fn is_true(conditions: &[Value], kind: &str) -> bool {
    conditions
        .iter()
        .find(|condition| text(condition, "type") == kind)
        .is_some_and(|condition| text(condition, "status") == "True")
}
