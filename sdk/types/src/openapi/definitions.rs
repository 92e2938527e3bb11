//! The schemas of a document: all that its operations name, and what those refer to.

use super::{enums, json::Json, made};
use crate::tables::{self, Field, Presence, TypeRef};
use chainplate_apimachinery::shape::{Kind, ListKind, Scalar, Shape};
use std::collections::{BTreeMap, HashMap};

/// A schema with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Definition {
    /// A struct, by its number.
    Struct(u16),
    /// The list of a served kind, by the row of the kind.
    List(usize),
    /// By its row in the table of types with a form of their own.
    Special(usize),
}

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.";
const EXTENSIONS: &str = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.";

/// Members that stand earlier in their Go struct than their tag says: type, member, and the tag it stands before.
const AHEAD: [(&str, &str, u16); 3] = [
    ("APIResource", "singularName", 2),
    ("HTTPIngressPath", "pathType", 2),
    ("OwnerReference", "apiVersion", 1),
];

/// Definitions by their name, as they are found.
#[derive(Debug)]
pub(super) struct Definitions<'a> {
    /// The group-versions of the document: options and watch events are told to be of these, too.
    scope: &'a [(&'a str, &'a str)],
    found: BTreeMap<String, Definition>,
    pending: Vec<(String, Definition)>,
    /// The rows of kinds by the number of their struct.
    kinds: HashMap<u16, Vec<usize>>,
}

impl<'a> Definitions<'a> {
    pub(super) fn new(scope: &'a [(&'a str, &'a str)]) -> Self {
        let mut kinds: HashMap<u16, Vec<usize>> = HashMap::new();
        for (row, (_, _, _, shape)) in tables::kinds().enumerate() {
            if let Some(id) = shape.type_id() {
                kinds.entry(id).or_default().push(row);
            }
        }
        Definitions { scope, found: BTreeMap::new(), pending: Vec::new(), kinds }
    }

    /// The reference to a definition by name, which the document then has.
    pub(super) fn named(&mut self, name: &str) -> String {
        let special = made::SPECIAL.iter().position(|(special, _)| *special == name).map(Definition::Special);
        let found = special.or_else(|| tables::named(name)?.type_id().map(Definition::Struct));
        self.add(name, found)
    }

    /// The reference to a definition in `meta/v1`.
    pub(super) fn meta(&mut self, name: &str) -> String {
        self.named(&format!("{META}{name}"))
    }

    /// The reference to a served kind, or to its list; `None` for a kind without schema.
    pub(super) fn kind(&mut self, group: &str, version: &str, kind: &str, list: bool) -> Option<String> {
        let row = tables::kinds().position(|row| (row.0, row.1, row.2) == (group, version, kind))?;
        let shape = tables::kinds().nth(row)?.3;
        let name = shape.definition()?;
        let definition = if list { Definition::List(row) } else { Definition::Struct(shape.type_id()?) };
        let name = if list { format!("{name}List") } else { name };
        Some(self.add(&name, Some(definition)))
    }

    fn add(&mut self, name: &str, definition: Option<Definition>) -> String {
        if let Some(definition) = definition
            && !self.found.contains_key(name)
        {
            self.found.insert(name.to_owned(), definition);
            self.pending.push((name.to_owned(), definition));
        }
        format!("#/components/schemas/{name}")
    }

    /// Writes what was found and what it refers to, as members of an object.
    pub(super) fn write(&mut self, json: &mut Json) {
        while let Some((name, definition)) = self.pending.pop() {
            json.key(&name).open(b'{');
            match definition {
                Definition::Struct(id) => self.structure(json, id),
                Definition::List(row) => self.list(json, row),
                Definition::Special(row) => self.special(json, row),
            }
            json.close(b'}');
        }
    }

    fn structure(&mut self, json: &mut Json, id: u16) {
        let Some(shape) = TypeRef::of_type(id) else { return };
        describe(json, shape.description());
        json.member("type", "object");
        // The crate that the tables are made from has the metadata of every kind as required; Go leaves it out.
        let is_required = |field: &Field| field.is_required() && field.name() != "metadata";
        let mut required: Vec<Field> = shape.fields().filter(is_required).collect();
        if !required.is_empty() {
            // The order of the Go struct, which is that of the tags in protobuf but for a few.
            let ahead = AHEAD.iter().find(|row| row.0 == shape.type_name());
            required.sort_by_key(|field| match (field.protobuf_tags(), ahead) {
                (_, Some((_, name, tag))) if field.name() == *name => (*tag, 0),
                ((tag, 0), _) => (tag, 1),
                ((tag, outer), _) => (outer, tag),
            });
            json.list("required", required.iter().map(|field| field.name()));
        }
        if shape.fields().len() > 0 {
            json.key("properties").open(b'{');
            for field in shape.fields() {
                self.property(json, shape, field);
            }
            json.close(b'}');
        }
        if shape.kind() == (Kind::Struct { atomic: true }) {
            json.member("x-kubernetes-map-type", "atomic");
        }
        union(json, id, shape);
        self.kinds_of(json, id, shape);
    }

    /// `x-kubernetes-group-version-kind`.
    fn kinds_of(&self, json: &mut Json, id: u16, shape: TypeRef) {
        let own = self.kinds.get(&id).map(Vec::as_slice).unwrap_or_default();
        let mut rows: Vec<(&str, &str, &str)> =
            own.iter().filter_map(|row| tables::kinds().nth(*row)).map(|row| (row.0, row.1, row.2)).collect();
        let everywhere = shape.package().ends_with(".meta.v1")
            && matches!(shape.type_name(), "DeleteOptions" | "WatchEvent");
        if everywhere {
            rows.push(("", "v1", shape.type_name()));
            rows.extend(self.scope.iter().map(|(group, version)| (*group, *version, shape.type_name())));
            rows.sort_unstable();
            rows.dedup();
        }
        if !rows.is_empty() {
            json.key("x-kubernetes-group-version-kind").open(b'[');
            for (group, version, kind) in rows {
                group_version_kind(json, group, version, kind);
            }
            json.close(b']');
        }
    }

    fn list(&mut self, json: &mut Json, row: usize) {
        let Some((group, version, kind, shape)) = tables::kinds().nth(row) else { return };
        let text = |column: usize| {
            let id = u16::try_from(row * 3 + column).unwrap_or(u16::MAX);
            tables::text(made::LIST_TEXT, &made::LIST_ENDS, id)
        };
        describe(json, text(0));
        json.member("type", "object").list("required", ["items"]);
        json.key("properties").open(b'{');
        for field in shape.fields().filter(|field| matches!(field.name(), "apiVersion" | "kind")) {
            self.property(json, shape, field);
        }
        json.key("items").open(b'{');
        describe(json, text(2));
        json.member("type", "array");
        let item = shape.definition().map(|name| self.named(&name)).unwrap_or_default();
        json.key("items").open(b'{').member("$ref", &item).close(b'}').close(b'}');
        let metadata = self.meta("ListMeta");
        json.key("metadata");
        self.reference(json, &metadata, text(1), Some("{}"), &mut |_| {});
        json.close(b'}');
        json.key("x-kubernetes-group-version-kind").open(b'[');
        group_version_kind(json, group, version, &format!("{kind}List"));
        json.close(b']');
    }

    fn special(&mut self, json: &mut Json, row: usize) {
        let Some((name, description)) = made::SPECIAL.get(row) else { return };
        describe(json, description);
        match name.rsplit('.').next().unwrap_or_default() {
            "Time" | "MicroTime" => {
                json.member("type", "string").member("format", "date-time");
            }
            "Quantity" => {
                json.raw_member("oneOf", r#"[{"type":"string"},{"type":"number"}]"#);
            }
            "IntOrString" => {
                json.member("format", "int-or-string");
                json.raw_member("oneOf", r#"[{"type":"integer"},{"type":"string"}]"#);
            }
            "FieldsV1" | "Patch" | "RawExtension" => {
                json.member("type", "object");
            }
            "Info" => info(json),
            // Any JSON.
            _ => {}
        }
    }

    fn property(&mut self, json: &mut Json, owner: TypeRef, field: Field) {
        json.key(field.name());
        let shape = field.shape();
        let default = default(field);
        if let Some(target) = self.target(shape, field.name()) {
            self.reference(json, &target, field.description(), default, &mut |json| extensions(json, field));
            return;
        }
        json.open(b'{');
        let single = shape.kind() == Kind::Scalar(Scalar::String);
        match enums::values(owner.package(), &shape.go_type()).filter(|_| single) {
            Some(values) => enums::describe(json, field.description(), values),
            None => describe(json, field.description()),
        }
        if let Some(default) = default {
            json.raw_member("default", default);
        }
        self.inline(json, owner, shape, field.name());
        extensions(json, field);
        json.close(b'}');
    }

    /// A reference, with what is said beside it.
    fn reference(
        &self,
        json: &mut Json,
        target: &str,
        description: &str,
        default: Option<&str>,
        extensions: &mut dyn FnMut(&mut Json),
    ) {
        json.open(b'{');
        describe(json, description);
        if let Some(default) = default {
            json.raw_member("default", default);
        }
        // Nothing may stand beside a reference.
        let bare = description.is_empty() && default.is_none();
        if bare {
            json.member("$ref", target);
        } else {
            json.key("allOf").open(b'[').open(b'{').member("$ref", target).close(b'}').close(b']');
        }
        extensions(json);
        json.close(b'}');
    }

    /// Type, format and elements of a value that is not a reference.
    fn inline(&mut self, json: &mut Json, owner: TypeRef, shape: TypeRef, name: &str) {
        let (kind, format) = match shape.kind() {
            Kind::Scalar(Scalar::Bool) => ("boolean", ""),
            Kind::Scalar(Scalar::Int32) => ("integer", "int32"),
            Kind::Scalar(Scalar::Int64) => ("integer", "int64"),
            Kind::Scalar(Scalar::Float) => ("number", "double"),
            Kind::Scalar(Scalar::Bytes) => ("string", "byte"),
            Kind::Scalar(_) => ("string", ""),
            Kind::Struct { .. } => ("object", ""),
            Kind::Map { .. } => {
                json.member("type", "object").key("additionalProperties");
                self.element(json, owner, shape, name);
                return;
            }
            Kind::List(_) => {
                json.member("type", "array").key("items");
                self.element(json, owner, shape, name);
                return;
            }
            Kind::Any { .. } => return,
        };
        json.member("type", kind);
        if !format.is_empty() {
            json.member("format", format);
        }
        if kind == "string"
            && let Some(values) = enums::values(owner.package(), &shape.go_type())
        {
            json.list("enum", values.split('|'));
        }
    }

    fn element(&mut self, json: &mut Json, owner: TypeRef, shape: TypeRef, name: &str) {
        json.open(b'{');
        if let Some(element) = shape.element() {
            match self.target(element, name) {
                Some(target) => {
                    json.member("$ref", &target);
                }
                None => self.inline(json, owner, element, name),
            }
        }
        json.close(b'}');
    }

    /// What a value refers to; `None` if its schema stands in place.
    fn target(&mut self, shape: TypeRef, name: &str) -> Option<String> {
        match shape.kind() {
            Kind::Struct { .. } => shape.definition().map(|name| self.named(&name)),
            Kind::Scalar(Scalar::Time) => Some(self.meta("Time")),
            Kind::Scalar(Scalar::MicroTime) => Some(self.meta("MicroTime")),
            Kind::Scalar(Scalar::Quantity) => {
                Some(self.named("io.k8s.apimachinery.pkg.api.resource.Quantity"))
            }
            Kind::Scalar(Scalar::IntOrString) => {
                Some(self.named("io.k8s.apimachinery.pkg.util.intstr.IntOrString"))
            }
            Kind::Any { .. } => match &*shape.go_type() {
                "runtime.RawExtension" => Some(self.named("io.k8s.apimachinery.pkg.runtime.RawExtension")),
                "v1.FieldsV1" => Some(self.meta("FieldsV1")),
                "v1.JSON" => {
                    // One Go type in the tables, four in the documents: told apart by the member of JSONSchemaProps.
                    let kind = match (shape.loose_struct().is_some(), name) {
                        (false, _) => "JSON",
                        (true, "items") => "JSONSchemaPropsOrArray",
                        (true, "dependencies") => "JSONSchemaPropsOrStringArray",
                        (true, _) => "JSONSchemaPropsOrBool",
                    };
                    Some(self.named(&format!("{EXTENSIONS}{kind}")))
                }
                _ => None,
            },
            _ => None,
        }
    }
}

fn describe(json: &mut Json, description: &str) {
    if !description.is_empty() {
        json.member("description", description);
    }
}

pub(super) fn group_version_kind(json: &mut Json, group: &str, version: &str, kind: &str) {
    json.open(b'{').member("group", group).member("kind", kind).member("version", version).close(b'}');
}

/// `kube-openapi/pkg/generators/openapi.go`, `generateDefault`: what the source names, else the zero value of what
/// is neither a pointer nor left out when it is empty.
fn default(field: Field) -> Option<&'static str> {
    let named = field.default_text();
    if !named.is_empty() {
        return Some(named);
    }
    let shape = field.shape();
    let kept = field.presence() == Presence::Keep;
    match shape.kind() {
        Kind::Struct { .. } => {
            let by_value = kept || matches!(shape.type_name(), "ObjectMeta" | "ListMeta");
            by_value.then_some("{}")
        }
        Kind::Scalar(Scalar::String) if kept => Some("\"\""),
        Kind::Scalar(Scalar::Bool) if kept => Some("false"),
        Kind::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Float) if kept => Some("0"),
        _ => None,
    }
}

fn extensions(json: &mut Json, field: Field) {
    let shape = field.shape();
    match shape.kind() {
        Kind::List(list) if field.says_list_type() => {
            let name = match list {
                ListKind::Atomic => "atomic",
                ListKind::Set => "set",
                ListKind::Map => "map",
            };
            if list == ListKind::Map {
                let keys = (0..shape.list_key_count()).filter_map(|index| shape.list_key(index));
                json.list("x-kubernetes-list-map-keys", keys);
            }
            json.member("x-kubernetes-list-type", name);
        }
        Kind::Map { atomic: true } => {
            json.member("x-kubernetes-map-type", "atomic");
        }
        Kind::Struct { atomic } => {
            let own = shape.type_id().and_then(TypeRef::of_type).map(|own| own.kind());
            if own.is_some_and(|own| own != (Kind::Struct { atomic })) {
                json.member("x-kubernetes-map-type", if atomic { "atomic" } else { "granular" });
            }
        }
        _ => {}
    }
    if let Some(key) = shape.merge_key() {
        json.member("x-kubernetes-patch-merge-key", key);
    }
    let strategy = shape.patch_strategy();
    let said =
        [(strategy.merge, "merge"), (strategy.replace, "replace"), (strategy.retain_keys, "retainKeys")];
    let said: Vec<&str> = said.iter().filter(|(said, _)| *said).map(|(_, name)| *name).collect();
    if !said.is_empty() {
        json.member("x-kubernetes-patch-strategy", &said.join(","));
    }
}

/// `x-kubernetes-unions`.
fn union(json: &mut Json, id: u16, shape: TypeRef) {
    let Some((_, discriminator)) = made::UNIONS.iter().find(|(union, _)| *union == id) else { return };
    json.key("x-kubernetes-unions").open(b'[').open(b'{');
    if !discriminator.is_empty() {
        json.member("discriminator", discriminator);
    }
    json.key("fields-to-discriminateBy").open(b'{');
    for field in shape.fields().filter(|field| field.name() != *discriminator) {
        let mut letters = field.name().chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase().to_string()).unwrap_or_default();
        json.key(field.name()).parts(&[&first, letters.as_str()]);
    }
    json.close(b'}').close(b'}').close(b']');
}

/// The schema of `/version`.
fn info(json: &mut Json) {
    json.member("type", "object");
    // The order of the Go struct.
    let order = [
        "major",
        "minor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ];
    json.list("required", order);
    json.key("properties").open(b'{');
    for (name, required, description) in &made::INFO {
        json.key(name).open(b'{');
        describe(json, description);
        if *required {
            json.raw_member("default", "\"\"");
        }
        json.member("type", "string").close(b'}');
    }
    json.close(b'}');
}
