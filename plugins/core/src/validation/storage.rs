//! `pkg/apis/storage/validation`.

use super::checks::{
    Errors, IMMUTABLE, SPEC, go_struct, go_text, immutable, not_negative, optional_one_of, qualified,
    required, required_items, same, shown, subdomain, supported,
};
use super::files::token_lifetime;
use super::labels::{key, selector};
use super::resources;
use super::storage_core::volume_spec;
use super::view::Node;
use super::volumes::csi_driver_name;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

/// Greatest number and size of parameters.
const MAX_PARAMETERS: usize = 512;
const MAX_PARAMETER_SIZE: usize = 256 * 1024;

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match kind {
        "StorageClass" => storage_class(&root, errors),
        "VolumeAttachment" => attachment(&spec, errors),
        "VolumeAttributesClass" => {
            csi_driver_name(&root, "driverName", errors);
            parameters(&root, true, errors);
        }
        "CSIDriver" => csi_driver(&spec, errors),
        "CSINode" => csi_node(&spec, errors),
        "CSIStorageCapacity" => {
            selector(&root.child("nodeTopology"), errors);
            let name = root.text("storageClassName");
            for reason in subdomain(name) {
                errors.push(Error::invalid(&root.path.child("storageClassName"), name, reason));
            }
            for name in ["capacity", "maximumVolumeSize"] {
                if root.has(name) {
                    resources::amount("storage", &root.child(name), errors);
                }
            }
        }
        _ => {}
    }
}

pub(super) fn update(kind: &str, new: &Value, old: &Value, errors: &mut Errors) {
    let (now, was) = (Node::root(new), Node::root(old));
    let (spec, old_spec) = (now.child("spec"), was.child("spec"));
    match kind {
        "StorageClass" => {
            for name in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
                immutable(&now, &was, name, errors);
            }
        }
        "VolumeAttributesClass" => {
            for name in ["driverName", "parameters"] {
                if !same(now.get(name), was.get(name)) {
                    let reason = format!("updates to {name} are forbidden.");
                    errors.push(Error::forbidden(&now.path.child(name), reason));
                }
            }
        }
        "VolumeAttachment" => {
            create(kind, new, errors);
            if !same(spec.value, old_spec.value) {
                let [attacher, node] = ["attacher", "nodeName"].map(|name| go_text(spec.get(name)));
                let source = spec.child("source");
                let source: Value = serde_json::from_str(&go_struct(&[
                    ("PersistentVolumeName", source.get("persistentVolumeName")),
                    ("InlineVolumeSpec", source.get("inlineVolumeSpec")),
                ]))
                .unwrap_or_default();
                let source = go_struct(&[
                    ("PersistentVolumeName", &source["PersistentVolumeName"]),
                    ("InlineVolumeSpec", &source["InlineVolumeSpec"]),
                ]);
                let told = format!("{{\"Attacher\":{attacher},\"Source\":{source},\"NodeName\":{node}}}");
                errors.push(shown(Kind::Invalid, &SPEC, told, IMMUTABLE));
            }
        }
        "CSIDriver" => {
            create(kind, new, errors);
            for name in ["attachRequired", "volumeLifecycleModes"] {
                let lower = if name == "attachRequired" { "attachedRequired" } else { name };
                if !same(spec.get(name), old_spec.get(name)) {
                    errors.push(Error::invalid(&SPEC.child(lower), spec.get(name).clone(), IMMUTABLE));
                }
            }
        }
        "CSINode" => {
            create(kind, new, errors);
            for driver in spec.list("drivers") {
                let driver = Node::root(driver);
                let same_name = |other: &&Value| Node::root(other).text("name") == driver.text("name");
                let Some(old) = old_spec.list("drivers").iter().find(same_name) else { continue };
                let fixed = |driver: &Value| {
                    let mut fixed = driver.as_object().cloned().unwrap_or_default();
                    fixed.remove("allocatable");
                    Value::Object(fixed)
                };
                if !same(&fixed(driver.value), &fixed(old)) {
                    let told = go_struct(&[
                        ("Name", driver.get("name")),
                        ("NodeID", driver.get("nodeID")),
                        ("TopologyKeys", driver.get("topologyKeys")),
                        ("Allocatable", driver.get("allocatable")),
                    ]);
                    errors.push(shown(Kind::Invalid, &SPEC.child("drivers"), told, IMMUTABLE));
                }
            }
        }
        "CSIStorageCapacity" => {
            create(kind, new, errors);
            for name in ["nodeTopology", "storageClassName"] {
                immutable(&now, &was, name, errors);
            }
        }
        _ => {}
    }
}

fn storage_class(class: &Node<'_, '_>, errors: &mut Errors) {
    let provisioner = class.text("provisioner");
    if required(class, "provisioner", errors) {
        for reason in qualified(&provisioner.to_lowercase()) {
            errors.push(Error::invalid(&class.path.child("provisioner"), provisioner, reason));
        }
    }
    parameters(class, false, errors);
    optional_one_of(class, "reclaimPolicy", &["Delete", "Retain"], errors);
    if class.has("volumeBindingMode") {
        optional_one_of(class, "volumeBindingMode", &["Immediate", "WaitForFirstConsumer"], errors);
    } else {
        errors.push(Error::required(&class.path.child("volumeBindingMode"), ""));
    }
    let all = class.list("allowedTopologies");
    class.child("allowedTopologies").each(|index, term| {
        let expressions = term.list("matchLabelExpressions");
        term.child("matchLabelExpressions").each(|index, expression| {
            required_items(expression, "values", "", errors);
            let values = expression.list("values");
            expression.child("values").each(|index, value| {
                if values[..index].contains(value.value) {
                    errors.push(Error::duplicate(&value.path, value.str()));
                }
            });
            key(&expression.child("key"), errors);
            let name = expression.text("key");
            if expressions[..index].iter().any(|other| Node::root(other).text("key") == name) {
                errors.push(Error::duplicate(&expression.path.child("key"), name));
            }
        });
        if all[..index].iter().any(|other| other == term.value) {
            errors.push(Error::duplicate(&term.path.child("matchLabelExpressions"), ""));
        }
    });
}

fn parameters(class: &Node<'_, '_>, needed: bool, errors: &mut Errors) {
    let node = class.child("parameters");
    let count = class.len("parameters");
    if count > MAX_PARAMETERS {
        return errors.push(Error::too_long(&node.path, MAX_PARAMETERS));
    }
    let mut size = 0;
    for (name, value) in node.value.as_object().into_iter().flatten() {
        if name.is_empty() {
            errors.push(Error::invalid(&node.path, "", "field can not be empty."));
        }
        size += name.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_PARAMETER_SIZE {
        errors.push(Error::too_long(&node.path, MAX_PARAMETER_SIZE));
    }
    if needed && count == 0 {
        errors.push(Error::required(&node.path, "must contain at least one key/value pair"));
    }
}

fn attachment(spec: &Node<'_, '_>, errors: &mut Errors) {
    const ONE: &str = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    csi_driver_name(spec, "attacher", errors);
    let source = spec.child("source");
    match (source.has("inlineVolumeSpec"), source.has("persistentVolumeName")) {
        (true, true) => errors.push(Error::forbidden(&source.path, ONE)),
        (false, false) => errors.push(Error::required(&source.path, ONE)),
        (true, false) => volume_spec(&source.child("inlineVolumeSpec"), true, errors),
        (false, true) => {
            if source.text("persistentVolumeName").is_empty() {
                let reason = "must specify non empty persistentVolumeName";
                errors.push(Error::required(&source.path.child("persistentVolumeName"), reason));
            }
        }
    }
    super::checks::member(spec, "nodeName", subdomain, errors);
}

fn csi_driver(spec: &Node<'_, '_>, errors: &mut Errors) {
    for (name, told) in [
        ("attachRequired", "attachedRequired"),
        ("podInfoOnMount", "podInfoOnMount"),
        ("storageCapacity", "storageCapacity"),
    ] {
        if !spec.has(name) {
            errors.push(Error::required(&spec.path.child(told), ""));
        }
    }
    if spec.has("fsGroupPolicy") {
        let known = ["File", "None", "ReadWriteOnceWithFSType"];
        optional_one_of(spec, "fsGroupPolicy", &known, errors);
    } else {
        errors.push(Error::required(&spec.path.child("fsGroupPolicy"), ""));
    }
    let requests = spec.list("tokenRequests");
    spec.child("tokenRequests").each(|index, request| {
        let audience = request.text("audience");
        if requests[..index].iter().any(|other| Node::root(other).text("audience") == audience) {
            errors.push(Error::duplicate(&request.path.child("audience"), audience));
        }
        if request.has("expirationSeconds") {
            token_lifetime(request, errors);
        }
    });
    let modes = spec.path.child("volumeLifecycleModes");
    for mode in spec.texts("volumeLifecycleModes") {
        supported(&modes, mode, &["Ephemeral", "Persistent"], errors);
    }
}

fn csi_node(spec: &Node<'_, '_>, errors: &mut Errors) {
    const MAX_NODE_ID: usize = 256;
    let drivers = spec.list("drivers");
    spec.child("drivers").each(|index, driver| {
        csi_driver_name(driver, "name", errors);
        let id = driver.text("nodeID");
        if required(driver, "nodeID", errors) && id.len() > MAX_NODE_ID {
            let reason = format!("must be {MAX_NODE_ID} characters or less");
            errors.push(Error::invalid(&driver.path.child("nodeID"), id, reason));
        }
        not_negative(&driver.child("allocatable"), "count", errors);
        let name = driver.text("name");
        if drivers[..index].iter().any(|other| Node::root(other).text("name") == name) {
            errors.push(Error::duplicate(&driver.path.child("name"), name));
        }
        let mut seen: Vec<&str> = Vec::new();
        for topology in driver.texts("topologyKeys") {
            if topology.is_empty() {
                errors.push(Error::required(&driver.path, ""));
            }
            if seen.contains(&topology) {
                errors.push(Error::duplicate(&driver.path, topology));
            } else {
                seen.push(topology);
            }
            for reason in qualified(topology) {
                errors.push(Error::invalid(&driver.path, topology, reason));
            }
        }
    });
}
