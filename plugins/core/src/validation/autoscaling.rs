//! `pkg/apis/{autoscaling,policy}/validation`.

use super::amount::Amount;
use super::checks::{
    Errors, SPEC, at_most_all, go_struct, int_or_percent, none_negative, optional_one_of, path_segment,
    required, required_member, required_with, shown, supported,
};
use super::labels::selector;
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

/// Kinds of metrics: the name of the type and the member that holds it, in upstream's order of checks.
const METRICS: [(&str, &str); 5] = [
    ("Object", "object"),
    ("External", "external"),
    ("Pods", "pods"),
    ("Resource", "resource"),
    ("ContainerResource", "containerResource"),
];

pub(super) fn create(object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    let least = spec.number("minReplicas");
    // Zero is checked against the metrics, below (HPAScaleToZero is off).
    if let Some(least) = least.filter(|least| *least < 1) {
        let reason = "must be greater than or equal to 1";
        errors.push(Error::invalid(&SPEC.child("minReplicas"), least, reason));
    }
    let most = spec.int("maxReplicas");
    let path = SPEC.child("maxReplicas");
    if most == 0 {
        errors.push(Error::required(&path, "must be set and greater than 0"));
    } else if most < 0 {
        errors.push(Error::invalid(&path, most, "must be greater than 0"));
    }
    if least.is_some_and(|least| most < least) {
        errors.push(Error::invalid(&path, most, "must be greater than or equal to `minReplicas`"));
    }
    let target = spec.child("scaleTargetRef");
    reference(&target, errors);
    let version = target.text("apiVersion");
    let legacy = target.text("kind") == "ReplicationController" && version == "v1";
    if version.matches('/').count() > 1 {
        let reason = format!("unexpected GroupVersion string: {version}");
        errors.push(Error::invalid(&target.path.child("apiVersion"), version, reason));
    } else if version.split_once('/').is_none_or(|(group, _)| group.is_empty()) && !legacy {
        let reason = "apiVersion must specify API group";
        errors.push(Error::invalid(&target.path.child("apiVersion"), version, reason));
    }
    // autoscaling/v1 knows one metric, in a member of its own.
    if let Some(percent) = spec.number("targetCPUUtilizationPercentage")
        && percent < 1
    {
        let path = SPEC.child("metrics");
        let path = path.index(0);
        let path = path.child("resource");
        let path = path.child("target");
        errors.push(Error::invalid(&path.child("averageUtilization"), percent, "must be greater than 0"));
    }
    let metrics = spec.child("metrics");
    metrics.each(|_, metric| metric_spec(metric, errors));
    let scales_to_zero = spec
        .list("metrics")
        .iter()
        .any(|metric| matches!(Node::root(metric).text("type"), "Object" | "External"));
    if least == Some(0) && !scales_to_zero {
        let reason =
            "must specify at least one Object or External metric to support scaling to zero replicas";
        errors.push(Error::forbidden(&metrics.path, reason));
    }
    if let Some(behavior) = spec.some("behavior") {
        for name in ["scaleUp", "scaleDown"] {
            if let Some(rules) = behavior.some(name) {
                scaling_rules(&rules, errors);
            }
        }
    }
}

fn reference(node: &Node<'_, '_>, errors: &mut Errors) {
    required_member(node, "kind", path_segment, errors);
    required_member(node, "name", path_segment, errors);
}

fn metric_spec(metric: &Node<'_, '_>, errors: &mut Errors) {
    const KINDS: [&str; 5] = ["ContainerResource", "External", "Object", "Pods", "Resource"];
    let kind = metric.text("type");
    required_with(metric, "type", "must specify a metric source type", errors);
    let mut found = 0;
    for (name, member) in METRICS {
        let Some(source) = metric.some(member) else { continue };
        found += 1;
        if found == 1 {
            metric_source(name, &source, errors);
        }
    }
    let expected = METRICS.iter().find(|(name, _)| *name == kind).map(|(_, member)| *member);
    match expected {
        // Upstream looks at the type twice, and says so twice.
        None => {
            for _ in 0..2 {
                errors.push(Error::not_supported(&metric.path.child("type"), kind, &KINDS));
            }
        }
        Some(member) if !metric.has(member) => {
            let reason = "must populate information for the given metric source";
            errors.push(Error::required(&metric.path.child(member), reason));
        }
        Some(_) => {}
    }
    if found != 1 {
        for (_, member) in
            METRICS.iter().filter(|(_, member)| Some(*member) != expected && metric.has(member))
        {
            let reason = "must populate the given metric source only";
            errors.push(Error::forbidden(&metric.path.child(member), reason));
        }
    }
}

fn metric_source(kind: &str, source: &Node<'_, '_>, errors: &mut Errors) {
    let target = source.child("target");
    match kind {
        "Resource" | "ContainerResource" => {
            required_with(source, "name", "must specify a resource name", errors);
            if kind == "ContainerResource" {
                required_with(source, "container", "must specify a container", errors);
            }
        }
        _ => {
            if kind == "Object" {
                reference(&source.child("describedObject"), errors);
            }
            let metric = source.child("metric");
            if required_with(&metric, "name", "must specify a metric name", errors) {
                super::checks::member(&metric, "name", path_segment, errors);
            }
            selector(&metric.child("selector"), errors);
        }
    }
    metric_target(&target, errors);
    let has = |name: &str| target.has(name);
    match kind {
        "Pods" => {
            if !Amount::of(target.get("averageValue")).is_some_and(Amount::is_positive) {
                let reason = "must specify a positive target averageValue";
                errors.push(Error::required(&target.path.child("averageValue"), reason));
            }
        }
        "Object" | "External" => {
            if !has("value") && !has("averageValue") {
                let reason = "must set either a target value for metric or a per-pod target";
                errors.push(Error::required(&target.path.child("averageValue"), reason));
            }
            if has("value") && has("averageValue") {
                let reason = "may not set both a target value for metric and a per-pod target";
                errors.push(Error::forbidden(&target.path.child("value"), reason));
            }
        }
        _ => {
            if !has("averageUtilization") && !has("averageValue") {
                let reason = "must set either a target raw value or a target utilization";
                errors.push(Error::required(&target.path.child("averageUtilization"), reason));
            }
            if has("averageUtilization") && has("averageValue") {
                let reason = "may not set both a target raw value and a target utilization";
                errors.push(Error::forbidden(&target.path.child("averageValue"), reason));
            }
        }
    }
}

fn metric_target(target: &Node<'_, '_>, errors: &mut Errors) {
    let kind = target.text("type");
    required_with(target, "type", "must specify a metric target type", errors);
    if !matches!(kind, "Utilization" | "Value" | "AverageValue") {
        let reason = "must be either Utilization, Value, or AverageValue";
        errors.push(Error::invalid(&target.path.child("type"), kind, reason));
    }
    for name in ["value", "averageValue"] {
        if target.has(name) && !Amount::of(target.get(name)).is_some_and(Amount::is_positive) {
            errors.push(Error::invalid(
                &target.path.child(name),
                target.get(name).clone(),
                "must be positive",
            ));
        }
    }
    if let Some(percent) = target.number("averageUtilization").filter(|percent| *percent < 1) {
        let path = target.path.child("averageUtilization");
        errors.push(Error::invalid(&path, percent, "must be greater than 0"));
    }
}

fn scaling_rules(rules: &Node<'_, '_>, errors: &mut Errors) {
    const MAX_WINDOW: i64 = 3600;
    const MAX_PERIOD: i64 = 1800;
    let bounded = |node: &Node<'_, '_>, name: &str, low: i64, high: i64, errors: &mut Errors| {
        let number = node.int(name);
        let reason = if number < low {
            if low == 0 {
                "must be greater than or equal to zero".to_owned()
            } else {
                "must be greater than zero".to_owned()
            }
        } else if number > high {
            format!("must be less than or equal to {high}")
        } else {
            return;
        };
        errors.push(Error::invalid(&node.path.child(name), number, reason));
    };
    bounded(rules, "stabilizationWindowSeconds", 0, MAX_WINDOW, errors);
    optional_one_of(rules, "selectPolicy", &["Disabled", "Max", "Min"], errors);
    super::checks::required_items(rules, "policies", "must specify at least one Policy", errors);
    rules.child("policies").each(|_, policy| {
        supported(&policy.path.child("type"), policy.text("type"), &["Percent", "Pods"], errors);
        bounded(policy, "value", 1, i64::MAX, errors);
        bounded(policy, "periodSeconds", 1, MAX_PERIOD, errors);
    });
}

/// A PodDisruptionBudget.
pub(super) fn disruption_budget(object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    if spec.has("minAvailable") && spec.has("maxUnavailable") {
        let told = go_struct(&[
            ("MinAvailable", spec.get("minAvailable")),
            ("Selector", spec.get("selector")),
            ("MaxUnavailable", spec.get("maxUnavailable")),
            ("UnhealthyPodEvictionPolicy", spec.get("unhealthyPodEvictionPolicy")),
        ]);
        let reason = "minAvailable and maxUnavailable cannot be both set";
        errors.push(shown(Kind::Invalid, &SPEC, told, reason));
    }
    for name in ["minAvailable", "maxUnavailable"] {
        if spec.has(name) {
            int_or_percent(&spec, name, errors);
            at_most_all(&spec, name, errors);
        }
    }
    selector(&spec.child("selector"), errors);
    optional_one_of(&spec, "unhealthyPodEvictionPolicy", &["AlwaysAllow", "IfHealthyBudget"], errors);
}

pub(super) fn update_status(kind: &str, new: &Value, errors: &mut Errors) {
    let root = Node::root(new);
    let status = root.child("status");
    let counts: &[&str] = match kind {
        "HorizontalPodAutoscaler" => &["currentReplicas", "desiredReplicas"],
        "PodDisruptionBudget" => {
            conditions(&status.child("conditions"), errors);
            &["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]
        }
        _ => return,
    };
    none_negative(&status, counts, errors);
}

/// Conditions of the common type (`ValidateConditions`).
pub(super) fn conditions(node: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, condition| {
        let kind = condition.text("type");
        if all[..index].iter().any(|other| Node::root(other).text("type") == kind) {
            errors.push(Error::duplicate(&condition.path.child("type"), kind));
        }
        for reason in super::checks::qualified(kind) {
            errors.push(Error::invalid(&condition.path.child("type"), kind, reason));
        }
        let status = condition.path.child("status");
        supported(&status, condition.text("status"), &["False", "True", "Unknown"], errors);
        if condition.int("observedGeneration") < 0 {
            let path = condition.path.child("observedGeneration");
            errors.push(Error::invalid(
                &path,
                condition.int("observedGeneration"),
                super::checks::NOT_NEGATIVE,
            ));
        }
        if !condition.has("lastTransitionTime") {
            errors.push(Error::required(&condition.path.child("lastTransitionTime"), "must be set"));
        }
        required(condition, "reason", errors);
    });
}
