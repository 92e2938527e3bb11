//! What may stand in `metadata`, at create and from one state to the next.

use super::{FOREGROUND, ORPHAN};
use crate::{
    Map, Value,
    field::{Error, Kind, Path},
    names::{self, NameRule},
    object, options,
};

/// The most bytes of all annotations of an object together.
pub const ANNOTATIONS_MAX: usize = 256 * 1024;
/// What an attempt to change a fixed field is answered with.
pub const IMMUTABLE: &str = "field is immutable";

const METADATA: Path<'static> = Path::Child(&Path::Root, "metadata");
const SUBRESOURCE_MAX: usize = 256;

/// The rules of a whole object (`ValidateObjectMetaAccessor`). Names are generated before.
pub fn validate(object: &Value, namespaced: bool, rule: NameRule) -> Vec<Error> {
    let mut errors = Vec::new();
    let (name, generate_name) = (object::name(object), object::meta_str(object, "generateName"));
    if !generate_name.is_empty() {
        let reasons = rule(generate_name, true);
        errors.extend(
            reasons
                .into_iter()
                .map(|why| Error::invalid(&METADATA.child("generateName"), generate_name, why)),
        );
    }
    if name.is_empty() {
        errors.push(Error::required(&METADATA.child("name"), "name or generateName is required"));
    } else {
        errors.extend(
            rule(name, false).into_iter().map(|why| Error::invalid(&METADATA.child("name"), name, why)),
        );
    }
    let (namespace, path) = (object::namespace(object), METADATA.child("namespace"));
    match (namespaced, namespace.is_empty()) {
        (true, true) => errors.push(Error::required(&path, "")),
        (true, false) => {
            let reasons = names::label(namespace, false);
            errors.extend(reasons.into_iter().map(|why| Error::invalid(&path, namespace, why)));
        }
        (false, true) => {}
        (false, false) => errors.push(Error::forbidden(&path, "not allowed on this type")),
    }
    let Some(metadata) = object::metadata(object) else { return errors };
    generation(object, &mut errors);
    labels_and_annotations(metadata, &mut errors);
    owners(metadata, &mut errors);
    finalizers(object, &mut errors);
    managed_fields(metadata, &mut errors);
    errors
}

/// The rules of a change (`ValidateObjectMetaAccessorUpdate`). The resourceVersion is checked before.
pub fn validate_update(object: &Value, old: &Value) -> Vec<Error> {
    let mut errors = Vec::new();
    if object::is_deleting(old) {
        let mut added: Vec<&str> = object::finalizers(object)
            .filter(|name| object::finalizers(old).all(|there| there != *name))
            .collect();
        added.sort_unstable();
        added.dedup();
        if !added.is_empty() {
            let list: Vec<String> = added.iter().map(|name| format!("{name:?}")).collect();
            let why = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                list.join(", ")
            );
            errors.push(Error::forbidden(&METADATA.child("finalizers"), why));
        }
    }
    generation(object, &mut errors);
    if object::generation(object) < object::generation(old) {
        let path = METADATA.child("generation");
        errors.push(Error::invalid(&path, object::generation(object), "must not be decremented"));
    }
    let member = |of: &Value, key: &str| object::metadata(of).and_then(|metadata| metadata.get(key)).cloned();
    for key in ["name", "namespace", "uid"] {
        let (new, old) = (object::meta_str(object, key), object::meta_str(old, key));
        if new != old {
            errors.push(Error::invalid(&METADATA.child(key), new, IMMUTABLE));
        }
    }
    for key in ["creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"] {
        let (new, old) = (member(object, key), member(old, key));
        if new != old {
            errors.push(Error::invalid(&METADATA.child(key), new.unwrap_or(Value::Null), IMMUTABLE));
        }
    }
    let Some(metadata) = object::metadata(object) else { return errors };
    labels_and_annotations(metadata, &mut errors);
    owners(metadata, &mut errors);
    managed_fields(metadata, &mut errors);
    errors
}

/// The names of finalizers of built-in types (`core/validation.ValidateObjectMeta`): a known one, or one with a domain.
pub fn validate_kube_finalizers(object: &Value) -> Vec<Error> {
    const WHY: &str = "name is neither a standard finalizer name nor is it fully qualified";
    let list = METADATA.child("finalizers");
    object::finalizers(object)
        .enumerate()
        .filter(|(_, name)| !is_standard(name))
        .map(|(index, name)| Error::invalid(&list.index(index), name, WHY))
        .collect()
}

fn is_standard(name: &str) -> bool {
    name.contains('/') || matches!(name, "kubernetes" | ORPHAN | FOREGROUND)
}

fn generation(object: &Value, errors: &mut Vec<Error>) {
    let generation = object::generation(object);
    if generation < 0 {
        let path = METADATA.child("generation");
        errors.push(Error::invalid(&path, generation, "must be greater than or equal to 0"));
    }
}

fn labels_and_annotations(metadata: &Map, errors: &mut Vec<Error>) {
    let path = METADATA.child("labels");
    for (key, value) in texts(metadata, "labels") {
        errors.extend(names::qualified_name(key).into_iter().map(|why| Error::invalid(&path, key, why)));
        errors.extend(names::label_value(value).into_iter().map(|why| Error::invalid(&path, value, why)));
    }
    let path = METADATA.child("annotations");
    let mut bytes = 0;
    for (key, value) in texts(metadata, "annotations") {
        bytes += key.len() + value.len();
        let reasons = names::qualified_name(&key.to_lowercase());
        errors.extend(reasons.into_iter().map(|why| Error::invalid(&path, key, why)));
    }
    if bytes > ANNOTATIONS_MAX {
        errors.push(Error::too_long(&path, ANNOTATIONS_MAX));
    }
}

fn texts<'a>(metadata: &'a Map, key: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let map = metadata.get(key).and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str().unwrap_or_default()))
}

/// An owner reference as Go prints it: its members in the order of the struct.
fn go_json(reference: &Value) -> String {
    let members = ["apiVersion", "kind", "name", "uid", "controller", "blockOwnerDeletion"];
    let parts: Vec<String> = members
        .iter()
        .enumerate()
        .filter_map(|(index, key)| match reference.get(*key) {
            Some(value) => Some(format!("\"{key}\":{value}")),
            None if index < 4 => Some(format!("\"{key}\":\"\"")),
            None => None,
        })
        .collect();
    format!("{{{}}}", parts.join(","))
}

/// `Invalid value: <shown>: <why>` of a value whose members have an order.
fn invalid_shown(path: &Path<'_>, shown: &str, why: &str) -> Error {
    Error { kind: Kind::Invalid, field: path.to_string(), value: None, detail: format!("{shown}: {why}") }
}

fn owners(metadata: &Map, errors: &mut Vec<Error>) {
    let path = METADATA.child("ownerReferences");
    let list = metadata.get("ownerReferences").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut controller: Option<String> = None;
    for reference in list {
        let text = |key: &str| reference.get(key).and_then(Value::as_str).unwrap_or_default();
        let version = text("apiVersion");
        if version.is_empty() || version.matches('/').count() > 1 || version.ends_with('/') {
            errors.push(Error::invalid(&path.child("apiVersion"), version, "version must not be empty"));
        }
        for key in ["kind", "name", "uid"] {
            if text(key).is_empty() {
                errors.push(Error::invalid(&path.child(key), "", "must not be empty"));
            }
        }
        if version == "v1" && text("kind") == "Event" {
            let why = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(invalid_shown(&path, &go_json(reference), why));
        }
        if reference.get("controller") == Some(&Value::Bool(true)) {
            let this = format!("{}/{}", text("kind"), text("name"));
            match &controller {
                None => controller = Some(this),
                Some(first) => {
                    let shown: Vec<String> = list.iter().map(go_json).collect();
                    let why = format!(
                        "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                    );
                    errors.push(invalid_shown(&path, &format!("[{}]", shown.join(",")), &why));
                }
            }
        }
    }
}

fn finalizers(object: &Value, errors: &mut Vec<Error>) {
    let path = METADATA.child("finalizers");
    let (mut orphan, mut foreground) = (false, false);
    for name in object::finalizers(object) {
        errors.extend(names::qualified_name(name).into_iter().map(|why| Error::invalid(&path, name, why)));
        orphan |= name == ORPHAN;
        foreground |= name == FOREGROUND;
    }
    if orphan && foreground {
        let why = format!("finalizer {ORPHAN} and {FOREGROUND} cannot be both set");
        errors.push(Error::invalid(&path, object::list(object, "finalizers").to_vec(), why));
    }
}

fn managed_fields(metadata: &Map, errors: &mut Vec<Error>) {
    let list = metadata.get("managedFields").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let path = METADATA.child("managedFields");
    for (index, entry) in list.iter().enumerate() {
        let path = path.index(index);
        let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        match text("operation") {
            "Apply" | "Update" => {}
            "" => errors.push(Error::required(&path.child("operation"), "must not be empty")),
            other => errors.push(Error::not_supported(&path.child("operation"), other, &["Apply", "Update"])),
        }
        if !matches!(text("fieldsType"), "" | "FieldsV1") {
            errors.push(Error::invalid(&path.child("fieldsType"), text("fieldsType"), "must be `FieldsV1`"));
        }
        options::validate_manager(text("manager"), &path.child("manager"), errors);
        if text("subresource").len() > SUBRESOURCE_MAX {
            errors.push(Error::too_long(&path.child("subresource"), SUBRESOURCE_MAX));
        }
    }
}
