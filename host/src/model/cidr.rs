//! Networks in CIDR notation: where deliveries may go, who may send, which proxies are trusted.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address of which the first `prefix` bits count and the rest are zero.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// An IPv4 network that is known when this is compiled.
    pub(crate) const fn v4(octets: [u8; 4], prefix: u8) -> Self {
        Self { address: IpAddr::V4(Ipv4Addr::from_octets(octets)), prefix }
    }

    /// An IPv6 network that is known when this is compiled.
    pub(crate) const fn v6(segments: [u16; 8], prefix: u8) -> Self {
        Self { address: IpAddr::V6(Ipv6Addr::from_segments(segments)), prefix }
    }

    /// Whether `address` lies in it. An IPv4 network holds no IPv6 address, not even a
    /// mapped one: who judges looks at each form of an address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let host_bits = 32 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let host_bits = 128 - u32::from(self.prefix);
                (network.to_bits() ^ address.to_bits()).checked_shr(host_bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// Whether it holds `address` and no other.
    pub(crate) fn is_only(&self, address: IpAddr) -> bool {
        let longest = if address.is_ipv4() { 32 } else { 128 };
        self.prefix == longest && self.address == address
    }

    /// An IPv4-mapped IPv6 network as the IPv4 network that it stands for.
    #[must_use]
    pub fn to_canonical(self) -> Self {
        match (self.address.to_canonical(), self.prefix.checked_sub(96)) {
            (address @ IpAddr::V4(_), Some(prefix)) if self.address.is_ipv6() => Self { address, prefix },
            _ => self,
        }
    }

    /// The address with the bits behind the prefix set to zero.
    fn truncated(self) -> Self {
        let prefix = u32::from(self.prefix);
        let address = match self.address {
            IpAddr::V4(a) => {
                IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)))
            }
            IpAddr::V6(a) => IpAddr::V6(Ipv6Addr::from_bits(
                a.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0),
            )),
        };
        Self { address, prefix: self.prefix }
    }
}

/// Why a text is not a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not an address, or a prefix that is too long for it.
    #[error("{0:?} is not a network such as 10.0.0.0/8 or fd00::/8")]
    Syntax(String),
    /// Bits behind the prefix: more or less is meant than is written.
    #[error("{written:?} has bits behind its prefix; write {meant}")]
    HostBits {
        /// As it stands.
        written: String,
        /// The network of that prefix.
        meant: Cidr,
    },
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// `10.0.0.0/8`, `fd00::/8`, or an address alone.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let syntax = || CidrError::Syntax(text.into());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| syntax())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => longest,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| syntax())?
            }
            Some(_) => return Err(syntax()),
        };
        if prefix > longest {
            return Err(syntax());
        }
        let cidr = Self { address, prefix };
        let meant = cidr.truncated();
        if cidr != meant {
            return Err(CidrError::HostBits { written: text.into(), meant });
        }
        Ok(cidr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn membership() {
        let table = [
            ("10.0.0.0/8", "10.255.255.255", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("0.0.0.0/0", "255.255.255.255", true),
            ("0.0.0.0/0", "::1", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("172.16.0.0/12", "172.31.255.255", true),
            ("172.16.0.0/12", "172.32.0.0", false),
            ("::/0", "ffff::1", true),
            ("fe80::/10", "febf::1", true),
            ("fe80::/10", "fec0::1", false),
            ("10.0.0.0/8", "::ffff:10.0.0.1", false),
        ];
        for (network, address, expected) in table {
            assert_eq!(cidr(network).contains(address.parse().unwrap()), expected, "{network} {address}");
        }
    }

    #[test]
    fn a_mapped_network_is_the_one_it_stands_for() {
        for (written, expected) in [
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:db8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(cidr(written).to_canonical().to_string(), expected, "{written}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused_with_what_was_meant() {
        for text in
            ["", "10/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/", "::/129", "example.com"]
        {
            assert_eq!(text.parse::<Cidr>(), Err(CidrError::Syntax(text.into())), "{text}");
        }
        let refused = "10.1.2.3/8".parse::<Cidr>().unwrap_err();
        assert_eq!(refused.to_string(), "\"10.1.2.3/8\" has bits behind its prefix; write 10.0.0.0/8");
        assert_eq!(cidr("fd00::/8").to_string(), "fd00::/8");
    }
}
