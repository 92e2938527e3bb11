//! Reads k8s-pb's source: protobuf tags, and the markers of the Go structs that it keeps as comments.

use std::{collections::HashMap, fs, path::Path};

/// A message.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// Markers (`+structType=atomic`) of the type, without the plus.
    pub(crate) markers: Vec<String>,
    pub(crate) doc: String,
    pub(crate) fields: Vec<Field>,
}

/// A field of a message.
#[derive(Debug)]
pub(crate) struct Field {
    /// Lower case, without underscores.
    pub(crate) name: String,
    pub(crate) tag: u16,
    pub(crate) markers: Vec<String>,
    /// The message's name where the field is one, in the same module.
    pub(crate) message: String,
    pub(crate) doc: String,
    /// As it is in JSON: `dryRun`.
    pub(crate) json: String,
    /// The type in OpenAPI, empty for messages.
    pub(crate) kind: &'static str,
}

/// Messages by module and name in lower case: `api.core.v1.pod`.
pub(crate) fn read(root: &Path) -> Result<HashMap<String, Message>, String> {
    let mut messages = HashMap::new();
    let mut pending = vec![(root.to_path_buf(), String::new())];
    while let Some((folder, module)) = pending.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                pending.push((path, format!("{module}{name}.")));
            } else if name == "mod.rs" {
                let text =
                    fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                parse(&text, &module, &mut messages);
            }
        }
    }
    if messages.len() < 500 {
        return Err(format!("only {} messages below {}", messages.len(), root.display()));
    }
    Ok(messages)
}

/// Lower case, letters and digits alone: what the names of Go, JSON and Rust have in common.
pub(crate) fn plain(name: &str) -> String {
    name.trim_start_matches("r#")
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

fn parse(text: &str, module: &str, messages: &mut HashMap<String, Message>) {
    let mut current: Option<(String, Message)> = None;
    let mut markers: Vec<String> = Vec::new();
    let mut comments: Vec<&str> = Vec::new();
    let mut tag = 0;
    let mut kind = "";
    for line in text.lines() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix("///") {
            if let Some(marker) = comment.trim().strip_prefix('+') {
                markers.push(marker.to_owned());
            }
            comments.push(comment.strip_prefix(' ').unwrap_or(comment));
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = rest.split([' ', '{', ';']).next().unwrap_or_default();
            let message = Message {
                markers: std::mem::take(&mut markers),
                doc: documentation(&std::mem::take(&mut comments)),
                fields: Vec::new(),
            };
            let name = format!("{module}{}", plain(name));
            if line.ends_with('{') {
                current = Some((name, message));
            } else {
                messages.insert(name, message);
            }
        } else if line.starts_with("#[prost(") {
            tag = line
                .split("tag = \"")
                .nth(1)
                .and_then(|rest| rest.split('"').next()?.parse().ok())
                .unwrap_or(0);
            kind = match line.trim_start_matches("#[prost(").split([',', ' ']).next() {
                Some("bool") => "boolean",
                Some("int32" | "int64") => "integer",
                Some("string") => "string",
                _ => "",
            };
        } else if let (Some(rest), Some((_, message))) = (line.strip_prefix("pub "), current.as_mut()) {
            if let Some((name, rust)) = rest.split_once(':') {
                let inner = rust.rsplit(['<', ':']).next().unwrap_or_default().trim_end_matches([',', '>']);
                message.fields.push(Field {
                    name: plain(name),
                    tag,
                    markers: std::mem::take(&mut markers),
                    message: plain(inner),
                    doc: documentation(&std::mem::take(&mut comments)),
                    json: camel(name),
                    kind,
                });
            }
        } else if line == "}" {
            messages.extend(current.take());
            markers.clear();
            comments.clear();
        }
    }
}

/// `dry_run` → `dryRun`.
fn camel(name: &str) -> String {
    let mut words = name.trim_start_matches("r#").split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}

/// Comments as OpenAPI shows them: a paragraph on one line, indented lines as they are; without markers, notes
/// to developers and what prost added for rustdoc.
fn documentation(comments: &[&str]) -> String {
    let mut out = String::new();
    let mut fenced = false;
    for comment in comments {
        let line = comment.trim_end().replace("\\[", "[").replace("\\]", "]");
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let line = unlinked(&line);
        if line.starts_with("---") {
            break;
        }
        if line.trim_start().starts_with('+') || line.trim_start().starts_with("TODO") {
            continue;
        }
        if line.is_empty() {
            out.truncate(out.trim_end_matches(' ').len());
            out.push_str("\n\n");
        } else if fenced || line.starts_with([' ', '\t']) {
            out.pop();
            out.push('\n');
            out.push_str(&line);
            out.push('\n');
        } else {
            out.push_str(&line);
            out.push(' ');
        }
    }
    out.trim_end().to_owned()
}

/// Without the angle brackets around addresses.
fn unlinked(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("<http") {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.find('>').unwrap_or(rest.len());
        out.push_str(&rest[..end]);
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    out
}
