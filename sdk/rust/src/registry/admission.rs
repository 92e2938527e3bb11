//! Admission of a write, at the two places where upstream asks: mutating after the object was read and tracked, validating
//! right before it is stored (`endpoints/handlers/{create,update,patch,delete}.go`, `registry/generic/registry/store.go`).

use super::{DeleteOptions, exchange::Exchange, view::View};
use crate::admission::{AdmissionAttributes, Operation};
use chainplate_apimachinery::{
    Status, Value, meta, object,
    options::{FieldValidation, WriteOptions},
};
use serde_json::json;

/// What admission is asked about one write.
pub(super) struct Admission<'a> {
    exchange: &'a Exchange<'a>,
    attributes: AdmissionAttributes,
    /// The view through which the object is written, if it is.
    view: Option<&'a View<'a>>,
    mutates: bool,
    validates: bool,
}

impl<'a> Admission<'a> {
    /// For an object that is made, under a name that may be empty.
    pub(super) fn of_create(exchange: &'a Exchange<'a>, name: &str, options: &WriteOptions) -> Self {
        Self::new(exchange, Operation::Create, name, None, options.is_dry_run(), || {
            write_options("CreateOptions", options)
        })
    }

    /// For the object of the URL that is changed, whole or through a view.
    pub(super) fn of_update(
        exchange: &'a Exchange<'a>,
        view: Option<&'a View<'a>>,
        options: &WriteOptions,
    ) -> Self {
        Self::new(exchange, Operation::Update, exchange.name, view, options.is_dry_run(), || {
            write_options("UpdateOptions", options)
        })
    }

    /// For an object that is removed.
    pub(super) fn of_delete(exchange: &'a Exchange<'a>, name: &str, options: &DeleteOptions) -> Self {
        Self::new(exchange, Operation::Delete, name, None, options.is_dry_run(), || delete_options(options))
    }

    fn new(
        exchange: &'a Exchange<'a>,
        operation: Operation,
        name: &str,
        view: Option<&'a View<'a>>,
        dry_run: bool,
        options: impl FnOnce() -> Value,
    ) -> Self {
        let (request, collection) = (exchange.request, exchange.collection);
        let namespace = exchange.scope();
        let attributes =
            AdmissionAttributes::new(request, collection, operation, exchange.subresource, namespace, name);
        let (mutates, validates) = (attributes.mutates(), attributes.validates());
        if mutates || validates {
            if let Some(view) = view {
                let (group, version) = view.api_version.split_once('/').unwrap_or(("", view.api_version));
                attributes.set_kind(group, version, view.kind);
            }
            if dry_run {
                attributes.set_dry_run();
            }
            attributes.set_options(options().to_string().as_bytes());
        }
        Self { exchange, attributes, view, mutates, validates }
    }

    /// The document of an object as admission sees it.
    fn document(&self, object: &Value) -> Result<Vec<u8>, Status> {
        match self.view {
            Some(view) => Ok(object::encode_unsaved(&view.of(object)?)),
            None => Ok(object::encode_unsaved(object)),
        }
    }

    fn documents(&self, object: Option<&Value>, old: Option<&Value>) -> Result<[Option<Vec<u8>>; 2], Status> {
        let document = |of: Option<&Value>| of.map(|object| self.document(object)).transpose();
        Ok([document(object)?, document(old)?])
    }

    /// Has the object changed by whoever may.
    ///
    /// # Errors
    /// The Status of a refusal; 500 for a change that makes the object unreadable.
    pub(super) fn mutate(&self, object: &mut Value, old: Option<&Value>) -> Result<(), Status> {
        if !self.mutates {
            return Ok(());
        }
        let [new, before] = self.documents(Some(object), old)?;
        let Some(changed) = self.attributes.mutate(new.as_deref(), before.as_deref())? else { return Ok(()) };
        let unreadable = |why: &dyn std::fmt::Display| {
            Status::internal(format_args!("the object that admission plugins made cannot be read: {why}"))
        };
        let mut changed: Value = serde_json::from_slice(&changed).map_err(|error| unreadable(&error))?;
        meta::decode(&mut changed, None).map_err(|why| unreadable(&why))?;
        if let (Some(view), Some(old)) = (self.view, old) {
            let owners = object::metadata(object).and_then(|metadata| metadata.get("managedFields")).cloned();
            *object = view.write_back(old, &changed)?;
            if let Some(owners) = owners {
                super::rules::set_meta(object, "managedFields", owners);
            }
            return Ok(());
        }
        let strategy = self.exchange.strategy;
        strategy.decode(&mut changed, None).map_err(|why| unreadable(&why))?;
        strategy.default(&mut changed);
        *object = changed;
        self.exchange.dedup_owners(object, " after mutating admission happens");
        Ok(())
    }

    /// Has the object judged, in the form in which it is stored.
    ///
    /// # Errors
    /// The Status of a refusal.
    pub(super) fn validate(&self, object: &Value, old: Option<&Value>) -> Result<(), Status> {
        if !self.validates {
            return Ok(());
        }
        self.attributes.set_name(object::name(object));
        let [new, before] = self.documents(Some(object), old)?;
        self.attributes.validate(new.as_deref(), before.as_deref())
    }

    /// Asks about the removal of an object. Mutating hooks are asked, too, though there is nothing to change
    /// (`rest.AdmissionToValidateObjectDeleteFunc`).
    ///
    /// # Errors
    /// The Status of a refusal.
    pub(super) fn remove(&self, old: &Value) -> Result<(), Status> {
        if !self.mutates && !self.validates {
            return Ok(());
        }
        let [_, before] = self.documents(None, Some(old))?;
        if self.mutates {
            self.attributes.mutate(None, before.as_deref())?;
        }
        if self.validates {
            self.attributes.validate(None, before.as_deref())?;
        }
        Ok(())
    }
}

pub(super) fn write_options(kind: &str, options: &WriteOptions) -> Value {
    let mut json = json!({
        "kind": kind,
        "apiVersion": "meta.k8s.io/v1",
        "fieldValidation": match options.field_validation {
            FieldValidation::Ignore => "Ignore",
            FieldValidation::Warn => "Warn",
            FieldValidation::Strict => "Strict",
        },
    });
    if !options.dry_run.is_empty() {
        json["dryRun"] = options.dry_run.clone().into();
    }
    if !options.field_manager.is_empty() {
        json["fieldManager"] = options.field_manager.as_str().into();
    }
    json
}

pub(super) fn delete_options(options: &DeleteOptions) -> Value {
    let mut json = json!({"kind": "DeleteOptions", "apiVersion": "meta.k8s.io/v1"});
    if let Some(seconds) = options.grace_period_seconds {
        json["gracePeriodSeconds"] = seconds.into();
    }
    if let Some(uid) = &options.precondition_uid {
        json["preconditions"]["uid"] = uid.as_str().into();
    }
    if let Some(version) = &options.precondition_resource_version {
        json["preconditions"]["resourceVersion"] = version.as_str().into();
    }
    if let Some(orphan) = options.orphan_dependents {
        json["orphanDependents"] = orphan.into();
    }
    if let Some(policy) = &options.propagation_policy {
        json["propagationPolicy"] = policy.as_str().into();
    }
    if !options.dry_run.is_empty() {
        json["dryRun"] = options.dry_run.clone().into();
    }
    json
}
