//! Controllers of pods, and what scales and protects them.

use super::{
    Row,
    cells::{NONE, UNSET, at, is_true, labels, plain, selector, selector_text, text},
};
use chainplate_sdk::apimachinery::{Value, table};

const TEMPLATE: &str = "spec.template.spec.containers";

pub(super) fn pod_template(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("template.spec.containers");
    vec![row.name(), names, images, labels(row.at("template.metadata.labels"))]
}

pub(super) fn replication_controller(row: Row<'_>) -> Vec<Value> {
    replicas(row, labels(row.at("spec.selector")))
}

pub(super) fn replica_set(row: Row<'_>) -> Vec<Value> {
    replicas(row, selector(row.at("spec.selector")))
}

fn replicas(row: Row<'_>, selector: Value) -> Vec<Value> {
    let [names, images] = row.containers(TEMPLATE);
    vec![
        row.name(),
        row.number("spec.replicas").into(),
        row.number("status.replicas").into(),
        row.number("status.readyReplicas").into(),
        row.age(),
        names,
        images,
        selector,
    ]
}

pub(super) fn deployment(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(TEMPLATE);
    vec![
        row.name(),
        ready(row),
        row.number("status.updatedReplicas").into(),
        row.number("status.availableReplicas").into(),
        row.age(),
        names,
        images,
        selector_text(row.at("spec.selector")).into(),
    ]
}

pub(super) fn stateful_set(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(TEMPLATE);
    vec![row.name(), ready(row), row.age(), names, images]
}

fn ready(row: Row<'_>) -> Value {
    format!("{}/{}", row.number("status.readyReplicas"), row.number("spec.replicas")).into()
}

pub(super) fn daemon_set(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(TEMPLATE);
    vec![
        row.name(),
        row.number("status.desiredNumberScheduled").into(),
        row.number("status.currentNumberScheduled").into(),
        row.number("status.numberReady").into(),
        row.number("status.updatedNumberScheduled").into(),
        row.number("status.numberAvailable").into(),
        labels(row.at("spec.template.spec.nodeSelector")),
        row.age(),
        names,
        images,
        selector(row.at("spec.selector")),
    ]
}

pub(super) fn controller_revision(row: Row<'_>) -> Vec<Value> {
    let owner = row
        .list("metadata.ownerReferences")
        .iter()
        .find(|owner| at(owner, "controller") == &Value::Bool(true));
    let controller = owner.map_or_else(
        || NONE.to_owned(),
        |owner| {
            let kind = text(owner, "kind").to_lowercase();
            match text(owner, "apiVersion").split_once('/') {
                Some((group, _)) => format!("{kind}.{group}/{}", text(owner, "name")),
                None => format!("{kind}/{}", text(owner, "name")),
            }
        },
    );
    vec![row.name(), controller.into(), row.number("revision").into(), row.age()]
}

pub(super) fn job(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers(TEMPLATE);
    let succeeded = row.number("status.succeeded");
    let parallelism = row.number("spec.parallelism");
    let completions = match row.at("spec.completions").as_i64() {
        Some(completions) => format!("{succeeded}/{completions}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    };
    vec![
        row.name(),
        job_status(row).into(),
        completions.into(),
        job_duration(row).into(),
        row.age(),
        names,
        images,
        selector(row.at("spec.selector")),
    ]
}

fn job_status(row: Row<'_>) -> &'static str {
    let conditions = row.list("status.conditions");
    if is_true(conditions, "Complete") {
        return "Complete";
    }
    if is_true(conditions, "Failed") {
        return "Failed";
    }
    if row.is_deleting() {
        return "Terminating";
    }
    ["Suspended", "FailureTarget", "SuccessCriteriaMet"]
        .into_iter()
        .find(|kind| is_true(conditions, kind))
        .unwrap_or("Running")
}

fn job_duration(row: Row<'_>) -> String {
    let Ok(start) = row.text("status.startTime").parse() else { return String::new() };
    let end = row.text("status.completionTime").parse().unwrap_or(row.now);
    table::human_duration(table::seconds_between(start, end))
}

pub(super) fn cron_job(row: Row<'_>) -> Vec<Value> {
    let [names, images] = row.containers("spec.jobTemplate.spec.template.spec.containers");
    let suspend = match row.at("spec.suspend").as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => UNSET,
    };
    let last = row.at("status.lastScheduleTime").as_str();
    vec![
        row.name(),
        row.text("spec.schedule").into(),
        row.text_or("spec.timeZone", NONE),
        suspend.into(),
        row.count("status.active").into(),
        last.map_or_else(|| NONE.into(), |last| table::age(Some(last), row.now)).into(),
        row.age(),
        names,
        images,
        selector(row.at("spec.jobTemplate.spec.selector")),
    ]
}

pub(super) fn pod_disruption_budget(row: Row<'_>) -> Vec<Value> {
    let bound = |path: &str| plain(row.at(path)).unwrap_or_else(|| "N/A".into()).into();
    vec![
        row.name(),
        bound("spec.minAvailable"),
        bound("spec.maxUnavailable"),
        row.number("status.disruptionsAllowed").into(),
        row.age(),
    ]
}

pub(super) fn autoscaler(row: Row<'_>) -> Vec<Value> {
    let target = format!("{}/{}", row.text("spec.scaleTargetRef.kind"), row.text("spec.scaleTargetRef.name"));
    let minimum = plain(row.at("spec.minReplicas")).unwrap_or_else(|| UNSET.into());
    vec![
        row.name(),
        target.into(),
        metrics(row).into(),
        minimum.into(),
        row.number("spec.maxReplicas").into(),
        row.number("status.currentReplicas").into(),
        row.age(),
    ]
}

fn metrics(row: Row<'_>) -> String {
    let specs = row.list("spec.metrics");
    if specs.is_empty() {
        return NONE.into();
    }
    let statuses = row.list("status.currentMetrics");
    let texts: Vec<String> = specs
        .iter()
        .enumerate()
        .map(|(index, spec)| metric(spec, statuses.get(index).unwrap_or(&Value::Null)))
        .collect();
    match texts.len() {
        0..=2 => texts.join(", "),
        count => format!("{} + {} more...", texts[..2].join(", "), count - 2),
    }
}

/// One metric as `current/target`.
fn metric(spec: &Value, status: &Value) -> String {
    let (member, resource) = match text(spec, "type") {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".into(),
    };
    let (spec, status) = (at(spec, member), at(status, member));
    let current = |value: &str| plain(at(at(status, "current"), value));
    let target = |value: &str| plain(at(at(spec, "target"), value));
    let unknown = || "<unknown>".to_owned();
    let average = target("averageValue");
    if resource {
        let (have, want) = match average {
            Some(want) => (current("averageValue"), want),
            None => (
                current("averageUtilization").map(|percent| percent + "%"),
                target("averageUtilization").map_or_else(|| "<auto>".into(), |percent| percent + "%"),
            ),
        };
        return format!("{}: {}/{want}", text(spec, "name"), have.unwrap_or_else(unknown));
    }
    match average {
        Some(want) if member == "pods" => {
            format!("{}/{want}", current("averageValue").unwrap_or_else(unknown))
        }
        Some(want) => format!("{}/{want} (avg)", current("averageValue").unwrap_or_else(unknown)),
        None => {
            let want = target("value").unwrap_or_else(|| "0".into());
            format!("{}/{want}", current("value").unwrap_or_else(unknown))
        }
    }
}

pub(super) fn scale(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.number("spec.replicas").into(), row.number("status.replicas").into(), row.age()]
}
