//! Volumes of pods, and the sources that persistent volumes share with them.

use super::amount::Amount;
use super::checks::{
    Errors, all_required, between, label, member, optional_one_of, required, required_items, required_member,
    required_with, subdomain, supported,
};
use super::files::{descending, downward, files, no_backsteps, projected};
use super::labels::labels;
use super::view::Node;
use chainplate_apimachinery::field::{Error, Path};

const ONE_TYPE: &str = "may not specify more than 1 volume type";

/// A check of one volume source.
type Check = fn(&Node<'_, '_>, &mut Errors);

/// Sources by member, with the name that upstream's errors have and the check, in upstream's order.
const SOURCES: &[(&str, &str, Check)] = &[
    ("hostPath", "hostPath", host_path),
    ("gitRepo", "gitRepo", |node, errors| {
        required(node, "repository", errors);
        descending(&node.child("directory"), errors);
    }),
    ("gcePersistentDisk", "persistentDisk", |node, errors| disk(node, "pdName", errors)),
    ("awsElasticBlockStore", "awsElasticBlockStore", |node, errors| disk(node, "volumeID", errors)),
    ("secret", "secret", |node, errors| {
        required(node, "secretName", errors);
        files(node, errors);
    }),
    ("nfs", "nfs", nfs),
    ("iscsi", "iscsi", iscsi),
    ("glusterfs", "glusterfs", |node, errors| all_required(node, &["endpoints", "path"], errors)),
    ("flocker", "flocker", flocker),
    ("persistentVolumeClaim", "persistentVolumeClaim", |node, errors| {
        required(node, "claimName", errors);
    }),
    ("rbd", "rbd", rbd),
    ("cinder", "cinder", cinder),
    ("cephfs", "cephfs", |node, errors| {
        required_items(node, "monitors", "", errors);
    }),
    ("quobyte", "quobyte", quobyte),
    ("downwardAPI", "downwardAPI", downward),
    ("fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", flex),
    ("configMap", "configMap", |node, errors| {
        required(node, "name", errors);
        files(node, errors);
    }),
    ("azureFile", "azureFile", |node, errors| all_required(node, &["secretName", "shareName"], errors)),
    ("vsphereVolume", "vsphereVolume", |node, errors| {
        required(node, "volumePath", errors);
    }),
    ("photonPersistentDisk", "photonPersistentDisk", |node, errors| {
        required(node, "pdID", errors);
    }),
    ("portworxVolume", "portworxVolume", |node, errors| {
        required(node, "volumeID", errors);
    }),
    ("azureDisk", "azureDisk", azure_disk),
    ("storageos", "storageos", |node, errors| storage_os(node, false, errors)),
    ("projected", "projected", projected),
    ("scaleIO", "scaleIO", |node, errors| all_required(node, &["gateway", "system", "volumeName"], errors)),
    ("csi", "csi", csi),
    ("ephemeral", "ephemeral", ephemeral),
    ("image", "image", |node, errors| {
        required(node, "reference", errors);
        pull_policy(node, "pullPolicy", errors);
    }),
];

/// Sources of persistent volumes, likewise.
const PERSISTENT: &[(&str, &str, Check)] = &[
    ("hostPath", "hostPath", host_path),
    ("gcePersistentDisk", "persistentDisk", |node, errors| disk(node, "pdName", errors)),
    ("awsElasticBlockStore", "awsElasticBlockStore", |node, errors| disk(node, "volumeID", errors)),
    ("glusterfs", "glusterfs", |node, errors| all_required(node, &["endpoints", "path"], errors)),
    ("flocker", "flocker", flocker),
    ("nfs", "nfs", nfs),
    ("rbd", "rbd", rbd),
    ("quobyte", "quobyte", quobyte),
    ("cephfs", "cephfs", |node, errors| {
        required_items(node, "monitors", "", errors);
    }),
    ("iscsi", "iscsi", iscsi),
    ("cinder", "cinder", cinder),
    ("fc", "fc", fibre_channel),
    ("flexVolume", "flexVolume", flex),
    ("azureFile", "azureFile", |node, errors| all_required(node, &["secretName", "shareName"], errors)),
    ("vsphereVolume", "vsphereVolume", |node, errors| {
        required(node, "volumePath", errors);
    }),
    ("photonPersistentDisk", "photonPersistentDisk", |node, errors| {
        required(node, "pdID", errors);
    }),
    ("portworxVolume", "portworxVolume", |node, errors| {
        required(node, "volumeID", errors);
    }),
    ("azureDisk", "azureDisk", azure_disk),
    ("scaleIO", "scaleIO", |node, errors| all_required(node, &["gateway", "system", "volumeName"], errors)),
    ("local", "local", |node, errors| {
        if required(node, "path", errors) {
            no_backsteps(&node.child("path"), errors);
        }
    }),
    ("storageos", "storageos", |node, errors| storage_os(node, true, errors)),
    ("csi", "csi", csi_persistent),
];

/// The names of persistent volume sources, for comparing old and new.
pub(super) fn persistent_sources() -> impl Iterator<Item = &'static str> {
    PERSISTENT.iter().map(|(name, ..)| *name)
}

/// The volumes of a pod. The answer tells which ones are wrong, by index: nothing can refer to those.
pub(super) fn volumes(node: &Node<'_, '_>, pod_name: &str, errors: &mut Errors) -> Vec<usize> {
    let all = node.value.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut wrong = Vec::new();
    node.each(|index, volume| {
        let before = errors.len();
        source(volume, pod_name, errors);
        let name = volume.text("name");
        if name.is_empty() {
            errors.push(Error::required(&volume.path.child("name"), ""));
        } else {
            member(volume, "name", label, errors);
        }
        let same = |(at, other): (usize, &chainplate_apimachinery::Value)| {
            !wrong.contains(&at) && Node::root(other).text("name") == name
        };
        if all[..index].iter().enumerate().any(same) {
            errors.push(Error::duplicate(&volume.path.child("name"), name));
        }
        if errors.len() > before {
            wrong.push(index);
        }
    });
    wrong
}

fn source(volume: &Node<'_, '_>, pod_name: &str, errors: &mut Errors) {
    let mut found = 0;
    if let Some(directory) = volume.some("emptyDir") {
        found += 1;
        if Amount::of(directory.get("sizeLimit")).is_some_and(Amount::is_negative) {
            let reason = "SizeLimit field must be a valid resource quantity";
            errors.push(Error::forbidden(&directory.path.child("sizeLimit"), reason));
        }
    }
    found += one_source(volume, SOURCES, found, errors);
    if found == 0 {
        errors.push(Error::required(&volume.path, "must specify a volume type"));
    }
    let name = volume.text("name");
    if volume.has("ephemeral") && !pod_name.is_empty() && !name.is_empty() {
        let claim = format!("{pod_name}-{name}");
        for reason in subdomain(&claim) {
            let reason = format!("PVC name {claim:?}: {reason}");
            errors.push(Error::invalid(&volume.path.child("name"), name, reason));
        }
    }
}

/// Checks the one source there is; a second one is forbidden.
fn one_source(
    node: &Node<'_, '_>,
    table: &[(&str, &str, Check)],
    before: usize,
    errors: &mut Errors,
) -> usize {
    let mut found = 0;
    for (name, shown, check) in table {
        if !node.has(name) {
            continue;
        }
        if before + found > 0 {
            errors.push(Error::forbidden(&node.path.child(name), ONE_TYPE));
        } else {
            check(&node.child(name).at(node.path.child(shown)), errors);
        }
        found += 1;
    }
    found
}

/// The source of a persistent volume.
pub(super) fn persistent_source(spec: &Node<'_, '_>, errors: &mut Errors) {
    if one_source(spec, PERSISTENT, 0, errors) == 0 {
        errors.push(Error::required(&spec.path, "must specify a volume type"));
    }
}

fn host_path(node: &Node<'_, '_>, errors: &mut Errors) {
    if !required(node, "path", errors) {
        return;
    }
    no_backsteps(&node.child("path"), errors);
    optional_one_of(
        node,
        "type",
        &[
            "",
            "BlockDevice",
            "CharDevice",
            "Directory",
            "DirectoryOrCreate",
            "File",
            "FileOrCreate",
            "Socket",
        ],
        errors,
    );
}

fn disk(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    required(node, name, errors);
    let partition = node.int("partition");
    if !(0..=255).contains(&partition) {
        errors.push(Error::invalid(&node.path.child("partition"), partition, between(1, 255)));
    }
}

fn nfs(node: &Node<'_, '_>, errors: &mut Errors) {
    all_required(node, &["server", "path"], errors);
    let path = node.text("path");
    if !path.starts_with('/') {
        errors.push(Error::invalid(&node.path.child("path"), path, "must be an absolute path"));
    }
}

fn iscsi(node: &Node<'_, '_>, errors: &mut Errors) {
    required(node, "targetPortal", errors);
    if required(node, "iqn", errors) {
        qualified_name(&node.child("iqn"), node.text("iqn"), errors);
    }
    let lun = node.int("lun");
    if !(0..=255).contains(&lun) {
        errors.push(Error::invalid(&node.path.child("lun"), lun, between(0, 255)));
    }
    if (node.is("chapAuthDiscovery") || node.is("chapAuthSession")) && !node.has("secretRef") {
        errors.push(Error::required(&node.path.child("secretRef"), ""));
    }
    if node.has("initiatorName") {
        let initiator = node.child("initiatorName");
        qualified_name(&initiator.at(node.path.child("initiatorname")), initiator.str(), errors);
    }
}

/// An iSCSI name: `iqn.…`, `eui.…` with 16, `naa.…` with 32 characters.
fn qualified_name(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let alphanumeric = |rest: &str, length: usize| {
        rest.len() == length && rest.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let tail = name.get(4..).unwrap_or_default();
    let reason = match name.get(..3) {
        Some("iqn") if is_iqn(name) => return,
        Some("eui") if alphanumeric(tail, 16) => return,
        Some("naa") if alphanumeric(tail, 32) => return,
        Some("iqn" | "eui" | "naa") => "must be valid format",
        _ => "must be valid format starting with iqn, eui, or naa",
    };
    errors.push(Error::invalid(&node.path, name, reason));
}

/// `iqn.yyyy-mm.naming-authority:name`.
fn is_iqn(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("iqn.") else { return false };
    let date = rest.as_bytes();
    let digit = |at: usize| date.get(at).is_some_and(u8::is_ascii_digit);
    let dated =
        (0..4).all(digit) && date.get(4) == Some(&b'-') && digit(5) && digit(6) && date.get(7) == Some(&b'.');
    let Some((authority, unique)) = rest.get(8..).and_then(|rest| rest.split_once(':')) else { return false };
    dated
        && !authority.is_empty()
        && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
        && !unique.is_empty()
        && !unique.contains([',', ';', '*', '&', '$', '|'])
        && !unique.contains(char::is_whitespace)
}

fn flocker(node: &Node<'_, '_>, errors: &mut Errors) {
    let (name, uuid) = (node.text("datasetName"), node.text("datasetUUID"));
    if name.is_empty() && uuid.is_empty() {
        errors.push(Error::required(&node.path, "one of datasetName and datasetUUID is required"));
    }
    if !name.is_empty() && !uuid.is_empty() {
        let reason = "datasetName and datasetUUID can not be specified simultaneously";
        errors.push(Error::invalid(&node.path, "resource", reason));
    }
    if name.contains('/') {
        errors.push(Error::invalid(&node.path.child("datasetName"), name, "must not contain '/'"));
    }
}

fn rbd(node: &Node<'_, '_>, errors: &mut Errors) {
    required_items(node, "monitors", "", errors);
    required(node, "image", errors);
}

fn cinder(node: &Node<'_, '_>, errors: &mut Errors) {
    required(node, "volumeID", errors);
    if let Some(secret) = node.some("secretRef") {
        required(&secret, "name", errors);
    }
}

fn quobyte(node: &Node<'_, '_>, errors: &mut Errors) {
    const PAIRS: &str = "must be a host:port pair or multiple pairs separated by commas";
    if required_with(node, "registry", PAIRS, errors) {
        if node.text("tenant").len() >= 65 {
            let reason = "must be a UUID and may not exceed a length of 64 characters";
            errors.push(Error::required(&node.path.child("tenant"), reason));
        } else {
            for pair in node.text("registry").split(',') {
                if pair.matches(':').count() != 1 {
                    errors.push(Error::invalid(&node.path.child("registry"), node.text("registry"), PAIRS));
                }
            }
        }
    }
    required(node, "volume", errors);
}

fn fibre_channel(node: &Node<'_, '_>, errors: &mut Errors) {
    let (names, ids) = (node.len("targetWWNs"), node.len("wwids"));
    let path = node.path.child("targetWWNs");
    if names == 0 && ids == 0 {
        errors.push(Error::required(&path, "must specify either targetWWNs or wwids, but not both"));
    }
    if names > 0 && ids > 0 {
        let reason = "targetWWNs and wwids can not be specified simultaneously";
        errors.push(Error::invalid(&path, node.get("targetWWNs").clone(), reason));
    }
    if names > 0 {
        match node.number("lun") {
            None => errors
                .push(Error::required(&node.path.child("lun"), "lun is required if targetWWNs is specified")),
            Some(lun) if !(0..=255).contains(&lun) => {
                errors.push(Error::invalid(&node.path.child("lun"), lun, between(0, 255)));
            }
            Some(_) => {}
        }
    }
}

fn flex(node: &Node<'_, '_>, errors: &mut Errors) {
    required(node, "driver", errors);
    node.child("options").entries(|key, option| {
        let namespace = format!(".{}", key.split('/').next().unwrap_or_default().to_lowercase());
        if namespace.ends_with(".kubernetes.io") || namespace.ends_with(".k8s.io") {
            let reason = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(Error::invalid(&option.path, key, reason));
        }
    });
}

fn azure_disk(node: &Node<'_, '_>, errors: &mut Errors) {
    all_required(node, &["diskName", "diskURI"], errors);
    optional_one_of(node, "cachingMode", &["None", "ReadOnly", "ReadWrite"], errors);
    optional_one_of(node, "kind", &["Dedicated", "Managed", "Shared"], errors);
    let (uri, path) = (node.text("diskURI"), node.path.child("diskURI"));
    let (start, example) = match node.text("kind") {
        "" => return,
        "Managed" => (
            "/subscriptions/",
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
        ),
        _ => ("https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"),
    };
    if !uri.starts_with(start) {
        errors.push(Error::not_supported(&path, uri, &[example]));
    }
}

fn storage_os(node: &Node<'_, '_>, with_namespace: bool, errors: &mut Errors) {
    required_member(node, "volumeName", label, errors);
    super::checks::member_if_any(node, "volumeNamespace", label, errors);
    if let Some(secret) = node.some("secretRef") {
        required(&secret, "name", errors);
        if with_namespace {
            required(&secret, "namespace", errors);
        }
    }
}

fn csi(node: &Node<'_, '_>, errors: &mut Errors) {
    csi_driver_name(node, "driver", errors);
    if let Some(secret) = node.some("nodePublishSecretRef")
        && required(&secret, "name", errors)
    {
        for reason in subdomain(secret.text("name")) {
            errors.push(Error::invalid(&node.path.child("name"), secret.text("name"), reason));
        }
    }
}

/// A CSI driver's name: a subdomain of at most 63 bytes in any case (`ValidateCSIDriverName`).
pub(super) fn csi_driver_name(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    let (path, text) = (node.path.child(name), node.text(name));
    if text.is_empty() {
        errors.push(Error::required(&path, ""));
        return;
    }
    if text.len() > 63 {
        errors.push(Error::too_long(&path, 63));
    }
    for reason in subdomain(&text.to_lowercase()) {
        errors.push(Error::invalid(&path, text, reason));
    }
}

fn csi_persistent(node: &Node<'_, '_>, errors: &mut Errors) {
    csi_driver_name(node, "driver", errors);
    required(node, "volumeHandle", errors);
    for name in [
        "controllerPublishSecretRef",
        "controllerExpandSecretRef",
        "nodePublishSecretRef",
        "nodeExpandSecretRef",
    ] {
        if let Some(secret) = node.some(name) {
            required_member(&secret, "name", subdomain, errors);
            required_member(&secret, "namespace", label, errors);
        }
    }
}

fn ephemeral(node: &Node<'_, '_>, errors: &mut Errors) {
    let Some(template) = node.some("volumeClaimTemplate") else {
        errors.push(Error::required(&node.path.child("volumeClaimTemplate"), ""));
        return;
    };
    template_metadata(&template.child("metadata"), errors);
    super::storage_core::claim_spec(&template.child("spec"), errors);
}

/// Metadata of an embedded object: labels and annotations alone (`ValidateTemplateObjectMeta`).
pub(super) fn template_metadata(node: &Node<'_, '_>, errors: &mut Errors) {
    annotations(&node.child("annotations"), errors);
    labels(&node.child("labels"), errors);
    for (key, value) in node.value.as_object().into_iter().flatten() {
        let set = match value {
            chainplate_apimachinery::Value::String(text) => !text.is_empty(),
            chainplate_apimachinery::Value::Array(items) => !items.is_empty(),
            other => !other.is_null(),
        };
        if set && !matches!(key.as_str(), "labels" | "annotations") {
            errors.push(Error::forbidden(&node.path.child(key), "cannot be set"));
        }
    }
}

/// Annotations: qualified keys in any case, 256 KiB in all.
pub(super) fn annotations(node: &Node<'_, '_>, errors: &mut Errors) {
    const MAX: usize = 256 * 1024;
    let Some(map) = node.value.as_object() else { return };
    let mut size = 0;
    for (key, value) in map {
        for reason in super::checks::qualified(&key.to_lowercase()) {
            errors.push(Error::invalid(&node.path, key.as_str(), reason));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX {
        errors.push(Error::too_long(&node.path, MAX));
    }
}

/// A pull policy, which defaults have set.
pub(super) fn pull_policy(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    if required(node, name, errors) {
        supported(&node.path.child(name), node.text(name), &["Always", "IfNotPresent", "Never"], errors);
    }
}

/// The path of a persistent volume's pseudo field in upstream's errors.
pub(super) const PERSISTENT_SOURCE: Path<'static> =
    Path::Child(&super::checks::SPEC, "persistentvolumesource");
