//! One request on its way through the registry.

use super::{Context, Descriptor, Manager, Strategy, body};
use crate::{Collection, Outcome, Request, Response, StoredObject};
use chainplate_apimachinery::{
    Status, Value, meta, object,
    options::{FieldValidation, WriteOptions, manager_of_user_agent},
    request::Verb,
    time::{self, Instant},
};

/// One request, and what it is about.
pub(super) struct Exchange<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) strategy: &'a dyn Strategy,
    pub(super) descriptor: &'a Descriptor,
    pub(super) collection: &'a Collection,
    /// Empty for cluster-scoped resources.
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    pub(super) subresource: &'a str,
    pub(super) now: Instant,
    pub(super) now_text: String,
}

/// A manager's name with its version, owned.
pub(super) struct Writer {
    name: String,
    api_version: String,
}

impl<'a> Exchange<'a> {
    pub(super) fn new(
        request: &'a Request<'_>,
        strategy: &'a dyn Strategy,
        collection: &'a Collection,
        now: Instant,
    ) -> Self {
        let info = request.info();
        let descriptor = strategy.descriptor();
        Self {
            request,
            strategy,
            descriptor,
            collection,
            // Upstream's RequestInfo puts a Namespace's own name there.
            namespace: if descriptor.namespaced { &info.namespace } else { "" },
            name: &info.name,
            subresource: &info.subresource,
            now,
            now_text: time::format(now),
        }
    }

    /// The namespace as storage wants it.
    pub(super) fn scope(&self) -> Option<&'a str> {
        self.descriptor.namespaced.then_some(self.namespace)
    }

    pub(super) fn context(&self, operation: Verb, dry_run: bool) -> Context<'_> {
        Context {
            request: self.request,
            operation,
            subresource: self.subresource,
            namespace: self.namespace,
            dry_run,
            now: &self.now_text,
        }
    }

    pub(super) fn writer(&self, options: &WriteOptions) -> Writer {
        let name = if options.field_manager.is_empty() {
            let agent = self.request.header("user-agent");
            manager_of_user_agent(agent.first().map_or("", String::as_str))
        } else {
            options.field_manager.clone()
        };
        Writer { name, api_version: self.descriptor.api_version().into_owned() }
    }

    pub(super) fn manager<'m>(&'m self, writer: &'m Writer) -> Manager<'m> {
        Manager {
            name: &writer.name,
            api_version: &writer.api_version,
            subresource: self.subresource,
            time: &self.now_text,
        }
    }

    pub(super) fn not_found(&self) -> Status {
        Status::not_found(&self.descriptor.group, &self.descriptor.resource, self.name)
    }

    /// A 409 about this resource.
    pub(super) fn conflict(&self, why: &str) -> Status {
        Status::conflict(&self.descriptor.group, &self.descriptor.resource, self.name, why)
    }

    /// Reads the object in the body.
    pub(super) fn read_object(
        &self,
        format: body::Format,
        bytes: &[u8],
        validation: FieldValidation,
    ) -> Result<Value, Status> {
        body::object(self.request, self.strategy, format, bytes, validation)
    }

    /// A stored object in this version.
    pub(super) fn load(&self, stored: &StoredObject) -> Result<Value, Status> {
        let mut value: Value = serde_json::from_slice(&stored.value()).map_err(|error| {
            Status::internal(format_args!(
                "the stored {} {:?} is no JSON: {error}",
                self.descriptor.kind, self.name
            ))
        })?;
        self.strategy.from_storage(&mut value)?;
        Ok(value)
    }

    /// The bytes that are stored of an object.
    pub(super) fn bytes(&self, mut object: Value) -> Result<Vec<u8>, Status> {
        self.strategy.to_storage(&mut object)?;
        Ok(object::encode(&object))
    }

    pub(super) fn unsaved(&self, code: u16, object: &Value) -> Outcome {
        Response::unsaved(code, self.collection, &object::encode_unsaved(object)).into()
    }

    /// Checks that the object is the one of the URL (`checkName`).
    pub(super) fn check_name(&self, object: &Value) -> Result<(), Status> {
        let (there, name) = (object::name(object), self.name);
        if there.is_empty() {
            return Err(Status::bad_request(format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )));
        }
        if there != name {
            return Err(Status::bad_request(format!(
                "the name of the object ({there}) does not match the name on the URL ({name})"
            )));
        }
        Ok(())
    }

    /// Drops repeated owner references and says so. `when` is inserted into upstream's text.
    pub(super) fn dedup_owners(&self, object: &mut Value, when: &str) {
        let dropped = meta::dedup_owner_references(object);
        if !dropped.is_empty() {
            self.request.warn(&format!(
                ".metadata.ownerReferences contains duplicate entries{when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: {}",
                dropped.join(", ")
            ));
        }
    }
}

/// Makes an object's namespace that of the URL (`EnsureObjectNamespaceMatchesRequestNamespace`); empty for cluster-scoped
/// objects.
///
/// # Errors
/// 400 for an object of another namespace.
pub fn ensure_namespace(object: &mut Value, namespace: &str) -> Result<(), Status> {
    let there = object::namespace(object);
    if there == namespace {
        return Ok(());
    }
    if !there.is_empty() && !namespace.is_empty() {
        return Err(Status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    if let Some(metadata) = object::metadata_mut(object) {
        if namespace.is_empty() {
            metadata.remove("namespace");
        } else {
            metadata.insert("namespace".into(), namespace.into());
        }
    }
    Ok(())
}
