//! `serviceaccounts/token` (`pkg/registry/core/serviceaccount/storage/token.go`).

use crate::{body, validation};
use chainplate_sdk::{Collection, Outcome, Request, apimachinery::Status};

/// POST to `serviceaccounts/<name>/token`.
///
/// # Errors
/// 404 without the account, 422 for a duration out of bounds, 400 for an object tokens cannot be bound to; and 501
/// for everything else, because this server signs no tokens yet.
pub(crate) fn token(request: &Request<'_>, accounts: &Collection) -> Result<Outcome, Status> {
    let info = request.info();
    let asked = body::read(request, "authentication.k8s.io", "v1", "TokenRequest")?;
    if accounts.get(Some(&info.namespace), &info.name).is_none() {
        return Err(Status::not_found("", "serviceaccounts", &info.name));
    }
    let errors = validation::create("authentication.k8s.io", "TokenRequest", &asked);
    if !errors.is_empty() {
        return Err(Status::invalid("authentication.k8s.io", "TokenRequest", "", &errors));
    }
    let bound = &asked["spec"]["boundObjectRef"];
    let part = |name: &str| bound[name].as_str().unwrap_or_default();
    if bound.is_object() && !matches!(part("kind"), "Pod" | "Secret" | "Node") {
        let (api_version, kind) = (part("apiVersion"), part("kind"));
        let group_version =
            if api_version.contains('/') { api_version.to_owned() } else { format!("/{api_version}") };
        return Err(Status::bad_request(format!(
            "cannot bind token to object of type {group_version}, Kind={kind}"
        )));
    }
    Err(Status::new(
        501,
        "NotImplemented",
        "this server does not issue service account tokens; use a client certificate or a static token",
    ))
}
