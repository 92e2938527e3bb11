//! `apps`, `batch` and `autoscaling`: `pkg/apis/{apps,batch,autoscaling}/…/defaults.go`.

use super::{core, pod, set};
use chainplate_apimachinery::{Map, Value};
use serde_json::json;

pub(super) fn apps(kind: &str, object: &mut Map) {
    match kind {
        "Deployment" => deployment(object),
        "StatefulSet" => stateful_set(object),
        "DaemonSet" => daemon_set(object),
        "ReplicaSet" => {
            if let Some(spec) = set::ensure(object, "spec") {
                set::pointer(spec, "replicas", 1);
                pod::template(spec, "template");
            }
        }
        _ => {}
    }
}

fn deployment(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::pointer(spec, "replicas", 1);
    set::pointer(spec, "revisionHistoryLimit", 10);
    set::pointer(spec, "progressDeadlineSeconds", 600);
    if let Some(strategy) = set::ensure(spec, "strategy") {
        set::text(strategy, "type", "RollingUpdate");
        if set::str_of(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = set::ensure(strategy, "rollingUpdate")
        {
            set::pointer(rolling, "maxUnavailable", "25%");
            set::pointer(rolling, "maxSurge", "25%");
        }
    }
    pod::template(spec, "template");
}

fn stateful_set(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::pointer(spec, "replicas", 1);
    set::pointer(spec, "revisionHistoryLimit", 10);
    set::text(spec, "podManagementPolicy", "OrderedReady");
    set::pointer(spec, "serviceName", "");
    if let Some(strategy) = set::ensure(spec, "updateStrategy") {
        set::text(strategy, "type", "RollingUpdate");
        if set::str_of(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = set::ensure(strategy, "rollingUpdate")
        {
            set::pointer(rolling, "partition", 0);
        }
    }
    if let Some(retention) = set::ensure(spec, "persistentVolumeClaimRetentionPolicy") {
        set::texts(retention, &[("whenDeleted", "Retain"), ("whenScaled", "Retain")]);
    }
    pod::template(spec, "template");
    set::each(spec, "volumeClaimTemplates", |template| {
        // An embedded claim keeps its type, though it is none of its own (`Convert_core…_To_v1…`).
        set::texts(template, &[("apiVersion", "v1"), ("kind", "PersistentVolumeClaim")]);
        core::claim(template);
    });
}

fn daemon_set(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::pointer(spec, "revisionHistoryLimit", 10);
    if let Some(strategy) = set::ensure(spec, "updateStrategy") {
        set::text(strategy, "type", "RollingUpdate");
        if set::str_of(strategy, "type") == "RollingUpdate"
            && let Some(rolling) = set::ensure(strategy, "rollingUpdate")
        {
            set::pointer(rolling, "maxUnavailable", 1);
            set::pointer(rolling, "maxSurge", 0);
        }
    }
    pod::template(spec, "template");
}

pub(super) fn batch(kind: &str, object: &mut Map) {
    match kind {
        "Job" => job(object),
        "CronJob" => {
            let Some(spec) = set::ensure(object, "spec") else { return };
            set::text(spec, "concurrencyPolicy", "Allow");
            set::pointer(spec, "suspend", false);
            set::pointer(spec, "successfulJobsHistoryLimit", 3);
            set::pointer(spec, "failedJobsHistoryLimit", 1);
            if let Some(template) = set::ensure(spec, "jobTemplate") {
                set::ensure(template, "metadata");
                if let Some(job) = set::ensure(template, "spec") {
                    pod::template(job, "template");
                    conditions_are_true(job);
                }
            }
        }
        _ => {}
    }
}

fn job(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    if !set::has(spec, "parallelism") && !set::has(spec, "completions") {
        set::pointer(spec, "completions", 1);
    }
    set::pointer(spec, "parallelism", 1);
    let per_index = set::has(spec, "backoffLimitPerIndex");
    set::pointer(spec, "backoffLimit", if per_index { i64::from(i32::MAX) } else { 6 });
    set::pointer(spec, "completionMode", "NonIndexed");
    set::pointer(spec, "suspend", false);
    set::pointer(spec, "manualSelector", false);
    let replacement = if set::has(spec, "podFailurePolicy") { "Failed" } else { "TerminatingOrFailed" };
    set::pointer(spec, "podReplacementPolicy", replacement);
    conditions_are_true(spec);
    pod::template(spec, "template");
    let labels = spec.get("template").and_then(|template| template.pointer("/metadata/labels")).cloned();
    if let Some(labels) = labels.filter(|labels| !labels.is_null()) {
        core::labels_of_object(object, labels);
    }
}

fn conditions_are_true(job: &mut Map) {
    if let Some(policy) = set::child(job, "podFailurePolicy") {
        set::each(policy, "rules", |rule| {
            set::each(rule, "onPodConditions", |pattern| set::text(pattern, "status", "True"));
        });
    }
}

pub(super) fn autoscaling(version: &str, object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::pointer(spec, "minReplicas", 1);
    if version == "v1" {
        set::pointer(spec, "targetCPUUtilizationPercentage", 80);
        return;
    }
    if set::is_empty(spec, "metrics") {
        let target = json!({"type": "Utilization", "averageUtilization": 80});
        let metric = json!({"type": "Resource", "resource": {"name": "cpu", "target": target}});
        spec.insert("metrics".into(), Value::Array(vec![metric]));
    }
    if let Some(behavior) = set::child(spec, "behavior") {
        if let Some(up) = set::ensure(behavior, "scaleUp") {
            set::pointer(up, "stabilizationWindowSeconds", 0);
            scaling(
                up,
                json!([
                    {"type": "Pods", "value": 4, "periodSeconds": 15},
                    {"type": "Percent", "value": 100, "periodSeconds": 15},
                ]),
            );
        }
        if let Some(down) = set::ensure(behavior, "scaleDown") {
            scaling(down, json!([{"type": "Percent", "value": 100, "periodSeconds": 15}]));
        }
    }
}

fn scaling(rules: &mut Map, policies: Value) {
    set::pointer(rules, "selectPolicy", "Max");
    set::pointer(rules, "policies", policies);
}
