//! An extension by somebody else: the API group `hello.example.com` with one resource, `greetings`, which the host stores,
//! and the path `/hello`. Everything else goes on to the next server of the chain.

use chainplate_sdk::{
    Collection, Column, GroupVersion, Outcome, Plugin, Request, Response, Server,
    apimachinery::{
        Status, Value,
        field::{self, Path},
        meta,
    },
    publication, registry,
    registry::{Context, Descriptor, Generation, Strategy},
    router,
};
use serde_json::json;

const GROUP: &str = "hello.example.com";
const VERSION: &str = "v1";

/// The server: its resource, and the word that `/hello` says.
#[derive(Debug)]
pub struct Hello {
    greetings: Greetings,
    collection: Collection,
    word: String,
}

impl Plugin for Hello {
    const NAME: &'static str = "hello";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        let word = config.get("word").and_then(Value::as_str).unwrap_or("Hello").to_owned();
        let open =
            Collection::open(GROUP, VERSION, "greetings", "Greeting", true, "hello.example.com/greetings");
        let collection = open.map_err(|status| status.to_string())?;
        collection.set_item_type_meta(true);
        let column = |name: &str, format: &str, description: &str| Column {
            name: name.into(),
            type_: "string".into(),
            format: format.into(),
            description: description.into(),
            priority: 0,
        };
        let columns = [column("Name", "name", "The greeting's name."), column("To", "", "Who is greeted.")];
        collection.set_table(&columns, "rows", &[]);
        Ok(Self { greetings: Greetings::new(), collection, word })
    }

    fn prepare(&self) -> Result<(), String> {
        router::claim_exact("/hello");
        router::claim("/apis/hello.example.com");
        let document = json!({
            "version": VERSION,
            "freshness": "Current",
            "resources": [{
                "resource": "greetings",
                "singularResource": "greeting",
                "responseKind": { "group": "", "version": "", "kind": "Greeting" },
                "scope": "Namespaced",
                "shortNames": ["gr"],
                "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
            }],
        });
        let published = GroupVersion {
            group: GROUP.into(),
            version: VERSION.into(),
            discovery: document.to_string().into_bytes(),
            group_priority_minimum: 1000,
            version_priority: 15,
            ..GroupVersion::default()
        };
        publication::publish(&[published]).map_err(|status| status.to_string())
    }
}

impl Server for Hello {
    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        let info = request.info();
        if info.path == "/hello" {
            let text = format!("{}, {}!\n", self.word, request.user().name);
            return Ok(Response::bytes(200, "text/plain; charset=utf-8", text.as_bytes()).into());
        }
        if info.group != GROUP || info.version != VERSION {
            return Ok(Outcome::Delegate);
        }
        if info.resource != "greetings" {
            return Err(Status::unknown_resource());
        }
        registry::handle(request, &self.greetings, &self.collection)
    }

    fn transform(
        &self,
        _name: &str,
        _argument: &[u8],
        objects: Vec<Vec<u8>>,
    ) -> Result<Vec<Vec<u8>>, Status> {
        let row = |bytes: &Vec<u8>| {
            let object: Value = serde_json::from_slice(bytes).map_err(Status::internal)?;
            let cells = json!([object.pointer("/metadata/name"), object.pointer("/spec/to")]);
            Ok(cells.to_string().into_bytes())
        };
        objects.iter().map(row).collect()
    }
}

/// What makes a Greeting different from other objects.
#[derive(Debug)]
struct Greetings(Descriptor);

impl Greetings {
    fn new() -> Self {
        let mut descriptor = Descriptor::new(GROUP, VERSION, "greetings", "Greeting", true);
        descriptor.generation = Generation::Spec;
        Self(descriptor)
    }
}

impl Strategy for Greetings {
    fn descriptor(&self) -> &Descriptor {
        &self.0
    }

    fn decode(&self, document: &mut Value, strict: Option<&mut Vec<String>>) -> Result<(), String> {
        meta::decode(document, strict)
    }

    fn default(&self, object: &mut Value) {
        let spec = object.get_mut("spec").and_then(Value::as_object_mut);
        if let Some(spec) = spec {
            spec.entry("tone").or_insert_with(|| "friendly".into());
        }
    }

    fn validate(&self, _context: &Context<'_>, object: &Value) -> Vec<field::Error> {
        let to = object.pointer("/spec/to").and_then(Value::as_str).unwrap_or_default();
        let spec = Path::Root.child("spec");
        if to.is_empty() {
            vec![field::Error::required(&spec.child("to"), "who is greeted?")]
        } else {
            Vec::new()
        }
    }
}

chainplate_sdk::export!(Hello);

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_sdk::{apimachinery::request::RequestInfo, native};

    fn send(method: &str, path: &str, body: Value) -> Result<(u16, Value), Status> {
        let server = Hello::configure(json!({ "word": "Moin" })).unwrap();
        let info = RequestInfo::parse(method, path, "").unwrap();
        let request = native::Request::new(info, "").with_body("application/json", body.to_string());
        match server.handle(&request)? {
            Outcome::Respond(response) => Ok(response.json().unwrap()),
            other => panic!("{other:?}"),
        }
    }

    const PATH: &str = "/apis/hello.example.com/v1/namespaces/default/greetings";

    #[test]
    fn a_greeting_is_defaulted_and_stored() {
        native::reset();
        let greeting = json!({
            "apiVersion": "hello.example.com/v1", "kind": "Greeting", "metadata": { "name": "a" }, "spec": { "to": "you" },
        });
        let (code, object) = send("POST", PATH, greeting).unwrap();
        assert_eq!((code, &object["spec"]["tone"]), (201, &json!("friendly")));
        assert_eq!(
            send("GET", &format!("{PATH}/a"), json!(null)).unwrap().1["metadata"]["uid"],
            object["metadata"]["uid"]
        );
    }

    #[test]
    fn a_greeting_to_nobody_is_refused() {
        native::reset();
        let greeting = json!({
            "apiVersion": "hello.example.com/v1", "kind": "Greeting", "metadata": { "name": "a" }, "spec": {},
        });
        let refused = send("POST", PATH, greeting).unwrap_err();
        assert_eq!((refused.code(), refused.reason()), (422, "Invalid"));
    }

    #[test]
    fn another_group_is_delegated() {
        let server = Hello::configure(json!({})).unwrap();
        let info = RequestInfo::parse("GET", "/apis/other.example.com/v1/things", "").unwrap();
        assert!(matches!(server.handle(&native::Request::new(info, "")), Ok(Outcome::Delegate)));
    }
}
