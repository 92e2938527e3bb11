//! What authorization is asked.

use chainplate_apimachinery::request::{RequestInfo, UserInfo};

/// What somebody wants to do.
#[derive(Debug, Clone)]
pub struct AccessRequest<'a> {
    user: UserInfo,
    info: RequestInfo,
    lifetime: std::marker::PhantomData<&'a ()>,
}

impl AccessRequest<'_> {
    /// What authorization is asked for such a request.
    pub fn new(user: UserInfo, info: RequestInfo) -> Self {
        Self { user, info, lifetime: std::marker::PhantomData }
    }

    /// Who.
    pub fn user(&self) -> UserInfo {
        self.user.clone()
    }

    /// The verb, in lower case; the HTTP method of non-resource requests.
    pub fn verb(&self) -> String {
        if self.info.is_resource { self.info.verb.as_str().to_owned() } else { self.info.method.clone() }
    }

    /// Whether it is about an API resource.
    pub fn is_resource(&self) -> bool {
        self.info.is_resource
    }

    /// The path.
    pub fn path(&self) -> String {
        self.info.path.clone()
    }

    /// The API group.
    pub fn group(&self) -> String {
        self.info.group.clone()
    }

    /// The version.
    pub fn version(&self) -> String {
        self.info.version.clone()
    }

    /// The namespace.
    pub fn namespace(&self) -> String {
        self.info.namespace.clone()
    }

    /// The plural resource.
    pub fn resource(&self) -> String {
        self.info.resource.clone()
    }

    /// The subresource.
    pub fn subresource(&self) -> String {
        self.info.subresource.clone()
    }

    /// The object's name.
    pub fn name(&self) -> String {
        self.info.name.clone()
    }
}
