//! Validation of the built-in types.
//!
//! What `pkg/apis/<group>/validation` checks, on JSON, with upstream's paths, texts and order. Objects must
//! have been decoded and defaulted. `metadata` is the registry's affair; which rule names of a kind follow is
//! told by [`name_rule`]. Expressions of CEL are checked for presence, not compiled.

mod admission;
mod amount;
mod apps;
mod autoscaling;
mod batch;
mod checks;
mod cluster;
mod container;
mod core;
mod cron;
mod events;
mod files;
mod flow;
mod labels;
mod net;
mod networking;
mod pod;
mod pod_update;
mod qos;
mod rbac;
mod resource;
mod resources;
mod reviews;
mod scheduling;
mod security;
mod service;
mod storage;
mod storage_core;
#[cfg(test)]
mod tests;
mod view;
mod volumes;

use chainplate_apimachinery::names::{self, NameRule};
use chainplate_apimachinery::{Value, field};

/// The quality of service of a pod with this spec: `Guaranteed`, `Burstable` or `BestEffort`
/// (`pkg/apis/core/helper/qos`).
pub fn qos_class(pod_spec: &Value) -> &'static str {
    qos::class(&view::Node::root(pod_spec))
}

/// What is wrong with an object that is created.
///
/// `group` is empty for core. Kinds without rules have none broken. Allocates nothing when nothing is wrong.
pub fn create(group: &str, kind: &str, object: &Value) -> Vec<field::Error> {
    let mut errors = Vec::new();
    match (group, kind) {
        ("", "Pod") => pod::create(object, &mut errors),
        ("", "PodTemplate") => {
            let root = view::Node::root(object);
            pod::template(&root.child("template"), &[], &mut errors);
        }
        ("", "Binding") => pod_update::binding(object, &mut errors),
        ("", "Service") => service::create(object, &mut errors),
        ("", "Endpoints") => service::endpoints(object, &mut errors),
        ("", "ConfigMap") => core::config_map(object, &mut errors),
        ("", "Secret") => core::secret(object, &mut errors),
        ("", "Namespace") => core::namespace(object, &mut errors),
        ("", "Node") => core::node(object, &mut errors),
        ("", "LimitRange") => core::limit_range(object, &mut errors),
        ("", "ResourceQuota") => {
            core::quota_spec(object, &mut errors);
            core::quota_status(object, &mut errors);
        }
        ("", "ReplicationController") => core::replication_controller(object, &mut errors),
        ("", "PersistentVolume") => storage_core::create_volume(object, &mut errors),
        ("", "PersistentVolumeClaim") => storage_core::create_claim(object, &mut errors),
        ("" | "events.k8s.io", "Event") => events::create(group, object, &mut errors),
        ("autoscaling", "Scale") => core::scale(object, &mut errors),
        ("apps", _) => apps::create(kind, object, &mut errors),
        ("batch", _) => batch::create(kind, object, &mut errors),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaling::create(object, &mut errors),
        ("policy", "PodDisruptionBudget") => autoscaling::disruption_budget(object, &mut errors),
        ("networking.k8s.io", _) => networking::create(kind, object, &mut errors),
        ("storage.k8s.io", _) => storage::create(kind, object, &mut errors),
        ("rbac.authorization.k8s.io", _) => rbac::create(kind, object, &mut errors),
        ("admissionregistration.k8s.io", _) => admission::create(kind, object, &mut errors),
        ("flowcontrol.apiserver.k8s.io", _) => flow::create(kind, object, &mut errors),
        ("resource.k8s.io", _) => resource::create(kind, object, &mut errors),
        ("authentication.k8s.io" | "authorization.k8s.io", _) => reviews::create(kind, object, &mut errors),
        _ => cluster::create(group, kind, object, &mut errors),
    }
    errors
}

/// What is wrong with an object that replaces `old`.
pub fn update(group: &str, kind: &str, new: &Value, old: &Value) -> Vec<field::Error> {
    let mut errors = Vec::new();
    match (group, kind) {
        ("", "Pod") => pod_update::update(new, old, &mut errors),
        ("", "Service") => service::update(new, old, &mut errors),
        ("", "ConfigMap") => core::update_config_map(new, old, &mut errors),
        ("", "Secret") => core::update_secret(new, old, &mut errors),
        ("", "Namespace") => {}
        ("", "Node") => core::update_node(new, old, &mut errors),
        ("", "ResourceQuota") => core::update_quota(new, old, &mut errors),
        ("", "PersistentVolume") => storage_core::update_volume(new, old, &mut errors),
        ("", "PersistentVolumeClaim") => storage_core::update_claim(new, old, &mut errors),
        ("" | "events.k8s.io", "Event") => events::update(group, new, old, &mut errors),
        ("apps", _) => apps::update(kind, new, old, &mut errors),
        ("batch", _) => batch::update(kind, new, old, &mut errors),
        ("networking.k8s.io", _) => networking::update(kind, new, old, &mut errors),
        ("storage.k8s.io", _) => storage::update(kind, new, old, &mut errors),
        ("rbac.authorization.k8s.io", _) => rbac::update(kind, new, old, &mut errors),
        ("resource.k8s.io", _) => resource::update(kind, new, old, &mut errors),
        (
            "" | "autoscaling" | "policy" | "admissionregistration.k8s.io" | "flowcontrol.apiserver.k8s.io",
            _,
        ) => {
            return create(group, kind, new);
        }
        _ => cluster::update(group, kind, new, old, &mut errors),
    }
    errors
}

/// What is wrong with an object whose subresource is written: `status`, `scale`, `finalize`, `resize`,
/// `ephemeralcontainers`, … An empty name is an [`update`] of the object itself.
pub fn update_subresource(
    group: &str,
    kind: &str,
    subresource: &str,
    new: &Value,
    old: &Value,
) -> Vec<field::Error> {
    let mut errors = Vec::new();
    match (group, kind, subresource) {
        (_, _, "") => return update(group, kind, new, old),
        ("", "Pod", "ephemeralcontainers") => pod_update::update_ephemeral(new, old, &mut errors),
        ("", "Pod", "resize") => pod_update::update_resize(new, old, &mut errors),
        ("", "Namespace", "finalize") => core::finalize_namespace(new, &mut errors),
        (_, _, "scale") if kind != "Scale" => return update(group, kind, new, old),
        (_, _, "scale") => core::scale(new, &mut errors),
        (_, _, "status") => status(group, kind, new, old, &mut errors),
        _ => {}
    }
    errors
}

fn status(group: &str, kind: &str, new: &Value, old: &Value, errors: &mut Vec<field::Error>) {
    match (group, kind) {
        ("", "Pod") => pod_update::update_status(new, old, errors),
        ("", "Service") => service::update_status(new, errors),
        ("", "Namespace") => core::update_namespace_status(new, errors),
        ("", "Node") => core::update_node(new, old, errors),
        ("", "ResourceQuota") => core::quota_status(new, errors),
        ("", "PersistentVolumeClaim") => storage_core::update_claim_status(new, errors),
        ("", "ReplicationController") => apps::update_status("ReplicaSet", new, old, errors),
        ("apps", _) => apps::update_status(kind, new, old, errors),
        ("batch", _) => batch::update_status(kind, new, errors),
        ("autoscaling" | "policy", _) => autoscaling::update_status(kind, new, errors),
        ("networking.k8s.io", "Ingress") => networking::update_status(new, errors),
        ("flowcontrol.apiserver.k8s.io", _) => flow::update_status(new, errors),
        _ => {}
    }
}

/// The rule that names of a kind follow.
pub fn name_rule(group: &str, kind: &str) -> NameRule {
    match (group, kind) {
        ("", "Namespace") | ("apps", "StatefulSet") => names::label,
        // As of 1.36 service names may begin with a digit (RelaxedServiceNameValidation).
        ("", "Service") => names::label,
        ("rbac.authorization.k8s.io", _)
        | ("certificates.k8s.io", _)
        | ("apiregistration.k8s.io", _)
        | ("", "Event")
        | ("events.k8s.io", "Event") => match (group, kind) {
            ("", "Event") | ("events.k8s.io", _) => names::subdomain,
            ("certificates.k8s.io", "CertificateSigningRequest") => anything,
            ("certificates.k8s.io", _) => trust_bundle,
            _ => names::path_segment,
        },
        ("coordination.k8s.io", "LeaseCandidate") => |name, _| checks::config_key(name),
        ("networking.k8s.io", "IPAddress") => ip_address,
        ("authentication.k8s.io" | "authorization.k8s.io", _) => anything,
        _ => names::subdomain,
    }
}

/// The spec of a flow schema that every server has; none for other names.
pub(crate) fn mandatory_flow_schema(name: &str) -> Option<Value> {
    flow::mandatory_schema(name)
}

fn anything(_name: &str, _prefix: bool) -> Vec<String> {
    Vec::new()
}

/// The canonical form of an address.
fn ip_address(name: &str, _prefix: bool) -> Vec<String> {
    let mut errors = Vec::new();
    net::canonical_ip(&field::Path::Root, name, &mut errors);
    errors.into_iter().map(|error| error.detail).collect()
}

/// `signer:domain:name`, or a name without a signer.
fn trust_bundle(name: &str, prefix: bool) -> Vec<String> {
    match name.rsplit_once(':') {
        Some((_, own)) => names::subdomain(own, prefix),
        None => names::subdomain(name, prefix),
    }
}

/// The name of a service that something refers to.
fn service_name(name: &str) -> Vec<String> {
    names::dns1123_label(name)
}
