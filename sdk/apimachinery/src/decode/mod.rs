//! Request bodies: JSON and YAML into a [`Value`], with Go's texts for what cannot be read.
//!
//! The fast path makes the value and learns whether any object had a key twice. Only if something is to be told
//! to the client is the document walked again, for paths and their order.

mod json;
mod order;
mod yaml;

pub use json::syntax_error;
pub use order::strict_errors;

use crate::Value;

/// How deep objects and lists may nest. serde_json's own limit, which holds for what is read back from storage,
/// too; upstream's is 10,000.
pub const MAX_DEPTH: usize = 127;

/// A document as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// Its value; of a key that stands twice, the last.
    pub value: Value,
    /// Whether some key stands twice in one object.
    pub has_duplicates: bool,
    /// What a strict YAML parser says, `line 3: key "a" already set in map`; empty for JSON.
    pub yaml_errors: Vec<String>,
}

/// Why a body is no document in protobuf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// The apiVersion that the document says; empty where it was not read so far.
    pub api_version: String,
    /// Its kind, likewise.
    pub kind: String,
    /// What is wrong, in Go's words.
    pub message: String,
}

impl Malformed {
    /// What is wrong with a document before its type is known.
    pub fn untyped(message: impl Into<String>) -> Self {
        Self { api_version: String::new(), kind: String::new(), message: message.into() }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Malformed {}

/// Reads JSON.
///
/// # Errors
/// Go's text: `unexpected end of JSON input`, `invalid character …`.
pub fn json(body: &[u8]) -> Result<Document, String> {
    json::parse(body)
}

/// Reads the first document of a YAML stream, which may be JSON; an empty one is `null`.
///
/// # Errors
/// The parser's text, `yaml: line 4: …`.
pub fn yaml(body: &[u8]) -> Result<Document, String> {
    yaml::parse(body)
}

/// A body in an error message: at most 30 bytes, as text if it is JSON, else in hex (`summarizeData` of
/// `endpoints/handlers/rest.go`).
pub fn summarize(body: &[u8]) -> String {
    const MAX: usize = 30;
    let head = &body[..body.len().min(MAX)];
    let dots = if body.len() > MAX { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{dots}", String::from_utf8_lossy(head)),
        Some(_) => {
            use std::fmt::Write as _;
            let mut text = String::with_capacity(head.len() * 2 + dots.len());
            for byte in head {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            text.push_str(dots);
            text
        }
    }
}

#[cfg(test)]
mod tests;
