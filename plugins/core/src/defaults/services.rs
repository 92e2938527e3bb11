//! What the write path of Services sets before validation and allocation
//! (`pkg/registry/core/service/{strategy,storage/alloc}.go`), for a cluster of one IP family.

use super::set;
use chainplate_apimachinery::{Map, Value};

/// `spec.clusterIP` of a service that is found by DNS alone.
const HEADLESS: &str = "None";

/// Makes `clusterIP` and `clusterIPs` agree and, where the service has cluster IPs at all, sets
/// `ipFamilyPolicy` and `ipFamilies`. `family` is the cluster's, `IPv4` or `IPv6`; `old` is what is stored.
///
/// On an update, an allocated address that the new object leaves out is kept, as upstream keeps it
/// (`patchAllocatedValues`), so that a client may send what it once created.
pub fn init(object: &mut Value, old: Option<&Value>, family: &str) {
    let Some(spec) = object.as_object_mut().and_then(|object| set::ensure(object, "spec")) else { return };
    let old = old.and_then(|old| old.get("spec")).and_then(Value::as_object);
    if let Some(old) = old {
        keep_allocated(spec, old);
    }
    normalize_cluster_ips(spec, old);
    if set::str_of(spec, "type") == "ExternalName" {
        if old.is_some_and(|old| set::str_of(old, "type") != "ExternalName") {
            release(spec, old);
        }
        return;
    }
    init_families(spec, family);
}

/// A list of texts as Rust has it.
fn texts<'a>(map: &'a Map, key: &str) -> Vec<&'a str> {
    let items = map.get(key).and_then(Value::as_array);
    items.map(|items| items.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

fn has_cluster_ip(kind: &str) -> bool {
    matches!(kind, "ClusterIP" | "NodePort" | "LoadBalancer")
}

fn keep_allocated(spec: &mut Map, old: &Map) {
    let kind = set::str_of(spec, "type").to_owned();
    if has_cluster_ip(&kind) && has_cluster_ip(set::str_of(old, "type")) {
        if set::str_of(spec, "clusterIP").is_empty() && !set::str_of(old, "clusterIP").is_empty() {
            spec.insert("clusterIP".into(), set::str_of(old, "clusterIP").into());
        }
        if set::is_empty(spec, "clusterIPs")
            && set::str_of(spec, "clusterIP") == set::str_of(old, "clusterIP")
            && let Some(ips) = old.get("clusterIPs")
        {
            spec.insert("clusterIPs".into(), ips.clone());
        }
    }
    let ported = |kind: &str| matches!(kind, "NodePort" | "LoadBalancer");
    if ported(&kind) && ported(set::str_of(old, "type")) {
        keep_node_ports(spec, old);
        if set::has(old, "healthCheckNodePort")
            && kind == "LoadBalancer"
            && set::str_of(spec, "externalTrafficPolicy") == "Local"
        {
            let port = old.get("healthCheckNodePort").and_then(Value::as_i64).unwrap_or_default();
            set::number(spec, "healthCheckNodePort", port);
        }
    }
}

/// Ports are the same when protocol and number are; of those, a node port that is not told stays.
fn keep_node_ports(spec: &mut Map, old: &Map) {
    let Some(ports) = old.get("ports").and_then(Value::as_array) else { return };
    set::each(spec, "ports", |port| {
        let same = ports.iter().find(|there| {
            there.get("port") == port.get("port")
                && there.get("protocol").and_then(Value::as_str) == Some(set::str_of(port, "protocol"))
        });
        if let Some(node_port) = same.and_then(|there| there.get("nodePort")?.as_i64()) {
            set::number(port, "nodePort", node_port);
        }
    });
}

/// Either field may be given; the other follows (`NormalizeClusterIPs`).
fn normalize_cluster_ips(spec: &mut Map, old: Option<&Map>) {
    let ip = set::str_of(spec, "clusterIP").to_owned();
    let Some(old) = old else {
        if !ip.is_empty() && set::is_empty(spec, "clusterIPs") {
            spec.insert("clusterIPs".into(), vec![Value::from(ip)].into());
        }
        return;
    };
    let old_ip = set::str_of(old, "clusterIP");
    if ip != old_ip {
        let same_list = texts(spec, "clusterIPs") == texts(old, "clusterIPs");
        if old_ip.is_empty() || (same_list && !ip.is_empty()) {
            if same_list || set::is_empty(spec, "clusterIPs") {
                spec.insert("clusterIPs".into(), vec![Value::from(ip)].into());
            }
        } else if ip.is_empty() && same_list {
            spec.remove("clusterIPs");
        }
    }
}

/// A service that turns into a mere name loses what was allocated, unless the client changed it.
fn release(spec: &mut Map, old: Option<&Map>) {
    let Some(old) = old else { return };
    for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if spec.get(key) == old.get(key) {
            spec.remove(key);
        }
    }
}

fn init_families(spec: &mut Map, family: &str) {
    let ips = texts(spec, "clusterIPs");
    let headless = ips == [HEADLESS];
    if headless && set::is_empty(spec, "selector") {
        // Endpoints come from somebody else, so that any family may turn up.
        set::pointer(spec, "ipFamilyPolicy", "RequireDualStack");
        let other = if family == "IPv4" { "IPv6" } else { "IPv4" };
        match texts(spec, "ipFamilies").as_slice() {
            [] => {
                spec.insert("ipFamilies".into(), vec![Value::from(family), other.into()].into());
            }
            [one] if set::str_of(spec, "ipFamilyPolicy") != "SingleStack" => {
                let second = if *one == "IPv4" { "IPv6" } else { "IPv4" };
                let both = vec![Value::from(*one), second.into()];
                spec.insert("ipFamilies".into(), both.into());
            }
            _ => {}
        }
        return;
    }
    set::pointer(spec, "ipFamilyPolicy", "SingleStack");
    if set::is_empty(spec, "ipFamilies") {
        spec.insert("ipFamilies".into(), vec![Value::from(family)].into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn one_family_unless_headless_without_selector() {
        let mut plain = json!({"spec": {"type": "ClusterIP"}});
        init(&mut plain, None, "IPv4");
        assert_eq!(plain["spec"]["ipFamilies"], json!(["IPv4"]));
        let mut headless = json!({"spec": {"type": "ClusterIP", "clusterIP": "None"}});
        init(&mut headless, None, "IPv4");
        assert_eq!(headless["spec"]["clusterIPs"], json!(["None"]));
        assert_eq!(headless["spec"]["ipFamilyPolicy"], "RequireDualStack");
    }

    #[test]
    fn an_update_keeps_what_was_allocated() {
        let old = json!({"spec": {"type": "NodePort", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"],
            "ports": [{"port": 80, "protocol": "TCP", "nodePort": 30080}]}});
        let mut new = json!({"spec": {"type": "NodePort", "ports": [{"port": 80, "protocol": "TCP"}]}});
        init(&mut new, Some(&old), "IPv4");
        assert_eq!(new["spec"]["clusterIPs"], json!(["10.0.0.1"]));
        assert_eq!(new["spec"]["ports"][0]["nodePort"], 30080);
    }
}
