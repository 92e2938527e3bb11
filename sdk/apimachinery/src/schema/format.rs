//! Formats of strings (`k8s.io/kube-openapi/pkg/validation/strfmt`).

use super::{Type, pattern};
use base64::Engine as _;
use regex_lite::Regex;
use std::{net::IpAddr, sync::OnceLock};

/// The formats of strings that schemas may name, without dashes.
const SUPPORTED: &[&str] = &[
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8slongname",
    "k8sshortname",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
];

/// Whether a format means something for the type; others are ignored, with a warning when they are introduced.
pub fn is_supported(type_: Option<Type>, format: &str) -> bool {
    match type_ {
        None | Some(Type::String) => SUPPORTED.contains(&format.replace('-', "").as_str()),
        Some(Type::Integer) => matches!(format, "int32" | "int64"),
        Some(Type::Number) => matches!(format, "float" | "double"),
        _ => false,
    }
}

/// Whether the text has the format. Formats that are not supported take any text.
pub fn is_valid(format: &str, text: &str) -> bool {
    match format.replace('-', "").as_str() {
        "bsonobjectid" => text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "byte" => is_base64(text),
        "cidr" => is_cidr(text),
        "creditcard" => is_credit_card(text),
        "date" => is_date(text),
        "datetime" => is_date_time(text),
        "duration" => is_duration(text),
        "email" => is_email(text),
        "hexcolor" => is_hex_color(text),
        "hostname" => is_hostname(text),
        "ipv4" => text.contains('.') && text.parse::<IpAddr>().is_ok(),
        "ipv6" => text.contains(':') && text.parse::<IpAddr>().is_ok(),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "k8slongname" => crate::names::dns1123_subdomain(text).is_empty(),
        "k8sshortname" => crate::names::dns1123_label(text).is_empty(),
        "mac" => is_mac(text),
        "rgbcolor" => {
            static RGB: OnceLock<Option<Regex>> = OnceLock::new();
            matches(
                &RGB,
                r"^rgb\(\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])\s*\)$",
                text,
            )
        }
        "ssn" => {
            static SSN: OnceLock<Option<Regex>> = OnceLock::new();
            matches(&SSN, r"^\d{3}[- ]?\d{2}[- ]?\d{4}$", text)
        }
        "uri" => is_request_uri(text),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some('3')),
        "uuid4" => is_uuid(text, Some('4')),
        "uuid5" => is_uuid(text, Some('5')),
        _ => true,
    }
}

fn matches(cell: &'static OnceLock<Option<Regex>>, source: &str, text: &str) -> bool {
    cell.get_or_init(|| pattern::compile(source).ok()).as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Padded, standard alphabet, not empty.
fn is_base64(text: &str) -> bool {
    !text.is_empty()
        && text.len().is_multiple_of(4)
        // Trailing bits are not looked at, as the expression upstream uses does not.
        && base64::engine::GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            base64::engine::GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
        )
        .decode(text)
        .is_ok()
}

fn is_cidr(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let plain = !length.is_empty()
        && length.bytes().all(|byte| byte.is_ascii_digit())
        && (length == "0" || !length.starts_with('0'));
    match (address.parse::<IpAddr>(), length.parse::<u8>()) {
        (Ok(IpAddr::V4(_)), Ok(length)) => plain && length <= 32,
        (Ok(IpAddr::V6(_)), Ok(length)) => plain && length <= 128,
        _ => false,
    }
}

/// A full-date of RFC 3339.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return false };
    if ![y1, y2, y3, y4, m1, m2, d1, d2].iter().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let number =
        |digits: &[&u8]| digits.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(**digit - b'0'));
    let (year, month, day) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2]));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn is_date_time(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let mut parts = lower.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    static TIME: OnceLock<Option<Regex>> = OnceLock::new();
    if !is_date(date)
        || !matches(&TIME, r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$", time)
    {
        return false;
    }
    let part = |from: usize| time.get(from..from + 2).unwrap_or("99");
    part(0) <= "23" && part(3) <= "59" && part(6) <= "59"
}

/// What Go's `time.ParseDuration` takes, or numbers with words for units (`2 days`).
fn is_duration(text: &str) -> bool {
    static GO: OnceLock<Option<Regex>> = OnceLock::new();
    static WORDS: OnceLock<Option<Regex>> = OnceLock::new();
    if matches(&GO, r"^[-+]?(0|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$", text) {
        return true;
    }
    if !matches(&WORDS, r"^\s*(?:\d+\s*[A-Za-zµ]+\s*)+$", text) {
        return false;
    }
    // One known unit is enough.
    const EXACT: &[&str] = &["ns", "us", "µs", "ms", "s", "m", "h", "hr", "d", "w", "wk"];
    const START: &[&str] = &["nano", "micro", "milli", "sec", "min", "hour", "day", "week"];
    text.split(|character: char| character.is_ascii_digit() || character.is_whitespace())
        .filter(|unit| !unit.is_empty())
        .map(str::to_lowercase)
        .any(|unit| EXACT.contains(&unit.as_str()) || START.iter().any(|start| unit.starts_with(start)))
}

/// An address as Go's `net/mail` takes it: `a@b`, or with a name, `A <a@b>`.
fn is_email(text: &str) -> bool {
    let text = text.trim();
    let address = match text.strip_suffix('>') {
        Some(rest) => match rest.rsplit_once('<') {
            Some((name, address)) if !name.contains(['<', '>', '@', ',']) || name.trim().starts_with('"') => {
                address
            }
            _ => return false,
        },
        None => text,
    };
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let atom = |atom: &str| {
        !atom.is_empty()
            && atom.chars().all(|character| {
                character.is_ascii_alphanumeric()
                    || "!#$%&'*+-/=?^_`{|}~".contains(character)
                    || !character.is_ascii()
            })
    };
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let literal = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    (quoted || local.split('.').all(atom))
        && literal.map_or_else(|| domain.split('.').all(atom), |address| address.parse::<IpAddr>().is_ok())
}

fn is_hex_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or(text);
    matches!(digits.len(), 3 | 6) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_hostname(text: &str) -> bool {
    // Symbols and letters of other scripts count as letters.
    let letter = |character: char| {
        character.is_ascii_alphanumeric() || (!character.is_ascii() && !character.is_control())
    };
    let label = |label: &str| {
        label.len() <= 63
            && label.chars().all(|character| letter(character) || character == '-')
            && label.starts_with(letter)
            && label.ends_with(letter)
    };
    if text.len() > 255 {
        return false;
    }
    let mut labels: Vec<&str> = text.split('.').collect();
    let Some(last) = labels.pop() else { return false };
    let top = labels.is_empty() || last.chars().count() >= 2;
    top && label(last) && !last.contains("--") && labels.into_iter().all(label)
}

fn digits_of(text: &str) -> String {
    text.chars().filter(|character| !matches!(character, ' ' | '-')).collect()
}

fn is_isbn10(text: &str) -> bool {
    let digits = digits_of(text);
    if digits.len() != 10 {
        return false;
    }
    let mut sum = 0;
    for (index, character) in digits.chars().enumerate() {
        let value = match (character, index) {
            ('X', 9) => 10,
            _ => match character.to_digit(10) {
                Some(value) => value as usize,
                None => return false,
            },
        };
        sum += (index + 1) * value;
    }
    sum.is_multiple_of(11)
}

fn is_isbn13(text: &str) -> bool {
    let digits = digits_of(text);
    let values: Vec<u32> = digits.chars().filter_map(|character| character.to_digit(10)).collect();
    digits.len() == 13
        && values.len() == 13
        && values
            .iter()
            .enumerate()
            .map(|(index, value)| if index % 2 == 0 { *value } else { value * 3 })
            .sum::<u32>()
            % 10
            == 0
}

fn is_credit_card(text: &str) -> bool {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    static CARD: OnceLock<Option<Regex>> = OnceLock::new();
    if !matches(
        &CARD,
        r"^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|(222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11}|6[27][0-9]{14})$",
        &digits,
    ) {
        return false;
    }
    let sum: u32 = digits
        .chars()
        .rev()
        .filter_map(|character| character.to_digit(10))
        .enumerate()
        .map(|(index, digit)| match (index % 2, digit * 2) {
            (0, _) => digit,
            (_, double) if double > 9 => double - 9,
            (_, double) => double,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// As Go's `net.ParseMAC`: 6, 8 or 20 bytes, in pairs by `:` or `-`, or in fours by `.`.
fn is_mac(text: &str) -> bool {
    let groups = |separator: char, width: usize| -> Option<usize> {
        let parts: Vec<&str> = text.split(separator).collect();
        let fits =
            parts.iter().all(|part| part.len() == width && part.bytes().all(|byte| byte.is_ascii_hexdigit()));
        (fits && parts.len() > 1).then_some(parts.len() * width / 2)
    };
    let bytes = groups(':', 2).or_else(|| groups('-', 2)).or_else(|| groups('.', 4));
    matches!(bytes, Some(6 | 8 | 20))
}

/// As Go's `url.ParseRequestURI`: an absolute URI or an absolute path.
fn is_request_uri(text: &str) -> bool {
    if text.is_empty() || text.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return false;
    }
    if text == "*" || text.starts_with('/') {
        return escapes_are_whole(text.split('?').next().unwrap_or(text));
    }
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    if !scheme_fits {
        return false;
    }
    let Some(after) = rest.strip_prefix("//") else { return true };
    let (authority, path) = after.split_at(after.find(['/', '?']).unwrap_or(after.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let port = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((_, port)) => port.strip_prefix(':').unwrap_or(port),
            None => return false,
        },
        None => host.rsplit_once(':').map_or("", |(_, port)| port),
    };
    port.bytes().all(|byte| byte.is_ascii_digit())
        && !host.contains([' ', '<', '>', '"', '\\', '^', '`', '{', '|', '}'])
        && escapes_are_whole(path.split('?').next().unwrap_or(path))
}

fn escapes_are_whole(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| {
        let bytes = rest.as_bytes();
        bytes.len() >= 2 && bytes.iter().take(2).all(u8::is_ascii_hexdigit)
    })
}

/// A UUID in any case, with or without dashes; of a version, if one is asked for.
fn is_uuid(text: &str, version: Option<char>) -> bool {
    let mut rest = text.as_bytes();
    let mut digits = String::with_capacity(32);
    for (index, width) in [8, 4, 4, 4, 12].into_iter().enumerate() {
        if index > 0
            && let Some((b'-', after)) = rest.split_first()
        {
            rest = after;
        }
        let Some((group, after)) = rest.split_at_checked(width) else { return false };
        if !group.iter().all(u8::is_ascii_hexdigit) {
            return false;
        }
        digits.extend(group.iter().map(|byte| char::from(*byte).to_ascii_lowercase()));
        rest = after;
    }
    let variant = digits.chars().nth(16);
    rest.is_empty()
        && version.is_none_or(|version| {
            digits.chars().nth(12) == Some(version)
                && (version == '3' || matches!(variant, Some('8' | '9' | 'a' | 'b')))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_takes_what_it_should() {
        for (format, good, bad) in [
            ("byte", "aGk=", "***"),
            ("byte", "aGk=", ""),
            ("cidr", "10.0.0.0/8", "10.0.0.0"),
            ("cidr", "fd00::/64", "10.0.0.0/33"),
            ("creditcard", "4111 1111 1111 1111", "4111 1111 1111 1112"),
            ("date", "2024-02-29", "2023-02-29"),
            ("date", "2024-01-02", "2024-13-02"),
            ("date-time", "2024-01-02T03:04:05Z", "yesterday"),
            ("date-time", "2024-01-02t03:04:05.123+01:00", "2024-01-02T24:04:05Z"),
            ("datetime", "2024-01-02T03:04:05Z", "2024-01-02"),
            ("duration", "1h30m", "soon"),
            ("duration", "-1.5h", "1"),
            ("duration", "2 days", "2 moons"),
            ("duration", "0", "h"),
            ("email", "a@example.com", "nobody"),
            ("email", "A B <a@b>", "a@@b"),
            ("hexcolor", "#ffF", "#ffff"),
            ("hostname", "example.com", "-a.com"),
            ("hostname", "localhost", "a_b"),
            ("ipv4", "10.0.0.1", "10.0.0.300"),
            ("ipv6", "fd00::1", "10.0.0.1"),
            ("isbn", "978-0321751041", "978-0321751042"),
            ("isbn10", "0321751043", "0321751044"),
            ("mac", "01:23:45:67:89:ab", "01:23:45:67:89"),
            ("mac", "0123.4567.89ab", "0123.4567"),
            ("rgbcolor", "rgb(255,255,255)", "rgb(256,0,0)"),
            ("ssn", "123-45-6789", "123-45-678"),
            ("uri", "https://example.com/x", "example.com"),
            ("uri", "/x", ""),
            ("uuid", "123e4567-e89b-12d3-a456-426614174000", "not-a-uuid"),
            ("uuid4", "123e4567e89b42d3a456426614174000", "123e4567-e89b-12d3-a456-426614174000"),
            ("bsonobjectid", "507f1f77bcf86cd799439011", "507f1f77"),
            ("k8s-short-name", "a-b", "a.b"),
            ("k8s-long-name", "a.b", "A"),
        ] {
            assert!(is_valid(format, good), "{format} should take {good:?}");
            assert!(!is_valid(format, bad), "{format} should not take {bad:?}");
        }
        assert!(is_valid("password", "") && is_valid("no-such-format", "x"));
    }

    #[test]
    fn formats_belong_to_types() {
        assert!(is_supported(Some(Type::String), "date-time") && !is_supported(Some(Type::String), "int32"));
        assert!(is_supported(Some(Type::Integer), "int32") && !is_supported(Some(Type::Object), "date"));
        assert!(!is_supported(None, "no-such-format"));
    }
}
