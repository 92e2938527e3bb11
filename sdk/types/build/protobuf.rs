//! Reads k8s-pb's source: protobuf tags, and the markers of the Go structs that it keeps as comments.

use std::{collections::HashMap, fs, path::Path};

/// A message.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// Markers (`+structType=atomic`) of the type, without the plus.
    pub(crate) markers: Vec<String>,
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
    let mut tag = 0;
    for line in text.lines() {
        let line = line.trim();
        if let Some(comment) = line.strip_prefix("///") {
            if let Some(marker) = comment.trim().strip_prefix('+') {
                markers.push(marker.to_owned());
            }
        } else if let Some(rest) = line.strip_prefix("pub struct ") {
            let name = rest.split([' ', '{', ';']).next().unwrap_or_default();
            let message = Message { markers: std::mem::take(&mut markers), fields: Vec::new() };
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
        } else if let (Some(rest), Some((_, message))) = (line.strip_prefix("pub "), current.as_mut()) {
            if let Some((name, kind)) = rest.split_once(':') {
                let inner = kind.rsplit(['<', ':']).next().unwrap_or_default().trim_end_matches([',', '>']);
                message.fields.push(Field {
                    name: plain(name),
                    tag,
                    markers: std::mem::take(&mut markers),
                    message: plain(inner),
                });
            }
        } else if line == "}" {
            messages.extend(current.take());
            markers.clear();
        }
    }
}
