//! Questions about users: who am I, what may I, whose token is this.
//!
//! The host decides who may do what and tells components no more than who sent a request. So the answers follow
//! the host's present rule: members of `system:masters` may do all, and everybody may read the paths that
//! tell whether and what the server is. When the host's authorizers can be asked, this module is what changes.

use crate::{body, resources::Resource};
use chainplate_sdk::{
    Outcome, Request,
    apimachinery::{
        Map, Status, Value,
        field::{Error, Path},
        object,
        request::{UserInfo, Verb},
    },
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
/// 405 for other verbs than create, 400 and 422 for questions that make no sense.
pub(crate) fn handle(resource: &Resource, request: &Request<'_>) -> Result<Outcome, Status> {
    let info = request.info();
    if !info.subresource.is_empty() {
        return Err(Status::unknown_resource());
    }
    if info.verb != Verb::Create || !info.name.is_empty() {
        return Err(Status::method_not_allowed());
    }
    let mut review = body::read(request, resource.group, resource.version, resource.kind)?;
    let user = request.user();
    let status = match resource.name {
        "selfsubjectreviews" => json!({ "userInfo": user_info(&user) }),
        // Credentials are the host's; a component cannot tell whose a token is.
        "tokenreviews" => {
            check_token(&review)?;
            json!({ "user": {}, "error": "this server's components cannot verify tokens" })
        }
        "selfsubjectaccessreviews" => {
            check(validate_attributes(&review["spec"]))?;
            access(&user.groups, &review["spec"])
        }
        "selfsubjectrulesreviews" => {
            if review["spec"]["namespace"].as_str().unwrap_or_default().is_empty() {
                return Err(Status::bad_request("no namespace on request"));
            }
            rules(&user)
        }
        "localsubjectaccessreviews" => {
            if object::namespace(&review).is_empty()
                && let Some(metadata) = object::metadata_mut(&mut review)
            {
                metadata.insert("namespace".into(), info.namespace.as_str().into());
            }
            check(validate_local(&review))?;
            access(&groups(&review["spec"]), &review["spec"])
        }
        _ => {
            check(validate_subject(&review["spec"]))?;
            access(&groups(&review["spec"]), &review["spec"])
        }
    };
    if object::metadata(&review).is_none()
        && let Some(review) = review.as_object_mut()
    {
        review.insert("metadata".into(), json!({}));
    }
    if let Some(review) = review.as_object_mut() {
        review.insert("status".into(), status);
    }
    Ok(body::created(&review))
}

fn check(errors: Vec<Error>) -> Result<(), Status> {
    // Upstream names no kind here.
    if errors.is_empty() { Ok(()) } else { Err(Status::invalid(AUTHORIZATION, "", "", &errors)) }
}

fn check_token(review: &Value) -> Result<(), Status> {
    if review["spec"]["token"].as_str().unwrap_or_default().is_empty() {
        return Err(Status::bad_request("token is required for TokenReview in authentication"));
    }
    Ok(())
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

fn groups(spec: &Value) -> Vec<String> {
    let groups = spec["groups"].as_array().into_iter().flatten();
    groups.filter_map(|group| group.as_str().map(str::to_owned)).collect()
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

/// `ValidateSubjectAccessReviewSpec`.
fn validate_subject(spec: &Value) -> Vec<Error> {
    let mut errors = validate_one_question(spec);
    let root = Path::Root;
    let path = root.child("spec");
    if spec["user"].as_str().unwrap_or_default().is_empty() && groups(spec).is_empty() {
        errors.push(Error::invalid(
            &path.child("user"),
            "",
            "at least one of user or group must be specified",
        ));
    }
    errors.extend(validate_selectors(spec));
    errors
}

/// `ValidateSelfSubjectAccessReviewSpec`.
fn validate_attributes(spec: &Value) -> Vec<Error> {
    let mut errors = validate_one_question(spec);
    errors.extend(validate_selectors(spec));
    errors
}

fn validate_one_question(spec: &Value) -> Vec<Error> {
    let root = Path::Root;
    let path = root.child("spec");
    let other = &spec["nonResourceAttributes"];
    match (spec["resourceAttributes"].is_object(), other.is_object()) {
        (true, true) => {
            // As Go prints its struct.
            let text = |name: &str| other[name].as_str().unwrap_or_default();
            let value = json!({ "Path": text("path"), "Verb": text("verb") });
            let why = "cannot be specified in combination with resourceAttributes";
            vec![Error::invalid(&path.child("nonResourceAttributes"), value, why)]
        }
        (false, false) => {
            let why = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
            vec![Error::invalid(&path.child("resourceAttributes"), Value::Null, why)]
        }
        _ => Vec::new(),
    }
}

/// `ValidateLocalSubjectAccessReview`.
fn validate_local(review: &Value) -> Vec<Error> {
    let spec = &review["spec"];
    let mut errors = validate_subject(spec);
    let root = Path::Root;
    let path = root.child("spec");
    let attributes = path.child("resourceAttributes");
    let asked = spec["resourceAttributes"]["namespace"].as_str().unwrap_or_default();
    if spec["resourceAttributes"].is_object() && asked != object::namespace(review) {
        errors.push(Error::invalid(&attributes.child("namespace"), asked, "must match metadata.namespace"));
    }
    let other = &spec["nonResourceAttributes"];
    if other.is_object() {
        let why = "disallowed on this kind of request";
        errors.push(Error::invalid(&path.child("nonResourceAttributes"), other.clone(), why));
    }
    errors
}

/// Selectors of a question (KEP-4601): a raw one, or requirements.
fn validate_selectors(spec: &Value) -> Vec<Error> {
    let root = Path::Root;
    let path = root.child("spec");
    let path = path.child("resourceAttributes");
    let mut errors = Vec::new();
    for name in ["fieldSelector", "labelSelector"] {
        let selector = &spec["resourceAttributes"][name];
        if !selector.is_object() {
            continue;
        }
        let path = path.child(name);
        let raw = selector["rawSelector"].as_str().unwrap_or_default();
        let requirements = selector["requirements"].as_array().is_some_and(|list| !list.is_empty());
        if !raw.is_empty() && requirements {
            let why = "may not specified at the same time as requirements";
            errors.push(Error::invalid(&path.child("rawSelector"), raw, why));
        }
        if raw.is_empty() && !requirements {
            let why = format!("when {path} is specified, requirements or rawSelector is required");
            errors.push(Error::required(&path.child("requirements"), why));
        }
    }
    errors
}
