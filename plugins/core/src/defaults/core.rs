//! The core group, pods apart: `pkg/apis/core/v1/defaults.go`.

use super::{pod, set};
use chainplate_apimachinery::{Map, Value};

/// Texts of persistent volume sources.
const VOLUME_TEXT: [(&str, &[(&str, &str)]); 3] = [
    ("iscsi", &[("iscsiInterface", "default")]),
    ("rbd", &[("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")]),
    ("scaleIO", &[("storageMode", "ThinProvisioned"), ("fsType", "xfs")]),
];

pub(super) fn apply(kind: &str, object: &mut Map) {
    match kind {
        "Pod" => pod::pod(object),
        "PodTemplate" => pod::template(object, "template"),
        "ReplicationController" => replication_controller(object),
        "Service" => service(object),
        "Secret" => set::text(object, "type", "Opaque"),
        "PersistentVolume" => persistent_volume(object),
        "PersistentVolumeClaim" => {
            claim(object);
            if let Some(spec) = set::child(object, "spec") {
                data_sources(spec);
            }
        }
        "Endpoints" => {
            set::each(object, "subsets", |subset| {
                set::each(subset, "ports", |port| set::text(port, "protocol", "TCP"));
            });
        }
        "Namespace" => namespace(object),
        "Node" => node(object),
        "LimitRange" => {
            if let Some(spec) = set::ensure(object, "spec") {
                set::each(spec, "limits", limit);
            }
        }
        _ => {}
    }
}

fn replication_controller(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::pointer(spec, "replicas", 1);
    if set::has(spec, "template") {
        pod::template(spec, "template");
    }
    let labels = spec.get("template").and_then(|template| template.pointer("/metadata/labels")).cloned();
    let Some(labels) = labels.filter(|labels| !labels.is_null()) else { return };
    if set::is_empty(spec, "selector") {
        spec.insert("selector".into(), labels.clone());
    }
    labels_of_object(object, labels);
}

/// An object without labels takes those of its template.
pub(super) fn labels_of_object(object: &mut Map, labels: Value) {
    if let Some(metadata) = set::ensure(object, "metadata")
        && set::is_empty(metadata, "labels")
    {
        metadata.insert("labels".into(), labels);
    }
}

fn service(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::texts(spec, &[("sessionAffinity", "None"), ("type", "ClusterIP")]);
    match set::str_of(spec, "sessionAffinity") {
        "None" => {
            spec.remove("sessionAffinityConfig");
        }
        "ClientIP" => {
            if let Some(config) = set::ensure(spec, "sessionAffinityConfig")
                && let Some(client) = set::ensure(config, "clientIP")
            {
                set::pointer(client, "timeoutSeconds", 10800);
            }
        }
        _ => {}
    }
    set::each(spec, "ports", |port| {
        set::text(port, "protocol", "TCP");
        let number = port.get("port").cloned().unwrap_or_else(|| 0.into());
        let target = port.get("targetPort");
        if target.is_none_or(|target| {
            target.is_null() || target.as_i64() == Some(0) || target.as_str() == Some("")
        }) {
            port.insert("targetPort".into(), number);
        }
    });
    let kind = set::str_of(spec, "type");
    let external = matches!(kind, "NodePort" | "LoadBalancer")
        || (kind == "ClusterIP" && !set::is_empty(spec, "externalIPs"));
    let balanced = kind == "LoadBalancer";
    let internal = matches!(kind, "NodePort" | "LoadBalancer" | "ClusterIP");
    if external {
        set::text(spec, "externalTrafficPolicy", "Cluster");
    }
    if internal {
        set::pointer(spec, "internalTrafficPolicy", "Cluster");
    }
    if balanced {
        set::pointer(spec, "allocateLoadBalancerNodePorts", true);
    }
    if let Some(status) = set::ensure(object, "status")
        && let Some(balancer) = set::ensure(status, "loadBalancer")
        && balanced
    {
        set::each(balancer, "ingress", |ingress| {
            if !set::str_of(ingress, "ip").is_empty() {
                set::pointer(ingress, "ipMode", "VIP");
            }
        });
    }
}

fn persistent_volume(object: &mut Map) {
    if let Some(status) = set::ensure(object, "status") {
        set::text(status, "phase", "Pending");
    }
    let Some(spec) = set::ensure(object, "spec") else { return };
    set::text(spec, "persistentVolumeReclaimPolicy", "Retain");
    set::pointer(spec, "volumeMode", "Filesystem");
    for (source, table) in VOLUME_TEXT {
        if let Some(source) = set::child(spec, source) {
            set::texts(source, table);
        }
    }
    if let Some(path) = set::child(spec, "hostPath") {
        set::pointer(path, "type", "");
    }
    if let Some(disk) = set::child(spec, "azureDisk") {
        pod::azure_disk(disk);
    }
}

/// A claim, also as it stands in a StatefulSet.
pub(super) fn claim(object: &mut Map) {
    if let Some(status) = set::ensure(object, "status") {
        set::text(status, "phase", "Pending");
    }
    if let Some(spec) = set::ensure(object, "spec") {
        pod::claim_spec(spec);
    }
}

/// `dataSource` and `dataSourceRef` tell the same where the source is in the claim's own namespace; the older
/// one drops what it never could be (`pkg/api/persistentvolumeclaim`: `EnforceDataSourceBackwardsCompatibility`,
/// `NormalizeDataSources`).
fn data_sources(spec: &mut Map) {
    let known = |source: &Value| {
        let group = source.get("apiGroup").and_then(Value::as_str).unwrap_or_default();
        match source.get("kind").and_then(Value::as_str) {
            Some("PersistentVolumeClaim") => group.is_empty(),
            Some("VolumeSnapshot") => group == "snapshot.storage.k8s.io",
            _ => false,
        }
    };
    if spec.get("dataSource").is_some_and(|source| !known(source)) {
        spec.remove("dataSource");
    }
    match (spec.get("dataSource").cloned(), spec.get("dataSourceRef").cloned()) {
        (Some(source), None | Some(Value::Null)) => {
            spec.insert("dataSourceRef".into(), source);
        }
        (None, Some(source)) if known(&source) => {
            let elsewhere =
                source.get("namespace").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
            if !elsewhere {
                spec.insert("dataSource".into(), source);
            }
        }
        _ => {}
    }
}

fn namespace(object: &mut Map) {
    if let Some(status) = set::ensure(object, "status") {
        set::text(status, "phase", "Active");
    }
    set::ensure(object, "spec");
    if let Some(metadata) = set::ensure(object, "metadata") {
        let name = set::str_of(metadata, "name").to_owned();
        if !name.is_empty()
            && let Some(labels) = set::ensure(metadata, "labels")
        {
            labels.insert("kubernetes.io/metadata.name".into(), name.into());
        }
    }
}

fn node(object: &mut Map) {
    if let Some(spec) = set::ensure(object, "spec") {
        one_and_many(spec, "podCIDR", "podCIDRs");
    }
    let Some(status) = set::ensure(object, "status") else { return };
    if set::has(status, "capacity") && !set::has(status, "allocatable") {
        let capacity = status.get("capacity").cloned().unwrap_or_default();
        status.insert("allocatable".into(), capacity);
    }
    if let Some(info) = set::ensure(status, "nodeInfo") {
        for key in [
            "machineID",
            "systemUUID",
            "bootID",
            "kernelVersion",
            "osImage",
            "containerRuntimeVersion",
            "kubeletVersion",
            "kubeProxyVersion",
            "operatingSystem",
            "architecture",
        ] {
            set::pointer(info, key, "");
        }
    }
    if let Some(endpoints) = set::ensure(status, "daemonEndpoints")
        && let Some(kubelet) = set::ensure(endpoints, "kubeletEndpoint")
    {
        set::pointer(kubelet, "Port", 0);
    }
}

/// An old single member and the list that replaced it tell the same (`pkg/apis/core/v1/conversion.go`).
fn one_and_many(map: &mut Map, one: &str, many: &str) {
    if set::is_empty(map, many) {
        let value = set::str_of(map, one);
        if !value.is_empty() {
            let list = vec![Value::from(value)];
            map.insert(many.into(), list.into());
        }
    } else if let Some(first) = map.get(many).and_then(|list| list.get(0)).cloned() {
        map.insert(one.into(), first);
    }
}

/// Defaults of one limit of a LimitRange: from the upper bound downwards.
fn limit(limit: &mut Map) {
    if set::str_of(limit, "type") != "Container" {
        return;
    }
    for (to, from) in [("default", "max"), ("defaultRequest", "default"), ("defaultRequest", "min")] {
        let Some(source) = limit.get(from).and_then(Value::as_object).cloned() else { continue };
        if let Some(target) = set::ensure(limit, to) {
            for (name, quantity) in source {
                target.entry(name).or_insert(quantity);
            }
        }
    }
}
