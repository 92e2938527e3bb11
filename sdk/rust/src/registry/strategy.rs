//! The seam between the registry and a type.

use super::{DeleteOptions, Descriptor};
use crate::{Collection, Outcome, Request};
use chainplate_apimachinery::{Status, Value, decode::Malformed, field, request::Verb};

/// What is going on, for the hooks of a [`Strategy`].
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The request, for the user and for warnings.
    pub request: &'a Request<'a>,
    /// `Create` or `Update`: a PATCH of an object that exists is an update, of a missing one a create. `Delete` in
    /// [`Strategy::check_graceful_delete`].
    pub operation: Verb,
    /// The subresource, empty for the main resource.
    pub subresource: &'a str,
    /// The namespace of the URL; empty for cluster-scoped resources.
    pub namespace: &'a str,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The time of the request: RFC 3339, UTC, whole seconds.
    pub now: &'a str,
}

/// Who writes, for managed fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manager<'a> {
    /// `fieldManager`, or the user agent up to the first `/`, cut to 128 bytes.
    pub name: &'a str,
    /// The version the request was made in, `apps/v1`.
    pub api_version: &'a str,
    /// The subresource, empty for the main resource.
    pub subresource: &'a str,
    /// The time of the entry: RFC 3339, UTC, whole seconds.
    pub time: &'a str,
}

/// How a type differs from every other: upstream's `RESTCreateStrategy`, `RESTUpdateStrategy`,
/// `RESTDeleteStrategy`, decoder and field manager in one trait.
///
/// The registry calls the hooks in this order (all documents are JSON objects with `kind`, `apiVersion` and
/// `metadata` objects present, in the version that the request names):
///
/// | verb | hooks |
/// |---|---|
/// | create | `decode` → `default` → *admit* → `track` → *mutating admission* → *server-owned metadata* → `prepare_for_create` → *metadata rules*, `validate` → `warnings` → `canonicalize` → `begin_write` → *validating admission* → `to_storage` → store |
/// | update | `decode` → `default` → (per attempt:) `from_storage` of the old → `track` → *mutating admission* → `prepare_for_update` → *metadata rules*, `validate`, `validate_update` → `warnings` → `canonicalize` → `begin_write` → *validating admission* → `to_storage` → store |
/// | patch  | (per attempt:) `from_storage` → JSON or merge patch, [`strategic_merge`](Strategy::strategic_merge) or [`apply`](Strategy::apply) → `decode` → `default` → as update from `track` on (`apply` tracks itself) |
/// | delete | `from_storage` → *admission* → `check_graceful_delete` → `before_delete` → store |
///
/// What every type shares (names, uid, creationTimestamp, resourceVersion, deletionTimestamp, labels, annotations,
/// owner references, finalizers, immutable metadata, generation, `status` kept or alone changed) is the
/// registry's: a type that sets its [`Descriptor`] well implements `decode`, `default` and the two validations.
pub trait Strategy {
    /// The resource as data.
    fn descriptor(&self) -> &Descriptor;

    /// Gives a parsed document the form of the type, in place: checks the JSON types, drops members that the type
    /// does not know, and drops `null` where Go's decoder would leave a zero value. With `strict`, the paths of
    /// dropped members are added to it, `spec.containers[0].foo`, in any order. `kind`, `apiVersion` and all of
    /// `metadata` are checked and cleaned already. It is not called for stored documents.
    ///
    /// # Errors
    /// The decoder's text, `json: cannot unmarshal string into Go struct field …`; the registry wraps it in the 400
    /// that the request's verb calls for.
    fn decode(&self, document: &mut Value, strict: Option<&mut Vec<String>>) -> Result<(), String>;

    /// Turns a document in protobuf (`application/vnd.kubernetes.protobuf`) into its JSON form, with kind and apiVersion:
    /// objects of a type with [`Decoding::Typed`](super::Decoding::Typed), which go through
    /// [`decode`](Strategy::decode) like those that came as JSON, documents of its views, and `DeleteOptions`.
    /// `default` is the apiVersion and kind of a document that does not say them. The default reads nothing.
    ///
    /// # Errors
    /// What is wrong with the body; the client is told in a 400.
    fn decode_protobuf(&self, _body: &[u8], _default: (&str, &str)) -> Result<Value, Malformed> {
        Err(Malformed::untyped("protobuf is not understood here: send JSON"))
    }

    /// Fills what the type fills. Runs on everything that came in and, in [`from_storage`](Strategy::from_storage)
    /// where the type wants it, on what was stored.
    fn default(&self, _object: &mut Value) {}

    /// Turns a stored document into this version. Must cope with documents of other versions and of older schemas.
    /// The default sets `apiVersion` and `kind`.
    ///
    /// # Errors
    /// A 500 when the stored document cannot be read.
    #[allow(
        clippy::wrong_self_convention,
        reason = "the direction matters, and `self` is the type, not the document"
    )]
    fn from_storage(&self, document: &mut Value) -> Result<(), Status> {
        let descriptor = self.descriptor();
        set_type(document, &descriptor.api_version(), &descriptor.kind);
        Ok(())
    }

    /// Turns an object of this version into the stored version. The default leaves it.
    ///
    /// # Errors
    /// A 500 when there is no conversion.
    fn to_storage(&self, _object: &mut Value) -> Result<(), Status> {
        Ok(())
    }

    /// Wipes what a creator may not set and fills what only the server fills. `status` is dropped and `generation` is
    /// set by the registry beforehand, as the descriptor says.
    fn prepare_for_create(&self, _context: &Context<'_>, _object: &mut Value) {}

    /// Puts back what this writer may not change. Before it runs, the registry has put back `status` (main resource) or
    /// everything but `status` and metadata (`/status`), as the descriptor says; for other [`Whole`] subresources it
    /// has put back nothing. Afterwards the registry moves `generation`.
    ///
    /// [`Whole`]: super::SubresourceForm::Whole
    fn prepare_for_update(&self, _context: &Context<'_>, _object: &mut Value, _old: &Value) {}

    /// What is wrong with a new object, apart from its metadata.
    fn validate(&self, _context: &Context<'_>, _object: &Value) -> Vec<field::Error> {
        Vec::new()
    }

    /// What is wrong with an object that replaces `old`, apart from the rules of metadata. Not preceded by
    /// [`validate`](Strategy::validate): the default calls it.
    fn validate_update(&self, context: &Context<'_>, object: &Value, _old: &Value) -> Vec<field::Error> {
        self.validate(context, object)
    }

    /// What the writer should be told (`Warning` headers).
    fn warnings(&self, _context: &Context<'_>, _object: &Value, _old: Option<&Value>) -> Vec<String> {
        Vec::new()
    }

    /// Brings a valid object into the form it is stored in.
    fn canonicalize(&self, _object: &mut Value) {}

    /// The last step before an object is stored, where resources are allocated (cluster IPs) or other objects are asked.
    /// Also runs for dry runs; see [`Context::dry_run`].
    ///
    /// # Errors
    /// The Status that the writer gets.
    fn begin_write(
        &self,
        _context: &Context<'_>,
        _object: &mut Value,
        _old: Option<&Value>,
    ) -> Result<(), Status> {
        Ok(())
    }

    /// Records in `metadata.managedFields` of `object` what `manager` changed from `old` (`None` at create) by an
    /// operation `Update`. `object` carries the managedFields of the request's body as they came: an entry list that
    /// cannot be read or is absent means those of `old`, an empty list resets them. Fields that the subresource's
    /// `prepare_for_update` will put back must not be recorded. The default leaves the object without tracking.
    fn track(&self, _manager: &Manager<'_>, _old: Option<&Value>, object: &mut Value) {
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    }

    /// Server-side apply: merges `patch` into `current` (`None` when the object is to be made) as `manager`, operation
    /// `Apply`, managedFields included. `patch` is as it came, of the right kind and version; the result goes through
    /// [`decode`](Strategy::decode) and [`default`](Strategy::default) afterwards, in that order.
    ///
    /// # Errors
    /// 409 with causes for conflicts unless `force`; 400 or 500 for patches that cannot be typed.
    fn apply(
        &self,
        _manager: &Manager<'_>,
        _force: bool,
        _current: Option<&Value>,
        _patch: Value,
    ) -> Result<Value, Status> {
        Err(super::unsupported_patch(self.descriptor()))
    }

    /// Merges a strategic merge patch into `object`.
    ///
    /// # Errors
    /// 400 for directives that make no sense, 422 for a patch that does not fit.
    fn strategic_merge(&self, _object: &mut Value, _patch: Value) -> Result<(), Status> {
        Err(super::unsupported_patch(self.descriptor()))
    }

    /// Whether the object is taken away gradually, and how long that takes. Asked only with
    /// [`Descriptor::graceful_deletion`]; may change `options.grace_period_seconds`. `false`: at once.
    fn check_graceful_delete(
        &self,
        _context: &Context<'_>,
        _object: &Value,
        _options: &mut DeleteOptions,
    ) -> bool {
        false
    }

    /// A word before an object is deleted, or marked as being deleted: it may refuse, or change the object (namespaces
    /// turn `Terminating`).
    ///
    /// # Errors
    /// The Status that the caller gets.
    fn before_delete(&self, _context: &Context<'_>, _object: &mut Value) -> Result<(), Status> {
        Ok(())
    }

    /// Whether something besides `metadata.finalizers` holds the object (`spec.finalizers` of namespaces).
    fn is_held(&self, _object: &Value) -> bool {
        false
    }

    /// The document of a [`View`](super::SubresourceForm::View) subresource, made of the object. Kind and apiVersion are
    /// set by the registry, as is the metadata that views carry (name, namespace, uid, resourceVersion,
    /// creationTimestamp).
    ///
    /// # Errors
    /// 404 when this object has no such view; 500 when it cannot be made.
    fn view(&self, _subresource: &str, _object: &Value) -> Result<Value, Status> {
        Err(Status::unknown_resource())
    }

    /// What is wrong with the document of a view that somebody wants to write.
    fn validate_view(&self, _subresource: &str, _view: &Value) -> Vec<field::Error> {
        Vec::new()
    }

    /// Writes a view back into the object (`spec.replicas`).
    ///
    /// # Errors
    /// 422 or 400 when it cannot be.
    fn set_from_view(&self, _subresource: &str, _object: &mut Value, _view: &Value) -> Result<(), Status> {
        Err(Status::unknown_resource())
    }

    /// Answers a [`Custom`](super::SubresourceForm::Custom) subresource whose verb the descriptor allows.
    ///
    /// # Errors
    /// The Status that the client gets.
    fn custom(&self, _request: &Request<'_>, _collection: &Collection) -> Result<Outcome, Status> {
        Err(Status::unknown_resource())
    }
}

fn set_type(document: &mut Value, api_version: &str, kind: &str) {
    for (key, want) in [("apiVersion", api_version), ("kind", kind)] {
        match document.get(key) {
            Some(Value::String(have)) if have == want => {}
            _ => {
                if let Some(map) = document.as_object_mut() {
                    map.insert(key.into(), want.into());
                }
            }
        }
    }
}
