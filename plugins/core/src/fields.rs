//! The fields that `fieldSelector` may name, besides `metadata.name` and `metadata.namespace`.
//!
//! Facts: the field label conversions of `pkg/apis/*/*/conversion.go` and the selectable fields of the strategies.

use crate::resources::Resource;
use chainplate_sdk::FieldLabel;

/// A label, the members to walk in the served form, and the value of an object without that field.
type Label = (&'static str, &'static str, &'static str);

/// The same member under the same name, empty when it is not there.
const fn same(label: &'static str) -> Label {
    (label, label, "")
}

const LABELS: &[(&str, &str, &[Label])] = &[
    (
        "",
        "pods",
        &[
            same("spec.nodeName"),
            same("spec.restartPolicy"),
            same("spec.schedulerName"),
            same("spec.serviceAccountName"),
            ("spec.hostNetwork", "spec.hostNetwork", "false"),
            same("status.phase"),
            same("status.podIP"),
            // Known, and never equal to anything: upstream converts the label and has no such field.
            same("status.podIPs"),
            same("status.nominatedNodeName"),
        ],
    ),
    (
        "",
        "events",
        &[
            same("involvedObject.kind"),
            same("involvedObject.namespace"),
            same("involvedObject.name"),
            same("involvedObject.uid"),
            same("involvedObject.apiVersion"),
            same("involvedObject.resourceVersion"),
            same("involvedObject.fieldPath"),
            same("reason"),
            same("reportingComponent"),
            ("source", "source.component", ""),
            same("type"),
        ],
    ),
    (
        "events.k8s.io",
        "events",
        &[
            same("regarding.kind"),
            same("regarding.namespace"),
            same("regarding.name"),
            same("regarding.uid"),
            same("regarding.apiVersion"),
            same("regarding.resourceVersion"),
            same("regarding.fieldPath"),
            same("reason"),
            same("reportingController"),
            same("type"),
        ],
    ),
    ("", "namespaces", &[same("status.phase")]),
    ("", "nodes", &[("spec.unschedulable", "spec.unschedulable", "false")]),
    ("", "replicationcontrollers", &[("status.replicas", "status.replicas", "0")]),
    ("", "secrets", &[same("type")]),
    ("", "services", &[same("spec.clusterIP"), same("spec.type")]),
    ("batch", "jobs", &[("status.successful", "status.succeeded", "0")]),
    ("certificates.k8s.io", "certificatesigningrequests", &[same("spec.signerName")]),
    ("resource.k8s.io", "resourceslices", &[same("spec.driver"), same("spec.nodeName")]),
];

/// The field labels of a resource.
pub fn labels(resource: &Resource) -> Vec<FieldLabel> {
    let found = LABELS.iter().find(|(group, name, _)| *group == resource.group && *name == resource.name);
    found
        .map(|(.., labels)| *labels)
        .unwrap_or_default()
        .iter()
        .map(|(label, path, default)| FieldLabel {
            label: (*label).to_owned(),
            path: path.split('.').map(str::to_owned).collect(),
            default: (*default).to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resources;

    #[test]
    fn every_entry_is_of_a_resource() {
        for (group, name, labels) in LABELS {
            assert!(resources::find(group, "v1", name).is_some(), "{group}/{name}");
            assert!(!labels.is_empty());
        }
    }

    #[test]
    fn labels_walk_members() {
        let jobs = labels(resources::find("batch", "v1", "jobs").unwrap());
        assert_eq!(jobs.len(), 1);
        assert_eq!(jobs[0].label, "status.successful");
        assert_eq!(jobs[0].path, ["status", "succeeded"]);
        assert_eq!(jobs[0].default, "0");
        assert!(labels(resources::find("apps", "v1", "deployments").unwrap()).is_empty());
        // Only the older ReplicationController has a label conversion for its count.
        assert!(labels(resources::find("apps", "v1", "replicasets").unwrap()).is_empty());
    }
}
