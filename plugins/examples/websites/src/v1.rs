//! The version that websites are stored in.

use chainplate_sdk::Resource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A website that somebody wants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, Resource)]
#[resource(group = "web.example.com", version = "v1", kind = "Website", namespaced, derive = "PartialEq")]
#[resource(shortname = "ws", category = "all")]
#[resource(doc = "A website: where it is served, from what, by how many.", status = "WebsiteStatus")]
#[resource(scale(
    spec_replicas_path = ".spec.replicas",
    status_replicas_path = ".status.replicas",
    label_selector_path = ".status.selector"
))]
#[resource(printcolumns = [
    (name = "Host", type_ = "string", json_path = ".spec.host"),
    (name = "Replicas", type_ = "integer", json_path = ".spec.replicas"),
    (name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    (name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
])]
#[resource(selectable = ".spec.host")]
#[serde(rename_all = "camelCase")]
pub struct WebsiteSpec {
    /// The host name that it answers to.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// Where its content comes from.
    pub source: Source,
    /// How many servers there shall be.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,
    /// Other hosts that lead to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["host"]))]
    pub aliases: Vec<Alias>,
    /// How its address is protected. By default as its host demands: hosts below `localhost` are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

fn one() -> i32 {
    1
}

/// Where content comes from: exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// A branch of a git repository.
    Git {
        /// The repository's URL.
        url: String,
        /// The branch.
        #[serde(default = "main")]
        branch: String,
    },
    /// A page that stands here.
    Inline {
        /// Its HTML.
        html: String,
    },
}

fn main() -> String {
    "main".to_owned()
}

/// Another host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Alias {
    /// The host name.
    pub host: String,
    /// Whether visitors are sent on to the website's own host.
    #[serde(default)]
    pub redirect: bool,
}

/// How an address is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Tls {
    /// Not at all.
    Off,
    /// With a certificate that is ordered for it.
    Automatic,
}

/// What was observed of a website.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WebsiteStatus {
    /// How many servers there are.
    pub replicas: i32,
    /// What selects them.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub selector: String,
    /// The generation that this is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// Something that holds or does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Why, in one word.
    #[serde(default)]
    pub reason: String,
    /// Why, for people.
    #[serde(default)]
    pub message: String,
    /// Since when.
    #[schemars(extend("format" = "date-time"))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_transition_time: Option<String>,
}
