//! The egress guard: which addresses may be dialled. Pure; the one rule for every call
//! that the gateway makes.

use std::net::IpAddr;

use url::{Host, Url};

use super::special::{METADATA, carried, is_local_nat64, is_metadata, special};
use crate::model::Cidr;

/// Which networks are open beside the public internet, which are closed, and what else
/// an outbound call must be.
///
/// Without any of it, only addresses that are globally reachable may be dialled. `allow`
/// opens networks, `deny` closes more and wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressPolicy {
    /// Networks that may be dialled although they are special. A metadata address is
    /// opened by its very address alone, not by a network around it.
    pub allow: Vec<Cidr>,
    /// Networks that may not be dialled although they are public.
    pub deny: Vec<Cidr>,
    /// The ports that may be dialled; none: any.
    pub ports: Vec<u16>,
    /// Whether everything must be encrypted.
    pub https_only: bool,
}

/// What one destination says beside the policy of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EgressOverride {
    /// Opened besides.
    pub allow: Vec<Cidr>,
    /// Closed besides.
    pub deny: Vec<Cidr>,
    /// Ports besides; where all ports were open, these alone.
    pub ports: Vec<u16>,
    /// Instead of what holds for all.
    pub https_only: Option<bool>,
}

/// What may not be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The address.
    #[error("{address} {why}")]
    Address {
        /// Which one.
        address: IpAddr,
        /// What kind of address it is, for people.
        why: &'static str,
    },
    /// The port.
    #[error("port {0} is not one of egress.ports")]
    Port(u16),
    /// Plain HTTP.
    #[error("https_only is set, and the url begins with http://")]
    Plain,
}

impl EgressPolicy {
    /// The policy for a destination that says `own`.
    #[must_use]
    pub fn with(&self, own: &EgressOverride) -> Self {
        let mut policy = self.clone();
        policy.allow.extend_from_slice(&own.allow);
        policy.deny.extend_from_slice(&own.deny);
        policy.ports.extend_from_slice(&own.ports);
        policy.https_only = own.https_only.unwrap_or(self.https_only);
        policy
    }

    /// Whether `address` may be dialled. An IPv6 address that carries an IPv4 one is
    /// judged by what it carries.
    pub fn judge(&self, address: IpAddr) -> Result<(), Refusal> {
        let inner = match address {
            IpAddr::V4(_) => Vec::new(),
            IpAddr::V6(v6) => carried(v6),
        };
        let refuse = |why| Err(Refusal::Address { address, why });
        let forms = || inner.iter().map(|v4| IpAddr::V4(*v4)).chain([address]);
        if forms().any(|form| self.deny.iter().any(|network| network.contains(form))) {
            return refuse("lies in a network of egress.deny");
        }
        if forms().any(|form| is_metadata(form) && !self.names(form)) {
            return refuse(METADATA);
        }
        if self.allows(address) {
            return Ok(());
        }
        // A local prefix is the operator's own network, wherever it leads.
        let local = matches!(address, IpAddr::V6(v6) if is_local_nat64(v6));
        if inner.is_empty() || local {
            return special(address).map_or(Ok(()), refuse);
        }
        let mut closed = inner.iter().map(|v4| IpAddr::V4(*v4)).filter(|v4| !self.allows(*v4));
        closed.find_map(special).map_or(Ok(()), refuse)
    }

    /// What can be judged of a URL before it is resolved: its scheme, its port, and its
    /// host where that is an address. The addresses of a name are judged when it is
    /// resolved.
    pub fn judge_url(&self, url: &Url) -> Result<(), Refusal> {
        self.judge_shape(url)?;
        match url.host() {
            Some(Host::Ipv4(address)) => self.judge(address.into()),
            Some(Host::Ipv6(address)) => self.judge(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        }
    }

    /// Of that, scheme and port: what a configuration says and no network changes.
    pub fn judge_shape(&self, url: &Url) -> Result<(), Refusal> {
        if self.https_only && url.scheme() != "https" {
            return Err(Refusal::Plain);
        }
        match url.port_or_known_default() {
            Some(port) if !self.ports.is_empty() && !self.ports.contains(&port) => Err(Refusal::Port(port)),
            _ => Ok(()),
        }
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(address))
    }

    /// Whether `address` itself is allowed, and not only a network that holds it.
    fn names(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.is_only(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(allow: &[&str], deny: &[&str]) -> EgressPolicy {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect();
        EgressPolicy { allow: parse(allow), deny: parse(deny), ..EgressPolicy::default() }
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
        let table: [(&[&str], &[&str], &str, bool); 15] = [
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
            // What it leads to, wherever in it the address stands.
            (&["64:ff9b:1::/48"], &[], "64:ff9b:1::a9fe:a9fe", false),
            (&["64:ff9b:1::/48"], &[], "64:ff9b:1:a9fe:a9:fe00::", false),
            (&[], &[], "64:ff9b:1:808:8:800:808:808", false),
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
        let refusal = EgressPolicy::default().judge([169, 254, 1, 1].into()).unwrap_err();
        assert_eq!(refusal.to_string(), "169.254.1.1 is link-local, where cloud metadata is served");
    }

    #[test]
    fn metadata_is_opened_by_its_very_address_alone() {
        let table: [(&[&str], &str, bool); 14] = [
            (&["0.0.0.0/0", "::/0"], "169.254.169.254", false),
            (&["169.254.0.0/16"], "169.254.169.254", false),
            (&["169.254.0.0/16"], "169.254.170.2", false),
            (&["169.254.0.0/16"], "169.254.1.1", true),
            (&["169.254.169.254"], "169.254.169.254", true),
            (&["169.254.169.254"], "::ffff:169.254.169.254", true),
            (&["100.64.0.0/10"], "100.100.100.200", false),
            (&["100.64.0.0/10"], "100.100.100.201", true),
            (&["192.0.0.0/24"], "192.0.0.192", false),
            (&["fd00::/8"], "fd00:ec2::254", false),
            (&["fd00::/8"], "fd20:ce::254", false),
            (&["fd00::/8"], "fd00:ec2::1", true),
            // An IPv6 network opens no metadata address that is carried in it.
            (&["::/0"], "::ffff:169.254.169.254", false),
            (&["64:ff9b::/96"], "64:ff9b::a9fe:a9fe", false),
        ];
        for (allow, address, open) in table {
            let verdict = policy(allow, &[]).judge(address.parse().unwrap());
            assert_eq!(verdict.is_ok(), open, "{allow:?} {address}: {verdict:?}");
        }
    }

    #[test]
    fn scheme_and_port_are_judged_before_anything_is_resolved() {
        let table: [(&[u16], bool, &str, Option<Refusal>); 8] = [
            (&[], false, "http://a.example:25/", None),
            (&[443], false, "https://a.example/", None),
            (&[443], false, "https://a.example:443/", None),
            (&[443], false, "https://a.example:8443/", Some(Refusal::Port(8443))),
            (&[443], false, "http://a.example/", Some(Refusal::Port(80))),
            (&[443, 8443], false, "https://a.example:8443/", None),
            (&[], true, "http://a.example/", Some(Refusal::Plain)),
            (&[], true, "https://a.example/", None),
        ];
        for (ports, https_only, url, expected) in table {
            let policy = EgressPolicy { ports: ports.into(), https_only, ..EgressPolicy::default() };
            assert_eq!(
                policy.judge_url(&url.parse().unwrap()).err(),
                expected,
                "{ports:?} {https_only} {url}"
            );
        }
    }

    #[test]
    fn a_destination_adds_to_the_policy_of_all() {
        let all = EgressPolicy { https_only: true, ..policy(&["10.0.0.0/8"], &["8.8.8.8"]) };
        let own = EgressOverride {
            allow: vec!["8.8.8.8".parse().unwrap(), "192.168.0.0/16".parse().unwrap()],
            deny: vec!["10.0.0.0/24".parse().unwrap()],
            ports: vec![8443],
            https_only: Some(false),
        };
        let both = all.with(&own);
        for (address, open) in
            [("10.0.1.1", true), ("10.0.0.1", false), ("8.8.8.8", false), ("192.168.0.1", true)]
        {
            assert_eq!(both.judge(address.parse().unwrap()).is_ok(), open, "{address}");
        }
        assert_eq!((both.ports.as_slice(), both.https_only), (&[8443][..], false));
        assert_eq!(all.with(&EgressOverride::default()), all);
    }
}
