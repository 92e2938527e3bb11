//! What a component exports, by the worlds that it is of; and the calls beside those of servers.

use super::{Fault, Plugin, calls::Doing};
use crate::{
    bindings::{self, chainplate::server::types as wire},
    bindings::{
        ServerIndices,
        admission::{AdmissionIndices, exports::chainplate::server::admission_hooks as hooks},
        authenticator::AuthenticatorIndices,
        authorizer::{AuthorizerIndices, exports::chainplate::server::access_review},
        converter::ConverterIndices,
        plugin::PluginIndices,
    },
    imports::{AccessHandle, AccessRequest, ReviewHandle, from_wire},
    instance::{Call, State},
};
use bytes::Bytes;
use chainplate_apimachinery::{Status, request::UserInfo};
use chainplate_manifest::Role;
use wasmtime::{
    AsContextMut,
    component::{Instance, InstancePre, Resource},
};

/// Where the exports of each world are; `None` for worlds that the component is not of.
pub(super) struct Roles {
    plugin: PluginIndices,
    server: Option<ServerIndices>,
    admission: Option<AdmissionIndices>,
    converter: Option<ConverterIndices>,
    authenticator: Option<AuthenticatorIndices>,
    authorizer: Option<AuthorizerIndices>,
}

impl Roles {
    /// # Errors
    /// No lifecycle, or no world at all.
    pub(super) fn of(pre: &InstancePre<State>) -> wasmtime::Result<Self> {
        let exports = |interface: &str| {
            let component = pre.component();
            let types = component.component_type();
            let prefix = format!("chainplate:server/{interface}@");
            types.exports(component.engine()).any(|(name, _)| name.starts_with(&prefix))
        };
        // A component that exports the heart of a world is of that world: what else is missing of it is an error.
        Ok(Self {
            plugin: PluginIndices::new(pre)?,
            server: exports("handler").then(|| ServerIndices::new(pre)).transpose()?,
            admission: exports("admission-hooks").then(|| AdmissionIndices::new(pre)).transpose()?,
            converter: exports("version-conversion").then(|| ConverterIndices::new(pre)).transpose()?,
            authenticator: exports("token-review").then(|| AuthenticatorIndices::new(pre)).transpose()?,
            authorizer: exports("access-review").then(|| AuthorizerIndices::new(pre)).transpose()?,
        })
    }

    /// The exports of an instance.
    pub(super) fn load(
        &self,
        mut store: impl AsContextMut<Data = State>,
        instance: &Instance,
    ) -> wasmtime::Result<Exports> {
        let mut exports = Exports {
            plugin: self.plugin.load(&mut store, instance)?,
            server: None,
            admission: None,
            converter: None,
            authenticator: None,
            authorizer: None,
        };
        if let Some(indices) = &self.server {
            exports.server = Some(indices.load(&mut store, instance)?);
        }
        if let Some(indices) = &self.admission {
            exports.admission = Some(indices.load(&mut store, instance)?);
        }
        if let Some(indices) = &self.converter {
            exports.converter = Some(indices.load(&mut store, instance)?);
        }
        if let Some(indices) = &self.authenticator {
            exports.authenticator = Some(indices.load(&mut store, instance)?);
        }
        if let Some(indices) = &self.authorizer {
            exports.authorizer = Some(indices.load(&mut store, instance)?);
        }
        Ok(exports)
    }
}

/// The exports of one instance.
pub(super) struct Exports {
    pub(super) plugin: bindings::plugin::Plugin,
    pub(super) server: Option<bindings::Server>,
    admission: Option<bindings::admission::Admission>,
    converter: Option<bindings::converter::Converter>,
    authenticator: Option<bindings::authenticator::Authenticator>,
    authorizer: Option<bindings::authorizer::Authorizer>,
}

/// What an admission hook makes of an object that it does not deny.
#[derive(Debug)]
pub(crate) enum Judgement {
    /// It stays as it is.
    Allow,
    /// A JSON patch is applied.
    Patch(Vec<u8>),
    /// It is replaced.
    Replace(Vec<u8>),
}

/// What an authorizer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Allowed, and why.
    Allow(String),
    /// Refused, and why.
    Deny(String),
    /// For others to decide, and why.
    NoOpinion(String),
}

/// Whom a token belongs to, as an authenticator says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserInfo,
    /// Those of the audiences that were asked for which the token is good for; empty if it says nothing of them.
    pub audiences: Vec<String>,
}

/// The part of an instance that `Roles` said is there.
fn part<'a, T>(part: &'a Option<T>, world: &str) -> wasmtime::Result<&'a T> {
    part.as_ref().ok_or_else(|| wasmtime::format_err!("the component is not of the world {world}"))
}

impl Plugin {
    /// Whether it stands in the chain of servers.
    pub fn is_server(&self) -> bool {
        self.roles.server.is_some()
    }

    /// What it is besides a server, by what it exports. Whether it judges or changes is for its manifest to say.
    pub(crate) fn exported_roles(&self) -> Vec<Role> {
        let roles = &self.roles;
        let mut found = Vec::new();
        if roles.converter.is_some() {
            found.push(Role::Converter);
        }
        if roles.authenticator.is_some() {
            found.push(Role::Authenticator);
        }
        if roles.authorizer.is_some() {
            found.push(Role::Authorizer);
        }
        found
    }

    /// Whether it exports admission hooks.
    pub(crate) fn has_admission(&self) -> bool {
        self.roles.admission.is_some()
    }

    /// Whether it converts custom resources.
    pub(crate) fn is_converter(&self) -> bool {
        self.roles.converter.is_some()
    }

    /// Asks an admission hook.
    pub(crate) async fn admit(
        &self,
        call: Call,
        hook: &str,
        review: ReviewHandle,
    ) -> Result<Result<Judgement, Status>, Fault> {
        let name = &self.context.name;
        self.call(call, Doing::Admit(hook), async |store, exports| {
            let admission = part(&exports.admission, "admission")?;
            let handle = store.data_mut().table.push(review)?;
            let borrowed = Resource::new_borrow(handle.rep());
            let decided =
                admission.chainplate_server_admission_hooks().call_admit(&mut *store, hook, borrowed).await?;
            store.data_mut().table.delete(handle)?;
            Ok(match decided {
                Ok(hooks::Decision::Allow) => Ok(Judgement::Allow),
                Ok(hooks::Decision::Patch(patch)) => Ok(Judgement::Patch(patch)),
                Ok(hooks::Decision::Replace(object)) => Ok(Judgement::Replace(object)),
                Err(status) => Err(from_wire(name, status)),
            })
        })
        .await
    }

    /// Has objects converted.
    pub(crate) async fn convert(
        &self,
        call: Call,
        api_version: &str,
        objects: &[Vec<u8>],
    ) -> Result<Result<Vec<Bytes>, Status>, Fault> {
        let name = &self.context.name;
        self.call(call, Doing::Convert, async |store, exports| {
            let converter = part(&exports.converter, "converter")?;
            let converted = converter
                .chainplate_server_version_conversion()
                .call_convert(&mut *store, api_version, objects)
                .await?;
            Ok(match converted {
                Ok(objects) => Ok(objects.into_iter().map(Bytes::from).collect()),
                Err(status) => Err(from_wire(name, status)),
            })
        })
        .await
    }

    /// Asks an authenticator whom a token belongs to; `None` if it is none of its tokens.
    ///
    /// # Errors
    /// What is wrong with the token, or with the component.
    pub async fn authenticate(&self, token: &str, audiences: &[String]) -> Result<Option<Identity>, String> {
        let call = Call::of_its_own(self.context.limits.timeout);
        let found = self
            .call(call, Doing::Authenticate, async |store, exports| {
                let authenticator = part(&exports.authenticator, "authenticator")?;
                let review = authenticator.chainplate_server_token_review();
                review.call_authenticate(&mut *store, token, audiences).await
            })
            .await
            .map_err(|fault| fault.to_string())??;
        Ok(found.map(|identity| Identity { user: user(identity.user), audiences: identity.audiences }))
    }

    /// Asks an authorizer.
    ///
    /// # Errors
    /// What is wrong with the component: no opinion.
    pub async fn authorize(&self, request: AccessRequest) -> Result<Decision, String> {
        let call = Call::of_its_own(self.context.limits.timeout);
        let decided = self
            .call(call, Doing::Authorize, async |store, exports| {
                let authorizer = part(&exports.authorizer, "authorizer")?;
                let handle = store.data_mut().table.push(AccessHandle(request))?;
                let borrowed = Resource::new_borrow(handle.rep());
                let access = authorizer.chainplate_server_access_review();
                let decided = access.call_authorize(&mut *store, borrowed).await?;
                store.data_mut().table.delete(handle)?;
                Ok(decided)
            })
            .await
            .map_err(|fault| fault.to_string())
            .flatten()
            .inspect_err(|why| {
                if self.context.may_log() {
                    tracing::warn!(plugin = self.context.name, "it failed and has no opinion: {why}");
                }
            })?;
        Ok(match decided {
            access_review::Decision::Allow(reason) => Decision::Allow(reason),
            access_review::Decision::Deny(reason) => Decision::Deny(reason),
            access_review::Decision::NoOpinion(reason) => Decision::NoOpinion(reason),
        })
    }

    /// Whether it says who somebody is.
    pub fn is_authenticator(&self) -> bool {
        self.roles.authenticator.is_some()
    }

    /// Whether it says who may do what.
    pub fn is_authorizer(&self) -> bool {
        self.roles.authorizer.is_some()
    }
}

fn user(user: wire::UserInfo) -> UserInfo {
    UserInfo { name: user.name, uid: user.uid, groups: user.groups, extra: user.extra }
}
