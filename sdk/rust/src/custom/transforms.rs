//! The pure functions that the host calls over stored objects: cells of tables, and objects in another version or
//! under another schema.

use super::strategy;
use chainplate_apimachinery::{
    Status, Value, object,
    schema::{Schema, column::PrinterColumn},
    time,
};
use std::{cell::RefCell, rc::Rc};

/// The transform that makes the cells of a row.
pub const ROWS: &str = "rows";
/// The transform that brings stored objects into a version.
pub const READ: &str = "read";

/// Greatest number of arguments that an instance keeps in compiled form.
const MAX_KEPT: usize = 32;

#[derive(Debug)]
enum Compiled {
    Rows(Vec<PrinterColumn>),
    Read { schema: Box<Schema>, api_version: String, kind: String },
}

/// Arguments that were used last, compiled.
#[derive(Debug, Default)]
pub struct Transforms(RefCell<Vec<(Vec<u8>, Rc<Compiled>)>>);

impl Transforms {
    /// Runs the transform `name` over a batch.
    ///
    /// # Errors
    /// 500 for an unknown transform, an argument or an object that cannot be read.
    pub fn apply(&self, name: &str, argument: &[u8], objects: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, Status> {
        let compiled = self.compiled(name, argument)?;
        let now = time::now();
        objects
            .into_iter()
            .map(|document| {
                let mut object: Value = serde_json::from_slice(&document).map_err(|error| {
                    Status::internal(format_args!("a stored object cannot be read: {error}"))
                })?;
                Ok(match &*compiled {
                    Compiled::Rows(columns) => {
                        let name = Value::from(object::name(&object));
                        let cells = columns.iter().map(|column| column.cell(&object, now));
                        Value::from_iter(std::iter::once(name).chain(cells)).to_string().into_bytes()
                    }
                    Compiled::Read { schema, api_version, kind } => {
                        strategy::fit(schema, api_version, kind, &mut object);
                        object::encode_unsaved(&object)
                    }
                })
            })
            .collect()
    }

    fn compiled(&self, name: &str, argument: &[u8]) -> Result<Rc<Compiled>, Status> {
        let mut kept = self.0.borrow_mut();
        // The forms of the two arguments differ: a list, and an object.
        if let Some(at) = kept.iter().position(|(there, _)| there == argument) {
            let entry = kept.remove(at);
            let compiled = Rc::clone(&entry.1);
            kept.push(entry);
            return Ok(compiled);
        }
        let value: Value = serde_json::from_slice(argument).map_err(|error| {
            Status::internal(format_args!("the argument of {name:?} cannot be read: {error}"))
        })?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let compiled = match name {
            ROWS => {
                let columns = value.as_array().into_iter().flatten();
                let of = |column: &Value, index: usize| {
                    column.get(index).and_then(Value::as_str).unwrap_or_default().to_owned()
                };
                let columns: Result<Vec<_>, _> =
                    columns.map(|column| PrinterColumn::new(&of(column, 0), &of(column, 1))).collect();
                Compiled::Rows(columns.map_err(Status::internal)?)
            }
            READ => Compiled::Read {
                schema: Box::new(Schema::parse(value.get("schema").unwrap_or(&Value::Null))),
                api_version: text("apiVersion"),
                kind: text("kind"),
            },
            _ => return Err(Status::internal(format_args!("there is no transform {name:?}"))),
        };
        let compiled = Rc::new(compiled);
        kept.push((argument.to_vec(), Rc::clone(&compiled)));
        if kept.len() > MAX_KEPT {
            kept.remove(0);
        }
        Ok(compiled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_begin_with_the_name() {
        let transforms = Transforms::default();
        let object = br#"{"metadata":{"name":"a"},"spec":{"size":3}}"#.to_vec();
        for _ in 0..2 {
            let rows =
                transforms.apply(ROWS, br#"[["integer",".spec.size"]]"#, vec![object.clone()]).unwrap();
            assert_eq!(rows, [b"[\"a\",3]".to_vec()]);
        }
    }

    #[test]
    fn objects_are_read_under_the_schema() {
        let argument = br#"{"apiVersion":"g/v2","kind":"W","schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"c":{"type":"string","default":"x"}}}}}}"#;
        let object = br#"{"kind":"W","apiVersion":"g/v1","metadata":{"name":"a","resourceVersion":"7"},"spec":{"o":1}}"#.to_vec();
        let read = Transforms::default().apply(READ, argument, vec![object]).unwrap();
        let read: Value = serde_json::from_slice(&read[0]).unwrap();
        assert_eq!(
            read,
            serde_json::json!({"kind":"W","apiVersion":"g/v2","metadata":{"name":"a","resourceVersion":"7"},"spec":{"c":"x"}})
        );
    }
}
