//! The columns of each type.
//!
//! A type that is not here has a name and the time of its creation, which the host knows itself: upstream's
//! default convertor (roles, cluster roles, limit ranges).

use super::Row;
use chainplate_sdk::{Column, apimachinery::Value};

/// The columns of a resource and the function that fills them.
#[derive(Debug)]
pub(super) struct Layout {
    group: &'static str,
    pub(super) resource: &'static str,
    columns: &'static [Cell],
    pub(super) cells: fn(Row<'_>) -> Vec<Value>,
}

/// A column: title, type, meaning, and whether it is shown in wide output alone.
#[derive(Debug, Clone, Copy)]
struct Cell {
    name: &'static str,
    kind: &'static str,
    format: &'static str,
    doc: Doc,
    wide: bool,
}

/// What a column means.
#[derive(Debug, Clone, Copy)]
enum Doc {
    /// In words of its own.
    Text(&'static str),
    /// As a field of a type is documented.
    Field(&'static str, &'static str),
    /// Nothing: upstream names a field that has no documentation.
    Nothing,
}

use Doc::{Field, Nothing, Text};

const META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

const fn cell(name: &'static str, kind: &'static str, doc: Doc) -> Cell {
    Cell { name, kind, format: "", doc, wide: false }
}

const fn text(name: &'static str, doc: Doc) -> Cell {
    cell(name, "string", doc)
}

const fn integer(name: &'static str, doc: Doc) -> Cell {
    cell(name, "integer", doc)
}

const fn boolean(name: &'static str, doc: Doc) -> Cell {
    cell(name, "boolean", doc)
}

const fn wide(name: &'static str, doc: Doc) -> Cell {
    Cell { wide: true, ..text(name, doc) }
}

const NAME: Cell = Cell { format: "name", ..text("Name", Field(META, "name")) };
const AGE: Cell = text("Age", Field(META, "creationTimestamp"));
const CONTAINERS: Cell = wide("Containers", Text("Names of each container in the template."));
const IMAGES: Cell = wide("Images", Text("Images referenced by each container in the template."));
const READY: Cell = text("Ready", Text("Number of the pod with ready state"));

/// Shortens the names of the types of the API groups.
macro_rules! api {
    ($name:literal) => {
        concat!("io.k8s.api.", $name)
    };
}

mod config;
mod network;
mod storage;
mod workloads;

pub(super) use workloads::SCALE;

const fn of(
    group: &'static str,
    resource: &'static str,
    columns: &'static [Cell],
    cells: fn(Row<'_>) -> Vec<Value>,
) -> Layout {
    Layout { group, resource, columns, cells }
}

/// The layout of a resource.
pub(super) fn layout(group: &str, resource: &str) -> Option<&'static Layout> {
    [workloads::LAYOUTS, network::LAYOUTS, storage::LAYOUTS, config::LAYOUTS]
        .into_iter()
        .flatten()
        .chain([&SCALE])
        .find(|layout| layout.group == group && layout.resource == resource)
}

impl Layout {
    /// The columns as the host wants them.
    pub(super) fn columns(&self) -> Vec<Column> {
        self.columns.iter().map(Cell::column).collect()
    }
}

impl Cell {
    fn column(&self) -> Column {
        Column {
            name: self.name.into(),
            type_: self.kind.into(),
            format: self.format.into(),
            description: match self.doc {
                Text(text) => text.into(),
                Field(schema, field) => crate::types::description(schema, field).into(),
                Nothing => String::new(),
            },
            priority: i32::from(self.wide),
        }
    }
}
