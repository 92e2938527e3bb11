//! `meta/v1` Time and MicroTime: RFC 3339 in UTC, with no or with six digits of a second.

use jiff::{Timestamp, Unit};

/// An instant. Whole seconds unless it comes from [`parse`].
pub type Instant = Timestamp;

/// Now, in whole seconds.
pub fn now() -> Instant {
    let now = Timestamp::now();
    now.round(Unit::Second).ok().filter(|rounded| *rounded <= now).unwrap_or_else(|| truncated(now))
}

fn truncated(instant: Instant) -> Instant {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant)
}

/// `2006-01-02T15:04:05Z`.
pub fn format(instant: Instant) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2006-01-02T15:04:05.000000Z`.
pub fn format_micro(instant: Instant) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// Reads RFC 3339 with any offset and any number of digits. `None` if it is something else.
pub fn parse(text: &str) -> Option<Instant> {
    // jiff takes more than RFC 3339 does: a space for the T, hours without minutes.
    let bytes = text.as_bytes();
    let date_ok = bytes.len() >= 20 && bytes[10] == b'T' && bytes[13] == b':' && bytes[16] == b':';
    let zone_ok = text.ends_with('Z') || bytes.len() >= 25 && bytes[bytes.len() - 3] == b':';
    (date_ok && zone_ok).then(|| text.parse().ok()).flatten()
}

/// An instant so many seconds later (or, if negative, earlier).
pub fn plus_seconds(instant: Instant, seconds: i64) -> Instant {
    Timestamp::from_second(instant.as_second().saturating_add(seconds)).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_and_have_whole_seconds() {
        let instant = parse("2020-02-29T23:59:59.75+02:00").unwrap();
        assert_eq!(format(instant), "2020-02-29T21:59:59Z");
        assert_eq!(format_micro(instant), "2020-02-29T21:59:59.750000Z");
        assert_eq!(format(plus_seconds(instant, 1)), "2020-02-29T22:00:00Z");
        assert_eq!(now().subsec_nanosecond(), 0);
    }

    #[test]
    fn what_is_not_rfc_3339_is_refused() {
        for text in [
            "",
            "yesterday",
            "2020-01-01",
            "2020-01-01 00:00:00Z",
            "2020-01-01T00:00Z",
            "2020-13-01T00:00:00Z",
            "2020-01-01T00:00:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn far_times_do_not_overflow() {
        let instant = parse("2020-01-01T00:00:00Z").unwrap();
        assert_eq!(plus_seconds(instant, i64::MAX), instant);
    }
}
