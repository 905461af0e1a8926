//! Who is connected: so many at once, and when all places are taken, who is not being served
//! makes room for who may be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long somebody who was asked to leave may take before the next is asked.
const PATIENCE: Duration = Duration::from_millis(100);

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Crowd {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
    /// Rung when there is one more who can be asked to leave.
    more: Notify,
}

/// Those that are not being served, in the order in which they are asked to leave.
#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    members: BTreeMap<Turn, CancellationToken>,
}

/// What a member waits for, and the how many-eth it was to begin that.
type Turn = (For, u64);

/// What who is not being served waits for. The first is asked to leave before the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum For {
    /// For its next request: it knows how to connect again.
    Next,
    /// For the rest of a head, or all of it. One byte of it buys no place for good.
    Head,
}

/// A place that is taken, until it is dropped. Whoever is new has a head to send.
#[derive(Debug)]
pub(super) struct Member {
    crowd: Arc<Crowd>,
    _place: OwnedSemaphorePermit,
    stopping: CancellationToken,
    leave: CancellationToken,
    turn: Mutex<Option<Turn>>,
}

impl Crowd {
    /// With so many places, at least one.
    pub(super) fn new(places: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self { places, waiting: Mutex::default(), more: Notify::new() })
    }

    /// Takes a place. Where there is none, who has been idle longest is asked to leave, then
    /// the next one; where nobody is idle, who has been at its head longest. The token that
    /// says so to this member is a child of `stopping`.
    pub(super) async fn join(self: &Arc<Self>, stopping: &CancellationToken) -> Member {
        let place = self.place().await;
        let member = Member {
            crowd: self.clone(),
            _place: place,
            stopping: stopping.clone(),
            leave: stopping.child_token(),
            turn: Mutex::default(),
        };
        member.begins();
        member
    }

    async fn place(&self) -> OwnedSemaphorePermit {
        let mut place = std::pin::pin!(self.places.clone().acquire_owned());
        // The first poll comes before anybody is asked.
        if let Some(Ok(place)) = poll_once(place.as_mut()).await {
            return place;
        }
        loop {
            let asked = self.make_room();
            tokio::select! {
                Ok(place) = &mut place => return place,
                () = self.more.notified(), if !asked => {}
                () = tokio::time::sleep(PATIENCE), if asked => {}
            }
        }
    }

    /// Asks the first in turn to leave, if anybody waits.
    pub(super) fn make_room(&self) -> bool {
        let first = self.waiting().members.pop_first();
        if let Some((_, leave)) = &first {
            leave.cancel();
        }
        first.is_some()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = std::future::ready(()) => None,
    }
}

impl Member {
    /// Cancelled when it is to leave.
    pub(super) fn leave(&self) -> &CancellationToken {
        &self.leave
    }

    /// Whether it is to leave for somebody else, and not because of a stop.
    pub(super) fn makes_room(&self) -> bool {
        self.leave.is_cancelled() && !self.stopping.is_cancelled()
    }

    /// It waits for its next request.
    pub(super) fn is_idle(&self) {
        self.waits(For::Next);
    }

    /// It is at the head of a request.
    pub(super) fn begins(&self) {
        self.waits(For::Head);
    }

    /// A request is being served.
    pub(super) fn is_busy(&self) {
        if let Some(turn) = self.turn().take() {
            self.crowd.waiting().members.remove(&turn);
        }
    }

    fn waits(&self, what: For) {
        let mut mine = self.turn();
        // Who was asked once need not be asked again.
        if self.leave.is_cancelled() || mine.is_some_and(|(now, _)| now == what) {
            return;
        }
        let mut waiting = self.crowd.waiting();
        if let Some(turn) = mine.take() {
            waiting.members.remove(&turn);
        }
        waiting.last += 1;
        let turn = (what, waiting.last);
        waiting.members.insert(turn, self.leave.clone());
        *mine = Some(turn);
        drop(waiting);
        self.crowd.more.notify_one();
    }

    fn turn(&self) -> MutexGuard<'_, Option<Turn>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.is_busy();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_been_idle_longest_makes_room() {
        let (crowd, stopping) = (Crowd::new(3), CancellationToken::new());
        let (busy, first, second) =
            (crowd.join(&stopping).await, crowd.join(&stopping).await, crowd.join(&stopping).await);
        busy.is_busy();
        first.is_idle();
        second.is_idle();
        // Its second idle time began after the other's first.
        first.is_busy();
        first.is_idle();
        let leave = second.leave().clone();
        let gone = tokio::spawn(async move {
            leave.cancelled().await;
            drop(second);
        });
        let next = crowd.join(&stopping).await;
        gone.await.unwrap();
        assert!(
            !busy.leave().is_cancelled() && !first.leave().is_cancelled() && !next.leave().is_cancelled()
        );
    }

    #[tokio::test]
    async fn where_nobody_is_idle_the_next_waits_for_who_becomes_so() {
        let (crowd, stopping) = (Crowd::new(1), CancellationToken::new());
        let only = crowd.join(&stopping).await;
        only.is_busy();
        let (crowd_of_next, stopping_of_next) = (crowd.clone(), stopping.clone());
        let next = tokio::spawn(async move { crowd_of_next.join(&stopping_of_next).await });
        tokio::task::yield_now().await;
        assert!(!only.leave().is_cancelled());
        only.is_idle();
        only.leave().cancelled().await;
        drop(only);
        next.await.unwrap();
    }

    #[tokio::test]
    async fn who_does_not_leave_is_not_waited_for_alone() {
        let (crowd, stopping) = (Crowd::new(2), CancellationToken::new());
        let (stubborn, other) = (crowd.join(&stopping).await, crowd.join(&stopping).await);
        let leave = other.leave().clone();
        tokio::spawn(async move {
            leave.cancelled().await;
            drop(other);
        });
        crowd.join(&stopping).await;
        assert!(stubborn.leave().is_cancelled());
    }

    #[tokio::test]
    async fn only_who_is_served_is_safe_and_who_is_at_its_head_comes_after_who_is_idle() {
        let (crowd, stopping) = (Crowd::new(4), CancellationToken::new());
        let mut members = Vec::new();
        for _ in 0..4 {
            members.push(crowd.join(&stopping).await);
        }
        let [served, silent, begun, idle] = members.as_slice() else { panic!("four have joined") };
        served.is_busy();
        // The first byte leaves it where it was; one of a later head is as young as that head.
        silent.begins();
        idle.is_idle();
        begun.is_busy();
        begun.is_idle();
        begun.begins();
        for next in [idle, silent, begun] {
            assert!(!next.makes_room() && crowd.make_room() && next.makes_room());
        }
        assert!(!crowd.make_room() && !served.makes_room());
        stopping.cancel();
        assert!(served.leave().is_cancelled() && !idle.makes_room(), "a stop is another reason");
    }
}
