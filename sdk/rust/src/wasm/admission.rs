//! Admission: for servers that ask it, and for plugins that are asked.

use super::{Collection, Request, from_wire};
use crate::{
    admission::{GroupVersionName, Operation},
    bindings::chainplate::server::{admission_control, review, types as wire},
};
use chainplate_apimachinery::{Status, request::UserInfo};

fn operation_to_wire(operation: Operation) -> wire::Operation {
    match operation {
        Operation::Create => wire::Operation::Create,
        Operation::Update => wire::Operation::Update,
        Operation::Delete => wire::Operation::Delete,
        Operation::Connect => wire::Operation::Connect,
    }
}

fn operation_from_wire(operation: wire::Operation) -> Operation {
    match operation {
        wire::Operation::Create => Operation::Create,
        wire::Operation::Update => Operation::Update,
        wire::Operation::Delete => Operation::Delete,
        wire::Operation::Connect => Operation::Connect,
    }
}

/// One write on its way to storage, for servers. Ask [`mutate`](Self::mutate) before the object is prepared and
/// validated, [`validate`](Self::validate) after that, right before it is stored.
#[derive(Debug)]
pub struct AdmissionAttributes(admission_control::Attributes);

impl AdmissionAttributes {
    /// What is about to be done. `namespace` and `name` are the request's; the name is empty where it is yet to be made.
    pub fn new(
        request: &Request<'_>,
        of: &Collection,
        operation: Operation,
        subresource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Self {
        let operation = operation_to_wire(operation);
        Self(admission_control::Attributes::new(request.raw, &of.0, operation, subresource, namespace, name))
    }

    /// The kind of the document, where it is not the collection's: `autoscaling/v1` Scale.
    pub fn set_kind(&self, group: &str, version: &str, kind: &str) {
        self.0.set_kind(group, version, kind);
    }

    /// The name, once it is made.
    pub fn set_name(&self, name: &str) {
        self.0.set_name(name);
    }

    /// CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, in JSON.
    pub fn set_options(&self, json: &[u8]) {
        self.0.set_options(json);
    }

    /// Says that nothing will be stored.
    pub fn set_dry_run(&self) {
        self.0.set_dry_run();
    }

    /// Whether somebody may want to change such an object. False saves encoding it.
    pub fn mutates(&self) -> bool {
        self.0.mutates()
    }

    /// Whether somebody may want to judge such an object.
    pub fn validates(&self) -> bool {
        self.0.validates()
    }

    /// Has the object changed by whoever may; none when it stays as it is.
    ///
    /// # Errors
    /// The Status of the refusal.
    pub fn mutate(&self, object: Option<&[u8]>, old: Option<&[u8]>) -> Result<Option<Vec<u8>>, Status> {
        self.0.mutate(object, old).map_err(from_wire)
    }

    /// Has the object judged.
    ///
    /// # Errors
    /// The Status of the refusal.
    pub fn validate(&self, object: Option<&[u8]>, old: Option<&[u8]>) -> Result<(), Status> {
        self.0.validate(object, old).map_err(from_wire)
    }
}

/// The write to be judged.
#[derive(Debug)]
pub struct AdmissionRequest<'a>(&'a review::AdmissionRequest);

fn name_from_wire(name: review::GroupVersionName) -> GroupVersionName {
    GroupVersionName { group: name.group, version: name.version, name: name.name }
}

impl<'a> AdmissionRequest<'a> {
    pub(crate) fn new(raw: &'a review::AdmissionRequest) -> Self {
        Self(raw)
    }

    /// The request's uid, the same for all who are asked.
    pub fn uid(&self) -> String {
        self.0.uid()
    }

    /// The kind of the object.
    pub fn kind(&self) -> GroupVersionName {
        name_from_wire(self.0.kind())
    }

    /// The resource.
    pub fn resource(&self) -> GroupVersionName {
        name_from_wire(self.0.resource())
    }

    /// The subresource, empty for the main resource.
    pub fn subresource(&self) -> String {
        self.0.subresource()
    }

    /// The name; empty where it is yet to be made.
    pub fn name(&self) -> String {
        self.0.name()
    }

    /// The namespace; none for cluster-scoped objects.
    pub fn namespace(&self) -> Option<String> {
        self.0.namespace()
    }

    /// What is done.
    pub fn operation(&self) -> Operation {
        operation_from_wire(self.0.operation())
    }

    /// Who does it.
    pub fn user(&self) -> UserInfo {
        super::user_from_wire(self.0.user())
    }

    /// Whether nothing will be stored: then nothing else may be changed either.
    pub fn is_dry_run(&self) -> bool {
        self.0.dry_run()
    }

    /// The options of the request, in JSON; see [`options`](Self::options).
    pub fn options_json(&self) -> Option<Vec<u8>> {
        self.0.options()
    }

    /// The object to be stored, in JSON; see [`object`](Self::object).
    pub fn object_json(&self) -> Option<Vec<u8>> {
        self.0.object()
    }

    /// The object that is there, in JSON; see [`old_object`](Self::old_object).
    pub fn old_object_json(&self) -> Option<Vec<u8>> {
        self.0.old_object()
    }

    /// Adds a `Warning: 299` header to the answer.
    pub fn warn(&self, text: &str) {
        self.0.warn(text);
    }

    /// Adds an audit annotation, `<component>/<key>`.
    pub fn annotate(&self, key: &str, value: &str) {
        self.0.annotate(key, value);
    }
}
