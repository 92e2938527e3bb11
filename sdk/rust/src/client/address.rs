//! Percent-encoding of what stands in a path or a query.

/// Appends a part of a path or a value of a query; all but RFC 3986's unreserved characters is encoded.
pub(super) fn encode(part: &str, into: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.push_str(&format!("%{byte:02X}"));
        }
    }
}
