//! `NamespaceLifecycle`, which needs no object. Upstream's order puts it before everything else.

use chainplate_apimachinery::{Cause, Status, request::Verb};
use chainplate_plan::Collection;
use chainplate_storage::{Key, Store};
use serde::Deserialize;

/// What is asked before there is an object.
pub(crate) struct Asked<'a> {
    pub(crate) collection: &'a Collection,
    pub(crate) operation: Verb,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) name: &'a str,
}

/// Namespaces that cannot be deleted.
const IMMORTAL: [&str; 3] = ["default", "kube-system", "kube-public"];

/// `NamespaceLifecycle` (`apiserver/pkg/admission/plugin/namespace/lifecycle`): objects are made in namespaces that are
/// there and not terminating, and the system's own namespaces stay.
///
/// # Errors
/// 404 for a missing namespace, 403 for a terminating or an immortal one.
pub(crate) fn namespace_lifecycle(store: &Store, asked: &Asked<'_>) -> Result<(), Status> {
    let Collection { group, resource, .. } = asked.collection;
    let namespaces = group.is_empty() && resource == "namespaces";
    if namespaces && asked.operation == Verb::Delete && IMMORTAL.contains(&asked.name) {
        return Err(Status::forbidden(group, resource, asked.name, "this namespace may not be deleted"));
    }
    let Some(namespace) = asked.namespace.filter(|_| asked.operation == Verb::Create && !namespaces) else {
        return Ok(());
    };
    // Reviews store nothing; upstream lets them pass in any namespace.
    if group == "authorization.k8s.io" {
        return Ok(());
    }
    let Some(there) = store.get(&Key::new("namespaces", None, namespace)) else {
        return Err(Status::not_found("", "namespaces", namespace));
    };
    if is_terminating(there.metadata()) {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        return Err(Status::forbidden(group, resource, asked.name, &why).with_causes([Cause {
            reason: "NamespaceTerminating".into(),
            message: format!("namespace {namespace} is being terminated"),
            field: "metadata.namespace".into(),
        }]));
    }
    Ok(())
}

fn is_terminating(metadata: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Metadata {
        #[serde(rename = "deletionTimestamp")]
        deletion_timestamp: Option<serde::de::IgnoredAny>,
    }
    serde_json::from_slice::<Metadata>(metadata).is_ok_and(|metadata| metadata.deletion_timestamp.is_some())
}
