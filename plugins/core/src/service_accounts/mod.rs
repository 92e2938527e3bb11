//! `serviceaccounts/token` (`pkg/registry/core/serviceaccount/storage/token.go`).

mod claims;
#[cfg(test)]
mod tests;

use crate::{body, resources::TOKEN_REQUEST, sent::Sent, server::Shared, types, validation};
use chainplate_sdk::{
    Collection, Outcome, Request,
    apimachinery::{
        Status, Value,
        field::{Error, Path},
        object, time,
    },
    tokens,
};
use claims::{Binding, Claims, Life, Reference};
use serde_json::json;

/// What kubelets ask for projected volumes, in seconds: an hour, and what tells it from others that ask for an hour
/// (`pkg/serviceaccount/claims.go`, `WarnOnlyBoundTokenExpirationSeconds`).
const PROJECTED: i64 = 60 * 60 + 7;
/// The life of such tokens, in seconds: clients that never read them again go on for a year, and are warned of
/// (KEP-1205, `ExpirationExtensionSeconds`).
const EXTENDED: i64 = 365 * 24 * 60 * 60;

const GROUP: &str = TOKEN_REQUEST.group;
const KIND: &str = TOKEN_REQUEST.kind;

/// POST to `serviceaccounts/<name>/token`.
///
/// # Errors
/// 404 without the account or the object that the token shall be bound to, 422 for a duration out of bounds or another
/// name, 400 for an object that tokens cannot be bound to, 409 for other uids; the refusal of admission; 403 if the host
/// does not sign for this component.
pub(crate) fn token(
    shared: &Shared,
    request: &Request<'_>,
    accounts: &Collection,
) -> Result<Outcome, Status> {
    let info = request.info();
    let mut sent = Sent::read(request, accounts, GROUP, TOKEN_REQUEST.version, KIND)?;
    let asked = &mut sent.document;
    let now = time::now();
    let account = account(accounts, &info.namespace, &info.name, asked)?;
    complete(shared, &account, asked, &time::format(now));
    let errors = validation::create(GROUP, KIND, asked);
    if !errors.is_empty() {
        return Err(Status::invalid(GROUP, KIND, "", &errors));
    }
    sent.validate()?;
    let asked = &mut sent.document;
    let binding = bind(shared, &account, &asked["spec"]["boundObjectRef"])?;
    let config = &shared.config;
    let mut seconds = asked["spec"]["expirationSeconds"].as_i64().unwrap_or_default();
    if config.max_token_expiration > 0 && seconds > config.max_token_expiration {
        let most = config.max_token_expiration;
        request.warn(&format!("requested expiration of {seconds} seconds shortened to {most} seconds"));
        seconds = most;
        asked["spec"]["expirationSeconds"] = most.into();
    }
    let audiences = &asked["spec"]["audiences"];
    let extended = config.extend_token_expiration
        && matches!(binding, Binding::Pod { .. })
        && seconds == PROJECTED
        && audiences.as_array().into_iter().flatten().all(|audience| {
            audience.as_str().is_some_and(|audience| config.api_audiences.iter().any(|own| own == audience))
        });
    let life = if extended {
        Life { seconds: EXTENDED, warn_after: Some(seconds) }
    } else {
        Life { seconds, warn_after: None }
    };
    let claims = Claims { namespace: &info.namespace, account: Reference::to(&account), binding: &binding };
    let token = tokens::sign(&claims.made(now, life, audiences))?;
    body::track(&TOKEN_REQUEST, "token", request, asked);
    asked["status"] = json!({
        "token": token,
        "expirationTimestamp": time::format(time::plus_seconds(now, seconds)),
    });
    types::complete(&TOKEN_REQUEST, asked);
    Ok(body::created(asked))
}

/// The account of the URL, which the request must be about.
fn account(accounts: &Collection, namespace: &str, name: &str, asked: &Value) -> Result<Value, Status> {
    let there = object::name(asked);
    if !there.is_empty() && there != name {
        let path = Path::Root.child("metadata");
        let error =
            Error::invalid(&path.child("name"), there, "must match the service account name if specified");
        return Err(Status::invalid(GROUP, KIND, name, &[error]));
    }
    let account = find(accounts, Some(namespace), name)?
        .ok_or_else(|| Status::not_found("", "serviceaccounts", name))?;
    let (there, uid) = (object::uid(asked), object::uid(&account));
    if !there.is_empty() && there != uid {
        let why = format!(
            "the UID in the token request ({there}) does not match the UID of the service account ({uid})"
        );
        return Err(Status::conflict(GROUP, KIND, name, &why));
    }
    Ok(account)
}

/// Fills in what was not said; what only the server says is made anew.
fn complete(shared: &Shared, account: &Value, asked: &mut Value, now: &str) {
    if let Some(metadata) = object::metadata_mut(asked) {
        for name in ["name", "uid"] {
            metadata.insert(name.into(), object::meta_str(account, name).into());
        }
        metadata.insert("creationTimestamp".into(), now.into());
    }
    let audiences = &mut asked["spec"]["audiences"];
    if audiences.as_array().is_none_or(Vec::is_empty) {
        *audiences = json!(shared.config.api_audiences);
    }
    asked["status"] = json!({});
}

/// The object that the token shall end with.
fn bind(shared: &Shared, account: &Value, reference: &Value) -> Result<Binding, Status> {
    if !reference.is_object() {
        return Ok(Binding::None);
    }
    let part = |name: &str| reference[name].as_str().unwrap_or_default();
    let (api_version, kind, name) = (part("apiVersion"), part("kind"), part("name"));
    let resource = match (api_version.split_once('/'), kind) {
        (None, "Pod") => "pods",
        (None, "Secret") => "secrets",
        (None, "Node") => "nodes",
        _ => {
            // Go prints the core group's version behind a slash.
            let slash = if api_version.contains('/') { "" } else { "/" };
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {slash}{api_version}, Kind={kind}"
            )));
        }
    };
    let namespace = Some(object::namespace(account)).filter(|_| kind != "Node");
    let found = find(&*shared.named("", "v1", resource)?, namespace, name)?
        .ok_or_else(|| Status::not_found("", resource, name))?;
    let own = object::name(account);
    if kind == "Pod" && found["spec"]["serviceAccountName"] != own {
        return Err(Status::bad_request(format!(
            "cannot bind token for serviceaccount {own:?} to pod running with different serviceaccount name."
        )));
    }
    let uid = part("uid");
    if !uid.is_empty() && uid != object::uid(&found) {
        let why = format!(
            "the UID in the bound object reference ({uid}) does not match the UID in record. The object might have \
             been deleted and then recreated"
        );
        return Err(Status::conflict("", kind, name, &why));
    }
    let bound = Reference::to(&found);
    Ok(match kind {
        "Pod" => Binding::Pod { pod: bound, node: node_of(shared, &found)? },
        "Secret" => Binding::Secret(bound),
        _ => Binding::Node(bound),
    })
}

/// The node that a pod runs on. One that is not there has its name told all the same, without a uid.
fn node_of(shared: &Shared, pod: &Value) -> Result<Option<Reference>, Status> {
    let Some(name) = pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty()) else {
        return Ok(None);
    };
    let node = find(&*shared.named("", "v1", "nodes")?, None, name)?;
    Ok(Some(match node {
        Some(node) => Reference::to(&node),
        None => Reference { name: name.to_owned(), uid: String::new() },
    }))
}

fn find(collection: &Collection, namespace: Option<&str>, name: &str) -> Result<Option<Value>, Status> {
    let found = collection.get(namespace, name);
    found.map(|stored| serde_json::from_slice(&stored.value()).map_err(Status::internal)).transpose()
}
