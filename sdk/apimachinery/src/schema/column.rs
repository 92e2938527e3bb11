//! Printer columns (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`).

use super::{jsonpath::JsonPath, number::go_float};
use crate::{Value, table};
use jiff::Timestamp;

/// The type of a column, which decides how its cells look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    Boolean,
    Text,
    Date,
    Unknown,
}

/// One of `additionalPrinterColumns`.
#[derive(Debug, Clone)]
pub struct PrinterColumn {
    kind: Kind,
    path: JsonPath,
}

impl PrinterColumn {
    /// A column of the type `type_` at `path`.
    ///
    /// # Errors
    /// What cannot be read of the path.
    pub fn new(type_: &str, path: &str) -> Result<Self, String> {
        let kind = match type_ {
            "integer" => Kind::Integer,
            "number" => Kind::Number,
            "boolean" => Kind::Boolean,
            "string" => Kind::Text,
            "date" => Kind::Date,
            _ => Kind::Unknown,
        };
        Ok(Self { kind, path: JsonPath::parse(path)? })
    }

    /// The cell of an object; `null` where there is nothing, or something of another type.
    pub fn cell(&self, object: &Value, now: Timestamp) -> Value {
        let found = self.path.find(object);
        let Some(value) = found.first() else { return Value::Null };
        match (self.kind, value) {
            (Kind::Text, value) => text(value).into(),
            (Kind::Integer, Value::Number(number)) => match number.as_i64() {
                Some(whole) => whole.into(),
                // As Go converts: the fraction is cut.
                None => number.as_f64().map_or(Value::Null, |float| (float as i64).into()),
            },
            (Kind::Number, Value::Number(number)) => Value::Number(number.clone()),
            (Kind::Boolean, Value::Bool(_)) => (*value).clone(),
            (Kind::Date, Value::String(time)) => {
                if super::format::is_valid("date-time", time) {
                    table::age(Some(time), now).into()
                } else {
                    "<invalid>".into()
                }
            }
            _ => Value::Null,
        }
    }
}

/// As kubectl's JSONPath prints a value: text as it is, the rest as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        Value::Number(number) if number.as_i64().is_none() => {
            number.as_f64().map_or_else(|| number.to_string(), go_float)
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn cells_have_the_type_of_the_column() {
        let now: Timestamp = "2020-01-01T01:00:00Z".parse().unwrap();
        let object = json!({"i": 3, "f": 2.9, "s": "x", "b": true, "o": {"k": [1]}, "t": "2020-01-01T00:00:00Z", "n": null});
        for (type_, path, wanted) in [
            ("integer", ".i", json!(3)),
            ("integer", ".f", json!(2)),
            ("integer", ".s", Value::Null),
            ("number", ".f", json!(2.9)),
            ("boolean", ".b", json!(true)),
            ("boolean", ".s", Value::Null),
            ("string", ".s", json!("x")),
            ("string", ".i", json!("3")),
            ("string", ".b", json!("true")),
            ("string", ".o", json!("{\"k\":[1]}")),
            ("date", ".t", json!("60m")),
            ("date", ".s", json!("<invalid>")),
            ("date", ".i", Value::Null),
            ("string", ".nope", Value::Null),
        ] {
            assert_eq!(PrinterColumn::new(type_, path).unwrap().cell(&object, now), wanted, "{type_} {path}");
        }
    }
}
