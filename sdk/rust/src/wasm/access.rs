//! What authorization is asked.

use crate::bindings::chainplate::server::access;
use chainplate_apimachinery::request::UserInfo;

/// What somebody wants to do. Parts that the request has not are empty.
#[derive(Debug)]
pub struct AccessRequest<'a>(&'a access::AccessRequest);

impl<'a> AccessRequest<'a> {
    pub(crate) fn new(raw: &'a access::AccessRequest) -> Self {
        Self(raw)
    }

    /// Who.
    pub fn user(&self) -> UserInfo {
        super::user_from_wire(self.0.user())
    }

    /// The verb, in lower case; the HTTP method of non-resource requests.
    pub fn verb(&self) -> String {
        self.0.verb()
    }

    /// Whether it is about an API resource.
    pub fn is_resource(&self) -> bool {
        self.0.is_resource()
    }

    /// The path.
    pub fn path(&self) -> String {
        self.0.path()
    }

    /// The API group.
    pub fn group(&self) -> String {
        self.0.group()
    }

    /// The version.
    pub fn version(&self) -> String {
        self.0.version()
    }

    /// The namespace.
    pub fn namespace(&self) -> String {
        self.0.namespace()
    }

    /// The plural resource.
    pub fn resource(&self) -> String {
        self.0.resource()
    }

    /// The subresource.
    pub fn subresource(&self) -> String {
        self.0.subresource()
    }

    /// The object's name.
    pub fn name(&self) -> String {
        self.0.name()
    }
}
