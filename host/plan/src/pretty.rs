//! JSON laid out for people.

/// Compact or any other JSON with line breaks and indents of two blanks, as Go's `json.MarshalIndent` has it.
/// Members keep their order and scalars their spelling.
pub(crate) fn indent(json: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() + json.len() / 2);
    let mut depth = 0_usize;
    // An opening bracket whose line break waits: empty ones stay on their line.
    let mut opened = false;
    let mut at = 0;
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + depth * 2, b' ');
    };
    while let Some(&byte) = json.get(at) {
        at += 1;
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => continue,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if !opened {
                    line(&mut out, depth);
                }
                opened = false;
                out.push(byte);
                continue;
            }
            _ => {}
        }
        if std::mem::take(&mut opened) {
            line(&mut out, depth);
        }
        out.push(byte);
        match byte {
            b'{' | b'[' => {
                depth += 1;
                opened = true;
            }
            b',' => line(&mut out, depth),
            b':' => out.push(b' '),
            b'"' => {
                let start = at;
                while let Some(&inner) = json.get(at) {
                    at += if inner == b'\\' { 2 } else { 1 };
                    if inner == b'"' {
                        break;
                    }
                }
                at = at.min(json.len());
                out.extend_from_slice(&json[start..at]);
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_as_go_does() {
        let json = br#"{"a":{},"b":[],"c":[1,{"d":"x\"{,:"}],"e":"","f":-1.50}"#;
        let want = "{\n  \"a\": {},\n  \"b\": [],\n  \"c\": [\n    1,\n    {\n      \"d\": \"x\\\"{,:\"\n    }\n  ],\n  \
                    \"e\": \"\",\n  \"f\": -1.50\n}";
        assert_eq!(String::from_utf8(indent(json)).expect("text"), want);
        assert_eq!(indent(want.as_bytes()), want.as_bytes());
        assert_eq!(indent(b"{\"a\\"), b"{\n  \"a\\");
    }
}
