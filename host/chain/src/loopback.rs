//! Requests of the host's own to the chain: those that components send, those that find out where objects are, and what
//! the host itself wants to know of objects.

use crate::{
    chain::{Answer, Chain},
    controllers::GroupVersionResource,
    instance::Call,
    plugin::PluginContext,
    request::{self, Request},
};
use bytes::{Bytes, BytesMut};
use chainplate_apimachinery::{
    Status, Value,
    request::{RequestInfo, UserInfo, Verb},
};
use chainplate_plan::{Body, Collection, Plan, unreadable};
use chainplate_storage::Key;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Most requests of components that lead to one another.
const MAX_DEPTH: u8 = 8;
/// Largest answer, in bytes.
const MAX_ANSWER: usize = 16 << 20;
/// How long the search for a collection may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The user that a component is in requests of its own.
fn user(plugin: &str) -> UserInfo {
    UserInfo {
        name: format!("system:chainplate:plugin:{plugin}"),
        uid: String::new(),
        groups: vec!["system:chainplate:plugins".to_owned(), "system:authenticated".to_owned()],
        extra: Vec::new(),
    }
}

impl Chain {
    /// Sends a component's request along the chain, if it is granted; the body of the answer.
    ///
    /// # Errors
    /// 403 for what is not granted, 508 for components that go round in circles, and whatever the answer is if it is not
    /// a success.
    pub(crate) async fn send(
        self: &Arc<Self>,
        plugin: &PluginContext,
        call: Call,
        method: &str,
        path: &str,
        media_type: &str,
        body: Bytes,
    ) -> Result<Bytes, Status> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let info = RequestInfo::parse(method, path, query).map_err(|error| {
            Status::bad_request(format!("component {:?}: {path:?}: {error}", plugin.name))
        })?;
        allow(plugin, &info)?;
        if call.depth >= MAX_DEPTH {
            let why =
                format!("component {:?}: {MAX_DEPTH} requests of components led to one another", plugin.name);
            return Err(Status::new(508, "LoopDetected", why));
        }
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(agent) = HeaderValue::try_from(plugin.name.as_str()) {
            headers.insert(header::USER_AGENT, agent);
        }
        if !media_type.is_empty() {
            let media_type = HeaderValue::try_from(media_type)
                .map_err(|_| Status::bad_request(format!("{media_type:?} is no media type")))?;
            headers.insert(header::CONTENT_TYPE, media_type);
        }
        let is_write = !matches!(info.verb, Verb::Get | Verb::List);
        let request = Request {
            info: Arc::new(info),
            query: query.to_owned(),
            headers,
            user: Arc::new(user(&plugin.name)),
            audit_id: chainplate_apimachinery::generate_name::uid(),
            deadline: Some(call.deadline),
            body: request::Body::ready(body),
            warn: Arc::new(|_| {}),
            annotate: Arc::new(|_, _| {}),
            depth: call.depth + 1,
        };
        let (chain, shutdown) = (Arc::clone(self), self.shared.retirement());
        let answer = async move {
            let response = chain.respond(request, shutdown, Duration::ZERO).await;
            let Some(response) = response else { return Err(Status::unknown_resource()) };
            let code = response.status();
            let body = collect(response.into_body()).await?;
            if code.is_success() { Ok(body) } else { Err(failure(code.as_u16(), &body)) }
        };
        if !is_write {
            return answer.await;
        }
        // A write is seen through even when its component is given up: another may be between two steps of it.
        tokio::spawn(answer).await.unwrap_or_else(|died| Err(Status::internal(died)))
    }

    /// The collection that serves a resource: what a LIST of it would read.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) async fn resolve(
        self: &Arc<Self>,
        what: &GroupVersionResource,
    ) -> Result<Arc<Collection>, Status> {
        let GroupVersionResource { group, version, resource } = what;
        let path = if group.is_empty() {
            format!("/api/{version}/{resource}")
        } else {
            format!("/apis/{group}/{version}/{resource}")
        };
        let info =
            RequestInfo::parse("GET", &path, "").map_err(|error| Status::bad_request(error.to_string()))?;
        let request = Request {
            info: Arc::new(info),
            query: String::new(),
            headers: HeaderMap::new(),
            user: Arc::new(user("host")),
            audit_id: String::new(),
            deadline: Some(Instant::now() + PATIENCE),
            body: request::Body::ready(Bytes::new()),
            warn: Arc::new(|_| {}),
            annotate: Arc::new(|_, _| {}),
            depth: 0,
        };
        match self.handle(request).await {
            Answer::Plan(execution, _) => match execution.plan {
                Plan::List { collection, .. } => {
                    self.remember(what, &collection);
                    Ok(collection)
                }
                _ => Err(Status::bad_request(format!("{path} is no collection of stored objects"))),
            },
            Answer::Status(status) => Err(status),
            Answer::NotFound | Answer::NotInstalled => Err(Status::unknown_resource()),
        }
    }
}

impl Chain {
    /// The metadata of an object in JSON, as the chain serves it; `None` if there is none. The group is empty for core.
    ///
    /// The chain is asked once where the resource is. From then on no component is needed, so that one that waits for the
    /// answer cannot be what the answer waits for.
    ///
    /// # Errors
    /// Why nobody serves the resource, or storage cannot be read.
    pub async fn object_metadata(
        self: &Arc<Self>,
        group: &str,
        version: &str,
        resource: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>, Status> {
        let what =
            GroupVersionResource { group: group.into(), version: version.into(), resource: resource.into() };
        let collection = match self.resolved(&what) {
            Some(collection) => collection,
            None => self.resolve(&what).await?,
        };
        let key = Key::new(collection.storage_prefix.clone(), namespace, name);
        let mut found = self.store.get(&key);
        if found.is_none() && self.store.is_shared() {
            // Another server may have made it just now.
            self.store.refresh().await.map_err(|error| unreadable(&error))?;
            found = self.store.get(&key);
        }
        found.map(|object| serde_json::from_slice(object.metadata()).map_err(Status::internal)).transpose()
    }
}

/// The whole body of an answer.
async fn collect(mut body: Body) -> Result<Bytes, Status> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Status::internal(format_args!("the answer broke off: {error}")))?;
        if let Ok(data) = frame.into_data() {
            whole.extend_from_slice(&data);
        }
        if whole.len() > MAX_ANSWER {
            let why = format!("the answer is larger than {} MiB; ask for less, with limit", MAX_ANSWER >> 20);
            return Err(Status::too_large(why));
        }
    }
    Ok(whole.freeze())
}

/// Whether a component may send such a request.
fn allow(plugin: &PluginContext, info: &RequestInfo) -> Result<(), Status> {
    if info.verb == Verb::Watch {
        return Err(Status::bad_request(format!(
            "component {:?}: a watch does not end; declare a controller instead",
            plugin.name
        )));
    }
    let verb = info.verb.as_str();
    let (group, resource, subresource) = (&info.group, &info.resource, &info.subresource);
    // A Namespace is in no namespace, whatever RequestInfo says.
    let namespace = if group.is_empty() && resource == "namespaces" { "" } else { info.namespace.as_str() };
    if info.is_resource && plugin.grants.allows_request(verb, group, resource, subresource, namespace) {
        return Ok(());
    }
    let what = if info.is_resource {
        format!("{verb} {resource}")
    } else {
        format!("{} {}", info.method, info.path)
    };
    let why =
        format!("component {:?} may not {what}; add it to grants.resources of this component", plugin.name);
    tracing::warn!(plugin = plugin.name, "request refused: {why}");
    Err(Status::forbidden(group, resource, &info.name, &why))
}

/// The Status in a failed answer.
fn failure(code: u16, body: &[u8]) -> Status {
    let told: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default();
    let message = match text("message") {
        "" => String::from_utf8_lossy(&body[..body.len().min(1024)]).into_owned(),
        message => message.to_owned(),
    };
    let status = Status::new(code, text("reason"), message);
    match told.get("details").and_then(Value::as_object) {
        Some(details) => status.with_details(details.clone()),
        None => status,
    }
}
