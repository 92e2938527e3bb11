//! Headers that the filters read, set and take away.

use crate::authn::WEBSOCKET_BEARER;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use std::sync::Arc;
use uuid::Uuid;

/// `Audit-Id`.
pub(super) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

/// The client's audit id, if it gave one that a log line can hold, or a new one.
pub(super) fn audit_id(headers: &HeaderMap) -> Arc<str> {
    let sane =
        |id: &&str| !id.is_empty() && id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_graphic());
    match headers.get(AUDIT_ID).and_then(|value| value.to_str().ok()).filter(sane) {
        Some(id) => id.into(),
        None => {
            let mut buffer = Uuid::encode_buffer();
            Arc::from(&*Uuid::new_v4().as_hyphenated().encode_lower(&mut buffer))
        }
    }
}

/// What content negotiation looks at, kept for answers that are made after the request is gone.
pub(super) fn negotiation(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if let Some(accept) = headers.get(header::ACCEPT) {
        kept.insert(header::ACCEPT, accept.clone());
    }
    kept
}

/// Paths that are answered until the very end: who watches the shutdown asks them.
pub(super) fn exempt_from_shutdown(path: &str) -> bool {
    ["/readyz", "/livez", "/healthz", "/metrics"].iter().any(|exempt| path.starts_with(exempt))
}

/// Takes away what proves who asks, and what only a front proxy may say.
pub(super) fn remove_credentials(headers: &mut HeaderMap) {
    headers.remove(header::AUTHORIZATION);
    headers.remove(header::PROXY_AUTHORIZATION);
    for name in ["x-remote-user", "x-remote-uid", "x-remote-group"] {
        headers.remove(name);
    }
    remove_prefixed(headers, "x-remote-extra-");
    let protocols = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let carries_token = |value: &HeaderValue| {
        value.as_bytes().windows(WEBSOCKET_BEARER.len()).any(|part| part == WEBSOCKET_BEARER.as_bytes())
    };
    if protocols.iter().any(carries_token) {
        let kept: Vec<String> = protocols
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .filter(|protocol| !protocol.is_empty() && !protocol.starts_with(WEBSOCKET_BEARER))
            .map(str::to_owned)
            .collect();
        headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
        if let Ok(value) = HeaderValue::from_str(&kept.join(", "))
            && !kept.is_empty()
        {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, value);
        }
    }
}

/// Removes every header whose name starts so.
pub(super) fn remove_prefixed(headers: &mut HeaderMap, prefix: &str) {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(prefix)).cloned().collect();
    for name in names {
        headers.remove(name);
    }
}

/// True with a small probability. A random UUID is random enough to spread load.
pub(super) fn chance(probability: f64) -> bool {
    probability > 0.0 && f64::from(Uuid::new_v4().as_fields().0) < probability * f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audit_ids_are_taken_when_they_are_sane() {
        let mut headers = HeaderMap::new();
        let made = audit_id(&headers);
        assert_eq!(made.len(), 36);
        assert_ne!(made, audit_id(&headers));
        headers.insert(AUDIT_ID, HeaderValue::from_static("mine-1"));
        assert_eq!(&*audit_id(&headers), "mine-1");
        for strange in ["", "two words", &"x".repeat(129)] {
            headers.insert(AUDIT_ID, strange.parse().expect("header"));
            assert_ne!(&*audit_id(&headers), strange);
        }
    }

    #[test]
    fn nothing_that_proves_identity_goes_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("authorization", "Bearer t"),
            ("x-remote-user", "root"),
            ("x-remote-extra-scopes", "all"),
            ("sec-websocket-protocol", "v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.dA"),
            ("accept", "application/json"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_credentials(&mut headers);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["sec-websocket-protocol"], "v4.channel.k8s.io");
    }

    #[test]
    fn no_chance_is_never_and_certainty_is_always() {
        assert!((0..100).all(|_| !chance(0.0)));
        assert!((0..100).all(|_| chance(1.1)));
    }
}
