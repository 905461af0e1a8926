//! A destination's place in memory: its short queues of leased deliveries and its slots.
//!
//! Two queues, because two streams compete: deliveries that were just produced and are
//! handed over, and those that the store had waiting. Slots serve them in turn, so that
//! neither a flood of new ones nor a long backlog starves the other.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::Delivery;

/// A delivery that waited longer goes back to the store: its lease has to last for the
/// attempt and its recording as well.
pub(super) const MAX_WAIT: Duration = Duration::from_mins(7);

/// Either queue holds at least so many deliveries, at most eight for each slot.
const MIN_QUEUE: usize = 256;
const MAX_QUEUE: usize = 2_048;

/// Either queue holds at most about so many bytes of bodies.
const QUEUE_BYTES: usize = 8 * 1024 * 1024;

/// What a body is taken to measure until some were seen.
const FIRST_GUESS_BYTES: usize = 16 * 1024;

/// Where a delivery comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Just produced.
    Handoff = 0,
    /// Claimed from the store.
    Claim = 1,
}

/// One destination's queues and slots.
#[derive(Debug)]
pub(super) struct Lane {
    pub name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    queues: [Queue; 2],
    /// Which queue is served next.
    turn: usize,
    /// Slots that are taken.
    running: usize,
    /// Due deliveries may wait in the store.
    more_in_store: bool,
    /// Moving average of body sizes.
    body_bytes: Option<usize>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    since: Duration,
}

/// What a free slot is to do.
#[derive(Debug)]
pub(super) struct Next {
    /// Attempt this; `None`: the slot is given up.
    pub delivery: Option<Delivery>,
    /// These waited too long and go back to the store.
    pub expired: Vec<Delivery>,
    /// The store should be asked for more.
    pub wants_more: bool,
}

impl Lane {
    pub(super) fn new(name: String) -> Self {
        let state = State { more_in_store: true, ..State::default() };
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
        concurrency: usize,
        now: Duration,
    ) -> Vec<Delivery> {
        let mut state = self.state();
        let mut rest = Vec::new();
        for delivery in deliveries {
            let bytes = delivery.body().len();
            state.body_bytes = Some(state.body_bytes.map_or(bytes, |average| (average * 7 + bytes) / 8));
            let queue = &mut state.queues[origin as usize];
            let empty = queue.waiting.is_empty();
            if queue.waiting.len() < capacity(concurrency) && (empty || queue.bytes + bytes <= QUEUE_BYTES) {
                queue.bytes += bytes;
                queue.waiting.push_back(Waiting { delivery, since: now });
            } else {
                rest.push(delivery);
            }
        }
        if !rest.is_empty() {
            state.more_in_store = true;
        }
        rest
    }

    /// Takes as many free slots as there is work for; each is given up by [`Self::next`]
    /// or [`Self::abandon`].
    pub(super) fn hire(&self, concurrency: usize) -> usize {
        let mut state = self.state();
        let useful = concurrency.min(state.running + state.queued());
        let hired = useful.saturating_sub(state.running);
        state.running += hired;
        hired
    }

    /// The next delivery for a slot; without one, the slot is given up in the same step,
    /// so that whoever queues after it sees it free.
    pub(super) fn next(&self, concurrency: usize, now: Duration) -> Next {
        let mut state = self.state();
        let mut expired = Vec::new();
        let delivery = loop {
            if state.running > concurrency {
                break None;
            }
            match state.pop() {
                Some(waiting) if now.saturating_sub(waiting.since) > MAX_WAIT => {
                    expired.push(waiting.delivery);
                }
                other => break other.map(|waiting| waiting.delivery),
            }
        };
        if delivery.is_none() {
            state.running -= 1;
        }
        state.more_in_store |= !expired.is_empty();
        let wants_more = state.more_in_store && state.room(concurrency) > 0;
        Next { delivery, expired, wants_more }
    }

    /// Gives up a slot without asking for work.
    pub(super) fn abandon(&self) {
        self.state().running -= 1;
    }

    /// How many the store may be asked for, and whether it is worth asking.
    pub(super) fn appetite(&self, concurrency: usize) -> (usize, bool) {
        let state = self.state();
        (state.room(concurrency), state.more_in_store)
    }

    /// Notes whether due deliveries may wait in the store.
    pub(super) fn set_more_in_store(&self, more: bool) {
        self.state().more_in_store = more;
    }

    /// Whether no slot is taken.
    pub(super) fn is_idle(&self) -> bool {
        self.state().running == 0
    }

    /// Empties the queues.
    pub(super) fn drain(&self) -> Vec<Delivery> {
        let mut state = self.state();
        let queues = std::mem::take(&mut state.queues);
        queues.into_iter().flat_map(|queue| queue.waiting).map(|waiting| waiting.delivery).collect()
    }
}

impl State {
    fn queued(&self) -> usize {
        self.queues.iter().map(|queue| queue.waiting.len()).sum()
    }

    fn pop(&mut self) -> Option<Waiting> {
        let mine = self.turn;
        let other = 1 - mine;
        self.turn = other;
        [mine, other].into_iter().find_map(|i| {
            let queue = &mut self.queues[i];
            let waiting = queue.waiting.pop_front()?;
            queue.bytes -= waiting.delivery.body().len();
            Some(waiting)
        })
    }

    /// None while the queue is more than half full: the store is asked for many at once.
    fn room(&self, concurrency: usize) -> usize {
        let queue = &self.queues[Origin::Claim as usize];
        let capacity = capacity(concurrency);
        if queue.waiting.len() > capacity / 2 || queue.bytes > QUEUE_BYTES / 2 {
            return 0;
        }
        let body_bytes = self.body_bytes.unwrap_or(FIRST_GUESS_BYTES).max(1);
        let fit = (QUEUE_BYTES - queue.bytes) / body_bytes;
        (capacity - queue.waiting.len()).min(fit).max(1)
    }
}

fn capacity(concurrency: usize) -> usize {
    (concurrency * 8).clamp(MIN_QUEUE, MAX_QUEUE)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::model::{DeliveryId, Event, EventId, Message, Millis};

    const T0: Duration = Duration::ZERO;

    fn sized(id: usize, bytes: usize) -> Delivery {
        let event = Event {
            id: EventId::from_text("evt_1"),
            source: "s".into(),
            event_type: None,
            received_at: Millis(0),
            method: "POST".into(),
            path: "/".into(),
            query: None,
            headers: Vec::new(),
            body: Bytes::from(vec![0; bytes]),
            attributes: Vec::new(),
        };
        Delivery {
            id: DeliveryId::from_text(id.to_string()),
            event: Arc::new(event),
            route: "r".into(),
            destination: "d".into(),
            generation: 0,
            message: Message::default(),
            attempts: 0,
            lease: 1,
        }
    }

    fn some(ids: std::ops::Range<usize>) -> Vec<Delivery> {
        ids.map(|id| sized(id, 1)).collect()
    }

    fn ids(deliveries: &[Delivery]) -> Vec<&str> {
        deliveries.iter().map(|d| d.id.as_str()).collect()
    }

    #[test]
    fn both_queues_are_served_in_turn() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Claim, some(100..102), 1, T0);
        lane.offer(Origin::Handoff, some(0..4), 1, T0);
        assert_eq!(lane.hire(1), 1);
        let served: Vec<_> = std::iter::from_fn(|| lane.next(1, T0).delivery).collect();
        assert_eq!(ids(&served), ["0", "100", "1", "101", "2", "3"]);
    }

    #[test]
    fn slots_are_hired_for_work_and_given_up_without() {
        let lane = Lane::new("d".into());
        assert_eq!(lane.hire(4), 0);
        lane.offer(Origin::Handoff, some(0..2), 4, T0);
        assert_eq!(lane.hire(4), 2);
        assert!(lane.next(4, T0).delivery.is_some());
        assert!(lane.next(4, T0).delivery.is_some());
        assert!(lane.next(4, T0).delivery.is_none());
        assert!(lane.next(4, T0).delivery.is_none());
        assert!(lane.is_idle());
    }

    #[test]
    fn a_slot_that_was_lost_is_hired_again_for_what_still_waits() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Handoff, some(0..3), 1, T0);
        assert_eq!((lane.hire(1), lane.hire(1)), (1, 0));
        lane.abandon();
        assert_eq!(lane.hire(1), 1);
    }

    #[test]
    fn a_lowered_concurrency_takes_slots_back() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Handoff, some(0..9), 3, T0);
        assert_eq!(lane.hire(3), 3);
        assert!(lane.next(1, T0).delivery.is_none());
        assert!(lane.next(1, T0).delivery.is_none());
        assert!(lane.next(1, T0).delivery.is_some());
        assert_eq!(lane.hire(1), 0);
    }

    #[test]
    fn what_does_not_fit_is_returned_and_remembered() {
        let lane = Lane::new("d".into());
        lane.set_more_in_store(false);
        let rest = lane.offer(Origin::Handoff, some(0..MIN_QUEUE + 2), 1, T0);
        assert_eq!(ids(&rest), [MIN_QUEUE.to_string(), (MIN_QUEUE + 1).to_string()]);
        assert_eq!(lane.appetite(1), (MIN_QUEUE, true));
        let large = (0..3).map(|id| sized(id, QUEUE_BYTES)).collect();
        assert_eq!(lane.offer(Origin::Claim, large, 1, T0).len(), 2, "one always fits");
        assert_eq!(lane.appetite(1).0, 0);
    }

    #[test]
    fn the_store_is_asked_again_once_half_is_gone() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Claim, some(0..MIN_QUEUE), 1, T0);
        lane.hire(1);
        let taken = std::iter::repeat_with(|| lane.next(1, T0)).position(|next| next.wants_more);
        assert_eq!(taken, Some(MIN_QUEUE / 2 - 1));
        assert_eq!(lane.appetite(1), (MIN_QUEUE / 2, true));
    }

    #[test]
    fn large_bodies_are_claimed_few_at_a_time() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Handoff, vec![sized(0, QUEUE_BYTES / 4)], 1, T0);
        assert_eq!(lane.appetite(1).0, 4);
    }

    #[test]
    fn deliveries_that_waited_too_long_go_back() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Handoff, some(0..2), 1, T0);
        lane.offer(Origin::Handoff, some(2..3), 1, MAX_WAIT);
        lane.set_more_in_store(false);
        lane.hire(1);
        let next = lane.next(1, MAX_WAIT + Duration::from_millis(1));
        assert_eq!((ids(&next.expired), next.delivery.unwrap().id.as_str()), (vec!["0", "1"], "2"));
        assert!(next.wants_more);
    }

    #[test]
    fn draining_empties_both_queues() {
        let lane = Lane::new("d".into());
        lane.offer(Origin::Handoff, some(0..1), 1, T0);
        lane.offer(Origin::Claim, some(1..2), 1, T0);
        assert_eq!(ids(&lane.drain()), ["0", "1"]);
        assert_eq!(lane.hire(1), 0);
    }
}
