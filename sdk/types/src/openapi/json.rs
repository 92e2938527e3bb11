//! JSON as text, written front to back.

/// A document that grows; it sees to commas and escapes, the caller to balance.
#[derive(Debug, Default)]
pub(super) struct Json {
    out: Vec<u8>,
    comma: bool,
}

impl Json {
    pub(super) fn with_capacity(bytes: usize) -> Json {
        Json { out: Vec::with_capacity(bytes), comma: false }
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }

    fn separate(&mut self) {
        if self.comma {
            self.out.push(b',');
        }
    }

    /// `{` or `[`.
    pub(super) fn open(&mut self, bracket: u8) -> &mut Json {
        self.separate();
        self.out.push(bracket);
        self.comma = false;
        self
    }

    /// `}` or `]`.
    pub(super) fn close(&mut self, bracket: u8) -> &mut Json {
        self.out.push(bracket);
        self.comma = true;
        self
    }

    pub(super) fn key(&mut self, key: &str) -> &mut Json {
        self.text(key);
        self.out.push(b':');
        self.comma = false;
        self
    }

    /// A string.
    pub(super) fn text(&mut self, text: &str) -> &mut Json {
        self.parts(&[text])
    }

    /// A string that is put together from parts.
    pub(super) fn parts(&mut self, parts: &[&str]) -> &mut Json {
        self.separate();
        self.out.push(b'"');
        for part in parts {
            self.escaped(part);
        }
        self.out.push(b'"');
        self.comma = true;
        self
    }

    /// JSON that is already there.
    pub(super) fn raw(&mut self, json: &str) -> &mut Json {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
        self.comma = true;
        self
    }

    /// A member that is a string.
    pub(super) fn member(&mut self, key: &str, text: &str) -> &mut Json {
        self.key(key).text(text)
    }

    /// A member that is JSON already.
    pub(super) fn raw_member(&mut self, key: &str, json: &str) -> &mut Json {
        self.key(key).raw(json)
    }

    /// A member that is a list of strings.
    pub(super) fn list<'a>(&mut self, key: &str, texts: impl IntoIterator<Item = &'a str>) -> &mut Json {
        self.key(key).open(b'[');
        for text in texts {
            self.text(text);
        }
        self.close(b']')
    }

    fn escaped(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut start = 0;
        for (at, byte) in bytes.iter().enumerate() {
            let escape: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'\n' => b"\\n",
                b'\t' => b"\\t",
                // Other control characters stand in no name and no description; a space does no harm.
                0..0x20 => b" ",
                _ => continue,
            };
            self.out.extend_from_slice(&bytes[start..at]);
            self.out.extend_from_slice(escape);
            start = at + 1;
        }
        self.out.extend_from_slice(&bytes[start..]);
    }
}
