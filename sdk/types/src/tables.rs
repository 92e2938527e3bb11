//! The tables and the references into them.

use chainplate_apimachinery::{
    Value,
    shape::{Kind, ListKind, PatchStrategy, Scalar, Shape},
};
use std::borrow::Cow;

#[allow(clippy::unreadable_literal, reason = "generated")]
mod made {
    use super::{FieldRow, ShapeRow, TagRow, TypeRow};
    include!(concat!(env!("OUT_DIR"), "/tables.rs"));
}
use made::{FIELDS, KEPT, KEYS, KINDS, MEMBERS, NAMES, ROOTS, SHAPES, TAGS, TYPES};

#[path = "../build/hash.rs"]
mod hash;

#[cfg(feature = "descriptions")]
mod described {
    include!(concat!(env!("OUT_DIR"), "/descriptions.rs"));
}

pub(crate) struct TypeRow {
    package: u16,
    name: u16,
    fields: u16,
    field_count: u16,
    tags: u16,
    tag_count: u16,
    kept: u16,
    kept_count: u16,
}

pub(crate) struct TagRow {
    way: u16,
    tag: u16,
    field: u16,
}

pub(crate) struct FieldRow {
    name: u16,
    shape: u16,
    merge_key: u16,
    default: u16,
    tag: u16,
    outer_tag: u16,
    flags: u8,
}

pub(crate) struct ShapeRow {
    code: u8,
    key_count: u8,
    keys: u16,
    of: u16,
    go: u16,
}

/// No type, no field.
const NONE: u16 = u16::MAX;

/// The `id`th text of a pool.
#[cfg(feature = "descriptions")]
pub(crate) fn text(all: &'static str, ends: &[u32], id: u16) -> &'static str {
    let id = usize::from(id);
    let start = if id == 0 { 0 } else { ends.get(id - 1).copied().unwrap_or_default() };
    let end = ends.get(id).copied().unwrap_or_default();
    all.get(start as usize..end as usize).unwrap_or_default()
}

fn name(id: u16) -> &'static str {
    NAMES.get(usize::from(id)).copied().unwrap_or_default()
}

/// What becomes of a field that holds nothing when Go encodes its struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Left out when it is zero or empty (`omitempty`).
    Omit,
    /// Written as its zero value.
    Keep,
    /// Written as `null`.
    Null,
    /// A pointer: left out when absent, a zero value stays.
    Pointer,
}

/// A type, or the place of a field in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypeRef {
    shape: u16,
    field: u16,
}

/// A member of a struct.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(u16);

/// What a number in a message stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tagged {
    Field(Field),
    /// A message that Go embeds: its members are those of the struct around it. The way to them.
    Embedded(u16),
}

/// The type of a served kind, `None` if 1.36 does not serve it by default.
pub fn lookup(group: &str, version: &str, kind: &str) -> Option<TypeRef> {
    let wanted = [group, version, kind];
    let at = KINDS.binary_search_by(|row| [name(row[0]), name(row[1]), name(row[2])].cmp(&wanted)).ok()?;
    KINDS.get(at).map(|row| TypeRef { shape: row[3], field: NONE })
}

/// The served kinds: group, version, kind and type, sorted.
pub fn kinds() -> impl ExactSizeIterator<Item = (&'static str, &'static str, &'static str, TypeRef)> {
    KINDS.iter().map(|row| (name(row[0]), name(row[1]), name(row[2]), TypeRef { shape: row[3], field: NONE }))
}

/// The type of a definition: `io.k8s.api.core.v1.PodTemplateSpec`.
pub fn named(definition: &str) -> Option<TypeRef> {
    let wanted = definition.strip_prefix("io.k8s.")?.rsplit_once('.')?;
    let at = TYPES.binary_search_by(|row| (name(row.package), name(row.name)).cmp(&wanted)).ok()?;
    ROOTS.get(at).map(|shape| TypeRef { shape: *shape, field: NONE })
}

impl TypeRef {
    fn row(self) -> &'static ShapeRow {
        // Numbers come from the tables alone, so that the fallback is never used.
        SHAPES.get(usize::from(self.shape)).unwrap_or(&SHAPES[0])
    }

    fn field_row(self) -> Option<&'static FieldRow> {
        FIELDS.get(usize::from(self.field))
    }

    fn type_row(self) -> Option<&'static TypeRow> {
        let row = self.row();
        if matches!(row.code, 10 | 11 | 17) { TYPES.get(usize::from(row.of)) } else { None }
    }

    /// The members of a struct, sorted by name; none for other forms.
    pub fn fields(self) -> impl ExactSizeIterator<Item = Field> {
        let (start, count) = match self.type_row() {
            Some(row) => (row.fields, row.field_count),
            None => (0, 0),
        };
        (start..start.saturating_add(count)).map(Field)
    }

    /// The member `wanted` of a struct. Case counts.
    pub fn member(self, wanted: &str) -> Option<Field> {
        let of = self.type_row()?;
        let mut at = hash::member(self.row().of, wanted.as_bytes());
        // There are more slots than fields: this ends at a free one.
        loop {
            let field = *MEMBERS.get(at & (MEMBERS.len() - 1))?;
            let row = FIELDS.get(usize::from(field))?;
            if field.wrapping_sub(of.fields) < of.field_count && name(row.name) == wanted {
                return Some(Field(field));
            }
            at += 1;
        }
    }

    /// The members that are written though they hold nothing.
    pub(crate) fn kept(self) -> impl Iterator<Item = Field> {
        let range = self.type_row().map(|row| usize::from(row.kept)..usize::from(row.kept + row.kept_count));
        range.and_then(|range| KEPT.get(range)).unwrap_or_default().iter().copied().map(Field)
    }

    /// What `number` stands for, in the message that `way` leads to (see [`Field::protobuf_tags`]).
    pub(crate) fn tagged(self, number: u32, way: u16) -> Option<Tagged> {
        let number = u16::try_from(number).ok()?;
        let of = self.type_row()?;
        let start = usize::from(of.tags);
        let rows = TAGS.get(start..start + usize::from(of.tag_count))?;
        // Most messages have their numbers without gaps.
        let guess = usize::from(number.checked_sub(1)?);
        let row = match rows.get(guess).filter(|row| row.way == way && row.tag == number) {
            Some(row) => row,
            None => {
                let wanted = (way, number);
                rows.get(rows.binary_search_by(|row| (row.way, row.tag).cmp(&wanted)).ok()?)?
            }
        };
        Some(match row.field {
            // Messages lie in each other twice at most.
            NONE if way == 0 => Tagged::Embedded(number),
            NONE => Tagged::Embedded(way | number << 8),
            field => Tagged::Field(Field(field)),
        })
    }

    /// The struct that objects in this value of any form are of, if there is one (`JSONSchemaPropsOrBool`).
    pub(crate) fn loose_struct(self) -> Option<TypeRef> {
        let row = self.row();
        if row.code != 17 {
            return None;
        }
        ROOTS.get(usize::from(row.of)).map(|shape| TypeRef { shape: *shape, field: NONE })
    }

    /// The type of a struct by number, for [`Self::of_type`].
    #[cfg(feature = "descriptions")]
    pub(crate) fn type_id(self) -> Option<u16> {
        self.type_row().map(|_| self.row().of)
    }

    /// A struct by number.
    #[cfg(feature = "descriptions")]
    pub(crate) fn of_type(id: u16) -> Option<TypeRef> {
        ROOTS.get(usize::from(id)).map(|shape| TypeRef { shape: *shape, field: NONE })
    }

    /// The package of a struct below `io.k8s.`; empty for other forms.
    #[cfg(feature = "descriptions")]
    pub(crate) fn package(self) -> &'static str {
        self.type_row().map_or("", |row| name(row.package))
    }

    /// The name of a struct without its package: `PodSpec`; empty for other forms.
    pub fn type_name(self) -> &'static str {
        self.type_row().map_or("", |row| name(row.name))
    }

    /// The full name of a struct, `io.k8s.api.core.v1.PodSpec`; `None` for other forms.
    pub fn definition(self) -> Option<String> {
        self.type_row().map(|row| format!("io.k8s.{}.{}", name(row.package), name(row.name)))
    }

    /// The Go type where it has a name that the shape does not tell, else empty.
    pub(crate) fn go_name(self) -> &'static str {
        name(self.row().go)
    }

    /// The Go type as decoding errors name it: `int32`, `[]v1.Container`, `v1.Protocol`.
    pub fn go_type(self) -> Cow<'static, str> {
        let row = self.row();
        if row.go != 0 {
            return Cow::Borrowed(name(row.go));
        }
        let inner = || self.element().map(Self::go_type).unwrap_or_default();
        Cow::Borrowed(match row.code {
            0 => "string",
            1 => "bool",
            2 => "int32",
            3 => "int64",
            4 => "float64",
            5 => "[]uint8",
            10 | 11 => {
                let Some(row) = self.type_row() else { return Cow::Borrowed("") };
                let package = name(row.package).rsplit('.').next().unwrap_or_default();
                return Cow::Owned(format!("{package}.{}", name(row.name)));
            }
            12 | 13 => return Cow::Owned(format!("map[string]{}", inner())),
            14..=16 => return Cow::Owned(format!("[]{}", inner())),
            _ => "interface {}",
        })
    }

    /// What Go says of this struct (feature `descriptions`).
    #[cfg(feature = "descriptions")]
    pub fn description(self) -> &'static str {
        let row = self.row();
        let described = matches!(row.code, 10 | 11 | 17) && row.of != NONE;
        if !described {
            return "";
        }
        text(described::TYPE_DESCRIPTION_TEXT, &described::TYPE_DESCRIPTION_ENDS, row.of)
    }
}

impl Field {
    fn row(self) -> &'static FieldRow {
        // Numbers come from the tables alone, so that the fallback is never used.
        FIELDS.get(usize::from(self.0)).unwrap_or(&FIELDS[0])
    }

    /// The name in JSON.
    pub fn name(self) -> &'static str {
        name(self.row().name)
    }

    /// The shape of its value.
    pub fn shape(self) -> TypeRef {
        TypeRef { shape: self.row().shape, field: self.0 }
    }

    /// Whether OpenAPI lists it as required.
    pub fn is_required(self) -> bool {
        self.row().flags & 1 << 2 != 0
    }

    /// What becomes of it when it holds nothing.
    pub fn presence(self) -> Presence {
        match self.row().flags & 3 {
            0 => Presence::Omit,
            1 => Presence::Keep,
            2 => Presence::Null,
            _ => Presence::Pointer,
        }
    }

    /// The tag in protobuf (0: it has none) and, where Go embeds the struct that has the field, the way to the message
    /// around it (else 0): the tag of the outermost message in the low byte, and that of one inside it in the high one.
    pub fn protobuf_tags(self) -> (u16, u16) {
        (self.row().tag, self.row().outer_tag)
    }

    /// Whether the Go source says how its list is merged (what is not said is atomic).
    #[cfg(feature = "descriptions")]
    pub(crate) fn says_list_type(self) -> bool {
        self.row().flags & 1 << 6 != 0
    }

    /// The default that the Go source names, in JSON.
    #[cfg(feature = "descriptions")]
    pub(crate) fn default_text(self) -> &'static str {
        name(self.row().default)
    }

    /// What Go says of it (feature `descriptions`).
    #[cfg(feature = "descriptions")]
    pub fn description(self) -> &'static str {
        text(described::FIELD_DESCRIPTION_TEXT, &described::FIELD_DESCRIPTION_ENDS, self.0)
    }
}

impl Shape for TypeRef {
    fn kind(&self) -> Kind {
        match self.row().code {
            0 => Kind::Scalar(Scalar::String),
            1 => Kind::Scalar(Scalar::Bool),
            2 => Kind::Scalar(Scalar::Int32),
            3 => Kind::Scalar(Scalar::Int64),
            4 => Kind::Scalar(Scalar::Float),
            5 => Kind::Scalar(Scalar::Bytes),
            6 => Kind::Scalar(Scalar::Time),
            7 => Kind::Scalar(Scalar::MicroTime),
            8 => Kind::Scalar(Scalar::Quantity),
            9 => Kind::Scalar(Scalar::IntOrString),
            10 => Kind::Struct { atomic: false },
            11 => Kind::Struct { atomic: true },
            12 => Kind::Map { atomic: false },
            13 => Kind::Map { atomic: true },
            14 => Kind::List(ListKind::Atomic),
            15 => Kind::List(ListKind::Set),
            16 => Kind::List(ListKind::Map),
            _ => Kind::Any { atomic: false },
        }
    }

    fn field(&self, name: &str) -> Option<Self> {
        match self.row().code {
            10 | 11 => self.member(name).map(Field::shape),
            12 | 13 => self.element(),
            17 => Some(*self),
            _ => None,
        }
    }

    fn element(&self) -> Option<Self> {
        let row = self.row();
        match row.code {
            12..=16 => Some(TypeRef { shape: row.of, field: NONE }),
            17 => Some(*self),
            _ => None,
        }
    }

    fn list_key_count(&self) -> usize {
        usize::from(self.row().key_count)
    }

    fn list_key(&self, index: usize) -> Option<&str> {
        let row = self.row();
        if index >= usize::from(row.key_count) {
            return None;
        }
        KEYS.get(usize::from(row.keys) + index).map(|id| name(*id))
    }

    fn default_value(&self) -> Option<Cow<'_, Value>> {
        let default = name(self.field_row()?.default);
        if !default.is_empty() {
            return serde_json::from_str(default).ok().map(Cow::Owned);
        }
        // The OpenAPI document tells the zero value of what is always written.
        let always = self.field_row()?.flags & 3 == 1;
        (always && matches!(self.kind(), Kind::Scalar(_))).then(|| Cow::Owned(crate::complete::zero(*self)))
    }

    fn patch_strategy(&self) -> PatchStrategy {
        let flags = self.field_row().map_or(0, |row| row.flags);
        PatchStrategy {
            merge: flags & 1 << 3 != 0,
            replace: flags & 1 << 4 != 0,
            retain_keys: flags & 1 << 5 != 0,
        }
    }

    fn merge_key(&self) -> Option<&str> {
        self.field_row().map(|row| name(row.merge_key)).filter(|key| !key.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(root: TypeRef, path: &str) -> TypeRef {
        path.split('.').fold(root, |shape, name| {
            if name == "[]" { shape.element() } else { shape.field(name) }
                .unwrap_or_else(|| panic!("no {name} in {path}"))
        })
    }

    #[test]
    fn finds_the_served_kinds() {
        for (group, version, kind) in [
            ("", "v1", "Pod"),
            ("apps", "v1", "Deployment"),
            ("autoscaling", "v1", "Scale"),
            ("autoscaling", "v2", "HorizontalPodAutoscaler"),
            ("policy", "v1", "Eviction"),
            ("authentication.k8s.io", "v1", "TokenRequest"),
            ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
            ("apiregistration.k8s.io", "v1", "APIService"),
            ("resource.k8s.io", "v1", "ResourceSlice"),
        ] {
            assert!(lookup(group, version, kind).is_some(), "{group}/{version} {kind}");
        }
        assert!(lookup("apps", "v1beta1", "Deployment").is_none());
        assert!(lookup("", "v1", "pod").is_none());
        assert!(named("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions").is_some());
    }

    #[test]
    fn every_member_is_found_by_its_name_and_no_other_is() {
        for shape in ROOTS.map(|shape| TypeRef { shape, field: NONE }) {
            for field in shape.fields() {
                assert_eq!(shape.member(field.name()), Some(field), "{}.{}", shape.type_name(), field.name());
                assert_eq!(shape.member(&field.name().to_uppercase()), None, "{}", field.name());
            }
            for name in ["", "x", "noSuchMemberOfAnyType"] {
                assert_eq!(shape.member(name), None, "{name}");
            }
            let kept = |field: &Field| matches!(field.presence(), Presence::Keep | Presence::Null);
            assert!(shape.kept().eq(shape.fields().filter(kept)), "{}", shape.type_name());
        }
    }

    #[test]
    fn knows_how_lists_and_maps_are_merged() {
        let pod = lookup("", "v1", "Pod").unwrap();
        let ports = at(pod, "spec.containers.[].ports");
        assert_eq!(ports.kind(), Kind::List(ListKind::Map));
        assert_eq!(
            (ports.list_key(0), ports.list_key(1), ports.list_key(2)),
            (Some("containerPort"), Some("protocol"), None)
        );
        assert_eq!(ports.merge_key(), Some("containerPort"));
        assert_eq!(at(ports, "[].protocol").default_value().unwrap().as_ref(), "TCP");
        assert_eq!(at(pod, "metadata.finalizers").kind(), Kind::List(ListKind::Set));
        assert!(at(pod, "metadata.finalizers").patch_strategy().merge);
        assert_eq!(at(pod, "spec.nodeSelector").kind(), Kind::Map { atomic: true });
        assert_eq!(at(pod, "metadata.labels").kind(), Kind::Map { atomic: false });
        assert_eq!(at(pod, "spec.containers.[].command").kind(), Kind::List(ListKind::Atomic));
        assert_eq!(at(pod, "spec.volumes.[].persistentVolumeClaim").kind(), Kind::Struct { atomic: false });
        let deployment = lookup("apps", "v1", "Deployment").unwrap();
        assert_eq!(at(deployment, "spec.selector").kind(), Kind::Struct { atomic: true });
        assert!(at(deployment, "spec.strategy").patch_strategy().retain_keys);
        let pv = lookup("", "v1", "PersistentVolume").unwrap();
        assert_eq!(at(pv, "spec.claimRef").kind(), Kind::Struct { atomic: false });
    }

    #[test]
    fn names_types_as_go_does() {
        let pod = lookup("", "v1", "Pod").unwrap();
        for (path, go) in [
            ("spec", "v1.PodSpec"),
            ("spec.containers", "[]v1.Container"),
            ("spec.containers.[].imagePullPolicy", "v1.PullPolicy"),
            ("spec.containers.[].resources.limits", "v1.ResourceList"),
            ("spec.priority", "int32"),
            ("metadata.labels", "map[string]string"),
            ("metadata.uid", "types.UID"),
            ("spec.terminationGracePeriodSeconds", "int64"),
        ] {
            assert_eq!(at(pod, path).go_type(), go, "{path}");
        }
    }

    #[test]
    fn knows_protobuf_tags_of_embedded_structs() {
        let pod = lookup("", "v1", "Pod").unwrap();
        let volume = at(pod, "spec.volumes.[]");
        assert_eq!(volume.member("name").unwrap().protobuf_tags(), (1, 0));
        assert_eq!(volume.member("hostPath").unwrap().protobuf_tags(), (1, 2));
        let probe = at(pod, "spec.containers.[].livenessProbe");
        assert_eq!(probe.member("exec").unwrap().protobuf_tags(), (1, 1));
    }
}
