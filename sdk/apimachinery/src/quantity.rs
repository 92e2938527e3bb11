//! `resource.Quantity`: numbers with a suffix, and the one way to write each.
//!
//! Upstream: `apimachinery/pkg/api/resource/quantity.go`. A value has nine decimal places (finer ones are
//! rounded away from zero) and is capped at 2^63-1.

use std::{cmp::Ordering, fmt};

const NANO: i128 = 1_000_000_000;
const MAX: i128 = i64::MAX as i128 * NANO;

/// How a quantity is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `1500m`, `2k`.
    DecimalSi,
    /// `1Gi`.
    BinarySi,
    /// `1e3`.
    DecimalExponent,
}

/// A number with at most nine decimal places.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    nano: i128,
    format: Format,
}

/// Why a text is not a quantity; prints as Go's error does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not of the form of a quantity.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// No digits.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// An unknown suffix.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

impl Quantity {
    /// Zero.
    pub const ZERO: Quantity = Quantity { nano: 0, format: Format::DecimalSi };

    /// Reads `text`.
    ///
    /// # Errors
    /// [`ParseError`], if it is not a quantity.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let bytes = text.as_bytes();
        let negative = bytes.first() == Some(&b'-');
        let mut at = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
        let mut mantissa: i128 = 0;
        let mut places: i32 = 0;
        let mut digits = 0;
        let mut point = false;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    // Beyond 10^27 any value is capped, and any decimal place lost.
                    if mantissa < 10_i128.pow(27) {
                        mantissa = mantissa * 10 + i128::from(byte - b'0');
                        places += i32::from(point);
                    } else if !point {
                        places -= 1;
                    }
                }
                b'.' if !point => point = true,
                _ => break,
            }
            at += 1;
        }
        let suffix = &text[at..];
        let letters = suffix.bytes().take_while(|byte| b"eEinumkKMGTP".contains(byte)).count();
        let mut rest = suffix[letters..].bytes().peekable();
        if matches!(rest.peek(), Some(b'-' | b'+')) {
            rest.next();
        }
        if text.is_empty() || !rest.all(|byte| byte.is_ascii_digit()) {
            return Err(ParseError::Format);
        }
        if digits == 0 {
            return Err(ParseError::Numeric);
        }
        let (format, ten, two) = interpret(suffix).ok_or(ParseError::Suffix)?;
        let mut nano = scale(mantissa, ten.saturating_sub(places).saturating_add(9), two);
        if negative {
            nano = -nano;
        }
        Ok(Self { nano, format })
    }

    /// A whole number.
    pub const fn from_i64(value: i64) -> Self {
        Self { nano: value as i128 * NANO, format: Format::DecimalSi }
    }

    /// The value in units of 10⁻⁹.
    pub const fn nano(self) -> i128 {
        self.nano
    }

    /// The value as a whole number, rounded away from zero.
    pub fn value(self) -> i64 {
        i64::try_from(divide_up(self.nano, NANO)).unwrap_or(i64::MAX)
    }

    /// The value times 1000 as a whole number, rounded away from zero, capped.
    pub fn milli_value(self) -> i64 {
        i64::try_from(divide_up(self.nano, NANO / 1000)).unwrap_or(i64::MAX)
    }

    /// How it is written.
    pub const fn format(self) -> Format {
        self.format
    }

    /// The sum, written as `self` is (as `other`, if `self` is zero).
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let format = if self.nano == 0 { other.format } else { self.format };
        Self { nano: self.nano.saturating_add(other.nano).clamp(-MAX, MAX), format }
    }

    /// The difference, written as `self` is (as `other`, if `self` is zero).
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.plus(Self { nano: -other.nano, format: other.format })
    }

    /// What a server writes for `text`, or `None` if that is the text itself: in canonical form, or near enough for
    /// upstream's parser, which then keeps the text with its sign and leading zeros (`04`, `+5`, `12e3`).
    ///
    /// # Errors
    /// [`ParseError`], if it is not a quantity.
    pub fn canonical(text: &str) -> Result<Option<String>, ParseError> {
        let quantity = Self::parse(text)?;
        if is_kept(text, quantity.format) {
            return Ok(None);
        }
        let printed = quantity.to_string();
        Ok((printed != text).then_some(printed))
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nano == other.nano
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nano.cmp(&other.nano)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nano == 0 {
            return f.write_str("0");
        }
        if self.format == Format::BinarySi && self.nano.abs() >= 1024 * NANO {
            let mut value = divide_up(self.nano, NANO);
            let mut power = 0;
            while value % 1024 == 0 && power < 6 {
                value /= 1024;
                power += 1;
            }
            return write!(f, "{value}{}", ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"][power]);
        }
        let mut value = self.nano;
        let mut exponent = -9_i32;
        while value % 1000 == 0 && exponent < 18 {
            value /= 1000;
            exponent += 3;
        }
        if self.format == Format::DecimalExponent {
            return if exponent == 0 { write!(f, "{value}") } else { write!(f, "{value}e{exponent}") };
        }
        let index = usize::try_from(exponent / 3 + 3).unwrap_or_default();
        write!(f, "{value}{}", ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"][index])
    }
}

/// Whether `ParseQuantity` takes a text for canonical: it looks at the last digits and at the place of the point alone.
/// The text must be a quantity in that format.
fn is_kept(text: &str, format: Format) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text).trim_start_matches('0');
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let (whole, places) = number.split_once('.').unwrap_or((number, ""));
    let Some((_, ten, two)) = interpret(suffix) else { return false };
    if format == Format::BinarySi {
        // 15 digits, less those that the suffix stands for: beyond, the slow way writes anew.
        let digits = 14_u32.saturating_sub(two * 3 / 10);
        return places.is_empty()
            && !number.contains('.')
            && whole.len() <= digits as usize
            && whole.parse::<u64>().is_ok_and(|value| value & 7 != 0);
    }
    let Some(exponent) = i32::try_from(places.len()).ok().and_then(|places| ten.checked_sub(places)) else {
        return false;
    };
    let zeros = whole.bytes().chain(places.bytes()).rev().take_while(|digit| *digit == b'0').count();
    !whole.is_empty() && whole.len() + places.len() <= 18 && exponent >= -9 && exponent % 3 == 0 && zeros < 3
}

/// (format, power of ten, power of two) of a suffix.
fn interpret(suffix: &str) -> Option<(Format, i32, u32)> {
    Some(match suffix {
        "" => (Format::DecimalSi, 0, 0),
        "n" => (Format::DecimalSi, -9, 0),
        "u" => (Format::DecimalSi, -6, 0),
        "m" => (Format::DecimalSi, -3, 0),
        "k" => (Format::DecimalSi, 3, 0),
        "M" => (Format::DecimalSi, 6, 0),
        "G" => (Format::DecimalSi, 9, 0),
        "T" => (Format::DecimalSi, 12, 0),
        "P" => (Format::DecimalSi, 15, 0),
        "E" => (Format::DecimalSi, 18, 0),
        "Ki" => (Format::BinarySi, 0, 10),
        "Mi" => (Format::BinarySi, 0, 20),
        "Gi" => (Format::BinarySi, 0, 30),
        "Ti" => (Format::BinarySi, 0, 40),
        "Pi" => (Format::BinarySi, 0, 50),
        "Ei" => (Format::BinarySi, 0, 60),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E'])?;
            (Format::DecimalExponent, exponent.parse().ok()?, 0)
        }
    })
}

/// `mantissa · 10^ten · 2^two`, rounded up and capped.
fn scale(mantissa: i128, ten: i32, two: u32) -> i128 {
    if mantissa == 0 {
        return 0;
    }
    // Powers that cancel out are taken first, so that a small number with a large suffix keeps its places.
    let factor = 10_i128.checked_pow(ten.unsigned_abs());
    let scaled = match (ten >= 0, factor) {
        (true, Some(factor)) => mantissa.checked_mul(factor).and_then(|value| value.checked_mul(1 << two)),
        (true, None) => None,
        (false, Some(factor)) => mantissa.checked_mul(1 << two).map(|value| divide_up(value, factor)),
        (false, None) => Some(1),
    };
    scaled.map_or(MAX, |value| value.min(MAX))
}

/// Rounds away from zero.
fn divide_up(value: i128, by: i128) -> i128 {
    let quotient = value / by;
    if value % by == 0 { quotient } else { quotient + value.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_each_value_in_one_way() {
        for (text, canonical) in [
            ("0", "0"),
            ("1000m", "1"),
            ("1024Mi", "1Gi"),
            ("1024Ki", "1Mi"),
            ("1000000.0", "1M"),
            ("1.5Gi", "1536Mi"),
            ("0.5Mi", "512Ki"),
            ("512", "512"),
            ("1Ki", "1Ki"),
            ("0.5Ki", "512"),
            ("100m", "100m"),
            ("0.1", "100m"),
            ("1500", "1500"),
            ("2000", "2k"),
            ("1e3", "1e3"),
            ("12e2", "1200"),
            ("1E", "1E"),
            ("-3000m", "-3"),
            ("+5", "5"),
            (".5", "500m"),
            ("1n", "1n"),
            ("1e-10", "1e-9"),
            ("99999999999999999999", "9223372036854775807"),
        ] {
            assert_eq!(Quantity::parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn keeps_what_upstreams_parser_takes_for_canonical() {
        for text in ["04", "+5", "-04", "1.500", "012e3", "1e3", "05Gi", "12Gi", "100m", "0", "1E3"] {
            assert_eq!(Quantity::canonical(text).unwrap(), None, "{text}");
        }
        for (text, canonical) in [
            ("1.5", "1500m"),
            ("0.500", "500m"),
            ("01000", "1k"),
            ("1.000", "1"),
            ("100.0e1", "1e3"),
            ("00", "0"),
            ("1024Mi", "1Gi"),
            ("08.0Gi", "8Gi"),
            ("0008Gi", "8Gi"),
        ] {
            assert_eq!(Quantity::canonical(text).unwrap().as_deref(), Some(canonical), "{text}");
        }
    }

    #[test]
    fn tells_why_a_text_is_no_quantity() {
        for (text, error) in [
            ("", ParseError::Format),
            ("lots", ParseError::Format),
            ("5x", ParseError::Format),
            ("1.2.3", ParseError::Format),
            ("m", ParseError::Numeric),
            ("5mm", ParseError::Suffix),
            ("5Kii", ParseError::Suffix),
            ("\u{20ac}5", ParseError::Format),
        ] {
            assert_eq!(Quantity::parse(text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn compares_and_adds_over_formats() {
        let gib = Quantity::parse("1Gi").unwrap();
        assert!(gib > Quantity::parse("1G").unwrap());
        assert_eq!(gib.plus(Quantity::parse("1024Mi").unwrap()).to_string(), "2Gi");
        assert_eq!(Quantity::parse("1500m").unwrap().value(), 2);
    }
}
