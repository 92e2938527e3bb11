//! Admission of what is sent to a subresource that is no part of its object: a document that is stored nowhere (Binding,
//! Eviction), the options of a connection (`exec`), an action of a plugin's own
//! (`endpoints/handlers/{create,update,delete,rest}.go`).

use super::admission::{delete_options, write_options};
use crate::{
    Collection, Request,
    admission::{AdmissionAttributes, Operation},
};
use chainplate_apimachinery::{
    Status, Value, object,
    options::{DeleteOptions, WriteOptions},
};

/// What admission is asked about one such request.
#[derive(Debug)]
pub struct SubresourceAdmission {
    attributes: AdmissionAttributes,
    operation: Operation,
    mutates: bool,
    validates: bool,
}

impl SubresourceAdmission {
    /// For a request to a subresource of the object `name` of a collection.
    pub fn new(request: &Request<'_>, of: &Collection, operation: Operation, name: &str) -> Self {
        let info = request.info();
        let namespace = Some(info.namespace.as_str()).filter(|namespace| !namespace.is_empty());
        let attributes = AdmissionAttributes::new(request, of, operation, &info.subresource, namespace, name);
        let (mutates, validates) = (attributes.mutates(), attributes.validates());
        Self { attributes, operation, mutates, validates }
    }

    /// Whether somebody may want to change or to judge it. `false` saves making the document.
    pub fn is_asked(&self) -> bool {
        self.mutates || self.validates
    }

    /// The kind of the document, where it is not the collection's.
    #[must_use]
    pub fn with_kind(self, group: &str, version: &str, kind: &str) -> Self {
        if self.is_asked() {
            self.attributes.set_kind(group, version, kind);
        }
        self
    }

    /// The options of the request. A connection has none.
    #[must_use]
    pub fn with_options(self, options: &WriteOptions) -> Self {
        if !self.is_asked() {
            return self;
        }
        let json = match self.operation {
            Operation::Create => write_options("CreateOptions", options),
            Operation::Update => write_options("UpdateOptions", options),
            Operation::Delete => delete_options(&DeleteOptions {
                dry_run: options.dry_run.clone(),
                ..DeleteOptions::default()
            }),
            Operation::Connect => return self,
        };
        self.attributes.set_options(json.to_string().as_bytes());
        if options.is_dry_run() {
            self.attributes.set_dry_run();
        }
        self
    }

    /// Has the document changed by whoever may; none when it stays as it is.
    ///
    /// # Errors
    /// The Status of a refusal; 500 for a change that makes it unreadable.
    pub fn mutate(&self, document: Option<&Value>) -> Result<Option<Value>, Status> {
        if !self.mutates {
            return Ok(None);
        }
        let changed = self.attributes.mutate(document.map(object::encode_unsaved).as_deref(), None)?;
        changed.map(|changed| serde_json::from_slice(&changed).map_err(Status::internal)).transpose()
    }

    /// Has the document judged, right before something is done.
    ///
    /// # Errors
    /// The Status of a refusal.
    pub fn validate(&self, document: Option<&Value>) -> Result<(), Status> {
        if !self.validates {
            return Ok(());
        }
        self.attributes.validate(document.map(object::encode_unsaved).as_deref(), None)
    }
}
