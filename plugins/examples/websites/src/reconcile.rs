//! The controller: for each website a Deployment of web servers, a Service in front of them and, for a page that stands in the
//! website, a ConfigMap with it. All three belong to the website and go with it.

use crate::v1::{Condition, Source, Website, WebsiteStatus};
use chainplate_sdk::{
    Action, ObjectReference,
    apimachinery::{Status, Value, time},
    client::{Patch, Resource},
    controllers::Controller,
    info,
};
use serde_json::json;

/// The controller's name.
pub(crate) const NAME: &str = "websites";
/// The field manager of what it makes.
const MANAGER: &str = "websites";
/// The web server that it runs.
const IMAGE: &str = "nginx:1.29";
/// The label that tells whose servers they are.
const LABEL: &str = "web.example.com/website";

fn websites() -> Resource {
    Resource::new("web.example.com", "v1", "websites")
}

/// Has the host wake it for websites, and for Deployments that belong to one.
///
/// # Errors
/// What it was not granted.
pub(crate) fn start() -> Result<(), Status> {
    Controller::new(NAME, "web.example.com", "v1", "websites").owns("apps", "v1", "deployments").start()
}

/// Makes what a website needs, and tells in its status how far that is.
///
/// # Errors
/// What a request ended with; the host tries again.
pub(crate) fn reconcile(object: &ObjectReference) -> Result<Action, Status> {
    let namespace = object.namespace.as_deref();
    let Some(website) = websites().find::<Website>(namespace, &object.name)? else {
        // What belongs to it goes with it: the garbage collector's work.
        return Ok(Action::await_change());
    };
    if website.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    if let Source::Inline { html } = &website.spec.source {
        let content = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": owned(&website), "data": {"index.html": html},
        });
        apply(&Resource::new("", "v1", "configmaps"), &website, content)?;
    }
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": owned(&website),
        "spec": {"selector": {LABEL: object.name}, "ports": [{"name": "http", "port": 80}]},
    });
    apply(&Resource::new("", "v1", "services"), &website, service)?;
    let made = apply(&Resource::new("apps", "v1", "deployments"), &website, deployment(&website))?;
    tell(&website, status(&website, &made))?;
    Ok(Action::await_change())
}

fn name(website: &Website) -> &str {
    website.metadata.name.as_deref().unwrap_or_default()
}

/// Metadata of what belongs to a website.
fn owned(website: &Website) -> Value {
    json!({
        "name": name(website),
        "namespace": website.metadata.namespace,
        "labels": {LABEL: name(website)},
        "ownerReferences": [{
            "apiVersion": "web.example.com/v1", "kind": "Website", "name": name(website),
            "uid": website.metadata.uid, "controller": true, "blockOwnerDeletion": true,
        }],
    })
}

fn deployment(website: &Website) -> Value {
    let mut spec = json!({
        "containers": [{"name": "server", "image": IMAGE, "ports": [{"name": "http", "containerPort": 80}]}],
    });
    let mount = |path: &str| json!([{"name": "content", "mountPath": path, "readOnly": true}]);
    match &website.spec.source {
        Source::Inline { .. } => {
            spec["volumes"] = json!([{"name": "content", "configMap": {"name": name(website)}}])
        }
        Source::Git { url, branch } => {
            spec["volumes"] = json!([{"name": "content", "emptyDir": {}}]);
            spec["initContainers"] = json!([{
                "name": "clone", "image": "alpine/git:2.49",
                "args": ["clone", "--depth=1", "--branch", branch, url, "/content"],
                "volumeMounts": [{"name": "content", "mountPath": "/content"}],
            }]);
        }
    }
    spec["containers"][0]["volumeMounts"] = mount("/usr/share/nginx/html");
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": owned(website),
        "spec": {
            "replicas": website.spec.replicas,
            "selector": {"matchLabels": {LABEL: name(website)}},
            "template": {"metadata": {"labels": {LABEL: name(website)}}, "spec": spec},
        },
    })
}

/// Applies an object of a website; what the server made of it.
fn apply(resource: &Resource, website: &Website, object: Value) -> Result<Value, Status> {
    let patch = Patch::Apply { object, manager: MANAGER.into(), force: true };
    resource.patch(website.metadata.namespace.as_deref(), name(website), &patch)
}

/// What there is to say of a website with such a Deployment.
fn status(website: &Website, deployment: &Value) -> WebsiteStatus {
    let count = |field: &str| {
        let count =
            deployment.pointer(&format!("/status/{field}")).and_then(Value::as_i64).unwrap_or_default();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    let ready = count("readyReplicas");
    let is_ready = ready >= website.spec.replicas;
    let before =
        website.status.as_ref().and_then(|status| status.conditions.iter().find(|it| it.type_ == "Ready"));
    let status = if is_ready { "True" } else { "False" };
    let since = before
        .filter(|before| before.status == status)
        .and_then(|before| before.last_transition_time.clone());
    WebsiteStatus {
        replicas: count("replicas"),
        selector: format!("{LABEL}={}", name(website)),
        observed_generation: website.metadata.generation,
        conditions: vec![Condition {
            type_: "Ready".into(),
            status: status.into(),
            reason: if is_ready { "AllReady" } else { "Waiting" }.into(),
            message: format!("{ready} of {} servers are ready", website.spec.replicas),
            last_transition_time: since.or_else(|| Some(time::format(time::now()))),
        }],
    }
}

/// Writes the status, if it says something new.
fn tell(website: &Website, status: WebsiteStatus) -> Result<(), Status> {
    if website.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let text = status.conditions.first().map(|ready| ready.message.clone()).unwrap_or_default();
    info!("{}: {text}", name(website));
    let patch = Patch::Merge(json!({"status": status}));
    let namespace = website.metadata.namespace.as_deref();
    websites().subresource("status").patch::<Value>(namespace, name(website), &patch).map(drop)
}
