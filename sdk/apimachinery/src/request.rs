//! What a request asks for: upstream's RequestInfo (`apiserver/pkg/endpoints/request/requestinfo.go`),
//! and who asks.

mod parse;
#[cfg(test)]
mod tests;

pub use parse::{ParseError, decode_path, query_pairs, query_value};

/// Who sent a request, as authentication found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserInfo {
    /// The user's name, `system:anonymous` for nobody.
    pub name: String,
    /// The user's uid, often empty.
    pub uid: String,
    /// Groups, `system:authenticated` or `system:unauthenticated` included.
    pub groups: Vec<String>,
    /// Further attributes by key.
    pub extra: Vec<(String, Vec<String>)>,
}

/// The verb of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    /// GET or HEAD of one object, or of a non-resource path.
    Get,
    /// GET or HEAD of a collection.
    List,
    /// GET of a collection with `watch`, or of the legacy `/watch/` prefix.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH.
    Patch,
    /// DELETE of one object.
    Delete,
    /// DELETE of a collection.
    DeleteCollection,
    /// The legacy `/api/v1/proxy/` prefix.
    Proxy,
    /// Any other method, such as `OPTIONS`.
    Other,
}

impl Verb {
    /// The name as authorization, audit and metrics know it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
            Verb::Proxy => "proxy",
            Verb::Other => "other",
        }
    }
}

/// What a request asks for. Names are decoded; empty where the path has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestInfo {
    /// Whether the path names an API resource.
    pub is_resource: bool,
    /// The verb; for non-resource requests see `method`.
    pub verb: Verb,
    /// The lower-case HTTP method, which is the verb of a non-resource request.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// `api` or `apis`.
    pub api_prefix: String,
    /// The API group, empty for core.
    pub group: String,
    /// The version in the group.
    pub version: String,
    /// The namespace in the path.
    pub namespace: String,
    /// The plural resource.
    pub resource: String,
    /// The subresource.
    pub subresource: String,
    /// The object's name, from the path or from `fieldSelector=metadata.name=…` of a list or watch.
    pub name: String,
    /// The path's parts from the resource on.
    pub parts: Vec<String>,
}
