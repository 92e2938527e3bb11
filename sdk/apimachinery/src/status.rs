//! `metav1.Status`: every answer that is not an object or a document.
//!
//! Codes, reasons and texts are facts that clients parse; their source is
//! `apimachinery/pkg/api/errors/errors.go`.

use crate::{Map, Value, field};
use serde_json::json;
use std::fmt;

/// One entry of `details.causes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// A `CauseType`, such as `FieldValueInvalid`.
    pub reason: String,
    /// What is wrong, without the field.
    pub message: String,
    /// The field's path, `spec.replicas`; empty when no field is meant.
    pub field: String,
}

/// A failed answer (or, for deletions, a successful one) as Kubernetes tells it.
///
/// Boxed so that a `Result` stays small on the path where nothing fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status(Box<Inner>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    code: u16,
    success: bool,
    reason: String,
    message: String,
    /// `details`, absent or an object that may be empty (upstream writes `{}` for some answers).
    details: Option<Map>,
}

impl Status {
    /// A failure with the given HTTP code, `reason` and message, without details.
    pub fn new(code: u16, reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            success: false,
            reason: reason.into(),
            message: message.into(),
            details: None,
        }))
    }

    /// The HTTP status code.
    pub fn code(&self) -> u16 {
        self.0.code
    }

    /// The machine-readable reason, `NotFound`; empty for a success.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// The text for people (and, in places, for clients that parse it).
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// `details`, if there are any.
    pub fn details(&self) -> Option<&Map> {
        self.0.details.as_ref()
    }

    /// `details.retryAfterSeconds`, which is also the `Retry-After` header.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.0.details.as_ref()?.get("retryAfterSeconds")?.as_u64()
    }

    /// Replaces `details`.
    #[must_use]
    pub fn with_details(mut self, details: Map) -> Self {
        self.0.details = Some(details);
        self
    }

    /// Sets one member of `details`.
    #[must_use]
    pub fn with_detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.get_or_insert_default().insert(key.into(), value.into());
        self
    }

    /// Replaces the message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Adds causes after those there are.
    #[must_use]
    pub fn with_causes(mut self, causes: impl IntoIterator<Item = Cause>) -> Self {
        let list: Vec<Value> = causes.into_iter().map(|cause| cause.to_value()).collect();
        let details = self.0.details.get_or_insert_default();
        match details.get_mut("causes") {
            Some(Value::Array(there)) => there.extend(list),
            _ if list.is_empty() => {}
            _ => {
                details.insert("causes".into(), Value::Array(list));
            }
        }
        self
    }

    /// Sets `details.retryAfterSeconds`.
    #[must_use]
    pub fn with_retry_after(self, seconds: u32) -> Self {
        self.with_detail("retryAfterSeconds", seconds)
    }

    /// The JSON form, `kind: Status`, `apiVersion: v1`.
    pub fn to_value(&self) -> Value {
        let mut object = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": if self.0.success { "Success" } else { "Failure" },
        });
        if let Value::Object(map) = &mut object {
            if !self.0.message.is_empty() {
                map.insert("message".into(), self.0.message.clone().into());
            }
            if !self.0.reason.is_empty() {
                map.insert("reason".into(), self.0.reason.clone().into());
            }
            if let Some(details) = &self.0.details {
                map.insert("details".into(), details.clone().into());
            }
            if !self.0.success {
                map.insert("code".into(), self.0.code.into());
            }
        }
        object
    }

    // The kinds of failure, in the order of upstream's file.

    /// 404 `pods "x" not found`.
    pub fn not_found(group: &str, resource: &str, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", qualified(group, resource)))
            .with_details(details(group, resource, name))
    }

    /// 404 for an unknown resource or subresource inside a served group and version: `details: {}`.
    pub fn unknown_resource() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .with_details(Map::new())
    }

    /// 409 `pods "x" already exists`.
    pub fn already_exists(group: &str, resource: &str, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {name:?} already exists", qualified(group, resource)))
            .with_details(details(group, resource, name))
    }

    /// 409 `Operation cannot be fulfilled on pods "x": <why>`.
    pub fn conflict(group: &str, resource: &str, name: &str, why: &str) -> Self {
        Self::new(
            409,
            "Conflict",
            format!("Operation cannot be fulfilled on {} {name:?}: {why}", qualified(group, resource)),
        )
        .with_details(details(group, resource, name))
    }

    /// 409 of a stale `resourceVersion`.
    pub fn modified(group: &str, resource: &str, name: &str) -> Self {
        Self::conflict(group, resource, name, MODIFIED)
    }

    /// 403 `pods "x" is forbidden: <why>`; without a name, `pods is forbidden: <why>`; without a resource,
    /// `forbidden: <why>`.
    pub fn forbidden(group: &str, resource: &str, name: &str, why: &str) -> Self {
        let resource_name = qualified(group, resource);
        let message = match (resource.is_empty(), name.is_empty()) {
            (true, _) => format!("forbidden: {why}"),
            (_, true) => format!("{resource_name} is forbidden: {why}"),
            _ => format!("{resource_name} {name:?} is forbidden: {why}"),
        };
        Self::new(403, "Forbidden", message).with_details(details(group, resource, name))
    }

    /// 401 `Unauthorized`.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 422 `Deployment.apps "x" is invalid: …` with a cause for each error. `kind` is the Kind, not the resource.
    pub fn invalid(group: &str, kind: &str, name: &str, errors: &[field::Error]) -> Self {
        let mut message = format!("{} {name:?} is invalid", qualified(group, kind));
        if !errors.is_empty() {
            message.push_str(": ");
            message.push_str(&field::aggregate(errors));
        }
        Self::new(422, "Invalid", message).with_details(details(group, kind, name)).with_causes(
            errors.iter().map(|error| Cause {
                reason: error.kind.reason().into(),
                message: error.body(),
                field: error.field.clone(),
            }),
        )
    }

    /// 405 of a verb that the resource has not; `details: {}`.
    pub fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
            .with_details(Map::new())
    }

    /// 406 with the media types that would do.
    pub fn not_acceptable(accepted: &[&str]) -> Self {
        Self::new(
            406,
            "NotAcceptable",
            format!("only the following media types are accepted: {}", accepted.join(", ")),
        )
    }

    /// 413.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 415 of a body in a media type that is not understood.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        Self::new(
            415,
            "UnsupportedMediaType",
            format!(
                "the body of the request was in an unknown format - accepted media types include: {}",
                accepted.join(", ")
            ),
        )
    }

    /// 429 with `Retry-After`.
    pub fn too_many_requests(message: impl Into<String>, retry_after_seconds: u32) -> Self {
        Self::new(429, "TooManyRequests", message).with_retry_after(retry_after_seconds)
    }

    /// 410 of a resource version or a continue token that is no longer kept.
    pub fn expired(message: impl Into<String>) -> Self {
        Self::new(410, "Expired", message)
    }

    /// 500 `Internal error occurred: <why>`.
    pub fn internal(why: impl fmt::Display) -> Self {
        let message = format!("Internal error occurred: {why}");
        Self::new(500, "InternalError", message).with_causes([Cause {
            reason: String::new(),
            message: why.to_string(),
            field: String::new(),
        }])
    }

    /// 503.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 504 of a request that ran out of time.
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(504, "Timeout", message)
    }

    /// Something went well, and there is no object to show for it.
    pub fn success(message: impl Into<String>) -> Self {
        let mut status = Self::new(200, "", message);
        status.0.success = true;
        status
    }

    /// The answer of a deletion that is complete. `details.kind` is the resource, as upstream has it.
    pub fn deleted(group: &str, resource: &str, name: &str, uid: &str) -> Self {
        let mut details = details(group, resource, name);
        details.insert("uid".into(), uid.into());
        let mut status = Self::new(200, "", "").with_details(details);
        status.0.success = true;
        status
    }
}

/// The reason that a stale `resourceVersion` is refused with.
pub const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

impl Cause {
    fn to_value(&self) -> Value {
        let mut map = Map::new();
        for (key, value) in [("reason", &self.reason), ("message", &self.message), ("field", &self.field)] {
            if !value.is_empty() {
                map.insert(key.into(), value.clone().into());
            }
        }
        Value::Object(map)
    }
}

/// `deployments.apps`, or `pods` in the core group.
fn qualified(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

fn details(group: &str, kind: &str, name: &str) -> Map {
    let mut map = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            map.insert(key.into(), value.into());
        }
    }
    map
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Status {}
