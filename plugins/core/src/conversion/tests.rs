use super::*;
use serde_json::json;

fn scaled(metrics: Value) -> Value {
    json!({
        "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v2", "metadata": { "name": "a" },
        "spec": { "maxReplicas": 3, "metrics": metrics },
        "status": { "desiredReplicas": 0, "currentMetrics": null },
    })
}

fn there_and_back(object: &Value, through: &str) -> Value {
    let mut other = object.clone();
    convert(&mut other, through);
    assert_eq!(other["apiVersion"], through);
    to_storage(&mut other);
    other
}

#[test]
fn cpu_utilisation_is_a_field_of_autoscaling_v1() {
    let cpu = json!([{ "type": "Resource", "resource": {
        "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 80 } } }]);
    let mut object = scaled(cpu);
    let before = object.clone();
    convert(&mut object, "autoscaling/v1");
    assert_eq!(object["spec"], json!({ "maxReplicas": 3, "targetCPUUtilizationPercentage": 80 }));
    assert_eq!(object["status"], json!({ "currentReplicas": 0, "desiredReplicas": 0 }));
    assert_eq!(object["metadata"], json!({ "name": "a" }));
    to_storage(&mut object);
    assert_eq!(object, before);
}

#[test]
fn other_metrics_travel_in_annotations_in_the_order_of_upstreams_structs() {
    let metrics = json!([
        { "type": "Resource", "resource": {
            "name": "memory", "target": { "type": "AverageValue", "averageValue": "1Gi" } } },
        { "type": "Pods", "pods": { "metric": { "name": "qps", "selector": { "matchLabels": { "a": "b" } } },
            "target": { "type": "AverageValue", "averageValue": "1500m" } } },
        { "type": "Object", "object": {
            "describedObject": { "kind": "Ingress", "name": "i", "apiVersion": "networking.k8s.io/v1" },
            "metric": { "name": "hits" }, "target": { "type": "Value", "value": "2k" } } },
        { "type": "External", "external": { "metric": { "name": "queue" },
            "target": { "type": "AverageValue", "averageValue": "30" } } },
        { "type": "ContainerResource", "containerResource": { "name": "cpu", "container": "c",
            "target": { "type": "Utilization", "averageUtilization": 60 } } },
    ]);
    let mut object = scaled(metrics);
    object["spec"]["behavior"] = json!({
        "scaleUp": { "stabilizationWindowSeconds": 5, "selectPolicy": "Min",
            "policies": [{ "type": "Pods", "value": 4, "periodSeconds": 15 }] },
    });
    let mut v1 = object.clone();
    convert(&mut v1, "autoscaling/v1");
    let annotations = &v1["metadata"]["annotations"];
    assert_eq!(
        annotations[concat!("autoscaling.alpha.kubernetes.io/", "metrics")],
        r#"[{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}},{"type":"Pods","pods":{"metricName":"qps","targetAverageValue":"1500m","selector":{"matchLabels":{"a":"b"}}}},{"type":"Object","object":{"target":{"kind":"Ingress","name":"i","apiVersion":"networking.k8s.io/v1"},"metricName":"hits","targetValue":"2k"}},{"type":"External","external":{"metricName":"queue","targetAverageValue":"30"}},{"type":"ContainerResource","containerResource":{"name":"cpu","targetAverageUtilization":60,"container":"c"}}]"#
    );
    assert_eq!(
        annotations[concat!("autoscaling.alpha.kubernetes.io/", "behavior")],
        r#"{"ScaleUp":{"StabilizationWindowSeconds":5,"SelectPolicy":"Min","Policies":[{"Type":"Pods","Value":4,"PeriodSeconds":15}],"Tolerance":null},"ScaleDown":null}"#
    );
    assert_eq!(there_and_back(&object, "autoscaling/v1"), object);
}

#[test]
fn current_utilisation_is_told_with_its_raw_value() {
    let mut v1 = json!({
        "kind": "HorizontalPodAutoscaler", "apiVersion": "autoscaling/v1", "metadata": {}, "spec": {},
        "status": { "currentReplicas": 2, "desiredReplicas": 3, "currentCPUUtilizationPercentage": 70 },
    });
    to_storage(&mut v1);
    convert(&mut v1, "autoscaling/v1");
    assert_eq!(
        v1["metadata"]["annotations"][concat!("autoscaling.alpha.kubernetes.io/", "current-metrics")],
        r#"[{"type":"Resource","resource":{"name":"cpu","currentAverageUtilization":70,"currentAverageValue":"0"}}]"#
    );
    assert_eq!(v1["status"]["currentCPUUtilizationPercentage"], 70);
}

#[test]
fn events_change_the_names_of_their_fields() {
    let mut event = json!({
        "kind": "Event", "apiVersion": "events.k8s.io/v1", "metadata": { "name": "e" },
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "example.com/ctl",
        "reportingInstance": "ctl-1", "action": "Did", "reason": "Because", "type": "Normal",
        "regarding": { "kind": "ConfigMap", "name": "c" }, "note": "n",
        "deprecatedSource": {}, "deprecatedFirstTimestamp": null, "deprecatedLastTimestamp": null,
    });
    let before = event.clone();
    to_storage(&mut event);
    assert_eq!(event["involvedObject"]["name"], "c");
    assert_eq!(event["message"], "n");
    assert_eq!(event["reportingComponent"], "example.com/ctl");
    assert_eq!(event["firstTimestamp"], Value::Null);
    assert_eq!(event["source"], json!({}));
    convert(&mut event, "events.k8s.io/v1");
    assert_eq!(event, before);
}

#[test]
fn what_has_one_version_stays() {
    let mut pod = json!({ "kind": "Pod", "apiVersion": "v1", "metadata": {}, "spec": { "nodeName": "n" } });
    let before = pod.clone();
    to_storage(&mut pod);
    assert_eq!(pod, before);
}

#[test]
fn transformed_documents_begin_with_their_head() {
    let stored = br#"{"kind":"Event","apiVersion":"v1","metadata":{"name":"e"},"action":"a"}"#.to_vec();
    let out = transform(b"events.k8s.io/v1", &[stored]).unwrap();
    let text = String::from_utf8(out[0].clone()).unwrap();
    assert!(text.starts_with(
        r#"{"kind":"Event","apiVersion":"events.k8s.io/v1","metadata":{"name":"e"},"action":"a""#
    ));
}
