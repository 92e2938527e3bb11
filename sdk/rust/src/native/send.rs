//! Requests to a server as a client would send them, and the answers as the client would get them.

use super::{Plan, Request, Response, store};
use crate::{Outcome, Server};
use chainplate_apimachinery::{Status, Value, request::RequestInfo};
use serde_json::json;

/// Objects of a list; tests have no more.
const PAGE: u32 = 500;

/// Sends a request with a JSON body (`null`: none; a PATCH is a merge patch): code and document of the answer. A request
/// that the server delegates has the code 0.
///
/// The server's own transforms run over what is stored, as they do in the host, so that every version can be asked for.
/// Selectors and tables are the host's work and not done here.
pub fn send<S: Server>(server: &S, method: &str, path: &str, body: Value) -> (u16, Value) {
    let type_ = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    send_as(server, method, path, type_, body)
}

/// [`send`] with the media type of the body.
pub fn send_as<S: Server>(server: &S, method: &str, path: &str, type_: &str, body: Value) -> (u16, Value) {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let info = match RequestInfo::parse(method, path, query) {
        Ok(info) => info,
        Err(error) => return told(&Status::bad_request(format!("{error:?}"))),
    };
    let mut request = Request::new(info, query);
    if !body.is_null() {
        request = request.with_body(type_, body.to_string());
    }
    match server.handle(&request) {
        Ok(Outcome::Respond(response)) => {
            answer(server, &request, &response).unwrap_or_else(|status| told(&status))
        }
        Ok(_) => (0, Value::Null),
        Err(status) => told(&status),
    }
}

fn told(status: &Status) -> (u16, Value) {
    (status.code(), status.to_value())
}

fn answer<S: Server>(server: &S, request: &Request<'_>, response: &Response) -> Result<(u16, Value), Status> {
    let info = request.info();
    match response.plan() {
        Plan::Bytes(code, _, body) => {
            let text = || Value::from(String::from_utf8_lossy(body).into_owned());
            Ok((*code, serde_json::from_slice(body).unwrap_or_else(|_| text())))
        }
        Plan::Json(code, body) => Ok((*code, convert(server, response, body.clone())?)),
        Plan::Object(prefix, namespace, name) => {
            let stored = store().get(prefix, namespace.as_deref(), name);
            let stored = stored.ok_or_else(|| Status::not_found(&info.group, &info.resource, name))?;
            Ok((200, convert(server, response, stored.value())?))
        }
        Plan::List(prefix, namespace) => {
            let page = store().page(prefix, namespace.as_deref(), PAGE, None);
            let items: Result<Vec<Value>, Status> =
                page.items.iter().map(|item| convert(server, response, item.value())).collect();
            Ok((200, json!({"items": items?})))
        }
    }
}

fn convert<S: Server>(server: &S, response: &Response, document: Vec<u8>) -> Result<Value, Status> {
    let document = match &response.conversion {
        None => document,
        Some((name, argument)) => server.transform(name, argument, vec![document])?.concat(),
    };
    serde_json::from_slice(&document).map_err(Status::internal)
}
