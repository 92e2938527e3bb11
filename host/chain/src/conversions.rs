//! Conversion of custom resources by components (what a CRD conversion webhook is upstream).

use crate::{instance::Call, plugin::Plugin};
use bytes::Bytes;
use chainplate_apimachinery::{Status, Value};
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

/// Who converts which kinds.
#[derive(Debug, Default)]
pub(crate) struct Conversions(HashMap<(String, String), Weak<Plugin>>);

/// Bytes of objects that are handed to a converter in one go.
const BATCH: usize = 1 << 20;

impl Conversions {
    /// Adds the kinds that a component converts.
    ///
    /// # Errors
    /// A kind that another component converts already.
    pub(crate) fn add(&mut self, plugin: &Arc<Plugin>) -> Result<(), String> {
        let declared = plugin.manifest().map(|manifest| &*manifest.conversions).unwrap_or_default();
        for conversion in declared {
            let key = (conversion.group.clone(), conversion.kind.clone());
            let before = self.0.insert(key, Arc::downgrade(plugin));
            if let Some(other) = before.and_then(|other| other.upgrade()) {
                return Err(format!(
                    "it converts {}.{}, and so does the component {:?}; take one of them out",
                    conversion.kind,
                    conversion.group,
                    other.name()
                ));
            }
        }
        Ok(())
    }

    pub(crate) fn converts(&self, group: &str, kind: &str) -> bool {
        self.0.contains_key(&(group.to_owned(), kind.to_owned()))
    }

    /// Converts objects, and holds the results against the rules for conversion webhooks
    /// (`apiextensions-apiserver/pkg/apiserver/conversion/webhook_converter.go`).
    ///
    /// # Errors
    /// 500 with what the converter says or does wrong.
    pub(crate) async fn convert(
        &self,
        group: &str,
        kind: &str,
        api_version: &str,
        objects: Vec<Vec<u8>>,
        call: Call,
    ) -> Result<Vec<Bytes>, Status> {
        let failed = |why: &dyn std::fmt::Display| {
            Status::internal(format_args!("conversion of {kind}.{group} to {api_version} failed: {why}"))
        };
        let plugin = self.0.get(&(group.to_owned(), kind.to_owned())).and_then(Weak::upgrade);
        let plugin = plugin.ok_or_else(|| failed(&"no component converts it"))?;
        let failed =
            |why: &dyn std::fmt::Display| failed(&format_args!("component {:?}: {why}", plugin.name()));
        let mut results = Vec::with_capacity(objects.len());
        for batch in batches(&objects) {
            let call = call.within(plugin.context.limits.timeout);
            let converted = plugin.convert(call, api_version, batch).await.map_err(|fault| failed(&fault))?;
            let converted = converted.map_err(|status| failed(&status.message()))?;
            if converted.len() != batch.len() {
                let why = format!("{} objects became {}", batch.len(), converted.len());
                return Err(failed(&why));
            }
            for (before, after) in batch.iter().zip(&converted) {
                check(before, after, kind, api_version).map_err(|why| failed(&why))?;
            }
            results.extend(converted);
        }
        Ok(results)
    }
}

/// Consecutive objects of about [`BATCH`] bytes.
fn batches(objects: &[Vec<u8>]) -> impl Iterator<Item = &[Vec<u8>]> {
    let mut rest = objects;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut bytes = 0;
        let count = rest.iter().take_while(|object| {
            let fits = bytes == 0 || bytes + object.len() <= BATCH;
            bytes += object.len();
            fits
        });
        let (batch, after) = rest.split_at(count.count());
        rest = after;
        Some(batch)
    })
}

/// Holds a converted object against the one it was made of.
fn check(before: &[u8], after: &[u8], kind: &str, api_version: &str) -> Result<(), String> {
    let after: Value =
        serde_json::from_slice(after).map_err(|error| format!("a result is no JSON: {error}"))?;
    let before: Value = serde_json::from_slice(before).map_err(|error| error.to_string())?;
    let text = |place: &str| after.pointer(place).and_then(Value::as_str).unwrap_or_default();
    if text("/apiVersion") != api_version || text("/kind") != kind {
        return Err(format!("a result is {} {}", text("/apiVersion"), text("/kind")));
    }
    let rest = |object: &Value| {
        let mut metadata = object.get("metadata").and_then(Value::as_object).cloned().unwrap_or_default();
        metadata.remove("labels");
        metadata.remove("annotations");
        metadata
    };
    if rest(&before) != rest(&after) {
        return Err("it changed metadata other than labels and annotations".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_bounded_by_bytes_and_never_empty() {
        let objects = vec![vec![0; BATCH + 1], vec![0; BATCH / 2], vec![0; BATCH / 2], vec![0; 1]];
        let sizes: Vec<usize> = batches(&objects).map(<[_]>::len).collect();
        assert_eq!(sizes, [1, 2, 1]);
    }

    #[test]
    fn a_converter_may_change_labels_and_nothing_else_of_metadata() {
        let before = br#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"a","uid":"u"}}"#;
        let good =
            br#"{"apiVersion":"g/v2","kind":"K","metadata":{"name":"a","uid":"u","labels":{"x":"y"}}}"#;
        assert_eq!(check(before, good, "K", "g/v2"), Ok(()));
        for (bad, part) in [
            (&br#"{"apiVersion":"g/v2","kind":"K","metadata":{"name":"b","uid":"u"}}"#[..], "metadata"),
            (&br#"{"apiVersion":"g/v1","kind":"K","metadata":{"name":"a","uid":"u"}}"#[..], "g/v1 K"),
            (&b"nope"[..], "no JSON"),
        ] {
            let told = check(before, bad, "K", "g/v2").unwrap_err();
            assert!(told.contains(part), "{told}");
        }
    }
}
