//! The resources of the named groups.

use super::{
    CREATE, RETURNED, RULES, Resource, Rules, SCALE_AND_STATUS, SPEC, STATUS, STATUS_ONLY, Storage, core, of,
    sub,
};
use chainplate_sdk::registry::{DefaultPropagation, Generation};

const ALL_CATEGORY: &[&str] = &["all"];
const EXTENSIONS: &[&str] = &["api-extensions"];

/// Strict updates.
const STRICT: Rules = Rules { unconditional_update: false, ..RULES };
/// Strict updates of a spec that counts generations.
const STRICT_SPEC: Rules = Rules { unconditional_update: false, ..SPEC };
const WEBHOOKS: Rules = Rules { generation: Generation::NotMetadata, ..STRICT };
const RBAC: Rules = Rules { create_on_update: true, ..RULES };
/// Types of devices answer DELETE with the object, too.
const SPEC_RETURNED: Rules = Rules { returns_deleted: true, ..SPEC };
/// Storage types answer DELETE with the object.
const STRICT_RETURNED: Rules = Rules { returns_deleted: true, ..STRICT };

const fn cluster(resource: Resource) -> Resource {
    Resource { namespaced: false, ..resource }
}

const fn review(group: &'static str, name: &'static str, kind: &'static str) -> Resource {
    Resource { namespaced: false, verbs: CREATE, storage: Storage::Virtual, ..of(group, "v1", name, kind) }
}

const fn extension(name: &'static str, kind: &'static str, rules: Rules) -> Resource {
    Resource {
        namespaced: false,
        categories: EXTENSIONS,
        rules,
        ..of("admissionregistration.k8s.io", "v1", name, kind)
    }
}

const ADMISSIONREGISTRATION: &[Resource] = &[
    extension("mutatingadmissionpolicies", "MutatingAdmissionPolicy", STRICT_SPEC),
    extension("mutatingadmissionpolicybindings", "MutatingAdmissionPolicyBinding", STRICT_SPEC),
    extension("mutatingwebhookconfigurations", "MutatingWebhookConfiguration", WEBHOOKS),
    Resource {
        subresources: STATUS_ONLY,
        ..extension("validatingadmissionpolicies", "ValidatingAdmissionPolicy", STRICT_SPEC)
    },
    extension("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding", STRICT_SPEC),
    extension("validatingwebhookconfigurations", "ValidatingWebhookConfiguration", WEBHOOKS),
];

const APPS: &[Resource] = &[
    of("apps", "v1", "controllerrevisions", "ControllerRevision"),
    Resource {
        short_names: &["ds"],
        categories: ALL_CATEGORY,
        subresources: STATUS_ONLY,
        rules: SPEC,
        ..of("apps", "v1", "daemonsets", "DaemonSet")
    },
    Resource {
        short_names: &["deploy"],
        categories: ALL_CATEGORY,
        subresources: SCALE_AND_STATUS,
        // Rollouts are told by annotations, too.
        rules: Rules { generation: Generation::SpecOrAnnotations, ..RULES },
        ..of("apps", "v1", "deployments", "Deployment")
    },
    Resource {
        short_names: &["rs"],
        categories: ALL_CATEGORY,
        subresources: SCALE_AND_STATUS,
        rules: SPEC,
        ..of("apps", "v1", "replicasets", "ReplicaSet")
    },
    Resource {
        short_names: &["sts"],
        categories: ALL_CATEGORY,
        subresources: SCALE_AND_STATUS,
        rules: SPEC,
        ..of("apps", "v1", "statefulsets", "StatefulSet")
    },
];

const AUTHENTICATION: &[Resource] = &[
    review("authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview"),
    review("authentication.k8s.io", "tokenreviews", "TokenReview"),
];

const AUTHORIZATION: &[Resource] = &[
    Resource {
        namespaced: true,
        ..review("authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview")
    },
    review("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview"),
    review("authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview"),
    review("authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview"),
];

/// Both versions are kept in v2, as upstream does since 1.30.
const fn autoscaler(version: &'static str) -> Resource {
    Resource {
        short_names: &["hpa"],
        categories: ALL_CATEGORY,
        storage: Storage::As("horizontalpodautoscalers", "autoscaling", "v2"),
        subresources: STATUS_ONLY,
        rules: RULES,
        ..of("autoscaling", version, "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    }
}

const AUTOSCALING_V1: &[Resource] = &[autoscaler("v1")];
const AUTOSCALING_V2: &[Resource] = &[autoscaler("v2")];

const BATCH: &[Resource] = &[
    Resource {
        short_names: &["cj"],
        categories: ALL_CATEGORY,
        subresources: STATUS_ONLY,
        rules: SPEC,
        ..of("batch", "v1", "cronjobs", "CronJob")
    },
    Resource {
        categories: ALL_CATEGORY,
        subresources: STATUS_ONLY,
        // Kept from the time when no garbage collector was there to count on.
        rules: Rules { propagation: DefaultPropagation::Orphan, ..SPEC },
        ..of("batch", "v1", "jobs", "Job")
    },
];

const CERTIFICATES: &[Resource] = &[Resource {
    namespaced: false,
    short_names: &["csr"],
    subresources: &[sub("approval"), STATUS],
    rules: RULES,
    ..of("certificates.k8s.io", "v1", "certificatesigningrequests", "CertificateSigningRequest")
}];

const COORDINATION: &[Resource] = &[Resource {
    rules: Rules { create_on_update: true, ..STRICT },
    ..of("coordination.k8s.io", "v1", "leases", "Lease")
}];

const DISCOVERY: &[Resource] = &[Resource {
    rules: Rules { generation: Generation::NotMetadata, ..RULES },
    ..of("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
}];

const EVENTS: &[Resource] = &[Resource {
    short_names: &["ev"],
    storage: Storage::As("events", "", "v1"),
    rules: Rules { create_on_update: true, propagation: DefaultPropagation::Unsupported, ..RULES },
    ..of("events.k8s.io", "v1", "events", "Event")
}];

const FLOWCONTROL: &[Resource] = &[
    Resource {
        namespaced: false,
        subresources: STATUS_ONLY,
        rules: SPEC,
        ..of("flowcontrol.apiserver.k8s.io", "v1", "flowschemas", "FlowSchema")
    },
    Resource {
        namespaced: false,
        subresources: STATUS_ONLY,
        rules: SPEC,
        ..of(
            "flowcontrol.apiserver.k8s.io",
            "v1",
            "prioritylevelconfigurations",
            "PriorityLevelConfiguration",
        )
    },
];

const NETWORKING: &[Resource] = &[
    Resource {
        namespaced: false,
        rules: SPEC,
        ..of("networking.k8s.io", "v1", "ingressclasses", "IngressClass")
    },
    Resource {
        short_names: &["ing"],
        storage: Storage::At("ingress"),
        subresources: STATUS_ONLY,
        rules: SPEC,
        ..of("networking.k8s.io", "v1", "ingresses", "Ingress")
    },
    Resource {
        namespaced: false,
        short_names: &["ip"],
        ..of("networking.k8s.io", "v1", "ipaddresses", "IPAddress")
    },
    Resource {
        short_names: &["netpol"],
        rules: SPEC,
        ..of("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
    },
    Resource {
        namespaced: false,
        subresources: STATUS_ONLY,
        rules: RULES,
        ..of("networking.k8s.io", "v1", "servicecidrs", "ServiceCIDR")
    },
];

const NODE: &[Resource] =
    &[Resource { rules: STRICT, ..cluster(of("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass")) }];

const POLICY_V1: &[Resource] = &[Resource {
    short_names: &["pdb"],
    subresources: STATUS_ONLY,
    rules: STRICT_SPEC,
    ..of("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
}];

const RBAC_V1: &[Resource] = &[
    Resource {
        namespaced: false,
        rules: RBAC,
        ..of("rbac.authorization.k8s.io", "v1", "clusterrolebindings", "ClusterRoleBinding")
    },
    Resource {
        namespaced: false,
        rules: RBAC,
        ..of("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole")
    },
    Resource { rules: RBAC, ..of("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding") },
    Resource { rules: RBAC, ..of("rbac.authorization.k8s.io", "v1", "roles", "Role") },
];

const RESOURCE: &[Resource] = &[
    Resource { rules: SPEC_RETURNED, ..cluster(of("resource.k8s.io", "v1", "deviceclasses", "DeviceClass")) },
    Resource {
        subresources: STATUS_ONLY,
        rules: RETURNED,
        ..of("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
    },
    Resource {
        rules: RETURNED,
        ..of("resource.k8s.io", "v1", "resourceclaimtemplates", "ResourceClaimTemplate")
    },
    Resource {
        rules: SPEC_RETURNED,
        ..cluster(of("resource.k8s.io", "v1", "resourceslices", "ResourceSlice"))
    },
];

const SCHEDULING: &[Resource] = &[Resource {
    short_names: &["pc"],
    ..cluster(of("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass"))
}];

const STORAGE: &[Resource] = &[
    Resource { rules: STRICT_RETURNED, ..cluster(of("storage.k8s.io", "v1", "csidrivers", "CSIDriver")) },
    Resource { rules: STRICT_RETURNED, ..cluster(of("storage.k8s.io", "v1", "csinodes", "CSINode")) },
    Resource {
        rules: STRICT_RETURNED,
        ..of("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity")
    },
    Resource {
        short_names: &["sc"],
        rules: RETURNED,
        ..cluster(of("storage.k8s.io", "v1", "storageclasses", "StorageClass"))
    },
    Resource {
        subresources: STATUS_ONLY,
        rules: STRICT_RETURNED,
        ..cluster(of("storage.k8s.io", "v1", "volumeattachments", "VolumeAttachment"))
    },
    Resource {
        short_names: &["vac"],
        rules: RETURNED,
        ..cluster(of("storage.k8s.io", "v1", "volumeattributesclasses", "VolumeAttributesClass"))
    },
];

/// One table for each group and version.
pub(super) const TABLES: &[&[Resource]] = &[
    core::V1,
    APPS,
    EVENTS,
    AUTHENTICATION,
    AUTHORIZATION,
    AUTOSCALING_V2,
    AUTOSCALING_V1,
    BATCH,
    CERTIFICATES,
    NETWORKING,
    POLICY_V1,
    RBAC_V1,
    STORAGE,
    ADMISSIONREGISTRATION,
    SCHEDULING,
    COORDINATION,
    NODE,
    DISCOVERY,
    FLOWCONTROL,
    RESOURCE,
];
