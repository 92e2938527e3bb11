//! What Go writes though nobody said it, and leaves out though somebody did.

use crate::tables::{Field, Presence, TypeRef};
use chainplate_apimachinery::{
    Map, Value,
    shape::{Kind, Scalar, Shape},
};

/// Brings `value` to the form in which Go's encoder writes its struct: members without `omitempty` are there
/// with their zero value (`status: {}`, `resources: {}`, `lastTransitionTime: null`), empty ones with it are
/// not. To be called after defaulting and admission, before an object is stored or answered; calling it again
/// changes nothing.
pub fn complete(shape: TypeRef, value: &mut Value) {
    walk(shape, value, Empty::Nothing);
}

/// As [`complete`], but lists and maps that somebody sent with nothing in them stay: the form in which upstream holds an
/// object between decoding and storing, and compares it for field management (who sends `rules: []` owns `rules`).
pub fn complete_decoded(shape: TypeRef, value: &mut Value) {
    walk(shape, value, Empty::Kept);
}

/// What becomes of an empty list or map that `omitempty` does not leave out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Empty {
    Kept,
    Nothing,
}

fn walk(shape: TypeRef, value: &mut Value, empty: Empty) {
    match value {
        Value::Object(map) => match shape.kind() {
            Kind::Struct { .. } => complete_struct(shape, map, empty),
            Kind::Map { .. } => {
                if let Some(element) = shape.element().filter(|element| !is_leaf(*element)) {
                    for value in map.values_mut() {
                        walk(element, value, empty);
                    }
                }
            }
            _ => {}
        },
        Value::Array(list) => {
            if let Some(element) = shape.element().filter(|element| !is_leaf(*element)) {
                for value in list {
                    walk(element, value, empty);
                }
            }
        }
        _ => {}
    }
}

fn is_leaf(shape: TypeRef) -> bool {
    matches!(shape.kind(), Kind::Scalar(_) | Kind::Any { .. })
}

fn complete_struct(shape: TypeRef, map: &mut Map, empty: Empty) {
    map.retain(|name, value| {
        let Some(field) = shape.member(name) else { return true };
        let presence = field.presence();
        if value.is_null() {
            return presence == Presence::Null;
        }
        if is_left_out(field, value) {
            return false;
        }
        if empty == Empty::Nothing && is_nothing(field, value) {
            *value = Value::Null;
            return true;
        }
        walk(field.shape(), value, empty);
        true
    });
    for field in shape.kept() {
        if !map.contains_key(field.name()) {
            let missing = if field.presence() == Presence::Null { Value::Null } else { zero(field.shape()) };
            map.insert(field.name().to_owned(), missing);
        }
    }
}

/// An object with nothing in it, as Go writes it: `{"metadata": {}, "spec": {"selector": null, …}, "status": {}}`.
pub fn empty(shape: TypeRef) -> Value {
    zero(shape)
}

/// The value of a Go variable that nothing was assigned to, as it is written.
pub(crate) fn zero(shape: TypeRef) -> Value {
    match shape.kind() {
        Kind::Scalar(Scalar::String) => Value::String(String::new()),
        Kind::Scalar(Scalar::Bool) => Value::Bool(false),
        Kind::Scalar(Scalar::Int32 | Scalar::Int64 | Scalar::Float | Scalar::IntOrString) => 0.into(),
        Kind::Scalar(Scalar::Quantity) => "0".into(),
        Kind::Struct { .. } => {
            let mut map = Map::new();
            complete_struct(shape, &mut map, Empty::Nothing);
            Value::Object(map)
        }
        _ => Value::Null,
    }
}

/// Whether `omitempty` leaves a member out. An empty list of managed fields stays: it is a client's wish to end
/// tracking, and goes when the entries are written.
pub(crate) fn is_left_out(field: Field, value: &Value) -> bool {
    field.presence() == Presence::Omit
        && is_zero(value)
        && !(value.is_array() && field.name() == "managedFields")
}

/// Whether a list or map has nothing in it and is written all the same: as `null`, for protobuf, which upstream stores
/// objects in, does not tell an empty one from none. (Definitions of custom resources, which it stores as JSON, have such
/// lists in their status alone, where the server fills them.)
fn is_nothing(field: Field, value: &Value) -> bool {
    matches!(field.presence(), Presence::Keep | Presence::Null)
        && matches!(field.shape().kind(), Kind::List(_) | Kind::Map { .. })
        && is_zero(value)
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_i64() == Some(0) || number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}
