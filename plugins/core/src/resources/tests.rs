use super::*;

#[test]
fn resources_stand_in_the_order_of_their_names() {
    for table in groups::TABLES {
        assert!(table.is_sorted_by_key(|resource| resource.name), "{}", table[0].group);
        for resource in *table {
            assert!(resource.subresources.is_sorted_by_key(|sub| sub.name), "{}", resource.name);
            assert_eq!((resource.group, resource.version), (table[0].group, table[0].version));
        }
    }
}

#[test]
fn every_group_version_has_resources_and_a_place() {
    assert_eq!(GROUP_VERSIONS.len(), groups::TABLES.len());
    for gv in GROUP_VERSIONS {
        assert!(!of_group_version(gv.group, gv.version).is_empty(), "{}/{}", gv.group, gv.version);
    }
    assert!(GROUP_VERSIONS.is_sorted_by(|a, b| a.group_priority_minimum >= b.group_priority_minimum));
}

#[test]
fn storage_follows_upstreams_layout() {
    let prefix = |group, version, name| find(group, version, name).unwrap().storage_prefix();
    assert_eq!(prefix("", "v1", "nodes"), Some("minions"));
    assert_eq!(prefix("", "v1", "services"), Some("services/specs"));
    assert_eq!(prefix("", "v1", "endpoints"), Some("services/endpoints"));
    assert_eq!(prefix("", "v1", "replicationcontrollers"), Some("controllers"));
    assert_eq!(prefix("networking.k8s.io", "v1", "ingresses"), Some("ingress"));
    assert_eq!(prefix("events.k8s.io", "v1", "events"), prefix("", "v1", "events"));
    assert_eq!(prefix("", "v1", "componentstatuses"), None);
    assert!(!find("autoscaling", "v1", "horizontalpodautoscalers").unwrap().is_storage_version());
    assert!(find("autoscaling", "v2", "horizontalpodautoscalers").unwrap().is_storage_version());
}

#[test]
fn only_one_resource_stands_at_a_prefix_in_its_storage_version() {
    let mut seen = std::collections::BTreeSet::new();
    for resource in all().filter(|resource| resource.is_storage_version()) {
        if let Some(prefix) = resource.storage_prefix() {
            assert!(seen.insert(prefix), "{prefix} twice");
        }
    }
}
