//! Admission: what stands between a write and storage, in upstream's order (`kubeapiserver/options/plugins.go`).
//!
//! Mutating before validating; the hooks of components stand where upstream has its webhooks. A server asks for all of it
//! through `admission-control`.

mod hook;
mod lifecycle;

pub(crate) use hook::Hook;
pub(crate) use lifecycle::{Asked, namespace_lifecycle};

use crate::{instance::Call, request::Request};
use bytes::Bytes;
use chainplate_apimachinery::{Status, generate_name, request::UserInfo};
use chainplate_manifest::{Operation, Reinvocation, Target};
use chainplate_plan::Collection;
use chainplate_storage::Store;
use std::sync::{Arc, OnceLock};

/// A group, a version, and a kind or resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupVersionName {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) name: String,
}

/// One write on its way to storage: upstream's `admission.Attributes`.
#[derive(Clone)]
pub(crate) struct Attributes {
    pub(crate) request: Arc<Request>,
    pub(crate) collection: Arc<Collection>,
    uid: OnceLock<String>,
    pub(crate) kind: GroupVersionName,
    pub(crate) operation: Operation,
    pub(crate) subresource: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: String,
    pub(crate) options: Option<Bytes>,
    pub(crate) dry_run: bool,
}

impl Attributes {
    pub(crate) fn new(
        request: Arc<Request>,
        collection: Arc<Collection>,
        operation: Operation,
        subresource: String,
        namespace: Option<String>,
        name: String,
    ) -> Self {
        let kind = GroupVersionName {
            group: collection.group.clone(),
            version: collection.version.clone(),
            name: collection.kind.clone(),
        };
        Self {
            request,
            collection,
            uid: OnceLock::new(),
            kind,
            operation,
            subresource,
            namespace,
            name,
            options: None,
            dry_run: false,
        }
    }

    /// The uid that all who are asked see. Made for the first of them: most writes are nobody's concern.
    pub(crate) fn uid(&self) -> &str {
        self.uid.get_or_init(generate_name::uid)
    }

    pub(crate) fn user(&self) -> &UserInfo {
        &self.request.user
    }

    fn target(&self) -> Target<'_> {
        Target {
            group: &self.collection.group,
            version: &self.collection.version,
            resource: &self.collection.resource,
            subresource: &self.subresource,
            operation: self.operation,
            namespaced: self.namespace.is_some() && !self.is_namespace(),
        }
    }

    fn is_namespace(&self) -> bool {
        self.collection.group.is_empty() && self.collection.resource == "namespaces"
    }

    /// Whether nobody may have a say on it: what configures admission must stay changeable
    /// (`rules.IsExemptAdmissionConfigurationResource`).
    fn is_exempt(&self) -> bool {
        self.collection.group == "admissionregistration.k8s.io"
    }
}

/// An object before and after the write, in JSON.
#[derive(Debug, Clone, Default)]
pub(crate) struct Change {
    pub(crate) object: Option<Bytes>,
    pub(crate) old: Option<Bytes>,
}

/// The hooks of a chain, in the order in which they are asked.
#[derive(Debug, Default)]
pub(crate) struct Policies {
    pub(crate) mutating: Vec<Hook>,
    pub(crate) validating: Vec<Hook>,
}

impl Policies {
    /// Whether somebody may want to change such an object.
    pub(crate) fn mutates(&self, attributes: &Attributes) -> bool {
        !attributes.is_exempt() && self.mutating.iter().any(|hook| hook.means(attributes))
    }

    /// Whether somebody may want to judge such an object.
    pub(crate) fn validates(&self, attributes: &Attributes) -> bool {
        !attributes.is_exempt() && self.validating.iter().any(|hook| hook.means(attributes))
    }

    /// Has the object changed; none when it stays as it is.
    ///
    /// # Errors
    /// The refusal of a hook, or what came of its failure.
    pub(crate) async fn mutate(
        &self,
        store: &Store,
        attributes: &Attributes,
        change: Change,
        call: Call,
    ) -> Result<Option<Bytes>, Status> {
        let mut change = change;
        let mut changed = false;
        // Hooks that were asked, want to be asked again, and have had somebody change the object since.
        let mut again = Vec::new();
        let mut asked: Vec<&Hook> = Vec::new();
        for hook in &self.mutating {
            if attributes.is_exempt() || !hook.matches(store, attributes, &change) {
                continue;
            }
            if let Some(object) = hook.mutate(attributes, &change, call).await? {
                change.object = Some(object);
                changed = true;
                again = asked.clone();
            }
            if hook.reinvocation() == Reinvocation::IfNeeded {
                asked.push(hook);
            }
        }
        for hook in again {
            if hook.matches(store, attributes, &change)
                && let Some(object) = hook.mutate(attributes, &change, call).await?
            {
                change.object = Some(object);
            }
        }
        Ok(change.object.filter(|_| changed))
    }

    /// Has the object judged. All hooks are asked, so that the client gets all warnings; the first refusal counts.
    ///
    /// # Errors
    /// The refusal of a hook, or what came of its failure.
    pub(crate) async fn validate(
        &self,
        store: &Store,
        attributes: &Attributes,
        change: &Change,
        call: Call,
    ) -> Result<(), Status> {
        let mut verdict = Ok(());
        for hook in &self.validating {
            if !attributes.is_exempt() && hook.matches(store, attributes, change) {
                let said = hook.validate(attributes, change, call).await;
                verdict = verdict.and(said);
            }
        }
        verdict
    }
}
