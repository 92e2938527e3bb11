//! What the server is and has: versions, resources, raw paths, the caller.

use super::Kubectl;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::TcpStream,
};

#[test]
fn version_and_cluster_info_tell_of_the_server() {
    let kubectl = Kubectl::new("inventory-version");
    let version: Value = serde_json::from_str(&kubectl.ok("version -o json")).unwrap();
    assert_eq!(
        (&version["serverVersion"]["major"], &version["serverVersion"]["minor"]),
        (&"1".into(), &"36".into())
    );
    assert!(kubectl.ok("version").contains("Server Version: v1.36."));
    assert!(kubectl.ok("cluster-info").contains("Kubernetes control plane"));
}

#[test]
fn api_resources_have_their_names_scopes_and_kinds() {
    let kubectl = Kubectl::new("inventory-resources");
    let table = kubectl.table("api-resources --no-headers");
    for row in [
        "bindings v1 true Binding",
        "configmaps cm v1 true ConfigMap",
        "events ev v1 true Event",
        "limitranges limits v1 true LimitRange",
        "namespaces ns v1 false Namespace",
        "nodes no v1 false Node",
        "persistentvolumeclaims pvc v1 true PersistentVolumeClaim",
        "persistentvolumes pv v1 false PersistentVolume",
        "pods po v1 true Pod",
        "replicationcontrollers rc v1 true ReplicationController",
        "resourcequotas quota v1 true ResourceQuota",
        "secrets v1 true Secret",
        "serviceaccounts sa v1 true ServiceAccount",
        "services svc v1 true Service",
        "customresourcedefinitions crd,crds apiextensions.k8s.io/v1 false CustomResourceDefinition",
        "apiservices apiregistration.k8s.io/v1 false APIService",
        "daemonsets ds apps/v1 true DaemonSet",
        "deployments deploy apps/v1 true Deployment",
        "replicasets rs apps/v1 true ReplicaSet",
        "statefulsets sts apps/v1 true StatefulSet",
        "selfsubjectreviews authentication.k8s.io/v1 false SelfSubjectReview",
        "localsubjectaccessreviews authorization.k8s.io/v1 true LocalSubjectAccessReview",
        "horizontalpodautoscalers hpa autoscaling/v2 true HorizontalPodAutoscaler",
        "cronjobs cj batch/v1 true CronJob",
        "jobs batch/v1 true Job",
        "certificatesigningrequests csr certificates.k8s.io/v1 false CertificateSigningRequest",
        "leases coordination.k8s.io/v1 true Lease",
        "ingresses ing networking.k8s.io/v1 true Ingress",
        "networkpolicies netpol networking.k8s.io/v1 true NetworkPolicy",
        "poddisruptionbudgets pdb policy/v1 true PodDisruptionBudget",
        "clusterroles rbac.authorization.k8s.io/v1 false ClusterRole",
        "priorityclasses pc scheduling.k8s.io/v1 false PriorityClass",
        "storageclasses sc storage.k8s.io/v1 false StorageClass",
    ] {
        assert!(table.iter().any(|line| line == row), "{row} is not in\n{}", table.join("\n"));
    }
    for (flags, names) in [
        (
            "--api-group=apps",
            "controllerrevisions.apps daemonsets.apps deployments.apps replicasets.apps statefulsets.apps",
        ),
        ("--api-group=autoscaling --namespaced=true", "horizontalpodautoscalers.autoscaling"),
        (
            "--api-group=rbac.authorization.k8s.io --namespaced=false",
            "clusterrolebindings.rbac.authorization.k8s.io clusterroles.rbac.authorization.k8s.io",
        ),
        ("--api-group=batch --categories=all", "cronjobs.batch jobs.batch"),
        ("--api-group=authorization.k8s.io --verbs=list", ""),
    ] {
        let listed = kubectl.table(&format!("api-resources -o name --sort-by=name {flags}")).join(" ");
        assert_eq!(listed, names, "{flags}");
    }
}

#[test]
fn api_versions_are_those_of_the_release() {
    let kubectl = Kubectl::new("inventory-versions");
    let listed = kubectl.ok("api-versions");
    let listed: BTreeSet<_> = listed.lines().collect();
    for version in [
        "admissionregistration.k8s.io/v1",
        "apiextensions.k8s.io/v1",
        "apiregistration.k8s.io/v1",
        "apps/v1",
        "authentication.k8s.io/v1",
        "authorization.k8s.io/v1",
        "autoscaling/v1",
        "autoscaling/v2",
        "batch/v1",
        "certificates.k8s.io/v1",
        "coordination.k8s.io/v1",
        "discovery.k8s.io/v1",
        "events.k8s.io/v1",
        "flowcontrol.apiserver.k8s.io/v1",
        "networking.k8s.io/v1",
        "node.k8s.io/v1",
        "policy/v1",
        "rbac.authorization.k8s.io/v1",
        "scheduling.k8s.io/v1",
        "storage.k8s.io/v1",
        "v1",
    ] {
        assert!(listed.contains(version), "{version} is not in {listed:?}");
    }
}

#[test]
fn raw_requests_go_through_as_they_are() {
    let kubectl = Kubectl::new("inventory-raw");
    for (path, kind) in [
        ("/api", "APIVersions"),
        ("/apis", "APIGroupList"),
        ("/api/v1", "APIResourceList"),
        ("/apis/apps", "APIGroup"),
        ("/apis/apps/v1", "APIResourceList"),
        ("/api/v1/namespaces/default", "Namespace"),
        ("/api/v1/nodes?limit=1", "NodeList"),
    ] {
        let body: Value = serde_json::from_str(&kubectl.ok(&format!("get --raw {path}"))).unwrap();
        assert_eq!(body["kind"], kind, "{path}");
    }
    assert_eq!(kubectl.ok("get --raw /healthz"), "ok");
    assert!(kubectl.ok("get --raw '/readyz?verbose'").contains("readyz check passed"));

    let collection = "/api/v1/namespaces/inventory-raw/configmaps";
    let map = |value| {
        format!(
            r#"{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "raw"}}, "data": {{"k": "{value}"}}}}"#
        )
    };
    kubectl.ok_with(&format!("create --raw {collection} -f -"), &map("1"));
    kubectl.ok_with(&format!("replace --raw {collection}/raw -f -"), &map("2"));
    assert_eq!(kubectl.value("cm raw", "{.data.k}"), "2");
    kubectl.ok(&format!("delete --raw {collection}/raw"));
    assert!(kubectl.fails(&format!("get --raw {collection}/raw")).contains("configmaps \"raw\" not found"));
}

#[test]
fn the_caller_is_the_administrator_and_may_do_all() {
    let kubectl = Kubectl::new("inventory-auth");
    let user = |path: &str| kubectl.ok(&format!("auth whoami -o jsonpath='{{.status.userInfo.{path}}}'"));
    assert_eq!(user("username"), "kubernetes-admin");
    let groups = user("groups");
    assert!(groups.contains("system:masters") && groups.contains("system:authenticated"), "{groups}");
    assert_eq!(kubectl.ok("auth can-i create pods"), "yes\n");
    assert_eq!(kubectl.ok("auth can-i '*' '*' --all-namespaces"), "yes\n");
    assert!(kubectl.fails("get cm --as=somebody").contains("Forbidden"), "others may not");
}

#[test]
fn the_proxy_passes_requests_on() {
    let kubectl = Kubectl::new("inventory-proxy");
    let proxy = kubectl.start("proxy --port=0");
    let line = proxy.line("Starting to serve on");
    let address = line.rsplit(' ').next().unwrap();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    for (path, code, text) in [
        ("/version", 200, "gitVersion"),
        ("/api/v1/namespaces/inventory-proxy", 200, "\"kind\":\"Namespace\""),
        ("/api/v1/namespaces/inventory-proxy/configmaps?limit=5", 200, "ConfigMapList"),
        ("/api/v1/namespaces/inventory-proxy/configmaps/none", 404, "NotFound"),
    ] {
        let answer = get(path);
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")) && answer.contains(text), "{path}: {answer}");
    }
}
