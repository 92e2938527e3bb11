//! `/openapi/v3`: the index of all published documents, and each of them.
//!
//! Rules: `kube-openapi/pkg/handler3`: a document is addressed with the hash of its content, and then never changes.

use chainplate_apimachinery::Status;
use chainplate_sdk::{Outcome, Request, Response, publication};
use serde_json::{Map, Value, json};

/// The index of one generation of publications.
#[derive(Debug, Default)]
pub(crate) struct OpenApi {
    generation: u64,
    /// Path below `/openapi/v3/`, group, version, hash.
    documents: Vec<(String, String, String, String)>,
}

impl OpenApi {
    /// Answers the index or a document.
    pub(crate) fn answer(&mut self, request: &Request<'_>) -> Result<Outcome, Status> {
        self.refresh()?;
        let path = request.info().path.trim_end_matches('/').to_owned();
        let Some(rest) = path.strip_prefix("/openapi/v3") else { return Ok(Outcome::Delegate) };
        let rest = rest.trim_start_matches('/');
        if rest.is_empty() {
            return Ok(Outcome::Respond(Response::bytes(
                200,
                "text/plain; charset=utf-8",
                self.index().to_string().as_bytes(),
            )));
        }
        let Some((_, group, version, hash)) = self.documents.iter().find(|document| document.0 == rest)
        else {
            return Ok(Outcome::Delegate);
        };
        let etag = format!("\"{hash}\"");
        let asked = request.query().split('&').find_map(|pair| pair.strip_prefix("hash="));
        if asked.is_some_and(|asked| asked != hash) {
            let to = format!("{path}?hash={hash}");
            return Ok(Outcome::Respond(
                Response::bytes(301, "text/plain", &[]).with_header("location", &to),
            ));
        }
        let response = if request.header("if-none-match").contains(&etag) {
            Response::bytes(304, "application/json", &[])
        } else {
            // Listed, but its publisher has none.
            let Some(document) = publication::openapi_v3(group, version)? else {
                return Ok(Outcome::Delegate);
            };
            Response::bytes(200, "application/json", &document)
        };
        let response = response.with_header("etag", &etag).with_header("vary", "Accept");
        let caching = if asked.is_some() { "public, immutable" } else { "no-cache, private" };
        Ok(Outcome::Respond(response.with_header("cache-control", caching)))
    }

    fn index(&self) -> Value {
        let mut paths = Map::new();
        for (path, _, _, hash) in &self.documents {
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
        self.documents.clear();
        for item in publication::all()? {
            let path = match item.group.as_str() {
                "" => format!("api/{}", item.version),
                group => format!("apis/{group}/{}", item.version),
            };
            self.documents.push((path, item.group, item.version, item.openapi_v3_hash));
        }
        self.generation = generation;
        Ok(())
    }
}
