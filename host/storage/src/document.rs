//! What a value must look like, and where `metadata` stands in it.
//!
//! The scan checks the whole document against the grammar of RFC 8259 without building anything, because a
//! broken value would break every list that it stands in.

use bytes::Bytes;
use memchr::memchr2;
use std::ops::Range;

/// Nesting that is accepted; the same bound as upstream's JSON decoder (`sigs.k8s.io/json`).
const MAX_DEPTH: usize = 10_000;

/// A checked value without resourceVersion: kind and apiVersion first, then metadata, then the rest.
#[derive(Debug)]
pub(crate) struct Document {
    value: Bytes,
    /// Offset of the quote that opens `"metadata"`.
    member: u32,
    /// Offset after metadata's opening brace.
    open: u32,
    /// Offset after metadata's closing brace.
    end: u32,
    /// Whether metadata has no members.
    empty: bool,
}

/// A document with its resourceVersion, and the offsets in it.
#[derive(Debug)]
pub(crate) struct Spliced {
    pub(crate) json: Bytes,
    pub(crate) member: u32,
    pub(crate) open: u32,
    /// Length of the inserted text.
    pub(crate) inserted: u32,
    pub(crate) end: u32,
}

impl Document {
    /// Checks a value of at most `limit` bytes. A value that is right but in another order is put in order, and
    /// a resourceVersion in it is dropped.
    pub(crate) fn parse(value: Bytes, limit: usize) -> Result<Self, String> {
        // Offsets are u32, and the splice adds some 50 bytes.
        let limit = limit.min(u32::MAX as usize - 64);
        if value.len() > limit {
            return Err(format!(
                "it has {} bytes, the limit is {limit}; store less in one object",
                value.len()
            ));
        }
        if std::str::from_utf8(&value).is_err() {
            return Err("it is not UTF-8".to_owned());
        }
        let layout = Layout::of(&value)?;
        if layout.canonical {
            return Ok(layout.into_document(value));
        }
        let ordered = Bytes::from(layout.rewrite(&value));
        Ok(Layout::of(&ordered)?.into_document(ordered))
    }

    /// Whether `pieces` (see `Object::stored`) are this document.
    pub(crate) fn equals(&self, (before, after): (&[u8], &[u8])) -> bool {
        let open = self.open as usize;
        before.len() == open
            && before.len() + after.len() == self.value.len()
            && self.value[..open] == *before
            && self.value[open..] == *after
    }

    /// The document as it is served at `revision`.
    pub(crate) fn splice(&self, revision: u64) -> Spliced {
        let at = self.open as usize;
        splice(&self.value[..at], &self.value[at..], self.empty, revision, (self.member, self.open, self.end))
    }

    /// The checked value.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.value
    }

    /// The value of `metadata`.
    pub(crate) fn metadata(&self) -> &[u8] {
        &self.value[self.open as usize - 1..self.end as usize]
    }

    /// How many bytes it has.
    pub(crate) fn len(&self) -> usize {
        self.value.len()
    }
}

/// The text that is inserted after metadata's opening brace.
pub(crate) fn resource_version(revision: u64, empty: bool) -> String {
    format!("\"resourceVersion\":\"{revision}\"{}", if empty { "" } else { "," })
}

/// Joins both pieces with the resourceVersion between; `member`, `open` and `end` are offsets without it.
pub(crate) fn splice(
    before: &[u8],
    after: &[u8],
    empty: bool,
    revision: u64,
    (member, open, end): (u32, u32, u32),
) -> Spliced {
    let text = resource_version(revision, empty);
    let mut json = Vec::with_capacity(before.len() + text.len() + after.len());
    json.extend_from_slice(before);
    json.extend_from_slice(text.as_bytes());
    json.extend_from_slice(after);
    // The length is below 50: fifteen letters, twenty digits, punctuation.
    let inserted = text.len() as u32;
    Spliced { json: Bytes::from(json), member, open, inserted, end: end + inserted }
}

/// What the scan finds. Ranges reach from the quote that opens the name to the end of the value.
#[derive(Default)]
struct Layout {
    /// kind and apiVersion.
    head: Vec<Range<usize>>,
    metadata: Option<Range<usize>>,
    /// All other members.
    rest: Vec<Range<usize>>,
    /// Offset after metadata's opening brace.
    open: usize,
    /// Members of metadata but resourceVersion.
    metadata_members: Vec<Range<usize>>,
    /// kind and apiVersion stand before metadata, everything else after it, no resourceVersion in it.
    canonical: bool,
}

impl Layout {
    fn of(bytes: &[u8]) -> Result<Self, String> {
        let mut layout = Self { canonical: true, ..Self::default() };
        let mut heads = [false; 2];
        let mut scanner = Scanner { bytes, at: 0, closers: Vec::new() };
        scanner.open("it is not a JSON object")?;
        let mut first = true;
        while let Some(name) = scanner.member(&mut first)? {
            let start = name.start - 1;
            match &bytes[name] {
                b"metadata" => {
                    if layout.metadata.is_some() {
                        return Err("metadata stands in it twice".to_owned());
                    }
                    layout.scan_metadata(&mut scanner)?;
                    layout.metadata = Some(start..scanner.at);
                }
                head @ (b"kind" | b"apiVersion") => {
                    if std::mem::replace(&mut heads[usize::from(head == b"kind")], true) {
                        return Err("kind or apiVersion stands in it twice".to_owned());
                    }
                    layout.canonical &= layout.metadata.is_none();
                    scanner.value(1)?;
                    layout.head.push(start..scanner.at);
                }
                _ => {
                    layout.canonical &= layout.metadata.is_some();
                    scanner.value(1)?;
                    layout.rest.push(start..scanner.at);
                }
            }
        }
        scanner.space();
        if scanner.at != bytes.len() {
            return Err(scanner.error("nothing more"));
        }
        if layout.metadata.is_none() {
            return Err("it has no metadata".to_owned());
        }
        Ok(layout)
    }

    fn scan_metadata(&mut self, scanner: &mut Scanner<'_>) -> Result<(), String> {
        scanner.open("metadata is not an object")?;
        self.open = scanner.at;
        let mut first = true;
        while let Some(name) = scanner.member(&mut first)? {
            let start = name.start - 1;
            scanner.value(2)?;
            if scanner.bytes[name] == *b"resourceVersion" {
                self.canonical = false;
            } else {
                self.metadata_members.push(start..scanner.at);
            }
        }
        Ok(())
    }

    fn into_document(self, value: Bytes) -> Document {
        let metadata = self.metadata.unwrap_or_default();
        // The limit on values keeps all offsets within u32.
        Document {
            value,
            member: metadata.start as u32,
            open: self.open as u32,
            end: metadata.end as u32,
            empty: self.metadata_members.is_empty(),
        }
    }

    /// The same document in canonical order.
    fn rewrite(&self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len() + 16);
        let member = |out: &mut Vec<u8>, range: &Range<usize>| {
            if !out.ends_with(b"{") {
                out.push(b',');
            }
            out.extend_from_slice(&bytes[range.clone()]);
        };
        out.push(b'{');
        self.head.iter().for_each(|range| member(&mut out, range));
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(b"\"metadata\":{");
        self.metadata_members.iter().for_each(|range| member(&mut out, range));
        out.push(b'}');
        self.rest.iter().for_each(|range| member(&mut out, range));
        out.push(b'}');
        out
    }
}

/// A JSON grammar check that remembers nothing but open brackets.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Brackets that close what is open, innermost last.
    closers: Vec<u8>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn error(&self, expected: &str) -> String {
        match self.peek() {
            Some(byte) => {
                format!(
                    "it is not JSON: expected {expected} at byte {}, found {:?}",
                    self.at,
                    char::from(byte)
                )
            }
            None => format!("it is not JSON: expected {expected}, but it ends at byte {}", self.at),
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, name: &str) -> Result<(), String> {
        if self.peek() != Some(byte) {
            return Err(self.error(name));
        }
        self.at += 1;
        Ok(())
    }

    /// Enters an object.
    fn open(&mut self, otherwise: &str) -> Result<(), String> {
        self.space();
        self.expect(b'{', "").map_err(|_| otherwise.to_owned())
    }

    /// Steps to the next member of the object that was entered and over its name and colon. Its value must have
    /// been scanned before the next call. `None`: the object was closed.
    fn member(&mut self, first: &mut bool) -> Result<Option<Range<usize>>, String> {
        self.space();
        let first = std::mem::replace(first, false);
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(None);
        }
        if !first {
            self.expect(b',', "',' or '}'")?;
            self.space();
        }
        self.name().map(Some)
    }

    fn name(&mut self) -> Result<Range<usize>, String> {
        let name = self.string()?;
        self.space();
        self.expect(b':', "':'")?;
        Ok(name)
    }

    /// Scans a string; the range is what stands between the quotes.
    fn string(&mut self) -> Result<Range<usize>, String> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        loop {
            let rest = &self.bytes[self.at..];
            let Some(length) = memchr2(b'"', b'\\', rest) else {
                self.at = self.bytes.len();
                return Err(self.error("the end of a string"));
            };
            // Without a branch, so that the compiler checks many bytes at once.
            if rest[..length].iter().fold(false, |found, byte| found | (*byte < 0x20)) {
                return Err(format!("it is not JSON: a control character in the string at byte {start}"));
            }
            self.at += length;
            if self.bytes[self.at] == b'"' {
                self.at += 1;
                return Ok(start..self.at - 1);
            }
            self.at += 1;
            match self.peek() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
                Some(b'u') if self.bytes.get(self.at + 1..self.at + 5).is_some_and(all_hex) => self.at += 5,
                _ => return Err(self.error("an escape")),
            }
        }
    }

    fn digits(&mut self) -> Result<(), String> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.error("a digit")) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), String> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn literal(&mut self, text: &str) -> Result<(), String> {
        if !self.bytes[self.at..].starts_with(text.as_bytes()) {
            return Err(self.error("a value"));
        }
        self.at += text.len();
        Ok(())
    }

    /// Scans a value that stands at `depth` (the document is at 0). No recursion: depth costs one byte a level.
    fn value(&mut self, depth: usize) -> Result<(), String> {
        self.closers.clear();
        loop {
            self.space();
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    let closer = if open == b'{' { b'}' } else { b']' };
                    if self.closers.len() + depth >= MAX_DEPTH {
                        return Err(format!("it is nested deeper than {MAX_DEPTH} levels"));
                    }
                    self.at += 1;
                    self.space();
                    if self.peek() == Some(closer) {
                        self.at += 1;
                    } else {
                        if closer == b'}' {
                            self.name()?;
                        }
                        self.closers.push(closer);
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string()?;
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => return Err(self.error("a value")),
            }
            // A value has ended; so may have what it stands in.
            loop {
                let Some(closer) = self.closers.last().copied() else { return Ok(()) };
                self.space();
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        if closer == b'}' {
                            self.space();
                            self.name()?;
                        }
                        break;
                    }
                    Some(byte) if byte == closer => {
                        self.at += 1;
                        self.closers.pop();
                    }
                    _ => return Err(self.error("',' or the end of an object or array")),
                }
            }
        }
    }
}

fn all_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
