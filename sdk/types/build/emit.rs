//! Writes the tables as Rust statics.

use crate::tables::Tables;
use std::fmt::Write;

pub(crate) fn tables(tables: &Tables) -> String {
    let mut out = String::from("// Made by build/main.rs.\n");
    list(&mut out, "NAMES", "&str", tables.names.iter().map(|name| format!("{name:?}")));
    list(
        &mut out,
        "TYPES",
        "TypeRow",
        tables.types.iter().map(|row| {
            format!(
                "TypeRow{{package:{},name:{},fields:{},field_count:{},tags:{},tag_count:{},kept:{},kept_count:{}}}",
                row.package,
                row.name,
                row.fields,
                row.field_count,
                row.tags,
                row.tag_count,
                row.kept,
                row.kept_count
            )
        }),
    );
    list(
        &mut out,
        "FIELDS",
        "FieldRow",
        tables.fields.iter().map(|row| {
            format!(
                "FieldRow{{name:{},shape:{},merge_key:{},default:{},tag:{},outer_tag:{},flags:{}}}",
                row.name, row.shape, row.merge_key, row.default, row.tag, row.outer_tag, row.flags
            )
        }),
    );
    list(
        &mut out,
        "TAGS",
        "TagRow",
        tables
            .tags
            .iter()
            .map(|row| format!("TagRow{{way:{},tag:{},field:{}}}", row.way, row.tag, row.field)),
    );
    list(
        &mut out,
        "SHAPES",
        "ShapeRow",
        tables.shapes.iter().map(|row| {
            format!(
                "ShapeRow{{code:{},key_count:{},keys:{},of:{},go:{}}}",
                row.code, row.key_count, row.keys, row.of, row.go
            )
        }),
    );
    list(&mut out, "KEPT", "u16", tables.kept.iter().map(u16::to_string));
    list(&mut out, "MEMBERS", "u16", tables.members.iter().map(u16::to_string));
    list(&mut out, "KEYS", "u16", tables.keys.iter().map(u16::to_string));
    list(&mut out, "KINDS", "[u16;4]", tables.kinds.iter().map(|row| format!("{row:?}")));
    list(&mut out, "ROOTS", "u16", tables.roots.iter().map(u16::to_string));
    out
}

pub(crate) fn descriptions(tables: &Tables) -> String {
    let mut out = String::from("// Made by build/main.rs.\n");
    texts(&mut out, "TYPE_DESCRIPTION", &mut tables.types.iter().map(|row| row.description.as_str()));
    texts(&mut out, "FIELD_DESCRIPTION", &mut tables.fields.iter().map(|row| row.description.as_str()));
    out
}

/// All texts in one, with the offset where each ends.
pub(crate) fn texts(out: &mut String, name: &str, texts: &mut dyn Iterator<Item = &str>) {
    let mut all = String::new();
    let mut ends = Vec::new();
    for text in texts {
        all.push_str(text);
        ends.push(all.len().to_string());
    }
    let _ = writeln!(out, "pub(crate) static {name}_TEXT: &str = {all:?};");
    list(out, &format!("{name}_ENDS"), "u32", ends.into_iter());
}

pub(crate) fn list(out: &mut String, name: &str, kind: &str, rows: impl ExactSizeIterator<Item = String>) {
    let _ = write!(out, "pub(crate) static {name}: [{kind}; {}] = [", rows.len());
    for row in rows {
        out.push_str(&row);
        out.push(',');
    }
    out.push_str("];\n");
}
