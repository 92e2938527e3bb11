//! Which origins a component may reach: the entries of `grants.outbound`, and the target of a request.

use http::uri::{Authority, Scheme, Uri};
use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

/// An origin, or all origins one label below a name: `https://api.example.com`, `https://*.example.com`,
/// `http://127.0.0.1:8080`. A host alone means https on port 443.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The origin, or the one that the star stands below.
    origin: Origin,
    /// Whether the entry began with a star.
    below: bool,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) tls: bool,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// Who answers: a name in lower case, or an address that was written as such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Host {
    Name(String),
    Address(IpAddr),
}

impl Origin {
    fn new(tls: bool, authority: &Authority) -> Option<Self> {
        // `user:password@` would be sent to nobody, but reads as if the host were another.
        if authority.as_str().contains('@') {
            return None;
        }
        let text = authority.host();
        let host = if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            Host::Address(inner.parse::<Ipv6Addr>().ok()?.into())
        } else if let Ok(address) = text.parse() {
            Host::Address(address)
        } else {
            let name = text.to_ascii_lowercase();
            let label = |label: &str| {
                !label.is_empty()
                    && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            };
            if name.len() > 253 || !name.split('.').all(label) {
                return None;
            }
            Host::Name(name)
        };
        let port = match authority.as_str().strip_prefix(text)? {
            "" if tls => 443,
            "" => 80,
            _ => authority.port_u16()?,
        };
        Some(Self { tls, host, port })
    }

    /// The origin that a request goes to; none if it is no plain `http` or `https` one.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return None,
        };
        Self::new(tls, uri.authority()?)
    }
}

impl Grant {
    pub(super) fn covers(&self, target: &Origin) -> bool {
        if !self.below {
            return self.origin == *target;
        }
        let (Host::Name(parent), Host::Name(name)) = (&self.origin.host, &target.host) else { return false };
        let label = name.strip_suffix(parent.as_str()).and_then(|rest| rest.strip_suffix('.'));
        (self.origin.tls, self.origin.port) == (target.tls, target.port)
            && label.is_some_and(|label| !label.is_empty() && !label.contains('.'))
    }

    /// Whether requests under it are encrypted.
    pub(super) const fn tls(&self) -> bool {
        self.origin.tls
    }
}

impl FromStr for Grant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tls, rest) = match text.split_once("://") {
            Some(("https", rest)) => (true, rest),
            Some(("http", rest)) => (false, rest),
            Some(_) => return Err(malformed(text)),
            None => (true, text),
        };
        let (below, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let origin = rest.parse().ok().and_then(|authority| Origin::new(tls, &authority));
        let origin = origin.ok_or_else(|| malformed(text))?;
        if below && matches!(origin.host, Host::Address(_)) {
            return Err(malformed(text));
        }
        Ok(Self { origin, below })
    }
}

fn malformed(text: &str) -> String {
    format!(
        "grants.outbound: {text:?} is no origin; write https://api.example.com, https://*.example.com or http://127.0.0.1:8080, without a path"
    )
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "https://" } else { "http://" })?;
        match &self.host {
            Host::Name(name) => f.write_str(name)?,
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        if self.port == if self.tls { 443 } else { 80 } { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(grant: &str, url: &str) -> bool {
        let grant: Grant = grant.parse().unwrap();
        Origin::of(&url.parse().unwrap()).is_some_and(|target| grant.covers(&target))
    }

    #[test]
    fn a_grant_covers_its_origin_alone() {
        assert!(allows("https://api.example.com", "https://API.example.com/v1?a=b"));
        assert!(allows("api.example.com", "https://api.example.com:443/"));
        assert!(allows("api.example.com:8443", "https://api.example.com:8443/"));
        assert!(allows("http://127.0.0.1:8080", "http://127.0.0.1:8080/"));
        assert!(allows("https://[::1]", "https://[0:0::1]/"));
        for url in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://example.com/",
            "https://api.example.com.evil.test/",
            "https://evil-api.example.com/",
            "https://api.example.com@evil.test/",
            "https://evil.test@api.example.com/",
            "ftp://api.example.com/",
        ] {
            assert!(!allows("https://api.example.com", url), "{url}");
        }
        assert!(!allows("http://127.0.0.1:8080", "http://localhost:8080/"));
    }

    #[test]
    fn a_star_stands_for_one_label_as_in_a_certificate() {
        assert!(allows("https://*.example.com", "https://a.example.com/"));
        for url in [
            "https://example.com/",
            "https://.example.com/",
            "https://a.b.example.com/",
            "https://a.example.com.evil.test/",
            "https://aexample.com/",
            "http://a.example.com/",
            "https://a.example.com:8443/",
        ] {
            let target = url.parse().ok().and_then(|uri| Origin::of(&uri));
            let grant: Grant = "https://*.example.com".parse().unwrap();
            assert!(!target.is_some_and(|target| grant.covers(&target)), "{url}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_the_form() {
        for text in [
            "",
            "*",
            "https://*",
            "https://*.",
            "ftp://a.example.com",
            "https://a.example.com/v1",
            "https://a.example.com/",
            "https://me@a.example.com",
            "https://a.*.com",
            "https://*.127.0.0.1",
            "https://a..b",
            "https://a.example.com:port",
            "https://a.example.com:",
        ] {
            let refused = text.parse::<Grant>().unwrap_err();
            assert!(refused.contains("grants.outbound") && refused.contains(text), "{refused}");
        }
    }
}
