//! Fetches that wait, break off or bring something else, and floods of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::JoinHandle;

use super::super::place::{MAX_AT_ONCE, MAX_FLIGHTS};
use super::super::unknown_keys;
use super::*;
use crate::model::Millis;
use crate::rate::Rate;

/// Answers once it is let go, other places than the usual one at once, and counts.
#[derive(Debug)]
struct Held {
    calls: AtomicUsize,
    at_once: AtomicUsize,
    most: AtomicUsize,
    open: Semaphore,
    answers_garbage: AtomicBool,
}

#[async_trait]
impl Fetcher for Held {
    async fn fetch(&self, name: &str, fetch: &Fetch) -> Result<Bytes, FetchError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        if fetch.url.starts_with(USUAL) {
            self.open.acquire().await.expect("never closed").forget();
        }
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        assert_ne!(name, "panic", "a fetcher that breaks off");
        let body = if self.answers_garbage.load(Ordering::SeqCst) { "garbage" } else { name };
        Ok(Bytes::from(body.to_owned()))
    }
}

fn keeper(permits: usize) -> (Arc<Held>, Arc<Keeper>) {
    let open = Semaphore::new(permits);
    let (calls, at_once, most) = Default::default();
    let held = Arc::new(Held { calls, at_once, most, open, answers_garbage: false.into() });
    let clock = Clock::manual(Millis(1_700_000_000_000));
    (held.clone(), Keeper::new(held, clock, Arc::new(Metrics::new())))
}

const USUAL: &str = "https://keys.example/";

/// As long as a document may be kept.
const HOUR: Duration = Duration::from_hours(1);

fn want(name: &str) -> Want {
    want_at(USUAL, name)
}

fn want_at(place: &str, name: &str) -> Want {
    let fetch = Fetch::get(format!("{place}{name}"));
    let is_usable = |body: &[u8]| body != b"garbage";
    Want { name: name.to_owned(), fetch, not_before: None, names_key: true, keep: HOUR, is_usable }
}

/// Of a source that may ask for as many as it likes.
fn plenty() -> RateLimiter {
    RateLimiter::new(Rate::per_second(1.0).with_burst(1_000))
}

/// How many are under way at the usual place.
fn aloft(keeper: &Keeper) -> usize {
    keeper.places().at("keys.example").expect("there is room").aloft()
}

/// Takes every turn and every flight of the usual place, each with a want of its own.
async fn flood(held: &Held, keeper: &Arc<Keeper>) -> Vec<JoinHandle<Result<Document, Unmet>>> {
    let wants = (0..=MAX_FLIGHTS).map(|at| {
        let keeper = keeper.clone();
        tokio::spawn(async move { keeper.get(&want(&at.to_string()), &plenty()).await })
    });
    let wants = wants.collect();
    while held.at_once.load(Ordering::SeqCst) < MAX_AT_ONCE || aloft(keeper) < MAX_FLIGHTS {
        tokio::task::yield_now().await;
    }
    wants
}

#[tokio::test]
async fn a_hundred_wants_are_one_fetch_and_a_lost_one_takes_nothing_with_it() {
    let (held, keeper) = keeper(0);
    let (first, unknown) = (want("k"), unknown_keys());
    let mut waiting = Box::pin(keeper.get(&first, &unknown));
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
            tokio::spawn(async move { keeper.get(&want("k"), &unknown_keys()).await })
        })
        .collect();
    held.open.add_permits(1);
    for want in wants {
        assert_eq!(want.await.unwrap().unwrap().body, "k");
    }
    assert_eq!(held.calls.load(Ordering::SeqCst), 1);
    assert_eq!(aloft(&keeper), 0);
}

#[tokio::test]
async fn few_are_fetched_at_once_and_few_may_wait() {
    let (held, keeper) = keeper(0);
    let wants = flood(&held, &keeper).await;
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
    assert_eq!(keeper.get(&want("panic"), &plenty()).await, Err(Unmet::BrokeOff));
    assert_eq!(aloft(&keeper), 0);
    assert!(keeper.get(&want("k"), &plenty()).await.is_ok());
    assert_eq!(held.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_flood_at_one_place_is_nothing_to_another() {
    const OTHER: &str = "https://other.example/";
    let (held, keeper) = keeper(0);
    let kept = keeper.get(&want_at(OTHER, "kept"), &plenty()).await;
    assert_eq!(kept.as_ref().map(|document| &document.body[..]), Ok(&b"kept"[..]));
    let _waiting = flood(&held, &keeper).await;
    assert_eq!(keeper.get(&want("one more"), &plenty()).await, Err(Unmet::Crowded));

    let calls = || held.calls.load(Ordering::SeqCst);
    let before = calls();
    assert_eq!(keeper.get(&want_at(OTHER, "kept"), &plenty()).await, kept);
    assert_eq!(calls(), before, "it is still there");
    assert!(keeper.get(&want_at(OTHER, "new"), &plenty()).await.is_ok());
    assert!(keeper.call(&Fetch::get(OTHER)).await.is_ok());
    assert_eq!(calls(), before + 2);
}

#[tokio::test]
async fn keys_that_came_before_are_had_although_nothing_unknown_is_asked_for() {
    let (held, keeper) = keeper(100);
    let (spent, other) = (unknown_keys(), unknown_keys());
    for name in ["a", "b", "c", "d"] {
        assert!(keeper.get(&want(name), &spent).await.is_ok(), "{name}");
    }
    let calls = || held.calls.load(Ordering::SeqCst);
    assert_eq!(keeper.get(&want("e"), &spent).await, Err(Unmet::Postponed));
    assert_eq!(calls(), 4, "nobody was asked");
    assert!(keeper.get(&want("a"), &spent).await.is_ok());
    assert_eq!(calls(), 4, "it is kept");
    assert!(keeper.get(&want("e"), &other).await.is_ok(), "of another source");

    // Also one that is too old to be used is one that came before.
    let aged = Want { not_before: Some(keeper.clock.now().after(HOUR)), ..want("a") };
    assert_eq!(keeper.get(&want("f"), &spent).await, Err(Unmet::Postponed));
    assert!(keeper.get(&aged, &spent).await.is_ok());
    assert_eq!(calls(), 6);

    keeper.clock.advance(Duration::from_secs(2));
    assert!(keeper.get(&want("f"), &spent).await.is_ok(), "nothing is turned away for good");
    assert_eq!(keeper.get(&want("g"), &spent).await, Err(Unmet::Postponed));
}

#[tokio::test]
async fn what_is_no_key_is_not_kept_and_replaces_none() {
    let (held, keeper) = keeper(100);
    let get = async |name| keeper.get(&want(name), &plenty()).await.map(|document| document.body);
    assert_eq!(get("good").await, Ok("good".into()));
    held.answers_garbage.store(true, Ordering::SeqCst);
    assert_eq!(get("new").await, Err(Unmet::Unusable));
    let aged = Want { not_before: Some(keeper.clock.now().after(HOUR)), ..want("good") };
    assert_eq!(keeper.get(&aged, &plenty()).await, Err(Unmet::Unusable));
    assert_eq!(get("good").await, Ok("good".into()));

    held.answers_garbage.store(false, Ordering::SeqCst);
    assert_eq!(get("new").await, Err(Unmet::Unusable), "nobody is asked again at once");
    assert_eq!(held.calls.load(Ordering::SeqCst), 3);
    keeper.clock.advance(Duration::from_secs(5));
    assert_eq!(get("new").await, Ok("new".into()));
}

#[test]
fn places_are_hosts() {
    for (url, expected) in [
        ("https://keys.example/a", "keys.example"),
        ("https://KEYS.example:443/b?c", "keys.example"),
        ("https://other.example/a", "other.example"),
        ("no url", ""),
    ] {
        assert_eq!(host(&Fetch::get(url)), expected, "{url}");
    }
}

#[test]
fn what_is_asked_with_credentials_is_kept_apart() {
    let with = |body: &str| {
        let mut want = want("k");
        want.fetch.body = body.as_bytes().to_owned();
        Slot::of(&want).key
    };
    assert_eq!(with(""), "k");
    assert_ne!(with("a"), with("b"));
    assert!(!with("a secret").contains("secret"));
}
