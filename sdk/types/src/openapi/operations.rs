//! One operation on one path: its name, parameters, body and answers.

use super::{
    definitions::{self, Definitions},
    json::Json,
    made,
};

/// A parameter in a query or a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parameter {
    name: &'static str,
    /// Of what the path names an object, empty in queries: `ConfigMap`.
    of: String,
    kind: &'static str,
    description: &'static str,
}

impl Parameter {
    pub(super) fn pretty() -> Parameter {
        Parameter {
            name: "pretty",
            of: String::new(),
            kind: "string",
            description: "Whether the answer is indented: 'true' or 'false'. The default is 'true' for browsers, \
                          curl and wget, else 'false'.",
        }
    }

    pub(super) fn namespace() -> Parameter {
        let description = "object name and auth scope, such as for teams and projects";
        Parameter { name: "namespace", of: "namespace".into(), kind: "string", description }
    }

    pub(super) fn name(kind: &str) -> Parameter {
        Parameter { name: "name", of: kind.into(), kind: "string", description: "" }
    }

    pub(super) fn path() -> Parameter {
        Parameter { name: "path", of: "path".into(), kind: "string", description: "path to the resource" }
    }

    /// The members of a struct that stands in the query, without those named in `except`.
    pub(super) fn options(kind: &str, except: &[&str]) -> impl Iterator<Item = Parameter> {
        let fields = made::OPTIONS.iter().find(|row| row.0 == kind).map(|row| row.1).unwrap_or_default();
        fields.iter().filter(|field| !except.contains(&field.0)).map(|(name, kind, description)| Parameter {
            name,
            of: String::new(),
            kind,
            description,
        })
    }

    fn write(&self, json: &mut Json) {
        json.open(b'{');
        if self.of.is_empty() {
            if !self.description.is_empty() {
                json.member("description", self.description);
            }
            json.member("in", "query").member("name", self.name);
        } else {
            match self.description {
                "" => json.key("description").parts(&["name of the ", &self.of]),
                text => json.member("description", text),
            };
            json.member("in", "path").member("name", self.name).raw_member("required", "true");
        }
        json.key("schema").open(b'{');
        json.member("type", self.kind).raw_member("uniqueItems", "true");
        json.close(b'}').close(b'}');
    }
}

/// What answers carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Payload {
    /// A definition, by reference.
    Reference(String),
    /// Text.
    Text,
}

/// Media types of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Produces {
    /// JSON, YAML and protobuf.
    Objects,
    /// Those, and streams of watch events.
    Streams,
    /// Those of objects, and plain text.
    Logs,
    /// JSON alone.
    Json,
    /// Whatever the other end says.
    Anything,
}

impl Produces {
    pub(super) fn media_types(self) -> &'static [&'static str] {
        match self {
            Produces::Objects => {
                &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"]
            }
            Produces::Streams => &[
                "application/json",
                "application/json;stream=watch",
                "application/vnd.kubernetes.protobuf",
                "application/vnd.kubernetes.protobuf;stream=watch",
                "application/yaml",
            ],
            Produces::Logs => {
                &["application/json", "application/vnd.kubernetes.protobuf", "application/yaml", "text/plain"]
            }
            Produces::Json => &["application/json"],
            Produces::Anything => &["*/*"],
        }
    }
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Body {
    pub(super) reference: String,
    pub(super) media_types: &'static [&'static str],
    pub(super) required: bool,
}

/// The media types of PATCH for built-in types.
pub(super) const PATCHES: &[&str] = &[
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
];

/// An operation.
#[derive(Debug)]
pub(super) struct Operation {
    /// The lower-case HTTP method.
    pub(super) method: &'static str,
    pub(super) id: String,
    pub(super) description: String,
    /// Parameters, without those that all operations of the path share.
    pub(super) parameters: Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) codes: &'static [(&'static str, &'static str)],
    pub(super) payload: Payload,
    pub(super) produces: Produces,
    /// `x-kubernetes-action`, empty outside resources.
    pub(super) action: &'static str,
    /// Group, version, kind; empty outside resources.
    pub(super) kind: (String, String, String),
}

pub(super) const OK: (&str, &str) = ("200", "OK");
pub(super) const CREATED: (&str, &str) = ("201", "Created");
pub(super) const ACCEPTED: (&str, &str) = ("202", "Accepted");

/// Writes a path with its operations. Parameters that all of them have are said once.
pub(super) fn write(json: &mut Json, path: &str, tag: &str, operations: &[Operation]) {
    let Some(first) = operations.first() else { return };
    let mut shared = first.parameters.clone();
    shared.retain(|parameter| operations.iter().all(|operation| operation.parameters.contains(parameter)));
    json.key(path).open(b'{');
    for operation in operations {
        json.key(operation.method).open(b'{');
        operation.write(json, tag, &shared);
        json.close(b'}');
    }
    parameters(json, &shared);
    json.close(b'}');
}

/// Writes `parameters`, unless there are none.
fn parameters(json: &mut Json, list: &[Parameter]) {
    if list.is_empty() {
        return;
    }
    let mut list: Vec<&Parameter> = list.iter().collect();
    list.sort();
    json.key("parameters").open(b'[');
    for parameter in list {
        parameter.write(json);
    }
    json.close(b']');
}

impl Operation {
    fn write(&self, json: &mut Json, tag: &str, shared: &[Parameter]) {
        json.list("tags", [tag]).member("description", &self.description).member("operationId", &self.id);
        let own: Vec<Parameter> =
            self.parameters.iter().filter(|parameter| !shared.contains(parameter)).cloned().collect();
        parameters(json, &own);
        if let Some(body) = &self.body {
            json.key("requestBody").open(b'{').key("content").open(b'{');
            for media_type in body.media_types {
                json.key(media_type).open(b'{').key("schema").open(b'{');
                json.member("$ref", &body.reference).close(b'}').close(b'}');
            }
            json.close(b'}');
            if body.required {
                json.raw_member("required", "true");
            }
            json.close(b'}');
        }
        json.key("responses").open(b'{');
        for (code, text) in self.codes {
            json.key(code).open(b'{').member("description", text);
            json.key("content").open(b'{');
            for media_type in self.produces.media_types() {
                json.key(media_type).open(b'{');
                self.payload(json);
                json.close(b'}');
            }
            json.close(b'}').close(b'}');
        }
        json.key("401").open(b'{').member("description", "Unauthorized").close(b'}').close(b'}');
        if !self.action.is_empty() {
            json.member("x-kubernetes-action", self.action);
            let (group, version, kind) = &self.kind;
            json.key("x-kubernetes-group-version-kind");
            definitions::group_version_kind(json, group, version, kind);
        }
    }

    fn payload(&self, json: &mut Json) {
        json.key("schema").open(b'{');
        match &self.payload {
            Payload::Reference(name) => json.member("$ref", name),
            Payload::Text => json.member("type", "string"),
        };
        json.close(b'}');
    }
}

/// GET of a document of discovery.
pub(super) fn discovery(
    definitions: &mut Definitions<'_>,
    kind: &str,
    id: String,
    description: &str,
) -> Operation {
    Operation {
        method: "get",
        id,
        description: description.into(),
        parameters: Vec::new(),
        body: None,
        codes: &[OK],
        payload: Payload::Reference(definitions.meta(kind)),
        produces: Produces::Objects,
        action: "",
        kind: Default::default(),
    }
}
