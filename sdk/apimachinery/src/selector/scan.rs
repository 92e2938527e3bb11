//! A look into encoded JSON without decoding it: find a member, walk a path, read a string.
//!
//! For documents that are known to be well-formed, because they were encoded here or checked on their way in.
//! Malformed bytes yield `None` and never a panic; they are not reported.

use std::borrow::Cow;

/// The position after the value that starts at `at`, blanks before it included.
pub fn skip_value(bytes: &[u8], at: usize) -> Option<usize> {
    let start = skip_blanks(bytes, at);
    match bytes.get(start)? {
        b'"' => skip_string(bytes, start),
        b'{' | b'[' => skip_nested(bytes, start),
        _ => {
            let length = bytes[start..]
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'))
                .unwrap_or(bytes.len() - start);
            (length > 0).then_some(start + length)
        }
    }
}

fn skip_blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// `start` is at the opening quote.
fn skip_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// `start` is at the opening bracket. Only the depth is counted: that brackets match is known.
fn skip_nested(bytes: &[u8], start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = start;
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = skip_string(bytes, at)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// One member of an object, as it is encoded.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// The key with its quotes.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

impl Member<'_> {
    /// Whether the key is `name`.
    pub fn is(&self, name: &str) -> bool {
        let inner = &self.key[1..self.key.len() - 1];
        if inner.contains(&b'\\') {
            string(self.key).is_some_and(|key| key == name)
        } else {
            inner == name.as_bytes()
        }
    }
}

/// The members of the object that `bytes` start with; nothing if it is no object.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    bytes: &'a [u8],
    /// Behind the opening brace or the last value; `None` at the end.
    at: Option<usize>,
}

/// The members of an encoded object, in their order.
pub fn members(bytes: &[u8]) -> Members<'_> {
    let start = skip_blanks(bytes, 0);
    Members { bytes, at: (bytes.get(start) == Some(&b'{')).then_some(start + 1) }
}

impl<'a> Members<'a> {
    fn step(&mut self) -> Option<Member<'a>> {
        let bytes = self.bytes;
        let mut at = skip_blanks(bytes, self.at.take()?);
        if bytes.get(at) == Some(&b',') {
            at = skip_blanks(bytes, at + 1);
        }
        if bytes.get(at) != Some(&b'"') {
            return None;
        }
        let key_end = skip_string(bytes, at)?;
        let colon = skip_blanks(bytes, key_end);
        if bytes.get(colon) != Some(&b':') {
            return None;
        }
        let start = skip_blanks(bytes, colon + 1);
        let end = skip_value(bytes, start)?;
        self.at = Some(end);
        Some(Member { key: bytes.get(at..key_end)?, value: bytes.get(start..end)? })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

/// The value of the member `name` of an encoded object.
pub fn member<'a>(bytes: &'a [u8], name: &str) -> Option<&'a [u8]> {
    members(bytes).find(|member| member.is(name)).map(|member| member.value)
}

/// The value at `path`, member by member.
pub fn walk<'a, S: AsRef<str>>(bytes: &'a [u8], path: &[S]) -> Option<&'a [u8]> {
    path.iter().try_fold(bytes, |value, name| member(value, name.as_ref()))
}

/// The string that `value` encodes, quotes included in `value`; `None` for any other value.
pub fn string(value: &[u8]) -> Option<Cow<'_, str>> {
    let inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice::<String>(value).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// A scalar as text: strings decoded, numbers and booleans as they stand; `None` for null, objects and lists.
pub fn scalar(value: &[u8]) -> Option<Cow<'_, str>> {
    match value.first()? {
        b'"' => string(value),
        b'{' | b'[' | b'n' => None,
        _ => std::str::from_utf8(value).ok().map(Cow::Borrowed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_walked_over_every_kind_of_value() {
        let json = br#"{"a":[1,{"b":"}"}],"s":"x\"y","n":-1.5e3, "o" : {"in\u0067":true,"e":{}} ,"z":null}"#;
        let text = |path: &[&str]| walk(json, path).and_then(scalar).map(Cow::into_owned);
        assert_eq!(text(&["s"]).as_deref(), Some("x\"y"));
        assert_eq!(text(&["n"]).as_deref(), Some("-1.5e3"));
        assert_eq!(text(&["o", "ing"]).as_deref(), Some("true"));
        assert_eq!(text(&["z"]), None);
        assert_eq!(text(&["o"]), None);
        assert_eq!(text(&["o", "none"]), None);
        assert_eq!(walk(json, &["a"]), Some(&br#"[1,{"b":"}"}]"#[..]));
    }

    #[test]
    fn malformed_bytes_are_nothing() {
        for bytes in
            ["", "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"", "{\"a\":{", "[", "}", "{\"\\", "{\"a\":[}"]
        {
            assert_eq!(member(bytes.as_bytes(), "b"), None, "{bytes}");
            let _ = skip_value(bytes.as_bytes(), 0);
        }
    }
}
