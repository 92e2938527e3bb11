//! Schedules of CronJobs, as github.com/robfig/cron parses them, and names of time zones.

/// Names of the IANA time zone database, one a line, sorted.
const ZONES: &str = include_str!("zones.txt");

/// The five fields of a schedule: name of values, bounds, names of values from the lower bound on.
const FIELDS: [(u32, u32, &[&str]); 5] = [
    (0, 59, &[]),
    (0, 23, &[]),
    (1, 31, &[]),
    (1, 12, &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]),
    (0, 6, &["sun", "mon", "tue", "wed", "thu", "fri", "sat"]),
];

/// Checks a schedule of five fields, or a descriptor such as `@daily`, with an optional `TZ=`.
///
/// # Errors
/// What is wrong, in the parser's words.
pub(super) fn parse(schedule: &str) -> Result<(), String> {
    let mut spec = schedule;
    if spec.is_empty() {
        return Err("empty spec string".into());
    }
    if let Some(rest) = spec.strip_prefix("TZ=").or_else(|| spec.strip_prefix("CRON_TZ=")) {
        let (zone_name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        if !zone_name.is_empty() {
            known_zone(zone_name).map_err(|error| format!("provided bad location {zone_name}: {error}"))?;
        }
        spec = rest.trim();
    }
    if spec.starts_with('@') {
        return descriptor(spec);
    }
    let fields: Vec<&str> = spec.split_whitespace().collect();
    if fields.len() != FIELDS.len() {
        return Err(format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" ")));
    }
    for (field, bounds) in fields.iter().zip(FIELDS) {
        for part in field.split(',').filter(|part| !part.is_empty()) {
            range(part, bounds)?;
        }
    }
    Ok(())
}

fn descriptor(spec: &str) -> Result<(), String> {
    const KNOWN: [&str; 7] =
        ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    if KNOWN.contains(&spec) {
        return Ok(());
    }
    match spec.strip_prefix("@every ") {
        Some(duration) if is_duration(duration) => Ok(()),
        Some(duration) => {
            Err(format!("failed to parse duration {spec}: time: invalid duration {duration:?}"))
        }
        None => Err(format!("unrecognized descriptor: {spec}")),
    }
}

/// Go's form of durations: numbers, each with a unit.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut parts = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        if !rest[..digits].bytes().any(|byte| byte.is_ascii_digit()) {
            return false;
        }
        rest = &rest[digits..];
        let Some(unit) = ["ns", "us", "µs", "ms", "s", "m", "h"].iter().find(|unit| rest.starts_with(**unit))
        else {
            return false;
        };
        rest = &rest[unit.len()..];
        parts += 1;
    }
    parts > 0
}

/// `number | number "-" number [ "/" number ]`, `*` and `?`.
fn range(text: &str, (min, max, names): (u32, u32, &[&str])) -> Result<(), String> {
    let value = |part: &str| {
        let named = names.iter().position(|name| name.eq_ignore_ascii_case(part));
        match named.and_then(|at| u32::try_from(at).ok()) {
            Some(at) => Ok(at + min),
            None => number(part),
        }
    };
    let steps: Vec<&str> = text.split('/').collect();
    let bounds: Vec<&str> = steps[0].split('-').collect();
    let single = bounds.len() == 1;
    let (start, mut end) = if matches!(bounds[0], "*" | "?") {
        (min, max)
    } else {
        let start = value(bounds[0])?;
        match bounds.len() {
            1 => (start, start),
            2 => (start, value(bounds[1])?),
            _ => return Err(format!("too many hyphens: {text}")),
        }
    };
    let step = match steps.len() {
        1 => 1,
        2 => {
            let step = number(steps[1])?;
            if single {
                end = max;
            }
            step
        }
        _ => return Err(format!("too many slashes: {text}")),
    };
    if start < min {
        return Err(format!("beginning of range ({start}) below minimum ({min}): {text}"));
    }
    if end > max {
        return Err(format!("end of range ({end}) above maximum ({max}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(())
}

fn number(text: &str) -> Result<u32, String> {
    match text.parse::<i64>() {
        Ok(number) if number < 0 => Err(format!("negative number ({number}) not allowed: {text}")),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        Err(_) => {
            let reason = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
                "value out of range"
            } else {
                "invalid syntax"
            };
            Err(format!("failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {reason}"))
        }
    }
}

/// Checks `spec.timeZone`.
///
/// # Errors
/// Why it will not do.
pub(super) fn zone(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("timeZone must be nil or non-empty string".into());
    }
    if name.eq_ignore_ascii_case("Local") {
        return Err(
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones".into()
        );
    }
    known_zone(name)
}

fn known_zone(name: &str) -> Result<(), String> {
    if ZONES.lines().any(|known| known == name) { Ok(()) } else { Err(format!("unknown time zone {name}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_are_parsed_as_cron_does() {
        for fine in [
            "* * * * *",
            "*/5 1-3 1,15 JAN mon-fri",
            "@daily",
            "@every 1h30m",
            "TZ=UTC * * * * *",
            "? * * * ?",
        ] {
            assert_eq!(parse(fine), Ok(()), "{fine}");
        }
        for (schedule, reason) in [
            ("61 * * * *", "end of range (61) above maximum (59): 61"),
            ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
            ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
            ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
            ("a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"),
            ("*/0 * * * *", "step of range should be a positive number: */0"),
            ("@often", "unrecognized descriptor: @often"),
        ] {
            assert_eq!(parse(schedule), Err(reason.to_owned()), "{schedule}");
        }
    }

    #[test]
    fn zones_are_those_of_the_database() {
        assert_eq!(zone("Europe/Berlin"), Ok(()));
        assert_eq!(zone("Nowhere/None"), Err("unknown time zone Nowhere/None".into()));
        assert!(zone("").is_err() && zone("local").is_err());
    }
}
