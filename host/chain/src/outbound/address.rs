//! From a target to addresses that may be connected to.
//!
//! A name is looked up once, here, and the connection goes to an address that was checked: a name that changes its
//! addresses between the check and the connection gains nothing.

use super::{
    Place,
    grant::{Host, Origin},
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use wasmtime_wasi_http::Error;

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 8;

/// The addresses of a target that may be connected to, at least one.
///
/// # Errors
/// A name without addresses, or with inner ones alone.
pub(super) async fn resolve(target: &Origin, place: Place) -> Result<Vec<SocketAddr>, Error> {
    let name = match &target.host {
        // The grant names this very address.
        Host::Address(address) => return Ok(vec![SocketAddr::new(*address, target.port)]),
        Host::Name(name) => name.clone(),
    };
    let local = name == "localhost";
    let port = target.port;
    // A lookup cannot be cancelled: it takes a request's place for as long as it runs.
    let look_up = move || {
        let found = (name.as_str(), port).to_socket_addrs();
        drop(place);
        found.map(|addresses| addresses.take(MAX_ADDRESSES).collect::<Vec<_>>())
    };
    let found = match tokio::task::spawn_blocking(look_up).await {
        Ok(Ok(found)) if !found.is_empty() => found,
        _ => return Err(Error::DnsError { rcode: None, info_code: None }),
    };
    let mut allowed = found;
    allowed.retain(|address| {
        let address = address.ip().to_canonical();
        !is_inner(address) || local && address.is_loopback()
    });
    if allowed.is_empty() { Err(Error::DestinationIpProhibited) } else { Ok(allowed) }
}

/// Whether an address belongs to this machine or to a network that is not the public one (IANA's special-purpose
/// registries, RFC 6890).
fn is_inner(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_inner_v4(address),
        IpAddr::V6(address) => is_inner_v6(address),
    }
}

const fn is_inner_v4(address: Ipv4Addr) -> bool {
    match address.octets() {
        [0 | 10 | 127, ..] | [169, 254, ..] | [192, 168, ..] | [192, 0, 0, _] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [172, second, ..] => second & 0xf0 == 16,
        [198, second, ..] => second & 0xfe == 18,
        [first, ..] => first >= 224,
    }
}

fn is_inner_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_inner_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // Unspecified, loopback, and the deprecated form of IPv4 addresses.
        [0, 0, 0, 0, 0, 0, ..] => true,
        // IPv4-mapped, translated (NAT64) and 6to4: what they lead to.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Local NAT64, unique local, link-local and site-local, multicast.
        [0x64, 0xff9b, 1, ..] => true,
        [first, ..] => first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80 || first & 0xff00 == 0xff00,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[test]
    fn inner_addresses_are_known_in_every_disguise() {
        for inner in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.168.0.1",
            "198.19.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
        ] {
            assert!(is_inner(inner.parse().unwrap()), "{inner}");
        }
        for outer in
            ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "64:ff9b::101:101"]
        {
            assert!(!is_inner(outer.parse().unwrap()), "{outer}");
        }
    }

    #[tokio::test]
    async fn a_name_never_leads_inside_but_localhost_and_literal_addresses_do() {
        let permits = Arc::new(Semaphore::new(1));
        let try_resolve = async |url: &str| {
            let place = Place::new(permits.clone().acquire_owned().await.unwrap());
            resolve(&Origin::of(&url.parse().unwrap()).unwrap(), place).await
        };
        // The C library reads these names as 127.0.0.1.
        for name in ["http://127.1:8080/", "http://2130706433:8080/", "http://0x7f.0.0.1:8080/"] {
            assert!(matches!(try_resolve(name).await, Err(Error::DestinationIpProhibited)), "{name}");
        }
        for name in ["http://127.0.0.1:8080/", "http://localhost:8080/"] {
            let found = try_resolve(name).await.unwrap();
            assert!(
                found.iter().all(|address| address.ip().is_loopback() && address.port() == 8080),
                "{name}"
            );
        }
        assert_eq!(permits.available_permits(), 1, "each lookup gave its permit back");
    }
}
