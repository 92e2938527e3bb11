//! `meta/v1.Time` and `meta/v1.MicroTime`.

use jiff::{Timestamp, fmt::temporal::DateTimePrinter};

/// `text` in UTC with whole seconds, or six digits of one; `None` if it stands like that already.
///
/// # Errors
/// Go's text, if it is no RFC 3339 time.
pub(crate) fn canonical(text: &str, micro: bool) -> Result<Option<String>, String> {
    let bytes = text.as_bytes();
    if !plausible(bytes) {
        return Err(refusal(text, micro));
    }
    let time: Timestamp = text.parse().map_err(|_| refusal(text, micro))?;
    let printer = DateTimePrinter::new().precision(Some(if micro { 6 } else { 0 }));
    let mut out = String::with_capacity(27);
    if printer.print_timestamp(&time, &mut out).is_err() {
        return Err(refusal(text, micro));
    }
    Ok((out != text).then_some(out))
}

/// RFC 3339 proper, of what the parser would take more of: `2006-01-02T15:04:05` with a zone.
fn plausible(bytes: &[u8]) -> bool {
    let pattern = b"dddd-dd-ddTdd:dd:dd";
    bytes.len() > pattern.len()
        && pattern.iter().zip(bytes).all(|(wanted, byte)| match wanted {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
        && (bytes.ends_with(b"Z")
            || bytes.get(bytes.len() - 6).is_some_and(|byte| matches!(byte, b'+' | b'-')))
}

/// The text of Go's `time.ParseError`, as far as the first element that does not fit.
fn refusal(text: &str, micro: bool) -> String {
    let layout = if micro { "2006-01-02T15:04:05.000000Z07:00" } else { "2006-01-02T15:04:05Z07:00" };
    // (element of the layout, its length in a text, the separator after it)
    let elements =
        [("2006", 4, "-"), ("01", 2, "-"), ("02", 2, "T"), ("15", 2, ":"), ("04", 2, ":"), ("05", 2, "")];
    let mut rest = text;
    for (element, length, separator) in elements {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits < length {
            return format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {element:?}");
        }
        rest = &rest[length..];
        match rest.strip_prefix(separator) {
            Some(after) => rest = after,
            None => {
                return format!(
                    "parsing time {text:?} as {layout:?}: cannot parse {rest:?} as {separator:?}"
                );
            }
        }
    }
    if rest.starts_with(['Z', '+', '-', '.']) {
        return format!("parsing time {text:?}: day out of range");
    }
    format!("parsing time {text:?} as {layout:?}: cannot parse {rest:?} as \"Z07:00\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_times_in_utc_with_whole_seconds() {
        assert_eq!(canonical("2024-01-02T03:04:05Z", false), Ok(None));
        assert_eq!(canonical("2024-01-02T03:04:05.9+02:00", false), Ok(Some("2024-01-02T01:04:05Z".into())));
        assert_eq!(canonical("2024-01-02T03:04:05Z", true), Ok(Some("2024-01-02T03:04:05.000000Z".into())));
        assert_eq!(canonical("2024-01-02T03:04:05.123456Z", true), Ok(None));
    }

    #[test]
    fn refuses_in_gos_words() {
        assert_eq!(
            canonical("yesterday", false).unwrap_err(),
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"yesterday\" as \"2006\""
        );
        assert!(canonical("2024-13-02T03:04:05Z", false).is_err());
        assert!(canonical("2024-01-02", false).is_err());
        assert!(canonical("", false).is_err());
    }
}
