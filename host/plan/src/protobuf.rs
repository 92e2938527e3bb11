//! Protobuf of built-in types, Status and the metadata projections, made from JSON by the tables of the types.

use bytes::Bytes;
use chainplate_apimachinery::selector::scan;
pub(crate) use chainplate_types::protobuf::List;

/// Whether a document's kind has a protobuf form.
pub(crate) fn is_known(json: &[u8]) -> bool {
    chainplate_types::protobuf::is_known(&text(json, "apiVersion"), &text(json, "kind"))
}

/// A document in its envelope; `None` if its kind has no protobuf.
pub(crate) fn encode(json: &[u8]) -> Option<Vec<u8>> {
    chainplate_types::protobuf::encode(json, &text(json, "apiVersion"), &text(json, "kind"))
}

/// Appends an event of a watch. Only forms that have protobuf are negotiated.
pub(crate) fn write_frame(out: &mut Vec<u8>, kind: &str, json: &[u8]) {
    let object = encode(json).unwrap_or_default();
    chainplate_types::protobuf::watch_frame(out, kind, &object);
}

/// The items of a list in pieces, until they can be sent behind their length.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    done: Vec<Bytes>,
    current: Vec<u8>,
    length: usize,
}

impl Pieces {
    /// Encodes an item; `None` if it is no JSON.
    pub(crate) fn item(&mut self, list: &List, json: &[u8]) -> Option<()> {
        let before = self.current.len();
        list.item(&mut self.current, json)?;
        self.length += self.current.len() - before;
        if self.current.len() >= crate::body::CHUNK {
            self.done.push(std::mem::take(&mut self.current).into());
        }
        Some(())
    }

    /// All of the list; `metadata` is its JSON. `None` if that is none.
    pub(crate) fn finish(mut self, list: &List, metadata: &str) -> Option<Vec<Bytes>> {
        let mut head = list.head(metadata.as_bytes(), self.length)?;
        if self.done.is_empty() {
            // A small list is one piece.
            head.append(&mut self.current);
        }
        self.done.insert(0, head.into());
        if !self.current.is_empty() {
            self.done.push(self.current.into());
        }
        Some(self.done)
    }
}

fn text(json: &[u8], name: &str) -> String {
    scan::member(json, name).and_then(scan::string).unwrap_or_default().into_owned()
}
