//! Where pods may run: affinity, tolerations, taints, spreading.

use super::checks::{Errors, label, required, required_items, required_with, subdomain, supported};
use super::labels::{key, selector};
use super::view::Node;
use chainplate_apimachinery::field::{Error, Path};
use chainplate_apimachinery::names;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
const OPERATOR: &str = "not a valid selector operator";

/// Effects of a taint.
pub(super) const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// `validateAffinity`.
pub(super) fn affinity(node: &Node<'_, '_>, errors: &mut Errors) {
    if let Some(affinity) = node.some("nodeAffinity") {
        if let Some(wanted) = affinity.some(REQUIRED) {
            node_selector(&wanted, errors);
        }
        affinity.child(PREFERRED).each(|_, term| {
            weight(term, errors);
            node_selector_term(&term.child("preference"), false, errors);
        });
    }
    for kind in ["podAffinity", "podAntiAffinity"] {
        let Some(affinity) = node.some(kind) else { continue };
        affinity.child(REQUIRED).each(|_, term| pod_term(term, errors));
        affinity.child(PREFERRED).each(|_, weighted| {
            weight(weighted, errors);
            pod_term(&weighted.child("podAffinityTerm"), errors);
        });
    }
}

fn weight(term: &Node<'_, '_>, errors: &mut Errors) {
    let weight = term.int("weight");
    if !(1..=100).contains(&weight) {
        errors.push(Error::invalid(&term.path.child("weight"), weight, "must be in the range 1-100"));
    }
}

/// `ValidateNodeSelector`.
pub(super) fn node_selector(node: &Node<'_, '_>, errors: &mut Errors) {
    if required_items(node, "nodeSelectorTerms", "must have at least one node selector term", errors) {
        node.child("nodeSelectorTerms").each(|_, term| node_selector_term(term, true, errors));
    }
}

fn node_selector_term(term: &Node<'_, '_>, check_values: bool, errors: &mut Errors) {
    term.child("matchExpressions").each(|_, requirement| {
        let values = requirement.path.child("values");
        match requirement.text("operator") {
            "In" | "NotIn" if requirement.is_empty("values") => {
                errors.push(Error::required(&values, "must be specified when `operator` is 'In' or 'NotIn'"));
            }
            "Exists" | "DoesNotExist" if !requirement.is_empty("values") => {
                let reason = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
                errors.push(Error::forbidden(&values, reason));
            }
            "Gt" | "Lt" if requirement.len("values") != 1 => {
                let reason = "must be specified single value when `operator` is 'Lt' or 'Gt'";
                errors.push(Error::required(&values, reason));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" | "Gt" | "Lt" => {}
            operator => {
                errors.push(Error::invalid(&requirement.path.child("operator"), operator, OPERATOR));
            }
        }
        key(&requirement.child("key"), errors);
        if check_values {
            requirement.child("values").each(|_, value| {
                super::checks::reasons(value, names::label_value(value.str()), errors);
            });
        }
    });
    term.child("matchFields").each(|_, requirement| {
        match requirement.text("operator") {
            "In" | "NotIn" => {
                if requirement.len("values") != 1 {
                    let reason =
                        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";
                    errors.push(Error::required(&requirement.path.child("values"), reason));
                }
            }
            operator => {
                errors.push(Error::invalid(&requirement.path.child("operator"), operator, OPERATOR));
            }
        }
        if requirement.text("key") == "metadata.name" {
            requirement.child("values").each(|_, value| super::checks::text(value, subdomain, errors));
        } else {
            let reason = "not a valid field selector key";
            errors.push(Error::invalid(&requirement.path.child("key"), requirement.text("key"), reason));
        }
    });
}

fn pod_term(term: &Node<'_, '_>, errors: &mut Errors) {
    selector(&term.child("labelSelector"), errors);
    selector(&term.child("namespaceSelector"), errors);
    for namespace in term.texts("namespaces") {
        for reason in label(namespace) {
            errors.push(Error::invalid(&term.path.child("namespace"), namespace, reason));
        }
    }
    for keys in ["matchLabelKeys", "mismatchLabelKeys"] {
        if term.is_empty(keys) {
            continue;
        }
        if term.has("labelSelector") {
            term.child(keys).each(|_, item| key(item, errors));
        } else {
            let reason = "must not be specified when labelSelector is not set";
            errors.push(Error::forbidden(&term.path.child(keys), reason));
        }
    }
    term.child("matchLabelKeys").each(|_, item| {
        if term.lists("mismatchLabelKeys", item.str()) {
            let reason = "exists in both matchLabelKeys and mismatchLabelKeys";
            errors.push(Error::invalid(&item.path, item.str(), reason));
        }
    });
    required_with(term, "topologyKey", "can not be empty", errors);
    key(&term.child("topologyKey"), errors);
}

/// `ValidateTolerations`.
pub(super) fn tolerations(node: &Node<'_, '_>, errors: &mut Errors) {
    node.each(|_, toleration| {
        let operator = toleration.path.child("operator");
        let (op, value, effect) =
            (toleration.text("operator"), toleration.text("value"), toleration.text("effect"));
        if toleration.text("key").is_empty() {
            if op != "Exists" {
                let reason = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
                errors.push(Error::invalid(&operator, op, reason));
            }
        } else {
            key(&toleration.child("key"), errors);
        }
        if toleration.has("tolerationSeconds") && effect != "NoExecute" {
            let reason = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(Error::invalid(&toleration.path.child("effect"), effect, reason));
        }
        match op {
            "Equal" | "" => {
                let wrong = names::label_value(value);
                if !wrong.is_empty() {
                    errors.push(Error::invalid(&operator, value, wrong.join(";")));
                }
            }
            "Exists" => {
                if !value.is_empty() {
                    let reason = "value must be empty when `operator` is 'Exists'";
                    errors.push(Error::invalid(&operator, value, reason));
                }
            }
            _ => supported(&operator, op, &["Equal", "Exists"], errors),
        }
        if !effect.is_empty() {
            supported(&toleration.path.child("effect"), effect, &EFFECTS, errors);
        }
    });
}

/// `validateNodeTaints`.
pub(super) fn taints(node: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, taint| {
        key(&taint.child("key"), errors);
        let wrong = names::label_value(taint.text("value"));
        if !wrong.is_empty() {
            let path = taint.path.child("value");
            errors.push(Error::invalid(&path, taint.text("value"), wrong.join(";")));
        }
        if required(taint, "effect", errors) {
            supported(&taint.path.child("effect"), taint.text("effect"), &EFFECTS, errors);
        }
        let taken = all[..index].iter().map(Node::root).any(|other| {
            other.text("key") == taint.text("key") && other.text("effect") == taint.text("effect")
        });
        if taken {
            let mut error = Error::duplicate(&taint.path, taint.value.clone());
            error.detail = "taints must be unique by key and effect pair".into();
            errors.push(error);
        }
    });
}

/// `validateTopologySpreadConstraints`.
pub(super) fn spread(node: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, constraint| {
        positive(&constraint.path.child("maxSkew"), constraint.int("maxSkew"), errors);
        required_with(constraint, "topologyKey", "can not be empty", errors);
        let (topology, action) = (constraint.text("topologyKey"), constraint.text("whenUnsatisfiable"));
        let path = constraint.path.child("whenUnsatisfiable");
        supported(&path, action, &["DoNotSchedule", "ScheduleAnyway"], errors);
        let repeated =
            all.get(index + 1..).unwrap_or_default().iter().map(Node::root).any(|other| {
                other.text("topologyKey") == topology && other.text("whenUnsatisfiable") == action
            });
        if repeated {
            let path = constraint.path.child("{topologyKey, whenUnsatisfiable}");
            errors.push(Error::duplicate(&path, format!("{{{topology}, {action}}}")));
        }
        if let Some(domains) = constraint.number("minDomains") {
            let path = constraint.path.child("minDomains");
            positive(&path, domains, errors);
            if action != "DoNotSchedule" {
                let reason =
                    format!("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}");
                errors.push(Error::invalid(&path, domains, reason));
            }
        }
        for policy in ["nodeAffinityPolicy", "nodeTaintsPolicy"] {
            super::checks::optional_one_of(constraint, policy, &["Honor", "Ignore"], errors);
        }
        let labels = constraint.child("labelSelector");
        if !constraint.is_empty("matchLabelKeys") {
            let keys = constraint.child("matchLabelKeys");
            if !labels.present() {
                let reason = "must not be specified when labelSelector is not set";
                errors.push(Error::forbidden(&keys.path, reason));
            }
            keys.each(|_, item| {
                key(item, errors);
                let selected = labels.map("matchLabels").is_some_and(|map| map.contains_key(item.str()))
                    || labels
                        .list("matchExpressions")
                        .iter()
                        .any(|r| Node::root(r).text("key") == item.str());
                if selected {
                    let reason = "exists in both matchLabelKeys and labelSelector";
                    errors.push(Error::invalid(&item.path, item.str(), reason));
                }
            });
        }
        selector(&labels, errors);
    });
}

fn positive(path: &Path<'_>, number: i64, errors: &mut Errors) {
    if number <= 0 {
        errors.push(Error::invalid(path, number, "must be greater than zero"));
    }
}
