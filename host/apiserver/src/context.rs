//! What the filters found out about a request.

use chainplate_apimachinery::request::{RequestInfo, UserInfo};
use http::HeaderValue;
use parking_lot::Mutex;
use std::{net::SocketAddr, sync::Arc, time::Instant};

/// What the filters know of a request, handed to the [`Handler`](crate::Handler). Cheap to clone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RequestContext {
    /// What is asked for.
    pub info: Arc<RequestInfo>,
    /// Who asks, after impersonation.
    pub user: Arc<UserInfo>,
    /// The audit id, also in the `Audit-Id` response header.
    pub audit_id: Arc<str>,
    /// When the answer must be there; `None` for long-running requests.
    pub deadline: Option<Instant>,
    /// Warnings for the client.
    pub warnings: Warnings,
    /// Turns true when the server drains: watches end.
    pub shutdown: tokio::sync::watch::Receiver<bool>,
    /// The other end of the connection.
    pub remote_address: SocketAddr,
}

/// Runes of all warnings together, before each is cut.
const TOTAL_RUNES: usize = 4 * 1024;
/// Runes that a warning is cut to once the total was exceeded.
const ITEM_RUNES: usize = 256;

/// Warnings collected for one response, written as `Warning: 299 - "text"` headers. Clones share one list.
///
/// Limits and truncation are those of upstream's `endpoints/filters/warning.go`.
#[derive(Debug, Clone, Default)]
pub struct Warnings(Arc<Mutex<Vec<String>>>);

impl Warnings {
    /// Adds a warning unless it is empty, said before, or holds control characters (which no header can carry).
    pub fn add(&self, text: impl Into<String>) {
        let text = text.into();
        if text.is_empty() || text.chars().any(char::is_control) {
            return;
        }
        let mut list = self.0.lock();
        // Beyond this nothing could be shown even if every text were one rune.
        if list.len() < TOTAL_RUNES && !list.contains(&text) {
            list.push(text);
        }
    }

    /// The texts so far.
    pub fn texts(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    /// The headers' values, in the order the warnings came, cut where they are too long together.
    pub fn headers(&self) -> Vec<HeaderValue> {
        let list = self.0.lock();
        let total: usize = list.iter().map(|text| text.chars().count()).sum();
        let item = if total <= TOTAL_RUNES { usize::MAX } else { ITEM_RUNES };
        let mut written = 0;
        list.iter()
            .take_while(|text| {
                let fits = written < TOTAL_RUNES;
                written += text.chars().count().min(item);
                fits
            })
            .filter_map(|text| warning_header(text.chars().take(item)))
            .collect()
    }
}

/// `299 - "text"`, RFC 7234 section 5.5, with quotes and backslashes escaped.
fn warning_header(text: impl Iterator<Item = char>) -> Option<HeaderValue> {
    let mut value = String::from("299 - \"");
    for c in text {
        if matches!(c, '"' | '\\') {
            value.push('\\');
        }
        value.push(c);
    }
    value.push('"');
    HeaderValue::from_bytes(value.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(warnings: &Warnings) -> Vec<String> {
        warnings
            .headers()
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .collect()
    }

    #[test]
    fn warnings_are_quoted_and_said_once() {
        let warnings = Warnings::default();
        for text in ["one", "two \"quoted\" \\", "one", "", "line\nbreak", "é"] {
            warnings.add(text);
        }
        assert_eq!(texts(&warnings), ["299 - \"one\"", "299 - \"two \\\"quoted\\\" \\\\\"", "299 - \"é\""]);
    }

    #[test]
    fn many_long_warnings_are_cut_to_the_total() {
        let warnings = Warnings::default();
        for index in 0..100 {
            warnings.add(format!("{index:03}{}", "x".repeat(997)));
        }
        let headers = texts(&warnings);
        assert_eq!(headers.len(), TOTAL_RUNES / ITEM_RUNES);
        assert!(headers.iter().all(|header| header.len() == ITEM_RUNES + "299 - \"\"".len()));
    }

    #[test]
    fn warnings_within_the_total_are_whole() {
        let warnings = Warnings::default();
        warnings.add("x".repeat(TOTAL_RUNES));
        assert_eq!(texts(&warnings)[0].len(), TOTAL_RUNES + "299 - \"\"".len());
    }
}
