//! The targets, by what they read.

mod documents;
mod objects;
mod patches;
mod queries;
mod requests;

use crate::Target;
use chainplate_apimachinery::{Status, Value};

/// All targets.
pub const TARGETS: &[Target] = &[
    documents::JSON,
    documents::YAML,
    documents::PROTOBUF,
    documents::TYPED,
    patches::JSON_PATCH,
    patches::MERGE_PATCH,
    patches::STRATEGIC_MERGE_PATCH,
    patches::APPLY,
    queries::LABEL_SELECTOR,
    queries::FIELD_SELECTOR,
    queries::CONTINUE_TOKEN,
    queries::ACCEPT,
    queries::OPTIONS,
    requests::REQUEST,
];

/// Text for targets that read text: what a client sends gets here as UTF-8 or not at all.
fn text(input: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(input)
}

/// The client is at fault, and is told so.
fn assert_refused(status: &Status) {
    assert!((400..500).contains(&status.code()), "{} {}", status.code(), status.message());
    assert!(!status.message().is_empty(), "{} without a message", status.code());
}

/// The bytes that a value takes.
fn size(value: &Value) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}
