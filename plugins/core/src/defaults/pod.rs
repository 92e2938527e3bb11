//! Pods and everything that holds a pod template: `pkg/apis/core/v1/defaults.go`.

use super::set;
use chainplate_apimachinery::{Map, Value};

/// The three lists of containers in a pod spec.
const CONTAINERS: [&str; 3] = ["initContainers", "containers", "ephemeralContainers"];

const PROBE: [(&str, i64); 4] =
    [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)];

/// Text members of volume sources.
const VOLUME_TEXT: [(&str, &[(&str, &str)]); 3] = [
    ("iscsi", &[("iscsiInterface", "default")]),
    ("rbd", &[("pool", "rbd"), ("user", "admin"), ("keyring", "/etc/ceph/keyring")]),
    ("scaleIO", &[("storageMode", "ThinProvisioned"), ("fsType", "xfs")]),
];

/// Sources of files, readable for everybody and writable for the owner unless told otherwise.
const FILE_MODE: i64 = 0o644;

/// The template below `key`, a pod template spec.
pub(super) fn template(map: &mut Map, key: &str) {
    if let Some(template) = set::ensure(map, key) {
        set::ensure(template, "metadata");
        if let Some(spec) = set::ensure(template, "spec") {
            pod_spec(spec);
        }
    }
}

/// What holds for pods alone, not for templates.
pub(super) fn pod(object: &mut Map) {
    let Some(spec) = set::ensure(object, "spec") else { return };
    pod_spec(spec);
    for list in ["containers", "initContainers"] {
        set::each(spec, list, requests_from_limits);
    }
    set::pointer(spec, "enableServiceLinks", true);
    if spec.get("hostNetwork").and_then(Value::as_bool) == Some(true) {
        for list in ["containers", "initContainers"] {
            set::each(spec, list, |container| {
                set::each(container, "ports", |port| {
                    let number = port.get("containerPort").and_then(Value::as_i64).unwrap_or_default();
                    if number != 0 {
                        set::number(port, "hostPort", number);
                    }
                });
            });
        }
    }
    pod_level_requests(spec);
}

/// A pod spec, wherever it stands.
pub(super) fn pod_spec(spec: &mut Map) {
    set::texts(
        spec,
        &[("dnsPolicy", "ClusterFirst"), ("restartPolicy", "Always"), ("schedulerName", "default-scheduler")],
    );
    set::pointer(spec, "securityContext", Map::new());
    set::pointer(spec, "terminationGracePeriodSeconds", 30);
    service_account(spec);
    set::each(spec, "volumes", volume);
    for list in CONTAINERS {
        set::each(spec, list, container);
    }
}

/// The old and the new name of the service account say the same; the new one wins
/// (`Convert_v1_PodSpec_To_core_PodSpec`).
fn service_account(spec: &mut Map) {
    let name = match set::str_of(spec, "serviceAccountName") {
        "" => set::str_of(spec, "serviceAccount"),
        name => name,
    };
    if !name.is_empty() {
        let name = Value::from(name);
        spec.insert("serviceAccount".into(), name.clone());
        spec.insert("serviceAccountName".into(), name);
    }
}

fn container(container: &mut Map) {
    if set::str_of(container, "imagePullPolicy").is_empty() {
        let policy = pull_policy(set::str_of(container, "image"));
        set::text(container, "imagePullPolicy", policy);
    }
    set::texts(
        container,
        &[("terminationMessagePath", "/dev/termination-log"), ("terminationMessagePolicy", "File")],
    );
    set::pointer(container, "resources", Map::new());
    set::each(container, "ports", |port| set::text(port, "protocol", "TCP"));
    set::each(container, "env", |variable| {
        if let Some(source) = set::child(variable, "valueFrom") {
            field_ref(source);
        }
    });
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = set::child(container, probe) {
            set::numbers(probe, &PROBE);
            http_get(probe);
            if let Some(grpc) = set::child(probe, "grpc") {
                set::pointer(grpc, "service", "");
            }
        }
    }
    if let Some(lifecycle) = set::child(container, "lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = set::child(lifecycle, hook) {
                http_get(hook);
            }
        }
    }
}

fn http_get(handler: &mut Map) {
    if let Some(action) = set::child(handler, "httpGet") {
        set::texts(action, &[("path", "/"), ("scheme", "HTTP")]);
    }
}

fn field_ref(source: &mut Map) {
    if let Some(field) = set::child(source, "fieldRef") {
        set::text(field, "apiVersion", "v1");
    }
    if let Some(resource) = set::child(source, "resourceFieldRef") {
        set::pointer(resource, "divisor", "0");
    }
}

fn volume(volume: &mut Map) {
    if volume.iter().all(|(key, value)| key == "name" || value.is_null()) {
        volume.insert("emptyDir".into(), Map::new().into());
        return;
    }
    for (source, table) in VOLUME_TEXT {
        if let Some(source) = set::child(volume, source) {
            set::texts(source, table);
        }
    }
    if let Some(path) = set::child(volume, "hostPath") {
        set::pointer(path, "type", "");
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = set::child(volume, source) {
            set::pointer(source, "defaultMode", FILE_MODE);
        }
    }
    if let Some(source) = set::child(volume, "downwardAPI") {
        set::each(source, "items", field_ref);
    }
    if let Some(source) = set::child(volume, "projected") {
        set::each(source, "sources", |projection| {
            if let Some(downward) = set::child(projection, "downwardAPI") {
                set::each(downward, "items", field_ref);
            }
            if let Some(token) = set::child(projection, "serviceAccountToken") {
                set::pointer(token, "expirationSeconds", 3600);
            }
        });
    }
    if let Some(disk) = set::child(volume, "azureDisk") {
        azure_disk(disk);
    }
    if let Some(image) = set::child(volume, "image") {
        let policy = pull_policy(set::str_of(image, "reference"));
        set::text(image, "pullPolicy", policy);
    }
    if let Some(ephemeral) = set::child(volume, "ephemeral")
        && let Some(claim) = set::child(ephemeral, "volumeClaimTemplate")
    {
        set::ensure(claim, "metadata");
        if let Some(spec) = set::ensure(claim, "spec") {
            claim_spec(spec);
        }
    }
}

/// The members of an Azure disk, in a pod or a persistent volume.
pub(super) fn azure_disk(disk: &mut Map) {
    set::pointer(disk, "cachingMode", "ReadWrite");
    set::pointer(disk, "fsType", "ext4");
    set::pointer(disk, "readOnly", false);
    set::pointer(disk, "kind", "Shared");
}

/// A claim's spec, in a claim or in a template of one.
pub(super) fn claim_spec(spec: &mut Map) {
    set::pointer(spec, "volumeMode", "Filesystem");
    set::pointer(spec, "resources", Map::new());
}

fn requests_from_limits(container: &mut Map) {
    let Some(resources) = set::child(container, "resources") else { return };
    let Some(Value::Object(limits)) = resources.get("limits") else { return };
    let requests = resources.get("requests").and_then(Value::as_object);
    let missing: Vec<(String, Value)> = limits
        .iter()
        .filter(|(name, _)| requests.is_none_or(|requests| !requests.contains_key(*name)))
        .map(|(name, quantity)| (name.clone(), quantity.clone()))
        .collect();
    if !missing.is_empty()
        && let Some(requests) = set::ensure(resources, "requests")
    {
        requests.extend(missing);
    }
}

/// Requests of the pod as a whole (KEP-2837): what no container asks for is asked for up to the limit.
fn pod_level_requests(spec: &mut Map) {
    let asked = |spec: &Map, name: &str| {
        ["containers", "initContainers"].iter().any(|list| {
            spec.get(*list).and_then(Value::as_array).is_some_and(|containers| {
                containers.iter().any(|container| !container["resources"]["requests"][name].is_null())
            })
        })
    };
    let Some(limits) = spec.get("resources").and_then(|resources| resources.get("limits")?.as_object())
    else {
        return;
    };
    let missing: Vec<(String, Value)> = limits
        .iter()
        .filter(|(name, _)| {
            let supported = matches!(name.as_str(), "cpu" | "memory") || name.starts_with("hugepages-");
            supported && spec["resources"]["requests"][name.as_str()].is_null() && !asked(spec, name)
        })
        .map(|(name, quantity)| (name.clone(), quantity.clone()))
        .collect();
    if !missing.is_empty()
        && let Some(resources) = set::child(spec, "resources")
        && let Some(requests) = set::ensure(resources, "requests")
    {
        requests.extend(missing);
    }
}

/// `Always` for `latest`, told or implied, else `IfNotPresent`.
fn pull_policy(image: &str) -> &'static str {
    if tag_is_latest(image) { "Always" } else { "IfNotPresent" }
}

/// Whether an image reference has the tag `latest`, or neither tag nor digest. False for what is no reference
/// (`pkg/util/parsers.ParseImageName`, whose error upstream ignores).
fn tag_is_latest(image: &str) -> bool {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let (repository, tag) = match name[slash..].rfind(':') {
        Some(at) => (&name[..slash + at], Some(&name[slash + at + 1..])),
        None => (name, None),
    };
    if tag.is_some_and(|tag| tag != "latest") || (tag.is_none() && digest.is_some()) {
        return false;
    }
    let path = match repository.split_once('/') {
        Some((domain, path)) if domain == "localhost" || domain.contains(['.', ':']) || has_upper(domain) => {
            path
        }
        _ => repository,
    };
    !path.is_empty()
        && path.split('/').all(|part| {
            part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
                && part.starts_with(|c: char| c.is_ascii_alphanumeric())
                && part.ends_with(|c: char| c.is_ascii_alphanumeric())
        })
}

fn has_upper(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_without_tag_or_with_latest_are_always_pulled() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.2", "IfNotPresent"),
            ("registry:5000/nginx", "Always"),
            ("registry:5000/nginx:1", "IfNotPresent"),
            ("registry.example.com/b@sha256:aa", "IfNotPresent"),
            ("nginx:latest@sha256:aa", "Always"),
            ("Not-An-Image", "IfNotPresent"),
            ("REGISTRY/app", "Always"),
            ("", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
