//! Who fetches: one flight for all who want the same document, and few at once.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use url::Url;

use super::place::{Departure, Places, Way};
use super::{FetchError, Fetcher, Unmet};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::rate::RateLimiter;
use crate::verify::{Document, Fetch, Want};

/// How long one waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Gets documents, keeps them, and remembers for a moment which ones could not be had.
pub(in crate::ingest) struct Keeper {
    fetcher: Arc<dyn Fetcher>,
    clock: Clock,
    metrics: Arc<Metrics>,
    places: Mutex<Places>,
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").field("fetcher", &self.fetcher).finish_non_exhaustive()
    }
}

impl Keeper {
    pub(in crate::ingest) fn new(
        fetcher: Arc<dyn Fetcher>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self { fetcher, clock, metrics, places: Mutex::default() })
    }

    /// The document, kept or fetched; fetches of what never came are taken from `unknown`.
    /// Who stops waiting takes nothing with him: the fetch goes on for the others.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn get(self: &Arc<Self>, want: &Want, unknown: &RateLimiter) -> Result<Document, Unmet> {
        let slot = Slot::of(want);
        let mut flight = match self.way(&slot, want, unknown)? {
            Way::Kept(document) => return Ok(document),
            Way::Join(flight) => flight,
            Way::Begin(departure, flight) => {
                let aloft = Aloft { keeper: self.clone(), slot, departure };
                tokio::spawn(aloft.fly(want.clone()));
                flight
            }
        };
        let landed = flight.wait_for(Option::is_some).await;
        landed.ok().and_then(|landed| landed.clone()).unwrap_or(Err(Unmet::BrokeOff))
    }

    fn way(&self, slot: &Slot, want: &Want, unknown: &RateLimiter) -> Result<Way, Unmet> {
        let now = (self.clock.now(), self.clock.monotonic());
        let mut places = self.places();
        let way = places.at(&slot.host).ok_or(Unmet::Crowded)?.way(&slot.key, want, unknown, now);
        if matches!(way, Err(Unmet::Postponed)) {
            self.metrics.key_fetch("postponed");
        }
        way
    }

    /// A request was proven with the documents that met these wants.
    pub(super) fn prove(&self, wants: &[Box<Want>]) {
        for slot in wants.iter().map(|want| Slot::of(want)) {
            if let Some(place) = self.places().get_mut(&slot.host) {
                place.cache.prove(&slot.key);
            }
        }
    }

    /// Asks, and keeps nothing of the answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn call(&self, fetch: &Fetch) -> Result<(), Unmet> {
        let turns = self.places().at(&host(fetch)).ok_or(Unmet::Crowded)?.turns.clone();
        self.fetch(&turns, &fetch.url, fetch, |_| true).await.map(|_| ())
    }

    async fn fetch(
        &self,
        turns: &Semaphore,
        name: &str,
        fetch: &Fetch,
        is_usable: fn(&[u8]) -> bool,
    ) -> Result<Bytes, Unmet> {
        let turn = tokio::time::timeout(MAX_WAIT, turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Unmet::Crowded) };
        let came = self.fetcher.fetch(name, fetch).await;
        let (outcome, came) = match came {
            Ok(body) if is_usable(&body) => ("ok", Ok(body)),
            Ok(_) => ("unusable", Err(Unmet::Unusable)),
            Err(error @ FetchError::Refused(_)) => ("refused", Err(error.into())),
            Err(error @ FetchError::Unreachable(_)) => ("unreachable", Err(error.into())),
        };
        self.metrics.key_fetch(outcome);
        came
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One fetch under way; when it ends, however it ends, the next want begins another.
struct Aloft {
    keeper: Arc<Keeper>,
    slot: Slot,
    departure: Departure,
}

impl Aloft {
    async fn fly(self, want: Want) {
        let Departure { turns, landing } = &self.departure;
        let came = self.keeper.fetch(turns, &want.name, &want.fetch, want.is_usable).await;
        let came = came.map_err(|unmet| if want.names_key { unmet } else { unmet.of_set() });
        let now = self.keeper.clock.now();
        let came = came.map(|body| Document { body, fetched: now });
        match &came {
            Ok(_) => {}
            // Strangers can name keys that are not there.
            Err(error @ Unmet::Fetch(FetchError::Refused(_))) if want.fetch.body.is_empty() => {
                tracing::info!(document = want.name, %error, "a key is not to be had; answering 401");
            }
            Err(error @ Unmet::Fetch(FetchError::Refused(_))) => {
                tracing::warn!(
                    document = want.name, %error,
                    "a key is not to be had, or not with the configured credentials; answering 401"
                );
            }
            Err(error) => {
                tracing::warn!(document = want.name, %error, "a key cannot be fetched; answering 503");
            }
        }
        if let Some(place) = self.keeper.places().get_mut(&self.slot.host) {
            place.cache.take(&self.slot.key, &came, now);
        }
        landing.send_replace(Some(came));
    }
}

impl Drop for Aloft {
    fn drop(&mut self) {
        if let Some(place) = self.keeper.places().get_mut(&self.slot.host) {
            place.land(&self.slot.key);
        }
    }
}

/// Where a document is kept.
struct Slot {
    host: String,
    key: String,
}

impl Slot {
    /// Who asks with credentials has keys of his own: what they are refused, others are not.
    fn of(want: &Want) -> Self {
        let credentials = &want.fetch.body;
        let key = if credentials.is_empty() {
            want.name.clone()
        } else {
            format!("{} {}", want.name, hex::encode(Sha256::digest(credentials)))
        };
        Self { host: host(&want.fetch), key }
    }
}

/// The host that is asked; none where the fetch will be refused as no URL.
fn host(fetch: &Fetch) -> String {
    let url = Url::parse(&fetch.url).ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
