//! Results: one line for people, one object for programs.

use crate::{process::Memory, stats::Latencies};
use serde_json::{Value, json};
use std::{fmt, time::Duration};

/// One result: a scenario in one of its sizes.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    scenario: &'static str,
    case: String,
    figures: Vec<Figure>,
}

#[derive(Debug, Clone)]
struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

impl Row {
    /// A result without figures yet. `case` says which of the scenario's sizes it is.
    pub(crate) fn new(scenario: &'static str, case: impl Into<String>) -> Self {
        Self { scenario, case: case.into(), figures: Vec::new() }
    }

    /// Adds a figure.
    pub(crate) fn with(mut self, name: &'static str, value: f64, unit: &'static str) -> Self {
        self.figures.push(Figure { name, value, unit });
        self
    }

    /// Adds a time in milliseconds.
    pub(crate) fn time(self, name: &'static str, time: Duration) -> Self {
        self.with(name, time.as_secs_f64() * 1e3, "ms")
    }

    /// Adds the median and the 99th percentile.
    pub(crate) fn latencies(self, latencies: &Latencies) -> Self {
        self.time("p50", latencies.percentile(50)).time("p99", latencies.percentile(99))
    }

    /// Adds a size in MB (10⁶ bytes).
    pub(crate) fn size(self, name: &'static str, bytes: u64) -> Self {
        self.with(name, bytes as f64 / 1e6, "MB")
    }

    /// Adds what is resident, when the process is known.
    pub(crate) fn memory(self, memory: Option<Memory>) -> Self {
        match memory {
            Some(memory) => self.size("RssAnon", memory.anonymous).size("VmRSS", memory.resident),
            None => self,
        }
    }

    /// Adds by how much memory that no file backs grew, for each of `count` things, when the process is known.
    pub(crate) fn growth(
        self,
        name: &'static str,
        before: Option<Memory>,
        after: Option<Memory>,
        count: usize,
    ) -> Self {
        match (before, after) {
            (Some(before), Some(after)) => {
                let growth = after.anonymous as f64 - before.anonymous as f64;
                self.with(name, growth / count.max(1) as f64, "B")
            }
            _ => self,
        }
    }

    /// The result for programs.
    pub(crate) fn to_json(&self) -> Value {
        let figures: Vec<_> = self
            .figures
            .iter()
            .map(|figure| json!({ "name": figure.name, "value": figure.value, "unit": figure.unit }))
            .collect();
        json!({ "scenario": self.scenario, "case": self.case, "figures": figures })
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<10} {:<26}", self.scenario, self.case)?;
        for (index, Figure { name, value, unit }) in self.figures.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {name} {} {unit}", Number(*value))?;
        }
        Ok(())
    }
}

/// A number with three significant digits at least, and none behind the point from a hundred on.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = match self.0.abs() {
            size if size >= 100.0 || size == 0.0 => 0,
            size if size >= 10.0 => 1,
            size if size >= 1.0 => 2,
            _ => 3,
        };
        write!(f, "{:.digits$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        let shown: Vec<_> =
            [0.0, 0.1234, 1.234, 12.34, 123.4, 123_456.7, -5.0].map(|n| Number(n).to_string()).into();
        assert_eq!(shown, ["0", "0.123", "1.23", "12.3", "123", "123457", "-5.00"]);
    }

    #[test]
    fn a_row_is_one_line_and_one_object() {
        let row =
            Row::new("get", "1 client").with("rate", 5000.0, "/s").time("p99", Duration::from_micros(250));
        assert!(row.to_string().ends_with(" rate 5000 /s, p99 0.250 ms"), "{row}");
        assert_eq!(row.to_json()["figures"][1]["value"], 0.25);
        assert_eq!(row.to_json()["scenario"], "get");
    }

    #[test]
    fn memory_of_an_unknown_process_is_left_out() {
        let row = Row::new("start", "").memory(None).growth("per object", None, Some(Memory::default()), 1);
        assert_eq!(row.to_json()["figures"], json!([]));
    }
}
