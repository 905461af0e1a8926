//! Persistence: the verbs in which the stages meet, each one transaction over a batch.
//!
//! A verb commits everything that must be true together before it returns. Callers
//! share commits, and a verb that fails takes no other verb down. Within one verb, an
//! item that is a repeat, stale or in conflict is refused by itself and leaves the
//! others; an error ([`StoreError`]) is the whole verb's: none of its items is written.
//! No connection, transaction or SQL shows through here, so that another store is one
//! more file and the conformance suite.

mod command;
#[cfg(test)]
mod conformance;
mod shown;
mod sqlite;

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{
    Attempt, Delivery, DeliveryId, Event, EventId, Line, Message, Millis, OnDead, Run, Secret, StepRecord,
};

pub use crate::model::{StateChanges, StateValue, StateWrite};
pub use command::{
    Commanded, DeliveryCommand, DestinationCommand, DestinationState, Disabled, Learning, LearntSecret,
    MAX_LEARNT, Replay, Replayed, Retention, Tidied,
};
pub use shown::{
    Backlog, DeliveryFilter, DeliveryRecord, EventFilter, EventRecord, EventSummary, Page, PageOf, RunRecord,
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

    /// Claims up to `limit` due runs, oldest due time first, and no further one once their
    /// events have `bytes` together.
    async fn claim_runs(
        &self,
        limit: usize,
        bytes: usize,
        lease: Duration,
    ) -> Result<Claimed<Run>, StoreError>;

    /// Ends (or postpones) runs and creates their deliveries. With `lease`, the new
    /// deliveries that are due are claimed for the caller in the same step.
    async fn commit_processed(
        &self,
        results: Vec<RunResult>,
        lease: Option<Duration>,
    ) -> Result<Vec<Committed>, StoreError>;

    /// Everything that holds a run, each once.
    async fn holders(&self) -> Result<Vec<Holder>, StoreError>;

    /// Puts runs back as due that `holder` holds: those of events numbered above `after`,
    /// in their order, `limit` or a few more (never a part of an event's). Called when what
    /// holds them has changed, from 0 onwards; those that are held again meanwhile are
    /// behind and wait for the next change.
    async fn resume_held(&self, holder: &Holder, after: i64, limit: usize) -> Result<Resumed, StoreError>;

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

    /// Carries out an operator's command on each of these deliveries.
    async fn command_deliveries(
        &self,
        deliveries: Vec<DeliveryId>,
        command: DeliveryCommand,
    ) -> Result<Vec<Commanded>, StoreError>;

    /// Sends events through routes again, each as a new generation of all its runs. The
    /// new runs are due at once, and in ordered lines they stand behind everything that
    /// was accepted before.
    async fn replay(&self, replays: Vec<Replay>) -> Result<Vec<Replayed>, StoreError>;

    /// What is said of destinations; those of which nothing is said are enabled.
    async fn destinations(&self) -> Result<Vec<DestinationState>, StoreError>;

    /// Changes what is said of a destination, and returns what is said then.
    async fn command_destination(
        &self,
        name: &str,
        command: DestinationCommand,
    ) -> Result<DestinationState, StoreError>;

    /// Keeps a secret that a handshake handed over, as the newest of its source, unless
    /// it has [`MAX_LEARNT`] others. When it returns, it survives the machine.
    async fn learn_secret(&self, source: &str, secret: &Secret) -> Result<Learning, StoreError>;

    /// Drops every secret that handshakes of the source handed over; how many there were.
    async fn forget_secrets(&self, source: &str) -> Result<usize, StoreError>;

    /// Secrets that handshakes handed over, by source, newest first.
    async fn learnt_secrets(&self) -> Result<Vec<LearntSecret>, StoreError>;

    /// Brings a destination's lines up to a changed configuration: under
    /// [`OnDead::Skip`] those behind dead ones go on. Looks at `limit` dead ones at most and
    /// returns whether there are more to look at.
    async fn settle_lines(
        &self,
        destination: &str,
        on_dead: OnDead,
        limit: usize,
    ) -> Result<bool, StoreError>;

    /// Deletes a little of what has served its time: finished events with their runs,
    /// deliveries and attempts, keys and plugin state that have expired; and gives free
    /// pages back to the disk. Small enough that accepts do not notice. Remembers where
    /// it went on, and begins again after the end.
    async fn tidy(&self, retention: &Retention) -> Result<Tidied, StoreError>;

    /// One value of a plugin's state, with the version that a run which built on it names.
    async fn plugin_state(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, StoreError>;

    /// What a plugin's keys and values take, in bytes. Those that have expired count until
    /// they are tidied away.
    async fn plugin_state_size(&self, plugin: &str) -> Result<u64, StoreError>;

    /// One event with its runs and deliveries.
    async fn event(&self, id: &EventId) -> Result<Option<EventRecord>, StoreError>;

    /// One delivery with its attempts.
    async fn delivery(&self, id: &DeliveryId) -> Result<Option<(DeliveryRecord, Vec<Attempt>)>, StoreError>;

    /// Events, newest first. A page looks at a bounded number of events, so it may hold
    /// fewer than asked for, even none, and still name a next one.
    async fn events(&self, filter: EventFilter, page: Page) -> Result<PageOf<EventSummary>, StoreError>;

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
    pub routes: Vec<NewRun>,
    /// What makes another request a repeat of this one.
    pub dedupe: Option<DedupeKey>,
}

/// A run to create.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewRun {
    /// The route's name.
    pub route: String,
    /// Whether a destination of the route asks for an order: then what is behind this
    /// run waits for it.
    pub ordered: bool,
    /// Why it is not to be processed: it is kept as failed, until a replay asks for it. A
    /// request with the same key that has no such reason is no repeat, but an event.
    pub dead: Option<String>,
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

/// What holds runs of a route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The route's name.
    pub route: String,
    /// The plugin that is missing or misconfigured; `None`: the route itself is not in the
    /// configuration.
    pub plugin: Option<String>,
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

impl RunResult {
    /// The plugin that holds the run, if one does: its step was the last.
    pub fn held_by(&self) -> Option<&str> {
        let last = self.steps.last().filter(|step| step.verdict.holds())?;
        matches!(self.end, RunEnd::Held(_)).then_some(&last.plugin)
    }
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
    /// Of a replay: the id that the message has in generation 0.
    pub replay_of: Option<DeliveryId>,
    /// Where it stands in line, if it does. It becomes due when it is the first there
    /// and no earlier run of its route is pending.
    pub line: Option<Line>,
    /// With so many pending at its destination, it is born dead.
    pub max_pending: Option<u64>,
}

impl NewDelivery {
    /// Of generation 0, in no line and without a bound.
    pub fn new(id: DeliveryId, destination: impl Into<String>, message: Message) -> Self {
        let destination = destination.into();
        Self { id, destination, message, replay_of: None, line: None, max_pending: None }
    }
}

/// What became of one [`RunResult`].
#[derive(Debug)]
pub enum Committed {
    /// It is on disk.
    Done(Created),
    /// The lease is no longer the caller's: nothing was written.
    Stale,
    /// State that its plugins read has changed: nothing was written, the lease holds,
    /// and the run is to be repeated.
    Conflict,
}

/// The deliveries that a run's result made, and what its end set free.
#[derive(Debug, Default)]
pub struct Created {
    /// Claimed for the caller, when a lease was asked for.
    pub leased: Vec<Delivery>,
    /// Whether others became due that are to be claimed: no lease was asked for, or they
    /// stood in line and may go now.
    pub claimable: bool,
    /// Born dead, because their destinations had `max_pending`: id and destination.
    pub dead: Vec<(DeliveryId, String)>,
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
    /// What its death means for those behind it in its line.
    pub on_dead: OnDead,
    /// Disables the destination, in the same step.
    pub disables: Option<Disables>,
}

/// That an answer wants no more deliveries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disables {
    /// The hash of the URL that answered: see [`DestinationState::disabled`].
    pub url: String,
    /// For people.
    pub reason: String,
}

/// What became of one [`AttemptRecord`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// It is on disk.
    Done {
        /// Whether another delivery of its line became due with it.
        next_in_line: bool,
    },
    /// The lease is no longer the caller's: nothing was written.
    Stale,
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
    /// Another program holds the file: nothing was written, and a later call may succeed.
    #[error("the store is busy: {0}")]
    Busy(String),
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
