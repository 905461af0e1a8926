//! The store on `SQLite`: one writer thread that commits for everyone waiting, read
//! connections beside it, leases in memory.

mod accept;
mod attempts;
mod backup;
mod codes;
mod commands;
mod connect;
mod counters;
mod deliveries;
mod destinations;
mod encoding;
mod error;
mod expired;
mod gates;
mod held;
mod inspect;
mod leases;
mod lines;
mod list;
mod migrate;
mod purge;
mod read;
mod readers;
mod replay;
mod runs;
mod secrets;
mod standing;
mod state;
#[cfg(test)]
mod tests;
mod tidy;
mod tx;
mod unclaimed;
mod writer;

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{
    Accepted, AttemptRecord, Backlog, Claimed, Commanded, Committed, DeliveryCommand, DeliveryFilter,
    DeliveryRecord, DestinationCommand, DestinationState, EventFilter, EventRecord, EventSummary, Holder,
    Learning, LearntSecret, NewEvent, Page, PageOf, Recorded, Replay, Replayed, Resumed, Retention, RunLease,
    RunResult, StateValue, Store, StoreError, Tidied, Want,
};
use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use crate::model::{Attempt, Delivery, DeliveryId, EventId, OnDead, Run, Secret};
use accept::Incoming;
use counters::Counters;
use destinations::Said;
use readers::Readers;
use tidy::Tidier;
use tx::Ledger;
use writer::{Engine, Shared, Writer};

pub use connect::Synchronous;
pub use inspect::StoreInspection;

/// How a [`SqliteStore`] works. The defaults keep every promise of [`Store`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqliteOptions {
    /// Whether a commit waits for the disk.
    pub synchronous: Synchronous,
    /// Reads at the same time; at least 1.
    pub read_connections: usize,
    /// Verbs that wait for the writer before callers wait for a place among them.
    pub queue: usize,
    /// Verbs in one transaction, at most; at least 1.
    pub max_batch: usize,
    /// The largest size of the file, in pages of 4 KiB, beyond which the disk counts as
    /// full. `None`: the disk's own size.
    pub max_pages: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            synchronous: Synchronous::Full,
            read_connections: 2,
            queue: 1024,
            max_batch: 256,
            max_pages: None,
        }
    }
}

/// A store in one `SQLite` file, for one process.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Writer,
    readers: Readers,
    shared: Arc<Shared>,
    clock: Clock,
    /// One call tidies at a time.
    tidier: Mutex<Tidier>,
}

impl SqliteStore {
    /// Opens the file at `path`, creates it and its folder where they are missing, and
    /// migrates it to the schema of this version. Leases of an earlier opening are void.
    ///
    /// Blocks: the first count of what is pending reads its indexes.
    pub fn open(
        path: &Path,
        options: &SqliteOptions,
        clock: Clock,
        random: &Random,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StoreError> {
        let lock = connect::lock(path)?;
        let conn = connect::writer(path, options)?;
        let shared = Arc::new(Shared::default());
        *shared.counters.lock().unwrap_or_else(PoisonError::into_inner) = Counters::count(&conn)?;
        *shared.destinations.lock().unwrap_or_else(PoisonError::into_inner) = Said::read(&conn)?;
        let mut token = [0; 8];
        random.fill(&mut token);
        let ledger = Ledger::new(u64::from_le_bytes(token), gates::all(&conn)?);
        let engine = Engine {
            conn,
            ledger,
            clock: clock.clone(),
            metrics,
            shared: Arc::clone(&shared),
            max_batch: options.max_batch.max(1),
            failed: false,
            _lock: lock,
        };
        let readers = Readers::open(path, options.read_connections.max(1))?;
        let writer = Writer::start(engine, options.queue)?;
        Ok(Self { writer, readers, shared, clock, tidier: Mutex::default() })
    }

    /// Looks at the file at `path`, also while a gateway runs on it. Nothing is created
    /// and nothing migrated.
    pub fn inspect(path: &Path) -> Result<StoreInspection, StoreError> {
        inspect::inspect(path)
    }

    /// What handshakes handed over, as [`Store::learnt_secrets`] says, of the file at `path`,
    /// also while a gateway runs on it. Nothing is created and nothing migrated; no file:
    /// none.
    ///
    /// # Errors
    /// It cannot be read, or is newer than this version.
    pub fn learnt(path: &Path) -> Result<Vec<LearntSecret>, StoreError> {
        inspect::learnt(path)
    }

    /// Copies the store at `path` to the new file `target`, also while a gateway runs on
    /// it: everything that was committed before the call, as one moment. Returns what is
    /// in the copy. When it fails, there is no file at `target`.
    ///
    /// Blocks for as long as it takes to write the copy.
    ///
    /// # Errors
    /// No store, `target` exists, or it cannot be written or is not sound.
    pub fn backup(path: &Path, target: &Path) -> Result<StoreInspection, StoreError> {
        backup::backup(path, target)
    }

    /// Makes room on a disk that [`SqliteOptions::max_pages`] made small.
    #[cfg(test)]
    async fn set_max_pages(&self, pages: u32) -> Result<(), StoreError> {
        let set = move |tx: &mut tx::Tx<'_>| {
            Ok(tx.sql(&format!("PRAGMA max_page_count = {pages}"))?.query_row([], |_| Ok(()))?)
        };
        self.writer.submit(1, set).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn accept(
        &self,
        events: Vec<NewEvent>,
        lease: Option<Duration>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let events: Vec<Incoming> = events.into_iter().map(Incoming::from).collect();
        self.writer.submit(events.len(), move |tx| accept::accept(tx, &events, lease)).await
    }

    async fn claim_runs(
        &self,
        limit: usize,
        bytes: usize,
        lease: Duration,
    ) -> Result<Claimed<Run>, StoreError> {
        self.writer.submit(1, move |tx| runs::claim(tx, limit, bytes, lease)).await
    }

    async fn commit_processed(
        &self,
        results: Vec<RunResult>,
        lease: Option<Duration>,
    ) -> Result<Vec<Committed>, StoreError> {
        self.writer.submit(results.len(), move |tx| runs::commit(tx, &results, lease)).await
    }

    async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        self.shared.check()?;
        self.readers.read(held::holders).await
    }

    async fn resume_held(&self, holder: &Holder, after: i64, limit: usize) -> Result<Resumed, StoreError> {
        let holder = holder.clone();
        self.writer.submit(1, move |tx| held::resume(tx, &holder, after, limit)).await
    }

    async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Duration,
    ) -> Result<Claimed<Delivery>, StoreError> {
        self.writer.submit(1, move |tx| deliveries::claim(tx, &wants, lease)).await
    }

    async fn record_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<Vec<Recorded>, StoreError> {
        self.writer.submit(attempts.len(), move |tx| attempts::record(tx, &attempts)).await
    }

    async fn release(
        &self,
        runs: Vec<RunLease>,
        deliveries: Vec<(DeliveryId, u64)>,
    ) -> Result<(), StoreError> {
        self.writer
            .submit(1, move |tx| {
                for run in &runs {
                    tx.ledger.runs.release(run.lease);
                }
                for (_, lease) in &deliveries {
                    tx.ledger.deliveries.release(*lease);
                }
                Ok(())
            })
            .await
    }

    async fn command_deliveries(
        &self,
        deliveries: Vec<DeliveryId>,
        command: DeliveryCommand,
    ) -> Result<Vec<Commanded>, StoreError> {
        self.writer.submit(deliveries.len(), move |tx| commands::command(tx, &deliveries, command)).await
    }

    async fn replay(&self, replays: Vec<Replay>) -> Result<Vec<Replayed>, StoreError> {
        self.writer.submit(replays.len(), move |tx| replay::replay(tx, &replays)).await
    }

    async fn destinations(&self) -> Result<Vec<DestinationState>, StoreError> {
        self.shared.check()?;
        self.readers.check()?;
        Ok(self.shared.destinations.lock().unwrap_or_else(PoisonError::into_inner).all())
    }

    async fn command_destination(
        &self,
        name: &str,
        command: DestinationCommand,
    ) -> Result<DestinationState, StoreError> {
        let name = name.to_owned();
        self.writer.submit(1, move |tx| destinations::command(tx, &name, command)).await
    }

    async fn learn_secret(&self, source: &str, secret: &Secret) -> Result<Learning, StoreError> {
        let (source, secret) = (source.to_owned(), secret.clone());
        self.writer.submit(1, move |tx| secrets::learn(tx, &source, &secret)).await
    }

    async fn forget_secrets(&self, source: &str) -> Result<usize, StoreError> {
        let source = source.to_owned();
        self.writer.submit(1, move |tx| secrets::forget(tx, &source)).await
    }

    async fn learnt_secrets(&self) -> Result<Vec<LearntSecret>, StoreError> {
        self.shared.check()?;
        self.readers.read(secrets::all).await
    }

    async fn settle_lines(
        &self,
        destination: &str,
        on_dead: OnDead,
        limit: usize,
    ) -> Result<bool, StoreError> {
        let destination = destination.to_owned();
        self.writer.submit(1, move |tx| lines::settle(tx, &destination, on_dead, limit)).await
    }

    async fn tidy(&self, retention: &Retention) -> Result<Tidied, StoreError> {
        tidy::tidy(self, *retention).await
    }

    async fn events(&self, filter: EventFilter, page: Page) -> Result<PageOf<EventSummary>, StoreError> {
        self.shared.check()?;
        self.readers.read(move |conn| list::events(conn, &filter, &page, list::LOOK_AT)).await
    }

    async fn plugin_state(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, StoreError> {
        self.shared.check()?;
        let (plugin, key, now) = (plugin.to_owned(), key.to_owned(), self.clock.now());
        self.readers.read(move |conn| state::read(conn, &plugin, &key, now)).await
    }

    async fn plugin_state_size(&self, plugin: &str) -> Result<u64, StoreError> {
        self.shared.check()?;
        self.readers.check()?;
        Ok(self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner).state(plugin))
    }

    async fn event(&self, id: &EventId) -> Result<Option<EventRecord>, StoreError> {
        self.shared.check()?;
        let id = id.clone();
        self.readers.read(move |conn| read::event(conn, &id)).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<(DeliveryRecord, Vec<Attempt>)>, StoreError> {
        self.shared.check()?;
        let id = id.clone();
        self.readers.read(move |conn| read::delivery(conn, &id)).await
    }

    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<PageOf<DeliveryRecord>, StoreError> {
        self.shared.check()?;
        self.readers.read(move |conn| read::deliveries(conn, &filter, &page)).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.shared.check()?;
        self.readers.check()?;
        Ok(self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner).backlog())
    }

    async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}
