//! The OpenAPI v3 document of a group and version (`apiextensions-apiserver/pkg/controller/openapi/builder`).

use super::{
    definition::{schema_of, text},
    discovery,
};
use chainplate_apimachinery::{Map, Value};
use serde_json::json;
use std::sync::OnceLock;

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1";
const API_VERSION: &str = "APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources";
const KIND: &str = "Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const LIST_METADATA: &str = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";
const MEDIA_TYPES: &[&str] = &["application/json", "application/yaml"];
const PATCH_TYPES: &[&str] =
    &["application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json"];

/// The document of all established definitions of the group that serve the version.
pub fn document(group: &str, version: &str, crds: &[Value]) -> Value {
    let mut paths = Map::new();
    let mut schemas = shared_schemas().clone();
    for (crd, serving) in discovery::serving(crds, version) {
        let names = crd.pointer("/status/acceptedNames").unwrap_or(&Value::Null);
        let resource = Resource {
            group,
            version,
            kind: text(names, "kind"),
            list_kind: text(names, "listKind"),
            plural: text(names, "plural"),
            namespaced: crd.pointer("/spec/scope").is_some_and(|scope| scope == "Namespaced"),
        };
        resource.schemas(schema_of(serving), &mut schemas);
        resource.paths(serving, &mut paths);
    }
    json!({
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes CRD Swagger", "version": "v0.1.0"},
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

struct Resource<'a> {
    group: &'a str,
    version: &'a str,
    kind: &'a str,
    list_kind: &'a str,
    plural: &'a str,
    namespaced: bool,
}

impl Resource<'_> {
    /// `com.example.stable.v1.Widget`.
    fn definition(&self, kind: &str) -> String {
        let mut parts: Vec<&str> = self.group.split('.').collect();
        parts.reverse();
        format!("{}.{}.{kind}", parts.join("."), self.version)
    }

    fn group_version_kind(&self, kind: &str) -> Value {
        json!([{"group": self.group, "kind": kind, "version": self.version}])
    }

    fn schemas(&self, schema: &Value, schemas: &mut Map) {
        let mut own = published(schema);
        if let Some(own) = own.as_object_mut() {
            add_metadata(own);
            own.entry("type").or_insert_with(|| "object".into());
            own.insert("x-kubernetes-group-version-kind".into(), self.group_version_kind(self.kind));
        }
        let name = self.definition(self.kind);
        let list = json!({
            "description": format!("{} is a list of {}", self.list_kind, self.kind),
            "type": "object",
            "required": ["items"],
            "properties": {
                "apiVersion": {"description": API_VERSION, "type": "string"},
                "items": {
                    "description": format!("List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", self.plural),
                    "type": "array", "items": reference(&name),
                },
                "kind": {"description": KIND, "type": "string"},
                "metadata": {"description": LIST_METADATA, "allOf": [reference(&format!("{META}.ListMeta"))]},
            },
            "x-kubernetes-group-version-kind": self.group_version_kind(self.list_kind),
        });
        schemas.insert(self.definition(self.list_kind), list);
        schemas.insert(name, own);
    }

    fn paths(&self, serving: &Value, paths: &mut Map) {
        let base = format!("/apis/{}/{}", self.group, self.version);
        let scope = if self.namespaced { "/namespaces/{namespace}" } else { "" };
        let collection = format!("{base}{scope}/{}", self.plural);
        let own = self.definition(self.kind);
        let list = self.definition(self.list_kind);
        let status = format!("{META}.Status");
        if self.namespaced {
            let operation = self.operation("get", "list", "ForAllNamespaces", "", None, &list, "list");
            paths.insert(
                format!("{base}/{}", self.plural),
                json!({"get": operation, "parameters": query(&LIST_PARAMETERS)}),
            );
        }
        let mut parameters = if self.namespaced { vec![path_parameter("namespace")] } else { Vec::new() };
        let pretty =
            json!({"name": "pretty", "in": "query", "schema": {"type": "string", "uniqueItems": true}});
        parameters.push(pretty);
        let mut item = Map::new();
        item.insert("get".into(), self.operation("get", "list", "", "", None, &list, "list"));
        item.insert("post".into(), self.operation("post", "create", "", "", Some(&own), &own, "post"));
        let delete_options = format!("{META}.DeleteOptions");
        item.insert(
            "delete".into(),
            self.operation("delete", "delete", "", "Collection", None, &status, "deletecollection"),
        );
        item.insert("parameters".into(), parameters.clone().into());
        paths.insert(collection.clone(), item.into());

        parameters.insert(0, path_parameter("name"));
        let mut item = Map::new();
        item.insert("get".into(), self.operation("get", "read", "", "", None, &own, "get"));
        item.insert("put".into(), self.operation("put", "replace", "", "", Some(&own), &own, "put"));
        item.insert("patch".into(), self.operation("patch", "patch", "", "", None, &own, "patch"));
        item.insert(
            "delete".into(),
            self.operation("delete", "delete", "", "", Some(&delete_options), &status, "delete"),
        );
        item.insert("parameters".into(), parameters.clone().into());
        paths.insert(format!("{collection}/{{name}}"), item.into());

        for (subresource, suffix, schema) in
            [("status", "Status", own.as_str()), ("scale", "Scale", "io.k8s.api.autoscaling.v1.Scale")]
        {
            if serving.pointer(&format!("/subresources/{subresource}")).is_none_or(Value::is_null) {
                continue;
            }
            let mut item = Map::new();
            item.insert("get".into(), self.operation("get", "read", suffix, "", None, schema, "get"));
            item.insert(
                "put".into(),
                self.operation("put", "replace", suffix, "", Some(schema), schema, "put"),
            );
            item.insert("patch".into(), self.operation("patch", "patch", suffix, "", None, schema, "patch"));
            item.insert("parameters".into(), parameters.clone().into());
            paths.insert(format!("{collection}/{{name}}/{subresource}"), item.into());
        }
    }

    #[allow(clippy::too_many_arguments, reason = "one row of a table: each argument is a cell")]
    fn operation(
        &self,
        method: &str,
        verb: &str,
        suffix: &str,
        infix: &str,
        body: Option<&str>,
        answer: &str,
        action: &str,
    ) -> Value {
        let across = suffix == "ForAllNamespaces";
        let scope = if self.namespaced && !across { "Namespaced" } else { "" };
        let group_version = camel(self.group) + &camel(self.version);
        let id = format!("{verb}{group_version}{infix}{scope}{}{suffix}", self.kind);
        let kind = if suffix == "Scale" {
            ("autoscaling", "v1", "Scale")
        } else {
            (self.group, self.version, self.kind)
        };
        let content = |types: &[&str], schema: Value| -> Map {
            types.iter().map(|type_| ((*type_).to_owned(), json!({"schema": schema}))).collect()
        };
        let answer = content(MEDIA_TYPES, reference(answer));
        let mut responses = Map::new();
        let codes: &[(&str, &str)] = match method {
            "post" => &[("200", "OK"), ("201", "Created"), ("202", "Accepted")],
            "put" => &[("200", "OK"), ("201", "Created")],
            "delete" if action == "delete" => &[("200", "OK"), ("202", "Accepted")],
            _ => &[("200", "OK")],
        };
        for (code, description) in codes {
            responses.insert((*code).to_owned(), json!({"description": description, "content": answer}));
        }
        responses.insert("401".into(), json!({"description": "Unauthorized"}));
        let what = match action {
            "get" => "read the specified",
            "list" => "list objects of kind",
            "post" => "create a",
            "put" => "replace the specified",
            "patch" => "partially update the specified",
            "deletecollection" => "delete collection of",
            _ => "delete a",
        };
        let mut operation = json!({
            "description": format!("{what} {}", self.kind),
            "operationId": id,
            "tags": [format!("{}_{}", lower_camel(self.group), self.version)],
            "responses": responses,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": {"group": kind.0, "version": kind.1, "kind": kind.2},
        });
        let parameters: &[(&str, &str)] = match action {
            "list" | "deletecollection" if !across => &LIST_PARAMETERS,
            "post" | "put" => {
                &[("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string")]
            }
            "patch" => &[
                ("dryRun", "string"),
                ("fieldManager", "string"),
                ("fieldValidation", "string"),
                ("force", "boolean"),
            ],
            "delete" => &[
                ("dryRun", "string"),
                ("gracePeriodSeconds", "integer"),
                ("orphanDependents", "boolean"),
                ("propagationPolicy", "string"),
            ],
            "get" => &[("resourceVersion", "string")],
            _ => &[],
        };
        if let Some(map) = operation.as_object_mut() {
            if !parameters.is_empty() {
                map.insert("parameters".into(), query(parameters));
            }
            if method == "patch" {
                let content = content(PATCH_TYPES, reference(&format!("{META}.Patch")));
                map.insert("requestBody".into(), json!({"required": true, "content": content}));
            } else if let Some(body) = body {
                let content = content(MEDIA_TYPES, reference(body));
                map.insert("requestBody".into(), json!({"required": method != "delete", "content": content}));
            }
        }
        operation
    }
}

const LIST_PARAMETERS: [(&str, &str); 10] = [
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
    ("watch", "boolean"),
];

fn query(parameters: &[(&str, &str)]) -> Value {
    let one = |(name, type_): &(&str, &str)| json!({"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": true}});
    parameters.iter().map(one).collect()
}

fn path_parameter(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "uniqueItems": true}})
}

/// `conformance-openapi.example.com` as `ConformanceOpenapiExampleCom`.
fn camel(name: &str) -> String {
    name.split(['.', '-']).map(capital).collect()
}

fn lower_camel(name: &str) -> String {
    let camel = camel(name);
    let mut characters = camel.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn add_metadata(schema: &mut Map) {
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("apiVersion".into(), json!({"description": API_VERSION, "type": "string"}));
        properties.insert("kind".into(), json!({"description": KIND, "type": "string"}));
        let metadata = json!({"description": METADATA, "allOf": [reference(&format!("{META}.ObjectMeta"))]});
        properties.insert("metadata".into(), metadata);
    }
}

/// A schema as it is published: what is only said by an extension is said in OpenAPI's words, too.
fn published(schema: &Value) -> Value {
    let Some(object) = schema.as_object() else { return json!({"type": "object"}) };
    let mut out = Map::new();
    for (key, value) in object {
        let value = match (key.as_str(), value) {
            ("properties", Value::Object(members)) => {
                members.iter().map(|(name, member)| (name.clone(), published(member))).collect()
            }
            ("items" | "not" | "additionalProperties", Value::Object(_)) => published(value),
            ("allOf" | "anyOf" | "oneOf", Value::Array(list)) => list.iter().map(published_nested).collect(),
            _ => value.clone(),
        };
        out.insert(key.clone(), value);
    }
    let is = |out: &Map, key: &str| out.get(key) == Some(&Value::Bool(true));
    if is(&out, "x-kubernetes-int-or-string") && !out.contains_key("anyOf") {
        out.insert("anyOf".into(), json!([{"type": "integer"}, {"type": "string"}]));
    }
    if is(&out, "x-kubernetes-embedded-resource") {
        add_metadata(&mut out);
    }
    Value::Object(out)
}

/// Below a junctor nothing is added.
fn published_nested(schema: &Value) -> Value {
    schema.clone()
}

/// The schemas that all documents refer to.
fn shared_schemas() -> &'static Map {
    static SHARED: OnceLock<Map> = OnceLock::new();
    SHARED.get_or_init(|| {
        let text = json!({"type": "string"});
        let whole = json!({"type": "integer", "format": "int64"});
        let time = json!({"allOf": [reference(&format!("{META}.Time"))]});
        let texts = json!({"type": "object", "additionalProperties": {"type": "string", "default": ""}});
        let meta = |name: &str| reference(&format!("{META}.{name}"));
        let list = |item: Value| json!({"type": "array", "items": item, "x-kubernetes-list-type": "atomic"});
        let all = json!({
            "Time": {"type": "string", "format": "date-time"},
            "FieldsV1": {"type": "object"},
            "Patch": {"type": "object"},
            "OwnerReference": {"type": "object", "required": ["apiVersion", "kind", "name", "uid"], "x-kubernetes-map-type": "atomic",
                "properties": {"apiVersion": text, "blockOwnerDeletion": {"type": "boolean"}, "controller": {"type": "boolean"}, "kind": text, "name": text, "uid": text}},
            "ManagedFieldsEntry": {"type": "object", "properties": {"apiVersion": text, "fieldsType": text, "fieldsV1": {"allOf": [meta("FieldsV1")]},
                "manager": text, "operation": text, "subresource": text, "time": time}},
            "ObjectMeta": {"type": "object", "properties": {
                "annotations": texts, "creationTimestamp": time, "deletionGracePeriodSeconds": whole, "deletionTimestamp": time,
                "finalizers": {"type": "array", "items": text, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"},
                "generateName": text, "generation": whole, "labels": texts, "managedFields": list(meta("ManagedFieldsEntry")),
                "name": text, "namespace": text,
                "ownerReferences": {"type": "array", "items": meta("OwnerReference"), "x-kubernetes-list-map-keys": ["uid"],
                    "x-kubernetes-list-type": "map", "x-kubernetes-patch-merge-key": "uid", "x-kubernetes-patch-strategy": "merge"},
                "resourceVersion": text, "selfLink": text, "uid": text}},
            "ListMeta": {"type": "object", "properties": {"continue": text, "remainingItemCount": whole, "resourceVersion": text, "selfLink": text}},
            "Preconditions": {"type": "object", "properties": {"resourceVersion": text, "uid": text}},
            "DeleteOptions": {"type": "object", "properties": {"apiVersion": text, "dryRun": list(text.clone()), "gracePeriodSeconds": whole,
                "ignoreStoreReadErrorWithClusterBreakingPotential": {"type": "boolean"}, "kind": text, "orphanDependents": {"type": "boolean"},
                "preconditions": {"allOf": [meta("Preconditions")]}, "propagationPolicy": text}},
            "StatusCause": {"type": "object", "properties": {"field": text, "message": text, "reason": text}},
            "StatusDetails": {"type": "object", "properties": {"causes": list(meta("StatusCause")), "group": text, "kind": text, "name": text,
                "retryAfterSeconds": {"type": "integer", "format": "int32"}, "uid": text}},
            "Status": {"type": "object", "properties": {"apiVersion": text, "code": {"type": "integer", "format": "int32"},
                "details": {"allOf": [meta("StatusDetails")]}, "kind": text, "message": text, "metadata": {"allOf": [meta("ListMeta")]}, "reason": text, "status": text},
                "x-kubernetes-group-version-kind": [{"group": "", "kind": "Status", "version": "v1"}]},
        });
        let mut schemas: Map = match all {
            Value::Object(all) => all.into_iter().map(|(name, schema)| (format!("{META}.{name}"), schema)).collect(),
            _ => Map::new(),
        };
        schemas.insert(
            "io.k8s.api.autoscaling.v1.Scale".into(),
            json!({"type": "object", "properties": {
                "apiVersion": text, "kind": text, "metadata": {"allOf": [meta("ObjectMeta")]},
                "spec": {"type": "object", "properties": {"replicas": {"type": "integer", "format": "int32"}}},
                "status": {"type": "object", "required": ["replicas"], "properties": {"replicas": {"type": "integer", "format": "int32"}, "selector": text}}},
                "x-kubernetes-group-version-kind": [{"group": "autoscaling", "kind": "Scale", "version": "v1"}]}),
        );
        schemas
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_tells_schema_and_paths() {
        let crd = json!({"spec": {"group": "conformance-openapi.example.com", "scope": "Namespaced", "versions": [{"name": "v1", "served": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object", "required": ["size"], "properties": {
                    "size": {"type": "integer", "minimum": 1}, "port": {"x-kubernetes-int-or-string": true}}}}}}}]},
            "status": {"acceptedNames": {"plural": "widgets", "kind": "Widget", "listKind": "WidgetList"}, "conditions": [{"type": "Established", "status": "True"}]}});
        let document = document("conformance-openapi.example.com", "v1", &[crd]);
        let schema = &document["components"]["schemas"]["com.example.conformance-openapi.v1.Widget"];
        assert_eq!(
            schema["properties"]["spec"],
            json!({"type": "object", "required": ["size"], "properties": {"size": {"type": "integer", "minimum": 1},
                "port": {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": true}}})
        );
        assert_eq!(schema["x-kubernetes-group-version-kind"][0]["kind"], "Widget");
        let paths = &document["paths"];
        let base = "/apis/conformance-openapi.example.com/v1";
        for (path, method, id) in [
            (
                "/namespaces/{namespace}/widgets",
                "post",
                "createConformanceOpenapiExampleComV1NamespacedWidget",
            ),
            (
                "/namespaces/{namespace}/widgets",
                "delete",
                "deleteConformanceOpenapiExampleComV1CollectionNamespacedWidget",
            ),
            (
                "/namespaces/{namespace}/widgets/{name}/status",
                "patch",
                "patchConformanceOpenapiExampleComV1NamespacedWidgetStatus",
            ),
            ("/widgets", "get", "listConformanceOpenapiExampleComV1WidgetForAllNamespaces"),
        ] {
            assert_eq!(paths[format!("{base}{path}")][method]["operationId"], id);
        }
    }
}
