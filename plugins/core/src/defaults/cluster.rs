//! Groups beside core and the workloads: `pkg/apis/<group>/<version>/defaults.go`.

use super::set;
use chainplate_apimachinery::{Map, Value};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Ports of services that are called over TLS.
const HTTPS: i64 = 443;

pub(super) fn networking(kind: &str, object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    match kind {
        "NetworkPolicy" => {
            set::ensure(spec, "podSelector");
            for rules in ["ingress", "egress"] {
                set::each(spec, rules, |rule| {
                    set::each(rule, "ports", |port| set::text(port, "protocol", "TCP"));
                });
            }
            if set::is_empty(spec, "policyTypes") {
                let mut types = vec![Value::from("Ingress")];
                if !set::is_empty(spec, "egress") {
                    types.push("Egress".into());
                }
                spec.insert("policyTypes".into(), types.into());
            }
        }
        "IngressClass" => {
            if let Some(parameters) = set::child(spec, "parameters") {
                set::pointer(parameters, "scope", "Cluster");
            }
        }
        _ => {}
    }
}

pub(super) fn storage(kind: &str, object: &mut Map) {
    match kind {
        "StorageClass" => {
            set::pointer(object, "reclaimPolicy", "Delete");
            set::pointer(object, "volumeBindingMode", "Immediate");
        }
        "CSIDriver" => {
            let Some(spec) = set::ensure(object, "spec") else { return };
            set::pointer(spec, "attachRequired", true);
            for key in ["podInfoOnMount", "storageCapacity", "requiresRepublish", "seLinuxMount"] {
                set::pointer(spec, key, false);
            }
            set::pointer(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
            if set::is_empty(spec, "volumeLifecycleModes") {
                spec.insert("volumeLifecycleModes".into(), vec![Value::from("Persistent")].into());
            }
        }
        _ => {}
    }
}

pub(super) fn rbac(kind: &str, object: &mut Map) {
    if !matches!(kind, "RoleBinding" | "ClusterRoleBinding") {
        return;
    }
    if let Some(role) = set::ensure(object, "roleRef") {
        set::text(role, "apiGroup", RBAC);
    }
    set::each(object, "subjects", |subject| {
        if matches!(set::str_of(subject, "kind"), "User" | "Group") {
            set::text(subject, "apiGroup", RBAC);
        }
    });
}

pub(super) fn admission(kind: &str, object: &mut Map) {
    match kind {
        "ValidatingWebhookConfiguration" | "MutatingWebhookConfiguration" => {
            set::each(object, "webhooks", |hook| {
                set::pointer(hook, "failurePolicy", "Fail");
                set::pointer(hook, "timeoutSeconds", 10);
                if kind == "MutatingWebhookConfiguration" {
                    set::pointer(hook, "reinvocationPolicy", "Never");
                }
                matching(hook);
                set::each(hook, "rules", scope);
                set::ensure(hook, "clientConfig");
                service_port(hook);
            });
        }
        "ValidatingAdmissionPolicy" | "MutatingAdmissionPolicy" => {
            let Some(spec) = set::ensure(object, "spec") else { return };
            set::pointer(spec, "failurePolicy", "Fail");
            if let Some(resources) = set::child(spec, "matchConstraints") {
                match_resources(resources);
            }
        }
        "ValidatingAdmissionPolicyBinding" | "MutatingAdmissionPolicyBinding" => {
            if let Some(spec) = set::ensure(object, "spec")
                && let Some(resources) = set::child(spec, "matchResources")
            {
                match_resources(resources);
            }
        }
        _ => {}
    }
}

fn matching(map: &mut Map) {
    set::pointer(map, "matchPolicy", "Equivalent");
    set::ensure(map, "namespaceSelector");
    set::ensure(map, "objectSelector");
}

fn match_resources(resources: &mut Map) {
    matching(resources);
    for rules in ["resourceRules", "excludeResourceRules"] {
        set::each(resources, rules, scope);
    }
}

fn scope(rule: &mut Map) {
    set::pointer(rule, "scope", "*");
}

fn service_port(map: &mut Map) {
    if let Some(config) = set::child(map, "clientConfig")
        && let Some(service) = set::child(config, "service")
    {
        set::pointer(service, "port", HTTPS);
    }
}

pub(super) fn api_service(object: &mut Map) {
    if let Some(spec) = set::ensure(object, "spec")
        && let Some(service) = set::child(spec, "service")
    {
        set::pointer(service, "port", HTTPS);
    }
}

pub(super) fn custom_resource_definition(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    if let Some(names) = set::ensure(spec, "names") {
        let kind = set::str_of(names, "kind").to_owned();
        if !kind.is_empty() {
            set::text(names, "singular", &kind.to_lowercase());
            set::text(names, "listKind", &format!("{kind}List"));
        }
    }
    if let Some(conversion) = set::ensure(spec, "conversion") {
        set::text(conversion, "strategy", "None");
        if let Some(webhook) = set::child(conversion, "webhook") {
            service_port(webhook);
        }
    }
}

pub(super) fn flow_control(kind: &str, object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    if kind == "FlowSchema" {
        set::number(spec, "matchingPrecedence", 1000);
        return;
    }
    if let Some(exempt) = set::child(spec, "exempt") {
        set::pointer(exempt, "nominalConcurrencyShares", 0);
        set::pointer(exempt, "lendablePercent", 0);
    }
    if let Some(limited) = set::child(spec, "limited") {
        set::pointer(limited, "nominalConcurrencyShares", 30);
        set::pointer(limited, "lendablePercent", 0);
        if let Some(response) = set::child(limited, "limitResponse")
            && let Some(queuing) = set::child(response, "queuing")
        {
            set::numbers(queuing, &[("queues", 64), ("handSize", 8), ("queueLengthLimit", 50)]);
        }
    }
}

pub(super) fn endpoint_slice(object: &mut Map) {
    set::each(object, "ports", |port| {
        set::pointer(port, "name", "");
        set::pointer(port, "protocol", "TCP");
    });
}

/// Claims of `resource.k8s.io`, whose template nests them one deeper.
pub(super) fn resource(kind: &str, object: &mut Map) {
    let spec = match kind {
        "ResourceClaim" => set::ensure(object, "spec"),
        "ResourceClaimTemplate" => set::ensure(object, "spec").and_then(|template| {
            set::ensure(template, "metadata");
            set::ensure(template, "spec")
        }),
        _ => None,
    };
    let Some(devices) = spec.and_then(|spec| set::ensure(spec, "devices")) else { return };
    set::each(devices, "requests", |request| {
        if let Some(exactly) = set::child(request, "exactly") {
            device_request(exactly);
        }
        // v1beta1 has the members of `exactly` in the request itself.
        if !set::str_of(request, "deviceClassName").is_empty() {
            device_request(request);
        }
        set::each(request, "firstAvailable", device_request);
    });
}

fn device_request(request: &mut Map) {
    set::text(request, "allocationMode", "ExactCount");
    if set::str_of(request, "allocationMode") == "ExactCount" {
        set::number(request, "count", 1);
    }
    set::each(request, "tolerations", |toleration| set::text(toleration, "operator", "Equal"));
}
