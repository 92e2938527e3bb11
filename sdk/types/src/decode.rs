//! Decoding as Go's typed decoder does it: JSON types are checked, unknown members dropped and told, nulls
//! dropped, quantities and times brought to their one form, and what `omitempty` would leave out left out.
//!
//! Upstream: `sigs.k8s.io/json` behind `apimachinery/pkg/runtime/serializer/json`; the texts of strict errors
//! are those of its `UnmarshalStrict`, in the order of the document.

use crate::{
    complete::{is_left_out, zero},
    tables::{Field, TypeRef},
    time,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chainplate_apimachinery::{
    Map, Value,
    quantity::Quantity,
    shape::{Kind, Scalar, Shape},
};
use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::{cell::RefCell, collections::HashSet, fmt, fmt::Write};

/// A document of a type.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// What a Go struct would hold of it.
    pub value: Value,
    /// `unknown field "spec.foo"` and `duplicate field "data.k"`, in the order of the document, each once.
    pub strict: Vec<String>,
}

impl Decoded {
    /// The paths of unknown fields, `spec.foo`.
    pub fn unknown_paths(&self) -> impl Iterator<Item = &str> {
        self.strict.iter().filter_map(|text| text.strip_prefix("unknown field \"")?.strip_suffix('"'))
    }
}

/// Why a document is not of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecodeError {
    /// It is no JSON.
    Syntax(String),
    /// A value has the wrong type or form; the text is Go's.
    Type(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Syntax(text) | DecodeError::Type(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Decodes JSON text as `shape`.
///
/// # Errors
/// [`DecodeError`], for the first value that Go would refuse.
pub fn decode(shape: TypeRef, json: &[u8]) -> Result<Decoded, DecodeError> {
    let context = Context::default();
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let result = Seed { context: &context, shape, place: &Place::Root }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    context.finish(result.map_err(|error| error.to_string()))
}

/// Decodes a JSON value as `shape`, for what comes out of a patch or of YAML.
///
/// # Errors
/// [`DecodeError`], for the first value that Go would refuse.
pub fn decode_value(shape: TypeRef, value: &Value) -> Result<Decoded, DecodeError> {
    let context = Context::default();
    let result = Seed { context: &context, shape, place: &Place::Root }.deserialize(value);
    context.finish(result.map_err(|error| error.to_string()))
}

#[derive(Default)]
struct Context {
    strict: RefCell<Vec<String>>,
    /// Those that were told already.
    told: RefCell<HashSet<String>>,
    failure: RefCell<Option<String>>,
}

impl Context {
    fn finish(self, result: Result<Option<Value>, String>) -> Result<Decoded, DecodeError> {
        match (result, self.failure.into_inner()) {
            (Ok(value), _) => {
                let value = value.unwrap_or_else(|| Value::Object(Map::new()));
                Ok(Decoded { value, strict: self.strict.into_inner() })
            }
            (Err(_), Some(text)) => Err(DecodeError::Type(text)),
            (Err(text), None) => Err(DecodeError::Syntax(text)),
        }
    }

    fn fail<E: de::Error>(&self, text: String) -> E {
        *self.failure.borrow_mut() = Some(text);
        E::custom("")
    }

    fn strict(&self, what: &str, place: &Place<'_>) {
        let mut text = format!("{what} field \"");
        let _ = place.write(&mut text);
        text.push('"');
        if self.told.borrow_mut().insert(text.clone()) {
            self.strict.borrow_mut().push(text);
        }
    }
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
                if !out.ends_with('"') {
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

struct Seed<'a> {
    context: &'a Context,
    shape: TypeRef,
    place: &'a Place<'a>,
}

impl Seed<'_> {
    fn mismatch<E: de::Error>(&self, found: &str) -> E {
        let text = match self.shape.kind() {
            Kind::Scalar(Scalar::Quantity) => {
                chainplate_apimachinery::quantity::ParseError::Format.to_string()
            }
            Kind::Scalar(Scalar::Time | Scalar::MicroTime) => {
                format!("json: cannot unmarshal {found} into Go value of type string")
            }
            Kind::Scalar(Scalar::IntOrString) => {
                format!("json: cannot unmarshal {found} into Go value of type int32")
            }
            _ => format!(
                "json: cannot unmarshal {found} into {} of type {}",
                self.place.go(),
                self.shape.go_type()
            ),
        };
        self.context.fail(text)
    }

    fn quantity<E: de::Error>(&self, text: &str) -> Result<Option<Value>, E> {
        match Quantity::canonical(text.trim()) {
            Ok(canonical) => Ok(Some(Value::String(canonical.unwrap_or_else(|| text.trim().to_owned())))),
            Err(error) => Err(self.context.fail(error.to_string())),
        }
    }

    fn integer<E: de::Error>(&self, number: i64) -> Result<Option<Value>, E> {
        match self.shape.kind() {
            Kind::Scalar(Scalar::Int64 | Scalar::Float) | Kind::Any { .. } => Ok(Some(number.into())),
            Kind::Scalar(Scalar::Int32 | Scalar::IntOrString) => {
                if i32::try_from(number).is_ok() {
                    Ok(Some(number.into()))
                } else {
                    Err(self.mismatch(&format!("number {number}")))
                }
            }
            Kind::Scalar(Scalar::Quantity) => self.quantity(&number.to_string()),
            _ => Err(self.mismatch("number")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if matches!(self.shape.kind(), Kind::Any { .. }) && self.shape.loose_struct().is_none() {
            let value = <Value as de::Deserialize>::deserialize(deserializer)?;
            return Ok((!value.is_null()).then_some(value));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        match self.shape.kind() {
            Kind::Scalar(Scalar::Bool) | Kind::Any { .. } => Ok(Some(Value::Bool(value))),
            _ => Err(self.mismatch("bool")),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        self.integer(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        match i64::try_from(value) {
            Ok(value) => self.integer(value),
            Err(_) => match self.shape.kind() {
                Kind::Any { .. } | Kind::Scalar(Scalar::Float) => Ok(Some(value.into())),
                Kind::Scalar(Scalar::Quantity) => self.quantity(&value.to_string()),
                Kind::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString) => {
                    Err(self.mismatch(&format!("number {value}")))
                }
                _ => Err(self.mismatch("number")),
            },
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        match self.shape.kind() {
            Kind::Any { .. } => Ok(Some(value.into())),
            // Go writes 1.0 as 1.
            Kind::Scalar(Scalar::Float) if value.fract() == 0.0 && value.abs() < 1e15 =>
            {
                #[allow(clippy::cast_possible_truncation, reason = "whole and below 10^15")]
                Ok(Some((value as i64).into()))
            }
            Kind::Scalar(Scalar::Float) => Ok(Some(value.into())),
            Kind::Scalar(Scalar::Quantity) => self.quantity(&value.to_string()),
            Kind::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::IntOrString) => {
                Err(self.mismatch(&format!("number {value:?}")))
            }
            _ => Err(self.mismatch("number")),
        }
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Self::Value, E> {
        let value = match self.shape.kind() {
            Kind::Scalar(Scalar::String | Scalar::IntOrString) | Kind::Any { .. } => value,
            Kind::Scalar(Scalar::Quantity) => return self.quantity(&value),
            Kind::Scalar(scalar @ (Scalar::Time | Scalar::MicroTime)) => {
                match time::canonical(&value, scalar == Scalar::MicroTime) {
                    Ok(canonical) => canonical.unwrap_or(value),
                    Err(text) => return Err(self.context.fail(text)),
                }
            }
            Kind::Scalar(Scalar::Bytes) => {
                // Go's decoder skips line ends.
                let value =
                    if value.contains(['\n', '\r']) { value.replace(['\n', '\r'], "") } else { value };
                match STANDARD.decode(&value) {
                    Ok(_) => value,
                    Err(error) => {
                        let at = match error {
                            base64::DecodeError::InvalidByte(at, _)
                            | base64::DecodeError::InvalidLastSymbol(at, _) => at,
                            _ => value.len() / 4 * 4,
                        };
                        return Err(self.context.fail(format!("illegal base64 data at input byte {at}")));
                    }
                }
            }
            _ => return Err(self.mismatch("string")),
        };
        Ok(Some(Value::String(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Some(element) =
            self.shape.element().filter(|_| matches!(self.shape.kind(), Kind::List(_) | Kind::Any { .. }))
        else {
            return Err(self.mismatch("array"));
        };
        let mut list = Vec::with_capacity(items.size_hint().unwrap_or_default().min(64));
        loop {
            let place = Place::Index(self.place, list.len());
            let seed = Seed { context: self.context, shape: element, place: &place };
            match items.next_element_seed(seed)? {
                Some(item) => list.push(item.unwrap_or_else(|| zero(element))),
                None => return Ok(Some(Value::Array(list))),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        let of = match self.shape.kind() {
            Kind::Struct { .. } => self.shape,
            Kind::Any { .. } => match self.shape.loose_struct() {
                Some(of) => of,
                None => return Err(self.mismatch("object")),
            },
            Kind::Map { .. } => {
                let Some(element) = self.shape.element() else { return Err(self.mismatch("object")) };
                while let Some(key) = members.next_key::<String>()? {
                    let place = Place::Key(self.place, &key);
                    let seed = Seed { context: self.context, shape: element, place: &place };
                    let value = members.next_value_seed(seed)?.unwrap_or_else(|| zero(element));
                    if map.contains_key(&key) {
                        self.context.strict("duplicate", &place);
                    }
                    map.insert(key, value);
                }
                return Ok(Some(Value::Object(map)));
            }
            _ => return Err(self.mismatch("object")),
        };
        let first = of.fields().next().map_or(0, Field::index);
        let mut seen = Seen::default();
        while let Some(key) = members.next_key_seed(Key(of))? {
            match key {
                Ok(field) => {
                    let name = field.name();
                    let place = Place::Member(self.place, of, name);
                    let shape = field.shape();
                    let value =
                        members.next_value_seed(Seed { context: self.context, shape, place: &place })?;
                    if !seen.insert(field.index() - first) {
                        self.context.strict("duplicate", &place);
                        map.remove(name);
                    }
                    if let Some(value) = value
                        && !is_left_out(field, &value)
                    {
                        map.insert(name.to_owned(), value);
                    }
                }
                Err(name) => {
                    members.next_value::<IgnoredAny>()?;
                    self.context.strict("unknown", &Place::Member(self.place, of, &name));
                }
            }
        }
        Ok(Some(Value::Object(map)))
    }
}

/// Which of a struct's members were there; structs have fewer than 128.
#[derive(Default)]
struct Seen(u128);

impl Seen {
    fn insert(&mut self, index: u16) -> bool {
        let bit = 1_u128.checked_shl(u32::from(index)).unwrap_or_default();
        let new = self.0 & bit == 0;
        self.0 |= bit;
        new
    }
}

/// A member of a struct, or the name of none.
struct Key(TypeRef);

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Result<Field, String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = Result<Field, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.member(name).ok_or_else(|| name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
