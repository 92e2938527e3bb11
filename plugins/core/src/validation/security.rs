//! Security contexts of pods and containers.

use super::checks::{Errors, between, optional_one_of, subdomain};
use super::files::descending;
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::Error;

/// User and group ids are 31 bits wide.
const MAX_ID: i64 = i32::MAX as i64;
const SYSCTL: &str = r"^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const SYSCTL_MAX: usize = 253;

fn ids(node: &Node<'_, '_>, names: &[&str], errors: &mut Errors) {
    for name in names {
        super::checks::in_range(node, name, 0, MAX_ID, errors);
    }
}

/// `validatePodSpecSecurityContext`. `spec` is the pod's.
pub(super) fn pod(node: &Node<'_, '_>, spec: &Node<'_, '_>, errors: &mut Errors) {
    ids(node, &["fsGroup", "runAsUser", "runAsGroup"], errors);
    node.child("supplementalGroups").each(|_, group| {
        let id = group.value.as_i64().unwrap_or_default();
        if !(0..=MAX_ID).contains(&id) {
            errors.push(Error::invalid(&group.path, id, between(0, MAX_ID)));
        }
    });
    if spec.is("shareProcessNamespace") && spec.is("hostPID") {
        let reason = "ShareProcessNamespace and HostPID cannot both be enabled";
        errors.push(Error::invalid(&node.path.child("shareProcessNamespace"), true, reason));
    }
    sysctls(&node.child("sysctls"), spec, errors);
    optional_one_of(node, "fsGroupChangePolicy", &["Always", "OnRootMismatch"], errors);
    seccomp(node, errors);
    windows(node, errors);
    app_armor(node, errors);
    optional_one_of(node, "supplementalGroupsPolicy", &["Merge", "Strict"], errors);
    optional_one_of(node, "seLinuxChangePolicy", &["MountOption", "Recursive"], errors);
}

/// `ValidateSecurityContext`.
pub(super) fn container(node: &Node<'_, '_>, host_users: bool, errors: &mut Errors) {
    ids(node, &["runAsUser", "runAsGroup"], errors);
    if node.has("procMount") {
        optional_one_of(node, "procMount", &["Default", "Unmasked"], errors);
        if host_users && node.text("procMount") == "Unmasked" {
            let reason = "`hostUsers` must be false to use `Unmasked`";
            errors.push(Error::invalid(&node.path.child("procMount"), "Unmasked", reason));
        }
    }
    seccomp(node, errors);
    if node.get("allowPrivilegeEscalation") == &Value::Bool(false) {
        if node.is("privileged") {
            let reason = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(Error::invalid(&node.path, node.value.clone(), reason));
        }
        if node.child("capabilities").lists("add", "CAP_SYS_ADMIN") {
            let reason =
                "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.push(Error::invalid(&node.path, node.value.clone(), reason));
        }
    }
    windows(node, errors);
    app_armor(node, errors);
}

fn sysctls(node: &Node<'_, '_>, spec: &Node<'_, '_>, errors: &mut Errors) {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    node.each(|index, sysctl| {
        let (name, path) = (sysctl.text("name"), sysctl.path.child("name"));
        if name.is_empty() {
            errors.push(Error::required(&path, ""));
        } else if name.len() > SYSCTL_MAX || !is_sysctl(name) {
            let reason = format!("must have at most {SYSCTL_MAX} characters and match regex {SYSCTL}");
            errors.push(Error::invalid(&path, name, reason));
        } else if all[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&path, name));
        }
        let dotted = name.replace('/', ".");
        let of_ipc = dotted.starts_with("kernel.shm")
            || dotted.starts_with("kernel.msg")
            || dotted.starts_with("fs.mqueue.")
            || dotted == "kernel.sem";
        if spec.is("hostNetwork") && dotted.starts_with("net.") {
            errors.push(Error::invalid(&path, name, "may not be specified when 'hostNetwork' is true"));
        } else if spec.is("hostIPC") && of_ipc {
            errors.push(Error::invalid(&path, name, "may not be specified when 'hostIPC' is true"));
        }
    });
}

fn is_sysctl(name: &str) -> bool {
    name.split(['.', '/']).all(|part| {
        let edge = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let bytes = part.as_bytes();
        edge(bytes.first())
            && edge(bytes.last())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
    })
}

fn seccomp(node: &Node<'_, '_>, errors: &mut Errors) {
    let Some(profile) = node.some("seccompProfile") else { return };
    let kinds = ["Localhost", "RuntimeDefault", "Unconfined"];
    profile_type(&profile, &kinds, "type is required when seccompProfile is set", errors);
    let local = profile.child("localhostProfile");
    if profile.text("type") == "Localhost" {
        if local.present() {
            descending(&local, errors);
        } else {
            errors.push(Error::required(&local.path, "must be set when seccomp type is Localhost"));
        }
    } else if local.present() {
        let reason = "can only be set when seccomp type is Localhost";
        errors.push(Error::invalid(&local.path, profile.value.clone(), reason));
    }
}

fn profile_type(profile: &Node<'_, '_>, kinds: &[&str], detail: &str, errors: &mut Errors) {
    if super::checks::required_with(profile, "type", detail, errors) {
        super::checks::supported(&profile.path.child("type"), profile.text("type"), kinds, errors);
    }
}

fn app_armor(node: &Node<'_, '_>, errors: &mut Errors) {
    const MAX: usize = 4095;
    let Some(profile) = node.some("appArmorProfile") else { return };
    let local = profile.child("localhostProfile");
    match profile.text("type") {
        "Localhost" => {
            let name = local.str();
            if name.trim() != name {
                errors.push(Error::invalid(&local.path, name, "must not be padded with whitespace"));
            } else if name.is_empty() {
                errors.push(Error::required(&local.path, "must be set when AppArmor type is Localhost"));
            }
            if name.len() > MAX {
                errors.push(Error::too_long(&local.path, MAX));
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if local.present() {
                let reason = "can only be set when AppArmor type is Localhost";
                errors.push(Error::invalid(&local.path, local.value.clone(), reason));
            }
        }
        _ => {
            let kinds = ["Localhost", "RuntimeDefault", "Unconfined"];
            profile_type(&profile, &kinds, "type is required when appArmorProfile is set", errors);
        }
    }
}

fn windows(node: &Node<'_, '_>, errors: &mut Errors) {
    let Some(options) = node.some("windowsOptions") else { return };
    if options.has("gmsaCredentialSpecName") {
        super::checks::member(&options, "gmsaCredentialSpecName", subdomain, errors);
    }
    if options.has("gmsaCredentialSpec") {
        let spec = options.text("gmsaCredentialSpec");
        let reason = match spec.len() {
            0 => "gmsaCredentialSpec cannot be an empty string",
            length if length > 64 * 1024 => "gmsaCredentialSpec size must be under 64 KiB",
            _ => "",
        };
        if !reason.is_empty() {
            errors.push(Error::invalid(&options.path.child("gmsaCredentialSpec"), spec, reason));
        }
    }
    if options.has("runAsUserName") {
        for reason in windows_user(options.text("runAsUserName")) {
            let path = options.path.child("runAsUserName");
            errors.push(Error::invalid(&path, options.text("runAsUserName"), reason));
        }
    }
}

/// `DOMAIN\USER`, the domain optional.
fn windows_user(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.contains(|c: char| c.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    let mut parts = name.split('\\');
    let (first, second, rest) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if rest.is_some() {
        return vec!["runAsUserName cannot contain more than one backslash"];
    }
    let (domain, user) = second.map_or((None, first), |user| (Some(first), user));
    let mut reasons = Vec::new();
    if let Some(domain) = domain {
        if domain.len() >= 256 {
            reasons.push("runAsUserName's Domain length must be under 256 characters");
        }
        let net_bios = (1..=15).contains(&domain.chars().count())
            && !domain.starts_with('.')
            && !domain.contains(['\\', '/', ':', '*', '?', '"', '<', '>', '|']);
        let dns = domain.split('.').all(|part| {
            !part.is_empty()
                && part.len() <= 63
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !part.starts_with('-')
                && !part.ends_with('-')
        });
        if !net_bios && !dns {
            reasons.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
        }
    }
    if user.is_empty() {
        reasons.push("runAsUserName's User cannot be empty");
    } else if user.len() > 104 {
        reasons.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.bytes().all(|b| matches!(b, b'.' | b' ')) {
        reasons.push("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(['"', '/', '\\', ':', ';', '|', '=', ',', '+', '*', '?', '<', '>', '@', '[', ']']) {
        reasons.push(r#"runAsUserName's User cannot contain the following characters: "/\:;|=,+*?<>@[]"#);
    }
    reasons
}
