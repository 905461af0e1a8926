//! Who fetches: one flight for all who want the same document, and few at once.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, watch};

use super::cache::Cache;
use super::{FetchError, Fetcher};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::verify::{Document, Fetch, Want};

/// Fetches at once.
const MAX_AT_ONCE: usize = 8;

/// Documents that are fetched or wait for their turn: what strangers can name is bounded.
const MAX_FLIGHTS: usize = 64;

/// How long one waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Gets documents, keeps them, and remembers for a moment which ones could not be had.
pub(in crate::ingest) struct Keeper {
    fetcher: Arc<dyn Fetcher>,
    clock: Clock,
    metrics: Arc<Metrics>,
    turns: Semaphore,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cache: Cache,
    flights: HashMap<String, watch::Receiver<Option<Result<Document, FetchError>>>>,
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
        let (turns, state) = (Semaphore::new(MAX_AT_ONCE), Mutex::default());
        Arc::new(Self { fetcher, clock, metrics, turns, state })
    }

    /// The document, kept or fetched. Who stops waiting takes nothing with him: the fetch
    /// goes on for the others.
    pub(in crate::ingest) async fn get(self: &Arc<Self>, want: &Want) -> Result<Document, FetchError> {
        let key = key(want);
        let mut flight = {
            let mut state = self.state();
            if let Some(found) = state.cache.find(&key, want, self.clock.now()) {
                return found;
            }
            match state.flights.get(&key) {
                Some(flight) => flight.clone(),
                None if state.flights.len() >= MAX_FLIGHTS => {
                    return Err(unreachable("too many keys are fetched at once"));
                }
                None => {
                    let (landing, flight) = watch::channel(None);
                    state.flights.insert(key.clone(), flight.clone());
                    let aloft = Aloft { keeper: self.clone(), key, landing };
                    tokio::spawn(aloft.fly(want.clone()));
                    flight
                }
            }
        };
        let landed = flight.wait_for(Option::is_some).await;
        landed
            .ok()
            .and_then(|landed| landed.clone())
            .unwrap_or_else(|| Err(unreachable("the fetch broke off")))
    }

    /// Asks, and keeps nothing of the answer.
    pub(in crate::ingest) async fn call(&self, fetch: &Fetch) -> Result<(), FetchError> {
        self.fetch(&fetch.url, fetch).await.map(|_| ())
    }

    async fn fetch(&self, name: &str, fetch: &Fetch) -> Result<bytes::Bytes, FetchError> {
        let turn = tokio::time::timeout(MAX_WAIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(unreachable("too many keys are fetched at once")) };
        let came = self.fetcher.fetch(name, fetch).await;
        self.metrics.key_fetch(match &came {
            Ok(_) => "ok",
            Err(FetchError::Refused(_)) => "refused",
            Err(FetchError::Unreachable(_)) => "unreachable",
        });
        came
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One fetch under way; when it ends, however it ends, the next want begins another.
struct Aloft {
    keeper: Arc<Keeper>,
    key: String,
    landing: watch::Sender<Option<Result<Document, FetchError>>>,
}

impl Aloft {
    async fn fly(self, want: Want) {
        let came = self.keeper.fetch(&want.name, &want.fetch).await;
        let now = self.keeper.clock.now();
        let came = came.map(|body| Document { body, fetched: now });
        match &came {
            Ok(_) => {}
            // Strangers can name keys that are not there.
            Err(error @ FetchError::Refused(_)) => {
                tracing::info!(document = want.name, %error, "a key is not to be had; answering 401");
            }
            Err(error) => {
                tracing::warn!(document = want.name, %error, "a key cannot be fetched; answering 503");
            }
        }
        self.keeper.state().cache.take(&self.key, &came, now);
        self.landing.send_replace(Some(came));
    }
}

impl Drop for Aloft {
    fn drop(&mut self) {
        self.keeper.state().flights.remove(&self.key);
    }
}

/// What a document is kept under. Who asks with credentials has keys of his own: what
/// they are refused, others are not.
fn key(want: &Want) -> String {
    if want.fetch.body.is_empty() {
        return want.name.clone();
    }
    format!("{} {}", want.name, hex::encode(Sha256::digest(&want.fetch.body)))
}

fn unreachable(reason: &str) -> FetchError {
    FetchError::Unreachable(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::model::Millis;

    /// Answers once it is let go, and counts.
    #[derive(Debug)]
    struct Held {
        calls: AtomicUsize,
        at_once: AtomicUsize,
        most: AtomicUsize,
        open: Semaphore,
    }

    #[async_trait]
    impl Fetcher for Held {
        async fn fetch(&self, name: &str, _fetch: &Fetch) -> Result<Bytes, FetchError> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            let let_go = self.open.acquire().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let_go.map_err(|_| unreachable("closed"))?.forget();
            assert_ne!(name, "panic", "a fetcher that breaks off");
            Ok(Bytes::from(name.to_owned()))
        }
    }

    fn keeper(permits: usize) -> (Arc<Held>, Arc<Keeper>) {
        let open = Semaphore::new(permits);
        let held = Held { calls: 0.into(), at_once: 0.into(), most: 0.into(), open };
        let held = Arc::new(held);
        let clock = Clock::manual(Millis(1_700_000_000_000));
        (held.clone(), Keeper::new(held, clock, Arc::new(Metrics::new())))
    }

    fn want(name: &str) -> Want {
        let fetch = Fetch::get(format!("https://keys.example/{name}"));
        Want { name: name.to_owned(), fetch, not_before: None, keep: Duration::from_hours(1) }
    }

    #[tokio::test]
    async fn a_hundred_wants_are_one_fetch_and_a_lost_one_takes_nothing_with_it() {
        let (held, keeper) = keeper(0);
        let first = want("k");
        let mut waiting = Box::pin(keeper.get(&first));
        // The first one gives up while the fetch is under way.
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("nobody let it go"),
            () = async { while held.calls.load(Ordering::SeqCst) == 0 { tokio::task::yield_now().await } } => {}
        }
        drop(waiting);
        let wants: Vec<_> = (0..100)
            .map(|_| {
                let keeper = keeper.clone();
                tokio::spawn(async move { keeper.get(&want("k")).await })
            })
            .collect();
        held.open.add_permits(1);
        for want in wants {
            assert_eq!(want.await.unwrap().unwrap().body, "k");
        }
        assert_eq!(held.calls.load(Ordering::SeqCst), 1);
        assert!(keeper.state().flights.is_empty());
    }

    #[tokio::test]
    async fn few_are_fetched_at_once_and_few_may_wait() {
        let (held, keeper) = keeper(0);
        let wants: Vec<_> = (0..=MAX_FLIGHTS)
            .map(|at| {
                let keeper = keeper.clone();
                tokio::spawn(async move { keeper.get(&want(&at.to_string())).await })
            })
            .collect();
        while held.at_once.load(Ordering::SeqCst) < MAX_AT_ONCE || keeper.state().flights.len() < MAX_FLIGHTS
        {
            tokio::task::yield_now().await;
        }
        held.open.add_permits(MAX_FLIGHTS);
        let mut refused = 0;
        for want in wants {
            refused += usize::from(want.await.unwrap().is_err());
        }
        assert_eq!(refused, 1);
        assert_eq!(held.calls.load(Ordering::SeqCst), MAX_FLIGHTS);
        assert_eq!(held.most.load(Ordering::SeqCst), MAX_AT_ONCE);
    }

    #[tokio::test]
    async fn a_fetch_that_breaks_off_leaves_nothing_behind() {
        let (held, keeper) = keeper(2);
        assert_eq!(keeper.get(&want("panic")).await, Err(unreachable("the fetch broke off")));
        assert!(keeper.state().flights.is_empty());
        assert!(keeper.get(&want("k")).await.is_ok());
        assert_eq!(held.calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn what_is_asked_with_credentials_is_kept_apart() {
        let with = |body: &str| {
            let mut want = want("k");
            want.fetch.body = body.as_bytes().to_owned();
            key(&want)
        };
        assert_eq!(with(""), "k");
        assert_ne!(with("a"), with("b"));
        assert!(!with("a secret").contains("secret"));
    }
}
