//! Admission: what servers ask for (`admission-control`), and what admission plugins are asked (`review`).

use super::{CollectionHandle, RequestHandle, to_wire};
use crate::{
    admission::{Attributes, Change, GroupVersionName, Policies},
    bindings::{
        admission::chainplate::server::review,
        chainplate::server::{admission_control, types as wire},
    },
    instance::State,
};
use bytes::Bytes;
use chainplate_manifest::Operation;
use std::sync::Arc;
use wasmtime::component::Resource;

/// A write that a server asks about.
#[derive(Clone)]
pub struct AttributesHandle(Attributes);

/// A write that an admission plugin is asked about.
pub struct ReviewHandle {
    pub(crate) attributes: Attributes,
    pub(crate) change: Change,
    /// Who is asked.
    pub(crate) component: String,
}

fn operation_from_wire(operation: wire::Operation) -> Operation {
    match operation {
        wire::Operation::Create => Operation::Create,
        wire::Operation::Update => Operation::Update,
        wire::Operation::Delete => Operation::Delete,
        wire::Operation::Connect => Operation::Connect,
    }
}

impl State {
    fn attributes(&mut self, this: &Resource<AttributesHandle>) -> wasmtime::Result<&mut Attributes> {
        Ok(&mut self.table.get_mut(this)?.0)
    }

    /// The chain's hooks, once all components are loaded.
    fn policies(&self) -> Option<&Policies> {
        self.plugin.shared.policies.get()
    }
}

impl admission_control::Host for State {}

impl admission_control::HostAttributes for State {
    fn new(
        &mut self,
        request: Resource<RequestHandle>,
        of: Resource<CollectionHandle>,
        operation: wire::Operation,
        subresource: String,
        namespace: Option<String>,
        name: String,
    ) -> wasmtime::Result<Resource<AttributesHandle>> {
        let request = Arc::clone(&self.table.get(&request)?.0);
        let collection = Arc::clone(&self.table.get(&of)?.collection);
        let operation = operation_from_wire(operation);
        let attributes = Attributes::new(request, collection, operation, subresource, namespace, name);
        Ok(self.table.push(AttributesHandle(attributes))?)
    }

    fn set_kind(
        &mut self,
        this: Resource<AttributesHandle>,
        group: String,
        version: String,
        kind: String,
    ) -> wasmtime::Result<()> {
        self.attributes(&this)?.kind = GroupVersionName { group, version, name: kind };
        Ok(())
    }

    fn set_name(&mut self, this: Resource<AttributesHandle>, name: String) -> wasmtime::Result<()> {
        self.attributes(&this)?.name = name;
        Ok(())
    }

    fn set_options(&mut self, this: Resource<AttributesHandle>, json: Vec<u8>) -> wasmtime::Result<()> {
        self.attributes(&this)?.options = Some(json.into());
        Ok(())
    }

    fn set_dry_run(&mut self, this: Resource<AttributesHandle>) -> wasmtime::Result<()> {
        self.attributes(&this)?.dry_run = true;
        Ok(())
    }

    fn mutates(&mut self, this: Resource<AttributesHandle>) -> wasmtime::Result<bool> {
        let attributes = &self.table.get(&this)?.0;
        Ok(self.policies().is_some_and(|policies| policies.mutates(attributes)))
    }

    fn validates(&mut self, this: Resource<AttributesHandle>) -> wasmtime::Result<bool> {
        let attributes = &self.table.get(&this)?.0;
        Ok(self.policies().is_some_and(|policies| policies.validates(attributes)))
    }

    async fn mutate(
        &mut self,
        this: Resource<AttributesHandle>,
        object: Option<Vec<u8>>,
        old: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<Option<Vec<u8>>, wire::Status>> {
        let attributes = &self.table.get(&this)?.0;
        let Some(policies) = self.policies() else { return Ok(Ok(None)) };
        let change = Change { object: object.map(Bytes::from), old: old.map(Bytes::from) };
        let mutated = policies.mutate(&self.plugin.store, attributes, change, self.call).await;
        Ok(mutated.map(|object| object.map(Vec::from)).map_err(to_wire))
    }

    async fn validate(
        &mut self,
        this: Resource<AttributesHandle>,
        object: Option<Vec<u8>>,
        old: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<(), wire::Status>> {
        let attributes = &self.table.get(&this)?.0;
        let Some(policies) = self.policies() else { return Ok(Ok(())) };
        let change = Change { object: object.map(Bytes::from), old: old.map(Bytes::from) };
        Ok(policies.validate(&self.plugin.store, attributes, &change, self.call).await.map_err(to_wire))
    }

    fn drop(&mut self, this: Resource<AttributesHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl State {
    fn review(&self, this: &Resource<ReviewHandle>) -> wasmtime::Result<&ReviewHandle> {
        Ok(self.table.get(this)?)
    }
}

impl review::Host for State {}

impl review::HostAdmissionRequest for State {
    fn uid(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<String> {
        Ok(self.review(&this)?.attributes.uid().to_owned())
    }

    fn kind(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<review::GroupVersionName> {
        let GroupVersionName { group, version, name } = self.review(&this)?.attributes.kind.clone();
        Ok(review::GroupVersionName { group, version, name })
    }

    fn resource(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<review::GroupVersionName> {
        let collection = &self.review(&this)?.attributes.collection;
        Ok(review::GroupVersionName {
            group: collection.group.clone(),
            version: collection.version.clone(),
            name: collection.resource.clone(),
        })
    }

    fn subresource(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<String> {
        Ok(self.review(&this)?.attributes.subresource.clone())
    }

    fn name(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<String> {
        Ok(self.review(&this)?.attributes.name.clone())
    }

    fn namespace(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<Option<String>> {
        Ok(self.review(&this)?.attributes.namespace.clone())
    }

    fn operation(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<wire::Operation> {
        Ok(match self.review(&this)?.attributes.operation {
            Operation::Create => wire::Operation::Create,
            Operation::Delete => wire::Operation::Delete,
            Operation::Connect => wire::Operation::Connect,
            Operation::Update | Operation::Any => wire::Operation::Update,
        })
    }

    fn user(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<wire::UserInfo> {
        Ok(super::user_to_wire(self.review(&this)?.attributes.user()))
    }

    fn dry_run(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<bool> {
        Ok(self.review(&this)?.attributes.dry_run)
    }

    fn options(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.review(&this)?.attributes.options.as_ref().map(|json| json.to_vec()))
    }

    fn object(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.review(&this)?.change.object.as_ref().map(|json| json.to_vec()))
    }

    fn old_object(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.review(&this)?.change.old.as_ref().map(|json| json.to_vec()))
    }

    fn warn(&mut self, this: Resource<ReviewHandle>, text: String) -> wasmtime::Result<()> {
        (self.review(&this)?.attributes.request.warn)(&text);
        Ok(())
    }

    fn annotate(&mut self, this: Resource<ReviewHandle>, key: String, value: String) -> wasmtime::Result<()> {
        let review = self.review(&this)?;
        (review.attributes.request.annotate)(&format!("{}/{key}", review.component), &value);
        Ok(())
    }

    fn drop(&mut self, this: Resource<ReviewHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
