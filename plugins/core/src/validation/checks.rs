//! Checks that many types share, with upstream's texts.

use super::amount::Amount;
use super::view::Node;
use chainplate_apimachinery::field::{Error, Kind, Path};
use chainplate_apimachinery::{Value, names};
use std::fmt::Write;

/// What a validation found, in the order it looked.
pub(super) type Errors = Vec<Error>;

/// A rule about a text: the reasons why it will not do.
pub(super) type TextRule = fn(&str) -> Vec<String>;

pub(super) const IMMUTABLE: &str = "field is immutable";
pub(super) const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
pub(super) const PORT_RANGE: &str = "must be between 1 and 65535, inclusive";
pub(super) const SELECTOR_MISMATCH: &str = "`selector` does not match template `labels`";

/// `spec.x`, without borrowing a parent.
pub(super) const SPEC: Path<'static> = Path::Child(&Path::Root, "spec");
/// `metadata`.
pub(super) const METADATA: Path<'static> = Path::Child(&Path::Root, "metadata");
/// `status`.
pub(super) const STATUS: Path<'static> = Path::Child(&Path::Root, "status");

/// The text of a range.
pub(super) fn between(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

/// Upstream's text of a rule that is an expression, with examples.
pub(super) fn pattern(text: &str, expression: &str, examples: &[&str]) -> String {
    let mut message = format!("{text} (e.g. ");
    for (index, example) in examples.iter().enumerate() {
        if index > 0 {
            message.push_str(" or ");
        }
        let _ = write!(message, "'{example}', ");
    }
    let _ = write!(message, "regex used for validation is '{expression}')");
    message
}

/// An error about a struct of upstream's internal types, whose JSON has Go's names in Go's order: `shown` is
/// that JSON. `Value` sorts members, so it stands in front of the detail.
pub(super) fn shown(kind: Kind, path: &Path<'_>, shown: String, detail: &str) -> Error {
    let detail = if detail.is_empty() { shown } else { format!("{shown}: {detail}") };
    Error { kind, field: path.to_string(), value: None, detail }
}

/// The JSON of a Go struct without tags: members in their order, absent ones as null.
pub(super) fn go_struct(members: &[(&str, &Value)]) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in members.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let _ = write!(text, "{name:?}:{value}");
    }
    text.push('}');
    text
}

/// The JSON of a text of a struct, `""` when it is absent.
pub(super) fn go_text(value: &Value) -> Value {
    if value.is_null() { Value::from("") } else { value.clone() }
}

/// Adds `Required value` unless the text is there. True if it is.
pub(super) fn required(node: &Node<'_, '_>, name: &str, errors: &mut Errors) -> bool {
    required_with(node, name, "", errors)
}

/// [`required`] with a detail.
pub(super) fn required_with(node: &Node<'_, '_>, name: &str, detail: &str, errors: &mut Errors) -> bool {
    let there = !node.text(name).is_empty();
    if !there {
        errors.push(Error::required(&node.path.child(name), detail));
    }
    there
}

/// [`required`] for each of a struct's members.
pub(super) fn all_required(node: &Node<'_, '_>, names: &[&str], errors: &mut Errors) {
    for name in names {
        required(node, name, errors);
    }
}

/// Adds an `Invalid value` for each reason.
pub(super) fn reasons(node: &Node<'_, '_>, reasons: Vec<String>, errors: &mut Errors) {
    for reason in reasons {
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
}

/// Checks the text at `node`.
pub(super) fn text(node: &Node<'_, '_>, rule: TextRule, errors: &mut Errors) {
    reasons(node, rule(node.str()), errors);
}

/// Checks a member's text, empty or not.
pub(super) fn member(node: &Node<'_, '_>, name: &str, rule: TextRule, errors: &mut Errors) {
    for reason in rule(node.text(name)) {
        errors.push(Error::invalid(&node.path.child(name), node.text(name), reason));
    }
}

/// Checks a member's text if it is not empty.
pub(super) fn member_if_any(node: &Node<'_, '_>, name: &str, rule: TextRule, errors: &mut Errors) {
    if !node.text(name).is_empty() {
        member(node, name, rule, errors);
    }
}

/// A member that is required and follows a rule.
pub(super) fn required_member(node: &Node<'_, '_>, name: &str, rule: TextRule, errors: &mut Errors) {
    if required(node, name, errors) {
        member(node, name, rule, errors);
    }
}

/// A text that is absent, or one of a set.
pub(super) fn optional_one_of(node: &Node<'_, '_>, name: &str, allowed: &[&str], errors: &mut Errors) {
    if node.has(name) {
        supported(&node.path.child(name), node.text(name), allowed, errors);
    }
}

/// A text that is one of a set; the empty text is `Required value`.
pub(super) fn one_of(node: &Node<'_, '_>, name: &str, allowed: &[&str], errors: &mut Errors) {
    if required(node, name, errors) {
        supported(&node.path.child(name), node.text(name), allowed, errors);
    }
}

/// Adds `Unsupported value` unless the text is one of a set.
pub(super) fn supported(path: &Path<'_>, text: &str, allowed: &[&str], errors: &mut Errors) {
    if !allowed.contains(&text) {
        errors.push(Error::not_supported(path, text, allowed));
    }
}

/// A number that is not negative; absent is zero.
pub(super) fn not_negative(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    if node.int(name) < 0 {
        errors.push(Error::invalid(&node.path.child(name), node.int(name), NOT_NEGATIVE));
    }
}

/// [`not_negative`] for each of a struct's members.
pub(super) fn none_negative(node: &Node<'_, '_>, names: &[&str], errors: &mut Errors) {
    for name in names {
        not_negative(node, name, errors);
    }
}

/// A number, if there is one, that lies in a range.
pub(super) fn in_range(node: &Node<'_, '_>, name: &str, low: i64, high: i64, errors: &mut Errors) {
    if let Some(number) = node.number(name)
        && !(low..=high).contains(&number)
    {
        errors.push(Error::invalid(&node.path.child(name), number, between(low, high)));
    }
}

/// Adds `field is immutable` if a member changed.
pub(super) fn immutable(new: &Node<'_, '_>, old: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    if !same(new.get(name), old.get(name)) {
        errors.push(Error::invalid(&new.path.child(name), new.get(name).clone(), IMMUTABLE));
    }
}

/// Upstream's semantic equality: what is absent, null or an empty list or map is the same, and quantities are
/// compared as amounts where they stand under a name that holds them.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.iter().all(|(key, value)| same_member(key, value, b.get(key)))
                && b.iter().all(|(key, value)| a.contains_key(key) || same_member(key, value, None))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        _ => a == b || (nothing(a) && nothing(b)),
    }
}

fn same_member(key: &str, a: &Value, b: Option<&Value>) -> bool {
    /// Members that hold amounts by name.
    const AMOUNTS: [&str; 8] =
        ["limits", "requests", "capacity", "allocatable", "hard", "overhead", "podFixed", "sizeLimit"];
    /// Maps of which an empty one is none. Elsewhere an empty object is a pointer that is set.
    const MAPS: [&str; 12] = [
        "labels",
        "annotations",
        "matchLabels",
        "nodeSelector",
        "data",
        "binaryData",
        "parameters",
        "options",
        "limits",
        "requests",
        "resources",
        "volumeAttributes",
    ];
    match b {
        None => nothing(a) || (MAPS.contains(&key) && a.as_object().is_some_and(serde_json::Map::is_empty)),
        Some(b) if same(a, b) => true,
        Some(b) if AMOUNTS.contains(&key) => same_amounts(a, b),
        Some(b) => MAPS.contains(&key) && nothing_in_map(a) && nothing_in_map(b),
    }
}

fn same_amounts(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| Amount::of(a) == Amount::of(b)))
        }
        // A list under such a name is something else: the requests of a claim.
        (Value::Array(_), _) | (_, Value::Array(_)) => false,
        _ => Amount::of(a) == Amount::of(b),
    }
}

fn nothing_in_map(value: &Value) -> bool {
    nothing(value) || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Null, or an empty list.
fn nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// `Required value` for a list without items.
pub(super) fn required_items(node: &Node<'_, '_>, name: &str, detail: &str, errors: &mut Errors) -> bool {
    let there = !node.is_empty(name);
    if !there {
        errors.push(Error::required(&node.path.child(name), detail));
    }
    there
}

/// A DNS-1123 label.
pub(super) fn label(value: &str) -> Vec<String> {
    names::dns1123_label(value)
}

/// A DNS-1123 subdomain.
pub(super) fn subdomain(value: &str) -> Vec<String> {
    names::dns1123_subdomain(value)
}

/// A qualified name, which is also a label's key.
pub(super) fn qualified(value: &str) -> Vec<String> {
    names::qualified_name(value)
}

/// A text that may stand in a path.
pub(super) fn path_segment(value: &str) -> Vec<String> {
    names::path_segment(value, false)
}

/// A port's number.
pub(super) fn port_number(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let number = node.int(name);
    if !(1..=65535).contains(&number) {
        errors.push(Error::invalid(&node.path.child(name), number, PORT_RANGE));
    }
}

/// A port's name (`IsValidPortName`).
pub(super) fn port_name(name: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    let mut add = |wrong: bool, reason: &str| {
        if wrong {
            reasons.push(reason.to_owned());
        }
    };
    let known = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
    add(name.len() > 15, "must be no more than 15 characters");
    add(
        name.is_empty() || !name.bytes().all(known),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    add(!name.bytes().any(|byte| byte.is_ascii_lowercase()), "must contain at least one letter (a-z)");
    add(name.contains("--"), "must not contain consecutive hyphens");
    add(name.starts_with('-') || name.ends_with('-'), "must not begin or end with a hyphen");
    reasons
}

/// A port by number or by name (`ValidatePortNumOrName`); absent is number zero.
pub(super) fn port(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    match node.get(name) {
        Value::String(_) => member(node, name, port_name, errors),
        _ => port_number(node, name, errors),
    }
}

/// A number or a percentage that is not negative (`ValidatePositiveIntOrPercent`).
pub(super) fn int_or_percent(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    match node.get(name) {
        Value::String(text) => {
            if percent(text).is_none() {
                let reason = pattern(
                    "a valid percent string must be a numeric string followed by an ending '%'",
                    "[0-9]+%",
                    &["1%", "93%"],
                );
                errors.push(Error::invalid(&node.path.child(name), text.as_str(), reason));
            }
        }
        _ => not_negative(node, name, errors),
    }
}

/// `IsNotMoreThan100Percent`.
pub(super) fn at_most_all(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let text = node.text(name);
    if percent(text).is_some_and(|percent| percent > 100) {
        errors.push(Error::invalid(&node.path.child(name), text, "must not be greater than 100%"));
    }
}

/// The amount of a number or percentage, zero if it is neither.
pub(super) fn int_or_percent_value(value: &Value) -> i64 {
    value.as_i64().or_else(|| percent(value.as_str()?)).unwrap_or_default()
}

fn percent(text: &str) -> Option<i64> {
    let digits = text.strip_suffix('%')?;
    let valid = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| digits.parse().unwrap_or(i64::MAX))
}

/// A key of a ConfigMap or Secret (`IsConfigMapKey`).
pub(super) fn config_key(key: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if key.len() > 253 {
        reasons.push("must be no more than 253 characters".to_owned());
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if key.is_empty() || !key.bytes().all(known) {
        reasons.push(pattern(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match key {
        "." => reasons.push("must not be '.'".to_owned()),
        ".." => reasons.push("must not be '..'".to_owned()),
        _ if key.starts_with("..") => reasons.push("must not start with '..'".to_owned()),
        _ => {}
    }
    reasons
}

/// A domain with a path, `acme.io/foo` (`IsDomainPrefixedPath`).
pub(super) fn domain_path(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let (path, text) = (node.path.child(name), node.text(name));
    let Some((host, rest)) = text.split_once('/').filter(|(host, rest)| !host.is_empty() && !rest.is_empty())
    else {
        let reason = "must be a domain-prefixed path (such as \"acme.io/foo\")";
        errors.push(Error::invalid(&path, text, reason));
        return;
    };
    for reason in subdomain(host) {
        errors.push(Error::invalid(&path, host, reason));
    }
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~%!$&'()*+,;=:".contains(&byte);
    if !rest.bytes().all(known) {
        let expression = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+";
        let reason = format!("Invalid path (regex used for validation is '{expression}')");
        errors.push(Error::invalid(&path, rest, reason));
    }
}
