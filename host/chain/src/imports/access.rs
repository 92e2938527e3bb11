//! What authorizers are asked.

use crate::{
    bindings::{authorizer::chainplate::server::access, chainplate::server::types as wire},
    instance::State,
};
use chainplate_apimachinery::request::UserInfo;
use wasmtime::component::Resource;

/// What somebody wants to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRequest {
    /// Who.
    pub user: UserInfo,
    /// The verb, in lower case; the HTTP method of non-resource requests.
    pub verb: String,
    /// Whether it is about an API resource.
    pub is_resource: bool,
    /// The path.
    pub path: String,
    /// The API group.
    pub group: String,
    /// The version.
    pub version: String,
    /// The namespace.
    pub namespace: String,
    /// The plural resource.
    pub resource: String,
    /// The subresource.
    pub subresource: String,
    /// The object's name.
    pub name: String,
}

/// The request in an authorizer's hands.
pub struct AccessHandle(pub(crate) AccessRequest);

impl State {
    fn access(&self, this: &Resource<AccessHandle>) -> wasmtime::Result<&AccessRequest> {
        Ok(&self.table.get(this)?.0)
    }
}

impl access::Host for State {}

impl access::HostAccessRequest for State {
    fn user(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<wire::UserInfo> {
        Ok(super::user_to_wire(&self.access(&this)?.user))
    }

    fn verb(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.verb.clone())
    }

    fn is_resource(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<bool> {
        Ok(self.access(&this)?.is_resource)
    }

    fn path(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.path.clone())
    }

    fn group(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.group.clone())
    }

    fn version(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.version.clone())
    }

    fn namespace(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.namespace.clone())
    }

    fn resource(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.resource.clone())
    }

    fn subresource(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.subresource.clone())
    }

    fn name(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<String> {
        Ok(self.access(&this)?.name.clone())
    }

    fn drop(&mut self, this: Resource<AccessHandle>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
