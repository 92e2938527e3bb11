//! All built-in resources in one table: what discovery tells of them, where they are stored, and which rules
//! their writes follow.
//!
//! Facts: `pkg/controlplane/instance.go` (what is served), `pkg/registry/*/*/strategy.go` (the rules),
//! `pkg/controlplane/storage` and `pkg/kubeapiserver/default_storage_factory_builder.go` (where things stand).

mod core;
mod groups;
#[cfg(test)]
mod tests;

use chainplate_sdk::registry::{DefaultPropagation, Generation};

/// Create, read, write and watch: the verbs of an ordinary resource, in the order of discovery.
pub const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
/// The verbs of `status` and of other subresources that are a part of their object.
pub const PART: &[&str] = &["get", "patch", "update"];
const CREATE: &[&str] = &["create"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
const STREAM: &[&str] = &["create", "get"];

/// One resource in one version.
#[derive(Debug)]
pub struct Resource {
    /// The API group, empty for core.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The plural.
    pub name: &'static str,
    /// The kind; its lower-case form is the singular, with `List` behind it the kind of lists.
    pub kind: &'static str,
    /// Whether objects stand in namespaces.
    pub namespaced: bool,
    /// The verbs, in the order of discovery.
    pub verbs: &'static [&'static str],
    /// Short names.
    pub short_names: &'static [&'static str],
    /// Categories.
    pub categories: &'static [&'static str],
    /// Where the objects stand.
    pub storage: Storage,
    /// Subresources, in the order of discovery.
    pub subresources: &'static [Subresource],
    /// The rules of writes.
    pub rules: Rules,
}

/// Where objects stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: the resource computes an answer.
    Virtual,
    /// Below `/registry/<name of the resource>/`.
    Own,
    /// Below `/registry/<prefix>/`.
    At(&'static str),
    /// Below `/registry/<prefix>/`, in another version: group, version.
    As(&'static str, &'static str, &'static str),
}

/// A subresource.
#[derive(Debug)]
pub struct Subresource {
    /// The name behind the slash.
    pub name: &'static str,
    /// The group of the kind, when it is not that of the resource.
    pub group: &'static str,
    /// The version of the kind, when it is not that of the resource.
    pub version: &'static str,
    /// The kind, the resource's own if empty.
    pub kind: &'static str,
    /// The verbs.
    pub verbs: &'static [&'static str],
}

/// The rules that writes of a resource follow.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// What moves `metadata.generation`.
    pub generation: Generation,
    /// PUT without a resourceVersion is allowed (`AllowUnconditionalUpdate`).
    pub unconditional_update: bool,
    /// PUT of a missing object makes it (`AllowCreateOnUpdate`).
    pub create_on_update: bool,
    /// DELETE answers the object, not a Status (`ReturnDeletedObject`).
    pub returns_deleted: bool,
    /// What DELETE without a policy does to dependents.
    pub propagation: DefaultPropagation,
    /// The warning that every request is answered with.
    pub deprecation: &'static str,
}

/// The rules of most resources.
const RULES: Rules = Rules {
    generation: Generation::Off,
    unconditional_update: true,
    create_on_update: false,
    returns_deleted: false,
    propagation: DefaultPropagation::Background,
    deprecation: "",
};
/// A spec that somebody reconciles.
const SPEC: Rules = Rules { generation: Generation::Spec, ..RULES };
/// As [`RULES`], answering DELETE with the object.
const RETURNED: Rules = Rules { returns_deleted: true, ..RULES };

/// An ordinary resource of a group; tables say what differs.
const fn of(group: &'static str, version: &'static str, name: &'static str, kind: &'static str) -> Resource {
    Resource {
        group,
        version,
        name,
        kind,
        namespaced: true,
        verbs: ALL,
        short_names: &[],
        categories: &[],
        storage: Storage::Own,
        subresources: &[],
        rules: RULES,
    }
}

/// The form of `serviceaccounts/token`: its documents are of another group than the resource that it is a part of.
pub(crate) const TOKEN_REQUEST: Resource =
    of("authentication.k8s.io", "v1", "serviceaccounts", "TokenRequest");

const fn sub(name: &'static str) -> Subresource {
    Subresource { name, group: "", version: "", kind: "", verbs: PART }
}

const STATUS: Subresource = sub("status");
const SCALE: Subresource = Subresource { group: "autoscaling", version: "v1", kind: "Scale", ..sub("scale") };
const STATUS_ONLY: &[Subresource] = &[STATUS];
const SCALE_AND_STATUS: &[Subresource] = &[SCALE, STATUS];

/// A group and version with its place among the others.
#[derive(Debug)]
pub struct GroupVersion {
    /// The group.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The greater, the earlier the group stands (`DefaultGenericAPIServicePriorities` and the additions of
    /// `cmd/kube-apiserver`).
    pub group_priority_minimum: i32,
    /// The greater, the earlier it stands in its group.
    pub version_priority: i32,
}

const fn gv(
    group: &'static str,
    version: &'static str,
    group_priority_minimum: i32,
    version_priority: i32,
) -> GroupVersion {
    GroupVersion { group, version, group_priority_minimum, version_priority }
}

/// All served group-versions, in the order of discovery.
pub const GROUP_VERSIONS: &[GroupVersion] = &[
    gv("", "v1", 18000, 1),
    gv("apps", "v1", 17800, 15),
    gv("events.k8s.io", "v1", 17750, 15),
    gv("authentication.k8s.io", "v1", 17700, 15),
    gv("authorization.k8s.io", "v1", 17600, 15),
    gv("autoscaling", "v2", 17500, 30),
    gv("autoscaling", "v1", 17500, 15),
    gv("batch", "v1", 17400, 15),
    gv("certificates.k8s.io", "v1", 17300, 15),
    gv("networking.k8s.io", "v1", 17200, 15),
    gv("policy", "v1", 17100, 15),
    gv("rbac.authorization.k8s.io", "v1", 17000, 15),
    gv("storage.k8s.io", "v1", 16800, 15),
    gv("admissionregistration.k8s.io", "v1", 16700, 15),
    gv("scheduling.k8s.io", "v1", 16600, 15),
    gv("coordination.k8s.io", "v1", 16500, 15),
    gv("node.k8s.io", "v1", 16300, 15),
    gv("discovery.k8s.io", "v1", 16200, 15),
    gv("flowcontrol.apiserver.k8s.io", "v1", 16100, 21),
    gv("resource.k8s.io", "v1", 15900, 15),
];

/// The resources of a group and version, in the order of discovery (by name).
pub fn of_group_version(group: &str, version: &str) -> &'static [Resource] {
    groups::TABLES
        .iter()
        .find(|table| table.first().is_some_and(|first| first.group == group && first.version == version))
        .copied()
        .unwrap_or_default()
}

/// One resource.
pub fn find(group: &str, version: &str, name: &str) -> Option<&'static Resource> {
    of_group_version(group, version).iter().find(|resource| resource.name == name)
}

/// The resource of a kind.
pub fn find_kind(group: &str, version: &str, kind: &str) -> Option<&'static Resource> {
    of_group_version(group, version).iter().find(|resource| resource.kind == kind)
}

/// Whether a group is served here, in whatever version.
pub fn is_group(group: &str) -> bool {
    GROUP_VERSIONS.iter().any(|gv| gv.group == group)
}

/// All resources of all versions.
pub fn all() -> impl Iterator<Item = &'static Resource> {
    groups::TABLES.iter().flat_map(|table| table.iter())
}

impl Resource {
    /// The singular.
    pub fn singular(&self) -> String {
        self.kind.to_ascii_lowercase()
    }

    /// The kind of lists.
    pub fn list_kind(&self) -> String {
        format!("{}List", self.kind)
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> String {
        api_version(self.group, self.version)
    }

    /// The path below `/registry/`; none for what is not stored.
    pub fn storage_prefix(&self) -> Option<&'static str> {
        match self.storage {
            Storage::Virtual => None,
            Storage::Own => Some(self.name),
            Storage::At(prefix) | Storage::As(prefix, ..) => Some(prefix),
        }
    }

    /// The group and version that objects are stored in.
    pub fn storage_version(&self) -> (&'static str, &'static str) {
        match self.storage {
            Storage::As(_, group, version) => (group, version),
            _ => (self.group, self.version),
        }
    }

    /// Whether this version is the one objects are stored in.
    pub fn is_storage_version(&self) -> bool {
        self.storage_version() == (self.group, self.version)
    }

    /// A subresource.
    pub fn subresource(&self, name: &str) -> Option<&'static Subresource> {
        self.subresources.iter().find(|there| there.name == name)
    }

    /// Whether there is a `status` subresource.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }
}

impl Subresource {
    /// The kind of its documents.
    pub fn kind_in(&self, resource: &Resource) -> &'static str {
        if self.kind.is_empty() { resource.kind } else { self.kind }
    }
}

/// `apps/v1`, `v1`.
pub fn api_version(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}
