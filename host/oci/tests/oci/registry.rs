//! The endpoints of the distribution specification that push and pull use, in memory on the loopback interface.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chainplate_oci::{Access, Credentials, Digest, Reference};
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const USER: &str = "ann";
pub(crate) const PASSWORD: &str = "secret";
const TOKEN: &str = "a-token";

/// How the registry asks who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    Open,
    Basic,
    /// With a token service that wants user name and password.
    Bearer,
}

/// What the registry holds and has seen.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// By digest.
    pub(crate) blobs: BTreeMap<String, Bytes>,
    /// By digest and by tag.
    pub(crate) manifests: BTreeMap<String, (String, Bytes)>,
    /// Every request, `PUT /v2/…`.
    pub(crate) requests: Vec<String>,
    /// Blobs are read from there.
    pub(crate) storage: Option<String>,
    /// Manifests come without their digest in a header.
    pub(crate) silent: bool,
}

#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) host: String,
    pub(crate) content: Arc<Mutex<Content>>,
    server: JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Registry {
    pub(crate) async fn start(login: Login) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let content = Arc::new(Mutex::new(Content::default()));
        let state = (host.clone(), Arc::clone(&content));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (host, content) = state.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(request, login, &host, &content));
                    let http = hyper::server::conn::http1::Builder::new();
                    // The client may hang up whenever it has what it wants.
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { host, content, server }
    }

    pub(crate) fn reference(&self, version: &str) -> Reference {
        Reference::parse(&format!("{}/team/plugin{version}", self.host)).unwrap()
    }

    /// Replaces the manifest at a tag by what `change` makes of it.
    pub(crate) fn change_manifest(&self, tag: &str, change: impl FnOnce(&mut serde_json::Value)) {
        let mut content = self.content.lock().unwrap();
        let (_, body) = content.manifests.get_mut(tag).unwrap();
        let mut document = serde_json::from_slice(body).unwrap();
        change(&mut document);
        *body = serde_json::to_vec(&document).unwrap().into();
    }

    pub(crate) fn manifest(&self, version: &str) -> serde_json::Value {
        serde_json::from_slice(&self.content.lock().unwrap().manifests[version].1).unwrap()
    }

    pub(crate) fn seen(&self, start: &str) -> usize {
        self.content.lock().unwrap().requests.iter().filter(|request| request.starts_with(start)).count()
    }
}

/// Access with the user name and password that the registry wants.
pub(crate) fn known() -> Access {
    let credentials = Credentials::Basic { username: USER.into(), password: PASSWORD.into() };
    Access { credentials, ..Access::default() }
}

fn reply(status: StatusCode) -> http::response::Builder {
    Response::builder().status(status)
}

async fn answer(
    request: Request<Incoming>,
    login: Login,
    host: &str,
    content: &Mutex<Content>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let sent = head.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let path = head.uri.path();
    let query = head.uri.query().unwrap_or_default();
    let mut content = content.lock().unwrap();
    content.requests.push(format!("{} {}", head.method, head.uri));

    if path == "/token" {
        let scoped = query.contains("scope=repository:team/plugin:pull") && query.contains("service=tests");
        return Ok(if sent.as_deref() == Some(&basic) && scoped {
            reply(StatusCode::OK).body(format!(r#"{{"token":"{TOKEN}"}}"#).into()).unwrap()
        } else {
            reply(StatusCode::UNAUTHORIZED).body("who?".into()).unwrap()
        });
    }
    let (wanted, challenge) = match login {
        Login::Open => (None, String::new()),
        Login::Basic => (Some(basic), "Basic realm=\"tests\"".into()),
        Login::Bearer => (
            Some(format!("Bearer {TOKEN}")),
            format!("Bearer realm=\"http://{host}/token\",service=\"tests\",scope=\"repository:x:pull\""),
        ),
    };
    if wanted.is_some() && sent != wanted {
        let reply = reply(StatusCode::UNAUTHORIZED).header(WWW_AUTHENTICATE, challenge);
        return Ok(reply.body(r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#.into()).unwrap());
    }

    let missing = || {
        let body = r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#;
        reply(StatusCode::NOT_FOUND).body(Full::from(body)).unwrap()
    };
    let Some(rest) = path.strip_prefix("/v2/team/plugin/") else { return Ok(missing()) };
    let (kind, name) = rest.split_once('/').unwrap();
    Ok(match (&head.method, kind, name) {
        (&Method::POST, "blobs", "uploads/") => reply(StatusCode::ACCEPTED)
            .header(LOCATION, "/v2/team/plugin/blobs/uploads/one?state=x")
            .body(Full::default())
            .unwrap(),
        (&Method::PUT, "blobs", "uploads/one") => {
            let digest = query.strip_prefix("state=x&digest=").unwrap();
            assert_eq!(digest, Digest::of(&body).as_str());
            content.blobs.insert(digest.to_owned(), body);
            reply(StatusCode::CREATED).body(Full::default()).unwrap()
        }
        (&Method::GET | &Method::HEAD, "blobs", digest) => {
            match (content.blobs.get(digest), &content.storage) {
                (Some(_), Some(storage)) if head.method == Method::GET => {
                    let place = format!("{storage}/{digest}");
                    reply(StatusCode::TEMPORARY_REDIRECT)
                        .header(LOCATION, place)
                        .body(Full::default())
                        .unwrap()
                }
                (Some(blob), _) => reply(StatusCode::OK).body(blob.clone().into()).unwrap(),
                (None, _) => missing(),
            }
        }
        (&Method::PUT, "manifests", name) => {
            let kind = head.headers[CONTENT_TYPE].to_str().unwrap().to_owned();
            content.manifests.insert(Digest::of(&body).to_string(), (kind.clone(), body.clone()));
            content.manifests.insert(name.to_owned(), (kind, body));
            reply(StatusCode::CREATED).body(Full::default()).unwrap()
        }
        (&Method::GET, "manifests", name) => match content.manifests.get(name) {
            Some((kind, body)) => {
                let mut reply = reply(StatusCode::OK).header(CONTENT_TYPE, kind);
                if !content.silent {
                    reply = reply.header("docker-content-digest", Digest::of(body).as_str());
                }
                reply.body(body.clone().into()).unwrap()
            }
            None => missing(),
        },
        _ => reply(StatusCode::METHOD_NOT_ALLOWED).body(Full::default()).unwrap(),
    })
}
