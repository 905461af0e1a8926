//! Persistence: the verbs in which the stages meet, each one transaction over a batch.
//!
//! A verb commits everything that must be true together before it returns. Callers
//! share commits, and a verb that fails takes no other verb down. Within one verb, an
//! item that is a repeat, stale or in conflict is refused by itself and leaves the
//! others; an error ([`StoreError`]) is the whole verb's: none of its items is written.
//! No connection, transaction or SQL shows through here, so that another store is one
//! more file and the conformance suite.

#[cfg(test)]
mod conformance;
mod sqlite;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::model::{
    Attempt, Delivery, DeliveryId, DeliveryState, Event, EventId, EventState, Message, Millis, Run, RunState,
    StepRecord,
};

pub use sqlite::{SqliteOptions, SqliteStore, StoreInspection, Synchronous};

/// Everything the gateway remembers. Times that decide (due times, expiry of dedupe
/// keys and state) are read from the store's own clock.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes events durable, each with one pending run per route. When it returns,
    /// what it accepted survives the process and the machine. With `lease`, the new
    /// runs are claimed for the caller in the same step.
    async fn accept(
        &self,
        events: Vec<NewEvent>,
        lease: Option<Duration>,
    ) -> Result<Vec<Accepted>, StoreError>;

    /// Claims up to `limit` due runs, oldest due time first.
    async fn claim_runs(&self, limit: usize, lease: Duration) -> Result<Claimed<Run>, StoreError>;

    /// Ends (or postpones) runs and creates their deliveries. With `lease`, the new
    /// deliveries that are due are claimed for the caller in the same step.
    async fn commit_processed(
        &self,
        results: Vec<RunResult>,
        lease: Option<Duration>,
    ) -> Result<Vec<Committed>, StoreError>;

    /// Puts held runs back as due: those of events numbered above `after`, in their
    /// order, `limit` or a few more (never a part of an event's). Called when plugins or
    /// configuration changed, from 0 onwards; those that are held again meanwhile are
    /// behind and wait for the next change.
    async fn resume_held(&self, after: i64, limit: usize) -> Result<Resumed, StoreError>;

    /// Claims due deliveries, for each destination up to its own limit, oldest due
    /// time first.
    async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Duration,
    ) -> Result<Claimed<Delivery>, StoreError>;

    /// Records attempts together with what follows from each. Ends the leases.
    async fn record_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<Vec<Recorded>, StoreError>;

    /// Gives leases back without a result: what they held is claimable at once.
    async fn release(
        &self,
        runs: Vec<RunLease>,
        deliveries: Vec<(DeliveryId, u64)>,
    ) -> Result<(), StoreError>;

    /// One value of a plugin's state, with the version that a later write compares.
    async fn plugin_state(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, StoreError>;

    /// One event with its runs and deliveries.
    async fn event(&self, id: &EventId) -> Result<Option<EventRecord>, StoreError>;

    /// One delivery with its attempts.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<(DeliveryRecord, Vec<Attempt>)>, StoreError>;

    /// Deliveries, newest first.
    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<PageOf<DeliveryRecord>, StoreError>;

    /// How much is waiting.
    async fn backlog(&self) -> Result<Backlog, StoreError>;

    /// Commits what was asked for, then stops; further calls are [`StoreError::Closed`].
    async fn close(&self);
}

/// An event to accept.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event; its id is new.
    pub event: Event,
    /// Routes that take it; none: it is recorded as dropped.
    pub routes: Vec<String>,
    /// What makes another request a repeat of this one.
    pub dedupe: Option<DedupeKey>,
}

/// What makes another request a repeat, within one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DedupeKey {
    /// The provider's id, or a hash of the content.
    pub key: String,
    /// How long a repeat is recognised, counted from the first.
    pub window: Duration,
}

/// What became of one [`NewEvent`].
#[derive(Debug)]
pub enum Accepted {
    /// It is on disk. The runs are there when a lease was asked for.
    New(Vec<Run>),
    /// It is a repeat of this event, which is kept in its place. When that event had
    /// failed runs or dead deliveries, they are due again, at the beginning of their
    /// schedules.
    Duplicate(EventId),
}

/// Claimed work.
#[derive(Debug)]
pub struct Claimed<T> {
    /// Each under a lease that only its holder can complete.
    pub items: Vec<T>,
    /// When the next becomes due, where more is pending than was claimed; it may have
    /// passed already.
    pub next_due: Option<Millis>,
}

/// What a call of [`Store::resume_held`] came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// Runs that are due again; fewer than asked for: there are no more.
    pub count: usize,
    /// The number of the last event they belong to; where to go on.
    pub last: i64,
}

/// Names a run and the lease under which it was claimed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RunLease {
    /// The event's number.
    pub seq: i64,
    /// The route's name.
    pub route: String,
    /// Which replay.
    pub generation: u32,
    /// The lease's token.
    pub lease: u64,
}

impl From<&Run> for RunLease {
    fn from(run: &Run) -> Self {
        Self { seq: run.seq, route: run.route.clone(), generation: run.generation, lease: run.lease }
    }
}

/// What processing a run came to.
#[derive(Clone, Debug)]
pub struct RunResult {
    /// The run; a stale lease is refused.
    pub run: RunLease,
    /// The event, which the new deliveries share.
    pub event: std::sync::Arc<Event>,
    /// Where the run goes.
    pub end: RunEnd,
    /// What its steps said, in order.
    pub steps: Vec<StepRecord>,
    /// What its plugins read and wrote; committed with the run, except when the run
    /// failed, is held or is tried again.
    pub state: StateChanges,
}

/// Where a run goes.
#[derive(Clone, Debug)]
pub enum RunEnd {
    /// These deliveries; none is possible, when plugins narrowed to nothing.
    Processed(Vec<NewDelivery>),
    /// Dropped, for this reason.
    Dropped(String),
    /// Given up, for this reason.
    Failed(String),
    /// To be tried again then; counts as an attempt.
    Retry(Millis, String),
    /// Waits until plugins or configuration change; no attempt is counted.
    Held(String),
}

/// A delivery to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDelivery {
    /// Derived; one that exists already is left as it is.
    pub id: DeliveryId,
    /// The destination's name.
    pub destination: String,
    /// What is sent.
    pub message: Message,
}

/// What a run's plugins read and wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateChanges {
    /// (plugin, key, version seen; 0: absent). A mismatch is a conflict.
    pub reads: Vec<(String, String, u64)>,
    /// In order.
    pub writes: Vec<StateWrite>,
}

/// One write to a plugin's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateWrite {
    /// The namespace.
    pub plugin: String,
    /// 1 to 256 bytes.
    pub key: String,
    /// `None` deletes.
    pub value: Option<Bytes>,
    /// Forgotten so long after it is committed.
    pub ttl: Option<Duration>,
}

/// A value of a plugin's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateValue {
    /// Grows with each write; never 0.
    pub version: u64,
    /// The bytes.
    pub value: Bytes,
}

/// What became of one [`RunResult`].
#[derive(Debug)]
pub enum Committed {
    /// It is on disk. The deliveries are there when a lease was asked for.
    Done(Vec<Delivery>),
    /// The lease is no longer the caller's: nothing was written.
    Stale,
    /// State that its plugins read has changed: nothing was written, the lease holds,
    /// and the run is to be repeated.
    Conflict,
}

/// How many deliveries of a destination the caller can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The destination's name.
    pub destination: String,
    /// At most so many.
    pub limit: usize,
}

/// An attempt of a claimed delivery.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    /// The delivery.
    pub delivery: DeliveryId,
    /// Its lease; a stale one is refused.
    pub lease: u64,
    /// What happened and what follows.
    pub attempt: Attempt,
}

/// What became of one [`AttemptRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk.
    Done,
    /// The lease is no longer the caller's: nothing was written.
    Stale,
}

/// One event as it is shown.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// What came in.
    pub event: Event,
    /// By route and generation.
    pub runs: Vec<RunRecord>,
    /// In the order of their creation.
    pub deliveries: Vec<DeliveryRecord>,
    /// Repeats that were recognised.
    pub repeats: u64,
}

impl EventRecord {
    /// The event's status, from its runs and deliveries.
    pub fn state(&self) -> EventState {
        derive_state(
            self.runs.iter().map(|run| run.state),
            self.deliveries.iter().map(|delivery| delivery.state),
        )
    }
}

fn derive_state(
    mut runs: impl Iterator<Item = RunState> + Clone,
    mut deliveries: impl Iterator<Item = DeliveryState> + Clone,
) -> EventState {
    let none = deliveries.clone().next().is_none();
    if runs.clone().any(|run| run == RunState::Pending) || deliveries.clone().any(|state| !state.is_final()) {
        EventState::Pending
    } else if runs.any(|run| run == RunState::Failed)
        || deliveries.any(|state| state != DeliveryState::Delivered)
    {
        EventState::Failed
    } else if none {
        EventState::Dropped
    } else {
        EventState::Delivered
    }
}

/// One run as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRecord {
    /// The route's name.
    pub route: String,
    /// 0, or which replay.
    pub generation: u32,
    /// Where it stands.
    pub state: RunState,
    /// Waits for plugins or configuration.
    pub held: bool,
    /// Why it was dropped, failed, postponed or held.
    pub reason: Option<String>,
    /// Tries that ended without an end.
    pub attempts: u32,
    /// When it is due, while it is pending and not held.
    pub due: Option<Millis>,
    /// What its steps said at the last try.
    pub steps: Vec<StepRecord>,
}

/// One delivery as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRecord {
    /// Its `webhook-id`.
    pub id: DeliveryId,
    /// The event it came from.
    pub event: EventId,
    /// The route's name.
    pub route: String,
    /// The destination's name.
    pub destination: String,
    /// 0, or which replay.
    pub generation: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts of its schedule that ended. A repeat of its event begins the schedule of
    /// a dead delivery anew; the earlier attempts are kept beside the new ones.
    pub attempts: u32,
    /// When the next is due, while it is pending.
    pub due: Option<Millis>,
    /// When it was created.
    pub created_at: Millis,
    /// The reason of the last attempt's decision.
    pub reason: Option<String>,
}

/// Which deliveries to list; `None` takes all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// By destination.
    pub destination: Option<String>,
    /// By state.
    pub state: Option<DeliveryState>,
}

/// Which part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where the last page ended, as it said.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: usize,
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct PageOf<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next part begins; `None`: there is none.
    pub next: Option<String>,
}

/// How much is waiting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Runs that are pending, held ones included.
    pub runs: u64,
    /// Of these, held.
    pub held: u64,
    /// Pending deliveries by destination.
    pub deliveries: Vec<(String, u64)>,
}

/// Why a verb did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the store.
    #[error("{0} is in use by another process; only one gateway may run on it")]
    Locked(String),
    /// Written by a newer version.
    #[error("the store has schema {found}, this version knows up to {known}; use a newer hookloom")]
    TooNew {
        /// Its number.
        found: i64,
        /// The highest that this version knows.
        known: i64,
    },
    /// The disk is full: nothing was written, and a later call may succeed.
    #[error("the disk is full")]
    Full,
    /// A write did not reach the disk: nothing is promised until the store is opened
    /// again.
    #[error("the store is broken: {0}")]
    Broken(String),
    /// A cursor that no list gave.
    #[error("not a cursor of this list")]
    BadCursor,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Anything else; nothing was written.
    #[error("store: {0}")]
    Other(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_state_follows_from_its_runs_and_deliveries() {
        use DeliveryState::{Cancelled, Dead, Delivered, Pending as Waiting};
        use RunState::{Dropped, Failed, Pending, Processed};
        let table: [(&[RunState], &[DeliveryState], EventState); 11] = [
            (&[], &[], EventState::Dropped),
            (&[Dropped, Processed], &[], EventState::Dropped),
            (&[Dropped, Processed], &[Delivered], EventState::Delivered),
            (&[Processed], &[Delivered, Delivered], EventState::Delivered),
            (&[Processed], &[Delivered, Dead], EventState::Failed),
            (&[Processed], &[Cancelled], EventState::Failed),
            (&[Failed], &[], EventState::Failed),
            (&[Failed, Processed], &[Delivered], EventState::Failed),
            (&[Pending], &[], EventState::Pending),
            (&[Pending, Failed], &[Dead], EventState::Pending),
            (&[Processed], &[Waiting, Dead], EventState::Pending),
        ];
        for (runs, deliveries, expected) in table {
            let state = derive_state(runs.iter().copied(), deliveries.iter().copied());
            assert_eq!(state, expected, "{runs:?} {deliveries:?}");
        }
    }
}
