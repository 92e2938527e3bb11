//! The resources of the core group.

use super::{
    CREATE, PART, PROXY, RETURNED, RULES, Resource, Rules, SCALE_AND_STATUS, SPEC, STATUS, STATUS_ONLY,
    STREAM, Storage, Subresource, of, sub,
};
use chainplate_sdk::registry::{DefaultPropagation, Generation};

const fn r(name: &'static str, kind: &'static str) -> Resource {
    of("", "v1", name, kind)
}

/// The resources of `v1`, by name.
pub(super) const V1: &[Resource] = &[
    Resource { verbs: CREATE, storage: Storage::Virtual, ..r("bindings", "Binding") },
    Resource {
        namespaced: false,
        verbs: &["get", "list"],
        short_names: &["cs"],
        storage: Storage::Virtual,
        ..r("componentstatuses", "ComponentStatus")
    },
    Resource { short_names: &["cm"], ..r("configmaps", "ConfigMap") },
    Resource {
        short_names: &["ep"],
        storage: Storage::At("services/endpoints"),
        rules: Rules {
            create_on_update: true,
            deprecation: "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
            ..RULES
        },
        ..r("endpoints", "Endpoints")
    },
    Resource {
        short_names: &["ev"],
        rules: Rules { create_on_update: true, propagation: DefaultPropagation::Unsupported, ..RULES },
        ..r("events", "Event")
    },
    Resource {
        short_names: &["limits"],
        rules: Rules { create_on_update: true, ..RULES },
        ..r("limitranges", "LimitRange")
    },
    Resource {
        namespaced: false,
        verbs: &["create", "delete", "get", "list", "patch", "update", "watch"],
        short_names: &["ns"],
        subresources: &[Subresource { verbs: &["update"], ..sub("finalize") }, STATUS],
        rules: RULES,
        ..r("namespaces", "Namespace")
    },
    Resource {
        namespaced: false,
        short_names: &["no"],
        storage: Storage::At("minions"),
        subresources: &[Subresource { kind: "NodeProxyOptions", verbs: PROXY, ..sub("proxy") }, STATUS],
        ..r("nodes", "Node")
    },
    Resource {
        short_names: &["pvc"],
        subresources: STATUS_ONLY,
        rules: RETURNED,
        ..r("persistentvolumeclaims", "PersistentVolumeClaim")
    },
    Resource {
        namespaced: false,
        short_names: &["pv"],
        subresources: STATUS_ONLY,
        rules: RETURNED,
        ..r("persistentvolumes", "PersistentVolume")
    },
    Resource {
        short_names: &["po"],
        categories: &["all"],
        subresources: &[
            Subresource { kind: "PodAttachOptions", verbs: STREAM, ..sub("attach") },
            Subresource { kind: "Binding", verbs: CREATE, ..sub("binding") },
            sub("ephemeralcontainers"),
            Subresource {
                group: "policy",
                version: "v1",
                kind: "Eviction",
                verbs: CREATE,
                ..sub("eviction")
            },
            Subresource { kind: "PodExecOptions", verbs: STREAM, ..sub("exec") },
            Subresource { verbs: &["get"], ..sub("log") },
            Subresource { kind: "PodPortForwardOptions", verbs: STREAM, ..sub("portforward") },
            Subresource { kind: "PodProxyOptions", verbs: PROXY, ..sub("proxy") },
            Subresource { verbs: PART, ..sub("resize") },
            STATUS,
        ],
        rules: Rules { returns_deleted: true, ..SPEC },
        ..r("pods", "Pod")
    },
    Resource {
        rules: Rules { generation: Generation::NotMetadata, ..RETURNED },
        ..r("podtemplates", "PodTemplate")
    },
    Resource {
        short_names: &["rc"],
        categories: &["all"],
        storage: Storage::At("controllers"),
        subresources: SCALE_AND_STATUS,
        rules: Rules { propagation: DefaultPropagation::Orphan, ..SPEC },
        ..r("replicationcontrollers", "ReplicationController")
    },
    Resource {
        short_names: &["quota"],
        subresources: STATUS_ONLY,
        rules: RETURNED,
        ..r("resourcequotas", "ResourceQuota")
    },
    r("secrets", "Secret"),
    Resource {
        short_names: &["sa"],
        subresources: &[Subresource {
            group: "authentication.k8s.io",
            version: "v1",
            kind: "TokenRequest",
            verbs: CREATE,
            ..sub("token")
        }],
        rules: Rules { unconditional_update: false, ..RETURNED },
        ..r("serviceaccounts", "ServiceAccount")
    },
    Resource {
        short_names: &["svc"],
        categories: &["all"],
        storage: Storage::At("services/specs"),
        subresources: &[Subresource { kind: "ServiceProxyOptions", verbs: PROXY, ..sub("proxy") }, STATUS],
        rules: Rules { create_on_update: true, ..RETURNED },
        ..r("services", "Service")
    },
];
