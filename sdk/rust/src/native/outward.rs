//! What a component asks of its server, answered from memory.

use super::TOLD;
use crate::{authenticator::Identity, controllers::Controller};
use chainplate_apimachinery::{Status, Value, patch, request};
use serde_json::json;
use std::{cell::RefCell, collections::BTreeMap};

type Serve = Box<dyn FnMut(&str, &str, &str, &[u8]) -> Result<Value, Status>>;
type Convert = Box<dyn Fn(&str, Value) -> Result<Value, Status>>;
type Review = Box<dyn Fn(&str, &[String]) -> Result<Option<Identity>, String>>;

thread_local! {
    /// Objects by collection (its path) and name.
    static OBJECTS: RefCell<BTreeMap<(String, String), Value>> = const { RefCell::new(BTreeMap::new()) };
    static SERVE: RefCell<Option<Serve>> = const { RefCell::new(None) };
    static CONVERT: RefCell<BTreeMap<(String, String), Convert>> = const { RefCell::new(BTreeMap::new()) };
    static REVIEW: RefCell<Option<Review>> = const { RefCell::new(None) };
}

pub(super) fn reset() {
    OBJECTS.set(BTreeMap::new());
    SERVE.set(None);
    CONVERT.set(BTreeMap::new());
    REVIEW.set(None);
}

/// Puts an object into a collection, as `/api/v1/namespaces/a/pods`, for [`client`](crate::client) to find.
pub fn put_object(collection: &str, object: Value) {
    OBJECTS.with_borrow_mut(|objects| objects.insert((collection.to_owned(), name_of(&object)), object));
}

/// Has requests of [`client`](crate::client) answered by `serve(method, path and query, media type, body)` instead of from
/// memory, until [`reset`](super::reset).
pub fn serve_client(serve: impl FnMut(&str, &str, &str, &[u8]) -> Result<Value, Status> + 'static) {
    SERVE.set(Some(Box::new(serve)));
}

/// Has objects of a kind converted by `convert(apiVersion, object)`, until [`reset`](super::reset).
pub fn convert_with(
    group: &str,
    kind: &str,
    convert: impl Fn(&str, Value) -> Result<Value, Status> + 'static,
) {
    let key = (group.to_owned(), kind.to_owned());
    CONVERT.with_borrow_mut(|converters| converters.insert(key, Box::new(convert)));
}

/// Has tokens judged by `review(token, audiences)` until [`reset`](super::reset); without it nobody knows any.
pub fn review_tokens_with(review: impl Fn(&str, &[String]) -> Result<Option<Identity>, String> + 'static) {
    REVIEW.set(Some(Box::new(review)));
}

pub(crate) fn review_token(token: &str, audiences: &[String]) -> Result<Option<Identity>, String> {
    REVIEW.with_borrow(|review| match review {
        Some(review) => review(token, audiences),
        None => Err("invalid bearer token".into()),
    })
}

/// Nothing is signed here: the token is its claims.
pub(crate) fn sign_token(claims: &[u8]) -> Result<String, Status> {
    String::from_utf8(claims.to_vec()).map_err(Status::internal)
}

pub(crate) fn start_controller(controller: Controller) -> Result<(), Status> {
    TOLD.with_borrow_mut(|told| told.controllers.push(controller));
    Ok(())
}

fn name_of(object: &Value) -> String {
    object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Sends a request to the objects in memory: no admission, no validation, no selectors, no server-side apply.
///
/// # Errors
/// 404, 409, 400 as the server would.
pub(crate) fn client_send(
    method: &str,
    path: &str,
    media_type: &str,
    body: &[u8],
) -> Result<Vec<u8>, Status> {
    let served =
        SERVE.with_borrow_mut(|serve| serve.as_mut().map(|serve| serve(method, path, media_type, body)));
    let answer = match served {
        Some(answer) => answer,
        None => OBJECTS.with_borrow_mut(|objects| answer(objects, method, path, media_type, body)),
    };
    Ok(answer?.to_string().into_bytes())
}

fn answer(
    objects: &mut BTreeMap<(String, String), Value>,
    method: &str,
    target: &str,
    media_type: &str,
    body: &[u8],
) -> Result<Value, Status> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let info = request::RequestInfo::parse(method, path, query)
        .map_err(|error| Status::bad_request(error.to_string()))?;
    let body =
        || serde_json::from_slice::<Value>(body).map_err(|error| Status::bad_request(error.to_string()));
    let collection = || match path.rfind(&format!("/{}/", info.resource)) {
        Some(at) if !info.name.is_empty() => path[..=at + info.resource.len()].to_owned(),
        _ => path.to_owned(),
    };
    let key = (collection(), info.name.clone());
    let not_found = || Status::not_found(&info.group, &info.resource, &info.name);
    match method {
        "GET" if info.name.is_empty() => Ok(list(objects, &info, path, query)),
        "GET" => objects.get(&key).cloned().ok_or_else(not_found),
        "POST" => {
            let object = body()?;
            let key = (key.0, name_of(&object));
            if objects.contains_key(&key) {
                return Err(Status::already_exists(&info.group, &info.resource, &key.1));
            }
            objects.insert(key, object.clone());
            Ok(object)
        }
        "PUT" => {
            let there = objects.get_mut(&key).ok_or_else(not_found)?;
            *there = body()?;
            Ok(there.clone())
        }
        "PATCH" => {
            let there = objects.get_mut(&key).ok_or_else(not_found)?;
            match media_type {
                "application/merge-patch+json" => patch::merge(there, body()?),
                "application/json-patch+json" => {
                    let operations =
                        patch::operations(body()?, &mut Vec::new()).map_err(Status::bad_request)?;
                    patch::apply(there, &operations)
                        .map_err(|refused| Status::bad_request(refused.to_string()))?;
                }
                _ => return Err(Status::unsupported_media_type(&["application/merge-patch+json"])),
            }
            Ok(there.clone())
        }
        "DELETE" => objects.remove(&key).ok_or_else(not_found),
        _ => Err(Status::method_not_allowed()),
    }
}

/// A page of the objects of a collection, or of such collections in all namespaces.
fn list(
    objects: &BTreeMap<(String, String), Value>,
    info: &request::RequestInfo,
    path: &str,
    query: &str,
) -> Value {
    let number = |key| request::query_value(query, key).and_then(|value| value.parse::<usize>().ok());
    let (start, limit) = (number("continue").unwrap_or(0), number("limit").unwrap_or(usize::MAX));
    let end = format!("/{}", info.resource);
    let root = path.strip_suffix(&end).unwrap_or(path);
    let within = |collection: &str| {
        let inner = collection.strip_prefix(root).and_then(|inner| inner.strip_suffix(&end));
        inner.is_some_and(|inner| {
            inner.is_empty()
                || inner.strip_prefix("/namespaces/").is_some_and(|namespace| !namespace.contains('/'))
        })
    };
    let mut found = objects.iter().filter(|((collection, _), _)| within(collection)).skip(start);
    let items: Vec<&Value> = found.by_ref().take(limit).map(|(_, object)| object).collect();
    let next = found.next().map(|_| (start + items.len()).to_string()).unwrap_or_default();
    json!({ "metadata": { "continue": next }, "items": items })
}

/// Conversion in code of custom resources, as [`convert_with`] says.
pub mod conversion {
    use super::CONVERT;
    use chainplate_apimachinery::Status;

    /// Whether a test said how objects of that kind are converted.
    pub fn converts(group: &str, kind: &str) -> bool {
        CONVERT.with_borrow(|converters| converters.contains_key(&(group.to_owned(), kind.to_owned())))
    }

    /// Converts objects, in JSON, to `api_version`.
    ///
    /// # Errors
    /// The test's; 500 for a kind that nobody converts.
    pub fn convert(
        group: &str,
        kind: &str,
        api_version: &str,
        objects: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>, Status> {
        CONVERT.with_borrow(|converters| {
            let convert = converters
                .get(&(group.to_owned(), kind.to_owned()))
                .ok_or_else(|| Status::internal(format_args!("nobody converts {kind}.{group}")))?;
            let one = |json: &Vec<u8>| {
                let object = serde_json::from_slice(json).map_err(Status::internal)?;
                serde_json::to_vec(&convert(api_version, object)?).map_err(Status::internal)
            };
            objects.iter().map(one).collect()
        })
    }
}
