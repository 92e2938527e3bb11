//! A read-only API group over an HTTP service outside: `releases.example.com` shows what a vendor has released, as the
//! vendor's own JSON service says, for kubectl and every other client.
//!
//! Nothing is stored. The service's address is configuration (`service`), the permission to ask it a grant of the
//! operator (`grants.outbound`). An instance keeps an answer for a few seconds, so that a watchful dashboard is not a
//! flood at the vendor's.

use chainplate_sdk::{
    Collection, Column, GroupVersion, Outcome, Plugin, Request, Response, Server,
    apimachinery::{Status, Value, names, request::Verb},
    outbound, publication, router,
    telemetry::{self, Level},
};
use serde::Deserialize;
use serde_json::json;
use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

const GROUP: &str = "releases.example.com";
const VERSION: &str = "v1";
const RESOURCE: &str = "releases";
/// How old an answer of the service may be.
const FRESH: Duration = Duration::from_secs(5);
/// Longest wait for the service; less than the call's, so that the client is told why.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the component is configured with.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    /// The URL of the service, without a slash at its end.
    service: String,
}

/// A release as the service tells it; members that are not named here are left out.
#[derive(Debug, Clone, Deserialize)]
struct Release {
    name: String,
    version: String,
    /// RFC 3339.
    published: String,
    #[serde(default)]
    notes: String,
}

impl Release {
    fn object(&self) -> Value {
        json!({
            "kind": "Release",
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "metadata": { "name": self.name, "creationTimestamp": self.published },
            "spec": { "version": self.version, "notes": self.notes },
        })
    }
}

/// The server.
#[derive(Debug)]
pub struct Releases {
    service: String,
    /// Describes the objects to the host, which makes tables, YAML and metadata of them. Nothing is stored in it.
    collection: Collection,
    /// The last list, and when it was fetched.
    list: RefCell<Option<(Instant, Vec<Release>)>>,
}

impl Plugin for Releases {
    const NAME: &'static str = "releases";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        let config: Configuration = serde_json::from_value(config)
            .map_err(|error| format!("{error}; set service to the URL of the release service"))?;
        let open =
            Collection::open(GROUP, VERSION, RESOURCE, "Release", false, "releases.example.com/releases");
        let collection = open.map_err(|status| status.to_string())?;
        collection.set_item_type_meta(true);
        let column = |name: &str, type_: &str, format: &str, description: &str, priority| Column {
            name: name.into(),
            type_: type_.into(),
            format: format.into(),
            description: description.into(),
            priority,
        };
        let columns = [
            column("Name", "string", "name", "The release's name.", 0),
            column("Version", "string", "", "Its version.", 0),
            column("Published", "date", "", "When it was published.", 0),
            column("Notes", "string", "", "What is new.", 1),
        ];
        collection.set_table(&columns, "rows", &[]);
        let service = config.service.trim_end_matches('/').to_owned();
        Ok(Self { service, collection, list: RefCell::default() })
    }

    fn prepare(&self) -> Result<(), String> {
        router::claim("/apis/releases.example.com/v1");
        let published = GroupVersion {
            group: GROUP.into(),
            version: VERSION.into(),
            discovery: discovery().to_string().into_bytes(),
            openapi_v3: Some(openapi().to_string().into_bytes()),
            group_priority_minimum: 1000,
            version_priority: 15,
            ..GroupVersion::default()
        };
        publication::publish(&[published]).map_err(|status| status.to_string())
    }
}

impl Server for Releases {
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        if !info.is_resource || info.group != GROUP || info.version != VERSION {
            return Ok(Outcome::Delegate);
        }
        if info.resource != RESOURCE || !info.subresource.is_empty() || !info.namespace.is_empty() {
            return Err(Status::unknown_resource());
        }
        let json = match info.verb {
            Verb::Get => self.get(&info.name)?.object(),
            Verb::List => {
                refuse_selectors(request.query())?;
                let items: Vec<_> = self.list()?.iter().map(Release::object).collect();
                json!({
                    "kind": "ReleaseList",
                    "apiVersion": format!("{GROUP}/{VERSION}"),
                    "metadata": {},
                    "items": items,
                })
            }
            _ => return Err(Status::method_not_allowed()),
        };
        Ok(Response::unsaved(200, &self.collection, json.to_string().as_bytes()).into())
    }

    fn transform(
        &self,
        _name: &str,
        _argument: &[u8],
        objects: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Status> {
        let row = |bytes: &Vec<u8>| {
            let object: Value = serde_json::from_slice(bytes).map_err(Status::internal)?;
            let cells = ["/metadata/name", "/spec/version", "/metadata/creationTimestamp", "/spec/notes"];
            Ok(json!(cells.map(|cell| object.pointer(cell))).to_string().into_bytes())
        };
        objects.iter().map(row).collect()
    }
}

impl Releases {
    fn get(&self, name: &str) -> Result<Release, Status> {
        // Others cannot exist, and are no part of a URL.
        if !is_name(name) {
            return Err(Status::not_found(GROUP, RESOURCE, name));
        }
        if let Some(there) =
            self.fresh().and_then(|list| list.into_iter().find(|release| release.name == name))
        {
            return Ok(there);
        }
        match self.fetch::<Release>(&format!("/releases/{name}")) {
            Err(outbound::Error::Code(404)) => Err(Status::not_found(GROUP, RESOURCE, name)),
            Ok(release) if release.name == name => Ok(release),
            Ok(release) => {
                let answered = outbound::Error::Broken(format!("it answered with {:?}", release.name));
                Err(answered.status(&self.service))
            }
            Err(error) => Err(error.status(&self.service)),
        }
    }

    fn list(&self) -> Result<Vec<Release>, Status> {
        if let Some(list) = self.fresh() {
            return Ok(list);
        }
        let mut list: Vec<Release> = self.fetch("/releases").map_err(|error| error.status(&self.service))?;
        list.retain(|release| {
            let valid = is_name(&release.name);
            if !valid {
                telemetry::log(Level::Warn, &format!("{:?} is no name of an object; left out", release.name));
            }
            valid
        });
        list.sort_by(|a, b| a.name.cmp(&b.name));
        self.list.replace(Some((Instant::now(), list.clone())));
        Ok(list)
    }

    fn fresh(&self) -> Option<Vec<Release>> {
        let list = self.list.borrow();
        list.as_ref().filter(|(at, _)| at.elapsed() < FRESH).map(|(_, list)| list.clone())
    }

    fn fetch<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, outbound::Error> {
        let request = outbound::Request::get(&format!("{}{path}", self.service));
        request.header("accept", "application/json").timeout(PATIENCE).send()?.ok()?.json()
    }
}

fn is_name(name: &str) -> bool {
    names::dns1123_subdomain(name).is_empty()
}

/// The service cannot select: an answer that ignores a selector would be a wrong one.
fn refuse_selectors(query: &str) -> Result<(), Status> {
    for parameter in query.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if matches!(name, "labelSelector" | "fieldSelector") && !value.is_empty() {
            return Err(Status::bad_request(format!(
                "{name} is not supported for {RESOURCE}.{GROUP}: the service behind it cannot select; list all and choose"
            )));
        }
    }
    Ok(())
}

fn discovery() -> Value {
    json!({
        "version": VERSION,
        "freshness": "Current",
        "resources": [{
            "resource": RESOURCE,
            "singularResource": "release",
            "responseKind": { "group": "", "version": "", "kind": "Release" },
            "scope": "Cluster",
            "verbs": ["get", "list"],
        }],
    })
}

fn openapi() -> Value {
    let kind = |kind: &str| json!([{ "group": GROUP, "version": VERSION, "kind": kind }]);
    let reference =
        |name: &str| json!({ "$ref": format!("#/components/schemas/com.example.releases.v1.{name}") });
    let answer = |name: &str| json!({ "200": { "description": "OK", "content": { "application/json": { "schema": reference(name) } } } });
    let string = |description: &str| json!({ "type": "string", "description": description });
    let list_path = format!("/apis/{GROUP}/{VERSION}/{RESOURCE}");
    let group_version_kind = json!({ "group": GROUP, "version": VERSION, "kind": "Release" });
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Releases", "version": env!("CARGO_PKG_VERSION") },
        "paths": {
            list_path.clone(): { "get": {
                "operationId": "listRelease",
                "description": "The releases that the service knows.",
                "responses": answer("ReleaseList"),
                "x-kubernetes-action": "list",
                "x-kubernetes-group-version-kind": group_version_kind,
            } },
            format!("{list_path}/{{name}}"): {
                "get": {
                    "operationId": "readRelease",
                    "description": "One release.",
                    "responses": answer("Release"),
                    "x-kubernetes-action": "get",
                    "x-kubernetes-group-version-kind": group_version_kind,
                },
                "parameters": [{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }],
            },
        },
        "components": { "schemas": {
            "com.example.releases.v1.Release": {
                "description": "A release of the vendor.",
                "type": "object",
                "x-kubernetes-group-version-kind": kind("Release"),
                "properties": {
                    "apiVersion": string("The version of this representation."),
                    "kind": string("Release."),
                    "metadata": { "type": "object", "description": "Name, and the time of publication." },
                    "spec": {
                        "type": "object",
                        "description": "What was released.",
                        "properties": { "version": string("The version."), "notes": string("What is new.") },
                    },
                },
            },
            "com.example.releases.v1.ReleaseList": {
                "description": "Releases in the order of their names.",
                "type": "object",
                "x-kubernetes-group-version-kind": kind("ReleaseList"),
                "required": ["items"],
                "properties": {
                    "apiVersion": string("The version of this representation."),
                    "kind": string("ReleaseList."),
                    "metadata": { "type": "object", "description": "Empty: nothing is stored here." },
                    "items": { "type": "array", "items": reference("Release") },
                },
            },
        } },
    })
}

chainplate_sdk::export!(Releases);

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_sdk::{apimachinery::request::RequestInfo, native};

    const SERVICE: &str = "https://vendor.example.com/api";
    const PATH: &str = "/apis/releases.example.com/v1/releases";

    fn server() -> Releases {
        native::reset();
        Releases::configure(json!({ "service": SERVICE })).unwrap()
    }

    fn send(server: &Releases, method: &str, path: &str, query: &str) -> Result<Value, Status> {
        let info = RequestInfo::parse(method, path, query).unwrap();
        match server.handle(&native::Request::new(info, query))? {
            Outcome::Respond(response) => Ok(response.json().unwrap().1),
            other => panic!("{other:?}"),
        }
    }

    fn respond(path: &str, code: u16, body: Value) {
        native::outbound::respond(
            &format!("{SERVICE}{path}"),
            outbound::Response::new(code, body.to_string()),
        );
    }

    fn release(name: &str) -> Value {
        json!({ "name": name, "version": "1.2.3", "published": "2026-01-02T03:04:05Z", "size": 1 })
    }

    #[test]
    fn a_list_is_what_the_service_says_by_name_and_kept_for_a_while() {
        let server = server();
        respond("/releases", 200, json!([release("b"), release("No Name"), release("a")]));
        let list = send(&server, "GET", PATH, "limit=500").unwrap();
        let names: Vec<_> =
            list["items"].as_array().unwrap().iter().map(|item| &item["metadata"]["name"]).collect();
        assert_eq!(names, ["a", "b"], "what has no valid name is left out");
        assert_eq!(list["items"][0]["spec"]["version"], "1.2.3");
        let one = send(&server, "GET", &format!("{PATH}/b"), "").unwrap();
        assert_eq!((&one["kind"], &one["metadata"]["name"]), (&json!("Release"), &json!("b")));
        assert_eq!(native::outbound::take_requests().len(), 1, "the second was answered from the first");
    }

    #[test]
    fn one_release_is_asked_for_by_name() {
        let server = server();
        respond("/releases/a", 200, release("a"));
        respond("/releases/b", 404, json!({}));
        assert_eq!(send(&server, "GET", &format!("{PATH}/a"), "").unwrap()["spec"]["version"], "1.2.3");
        assert_eq!(send(&server, "GET", &format!("{PATH}/b"), "").unwrap_err().code(), 404);
        assert_eq!(send(&server, "GET", &format!("{PATH}/a%3Fb"), "").unwrap_err().code(), 404);
        assert_eq!(native::outbound::take_requests().len(), 2, "what is no name is not asked for");
    }

    #[test]
    fn what_the_service_does_wrong_is_a_code_that_clients_understand() {
        let server = server();
        for (code, told) in [(500, 502), (503, 503), (429, 503), (403, 502)] {
            respond("/releases", code, json!([]));
            let status = send(&server, "GET", PATH, "").unwrap_err();
            assert_eq!(status.code(), told, "{code}");
            assert!(status.message().contains(SERVICE), "{status}");
        }
        respond("/releases", 200, json!({ "unexpected": 1 }));
        assert_eq!(send(&server, "GET", PATH, "").unwrap_err().code(), 502);
        native::outbound::fail(&format!("{SERVICE}/releases"), outbound::Error::Timeout);
        assert_eq!(send(&server, "GET", PATH, "").unwrap_err().code(), 504);
        respond("/releases/a", 200, release("b"));
        assert_eq!(send(&server, "GET", &format!("{PATH}/a"), "").unwrap_err().code(), 502);
    }

    #[test]
    fn what_cannot_be_done_is_refused() {
        let server = server();
        let code =
            |method: &str, path: &str, query: &str| send(&server, method, path, query).unwrap_err().code();
        assert_eq!(code("GET", PATH, "labelSelector=a%3Db"), 400);
        assert_eq!(code("GET", PATH, "fieldSelector=metadata.name%3Da"), 400);
        assert_eq!(code("GET", PATH, "watch=1"), 405);
        assert_eq!(code("POST", PATH, ""), 405);
        assert_eq!(code("DELETE", &format!("{PATH}/a"), ""), 405);
        assert_eq!(code("GET", &format!("{PATH}/a/status"), ""), 404);
        assert!(native::outbound::take_requests().is_empty());
    }

    #[test]
    fn a_configuration_without_the_service_says_what_to_set() {
        let refused = Releases::configure(json!({})).unwrap_err();
        assert!(refused.contains("service"), "{refused}");
    }
}
