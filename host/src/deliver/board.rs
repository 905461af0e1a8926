//! How every destination stands, for people who ask why nothing is sent to one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::ser::Serializer;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::model::{Millis, format_rfc3339};

use super::admission::Why;
use super::breaker::Phase;
use super::destination::Targets;
use super::lane::{Glance, Lane};

/// How a destination stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// In one word.
    pub state: StandingState,
    /// Until then no attempt starts; `None`: one may start now, or it depends on somebody.
    #[serde(serialize_with = "instant")]
    pub until: Option<Millis>,
    /// Attempts that may be under way at once; 0 while none may start.
    pub concurrency: usize,
    /// Attempts that are under way, or ended a moment ago.
    pub in_flight: usize,
    /// Deliveries that wait in memory; others may be due in the store.
    pub queued: usize,
    /// What its last attempt failed with; `None`: it answered, or was not tried yet.
    pub last_failure: Option<String>,
}

/// The one word; where several fit, the one that keeps attempts back for longest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StandingState {
    /// Nothing keeps deliveries back.
    Ok,
    /// The gateway has just started and does not know yet.
    Starting,
    /// An operator keeps them back.
    Paused,
    /// It answered 410: until it is resumed, or its URL is another.
    Disabled,
    /// It failed again and again. With `until`: left alone until then; without: tried with
    /// one attempt at a time.
    BreakerOpen,
    /// It said that it is overloaded. With `until`: left alone until then; without: it
    /// gets fewer attempts at once than are configured.
    Throttled,
    /// Its rate limit is used up.
    RateLimited,
}

impl StandingState {
    /// The word used in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Starting => "starting",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
            Self::BreakerOpen => "breaker-open",
            Self::Throttled => "throttled",
            Self::RateLimited => "rate-limited",
        }
    }

    fn of(glance: &Glance) -> Self {
        match glance.closed {
            Some((why, _)) => match why {
                Why::Unknown => Self::Starting,
                Why::Paused => Self::Paused,
                Why::Disabled => Self::Disabled,
                Why::Breaker => Self::BreakerOpen,
                Why::Throttle => Self::Throttled,
                Why::Rate => Self::RateLimited,
            },
            None if glance.phase == Phase::HalfOpen => Self::BreakerOpen,
            None if glance.slowed => Self::Throttled,
            None => Self::Ok,
        }
    }
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn instant<S: Serializer>(at: &Option<Millis>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(format_rfc3339).serialize(serializer)
}

/// Where standings are read. The delivery stage keeps it current; cloning shares.
#[derive(Clone, Debug)]
pub struct Board {
    lanes: Arc<Mutex<HashMap<String, Arc<Lane>>>>,
    targets: watch::Receiver<Arc<Targets>>,
    clock: Clock,
}

impl Board {
    /// Of these destinations; empty until a stage works with it.
    pub fn new(targets: watch::Receiver<Arc<Targets>>, clock: Clock) -> Self {
        Self { lanes: Arc::default(), targets, clock }
    }

    /// How one stands; `None` for one that is not configured.
    pub fn standing(&self, name: &str) -> Option<Standing> {
        let destination = self.targets.borrow().get(name)?.clone();
        let lane = self.lanes().get(name)?.clone();
        let glance = lane.glance(self.clock.monotonic(), &destination.pace());
        Some(standing(name, &glance, self.clock.now()))
    }

    pub(super) fn lanes(&self) -> MutexGuard<'_, HashMap<String, Arc<Lane>>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn standing(name: &str, glance: &Glance, wall: Millis) -> Standing {
    let wait: Option<Duration> = glance.closed.and_then(|(_, wait)| wait);
    Standing {
        name: name.to_owned(),
        state: StandingState::of(glance),
        until: wait.map(|wait| wall.after(wait)),
        concurrency: if glance.closed.is_some() { 0 } else { glance.concurrency },
        in_flight: glance.running,
        queued: glance.queued,
        last_failure: glance.failure.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_word() {
        let open = Glance {
            closed: None,
            phase: Phase::Closed,
            concurrency: 16,
            slowed: false,
            running: 2,
            queued: 5,
            failure: Some("answered 503".into()),
        };
        let closed = |why, seconds: Option<u64>| Glance {
            closed: Some((why, seconds.map(Duration::from_secs))),
            ..open.clone()
        };
        let table = [
            (open.clone(), "ok", None, 16),
            (Glance { slowed: true, concurrency: 4, ..open.clone() }, "throttled", None, 4),
            (Glance { phase: Phase::HalfOpen, concurrency: 1, ..open.clone() }, "breaker-open", None, 1),
            (closed(Why::Unknown, None), "starting", None, 0),
            (closed(Why::Paused, None), "paused", None, 0),
            (closed(Why::Disabled, None), "disabled", None, 0),
            (closed(Why::Breaker, Some(60)), "breaker-open", Some("1970-01-01T00:01:01.000Z"), 0),
            (closed(Why::Throttle, Some(1)), "throttled", Some("1970-01-01T00:00:02.000Z"), 0),
            (closed(Why::Rate, Some(1)), "rate-limited", Some("1970-01-01T00:00:02.000Z"), 0),
        ];
        for (glance, word, until, concurrency) in table {
            let shown = standing("crm", &glance, Millis(1_000));
            let json = serde_json::json!({
                "name": "crm", "state": word, "until": until,
                "concurrency": concurrency, "in_flight": 2, "queued": 5,
                "last_failure": "answered 503",
            });
            assert_eq!(serde_json::to_value(&shown).unwrap(), json);
            assert_eq!(shown.state.as_str(), word);
        }
    }
}
