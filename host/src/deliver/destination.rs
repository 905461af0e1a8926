//! Destinations as they are in force: resolved settings and the snapshot of all.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::guard::EgressPolicy;
use super::retry::RetryPolicy;
use super::sign::SigningKey;
use super::transport::{Transport, TransportError};
use crate::model::Header;

/// The longest timeout of an attempt; leases outlast it.
pub const MAX_TIMEOUT: Duration = Duration::from_mins(5);

/// The most attempts that one destination may have in flight.
pub const MAX_CONCURRENCY: usize = 4_096;

/// An outbound endpoint with its secrets resolved. It never shows a secret.
#[derive(Clone)]
pub struct Destination {
    /// Its name in the configuration.
    pub name: String,
    /// Where deliveries are posted.
    pub url: Url,
    /// Each signs; several while rotating, none: unsigned.
    pub keys: Vec<SigningKey>,
    /// For the whole exchange, from look-up to the end of the answer.
    pub timeout: Duration,
    /// Sent with each attempt; they win over forwarded ones and those that steps set.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Of the event's headers, those that are sent along.
    pub forward_headers: Vec<HeaderName>,
    /// Attempts in flight at most.
    pub concurrency: usize,
    /// When a failed attempt is repeated.
    pub retry: RetryPolicy,
}

/// Why settings are no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DestinationError {
    /// Another scheme.
    #[error("a destination's url begins with http:// or https://, not {0}://")]
    Scheme(String),
    /// Nobody to dial.
    #[error("the url names no host")]
    NoHost,
    /// User and password would be shown wherever the URL is.
    #[error("the url holds a user or a password; send them in headers.authorization")]
    Userinfo,
    /// Too short or too long.
    #[error("timeout must be above zero and at most {MAX_TIMEOUT:?}")]
    Timeout,
    /// None or too many.
    #[error("concurrency must be between 1 and {MAX_CONCURRENCY}")]
    Concurrency,
    /// The gateway's own header.
    #[error("{0} is set by the gateway and can be neither configured nor forwarded")]
    Reserved(HeaderName),
}

impl Destination {
    /// With every setting at its default: 15 s, 16 attempts in flight, the default
    /// retry policy, unsigned.
    pub fn new(name: impl Into<String>, url: Url) -> Self {
        Self {
            name: name.into(),
            url,
            keys: Vec::new(),
            timeout: Duration::from_secs(15),
            headers: Vec::new(),
            forward_headers: Vec::new(),
            concurrency: 16,
            retry: RetryPolicy::default(),
        }
    }

    /// Whether attempts can be made with these settings.
    pub fn check(&self) -> Result<(), DestinationError> {
        if !matches!(self.url.scheme(), "http" | "https") {
            return Err(DestinationError::Scheme(self.url.scheme().into()));
        }
        if self.url.host().is_none() {
            return Err(DestinationError::NoHost);
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return Err(DestinationError::Userinfo);
        }
        if self.timeout.is_zero() || self.timeout > MAX_TIMEOUT {
            return Err(DestinationError::Timeout);
        }
        if !(1..=MAX_CONCURRENCY).contains(&self.concurrency) {
            return Err(DestinationError::Concurrency);
        }
        let mut names = self.headers.iter().map(|(name, _)| name).chain(&self.forward_headers);
        match names.find(|name| Header::is_reserved(name.as_str())) {
            Some(name) => Err(DestinationError::Reserved(name.clone())),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, keys, timeout, headers, forward_headers, concurrency, retry } = self;
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Destination")
            .field("name", name)
            .field("url", &url.as_str())
            .field("keys", keys)
            .field("timeout", timeout)
            .field("headers", &names)
            .field("forward_headers", forward_headers)
            .field("concurrency", concurrency)
            .field("retry", retry)
            .finish()
    }
}

/// All destinations as of one configuration, with the connections that fit its egress
/// policy. A reload makes a new one; attempts under way finish on theirs.
#[derive(Debug)]
pub struct Targets {
    destinations: HashMap<String, Arc<Destination>>,
    transport: Arc<Transport>,
}

/// Why destinations cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum TargetsError {
    /// One of them is refused.
    #[error("destination {name:?}: {error}")]
    Destination {
        /// Its name.
        name: String,
        /// Why.
        error: DestinationError,
    },
    /// The HTTP client cannot be made.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

impl Targets {
    /// With new connections.
    pub fn new(destinations: Vec<Destination>, egress: EgressPolicy) -> Result<Self, TargetsError> {
        let destinations = checked(destinations)?;
        Ok(Self { destinations, transport: Arc::new(Transport::new(egress)?) })
    }

    /// The next snapshot. It keeps the open connections, unless the egress policy is
    /// another: a connection that was judged by the old one must not serve the new.
    pub fn replaced(
        &self,
        destinations: Vec<Destination>,
        egress: EgressPolicy,
    ) -> Result<Self, TargetsError> {
        if *self.transport.policy() != egress {
            return Self::new(destinations, egress);
        }
        Ok(Self { destinations: checked(destinations)?, transport: Arc::clone(&self.transport) })
    }

    /// The destination of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Destination>> {
        self.destinations.get(name)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.destinations.values()
    }

    pub(super) fn transport(&self) -> &Transport {
        &self.transport
    }
}

fn checked(destinations: Vec<Destination>) -> Result<HashMap<String, Arc<Destination>>, TargetsError> {
    let mut map = HashMap::with_capacity(destinations.len());
    for mut destination in destinations {
        if let Err(error) = destination.check() {
            return Err(TargetsError::Destination { name: destination.name, error });
        }
        for (_, value) in &mut destination.headers {
            // Neither in HPACK's tables nor in anybody's debug output.
            value.set_sensitive(true);
        }
        map.insert(destination.name.clone(), Arc::new(destination));
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Destination {
        Destination::new("d", url.parse().unwrap())
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let good = at("https://example.com/hooks?a=b");
        assert_eq!(good.check(), Ok(()));
        let host = HeaderName::from_static("host");
        let table = [
            (at("ftp://example.com"), DestinationError::Scheme("ftp".into())),
            (at("mailto:a@example.com"), DestinationError::Scheme("mailto".into())),
            (at("https://user@example.com"), DestinationError::Userinfo),
            (at("https://:secret@example.com"), DestinationError::Userinfo),
            (Destination { timeout: Duration::ZERO, ..good.clone() }, DestinationError::Timeout),
            (Destination { timeout: MAX_TIMEOUT * 2, ..good.clone() }, DestinationError::Timeout),
            (Destination { concurrency: 0, ..good.clone() }, DestinationError::Concurrency),
            (Destination { forward_headers: vec![host.clone()], ..good }, DestinationError::Reserved(host)),
        ];
        for (destination, expected) in table {
            assert_eq!(destination.check(), Err(expected), "{destination:?}");
        }
    }

    #[test]
    fn nothing_secret_is_shown() {
        let mut destination = at("https://example.com");
        destination.keys = vec![SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap()];
        destination.headers = vec![(http::header::AUTHORIZATION, HeaderValue::from_static("Bearer hunter2"))];
        let shown = format!("{:?}", Targets::new(vec![destination], EgressPolicy::default()).unwrap());
        assert!(!shown.contains("hunter2") && !shown.contains("MfKQ"), "{shown}");
        assert!(shown.contains("authorization"), "{shown}");
    }

    #[test]
    fn connections_outlive_a_reload_and_not_another_policy() {
        let first = Targets::new(vec![], EgressPolicy::default()).unwrap();
        let same = first.replaced(vec![at("http://a.example")], EgressPolicy::default()).unwrap();
        assert!(Arc::ptr_eq(&first.transport, &same.transport));
        let closed = EgressPolicy { deny: vec!["8.8.8.8".parse().unwrap()], ..EgressPolicy::default() };
        let other = same.replaced(vec![], closed).unwrap();
        assert!(!Arc::ptr_eq(&same.transport, &other.transport));
    }
}
