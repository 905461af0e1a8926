//! Names to addresses that may be dialled: the guard between DNS and the connection.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{EgressPolicy, Refusal};

/// Looks names up: with the system's resolver, or with the DNS servers it was given.
/// What it finds is judged by [`permitted`] before anything is dialled.
pub(super) enum Resolver {
    /// As every other program of the machine does, `/etc/hosts` included.
    System,
    /// These servers, and nothing else.
    Servers(Box<TokioResolver>),
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResolveError {
    /// The look-up failed or found nothing.
    #[error("{0}: {1}")]
    NotFound(String, #[source] io::Error),
    /// It has addresses, and none may be dialled.
    #[error("{0} resolves to {1}")]
    Refused(String, #[source] Refusal),
    /// It is an address, and may not be dialled.
    #[error(transparent)]
    Literal(Refusal),
}

/// The guard between a name and the connections to it.
#[derive(Clone, Debug)]
pub(super) struct Guarded {
    pub resolver: Arc<Resolver>,
    pub policy: Arc<EgressPolicy>,
}

impl Guarded {
    /// The addresses of a host that may be dialled.
    pub(super) async fn permitted(&self, host: &str) -> Result<Vec<IpAddr>, ResolveError> {
        self.resolver.permitted(&self.policy, host).await
    }
}

/// What it lets through is what is dialled: there is no second look-up.
impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let guarded = self.clone();
        Box::pin(async move {
            let found = guarded.permitted(name.as_str()).await?;
            // Port 0: that of the URL.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

impl Resolver {
    /// The system's, unless `servers` are named.
    pub(super) fn new(servers: &[SocketAddr]) -> io::Result<Self> {
        if servers.is_empty() {
            return Ok(Self::System);
        }
        let servers = servers.iter().map(|server| {
            let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for connection in &mut connections {
                connection.port = server.port();
            }
            NameServerConfig::new(server.ip(), true, connections)
        });
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        options.use_hosts_file = ResolveHosts::Never;
        // Asked for each new connection, as the system's resolver is; connections are kept.
        options.cache_size = 0;
        builder.build().map(|resolver| Self::Servers(Box::new(resolver))).map_err(io::Error::other)
    }

    /// The addresses of a host that may be dialled, in the order in which to try them. A
    /// host that is an address itself is judged all the same.
    pub(super) async fn permitted(
        &self,
        policy: &EgressPolicy,
        host: &str,
    ) -> Result<Vec<IpAddr>, ResolveError> {
        if let Some(address) = literal(host) {
            return policy.judge(address).map(|()| vec![address]).map_err(ResolveError::Literal);
        }
        let found = self.look_up(host).await.map_err(|error| ResolveError::NotFound(host.into(), error))?;
        Ok(interleaved(permitted(policy, host, found)?))
    }

    /// All addresses of a host, unjudged.
    pub(super) async fn look_up(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        if is_localhost(host) {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        match self {
            Self::System => Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()),
            Self::Servers(resolver) => {
                // With the final dot: a name in full, to which nothing is appended.
                let name = format!("{}.", host.strip_suffix('.').unwrap_or(host));
                let found = resolver.lookup_ip(name).await.map_err(io::Error::other)?;
                Ok(found.iter().collect())
            }
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System => "System",
            Self::Servers(_) => "Servers",
        })
    }
}

/// The host of a URI, where it is an address.
fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Names that are this machine's own wherever they are looked up (RFC 6761 §6.3), even
/// where a resolver would ask the network for them.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Those that may be dialled; an error when there are none.
fn permitted(policy: &EgressPolicy, name: &str, mut found: Vec<IpAddr>) -> Result<Vec<IpAddr>, ResolveError> {
    let mut refusal = None;
    found.retain(|address| match policy.judge(*address) {
        Ok(()) => true,
        Err(refused) => {
            refusal = refusal.or(Some(refused));
            false
        }
    });
    match refusal {
        _ if !found.is_empty() => Ok(found),
        Some(refusal) => Err(ResolveError::Refused(name.into(), refusal)),
        None => Err(ResolveError::NotFound(name.into(), io::Error::other("no address"))),
    }
}

/// The two families in turn, the first one's first, so that one that does not work here
/// costs one try and not all of them (RFC 8305 §4).
fn interleaved(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let first = found.first().is_some_and(IpAddr::is_ipv4);
    let (one, other): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| address.is_ipv4() == first);
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut all = Vec::with_capacity(one.len() + other.len());
    loop {
        let before = all.len();
        all.extend(one.next());
        all.extend(other.next());
        if all.len() == before {
            return all;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_is_never_asked_for() {
        for name in ["localhost", "LocalHost.", "a.b.localhost", "a.localhost."] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example.com", "notlocalhost", "localhost..", ""] {
            assert!(!is_localhost(name), "{name}");
        }
    }

    #[test]
    fn only_open_addresses_are_passed_on() {
        let addresses =
            |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|t| t.parse().unwrap()).collect() };
        let policy = EgressPolicy::default();
        let mixed = addresses(&["10.0.0.1", "8.8.8.8", "::1", "2606:4700::1"]);
        let open = permitted(&policy, "x", mixed).unwrap();
        assert_eq!(open, addresses(&["8.8.8.8", "2606:4700::1"]));
        let refused = permitted(&policy, "x", addresses(&["10.0.0.1", "::1"])).unwrap_err();
        assert!(matches!(refused, ResolveError::Refused(..)), "{refused}");
        assert!(matches!(permitted(&policy, "x", vec![]), Err(ResolveError::NotFound(..))));
    }

    #[test]
    fn the_families_take_turns() {
        let addresses =
            |texts: &[&str]| -> Vec<IpAddr> { texts.iter().map(|t| t.parse().unwrap()).collect() };
        let found = addresses(&["2001::1", "2001::2", "2001::3", "8.8.8.8"]);
        assert_eq!(interleaved(found), addresses(&["2001::1", "8.8.8.8", "2001::2", "2001::3"]));
        assert_eq!(interleaved(Vec::new()), Vec::<IpAddr>::new());
    }

    #[tokio::test]
    async fn an_address_is_judged_as_a_name_is() {
        let policy = EgressPolicy::default();
        for host in ["127.0.0.1", "[::1]", "[::ffff:10.0.0.1]"] {
            let refused = Resolver::System.permitted(&policy, host).await.unwrap_err();
            assert!(matches!(refused, ResolveError::Literal(_)), "{host}: {refused}");
        }
        let open = Resolver::System.permitted(&policy, "[2606:4700::1111]").await.unwrap();
        assert_eq!(open, ["2606:4700::1111".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn servers_are_taken_where_nothing_runs_yet() {
        let resolver = Resolver::new(&["127.0.0.1:53".parse().unwrap()]).unwrap();
        assert_eq!(format!("{resolver:?}"), "Servers");
    }
}
