//! `/openapi/v3`: the index of all published documents, and each of them. `/openapi/v2`: one document made of them all.
//!
//! Rules: `kube-openapi/pkg/handler3`: a document is addressed with the hash of its content, and then never changes;
//! `kube-openapi/pkg/handler`: the media types of version 2. As there, the method is not looked at.

use crate::discovery::{accept, quoted_sha512};
use chainplate_apimachinery::{Status, negotiation, openapi::Swagger};
use chainplate_sdk::{Outcome, Request, Response, publication};
use chainplate_types::openapi as documents;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const JSON: &str = "application/json";
/// What a client of version 2 in protobuf asks for, and what upstream tells that it got: `@` cannot stand in a media type.
const ASKED_PROTOBUF: [&str; 2] =
    ["com.github.proto-openapi.spec.v2@v1.0+protobuf", "com.github.proto-openapi.spec.v2.v1.0+protobuf"];
const PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
/// The group whose publisher publishes custom groups, too. Those have a document by version, but none of their own.
const CUSTOM: &str = "apiextensions.k8s.io";

/// Where a document comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// The publisher of a group and version.
    Published(String, String),
    /// What is at `/apis`, `/api`, `/version` or of a group: made here.
    Groups,
    Group(String),
    Version,
}

/// The index of one generation of publications.
#[derive(Debug, Default)]
pub(crate) struct OpenApi {
    generation: u64,
    /// Path below `/openapi/v3/`, source, hash; by path.
    documents: Vec<(String, Source, String)>,
    /// Version 2 of this generation, once somebody asked for it.
    swagger: Option<Vec<u8>>,
}

impl OpenApi {
    /// Answers the index or a document.
    pub(crate) fn answer(&mut self, request: &Request<'_>) -> Result<Outcome, Status> {
        self.refresh()?;
        let path = request.info().path.clone();
        if path == "/openapi/v2" {
            return self.version2(request);
        }
        let path = path.trim_end_matches('/');
        let Some(rest) = path.strip_prefix("/openapi/v3") else { return Ok(Outcome::Delegate) };
        let rest = rest.trim_start_matches('/');
        if rest.is_empty() {
            return Ok(Outcome::Respond(Response::bytes(
                200,
                "text/plain; charset=utf-8",
                self.index().to_string().as_bytes(),
            )));
        }
        let accepted =
            |kind: &str, subtype: &str| matches!((kind, subtype), ("*" | "application", "*" | "json"));
        let Some((_, source, hash)) = self.documents.iter().find(|document| document.0 == rest) else {
            return Ok(Outcome::Respond(Response::bytes(404, "", &[])));
        };
        if !accepts(request, accepted) {
            return Ok(Outcome::Respond(Response::bytes(406, "", &[])));
        }
        let etag = format!("\"{hash}\"");
        let asked = request.query().split('&').find_map(|pair| pair.strip_prefix("hash="));
        if asked.is_some_and(|asked| asked != hash) {
            let to = format!("{path}?hash={hash}");
            return Ok(Outcome::Respond(
                Response::bytes(301, "text/plain", &[]).with_header("location", &to),
            ));
        }
        let response = if request.header("if-none-match").contains(&etag) {
            Response::bytes(304, JSON, &[])
        } else {
            // Listed, but its publisher has none.
            let Some(document) = source.document()? else {
                return Ok(Outcome::Respond(Response::bytes(404, "", &[])));
            };
            Response::bytes(200, JSON, &document)
        };
        let response = response.with_header("etag", &etag).with_header("vary", "Accept");
        let caching = if asked.is_some() { "public, immutable" } else { "no-cache, private" };
        Ok(Outcome::Respond(response.with_header("cache-control", caching)))
    }

    /// The document of everything, made when somebody asks and kept until something else is published.
    fn version2(&mut self, request: &Request<'_>) -> Result<Outcome, Status> {
        let accept = accept(request);
        let media_type = negotiation::first_met(&accept, |kind, subtype, _| match (kind, subtype) {
            ("*" | "application", "*" | "json") => Some(JSON),
            ("application", asked) if ASKED_PROTOBUF.contains(&asked) => Some(PROTOBUF),
            _ => None,
        });
        let Some(media_type) = media_type.or(accept.is_empty().then_some(JSON)) else {
            return Ok(Outcome::Respond(Response::bytes(406, "", &[])));
        };
        // The hashes of its parts and the form tell it apart as well as its own would, and cost no building.
        let mut parts = String::from(media_type);
        for (path, _, hash) in &self.documents {
            parts.extend([" ", path.as_str(), " ", hash.as_str()]);
        }
        let etag = quoted_sha512(parts.as_bytes());
        let response = if request.header("if-none-match").contains(&etag) {
            Response::bytes(304, media_type, &[])
        } else if media_type == PROTOBUF {
            let body = self.swagger()?.to_protobuf().map_err(Status::internal)?;
            Response::bytes(200, media_type, &body)
        } else {
            if self.swagger.is_none() {
                self.swagger = Some(self.swagger()?.to_json());
            }
            Response::bytes(200, media_type, self.swagger.as_deref().unwrap_or_default())
        };
        Ok(Outcome::Respond(response.with_header("etag", &etag).with_header("vary", "Accept")))
    }

    fn swagger(&self) -> Result<Swagger, Status> {
        let mut swagger = Swagger::new(documents::RELEASE);
        // Built-in groups first: custom ones tell the common types in fewer words.
        let (built_in, rest): (Vec<_>, Vec<_>) =
            self.documents.iter().partition(|(_, source, _)| source.is_documented());
        for (path, source, _) in built_in.into_iter().chain(rest) {
            let Some(document) = source.document()? else { continue };
            swagger.add(&document).map_err(|error| {
                Status::internal(format_args!("the OpenAPI v3 document at {path:?} is malformed: {error}"))
            })?;
        }
        Ok(swagger)
    }

    fn index(&self) -> Value {
        let mut paths = Map::new();
        for (path, _, hash) in &self.documents {
            let url = format!("/openapi/v3/{path}?hash={hash}");
            paths.insert(path.clone(), json!({ "serverRelativeURL": url }));
        }
        json!({ "paths": paths })
    }

    fn refresh(&mut self) -> Result<(), Status> {
        let generation = publication::generation();
        if generation == self.generation {
            return Ok(());
        }
        let all = publication::all()?;
        let custom = all.iter().find(|item| item.group == CUSTOM).map(|item| item.publisher.clone());
        let mut groups = BTreeSet::new();
        self.documents = vec![("version".into(), Source::Version), ("apis".into(), Source::Groups)]
            .into_iter()
            .map(Source::here)
            .collect();
        for item in all {
            let path = match item.group.as_str() {
                "" => format!("api/{}", item.version),
                group => format!("apis/{group}/{}", item.version),
            };
            if item.group == CUSTOM || Some(&item.publisher) != custom.as_ref() {
                groups.insert(item.group.clone());
            }
            self.documents.push((path, Source::Published(item.group, item.version), item.openapi_v3_hash));
        }
        self.documents.extend(groups.into_iter().map(|group| {
            let path = if group.is_empty() { "api".into() } else { format!("apis/{group}") };
            Source::here((path, Source::Group(group)))
        }));
        self.documents.sort_by(|a, b| a.0.cmp(&b.0));
        self.swagger = None;
        self.generation = generation;
        Ok(())
    }
}

impl Source {
    /// A document that is made here, with the hash of its content.
    fn here((path, source): (String, Source)) -> (String, Source, String) {
        let hash = match source.made() {
            Some(document) => quoted_sha512(&document).trim_matches('"').to_owned(),
            None => String::new(),
        };
        (path, source, hash)
    }

    fn made(&self) -> Option<Vec<u8>> {
        match self {
            Source::Published(..) => None,
            Source::Groups => Some(documents::groups()),
            Source::Group(group) => Some(documents::group(group)),
            Source::Version => Some(documents::version()),
        }
    }

    fn document(&self) -> Result<Option<Vec<u8>>, Status> {
        match self {
            Source::Published(group, version) => publication::openapi_v3(group, version),
            made => Ok(made.made()),
        }
    }

    /// Whether the document tells all about the types of the API machinery.
    fn is_documented(&self) -> bool {
        match self {
            Source::Published(group, version) => chainplate_types::kinds()
                .any(|(known, in_version, ..)| known == group && in_version == version && group != CUSTOM),
            _ => true,
        }
    }
}

/// Whether some clause of `Accept` takes the media type.
fn accepts(request: &Request<'_>, taken: impl Fn(&str, &str) -> bool) -> bool {
    let accept = accept(request);
    accept.is_empty()
        || negotiation::first_met(&accept, |kind, subtype, _| taken(kind, subtype).then_some(())).is_some()
}

#[cfg(test)]
mod tests;
