//! The egress guard: which addresses may be dialled. Pure; the one rule for every call
//! that the gateway makes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

use super::cidr::Cidr;

/// Which networks are open beside the public internet, and which are closed.
///
/// Without either, only addresses that are globally reachable may be dialled. `allow`
/// opens networks, `deny` closes more and wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Networks that may be dialled although they are special.
    pub allow: Vec<Cidr>,
    /// Networks that may not be dialled although they are public.
    pub deny: Vec<Cidr>,
}

/// An address that may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{address} {why}")]
pub struct Refusal {
    /// The address.
    pub address: IpAddr,
    /// What kind of address it is, for people.
    pub why: &'static str,
}

impl EgressPolicy {
    /// Whether `address` may be dialled. An IPv6 address that carries an IPv4 one is
    /// judged by what it carries.
    pub fn judge(&self, address: IpAddr) -> Result<(), Refusal> {
        let inner = match address {
            IpAddr::V4(_) => Vec::new(),
            IpAddr::V6(v6) => carried(v6),
        };
        let refuse = |why| Err(Refusal { address, why });
        let mut forms = inner.iter().map(|v4| IpAddr::V4(*v4)).chain([address]);
        if forms.any(|form| self.deny.iter().any(|network| network.contains(form))) {
            return refuse("lies in a network of egress.deny");
        }
        if self.allows(address) {
            return Ok(());
        }
        if inner.is_empty() {
            return special(address).map_or(Ok(()), refuse);
        }
        let mut closed = inner.into_iter().map(IpAddr::V4).filter(|v4| !self.allows(*v4));
        closed.find_map(special).map_or(Ok(()), refuse)
    }

    /// The same for a URL whose host is an address. A host that is a name passes: its
    /// addresses are judged when it is resolved.
    pub fn judge_literal(&self, url: &Url) -> Result<(), Refusal> {
        match url.host() {
            Some(Host::Ipv4(address)) => self.judge(address.into()),
            Some(Host::Ipv6(address)) => self.judge(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(address))
    }
}

/// What makes an address special, if anything does.
fn special(address: IpAddr) -> Option<&'static str> {
    let known = match address {
        IpAddr::V4(_) => SPECIAL_V4,
        IpAddr::V6(_) => SPECIAL_V6,
    };
    let found = known.iter().find(|(network, _)| network.contains(address)).map(|(_, why)| *why);
    match address {
        IpAddr::V6(v6) if found.is_none() && v6.segments()[0] & 0xe000 != 0x2000 => Some("is reserved"),
        _ => found,
    }
}

const PRIVATE: &str = "is private; egress.allow can open its network";
const LOOPBACK: &str = "is loopback; egress.allow can open its network";
const LINK_LOCAL: &str = "is link-local, where cloud metadata is served";
const METADATA: &str = "is a cloud provider's metadata service";
const DOCUMENTATION: &str = "is for documentation";
const BENCHMARKING: &str = "is for benchmarking";
const MULTICAST: &str = "is multicast";
const RESERVED: &str = "is reserved";
const UNSPECIFIED: &str = "is unspecified";

/// IANA's special-purpose registry for IPv4 (RFC 6890 and its updates), and one public
/// address that is a metadata service.
const SPECIAL_V4: &[(Cidr, &str)] = &[
    (Cidr::v4([0, 0, 0, 0], 8), UNSPECIFIED),
    (Cidr::v4([10, 0, 0, 0], 8), PRIVATE),
    (Cidr::v4([100, 64, 0, 0], 10), "is carrier-grade NAT; egress.allow can open its network"),
    (Cidr::v4([127, 0, 0, 0], 8), LOOPBACK),
    (Cidr::v4([168, 63, 129, 16], 32), METADATA),
    (Cidr::v4([169, 254, 0, 0], 16), LINK_LOCAL),
    (Cidr::v4([172, 16, 0, 0], 12), PRIVATE),
    (Cidr::v4([192, 0, 0, 0], 24), RESERVED),
    (Cidr::v4([192, 0, 2, 0], 24), DOCUMENTATION),
    (Cidr::v4([192, 88, 99, 0], 24), RESERVED),
    (Cidr::v4([192, 168, 0, 0], 16), PRIVATE),
    (Cidr::v4([198, 18, 0, 0], 15), BENCHMARKING),
    (Cidr::v4([198, 51, 100, 0], 24), DOCUMENTATION),
    (Cidr::v4([203, 0, 113, 0], 24), DOCUMENTATION),
    (Cidr::v4([224, 0, 0, 0], 4), MULTICAST),
    (Cidr::v4([255, 255, 255, 255], 32), "is broadcast"),
    (Cidr::v4([240, 0, 0, 0], 4), RESERVED),
];

/// The same for IPv6. What is not in `2000::/3` is refused anyway; the rows outside it
/// are there for a better reason in the record.
const SPECIAL_V6: &[(Cidr, &str)] = &[
    (Cidr::v6([0, 0, 0, 0, 0, 0, 0, 0], 128), UNSPECIFIED),
    (Cidr::v6([0, 0, 0, 0, 0, 0, 0, 1], 128), LOOPBACK),
    (Cidr::v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), "is a local NAT64 prefix; egress.allow can open it"),
    (Cidr::v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), "is discarded"),
    (Cidr::v6([0x2001, 2, 0, 0, 0, 0, 0, 0], 48), BENCHMARKING),
    (Cidr::v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), RESERVED),
    (Cidr::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), DOCUMENTATION),
    (Cidr::v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), DOCUMENTATION),
    (Cidr::v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128), METADATA),
    (Cidr::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), PRIVATE),
    (Cidr::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), LINK_LOCAL),
    (Cidr::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "is site-local"),
    (Cidr::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), MULTICAST),
];

/// The IPv4 addresses that an IPv6 address stands for: where a packet to it may end up.
fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = address.segments();
    let pair = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    let last = pair(segments[6], segments[7]);
    match segments {
        // Unspecified and loopback look like IPv4-compatible addresses and are none.
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => Vec::new(),
        // IPv4-compatible, IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), and
        // NAT64's well-known prefix (RFC 6052).
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            vec![last]
        }
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => vec![pair(high, low)],
        // Teredo: its server, and the client's address inverted (RFC 4380).
        [0x2001, 0, high, low, ..] => vec![pair(high, low), Ipv4Addr::from_bits(!last.to_bits())],
        // ISATAP, in whatever public prefix (RFC 5214).
        [first, _, _, _, 0 | 0x200, 0x5efe, ..] if first & 0xe000 == 0x2000 => vec![last],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> EgressPolicy {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        EgressPolicy { allow: parse(allow), deny: parse(deny) }
    }

    #[test]
    fn public_addresses_are_open() {
        let open = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::1",
            "2a00::5efe:808:808",
        ];
        for address in open {
            assert_eq!(EgressPolicy::default().judge(address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn special_addresses_are_closed_in_every_form() {
        let closed = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:0:7f00:1::",
            "2001:0:808:808::f5ff:fffe",
            "2a00::5efe:a00:1",
            "2a00::200:5efe:c0a8:101",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fd12::1",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "ff0e::1",
        ];
        for address in closed {
            assert!(EgressPolicy::default().judge(address.parse().unwrap()).is_err(), "{address}");
        }
    }

    #[test]
    fn allow_opens_and_deny_wins() {
        let table: [(&[&str], &[&str], &str, bool); 12] = [
            (&["127.0.0.0/8"], &[], "127.0.0.1", true),
            (&["127.0.0.0/8"], &[], "::ffff:127.0.0.1", true),
            (&["127.0.0.0/8"], &[], "::1", false),
            (&["127.0.0.0/8"], &[], "10.0.0.1", false),
            (&["::1"], &[], "::1", true),
            (&["10.0.0.0/8"], &["10.0.0.0/24"], "10.0.0.1", false),
            (&["10.0.0.0/8"], &["10.0.0.0/24"], "10.0.1.1", true),
            (&[], &["8.8.8.0/24"], "8.8.8.8", false),
            (&[], &["8.8.8.0/24"], "::ffff:8.8.8.8", false),
            (&["64:ff9b:1::/48"], &[], "64:ff9b:1::1", true),
            // A tunnel's two ends are both judged.
            (&["127.0.0.0/8"], &[], "2001:0:7f00:1::f5ff:fffe", false),
            (&["127.0.0.0/8", "10.0.0.0/8"], &[], "2001:0:7f00:1::f5ff:fffe", true),
        ];
        for (allow, deny, address, open) in table {
            let verdict = policy(allow, deny).judge(address.parse().unwrap());
            assert_eq!(verdict.is_ok(), open, "{allow:?} {deny:?} {address}: {verdict:?}");
        }
    }

    #[test]
    fn a_refusal_says_what_the_address_is() {
        let refusal = EgressPolicy::default().judge([169, 254, 169, 254].into()).unwrap_err();
        assert_eq!(refusal.to_string(), "169.254.169.254 is link-local, where cloud metadata is served");
    }
}
