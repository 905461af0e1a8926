//! Names to addresses that may be dialled: the guard between DNS and the connection.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::guard::{EgressPolicy, Refusal};

/// Looks names up with the system's resolver and passes on only what the policy opens.
/// The connection dials what is returned here and asks nobody again, so an answer that
/// changes in between changes nothing.
#[derive(Debug)]
pub(super) struct GuardedResolver {
    policy: Arc<EgressPolicy>,
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
}

impl GuardedResolver {
    pub(super) fn new(policy: Arc<EgressPolicy>) -> Self {
        Self { policy }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = Arc::clone(&self.policy);
        Box::pin(async move {
            let found = look_up(name.as_str()).await;
            let found = found.map_err(|error| ResolveError::NotFound(name.as_str().into(), error))?;
            let open = permitted(&policy, name.as_str(), found)?;
            Ok(Box::new(open.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a name, with port 0, which stands for the URL's.
async fn look_up(name: &str) -> io::Result<Vec<SocketAddr>> {
    if is_localhost(name) {
        return Ok(vec![(Ipv4Addr::LOCALHOST, 0).into(), (Ipv6Addr::LOCALHOST, 0).into()]);
    }
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

/// Names that are this machine's own wherever they are looked up (RFC 6761 §6.3), even
/// where a resolver would ask the network for them.
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

/// Those that may be dialled; an error when there are none.
fn permitted(
    policy: &EgressPolicy,
    name: &str,
    mut found: Vec<SocketAddr>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut refusal = None;
    found.retain(|address| match policy.judge(address.ip()) {
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
            |texts: &[&str]| -> Vec<SocketAddr> { texts.iter().map(|t| t.parse().unwrap()).collect() };
        let policy = EgressPolicy::default();
        let mixed = addresses(&["10.0.0.1:0", "8.8.8.8:0", "[::1]:0", "[2606:4700::1]:0"]);
        let open = permitted(&policy, "x", mixed).unwrap();
        assert_eq!(open, addresses(&["8.8.8.8:0", "[2606:4700::1]:0"]));
        let refused = permitted(&policy, "x", addresses(&["10.0.0.1:0", "[::1]:0"])).unwrap_err();
        assert!(matches!(refused, ResolveError::Refused(..)), "{refused}");
        assert!(matches!(permitted(&policy, "x", vec![]), Err(ResolveError::NotFound(..))));
    }
}
