//! Cells of the Table projection that several kinds print alike: ages and durations.
//!
//! Facts: `apimachinery/pkg/util/duration/duration.go` and `pkg/printers/internalversion/printers.go`.

use jiff::Timestamp;

/// A time that is not set.
pub const UNKNOWN: &str = "<unknown>";

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A duration of whole seconds with two or three digits of precision: `2m5s`, `5d3h`, `2y18d`.
///
/// Up to one second below zero counts as `0s`, for clocks that differ; what is further below is `<invalid>`.
pub fn human_duration(seconds: i64) -> String {
    if seconds < -1 {
        return "<invalid>".into();
    }
    let minutes = seconds / MINUTE;
    let hours = seconds / HOUR;
    let days = seconds / DAY;
    if seconds < 0 {
        "0s".into()
    } else if seconds < 2 * MINUTE {
        format!("{seconds}s")
    } else if minutes < 10 {
        pair(minutes, "m", seconds % MINUTE, "s")
    } else if minutes < 3 * 60 {
        format!("{minutes}m")
    } else if hours < 8 {
        pair(hours, "h", minutes % 60, "m")
    } else if hours < 2 * 24 {
        format!("{hours}h")
    } else if days < 8 {
        pair(days, "d", hours % 24, "h")
    } else if days < 2 * 365 {
        format!("{days}d")
    } else if days < 8 * 365 {
        pair(days / 365, "y", days % 365, "d")
    } else {
        format!("{}y", days / 365)
    }
}

/// The greater unit, and the smaller one if there is any of it.
fn pair(great: i64, great_unit: &str, small: i64, small_unit: &str) -> String {
    if small == 0 {
        format!("{great}{great_unit}")
    } else {
        format!("{great}{great_unit}{small}{small_unit}")
    }
}

/// How long ago an RFC 3339 time was; [`UNKNOWN`] without one, or when it is no time.
pub fn age(time: Option<&str>, now: Timestamp) -> String {
    since(time, now).unwrap_or_else(|| UNKNOWN.into())
}

/// How long ago an RFC 3339 time was; none without one, or when it is no time.
pub fn since(time: Option<&str>, now: Timestamp) -> Option<String> {
    let time: Timestamp = time?.parse().ok()?;
    Some(human_duration(seconds_between(time, now)))
}

/// Whole seconds from `start` to `end`, cut towards zero; negative when `end` is before `start`.
pub fn seconds_between(start: Timestamp, end: Timestamp) -> i64 {
    end.duration_since(start).as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_or_three_digits() {
        let cases = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (1, "1s"),
            (119, "119s"),
            (120, "2m"),
            (125, "2m5s"),
            (10 * MINUTE - 1, "9m59s"),
            (10 * MINUTE, "10m"),
            (10 * MINUTE + 1, "10m"),
            (3 * HOUR - 1, "179m"),
            (3 * HOUR, "3h"),
            (3 * HOUR + 1, "3h"),
            (3 * HOUR + MINUTE, "3h1m"),
            (8 * HOUR - 1, "7h59m"),
            (8 * HOUR, "8h"),
            (2 * DAY - 1, "47h"),
            (2 * DAY, "2d"),
            (2 * DAY + HOUR, "2d1h"),
            (8 * DAY - 1, "7d23h"),
            (8 * DAY, "8d"),
            (2 * 365 * DAY - 1, "729d"),
            (2 * 365 * DAY, "2y"),
            (2 * 365 * DAY + DAY, "2y1d"),
            (8 * 365 * DAY - 1, "7y364d"),
            (8 * 365 * DAY, "8y"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human_duration(seconds), text, "{seconds} seconds");
        }
    }

    #[test]
    fn ages_are_told_from_rfc_3339_times() {
        let now: Timestamp = "2026-01-08T15:00:00.9Z".parse().unwrap();
        assert_eq!(age(Some("2026-01-03T12:00:00Z"), now), "5d3h");
        assert_eq!(age(Some("2026-01-08T14:59:59.5Z"), now), "1s");
        assert_eq!(age(Some("2026-01-08T15:00:01Z"), now), "0s");
        assert_eq!(age(None, now), UNKNOWN);
        assert_eq!(age(Some("yesterday"), now), UNKNOWN);
        assert_eq!(since(None, now), None);
    }
}
