//! Questions about users: who am I, what may I, whose token is this.
//!
//! The host says whose a token is. It decides who may do what and tells components no more than who sent a request. So
//! those answers follow the host's present rule: members of `system:masters` may do all, and everybody may read the paths that
//! tell whether and what the server is. When the host's authorizers can be asked, this module is what changes.

use crate::{body, resources::Resource, sent::Sent, server::Shared, validation};
use chainplate_sdk::{
    Collection, Outcome, Request,
    apimachinery::{
        Map, Status, Value, object,
        request::{UserInfo, Verb},
        time,
    },
    tokens,
};
use serde_json::json;

const AUTHORIZATION: &str = "authorization.k8s.io";
/// The group whose members may do everything.
const MASTERS: &str = "system:masters";
/// Paths that every user may read (`system:public-info-viewer`).
const PUBLIC: [&str; 4] = ["/healthz", "/livez", "/readyz", "/version"];

/// Answers a review.
///
/// # Errors
/// 405 for other verbs than create, 400 and 422 for questions that make no sense; the refusal of admission; 500 for tokens
/// that somebody lets in for other audiences than asked.
pub(crate) fn handle(shared: &Shared, resource: &Resource, request: &Request<'_>) -> Result<Outcome, Status> {
    let info = request.info();
    if !info.subresource.is_empty() {
        return Err(Status::unknown_resource());
    }
    if info.verb != Verb::Create || !info.name.is_empty() {
        return Err(Status::method_not_allowed());
    }
    // Nothing is stored below this name; it is what admission knows the resource by.
    let Resource { group, version, name, kind, namespaced, .. } = *resource;
    let reviews = Collection::open(group, version, name, kind, namespaced, name)?;
    let sent = Sent::read(request, &reviews, group, version, kind)?;
    sent.validate()?;
    let mut review = sent.document;
    let user = request.user();
    let status = match resource.name {
        "selfsubjectreviews" => json!({ "userInfo": user_info(&user) }),
        "tokenreviews" => token(shared, &review["spec"])?,
        "selfsubjectaccessreviews" => {
            check(resource, &review)?;
            access(&user.groups, &review["spec"])
        }
        "selfsubjectrulesreviews" => {
            if review["spec"]["namespace"].as_str().unwrap_or_default().is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            rules(&user)
        }
        "localsubjectaccessreviews" => {
            check(resource, &review)?;
            access(&texts(&review["spec"]["groups"]), &review["spec"])
        }
        _ => {
            check(resource, &review)?;
            access(&texts(&review["spec"]["groups"]), &review["spec"])
        }
    };
    if resource.name == "selfsubjectreviews"
        && let Some(metadata) = object::metadata_mut(&mut review)
    {
        metadata.insert("creationTimestamp".into(), time::format(time::now()).into());
    }
    body::track(resource, "", request, &mut review);
    if let Some(review) = review.as_object_mut() {
        review.insert("status".into(), status);
    }
    Ok(body::created(&review))
}

fn check(resource: &Resource, review: &Value) -> Result<(), Status> {
    let errors = validation::create(AUTHORIZATION, resource.kind, review);
    // Upstream names no kind here.
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(AUTHORIZATION, "", "", &errors)) }
}

/// Whose a token is, as `pkg/registry/authentication/tokenreview/storage.go` tells it.
fn token(shared: &Shared, spec: &Value) -> Result<Value, Status> {
    let token = spec["token"].as_str().unwrap_or_default();
    if token.is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    let asked = texts(&spec["audiences"]);
    let audiences = if asked.is_empty() { &shared.config.api_audiences } else { &asked };
    let identity = match tokens::review(token, audiences) {
        Ok(Some(identity)) => identity,
        Ok(None) => return Ok(json!({ "user": {} })),
        Err(why) => return Ok(json!({ "user": {}, "error": why })),
    };
    if !audiences.is_empty() && !audiences.iter().any(|audience| identity.audiences.contains(audience)) {
        return Err(Status::internal("error validating audiences"));
    }
    let mut status = json!({ "authenticated": true, "user": user_info(&identity.user) });
    if !identity.audiences.is_empty() {
        status["audiences"] = json!(identity.audiences);
    }
    Ok(status)
}

/// The user as a document.
fn user_info(user: &UserInfo) -> Value {
    let mut info = Map::new();
    let extra: Map = user.extra.iter().map(|(key, values)| (key.clone(), json!(values))).collect();
    for (name, value, empty) in [
        ("username", json!(user.name), user.name.is_empty()),
        ("uid", json!(user.uid), user.uid.is_empty()),
        ("groups", json!(user.groups), user.groups.is_empty()),
        ("extra", Value::Object(extra), user.extra.is_empty()),
    ] {
        if !empty {
            info.insert(name.into(), value);
        }
    }
    info.into()
}

fn texts(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// Whether the host would let somebody of these groups do it.
fn access(groups: &[String], spec: &Value) -> Value {
    let attributes = &spec["nonResourceAttributes"];
    let part = |name: &str| attributes[name].as_str().unwrap_or_default();
    let public = part("verb") == "get"
        && PUBLIC.iter().any(|path| {
            part("path") == *path || part("path").strip_prefix(path).is_some_and(|rest| rest.starts_with('/'))
        });
    json!({ "allowed": public || groups.iter().any(|group| group == MASTERS) })
}

fn rules(user: &UserInfo) -> Value {
    let all = user.groups.iter().any(|group| group == MASTERS);
    let own = json!({
        "verbs": ["create"], "apiGroups": [AUTHORIZATION],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    });
    let public: Vec<String> =
        PUBLIC.iter().flat_map(|path| [(*path).to_owned(), format!("{path}/")]).collect();
    let (resources, paths) = if all {
        (
            json!([{ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] }]),
            json!([{ "verbs": ["*"], "nonResourceURLs": ["*"] }]),
        )
    } else {
        (json!([own]), json!([{ "verbs": ["get"], "nonResourceURLs": public }]))
    };
    json!({ "resourceRules": resources, "nonResourceRules": paths, "incomplete": false })
}
