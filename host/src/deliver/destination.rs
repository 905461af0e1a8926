//! Destinations as they are in force: resolved settings and the snapshot of all.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use url::{Position, Url};

use super::admission::Pace;
use super::breaker::BreakerPolicy;
use super::retry::RetryPolicy;
use super::setup::{Egress, Reach, Setup};
use super::sign::SigningKey;
use super::tls::MachineRoots;
use super::transport::{Exchange, Transport, TransportError};
use crate::model::{AttemptError, Header, NamedPlugin, OnDead};
use crate::rate::Rate;

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
    /// What a dead delivery means for those behind it in its line.
    pub on_dead: OnDead,
    /// When it is left alone for failing.
    pub breaker: BreakerPolicy,
    /// Attempts that may start; `None`: as many as it answers.
    pub rate_limit: Option<Rate>,
    /// How it is connected to.
    pub reach: Reach,
    /// The plugin that says what its answers mean; `None`: their status says it.
    pub classify: Option<Arc<NamedPlugin>>,
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
    /// Something in it that HTTP does not carry.
    #[error("the url cannot be sent over HTTP: {0}")]
    Unsendable(String),
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
            on_dead: OnDead::default(),
            breaker: BreakerPolicy::default(),
            rate_limit: None,
            reach: Reach::default(),
            classify: None,
        }
    }

    /// How fast it may be sent to.
    pub(super) fn pace(&self) -> Pace {
        Pace { concurrency: self.concurrency, breaker: self.breaker, rate: self.rate_limit }
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
        self.is_sendable()?;
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

    /// Whether HTTP has the URL, too: it allows fewer characters.
    fn is_sendable(&self) -> Result<(), DestinationError> {
        let parsed: Result<Uri, _> = self.url.as_str().parse();
        parsed.map(drop).map_err(|error| DestinationError::Unsendable(error.to_string()))
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, keys, timeout, headers, forward_headers, concurrency, retry, reach, .. } = self;
        let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Destination")
            .field("name", name)
            // Without the query, which may hold a token.
            .field("url", &&url[..Position::AfterPath])
            .field("keys", keys)
            .field("timeout", timeout)
            .field("headers", &names)
            .field("forward_headers", forward_headers)
            .field("concurrency", concurrency)
            .field("retry", retry)
            .field("on_dead", &self.on_dead)
            .field("breaker", &self.breaker)
            .field("rate_limit", &self.rate_limit)
            .field("reach", reach)
            .field("classify", &self.classify.as_ref().map(|named| &named.plugin))
            .finish()
    }
}

/// All destinations as of one configuration, with the connections that fit their setups.
/// A reload makes a new one; attempts under way finish on theirs.
#[derive(Debug)]
pub struct Targets {
    all: HashMap<String, Target>,
    /// Each once, however many destinations share it.
    transports: Vec<Arc<Transport>>,
    egress: Egress,
}

#[derive(Debug)]
struct Target {
    destination: Arc<Destination>,
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
    pub fn new(destinations: Vec<Destination>, egress: impl Into<Egress>) -> Result<Self, TargetsError> {
        Self::built(destinations, &egress.into(), &[])
    }

    /// The next snapshot. Open connections are kept where their setup is still that of a
    /// destination: one that was judged by another policy, or made with another
    /// certificate, must not serve.
    pub fn replaced(
        &self,
        destinations: Vec<Destination>,
        egress: impl Into<Egress>,
    ) -> Result<Self, TargetsError> {
        Self::built(destinations, &egress.into(), &self.transports)
    }

    fn built(
        destinations: Vec<Destination>,
        egress: &Egress,
        open: &[Arc<Transport>],
    ) -> Result<Self, TargetsError> {
        let machine = MachineRoots::default();
        let mut all = HashMap::with_capacity(destinations.len());
        let mut transports: Vec<Arc<Transport>> = Vec::new();
        for destination in destinations {
            let destination = checked(destination)?;
            let setup = Setup::new(egress, &destination.reach);
            let fits = |transport: &&Arc<Transport>| *transport.setup() == setup;
            let transport = if let Some(shared) = transports.iter().find(fits) {
                Arc::clone(shared)
            } else {
                let kept = open.iter().find(fits).cloned();
                let transport = match kept {
                    Some(kept) => kept,
                    None => Arc::new(Transport::new(setup, &machine)?),
                };
                transports.push(Arc::clone(&transport));
                transport
            };
            let name = destination.name.clone();
            all.insert(name, Target { destination: Arc::new(destination), transport });
        }
        Ok(Self { all, transports, egress: egress.clone() })
    }

    /// What holds for every outbound call.
    pub const fn egress(&self) -> &Egress {
        &self.egress
    }

    /// The destination of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Destination>> {
        self.all.get(name).map(|target| &target.destination)
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Destination>> {
        self.all.values().map(|target| &target.destination)
    }

    /// Posts to one of these destinations and reads the answer.
    pub(super) async fn post(&self, destination: &Destination, headers: HeaderMap, body: Bytes) -> Exchange {
        let Some(Target { transport, .. }) = self.all.get(&destination.name) else {
            return Exchange::failed(AttemptError::Other, "the destination is configured no longer".into());
        };
        transport.post(&destination.url, headers, body, destination.timeout).await
    }
}

fn checked(mut destination: Destination) -> Result<Destination, TargetsError> {
    if let Err(error) = destination.check() {
        return Err(TargetsError::Destination { name: destination.name, error });
    }
    for (_, value) in &mut destination.headers {
        // Neither in HPACK's tables nor in anybody's debug output.
        value.set_sensitive(true);
    }
    Ok(destination)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::proxy::Proxy;
    use crate::deliver::setup::ProxyChoice;
    use crate::deliver::{EgressOverride, EgressPolicy};

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

    fn transport(targets: &Targets, name: &str) -> Arc<Transport> {
        Arc::clone(&targets.all[name].transport)
    }

    #[test]
    fn connections_outlive_a_reload_and_not_another_policy() {
        let first = Targets::new(vec![at("http://a.example")], EgressPolicy::default()).unwrap();
        let same = first.replaced(vec![at("http://b.example")], EgressPolicy::default()).unwrap();
        assert!(Arc::ptr_eq(&transport(&first, "d"), &transport(&same, "d")));
        let closed = EgressPolicy { deny: vec!["8.8.8.8".parse().unwrap()], ..EgressPolicy::default() };
        let other = same.replaced(vec![at("http://b.example")], closed).unwrap();
        assert!(!Arc::ptr_eq(&transport(&same, "d"), &transport(&other, "d")));
    }

    #[test]
    fn destinations_share_connections_if_they_are_made_alike() {
        let named = |name: &str| Destination { name: name.into(), ..at("https://a.example") };
        let reaching = |name: &str, reach: Reach| Destination { reach, ..named(name) };
        let own = EgressOverride { deny: vec!["8.8.8.8".parse().unwrap()], ..EgressOverride::default() };
        let narrow = Reach { egress: own, ..Reach::default() };
        let proxy = Proxy::new("http://proxy:3128", None).unwrap();
        let through = Reach { proxy: ProxyChoice::Through(proxy), ..Reach::default() };
        let destinations =
            vec![named("a"), named("b"), reaching("narrow", narrow.clone()), reaching("through", through)];
        let targets = Targets::new(destinations, EgressPolicy::default()).unwrap();
        assert!(Arc::ptr_eq(&transport(&targets, "a"), &transport(&targets, "b")));
        assert_eq!(targets.transports.len(), 3);
        // One that changes takes nobody else's connections along.
        let next =
            targets.replaced(vec![reaching("a", narrow), named("b")], EgressPolicy::default()).unwrap();
        assert!(Arc::ptr_eq(&transport(&next, "a"), &transport(&targets, "narrow")));
        assert!(Arc::ptr_eq(&transport(&next, "b"), &transport(&targets, "b")));
    }
}
