//! Joins schemas, markers and facts into rows that refer to each other by number.

use crate::{
    hash,
    openapi::{Definition, Schema},
    protobuf::{Message, plain},
};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The packages whose kinds are served, below `io.k8s.`: the defaults of 1.36.
const SERVED: &[&str] = &[
    "api.admissionregistration.v1",
    "api.apps.v1",
    "api.authentication.v1",
    "api.authorization.v1",
    "api.autoscaling.v1",
    "api.autoscaling.v2",
    "api.batch.v1",
    "api.certificates.v1",
    "api.coordination.v1",
    "api.core.v1",
    "api.discovery.v1",
    "api.events.v1",
    "api.flowcontrol.v1",
    "api.networking.v1",
    "api.node.v1",
    "api.policy.v1",
    "api.rbac.v1",
    "api.resource.v1",
    "api.scheduling.v1",
    "api.storage.v1",
    "apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apimachinery.pkg.apis.meta.v1",
    "kube-aggregator.pkg.apis.apiregistration.v1",
];

pub(crate) const NONE: u16 = u16::MAX;

/// Kinds of shapes; `src/tables.rs` has the same numbers.
pub(crate) mod code {
    pub(crate) const STRING: u8 = 0;
    pub(crate) const BOOL: u8 = 1;
    pub(crate) const INT32: u8 = 2;
    pub(crate) const INT64: u8 = 3;
    pub(crate) const FLOAT: u8 = 4;
    pub(crate) const BYTES: u8 = 5;
    pub(crate) const TIME: u8 = 6;
    pub(crate) const MICRO_TIME: u8 = 7;
    pub(crate) const QUANTITY: u8 = 8;
    pub(crate) const INT_OR_STRING: u8 = 9;
    pub(crate) const STRUCT: u8 = 10;
    pub(crate) const STRUCT_ATOMIC: u8 = 11;
    pub(crate) const MAP: u8 = 12;
    pub(crate) const MAP_ATOMIC: u8 = 13;
    pub(crate) const LIST_ATOMIC: u8 = 14;
    pub(crate) const LIST_SET: u8 = 15;
    pub(crate) const LIST_MAP: u8 = 16;
    pub(crate) const ANY: u8 = 17;
}

/// Bits of a field; `src/tables.rs` has the same numbers.
pub(crate) mod flag {
    /// Two bits: 0 omit, 1 keep, 2 null, 3 pointer.
    pub(crate) const PRESENCE: u8 = 0;
    pub(crate) const REQUIRED: u8 = 1 << 2;
    pub(crate) const MERGE: u8 = 1 << 3;
    pub(crate) const REPLACE: u8 = 1 << 4;
    pub(crate) const RETAIN_KEYS: u8 = 1 << 5;
    /// A list whose type is said, not only assumed.
    pub(crate) const LIST_TYPE: u8 = 1 << 6;
}

/// What becomes of a field that holds nothing; `src/tables.rs` has the same numbers.
mod presence {
    pub(crate) const KEEP: u8 = 1;
    pub(crate) const NULL: u8 = 2;
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct ShapeRow {
    pub(crate) code: u8,
    pub(crate) key_count: u8,
    pub(crate) keys: u16,
    /// A shape (lists and maps), or a type (structs, and ANY whose objects are of a type).
    pub(crate) of: u16,
    /// The Go type's name, if it is not told by the rest.
    pub(crate) go: u16,
}

pub(crate) struct FieldRow {
    pub(crate) name: u16,
    pub(crate) shape: u16,
    pub(crate) merge_key: u16,
    pub(crate) default: u16,
    pub(crate) tag: u16,
    pub(crate) outer_tag: u16,
    pub(crate) flags: u8,
    pub(crate) description: String,
}

pub(crate) struct TypeRow {
    pub(crate) package: u16,
    pub(crate) name: u16,
    pub(crate) fields: u16,
    pub(crate) field_count: u16,
    pub(crate) tags: u16,
    pub(crate) tag_count: u16,
    /// The fields that are written though they hold nothing: where they begin in [`Tables::kept`], and how many.
    pub(crate) kept: u16,
    pub(crate) kept_count: u16,
    pub(crate) description: String,
}

/// What a number of a message stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TagRow {
    /// The way to the message; 0 is the type's own.
    pub(crate) way: u16,
    pub(crate) tag: u16,
    /// A field; [`NONE`] for a message that Go embeds.
    pub(crate) field: u16,
}

#[derive(Default)]
pub(crate) struct Tables {
    pub(crate) names: Vec<String>,
    pub(crate) types: Vec<TypeRow>,
    pub(crate) fields: Vec<FieldRow>,
    /// The numbers of each type, sorted.
    pub(crate) tags: Vec<TagRow>,
    /// Fields of each type that are written though they hold nothing.
    pub(crate) kept: Vec<u16>,
    /// Fields by [`hash::member`]: a power of two of slots, twice as many as fields at least. A field stands in the
    /// slot of its hash or, if that is taken, in the next that is free.
    pub(crate) members: Vec<u16>,
    pub(crate) shapes: Vec<ShapeRow>,
    pub(crate) keys: Vec<u16>,
    /// (group, version, kind, shape), sorted by text.
    pub(crate) kinds: Vec<[u16; 4]>,
    /// The shape of each type.
    pub(crate) roots: Vec<u16>,
    name_ids: HashMap<String, u16>,
    shape_ids: HashMap<ShapeRow, u16>,
}

impl Tables {
    fn name(&mut self, text: &str) -> u16 {
        if let Some(id) = self.name_ids.get(text) {
            return *id;
        }
        let id = id(self.names.len());
        self.names.push(text.to_owned());
        self.name_ids.insert(text.to_owned(), id);
        id
    }

    fn shape(&mut self, row: ShapeRow) -> u16 {
        if let Some(id) = self.shape_ids.get(&row) {
            return *id;
        }
        let id = id(self.shapes.len());
        self.shapes.push(row.clone());
        self.shape_ids.insert(row, id);
        id
    }
}

fn id(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(NONE)
}

/// What `facts.txt` says of a field.
#[derive(Default, Clone)]
struct Fact {
    presence: Option<u8>,
    go: String,
    markers: Vec<String>,
    /// The number in protobuf and the way to it, which count where k8s-pb does not know the field.
    tags: Option<(u16, u16)>,
}

/// `6`, or `2.1.1`: the numbers of embedded messages, and that of the field.
fn tags(text: &str) -> Option<(u16, u16)> {
    let numbers: Vec<u16> = text.split('.').map(|number| number.parse().ok()).collect::<Option<_>>()?;
    match *numbers.as_slice() {
        [tag] => Some((tag, 0)),
        [outer, tag] => Some((tag, outer)),
        [outer, inner, tag] => Some((tag, outer | inner << 8)),
        _ => None,
    }
}

fn facts(text: &str) -> Result<HashMap<(String, String), Fact>, String> {
    let mut facts: HashMap<(String, String), Fact> = HashMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let Some(name) = words.next() else { continue };
        for word in words {
            let (kind, list) = word.split_once(':').ok_or_else(|| format!("facts.txt: {line}"))?;
            for item in list.split(',') {
                let (field, value) = item.split_once('=').unwrap_or((item, ""));
                let fact = facts.entry((format!("io.k8s.{name}"), field.to_owned())).or_default();
                match kind {
                    "O" => fact.presence = Some(0),
                    "K" => fact.presence = Some(1),
                    "N" => fact.presence = Some(2),
                    "P" => fact.presence = Some(3),
                    "T" => value.clone_into(&mut fact.go),
                    "W" => {
                        fact.tags = Some(tags(value).ok_or_else(|| format!("facts.txt: {word} in {line}"))?);
                    }
                    "M" => fact.markers.extend(value.split('+').map(str::to_owned)),
                    _ => return Err(format!("facts.txt: {word} in {line}")),
                }
            }
        }
    }
    Ok(facts)
}

pub(crate) fn build(
    schemas: &BTreeMap<String, Definition>,
    messages: &HashMap<String, Message>,
    fact_text: &str,
) -> Result<Tables, String> {
    let facts = facts(fact_text)?;
    let reached = closure(schemas);
    let ids: HashMap<&str, u16> =
        reached.iter().enumerate().map(|(index, name)| (*name, id(index))).collect();
    let mut tables = Tables::default();
    tables.name("");
    let mut builder = Builder { tables, ids, schemas, messages, facts };
    for name in &reached {
        builder.add(name);
    }
    for name in &reached {
        builder.root(name);
    }
    let mut tables = builder.tables;
    tables.members = members(&tables);
    let names = &tables.names;
    tables.kinds.sort_by_key(|row| [0, 1, 2].map(|column: usize| names[usize::from(row[column])].clone()));
    if tables.types.len() < 400 || tables.names.len() >= usize::from(NONE) {
        return Err(format!("{} types, {} names", tables.types.len(), tables.names.len()));
    }
    Ok(tables)
}

pub(crate) fn package(name: &str) -> (&str, &str) {
    name.strip_prefix("io.k8s.").unwrap_or(name).rsplit_once('.').unwrap_or(("", name))
}

/// Served types and what they refer to, sorted by name.
fn closure(schemas: &BTreeMap<String, Definition>) -> Vec<&str> {
    let mut reached = BTreeSet::new();
    let mut pending: Vec<&str> = schemas
        .keys()
        .map(String::as_str)
        .filter(|name| SERVED.contains(&package(name).0) && special(name).is_none())
        .collect();
    while let Some(name) = pending.pop() {
        let Some((name, definition)) = schemas.get_key_value(name) else { continue };
        if special(name).is_none() && reached.insert(name.as_str()) {
            for (_, schema) in &definition.properties {
                references(schema, &mut pending);
            }
        }
    }
    let mut list: Vec<&str> = reached.into_iter().collect();
    list.sort_by_key(|name| package(name));
    list
}

fn references<'a>(schema: &'a Schema, out: &mut Vec<&'a str>) {
    if !schema.reference.is_empty() {
        out.push(&schema.reference);
    }
    for inner in [&schema.items, &schema.values].into_iter().flatten() {
        references(inner, out);
    }
}

/// Types whose JSON is not that of their Go struct.
fn special(name: &str) -> Option<(u8, &'static str)> {
    let (package, name) = package(name);
    let meta = package.ends_with(".meta.v1");
    Some(match name {
        "Time" if meta => (code::TIME, "v1.Time"),
        "MicroTime" if meta => (code::MICRO_TIME, "v1.MicroTime"),
        "Duration" if meta => (code::STRING, "v1.Duration"),
        "FieldsV1" if meta => (code::ANY, "v1.FieldsV1"),
        "Quantity" => (code::QUANTITY, "resource.Quantity"),
        "IntOrString" => (code::INT_OR_STRING, "intstr.IntOrString"),
        "RawExtension" => (code::ANY, "runtime.RawExtension"),
        "JSON" => (code::ANY, "v1.JSON"),
        "JSONSchemaPropsOrArray" => (code::ANY, "v1.JSONSchemaPropsOrArray"),
        "JSONSchemaPropsOrBool" => (code::ANY, "v1.JSONSchemaPropsOrBool"),
        "JSONSchemaPropsOrStringArray" => (code::ANY, "v1.JSONSchemaPropsOrStringArray"),
        _ => return None,
    })
}

struct Builder<'a> {
    tables: Tables,
    ids: HashMap<&'a str, u16>,
    schemas: &'a BTreeMap<String, Definition>,
    messages: &'a HashMap<String, Message>,
    facts: HashMap<(String, String), Fact>,
}

impl Builder<'_> {
    fn add(&mut self, name: &str) {
        let Some(definition) = self.schemas.get(name) else { return };
        let (package_name, type_name) = package(name);
        let first = id(self.tables.fields.len());
        let module = package_name.replace('-', "_");
        let key = format!("{module}.{}", plain(type_name));
        let message = self.messages.get(&key);
        for (field, schema) in &definition.properties {
            let mut markers = Vec::new();
            let (mut tag, mut outer_tag) = (0, 0);
            if let Some((outer, found)) =
                message.and_then(|message| find(self.messages, &module, message, &plain(field)))
            {
                markers.clone_from(&found.markers);
                tag = found.tag;
                outer_tag = outer;
            }
            let fact = self.facts.get(&(name.to_owned(), field.clone())).cloned().unwrap_or_default();
            markers.extend(fact.markers);
            if let (0, Some(found)) = (tag, fact.tags) {
                (tag, outer_tag) = found;
            }
            let required = definition.required.contains(field);
            let shape = self.schema(schema, &markers, &fact.go);
            let presence = fact.presence.unwrap_or_else(|| self.presence(shape, required));
            let marker = |name: &str| {
                markers.iter().find_map(|text| text.strip_prefix(name)).unwrap_or_default().trim().to_owned()
            };
            let mut flags = presence << flag::PRESENCE;
            if required {
                flags |= flag::REQUIRED;
            }
            for strategy in marker("patchStrategy=").split(',') {
                flags |= match strategy {
                    "merge" => flag::MERGE,
                    "replace" => flag::REPLACE,
                    "retainKeys" => flag::RETAIN_KEYS,
                    _ => 0,
                };
            }
            if !marker("listType=").is_empty() {
                flags |= flag::LIST_TYPE;
            }
            let default = marker("default=");
            let default = if default.starts_with("ref(") { String::new() } else { default };
            let row = FieldRow {
                name: self.tables.name(field),
                shape,
                merge_key: self.tables.name(&marker("patchMergeKey=")),
                default: self.tables.name(&default),
                tag,
                outer_tag,
                flags,
                description: schema.description.clone(),
            };
            self.tables.fields.push(row);
        }
        let tags = tag_rows(&self.tables.fields, first);
        let kept: Vec<u16> = (first..id(self.tables.fields.len()))
            .filter(|field| {
                let presence = self.tables.fields[usize::from(*field)].flags >> flag::PRESENCE & 3;
                matches!(presence, presence::KEEP | presence::NULL)
            })
            .collect();
        let row = TypeRow {
            package: self.tables.name(package_name),
            name: self.tables.name(type_name),
            fields: first,
            field_count: id(definition.properties.len()),
            tags: id(self.tables.tags.len()),
            tag_count: id(tags.len()),
            kept: id(self.tables.kept.len()),
            kept_count: id(kept.len()),
            description: definition.description.clone(),
        };
        self.tables.types.push(row);
        self.tables.tags.extend(tags);
        self.tables.kept.extend(kept);
    }

    fn root(&mut self, name: &str) {
        let (package_name, _) = package(name);
        let shape = self.reference(name, &[], "");
        self.tables.roots.push(shape);
        let Some((group, version, kind)) =
            self.schemas.get(name).and_then(|definition| definition.kind.as_ref())
        else {
            return;
        };
        if SERVED.contains(&package_name) {
            let row = [self.tables.name(group), self.tables.name(version), self.tables.name(kind), shape];
            self.tables.kinds.push(row);
        }
    }

    /// What Go does with an empty value unless facts.txt knows better: required members have neither a pointer
    /// nor omitempty, optional structs are pointers, the rest is omitted.
    fn presence(&self, shape: u16, required: bool) -> u8 {
        match (self.tables.shapes[usize::from(shape)].code, required) {
            (code::STRUCT | code::STRUCT_ATOMIC | code::QUANTITY, true) => 1,
            (code::TIME | code::MICRO_TIME | code::ANY, true) => 2,
            (code::MAP..=code::LIST_MAP, true) => 2,
            (_, true) => 1,
            (code::STRUCT | code::STRUCT_ATOMIC | code::QUANTITY, false) => 3,
            (code::TIME | code::MICRO_TIME | code::ANY, false) => 3,
            (_, false) => 0,
        }
    }

    fn schema(&mut self, schema: &Schema, markers: &[String], go: &str) -> u16 {
        if !schema.reference.is_empty() {
            return self.reference(&schema.reference, markers, go);
        }
        let has = |marker: &str| markers.iter().any(|found| found == marker);
        if let Some(items) = &schema.items {
            let keys: Vec<&str> =
                markers.iter().filter_map(|marker| marker.strip_prefix("listMapKey=")).collect();
            let code = if has("listType=map") {
                code::LIST_MAP
            } else if has("listType=set") {
                code::LIST_SET
            } else {
                code::LIST_ATOMIC
            };
            let of = self.schema(items, &[], go.strip_prefix("[]").unwrap_or_default());
            let key_count = u8::try_from(keys.len()).unwrap_or(0);
            let keys = self.keys(&keys);
            let go = self.tables.name(if go.starts_with("[]") && !go.starts_with("[]*") { "" } else { go });
            return self.tables.shape(ShapeRow { code, key_count, keys, of, go });
        }
        if let Some(values) = &schema.values {
            let code = if has("mapType=atomic") { code::MAP_ATOMIC } else { code::MAP };
            let of = self.schema(values, &[], go.strip_prefix("map[string]").unwrap_or_default());
            let go = self.tables.name(if go.starts_with("map[string]") { "" } else { go });
            return self.tables.shape(ShapeRow { code, key_count: 0, keys: 0, of, go });
        }
        let code = match (schema.kind.as_str(), schema.format.as_str()) {
            ("string", "byte") => code::BYTES,
            ("string", _) => code::STRING,
            ("boolean", _) => code::BOOL,
            ("integer", "int64") => code::INT64,
            ("integer", _) => code::INT32,
            ("number", _) => code::FLOAT,
            _ => code::ANY,
        };
        let go = self.tables.name(go);
        self.tables.shape(ShapeRow { code, key_count: 0, keys: 0, of: NONE, go })
    }

    fn keys(&mut self, keys: &[&str]) -> u16 {
        if keys.is_empty() {
            return 0;
        }
        let ids: Vec<u16> = keys.iter().map(|key| self.tables.name(key)).collect();
        let at = self.tables.keys.windows(ids.len()).position(|window| window == ids.as_slice());
        let at = at.unwrap_or_else(|| {
            self.tables.keys.extend(&ids);
            self.tables.keys.len() - ids.len()
        });
        id(at)
    }

    fn reference(&mut self, name: &str, markers: &[String], go: &str) -> u16 {
        if let Some((code, special_go)) = special(name) {
            let of = if name.contains("JSONSchemaPropsOr") {
                let target = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
                self.ids.get(target).copied().unwrap_or(NONE)
            } else {
                NONE
            };
            let go = self.tables.name(special_go);
            return self.tables.shape(ShapeRow { code, key_count: 0, keys: 0, of, go });
        }
        let Some(of) = self.ids.get(name).copied() else {
            return self.tables.shape(ShapeRow { code: code::ANY, key_count: 0, keys: 0, of: NONE, go: 0 });
        };
        let (package_name, type_name) = package(name);
        let key = format!("{}.{}", package_name.replace('-', "_"), plain(type_name));
        let type_markers =
            self.messages.get(&key).map(|message| message.markers.as_slice()).unwrap_or_default();
        let says = |list: &[String], kind: &str| {
            list.iter()
                .any(|found| *found == format!("structType={kind}") || *found == format!("mapType={kind}"))
        };
        let atomic = says(markers, "atomic") || (says(type_markers, "atomic") && !says(markers, "granular"));
        let code = if self.schemas.get(name).is_some_and(|definition| definition.properties.is_empty())
            && name.ends_with("RawExtension")
        {
            code::ANY
        } else if atomic {
            code::STRUCT_ATOMIC
        } else {
            code::STRUCT
        };
        let go = self.tables.name(go);
        self.tables.shape(ShapeRow { code, key_count: 0, keys: 0, of, go })
    }
}

fn members(tables: &Tables) -> Vec<u16> {
    let mut slots = vec![NONE; (tables.fields.len() * 2).next_power_of_two()];
    let mask = slots.len() - 1;
    for (of, row) in tables.types.iter().enumerate() {
        for field in row.fields..row.fields + row.field_count {
            let name = &tables.names[usize::from(tables.fields[usize::from(field)].name)];
            let mut at = hash::member(id(of), name.as_bytes()) & mask;
            while slots[at] != NONE {
                at = (at + 1) & mask;
            }
            slots[at] = field;
        }
    }
    slots
}

/// The numbers of the type whose fields begin at `first`, and of the messages that it embeds.
fn tag_rows(fields: &[FieldRow], first: u16) -> Vec<TagRow> {
    let mut rows = BTreeSet::new();
    for (index, field) in fields.iter().enumerate().skip(usize::from(first)).filter(|(_, row)| row.tag != 0) {
        rows.insert(TagRow { way: field.outer_tag, tag: field.tag, field: id(index) });
        let (outer, inner) = (field.outer_tag & 0xff, field.outer_tag >> 8);
        if outer != 0 {
            rows.insert(TagRow { way: 0, tag: outer, field: NONE });
        }
        if inner != 0 {
            rows.insert(TagRow { way: outer, tag: inner, field: NONE });
        }
    }
    rows.into_iter().collect()
}

/// The field of a message, or of a message that its Go struct embeds (with the tag of the embedding field).
fn find<'a>(
    messages: &'a HashMap<String, Message>,
    module: &str,
    message: &'a Message,
    name: &str,
) -> Option<(u16, &'a crate::protobuf::Field)> {
    if let Some(field) = message.fields.iter().find(|field| field.name == name) {
        return Some((0, field));
    }
    // A type that no message has: a field that looks embedded (`roleRef RoleRef`) is not where it is.
    if matches!(name, "kind" | "apiversion") {
        return None;
    }
    message.fields.iter().find_map(|outer| {
        // Go embeds a struct under its own name: `volumeSource VolumeSource`; Probe's is called handler.
        if outer.message != outer.name && outer.message != "probehandler" && outer.name != "rule" {
            return None;
        }
        let inner = messages.get(&format!("{module}.{}", outer.message))?;
        Some((outer.tag, inner.fields.iter().find(|field| field.name == name)?))
    })
}
