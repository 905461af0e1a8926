//! The hosts that documents come from. Each has its own turns, its own flights and its own
//! cache, so that what strangers name at one takes nothing from the others. Pure: time is a
//! parameter.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use super::Unmet;
use super::cache::Cache;
use crate::model::Millis;
use crate::rate::RateLimiter;
use crate::verify::{Document, Want};

/// Far more than all providers have: of Amazon's hosts strangers can name some that are none.
pub(super) const MAX_PLACES: usize = 128;

/// Fetches at once of a place.
pub(super) const MAX_AT_ONCE: usize = 8;

/// Documents of a place that are fetched or wait for their turn.
pub(super) const MAX_FLIGHTS: usize = 64;

/// What came of a fetch, once it landed.
pub(super) type Flight = watch::Receiver<Option<Result<Document, Unmet>>>;

/// All of them, by host.
#[derive(Default)]
pub(super) struct Places(HashMap<String, Place>);

/// A host.
pub(super) struct Place {
    pub(super) turns: Arc<Semaphore>,
    pub(super) cache: Cache,
    flights: HashMap<String, Flight>,
}

/// How a want is met.
pub(super) enum Way {
    /// By what is kept.
    Kept(Document),
    /// By a fetch that is under way.
    Join(Flight),
    /// By a fetch that has to begin.
    Begin(Departure, Flight),
}

/// What a fetch begins with.
pub(super) struct Departure {
    /// Whose turns it waits for.
    pub(super) turns: Arc<Semaphore>,
    /// Where it lands.
    pub(super) landing: watch::Sender<Option<Result<Document, Unmet>>>,
}

impl Places {
    /// The place of that host, new where it is the first time; none where there is no room.
    /// Places that never gave anything make room, those that did are there for good:
    /// nobody can make up a host that gives certificates.
    pub(super) fn at(&mut self, host: &str) -> Option<&mut Place> {
        if !self.0.contains_key(host) && self.0.len() >= MAX_PLACES {
            self.0.retain(|_, place| place.is_of_use());
            if self.0.len() >= MAX_PLACES {
                return None;
            }
        }
        Some(self.0.entry(host.to_owned()).or_default())
    }

    /// The place of that host, if it is there.
    pub(super) fn get_mut(&mut self, host: &str) -> Option<&mut Place> {
        self.0.get_mut(host)
    }
}

impl Default for Place {
    fn default() -> Self {
        let turns = Arc::new(Semaphore::new(MAX_AT_ONCE));
        Self { turns, cache: Cache::default(), flights: HashMap::new() }
    }
}

impl Place {
    /// How that want is met at `now`. What never came costs one of `unknown`, at
    /// `monotonic`; what has to begin is under way from here on.
    ///
    /// # Errors
    /// Why it is not met.
    pub(super) fn way(
        &mut self,
        key: &str,
        want: &Want,
        unknown: &RateLimiter,
        (now, monotonic): (Millis, Duration),
    ) -> Result<Way, Unmet> {
        if let Some(found) = self.cache.find(key, want, now) {
            return found.map(Way::Kept);
        }
        if let Some(flight) = self.flights.get(key) {
            return Ok(Way::Join(flight.clone()));
        }
        if self.flights.len() >= MAX_FLIGHTS {
            return Err(Unmet::Crowded);
        }
        if !self.cache.knows(key) {
            unknown.take(monotonic).map_err(|_| Unmet::Postponed)?;
        }
        let (landing, flight) = watch::channel(None);
        self.flights.insert(key.to_owned(), flight.clone());
        Ok(Way::Begin(Departure { turns: self.turns.clone(), landing }, flight))
    }

    /// That flight has ended.
    pub(super) fn land(&mut self, key: &str) {
        self.flights.remove(key);
    }

    /// How many are under way.
    #[cfg(test)]
    pub(super) fn aloft(&self) -> usize {
        self.flights.len()
    }

    fn is_of_use(&self) -> bool {
        !self.flights.is_empty() || !self.cache.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{FetchError, unknown_keys};
    use crate::verify::Fetch;

    const NOW: (Millis, Duration) = (Millis(1_700_000_000_000), Duration::from_secs(9));

    fn want() -> Want {
        let fetch = Fetch::get("https://keys.example/k");
        let keep = Duration::from_hours(1);
        Want { name: "k".to_owned(), fetch, not_before: None, names_key: true, keep, is_usable: |_| true }
    }

    #[test]
    fn places_without_use_make_room_and_those_with_keys_stay() {
        let document = Ok(Document { body: "key".into(), fetched: NOW.0 });
        let mut places = Places::default();
        places.at("gave").unwrap().cache.take("k", &document, NOW.0);
        let flying = places.at("flies").unwrap().way("k", &want(), &unknown_keys(), NOW).ok();
        for at in 2..MAX_PLACES {
            let failed = Err(Unmet::Fetch(FetchError::Refused(404)));
            places.at(&format!("made-up-{at}")).unwrap().cache.take("k", &failed, NOW.0);
        }
        assert_eq!(places.0.len(), MAX_PLACES);
        assert!(places.at("new").is_some());
        let mut left: Vec<_> = places.0.keys().map(String::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["flies", "gave", "new"]);
        assert!(flying.is_some());

        for at in 2..MAX_PLACES {
            places.at(&format!("real-{at}")).unwrap().cache.take("k", &document, NOW.0);
        }
        assert!(places.at("one more").is_none(), "who gave a key is dropped for nobody");
        assert!(places.at("gave").is_some());
    }

    #[test]
    fn what_never_came_costs_and_what_came_does_not() {
        let (mut place, unknown) = (Place::default(), unknown_keys());
        let ways = |place: &mut Place, key: &str, at: (Millis, Duration)| {
            place.way(key, &want(), &unknown, at).map(|_| ()).err()
        };
        place.cache.take("old", &Ok(Document { body: "key".into(), fetched: Millis(0) }), Millis(0));
        for key in ["a", "b", "c", "d", "a", "old"] {
            assert_eq!(ways(&mut place, key, NOW), None, "{key}");
        }
        assert_eq!(ways(&mut place, "e", NOW), Some(Unmet::Postponed));
        assert_eq!(place.aloft(), 5, "who is turned away leaves nothing behind");
        let later = (NOW.0, NOW.1 + Duration::from_secs(2));
        assert_eq!(ways(&mut place, "e", later), None);
        assert_eq!(ways(&mut place, "f", later), Some(Unmet::Postponed));
    }
}
