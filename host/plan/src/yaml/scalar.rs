//! How a scalar is written: plain where a reader takes it for the same string, else quoted (go-yaml v2, `resolve.go`
//! and `emitterc.go`).

use serde_json::Number;

/// The style of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Single,
    Double,
    Literal,
}

/// Words that are no strings when they stand alone.
const WORDS: [&str; 34] = [
    "", "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no", "No", "NO",
    "false", "False", "FALSE", "off", "Off", "OFF", "~", "null", "Null", "NULL", ".nan", ".NaN", ".NAN",
    ".inf", ".Inf", ".INF", "<<",
];

/// Chooses the style of `text`; `key` if it is the key of a map.
pub(super) fn style(text: &str, key: bool) -> Style {
    let shape = Shape::of(text);
    if text.contains('\n') {
        return if shape.block && !key { Style::Literal } else { Style::Double };
    }
    if !is_string(text) {
        return Style::Double;
    }
    match (shape.plain, shape.single) {
        (true, _) => Style::Plain,
        (false, true) => Style::Single,
        (false, false) => Style::Double,
    }
}

/// Whether a reader takes the plain text for a string.
fn is_string(text: &str) -> bool {
    if WORDS.contains(&text) {
        return false;
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let Some(first) = unsigned.chars().next() else { return true };
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") {
        return false;
    }
    if first != '.' && !first.is_ascii_digit() {
        return true;
    }
    let digits = unsigned.replace('_', "");
    let number = if first == '.' { is_float(unsigned) } else { is_integer(&digits) || is_float(&digits) };
    !(number || is_timestamp(text) || is_base_60(unsigned))
}

/// Go's `strconv.ParseInt(s, 0, 64)`, or an unsigned one.
fn is_integer(digits: &str) -> bool {
    let lower = digits.to_ascii_lowercase();
    let (radix, rest) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..]),
        [b'0', b'o', ..] => (8, &lower[2..]),
        [b'0', b'b', ..] => (2, &lower[2..]),
        [b'0', _, ..] => (8, &lower[1..]),
        _ => (10, &lower[..]),
    };
    !rest.starts_with(['+', '-']) && u64::from_str_radix(rest, radix).is_ok()
}

/// `[0-9]+(\.[0-9]*)?` or `\.[0-9]+`, and an exponent.
fn is_float(text: &str) -> bool {
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|exponent| exponent.strip_prefix(['-', '+']).unwrap_or(exponent));
    all_digits(whole)
        && all_digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| !exponent.is_empty() && all_digits(exponent))
}

/// Numbers of YAML 1.1 such as `190:20:30`, which old readers take for 685230.
fn is_base_60(unsigned: &str) -> bool {
    let mut parts = unsigned.split(':');
    let first = parts.next().unwrap_or_default();
    let mut rest: Vec<&str> = parts.collect();
    if let Some(last) = rest.last_mut() {
        let (whole, fraction) = last.split_once('.').unwrap_or((last, ""));
        if !fraction.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_') {
            return false;
        }
        *last = whole;
    }
    let sixties = |part: &&str| match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    };
    !rest.is_empty()
        && first.starts_with(|char: char| char.is_ascii_digit())
        && first.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
        && rest.iter().all(sixties)
}

/// A date, or a date with a time.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let number = |text: &str, low: u8, high: u8| {
        (1..=2).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text.parse().is_ok_and(|number: u8| (low..=high).contains(&number))
    };
    let is_date = |date: &str| {
        let mut parts = date.split('-').skip(1);
        matches!((parts.next(), parts.next(), parts.next()),
            (Some(month), Some(day), None) if number(month, 1, 12) && number(day, 1, 31))
    };
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else { return is_date(text) };
    let local = text.as_bytes().get(date.len()) == Some(&b' ');
    let (clock, zone) = match time.find(['Z', '+', '-']) {
        Some(at) if !local => time.split_at(at),
        None if local => (time, "Z"),
        _ => return false,
    };
    let offset = |zone: &str| {
        zone.split_once(':').is_some_and(|(hours, minutes)| {
            hours.len() == 2 && minutes.len() == 2 && number(hours, 0, 24) && number(minutes, 0, 60)
        })
    };
    let zone = zone == "Z" || offset(&zone[1..]);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = clock.split(':');
    is_date(date)
        && zone
        && !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && matches!((parts.next(), parts.next(), parts.next(), parts.next()), (Some(hour), Some(minute), Some(second), None)
            if number(hour, 0, 23) && number(minute, 0, 59) && number(second, 0, 59))
}

/// Which styles a text can be written in (`yaml_emitter_analyze_scalar`).
struct Shape {
    plain: bool,
    single: bool,
    block: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let (mut indicators, mut special, mut breaks) = (false, false, false);
        let (mut break_blank, mut blank_break) = (false, false);
        if text.starts_with("---") || text.starts_with("...") {
            indicators = true;
        }
        let mut previous: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(char) = chars.next() {
            let before_blank = chars.peek().is_none_or(|next| matches!(next, ' ' | '\t'));
            indicators |= match (previous, char) {
                (
                    None,
                    '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                    | '`',
                ) => true,
                (None, '?' | ':' | '-') => before_blank,
                (Some(_), ':') => before_blank,
                (Some(previous), '#') => matches!(previous, ' ' | '\t' | '\n' | '\r'),
                _ => false,
            };
            special |= char != '\n' && !is_printable(char);
            breaks |= char == '\n';
            break_blank |= char == ' ' && previous == Some('\n');
            blank_break |= char == '\n' && previous == Some(' ');
            previous = Some(char);
        }
        let edge = text.starts_with([' ', '\n']) || text.ends_with([' ', '\n']);
        let special = special || blank_break;
        Self {
            plain: !(indicators || special || breaks || edge || break_blank),
            single: !(special || break_blank),
            block: !(special || text.ends_with(' ')),
        }
    }
}

fn is_printable(char: char) -> bool {
    matches!(char, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// The escape of a character in a double-quoted string, if it needs one.
pub(super) fn escape(char: char) -> Option<String> {
    let name = match char {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        char if is_printable(char) => return None,
        char => {
            let code = u32::from(char);
            return Some(match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            });
        }
    };
    Some(format!("\\{name}"))
}

/// A number: integers as they are, others as Go's `%g`.
pub(super) fn number(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    let Some(float) = number.as_f64() else { return number.to_string() };
    let scientific = format!("{float:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..21).contains(&exponent) {
        return format!("{float}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
