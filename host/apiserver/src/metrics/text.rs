//! Prometheus' text format 0.0.4, which upstream serves, from the OpenMetrics text that the library writes.

/// The media type of `/metrics`, as upstream sends it.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

/// Renames what is different: a counter's head carries the `_total` of its samples, `unknown` is `untyped`, and
/// there is neither a unit nor an end mark.
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
            out.push_str(line);
            out.push('\n');
            continue;
        };
        let (suffix, kind) = match kind {
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
}
