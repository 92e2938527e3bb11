//! `pkg/apis/networking/validation`.

use super::checks::{
    Errors, IMMUTABLE, SPEC, domain_path, go_struct, label, member, path_segment, port_name, port_number,
    required, required_items, required_member, shown, subdomain, supported,
};
use super::core::immutable_spec;
use super::labels::selector;
use super::net;
use super::service::balancer_ingress;
use super::view::Node;
use chainplate_apimachinery::field::{Error, Kind, Path};
use chainplate_apimachinery::{Value, names};

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match kind {
        "Ingress" => {
            ingress(&spec, errors);
            class_annotation(&root, errors);
        }
        "IngressClass" => ingress_class(&spec, errors),
        "NetworkPolicy" => network_policy(&spec, errors),
        "IPAddress" => parent_reference(&spec, errors),
        "ServiceCIDR" => service_cidr(&spec, errors),
        _ => {}
    }
}

pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let root = Node::root(new);
    let spec = root.child("spec");
    match kind {
        "Ingress" => ingress(&spec, errors),
        "IngressClass" => {
            immutable_spec(new, old, &["controller"], errors);
            ingress_class(&spec, errors);
        }
        "NetworkPolicy" => network_policy(&spec, errors),
        "IPAddress" => immutable_spec(new, old, &["parentRef"], errors),
        "ServiceCIDR" => {
            let old = Node::root(old);
            let old = old.child("spec");
            let path = SPEC.child("cidrs");
            match (old.len("cidrs"), spec.len("cidrs")) {
                (1, 2) => {
                    if old.texts("cidrs").next() != spec.texts("cidrs").next() {
                        let first = spec.texts("cidrs").next().unwrap_or_default();
                        errors.push(Error::invalid(&path.index(0), first, IMMUTABLE));
                    }
                    service_cidr(&spec, errors);
                }
                (a, b) if a == b => {
                    for (index, (now, was)) in spec.texts("cidrs").zip(old.texts("cidrs")).enumerate() {
                        if now != was {
                            errors.push(Error::invalid(&path.index(index), now, IMMUTABLE));
                        }
                    }
                }
                _ => errors.push(Error::invalid(&path, spec.get("cidrs").clone(), IMMUTABLE)),
            }
        }
        _ => {}
    }
}

pub(super) fn update_status(new: &Value, errors: &mut Errors) {
    let root = Node::root(new);
    let status = root.child("status");
    let balancer = status.child("loadBalancer");
    balancer.child("ingress").each(|_, ingress| balancer_ingress(ingress, errors));
}

fn class_annotation(root: &Node<'_, '_>, errors: &mut Errors) {
    const CLASS: &str = "kubernetes.io/ingress.class";
    let metadata = root.child("metadata");
    let annotations = metadata.child("annotations");
    let spec = root.child("spec");
    if annotations.has(CLASS)
        && spec.has("ingressClassName")
        && annotations.text(CLASS) != spec.text("ingressClassName")
    {
        let path = Path::Child(&Path::Root, "annotations");
        let reason = "must match `ingressClassName` when both are specified";
        errors.push(Error::invalid(&path.child(CLASS), annotations.text(CLASS), reason));
    }
}

fn ingress(spec: &Node<'_, '_>, errors: &mut Errors) {
    if spec.is_empty("rules") && !spec.has("defaultBackend") {
        let reason = "either `defaultBackend` or `rules` must be specified";
        errors.push(Error::invalid(&spec.path, spec.get("rules").clone(), reason));
    }
    if let Some(backend) = spec.some("defaultBackend") {
        ingress_backend(&backend, errors);
    }
    spec.child("rules").each(|_, rule| {
        let host = rule.text("host");
        if !host.is_empty() {
            if net::sloppy(host).is_some() {
                let reason = "must be a DNS name, not an IP address";
                errors.push(Error::invalid(&rule.path.child("host"), host, reason));
            }
            member(rule, "host", host_name, errors);
        }
        if let Some(http) = rule.some("http") {
            required_items(&http, "paths", "", errors);
            http.child("paths").each(|_, path| ingress_path(path, errors));
        }
    });
    spec.child("tls").each(|_, tls| {
        tls.child("hosts").each(|_, host| super::checks::text(host, host_name, errors));
        super::checks::member_if_any(tls, "secretName", subdomain, errors);
    });
    if spec.has("ingressClassName") {
        member(spec, "ingressClassName", subdomain, errors);
    }
}

/// A subdomain, or a wildcard in front of one.
fn host_name(host: &str) -> Vec<String> {
    if !host.contains('*') {
        return subdomain(host);
    }
    let rest = host.strip_prefix("*.").unwrap_or("*");
    let mut reasons = Vec::new();
    if host.len() > names::SUBDOMAIN_MAX {
        reasons.push("must be no more than 253 characters".to_owned());
    }
    if !subdomain(rest.get(..rest.len().min(names::SUBDOMAIN_MAX)).unwrap_or(rest)).is_empty() {
        reasons.push(super::checks::pattern(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*",
            &["*.example.com"],
        ));
    }
    reasons
}

fn ingress_path(node: &Node<'_, '_>, errors: &mut Errors) {
    if !node.has("pathType") {
        let reason = "pathType must be specified";
        return errors.push(Error::required(&node.path.child("pathType"), reason));
    }
    let (path, place) = (node.text("path"), node.path.child("path"));
    let kind = node.text("pathType");
    let strict = matches!(kind, "Exact" | "Prefix");
    let mut invalid = |reason: &str| errors.push(Error::invalid(&place, path, reason));
    if (strict || (kind == "ImplementationSpecific" && !path.is_empty())) && !path.starts_with('/') {
        invalid("must be an absolute path");
    }
    if strict {
        for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
            if path.contains(sequence) {
                invalid(&format!("must not contain '{sequence}'"));
            }
        }
        for suffix in ["/..", "/."] {
            if path.ends_with(suffix) {
                invalid(&format!("cannot end with '{suffix}'"));
            }
        }
    }
    let known = ["Exact", "ImplementationSpecific", "Prefix"];
    supported(&node.path.child("pathType"), kind, &known, errors);
    ingress_backend(&node.child("backend"), errors);
}

fn ingress_backend(backend: &Node<'_, '_>, errors: &mut Errors) {
    let (service, resource) = (backend.child("service"), backend.child("resource"));
    match (service.present(), resource.present()) {
        (true, true) => {
            let reason = "cannot set both resource and service backends";
            errors.push(Error::invalid(&backend.path, "", reason));
        }
        (false, true) => local_reference(&resource, errors),
        (true, false) => {
            required_member(&service, "name", label, errors);
            let port = service.child("port");
            match (port.text("name").is_empty(), port.int("number")) {
                (false, 1..) => {
                    let reason = "cannot set both port name & port number";
                    errors.push(Error::invalid(&backend.path, "", reason));
                }
                (false, _) => member(&port, "name", port_name, errors),
                (true, 0) => {
                    errors.push(Error::required(&backend.path, "port name or number is required"));
                }
                (true, _) => port_number(&port, "number", errors),
            }
        }
        (false, false) => {
            let reason = "resource or service backend is required";
            errors.push(Error::invalid(&backend.path, "", reason));
        }
    }
}

/// A reference to an object by group, kind and name.
fn local_reference(node: &Node<'_, '_>, errors: &mut Errors) {
    if node.has("apiGroup") {
        member(node, "apiGroup", subdomain, errors);
    }
    required_member(node, "kind", path_segment, errors);
    required_member(node, "name", path_segment, errors);
}

fn ingress_class(spec: &Node<'_, '_>, errors: &mut Errors) {
    if required(spec, "controller", errors) {
        if spec.text("controller").len() > 250 {
            errors.push(Error::too_long(&spec.path.child("controller"), 250));
        }
        domain_path(spec, "controller", errors);
    }
    let Some(parameters) = spec.some("parameters") else { return };
    local_reference(&parameters, errors);
    let path = parameters.path.child("namespace");
    match parameters.text("scope") {
        "" => errors.push(Error::required(&parameters.path.child("scope"), "")),
        "Namespace" if !parameters.has("namespace") => {
            errors.push(Error::required(&path, "`parameters.scope` is set to 'Namespace'"));
        }
        "Namespace" => member(&parameters, "namespace", label, errors),
        "Cluster" => {
            if parameters.has("namespace") {
                errors.push(Error::forbidden(&path, "`parameters.scope` is set to 'Cluster'"));
            }
        }
        scope => {
            let path = parameters.path.child("scope");
            errors.push(Error::not_supported(&path, scope, &["Cluster", "Namespace"]));
        }
    }
}

fn network_policy(spec: &Node<'_, '_>, errors: &mut Errors) {
    selector(&spec.child("podSelector"), errors);
    for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
        spec.child(rules).each(|_, rule| {
            rule.child("ports").each(|_, port| policy_port(port, errors));
            rule.child(peers).each(|_, peer| policy_peer(peer, errors));
        });
    }
    let types = spec.child("policyTypes");
    if spec.len("policyTypes") > 2 {
        let reason = "may not specify more than two policyTypes";
        return errors.push(Error::invalid(&types.path, types.value.clone(), reason));
    }
    types.each(|_, kind| supported(&kind.path, kind.str(), &["Ingress", "Egress"], errors));
}

fn policy_port(port: &Node<'_, '_>, errors: &mut Errors) {
    if port.has("protocol") {
        supported(&port.path.child("protocol"), port.text("protocol"), &["TCP", "UDP", "SCTP"], errors);
    }
    let end = port.number("endPort");
    let path = port.path.child("endPort");
    match port.get("port") {
        Value::Null => {
            if let Some(end) = end {
                let reason = "may not be specified when `port` is not specified";
                errors.push(Error::invalid(&path, end, reason));
            }
        }
        Value::String(_) => {
            if let Some(end) = end {
                let reason = "may not be specified when `port` is non-numeric";
                errors.push(Error::invalid(&path, end, reason));
            }
            member(port, "port", port_name, errors);
        }
        _ => {
            port_number(port, "port", errors);
            if let Some(end) = end {
                if end < port.int("port") {
                    let reason = "must be greater than or equal to `port`";
                    errors.push(Error::invalid(&path, port.int("port"), reason));
                }
                port_number(port, "endPort", errors);
            }
        }
    }
}

fn policy_peer(peer: &Node<'_, '_>, errors: &mut Errors) {
    let mut selectors = 0;
    for name in ["podSelector", "namespaceSelector"] {
        if let Some(node) = peer.some(name) {
            selectors += 1;
            selector(&node, errors);
        }
    }
    if let Some(block) = peer.some("ipBlock") {
        ip_block(&block, errors);
        if selectors > 0 {
            let reason = "may not specify both ipBlock and another peer";
            errors.push(Error::forbidden(&peer.path, reason));
        }
    } else if selectors == 0 {
        errors.push(Error::required(&peer.path, "must specify a peer"));
    }
}

fn ip_block(block: &Node<'_, '_>, errors: &mut Errors) {
    let cidr = block.text("cidr");
    if cidr.is_empty() {
        return errors.push(Error::required(&block.path.child("cidr"), ""));
    }
    net::cidr(&block.path.child("cidr"), cidr, true, errors);
    let Some((base, length)) = net::prefix(cidr) else { return };
    block.child("except").each(|_, except| {
        if !net::cidr(&except.path, except.str(), true, errors) {
            return;
        }
        let inside = net::prefix(except.str()).is_some_and(|(ip, more)| {
            ip.is_ipv4() == base.is_ipv4()
                && more > length
                && net::masked(ip, length) == net::masked(base, length)
        });
        if !inside {
            let reason = "must be a strict subset of `cidr`";
            errors.push(Error::invalid(&except.path, except.str(), reason));
        }
    });
}

fn parent_reference(spec: &Node<'_, '_>, errors: &mut Errors) {
    let parent = spec.child("parentRef");
    if !parent.present() {
        return errors.push(Error::required(&parent.path, ""));
    }
    super::checks::member_if_any(&parent, "group", subdomain, errors);
    required_member(&parent, "resource", path_segment, errors);
    required_member(&parent, "name", path_segment, errors);
    super::checks::member_if_any(&parent, "namespace", path_segment, errors);
}

fn service_cidr(spec: &Node<'_, '_>, errors: &mut Errors) {
    let list = spec.child("cidrs");
    if !required_items(spec, "cidrs", "at least one CIDR required", errors) {
        return;
    }
    if spec.len("cidrs") > 2 {
        let told = go_struct(&[("CIDRs", list.value)]);
        return errors.push(shown(Kind::Invalid, &list.path, told, "may only hold up to 2 values"));
    }
    list.each(|_, cidr| {
        net::cidr(&cidr.path, cidr.str(), false, errors);
    });
    let valid = spec.texts("cidrs").all(|cidr| net::prefix(cidr).is_some());
    if spec.len("cidrs") == 2 && valid && !net::dual_stack(spec.texts("cidrs")) {
        let reason =
            "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errors.push(Error::invalid(&list.path, list.value.clone(), reason));
    }
}
