//! Prometheus' text format 0.0.4, which upstream serves, from the OpenMetrics text that the library writes.

/// The media type of `/metrics`, as upstream sends it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// Counters that upstream named before names had to end in `_total`.
const WITHOUT_TOTAL: [&str; 1] = ["authentication_attempts"];

/// Renames what is different: a counter's head carries the `_total` of its samples, or neither does where
/// upstream has none; `unknown` is `untyped`, and there is neither a unit nor an end mark.
pub(super) fn from_open_metrics(open: &str) -> String {
    let mut out = String::with_capacity(open.len());
    let mut help: Option<(&str, &str)> = None;
    for line in open.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
            continue;
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            match bare_name(line) {
                Some((name, rest)) => out.extend([name, rest]),
                None => out.push_str(line),
            }
            out.push('\n');
            continue;
        };
        let (suffix, kind) = match kind {
            "counter" if WITHOUT_TOTAL.contains(&name) => ("", "counter"),
            "counter" => ("_total", "counter"),
            "info" => ("_info", "gauge"),
            "unknown" => ("", "untyped"),
            kind => ("", kind),
        };
        if let Some((_, text)) = help.take().filter(|(of, _)| *of == name) {
            out.push_str(&format!("# HELP {name}{suffix} {text}\n"));
        }
        out.push_str(&format!("# TYPE {name}{suffix} {kind}\n"));
    }
    // The library writes HELP before TYPE; a HELP without TYPE has no samples either.
    out
}

/// The name of a sample that goes without `_total`, and what follows the name.
fn bare_name(line: &str) -> Option<(&'static str, &str)> {
    let after = |name: &str| line.strip_prefix(name)?.strip_prefix("_total");
    WITHOUT_TOTAL.into_iter().find_map(|name| Some((name, after(name)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_counters_carry_their_suffix() {
        let open = "# HELP a Things.\n# TYPE a counter\na_total{x=\"1\"} 2\n# HELP b_seconds B.\n# TYPE b_seconds gauge\n# UNIT b_seconds seconds\nb_seconds 1\n# EOF\n";
        assert_eq!(
            from_open_metrics(open),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\"} 2\n# HELP b_seconds B.\n# TYPE b_seconds gauge\nb_seconds 1\n"
        );
    }

    #[test]
    fn upstreams_old_counters_go_without() {
        let open = "# HELP authentication_attempts A.\n# TYPE authentication_attempts counter\nauthentication_attempts_total{x=\"1\"} 2\n# EOF\n";
        assert_eq!(
            from_open_metrics(open),
            "# HELP authentication_attempts A.\n# TYPE authentication_attempts counter\nauthentication_attempts{x=\"1\"} 2\n"
        );
    }
}
