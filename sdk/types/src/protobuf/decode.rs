//! From protobuf to the JSON form.

use super::{
    API_VERSION, ITEMS, Item, KIND, Loose, MAGIC, METADATA, RAW, Root, TYPE_META, is_wrapped, loose, root,
    wire::{DEPTH, Reader, form},
};
use crate::{
    complete::is_left_out,
    tables::{Field, Tagged, TypeRef},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chainplate_apimachinery::{
    Map, Value,
    decode::Malformed,
    shape::{Kind, Scalar, Shape},
};
use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// Reads a document: kind and apiVersion come first, members of which Go would hold nothing are left out, numbers that
/// are not known are passed over. `default` is the apiVersion and kind of a document that does not say them. Quantities
/// and the like are not looked at: that is what [`decode`](crate::decode()) is for.
///
/// # Errors
/// [`Malformed`] for what has no envelope, is cut off or malformed, is of a kind that has no protobuf, or lies too deep.
pub fn decode(body: &[u8], default: (&str, &str)) -> Result<Value, Malformed> {
    document(body, default, 0)
}

fn document(body: &[u8], default: (&str, &str), depth: u32) -> Result<Value, Malformed> {
    if body.is_empty() {
        return Err(Malformed::untyped("empty data"));
    }
    let Some(envelope) = body.strip_prefix(MAGIC) else {
        return Err(Malformed::untyped(
            "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]",
        ));
    };
    if envelope.is_empty() {
        return Err(Malformed::untyped("empty body"));
    }
    let (mut api_version, mut kind, raw) = unknown(envelope).map_err(Malformed::untyped)?;
    if kind.is_empty() && api_version.is_empty() {
        (api_version, kind) = (default.0.to_owned(), default.1.to_owned());
    }
    let message = match root(&api_version, &kind) {
        Some(of) => {
            let mut map = Map::new();
            map.insert("kind".into(), kind.as_str().into());
            map.insert("apiVersion".into(), api_version.as_str().into());
            match read_root(of, &mut map, raw, depth) {
                Ok(()) => return Ok(Value::Object(map)),
                Err(message) => message,
            }
        }
        None if kind.is_empty() => "Object 'Kind' is missing in the protobuf document".to_owned(),
        None => format!(
            "no kind {kind:?} is registered for version {api_version:?} in scheme \"pkg/api/legacyscheme/scheme.go:30\""
        ),
    };
    Err(Malformed { api_version, kind, message })
}

/// apiVersion, kind and message of a `runtime.Unknown`.
fn unknown(envelope: &[u8]) -> Result<(String, String, &[u8]), String> {
    let mut reader = Reader(envelope);
    let (mut api_version, mut kind, mut raw) = (String::new(), String::new(), &[][..]);
    while let Some((number, wire)) = reader.field("Unknown")? {
        match (number, wire) {
            (TYPE_META, form::BYTES) => {
                let mut reader = Reader(reader.bytes()?);
                while let Some((number, wire)) = reader.field("TypeMeta")? {
                    match (number, wire) {
                        (API_VERSION, form::BYTES) => api_version = text(reader.bytes()?),
                        (KIND, form::BYTES) => kind = text(reader.bytes()?),
                        _ => reader.skip(wire)?,
                    }
                }
            }
            (RAW, form::BYTES) => raw = reader.bytes()?,
            _ => reader.skip(wire)?,
        }
    }
    Ok((api_version, kind, raw))
}

fn read_root(of: Root, map: &mut Map, raw: &[u8], depth: u32) -> Result<(), String> {
    let (metadata, items) = match of {
        Root::Struct(shape) => return message(shape, map, raw, 0, depth + 1),
        Root::Meta { metadata, items } => (metadata, items),
    };
    let mut list = Vec::new();
    let mut reader = Reader(raw);
    map.insert("metadata".into(), Map::new().into());
    while let Some((number, wire)) = reader.field("List")? {
        match (number, wire, items) {
            (METADATA, form::BYTES, _) => {
                if let Some(Value::Object(into)) = map.get_mut("metadata") {
                    message(metadata, into, reader.bytes()?, 0, depth + 2)?;
                }
            }
            (ITEMS, form::BYTES, Some(Item::Struct(shape))) => {
                let mut item = Map::new();
                message(shape, &mut item, reader.bytes()?, 0, depth + 2)?;
                list.push(Value::Object(item));
            }
            (ITEMS, form::BYTES, Some(Item::Metadata(shape))) => {
                let mut item = Map::new();
                let root = Root::Meta { metadata: shape, items: None };
                read_root(root, &mut item, reader.bytes()?, depth + 2)?;
                list.push(Value::Object(item));
            }
            _ => reader.skip(wire)?,
        }
    }
    if items.is_some() {
        map.insert("items".into(), list.into());
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    // What is UTF-8, as all is, is told so faster than it is mended.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes).into_owned(), str::to_owned)
}

fn message(of: TypeRef, map: &mut Map, data: &[u8], way: u16, depth: u32) -> Result<(), String> {
    if depth > DEPTH {
        return Err("exceeded max depth".to_owned());
    }
    let name = of.type_name();
    let mut reader = Reader(data);
    while let Some((number, wire)) = reader.field(name)? {
        match of.tagged(number, way) {
            Some(Tagged::Field(field)) => member(field, map, &mut reader, wire, depth)?,
            Some(Tagged::Embedded(way)) if wire == form::BYTES => {
                message(of, map, reader.bytes()?, way, depth + 1)?;
            }
            Some(Tagged::Embedded(_)) => {
                return Err(format!("proto: wrong wireType = {wire} for an embedded message"));
            }
            None => reader.skip(wire)?,
        }
    }
    Ok(())
}

fn wrong(wire: u8, name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    let name: String = first.into_iter().chain(letters).collect();
    format!("proto: wrong wireType = {wire} for field {name}")
}

/// Reads one occurrence of a member.
fn member(field: Field, map: &mut Map, reader: &mut Reader<'_>, wire: u8, depth: u32) -> Result<(), String> {
    let shape = field.shape();
    let name = field.name();
    match shape.kind() {
        Kind::List(_) => {
            let Some(element) = shape.element() else { return reader.skip(wire) };
            if !matches!(map.get(name), Some(Value::Array(_))) {
                map.insert(name.to_owned(), Value::Array(Vec::new()));
            }
            let Some(Value::Array(list)) = map.get_mut(name) else { return reader.skip(wire) };
            if is_wrapped(shape) {
                return wrapped(element, list, expect(reader, wire, name)?, depth);
            }
            if wire == form::BYTES && packs(element) {
                let mut packed = Reader(reader.bytes()?);
                while !packed.0.is_empty() {
                    let wire = if element.kind() == Kind::Scalar(Scalar::Float) {
                        form::FIXED64
                    } else {
                        form::VARINT
                    };
                    list.push(value(element, &mut packed, wire, name, depth)?);
                }
                return Ok(());
            }
            list.push(value(element, reader, wire, name, depth)?);
        }
        Kind::Map { .. } => {
            let Some(element) = shape.element() else { return reader.skip(wire) };
            let (key, value) = entry(element, expect(reader, wire, name)?, name, depth)?;
            if !matches!(map.get(name), Some(Value::Object(_))) {
                map.insert(name.to_owned(), Value::Object(Map::new()));
            }
            if let Some(Value::Object(entries)) = map.get_mut(name) {
                entries.insert(key, value);
            }
        }
        Kind::Struct { .. } => {
            let data = expect(reader, wire, name)?;
            if let Some(Value::Object(inner)) = map.get_mut(name) {
                // A second occurrence is merged into the first.
                return message(shape, inner, data, 0, depth + 1);
            }
            let mut inner = Map::new();
            message(shape, &mut inner, data, 0, depth + 1)?;
            map.insert(name.to_owned(), Value::Object(inner));
        }
        _ => {
            let value = value(shape, reader, wire, name, depth)?;
            if value.is_null() || is_left_out(field, &value) {
                map.remove(name);
            } else {
                map.insert(name.to_owned(), value);
            }
        }
    }
    Ok(())
}

/// The bytes of a field that has to have some.
fn expect<'a>(reader: &mut Reader<'a>, wire: u8, name: &str) -> Result<&'a [u8], String> {
    if wire == form::BYTES { reader.bytes() } else { Err(wrong(wire, name)) }
}

fn packs(shape: TypeRef) -> bool {
    matches!(shape.kind(), Kind::Scalar(Scalar::Bool | Scalar::Int32 | Scalar::Int64 | Scalar::Float))
}

/// The list in a message `{items = 1}`.
fn wrapped(element: TypeRef, list: &mut Vec<Value>, data: &[u8], depth: u32) -> Result<(), String> {
    let mut reader = Reader(data);
    while let Some((number, wire)) = reader.field("Items")? {
        match number {
            1 => list.push(value(element, &mut reader, wire, "items", depth + 1)?),
            _ => reader.skip(wire)?,
        }
    }
    Ok(())
}

fn entry(element: TypeRef, data: &[u8], name: &str, depth: u32) -> Result<(String, Value), String> {
    let mut reader = Reader(data);
    let (mut key, mut found) = (String::new(), None);
    while let Some((number, wire)) = reader.field(name)? {
        match (number, wire) {
            (1, form::BYTES) => key = text(reader.bytes()?),
            (2, _) => found = Some(value(element, &mut reader, wire, name, depth + 1)?),
            _ => reader.skip(wire)?,
        }
    }
    // An entry without a value: no bytes, where a member without any is null.
    let missing = || match element.kind() {
        Kind::Scalar(Scalar::Bytes) => Value::String(String::new()),
        _ => crate::complete::zero(element),
    };
    Ok((key, found.unwrap_or_else(missing)))
}

/// Reads one value that is no member of its own: a scalar, an element, the value of an entry.
fn value(shape: TypeRef, reader: &mut Reader<'_>, wire: u8, name: &str, depth: u32) -> Result<Value, String> {
    let number = |reader: &mut Reader<'_>| -> Result<u64, String> {
        if wire == form::VARINT { reader.varint() } else { Err(wrong(wire, name)) }
    };
    Ok(match shape.kind() {
        Kind::Scalar(Scalar::Bool) => Value::Bool(number(reader)? != 0),
        // As Go: cut to the width of the type.
        Kind::Scalar(Scalar::Int32) => Value::from((number(reader)? as u32).cast_signed()),
        Kind::Scalar(Scalar::Int64) => Value::from(number(reader)?.cast_signed()),
        Kind::Scalar(Scalar::Float) => {
            if wire != form::FIXED64 {
                return Err(wrong(wire, name));
            }
            let number = f64::from_bits(reader.fixed64()?);
            if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
                // As Go prints them.
                Value::from(number as i64)
            } else {
                let number = serde_json::Number::from_f64(number);
                Value::Number(number.ok_or_else(|| format!("{name} is no finite number"))?)
            }
        }
        kind => {
            let data = expect(reader, wire, name)?;
            match kind {
                Kind::Scalar(Scalar::String) => Value::String(text(data)),
                Kind::Scalar(Scalar::Bytes) => Value::String(STANDARD.encode(data)),
                Kind::Scalar(Scalar::Time) => time(data, false)?,
                Kind::Scalar(Scalar::MicroTime) => time(data, true)?,
                Kind::Scalar(Scalar::Quantity) => {
                    let text = first_text(data)?;
                    Value::String(if text.is_empty() { "0".to_owned() } else { text })
                }
                Kind::Scalar(_) => int_or_string(data)?,
                Kind::Struct { .. } => {
                    let mut map = Map::new();
                    message(shape, &mut map, data, 0, depth + 1)?;
                    Value::Object(map)
                }
                Kind::List(_) => {
                    let mut list = Vec::new();
                    if let Some(element) = shape.element() {
                        wrapped(element, &mut list, data, depth + 1)?;
                    }
                    // A message without items is a nil slice, as an entry without a value is.
                    if list.is_empty() { Value::Null } else { Value::Array(list) }
                }
                // No map of maps is served.
                Kind::Map { .. } => Value::Null,
                Kind::Any { .. } => any(shape, data, depth + 1)?,
            }
        }
    })
}

/// The text that is field 1 of a message.
fn first_text(data: &[u8]) -> Result<String, String> {
    let mut reader = Reader(data);
    let mut found = String::new();
    while let Some((number, wire)) = reader.field("Quantity")? {
        match (number, wire) {
            (1, form::BYTES) => found = text(reader.bytes()?),
            _ => reader.skip(wire)?,
        }
    }
    Ok(found)
}

/// `Time` has whole seconds, `MicroTime` whole microseconds, whatever else is sent; an empty message is no time.
fn time(data: &[u8], micro: bool) -> Result<Value, String> {
    if data.is_empty() {
        return Ok(Value::Null);
    }
    let mut reader = Reader(data);
    let (mut seconds, mut nanos) = (0, 0);
    while let Some((number, wire)) = reader.field("Timestamp")? {
        match (number, wire) {
            (1, form::VARINT) => seconds = reader.varint()?.cast_signed(),
            (2, form::VARINT) => nanos = (reader.varint()? as u32).cast_signed(),
            _ => reader.skip(wire)?,
        }
    }
    let nanos = if micro { nanos / 1000 * 1000 } else { 0 };
    let time = Timestamp::new(seconds, nanos).map_err(|_| format!("time {seconds} is out of range"))?;
    let mut out = String::with_capacity(27);
    DateTimePrinter::new()
        .precision(Some(if micro { 6 } else { 0 }))
        .print_timestamp(&time, &mut out)
        .map_err(|_| format!("time {seconds} is out of range"))?;
    Ok(Value::String(out))
}

fn int_or_string(data: &[u8]) -> Result<Value, String> {
    let mut reader = Reader(data);
    let (mut is_text, mut integer, mut found) = (false, 0, String::new());
    while let Some((number, wire)) = reader.field("IntOrString")? {
        match (number, wire) {
            (1, form::VARINT) => is_text = reader.varint()? != 0,
            (2, form::VARINT) => integer = (reader.varint()? as u32).cast_signed(),
            (3, form::BYTES) => found = text(reader.bytes()?),
            _ => reader.skip(wire)?,
        }
    }
    Ok(if is_text { Value::String(found) } else { integer.into() })
}

fn any(shape: TypeRef, data: &[u8], depth: u32) -> Result<Value, String> {
    let loose = loose(shape);
    let mut found = Value::Null;
    let (mut allows, mut list) = (None, None);
    let mut reader = Reader(data);
    while let Some((number, wire)) = reader.field("RawExtension")? {
        match (loose, number, wire) {
            (Loose::Raw, 1, form::BYTES) => found = raw(reader.bytes()?, depth)?,
            (Loose::OrBool, 1, form::VARINT) => allows = Some(reader.varint()? != 0),
            (Loose::OrArray | Loose::OrTexts, 1, form::BYTES) | (Loose::OrBool, 2, form::BYTES) => {
                found = schema(shape, reader.bytes()?, depth)?;
            }
            (Loose::OrArray, 2, form::BYTES) => {
                list.get_or_insert_with(Vec::new).push(schema(shape, reader.bytes()?, depth)?);
            }
            (Loose::OrTexts, 2, form::BYTES) => {
                list.get_or_insert_with(Vec::new).push(Value::String(text(reader.bytes()?)));
            }
            _ => reader.skip(wire)?,
        }
    }
    if found.is_null() {
        if let Some(list) = list {
            return Ok(Value::Array(list));
        }
        if loose == Loose::OrBool {
            return Ok(Value::Bool(allows.unwrap_or_default()));
        }
    }
    Ok(found)
}

fn schema(shape: TypeRef, data: &[u8], depth: u32) -> Result<Value, String> {
    let mut map = Map::new();
    if let Some(of) = shape.loose_struct() {
        message(of, &mut map, data, 0, depth + 1)?;
    }
    Ok(Value::Object(map))
}

/// The JSON in a `RawExtension`, or the document in protobuf that may be there instead.
fn raw(data: &[u8], depth: u32) -> Result<Value, String> {
    if data.is_empty() {
        return Ok(Value::Null);
    }
    if data.starts_with(MAGIC) {
        if depth > DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        return document(data, ("", ""), depth).map_err(|error| error.message);
    }
    serde_json::from_slice(data).map_err(|error| format!("a raw extension is no JSON: {error}"))
}
