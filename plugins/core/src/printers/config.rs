//! Everything else: nodes, namespaces, events, configuration, access, policies.

use super::{
    Row,
    cells::{NONE, UNSET, at, list, or, plain, selector_text, text},
};
use chainplate_sdk::apimachinery::{Value, table};
use std::collections::BTreeSet;

pub(super) fn namespace(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.text("status.phase").into(), row.age()]
}

pub(super) fn config_map(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), (row.count("data") + row.count("binaryData")).into(), row.age()]
}

pub(super) fn secret(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.text("type").into(), row.count("data").into(), row.age()]
}

pub(super) fn service_account(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.count("secrets").into(), row.age()]
}

pub(super) fn node(row: Row<'_>) -> Vec<Value> {
    let ready = row.list("status.conditions").iter().rfind(|condition| text(condition, "type") == "Ready");
    let mut status = match ready.map(|condition| text(condition, "status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if row.at("spec.unschedulable").as_bool() == Some(true) {
        status.push_str(",SchedulingDisabled");
    }
    let address = |kind: &str| {
        let found = row.list("status.addresses").iter().find(|address| text(address, "type") == kind);
        found.map_or(NONE, |address| text(address, "address")).into()
    };
    vec![
        row.name(),
        status.into(),
        or(&roles(row), NONE),
        row.age(),
        row.text("status.nodeInfo.kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        row.text_or("status.nodeInfo.osImage", table::UNKNOWN),
        row.text_or("status.nodeInfo.kernelVersion", table::UNKNOWN),
        row.text_or("status.nodeInfo.containerRuntimeVersion", table::UNKNOWN),
    ]
}

fn roles(row: Row<'_>) -> String {
    let labels = row.at("metadata.labels").as_object().into_iter().flatten();
    let roles: BTreeSet<&str> = labels
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role),
            None if key == "kubernetes.io/role" => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    roles.into_iter().collect::<Vec<_>>().join(",")
}

pub(super) fn event(row: Row<'_>) -> Vec<Value> {
    let time = |path: &str| row.at(path).as_str();
    let mut first = row.age_of("firstTimestamp");
    if time("firstTimestamp").is_none() {
        first = row.age_of("eventTime");
    }
    let mut last = first.clone();
    if time("lastTimestamp").is_some() {
        last = row.age_of("lastTimestamp");
    }
    let mut count = row.number("count").max(1);
    if row.at("series").is_object() {
        last = row.age_of("series.lastObservedTime");
        count = row.number("series.count");
    }
    let kind = row.text("involvedObject.kind").to_lowercase();
    let target = match row.text("involvedObject.name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    let either = |one: &str, other: &str| {
        let text = row.text(one);
        if text.is_empty() { row.text(other).to_owned() } else { text.to_owned() }
    };
    let mut source = either("source.component", "reportingComponent");
    let instance = either("source.host", "reportingInstance");
    if !instance.is_empty() {
        source = format!("{source}, {instance}");
    }
    vec![
        last.into(),
        row.text("type").into(),
        row.text("reason").into(),
        target.into(),
        row.text("involvedObject.fieldPath").into(),
        source.into(),
        row.text("message").trim().into(),
        first.into(),
        count.into(),
        row.name(),
    ]
}

pub(super) fn resource_quota(row: Row<'_>) -> Vec<Value> {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in row.at("status.hard").as_object().into_iter().flatten() {
        let used = row.at("status.used").get(resource).and_then(plain).unwrap_or_else(|| "0".into());
        let text = format!("{resource}: {used}/{}", plain(hard).unwrap_or_default());
        if resource.starts_with("limits.") { limits.push(text) } else { requests.push(text) }
    }
    vec![row.name(), requests.join(", ").into(), limits.join(", ").into(), row.age()]
}

pub(super) fn component_status(row: Row<'_>) -> Vec<Value> {
    let healthy = row.list("conditions").iter().find(|condition| text(condition, "type") == "Healthy");
    let status = match healthy.map(|condition| text(condition, "status")) {
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
        None => "Unknown",
    };
    let part = |member: &str| healthy.map_or("", |condition| text(condition, member)).into();
    vec![row.name(), status.into(), part("message"), part("error")]
}

pub(super) fn role_binding(row: Row<'_>) -> Vec<Value> {
    let role = format!("{}/{}", row.text("roleRef.kind"), row.text("roleRef.name"));
    let subjects = |kind: &str| -> Value {
        let names: Vec<String> = row
            .list("subjects")
            .iter()
            .filter(|subject| text(subject, "kind") == kind)
            .map(|subject| match (kind, text(subject, "namespace")) {
                ("ServiceAccount", namespace) => format!("{namespace}/{}", text(subject, "name")),
                _ => text(subject, "name").to_owned(),
            })
            .collect();
        names.join(", ").into()
    };
    vec![row.name(), role.into(), row.age(), subjects("User"), subjects("Group"), subjects("ServiceAccount")]
}

pub(super) fn signing_request(row: Row<'_>) -> Vec<Value> {
    let duration =
        row.at("spec.expirationSeconds").as_i64().map_or_else(|| NONE.to_owned(), table::human_duration);
    let has =
        |kind: &str| row.list("status.conditions").iter().any(|condition| text(condition, "type") == kind);
    let mut status = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (_, true) => "Approved",
        _ => "Pending",
    }
    .to_owned();
    if has("Failed") {
        status.push_str(",Failed");
    }
    if !row.text("status.certificate").is_empty() {
        status.push_str(",Issued");
    }
    vec![
        row.name(),
        row.age(),
        row.text_or("spec.signerName", NONE),
        row.text("spec.username").into(),
        duration.into(),
        status.into(),
    ]
}

pub(super) fn lease(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.text("spec.holderIdentity").into(), row.age()]
}

pub(super) fn priority_class(row: Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        row.number("value").into(),
        (row.at("globalDefault").as_bool() == Some(true)).into(),
        row.age(),
        row.text("preemptionPolicy").into(),
    ]
}

pub(super) fn runtime_class(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.text("handler").into(), row.age()]
}

pub(super) fn webhooks(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.count("webhooks").into(), row.age()]
}

pub(super) fn validating_policy(row: Row<'_>) -> Vec<Value> {
    admission_policy(row, "spec.validations")
}

pub(super) fn mutating_policy(row: Row<'_>) -> Vec<Value> {
    admission_policy(row, "spec.mutations")
}

fn admission_policy(row: Row<'_>, rules: &str) -> Vec<Value> {
    let kind = row.at("spec.paramKind");
    let parameters = if kind.is_object() {
        format!("{}/{}", text(kind, "apiVersion"), text(kind, "kind"))
    } else {
        UNSET.to_owned()
    };
    vec![row.name(), row.count(rules).into(), parameters.into(), row.age()]
}

pub(super) fn policy_binding(row: Row<'_>) -> Vec<Value> {
    let reference = row.at("spec.paramRef");
    let (namespace, name) = (text(reference, "namespace"), text(reference, "name"));
    let parameters = match (name.is_empty(), namespace.is_empty()) {
        (false, false) => format!("{namespace}/{name}"),
        (false, true) => format!("*/{name}"),
        (true, _) if at(reference, "selector").is_object() => selector_text(at(reference, "selector")),
        _ => UNSET.to_owned(),
    };
    vec![row.name(), row.text("spec.policyName").into(), parameters.into(), row.age()]
}

pub(super) fn flow_schema(row: Row<'_>) -> Vec<Value> {
    let dangling = list(row.object, "status.conditions").iter().find(|one| text(one, "type") == "Dangling");
    vec![
        row.name(),
        row.text("spec.priorityLevelConfiguration.name").into(),
        row.number("spec.matchingPrecedence").into(),
        row.text_or("spec.distinguisherMethod.type", NONE),
        row.age(),
        dangling.map_or("?", |condition| text(condition, "status")).into(),
    ]
}

pub(super) fn priority_level(row: Row<'_>) -> Vec<Value> {
    let number = |path: &str| row.at(path).as_i64().map_or_else(|| NONE.into(), Value::from);
    vec![
        row.name(),
        row.text("spec.type").into(),
        number("spec.limited.nominalConcurrencyShares"),
        number("spec.limited.limitResponse.queuing.queues"),
        number("spec.limited.limitResponse.queuing.handSize"),
        number("spec.limited.limitResponse.queuing.queueLengthLimit"),
        row.age(),
    ]
}

pub(super) fn resource_claim(row: Row<'_>) -> Vec<Value> {
    let mut states = Vec::new();
    if row.is_deleting() {
        states.push("deleted");
    }
    if row.at("status.allocation").is_object() {
        states.push("allocated");
        if !row.list("status.reservedFor").is_empty() {
            states.push("reserved");
        }
    } else if !row.is_deleting() {
        states.push("pending");
    }
    vec![row.name(), states.join(",").into(), row.age()]
}

pub(super) fn resource_slice(row: Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        row.text("spec.nodeName").into(),
        row.text("spec.driver").into(),
        row.text("spec.pool.name").into(),
        row.age(),
    ]
}
