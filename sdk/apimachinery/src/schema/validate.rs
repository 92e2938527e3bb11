//! Validation of values, with upstream's texts (`kube-openapi/pkg/validation/validate` and
//! `apiextensions-apiserver/pkg/apiserver/validation`).

use super::{
    Additional, Checks, ListType, Schema, Type, format,
    number::{self, Fault, Number},
};
use crate::{Map, Value, field};
use std::fmt;

/// What is wrong with a new value.
///
/// `base` is put in front of the fields, `status` when only that part is looked at.
pub fn validate(schema: &Schema, value: &Value, base: &str) -> Vec<field::Error> {
    let mut found = Found::default();
    Run { base }.value(schema, value, None, false, &Place::Root, &mut found);
    found.into_errors()
}

/// What is wrong with a value that replaces `old`: unchanged parts that were wrong before stay accepted
/// (ratcheting, KEP-4008).
pub fn validate_update(schema: &Schema, value: &Value, old: &Value, base: &str) -> Vec<field::Error> {
    let mut found = Found::default();
    Run { base }.value(schema, value, Some(old), true, &Place::Root, &mut found);
    found.into_errors()
}

/// Where a value stands, printed as upstream's validator prints it (which is not how field paths are printed).
enum Place<'a> {
    Root,
    /// A property.
    Property(&'a Place<'a>, &'a str),
    /// A member of additionalProperties, or a missing one: with a dot even at the root.
    Other(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Property(Place::Root, name) => f.write_str(name),
            Place::Property(parent, name) | Place::Other(parent, name) => write!(f, "{parent}.{name}"),
            Place::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// Errors so far, and how many checks were made: the count decides which branch of an `anyOf` is told.
#[derive(Default)]
struct Found {
    errors: Vec<(String, field::Error)>,
    count: u32,
}

impl Found {
    fn is_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// Adds an error unless one with the same text is there.
    fn add(&mut self, text: String, error: field::Error) {
        if !self.errors.iter().any(|(there, _)| *there == text) {
            self.errors.push((text, error));
        }
    }

    fn merge(&mut self, other: Found) {
        self.count += other.count;
        for (text, error) in other.errors {
            self.add(text, error);
        }
    }

    fn into_errors(self) -> Vec<field::Error> {
        self.errors.into_iter().map(|(_, error)| error).collect()
    }
}

struct Run<'a> {
    base: &'a str,
}

impl Run<'_> {
    fn field(&self, place: &str) -> String {
        let name = place.strip_prefix('.').unwrap_or(place);
        match (self.base, name) {
            // As a nil field path prints.
            ("", "") => "<nil>".to_owned(),
            ("", name) => name.to_owned(),
            (base, "") => base.to_owned(),
            (base, name) => format!("{base}.{name}"),
        }
    }

    fn error(
        &self,
        found: &mut Found,
        kind: field::Kind,
        place: &Place<'_>,
        value: Option<Value>,
        text: String,
    ) {
        let place = place.to_string();
        let message = format!("{place} in body {text}");
        let error = field::Error { kind, field: self.field(&place), value, detail: message.clone() };
        found.add(message, error);
    }

    /// An error that upstream does not tie to a place.
    fn plain(&self, found: &mut Found, text: String) {
        let error = field::Error {
            kind: field::Kind::Invalid,
            field: self.field(""),
            value: Some("".into()),
            detail: text.clone(),
        };
        found.add(text, error);
    }

    /// One place of the value. With `ratchet`, errors are forgiven if the value equals `old`.
    fn value(
        &self,
        schema: &Schema,
        value: &Value,
        old: Option<&Value>,
        ratchet: bool,
        place: &Place<'_>,
        found: &mut Found,
    ) {
        let start = found.errors.len();
        self.checks(schema, value, old, place, found);
        if ratchet && found.errors.len() > start && old == Some(value) {
            found.errors.truncate(start);
        }
    }

    fn checks(
        &self,
        schema: &Schema,
        value: &Value,
        old: Option<&Value>,
        place: &Place<'_>,
        found: &mut Found,
    ) {
        let checks = schema.checks.as_deref();
        if value.is_null() {
            self.type_of(schema, value, place, found);
            if let Some(checks) = checks {
                self.one_of_enum(checks, value, place, found);
            }
            return;
        }
        let format = checks.and_then(|checks| checks.format.as_deref());
        if schema.type_.is_some() || schema.int_or_string || format.is_some() {
            self.type_of(schema, value, place, found);
            found.count += 1;
        }
        if let Some(checks) = checks {
            self.junctors(checks, value, old, place, found);
        }
        found.count += 2;
        match value {
            Value::String(text) => {
                if let Some(checks) = checks {
                    self.string(checks, text, place, found);
                }
                found.count += 1;
                if let Some(format) = format.filter(|_| schema.type_ != Some(Type::Integer)) {
                    if !format::is_valid(format, text) {
                        let words = format!("must be of type {format}: {text:?}");
                        self.error(found, field::Kind::TypeInvalid, place, Some(text.as_str().into()), words);
                    }
                    found.count += 2;
                }
            }
            Value::Number(_) => {
                if let Some(number) = Number::of(value) {
                    for fault in number::check(schema, number, &|| place.to_string()) {
                        match fault {
                            Fault::Plain(text) => self.plain(found, text),
                            Fault::At(value, text) => {
                                self.error(found, field::Kind::Invalid, place, Some(value), text);
                            }
                            Fault::Own(value, text) => {
                                let field = self.field(&place.to_string());
                                let kind = field::Kind::Invalid;
                                let error =
                                    field::Error { kind, field, value: Some(value), detail: text.clone() };
                                found.add(text, error);
                            }
                        }
                    }
                }
                found.count += 2;
            }
            Value::Array(items) => {
                self.array(schema, items, old, place, found);
                found.count += 2;
            }
            _ => {}
        }
        if let Some(checks) = checks {
            self.one_of_enum(checks, value, place, found);
        }
        found.count += 1;
        if let Value::Object(object) = value {
            self.object(schema, object, old, place, found);
            found.count += 1;
        }
        found.count += 1;
    }

    fn type_of(&self, schema: &Schema, value: &Value, place: &Place<'_>, found: &mut Found) {
        let contains = |type_: Type| {
            if schema.int_or_string {
                matches!(type_, Type::Integer | Type::String)
            } else {
                schema.type_ == Some(type_)
            }
        };
        let any = schema.type_.is_none() && !schema.int_or_string;
        let wanted = || {
            if schema.int_or_string { "integer,string" } else { schema.type_.map_or("", Type::as_str) }
        };
        let wrong = |found: &mut Found, wanted: &str, is: &str| {
            let words = format!("must be of type {wanted}: {is:?}");
            self.error(found, field::Kind::TypeInvalid, place, Some(is.into()), words);
        };
        let (type_, native) = match value {
            Value::Null => {
                if any || schema.nullable {
                    found.count += 1;
                } else {
                    wrong(found, wanted(), "null");
                }
                return;
            }
            Value::Bool(_) => (Type::Boolean, ""),
            Value::String(_) => (Type::String, ""),
            Value::Array(_) => (Type::Array, ""),
            Value::Object(_) => (Type::Object, ""),
            Value::Number(_) => match Number::of(value) {
                Some(Number::Int(_)) => (Type::Integer, "int64"),
                _ => (Type::Number, "float64"),
            },
        };
        let format = schema.checks.as_deref().and_then(|checks| checks.format.as_deref());
        let whole_float =
            type_ == Type::Number && contains(Type::Integer) && value.as_f64().is_some_and(number::is_whole);
        let fits = contains(type_) || whole_float || (type_ == Type::Integer && contains(Type::Number));
        let textual = matches!(type_, Type::String | Type::Array);
        if let Some(format) = format {
            if !textual && !fits && format != native {
                return wrong(found, format, native);
            }
            // A string format takes over from the type, for strings and (as upstream has it) for lists.
            if textual && !contains(Type::Number) && !contains(Type::Integer) {
                found.count += 1;
                return;
            }
        }
        if fits {
            found.count += 1;
        } else {
            wrong(found, wanted(), type_.as_str());
        }
    }

    fn string(&self, checks: &Checks, text: &str, place: &Place<'_>, found: &mut Found) {
        if checks.max_length.is_none() && checks.min_length.is_none() && checks.pattern.is_none() {
            return;
        }
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        if let Some(max) = checks.max_length.filter(|max| length > *max) {
            let place = place.to_string();
            let error = field::Error {
                kind: field::Kind::TooLong,
                field: self.field(&place),
                value: None,
                detail: format!("may not be more than {max} bytes"),
            };
            return found.add(format!("{place} in body should be at most {max} chars long"), error);
        }
        if let Some(min) = checks.min_length.filter(|min| length < *min) {
            let words = format!("should be at least {min} chars long");
            return self.error(found, field::Kind::Invalid, place, Some(text.into()), words);
        }
        if let Some(pattern) = &checks.pattern {
            let source = pattern.source();
            let words = match pattern.is_match(text) {
                Ok(true) => return,
                Ok(false) => format!("should match '{source}'"),
                Err(why) => format!("should match '{source}, but pattern is invalid: {why}'"),
            };
            self.error(found, field::Kind::Invalid, place, Some(text.into()), words);
        }
    }

    fn one_of_enum(&self, checks: &Checks, value: &Value, place: &Place<'_>, found: &mut Found) {
        // A null among the allowed values allows nothing, as upstream has it.
        if checks.enum_.is_empty()
            || checks.enum_.iter().any(|allowed| !allowed.is_null() && same(allowed, value))
        {
            return;
        }
        let place = place.to_string();
        let shown: Vec<String> = checks
            .enum_
            .iter()
            .map(|allowed| match allowed {
                Value::String(text) => format!("{text:?}"),
                other => format!("{:?}", other.to_string()),
            })
            .collect();
        let error = field::Error {
            kind: field::Kind::NotSupported,
            field: self.field(&place),
            value: Some(value.clone()),
            detail: format!("supported values: {}", shown.join(", ")),
        };
        found.add(format!("{place} in body should be one of [{}]", shown.join(" ")), error);
    }

    fn array(
        &self,
        schema: &Schema,
        items: &[Value],
        old: Option<&Value>,
        place: &Place<'_>,
        found: &mut Found,
    ) {
        if let Some(item_schema) = &schema.items {
            let old = old.and_then(Value::as_array).filter(|_| schema.list_type == ListType::Map);
            for (index, item) in items.iter().enumerate() {
                let old = old.and_then(|old| counterpart(schema, item, old));
                self.value(item_schema, item, old, old.is_some(), &Place::Index(place, index), found);
            }
        }
        let Some(checks) = schema.checks.as_deref() else { return };
        let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(min) = checks.min_items.filter(|min| size < *min) {
            let words = format!("should have at least {min} items");
            self.error(found, field::Kind::Invalid, place, Some(size.into()), words);
        }
        if let Some(max) = checks.max_items.filter(|max| size > *max) {
            self.too_many(found, place, size, max, "items");
        }
        if checks.unique_items && items.iter().enumerate().any(|(index, item)| items[..index].contains(item))
        {
            self.error(
                found,
                field::Kind::Invalid,
                place,
                Some("".into()),
                "shouldn't contain duplicates".to_owned(),
            );
        }
    }

    fn too_many(&self, found: &mut Found, place: &Place<'_>, size: i64, max: i64, what: &str) {
        let place = place.to_string();
        let unit = if max == 1 { "item" } else { "items" };
        let error = field::Error {
            kind: field::Kind::TooMany,
            field: self.field(&place),
            value: Some(size.into()),
            detail: format!("must have at most {max} {unit}"),
        };
        found.add(format!("{place} in body should have at most {max} {what}"), error);
    }

    fn object(
        &self,
        schema: &Schema,
        object: &Map,
        old: Option<&Value>,
        place: &Place<'_>,
        found: &mut Found,
    ) {
        let size = i64::try_from(object.len()).unwrap_or(i64::MAX);
        let checks = schema.checks.as_deref();
        if let Some(min) = checks.and_then(|checks| checks.min_properties).filter(|min| size < *min) {
            let words = format!("should have at least {min} properties");
            return self.error(found, field::Kind::Invalid, place, Some(size.into()), words);
        }
        if let Some(max) = checks.and_then(|checks| checks.max_properties).filter(|max| size > *max) {
            return self.too_many(found, place, size, max, "properties");
        }
        let old = old.and_then(Value::as_object);
        match &schema.additional {
            Additional::Unset | Additional::Bool(true) => {}
            Additional::Bool(false) => {
                for key in object.keys().filter(|key| schema.property(key).is_none()) {
                    let place = place.to_string();
                    let text = format!("{place}.{key} in body is a forbidden property");
                    let error = field::Error {
                        kind: field::Kind::Invalid,
                        field: self.field(&place),
                        value: Some(key.as_str().into()),
                        detail: text.clone(),
                    };
                    found.add(text, error);
                }
            }
            Additional::Schema(additional) => {
                for (key, value) in object.iter().filter(|(key, _)| schema.property(key).is_none()) {
                    let old = old.and_then(|old| old.get(key));
                    self.value(additional, value, old, old.is_some(), &Place::Other(place, key), found);
                }
            }
        }
        let root = matches!(place, Place::Root);
        for (name, property) in &schema.properties {
            if let Some(value) = object.get(name) {
                let old = old.and_then(|old| old.get(name));
                // Changes of apiVersion cannot be seen: both sides have the same.
                let ratchet = old.is_some() && !(root && (name == "kind" || name == "apiVersion"));
                self.value(property, value, old, ratchet, &Place::Property(place, name), found);
            }
        }
        for name in checks.map(|checks| checks.required.as_slice()).unwrap_or_default() {
            if !object.contains_key(name) {
                let place = Place::Other(place, name).to_string();
                let error = field::Error {
                    kind: field::Kind::Required,
                    field: self.field(&place),
                    value: None,
                    detail: String::new(),
                };
                found.add(format!("{place} in body is required"), error);
            }
        }
    }

    fn junctors(
        &self,
        checks: &Checks,
        value: &Value,
        old: Option<&Value>,
        place: &Place<'_>,
        found: &mut Found,
    ) {
        let run = |schema: &Schema| {
            let mut result = Found::default();
            self.value(schema, value, old, false, place, &mut result);
            result
        };
        if !checks.any_of.is_empty() {
            let mut best: Option<Found> = None;
            let mut success = None;
            for schema in &checks.any_of {
                let result = run(schema);
                if result.is_valid() {
                    success = Some(result);
                    break;
                }
                if best.as_ref().is_none_or(|best| result.count > best.count) {
                    best = Some(result);
                }
            }
            match (success, best) {
                (Some(result), _) => found.merge(result),
                (None, best) => {
                    self.plain(found, format!("\"{place}\" must validate at least one schema (anyOf)"));
                    found.merge(best.unwrap_or_default());
                }
            }
        }
        if !checks.one_of.is_empty() {
            let mut best: Option<Found> = None;
            let mut success = None;
            let mut valid = 0;
            for schema in &checks.one_of {
                let result = run(schema);
                if result.is_valid() {
                    valid += 1;
                    best = None;
                    success.get_or_insert(result);
                } else if valid == 0 && best.as_ref().is_none_or(|best| result.count > best.count) {
                    best = Some(result);
                }
            }
            if valid == 1 {
                found.merge(success.unwrap_or_default());
            } else {
                let how = match valid {
                    0 => "Found none valid".to_owned(),
                    several => format!("Found {several} valid alternatives"),
                };
                self.plain(
                    found,
                    format!("\"{place}\" must validate one and only one schema (oneOf). {how}"),
                );
                found.merge(best.unwrap_or_default());
            }
        }
        if !checks.all_of.is_empty() {
            let mut valid = 0;
            for schema in &checks.all_of {
                let result = run(schema);
                valid += usize::from(result.is_valid());
                found.merge(result);
            }
            if valid != checks.all_of.len() {
                let none = if valid == 0 { ". None validated" } else { "" };
                self.plain(found, format!("\"{place}\" must validate all the schemas (allOf){none}"));
            }
        }
        if let Some(not) = &checks.not
            && run(not).is_valid()
        {
            self.plain(found, format!("\"{place}\" must not validate the schema (not)"));
        }
    }
}

/// Equality as Go has it after converting one number to the other's type.
fn same(allowed: &Value, value: &Value) -> bool {
    match (Number::of(allowed), Number::of(value)) {
        (Some(Number::Int(left)), Some(Number::Int(right))) => left == right,
        (Some(left), Some(right)) => left.as_f64() == right.as_f64(),
        _ => allowed == value,
    }
}

/// The item of the old list that has the same keys.
fn counterpart<'a>(schema: &Schema, item: &Value, old: &'a [Value]) -> Option<&'a Value> {
    old.iter().find(|old| schema.list_map_keys.iter().all(|key| old.get(key) == item.get(key)))
}

#[cfg(test)]
mod tests;
