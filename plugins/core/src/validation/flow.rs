//! `pkg/apis/flowcontrol/validation`.

use super::checks::{
    Errors, SPEC, between, go_struct, go_text, label, required, required_items, required_with, shown,
    subdomain, supported,
};
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};
use serde_json::json;

const EXEMPT: &str = "exempt";
const VERBS: [&str; 9] =
    ["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let name = root.child("metadata").text("name");
    let spec = root.child("spec");
    match kind {
        "FlowSchema" => flow_schema(name, &spec, errors),
        "PriorityLevelConfiguration" => priority_level(name, &spec, errors),
        _ => return,
    }
    update_status(object, errors);
}

pub(super) fn update_status(new: &Value, errors: &mut Errors) {
    let root = Node::root(new);
    let status = root.child("status");
    let all = status.list("conditions");
    status.child("conditions").each(|index, condition| {
        let kind = condition.text("type");
        if all[..index].iter().any(|other| Node::root(other).text("type") == kind) {
            errors.push(Error::duplicate(&condition.path.child("type"), kind));
        }
        required_with(condition, "type", "must not be empty", errors);
    });
}

fn flow_schema(name: &str, spec: &Node<'_, '_>, errors: &mut Errors) {
    const MAX: i64 = 10_000;
    let precedence = spec.int("matchingPrecedence");
    let mut invalid = |reason: String| {
        errors.push(Error::invalid(&SPEC.child("matchingPrecedence"), precedence, reason));
    };
    if precedence <= 0 {
        invalid("must be a positive value".into());
    }
    if precedence > MAX {
        invalid(format!("must not be greater than {MAX}"));
    }
    if precedence == 1 && name != EXEMPT {
        invalid("only the schema named 'exempt' may have matchingPrecedence 1".into());
    }
    if let Some(method) = spec.some("distinguisherMethod")
        && !matches!(method.text("type"), "ByNamespace" | "ByUser")
    {
        let kind = go_text(method.get("type"));
        let told = go_struct(&[("Type", &kind)]);
        let detail = "supported values: \"ByNamespace\", \"ByUser\"";
        errors.push(shown(Kind::NotSupported, &method.path.child("type"), told, detail));
    }
    let level = spec.child("priorityLevelConfiguration");
    if required_with(&level, "name", "must reference a priority level", errors) {
        super::checks::member(&level, "name", subdomain, errors);
    }
    spec.child("rules").each(|_, rule| {
        required_items(rule, "subjects", "subjects must contain at least one value", errors);
        rule.child("subjects").each(|_, item| subject(item, errors));
        if rule.is_empty("resourceRules") && rule.is_empty("nonResourceRules") {
            let reason = "at least one of resourceRules and nonResourceRules has to be non-empty";
            errors.push(Error::required(&rule.path, reason));
        }
        rule.child("resourceRules").each(|_, item| resource_rule(item, errors));
        rule.child("nonResourceRules").each(|_, item| url_rule(item, errors));
    });
    if let Some(fixed) = mandatory_schema(name)
        && &fixed != spec.value
    {
        let reason = format!("spec of '{name}' must equal the fixed value");
        errors.push(Error::invalid(&SPEC, spec.value.clone(), reason));
    }
}

/// The schemas that every server has, which nobody changes (`apis/flowcontrol/internalbootstrap`).
pub(super) fn mandatory_schema(name: &str) -> Option<Value> {
    let group = |name: &str| json!({"kind": "Group", "group": {"name": name}});
    let everything = json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "clusterScope": true,
        "namespaces": ["*"]});
    let urls = json!({"verbs": ["*"], "nonResourceURLs": ["*"]});
    let (precedence, level, method, subjects) = match name {
        "exempt" => (1, "exempt", None, json!([group("system:masters")])),
        "catch-all" => (
            10_000,
            "catch-all",
            Some("ByUser"),
            json!([group("system:unauthenticated"), group("system:authenticated")]),
        ),
        _ => return None,
    };
    let mut spec = json!({
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [{"subjects": subjects, "resourceRules": [everything], "nonResourceRules": [urls]}],
    });
    if let Some(method) = method {
        spec["distinguisherMethod"] = json!({"type": method});
    }
    Some(spec)
}

fn subject(item: &Node<'_, '_>, errors: &mut Errors) {
    const KINDS: [(&str, &str); 3] =
        [("Group", "group"), ("ServiceAccount", "serviceAccount"), ("User", "user")];
    let kind = item.text("kind");
    let Some((_, own)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return supported(&item.path.child("kind"), kind, &KINDS.map(|(known, _)| known), errors);
    };
    match item.some(own) {
        None => {
            let reason = format!("{own} is required when subject kind is '{kind}'");
            errors.push(Error::required(&item.path.child(own), reason));
        }
        Some(subject) => {
            let name = subject.text("name");
            if required(&subject, "name", errors) && kind == "ServiceAccount" && name != "*" {
                super::checks::member(&subject, "name", subdomain, errors);
            }
            if kind == "ServiceAccount"
                && required_with(&subject, "namespace", "must specify namespace for service account", errors)
            {
                super::checks::member(&subject, "namespace", label, errors);
            }
        }
    }
    for (other, member) in [KINDS[1], KINDS[2], KINDS[0]] {
        if other != kind && item.has(member) {
            let reason = format!("{member} is forbidden when subject kind is not '{other}'");
            errors.push(Error::forbidden(&item.path.child(member), reason));
        }
    }
}

/// A list that must have items, `*` only alone. True if the items are to be looked at.
fn wildcards(node: &Node<'_, '_>, list: &str, needed: &str, what: &str, errors: &mut Errors) -> bool {
    if !needed.is_empty() && !required_items(node, list, needed, errors) {
        return false;
    }
    if !node.lists(list, "*") {
        return true;
    }
    if node.len(list) > 1 {
        let reason = format!("if '*' is present, must not specify other {what}");
        errors.push(Error::invalid(&node.path.child(list), node.get(list).clone(), reason));
    }
    false
}

fn verbs(rule: &Node<'_, '_>, errors: &mut Errors) {
    if wildcards(rule, "verbs", "verbs must contain at least one value", "verbs", errors)
        && !rule.texts("verbs").all(|verb| VERBS.contains(&verb))
    {
        errors.push(Error::not_supported(&rule.path.child("verbs"), rule.get("verbs").clone(), &VERBS));
    }
}

fn resource_rule(rule: &Node<'_, '_>, errors: &mut Errors) {
    verbs(rule, errors);
    let needed = "resource rules must supply at least one api group";
    wildcards(rule, "apiGroups", needed, "api groups", errors);
    let needed = "resource rules must supply at least one resource";
    wildcards(rule, "resources", needed, "resources", errors);
    if rule.is_empty("namespaces") && !rule.is("clusterScope") {
        let reason = "resource rules that are not cluster scoped must supply at least one namespace";
        errors.push(Error::required(&rule.path.child("namespaces"), reason));
    } else if wildcards(rule, "namespaces", "", "namespaces", errors) {
        rule.child("namespaces").each(|_, namespace| {
            for reason in label(namespace.str()) {
                let reason = format!("each member of this list must be '*' or a DNS-1123 label; {reason}");
                errors.push(Error::invalid(&namespace.path, namespace.str(), reason));
            }
        });
    }
}

fn url_rule(rule: &Node<'_, '_>, errors: &mut Errors) {
    verbs(rule, errors);
    let needed = "nonResourceURLs must contain at least one value";
    if wildcards(rule, "nonResourceURLs", needed, "non-resource URLs", errors) {
        rule.child("nonResourceURLs").each(|_, url| {
            let text = url.str();
            let stars = text.matches('*').count();
            let reason = match text {
                "" => "must not be empty",
                "/" => return,
                _ if !text.starts_with('/') => "must start with slash",
                _ if text.contains(' ') => "must not contain white-space",
                _ if text.contains("//") => "must not contain double slash",
                _ if stars > 1 || (stars == 1 && !text.ends_with("/*")) => {
                    "wildcard can only do suffix matching"
                }
                _ => return,
            };
            errors.push(Error::invalid(&url.path, text, reason));
        });
    }
}

fn priority_level(name: &str, spec: &Node<'_, '_>, errors: &mut Errors) {
    let kind = spec.text("type");
    if (name == EXEMPT) != (kind == "Exempt") {
        let reason = "must be 'Exempt' if and only if `name` is 'exempt'";
        errors.push(Error::invalid(&SPEC.child("type"), kind, reason));
    }
    match kind {
        "Exempt" => {
            if spec.has("limited") {
                let reason = "must be nil if the type is not Limited";
                errors.push(Error::forbidden(&SPEC.child("limited"), reason));
            }
            if let Some(exempt) = spec.some("exempt") {
                shares(&exempt, errors);
                percent(&exempt, "lendablePercent", 100, errors);
            }
        }
        "Limited" => {
            if spec.has("exempt") {
                errors.push(Error::forbidden(&SPEC.child("exempt"), "must be nil if the type is Limited"));
            }
            match spec.some("limited") {
                Some(level) => limited(&level, errors),
                None => errors
                    .push(Error::required(&SPEC.child("limited"), "must not be empty when type is Limited")),
            }
        }
        _ => supported(&SPEC.child("type"), kind, &["Exempt", "Limited"], errors),
    }
    fixed_level(name, spec, errors);
}

/// The levels that every server has, and what nobody changes of them.
fn fixed_level(name: &str, spec: &Node<'_, '_>, errors: &mut Errors) {
    let limited =
        json!({"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}, "lendablePercent": 0});
    let fine = match name {
        EXEMPT => spec.text("type") == "Exempt" && !spec.has("limited"),
        "catch-all" => spec.text("type") == "Limited" && spec.get("limited") == &limited,
        _ => return,
    };
    if fine {
        return;
    }
    let exempt = spec.some("exempt").map_or_else(
        || "null".to_owned(),
        |exempt| {
            go_struct(&[
                ("NominalConcurrencyShares", exempt.get("nominalConcurrencyShares")),
                ("LendablePercent", exempt.get("lendablePercent")),
            ])
        },
    );
    let told = format!(
        "{{\"Type\":{},\"Limited\":{},\"Exempt\":{exempt}}}",
        go_text(spec.get("type")),
        spec.get("limited")
    );
    let part = if name == EXEMPT { " except the 'spec.exempt' field" } else { "" };
    let reason = format!("spec of '{name}'{part} must equal the fixed value");
    errors.push(shown(Kind::Invalid, &SPEC, told, &reason));
}

fn shares(node: &Node<'_, '_>, errors: &mut Errors) {
    let shares = node.int("nominalConcurrencyShares");
    if shares < 0 {
        let path = node.path.child("nominalConcurrencyShares");
        errors.push(Error::invalid(&path, shares, "must be a non-negative integer"));
    }
}

fn percent(node: &Node<'_, '_>, name: &str, most: i64, errors: &mut Errors) {
    if let Some(number) = node.number(name).filter(|number| !(0..=most).contains(number)) {
        errors.push(Error::invalid(&node.path.child(name), number, between(0, most)));
    }
}

fn limited(level: &Node<'_, '_>, errors: &mut Errors) {
    shares(level, errors);
    let response = level.child("limitResponse");
    let path = response.path.child("queuing");
    match response.text("type") {
        "Reject" => {
            if response.has("queuing") {
                let reason = "must be nil if limited.limitResponse.type is not Limited";
                errors.push(Error::forbidden(&path, reason));
            }
        }
        "Queue" => match response.some("queuing") {
            Some(queuing) => queues(&queuing, errors),
            None => errors
                .push(Error::required(&path, "must not be empty if limited.limitResponse.type is Limited")),
        },
        kind => supported(&response.path.child("type"), kind, &["Queue", "Reject"], errors),
    }
    percent(level, "lendablePercent", 100, errors);
    if let Some(number) = level.number("borrowingLimitPercent").filter(|number| *number < 0) {
        let path = level.path.child("borrowingLimitPercent");
        errors.push(Error::invalid(&path, number, "if specified, must be a non-negative integer"));
    }
}

fn queues(queuing: &Node<'_, '_>, errors: &mut Errors) {
    const MAX_QUEUES: i64 = 10_000_000;
    const MAX_BITS: i64 = 60;
    let (count, hand) = (queuing.int("queues"), queuing.int("handSize"));
    let mut invalid = |name: &str, reason: String| {
        errors.push(Error::invalid(&queuing.path.child(name), queuing.int(name), reason));
    };
    if queuing.int("queueLengthLimit") <= 0 {
        invalid("queueLengthLimit", "must be positive".into());
    }
    if count <= 0 {
        invalid("queues", "must be positive".into());
    } else if count > MAX_QUEUES {
        invalid("queues", format!("must not be greater than {MAX_QUEUES}"));
    }
    if hand <= 0 {
        invalid("handSize", "must be positive".into());
    } else if hand > count {
        invalid("handSize", format!("should not be greater than queues ({count})"));
    } else if entropy_bits(count, hand) > MAX_BITS {
        let reason = format!(
            "required entropy bits of deckSize {count} and handSize {hand} should not be greater than {MAX_BITS}"
        );
        invalid("handSize", reason);
    }
}

/// Bits that dealing a hand takes (`shufflesharding.RequiredEntropyBits`).
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a deck has at most 10^7 cards"
)]
fn entropy_bits(deck: i64, hand: i64) -> i64 {
    ((deck as f64).log2() * hand as f64).ceil() as i64
}
