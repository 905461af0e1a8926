//! The addresses that are no part of the public internet, and what an IPv6 address may
//! carry. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Cidr;

/// Whether a cloud provider hands out a machine's credentials there, or commands it.
pub(super) fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => METADATA_V4.contains(&v4.octets()),
        IpAddr::V6(v6) => METADATA_V6.contains(&v6.segments()),
    }
}

/// What makes an address special, if anything does.
pub(super) fn special(address: IpAddr) -> Option<&'static str> {
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

/// Where credentials are, whatever else their networks hold.
const METADATA_V4: [[u8; 4]; 7] = [
    [169, 254, 169, 254], // AWS, Azure, Google, DigitalOcean, Oracle, OpenStack and others
    [169, 254, 170, 2],   // AWS: containers
    [169, 254, 170, 23],  // AWS: pods
    [169, 254, 42, 42],   // Scaleway
    [100, 100, 100, 200], // Alibaba
    [168, 63, 129, 16],   // Azure: the host of the machine, in public space
    [192, 0, 0, 192],     // Oracle
];

/// The same over IPv6.
const METADATA_V6: [[u16; 8]; 5] = [
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254],   // AWS
    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23],    // AWS: pods
    [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254],    // Google
    [0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42],     // Scaleway
    [0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe], // OpenStack
];

const PRIVATE: &str = "is private; egress.allow can open its network";
const LOOPBACK: &str = "is loopback; egress.allow can open its network";
const LINK_LOCAL: &str = "is link-local, where cloud metadata is served";
pub(super) const METADATA: &str =
    "is a cloud provider's metadata service; a wider network in egress.allow does not open it";
const DOCUMENTATION: &str = "is for documentation";
const BENCHMARKING: &str = "is for benchmarking";
const MULTICAST: &str = "is multicast";
const RESERVED: &str = "is reserved";
const UNSPECIFIED: &str = "is unspecified";

/// IANA's special-purpose registry for IPv4 (RFC 6890 and its updates).
const SPECIAL_V4: &[(Cidr, &str)] = &[
    (Cidr::v4([0, 0, 0, 0], 8), UNSPECIFIED),
    (Cidr::v4([10, 0, 0, 0], 8), PRIVATE),
    (Cidr::v4([100, 64, 0, 0], 10), "is carrier-grade NAT; egress.allow can open its network"),
    (Cidr::v4([127, 0, 0, 0], 8), LOOPBACK),
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
    (Cidr::v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), PRIVATE),
    (Cidr::v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), LINK_LOCAL),
    (Cidr::v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), "is site-local"),
    (Cidr::v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), MULTICAST),
];

/// Whether it lies in the prefix that is kept for NAT64 of one's own (RFC 8215).
pub(super) fn is_local_nat64(address: Ipv6Addr) -> bool {
    matches!(address.segments(), [0x64, 0xff9b, 1, ..])
}

/// The IPv4 addresses that an IPv6 address stands for: where a packet to it may end up.
pub(super) fn carried(address: Ipv6Addr) -> Vec<Ipv4Addr> {
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
        // A local NAT64 prefix (RFC 8215), with the address where a /96, /48 or /64 has it
        // (RFC 6052 §2.2).
        [0x64, 0xff9b, 1, a, b, c, d, _] => vec![
            last,
            pair(a, (b & 0xff) << 8 | c >> 8),
            pair((b & 0xff) << 8 | c >> 8, (c & 0xff) << 8 | d >> 8),
        ],
        // 6to4 (RFC 3056).
        [0x2002, high, low, ..] => vec![pair(high, low)],
        // Teredo: its server, and the client's address inverted (RFC 4380).
        [0x2001, 0, high, low, ..] => vec![pair(high, low), Ipv4Addr::from_bits(!last.to_bits())],
        // ISATAP, in whatever public prefix (RFC 5214).
        [first, _, _, _, 0 | 0x200, 0x5efe, ..] if first & 0xe000 == 0x2000 => vec![last],
        _ => Vec::new(),
    }
}
