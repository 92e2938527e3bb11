//! Containers of every sort: `validateContainerCommon` and what stands around it.

use super::amount::Amount;
use super::checks::{
    Errors, config_key, label, member, none_negative, one_of, pattern, port, port_name, qualified, required,
    required_items, required_member, subdomain, supported,
};
use super::files::descending;
use super::pod::PodContext;
use super::view::Node;
use super::volumes::pull_policy;
use super::{resources, security};
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::Error;

/// Protocols of ports, in the order of upstream's texts.
pub(super) const PROTOCOLS: [&str; 3] = ["SCTP", "TCP", "UDP"];

const ENV_FIELDS: [&str; 9] = [
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCE_FIELDS: [&str; 6] = [
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

/// `spec.containers`.
pub(super) fn containers(node: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    if all.is_empty() {
        errors.push(Error::required(&node.path, ""));
        return;
    }
    node.each(|index, container| {
        common(container, pod, errors);
        let name = container.text("name");
        if named(&all[..index], name) {
            errors.push(Error::duplicate(&container.path.child("name"), name));
        }
        long_running(container, pod, errors);
        container_restarts(container, errors);
    });
    host_ports(node, all, errors);
}

/// `spec.initContainers`.
pub(super) fn init_containers(node: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    const FORBIDDEN: &str = "may not be set for init containers without restartPolicy=Always";
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, container| {
        common(container, pod, errors);
        container_restarts(container, errors);
        let name = container.text("name");
        if !name.is_empty() && (named(pod.spec.list("containers"), name) || named(&all[..index], name)) {
            errors.push(Error::duplicate(&container.path.child("name"), name));
        }
        host_ports(node, std::slice::from_ref(container.value), errors);
        if container.text("restartPolicy") == "Always" {
            long_running(container, pod, errors);
        } else {
            for member in ["lifecycle", "livenessProbe", "readinessProbe", "startupProbe"] {
                if container.has(member) {
                    errors.push(Error::forbidden(&container.path.child(member), FORBIDDEN));
                }
            }
        }
    });
}

/// `spec.ephemeralContainers`.
pub(super) fn ephemeral_containers(node: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    const FORBIDDEN: &str = "cannot be set for an Ephemeral Container";
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    let others =
        |name: &str| named(pod.spec.list("containers"), name) || named(pod.spec.list("initContainers"), name);
    node.each(|index, container| {
        common(container, pod, errors);
        trimmed_image(container, errors);
        let name = container.text("name");
        if others(name) || named(&all[..index], name) {
            errors.push(Error::duplicate(&container.path.child("name"), name));
        }
        let target = container.text("targetContainerName");
        if !target.is_empty() && !others(target) {
            errors.push(Error::not_found(&container.path.child("targetContainerName"), target));
        }
        for member in [
            "ports",
            "resources",
            "resizePolicy",
            "restartPolicy",
            "restartPolicyRules",
            "livenessProbe",
            "readinessProbe",
            "startupProbe",
            "lifecycle",
        ] {
            let empty = container.get(member).as_object().is_some_and(|map| map.values().all(Value::is_null));
            if container.has(member) && !empty && container.get(member) != &Value::Array(Vec::new()) {
                errors.push(Error::forbidden(&container.path.child(member), FORBIDDEN));
            }
        }
        container.child("volumeMounts").each(|_, mount| {
            for member in ["subPath", "subPathExpr"] {
                if !mount.text(member).is_empty() {
                    errors.push(Error::forbidden(&mount.path.child(member), FORBIDDEN));
                }
            }
        });
    });
}

/// What holds for containers of pods, not of templates.
pub(super) fn trimmed_image(container: &Node<'_, '_>, errors: &mut Errors) {
    let image = container.text("image");
    if image.len() != image.trim().len() {
        let reason = "must not have leading or trailing whitespace";
        errors.push(Error::invalid(&container.path.child("image"), image, reason));
    }
}

fn named(containers: &[Value], name: &str) -> bool {
    containers.iter().any(|container| Node::root(container).text("name") == name)
}

fn common(container: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    required_member(container, "name", label, errors);
    required(container, "image", errors);
    one_of(container, "terminationMessagePolicy", &["File", "FallbackToLogsOnError"], errors);
    ports(&container.child("ports"), errors);
    environment(container, pod, errors);
    mounts(container, pod, errors);
    devices(container, pod, errors);
    pull_policy(container, "imagePullPolicy", errors);
    let claims = pod.spec.list("resourceClaims");
    resources::requirements(&container.child("resources"), resources::container, claims, errors);
    resize_policy(&container.child("resizePolicy"), pod, errors);
    if let Some(context) = container.some("securityContext") {
        security::container(&context, pod.host_users, errors);
    }
}

fn long_running(container: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    if let Some(lifecycle) = container.some("lifecycle") {
        for hook in ["postStart", "preStop"] {
            if let Some(hook) = lifecycle.some(hook) {
                handler(&hook, pod, errors);
            }
        }
    }
    for kind in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let Some(probe) = container.some(kind) else { continue };
        handler(&probe, pod, errors);
        none_negative(
            &probe,
            &[
                "initialDelaySeconds",
                "timeoutSeconds",
                "periodSeconds",
                "successThreshold",
                "failureThreshold",
            ],
            errors,
        );
        let grace = probe.number("terminationGracePeriodSeconds");
        let path = probe.path.child("terminationGracePeriodSeconds");
        if let Some(grace) = grace.filter(|grace| *grace <= 0) {
            errors.push(Error::invalid(&path, grace, "must be greater than 0"));
        }
        if kind == "readinessProbe" {
            if let Some(grace) = grace {
                errors.push(Error::invalid(&path, grace, "must not be set for readinessProbes"));
            }
        } else if probe.int("successThreshold") != 1 {
            let threshold = probe.int("successThreshold");
            errors.push(Error::invalid(&probe.path.child("successThreshold"), threshold, "must be 1"));
        }
    }
}

/// A container's own restart policy (KEP-5307).
fn container_restarts(container: &Node<'_, '_>, errors: &mut Errors) {
    if container.has("restartPolicy") {
        let path = container.path.child("restartPolicy");
        supported(&path, container.text("restartPolicy"), &["Always", "Never", "OnFailure"], errors);
    } else if !container.is_empty("restartPolicyRules") {
        let reason = "must specify restartPolicy when restart rules are used";
        errors.push(Error::required(&container.path.child("restartPolicy"), reason));
    }
}

fn handler(node: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    let mut found = 0;
    for kind in ["exec", "httpGet", "tcpSocket", "grpc", "sleep"] {
        let Some(action) = node.some(kind) else { continue };
        found += 1;
        if found > 1 {
            errors.push(Error::forbidden(&action.path, "may not specify more than 1 handler type"));
            continue;
        }
        match kind {
            "exec" => {
                required_items(&action, "command", "", errors);
            }
            "httpGet" => {
                required(&action, "path", errors);
                port(&action, "port", errors);
                supported(&action.path.child("scheme"), action.text("scheme"), &["HTTP", "HTTPS"], errors);
                action.child("httpHeaders").each(|_, header| {
                    let name = header.text("name");
                    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                    if name.is_empty() || !name.bytes().all(known) {
                        let reason = pattern(
                            "a valid HTTP header must consist of alphanumeric characters or '-'",
                            "[-A-Za-z0-9]+",
                            &["X-Header-Name"],
                        );
                        errors.push(Error::invalid(&action.path.child("httpHeaders"), name, reason));
                    }
                });
            }
            "sleep" => {
                let seconds = action.int("seconds");
                if let Some(grace) = pod.grace_period.filter(|grace| !(0..=*grace).contains(&seconds)) {
                    let reason =
                        format!("must be non-negative and less than terminationGracePeriodSeconds ({grace})");
                    errors.push(Error::invalid(&action.path, seconds, reason));
                }
            }
            _ => port(&action, "port", errors),
        }
    }
    if found == 0 {
        errors.push(Error::required(&node.path, "must specify a handler type"));
    }
}

fn ports(node: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, item| {
        let name = item.text("name");
        if !name.is_empty() {
            let wrong = port_name(name);
            let taken = all[..index].iter().any(|other| Node::root(other).text("name") == name);
            if wrong.is_empty() && taken {
                errors.push(Error::duplicate(&item.path.child("name"), name));
            }
            for reason in wrong {
                errors.push(Error::invalid(&item.path.child("name"), name, reason));
            }
        }
        if item.int("containerPort") == 0 {
            errors.push(Error::required(&item.path.child("containerPort"), ""));
        } else {
            super::checks::port_number(item, "containerPort", errors);
        }
        if item.int("hostPort") != 0 {
            super::checks::port_number(item, "hostPort", errors);
        }
        one_of(item, "protocol", &PROTOCOLS, errors);
    });
}

/// Ports of the host that more than one container wants.
fn host_ports(node: &Node<'_, '_>, containers: &[Value], errors: &mut Errors) {
    let mut seen: Vec<(&str, &str, i64)> = Vec::new();
    for (index, container) in containers.iter().enumerate() {
        let place = node.path.index(index);
        let container = Node::root(container).at(place);
        container.child("ports").each(|_, item| {
            let key = (item.text("protocol"), item.text("hostIP"), item.int("hostPort"));
            if key.2 == 0 {
            } else if seen.contains(&key) {
                let shown = format!("{}/{}/{}", key.0, key.1, key.2);
                errors.push(Error::duplicate(&item.path.child("hostPort"), shown));
            } else {
                seen.push(key);
            }
        });
    }
}

/// A variable's name: printable ASCII but `=` (`IsRelaxedEnvVarName`).
fn variable_name(name: &str) -> Vec<String> {
    let mut reasons = Vec::new();
    if name.is_empty() {
        reasons.push("environment variable name must be non-empty".to_owned());
    }
    if name.chars().any(|c| !matches!(c, ' '..='~') || c == '=') {
        let reason = "a valid environment variable name must consist only of printable ASCII characters other than '='";
        reasons.push(reason.to_owned());
    }
    reasons
}

fn environment(container: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    container.child("env").each(|_, variable| {
        required_member(variable, "name", variable_name, errors);
        let Some(from) = variable.some("valueFrom") else { return };
        let mut found = 0;
        if let Some(field) = from.some("fieldRef") {
            found += 1;
            object_field(&field, &ENV_FIELDS, true, errors);
        }
        if let Some(resource) = from.some("resourceFieldRef") {
            found += 1;
            resource_field(&resource, false, errors);
        }
        for kind in ["configMapKeyRef", "secretKeyRef"] {
            if let Some(reference) = from.some(kind) {
                found += 1;
                member(&reference, "name", subdomain, errors);
                required_member(&reference, "key", config_key, errors);
            }
        }
        if let Some(file) = from.some("fileKeyRef") {
            found += 1;
            required_member(&file, "key", variable_name, errors);
            if required(&file, "volumeName", errors) && pod.volume(file.text("volumeName")).is_none() {
                errors.push(Error::not_found(&file.path.child("volumeName"), file.text("volumeName")));
            }
            if required(&file, "path", errors) {
                descending(&file.child("path"), errors);
            }
        }
        let reason = if found == 0 {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"
        } else if !variable.text("value").is_empty() {
            "may not be specified when `value` is not empty"
        } else if found > 1 {
            "may not have more than one field specified at a time"
        } else {
            return;
        };
        errors.push(Error::invalid(&from.path, "", reason));
    });
    let sources = container.child("envFrom");
    sources.each(|_, source| {
        if !source.text("prefix").is_empty() {
            member(source, "prefix", variable_name, errors);
        }
        let mut found = 0;
        for kind in ["configMapRef", "secretRef"] {
            if let Some(reference) = source.some(kind) {
                found += 1;
                required_member(&reference, "name", subdomain, errors);
            }
        }
        let reason = match found {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => return,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(Error::invalid(&sources.path, "", reason));
    });
}

/// A field of the pod that a container may know.
pub(super) fn object_field(node: &Node<'_, '_>, known: &[&str], subscripts: bool, errors: &mut Errors) {
    if !required(node, "apiVersion", errors) || !required(node, "fieldPath", errors) {
        return;
    }
    let field = node.text("fieldPath");
    let subscript = field.strip_suffix("']").and_then(|field| field.split_once("['"));
    match subscript {
        Some(("metadata.annotations", key)) if subscripts => {
            for reason in qualified(&key.to_lowercase()) {
                errors.push(Error::invalid(&node.path, key, reason));
            }
        }
        Some(("metadata.labels", key)) if subscripts => {
            for reason in qualified(key) {
                errors.push(Error::invalid(&node.path, key, reason));
            }
        }
        Some((path, _)) => errors.push(Error::invalid(&node.path, path, "does not support subscript")),
        None if known.contains(&field) => {}
        None => {
            let convertible = ENV_FIELDS.contains(&field)
                || matches!(
                    field,
                    "metadata.labels" | "metadata.annotations" | "spec.restartPolicy" | "status.phase"
                );
            let path = node.path.child("fieldPath");
            if node.text("apiVersion") != "v1" {
                let reason = format!(
                    "error converting fieldPath: unsupported pod version: {}",
                    node.text("apiVersion")
                );
                errors.push(Error::invalid(&path, field, reason));
            } else if convertible {
                errors.push(Error::not_supported(&path, field, known));
            } else {
                let reason = format!("error converting fieldPath: field label not supported: {field}");
                errors.push(Error::invalid(&path, field, reason));
            }
        }
    }
}

/// A resource of a container that a container may know.
pub(super) fn resource_field(node: &Node<'_, '_>, in_volume: bool, errors: &mut Errors) {
    let resource = node.text("resource");
    let huge = resource.starts_with("requests.hugepages-") || resource.starts_with("limits.hugepages-");
    if in_volume && node.text("containerName").is_empty() {
        errors.push(Error::required(&node.path.child("containerName"), ""));
    } else if required(node, "resource", errors) && !RESOURCE_FIELDS.contains(&resource) && !huge {
        errors.push(Error::not_supported(&node.path.child("resource"), resource, &RESOURCE_FIELDS));
    }
    let Some(divisor) = Amount::of(node.get("divisor")).filter(|amount| amount.is_positive()) else { return };
    const SIZES: [&str; 13] =
        ["1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"];
    let (known, what): (&[&str], &str) = match resource {
        "limits.cpu" | "requests.cpu" => (&["1m", "1"], "cpu"),
        "limits.memory" | "requests.memory" => (&SIZES, "memory"),
        "limits.ephemeral-storage" | "requests.ephemeral-storage" => (&SIZES, "local ephemeral storage"),
        _ if huge => (&SIZES, "hugepages"),
        _ => return,
    };
    if !known.iter().any(|known| Amount::parse(known) == Some(divisor)) {
        let list = if what == "cpu" { "1m and 1".to_owned() } else { known.join(", ") };
        let reason = format!("only divisor's values {list} are supported with the {what} resource");
        errors.push(Error::invalid(&node.path.child("divisor"), resource, reason));
    }
}

fn mounts(container: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    let node = container.child("volumeMounts");
    let all = container.list("volumeMounts");
    let devices = container.list("volumeDevices");
    let device =
        |member: &str, text: &str| devices.iter().any(|device| Node::root(device).text(member) == text);
    node.each(|index, mount| {
        let (name, at) = (mount.text("name"), mount.text("mountPath"));
        required(mount, "name", errors);
        let volume = pod.volume(name);
        if volume.is_none() {
            errors.push(Error::not_found(&mount.path.child("name"), name));
        }
        required(mount, "mountPath", errors);
        let path = mount.path.child("mountPath");
        if all[..index].iter().any(|other| Node::root(other).text("mountPath") == at) {
            errors.push(Error::invalid(&path, at, "must be unique"));
        }
        if device("name", name) {
            let reason = "must not already exist in volumeDevices";
            errors.push(Error::invalid(&mount.path.child("name"), name, reason));
        }
        if device("devicePath", at) {
            errors.push(Error::invalid(&path, at, "must not already exist as a path in volumeDevices"));
        }
        if volume.is_some_and(|volume| volume.get("image").is_some_and(|image| !image.is_null())) {
            for member in ["subPath", "subPathExpr"] {
                if !mount.text(member).is_empty() {
                    let reason = "not allowed in image volume sources";
                    errors.push(Error::invalid(&mount.path.child(member), mount.text(member), reason));
                }
            }
        }
        // From here on upstream tells the list, not the item.
        if !mount.text("subPath").is_empty() {
            descending(&mount.child("subPath").at(node.path.child("subPath")), errors);
        }
        if !mount.text("subPathExpr").is_empty() {
            if !mount.text("subPath").is_empty() {
                let reason = "subPathExpr and subPath are mutually exclusive";
                let path = mount.path.child("subPathExpr");
                errors.push(Error::invalid(&path, mount.text("subPathExpr"), reason));
            }
            descending(&mount.child("subPathExpr").at(node.path.child("subPathExpr")), errors);
        }
        propagation(container, mount, &node, errors);
    });
}

fn propagation(container: &Node<'_, '_>, mount: &Node<'_, '_>, mounts: &Node<'_, '_>, errors: &mut Errors) {
    let mode = mount.text("mountPropagation");
    if mount.has("mountPropagation") {
        let path = mounts.path.child("mountPropagation");
        supported(&path, mode, &["Bidirectional", "HostToContainer", "None"], errors);
        if mode == "Bidirectional" && !container.child("securityContext").is("privileged") {
            let reason = "Bidirectional mount propagation is available only to privileged containers";
            errors.push(Error::forbidden(&path, reason));
        }
    }
    let path = mounts.path.child("recursiveReadOnly");
    match mount.text("recursiveReadOnly") {
        "Enabled" | "IfPossible" => {
            if !mount.is("readOnly") {
                errors.push(Error::forbidden(&path, "may only be specified when readOnly is true"));
            }
            if !matches!(mode, "" | "None") {
                let reason = "may only be specified when mountPropagation is None or not specified";
                errors.push(Error::forbidden(&path, reason));
            }
        }
        "Disabled" => {}
        _ if !mount.has("recursiveReadOnly") => {}
        other => supported(&path, other, &["Disabled", "Enabled", "IfPossible"], errors),
    }
}

fn devices(container: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    let node = container.child("volumeDevices");
    let all = container.list("volumeDevices");
    let mounts = container.list("volumeMounts");
    let mount = |member: &str, text: &str| mounts.iter().any(|mount| Node::root(mount).text(member) == text);
    node.each(|index, device| {
        let (name, at) = (device.text("name"), device.text("devicePath"));
        let (name_path, path) = (device.path.child("name"), device.path.child("devicePath"));
        let before = &all[..index];
        required(device, "name", errors);
        if !name.is_empty() && before.iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::invalid(&name_path, name, "must be unique"));
        }
        match pod.volume(name) {
            None => errors.push(Error::not_found(&name_path, name)),
            Some(volume) => {
                let volume = Node::root(volume);
                // A claim template of a StatefulSet has no source of its own.
                let claim = volume.has("persistentVolumeClaim") || volume.has("ephemeral") || volume.has("spec");
                if !claim {
                    let reason =
                        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                    errors.push(Error::invalid(&name_path, name, reason));
                }
            }
        }
        required(device, "devicePath", errors);
        if before.iter().any(|other| Node::root(other).text("devicePath") == at) {
            errors.push(Error::invalid(&path, at, "must be unique"));
        }
        if at.split('/').any(|part| part == "..") {
            errors.push(Error::invalid(&path, at, "can not contain backsteps ('..')"));
        }
        if mount("name", name) {
            errors.push(Error::invalid(&name_path, name, "must not already exist in volumeMounts"));
        }
        if mount("mountPath", at) {
            errors.push(Error::invalid(&path, at, "must not already exist as a path in volumeMounts"));
        }
    });
}

fn resize_policy(node: &Node<'_, '_>, pod: &PodContext<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, policy| {
        let (resource, restart) = (policy.text("resourceName"), policy.text("restartPolicy"));
        if all[..index].iter().any(|other| Node::root(other).text("resourceName") == resource) {
            errors.push(Error::duplicate(&policy.path, resource));
        }
        let mut known = |text: &str, allowed: &[&str]| {
            if text.is_empty() {
                errors.push(Error::required(&node.path, ""));
            } else {
                supported(&node.path, text, allowed, errors);
            }
        };
        known(resource, &["cpu", "memory"]);
        known(restart, &["NotRequired", "RestartContainer"]);
        if pod.spec.text("restartPolicy") == "Never" && restart != "NotRequired" {
            let reason = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(Error::invalid(&node.path, restart, reason));
        }
    });
}
