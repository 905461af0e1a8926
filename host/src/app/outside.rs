//! What a gateway is given instead of finding it: time, chance, and the way to the keys
//! that providers publish.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::clock::{Clock, Random};
use crate::deliver::{Egress, OutsideClient, Targets, TlsSettings, TransportError};
use crate::ingest::{FetchError, Fetcher};
use crate::verify::Fetch;

/// What surrounds a gateway.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Time.
    pub clock: Clock,
    /// Ids and jitter.
    pub random: Random,
    /// Gets published keys; the gateway's own, behind its egress guard, where none is
    /// given.
    pub fetcher: Option<Arc<dyn Fetcher>>,
}

impl Surroundings {
    /// The machine's.
    pub fn system() -> Self {
        Self { clock: Clock::system(), random: Random::system(), fetcher: None }
    }
}

/// Published keys, over HTTPS and under the egress policy in force. Connections live as
/// long as their policy does.
pub(super) struct KeyFetcher {
    targets: watch::Receiver<Arc<Targets>>,
    client: Mutex<Option<(Egress, Arc<OutsideClient>)>>,
}

impl KeyFetcher {
    pub(super) const fn new(targets: watch::Receiver<Arc<Targets>>) -> Self {
        Self { targets, client: Mutex::new(None) }
    }

    /// The client for the policy of now.
    fn client(&self) -> Result<Arc<OutsideClient>, TransportError> {
        let egress = self.targets.borrow().egress().clone();
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((policy, client)) = &*client
            && *policy == egress
        {
            return Ok(client.clone());
        }
        let made = Arc::new(OutsideClient::new(&egress, TlsSettings::default())?);
        *client = Some((egress, made.clone()));
        Ok(made)
    }
}

impl fmt::Debug for KeyFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFetcher")
    }
}

#[async_trait]
impl Fetcher for KeyFetcher {
    async fn fetch(&self, _name: &str, fetch: &Fetch) -> Result<Bytes, FetchError> {
        let unreachable = |error: &dyn fmt::Display| FetchError::Unreachable(error.to_string());
        let client = self.client().map_err(|error| unreachable(&error))?;
        let answer = client.fetch(fetch.method, &fetch.url, &fetch.headers, fetch.body.clone()).await;
        let answer = answer.map_err(|error| unreachable(&error))?;
        match answer.status {
            200..=299 => Ok(answer.body),
            // What says "not now" says nothing of the key.
            status @ (408 | 429) => Err(FetchError::Unreachable(format!("answered {status}"))),
            status @ 400..=499 => Err(FetchError::Refused(status)),
            status => Err(FetchError::Unreachable(format!("answered {status}"))),
        }
    }
}
