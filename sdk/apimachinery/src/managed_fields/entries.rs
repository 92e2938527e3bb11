//! `metadata.managedFields`: which manager owns which fields, read and written
//! (`apimachinery/pkg/util/managedfields/internal/managedfields.go`).

use super::set::Set;
use crate::{Map, Value};

/// How a manager wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Any other write.
    Update,
}

impl Operation {
    /// As it stands in an entry.
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Apply => "Apply",
            Operation::Update => "Update",
        }
    }
}

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Manager<'a> {
    /// The field manager's name; `unknown` stands in for an empty one.
    pub name: &'a str,
    /// `apps/v1`: the version in which the object is written.
    pub api_version: &'a str,
    /// The subresource written through, or empty.
    pub subresource: &'a str,
    /// Now, as `metadata.creationTimestamp` is written.
    pub time: &'a str,
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The manager's name.
    pub manager: String,
    /// How it wrote.
    pub operation: Operation,
    /// The version that the paths are in.
    pub api_version: String,
    /// The subresource, or empty.
    pub subresource: String,
    /// When it last changed what it owns; RFC 3339.
    pub time: Option<String>,
    /// What it owns.
    pub fields: Set,
}

impl Entry {
    pub(super) fn of(manager: &Manager<'_>, operation: Operation) -> Self {
        Self {
            manager: if manager.name.is_empty() { "unknown" } else { manager.name }.to_owned(),
            operation,
            api_version: manager.api_version.to_owned(),
            subresource: manager.subresource.to_owned(),
            time: None,
            fields: Set::new(),
        }
    }

    /// Whether both are the same manager: appliers are so in any version.
    pub(super) fn is_same(&self, other: &Entry) -> bool {
        self.operation == other.operation
            && self.manager == other.manager
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    fn into_value(self) -> Value {
        let mut map = Map::new();
        let texts = [
            ("manager", self.manager.as_str()),
            ("operation", self.operation.as_str()),
            ("apiVersion", &self.api_version),
            ("time", self.time.as_deref().unwrap_or_default()),
            ("subresource", &self.subresource),
        ];
        for (key, text) in texts {
            if !text.is_empty() {
                map.insert(key.into(), text.into());
            }
        }
        map.insert("fieldsType".into(), "FieldsV1".into());
        map.insert("fieldsV1".into(), self.fields.into_value());
        Value::Object(map)
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Object(mut members) = value else { return None };
        let mut text = |key: &str| match members.remove(key) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let operation = match text("operation")?.as_str() {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return None,
        };
        let api_version = text("apiVersion").filter(|version| !version.is_empty())?;
        if text("fieldsType")? != "FieldsV1" {
            return None;
        }
        Some(Self {
            manager: text("manager").unwrap_or_default(),
            operation,
            api_version,
            subresource: text("subresource").unwrap_or_default(),
            time: text("time"),
            fields: match members.remove("fieldsV1") {
                Some(Value::Object(fields)) => Set::from_map(fields),
                _ => Set::new(),
            },
        })
    }
}

/// The entries of an object; `None` if one cannot be read.
pub fn decode(object: &Value) -> Option<Vec<Entry>> {
    entries(managed_fields(object).cloned())
}

/// The entries in a `metadata.managedFields`; `None` if one cannot be read.
pub(super) fn entries(managed_fields: Option<Value>) -> Option<Vec<Entry>> {
    match managed_fields {
        Some(Value::Array(list)) => {
            let mut entries: Vec<Entry> = Vec::with_capacity(list.len() + 1);
            for value in list {
                let entry = Entry::from_value(value)?;
                match entries.iter_mut().find(|found| found.is_same(&entry)) {
                    Some(found) => *found = entry,
                    None => entries.push(entry),
                }
            }
            Some(entries)
        }
        _ => Some(Vec::new()),
    }
}

/// Writes the entries into an object, sorted; removes `metadata.managedFields` if there are none.
pub fn encode(object: &mut Value, mut entries: Vec<Entry>) {
    entries.sort_by(|a, b| {
        let key = |entry: &Entry| (entry.operation, entry.time.clone().unwrap_or_default());
        key(a).cmp(&key(b)).then_with(|| {
            (&a.manager, &a.api_version, &a.subresource).cmp(&(&b.manager, &b.api_version, &b.subresource))
        })
    });
    let list: Vec<Value> = entries.into_iter().map(Entry::into_value).collect();
    let Some(Value::Object(metadata)) = object.get_mut("metadata") else { return };
    if list.is_empty() {
        metadata.remove("managedFields");
    } else {
        metadata.insert("managedFields".into(), Value::Array(list));
    }
}

pub(super) fn managed_fields(object: &Value) -> Option<&Value> {
    object.get("metadata")?.get("managedFields")
}

/// Whether a client asks for tracking to end: `managedFields: []` or one empty entry.
pub(super) fn is_reset(managed_fields: Option<&Value>) -> bool {
    match managed_fields {
        Some(Value::Array(list)) => match list.as_slice() {
            [] => true,
            [Value::Object(entry)] => entry.values().all(Value::is_null),
            _ => false,
        },
        _ => false,
    }
}

/// Undoes a write that changed nothing but times of entries, so that it becomes none: the new object gets the
/// live one's entries (`apiserver/pkg/endpoints/handlers/fieldmanager/equality.go`). To be called after
/// admission, with both objects complete.
pub fn ignore_time_only_change(live: &Value, new: &mut Value) {
    let (Some(Value::Array(before)), Some(Value::Array(after))) = (managed_fields(live), managed_fields(new))
    else {
        return;
    };
    let same = before.len() == after.len()
        && !after.is_empty()
        && before.iter().zip(after).all(|(before, after)| equal_but(before, after, "time"));
    if !same || before == after {
        return;
    }
    if rest_is_same(live, new) {
        let before = Value::Array(before.clone());
        if let Some(Value::Object(metadata)) = new.get_mut("metadata") {
            metadata.insert("managedFields".into(), before);
        }
    }
}

/// Whether two objects are the same but for `metadata.managedFields`.
pub(super) fn rest_is_same(a: &Value, b: &Value) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return a == b };
    a.len() == b.len()
        && a.iter().all(|(key, value)| match b.get(key) {
            Some(other) if key == "metadata" => equal_but(value, other, "managedFields"),
            other => other == Some(value),
        })
}

fn equal_but(a: &Value, b: &Value, ignored: &str) -> bool {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else { return a == b };
    a.iter().filter(|(key, _)| *key != ignored).eq(b.iter().filter(|(key, _)| *key != ignored))
}
