//! What the derive makes of types.

use super::*;
use chainplate_apimachinery::{
    field::Path,
    schema::definition::{Options, validate_schema},
};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, chainplate_sdk::Resource)]
#[resource(group = "g.example.com", version = "v1", kind = "Widget", namespaced, doc = "A widget.")]
#[resource(
    shortname = "wd",
    category = "all",
    category = "things",
    status = "WidgetStatus",
    derive = "PartialEq"
)]
#[resource(scale(spec_replicas_path = ".spec.replicas", status_replicas_path = ".status.replicas"))]
#[resource(printcolumn(name = "Color", type_ = "string", json_path = ".spec.color", priority = 1))]
#[resource(selectable = ".spec.color", deprecated = "Use something else.")]
#[serde(rename_all = "camelCase")]
struct WidgetSpec {
    /// What it looks like.
    #[serde(default = "red")]
    color: String,
    replicas: Option<i32>,
    #[schemars(range(max = 9), extend("exclusiveMinimum" = 0))]
    size: u8,
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    parts: Vec<Part>,
    tags: std::collections::BTreeSet<String>,
    mode: Mode,
    fallback: Option<Mode>,
    source: Source,
    step: Step,
    port: Option<Port>,
    anything: Value,
    labels: BTreeMap<String, String>,
    pair: (String, u32),
}

fn red() -> String {
    "red".into()
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
struct Part {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
enum Mode {
    /// Not slow.
    Fast,
    /// Not fast.
    Slow,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum Source {
    Git { url: String },
    Inline(String),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
enum Step {
    Wait { seconds: u32 },
    Run { command: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Port {
    Number(i32),
    Name(String),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
struct WidgetStatus {
    replicas: i32,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, chainplate_sdk::Resource)]
#[resource(
    group = "g.example.com",
    version = "v1beta1",
    kind = "Policy",
    root = "Rules",
    plural = "policies"
)]
struct RulesSpec {}

#[test]
fn a_definition_says_what_the_attributes_say() {
    let crd = Widget::crd();
    assert_eq!(crd["metadata"]["name"], "widgets.g.example.com");
    assert_eq!(
        crd["spec"]["names"],
        json!({"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget",
            "shortNames": ["wd"], "categories": ["all", "things"]})
    );
    let version = &crd["spec"]["versions"][0];
    assert_eq!(
        version["subresources"],
        json!({"status": {}, "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}})
    );
    assert_eq!(
        version["additionalPrinterColumns"],
        json!([{"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1}])
    );
    assert_eq!(version["selectableFields"], json!([{"jsonPath": ".spec.color"}]));
    assert_eq!(version["deprecationWarning"], "Use something else.");
    assert_eq!(
        (Rules::crd_name().as_str(), Rules::api_version().as_str()),
        ("policies.g.example.com", "g.example.com/v1beta1")
    );
    assert_eq!(Rules::crd()["spec"]["scope"], "Cluster");
}

#[test]
fn the_schema_of_a_type_is_structural() {
    let version = Widget::crd_version();
    let schema = &version["schema"]["openAPIV3Schema"];
    let options = Options { status_subresource: true, ..Options::default() };
    let errors = validate_schema(schema.as_object().unwrap(), &options, &Path::Root);
    assert!(errors.is_empty(), "{errors:#?}\n{schema:#}");
    let spec = &schema["properties"]["spec"]["properties"];
    assert_eq!(
        spec["color"],
        json!({"type": "string", "default": "red", "description": "What it looks like."})
    );
    assert_eq!(spec["replicas"], json!({"type": "integer", "format": "int32", "nullable": true}));
    assert_eq!((&spec["size"]["minimum"], &spec["size"]["exclusiveMinimum"]), (&json!(0), &json!(true)));
    assert_eq!(spec["parts"]["x-kubernetes-list-map-keys"], json!(["name"]));
    assert_eq!(spec["parts"]["items"]["x-kubernetes-preserve-unknown-fields"], true);
    assert_eq!(spec["tags"]["x-kubernetes-list-type"], "set");
    assert_eq!(spec["mode"], json!({"type": "string", "enum": ["Fast", "Slow"]}));
    assert_eq!(spec["fallback"], json!({"type": "string", "enum": ["Fast", "Slow"], "nullable": true}));
    assert_eq!(
        spec["source"],
        json!({"type": "object", "oneOf": [{"required": ["git"]}, {"required": ["inline"]}], "properties": {
            "git": {"type": "object", "properties": {"url": {"type": "string"}}, "required": ["url"]}, "inline": {"type": "string"}}})
    );
    assert_eq!(spec["step"]["properties"]["type"], json!({"type": "string", "enum": ["Wait", "Run"]}));
    let run = &spec["step"]["oneOf"][1];
    assert_eq!(run["properties"], json!({"type": {"enum": ["Run"]}}));
    assert!(run["required"].as_array().unwrap().contains(&json!("command")), "{run}");
    assert_eq!(spec["port"], json!({"x-kubernetes-int-or-string": true, "nullable": true}));
    assert_eq!(spec["anything"], json!({"x-kubernetes-preserve-unknown-fields": true}));
    assert_eq!(spec["labels"], json!({"type": "object", "additionalProperties": {"type": "string"}}));
    assert_eq!(spec["pair"]["items"], json!({"x-kubernetes-preserve-unknown-fields": true}));
}

#[test]
fn objects_carry_their_type_and_read_back() {
    let spec = json!({"color": "blue", "size": 3, "parts": [], "tags": [], "mode": "Fast", "source": {"inline": "x"},
        "step": {"type": "Wait", "seconds": 1}, "anything": null, "labels": {}, "pair": ["a", 1]});
    let mut widget = Widget::new("a", serde_json::from_value(spec).unwrap());
    widget.labels_mut().insert("l".into(), "v".into());
    widget.status_mut().get_or_insert_default().replicas = 2;
    let value = serde_json::to_value(&widget).unwrap();
    assert_eq!((&value["kind"], &value["apiVersion"]), (&json!("Widget"), &json!("g.example.com/v1")));
    assert_eq!(value["metadata"], json!({"name": "a", "labels": {"l": "v"}}));
    let back: Widget = serde_json::from_value(value).unwrap();
    assert_eq!((back.status().unwrap().replicas, back.name_any()), (2, "a"));
    assert_eq!(back, widget);
}
