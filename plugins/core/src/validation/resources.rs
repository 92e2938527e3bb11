//! Names and amounts of compute resources (`pkg/apis/core/helper`, `validateResourceRequirements`).

use super::amount::Amount;
use super::checks::{Errors, NOT_NEGATIVE, label, member, qualified, text};
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::Error;

/// A rule about the name of a resource, which is the last key of a node's path.
pub(super) type NameRule = fn(name: &str, node: &Node<'_, '_>, errors: &mut Errors);

const QUOTA: [&str; 19] = [
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "persistentvolumeclaims",
    "configmaps",
    "services.nodeports",
    "services.loadbalancers",
];
const INTEGERS: [&str; 9] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
];

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether more may be requested of all than there is.
pub(super) fn overcommits(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}

fn is_extended(name: &str) -> bool {
    !is_native(name) && !name.starts_with("requests.") && qualified(&format!("requests.{name}")).is_empty()
}

fn is_integer(name: &str) -> bool {
    INTEGERS.contains(&name) || (!is_native(name) && is_extended(name))
}

/// Whether quota knows a resource.
pub(super) fn is_quota(name: &str) -> bool {
    QUOTA.contains(&name) || is_huge_page(name) || name.starts_with("requests.hugepages-")
}

fn invalid(node: &Node<'_, '_>, name: &str, reason: &str, errors: &mut Errors) {
    errors.push(Error::invalid(&node.path, name, reason));
}

/// `validateResourceName`. False if it is not even a qualified name.
pub(super) fn any(name: &str, node: &Node<'_, '_>, errors: &mut Errors) {
    let wrong = qualified(name);
    if !wrong.is_empty() {
        for reason in wrong {
            errors.push(Error::invalid(&node.path, name, reason));
        }
    } else if !name.contains('/') && name != "storage" && !is_quota(name) {
        invalid(node, name, "must be a standard resource type or fully qualified", errors);
    }
}

/// `validateContainerResourceName`.
pub(super) fn container(name: &str, node: &Node<'_, '_>, errors: &mut Errors) {
    any(name, node, errors);
    if !name.contains('/') {
        if !matches!(name, "cpu" | "memory" | "ephemeral-storage") && !is_huge_page(name) {
            invalid(node, name, "must be a standard resource for containers", errors);
        }
    } else if !is_native(name) && !is_extended(name) {
        invalid(node, name, "doesn't follow extended resource name standard", errors);
    }
}

/// `validatePodResourceName`.
pub(super) fn pod(name: &str, node: &Node<'_, '_>, errors: &mut Errors) {
    let before = errors.len();
    any(name, node, errors);
    if errors.len() == before && !matches!(name, "cpu" | "memory") && !is_huge_page(name) {
        errors.push(Error::not_supported(&node.path, name, &["cpu", "hugepages-", "memory"]));
    }
}

/// `ValidateResourceQuotaResourceName`.
pub(super) fn quota(name: &str, node: &Node<'_, '_>, errors: &mut Errors) {
    any(name, node, errors);
    if !name.contains('/') && !is_quota(name) {
        invalid(node, name, "must be a standard resource for quota", errors);
    }
}

/// `ValidateResourceQuantityValue`.
pub(super) fn amount(name: &str, node: &Node<'_, '_>, errors: &mut Errors) {
    let Some(amount) = Amount::of(node.value) else { return };
    if amount.is_negative() {
        errors.push(Error::invalid(&node.path, node.value.clone(), NOT_NEGATIVE));
    }
    if is_integer(name) && !amount.is_whole() {
        errors.push(Error::invalid(&node.path, node.value.clone(), "must be an integer"));
    }
}

/// A quantity above zero (`ValidatePositiveQuantityValue`). True if it is.
pub(super) fn positive(node: &Node<'_, '_>, errors: &mut Errors) -> bool {
    let fine = Amount::of(node.value).is_some_and(|amount| amount.is_positive());
    if !fine {
        errors.push(Error::invalid(&node.path, node.value.clone(), "must be greater than zero"));
    }
    fine
}

/// `validateBasicResource`.
pub(super) fn basic(node: &Node<'_, '_>, errors: &mut Errors) {
    if Amount::of(node.value).is_some_and(|amount| amount.is_negative()) {
        let value = Amount::of(node.value).map(|amount| amount.rounded_up()).unwrap_or_default();
        errors.push(Error::invalid(&node.path, value, "must be a valid resource quantity"));
    }
}

fn huge_page(name: &str, node: &Node<'_, '_>, errors: &mut Errors) -> bool {
    let Some(size) = name.strip_prefix("hugepages-") else { return false };
    let pages = Amount::of(node.value).zip(Amount::parse(size));
    if !pages.is_some_and(|(amount, size)| amount.is_positive() && amount.is_multiple_of(size)) {
        let shown = node.value.as_str().unwrap_or_default();
        let reason = format!("{shown} is not positive integer multiple of {name}");
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
    true
}

/// Requests and limits (`validateResourceRequirements`). `claims` are the pod's resource claims.
pub(super) fn requirements(node: &Node<'_, '_>, rule: NameRule, claims: &[Value], errors: &mut Errors) {
    if !node.present() {
        return;
    }
    let (mut huge, mut computes) = (false, false);
    let limits = node.child("limits");
    limits.entries(|name, quantity| {
        rule(name, quantity, errors);
        amount(name, quantity, errors);
        huge |= huge_page(name, quantity, errors);
        computes |= matches!(name, "cpu" | "memory");
    });
    let requests = node.child("requests");
    requests.entries(|name, quantity| {
        rule(name, quantity, errors);
        amount(name, quantity, errors);
        let limit = limits.get(name);
        if limit.is_null() {
            if !overcommits(name) {
                let reason = "Limit must be set for non overcommitable resources";
                errors.push(Error::required(&limits.path, reason));
            }
        } else {
            let (asked, most) = (Amount::of(quantity.value), Amount::of(limit));
            let shown = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
            let relation = if asked != most && !overcommits(name) {
                "equal to"
            } else if asked > most {
                "less than or equal to"
            } else {
                ""
            };
            if !relation.is_empty() {
                let reason = format!("must be {relation} {name} limit of {shown}");
                errors.push(Error::invalid(&requests.path, quantity.value.clone(), reason));
            }
        }
        huge |= huge_page(name, quantity, errors);
        computes |= matches!(name, "cpu" | "memory");
    });
    if huge && !computes {
        errors.push(Error::forbidden(&node.path, "HugePages require cpu or memory"));
    }
    claim_names(&node.child("claims"), claims, errors);
}

fn claim_names(node: &Node<'_, '_>, claims: &[Value], errors: &mut Errors) {
    node.each(|index, claim| {
        let name = claim.text("name");
        if name.is_empty() {
            errors.push(Error::required(&claim.path, ""));
            return;
        }
        let request = claim.text("request");
        let before = &node.value.as_array().map(Vec::as_slice).unwrap_or_default()[..index];
        let overlaps = before.iter().any(|other| {
            let other = Node::root(other);
            let asked = other.text("request");
            other.text("name") == name && (asked.is_empty() || request.is_empty() || asked == request)
        });
        if !request.is_empty() {
            member(claim, "request", label, errors);
        }
        if overlaps {
            errors.push(Error::duplicate(&claim.path, name));
        }
        let mut known: Vec<&str> = claims.iter().filter_map(|claim| claim.get("name")?.as_str()).collect();
        if !known.contains(&name) {
            known.sort_unstable();
            let mut error = Error::not_found(&claim.path, name);
            error.detail = "must be one of the names in pod.spec.resourceClaims".into();
            error.detail.push_str(&if known.is_empty() {
                " which is empty".to_owned()
            } else {
                format!(": {}", known.join(", "))
            });
            errors.push(error);
        }
    });
}

/// The name of a kind of limit in a LimitRange.
pub(super) fn limit_type(node: &Node<'_, '_>, errors: &mut Errors) {
    let before = errors.len();
    if node.present() {
        text(node, qualified, errors);
    } else {
        for reason in qualified("") {
            errors.push(Error::invalid(&node.path, "", reason));
        }
    }
    let name = node.str();
    if errors.len() == before
        && !name.contains('/')
        && !matches!(name, "Pod" | "Container" | "PersistentVolumeClaim")
    {
        invalid(node, name, "must be a standard limit type or fully qualified", errors);
    }
}
