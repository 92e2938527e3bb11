//! Services and what stands around them.

use super::{
    Row,
    cells::{NONE, at, few, labels, list, or, selector, text},
};
use chainplate_sdk::apimachinery::Value;
use std::collections::BTreeSet;

pub(super) fn service(row: Row<'_>) -> Vec<Value> {
    let address = row.list("spec.clusterIPs").first().and_then(Value::as_str).unwrap_or_default();
    let ports: Vec<String> = row.list("spec.ports").iter().map(port).collect();
    vec![
        row.name(),
        row.text("spec.type").into(),
        or(address, NONE),
        external(row).into(),
        or(&ports.join(","), NONE),
        row.age(),
        labels(row.at("spec.selector")),
    ]
}

fn port(port: &Value) -> String {
    let number = |member: &str| at(port, member).as_i64().unwrap_or_default();
    let protocol = text(port, "protocol");
    match number("nodePort") {
        0 => format!("{}/{protocol}", number("port")),
        node => format!("{}:{node}/{protocol}", number("port")),
    }
}

fn external(row: Row<'_>) -> String {
    let addresses: Vec<&str> = row.list("spec.externalIPs").iter().filter_map(Value::as_str).collect();
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    match row.text("spec.type") {
        "ClusterIP" | "NodePort" => or(addresses.join(","), NONE),
        "LoadBalancer" => {
            let balancers = balancers(row);
            let all: Vec<&str> = balancers.iter().map(String::as_str).chain(addresses).collect();
            or(all.join(","), "<pending>")
        }
        "ExternalName" => row.text("spec.externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// Addresses of load balancers, sorted.
fn balancers(row: Row<'_>) -> BTreeSet<String> {
    row.list("status.loadBalancer.ingress")
        .iter()
        .map(|point| if text(point, "ip").is_empty() { text(point, "hostname") } else { text(point, "ip") })
        .filter(|address| !address.is_empty())
        .map(str::to_owned)
        .collect()
}

pub(super) fn ingress(row: Row<'_>) -> Vec<Value> {
    let rules = row.list("spec.rules");
    let mut hosts = Vec::new();
    let mut more = false;
    for rule in rules {
        more = more || hosts.len() == 3;
        let host = text(rule, "host");
        if !more && !host.is_empty() {
            hosts.push(host);
        }
    }
    let hosts = match (hosts.is_empty(), more) {
        (true, _) => "*".to_owned(),
        (_, false) => hosts.join(","),
        (_, true) => format!("{} + {} more...", hosts.join(","), rules.len() - 3),
    };
    let addresses: Vec<String> = balancers(row).into_iter().collect();
    let ports = if row.list("spec.tls").is_empty() { "80" } else { "80, 443" };
    vec![
        row.name(),
        row.text_or("spec.ingressClassName", NONE),
        hosts.into(),
        addresses.join(",").into(),
        ports.into(),
        row.age(),
    ]
}

pub(super) fn ingress_class(row: Row<'_>) -> Vec<Value> {
    let parameters = row.at("spec.parameters");
    let parameters = match (parameters.is_object(), text(parameters, "apiGroup")) {
        (false, _) => NONE.to_owned(),
        (true, "") => format!("{}/{}", text(parameters, "kind"), text(parameters, "name")),
        (true, group) => format!("{}.{group}/{}", text(parameters, "kind"), text(parameters, "name")),
    };
    vec![row.name(), row.text("spec.controller").into(), parameters.into(), row.age()]
}

pub(super) fn network_policy(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), selector(row.at("spec.podSelector")), row.age()]
}

pub(super) fn endpoints(row: Row<'_>) -> Vec<Value> {
    let mut texts = Vec::new();
    for subset in row.list("subsets") {
        let addresses = || list(subset, "addresses").iter().map(|address| text(address, "ip"));
        let ports = list(subset, "ports");
        if ports.is_empty() {
            texts.extend(addresses().map(str::to_owned));
        }
        for port in ports {
            let port = at(port, "port").as_i64().unwrap_or_default();
            texts.extend(addresses().map(|ip| join_host_port(ip, port)));
        }
    }
    let text = few(&texts, texts.len(), 3, if row.list("subsets").is_empty() { NONE } else { "" });
    vec![row.name(), text.into(), row.age()]
}

fn join_host_port(ip: &str, port: i64) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

pub(super) fn endpoint_slice(row: Row<'_>) -> Vec<Value> {
    let ports: Vec<String> = row
        .list("ports")
        .iter()
        .map(|port| match (at(port, "port").as_i64(), at(port, "name").as_str()) {
            (Some(number), _) => number.to_string(),
            (None, Some(name)) => name.to_owned(),
            (None, None) => "*".to_owned(),
        })
        .collect();
    let endpoints: Vec<String> = row
        .list("endpoints")
        .iter()
        .flat_map(|endpoint| list(endpoint, "addresses"))
        .filter_map(|address| address.as_str().map(str::to_owned))
        .collect();
    vec![
        row.name(),
        row.text("addressType").into(),
        few(&ports, ports.len(), 3, super::cells::UNSET).into(),
        few(&endpoints, endpoints.len(), 3, super::cells::UNSET).into(),
        row.age(),
    ]
}

pub(super) fn service_cidr(row: Row<'_>) -> Vec<Value> {
    let cidrs: Vec<&str> = row.list("spec.cidrs").iter().filter_map(Value::as_str).collect();
    vec![row.name(), cidrs.join(",").into(), row.age()]
}

/// Upstream's rows have an age that no column stands for.
pub(super) fn ip_address(row: Row<'_>) -> Vec<Value> {
    let parent = row.at("spec.parentRef");
    let mut reference = String::new();
    if parent.is_object() {
        reference.push_str(text(parent, "resource"));
        for (separator, part) in [(".", "group"), ("/", "namespace"), ("/", "name")] {
            if part == "name" || !text(parent, part).is_empty() {
                reference.push_str(separator);
                reference.push_str(text(parent, part));
            }
        }
    }
    vec![row.name(), or(&reference, NONE), row.age()]
}
