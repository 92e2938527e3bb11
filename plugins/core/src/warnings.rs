//! What upstream warns a writer of pods and of their templates about (`pkg/api/pod/warnings.go`): what is accepted, and
//! does nothing or not what one would think.

use chainplate_sdk::apimachinery::{
    Map, Value,
    field::{Path, Path::Root},
};

/// Volumes of drivers that are gone, and since when.
const VOLUMES: [(&str, &str); 9] = [
    ("photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("gitRepo", "deprecated in v1.11"),
    ("scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("flocker", "deprecated in v1.22, non-functional in v1.25+"),
    ("storageos", "deprecated in v1.22, non-functional in v1.25+"),
    ("quobyte", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("rbd", "deprecated in v1.28, non-functional in v1.31+"),
];

/// Annotations that became fields.
const ANNOTATIONS: [(&str, &str); 3] = [
    (
        "scheduler.alpha.kubernetes.io/critical-pod",
        "non-functional in v1.16+; use the \"priorityClassName\" field instead",
    ),
    ("security.alpha.kubernetes.io/sysctls", "non-functional in v1.11+; use the \"sysctls\" field instead"),
    (
        "security.alpha.kubernetes.io/unsafe-sysctls",
        "non-functional in v1.11+; use the \"sysctls\" field instead",
    ),
];

const NO_SELECTOR: &str = "a null labelSelector results in matching no pod";

/// What to tell whoever writes an object. Updates of pods are left alone, and of what holds a template unless `changed`.
pub(crate) fn of(group: &str, kind: &str, object: &Value, is_update: bool, changed: bool) -> Vec<String> {
    let mut texts = Vec::new();
    let root = Root;
    let spec = root.child("spec");
    match (group, kind) {
        ("", "Pod") if !is_update => pod(&root, object, &mut texts),
        ("", "PodTemplate") if changed => pod(&root.child("template"), &object["template"], &mut texts),
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
        | ("batch", "Job")
        | ("", "ReplicationController")
            if changed =>
        {
            pod(&spec.child("template"), &object["spec"]["template"], &mut texts);
        }
        ("batch", "CronJob") if changed => {
            let template = spec.child("jobTemplate");
            let template = template.child("spec");
            pod(&template.child("template"), &object["spec"]["jobTemplate"]["spec"]["template"], &mut texts);
        }
        _ => {}
    }
    texts
}

fn list<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

/// `at` is the path of the pod or template.
fn pod(at: &Path<'_>, pod: &Value, texts: &mut Vec<String>) {
    let (spec, path) = (&pod["spec"], at.child("spec"));
    for (index, constraint) in list(spec, "topologySpreadConstraints").iter().enumerate() {
        if constraint["labelSelector"].is_null() {
            let list = path.child("topologySpreadConstraints");
            texts.push(format!("{}: {NO_SELECTOR}", list.index(index).child("labelSelector")));
        }
    }
    let annotations = pod["metadata"]["annotations"].as_object();
    for (key, why) in ANNOTATIONS {
        if annotations.is_some_and(|annotations: &Map| annotations.contains_key(key)) {
            let metadata = at.child("metadata");
            texts.push(format!("{}: {why}", metadata.child("annotations").key(key)));
        }
    }
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        for (driver, why) in VOLUMES {
            if volume[driver].is_object() {
                let volumes = path.child("volumes");
                // The path has the name of the Go field here, not that of the JSON.
                let shown = if driver == "storageos" { "storageOS" } else { driver };
                texts.push(format!("{}: {why}", volumes.index(index).child(shown)));
            }
        }
    }
    repeated(&path, spec, "hostAliases", "ip", texts);
    repeated(&path, spec, "imagePullSecrets", "name", texts);
    for (index, secret) in list(spec, "imagePullSecrets").iter().enumerate() {
        if text(secret, "name").is_empty() {
            let secrets = path.child("imagePullSecrets");
            texts.push(format!("{}: invalid empty name \"\"", secrets.index(index).child("name")));
        }
    }
    for containers in ["initContainers", "containers", "ephemeralContainers"] {
        let all = path.child(containers);
        for (index, container) in list(spec, containers).iter().enumerate() {
            hidden_variables(&all.index(index), container, texts);
        }
    }
    if spec["terminationGracePeriodSeconds"].as_i64().is_some_and(|seconds| seconds < 0) {
        let why = "must be >= 0; negative values are invalid and will be treated as 1";
        texts.push(format!("{}: {why}", path.child("terminationGracePeriodSeconds")));
    }
    affinity(&path, &spec["affinity"], texts);
}

/// Items of a list with what an earlier one has.
fn repeated(spec: &Path<'_>, of: &Value, name: &str, member: &str, texts: &mut Vec<String>) {
    let items = list(of, name);
    for (index, item) in items.iter().enumerate() {
        let value = text(item, member);
        if items[..index].iter().any(|other| text(other, member) == value) {
            let items = spec.child(name);
            texts.push(format!("{}: duplicate {member} {value:?}", items.index(index).child(member)));
        }
    }
}

/// Variables that replace one of the same name without referring to it.
fn hidden_variables(container: &Path<'_>, of: &Value, texts: &mut Vec<String>) {
    let variables = list(of, "env");
    for (index, variable) in variables.iter().enumerate() {
        let name = text(variable, "name");
        if !variables[..index].iter().any(|other| text(other, "name") == name) {
            continue;
        }
        let (reference, value) = (format!("$({name})"), text(variable, "value"));
        if variable["valueFrom"].is_object() || value == reference || !value.contains(&reference) {
            texts.push(format!(
                "{}: hides previous definition of {name:?}, which may be dropped when using apply",
                container.child("env").index(index)
            ));
        }
    }
}

fn affinity(spec: &Path<'_>, affinity: &Value, texts: &mut Vec<String>) {
    let path = spec.child("affinity");
    for kind in ["podAffinity", "podAntiAffinity"] {
        let of_kind = path.child(kind);
        let required = "requiredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in list(&affinity[kind], required).iter().enumerate() {
            if term["labelSelector"].is_null() {
                let terms = of_kind.child(required);
                texts.push(format!("{}: {NO_SELECTOR}", terms.index(index).child("labelSelector")));
            }
        }
        let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
        for (index, term) in list(&affinity[kind], preferred).iter().enumerate() {
            if term["podAffinityTerm"]["labelSelector"].is_null() {
                let terms = of_kind.child(preferred);
                let term = terms.index(index);
                let term = term.child("podAffinityTerm");
                texts.push(format!("{}: {NO_SELECTOR}", term.child("labelSelector")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writers_of_pods_hear_of_what_does_nothing() {
        let pod = json!({"spec": {
            "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "rbd": {"image": "i"}}],
            "imagePullSecrets": [{"name": "s"}, {"name": "s"}],
            "containers": [{"name": "c", "env": [
                {"name": "A", "value": "1"}, {"name": "A", "value": "$(A)2"}, {"name": "A", "value": "3"},
            ]}],
        }});
        assert_eq!(
            of("", "Pod", &pod, false, true),
            [
                "spec.volumes[1].rbd: deprecated in v1.28, non-functional in v1.31+",
                "spec.imagePullSecrets[1].name: duplicate name \"s\"",
                "spec.containers[0].env[2]: hides previous definition of \"A\", which may be dropped when using apply",
            ]
        );
        assert!(of("", "Pod", &pod, true, true).is_empty());
        let deployment = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": -1}}}});
        assert_eq!(of("apps", "Deployment", &deployment, true, true).len(), 1);
        assert!(of("apps", "Deployment", &deployment, true, false).is_empty());
    }
}
