//! The API group `{{group}}` with one resource, `{{plural}}`.

use chainplate_sdk::{
    Api, Extension, Plugin, Resource, ResourceServer, Served,
    apimachinery::{
        Value,
        field::{self, Path},
    },
    extension::Endpoint,
    registry::Context,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What somebody wants. The schema, discovery, `kubectl explain` and the table of `kubectl get` follow from this type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Resource)]
#[resource(group = "{{group}}", version = "v1", kind = "{{kind}}", namespaced)]
#[resource(printcolumn(name = "Size", type_ = "integer", json_path = ".spec.size"))]
#[serde(rename_all = "camelCase")]
pub struct {{kind}}Spec {
    /// Who it is for.
    pub owner: String,
    /// How large it shall be.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub size: i32,
}

fn one() -> i32 {
    1
}

/// What no type can say.
struct Rules;

impl ResourceServer for Rules {
    type Object = {{kind}};

    fn validate_create(&self, _context: &Context<'_>, object: &{{kind}}) -> Vec<field::Error> {
        if object.spec.owner.is_empty() {
            let spec = Path::Root.child("spec");
            let missing = field::Error::required(&spec.child("owner"), "who is it for?");
            return vec![missing];
        }
        Vec::new()
    }
}

struct App;

impl Plugin for App {
    const NAME: &'static str = env!("CARGO_PKG_NAME");
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");

    fn configure(_config: Value) -> Result<Self, String> {
        Ok(Self)
    }
}

impl Api for App {
    fn resources(&self) -> Vec<Endpoint> {
        vec![Served::new(Rules).into()]
    }
}

chainplate_sdk::export!(Extension<App>);
