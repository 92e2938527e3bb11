//! The Table projection: which columns a type has, and the cells of an object.
//!
//! Facts: `pkg/printers/internalversion/printers.go`. All columns are told, those of wide output with a priority
//! above 0; a client shows what it wants.

mod cells;
mod columns;
mod config;
mod network;
mod pod;
mod sparse;
mod storage;
#[cfg(test)]
mod tests;
mod workloads;

use crate::{conversion, resources::Resource};
use chainplate_sdk::{
    Column,
    apimachinery::{Status, Value},
};
use columns::{Layout, layout};
use jiff::Timestamp;
use serde_json::json;

/// The transform that yields rows. Its argument is `<group>/<resource>`, the same for all versions.
pub const TRANSFORM: &str = "rows";

/// An object and the time that ages are told at.
///
/// The clock makes rows differ from call to call: they must not be cached for longer than an age stays true.
#[derive(Debug, Clone, Copy)]
struct Row<'a> {
    object: &'a Value,
    now: Timestamp,
}

/// The columns of a resource; none for a type that has no more than name and age, which the host knows itself.
pub fn columns(resource: &Resource) -> Option<Vec<Column>> {
    layout(resource.group, resource.name).map(Layout::columns)
}

/// A label selector in the form of the `labelSelector` parameter; empty for one that selects all.
pub fn selector(selector: &Value) -> String {
    cells::selector_text(selector)
}

/// The columns of Scale documents (`…/scale`).
pub fn scale_columns() -> Vec<Column> {
    columns::SCALE.columns()
}

/// The argument of [`TRANSFORM`] for a resource.
pub fn argument(resource: &Resource) -> String {
    format!("{}/{}", resource.group, resource.name)
}

/// Rows of a batch: for each object a JSON array of cells; for a pod that ran to its end an object
/// `{"cells": […], "conditions": […]}`, because its row carries a condition that kubectl looks at.
///
/// # Errors
/// 500 when `argument` names no resource with columns, or an object is no JSON.
pub fn rows(argument: &[u8], objects: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Status> {
    let argument = String::from_utf8_lossy(argument);
    let layout = argument
        .rsplit_once('/')
        .and_then(|(group, resource)| layout(group, resource))
        .ok_or_else(|| Status::internal(format_args!("no columns for {argument:?}")))?;
    // Stored and served form differ for two types; both print alike.
    let now = Timestamp::now();
    objects
        .iter()
        .map(|bytes| {
            let mut object = sparse::read(bytes)
                .map_err(|error| Status::internal(format_args!("a row of {argument:?}: {error}")))?;
            conversion::to_storage(&mut object);
            serde_json::to_vec(&row(layout, &object, now)).map_err(Status::internal)
        })
        .collect()
}

fn row(layout: &Layout, object: &Value, now: Timestamp) -> Value {
    let cells = (layout.cells)(Row { object, now });
    match pod::conditions(layout, object) {
        Some(conditions) => json!({ "cells": cells, "conditions": conditions }),
        None => Value::Array(cells),
    }
}
