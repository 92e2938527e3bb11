//! `autoscaling/v1` and `autoscaling/v2` autoscalers (`pkg/apis/autoscaling/v1/conversion.go`).
//!
//! v1 has a field for one metric, the utilisation of the CPU. Everything else travels in annotations, as JSON in the
//! order of upstream's structs, so that a client of v1 loses nothing when it writes back what it read.

use chainplate_sdk::apimachinery::{Map, Value};
use serde_json::json;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const CURRENT_METRICS: &str = "autoscaling.alpha.kubernetes.io/current-metrics";
const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";

const CPU_TARGET: &str = "targetCPUUtilizationPercentage";
const CPU_CURRENT: &str = "currentCPUUtilizationPercentage";

/// The members of a policy of scaling: in v2, and in upstream's internal type, which is what the annotation holds.
const POLICY: [(&str, &str); 3] = [("type", "Type"), ("value", "Value"), ("periodSeconds", "PeriodSeconds")];

pub(super) fn to_v1(object: &mut Map) {
    let mut annotations = Map::new();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let metrics = take_list(spec, "metrics");
        let mut others = Vec::new();
        for metric in &metrics {
            match cpu(metric, "target") {
                Some(utilization) => {
                    spec.insert(CPU_TARGET.into(), utilization.clone());
                }
                None => others.push(metric_to_v1(metric, "target")),
            }
        }
        if !others.is_empty() {
            annotations.insert(METRICS.into(), array(&others).into());
        }
        if let Some(behavior) = spec.remove("behavior") {
            annotations.insert(BEHAVIOR.into(), behavior_to_v1(&behavior).into());
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let metrics = take_list(status, "currentMetrics");
        if let Some(utilization) = metrics.iter().find_map(|metric| cpu(metric, "current")) {
            status.insert(CPU_CURRENT.into(), utilization.clone());
        }
        if !metrics.is_empty() {
            let texts: Vec<String> = metrics.iter().map(|metric| metric_to_v1(metric, "current")).collect();
            annotations.insert(CURRENT_METRICS.into(), array(&texts).into());
        }
        let conditions = take_list(status, "conditions");
        if !conditions.is_empty() {
            let names = ["type", "status", "lastTransitionTime", "reason", "message"];
            let texts: Vec<String> =
                conditions.iter().map(|condition| pick(condition, &names.map(|name| (name, name)))).collect();
            annotations.insert(CONDITIONS.into(), array(&texts).into());
        }
        for name in ["currentReplicas", "desiredReplicas"] {
            status.entry(name).or_insert(0.into());
        }
    }
    set_annotations(object, annotations);
}

pub(super) fn to_v2(object: &mut Map) {
    let stored = |name: &str| -> Option<Value> {
        let text = object.get("metadata")?.get("annotations")?.get(name)?.as_str()?;
        serde_json::from_str(text).ok()
    };
    let (metrics, current) = (stored(METRICS), stored(CURRENT_METRICS));
    let (conditions, behavior) = (stored(CONDITIONS), stored(BEHAVIOR));
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
        let mut all: Vec<Value> = match metrics {
            Some(Value::Array(metrics)) => {
                metrics.iter().map(|metric| metric_to_v2(metric, "target")).collect()
            }
            _ => Vec::new(),
        };
        if let Some(utilization) = spec.remove(CPU_TARGET) {
            let target = json!({ "type": "Utilization", "averageUtilization": utilization });
            all.push(json!({ "type": "Resource", "resource": { "name": "cpu", "target": target } }));
        }
        if !all.is_empty() {
            spec.insert("metrics".into(), all.into());
        }
        if let Some(behavior) = behavior.and_then(|behavior| behavior_to_v2(&behavior)) {
            spec.insert("behavior".into(), behavior);
        }
    }
    if let Some(status) = object.get_mut("status").and_then(Value::as_object_mut) {
        let utilization = status.remove(CPU_CURRENT);
        let all = match (current, utilization) {
            (Some(Value::Array(current)), _) => {
                current.iter().map(|metric| metric_to_v2(metric, "current")).collect::<Vec<Value>>().into()
            }
            (_, Some(utilization)) => json!([{
                "type": "Resource",
                "resource": { "name": "cpu", "current": { "averageUtilization": utilization, "averageValue": "0" } },
            }]),
            _ => Value::Null,
        };
        status.insert("currentMetrics".into(), all);
        if let Some(conditions @ Value::Array(_)) = conditions {
            status.insert("conditions".into(), conditions);
        }
        // Optional here, required in v1.
        if status.get("currentReplicas").and_then(Value::as_i64) == Some(0) {
            status.remove("currentReplicas");
        }
    }
    set_annotations(object, Map::new());
}

fn take_list(members: &mut Map, name: &str) -> Vec<Value> {
    match members.remove(name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

/// The utilisation that a metric of the CPU aims at or is at; none for other metrics.
fn cpu<'a>(metric: &'a Value, side: &str) -> Option<&'a Value> {
    let resource = metric.get("resource").filter(|_| metric["type"] == "Resource")?;
    if resource["name"] != "cpu" {
        return None;
    }
    resource.get(side)?.get("averageUtilization")
}

/// Replaces the annotations that carry what v1 has no fields for.
fn set_annotations(object: &mut Map, ours: Map) {
    let metadata = object.entry("metadata").or_insert_with(|| Map::new().into());
    let Some(metadata) = metadata.as_object_mut() else { return };
    if ours.is_empty() && !metadata.contains_key("annotations") {
        return;
    }
    let annotations = metadata.entry("annotations").or_insert_with(|| Map::new().into());
    let Some(all) = annotations.as_object_mut() else { return };
    for name in [METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR] {
        all.remove(name);
    }
    all.extend(ours);
    if all.is_empty() {
        metadata.remove("annotations");
    }
}

/// A metric in the form of v1. `side` is `target` of a spec, `current` of a status.
fn metric_to_v1(metric: &Value, side: &str) -> String {
    let kind = metric["type"].as_str().unwrap_or_default();
    let member = member(kind);
    let body = metric.get(member).unwrap_or(&Value::Null);
    let values = body.get(side).unwrap_or(&Value::Null);
    let value = |name: &str| values.get(name);
    let name = body.get("metric").and_then(|metric| metric.get("name"));
    let selector = body.get("metric").and_then(|metric| metric.get("selector"));
    let title = |base: &str| format!("{side}{base}");
    let (utilization, average, total) = (title("AverageUtilization"), title("AverageValue"), title("Value"));
    // A status always tells the raw value, and Object always a value.
    let zero = Value::from("0");
    let raw = value("averageValue").or_else(|| (side == "current").then_some(&zero));
    let whole = value("value").unwrap_or(&zero);
    let body = match member {
        "resource" => ordered(&[
            ("name", body.get("name")),
            (&utilization, value("averageUtilization")),
            (&average, raw),
        ]),
        "containerResource" => ordered(&[
            ("name", body.get("name")),
            (&utilization, value("averageUtilization")),
            (&average, raw),
            ("container", body.get("container")),
        ]),
        "pods" => ordered(&[("metricName", name), (&average, raw.or(Some(&zero))), ("selector", selector)]),
        "object" => ordered(&[
            ("target", body.get("describedObject")),
            ("metricName", name),
            (&total, Some(whole)),
            ("selector", selector),
            ("averageValue", value("averageValue")),
        ]),
        _ => {
            let total_value = if side == "current" { Some(whole) } else { value("value") };
            ordered(&[
                ("metricName", name),
                ("metricSelector", selector),
                (&total, total_value),
                (&average, value("averageValue")),
            ])
        }
    };
    format!("{{\"type\":{},{}:{body}}}", Value::from(kind), Value::from(member))
}

/// A metric of v1 in the form of v2.
fn metric_to_v2(metric: &Value, side: &str) -> Value {
    let kind = metric["type"].as_str().unwrap_or_default();
    let member = member(kind);
    let body = metric.get(member).unwrap_or(&Value::Null);
    let mut values = Map::new();
    let title = |base: &str| format!("{side}{base}");
    let own_average = if member == "object" { "averageValue".to_owned() } else { title("AverageValue") };
    let mut kind_of_target = "Value";
    for (from, to, target) in [
        (title("Value"), "value", "Value"),
        (own_average, "averageValue", "AverageValue"),
        (title("AverageUtilization"), "averageUtilization", "Utilization"),
    ] {
        if let Some(value) = body.get(&from).filter(|value| !value.is_null()) {
            values.insert(to.into(), value.clone());
            kind_of_target = target;
        }
    }
    // Object metrics of v1 always tell a value, zero when an average is meant.
    if values.len() > 1 && values.get("value").and_then(Value::as_str) == Some("0") {
        values.remove("value");
    }
    if side == "target" {
        values.insert("type".into(), kind_of_target.into());
    }
    let mut out = Map::new();
    for name in ["name", "container"] {
        if let Some(value) = body.get(name) {
            out.insert(name.into(), value.clone());
        }
    }
    if let Some(target) = body.get("target").filter(|_| member == "object") {
        out.insert("describedObject".into(), target.clone());
    }
    if let Some(name) = body.get("metricName") {
        let mut identifier = Map::new();
        identifier.insert("name".into(), name.clone());
        if let Some(selector) = body.get("selector").or_else(|| body.get("metricSelector")) {
            identifier.insert("selector".into(), selector.clone());
        }
        out.insert("metric".into(), identifier.into());
    }
    out.insert(side.into(), values.into());
    let mut all = Map::new();
    all.insert("type".into(), kind.into());
    all.insert(member.into(), out.into());
    all.into()
}

/// The member that holds a metric of a type.
fn member(kind: &str) -> &'static str {
    match kind {
        "Object" => "object",
        "Pods" => "pods",
        "Resource" => "resource",
        "ContainerResource" => "containerResource",
        _ => "external",
    }
}

fn behavior_to_v1(behavior: &Value) -> String {
    let rules = |name: &str| -> String {
        let Some(rules) = behavior.get(name).filter(|rules| rules.is_object()) else { return "null".into() };
        let plain = |member: &str| rules.get(member).unwrap_or(&Value::Null).to_string();
        let policies = match rules.get("policies").and_then(Value::as_array) {
            Some(policies) => array(&policies.iter().map(|policy| pick(policy, &POLICY)).collect::<Vec<_>>()),
            None => "null".into(),
        };
        format!(
            "{{\"StabilizationWindowSeconds\":{},\"SelectPolicy\":{},\"Policies\":{policies},\"Tolerance\":{}}}",
            plain("stabilizationWindowSeconds"),
            plain("selectPolicy"),
            plain("tolerance"),
        )
    };
    format!("{{\"ScaleUp\":{},\"ScaleDown\":{}}}", rules("scaleUp"), rules("scaleDown"))
}

fn behavior_to_v2(behavior: &Value) -> Option<Value> {
    let mut out = Map::new();
    for (from, to) in [("ScaleUp", "scaleUp"), ("ScaleDown", "scaleDown")] {
        let Some(rules) = behavior.get(from).and_then(Value::as_object) else { continue };
        let mut all = Map::new();
        for (from, to) in [
            ("StabilizationWindowSeconds", "stabilizationWindowSeconds"),
            ("SelectPolicy", "selectPolicy"),
            ("Tolerance", "tolerance"),
        ] {
            if let Some(value) = rules.get(from).filter(|value| !value.is_null()) {
                all.insert(to.into(), value.clone());
            }
        }
        if let Some(Value::Array(policies)) = rules.get("Policies") {
            let policies: Vec<Value> = policies
                .iter()
                .map(|policy| {
                    POLICY
                        .iter()
                        .filter_map(|(to, from)| Some(((*to).to_owned(), policy.get(from)?.clone())))
                        .collect::<Map>()
                        .into()
                })
                .collect();
            all.insert("policies".into(), policies.into());
        }
        out.insert(to.into(), all.into());
    }
    (!out.is_empty()).then_some(out.into())
}

/// A JSON object of the members that are there, in this order.
fn ordered(members: &[(&str, Option<&Value>)]) -> String {
    let members: Vec<String> = members
        .iter()
        .filter_map(|(name, value)| Some(format!("{}:{}", Value::from(*name), go(name, (*value)?))))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// References to objects in the order of their struct; everything else is sorted in upstream, too.
fn go(name: &str, value: &Value) -> String {
    if name == "target" {
        return pick(value, &["kind", "name", "apiVersion"].map(|name| (name, name)));
    }
    value.to_string()
}

/// Some members of an object, under other names, in this order.
fn pick(value: &Value, names: &[(&str, &str)]) -> String {
    let members: Vec<String> = names
        .iter()
        .filter_map(|(from, to)| Some(format!("{}:{}", Value::from(*to), value.get(from)?)))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn array(texts: &[String]) -> String {
    format!("[{}]", texts.join(","))
}
