//! A range of addresses.

use std::{fmt, net::IpAddr, str::FromStr};

/// A network in the form `10.0.0.0/24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    network: IpAddr,
    prefix: u8,
}

/// The widest network whose addresses are counted; wider ones are cut (upstream does, too).
const MAX_BITS: u8 = 64;

impl Cidr {
    /// Whether it is one of IPv4.
    pub fn is_ipv4(&self) -> bool {
        self.network.is_ipv4()
    }

    fn bits(&self) -> u8 {
        if self.is_ipv4() { 32 } else { 128 }
    }

    /// How many addresses it has, network and broadcast address included.
    pub(super) fn size(&self) -> u128 {
        1_u128 << (self.bits() - self.prefix).min(MAX_BITS)
    }

    /// The address at a place.
    pub(super) fn address(&self, offset: u128) -> IpAddr {
        match self.network {
            IpAddr::V4(network) => {
                IpAddr::V4(u32::from(network).wrapping_add(u32::try_from(offset).unwrap_or(u32::MAX)).into())
            }
            IpAddr::V6(network) => IpAddr::V6(u128::from(network).wrapping_add(offset).into()),
        }
    }

    /// The place of an address; none for one of another network.
    pub(super) fn offset(&self, address: IpAddr) -> Option<u128> {
        let offset = match (self.network, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                u128::from(u32::from(address).checked_sub(u32::from(network))?)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                u128::from(address).checked_sub(u128::from(network))?
            }
            _ => return None,
        };
        (offset < self.size()).then_some(offset)
    }

    /// Whether a Service can have the address at a place: not that of the network, nor the broadcast address.
    pub(super) fn is_usable(&self, offset: u128) -> bool {
        offset > 0 && offset < self.size() && !(self.is_ipv4() && offset + 1 == self.size())
    }

    /// The lower part that people pick addresses from: between 16 and 256 addresses, a sixteenth (KEP-3070).
    pub(super) fn static_band(&self) -> u128 {
        match self.size() / 16 {
            band if band >= 16 => band.min(256),
            _ => 16.min(self.size() / 2),
        }
    }

    /// The first address that a Service can have, which is that of the `kubernetes` Service.
    pub fn first(&self) -> IpAddr {
        self.address(1)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || "is not a CIDR such as 10.0.0.0/24".to_owned();
        let (address, prefix) = text.split_once('/').ok_or_else(malformed)?;
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        let prefix: u8 = prefix.parse().map_err(|_| malformed())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits {
            return Err(malformed());
        }
        // Fewer than eight addresses do not serve a cluster; upstream refuses them as well.
        if bits - prefix < 3 {
            return Err("has too few addresses: give a network with at least eight".into());
        }
        let network = match address {
            IpAddr::V4(address) => IpAddr::V4(
                (u32::from(address) & u32::MAX.checked_shl(u32::from(32 - prefix)).unwrap_or(0)).into(),
            ),
            IpAddr::V6(address) => IpAddr::V6(
                (u128::from(address) & u128::MAX.checked_shl(u32::from(128 - prefix)).unwrap_or(0)).into(),
            ),
        };
        Ok(Self { network, prefix })
    }
}
