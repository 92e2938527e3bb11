//! `pkg/apis/apps/validation`.

use super::checks::{
    Errors, SPEC, at_most_all, go_struct, immutable, int_or_percent, int_or_percent_value, none_negative,
    not_negative, same, shown,
};
use super::core::{always_restarts, mismatch, not_decremented, replica_counts};
use super::labels::{Match, matches, selector, selects_all};
use super::view::Node;
use super::{pod, storage_core};
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match kind {
        "Deployment" => deployment(&spec, errors),
        "ReplicaSet" => replica_set(&spec, errors),
        "DaemonSet" => daemon_set(&spec, errors),
        "StatefulSet" => stateful_set(&spec, errors),
        "ControllerRevision" => {
            if !root.has("data") {
                errors.push(Error::required(&root.path.child("data"), "data is mandatory"));
            }
            not_negative(&root, "revision", errors);
        }
        _ => {}
    }
}

pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    create(kind, new, errors);
    let (now, was) = (Node::root(new), Node::root(old));
    let (spec, old_spec) = (now.child("spec"), was.child("spec"));
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => immutable(&spec, &old_spec, "selector", errors),
        "StatefulSet" => {
            const MUTABLE: [&str; 7] = [
                "replicas",
                "ordinals",
                "template",
                "updateStrategy",
                "revisionHistoryLimit",
                "persistentVolumeClaimRetentionPolicy",
                "minReadySeconds",
            ];
            let rest = |spec: &Node<'_, '_>| {
                let mut rest = spec.value.as_object().cloned().unwrap_or_default();
                rest.retain(|key, _| !MUTABLE.contains(&key.as_str()));
                Value::Object(rest)
            };
            if !same(&rest(&spec), &rest(&old_spec)) {
                let reason = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and \
'minReadySeconds' are forbidden";
                errors.push(Error::forbidden(&SPEC, reason));
            }
        }
        "ControllerRevision" => immutable(&now, &was, "data", errors),
        _ => {}
    }
}

pub(super) fn update_status(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let (now, was) = (Node::root(new), Node::root(old));
    let (status, old) = (now.child("status"), was.child("status"));
    let (counts, bounded): (&[&str], &[&str]) = match kind {
        "Deployment" => (
            &[
                "observedGeneration",
                "replicas",
                "updatedReplicas",
                "readyReplicas",
                "availableReplicas",
                "unavailableReplicas",
                "terminatingReplicas",
                "collisionCount",
            ],
            &["updatedReplicas", "readyReplicas", "availableReplicas"],
        ),
        "ReplicaSet" => (
            &[
                "replicas",
                "fullyLabeledReplicas",
                "readyReplicas",
                "availableReplicas",
                "observedGeneration",
                "terminatingReplicas",
            ],
            &["fullyLabeledReplicas", "readyReplicas", "availableReplicas"],
        ),
        "DaemonSet" => (
            &[
                "currentNumberScheduled",
                "numberMisscheduled",
                "desiredNumberScheduled",
                "numberReady",
                "observedGeneration",
                "updatedNumberScheduled",
                "numberAvailable",
                "numberUnavailable",
                "collisionCount",
            ],
            &[],
        ),
        "StatefulSet" => (
            &[
                "replicas",
                "readyReplicas",
                "currentReplicas",
                "updatedReplicas",
                "availableReplicas",
                "observedGeneration",
                "collisionCount",
            ],
            &["readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"],
        ),
        _ => return,
    };
    none_negative(&status, counts, errors);
    if !bounded.is_empty() {
        replica_counts(&status, bounded, errors);
    }
    not_decremented(&status, &old, errors);
}

/// Selector and template of a controller. `empty` is what is wrong with a selector of everything.
fn selected_template(spec: &Node<'_, '_>, kind: &str, empty: &str, errors: &mut Errors) {
    let node = spec.child("selector");
    if node.present() {
        selector(&node, errors);
        if selects_all(&node) {
            errors.push(Error::invalid(&node.path, node.value.clone(), empty));
        }
    } else {
        errors.push(Error::required(&node.path, ""));
    }
    let template = spec.child("template");
    match matches(node.value, template.child("metadata").map("labels")) {
        Match::Invalid => {
            return errors.push(Error::invalid(&node.path, node.value.clone(), "invalid label selector"));
        }
        Match::No => mismatch(&template, errors),
        Match::Yes => {}
    }
    pod::template(&template, spec.list("volumeClaimTemplates"), errors);
    always_restarts(&template, kind, errors);
}

fn deployment(spec: &Node<'_, '_>, errors: &mut Errors) {
    not_negative(spec, "replicas", errors);
    selected_template(spec, "ReplicaSet", "empty selector is invalid for deployment", errors);
    let strategy = spec.child("strategy");
    let rolling = strategy.child("rollingUpdate");
    match strategy.text("type") {
        "Recreate" => {
            if rolling.present() {
                let reason = "may not be specified when strategy `type` is 'Recreate'";
                errors.push(Error::forbidden(&rolling.path, reason));
            }
        }
        "RollingUpdate" if !rolling.present() => {
            let reason = "this should be defaulted and never be nil";
            errors.push(Error::required(&rolling.path, reason));
        }
        "RollingUpdate" => {
            int_or_percent(&rolling, "maxUnavailable", errors);
            int_or_percent(&rolling, "maxSurge", errors);
            let zero = |name: &str| int_or_percent_value(rolling.get(name)) == 0;
            if zero("maxUnavailable") && zero("maxSurge") {
                let path = rolling.path.child("maxUnavailable");
                let value = rolling.get("maxUnavailable").clone();
                errors.push(Error::invalid(&path, value, "may not be 0 when `maxSurge` is 0"));
            }
            at_most_all(&rolling, "maxUnavailable", errors);
        }
        _ => unknown_strategy(&strategy, &["Recreate", "RollingUpdate"], errors),
    }
    not_negative(spec, "minReadySeconds", errors);
    not_negative(spec, "revisionHistoryLimit", errors);
    if let Some(deadline) = spec.number("progressDeadlineSeconds") {
        not_negative(spec, "progressDeadlineSeconds", errors);
        if deadline <= spec.int("minReadySeconds") {
            let path = spec.path.child("progressDeadlineSeconds");
            errors.push(Error::invalid(&path, deadline, "must be greater than minReadySeconds"));
        }
    }
}

/// `Unsupported value` of a whole strategy, as its Go struct.
fn unknown_strategy(strategy: &Node<'_, '_>, known: &[&str], errors: &mut Errors) {
    let kind = super::checks::go_text(strategy.get("type"));
    let told = go_struct(&[("Type", &kind), ("RollingUpdate", strategy.get("rollingUpdate"))]);
    let known: Vec<String> = known.iter().map(|known| format!("{known:?}")).collect();
    let detail = format!("supported values: {}", known.join(", "));
    errors.push(shown(Kind::NotSupported, &strategy.path, told, &detail));
}

fn replica_set(spec: &Node<'_, '_>, errors: &mut Errors) {
    none_negative(spec, &["replicas", "minReadySeconds"], errors);
    selected_template(spec, "ReplicaSet", "empty selector is invalid for deployment", errors);
}

fn daemon_set(spec: &Node<'_, '_>, errors: &mut Errors) {
    let (node, template) = (spec.child("selector"), spec.child("template"));
    selector(&node, errors);
    if matches(node.value, template.child("metadata").map("labels")) == Match::No {
        mismatch(&template, errors);
    }
    if node.present() && selects_all(&node) {
        let reason = "empty selector is invalid for daemonset";
        errors.push(Error::invalid(&node.path, node.value.clone(), reason));
    }
    pod::template(&template, &[], errors);
    always_restarts(&template, "DaemonSet", errors);
    not_negative(spec, "minReadySeconds", errors);
    let strategy = spec.child("updateStrategy");
    let rolling = strategy.child("rollingUpdate");
    match strategy.text("type") {
        "OnDelete" => {}
        "RollingUpdate" if !rolling.present() => errors.push(Error::required(&rolling.path, "")),
        "RollingUpdate" => {
            for name in ["maxUnavailable", "maxSurge"] {
                int_or_percent(&rolling, name, errors);
            }
            for name in ["maxUnavailable", "maxSurge"] {
                at_most_all(&rolling, name, errors);
            }
            let set = |name: &str| int_or_percent_value(rolling.get(name)) != 0;
            match (set("maxUnavailable"), set("maxSurge")) {
                (true, true) => {
                    let reason = "may not be set when maxUnavailable is non-zero";
                    let value = rolling.get("maxSurge").clone();
                    errors.push(Error::invalid(&rolling.path.child("maxSurge"), value, reason));
                }
                (false, false) => {
                    let path = rolling.path.child("maxUnavailable");
                    errors.push(Error::required(&path, "cannot be 0 when maxSurge is 0"));
                }
                _ => {}
            }
        }
        _ => unknown_strategy(&strategy, &["RollingUpdate", "OnDelete"], errors),
    }
    not_negative(spec, "revisionHistoryLimit", errors);
}

fn stateful_set(spec: &Node<'_, '_>, errors: &mut Errors) {
    let policy = spec.text("podManagementPolicy");
    if super::checks::required(spec, "podManagementPolicy", errors)
        && !matches!(policy, "OrderedReady" | "Parallel")
    {
        let path = spec.path.child("podManagementPolicy");
        errors.push(Error::invalid(&path, policy, "must be 'OrderedReady' or 'Parallel'"));
    }
    let strategy = spec.child("updateStrategy");
    let rolling = strategy.child("rollingUpdate");
    match strategy.text("type") {
        "" => errors.push(Error::required(&strategy.path, "")),
        "OnDelete" => {
            if rolling.present() {
                let partition = Value::from(rolling.int("partition"));
                let told = go_struct(&[
                    ("Partition", &partition),
                    ("MaxUnavailable", rolling.get("maxUnavailable")),
                ]);
                let reason = "only allowed for updateStrategy 'RollingUpdate'";
                errors.push(shown(Kind::Invalid, &rolling.path, told, reason));
            }
        }
        "RollingUpdate" => {
            not_negative(&rolling, "partition", errors);
            if rolling.has("maxUnavailable") {
                int_or_percent(&rolling, "maxUnavailable", errors);
                if int_or_percent_value(rolling.get("maxUnavailable")) == 0 {
                    let path = rolling.path.child("maxUnavailable");
                    let value = rolling.get("maxUnavailable").clone();
                    errors.push(Error::invalid(&path, value, "cannot be 0"));
                }
                at_most_all(&rolling, "maxUnavailable", errors);
            }
        }
        _ => {
            let kind = strategy.get("type").clone();
            let told = go_struct(&[("Type", &kind), ("RollingUpdate", rolling.value)]);
            errors.push(shown(Kind::Invalid, &strategy.path, told, "must be 'RollingUpdate' or 'OnDelete'"));
        }
    }
    if let Some(retention) = spec.some("persistentVolumeClaimRetentionPolicy") {
        for name in ["whenDeleted", "whenScaled"] {
            let path = retention.path.child(name);
            super::checks::supported(&path, retention.text(name), &["Retain", "Delete"], errors);
        }
    }
    none_negative(spec, &["replicas", "minReadySeconds"], errors);
    not_negative(&spec.child("ordinals"), "start", errors);
    not_negative(spec, "revisionHistoryLimit", errors);
    super::checks::member_if_any(spec, "serviceName", super::service_name, errors);
    selected_template(spec, "StatefulSet", "empty selector is invalid for statefulset", errors);
    spec.child("volumeClaimTemplates").each(|_, claim| {
        if claim.child("metadata").text("name").is_empty() {
            let path = claim.path.child("metadata");
            errors.push(Error::required(&path.child("name"), ""));
        }
        storage_core::claim_spec(&claim.child("spec"), errors);
    });
}
