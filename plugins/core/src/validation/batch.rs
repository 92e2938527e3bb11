//! `pkg/apis/batch/validation`.

use super::checks::{
    Errors, METADATA, domain_path, go_struct, immutable, none_negative, not_negative, one_of,
    optional_one_of, required, required_items, same, shown, supported,
};
use super::core::mismatch;
use super::labels::{Match, matches, selector};
use super::view::Node;
use super::{cron, pod};
use crate::defaults::jobs::generated_labels;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

/// Indexed jobs keep track of so many pods.
const MAX_PARALLEL: i64 = 100_000;

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    match kind {
        "Job" => {
            generated_selector(&root, errors);
            job_spec(&root.child("spec"), errors);
        }
        "CronJob" => {
            cron_job(&root.child("spec"), None, errors);
            let name = root.child("metadata").text("name");
            if name.len() > 52 {
                let reason = "must be no more than 52 characters";
                errors.push(Error::invalid(&METADATA.child("name"), name, reason));
            }
        }
        _ => {}
    }
}

pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let (now, was) = (Node::root(new), Node::root(old));
    let (spec, old_spec) = (now.child("spec"), was.child("spec"));
    match kind {
        "Job" => {
            job_spec(&spec, errors);
            completions_kept(&spec, &old_spec, errors);
            immutable(&spec, &old_spec, "selector", errors);
            template_kept(&spec, &old_spec, &was.child("status"), errors);
            for name in
                ["completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy"]
            {
                immutable(&spec, &old_spec, name, errors);
            }
        }
        "CronJob" => cron_job(&spec, Some(&old_spec), errors),
        _ => {}
    }
}

pub(super) fn update_status(kind: &str, new: &Value, errors: &mut Errors) {
    if kind == "Job" {
        let job = Node::root(new);
        let status = job.child("status");
        none_negative(&status, &["active", "succeeded", "failed", "ready", "terminating"], errors);
        if status.has("completionTime") && !status.has("startTime") {
            let reason = "cannot set completionTime when there is no startTime";
            let path = status.path.child("completionTime");
            errors.push(Error::invalid(&path, status.get("completionTime").clone(), reason));
        }
    }
}

/// Labels and selector that tie pods to this very job (`ValidateGeneratedSelector`).
fn generated_selector(job: &Node<'_, '_>, errors: &mut Errors) {
    let (spec, metadata) = (job.child("spec"), job.child("metadata"));
    let node = spec.child("selector");
    if spec.is("manualSelector") || !node.present() {
        return;
    }
    let uid = metadata.text("uid");
    if uid.is_empty() {
        errors.push(Error::required(&METADATA.child("uid"), ""));
    }
    let expected = generated_labels(metadata.text("name"), uid);
    let template = spec.child("template");
    let metadata = template.child("metadata");
    let labels = metadata.child("labels");
    for key in
        ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"]
    {
        let wanted = expected.get(key).and_then(Value::as_str).unwrap_or_default();
        let reason = format!("must be '{wanted}'");
        if !labels.has(key) {
            errors.push(Error::required(&labels.path.key(key), reason));
        } else if labels.text(key) != wanted {
            errors.push(Error::invalid(&labels.path.key(key), labels.value.clone(), reason));
        }
    }
    if matches(node.value, Some(&expected)) == Match::No {
        let reason = "`selector` not auto-generated";
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
}

fn job_spec(spec: &Node<'_, '_>, errors: &mut Errors) {
    base_job_spec(spec, errors);
    let node = spec.child("selector");
    if node.present() {
        selector(&node, errors);
    } else {
        errors.push(Error::required(&node.path, ""));
    }
    let template = spec.child("template");
    if matches(node.value, template.child("metadata").map("labels")) == Match::No {
        mismatch(&template, errors);
    }
}

fn base_job_spec(spec: &Node<'_, '_>, errors: &mut Errors) {
    none_negative(
        spec,
        &[
            "parallelism",
            "completions",
            "activeDeadlineSeconds",
            "backoffLimit",
            "ttlSecondsAfterFinished",
            "backoffLimitPerIndex",
            "maxFailedIndexes",
        ],
        errors,
    );
    if spec.has("maxFailedIndexes") && !spec.has("backoffLimitPerIndex") {
        let reason = "when maxFailedIndexes is specified";
        errors.push(Error::required(&spec.path.child("backoffLimitPerIndex"), reason));
    }
    if spec.has("managedBy") {
        domain_path(spec, "managedBy", errors);
        if spec.text("managedBy").len() > 63 {
            errors.push(Error::too_long(&spec.path.child("managedBy"), 63));
        }
    }
    optional_one_of(spec, "completionMode", &["NonIndexed", "Indexed"], errors);
    let indexed = spec.text("completionMode") == "Indexed";
    let mut invalid = |name: &str, reason: &str| {
        errors.push(Error::invalid(&spec.path.child(name), spec.int(name), reason));
    };
    if indexed {
        let (parallelism, most) = (spec.int("parallelism"), spec.number("maxFailedIndexes"));
        if parallelism > MAX_PARALLEL {
            invalid("parallelism", "must be less than or equal to 100000 when completion mode is Indexed");
        }
        if let (Some(most), Some(completions)) = (most, spec.number("completions"))
            && most > completions
        {
            invalid("maxFailedIndexes", "must be less than or equal to completions");
        }
        if most.is_some_and(|most| most > MAX_PARALLEL) {
            invalid("maxFailedIndexes", "must be less than or equal to 100000");
        }
    } else {
        for name in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if spec.has(name) {
                invalid(name, "requires indexed completion mode");
            }
        }
    }
    if indexed && !spec.has("completions") {
        let reason = "when completion mode is Indexed";
        errors.push(Error::required(&spec.path.child("completions"), reason));
    }
    if let Some(policy) = spec.some("podFailurePolicy") {
        failure_policy(spec, &policy, errors);
    }
    if let Some(policy) = spec.some("successPolicy") {
        success_policy(&policy, indexed, errors);
    }
    if spec.has("podReplacementPolicy") {
        let path = spec.path.child("podReplacementPolicy");
        if spec.has("podFailurePolicy") {
            supported(&path, spec.text("podReplacementPolicy"), &["Failed"], errors);
        } else {
            let known = ["Failed", "TerminatingOrFailed"];
            supported(&path, spec.text("podReplacementPolicy"), &known, errors);
        }
    }
    let template = spec.child("template");
    pod::template(&template, &[], errors);
    let path = template.path.child("spec");
    let path = path.child("restartPolicy");
    match template.child("spec").text("restartPolicy") {
        "" | "Always" => errors.push(Error::required(&path, "valid values: \"OnFailure\", \"Never\"")),
        policy @ ("OnFailure" | "Never") => {
            if spec.has("podFailurePolicy") && policy != "Never" {
                let reason = "only \"Never\" is supported when podFailurePolicy is specified";
                errors.push(Error::invalid(&path, policy, reason));
            }
        }
        policy => errors.push(Error::not_supported(&path, policy, &["OnFailure", "Never"])),
    }
}

fn failure_policy(spec: &Node<'_, '_>, policy: &Node<'_, '_>, errors: &mut Errors) {
    let rules = policy.child("rules");
    if policy.len("rules") > 20 {
        errors.push(Error::too_many(&rules.path, policy.len("rules"), 20));
    }
    rules.each(|_, rule| {
        let action = rule.text("action");
        if required_action(rule, errors) && action == "FailIndex" && !spec.has("backoffLimitPerIndex") {
            let reason = "requires the backoffLimitPerIndex to be set";
            errors.push(Error::invalid(&rule.path.child("action"), action, reason));
        }
        let codes = rule.child("onExitCodes");
        if codes.present() {
            exit_codes(spec, &codes, errors);
        }
        let conditions = rule.child("onPodConditions");
        conditions.each(|_, pattern| {
            for reason in super::checks::qualified(pattern.text("type")) {
                errors.push(Error::invalid(&pattern.path.child("type"), pattern.text("type"), reason));
            }
            one_of(pattern, "status", &["False", "True", "Unknown"], errors);
        });
        let reason = match (codes.present(), rule.is_empty("onPodConditions")) {
            (true, false) => "specifying both OnExitCodes and OnPodConditions is not supported",
            (false, true) => "specifying one of OnExitCodes and OnPodConditions is required",
            _ => return,
        };
        errors.push(Error::invalid(&rule.path, "", reason));
    });
}

fn required_action(rule: &Node<'_, '_>, errors: &mut Errors) -> bool {
    let there = super::checks::required_with(
        rule,
        "action",
        "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]",
        errors,
    );
    if there {
        let known = ["Count", "FailIndex", "FailJob", "Ignore"];
        supported(&rule.path.child("action"), rule.text("action"), &known, errors);
    }
    there
}

fn exit_codes(spec: &Node<'_, '_>, codes: &Node<'_, '_>, errors: &mut Errors) {
    one_of(codes, "operator", &["In", "NotIn"], errors);
    if codes.has("containerName") {
        let name = codes.text("containerName");
        let pod = spec.child("template");
        let pod = pod.child("spec");
        let known = ["containers", "initContainers"]
            .iter()
            .any(|list| pod.list(list).iter().any(|container| Node::root(container).text("name") == name));
        if !known {
            let reason = "must be one of the container or initContainer names in the pod template";
            errors.push(Error::invalid(&codes.path.child("containerName"), name, reason));
        }
    }
    let values = codes.list("values");
    let node = codes.child("values");
    if values.is_empty() {
        errors.push(Error::invalid(&node.path, node.value.clone(), "at least one value is required"));
    } else if values.len() > 255 {
        errors.push(Error::too_many(&node.path, values.len(), 255));
    }
    node.each(|index, code| {
        let number = code.value.as_i64().unwrap_or_default();
        if codes.text("operator") == "In" && number == 0 {
            errors.push(Error::invalid(&code.path, number, "must not be 0 for the In operator"));
        }
        if values[..index].contains(code.value) {
            errors.push(Error::duplicate(&code.path, number));
        }
    });
    let sorted = values.windows(2).all(|pair| pair[0].as_i64() <= pair[1].as_i64());
    if !sorted {
        errors.push(Error::invalid(&node.path, node.value.clone(), "must be ordered"));
    }
}

fn success_policy(policy: &Node<'_, '_>, indexed: bool, errors: &mut Errors) {
    if !indexed {
        let rules = policy.get("rules");
        let told = go_struct(&[("Rules", rules)]);
        return errors.push(shown(Kind::Invalid, &policy.path, told, "requires indexed completion mode"));
    }
    if !required_items(
        policy,
        "rules",
        "at least one rules must be specified when the successPolicy is specified",
        errors,
    ) {
        return;
    }
    if policy.len("rules") > 20 {
        errors.push(Error::too_many(&policy.path.child("rules"), policy.len("rules"), 20));
    }
    policy.child("rules").each(|_, rule| {
        if !rule.has("succeededIndexes") && !rule.has("succeededCount") {
            let reason = "at least one of succeededCount or succeededIndexes must be specified";
            errors.push(Error::required(&rule.path, reason));
        }
        not_negative(rule, "succeededCount", errors);
    });
}

fn completions_kept(spec: &Node<'_, '_>, old: &Node<'_, '_>, errors: &mut Errors) {
    if spec.text("completionMode") != "Indexed" {
        return immutable(spec, old, "completions", errors);
    }
    let (now, was) = (spec.number("completions"), old.number("completions"));
    if now != was
        && let Some(now) = now
        && spec.number("parallelism") != Some(now)
    {
        let reason = "can only be modified in tandem with spec.parallelism";
        errors.push(Error::invalid(&spec.path.child("completions"), now, reason));
    }
}

/// The template of a job that is suspended and has not begun may be told where to run.
fn template_kept(spec: &Node<'_, '_>, old: &Node<'_, '_>, status: &Node<'_, '_>, errors: &mut Errors) {
    let free = old.is("suspend") && !status.has("startTime");
    let fixed = |spec: &Node<'_, '_>| {
        let mut template = spec.get("template").clone();
        if free {
            if let Some(metadata) = template.pointer_mut("/metadata").and_then(Value::as_object_mut) {
                metadata.retain(|key, _| !matches!(key.as_str(), "labels" | "annotations"));
            }
            if let Some(pod) = template.pointer_mut("/spec").and_then(Value::as_object_mut) {
                pod.retain(|key, _| {
                    !matches!(key.as_str(), "affinity" | "nodeSelector" | "tolerations" | "schedulingGates")
                });
            }
        }
        template
    };
    let (now, before) = (fixed(spec), fixed(old));
    let template = spec.child("template");
    for part in ["metadata", "spec"] {
        if !same(&now[part], &before[part]) {
            let part = template.child(part);
            errors.push(Error::invalid(&part.path, part.value.clone(), super::checks::IMMUTABLE));
        }
    }
}

fn cron_job(spec: &Node<'_, '_>, old: Option<&Node<'_, '_>>, errors: &mut Errors) {
    let schedule = spec.text("schedule");
    let path = spec.path.child("schedule");
    if required(spec, "schedule", errors) {
        if let Err(reason) = cron::parse(schedule) {
            errors.push(Error::invalid(&path, schedule, reason));
        }
        let had_zone = old.is_some_and(|old| old.text("schedule").contains("TZ"));
        if schedule.contains("TZ") {
            if !had_zone {
                let reason = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
                errors.push(Error::invalid(&path, schedule, reason));
            } else if spec.has("timeZone") {
                let reason = "cannot use both timeZone field and TZ or CRON_TZ in schedule";
                errors.push(Error::invalid(&path, schedule, reason));
            }
        }
    }
    not_negative(spec, "startingDeadlineSeconds", errors);
    if spec.has("timeZone") && old.is_none_or(|old| old.get("timeZone") != spec.get("timeZone")) {
        let zone = spec.text("timeZone");
        if let Err(reason) = cron::zone(zone) {
            errors.push(Error::invalid(&spec.path.child("timeZone"), zone, reason));
        }
    }
    one_of(spec, "concurrencyPolicy", &["Allow", "Forbid", "Replace"], errors);
    let template = spec.child("jobTemplate");
    let job = template.child("spec");
    base_job_spec(&job, errors);
    if job.has("selector") {
        let reason = "`selector` will be auto-generated";
        errors.push(Error::invalid(&job.path.child("selector"), job.get("selector").clone(), reason));
    }
    if job.is("manualSelector") {
        errors.push(Error::not_supported(&job.path.child("manualSelector"), true, &["nil", "false"]));
    }
    none_negative(spec, &["successfulJobsHistoryLimit", "failedJobsHistoryLimit"], errors);
}
