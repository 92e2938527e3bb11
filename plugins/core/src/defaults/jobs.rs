//! What the write strategy of Jobs sets (`pkg/registry/batch/job/strategy.go`).

use super::set;
use chainplate_apimachinery::{Map, Value};

/// The label of a job's pods that holds the job's uid.
const UID_LABELS: [&str; 2] = ["batch.kubernetes.io/controller-uid", "controller-uid"];
/// The labels of a job's pods that hold the job's name.
const NAME_LABELS: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];

/// Sets the labels that tie a Job to its pods, and the selector that finds them, unless `spec.manualSelector`
/// is true. Labels of the template that are there are left alone; validation refuses wrong ones.
///
/// `uid` is the Job's, which must be known before. Called on creation, before validation.
pub fn generate_selector(object: &mut Value, uid: &str) {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(spec) = object.as_object_mut().and_then(|object| set::ensure(object, "spec")) else { return };
    if spec.get("manualSelector").and_then(Value::as_bool) == Some(true) {
        return;
    }
    if let Some(template) = set::ensure(spec, "template")
        && let Some(metadata) = set::ensure(template, "metadata")
        && let Some(labels) = set::ensure(metadata, "labels")
    {
        for (keys, value) in [(UID_LABELS, uid), (NAME_LABELS, name.as_str())] {
            for key in keys {
                labels.entry(key).or_insert_with(|| value.into());
            }
        }
    }
    if let Some(selector) = set::ensure(spec, "selector")
        && let Some(labels) = set::ensure(selector, "matchLabels")
        && !labels.contains_key(UID_LABELS[0])
    {
        labels.insert(UID_LABELS[0].into(), uid.into());
    }
}

/// The labels that a generated selector must match.
pub(crate) fn generated_labels(name: &str, uid: &str) -> Map {
    let mut labels = Map::new();
    for (keys, value) in [(UID_LABELS, uid), (NAME_LABELS, name)] {
        for key in keys {
            labels.insert(key.into(), value.into());
        }
    }
    labels
}
