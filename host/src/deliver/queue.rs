//! What of a destination waits in memory: two short queues, served in turn.
//!
//! Two, because two streams compete: deliveries that were just produced and are handed
//! over, and those that the store had waiting. So neither a flood of new ones nor a
//! long backlog starves the other.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::Delivery;

/// A delivery that waited longer goes back to the store: its lease has to last for the
/// attempt and its recording as well.
pub(super) const MAX_WAIT: Duration = Duration::from_mins(7);

/// Either queue holds at least so many deliveries, at most eight for each slot.
pub(super) const MIN_QUEUE: usize = 256;
const MAX_QUEUE: usize = 2_048;

/// Either queue holds at most about so many bytes of bodies.
pub(super) const QUEUE_BYTES: usize = 8 * 1024 * 1024;

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

/// Both queues.
#[derive(Debug, Default)]
pub(super) struct Queues {
    pair: [Queue; 2],
    /// Which is served next.
    turn: usize,
    /// Moving average of body sizes.
    body_bytes: Option<usize>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Something did not fit; until something has left.
    full: bool,
}

#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    since: Duration,
}

/// How many deliveries either queue holds for a destination with so many slots.
pub(super) fn capacity(concurrency: usize) -> usize {
    (concurrency * 8).clamp(MIN_QUEUE, MAX_QUEUE)
}

impl Queues {
    /// Queues what fits and returns the rest. One always fits, however large.
    pub(super) fn offer(
        &mut self,
        origin: Origin,
        deliveries: Vec<Delivery>,
        capacity: usize,
        now: Duration,
    ) -> Vec<Delivery> {
        let mut rest = Vec::new();
        for delivery in deliveries {
            let bytes = delivery.body().len();
            self.body_bytes = Some(self.body_bytes.map_or(bytes, |average| (average * 7 + bytes) / 8));
            let queue = &mut self.pair[origin as usize];
            let empty = queue.waiting.is_empty();
            if queue.waiting.len() < capacity && (empty || queue.bytes + bytes <= QUEUE_BYTES) {
                queue.bytes += bytes;
                queue.waiting.push_back(Waiting { delivery, since: now });
            } else {
                queue.full = true;
                rest.push(delivery);
            }
        }
        rest
    }

    /// The next one, of the other queue than the last if that has any. Those that waited
    /// too long are put aside.
    pub(super) fn pop(&mut self, now: Duration, expired: &mut Vec<Delivery>) -> Option<Delivery> {
        loop {
            let mine = self.turn;
            self.turn = 1 - mine;
            let waiting = [mine, 1 - mine].into_iter().find_map(|i| self.pair[i].pop())?;
            if now.saturating_sub(waiting.since) <= MAX_WAIT {
                return Some(waiting.delivery);
            }
            expired.push(waiting.delivery);
        }
    }

    /// How many more the store may be asked for. None while the queue is more than half
    /// full: the store is asked for many at once.
    pub(super) fn room(&self, capacity: usize) -> usize {
        let queue = &self.pair[Origin::Claim as usize];
        if queue.full || queue.waiting.len() > capacity / 2 || queue.bytes > QUEUE_BYTES / 2 {
            return 0;
        }
        let body_bytes = self.body_bytes.unwrap_or(FIRST_GUESS_BYTES).max(1);
        let fit = (QUEUE_BYTES - queue.bytes) / body_bytes;
        capacity.saturating_sub(queue.waiting.len()).min(fit).max(1)
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.pair.iter().map(|queue| queue.waiting.len()).sum()
    }

    /// Empties both.
    pub(super) fn drain(&mut self) -> Vec<Delivery> {
        let pair = std::mem::take(&mut self.pair);
        pair.into_iter().flat_map(|queue| queue.waiting).map(|waiting| waiting.delivery).collect()
    }
}

impl Queue {
    fn pop(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.bytes -= waiting.delivery.body().len();
        self.full = false;
        Some(waiting)
    }
}
