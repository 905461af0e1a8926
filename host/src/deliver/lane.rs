//! A destination's place in memory: its queues of leased deliveries, its slots, and what
//! is known of how it is doing. One lock, so that whether an attempt may start and that
//! it starts are one step.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use url::Url;

use crate::model::Delivery;

use super::admission::{Admission, Heeded, Pace, Verdict, Why};
use super::breaker::Phase;
use super::hold::Hold;
use super::queue::{Origin, Queues, capacity};
use super::signal::Signal;

/// While no attempt may start for longer, nothing is kept in memory and under lease: it
/// waits in the store.
pub(super) const SHORT_WAIT: Duration = Duration::from_secs(5);

/// One destination's lane.
#[derive(Debug)]
pub(super) struct Lane {
    pub name: String,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    queues: Queues,
    /// Slots that are taken.
    running: usize,
    /// Due deliveries may wait in the store.
    more_in_store: bool,
    admission: Admission,
    /// Where its deliveries went when it was last looked at.
    url: Option<Url>,
    /// What its last attempt failed with, if it did.
    failure: Option<String>,
}

/// What a free slot is to do.
#[derive(Debug)]
pub(super) struct Next {
    /// Attempt this, under that number; `None`: the slot is given up.
    pub delivery: Option<(Delivery, u64)>,
    /// These go back to the store: they waited too long, or will have to.
    pub returned: Vec<Delivery>,
    /// The claimer has something to do: to ask the store for more, or to wait until the
    /// next attempt may start.
    pub wake: bool,
}

/// What became of a word on the destination.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// Another word is in force than before.
    pub changed: bool,
    /// Attempts may start again.
    pub freed: bool,
    /// These go back to the store.
    pub returned: Vec<Delivery>,
}

/// How a lane stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glance {
    /// What keeps attempts back, and for how much longer, if that is known.
    pub closed: Option<(Why, Option<Duration>)>,
    pub phase: Phase,
    /// Attempts that may be under way.
    pub concurrency: usize,
    /// It gets less than is configured.
    pub slowed: bool,
    pub running: usize,
    pub queued: usize,
    /// What its last attempt failed with, if it did.
    pub failure: Option<String>,
}

impl Lane {
    pub(super) fn new(name: String) -> Self {
        let state = State {
            queues: Queues::default(),
            running: 0,
            more_in_store: true,
            admission: Admission::default(),
            url: None,
            failure: None,
        };
        Self { name, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what fits and returns the rest, which the store has to keep.
    pub(super) fn offer(
        &self,
        origin: Origin,
        deliveries: Vec<Delivery>,
        now: Duration,
        pace: &Pace,
    ) -> Vec<Delivery> {
        let mut state = self.state();
        let rest = if is_long(state.admission.ask(now, pace), now) {
            deliveries
        } else {
            let capacity = state.capacity(now, pace);
            state.queues.offer(origin, deliveries, capacity, now)
        };
        state.more_in_store |= !rest.is_empty();
        rest
    }

    /// Takes as many free slots as there is work for and as may start now; each is given
    /// up by [`Self::next`] or [`Self::abandon`].
    pub(super) fn hire(&self, now: Duration, pace: &Pace) -> usize {
        let mut state = self.state();
        let Verdict::Open { concurrency, attempts, .. } = state.admission.ask(now, pace) else { return 0 };
        let useful = concurrency.min(state.running + state.queues.len());
        let hired = useful.saturating_sub(state.running).min(attempts);
        state.running += hired;
        hired
    }

    /// The next delivery for a slot; without one, the slot is given up in the same step,
    /// so that whoever queues after it sees it free. A slot never waits: it would do so
    /// with a lease in its hand.
    pub(super) fn next(&self, now: Duration, pace: &Pace) -> Next {
        let mut state = self.state();
        let mut returned = Vec::new();
        let verdict = state.admission.ask(now, pace);
        let delivery = match verdict {
            Verdict::Open { concurrency, .. } if state.running <= concurrency => {
                state.queues.pop(now, &mut returned)
            }
            Verdict::Open { .. } => None,
            Verdict::Closed { .. } => {
                if is_long(verdict, now) {
                    returned = state.queues.drain();
                }
                None
            }
        };
        let delivery = delivery.map(|delivery| (delivery, state.admission.start(now, pace)));
        if delivery.is_none() {
            state.running -= 1;
        }
        state.more_in_store |= !returned.is_empty();
        let wake = match verdict {
            Verdict::Open { .. } => state.more_in_store && state.room(now, pace) > 0,
            Verdict::Closed { .. } => state.is_wanted(),
        };
        Next { delivery, returned, wake }
    }

    /// Gives up a slot without asking for work.
    pub(super) fn abandon(&self) {
        self.state().running -= 1;
    }

    /// Heeds how attempt `number` ended.
    pub(super) fn heed(&self, now: Duration, number: u64, signal: Signal, pace: &Pace) -> Heeded {
        self.state().admission.heed(now, number, signal, pace)
    }

    /// Notes what its last attempt failed with, for people.
    pub(super) fn note_failure(&self, failure: Option<String>) {
        self.state().failure = failure;
    }

    /// It answered that it wants no more; whether that is news. What is queued goes back
    /// with the next slot that asks.
    pub(super) fn disable(&self) -> bool {
        self.state().admission.holding.disable()
    }

    /// The store knows of a [`Self::disable`], or never will.
    pub(super) fn disabling_is_recorded(&self) {
        self.state().admission.holding.recorded();
    }

    /// To be taken before the store is asked for words on destinations.
    pub(super) fn hold_version(&self) -> u64 {
        self.state().admission.holding.version()
    }

    /// The store's word on it, asked for at `version`. Whom somebody sets free begins
    /// anew, whatever its answers were.
    pub(super) fn hear(&self, hold: Hold, version: u64) -> Heard {
        let mut state = self.state();
        let Some(before) = state.admission.holding.hear(hold, version) else { return Heard::default() };
        if hold != Hold::Free {
            let returned = state.queues.drain();
            state.more_in_store |= !returned.is_empty();
            return Heard { changed: true, freed: false, returned };
        }
        if before != Hold::Unknown {
            state.admission.forgive();
        }
        state.more_in_store = true;
        Heard { changed: true, freed: true, returned: Vec::new() }
    }

    /// Notes where its deliveries go: another URL is another receiver.
    pub(super) fn meet(&self, url: &Url) {
        let mut state = self.state();
        if state.url.as_ref() == Some(url) {
            return;
        }
        if state.url.replace(url.clone()).is_some() {
            state.admission.forgive();
            state.failure = None;
        }
    }

    /// How many the store may be asked for, and whether it is worth asking.
    pub(super) fn appetite(&self, now: Duration, pace: &Pace) -> (usize, bool) {
        let mut state = self.state();
        (state.room(now, pace), state.more_in_store)
    }

    /// Notes whether due deliveries may wait in the store.
    pub(super) fn set_more_in_store(&self, more: bool) {
        self.state().more_in_store = more;
    }

    /// How long until an attempt may start, where one is waited for and that time is
    /// known.
    pub(super) fn opens_in(&self, now: Duration, pace: &Pace) -> Option<Duration> {
        let mut state = self.state();
        match state.admission.ask(now, pace) {
            Verdict::Closed { until: Some(until), .. } if state.is_wanted() => {
                Some(until.saturating_sub(now))
            }
            _ => None,
        }
    }

    /// Whether no slot is taken.
    pub(super) fn is_idle(&self) -> bool {
        self.state().running == 0
    }

    /// Empties the queues.
    pub(super) fn drain(&self) -> Vec<Delivery> {
        self.state().queues.drain()
    }

    /// How it stands, for people.
    pub(super) fn glance(&self, now: Duration, pace: &Pace) -> Glance {
        let mut state = self.state();
        let closed = match state.admission.ask(now, pace) {
            Verdict::Open { .. } => None,
            Verdict::Closed { why, until } => Some((why, until.map(|until| until.saturating_sub(now)))),
        };
        let (concurrency, phase) = state.admission.shape(now, pace);
        Glance {
            closed,
            phase,
            concurrency,
            slowed: state.admission.is_slowed(),
            running: state.running,
            queued: state.queues.len(),
            failure: state.failure.clone(),
        }
    }
}

impl State {
    /// Somebody waits for an attempt to start, or may.
    fn is_wanted(&self) -> bool {
        self.more_in_store || self.queues.len() > 0
    }

    /// What either queue holds: with a rate limit, not more than goes out before long.
    fn capacity(&mut self, now: Duration, pace: &Pace) -> usize {
        let soon = self.admission.within(now, SHORT_WAIT, pace).max(1);
        capacity(pace.concurrency).min(soon)
    }

    fn room(&mut self, now: Duration, pace: &Pace) -> usize {
        match self.admission.ask(now, pace) {
            Verdict::Closed { .. } => 0,
            Verdict::Open { probing: true, .. } => usize::from(self.running == 0 && self.queues.len() == 0),
            Verdict::Open { .. } => {
                let capacity = self.capacity(now, pace);
                self.queues.room(capacity)
            }
        }
    }
}

/// Whether nothing should wait in memory for it.
fn is_long(verdict: Verdict, now: Duration) -> bool {
    match verdict {
        Verdict::Open { .. } => false,
        Verdict::Closed { until, .. } => until.is_none_or(|until| until.saturating_sub(now) > SHORT_WAIT),
    }
}

#[cfg(test)]
mod tests;
