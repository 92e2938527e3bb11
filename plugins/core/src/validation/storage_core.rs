//! Persistent volumes and their claims.

use super::amount::Amount;
use super::checks::{
    Errors, IMMUTABLE, SPEC, STATUS, label, member, optional_one_of, required, required_items, same,
    subdomain, supported,
};
use super::labels::selector;
use super::view::Node;
use super::{resources, scheduling, volumes};
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Path};

const ACCESS_MODES: [&str; 4] = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
const VOLUME_MODES: [&str; 2] = ["Block", "Filesystem"];

fn access_modes(spec: &Node<'_, '_>, errors: &mut Errors) {
    let path = spec.path.child("accessModes");
    let (mut alone, mut others) = (false, false);
    for mode in spec.texts("accessModes") {
        supported(&path, mode, &ACCESS_MODES, errors);
        alone |= mode == "ReadWriteOncePod";
        others |= mode != "ReadWriteOncePod" && ACCESS_MODES.contains(&mode);
    }
    if alone && others {
        errors.push(Error::forbidden(&path, "may not use ReadWriteOncePod with other access modes"));
    }
}

/// A persistent volume's spec; `inline` in a VolumeAttachment.
pub(super) fn volume_spec(spec: &Node<'_, '_>, inline: bool, errors: &mut Errors) {
    const INLINE: &str = "may not be specified in the context of inline volumes";
    if inline {
        for name in ["claimRef", "capacity"] {
            if spec.has(name) && !(name == "capacity" && spec.is_empty(name)) {
                errors.push(Error::forbidden(&spec.path.child(name), INLINE));
            }
        }
        if !spec.has("csi") {
            let reason = "has to be specified in the context of inline volumes";
            errors.push(Error::required(&spec.path.child("csi"), reason));
        }
    }
    required_items(spec, "accessModes", "", errors);
    access_modes(spec, errors);
    if !inline {
        let capacity = spec.child("capacity");
        required_items(spec, "capacity", "", errors);
        if !capacity.has("storage") || spec.len("capacity") > 1 {
            errors.push(Error::not_supported(&capacity.path, capacity.value.clone(), &["storage"]));
        }
        capacity.entries(|_, quantity| {
            resources::basic(quantity, errors);
            resources::positive(quantity, errors);
        });
        let policy = spec.text("persistentVolumeReclaimPolicy");
        if !policy.is_empty() {
            let path = spec.path.child("persistentVolumeReclaimPolicy");
            supported(&path, policy, &["Delete", "Recycle", "Retain"], errors);
        }
        if let Some(affinity) = spec.some("nodeAffinity") {
            match affinity.some("required") {
                Some(wanted) => scheduling::node_selector(&wanted, errors),
                None => errors.push(Error::required(
                    &affinity.path.child("required"),
                    "must specify required node constraints",
                )),
            }
        }
    }
    volumes::persistent_source(spec, errors);
    if spec.has("local") && !spec.has("nodeAffinity") {
        let reason = "Local volume requires node affinity";
        errors.push(Error::required(&spec.path.child("nodeAffinity"), reason));
    }
    let root = spec.child("hostPath").text("path");
    if spec.has("hostPath")
        && !root.is_empty()
        && root.split('/').all(|part| matches!(part, "" | "."))
        && spec.text("persistentVolumeReclaimPolicy") == "Recycle"
    {
        let reason = "may not be 'recycle' for a hostPath mount of '/'";
        errors.push(Error::forbidden(&spec.path.child("persistentVolumeReclaimPolicy"), reason));
    }
    if inline {
        if !spec.text("storageClassName").is_empty() {
            errors.push(Error::forbidden(&spec.path.child("storageClassName"), INLINE));
        }
    } else {
        super::checks::member_if_any(spec, "storageClassName", subdomain, errors);
        optional_one_of(spec, "volumeMode", &VOLUME_MODES, errors);
    }
    if spec.has("volumeAttributesClassName") {
        let name = "volumeAttributesClassName";
        if super::checks::required_with(spec, name, "an empty string is disallowed", errors) {
            member(spec, name, subdomain, errors);
        }
        if !spec.has("csi") {
            let reason = "has to be specified when using volumeAttributesClassName";
            errors.push(Error::required(&spec.path.child("csi"), reason));
        }
    }
}

pub(super) fn create_volume(object: &Value, errors: &mut Errors) {
    volume_spec(&Node::root(object).child("spec"), false, errors);
}

pub(super) fn update_volume(new: &Value, old: &Value, errors: &mut Errors) {
    create_volume(new, errors);
    let (new, old) = (Node::root(new), Node::root(old));
    let (spec, old) = (new.child("spec"), old.child("spec"));
    let changed = volumes::persistent_sources().any(|source| {
        let (mut now, was) = (spec.get(source).clone(), old.get(source));
        // A secret for expansion may be added later.
        if was.get("controllerExpandSecretRef").is_none()
            && let Some(now) = now.as_object_mut()
        {
            now.remove("controllerExpandSecretRef");
        }
        !same(&now, was)
    });
    if changed {
        let reason = "spec.persistentvolumesource is immutable after creation\n";
        errors.push(Error::forbidden(&volumes::PERSISTENT_SOURCE, reason));
    }
    if !same(spec.get("volumeMode"), old.get("volumeMode")) {
        let path = Path::Child(&Path::Root, "volumeMode");
        errors.push(Error::invalid(&path, spec.get("volumeMode").clone(), IMMUTABLE));
    }
    if old.has("nodeAffinity") && !same(spec.get("nodeAffinity"), old.get("nodeAffinity")) {
        let path = Path::Child(&Path::Root, "nodeAffinity");
        let reason = format!("{IMMUTABLE}, except for updating from beta label to GA");
        errors.push(Error::invalid(&path, spec.get("nodeAffinity").clone(), reason));
    }
    attributes_class_kept(&spec, &old, false, errors);
}

fn attributes_class_kept(spec: &Node<'_, '_>, old: &Node<'_, '_>, empty_too: bool, errors: &mut Errors) {
    let name = "volumeAttributesClassName";
    if !old.has(name) {
        return;
    }
    let path = SPEC.child(name);
    if !spec.has(name) {
        errors.push(Error::forbidden(&path, "update from non-nil value to nil is forbidden"));
    } else if empty_too && spec.text(name).is_empty() && !old.text(name).is_empty() {
        errors.push(Error::forbidden(&path, "update from non-nil value to an empty string is forbidden"));
    }
}

/// A claim's spec, in a claim or a template of one.
pub(super) fn claim_spec(spec: &Node<'_, '_>, errors: &mut Errors) {
    required_items(spec, "accessModes", "at least 1 access mode is required", errors);
    selector(&spec.child("selector"), errors);
    access_modes(spec, errors);
    let resources = spec.child("resources");
    let requests = resources.child("requests");
    let storage = requests.child("storage");
    let storage = storage.at(resources.path.key("storage"));
    if !storage.present() {
        errors.push(Error::required(&storage.path, ""));
    } else if resources::positive(&storage, errors) {
        resources::amount("storage", &storage, errors);
    }
    super::checks::member_if_any(spec, "storageClassName", subdomain, errors);
    optional_one_of(spec, "volumeMode", &VOLUME_MODES, errors);
    for name in ["dataSource", "dataSourceRef"] {
        if let Some(source) = spec.some(name) {
            data_source(&source, errors);
        }
    }
    let (source, reference) = (spec.child("dataSource"), spec.child("dataSourceRef"));
    if source.present() && reference.present() {
        let equal = ["apiGroup", "kind", "name"].iter().all(|name| source.text(name) == reference.text(name));
        let reason = if !reference.text("namespace").is_empty() {
            "may not be specified when dataSourceRef.namespace is specified"
        } else if !equal {
            "must match dataSourceRef"
        } else {
            ""
        };
        if !reason.is_empty() {
            errors.push(Error::invalid(&spec.path, source.path.to_string(), reason));
        }
    }
    super::checks::member_if_any(spec, "volumeAttributesClassName", subdomain, errors);
}

fn data_source(source: &Node<'_, '_>, errors: &mut Errors) {
    required(source, "name", errors);
    required(source, "kind", errors);
    let kind = source.text("kind");
    if source.text("apiGroup").is_empty() {
        if kind != "PersistentVolumeClaim" {
            let reason = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            errors.push(Error::invalid(&source.path, kind, reason));
        }
    } else {
        member(source, "apiGroup", subdomain, errors);
    }
    super::checks::member_if_any(source, "namespace", label, errors);
}

pub(super) fn create_claim(object: &Value, errors: &mut Errors) {
    claim_spec(&Node::root(object).child("spec"), errors);
}

pub(super) fn update_claim(new: &Value, old: &Value, errors: &mut Errors) {
    create_claim(new, errors);
    let (now, was) = (Node::root(new), Node::root(old));
    let (spec, old_spec) = (now.child("spec"), was.child("spec"));
    let bound = now.child("status").text("phase") == "Bound";
    let mut munged = spec.value.clone();
    if let Some(map) = munged.as_object_mut() {
        let mut take = |name: &str| {
            map.remove(name);
            if old_spec.has(name) {
                map.insert(name.into(), old_spec.get(name).clone());
            }
        };
        if old_spec.text("volumeName").is_empty() {
            take("volumeName");
        }
        if !old_spec.has("storageClassName") && spec.has("storageClassName") {
            take("storageClassName");
        }
        if bound && spec.has("volumeAttributesClassName") {
            take("volumeAttributesClassName");
        }
    }
    if bound
        && let Some(requests) = munged.pointer_mut("/resources/requests").and_then(Value::as_object_mut)
        && let Some(size) = old_spec.value.pointer("/resources/requests/storage")
    {
        requests.insert("storage".into(), size.clone());
    }
    if !same(&munged, old_spec.value) {
        let reason = "spec is immutable after creation except resources.requests and \
volumeAttributesClassName for bound claims\n";
        errors.push(Error::forbidden(&SPEC, reason));
    }
    let size = |object: &Value, path: &str| object.pointer(path).and_then(Amount::of);
    let requested = "/spec/resources/requests/storage";
    if size(new, requested) < size(old, requested) {
        let held = size(old, "/status/capacity/storage").or_else(|| Amount::parse("0"));
        if size(new, requested) <= held {
            let resources = SPEC.child("resources");
            let requests = resources.child("requests");
            let reason = "field can not be less than status.capacity";
            errors.push(Error::forbidden(&requests.child("storage"), reason));
        }
    }
    if !same(spec.get("volumeMode"), old_spec.get("volumeMode")) {
        let path = Path::Child(&Path::Root, "volumeMode");
        errors.push(Error::invalid(&path, spec.get("volumeMode").clone(), IMMUTABLE));
    }
    attributes_class_kept(&spec, &old_spec, true, errors);
}

pub(super) fn update_claim_status(new: &Value, errors: &mut Errors) {
    let object = Node::root(new);
    let status = object.child("status");
    status.child("capacity").entries(|_, quantity| resources::basic(quantity, errors));
    const STATES: [&str; 5] = [
        "ControllerResizeInProgress",
        "ControllerResizeInfeasible",
        "NodeResizeInProgress",
        "NodeResizeInfeasible",
        "NodeResizePending",
    ];
    let path = STATUS.child("allocatedResourceStatus");
    status.child("allocatedResourceStatuses").entries(|name, state| {
        if !STATES.contains(&state.str()) {
            errors.push(Error::not_supported(&path, name, &STATES));
        }
    });
    status.child("allocatedResources").entries(|_, quantity| resources::basic(quantity, errors));
}
