//! Decoding as Go's typed decoder does it: JSON types are checked, unknown members dropped and told, nulls
//! dropped, quantities and times brought to their one form, and what `omitempty` would leave out left out.
//!
//! Upstream: `sigs.k8s.io/json` behind `apimachinery/pkg/runtime/serializer/json`; the texts of errors are Go's.

use crate::{
    complete::{is_left_out, zero},
    tables::TypeRef,
    time,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chainplate_apimachinery::{
    Map, Value,
    options::json_kind,
    quantity::{self, Quantity},
    shape::{Kind, Scalar, Shape},
};
use serde_json::Number;
use std::{collections::HashSet, fmt, fmt::Write};

/// Gives a document the form of `shape`, in place: what fits, which is nearly all of it, is neither copied nor moved.
///
/// Returns the paths of members that the type does not know, `spec.foo`, each once; they are dropped. In which order and
/// how often they stood in a body is told by [`strict_errors`](chainplate_apimachinery::decode::strict_errors).
///
/// # Errors
/// Go's text, for the first value that it would refuse. The document is then partly decoded.
pub fn decode(shape: TypeRef, document: &mut Value) -> Result<Vec<String>, String> {
    let mut unknown = Unknown::default();
    unknown.value(shape, document, &Place::Root)?;
    if document.is_null() {
        *document = Value::Object(Map::new());
    }
    Ok(unknown.paths)
}

/// Where a value stands; borrowed links, so that a document without fault costs nothing.
enum Place<'a> {
    Root,
    Member(&'a Place<'a>, TypeRef, &'a str),
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    /// `spec.containers[0].name`, as strict errors have it.
    fn write(&self, out: &mut String) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Member(parent, _, name) | Place::Key(parent, name) => {
                parent.write(out)?;
                if !out.is_empty() {
                    out.push('.');
                }
                out.push_str(name);
                Ok(())
            }
            Place::Index(parent, index) => {
                parent.write(out)?;
                write!(out, "[{index}]")
            }
        }
    }

    /// `Go struct field PodSpec.spec.priority`, as Go's `UnmarshalTypeError` has it: the innermost struct, and
    /// the members that lead to it without indices and keys.
    fn go(&self) -> String {
        let mut names = Vec::new();
        let mut owner = None;
        let mut place = self;
        loop {
            match place {
                Place::Root => break,
                Place::Member(parent, of, name) => {
                    owner = owner.or(Some(*of));
                    names.push(*name);
                    place = parent;
                }
                Place::Key(parent, _) | Place::Index(parent, _) => place = parent,
            }
        }
        names.reverse();
        match owner {
            Some(of) => format!("Go struct field {}.{}", of.type_name(), names.join(".")),
            None => "Go value".to_owned(),
        }
    }
}

/// The text of a value of another type than the shape's.
#[cold]
fn mismatch(shape: TypeRef, place: &Place<'_>, found: &str) -> String {
    match shape.kind() {
        Kind::Scalar(Scalar::Quantity) => quantity::ParseError::Format.to_string(),
        Kind::Scalar(Scalar::Time | Scalar::MicroTime) => {
            format!("json: cannot unmarshal {found} into Go value of type string")
        }
        Kind::Scalar(Scalar::IntOrString) => {
            format!("json: cannot unmarshal {found} into Go value of type int32")
        }
        _ => format!("json: cannot unmarshal {found} into {} of type {}", place.go(), shape.go_type()),
    }
}

/// The members that a type does not know.
#[derive(Default)]
struct Unknown {
    paths: Vec<String>,
    /// Those that were told already: a key with a dot in it looks as two.
    told: HashSet<String>,
}

impl Unknown {
    #[cold]
    fn tell(&mut self, place: &Place<'_>) {
        let mut path = String::new();
        // Writing to a String cannot fail.
        let _ = place.write(&mut path);
        if self.told.insert(path.clone()) {
            self.paths.push(path);
        }
    }

    /// Decodes one value. What becomes of a null is the affair of what it stands in.
    fn value(&mut self, shape: TypeRef, value: &mut Value, place: &Place<'_>) -> Result<(), String> {
        let kind = shape.kind();
        match (value, kind) {
            (Value::Null, _) => Ok(()),
            (Value::String(text), Kind::Scalar(scalar)) => {
                string(scalar, text).unwrap_or_else(|| Err(mismatch(shape, place, "string")))
            }
            (Value::Bool(_), Kind::Scalar(Scalar::Bool)) => Ok(()),
            (value, Kind::Scalar(scalar)) if value.is_number() => number(scalar, shape, value, place),
            (Value::Object(map), Kind::Struct { .. }) => self.members(shape, map, place),
            (Value::Object(map), Kind::Map { .. }) => {
                let Some(element) = shape.element() else { return Err(mismatch(shape, place, "object")) };
                for (key, value) in map {
                    self.element(element, value, &Place::Key(place, key))?;
                }
                Ok(())
            }
            (Value::Array(list), Kind::List(_)) => self.items(shape, list, place),
            (value, Kind::Any { .. }) => match (shape.loose_struct(), value) {
                (Some(of), Value::Object(map)) => self.members(of, map, place),
                (Some(_), Value::Array(list)) => self.items(shape, list, place),
                _ => Ok(()),
            },
            (value, _) => Err(mismatch(shape, place, json_kind(value))),
        }
    }

    fn items(&mut self, shape: TypeRef, list: &mut [Value], place: &Place<'_>) -> Result<(), String> {
        let Some(element) = shape.element() else { return Err(mismatch(shape, place, "array")) };
        for (index, value) in list.iter_mut().enumerate() {
            self.element(element, value, &Place::Index(place, index))?;
        }
        Ok(())
    }

    /// Decodes a value that keeps its place though it be null.
    fn element(&mut self, shape: TypeRef, value: &mut Value, place: &Place<'_>) -> Result<(), String> {
        if value.is_null() {
            *value = zero(shape);
            return Ok(());
        }
        self.value(shape, value, place)
    }

    fn members(&mut self, of: TypeRef, map: &mut Map, place: &Place<'_>) -> Result<(), String> {
        let mut result = Ok(());
        map.retain(|name, value| {
            if result.is_err() {
                return true;
            }
            let Some(field) = of.member(name) else {
                self.tell(&Place::Member(place, of, name));
                return false;
            };
            result = self.value(field.shape(), value, &Place::Member(place, of, name));
            !value.is_null() && !is_left_out(field, value)
        });
        result
    }
}

/// Decodes a text; `None` if the type has none.
fn string(scalar: Scalar, text: &mut String) -> Option<Result<(), String>> {
    let canonical = match scalar {
        Scalar::String | Scalar::IntOrString => return Some(Ok(())),
        Scalar::Quantity => {
            let trimmed = text.trim();
            let spaced = trimmed.len() != text.len();
            Quantity::canonical(trimmed)
                .map(|canonical| canonical.or_else(|| spaced.then(|| trimmed.to_owned())))
                .map_err(|error| error.to_string())
        }
        Scalar::Time | Scalar::MicroTime => time::canonical(text, scalar == Scalar::MicroTime),
        Scalar::Bytes => check_base64(text),
        _ => return None,
    };
    Some(canonical.map(|canonical| {
        if let Some(canonical) = canonical {
            *text = canonical;
        }
    }))
}

/// Checks base64; `Some` without the line ends, which Go's decoder skips, if there are any.
fn check_base64(text: &str) -> Result<Option<String>, String> {
    let joined = text.contains(['\n', '\r']).then(|| text.replace(['\n', '\r'], ""));
    let text = joined.as_deref().unwrap_or(text);
    match STANDARD.decode(text) {
        Ok(_) => Ok(joined),
        Err(error) => {
            let at = match error {
                base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                _ => text.len() / 4 * 4,
            };
            Err(format!("illegal base64 data at input byte {at}"))
        }
    }
}

/// Decodes a number: integers in their range, floats that are whole as Go writes them, `1.0` as `1`, and quantities,
/// which may be written as numbers.
fn number(scalar: Scalar, shape: TypeRef, value: &mut Value, place: &Place<'_>) -> Result<(), String> {
    let Value::Number(found) = &*value else { return Ok(()) };
    match scalar {
        Scalar::Int64 if found.is_i64() => Ok(()),
        Scalar::Int32 | Scalar::IntOrString
            if found.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) =>
        {
            Ok(())
        }
        Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString => {
            Err(mismatch(shape, place, &format!("number {}", written(found))))
        }
        Scalar::Float => {
            if found.is_f64()
                && let Some(float) = found.as_f64()
                && float.fract() == 0.0
                && float.abs() < 1e15
            {
                #[allow(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
                let whole = float as i64;
                *value = whole.into();
            }
            Ok(())
        }
        Scalar::Quantity => {
            let text = match found.as_f64().filter(|_| found.is_f64()) {
                Some(float) => float.to_string(),
                None => found.to_string(),
            };
            let canonical = Quantity::canonical(&text).map_err(|error| error.to_string())?;
            *value = Value::String(canonical.unwrap_or(text));
            Ok(())
        }
        _ => Err(mismatch(shape, place, "number")),
    }
}

/// A number in an error: as it stood, or nearly so.
fn written(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => format!("{float:?}"),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests;
