//! Groups of a type or two: discovery, coordination, scheduling, node, certificates, apiregistration.

use super::checks::{
    Errors, METADATA, SPEC, go_struct, go_text, immutable, label, member, one_of, port_number, qualified,
    required, required_with, shown, subdomain, supported,
};
use super::container::PROTOCOLS;
use super::view::Node;
use super::{labels, net, pod, scheduling, service};
use chainplate_apimachinery::field::{Error, Kind};
use chainplate_apimachinery::{Value, names};

/// The greatest priority of a class that is not the system's.
const MAX_PRIORITY: i64 = 1_000_000_000;

pub(super) fn create(group: &str, kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match (group, kind) {
        ("discovery.k8s.io", "EndpointSlice") => endpoint_slice(&root, errors),
        ("coordination.k8s.io", "Lease") => lease(&spec, errors),
        ("coordination.k8s.io", "LeaseCandidate") => candidate(&spec, errors),
        ("scheduling.k8s.io", "PriorityClass") => priority_class(&root, errors),
        ("node.k8s.io", "RuntimeClass") => runtime_class(&root, errors),
        ("certificates.k8s.io", "CertificateSigningRequest") => signing_request(&spec, errors),
        ("certificates.k8s.io", "ClusterTrustBundle") => {
            required_with(&spec, "trustBundle", "", errors);
            if !spec.text("signerName").is_empty() {
                super::checks::domain_path(&spec, "signerName", errors);
            }
        }
        ("apiregistration.k8s.io", "APIService") => api_service(&root, errors),
        _ => {}
    }
}

pub(super) fn update(group: &str, kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let (now, was) = (Node::root(new), Node::root(old));
    match (group, kind) {
        ("scheduling.k8s.io", "PriorityClass") => {
            if now.int("value") != was.int("value") {
                errors.push(Error::forbidden(&now.path.child("value"), "may not be changed in an update."));
            }
            immutable(&now, &was, "preemptionPolicy", errors);
        }
        ("node.k8s.io", "RuntimeClass") => immutable(&now, &was, "handler", errors),
        ("discovery.k8s.io", "EndpointSlice") => {
            endpoint_slice(&now, errors);
            immutable(&now, &was, "addressType", errors);
        }
        ("coordination.k8s.io", "LeaseCandidate") => {
            create(group, kind, new, errors);
            immutable(&now.child("spec"), &was.child("spec"), "leaseName", errors);
        }
        ("certificates.k8s.io", "ClusterTrustBundle") => {
            create(group, kind, new, errors);
            immutable(&now.child("spec"), &was.child("spec"), "signerName", errors);
        }
        // A request's spec is never changed by a write: the strategy restores it.
        ("certificates.k8s.io", _) => {}
        _ => create(group, kind, new, errors),
    }
}

fn endpoint_slice(slice: &Node<'_, '_>, errors: &mut Errors) {
    const MAX_ENDPOINTS: usize = 1000;
    const MAX_ADDRESSES: usize = 100;
    const MAX_PORTS: usize = 20000;
    one_of(slice, "addressType", &["FQDN", "IPv4", "IPv6"], errors);
    let kind = slice.text("addressType");
    let endpoints = slice.child("endpoints");
    if slice.len("endpoints") > MAX_ENDPOINTS {
        errors.push(Error::too_many(&endpoints.path, slice.len("endpoints"), MAX_ENDPOINTS));
    } else {
        endpoints.each(|_, endpoint| {
            let list = endpoint.child("addresses");
            match endpoint.len("addresses") {
                0 => errors.push(Error::required(&list.path, "must contain at least 1 address")),
                count if count > MAX_ADDRESSES => {
                    errors.push(Error::too_many(&list.path, count, MAX_ADDRESSES));
                }
                _ => {}
            }
            list.each(|_, address| slice_address(kind, address, errors));
            if endpoint.has("nodeName") {
                member(endpoint, "nodeName", subdomain, errors);
            }
            let topology = endpoint.child("deprecatedTopology");
            if endpoint.len("deprecatedTopology") > 16 {
                errors.push(Error::too_many(&topology.path, endpoint.len("deprecatedTopology"), 16));
            }
            labels::labels(&topology, errors);
            if topology.has("kubernetes.io/hostname") {
                let path = topology.path.key("kubernetes.io/hostname");
                let reason = "set nodeName instead of topology[\"kubernetes.io/hostname\"]";
                errors.push(Error::invalid(&path, topology.text("kubernetes.io/hostname"), reason));
            }
            if endpoint.has("hostname") {
                member(endpoint, "hostname", label, errors);
            }
            if let Some(hints) = endpoint.some("hints") {
                slice_hints(&hints, errors);
            }
        });
    }
    let ports = slice.list("ports");
    if ports.len() > MAX_PORTS {
        return errors.push(Error::too_many(&slice.path.child("ports"), ports.len(), MAX_PORTS));
    }
    slice.child("ports").each(|index, port| {
        let name = port.text("name");
        super::checks::member_if_any(port, "name", label, errors);
        if ports[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&port.path.child("name"), name));
        }
        one_of(port, "protocol", &PROTOCOLS, errors);
        if port.has("appProtocol") {
            member(port, "appProtocol", qualified, errors);
        }
    });
}

fn slice_address(kind: &str, address: &Node<'_, '_>, errors: &mut Errors) {
    let (text, path) = (address.str(), &address.path);
    let family = |errors: &mut Errors, v4: bool| {
        let fine = net::sloppy(text).is_some_and(|ip| ip.is_ipv4() == v4);
        if !fine {
            let reason = if v4 { "must be a valid IPv4 address" } else { "must be a valid IPv6 address" };
            errors.push(Error::invalid(path, text, reason));
        } else {
            net::canonical_ip(path, text, errors);
        }
        net::not_special(path, text, errors);
    };
    match kind {
        "IPv4" => family(errors, true),
        "IPv6" => family(errors, false),
        "FQDN" => {
            let name = text.strip_suffix('.').unwrap_or(text);
            let wrong = subdomain(name);
            if text.is_empty() {
                errors.push(Error::required(path, ""));
            } else if !wrong.is_empty() {
                errors.push(Error::invalid(path, name, wrong.join(",")));
            } else if !name.contains('.') {
                let reason = "should be a domain with at least two segments separated by dots";
                errors.push(Error::invalid(path, name, reason));
            } else if let Some(part) = name.split('.').find(|part| !label(part).is_empty()) {
                errors.push(Error::invalid(path, part, label(part).join(",")));
            }
        }
        _ => {}
    }
}

fn slice_hints(hints: &Node<'_, '_>, errors: &mut Errors) {
    const MAX_HINTS: usize = 8;
    for (list, rule) in [("forZones", names::label_value as fn(&str) -> Vec<String>), ("forNodes", subdomain)]
    {
        let all = hints.list(list);
        let node = hints.child(list);
        if all.len() > MAX_HINTS {
            errors.push(Error::too_many(&node.path, all.len(), MAX_HINTS));
            continue;
        }
        node.each(|index, hint| {
            let name = hint.text("name");
            if all[..index].iter().any(|other| Node::root(other).text("name") == name) {
                errors.push(Error::duplicate(&hint.path.child("name"), name));
            }
            member(hint, "name", rule, errors);
        });
    }
}

fn strategy(spec: &Node<'_, '_>, errors: &mut Errors) {
    let text = spec.text("strategy");
    let path = spec.path.child("strategy");
    if text.contains('/') {
        member(spec, "strategy", qualified, errors);
    } else {
        supported(&path.child("strategy"), text, &["OldestEmulationVersion"], errors);
    }
}

fn lease(spec: &Node<'_, '_>, errors: &mut Errors) {
    if let Some(seconds) = spec.number("leaseDurationSeconds").filter(|seconds| *seconds <= 0) {
        let path = spec.path.child("leaseDurationSeconds");
        errors.push(Error::invalid(&path, seconds, "must be greater than 0"));
    }
    super::checks::not_negative(spec, "leaseTransitions", errors);
    if spec.has("strategy") {
        strategy(spec, errors);
    }
    if !spec.text("preferredHolder").is_empty() && spec.text("strategy").is_empty() {
        let reason = "may only be specified if `strategy` is defined";
        errors.push(Error::forbidden(&spec.path.child("preferredHolder"), reason));
    }
}

/// `major.minor.patch`, without what may follow.
fn version(text: &str) -> Option<[u64; 3]> {
    let core = text.split(['-', '+']).next()?;
    let mut parts = core.split('.');
    let mut part = || {
        let part = parts.next()?;
        let plain = part == "0" || (!part.is_empty() && !part.starts_with('0'));
        plain.then_some(part)?.parse().ok()
    };
    let version = [part()?, part()?, part()?];
    parts.next().is_none().then_some(version)
}

fn candidate(spec: &Node<'_, '_>, errors: &mut Errors) {
    const SEMANTIC: &str = "must be a valid semantic version";
    required(spec, "leaseName", errors);
    let (emulation, binary) = (spec.text("emulationVersion"), spec.text("binaryVersion"));
    let path = spec.path.child("emulationVersion");
    if !emulation.is_empty() && version(emulation).is_none() {
        errors.push(Error::invalid(&path, emulation, SEMANTIC));
    }
    let binary_path = spec.path.child("binaryVersion");
    if required(spec, "binaryVersion", errors) && version(binary).is_none() {
        errors.push(Error::invalid(&binary_path, binary, SEMANTIC));
    }
    if !binary.is_empty() && !emulation.is_empty() && version(binary) < version(emulation) {
        let reason = "must be greater than or equal to `emulationVersion`";
        errors.push(Error::invalid(&binary_path, binary, reason));
    }
    if required(spec, "strategy", errors) {
        if spec.text("strategy") == "OldestEmulationVersion" && version(emulation).is_none() {
            let reason = "must be specified when `strategy` is 'OldestEmulationVersion'";
            errors.push(Error::required(&path, reason));
        }
        strategy(spec, errors);
    }
}

fn priority_class(class: &Node<'_, '_>, errors: &mut Errors) {
    const SYSTEM: [(&str, i64); 2] =
        [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];
    let name = class.child("metadata").text("name");
    let value = class.int("value");
    if name.starts_with("system-") {
        let reason = match SYSTEM.iter().find(|(known, _)| *known == name) {
            None => format!("{name} is not a known system priority class"),
            Some((_, known)) if *known != value => format!("value of {name} PriorityClass must be {known}"),
            Some(_) if class.is("globalDefault") => {
                format!("globalDefault of {name} PriorityClass must be false")
            }
            Some(_) => String::new(),
        };
        if !reason.is_empty() {
            let reason = format!(
                "priority class names with 'system-' prefix are reserved for system use only. error: {reason}"
            );
            errors.push(Error::forbidden(&METADATA.child("name"), reason));
        }
    } else if value > MAX_PRIORITY {
        let reason = format!("maximum allowed value of a user defined priority is {MAX_PRIORITY}");
        errors.push(Error::forbidden(&class.path.child("value"), reason));
    }
    if class.has("preemptionPolicy") {
        one_of(class, "preemptionPolicy", &["PreemptLowerPriority", "Never"], errors);
    }
}

fn runtime_class(class: &Node<'_, '_>, errors: &mut Errors) {
    if required(class, "handler", errors) {
        member(class, "handler", label, errors);
    }
    let overhead = class.child("overhead");
    let fixed = overhead.child("podFixed");
    pod::overhead_limits(&fixed.at(overhead.path), errors);
    let Some(placing) = class.some("scheduling") else { return };
    labels::labels(&placing.child("nodeSelector"), errors);
    let tolerations = placing.child("tolerations");
    let all = placing.list("tolerations");
    // Each one is checked, then told if it is there twice.
    scheduling::tolerations(&tolerations, errors);
    tolerations.each(|index, toleration| {
        if all[..index].contains(toleration.value) {
            let [key, operator, value, effect] =
                ["key", "operator", "value", "effect"].map(|name| go_text(toleration.get(name)));
            let told = go_struct(&[
                ("Key", &key),
                ("Operator", &operator),
                ("Value", &value),
                ("Effect", &effect),
                ("TolerationSeconds", toleration.get("tolerationSeconds")),
            ]);
            errors.push(shown(Kind::Duplicate, &toleration.path, told, ""));
        }
    });
}

fn signing_request(spec: &Node<'_, '_>, errors: &mut Errors) {
    use base64::Engine;
    const USAGES: [&str; 23] = [
        "signing",
        "digital signature",
        "content commitment",
        "key encipherment",
        "key agreement",
        "data encipherment",
        "cert sign",
        "crl sign",
        "encipher only",
        "decipher only",
        "any",
        "server auth",
        "client auth",
        "code signing",
        "email protection",
        "s/mime",
        "ipsec end system",
        "ipsec tunnel",
        "ipsec user",
        "timestamping",
        "ocsp signing",
        "microsoft sgc",
        "netscape sgc",
    ];
    let request = base64::engine::general_purpose::STANDARD.decode(spec.text("request")).unwrap_or_default();
    let text = String::from_utf8_lossy(&request);
    if !text.contains("-----BEGIN CERTIFICATE REQUEST-----")
        || !text.contains("-----END CERTIFICATE REQUEST-----")
    {
        let reason = "PEM block type must be CERTIFICATE REQUEST";
        errors.push(Error::invalid(&SPEC.child("request"), spec.get("request").clone(), reason));
    }
    let usages = spec.list("usages");
    if usages.is_empty() {
        errors.push(Error::required(&SPEC.child("usages"), "usages must be provided"));
    }
    spec.child("usages").each(|index, usage| {
        if !USAGES.contains(&usage.str()) {
            let mut known = USAGES;
            known.sort_unstable();
            errors.push(Error::not_supported(&usage.path, usage.str(), &known));
        }
        if usages[..index].contains(usage.value) {
            errors.push(Error::duplicate(&usage.path, usage.str()));
        }
    });
    let signer = spec.text("signerName");
    if signer == "kubernetes.io/legacy-unknown" {
        let reason = "the legacy signerName is not allowed via this API version";
        errors.push(Error::invalid(&SPEC.child("signerName"), signer, reason));
    } else if required(spec, "signerName", errors) {
        super::checks::domain_path(spec, "signerName", errors);
    }
    if let Some(seconds) = spec.number("expirationSeconds").filter(|seconds| *seconds < 600) {
        let reason = "may not specify a duration less than 600 seconds (10 minutes)";
        errors.push(Error::invalid(&SPEC.child("expirationSeconds"), seconds, reason));
    }
}

fn api_service(root: &Node<'_, '_>, errors: &mut Errors) {
    let spec = root.child("spec");
    let (group, version) = (spec.text("group"), spec.text("version"));
    let name = root.child("metadata").text("name");
    let wanted = format!("{version}.{group}");
    if super::checks::path_segment(name).is_empty() && !name.is_empty() && name != wanted {
        let reason = format!("must be `spec.version+\".\"+spec.group`: {wanted:?}");
        errors.push(Error::invalid(&METADATA.child("name"), name, reason));
    }
    if group.is_empty() && version != "v1" {
        let reason = "only v1 may have an empty group and it better be legacy kube";
        errors.push(Error::required(&SPEC.child("group"), reason));
    }
    super::checks::member_if_any(&spec, "group", subdomain, errors);
    member(&spec, "version", names::dns1035_label, errors);
    for (name, most) in [("groupPriorityMinimum", 20000), ("versionPriority", 1000)] {
        let number = spec.int(name);
        if !(1..=most).contains(&number) {
            let reason = format!("must be positive and less than {most}");
            errors.push(Error::invalid(&SPEC.child(name), number, reason));
        }
    }
    let insecure = SPEC.child("insecureSkipTLSVerify");
    let bundle = spec.text("caBundle");
    let Some(target) = spec.some("service") else {
        if !bundle.is_empty() {
            let length = bundle.trim_end_matches('=').len() * 3 / 4;
            let reason = "local APIServices may not have a caBundle";
            errors.push(Error::invalid(&SPEC.child("caBundle"), format!("{length} bytes"), reason));
        }
        if spec.is("insecureSkipTLSVerify") {
            let reason = "local APIServices may not have insecureSkipTLSVerify";
            errors.push(Error::invalid(&insecure, true, reason));
        }
        return;
    };
    service::reference(&target, errors);
    let before = errors.len();
    port_number(&target, "port", errors);
    if let Some(error) = errors.get_mut(before) {
        error.detail = format!("port is not valid: {}", error.detail);
    }
    if spec.is("insecureSkipTLSVerify") && !bundle.is_empty() {
        errors.push(Error::invalid(&insecure, true, "may not be true if caBundle is present"));
    }
}
