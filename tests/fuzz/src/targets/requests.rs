//! Whole requests to the server of the built-in types, on the in-memory host: a line with method and path, lines with
//! the media types of the body and of the answer, an empty line, the body.

use super::{objects, text};
use crate::Target;
use chainplate_apimachinery::{Status, Value, request::RequestInfo};
use chainplate_core::{Core, resources};
use chainplate_sdk::{Outcome, Plugin, Request, Server, native};
use serde_json::json;
use std::cell::OnceCell;

pub(super) const REQUEST: Target = Target { name: "request", check: request, seeds, words: objects::WORDS };

thread_local! {
    static CORE: OnceCell<Option<Core>> = const { OnceCell::new() };
}

const JSON: &str = "application/json";
const PATCHES: [&str; 3] = [
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

fn seed(line: &str, media_type: &str, body: &[u8]) -> Vec<u8> {
    [format!("{line}\n{media_type}\n{JSON}\n\n").as_bytes(), body].concat()
}

/// A create of each resource, and writes of each kind to what is there.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for round in 1..4 {
        for (api_version, kind, _, mut object) in objects::of_every_kind(round) {
            let (group, version) = api_version.split_once('/').unwrap_or(("", &api_version));
            let Some(resource) = resources::find_kind(group, version, kind) else { continue };
            // So that creates get further than the name.
            if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
                metadata.retain(|name, _| matches!(name.as_str(), "labels" | "annotations" | "finalizers"));
                metadata.insert("name".into(), "a".into());
            }
            let base =
                if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{api_version}") };
            let place = if resource.namespaced { "/namespaces/shop" } else { "" };
            let path = format!("{base}{place}/{}", resource.name);
            let body = serde_json::to_vec(&object).unwrap_or_default();
            seeds.push(seed(&format!("POST {path}?fieldValidation=Warn"), JSON, &body));
            seeds.push(seed(&format!("PATCH {path}/a?fieldManager=m&force=true"), PATCHES[2], &body));
        }
    }
    for (name, path, document) in [
        ("app", "/apis/apps/v1/namespaces/shop/deployments", objects::DEPLOYMENT),
        ("app-6d4cf56db6-x2x5z", "/api/v1/namespaces/shop/pods", objects::POD),
    ] {
        let path = format!("{path}/{name}");
        seeds.push(seed(&format!("PUT {path}"), JSON, document.as_bytes()));
        seeds.push(seed(&format!("PUT {path}/status"), JSON, document.as_bytes()));
        seeds.push(seed(
            &format!("DELETE {path}"),
            JSON,
            br#"{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":0}"#,
        ));
        seeds.push(seed(&format!("GET {path}"), JSON, b""));
        for media_type in PATCHES {
            let patch = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"labels": {"a": "b"}},
                "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "app", "image": "x"}]}}}});
            let body = serde_json::to_vec(&patch).unwrap_or_default();
            seeds.push(seed(&format!("PATCH {path}?fieldManager=m"), media_type, &body));
        }
        let operations = br#"[{"op":"replace","path":"/spec/replicas","value":5},{"op":"copy","from":"/spec","path":"/status"}]"#;
        seeds.push(seed(&format!("PATCH {path}"), "application/json-patch+json", operations));
        seeds.push(seed(&format!("PATCH {path}/scale"), PATCHES[0], br#"{"spec":{"replicas":7}}"#));
        seeds.push(seed(
            &format!("POST {path}/eviction"),
            JSON,
            br#"{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"a"}}"#,
        ));
        seeds.push(seed(
            &format!("POST {path}/binding"),
            JSON,
            br#"{"apiVersion":"v1","kind":"Binding","target":{"kind":"Node","name":"n"}}"#,
        ));
    }
    seeds.push(seed("GET /apis/apps/v1/deployments?labelSelector=a", JSON, b""));
    seeds.push(seed("DELETE /api/v1/namespaces/shop/pods?labelSelector=a", JSON, b""));
    seeds
}

/// Sends a request; the code of the answer, and the Status if it is one.
fn send(
    core: &Core,
    line: &str,
    media_type: &str,
    accept: &str,
    body: &[u8],
) -> Option<(u16, Option<Status>)> {
    let (method, target) = line.split_once(' ')?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let info = RequestInfo::parse(method, path, query).ok()?;
    let request = Request::new(info, query).with_header("accept", accept).with_body(media_type, body);
    match core.handle(&request) {
        Ok(Outcome::Respond(response)) => match response.plan() {
            native::Plan::Bytes(code, ..) | native::Plan::Json(code, _) => Some((*code, None)),
            native::Plan::Object(..) | native::Plan::List(..) => Some((200, None)),
        },
        Ok(_) => None,
        Err(status) => Some((status.code(), Some(status))),
    }
}

fn request(input: &[u8]) {
    let (head, body) = match input.windows(2).position(|pair| pair == b"\n\n") {
        Some(at) => (text(&input[..at]), &input[at + 2..]),
        None => (text(input), &[][..]),
    };
    let mut lines = head.lines();
    let mut next = || lines.next().unwrap_or_default();
    let (line, media_type, accept) = (next(), next(), next());
    CORE.with(|core| {
        let Some(core) = core.get_or_init(|| Core::configure(json!({})).ok()) else { return };
        native::reset();
        let account = r#"{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"app"}}"#;
        for (path, document) in [
            ("POST /api/v1/namespaces/shop/serviceaccounts", account),
            ("POST /apis/apps/v1/namespaces/shop/deployments", objects::DEPLOYMENT),
            ("POST /api/v1/namespaces/shop/pods", objects::POD),
        ] {
            let made = send(core, path, JSON, JSON, document.as_bytes());
            assert!(matches!(made, Some((201, _))), "what is there is made: {made:?}");
        }
        let Some((code, status)) = send(core, line, media_type, accept, body) else { return };
        let message = status.as_ref().map_or("", Status::message);
        assert!(code < 500 || is_upstreams(code, line, media_type), "{line}: {code} {message}");
    });
}

/// Whether upstream, too, answers with a 500: for patches that do not fit their object, and for bindings that are not
/// valid.
fn is_upstreams(code: u16, line: &str, media_type: &str) -> bool {
    let of_patch = matches!(
        media_type,
        "application/strategic-merge-patch+json"
            | "application/apply-patch+yaml"
            | "application/json-patch+json"
    );
    code == 500 && (of_patch || line.contains("/binding"))
}
