//! IP addresses and prefixes (`apimachinery/pkg/util/validation/ip.go`), strict as of 1.36.

use super::checks::Errors;
use super::view::Node;
use chainplate_apimachinery::field::{Error, Path};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address that Go's old parser takes: leading zeros in IPv4 are dropped.
pub(super) fn sloppy(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    let mut octets = [0u8; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *octet = part
            .trim_start_matches('0')
            .parse()
            .or_else(|error| if part.bytes().all(|byte| byte == b'0') { Ok(0) } else { Err(error) })
            .ok()?;
    }
    parts.next().is_none().then(|| IpAddr::V4(Ipv4Addr::from(octets)))
}

/// What is wrong with an address, if anything. `legacy` fields may be written in any form.
fn ip_error(path: &Path<'_>, text: &str, legacy: bool) -> Option<Error> {
    let Some(ip) = sloppy(text) else {
        let reason = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        return Some(Error::invalid(path, text, reason));
    };
    match text.parse::<IpAddr>() {
        Err(_) => Some(Error::invalid(path, text, "must not have leading 0s")),
        Ok(IpAddr::V6(v6)) if v6.to_ipv4_mapped().is_some() => {
            Some(Error::invalid(path, text, "must not be an IPv4-mapped IPv6 address"))
        }
        Ok(_) if !legacy && text != ip.to_string() => {
            Some(Error::invalid(path, text, format!("must be in canonical form ({:?})", ip.to_string())))
        }
        Ok(_) => None,
    }
}

/// An address in a field that is older than strict parsing. True if it is one.
pub(super) fn ip(path: &Path<'_>, text: &str, errors: &mut Errors) -> bool {
    let error = ip_error(path, text, true);
    let fine = error.is_none();
    errors.extend(error);
    fine
}

/// An address in its canonical form.
pub(super) fn canonical_ip(path: &Path<'_>, text: &str, errors: &mut Errors) {
    errors.extend(ip_error(path, text, false));
}

/// A prefix: address and length.
pub(super) fn prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let ip = sloppy(address)?;
    if length.is_empty() || length.len() > 3 || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let length: u8 = length.parse().ok()?;
    (length <= if ip.is_ipv4() { 32 } else { 128 }).then_some((ip, length))
}

/// The first address of a prefix.
pub(super) fn masked(ip: IpAddr, length: u8) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(length.min(32))).unwrap_or_default();
            IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or_default();
            IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
        }
    }
}

/// A prefix; `legacy` fields may be written in any form that is not ambiguous.
pub(super) fn cidr(path: &Path<'_>, text: &str, legacy: bool, errors: &mut Errors) -> bool {
    let Some((ip, length)) = prefix(text) else {
        let reason = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        errors.push(Error::invalid(path, text, reason));
        return false;
    };
    let (address, digits) = text.split_once('/').unwrap_or((text, ""));
    let zeros = address.parse::<IpAddr>().is_err() || (digits.len() > 1 && digits.starts_with('0'));
    let mapped = matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    let canonical = format!("{}/{length}", masked(ip, length));
    let reason = if zeros {
        "must not have leading 0s in IP or prefix length".to_owned()
    } else if mapped {
        "must not have an IPv4-mapped IPv6 address".to_owned()
    } else if masked(ip, length) != ip {
        "must not have bits set beyond the prefix length".to_owned()
    } else if !legacy && text != canonical {
        format!("must be in canonical form ({canonical:?})")
    } else {
        return true;
    };
    errors.push(Error::invalid(path, text, reason));
    true
}

/// Addresses that no endpoint has (`ValidateNonSpecialIP`).
pub(super) fn not_special(path: &Path<'_>, text: &str, errors: &mut Errors) {
    let mut add = |reason: &str| errors.push(Error::invalid(path, text, reason));
    let Some(ip) = sloppy(text) else {
        return add("must be a valid IP address");
    };
    if ip.is_unspecified() {
        add(&format!("may not be unspecified ({text})"));
    }
    if ip.is_loopback() {
        add("may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (unicast, multicast) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.segments()[0] & 0xffc0 == 0xfe80, v6.segments()[0] & 0xff0f == 0xff02),
    };
    if unicast {
        add("may not be in the link-local range (169.254.0.0/16, fe80::/10)");
    }
    if multicast {
        add("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)");
    }
}

/// Whether a list of addresses or prefixes has both families.
pub(super) fn dual_stack<'v>(texts: impl Iterator<Item = &'v str>) -> bool {
    let (mut v4, mut v6) = (false, false);
    for text in texts {
        match sloppy(text).or_else(|| prefix(text).map(|(ip, _)| ip)) {
            Some(IpAddr::V4(_)) => v4 = true,
            Some(IpAddr::V6(_)) => v6 = true,
            None => {}
        }
    }
    v4 && v6
}

/// Every text of a list is an address.
pub(super) fn ips(node: &Node<'_, '_>, errors: &mut Errors) {
    node.each(|_, item| {
        ip(&item.path, item.str(), errors);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_masked_and_ambiguous_ones_refused() {
        assert_eq!(masked("10.9.8.7".parse().unwrap(), 24), "10.9.8.0".parse::<IpAddr>().unwrap());
        assert_eq!(masked("::1".parse().unwrap(), 0), "::".parse::<IpAddr>().unwrap());
        for (text, wrong) in
            [("10.0.0.0/8", 0), ("10.0.0.1/8", 1), ("10.0.0.0/33", 1), ("x", 1), ("010.0.0.0/8", 1)]
        {
            let mut errors = Errors::new();
            cidr(&Path::Root, text, true, &mut errors);
            assert_eq!(errors.len(), wrong, "{text}");
        }
    }

    #[test]
    fn addresses_with_leading_zeros_are_told_apart_from_nonsense() {
        let mut errors = Errors::new();
        ip(&Path::Root, "010.0.0.1", &mut errors);
        ip(&Path::Root, "nope", &mut errors);
        ip(&Path::Root, "2001:db8::0:1", &mut errors);
        let details: Vec<&str> = errors.iter().map(|error| error.detail.as_str()).collect();
        assert_eq!(details[0], "must not have leading 0s");
        assert!(details[1].starts_with("must be a valid IP address"));
        assert_eq!(details.len(), 2);
    }
}
