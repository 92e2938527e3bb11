//! Reviews and token requests: `pkg/apis/{authorization,authentication}/validation`.

use super::checks::{Errors, SPEC, go_struct, go_text, shown};
use super::files::token_lifetime;
use super::view::Node;
use chainplate_apimachinery::Value;
use chainplate_apimachinery::field::{Error, Kind};

pub(super) fn create(kind: &str, object: &Value, errors: &mut Errors) {
    let root = Node::root(object);
    let spec = root.child("spec");
    match kind {
        "TokenRequest" => token_lifetime(&spec, errors),
        "SubjectAccessReview" | "LocalSubjectAccessReview" | "SelfSubjectAccessReview" => {
            review(kind, &root, &spec, errors);
        }
        "TokenReview" if spec.text("token").is_empty() => {
            errors.push(Error::required(&SPEC.child("token"), ""));
        }
        _ => {}
    }
}

fn review(kind: &str, root: &Node<'_, '_>, spec: &Node<'_, '_>, errors: &mut Errors) {
    let (resource, url) = (spec.child("resourceAttributes"), spec.child("nonResourceAttributes"));
    if resource.present() && url.present() {
        let [path, verb] = ["path", "verb"].map(|name| go_text(url.get(name)));
        let told = go_struct(&[("Path", &path), ("Verb", &verb)]);
        let reason = "cannot be specified in combination with resourceAttributes";
        errors.push(shown(Kind::Invalid, &url.path, told, reason));
    }
    if !resource.present() && !url.present() {
        let reason = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
        errors.push(Error::invalid(&resource.path, Value::Null, reason));
    }
    if kind != "SelfSubjectAccessReview" && spec.text("user").is_empty() && spec.is_empty("groups") {
        let reason = "at least one of user or group must be specified";
        errors.push(Error::invalid(&SPEC.child("user"), "", reason));
    }
    for name in ["fieldSelector", "labelSelector"] {
        let Some(selector) = resource.some(name) else { continue };
        let raw = selector.text("rawSelector");
        if !raw.is_empty() && !selector.is_empty("requirements") {
            let reason = "may not specified at the same time as requirements";
            errors.push(Error::invalid(&selector.path.child("rawSelector"), raw, reason));
        }
        if raw.is_empty() && selector.is_empty("requirements") {
            let reason =
                format!("when {} is specified, requirements or rawSelector is required", selector.path);
            errors.push(Error::required(&selector.path.child("requirements"), reason));
        }
    }
    if kind == "LocalSubjectAccessReview" {
        let namespace = resource.text("namespace");
        if resource.present() && namespace != root.child("metadata").text("namespace") {
            let reason = "must match metadata.namespace";
            errors.push(Error::invalid(&resource.path.child("namespace"), namespace, reason));
        }
        if url.present() {
            let [path, verb] = ["path", "verb"].map(|name| go_text(url.get(name)));
            let told = go_struct(&[("Path", &path), ("Verb", &verb)]);
            errors.push(shown(Kind::Invalid, &url.path, told, "disallowed on this kind of request"));
        }
    }
}
