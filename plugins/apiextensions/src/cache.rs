//! Compiled definitions, kept per instance within bounds.

use chainplate_sdk::{
    Collection,
    apimachinery::{Status, Value},
    conversion,
    custom::Definition,
};
use std::{cell::RefCell, rc::Rc};

/// Greatest number of definitions that an instance keeps.
const MAX_DEFINITIONS: usize = 256;
/// Greatest size of the documents of all definitions that an instance keeps, in bytes.
const MAX_BYTES: usize = 16 << 20;

#[derive(Debug)]
struct Entry {
    name: String,
    revision: u64,
    bytes: usize,
    definition: Rc<Definition>,
}

/// The definitions that were used last; the most recent ones at the end.
#[derive(Debug, Default)]
pub(crate) struct Cache(RefCell<Vec<Entry>>);

impl Cache {
    /// The definition of that name as it is stored now, compiled anew only if it changed.
    ///
    /// # Errors
    /// 500 when the stored document cannot be read.
    pub(crate) fn get(&self, crds: &Collection, name: &str) -> Result<Option<Rc<Definition>>, Status> {
        let stored = crds.get(None, name);
        let mut entries = self.0.borrow_mut();
        let at = entries.iter().position(|entry| entry.name == name);
        let Some(stored) = stored else {
            if let Some(at) = at {
                entries.remove(at);
            }
            return Ok(None);
        };
        let revision = stored.revision();
        if let Some(at) = at {
            let entry = entries.remove(at);
            if entry.revision == revision {
                let definition = Rc::clone(&entry.definition);
                entries.push(entry);
                return Ok(Some(definition));
            }
        }
        let document = stored.value();
        let value: Value = serde_json::from_slice(&document).map_err(|error| {
            Status::internal(format_args!("the stored definition {name} cannot be read: {error}"))
        })?;
        let converted = conversion::converts(
            value.pointer("/spec/group").and_then(Value::as_str).unwrap_or_default(),
            value.pointer("/spec/names/kind").and_then(Value::as_str).unwrap_or_default(),
        );
        let definition = Rc::new(Definition::compile(&value, converted));
        let entry = Entry {
            name: name.to_owned(),
            revision,
            bytes: document.len(),
            definition: Rc::clone(&definition),
        };
        entries.push(entry);
        let mut bytes: usize = entries.iter().map(|entry| entry.bytes).sum();
        while entries.len() > 1 && (entries.len() > MAX_DEFINITIONS || bytes > MAX_BYTES) {
            bytes -= entries.remove(0).bytes;
        }
        Ok(Some(definition))
    }
}
