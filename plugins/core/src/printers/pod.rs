//! Pods: the status that people read is made of many parts.

use super::{
    Row,
    cells::{NONE, at, is_true, list, or, text},
    columns::Layout,
};
use chainplate_sdk::apimachinery::{Value, table};
use serde_json::json;

/// The condition of the row of a pod that will not run again.
pub(super) fn conditions(layout: &Layout, object: &Value) -> Option<Value> {
    if layout.resource != "pods" {
        return None;
    }
    let (reason, message) = match text(object, "status.phase") {
        "Succeeded" => ("Succeeded", "The pod has completed successfully."),
        "Failed" => ("Failed", "The pod failed."),
        _ => return None,
    };
    Some(json!([{ "type": "Completed", "status": "True", "reason": reason, "message": message }]))
}

/// What the containers tell.
#[derive(Default)]
struct Summary<'a> {
    reason: String,
    ready: usize,
    restarts: i64,
    last_restart: &'a str,
}

impl<'a> Summary<'a> {
    fn count_restarts(&mut self, status: &'a Value) {
        self.restarts += at(status, "restartCount").as_i64().unwrap_or_default();
        // Times of one form: the later one is the greater text.
        self.last_restart = self.last_restart.max(text(status, "lastState.terminated.finishedAt"));
    }
}

pub(super) fn cells(row: Row<'_>) -> Vec<Value> {
    let init = row.list("spec.initContainers");
    let restartable = init.iter().filter(|container| is_restartable(container)).count();
    let total = row.list("spec.containers").len() + restartable;
    let summary = summary(row);
    let mut restarts = summary.restarts.to_string();
    if let (true, Some(ago)) = (summary.restarts != 0, table::since(Some(summary.last_restart), row.now)) {
        restarts = format!("{restarts} ({ago} ago)");
    }
    let ip = row.list("status.podIPs").first().map(|ip| text(ip, "ip")).unwrap_or_default();
    vec![
        row.name(),
        format!("{}/{total}", summary.ready).into(),
        summary.reason.into(),
        restarts.into(),
        row.age(),
        or(ip, NONE),
        row.text_or("spec.nodeName", NONE),
        row.text_or("status.nominatedNodeName", NONE),
        readiness_gates(row),
    ]
}

fn summary(row: Row<'_>) -> Summary<'_> {
    let phase = row.text("status.phase");
    let conditions = row.list("status.conditions");
    let mut reason = row.text("status.reason").to_owned();
    if reason.is_empty() {
        phase.clone_into(&mut reason);
    }
    let is_gated = |condition: &&Value| {
        text(condition, "type") == "PodScheduled" && text(condition, "reason") == "SchedulingGated"
    };
    if conditions.iter().any(|condition| is_gated(&condition)) {
        reason = "SchedulingGated".into();
    }
    let mut all = Summary { reason, ..Summary::default() };
    // Restarts of init containers that go on running beside the others.
    let mut sidecars = Summary::default();
    let initializing = init_containers(row, &mut all, &mut sidecars);
    if !initializing || is_true(conditions, "Initialized") {
        all.restarts = sidecars.restarts;
        all.last_restart = sidecars.last_restart;
        containers(row, &mut all);
    }
    if row.is_deleting() {
        if row.text("status.reason") == "NodeLost" {
            all.reason = "Unknown".into();
        } else if !matches!(phase, "Succeeded" | "Failed") {
            all.reason = "Terminating".into();
        }
    }
    all
}

/// Whether an init container is not done yet.
fn init_containers<'a>(row: Row<'a>, all: &mut Summary<'a>, sidecars: &mut Summary<'a>) -> bool {
    let specs = row.list("spec.initContainers");
    for (index, status) in row.list("status.initContainerStatuses").iter().enumerate() {
        let name = text(status, "name");
        let sidecar = specs.iter().any(|spec| text(spec, "name") == name && is_restartable(spec));
        all.count_restarts(status);
        if sidecar {
            sidecars.count_restarts(status);
        }
        let terminated = at(status, "state.terminated");
        if terminated.is_object() && exit_code(terminated) == 0 {
            continue;
        }
        if sidecar && at(status, "started").as_bool() == Some(true) {
            all.ready += usize::from(is_ready(status));
            continue;
        }
        let waiting = text(status, "state.waiting.reason");
        all.reason = if terminated.is_object() {
            format!("Init:{}", end(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{}", specs.len())
        };
        return true;
    }
    false
}

fn containers<'a>(row: Row<'a>, all: &mut Summary<'a>) {
    let mut running = false;
    for status in row.list("status.containerStatuses").iter().rev() {
        all.count_restarts(status);
        let waiting = text(status, "state.waiting.reason");
        let terminated = at(status, "state.terminated");
        if !waiting.is_empty() {
            waiting.clone_into(&mut all.reason);
        } else if terminated.is_object() {
            all.reason = end(terminated);
        } else if is_ready(status) && at(status, "state.running").is_object() {
            running = true;
            all.ready += 1;
        }
    }
    if all.reason == "Completed" && running {
        let ready = is_true(row.list("status.conditions"), "Ready");
        all.reason = if ready { "Running" } else { "NotReady" }.into();
    }
}

/// How a container ended.
fn end(terminated: &Value) -> String {
    let reason = text(terminated, "reason");
    let signal = at(terminated, "signal").as_i64().unwrap_or_default();
    if !reason.is_empty() {
        reason.to_owned()
    } else if signal != 0 {
        format!("Signal:{signal}")
    } else {
        format!("ExitCode:{}", exit_code(terminated))
    }
}

fn exit_code(terminated: &Value) -> i64 {
    at(terminated, "exitCode").as_i64().unwrap_or_default()
}

fn is_ready(status: &Value) -> bool {
    at(status, "ready").as_bool() == Some(true)
}

fn is_restartable(container: &Value) -> bool {
    text(container, "restartPolicy") == "Always"
}

fn readiness_gates(row: Row<'_>) -> Value {
    let gates = list(row.object, "spec.readinessGates");
    if gates.is_empty() {
        return NONE.into();
    }
    let conditions = row.list("status.conditions");
    let open = gates.iter().filter(|gate| is_true(conditions, text(gate, "conditionType"))).count();
    format!("{open}/{}", gates.len()).into()
}
