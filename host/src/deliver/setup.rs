//! How connections are made: what holds for all destinations, what one says for itself,
//! and what comes of both.

use std::net::SocketAddr;

use super::guard::{EgressOverride, EgressPolicy};
use super::proxy::Proxy;
use super::tls::TlsSettings;

/// What holds for every outbound call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// What may be dialled.
    pub policy: EgressPolicy,
    /// DNS servers that are asked instead of the system's resolver; none: that one.
    pub resolvers: Vec<SocketAddr>,
    /// What is asked for connections instead of making them.
    pub proxy: Option<Proxy>,
}

/// What one destination says for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// What it may dial beside what all may.
    pub egress: EgressOverride,
    /// Its way out.
    pub proxy: ProxyChoice,
    /// Its trust and identity.
    pub tls: TlsSettings,
}

/// A destination's way out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProxyChoice {
    /// That of all.
    #[default]
    Inherited,
    /// None, whatever others use.
    Direct,
    /// Its own.
    Through(Proxy),
}

/// What comes of both. Destinations with equal setups share their connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setup {
    pub policy: EgressPolicy,
    pub resolvers: Vec<SocketAddr>,
    pub proxy: Option<Proxy>,
    pub tls: TlsSettings,
}

impl From<EgressPolicy> for Egress {
    fn from(policy: EgressPolicy) -> Self {
        Self { policy, ..Self::default() }
    }
}

impl Setup {
    pub(super) fn new(egress: &Egress, reach: &Reach) -> Self {
        let proxy = match &reach.proxy {
            ProxyChoice::Inherited => egress.proxy.clone(),
            ProxyChoice::Direct => None,
            ProxyChoice::Through(proxy) => Some(proxy.clone()),
        };
        Self {
            policy: egress.policy.with(&reach.egress),
            resolvers: egress.resolvers.clone(),
            proxy,
            tls: reach.tls.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_chooses_its_proxy() {
        let proxy = |url: &str| Proxy::new(url, None).unwrap();
        let egress = Egress { proxy: Some(proxy("http://all:1")), ..Egress::default() };
        let table = [
            (ProxyChoice::Inherited, Some(proxy("http://all:1"))),
            (ProxyChoice::Direct, None),
            (ProxyChoice::Through(proxy("http://own:1")), Some(proxy("http://own:1"))),
        ];
        for (choice, expected) in table {
            let reach = Reach { proxy: choice, ..Reach::default() };
            assert_eq!(Setup::new(&egress, &reach).proxy, expected);
        }
    }
}
