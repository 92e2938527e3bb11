//! Services: `ValidateService`, `ValidateServiceUpdate`.

use super::checks::{
    Errors, SPEC, all_required, go_struct, label, one_of, optional_one_of, port, port_number, qualified,
    required, shown, subdomain,
};
use super::container::PROTOCOLS;
use super::labels::labels;
use super::net;
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";
const KEPT: &str = "may not change once set";

fn is_headless(spec: &Node<'_, '_>) -> bool {
    spec.len("clusterIPs") == 1 && spec.lists("clusterIPs", "None")
}

fn first<'v>(spec: &Node<'_, 'v>, name: &str) -> &'v str {
    spec.texts(name).next().unwrap_or_default()
}

pub(super) fn create(object: &Value, errors: &mut Errors) {
    let service = Node::root(object);
    let spec = service.child("spec");
    let kind = spec.text("type");
    let headless = is_headless(&spec);
    let several = spec.len("ports") > 1;
    if spec.is_empty("ports") && !headless && kind != "ExternalName" {
        errors.push(Error::required(&SPEC.child("ports"), ""));
    }
    match kind {
        "LoadBalancer" | "NodePort" if headless => {
            let path = SPEC.child("clusterIPs");
            let reason = format!("may not be set to 'None' for {kind} services");
            errors.push(Error::invalid(&path.index(0), "None", reason));
        }
        "ExternalName" => external_name(&spec, errors),
        _ => {}
    }
    let ports = spec.list("ports");
    let node = spec.child("ports");
    node.each(|index, item| service_port(item, &ports[..index], several, errors));
    labels(&spec.child("selector"), errors);
    affinity(&spec, errors);
    cluster_ips(&spec, errors);
    spec.child("externalIPs").each(|_, ip| {
        if net::ip(&ip.path, ip.str(), errors) {
            net::not_special(&ip.path, ip.str(), errors);
        }
    });
    one_of(&spec, "type", &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], errors);
    if kind == "ClusterIP" {
        node.each(|_, item| {
            if item.int("nodePort") != 0 {
                let reason = "may not be used when `type` is 'ClusterIP'";
                errors.push(Error::forbidden(&item.path.child("nodePort"), reason));
            }
        });
    }
    let taken = |index: usize, item: &Node<'_, '_>, number: &str| {
        ports[..index].iter().map(Node::root).any(|other| {
            other.text("protocol") == item.text("protocol") && other.int(number) == item.int(number)
        })
    };
    node.each(|index, item| {
        if item.int("nodePort") != 0 && taken(index, item, "nodePort") {
            errors.push(Error::duplicate(&item.path.child("nodePort"), item.int("nodePort")));
        }
    });
    node.each(|index, item| {
        if taken(index, item, "port") {
            let (none, zero) = (Value::from(""), Value::from(0));
            let port = go_struct(&[
                ("Name", &none),
                ("Protocol", item.get("protocol")),
                ("AppProtocol", &Value::Null),
                ("Port", item.get("port")),
                ("TargetPort", &zero),
                ("NodePort", &zero),
            ]);
            errors.push(shown(Kind::Duplicate, &item.path, port, ""));
        }
    });
    source_ranges(&service, &spec, errors);
    if spec.has("allocateLoadBalancerNodePorts") && kind != "LoadBalancer" {
        errors.push(Error::forbidden(&SPEC.child("allocateLoadBalancerNodePorts"), ONLY_BALANCED));
    }
    balancer_class(&spec, errors);
    traffic_policies(&spec, errors);
}

fn external_name(spec: &Node<'_, '_>, errors: &mut Errors) {
    const REASON: &str = "may not be set for ExternalName services";
    for list in ["clusterIPs", "ipFamilies"] {
        if !spec.is_empty(list) {
            errors.push(Error::forbidden(&SPEC.child(list), REASON));
        }
    }
    if spec.has("ipFamilyPolicy") {
        errors.push(Error::forbidden(&SPEC.child("ipFamilyPolicy"), REASON));
    }
    let name = spec.text("externalName");
    let name = name.strip_suffix('.').unwrap_or(name);
    let path = SPEC.child("externalName");
    if name.is_empty() {
        errors.push(Error::required(&path, ""));
    } else {
        for reason in subdomain(name) {
            errors.push(Error::invalid(&path, name, reason));
        }
    }
}

fn service_port(item: &Node<'_, '_>, before: &[Value], name_required: bool, errors: &mut Errors) {
    let name = item.text("name");
    if name.is_empty() {
        if name_required {
            errors.push(Error::required(&item.path.child("name"), ""));
        }
    } else {
        super::checks::member(item, "name", label, errors);
        if before.iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&item.path.child("name"), name));
        }
    }
    port_number(item, "port", errors);
    one_of(item, "protocol", &PROTOCOLS, errors);
    port(item, "targetPort", errors);
    if item.has("appProtocol") {
        super::checks::member(item, "appProtocol", qualified, errors);
    }
}

fn affinity(spec: &Node<'_, '_>, errors: &mut Errors) {
    const MAX: i64 = 86400;
    one_of(spec, "sessionAffinity", &["ClientIP", "None"], errors);
    let config = spec.child("sessionAffinityConfig");
    match spec.text("sessionAffinity") {
        "ClientIP" => {
            let client = config.child("clientIP");
            let timeout = client.child("timeoutSeconds");
            for node in [&config, &client, &timeout] {
                if !node.present() {
                    let reason = "when session affinity type is ClientIP";
                    return errors.push(Error::required(&node.path, reason));
                }
            }
            let seconds = timeout.value.as_i64().unwrap_or_default();
            if !(1..=MAX).contains(&seconds) {
                let reason = format!("must be greater than 0 and less than {MAX}");
                errors.push(Error::invalid(&timeout.path, seconds, reason));
            }
        }
        "None" if config.present() => {
            let reason = "must not be set when session affinity is None";
            errors.push(Error::forbidden(&config.path, reason));
        }
        _ => {}
    }
}

/// Cluster IPs and their families (`ValidateServiceClusterIPsRelatedFields`).
fn cluster_ips(spec: &Node<'_, '_>, errors: &mut Errors) {
    if spec.text("type") == "ExternalName" {
        return;
    }
    let (list, count) = (spec.child("clusterIPs"), spec.len("clusterIPs"));
    let invalid = |reason: &str| Error::invalid(&list.path, list.value.clone(), reason);
    match (spec.text("clusterIP"), count) {
        ("", 0) => {}
        ("", _) => errors.push(invalid("must be empty when `clusterIP` is not specified")),
        (_, 0) => errors.push(Error::required(&list.path, "")),
        (ip, _) if ip != first(spec, "clusterIPs") => {
            errors.push(invalid("first value must match `clusterIP`"));
        }
        _ => {}
    }
    let families = spec.list("ipFamilies");
    spec.child("ipFamilies").each(|index, family| {
        super::checks::supported(&family.path, family.str(), &["IPv4", "IPv6"], errors);
        if families[..index].contains(family.value) {
            errors.push(Error::duplicate(&family.path, family.str()));
        }
    });
    optional_one_of(spec, "ipFamilyPolicy", &["PreferDualStack", "RequireDualStack", "SingleStack"], errors);
    let mut wrong = false;
    list.each(|index, ip| {
        if index == 0 && ip.str() == "None" {
            if count > 1 {
                wrong = true;
                errors.push(invalid("'None' must be the first and only value"));
            }
        } else {
            wrong |= !net::ip(&ip.path, ip.str(), errors);
        }
    });
    if count > 2 {
        errors.push(invalid("may only hold up to 2 values"));
    }
    if wrong {
        return;
    }
    if count > 1 && !net::dual_stack(spec.texts("clusterIPs")) {
        errors.push(invalid("may specify no more than one IP for each IP family"));
    }
    if !is_headless(spec) {
        list.each(|index, ip| {
            let Some(family) = families.get(index).and_then(Value::as_str) else { return };
            let is_v6 = ip.str().contains(':');
            if matches!(family, "IPv4" | "IPv6") && is_v6 != (family == "IPv6") {
                let reason = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
                errors.push(Error::invalid(&ip.path, ip.str(), reason));
            }
        });
    }
}

fn source_ranges(service: &Node<'_, '_>, spec: &Node<'_, '_>, errors: &mut Errors) {
    const ANNOTATION: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";
    let balanced = spec.text("type") == "LoadBalancer";
    let ranges = spec.child("loadBalancerSourceRanges");
    if !spec.is_empty("loadBalancerSourceRanges") {
        let path = SPEC.child("LoadBalancerSourceRanges");
        if !balanced {
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        ranges.at(path).each(|_, range| {
            net::cidr(&range.path, range.str().trim(), true, errors);
        });
        return;
    }
    let metadata = service.child("metadata");
    let annotations = metadata.child("annotations");
    if annotations.has(ANNOTATION) {
        let path = annotations.path.key(ANNOTATION);
        if !balanced {
            errors.push(Error::forbidden(&path, ONLY_BALANCED));
        }
        let text = annotations.text(ANNOTATION).trim();
        for range in text.split(',').filter(|_| !text.is_empty()) {
            net::cidr(&path, range.trim(), true, errors);
        }
    }
}

fn balancer_class(spec: &Node<'_, '_>, errors: &mut Errors) {
    if !spec.has("loadBalancerClass") {
        return;
    }
    if spec.text("type") == "LoadBalancer" {
        super::checks::member(spec, "loadBalancerClass", qualified, errors);
    } else {
        errors.push(Error::forbidden(&SPEC.child("loadBalancerClass"), ONLY_BALANCED));
    }
}

fn needs_health_check(spec: &Node<'_, '_>) -> bool {
    spec.text("type") == "LoadBalancer" && spec.text("externalTrafficPolicy") == "Local"
}

fn traffic_policies(spec: &Node<'_, '_>, errors: &mut Errors) {
    let kind = spec.text("type");
    let external =
        matches!(kind, "NodePort" | "LoadBalancer") || (kind == "ClusterIP" && !spec.is_empty("externalIPs"));
    let policy = spec.text("externalTrafficPolicy");
    if external {
        one_of(spec, "externalTrafficPolicy", &["Cluster", "Local"], errors);
    } else if !policy.is_empty() {
        let reason = "may only be set for externally-accessible services";
        errors.push(Error::invalid(&SPEC.child("externalTrafficPolicy"), policy, reason));
    }
    let port = spec.int("healthCheckNodePort");
    if !needs_health_check(spec) && port != 0 {
        let reason = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
        errors.push(Error::invalid(&SPEC.child("healthCheckNodePort"), port, reason));
    }
    if spec.has("internalTrafficPolicy") {
        optional_one_of(spec, "internalTrafficPolicy", &["Cluster", "Local"], errors);
    } else if matches!(kind, "NodePort" | "LoadBalancer" | "ClusterIP") {
        required(spec, "internalTrafficPolicy", errors);
    }
    optional_one_of(
        spec,
        "trafficDistribution",
        &["PreferClose", "PreferSameNode", "PreferSameZone"],
        errors,
    );
}

pub(super) fn update(new: &Value, old: &Value, errors: &mut Errors) {
    {
        let (now, was) = (Node::root(new), Node::root(old));
        let (spec, old) = (now.child("spec"), was.child("spec"));
        let named = spec.text("type") == "ExternalName" || old.text("type") == "ExternalName";
        let (headless, was_headless) = (is_headless(&spec), is_headless(&old));
        if !(named || headless && was_headless) {
            kept(
                &spec,
                &old,
                "clusterIPs",
                "primary clusterIP can not be unset",
                "secondary clusterIP",
                errors,
            );
        }
        if !named && !headless && !was_headless {
            kept(
                &spec,
                &old,
                "ipFamilies",
                "primary ipFamily can not be unset",
                "secondary ipFamily",
                errors,
            );
        }
        let balanced = spec.text("type") == "LoadBalancer" && old.text("type") == "LoadBalancer";
        if balanced && spec.get("loadBalancerClass") != old.get("loadBalancerClass") {
            let path = SPEC.child("loadBalancerClass");
            errors.push(Error::invalid(&path, spec.get("loadBalancerClass").clone(), KEPT));
        }
        if needs_health_check(&spec)
            && needs_health_check(&old)
            && spec.int("healthCheckNodePort") != old.int("healthCheckNodePort")
        {
            errors.push(Error::forbidden(&SPEC.child("healthCheckNodePort"), "field is immutable"));
        }
    }
    create(new, errors);
}

/// What was allocated first stays; a second one may come and go.
fn kept(spec: &Node<'_, '_>, old: &Node<'_, '_>, list: &str, unset: &str, second: &str, errors: &mut Errors) {
    let path = SPEC.child(list);
    let value = || spec.get(list).clone();
    let (now, was) = (spec.len(list), old.len(list));
    if now == was {
        for (index, (a, b)) in spec.texts(list).zip(old.texts(list)).enumerate() {
            if a != b {
                let index = if list == "ipFamilies" { 0 } else { index };
                errors.push(Error::invalid(&path.index(index), value(), KEPT));
            }
        }
        return;
    }
    if now < was && now == 0 {
        errors.push(Error::invalid(&path.index(0), value(), unset));
    }
    if now > 0 && was > 0 && first(spec, list) != first(old, list) {
        errors.push(Error::invalid(&path.index(0), value(), KEPT));
    }
    if now < was && now == 1 && spec.text("ipFamilyPolicy") != "SingleStack" {
        let reason = format!("must be set to 'SingleStack' when releasing the {second}");
        let policy = spec.get("ipFamilyPolicy").clone();
        errors.push(Error::invalid(&SPEC.child("ipFamilyPolicy"), policy, reason));
    }
}

/// `services/status` (and, with its own spec, an Ingress').
pub(super) fn update_status(new: &Value, errors: &mut Errors) {
    let service = Node::root(new);
    let balanced = service.child("spec").text("type") == "LoadBalancer";
    let status = service.child("status");
    let balancer = status.child("loadBalancer");
    if !balanced && !balancer.is_empty("ingress") {
        let reason = "may only be used when `spec.type` is 'LoadBalancer'";
        return errors.push(Error::forbidden(&balancer.path.child("ingress"), reason));
    }
    balancer.child("ingress").each(|_, ingress| {
        balancer_ingress(ingress, errors);
        let mode = ingress.path.child("ipMode");
        match (ingress.text("ip").is_empty(), ingress.has("ipMode")) {
            (false, false) => errors.push(Error::required(&mode, "must be specified when `ip` is set")),
            (true, true) => {
                errors.push(Error::forbidden(&mode, "may not be specified when `ip` is not set"));
            }
            _ => optional_one_of(ingress, "ipMode", &["Proxy", "VIP"], errors),
        }
    });
}

/// An address that a load balancer is reached by.
pub(super) fn balancer_ingress(ingress: &Node<'_, '_>, errors: &mut Errors) {
    let (ip, host) = (ingress.text("ip"), ingress.text("hostname"));
    if !ip.is_empty() {
        net::ip(&ingress.path.child("ip"), ip, errors);
    }
    if !host.is_empty() {
        super::checks::member(ingress, "hostname", subdomain, errors);
        if net::sloppy(host).is_some() {
            let reason = "must be a DNS name, not an IP address";
            errors.push(Error::invalid(&ingress.path.child("hostname"), host, reason));
        }
    }
}

/// Endpoints, and what they share with nothing else.
pub(super) fn endpoints(object: &Value, errors: &mut Errors) {
    Node::root(object).child("subsets").each(|_, subset| {
        if subset.is_empty("addresses") && subset.is_empty("notReadyAddresses") {
            let reason = "must specify `addresses` or `notReadyAddresses`";
            errors.push(Error::required(&subset.path, reason));
        }
        for list in ["addresses", "notReadyAddresses"] {
            subset.child(list).each(|_, address| {
                let path = address.path.child("ip");
                net::ip(&path, address.text("ip"), errors);
                super::checks::member_if_any(address, "hostname", label, errors);
                if address.has("nodeName") {
                    super::checks::member(address, "nodeName", subdomain, errors);
                }
                net::not_special(&path, address.text("ip"), errors);
            });
        }
        let several = subset.len("ports") > 1;
        subset.child("ports").each(|_, port| {
            if several {
                required(port, "name", errors);
            }
            super::checks::member_if_any(port, "name", label, errors);
            port_number(port, "port", errors);
            one_of(port, "protocol", &PROTOCOLS, errors);
            if port.has("appProtocol") {
                super::checks::member(port, "appProtocol", qualified, errors);
            }
        });
    });
}

/// Members of an API's service reference.
pub(super) fn reference(node: &Node<'_, '_>, errors: &mut Errors) {
    all_required(node, &["namespace", "name"], errors);
}
