//! What OpenAPI documents tell beyond the tables: lists, options in queries, types with a JSON form of their own, unions.

use crate::{
    emit,
    openapi::Definition,
    protobuf::{Message, plain},
    tables::{Tables, package},
};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

/// Definitions that are not structs, or are not reached from served kinds.
const SPECIAL: &[&str] = &[
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray",
    "io.k8s.apimachinery.pkg.api.resource.Quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    "io.k8s.apimachinery.pkg.version.Info",
];

/// Structs that stand in a query.
const OPTIONS: &[&str] = &[
    "apimachinery.pkg.apis.meta.v1.CreateOptions",
    "apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "apimachinery.pkg.apis.meta.v1.ListOptions",
    "apimachinery.pkg.apis.meta.v1.PatchOptions",
    "apimachinery.pkg.apis.meta.v1.UpdateOptions",
    "api.core.v1.NodeProxyOptions",
    "api.core.v1.PodAttachOptions",
    "api.core.v1.PodExecOptions",
    "api.core.v1.PodLogOptions",
    "api.core.v1.PodPortForwardOptions",
    "api.core.v1.PodProxyOptions",
    "api.core.v1.ServiceProxyOptions",
];

pub(crate) fn tables(
    tables: &Tables,
    schemas: &BTreeMap<String, Definition>,
    messages: &HashMap<String, Message>,
) -> String {
    let mut out = String::from("// Made by build/main.rs.\n");
    let special = |name: &&str| {
        let description = schemas.get(*name).map(|found| found.description.as_str()).unwrap_or_default();
        format!("({name:?},{description:?})")
    };
    emit::list(&mut out, "SPECIAL", "(&str,&str)", SPECIAL.iter().map(special));
    info(&mut out, schemas);
    lists(&mut out, tables, messages);
    options(&mut out, messages);
    unions(&mut out, tables, messages);
    out
}

/// The members of `version.Info`: name, whether it is required, documentation.
fn info(out: &mut String, schemas: &BTreeMap<String, Definition>) {
    let rows: Vec<String> =
        schemas.get("io.k8s.apimachinery.pkg.version.Info").map_or_else(Vec::new, |info| {
            let row = |(name, schema): &(String, crate::openapi::Schema)| {
                format!("({name:?},{},{:?})", info.required.contains(name), schema.description)
            };
            info.properties.iter().map(row).collect()
        });
    emit::list(out, "INFO", "(&str,bool,&str)", rows.into_iter());
}

/// Of each served kind the documentation of its list, and of that list's metadata and items.
fn lists(out: &mut String, tables: &Tables, messages: &HashMap<String, Message>) {
    let mut texts: Vec<&str> = Vec::new();
    for row in &tables.kinds {
        let message = tables.types.get(usize::from(tables.shapes[usize::from(row[3])].of)).and_then(|kind| {
            let (package, name) =
                (&tables.names[usize::from(kind.package)], &tables.names[usize::from(kind.name)]);
            messages.get(&format!("{}.{}list", package.replace('-', "_"), plain(name)))
        });
        let field = |wanted: &str| {
            let found = message.and_then(|message| message.fields.iter().find(|field| field.name == wanted));
            found.map(|field| field.doc.as_str()).unwrap_or_default()
        };
        texts.extend([
            message.map(|message| message.doc.as_str()).unwrap_or_default(),
            field("metadata"),
            field("items"),
        ]);
    }
    emit::texts(out, "LIST", &mut texts.into_iter());
}

/// Name and fields: name, type, documentation.
fn options(out: &mut String, messages: &HashMap<String, Message>) {
    let rows = OPTIONS.iter().map(|name| {
        let (module, kind) = package(name);
        let mut row = format!("({kind:?},&[");
        if let Some(message) = messages.get(&format!("{module}.{}", plain(kind))) {
            let mut fields: Vec<_> = message.fields.iter().filter(|field| !field.kind.is_empty()).collect();
            fields.sort_by(|a, b| a.json.cmp(&b.json));
            for field in fields {
                let _ = write!(row, "({:?},{:?},{:?}),", field.json, field.kind, field.doc);
            }
        }
        row.push_str("])");
        row
    });
    emit::list(out, "OPTIONS", "(&str,&[(&str,&str,&str)])", rows);
}

/// Types that hold one of several members: number, and the member that says which.
fn unions(out: &mut String, tables: &Tables, messages: &HashMap<String, Message>) {
    let mut rows = Vec::new();
    for (id, kind) in tables.types.iter().enumerate() {
        let (package, name) =
            (&tables.names[usize::from(kind.package)], &tables.names[usize::from(kind.name)]);
        let Some(message) = messages.get(&format!("{}.{}", package.replace('-', "_"), plain(name))) else {
            continue;
        };
        if message.markers.iter().any(|marker| marker == "union") {
            let discriminator = message
                .fields
                .iter()
                .find(|field| field.markers.iter().any(|marker| marker == "unionDiscriminator"));
            rows.push(format!(
                "({id},{:?})",
                discriminator.map(|field| field.json.as_str()).unwrap_or_default()
            ));
        }
    }
    emit::list(out, "UNIONS", "(u16,&str)", rows.into_iter());
}
