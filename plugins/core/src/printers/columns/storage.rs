//! Columns of what belongs to storage.

use super::*;
use crate::printers::storage;

pub(super) const LAYOUTS: &[Layout] = &[
    of(
        "",
        "persistentvolumes",
        &[
            NAME,
            text("Capacity", Field(api!("core.v1.PersistentVolumeSpec"), "capacity")),
            text("Access Modes", Field(api!("core.v1.PersistentVolumeSpec"), "accessModes")),
            text(
                "Reclaim Policy",
                Field(api!("core.v1.PersistentVolumeSpec"), "persistentVolumeReclaimPolicy"),
            ),
            text("Status", Field(api!("core.v1.PersistentVolumeStatus"), "phase")),
            text("Claim", Field(api!("core.v1.PersistentVolumeSpec"), "claimRef")),
            text("StorageClass", Text("StorageClass of the pv")),
            text("VolumeAttributesClass", Text("VolumeAttributesClass of the pv")),
            text("Reason", Field(api!("core.v1.PersistentVolumeStatus"), "reason")),
            AGE,
            wide("VolumeMode", Field(api!("core.v1.PersistentVolumeSpec"), "volumeMode")),
        ],
        storage::persistent_volume,
    ),
    of(
        "",
        "persistentvolumeclaims",
        &[
            NAME,
            text("Status", Field(api!("core.v1.PersistentVolumeClaimStatus"), "phase")),
            text("Volume", Field(api!("core.v1.PersistentVolumeClaimSpec"), "volumeName")),
            text("Capacity", Field(api!("core.v1.PersistentVolumeClaimStatus"), "capacity")),
            text("Access Modes", Field(api!("core.v1.PersistentVolumeClaimStatus"), "accessModes")),
            text("StorageClass", Text("StorageClass of the pvc")),
            text("VolumeAttributesClass", Text("VolumeAttributesClass of the pvc")),
            AGE,
            wide("VolumeMode", Field(api!("core.v1.PersistentVolumeClaimSpec"), "volumeMode")),
        ],
        storage::persistent_volume_claim,
    ),
    of(
        "storage.k8s.io",
        "storageclasses",
        &[
            NAME,
            text("Provisioner", Field(api!("storage.v1.StorageClass"), "provisioner")),
            text("ReclaimPolicy", Field(api!("storage.v1.StorageClass"), "reclaimPolicy")),
            text("VolumeBindingMode", Field(api!("storage.v1.StorageClass"), "volumeBindingMode")),
            text("AllowVolumeExpansion", Field(api!("storage.v1.StorageClass"), "allowVolumeExpansion")),
            AGE,
        ],
        storage::storage_class,
    ),
    of(
        "storage.k8s.io",
        "volumeattributesclasses",
        &[NAME, text("DriverName", Field(api!("storage.v1.VolumeAttributesClass"), "driverName")), AGE],
        storage::volume_attributes_class,
    ),
    of(
        "storage.k8s.io",
        "volumeattachments",
        &[
            NAME,
            Cell {
                format: "name",
                ..text("Attacher", Field(api!("storage.v1.VolumeAttachmentSpec"), "attacher"))
            },
            text("PV", Field(api!("storage.v1.VolumeAttachmentSource"), "persistentVolumeName")),
            text("Node", Field(api!("storage.v1.VolumeAttachmentSpec"), "nodeName")),
            boolean("Attached", Field(api!("storage.v1.VolumeAttachmentStatus"), "attached")),
            AGE,
        ],
        storage::volume_attachment,
    ),
    of(
        "storage.k8s.io",
        "csinodes",
        &[
            NAME,
            integer("Drivers", Text("Drivers indicates the number of CSI drivers registered on the node")),
            AGE,
        ],
        storage::csi_node,
    ),
    of(
        "storage.k8s.io",
        "csidrivers",
        &[
            NAME,
            boolean("AttachRequired", Field(api!("storage.v1.CSIDriverSpec"), "attachRequired")),
            boolean("PodInfoOnMount", Field(api!("storage.v1.CSIDriverSpec"), "podInfoOnMount")),
            boolean("StorageCapacity", Field(api!("storage.v1.CSIDriverSpec"), "storageCapacity")),
            text("TokenRequests", Field(api!("storage.v1.CSIDriverSpec"), "tokenRequests")),
            boolean("RequiresRepublish", Field(api!("storage.v1.CSIDriverSpec"), "requiresRepublish")),
            text("Modes", Field(api!("storage.v1.CSIDriverSpec"), "volumeLifecycleModes")),
            AGE,
        ],
        storage::csi_driver,
    ),
    of(
        "storage.k8s.io",
        "csistoragecapacities",
        &[
            NAME,
            text("StorageClassName", Field(api!("storage.v1.CSIStorageCapacity"), "storageClassName")),
            text("Capacity", Field(api!("storage.v1.CSIStorageCapacity"), "capacity")),
        ],
        storage::csi_storage_capacity,
    ),
];
