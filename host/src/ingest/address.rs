//! Whose request it is: the address at the other end of the connection, or the one that a
//! trusted proxy names. Pure.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

use crate::model::Cidr;

/// The other end of a request's connection, as an extension of the request. IPv4-mapped
/// IPv6 addresses are the IPv4 address that they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(IpAddr);

impl Peer {
    /// Of a connection from there.
    pub fn new(address: SocketAddr) -> Self {
        Self(address.ip().to_canonical())
    }
}

/// Why nobody knows whose request it is: a trusted proxy says something that is no
/// address, or two different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Untraceable;

/// The sender's address. Only what a trusted proxy adds is believed: from the right, the
/// first address that is none of the trusted ones. What stands left of it anybody could
/// have written.
///
/// # Errors
/// See [`Untraceable`]. Where both headers are there they have to agree: a proxy
/// maintains one of them, and the other may be the sender's own.
pub(super) fn sender(peer: Peer, headers: &HeaderMap, trusted: &[Cidr]) -> Result<IpAddr, Untraceable> {
    if !is_in(trusted, peer.0) {
        return Ok(peer.0);
    }
    let listed = chain(headers, "x-forwarded-for", parse_listed)?;
    let forwarded = chain(headers, "forwarded", parse_forwarded)?;
    let named =
        |chain: Option<Vec<Option<IpAddr>>>| chain.map(|chain| rightmost(&chain, trusted)).transpose();
    match (named(listed)?, named(forwarded)?) {
        (Some(one), Some(other)) if one != other => Err(Untraceable),
        (Some(address), _) | (None, Some(address)) => Ok(address),
        // The proxy itself asks.
        (None, None) => Ok(peer.0),
    }
}

/// Whether one of the networks holds it.
pub(super) fn is_in(networks: &[Cidr], address: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// From the right, the first that is not trusted; the leftmost where all are.
fn rightmost(chain: &[Option<IpAddr>], trusted: &[Cidr]) -> Result<IpAddr, Untraceable> {
    let mut last = None;
    for hop in chain.iter().rev() {
        let address = hop.ok_or(Untraceable)?;
        if !is_in(trusted, address) {
            return Ok(address);
        }
        last = Some(address);
    }
    last.ok_or(Untraceable)
}

/// Every hop that the headers of that name list, in order; `None` without such a header.
/// A hop that is no address is one of the inner `None`s.
fn chain(
    headers: &HeaderMap,
    name: &str,
    parse: fn(&str) -> Vec<Option<IpAddr>>,
) -> Result<Option<Vec<Option<IpAddr>>>, Untraceable> {
    let mut chain = None;
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| Untraceable)?;
        chain.get_or_insert_with(Vec::new).extend(parse(text));
    }
    Ok(chain)
}

fn parse_listed(text: &str) -> Vec<Option<IpAddr>> {
    text.split(',').map(|hop| parse_hop(hop.trim())).collect()
}

/// RFC 7239 §4: elements between commas, pairs between semicolons, values as tokens or
/// quoted.
fn parse_forwarded(text: &str) -> Vec<Option<IpAddr>> {
    let hop = |element: &str| {
        let mut named = split_outside_quotes(element, b';')
            .into_iter()
            .filter_map(|pair| pair.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        // Said twice is not said.
        let ((_, value), None) = (named.next()?, named.next()) else { return None };
        let value = value.trim();
        parse_hop(value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value))
    };
    split_outside_quotes(text, b',').into_iter().map(hop).collect()
}

fn split_outside_quotes(text: &str, separator: u8) -> Vec<&str> {
    let (mut parts, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bare =
        || text.strip_prefix('[')?.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse::<IpAddr>().ok().or_else(bare).or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn from(peer: &str, headers: &[(&'static str, &str)]) -> Option<String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted: Vec<Cidr> = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).into();
        let peer = Peer::new(SocketAddr::new(peer.parse().unwrap(), 1));
        sender(peer, &map, &trusted).ok().map(|address| address.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let claims = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(from("203.0.113.9", &claims).as_deref(), Some("203.0.113.9"));
        assert_eq!(from("::ffff:203.0.113.9", &claims).as_deref(), Some("203.0.113.9"));
        assert_eq!(from(PROXY, &claims).as_deref(), Some("192.0.2.1"));
        assert_eq!(from("::ffff:10.0.0.1", &claims).as_deref(), Some("192.0.2.1"));
        assert_eq!(from(PROXY, &[]).as_deref(), Some(PROXY));
    }

    #[test]
    fn the_rightmost_that_is_not_trusted_counts() {
        for (values, expected) in [
            (&["192.0.2.1"][..], Some("192.0.2.1")),
            (&["198.51.100.7, 192.0.2.1"], Some("192.0.2.1")),
            (&["198.51.100.7, 192.0.2.1, 10.9.9.9,10.0.0.2"], Some("192.0.2.1")),
            (&["198.51.100.7", "192.0.2.1"], Some("192.0.2.1")),
            (&["192.0.2.1", "10.0.0.2"], Some("192.0.2.1")),
            (&["10.0.0.3, 10.0.0.2"], Some("10.0.0.3")),
            (&["192.0.2.1:4711"], Some("192.0.2.1")),
            (&["2001:db8::1"], Some("2001:db8::1")),
            (&["[2001:db8::1]:4711"], Some("2001:db8::1")),
            (&["::ffff:192.0.2.1"], Some("192.0.2.1")),
            (&["2001:db8::1, fd00::7"], Some("2001:db8::1")),
            // What stands left of the sender may be anything.
            (&["nonsense, 192.0.2.1"], Some("192.0.2.1")),
            (&["192.0.2.1, nonsense"], None),
            (&["192.0.2.1, unknown, 10.0.0.2"], None),
            (&["192.0.2.1,"], None),
            (&[""], None),
            (&["192.0.2.1, 10.0.0.2\u{e9}"], None),
            (&["192.0.2.256"], None),
        ] {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            assert_eq!(from(PROXY, &headers).as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn the_standard_header_says_the_same() {
        for (value, expected) in [
            ("for=192.0.2.1", Some("192.0.2.1")),
            ("For=192.0.2.1;proto=https;by=10.0.0.1", Some("192.0.2.1")),
            ("proto=https; for=\"192.0.2.1:4711\"", Some("192.0.2.1")),
            ("for=\"[2001:db8::1]:4711\"", Some("2001:db8::1")),
            ("for=198.51.100.7, for=192.0.2.1, for=10.0.0.2", Some("192.0.2.1")),
            ("for=\"198.51.100.7, for=192.0.2.9\", for=192.0.2.1", Some("192.0.2.1")),
            ("for=192.0.2.1;host=\"a;for=203.0.113.1\"", Some("192.0.2.1")),
            ("for=unknown", None),
            ("for=_hidden", None),
            ("proto=https", None),
            ("for=192.0.2.1;for=192.0.2.2", None),
            ("for=192.0.2.1, ", None),
        ] {
            assert_eq!(from(PROXY, &[("forwarded", value)]).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn two_headers_have_to_agree() {
        let both = |other| [("x-forwarded-for", "192.0.2.1"), ("forwarded", other)];
        assert_eq!(from(PROXY, &both("for=192.0.2.1")).as_deref(), Some("192.0.2.1"));
        assert_eq!(from(PROXY, &both("for=192.0.2.2")), None);
        assert_eq!(from(PROXY, &both("for=secret")), None);
    }
}
