//! Defaults of the built-in types.
//!
//! What `pkg/apis/<group>/<version>/defaults.go` and the declared defaults of the types set, on JSON: an
//! object is defaulted in the version it was sent in. Nothing is ever removed or overwritten, but where a
//! default says so. What a write strategy sets is beside it, by name: [`jobs::generate_selector`],
//! [`secrets::merge_string_data`], [`services::init`].

mod cluster;
mod core;
pub mod jobs;
mod pod;
pub mod secrets;
pub mod services;
mod set;
#[cfg(test)]
mod tests;
mod workloads;

use chainplate_apimachinery::Value;

/// Sets the defaults of a built-in object, in place.
///
/// `group` is empty for core. Kinds without defaults, and values that are no objects, stay as they are.
/// Applying it again changes nothing.
pub fn apply(group: &str, version: &str, kind: &str, object: &mut Value) {
    let Value::Object(object) = object else { return };
    match group {
        "" => core::apply(kind, object),
        "apps" => workloads::apps(kind, object),
        "batch" => workloads::batch(kind, object),
        "autoscaling" if kind == "HorizontalPodAutoscaler" => workloads::autoscaling(version, object),
        "networking.k8s.io" => cluster::networking(kind, object),
        "storage.k8s.io" => cluster::storage(kind, object),
        "rbac.authorization.k8s.io" => cluster::rbac(kind, object),
        "admissionregistration.k8s.io" => cluster::admission(kind, object),
        "apiregistration.k8s.io" if kind == "APIService" => cluster::api_service(object),
        "apiextensions.k8s.io" if kind == "CustomResourceDefinition" => {
            cluster::custom_resource_definition(object);
        }
        "flowcontrol.apiserver.k8s.io" => cluster::flow_control(kind, object),
        "discovery.k8s.io" if kind == "EndpointSlice" => cluster::endpoint_slice(object),
        "resource.k8s.io" => cluster::resource(kind, object),
        "scheduling.k8s.io" if kind == "PriorityClass" => {
            set::pointer(object, "preemptionPolicy", "PreemptLowerPriority");
        }
        "authentication.k8s.io" if kind == "TokenRequest" => {
            if let Some(spec) = set::ensure(object, "spec") {
                set::pointer(spec, "expirationSeconds", 3600);
            }
        }
        _ => {}
    }
}
