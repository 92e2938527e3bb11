//! The form of `metadata`, checked and brought into the one that Go would write.

use crate::{Map, Value, object, options::json_kind, time};

#[derive(Clone, Copy)]
enum Form {
    Text,
    Integer,
    /// A pointer: kept when it is 0.
    OptionalInteger,
    Time,
    Texts,
    TextMap,
    Owners,
    Managed,
    /// Known, and dropped.
    Dropped,
}

const MEMBERS: &[(&str, Form)] = &[
    ("annotations", Form::TextMap),
    ("creationTimestamp", Form::Time),
    ("deletionGracePeriodSeconds", Form::OptionalInteger),
    ("deletionTimestamp", Form::Time),
    ("finalizers", Form::Texts),
    ("generateName", Form::Text),
    ("generation", Form::Integer),
    ("labels", Form::TextMap),
    ("managedFields", Form::Managed),
    ("name", Form::Text),
    ("namespace", Form::Text),
    ("ownerReferences", Form::Owners),
    ("resourceVersion", Form::Text),
    ("selfLink", Form::Dropped),
    ("uid", Form::Text),
];

const OWNER: &[(&str, &str)] = &[
    ("apiVersion", "string"),
    ("blockOwnerDeletion", "bool"),
    ("controller", "bool"),
    ("kind", "string"),
    ("name", "string"),
    ("uid", "types.UID"),
];

const ENTRY: &[(&str, &str)] = &[
    ("apiVersion", "string"),
    ("fieldsType", "string"),
    ("fieldsV1", ""),
    ("manager", "string"),
    ("operation", "v1.ManagedFieldsOperationType"),
    ("subresource", "string"),
    ("time", ""),
];

/// Gives `metadata` the form of ObjectMeta: checks the types, drops unknown members (their paths are added to
/// `strict`), drops what Go's `omitempty` would drop, brings times into UTC. Missing metadata is made.
///
/// # Errors
/// Go's text, `json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string`.
pub fn decode(object: &mut Value, mut strict: Option<&mut Vec<String>>) -> Result<(), String> {
    match object.get("metadata") {
        None | Some(Value::Null | Value::Object(_)) => {}
        Some(other) => {
            let kind = json_kind(other);
            return Err(format!(
                "json: cannot unmarshal {kind} into Go struct field metadata of type v1.ObjectMeta"
            ));
        }
    }
    let Some(metadata) = object::metadata_mut(object) else { return Ok(()) };
    let mut failure = None;
    metadata.retain(|key, value| {
        let Some((_, form)) = MEMBERS.iter().find(|(name, _)| name == key) else {
            tell(&mut strict, format!("metadata.{key}"));
            return false;
        };
        match member(key, value, *form, &mut strict) {
            Ok(keep) => keep,
            Err(text) => {
                failure.get_or_insert(text);
                true
            }
        }
    });
    failure.map_or(Ok(()), Err)
}

fn tell(strict: &mut Option<&mut Vec<String>>, path: String) {
    if let Some(strict) = strict {
        strict.push(path);
    }
}

fn wrong(value: &Value, field: &str, kind: &str) -> String {
    format!(
        "json: cannot unmarshal {} into Go struct field ObjectMeta.metadata.{field} of type {kind}",
        json_kind(value)
    )
}

/// Whether the member is kept.
fn member(
    key: &str,
    value: &mut Value,
    form: Form,
    strict: &mut Option<&mut Vec<String>>,
) -> Result<bool, String> {
    if value.is_null() {
        return Ok(false);
    }
    match (form, &mut *value) {
        (Form::Text, Value::String(text)) => Ok(!text.is_empty()),
        (Form::Text, _) => Err(wrong(value, key, if key == "uid" { "types.UID" } else { "string" })),
        (Form::Integer, Value::Number(number)) if number.as_i64().is_some() => Ok(number.as_i64() != Some(0)),
        (Form::OptionalInteger, Value::Number(number)) if number.as_i64().is_some() => Ok(true),
        (Form::Integer | Form::OptionalInteger, _) => Err(wrong(value, key, "int64")),
        (Form::Time, Value::String(text)) => {
            *text = instant(text)?;
            Ok(true)
        }
        (Form::Time, _) => Err(wrong(value, key, "string")),
        (Form::Texts, Value::Array(list)) => {
            for item in &mut *list {
                text_or_empty(item, key)?;
            }
            Ok(!list.is_empty())
        }
        (Form::Texts, _) => Err(wrong(value, key, "[]string")),
        (Form::TextMap, Value::Object(map)) => {
            for item in map.values_mut() {
                text_or_empty(item, key)?;
            }
            Ok(!map.is_empty())
        }
        (Form::TextMap, _) => Err(wrong(value, key, "map[string]string")),
        (Form::Owners, Value::Array(list)) => structs(list, key, OWNER, strict),
        (Form::Owners, _) => Err(wrong(value, key, "[]v1.OwnerReference")),
        // An empty list means something: it resets the tracking.
        (Form::Managed, Value::Array(list)) => structs(list, key, ENTRY, strict).map(|_| true),
        (Form::Managed, _) => Err(wrong(value, key, "[]v1.ManagedFieldsEntry")),
        (Form::Dropped, _) => Ok(false),
    }
}

/// A null is an empty text.
fn text_or_empty(value: &mut Value, field: &str) -> Result<(), String> {
    match value {
        Value::String(_) => Ok(()),
        Value::Null => {
            *value = "".into();
            Ok(())
        }
        other => Err(wrong(other, field, "string")),
    }
}

fn instant(text: &str) -> Result<String, String> {
    time::parse(text).map(time::format).ok_or_else(|| {
        format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\"")
    })
}

fn structs(
    list: &mut [Value],
    key: &str,
    members: &[(&str, &str)],
    strict: &mut Option<&mut Vec<String>>,
) -> Result<bool, String> {
    for (index, item) in list.iter_mut().enumerate() {
        let map = match item {
            Value::Object(map) => map,
            Value::Null => {
                *item = Value::Object(Map::new());
                continue;
            }
            other => return Err(wrong(other, key, "struct")),
        };
        let mut failure = None;
        map.retain(|name, value| {
            let Some((_, kind)) = members.iter().find(|(known, _)| known == name) else {
                tell(strict, format!("metadata.{key}[{index}].{name}"));
                return false;
            };
            let fits = match *kind {
                "" => true,
                "bool" => value.is_boolean(),
                _ => value.is_string(),
            };
            if value.is_null() {
                return false;
            }
            if !fits {
                failure.get_or_insert_with(|| wrong(value, &format!("{key}.{name}"), kind));
            }
            // `name`, `kind` and the like of owners are written even when they are empty; here they stay as they came.
            if name == "time" {
                match value.as_str().map(instant) {
                    Some(Ok(text)) => *value = text.into(),
                    Some(Err(text)) => failure = Some(text),
                    None => failure = Some(wrong(value, key, "string")),
                }
            }
            true
        });
        if let Some(text) = failure {
            return Err(text);
        }
    }
    Ok(!list.is_empty())
}
