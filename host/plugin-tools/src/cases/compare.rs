//! How a document differs from what it should be.

use serde_json::Value;
use std::fmt;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where: `body.spec.ports[0]`.
    pub place: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

impl Mismatch {
    /// A difference at a place.
    pub fn new(place: impl Into<String>, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self { place: place.into(), expected: expected.to_string(), found: found.to_string() }
    }
}

impl fmt::Display for Mismatch {
    /// As a diff: `-` is what was expected, `+` what was found.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)?;
        for (sign, text) in [('-', &self.expected), ('+', &self.found)] {
            for line in text.trim_end().split('\n') {
                write!(f, "\n  {sign} {line}")?;
            }
        }
        Ok(())
    }
}

/// In what `found` differs from `expected`. An object may have members that are not expected; a list has exactly the
/// items that are; `"*"` stands for anything but null.
pub fn compare(place: &str, expected: &Value, found: &Value) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    walk(place, expected, Some(found), &mut mismatches);
    mismatches
}

fn walk(place: &str, expected: &Value, found: Option<&Value>, mismatches: &mut Vec<Mismatch>) {
    let Some(found) = found else {
        // Null is as good as absent, as everywhere in the API.
        if !expected.is_null() {
            mismatches.push(Mismatch::new(place, expected, "nothing"));
        }
        return;
    };
    match (expected, found) {
        (Value::Object(members), Value::Object(there)) => {
            for (name, expected) in members {
                walk(&member(place, name), expected, there.get(name), mismatches);
            }
        }
        (Value::Array(items), Value::Array(there)) if items.len() == there.len() => {
            for (index, (expected, found)) in items.iter().zip(there).enumerate() {
                walk(&format!("{place}[{index}]"), expected, Some(found), mismatches);
            }
        }
        (Value::String(any), found) if any == "*" && !found.is_null() => {}
        (Value::Number(one), Value::Number(other)) if one.as_f64() == other.as_f64() => {}
        (expected, found) if expected == found => {}
        (expected, found) => mismatches.push(Mismatch::new(place, expected, found)),
    }
}

/// The place of a member: with a dot, or as a key where dots and slashes are part of the name.
fn member(place: &str, name: &str) -> String {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        format!("{place}.{name}")
    } else {
        format!("{place}[{name:?}]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differs(expected: Value, found: Value) -> Vec<String> {
        compare("body", &expected, &found).into_iter().map(|it| it.place).collect()
    }

    #[test]
    fn objects_may_have_more_and_lists_may_not() {
        let found = json!({"metadata": {"name": "a", "uid": "x"}, "items": [{"a": 1, "b": 2}, {"a": 3}]});
        assert!(
            differs(json!({"metadata": {"name": "a"}, "items": [{"a": 1}, {"a": 3}]}), found.clone())
                .is_empty()
        );
        assert_eq!(differs(json!({"items": [{"a": 1}]}), found.clone()), ["body.items"]);
        assert_eq!(differs(json!({"items": [{"a": 1}, {"a": 4}]}), found), ["body.items[1].a"]);
    }

    #[test]
    fn a_star_is_anything_that_is_there() {
        assert!(differs(json!({"uid": "*"}), json!({"uid": "f00"})).is_empty());
        assert!(differs(json!({"spec": "*"}), json!({"spec": {}})).is_empty());
        assert_eq!(differs(json!({"uid": "*"}), json!({})), ["body.uid"]);
        assert_eq!(differs(json!({"uid": "*"}), json!({"uid": null})), ["body.uid"]);
    }

    #[test]
    fn null_is_as_good_as_absent() {
        assert!(differs(json!({"status": null}), json!({})).is_empty());
        assert_eq!(differs(json!({"status": null}), json!({"status": {}})), ["body.status"]);
    }

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(differs(json!({"a": 1.0}), json!({"a": 1})).is_empty());
        assert_eq!(differs(json!({"a": 1}), json!({"a": "1"})), ["body.a"]);
    }

    #[test]
    fn a_difference_reads_as_a_diff() {
        let found = json!({"metadata": {"annotations": {"example.com/x": "b"}}});
        let told = compare("body", &json!({"metadata": {"annotations": {"example.com/x": "a"}}}), &found);
        assert_eq!(told[0].to_string(), "body.metadata.annotations[\"example.com/x\"]\n  - \"a\"\n  + \"b\"");
    }
}
