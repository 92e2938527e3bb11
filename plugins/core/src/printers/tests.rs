use super::*;
use crate::resources;

const NOW: &str = "2026-01-08T12:00:00Z";

fn cells(group: &str, resource: &str, object: Value) -> Value {
    let object = sparse::read(object.to_string().as_bytes()).unwrap();
    row(layout(group, resource).unwrap(), &object, NOW.parse().unwrap())
}

fn made() -> Value {
    json!({ "name": "a", "creationTimestamp": "2026-01-08T11:00:00Z" })
}

#[test]
fn every_layout_is_of_a_resource_and_fills_its_columns() {
    for resource in resources::all() {
        let Some(layout) = layout(resource.group, resource.name) else { continue };
        let columns = layout.columns();
        assert_eq!(
            columns.iter().filter(|column| column.format == "name" && column.name == "Name").count(),
            1
        );
        let empty = (layout.cells)(Row { object: &json!({}), now: NOW.parse().unwrap() });
        // Upstream's rows of addresses have an age that no column stands for.
        let extra = usize::from(resource.name == "ipaddresses");
        assert_eq!(empty.len(), columns.len() + extra, "{}/{}", resource.group, resource.name);
    }
}

#[test]
fn only_lists_and_objects_that_no_column_shows_are_passed_over() {
    let object = json!({
        "metadata": { "labels": { "env": "test" }, "managedFields": [{ "manager": "a" }] },
        "spec": {
            "containers": [{ "name": "c", "env": [{ "name": "A" }], "resources": { "limits": { "cpu": "1" } } }],
            "replicas": 2, "offset": -1, "weight": 0.5, "paused": true,
        },
    });
    assert_eq!(
        sparse::read(object.to_string().as_bytes()).unwrap(),
        json!({
            "metadata": { "labels": { "env": "test" } },
            "spec": {
                "containers": [{ "name": "c" }],
                "replicas": 2, "offset": -1, "weight": 0.5, "paused": true,
            },
        })
    );
    assert!(sparse::read(br#"{"spec":{"env":[}}"#).is_err());
}

#[test]
fn columns_are_documented_as_their_fields_are() {
    let pods = columns(resources::find("", "v1", "pods").unwrap()).unwrap();
    assert!(pods[0].description.starts_with("Name must be unique within a namespace."));
    assert!(pods.iter().all(|column| !column.description.is_empty()));
    assert_eq!(pods.iter().filter(|column| column.priority > 0).count(), 4);
    assert!(columns(resources::find("rbac.authorization.k8s.io", "v1", "roles").unwrap()).is_none());
}

#[test]
fn a_fresh_pod_is_pending() {
    let pod = json!({
        "metadata": made(),
        "spec": { "containers": [{}, {}], "readinessGates": [{ "conditionType": "x" }] },
        "status": { "phase": "Pending" },
    });
    assert_eq!(
        cells("", "pods", pod),
        json!(["a", "0/2", "Pending", "0", "60m", "<none>", "<none>", "<none>", "0/1"])
    );
}

#[test]
fn a_crashing_pod_tells_why_and_how_often() {
    let pod = json!({
        "metadata": made(), "spec": { "containers": [{}], "nodeName": "n" },
        "status": { "phase": "Running", "podIPs": [{ "ip": "192.0.2.9" }], "containerStatuses": [{
            "restartCount": 3, "ready": false, "state": { "waiting": { "reason": "CrashLoopBackOff" } },
            "lastState": { "terminated": { "finishedAt": "2026-01-08T11:58:00Z" } },
        }] },
    });
    assert_eq!(
        cells("", "pods", pod),
        json!(["a", "0/1", "CrashLoopBackOff", "3 (2m ago)", "60m", "192.0.2.9", "n", "<none>", "<none>"])
    );
}

#[test]
fn a_failed_pod_carries_a_condition() {
    let pod = json!({ "metadata": made(), "spec": {}, "status": { "phase": "Failed", "reason": "Evicted" } });
    let row = cells("", "pods", pod);
    assert_eq!(row["cells"][2], "Evicted");
    assert_eq!(row["conditions"][0]["type"], "Completed");
    assert_eq!(row["conditions"][0]["reason"], "Failed");
}

#[test]
fn init_containers_and_sidecars_are_told() {
    let pod = |statuses: Value| {
        json!({
            "metadata": made(),
            "spec": { "containers": [{}], "initContainers": [
                { "name": "side", "restartPolicy": "Always" }, { "name": "init" },
            ] },
            "status": { "phase": "Pending", "initContainerStatuses": statuses },
        })
    };
    let running = json!({ "name": "side", "started": true, "ready": true, "state": { "running": {} } });
    let waiting =
        json!([running, { "name": "init", "state": { "waiting": { "reason": "PodInitializing" } } }]);
    let row = cells("", "pods", pod(waiting));
    assert_eq!((&row[1], &row[2]), (&json!("1/2"), &json!("Init:1/2")));
    let failed = json!([running, { "name": "init", "state": { "terminated": { "exitCode": 2 } } }]);
    assert_eq!(cells("", "pods", pod(failed))[2], "Init:ExitCode:2");
}

#[test]
fn a_deployment_tells_its_replicas() {
    let deployment = json!({
        "metadata": made(),
        "spec": { "replicas": 3, "selector": { "matchLabels": { "app": "a" } }, "template": { "spec": {
            "containers": [{ "name": "x", "image": "i:1" }, { "name": "y", "image": "j:2" }] } } },
        "status": { "readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1 },
    });
    assert_eq!(
        cells("apps", "deployments", deployment),
        json!(["a", "1/3", 2, 1, "60m", "x,y", "i:1,j:2", "app=a"])
    );
}

#[test]
fn services_tell_addresses_and_ports() {
    let service = json!({
        "metadata": made(),
        "spec": { "type": "LoadBalancer", "clusterIPs": ["10.0.0.7"], "ports": [
            { "port": 80, "protocol": "TCP", "nodePort": 30080 }, { "port": 53, "protocol": "UDP" }] },
    });
    assert_eq!(
        cells("", "services", service),
        json!(["a", "LoadBalancer", "10.0.0.7", "<pending>", "80:30080/TCP,53/UDP", "60m", "<none>"])
    );
}

#[test]
fn events_of_both_groups_print_alike() {
    let core = json!({
        "kind": "Event", "apiVersion": "v1", "metadata": { "name": "e" }, "type": "Normal", "reason": "Started",
        "message": "m ", "involvedObject": { "kind": "ConfigMap", "name": "x" }, "count": 4,
        "source": { "component": "tester" }, "lastTimestamp": "2026-01-08T11:59:00Z",
    });
    let mut other = core.clone();
    conversion::convert(&mut other, "events.k8s.io/v1");
    let bytes = [serde_json::to_vec(&core).unwrap(), serde_json::to_vec(&other).unwrap()];
    let rows = rows(b"/events", &bytes).unwrap();
    assert_eq!(rows[0], rows[1]);
    let row: Value = serde_json::from_slice(&rows[0]).unwrap();
    assert_eq!(
        (&row[3], &row[5], &row[6], &row[8]),
        (&json!("configmap/x"), &json!("tester"), &json!("m"), &json!(4))
    );
}

#[test]
fn autoscalers_tell_the_first_two_metrics() {
    let metric = |name: &str| {
        json!({ "type": "Resource", "resource": { "name": name,
            "target": { "type": "Utilization", "averageUtilization": 80 } } })
    };
    let autoscaler = json!({
        "metadata": made(),
        "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "d" }, "minReplicas": 1, "maxReplicas": 3,
            "metrics": [metric("cpu"), metric("memory"), metric("disk")] },
    });
    assert_eq!(
        cells("autoscaling", "horizontalpodautoscalers", autoscaler),
        json!([
            "a",
            "Deployment/d",
            "cpu: <unknown>/80%, memory: <unknown>/80% + 1 more...",
            "1",
            3,
            0,
            "60m"
        ])
    );
}

#[test]
fn selectors_print_as_the_parameter_is_written() {
    let wanted = json!({
        "matchLabels": { "b": "1" },
        "matchExpressions": [
            { "key": "c", "operator": "In", "values": ["y", "x"] }, { "key": "a", "operator": "DoesNotExist" },
        ],
    });
    assert_eq!(selector(&wanted), "!a,b=1,c in (x,y)");
    assert_eq!(selector(&Value::Null), "");
}

#[test]
fn an_unknown_resource_has_no_rows() {
    assert_eq!(rows(b"example.com/things", &[]).unwrap_err().code(), 500);
    assert_eq!(rows(b"/pods", &[b"not json".to_vec()]).unwrap_err().code(), 500);
}
