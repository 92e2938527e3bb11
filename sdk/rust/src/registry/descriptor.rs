//! What the registry must know of a resource, as data.

use chainplate_apimachinery::request::Verb;
use std::borrow::Cow;

pub use chainplate_apimachinery::names::NameRule;

/// Text that is built in, or made when a CRD is read.
pub type Text = Cow<'static, str>;

/// One resource in one version. Cheap to clone for built-in types; made once per CRD version.
///
/// Fill it with [`Descriptor::new`] and set what differs from the defaults.
#[derive(Debug, Clone)]
pub struct Descriptor {
    /// The API group, empty for core.
    pub group: Text,
    /// The version, `v1`.
    pub version: Text,
    /// The plural resource, `pods`.
    pub resource: Text,
    /// The kind, `Pod`.
    pub kind: Text,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The verbs of the main resource; others are 405. Default: all eight.
    pub verbs: Cow<'static, [Verb]>,
    /// The subresources; any other is 404. Default: none.
    pub subresources: Cow<'static, [Subresource]>,
    /// The rule of `metadata.name`. Default: a DNS-1123 subdomain.
    pub name_rule: NameRule,
    /// Whether a PUT without resourceVersion replaces whatever is there (`AllowUnconditionalUpdate`); otherwise
    /// 422. Default: false, as for custom resources.
    pub allow_unconditional_update: bool,
    /// Whether PUT of a missing object makes it (`AllowCreateOnUpdate`: Lease, Endpoints, Role and a few others);
    /// otherwise 404. Apply always makes it, other patches never do. Default: false.
    pub allow_create_on_update: bool,
    /// What moves `metadata.generation`. Default: [`Generation::Off`].
    pub generation: Generation,
    /// What a DELETE without propagation options does to dependents. Default: background.
    pub default_propagation: DefaultPropagation,
    /// Whether [`Strategy::check_graceful_delete`](super::Strategy::check_graceful_delete) is asked
    /// (`RESTGracefulDeleteStrategy`). Default: false: deletion is immediate unless finalizers hold the object.
    pub graceful_deletion: bool,
    /// Whether DELETE answers the deleted object instead of a Status (`ReturnDeletedObject`: pods, services,
    /// service accounts, persistent volumes and claims …). Default: false.
    pub returns_deleted_object: bool,
    /// Whether `application/strategic-merge-patch+json` is understood; otherwise 415. Custom resources: false.
    /// Default: false.
    pub strategic_merge: bool,
    /// Whether `application/apply-patch+yaml` is understood; otherwise 415. Default: true.
    pub apply: bool,
    /// How a body is decoded, and so in which order its strict errors are told. Default: typed.
    pub decoding: Decoding,
    /// Whether finalizers must be known ones or have a domain with a path (`core/validation.ValidateObjectMeta`, which
    /// the types of kubernetes/kubernetes use; definitions of custom resources and APIServices do not). Default: false.
    pub kube_finalizers: bool,
    /// Whether the validation of an update validates the new object's metadata as at create, too, as `ValidateConfigMap`
    /// in `ValidateConfigMapUpdate` does; subresources do not. It only decides how often a cause is told: three or four
    /// times. Default: false.
    pub validates_whole_on_update: bool,
    /// The group that a 422 names, where it is not the resource's own: events are validated as the type of the core
    /// group, whatever group they are sent to. Default: none.
    pub told_group: Option<Text>,
    /// What whoever deletes without a word on dependents is warned of (Jobs leave their pods). Default: none.
    pub delete_warning: Option<Text>,
    /// The kind of lists. Default: the kind and `List`.
    pub list_kind: Text,
}

impl Descriptor {
    /// A resource with all verbs, no subresource and the defaults that each field tells.
    pub fn new(
        group: impl Into<Text>,
        version: impl Into<Text>,
        resource: impl Into<Text>,
        kind: impl Into<Text>,
        namespaced: bool,
    ) -> Self {
        let kind = kind.into();
        let list_kind = Cow::Owned(format!("{kind}List"));
        Self {
            group: group.into(),
            version: version.into(),
            resource: resource.into(),
            kind,
            namespaced,
            verbs: Cow::Borrowed(ALL_VERBS),
            subresources: Cow::Borrowed(&[]),
            name_rule: chainplate_apimachinery::names::subdomain,
            allow_unconditional_update: false,
            allow_create_on_update: false,
            generation: Generation::Off,
            default_propagation: DefaultPropagation::Background,
            graceful_deletion: false,
            returns_deleted_object: false,
            strategic_merge: false,
            apply: true,
            decoding: Decoding::Typed,
            kube_finalizers: false,
            validates_whole_on_update: false,
            told_group: None,
            delete_warning: None,
            list_kind,
        }
    }

    /// `apps/v1`, or `v1` in the core group.
    pub fn api_version(&self) -> Cow<'_, str> {
        if self.group.is_empty() {
            Cow::Borrowed(&self.version)
        } else {
            Cow::Owned(format!("{}/{}", self.group, self.version))
        }
    }

    /// The subresource of that name.
    pub fn subresource(&self, name: &str) -> Option<&Subresource> {
        self.subresources.iter().find(|subresource| subresource.name == name)
    }

    /// Whether `/status` is served, and so whether main writes leave `status` alone.
    pub fn has_status(&self) -> bool {
        self.subresource("status").is_some()
    }
}

/// The verbs of an ordinary resource.
pub const ALL_VERBS: &[Verb] = &[
    Verb::Get,
    Verb::List,
    Verb::Watch,
    Verb::Create,
    Verb::Update,
    Verb::Patch,
    Verb::Delete,
    Verb::DeleteCollection,
];

/// A path below an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subresource {
    /// Its name, `status`.
    pub name: Text,
    /// Its verbs; others are 405.
    pub verbs: Cow<'static, [Verb]>,
    /// What it is made of.
    pub form: SubresourceForm,
}

impl Subresource {
    /// `/status` with get, update and patch.
    pub const STATUS: Subresource = Subresource::whole("status");

    /// A subresource that reads and writes the whole object under its own rules, with get, update and patch.
    pub const fn whole(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            verbs: Cow::Borrowed(&[Verb::Get, Verb::Update, Verb::Patch]),
            form: SubresourceForm::Whole,
        }
    }

    /// `/scale` as `autoscaling/v1` Scale with get, update and patch; see
    /// [`Strategy::view`](super::Strategy::view).
    pub const SCALE: Subresource = Subresource {
        name: Cow::Borrowed("scale"),
        verbs: Cow::Borrowed(&[Verb::Get, Verb::Update, Verb::Patch]),
        form: SubresourceForm::View {
            api_version: Cow::Borrowed("autoscaling/v1"),
            kind: Cow::Borrowed("Scale"),
        },
    };

    /// A subresource that [`Strategy::custom`](super::Strategy::custom) answers alone.
    pub const fn custom(name: &'static str, verbs: &'static [Verb]) -> Self {
        Self { name: Cow::Borrowed(name), verbs: Cow::Borrowed(verbs), form: SubresourceForm::Custom }
    }
}

/// What a subresource is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubresourceForm {
    /// The whole object; only what its `prepare_for_update` lets through is changed (status, approval, finalize).
    Whole,
    /// A document of another kind, made of the object and written back into it (scale).
    View {
        /// The document's apiVersion.
        api_version: Text,
        /// The document's kind.
        kind: Text,
    },
    /// Anything else: the strategy answers (binding, eviction, log, token).
    Custom,
}

/// What moves `metadata.generation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Never set: most types without a spec that somebody reconciles.
    Off,
    /// 1 at create; one more with each change of `spec` by the main resource.
    Spec,
    /// As `Spec`, and with each change of an annotation (Deployments).
    SpecOrAnnotations,
    /// 1 at create; one more with each change outside metadata, and outside `status` if there is `/status`
    /// (custom resources).
    NotMetadata,
}

/// What a DELETE without propagation options does to dependents (`GarbageCollectionDeleteStrategy`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultPropagation {
    /// The garbage collector removes them afterwards.
    Background,
    /// They are left alone (Job and CronJob of old, ReplicationController).
    Orphan,
    /// The resource has no dependents that one could orphan (`Unsupported`: events, leases …).
    Unsupported,
}

/// How a body is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoding {
    /// Into a Go struct: unknown and duplicate fields are told in the order of the document.
    Typed,
    /// Into a map that a schema prunes afterwards: duplicates first, then unknown fields by path.
    Unstructured,
}
