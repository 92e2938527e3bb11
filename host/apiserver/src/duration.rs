//! Durations as Go writes them: `1m30s`, `300ms`, `1.5h`.

use std::{fmt, str::FromStr, time::Duration};

/// A duration on the command line or in a query. Parses what Go's `time.ParseDuration` takes, sign included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration {
    nanoseconds: i64,
}

/// A text that is no duration; the wording is Go's, because `?timeout=` passes it on to clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("time: {what} duration {text:?}")]
pub struct DurationError {
    what: String,
    text: String,
}

impl GoDuration {
    /// Whole seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self { nanoseconds: seconds * 1_000_000_000 }
    }

    /// The length, zero for a negative one.
    pub fn get(self) -> Duration {
        Duration::from_nanos(u64::try_from(self.nanoseconds).unwrap_or(0))
    }

    /// Whether it is less than zero.
    pub const fn is_negative(self) -> bool {
        self.nanoseconds < 0
    }
}

/// Units and their nanoseconds; both micro signs count.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let fail = |what: &str| DurationError { what: what.to_owned(), text: text.to_owned() };
        let invalid = || fail("invalid");
        let (negative, mut rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if rest == "0" {
            return Ok(Self::seconds(0));
        }
        if rest.is_empty() {
            return Err(invalid());
        }
        let mut total = 0.0_f64;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (number, after) = rest.split_at(digits);
            // A lone dot is no number.
            if !number.bytes().any(|byte| byte.is_ascii_digit()) {
                return Err(invalid());
            }
            let number: f64 = number.parse().map_err(|_| invalid())?;
            let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
            let (unit, after) = after.split_at(letters);
            if unit.is_empty() {
                return Err(fail("missing unit in"));
            }
            let (_, scale) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(|| fail(&format!("unknown unit {unit:?} in")))?;
            total += number * scale;
            rest = after;
        }
        // 2^63 nanoseconds are 292 years.
        if total >= 9.223_372_036_854_775e18 {
            return Err(invalid());
        }
        #[allow(clippy::cast_possible_truncation, reason = "checked against the largest value above")]
        let nanoseconds = total.round() as i64;
        Ok(Self { nanoseconds: if negative { -nanoseconds } else { nanoseconds } })
    }
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanoseconds < 0 {
            f.write_str("-")?;
        }
        let nanoseconds = self.nanoseconds.unsigned_abs();
        let fraction = |value: u64, one: u64| {
            let digits = format!("{:09}", value % one * (1_000_000_000 / one));
            match digits.trim_end_matches('0') {
                "" => String::new(),
                digits => format!(".{digits}"),
            }
        };
        for (unit, one) in [("ns", 1), ("\u{b5}s", 1_000), ("ms", 1_000_000)] {
            if nanoseconds != 0 && nanoseconds < one * 1_000 {
                return write!(f, "{}{}{unit}", nanoseconds / one, fraction(nanoseconds, one));
            }
        }
        let seconds = nanoseconds / 1_000_000_000;
        if seconds >= 3600 {
            write!(f, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(f, "{}m", seconds / 60 % 60)?;
        }
        write!(f, "{}{}s", seconds % 60, fraction(nanoseconds, 1_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_durations_are_read_and_written() {
        for (text, milliseconds, written) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("60s", 60_000, "1m0s"),
            ("1m30s", 90_000, "1m30s"),
            ("1.5h", 5_400_000, "1h30m0s"),
            ("300ms", 300, "300ms"),
            ("1.25s", 1_250, "1.25s"),
            ("+5s", 5_000, "5s"),
            (".5s", 500, "500ms"),
        ] {
            let duration: GoDuration = text.parse().expect(text);
            assert_eq!(duration.get(), Duration::from_millis(milliseconds), "{text}");
            assert_eq!(duration.to_string(), written, "{text}");
            assert_eq!(written.parse::<GoDuration>().expect(written), duration);
        }
        let negative: GoDuration = "-1s".parse().expect("negative");
        assert!(negative.is_negative());
        assert_eq!(negative.get(), Duration::ZERO);
    }

    #[test]
    fn errors_are_worded_as_go_does() {
        for (text, message) in [
            ("", "time: invalid duration \"\""),
            ("abc", "time: invalid duration \"abc\""),
            ("5", "time: missing unit in duration \"5\""),
            ("5x", "time: unknown unit \"x\" in duration \"5x\""),
            (".s", "time: invalid duration \".s\""),
            ("99999999999h", "time: invalid duration \"99999999999h\""),
        ] {
            assert_eq!(text.parse::<GoDuration>().expect_err(text).to_string(), message);
        }
    }
}
