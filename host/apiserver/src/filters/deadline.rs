//! How long a request may take (`endpoints/filters/request_deadline.go`, `endpoints/handlers/rest.go`).

use crate::{body::timeout_status, duration::GoDuration};
use chainplate_apimachinery::{
    Status,
    request::{RequestInfo, query_value},
};
use std::time::{Duration, Instant};

/// The most that a writing request gets, `requestTimeoutUpperBound` upstream.
const WRITE_LIMIT: Duration = Duration::from_secs(34);

/// When the answer has to be there. `None` for long-running requests.
///
/// # Errors
/// 400 for a `timeout` that is no duration.
pub(super) fn of(
    info: &RequestInfo,
    query: &str,
    received: Instant,
    most: Duration,
) -> Result<Option<Instant>, Status> {
    if info.is_long_running() {
        return Ok(None);
    }
    let asked = match query_value(query, "timeout") {
        Some(text) if !text.is_empty() => {
            let duration: GoDuration = text.parse().map_err(|error| {
                Status::bad_request(format!("invalid timeout specified in the request URL - {error}"))
            })?;
            // 0 and less stand for "none of my own".
            Some(duration.get()).filter(|duration| !duration.is_zero())
        }
        _ => None,
    };
    let limit = if writes(info) { most.min(WRITE_LIMIT) } else { most };
    Ok(Some(received + asked.map_or(limit, |asked| asked.min(limit))))
}

fn writes(info: &RequestInfo) -> bool {
    info.is_resource && info.is_mutating()
}

/// The answer to a request whose time is over.
pub(super) fn passed(info: &RequestInfo) -> Status {
    if writes(info) {
        timeout_status().with_message(
            "Timeout: request did not complete within requested timeout - context deadline exceeded",
        )
    } else {
        timeout_status()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(method: &str, path: &str) -> Result<Option<u64>, Status> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let info = RequestInfo::parse(method, path, query).expect(path);
        let now = Instant::now();
        let deadline = of(&info, query, now, Duration::from_secs(60))?;
        Ok(deadline.map(|deadline| (deadline - now).as_secs()))
    }

    #[test]
    fn clients_may_ask_for_less() {
        for (method, path, expected) in [
            ("GET", "/api/v1/pods", Some(60)),
            ("GET", "/api/v1/pods?timeout=5s", Some(5)),
            ("GET", "/api/v1/pods?timeout=5m", Some(60)),
            ("GET", "/api/v1/pods?timeout=0s", Some(60)),
            ("GET", "/api/v1/pods?timeout=-3s", Some(60)),
            ("GET", "/api/v1/pods?timeout=", Some(60)),
            ("POST", "/api/v1/pods", Some(34)),
            ("POST", "/api/v1/pods?timeout=40s", Some(34)),
            ("POST", "/path", Some(60)),
            ("GET", "/api/v1/pods?watch=1&timeout=nonsense", None),
        ] {
            assert_eq!(seconds(method, path), Ok(expected), "{method} {path}");
        }
    }

    #[test]
    fn a_malformed_timeout_is_a_bad_request() {
        let status = seconds("GET", "/healthz?timeout=abc").expect_err("malformed");
        assert_eq!(status.code(), 400);
        assert_eq!(
            status.message(),
            "invalid timeout specified in the request URL - time: invalid duration \"abc\""
        );
    }
}
