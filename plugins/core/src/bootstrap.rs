//! What a fresh store is given once the server listens: namespaces, the `kubernetes` Service, the range of Services,
//! the priority classes of the system, the mandatory objects of flow control. All of it is made only where it is missing, so that running it again, or on
//! several servers at once, changes nothing.
//!
//! Facts: `pkg/controlplane/controller/{systemnamespaces,kubernetesservice,defaultservicecidr}`,
//! `pkg/registry/scheduling/rest/storage_scheduling.go`. `kube-node-lease` is among the namespaces since 1.27.

use crate::{
    conversion, defaults,
    resources::{Resource, find_kind},
    server::Shared,
    types,
};
use chainplate_sdk::apimachinery::{Status, Value, generate_name, object, time};
use serde_json::{Value as Json, json};
use std::net::IpAddr;

const NAMESPACES: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "default"];
/// The name of what belongs to this server: a Service, its endpoints, a range.
const KUBERNETES: &str = "kubernetes";
const HIGHEST_PRIORITY: i64 = 2_000_000_000;
/// Keeps controllers from making slices of endpoints that are kept by hand.
const SKIP_MIRROR: &str = "endpointslice.kubernetes.io/skip-mirror";

/// Makes what is missing.
///
/// # Errors
/// What storage says; running it again goes on where it stopped.
pub(crate) fn run(shared: &Shared) -> Result<(), Status> {
    for name in NAMESPACES {
        make(shared, namespace(name))?;
    }
    for (name, value, description) in [
        (
            "system-cluster-critical",
            HIGHEST_PRIORITY,
            "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
        ),
        (
            "system-node-critical",
            HIGHEST_PRIORITY + 1000,
            "Used for system critical pods that must not be moved from their current node.",
        ),
    ] {
        make(shared, priority_class(name, value, description))?;
    }
    for (name, spec) in [
        (
            "exempt",
            json!({ "type": "Exempt", "exempt": { "nominalConcurrencyShares": 0, "lendablePercent": 0 } }),
        ),
        (
            "catch-all",
            json!({ "type": "Limited", "limited": {
                "nominalConcurrencyShares": 5, "lendablePercent": 0, "limitResponse": { "type": "Reject" },
            } }),
        ),
    ] {
        make(shared, flow_control("PriorityLevelConfiguration", name, &spec))?;
        if let Some(spec) = crate::validation::mandatory_flow_schema(name) {
            make(shared, flow_control("FlowSchema", name, &spec))?;
        }
    }
    make(shared, service_cidr(shared))?;
    service(shared)?;
    if let Some(address) = shared.config.advertise_address {
        endpoints(shared, address)?;
    }
    Ok(())
}

/// The resource of a document.
fn resource_of(document: &Value) -> Option<&'static Resource> {
    let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
    let (group, version) = text("apiVersion").split_once('/').unwrap_or(("", text("apiVersion")));
    find_kind(group, version, text("kind"))
}

/// Stores a document unless there is one of its name.
fn make(shared: &Shared, document: Json) -> Result<(), Status> {
    let resource = resource_of(&document).ok_or_else(Status::unknown_resource)?;
    let collection = shared.collection(resource)?;
    let namespace = Some(object::namespace(&document).to_owned()).filter(|namespace| !namespace.is_empty());
    let name = object::name(&document).to_owned();
    if collection.get(namespace.as_deref(), &name).is_some() {
        return Ok(());
    }
    let stored = finished(resource, document);
    match collection.create(namespace.as_deref(), &name, &object::encode(&stored)) {
        Err(status) if status.code() != 409 => Err(status),
        _ => Ok(()),
    }
}

/// A document as a create through the API would leave it.
fn finished(resource: &Resource, mut document: Value) -> Value {
    if let Some(metadata) = object::metadata_mut(&mut document) {
        metadata.insert("uid".into(), generate_name::uid().into());
        metadata.insert("creationTimestamp".into(), time::format(time::now()).into());
    }
    defaults::apply(resource.group, resource.version, resource.kind, &mut document);
    types::complete(resource, &mut document);
    conversion::to_storage(&mut document);
    document
}

fn namespace(name: &str) -> Json {
    json!({
        "kind": "Namespace", "apiVersion": "v1",
        "metadata": { "name": name, "labels": { "kubernetes.io/metadata.name": name } },
        "spec": { "finalizers": ["kubernetes"] },
        "status": { "phase": "Active" },
    })
}

fn priority_class(name: &str, value: i64, description: &str) -> Json {
    json!({
        "kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1",
        "metadata": { "name": name, "generation": 1 },
        "value": value, "description": description,
    })
}

/// One of the objects of flow control that every server has (`apis/flowcontrol/bootstrap`, the mandatory ones).
fn flow_control(kind: &str, name: &str, spec: &Json) -> Json {
    json!({
        "kind": kind, "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "metadata": { "name": name, "generation": 1,
            "annotations": { "apf.kubernetes.io/autoupdate-spec": "true" } },
        "spec": spec,
    })
}

fn ranges(shared: &Shared) -> Vec<String> {
    shared.config.service_ranges.iter().map(ToString::to_string).collect()
}

fn service_cidr(shared: &Shared) -> Json {
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "", "message": "Kubernetes default Service CIDR is ready",
        "lastTransitionTime": time::format(time::now()),
    });
    json!({
        "kind": "ServiceCIDR", "apiVersion": "networking.k8s.io/v1",
        "metadata": { "name": KUBERNETES },
        "spec": { "cidrs": ranges(shared) },
        "status": { "conditions": [ready] },
    })
}

/// The Service has the first address of the range, taken as any other is.
fn service(shared: &Shared) -> Result<(), Status> {
    let Some(range) = shared.config.service_ranges.first() else { return Ok(()) };
    let ip = range.first().to_string();
    let family = shared.ip_family();
    make(
        shared,
        json!({
            "kind": "IPAddress", "apiVersion": "networking.k8s.io/v1",
            "metadata": { "name": ip, "labels": {
                "ipaddress.kubernetes.io/ip-family": family,
                "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
            } },
            "spec": { "parentRef": { "resource": "services", "namespace": "default", "name": KUBERNETES } },
        }),
    )?;
    make(
        shared,
        json!({
            "kind": "Service", "apiVersion": "v1",
            "metadata": { "name": KUBERNETES, "namespace": "default", "labels": labels() },
            "spec": {
                "type": "ClusterIP", "clusterIP": ip, "clusterIPs": [ip], "ipFamilies": [family],
                "ipFamilyPolicy": "SingleStack", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
                "ports": [{
                    "name": "https", "port": 443, "protocol": "TCP", "targetPort": shared.config.secure_port,
                }],
            },
            "status": { "loadBalancer": {} },
        }),
    )
}

fn labels() -> Json {
    json!({ "component": "apiserver", "provider": "kubernetes" })
}

/// Where the Service leads: this server alone, in both forms.
fn endpoints(shared: &Shared, address: IpAddr) -> Result<(), Status> {
    let port = shared.config.secure_port;
    replace(
        shared,
        json!({
            "kind": "Endpoints", "apiVersion": "v1",
            "metadata": { "name": KUBERNETES, "namespace": "default",
                "labels": { SKIP_MIRROR: "true" } },
            "subsets": [{
                "addresses": [{ "ip": address.to_string() }],
                "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
            }],
        }),
        "subsets",
    )?;
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    replace(
        shared,
        json!({
            "kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1",
            "metadata": { "name": KUBERNETES, "namespace": "default", "generation": 1,
                "labels": { "kubernetes.io/service-name": KUBERNETES } },
            "addressType": family,
            "endpoints": [{ "addresses": [address.to_string()], "conditions": { "ready": true } }],
            "ports": [{ "name": "https", "port": port, "protocol": "TCP" }],
        }),
        "endpoints",
    )
}

/// Stores a document, or brings one member of what is stored up to date: the address may be another one after a
/// restart.
fn replace(shared: &Shared, document: Json, member: &str) -> Result<(), Status> {
    let resource = resource_of(&document).ok_or_else(Status::unknown_resource)?;
    let collection = shared.collection(resource)?;
    let (namespace, name) = (object::namespace(&document).to_owned(), object::name(&document).to_owned());
    let Some(stored) = collection.get(Some(&namespace), &name) else { return make(shared, document) };
    let mut there: Value = serde_json::from_slice(&stored.value()).map_err(Status::internal)?;
    let wanted = finished(resource, document);
    let mut changed = false;
    for member in [member, "ports", "addressType"] {
        if let (Some(new), Some(map)) = (wanted.get(member), there.as_object_mut())
            && map.get(member) != Some(new)
        {
            map.insert(member.to_owned(), new.clone());
            changed = true;
        }
    }
    if !changed {
        return Ok(());
    }
    match collection.update(Some(&namespace), &name, &object::encode(&there), stored.revision()) {
        // Another server was faster; its word is as good.
        Err(status) if status.code() != 409 => Err(status),
        _ => Ok(()),
    }
}
