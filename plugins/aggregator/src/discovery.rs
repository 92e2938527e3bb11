//! `/api`, `/apis`, `/apis/<group>` and `/apis/<group>/<version>`.

use chainplate_apimachinery::{
    Status,
    discovery::{self, Group, GroupVersion},
    negotiation,
};
use chainplate_sdk::{Outcome, Request, Response, publication};
use sha2::{Digest, Sha512};
use std::fmt::Write;

/// The documents of one generation of publications.
#[derive(Debug)]
pub(crate) struct Discovery {
    server_address: String,
    generation: u64,
    /// The core group.
    core: Vec<Group>,
    /// All named groups.
    named: Vec<Group>,
    /// The aggregated documents of `/api` and `/apis`, made when first asked for.
    aggregated: [Option<Aggregated>; 2],
}

#[derive(Debug)]
struct Aggregated {
    body: Vec<u8>,
    etag: String,
}

impl Discovery {
    pub(crate) fn new(server_address: String) -> Self {
        Self { server_address, generation: 0, core: Vec::new(), named: Vec::new(), aggregated: [None, None] }
    }

    /// Answers a discovery request; groups that nobody publishes are not ours.
    pub(crate) fn answer(&mut self, request: &Request<'_>) -> Result<Outcome, Status> {
        self.refresh()?;
        let path = request.info().path.clone();
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts[..] {
            ["api"] => self.root(request, true),
            ["apis"] => self.root(request, false),
            ["api", version] => Self::version(request, &self.core, "", version),
            ["apis", name] => match self.named.iter().find(|group| group.name == name) {
                Some(group) => document(request, &discovery::api_group(group)),
                None => Ok(Outcome::Delegate),
            },
            ["apis", name, version] => Self::version(request, &self.named, name, version),
            _ => Ok(Outcome::Delegate),
        }
    }

    fn version(
        request: &Request<'_>,
        groups: &[Group],
        name: &str,
        version: &str,
    ) -> Result<Outcome, Status> {
        let group = groups.iter().find(|group| group.name == name);
        match group.and_then(|group| group.versions.iter().find(|item| item.version == version)) {
            Some(item) => document(request, &discovery::api_resource_list(item)),
            None => Ok(Outcome::Delegate),
        }
    }

    fn root(&mut self, request: &Request<'_>, legacy: bool) -> Result<Outcome, Status> {
        // Upstream's handler of `/apis` does not look at the method.
        if legacy {
            only_get(request)?;
        }
        let accept = accept(request);
        negotiation::route(&accept, &negotiation::OBJECT_TYPES)?;
        if !wants_aggregated(&accept) {
            let root = match (legacy, self.core.first()) {
                (false, _) => discovery::api_group_list(&self.named),
                (true, Some(core)) => discovery::api_versions(core, &self.server_address),
                (true, None) => return Ok(Outcome::Delegate),
            };
            return any_method(request, &root);
        }
        let groups = if legacy { &self.core } else { &self.named };
        let made = self.aggregated[usize::from(legacy)].get_or_insert_with(|| {
            let body = discovery::aggregated(groups).to_string().into_bytes();
            let etag = quoted_sha512(&body);
            Aggregated { body, etag }
        });
        let unchanged = request.header("if-none-match").contains(&made.etag);
        let response = if unchanged {
            Response::bytes(304, discovery::AGGREGATED, &[])
        } else {
            Response::bytes(200, discovery::AGGREGATED, &made.body)
        };
        let response = response
            .with_header("etag", &made.etag)
            .with_header("vary", "Accept")
            .with_header("cache-control", "public");
        Ok(Outcome::Respond(response))
    }

    /// Reads the publications anew if they changed.
    fn refresh(&mut self) -> Result<(), Status> {
        let generation = publication::generation();
        if generation == self.generation {
            return Ok(());
        }
        let mut published = Vec::new();
        for item in publication::all()? {
            let document = serde_json::from_slice(&item.discovery).map_err(|error| {
                Status::internal(format_args!(
                    "component {:?} published a malformed discovery document of {}/{}: {error}",
                    item.publisher, item.group, item.version
                ))
            })?;
            published.push(GroupVersion {
                group: item.group,
                version: item.version,
                group_priority_minimum: item.group_priority_minimum,
                version_priority: item.version_priority,
                document,
            });
        }
        let groups = discovery::groups(published);
        (self.core, self.named) = groups.into_iter().partition(|group| group.name.is_empty());
        self.aggregated = [None, None];
        self.generation = generation;
        Ok(())
    }
}

/// The first `Accept` header, as upstream reads it.
pub(crate) fn accept(request: &Request<'_>) -> String {
    request.header("accept").into_iter().next().unwrap_or_default()
}

/// Whether the first clause that can be met is the aggregated form. Parameters must match to the letter.
fn wants_aggregated(accept: &str) -> bool {
    negotiation::first_met(accept, |kind, subtype, parameters| {
        let of = |name: &str| parameters.iter().find(|(there, _)| *there == name).map(|(_, value)| *value);
        match (of("g"), of("v"), of("as")) {
            (Some("apidiscovery.k8s.io"), Some("v2"), Some("APIGroupDiscoveryList"))
                if kind == "application" && subtype == "json" =>
            {
                Some(true)
            }
            (_, _, None) => Some(false),
            _ => None,
        }
    })
    .unwrap_or(false)
}

/// A document in one of its older forms, which know no transformations.
fn document(request: &Request<'_>, value: &serde_json::Value) -> Result<Outcome, Status> {
    only_get(request)?;
    any_method(request, value)
}

fn any_method(request: &Request<'_>, value: &serde_json::Value) -> Result<Outcome, Status> {
    let accept = accept(request);
    negotiation::route(&accept, &negotiation::OBJECT_TYPES)?;
    Ok(Outcome::Respond(Response::document(200, value.to_string().as_bytes())))
}

/// 405 of anything but GET.
fn only_get(request: &Request<'_>) -> Result<(), Status> {
    if request.info().method == "get" { Ok(()) } else { Err(Status::method_not_allowed()) }
}

/// Quoted upper-case SHA-512 of the document (`discovery/aggregated/etag.go`).
pub(crate) fn quoted_sha512(body: &[u8]) -> String {
    let mut text = String::from("\"");
    for byte in Sha512::digest(body) {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02X}");
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregated_form_is_chosen_by_its_exact_parameters() {
        let v2 = discovery::AGGREGATED;
        let beta = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList";
        assert!(wants_aggregated(v2));
        assert!(wants_aggregated(&format!("{beta},{v2},application/json")));
        assert!(wants_aggregated(&format!("application/json;q=0.9,{v2}")));
        assert!(!wants_aggregated(&format!("{beta},application/json")));
        assert!(!wants_aggregated("*/*"));
        assert!(!wants_aggregated(""));
    }

    #[test]
    fn an_etag_is_the_upper_case_digest_in_quotes() {
        let etag = quoted_sha512(b"{}");
        assert_eq!(etag.len(), 130);
        assert!(etag.starts_with("\"27C74670") && etag.ends_with('"'), "{etag}");
    }
}
