use super::*;
use chainplate_sdk::native;

fn configuration() -> Value {
    json!({ "rules": [
        {
            "kinds": ["Pod", "Deployment.apps", "CronJob.batch"],
            "namespaces": ["team-*", "default"],
            "labels": { "cost-center": "42", "team": "none" },
            "imagePullPolicy": "Always",
            "podSecurityContext": { "runAsNonRoot": true },
            "containerSecurityContext": { "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true },
            "tolerations": [{ "key": "spot", "operator": "Exists", "effect": "NoSchedule" }],
            "requests": { "cpu": "100m", "memory": "64Mi" },
        },
        { "kinds": ["*"], "labels": { "team": "everybody" }, "annotations": { "example.com/by": "defaults" } },
    ] })
}

fn pod(namespace: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a", "namespace": namespace },
        "spec": { "containers": [
            { "name": "open", "image": "example.com:5000/a:1", "imagePullPolicy": "IfNotPresent", "resources": {} },
            {
                "name": "decided", "image": "b", "imagePullPolicy": "Never",
                "securityContext": { "allowPrivilegeEscalation": true },
                "resources": { "requests": { "cpu": "1" } },
            },
        ] },
    })
}

fn decide(request: &native::AdmissionRequest<'_>) -> Decision {
    Defaults::configure(configuration()).unwrap().admit("defaults", request).unwrap()
}

fn create(resource: &str, object: &Value) -> Value {
    decide(&native::AdmissionRequest::create(resource, object.clone())).apply(object).unwrap()
}

#[test]
fn what_is_left_open_is_filled_in() {
    let made = create("pods", &pod("team-a"));
    assert_eq!(made["metadata"]["labels"], json!({ "cost-center": "42", "team": "none" }));
    assert_eq!(made["metadata"]["annotations"], json!({ "example.com/by": "defaults" }));
    assert_eq!(made["spec"]["securityContext"], json!({ "runAsNonRoot": true }));
    assert_eq!(made["spec"]["tolerations"][0]["key"], "spot");
    let open = &made["spec"]["containers"][0];
    assert_eq!(open["imagePullPolicy"], "Always");
    assert_eq!(open["resources"]["requests"], json!({ "cpu": "100m", "memory": "64Mi" }));
    assert_eq!(open["securityContext"]["readOnlyRootFilesystem"], true);
}

#[test]
fn what_is_decided_stays() {
    let mut object = pod("team-a");
    object["metadata"]["labels"] = json!({ "team": "mine" });
    object["spec"]["securityContext"] = json!({ "runAsNonRoot": false });
    object["spec"]["tolerations"] =
        json!([{ "key": "spot", "operator": "Equal", "value": "x", "effect": "NoSchedule" }]);
    let made = create("pods", &object);
    assert_eq!(made["metadata"]["labels"]["team"], "mine");
    assert_eq!(made["spec"]["securityContext"]["runAsNonRoot"], false);
    assert_eq!(made["spec"]["tolerations"], object["spec"]["tolerations"]);
    let decided = &made["spec"]["containers"][1];
    assert_eq!(decided["imagePullPolicy"], "Never");
    assert_eq!(decided["resources"], json!({ "requests": { "cpu": "1" } }));
    assert_eq!(
        decided["securityContext"],
        json!({ "allowPrivilegeEscalation": true, "readOnlyRootFilesystem": true })
    );
}

#[test]
fn what_it_made_it_leaves_alone() {
    let made = create("pods", &pod("team-a"));
    assert_eq!(decide(&native::AdmissionRequest::create("pods", made)), Decision::Allow);
}

#[test]
fn templates_of_pods_are_filled_in() {
    let template = json!({ "spec": { "containers": [{ "name": "x", "image": "x" }] } });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d", "namespace": "default" },
        "spec": { "template": template },
    });
    let made = create("deployments", &deployment);
    assert_eq!(made["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"], true);
    let job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": "c", "namespace": "default" },
        "spec": { "jobTemplate": { "spec": { "template": template } } },
    });
    let made = create("cronjobs", &job);
    let spec = &made["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    assert_eq!(spec["containers"][0]["resources"]["requests"]["cpu"], "100m");
}

#[test]
fn rules_are_for_their_kinds_and_namespaces() {
    let made = create("pods", &pod("other"));
    assert_eq!(made["metadata"]["labels"], json!({ "team": "everybody" }));
    assert!(made["spec"].get("securityContext").is_none());
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "r" },
    });
    assert_eq!(create("clusterroles", &role)["metadata"]["labels"]["team"], "everybody");
}

#[test]
fn only_what_is_made_is_changed() {
    let update = native::AdmissionRequest::update("pods", pod("team-a"), pod("team-a"));
    assert_eq!(decide(&update), Decision::Allow);
    let binding = native::AdmissionRequest::create("pods", pod("team-a")).with_subresource("binding");
    assert_eq!(decide(&binding), Decision::Allow);
}

#[test]
fn windows_has_other_security_contexts() {
    let mut object = pod("team-a");
    object["spec"]["os"] = json!({ "name": "windows" });
    let made = create("pods", &object);
    assert!(made["spec"].get("securityContext").is_none());
    assert!(made["spec"]["containers"][0].get("securityContext").is_none());
}

#[test]
fn a_pod_with_resources_as_a_whole_is_left_its_shares() {
    let mut object = pod("team-a");
    object["spec"]["resources"] = json!({ "limits": { "cpu": "1" } });
    assert_eq!(create("pods", &object)["spec"]["containers"][0]["resources"], json!({}));
}

#[test]
fn faults_in_the_configuration_are_told_at_once() {
    let told = Defaults::configure(json!({ "rules": [
        { "labels": { "a b": "c d" }, "imagePullPolicy": "Sometimes", "requests": { "cpu": "much" } },
    ] }))
    .unwrap_err();
    for part in ["rules[0] names no kinds", "labels.a b", "Sometimes", "requests.cpu"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(Defaults::configure(json!({ "rules": [{ "kind": "Pod" }] })).unwrap_err().contains("`kind`"));
    assert!(Defaults::configure(Value::Null).is_err());
}
