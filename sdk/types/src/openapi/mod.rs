//! OpenAPI documents of built-in types: what `kubectl explain` shows, and what `kubectl apply` validates with.
//!
//! [`v3`] writes the document of one group-version; [`group`], [`groups`] and [`version`] the small ones of
//! discovery. All is written as text, front to back, from the tables; nothing is kept.
//!
//! Facts: `apiserver/pkg/endpoints/installer.go` (operations and parameters),
//! `apiserver/pkg/endpoints/openapi/openapi.go` (their names), `kube-openapi/pkg/builder3` (the form).

mod definitions;
mod enums;
mod json;
mod operations;
mod paths;
#[cfg(test)]
mod tests;

#[allow(clippy::unreadable_literal, clippy::type_complexity, reason = "generated")]
mod made {
    include!(concat!(env!("OUT_DIR"), "/documents.rs"));
}

use definitions::Definitions;
use json::Json;

/// A resource, as discovery tells of it.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// The plural.
    pub name: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// Whether objects stand in namespaces.
    pub namespaced: bool,
    /// The verbs.
    pub verbs: &'a [&'a str],
    /// Whether DELETE answers the object, not a Status.
    pub returns_deleted: bool,
}

/// A subresource of the [`Resource`] it stands with.
#[derive(Debug, Clone, Copy)]
pub struct Subresource<'a> {
    /// The name behind the slash.
    pub name: &'a str,
    /// The group of the kind.
    pub group: &'a str,
    /// The version of the kind.
    pub version: &'a str,
    /// The kind; one that ends in `Options` stands for a connection, and is the query of it.
    pub kind: &'a str,
    /// The verbs.
    pub verbs: &'a [&'a str],
}

/// A group-version and what it serves.
#[derive(Debug)]
pub struct GroupVersion<'a> {
    /// The group, empty for core.
    pub group: &'a str,
    /// The version.
    pub version: &'a str,
    /// Resources with their subresources.
    pub resources: &'a [(Resource<'a>, Vec<Subresource<'a>>)],
}

/// The release that the documents are of.
pub const RELEASE: &str = "1.36";

/// The OpenAPI v3 document of a group-version, in JSON: 0.1 to 3 MB.
pub fn v3(served: &GroupVersion<'_>) -> Vec<u8> {
    let scope = [(served.group, served.version)];
    document(&scope, 2 << 20, |json, definitions| {
        paths::group_version(json, definitions, served);
    })
}

/// The document of a group, `/openapi/v3/apis/<group>`; of `/openapi/v3/api` for the core group.
pub fn group(group: &str) -> Vec<u8> {
    document(&[], 16 << 10, |json, definitions| paths::group(json, definitions, group))
}

/// The document of `/openapi/v3/apis`.
pub fn groups() -> Vec<u8> {
    document(&[], 16 << 10, paths::groups)
}

/// The document of `/openapi/v3/version`.
pub fn version() -> Vec<u8> {
    document(&[], 8 << 10, paths::version)
}

fn document(
    scope: &[(&str, &str)],
    capacity: usize,
    paths: impl FnOnce(&mut Json, &mut Definitions<'_>),
) -> Vec<u8> {
    let mut json = Json::with_capacity(capacity);
    let mut definitions = Definitions::new(scope);
    json.open(b'{').member("openapi", "3.0.0");
    json.key("info").open(b'{').member("title", "Kubernetes").member("version", RELEASE).close(b'}');
    json.key("paths").open(b'{');
    paths(&mut json, &mut definitions);
    json.close(b'}');
    json.key("components").open(b'{').key("schemas").open(b'{');
    definitions.write(&mut json);
    json.close(b'}');
    json.key("securitySchemes").open(b'{').key("BearerToken");
    bearer_token(&mut json);
    json.close(b'}').close(b'}').close(b'}');
    json.finish()
}

fn bearer_token(json: &mut Json) {
    json.open(b'{').member("description", "Bearer Token authentication").member("in", "header");
    json.member("name", "authorization").member("type", "apiKey").close(b'}');
}
