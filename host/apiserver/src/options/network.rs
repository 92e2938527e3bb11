//! Addresses: ranges, this host's name and its way out.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    str::FromStr,
};

/// A range of addresses, `10.0.0.0/24`. Bits behind the prefix are cleared when it is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    base: IpAddr,
    prefix: u8,
}

/// A text that is no range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid CIDR address: {0}")]
pub struct CidrError(String);

impl Cidr {
    /// The first address of the range.
    pub const fn base(&self) -> IpAddr {
        self.base
    }

    /// The length of the prefix, in bits.
    pub const fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Bits that are free behind the prefix.
    pub const fn host_bits(&self) -> u8 {
        (if self.base.is_ipv4() { 32 } else { 128 }) - self.prefix
    }

    /// The address at an offset from the base, if it is within the range.
    pub fn nth(&self, offset: u32) -> Option<IpAddr> {
        if self.host_bits() < 32 && u64::from(offset) >= 1_u64 << self.host_bits() {
            return None;
        }
        match self.base {
            IpAddr::V4(base) => u32::from(base).checked_add(offset).map(|bits| Ipv4Addr::from(bits).into()),
            IpAddr::V6(base) => {
                u128::from(base).checked_add(offset.into()).map(|bits| Ipv6Addr::from(bits).into())
            }
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let fail = || CidrError(text.to_owned());
        let (address, prefix) = text.split_once('/').ok_or_else(fail)?;
        let address: IpAddr = address.parse().map_err(|_| fail())?;
        let prefix: u8 = prefix.parse().map_err(|_| fail())?;
        let shift = |bits: u8| bits.checked_sub(prefix).map(u32::from).ok_or_else(fail);
        let base = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(shift(32)?).unwrap_or(0);
                Ipv4Addr::from(u32::from(address) & mask).into()
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(shift(128)?).unwrap_or(0);
                Ipv6Addr::from(u128::from(address) & mask).into()
            }
        };
        Ok(Self { base, prefix })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

/// The address that packets to the outside leave from; loopback on a machine without a way out. Nothing is
/// sent: connecting a datagram socket only asks the routing table.
pub(super) fn default_route_address(like: IpAddr) -> IpAddr {
    // Documentation addresses, RFC 5737 and RFC 3849.
    let (local, remote, loopback): (IpAddr, IpAddr, IpAddr) = if like.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into(), Ipv4Addr::LOCALHOST.into())
    } else {
        (
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
            Ipv6Addr::LOCALHOST.into(),
        )
    };
    UdpSocket::bind(SocketAddr::new(local, 0))
        .and_then(|socket| {
            socket.connect(SocketAddr::new(remote, 9))?;
            socket.local_addr()
        })
        .map(|address| address.ip())
        .ok()
        .filter(|address| !address.is_unspecified())
        .unwrap_or(loopback)
}

/// This host's name in lower case, if the system tells one that may stand in a certificate.
pub(super) fn hostname() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let name = name.ok()?.trim().to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}
