//! From OpenAPI v3 to v2.

use super::gnostic;
use crate::{Map, Value};
use serde::Deserialize;
use serde_json::{json, value::RawValue};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// Where schemas stand in version 3.
const SCHEMAS: &str = "#/components/schemas/";
/// Definitions that every group-version adds itself to.
const SHARED: [&str; 2] =
    ["io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions", "io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent"];
const KINDS: &str = "x-kubernetes-group-version-kind";

/// An OpenAPI v2 document that grows by version 3 documents. Kept as text in parts: a whole one as a tree would take many
/// times the memory.
#[derive(Debug, Default)]
pub struct Swagger {
    version: String,
    definitions: BTreeMap<String, String>,
    paths: BTreeMap<String, String>,
    /// Group, version and kind by the names in [`SHARED`].
    kinds: BTreeMap<&'static str, BTreeSet<(String, String, String)>>,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(default)]
    info: Info,
    #[serde(borrow, default)]
    paths: BTreeMap<String, &'a RawValue>,
    #[serde(borrow, default)]
    components: Components<'a>,
}

#[derive(Deserialize, Default)]
struct Info {
    #[serde(default)]
    version: String,
}

#[derive(Deserialize, Default)]
struct Components<'a> {
    #[serde(borrow, default)]
    schemas: BTreeMap<String, &'a RawValue>,
}

impl Swagger {
    /// An empty document of a release.
    pub fn new(release: &str) -> Self {
        Self { version: release.to_owned(), ..Self::default() }
    }

    /// Adds the paths and schemas of a version 3 document. What is there already stays.
    ///
    /// # Errors
    /// What is no OpenAPI v3 document.
    pub fn add(&mut self, v3: &[u8]) -> Result<(), serde_json::Error> {
        let document: Document<'_> = serde_json::from_slice(v3)?;
        if self.version.is_empty() {
            self.version = document.info.version;
        }
        for (name, schema) in document.components.schemas {
            let shared = SHARED.iter().find(|shared| **shared == name);
            if shared.is_none() && self.definitions.contains_key(&name) {
                continue;
            }
            let mut schema: Value = serde_json::from_str(schema.get())?;
            definition(&name, &mut schema);
            if let Some(shared) = shared {
                self.kinds.entry(shared).or_default().extend(kinds_of(&mut schema));
            }
            self.definitions.entry(name).or_insert_with(|| schema.to_string());
        }
        for (path, item) in document.paths {
            if let Entry::Vacant(free) = self.paths.entry(path) {
                let mut item: Value = serde_json::from_str(item.get())?;
                path_item(&mut item);
                free.insert(item.to_string());
            }
        }
        Ok(())
    }

    /// The document in JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let size = |map: &BTreeMap<String, String>| -> usize {
            map.iter().map(|(name, text)| name.len() + text.len() + 4).sum()
        };
        let mut out = Vec::with_capacity(size(&self.definitions) + size(&self.paths) + 1024);
        out.extend_from_slice(b"{\"swagger\":\"2.0\",\"info\":");
        out.extend_from_slice(self.info().to_string().as_bytes());
        out.extend_from_slice(b",\"paths\":");
        members(&mut out, self.paths.iter());
        out.extend_from_slice(b",\"definitions\":");
        let shared = self.shared();
        members(
            &mut out,
            self.definitions.iter().map(|(name, text)| (name, shared.get(name.as_str()).unwrap_or(text))),
        );
        let end = json!({"securityDefinitions": security_definitions(), "security": security()}).to_string();
        out.push(b',');
        out.extend_from_slice(end.trim_start_matches('{').as_bytes());
        out
    }

    /// The document in the protobuf form that clients before OpenAPI v3 ask for (gnostic's `OpenAPIv2.proto`).
    ///
    /// # Errors
    /// Never for what [`add`](Self::add) took.
    pub fn to_protobuf(&self) -> Result<Vec<u8>, serde_json::Error> {
        let shared = self.shared();
        let mut writer = gnostic::Writer::new(&self.info());
        for (path, text) in &self.paths {
            writer.path(path, &serde_json::from_str(text)?);
        }
        for (name, text) in &self.definitions {
            let text = shared.get(name.as_str()).unwrap_or(text);
            writer.definition(name, &serde_json::from_str(text)?);
        }
        Ok(writer.finish(&security(), &security_definitions()))
    }

    fn info(&self) -> Value {
        json!({"title": "Kubernetes", "version": self.version})
    }

    /// The definitions in [`SHARED`] with the kinds of all group-versions.
    fn shared(&self) -> BTreeMap<&'static str, String> {
        let mut out = BTreeMap::new();
        for (name, kinds) in &self.kinds {
            let Some(Ok(mut schema)) = self.definitions.get(*name).map(|text| serde_json::from_str(text))
            else {
                continue;
            };
            let kinds = kinds
                .iter()
                .map(|(group, version, kind)| json!({"group": group, "kind": kind, "version": version}));
            if let Value::Object(map) = &mut schema {
                map.insert(KINDS.into(), kinds.collect());
            }
            out.insert(*name, schema.to_string());
        }
        out
    }
}

fn security() -> Value {
    json!([{"BearerToken": []}])
}

fn security_definitions() -> Value {
    json!({"BearerToken": {
        "description": "Bearer Token authentication", "in": "header", "name": "authorization", "type": "apiKey",
    }})
}

fn members<'a>(out: &mut Vec<u8>, members: impl Iterator<Item = (&'a String, &'a String)>) {
    out.push(b'{');
    for (at, (name, text)) in members.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(Value::from(name.as_str()).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'}');
}

/// Takes the kinds out of a schema.
fn kinds_of(schema: &mut Value) -> Vec<(String, String, String)> {
    let Some(Value::Array(kinds)) = schema.as_object_mut().and_then(|map| map.remove(KINDS)) else {
        return Vec::new();
    };
    let text = |kind: &Value, key: &str| kind.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    kinds.iter().map(|kind| (text(kind, "group"), text(kind, "version"), text(kind, "kind"))).collect()
}

/// A schema with a name.
fn definition(name: &str, schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    // Of the types of the API machinery that hold one of several JSON types, version 2 tells the text form alone.
    let is_scalar = name.starts_with("io.k8s.apimachinery.") && !map.contains_key("type");
    if is_scalar && map.contains_key("oneOf") {
        map.insert("type".into(), "string".into());
    }
    // A kind that takes anything is told to be an object and nothing more: old clients would refuse what is not told.
    if is_true(map, "x-kubernetes-preserve-unknown-fields") && map.contains_key(KINDS) {
        let kinds = map.remove(KINDS).unwrap_or_default();
        *map = Map::new();
        map.insert("type".into(), "object".into());
        map.insert(KINDS.into(), kinds);
        return;
    }
    self::schema(map);
}

fn is_true(map: &Map, key: &str) -> bool {
    map.get(key) == Some(&Value::Bool(true))
}

fn schema(map: &mut Map) {
    reference(map);
    for key in ["default", "allOf", "anyOf", "oneOf", "not"] {
        map.remove(key);
    }
    let nullable = matches!(map.remove("nullable"), Some(Value::Bool(true)));
    let open = is_true(map, "x-kubernetes-preserve-unknown-fields");
    if nullable || open {
        map.remove("items");
        map.remove("properties");
    }
    let of = |map: &Map, kind: &str| map.get("type").is_some_and(|there| there == kind);
    if nullable || of(map, "array") && !map.contains_key("items") || open && of(map, "object") {
        map.remove("type");
    }
    let mut optional = BTreeSet::new();
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for (name, property) in properties.iter_mut() {
            if let Value::Object(property) = property {
                if is_true(property, "nullable") {
                    optional.insert(name.clone());
                }
                schema(property);
            }
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(Value::Object(inner)) = map.get_mut(key) {
            if key == "additionalProperties" && is_true(inner, "nullable") {
                optional.extend(strings(map.get("required")));
            }
            if let Some(Value::Object(inner)) = map.get_mut(key) {
                schema(inner);
            }
        }
    }
    if !optional.is_empty() {
        let left: Vec<Value> = strings(map.get("required"))
            .into_iter()
            .filter(|name| !optional.contains(name))
            .map(Value::from)
            .collect();
        if left.is_empty() {
            map.remove("required");
        } else {
            map.insert("required".into(), left.into());
        }
    }
}

fn strings(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `$ref`, alone or as the one member of `allOf`, with version 2's place.
fn reference(map: &mut Map) {
    let target = match (map.get("$ref"), map.get("allOf").and_then(Value::as_array).map(Vec::as_slice)) {
        (Some(target), _) => Some(target),
        (None, Some([one])) if !map.contains_key("type") => one.get("$ref"),
        _ => None,
    };
    let Some(name) = target.and_then(Value::as_str) else { return };
    let target = format!("#/definitions/{}", name.strip_prefix(SCHEMAS).unwrap_or(name));
    map.insert("$ref".into(), target.into());
}

fn path_item(item: &mut Value) {
    let Value::Object(item) = item else { return };
    for (key, value) in item.iter_mut() {
        match (key.as_str(), value) {
            ("parameters", Value::Array(list)) => list.iter_mut().for_each(parameter),
            (_, Value::Object(of)) => operation(of),
            _ => {}
        }
    }
}

/// What a parameter is stands in the parameter itself.
fn parameter(parameter: &mut Value) {
    let Value::Object(map) = parameter else { return };
    if let Some(Value::Object(mut inner)) = map.remove("schema") {
        schema(&mut inner);
        map.extend(inner);
    }
}

fn operation(map: &mut Map) {
    let mut parameters = match map.remove("parameters") {
        Some(Value::Array(mut list)) => {
            list.iter_mut().for_each(parameter);
            list
        }
        _ => Vec::new(),
    };
    let mut consumes = vec![Value::from("*/*")];
    if let Some(Value::Object(body)) = map.remove("requestBody") {
        let required = is_true(&body, "required");
        if let Some(Value::Object(content)) = body.get("content") {
            consumes = content.keys().map(|name| name.as_str().into()).collect();
            let mut told = json!({"in": "body", "name": "body"});
            if required {
                told["required"] = true.into();
            }
            if let Some(schema) = content_schema(content) {
                told["schema"] = schema;
            }
            parameters.insert(0, told);
        }
    }
    let mut produces = BTreeSet::new();
    if let Some(Value::Object(responses)) = map.get_mut("responses") {
        for response in responses.values_mut() {
            let Value::Object(response) = response else { continue };
            if let Some(Value::Object(content)) = response.remove("content") {
                produces.extend(content.keys().cloned());
                if let Some(schema) = content_schema(&content) {
                    response.insert("schema".into(), schema);
                }
            }
        }
    }
    if produces.is_empty() {
        produces.insert("*/*".into());
    }
    map.insert("consumes".into(), consumes.into());
    map.insert("produces".into(), produces.into_iter().map(Value::from).collect());
    map.insert("schemes".into(), json!(["https"]));
    if !parameters.is_empty() {
        map.insert("parameters".into(), parameters.into());
    }
}

/// The schema that all media types of a body share.
fn content_schema(content: &Map) -> Option<Value> {
    let mut found = content.values().next()?.get("schema")?.clone();
    if let Value::Object(map) = &mut found {
        schema(map);
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(v3: &Value) -> Value {
        let mut swagger = Swagger::default();
        swagger.add(v3.to_string().as_bytes()).unwrap();
        serde_json::from_slice(&swagger.to_json()).unwrap()
    }

    fn one(schema: Value) -> Value {
        converted(&json!({"components": {"schemas": {"x.Y": schema}}}))["definitions"]["x.Y"].clone()
    }

    #[test]
    fn references_stand_for_themselves_and_defaults_go() {
        let schema = json!({"type": "object", "properties": {
            "metadata": {"description": "m", "default": {}, "allOf": [{"$ref": "#/components/schemas/io.M"}]},
            "list": {"type": "array", "items": {"default": "", "type": "string"}},
        }});
        assert_eq!(
            one(schema),
            json!({"type": "object", "properties": {
                "metadata": {"description": "m", "$ref": "#/definitions/io.M"},
                "list": {"type": "array", "items": {"type": "string"}},
            }})
        );
    }

    #[test]
    fn what_old_clients_cannot_read_is_left_out() {
        let schema = json!({"type": "object", "required": ["a", "b"], "properties": {
            "a": {"type": "string", "nullable": true},
            "b": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true},
            "c": {"type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": {"d": {"type": "string"}}},
            "allOf": {"type": "string", "not": {"enum": ["x"]}},
        }});
        assert_eq!(
            one(schema),
            json!({"type": "object", "required": ["b"], "properties": {
                "a": {},
                "b": {"x-kubernetes-int-or-string": true},
                "c": {"x-kubernetes-preserve-unknown-fields": true},
                "allOf": {"type": "string"},
            }})
        );
    }

    #[test]
    fn operations_tell_bodies_as_parameters() {
        let reference = json!({"$ref": "#/components/schemas/io.M"});
        let document = converted(&json!({"paths": {"/p": {
            "parameters": [{"name": "pretty", "in": "query", "schema": {"type": "string", "uniqueItems": true}}],
            "post": {
                "operationId": "createP",
                "requestBody": {"required": true, "content": {"*/*": {"schema": reference}}},
                "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": reference}}}, "401": {"description": "Unauthorized"}},
            },
        }}}));
        let told = json!({"$ref": "#/definitions/io.M"});
        assert_eq!(
            document["paths"]["/p"],
            json!({
                "parameters": [{"name": "pretty", "in": "query", "type": "string", "uniqueItems": true}],
                "post": {
                    "operationId": "createP", "consumes": ["*/*"], "produces": ["application/json"], "schemes": ["https"],
                    "parameters": [{"in": "body", "name": "body", "required": true, "schema": told}],
                    "responses": {"200": {"description": "OK", "schema": told}, "401": {"description": "Unauthorized"}},
                },
            })
        );
        assert_eq!(document["swagger"], "2.0");
        assert_eq!(document["security"], json!([{"BearerToken": []}]));
    }

    #[test]
    fn shared_definitions_name_the_kinds_of_all_documents() {
        let of = |group: &str| json!({"components": {"schemas": {SHARED[0]: {"type": "object", KINDS: [{"group": group, "version": "v1", "kind": "DeleteOptions"}]}}}});
        let mut swagger = Swagger::default();
        for group in ["b", "a"] {
            swagger.add(of(group).to_string().as_bytes()).unwrap();
        }
        let document: Value = serde_json::from_slice(&swagger.to_json()).unwrap();
        let kinds = document["definitions"][SHARED[0]][KINDS].as_array().unwrap();
        assert_eq!((kinds.len(), &kinds[0]["group"]), (2, &json!("a")));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in ["", "1", "{\"paths\": 1}", "{\"components\": {\"schemas\": []}}"] {
            assert!(Swagger::default().add(text.as_bytes()).is_err(), "{text}");
        }
    }
}
