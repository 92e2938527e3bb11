//! Requests to this very server: the objects that the plugin was granted, in its manifest's words `wants.resources`.
//!
//! They go along the chain and through admission, as the user `system:chainplate:plugin:<name>`.

mod address;
#[cfg(test)]
mod tests;

use address::encode;
use chainplate_apimachinery::{Status, Value};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::ops::ControlFlow;

/// Objects that a page of a list has at most.
const PAGE: usize = 500;
/// Objects that [`Resource::list`] holds at most.
pub const MOST: usize = 10_000;

/// Sends a request and waits for the answer's body, at most 16 MiB. `method` is upper case, `path` may carry a query.
///
/// # Errors
/// 403 for what was not granted, and the Status of any answer but 2xx.
pub fn send(method: &str, path: &str, media_type: &str, body: &[u8]) -> Result<Vec<u8>, Status> {
    crate::host::client_send(method, path, media_type, body)
}

/// A resource of this server, and how its objects are to be read and written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    group: String,
    version: String,
    plural: String,
    subresource: String,
    dry_run: bool,
}

/// What a list is narrowed to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// A label selector, `app=web`; all without it.
    pub labels: String,
    /// A field selector, `spec.nodeName=a`; all without it.
    pub fields: String,
}

/// A patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// A merge patch (RFC 7386).
    Merge(Value),
    /// The operations of a JSON patch (RFC 6902).
    Json(Vec<Value>),
    /// Server-side apply.
    Apply {
        /// The object as the manager wants it.
        object: Value,
        /// The manager's name.
        manager: String,
        /// Whether fields of others are taken.
        force: bool,
    },
}

impl Resource {
    /// A resource; the group is empty for core.
    pub fn new(group: &str, version: &str, plural: &str) -> Self {
        Self {
            group: group.into(),
            version: version.into(),
            plural: plural.into(),
            subresource: String::new(),
            dry_run: false,
        }
    }

    /// A subresource of it, `status`.
    #[must_use]
    pub fn subresource(&self, name: &str) -> Self {
        Self { subresource: name.into(), ..self.clone() }
    }

    /// The same, but nothing that is written is stored.
    #[must_use]
    pub fn dry_run(&self) -> Self {
        Self { dry_run: true, ..self.clone() }
    }

    /// One object.
    ///
    /// # Errors
    /// The server's Status: 404 if it is not there, 403 without the grant.
    pub fn get<T: DeserializeOwned>(&self, namespace: Option<&str>, name: &str) -> Result<T, Status> {
        read(&send("GET", &self.path(namespace, Some(name), &[]), "", &[])?)
    }

    /// One object, or none if it is not there.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn find<T: DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<T>, Status> {
        match self.get(namespace, name) {
            Ok(object) => Ok(Some(object)),
            Err(status) if status.code() == 404 => Ok(None),
            Err(status) => Err(status),
        }
    }

    /// All objects of a namespace, or of all, page by page.
    ///
    /// # Errors
    /// The server's Status: 410 if the list changed too much between two pages. 413 for more than [`MOST`] objects: see
    /// [`visit`](Self::visit).
    pub fn list<T: DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        which: &Selection,
    ) -> Result<Vec<T>, Status> {
        let mut all = Vec::new();
        let more = self.visit(namespace, which, |object| {
            if all.len() == MOST {
                return ControlFlow::Break(());
            }
            all.push(object);
            ControlFlow::Continue(())
        })?;
        match more {
            None => Ok(all),
            Some(()) => Err(Status::too_large(format!(
                "there are more than {MOST} {}; narrow the list, or visit the objects one by one",
                self.plural
            ))),
        }
    }

    /// Looks at the objects of a namespace, or of all, one page of them in memory at a time, until `look` breaks.
    ///
    /// # Errors
    /// The server's Status: 410 if the list changed too much between two pages.
    pub fn visit<T: DeserializeOwned, B>(
        &self,
        namespace: Option<&str>,
        which: &Selection,
        mut look: impl FnMut(T) -> ControlFlow<B>,
    ) -> Result<Option<B>, Status> {
        let mut next = String::new();
        loop {
            let query = [
                ("limit", PAGE.to_string()),
                ("labelSelector", which.labels.clone()),
                ("fieldSelector", which.fields.clone()),
                ("continue", next.clone()),
            ];
            let page: Page<T> = read(&send("GET", &self.path(namespace, None, &query), "", &[])?)?;
            for object in page.items.unwrap_or_default() {
                if let ControlFlow::Break(found) = look(object) {
                    return Ok(Some(found));
                }
            }
            if page.metadata.next.is_empty() {
                return Ok(None);
            }
            if page.metadata.next == next {
                return Err(Status::internal(format_args!("the list of {} does not go on", self.plural)));
            }
            next = page.metadata.next;
        }
    }

    /// Makes an object; returns it as it was stored.
    ///
    /// # Errors
    /// The server's Status: 409 `AlreadyExists`, 422 `Invalid`, …
    pub fn create<T: Serialize + DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        object: &T,
    ) -> Result<T, Status> {
        let path = self.path(namespace, None, &[]);
        read(&send("POST", &path, "application/json", &write(object)?)?)
    }

    /// Replaces an object; returns it as it was stored.
    ///
    /// # Errors
    /// The server's Status: 409 `Conflict` if its resourceVersion is not the newest, 404, 422, …
    pub fn update<T: Serialize + DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        name: &str,
        object: &T,
    ) -> Result<T, Status> {
        let path = self.path(namespace, Some(name), &[]);
        read(&send("PUT", &path, "application/json", &write(object)?)?)
    }

    /// Changes an object; returns it as it was stored.
    ///
    /// # Errors
    /// The server's Status: 404, 409 of server-side apply, 422, …
    pub fn patch<T: DeserializeOwned>(
        &self,
        namespace: Option<&str>,
        name: &str,
        patch: &Patch,
    ) -> Result<T, Status> {
        let mut query = Vec::new();
        let (media_type, body) = match patch {
            Patch::Merge(patch) => ("application/merge-patch+json", write(patch)?),
            Patch::Json(operations) => ("application/json-patch+json", write(operations)?),
            Patch::Apply { object, manager, force } => {
                query.push(("fieldManager", manager.clone()));
                query.push(("force", if *force { "true".into() } else { String::new() }));
                // Every JSON document is a YAML document.
                ("application/apply-patch+yaml", write(object)?)
            }
        };
        read(&send("PATCH", &self.path(namespace, Some(name), &query), media_type, &body)?)
    }

    /// Removes an object; `options` are DeleteOptions, as `{"preconditions": {"uid": …}}`.
    ///
    /// # Errors
    /// The server's Status: 404, 409 of preconditions.
    pub fn delete(&self, namespace: Option<&str>, name: &str, options: Option<&Value>) -> Result<(), Status> {
        let body = match options {
            Some(options) => {
                let mut options = options.clone();
                if let Some(options) = options.as_object_mut() {
                    options.insert("apiVersion".into(), json!("v1"));
                    options.insert("kind".into(), json!("DeleteOptions"));
                }
                write(&options)?
            }
            None => Vec::new(),
        };
        let media_type = if body.is_empty() { "" } else { "application/json" };
        send("DELETE", &self.path(namespace, Some(name), &[]), media_type, &body).map(drop)
    }

    /// The path of a collection or of an object in it; parts of the query that are empty are left out.
    fn path(&self, namespace: Option<&str>, name: Option<&str>, query: &[(&str, String)]) -> String {
        let mut path = if self.group.is_empty() { "/api".to_owned() } else { "/apis".to_owned() };
        let mut part = |part: &str| {
            path.push('/');
            encode(part, &mut path);
        };
        if !self.group.is_empty() {
            part(&self.group);
        }
        part(&self.version);
        if let Some(namespace) = namespace {
            part("namespaces");
            part(namespace);
        }
        part(&self.plural);
        if let Some(name) = name {
            part(name);
            if !self.subresource.is_empty() {
                part(&self.subresource);
            }
        }
        let dry_run = ("dryRun", if self.dry_run { "All".to_owned() } else { String::new() });
        let mut separator = '?';
        for (key, value) in query.iter().chain([&dry_run]).filter(|(_, value)| !value.is_empty()) {
            path.push(separator);
            path.push_str(key);
            path.push('=');
            encode(value, &mut path);
            separator = '&';
        }
        path
    }
}

/// A page of a list.
#[derive(serde::Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: ListMeta,
    /// Null, too, in answers of servers written in Go.
    items: Option<Vec<T>>,
}

#[derive(Default, serde::Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, Status> {
    serde_json::from_slice(json)
        .map_err(|error| Status::internal(format_args!("the server's answer cannot be read: {error}")))
}

fn write<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Status> {
    serde_json::to_vec(value).map_err(Status::internal)
}
