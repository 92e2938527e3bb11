//! Volumes, their claims and classes.

use super::{
    Row,
    cells::{NONE, UNSET, plain},
};
use chainplate_sdk::apimachinery::Value;

/// Beta clients name the class in an annotation.
const CLASS_ANNOTATION: &str = "volume.beta.kubernetes.io/storage-class";
/// What marks the default class, now and in times of beta.
const DEFAULT_ANNOTATIONS: [&str; 2] =
    ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];

/// `RWO,ROX`: access modes in their short form, each once, in upstream's order.
fn access_modes(modes: &[Value]) -> String {
    [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ]
    .iter()
    .filter(|(mode, _)| modes.iter().any(|there| there == mode))
    .map(|(_, short)| *short)
    .collect::<Vec<_>>()
    .join(",")
}

fn annotation<'a>(row: Row<'a>, name: &str) -> Option<&'a str> {
    row.at("metadata.annotations").get(name)?.as_str()
}

fn class<'a>(row: Row<'a>) -> &'a str {
    annotation(row, CLASS_ANNOTATION).unwrap_or_else(|| row.text("spec.storageClassName"))
}

fn phase(row: Row<'_>) -> Value {
    if row.is_deleting() { "Terminating".into() } else { row.text("status.phase").into() }
}

pub(super) fn persistent_volume(row: Row<'_>) -> Vec<Value> {
    let claim = if row.at("spec.claimRef").is_object() {
        format!("{}/{}", row.text("spec.claimRef.namespace"), row.text("spec.claimRef.name"))
    } else {
        String::new()
    };
    vec![
        row.name(),
        plain(row.at("spec.capacity.storage")).unwrap_or_else(|| "0".into()).into(),
        access_modes(row.list("spec.accessModes")).into(),
        row.text("spec.persistentVolumeReclaimPolicy").into(),
        phase(row),
        claim.into(),
        class(row).into(),
        row.text_or("spec.volumeAttributesClassName", UNSET),
        row.text("status.reason").into(),
        row.age(),
        row.text_or("spec.volumeMode", UNSET),
    ]
}

pub(super) fn persistent_volume_claim(row: Row<'_>) -> Vec<Value> {
    let volume = row.text("spec.volumeName");
    let (capacity, modes) = if volume.is_empty() {
        (String::new(), String::new())
    } else {
        (
            plain(row.at("status.capacity.storage")).unwrap_or_else(|| "0".into()),
            access_modes(row.list("status.accessModes")),
        )
    };
    vec![
        row.name(),
        phase(row),
        volume.into(),
        capacity.into(),
        modes.into(),
        class(row).into(),
        row.text_or("spec.volumeAttributesClassName", UNSET),
        row.age(),
        row.text_or("spec.volumeMode", UNSET),
    ]
}

pub(super) fn storage_class(row: Row<'_>) -> Vec<Value> {
    let default = DEFAULT_ANNOTATIONS.iter().any(|name| annotation(row, name) == Some("true"));
    let name = row.text("metadata.name");
    vec![
        if default { format!("{name} (default)").into() } else { name.into() },
        row.text("provisioner").into(),
        row.text_or("reclaimPolicy", "Delete"),
        row.text_or("volumeBindingMode", "Immediate"),
        flag(row, "allowVolumeExpansion", false),
        row.age(),
    ]
}

pub(super) fn volume_attributes_class(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.text("driverName").into(), row.age()]
}

pub(super) fn volume_attachment(row: Row<'_>) -> Vec<Value> {
    vec![
        row.name(),
        row.text("spec.attacher").into(),
        row.text("spec.source.persistentVolumeName").into(),
        row.text("spec.nodeName").into(),
        flag(row, "status.attached", false),
        row.age(),
    ]
}

pub(super) fn csi_node(row: Row<'_>) -> Vec<Value> {
    vec![row.name(), row.count("spec.drivers").into(), row.age()]
}

pub(super) fn csi_driver(row: Row<'_>) -> Vec<Value> {
    let join = |texts: Vec<&str>| texts.join(",");
    let modes = join(row.list("spec.volumeLifecycleModes").iter().filter_map(Value::as_str).collect());
    let audiences = match row.at("spec.tokenRequests") {
        Value::Array(requests) => {
            join(requests.iter().map(|request| request["audience"].as_str().unwrap_or_default()).collect())
        }
        _ => UNSET.to_owned(),
    };
    vec![
        row.name(),
        flag(row, "spec.attachRequired", true),
        flag(row, "spec.podInfoOnMount", false),
        flag(row, "spec.storageCapacity", false),
        audiences.into(),
        flag(row, "spec.requiresRepublish", false),
        super::cells::or(&modes, NONE),
        row.age(),
    ]
}

pub(super) fn csi_storage_capacity(row: Row<'_>) -> Vec<Value> {
    let capacity = plain(row.at("capacity")).unwrap_or_else(|| UNSET.into());
    vec![row.name(), row.text("storageClassName").into(), capacity.into()]
}

fn flag(row: Row<'_>, path: &str, default: bool) -> Value {
    row.at(path).as_bool().unwrap_or(default).into()
}
