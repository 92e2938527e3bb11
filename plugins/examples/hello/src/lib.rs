//! An extension by somebody else: the API group `hello.example.com` with one resource, `greetings`, which the host stores,
//! and the path `/hello`. Everything else goes on to the next server of the chain.

use chainplate_sdk::{
    Api, Extension, Outcome, Request, Resource, ResourceServer, Response, Served,
    apimachinery::{
        Status, Value,
        field::{self, Path},
    },
    extension::Endpoint,
    registry::Context,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who is greeted, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Resource)]
#[resource(group = "hello.example.com", version = "v1", kind = "Greeting", namespaced, shortname = "gr")]
#[resource(printcolumn(
    name = "To",
    type_ = "string",
    json_path = ".spec.to",
    description = "Who is greeted."
))]
pub struct GreetingSpec {
    /// Who is greeted.
    #[serde(default)]
    pub to: String,
    /// How.
    #[serde(default = "friendly")]
    pub tone: String,
}

fn friendly() -> String {
    "friendly".to_owned()
}

struct Greetings;

impl ResourceServer for Greetings {
    type Object = Greeting;

    fn validate_create(&self, _context: &Context<'_>, greeting: &Greeting) -> Vec<field::Error> {
        let spec = Path::Root.child("spec");
        let nobody = greeting.spec.to.is_empty();
        nobody.then(|| field::Error::required(&spec.child("to"), "who is greeted?")).into_iter().collect()
    }
}

/// The extension: the word that `/hello` says.
pub struct Hello {
    word: String,
}

impl Api for Hello {
    const NAME: &'static str = "hello";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(config: Value) -> Result<Self, String> {
        Ok(Self { word: config.get("word").and_then(Value::as_str).unwrap_or("Hello").to_owned() })
    }

    fn resources(&self) -> Vec<Endpoint> {
        vec![Served::new(Greetings).into()]
    }

    fn paths(&self) -> Vec<String> {
        vec!["/hello".to_owned()]
    }

    fn handle(&self, request: &Request<'_>) -> Result<Outcome, Status> {
        if request.info().path != "/hello" {
            return Ok(Outcome::Delegate);
        }
        let text = format!("{}, {}!\n", self.word, request.user().name);
        Ok(Response::bytes(200, "text/plain; charset=utf-8", text.as_bytes()).into())
    }
}

chainplate_sdk::export!(Extension<Hello>);

#[cfg(test)]
mod tests {
    use super::*;
    use chainplate_sdk::{Server, apimachinery::request::RequestInfo, native};
    use serde_json::json;

    fn send(method: &str, path: &str, body: Value) -> Result<(u16, Value), Status> {
        let server = Extension::<Hello>::configure(json!({ "word": "Moin" })).unwrap();
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
        let server = Extension::<Hello>::configure(json!({})).unwrap();
        let info = RequestInfo::parse("GET", "/apis/other.example.com/v1/things", "").unwrap();
        assert!(matches!(server.handle(&native::Request::new(info, "")), Ok(Outcome::Delegate)));
    }
}
