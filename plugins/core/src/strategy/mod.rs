//! What makes a built-in type different from every other: the SDK's [`Strategy`] over the tables.

mod delete;
mod prepare;
mod scale;

pub(crate) use delete::pod_grace;
#[cfg(test)]
mod tests;

use crate::{
    admission, allocator, checks, conversion, defaults, nodes, pods, resources::Resource, server::Shared,
    service_accounts, types, validation, warnings,
};
use chainplate_sdk::{
    Collection, Outcome, Request,
    apimachinery::{Status, Value, field, request::Verb},
    registry::{
        Context, Decoding, DeleteOptions, Descriptor, Malformed, Manager, Strategy, Subresource,
        SubresourceForm,
    },
};
use std::{borrow::Cow, rc::Rc};

/// The strategy of one built-in resource in one version.
#[derive(Debug)]
pub struct BuiltIn {
    resource: &'static Resource,
    descriptor: Descriptor,
    shared: Rc<Shared>,
}

impl BuiltIn {
    /// The strategy of `resource`.
    pub fn new(resource: &'static Resource, shared: Rc<Shared>) -> Self {
        Self { resource, descriptor: descriptor(resource), shared }
    }

    fn is(&self, group: &str, name: &str) -> bool {
        self.resource.group == group && self.resource.name == name
    }
}

/// The registry's words for a resource of the table.
pub fn descriptor(resource: &'static Resource) -> Descriptor {
    let rules = &resource.rules;
    let mut descriptor =
        Descriptor::new(resource.group, resource.version, resource.name, resource.kind, resource.namespaced);
    descriptor.verbs = verbs(resource.verbs);
    descriptor.subresources = resource.subresources.iter().map(subresource).collect();
    descriptor.name_rule = validation::name_rule(resource.group, resource.kind);
    descriptor.allow_unconditional_update = rules.unconditional_update;
    descriptor.allow_create_on_update = rules.create_on_update;
    descriptor.generation = rules.generation;
    descriptor.default_propagation = rules.propagation;
    descriptor.returns_deleted_object = rules.returns_deleted;
    descriptor.graceful_deletion = resource.group.is_empty() && resource.name == "pods";
    descriptor.strategic_merge = true;
    descriptor.decoding = Decoding::Typed;
    descriptor.kube_finalizers = true;
    descriptor.validates_whole_on_update = validates_whole_on_update(resource.group, resource.name);
    if resource.group == "events.k8s.io" {
        descriptor.told_group = Some(Cow::Borrowed(""));
    }
    if resource.group == "batch" && resource.name == "jobs" {
        descriptor.delete_warning = Some(Cow::Borrowed(
            "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
        ));
    }
    descriptor
}

/// The types whose strategy validates an update as a create, too (`pkg/registry/*/*/strategy.go`, `ValidateUpdate`).
fn validates_whole_on_update(group: &str, resource: &str) -> bool {
    match group {
        "" => matches!(
            resource,
            "configmaps"
                | "namespaces"
                | "nodes"
                | "persistentvolumeclaims"
                | "persistentvolumes"
                | "pods"
                | "replicationcontrollers"
                | "secrets"
                | "serviceaccounts"
                | "services"
        ),
        "apps" => matches!(resource, "daemonsets" | "replicasets"),
        "batch" => resource == "jobs",
        "certificates.k8s.io" => resource == "certificatesigningrequests",
        "storage.k8s.io" => resource == "storageclasses",
        _ => group == "rbac.authorization.k8s.io",
    }
}

fn subresource(sub: &crate::resources::Subresource) -> Subresource {
    let form = match sub.name {
        "scale" => SubresourceForm::View {
            api_version: Cow::Borrowed("autoscaling/v1"),
            kind: Cow::Borrowed("Scale"),
        },
        "status" | "approval" | "finalize" | "ephemeralcontainers" | "resize" => SubresourceForm::Whole,
        _ => SubresourceForm::Custom,
    };
    Subresource { name: sub.name.into(), verbs: verbs(sub.verbs), form }
}

fn verbs(names: &[&str]) -> Cow<'static, [Verb]> {
    names
        .iter()
        .filter_map(|name| {
            Some(match *name {
                "get" => Verb::Get,
                "list" => Verb::List,
                "watch" => Verb::Watch,
                "create" => Verb::Create,
                "update" => Verb::Update,
                "patch" => Verb::Patch,
                "delete" => Verb::Delete,
                "deletecollection" => Verb::DeleteCollection,
                _ => return None,
            })
        })
        .collect()
}

impl Strategy for BuiltIn {
    fn descriptor(&self) -> &Descriptor {
        &self.descriptor
    }

    fn decode(&self, document: &mut Value, strict: Option<&mut Vec<String>>) -> Result<(), String> {
        types::decode(self.resource, document, strict)?;
        if self.is("", "secrets") {
            defaults::secrets::merge_string_data(document);
        }
        Ok(())
    }

    fn decode_protobuf(&self, body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
        chainplate_types::protobuf::decode(body, default)
    }

    fn default(&self, object: &mut Value) {
        defaults::apply(self.resource.group, self.resource.version, self.resource.kind, object);
        // With all that Go writes, so that a comparison with what is stored finds real changes alone.
        types::complete_decoded(self.resource, object);
    }

    fn from_storage(&self, document: &mut Value) -> Result<(), Status> {
        conversion::convert(document, &self.descriptor.api_version());
        Ok(())
    }

    fn to_storage(&self, object: &mut Value) -> Result<(), Status> {
        conversion::to_storage(object);
        Ok(())
    }

    fn prepare_for_create(&self, context: &Context<'_>, object: &mut Value) {
        types::complete(self.resource, object);
        admission::admit(&self.shared, self.resource.group, self.resource.name, object);
        prepare::create(self.resource, &self.shared, context, object);
    }

    fn prepare_for_update(&self, context: &Context<'_>, object: &mut Value, old: &Value) {
        // In the form of what is stored: an empty list that takes the place of none is no change.
        types::complete(self.resource, object);
        prepare::update(self.resource, &self.shared, context, object, old);
    }

    fn validate(&self, _context: &Context<'_>, object: &Value) -> Vec<field::Error> {
        checks::create(self.resource, object)
    }

    fn validate_update(&self, context: &Context<'_>, object: &Value, old: &Value) -> Vec<field::Error> {
        checks::update(self.resource, context.subresource, object, old)
    }

    fn warnings(&self, context: &Context<'_>, object: &Value, old: Option<&Value>) -> Vec<String> {
        if !context.subresource.is_empty() {
            return Vec::new();
        }
        let changed = old.is_none_or(|old| object.get("spec") != old.get("spec"));
        warnings::of(self.resource.group, self.resource.kind, object, old.is_some(), changed)
    }

    fn canonicalize(&self, object: &mut Value) {
        if self.is("", "namespaces") {
            prepare::label_namespace(object);
        }
        types::complete(self.resource, object);
    }

    fn begin_write(
        &self,
        context: &Context<'_>,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Status> {
        if self.is("", "services") && context.subresource.is_empty() {
            allocator::allocate(&self.shared, context, object, old)?;
        }
        if self.is("", "pods") && old.is_none() {
            admission::check(&self.shared, context, object)?;
        }
        Ok(())
    }

    fn track(&self, manager: &Manager<'_>, old: Option<&Value>, object: &mut Value) {
        types::track(self.resource, manager, old, object);
    }

    fn apply(
        &self,
        manager: &Manager<'_>,
        force: bool,
        current: Option<&Value>,
        patch: Value,
    ) -> Result<Value, Status> {
        types::apply(self.resource, manager, force, current, &patch)
    }

    fn strategic_merge(&self, object: &mut Value, patch: Value) -> Result<(), Status> {
        types::strategic_merge(self.resource, object, patch)
    }

    fn check_graceful_delete(
        &self,
        _context: &Context<'_>,
        object: &Value,
        options: &mut DeleteOptions,
    ) -> bool {
        delete::pod_grace(object, options)
    }

    fn before_delete(&self, context: &Context<'_>, object: &mut Value) -> Result<(), Status> {
        match (self.resource.group, self.resource.name) {
            ("", "namespaces") => delete::terminate_namespace(object),
            ("", "services") => allocator::release(&self.shared, context, object)?,
            _ => {}
        }
        Ok(())
    }

    fn is_held(&self, object: &Value) -> bool {
        self.is("", "namespaces") && delete::namespace_is_held(object)
    }

    fn view(&self, _subresource: &str, object: &Value) -> Result<Value, Status> {
        scale::view(self.resource, object)
    }

    fn validate_view(&self, _subresource: &str, view: &Value) -> Vec<field::Error> {
        scale::validate(view)
    }

    fn set_from_view(&self, _subresource: &str, object: &mut Value, view: &Value) -> Result<(), Status> {
        scale::set(object, view);
        Ok(())
    }

    fn custom(&self, request: &Request<'_>, collection: &Collection) -> Result<Outcome, Status> {
        match (self.resource.name, request.info().subresource.as_str()) {
            ("pods", "binding") => pods::bind(&self.shared, request, collection),
            ("pods", "eviction") => pods::evict(&self.shared, request, collection),
            ("pods", _) => nodes::pod_stream(self.resource, request, collection),
            ("serviceaccounts", "token") => service_accounts::token(&self.shared, request, collection),
            (_, "proxy") => nodes::proxy(self.resource, request, collection),
            _ => Err(Status::unknown_resource()),
        }
    }
}
