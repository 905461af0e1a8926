//! The one thread that writes. It takes whatever waits, runs it in one transaction and
//! commits once for everyone: a verb is answered only when its bytes are on the disk.
//!
//! What arrives while one batch is being synced is the next batch, together with what
//! the callers who were just answered ask next: see [`Last::let_gather`].

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::counters::{Change, Counters};
use super::destinations::Said;
use super::gates::{self, Window};
use super::tx::{Ledger, Tx};
use super::unclaimed::Unclaimed;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::store::StoreError;

/// What the writer and the callers both look at.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) counters: Mutex<Counters>,
    /// What is said of destinations, as it is committed: asked for every second.
    pub(super) destinations: Mutex<Said>,
    /// Set once, when a write did not reach the disk.
    pub(super) broken: OnceLock<String>,
}

impl Shared {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.broken.get().map_or(Ok(()), |why| Err(StoreError::Broken(why.clone())))
    }
}

/// The callers' end.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Message>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

enum Message {
    Verb {
        job: Box<dyn Job>,
        /// Events, results or attempts in it.
        items: usize,
    },
    /// Finish what was asked for, then end.
    Close,
}

/// What the thread works with.
pub(super) struct Engine {
    pub(super) conn: Connection,
    pub(super) ledger: Ledger,
    pub(super) clock: Clock,
    pub(super) metrics: Arc<Metrics>,
    pub(super) shared: Arc<Shared>,
    /// Verbs in one transaction, at most.
    pub(super) max_batch: usize,
    /// Whether the last batch did as a whole.
    pub(super) failed: bool,
    /// Held as long as the thread lives: one process at a time.
    pub(super) _lock: std::fs::File,
}

impl Writer {
    /// Starts the thread; up to `queue` verbs wait for it, further callers wait for a
    /// place.
    pub(super) fn start(engine: Engine, queue: usize) -> Result<Self, StoreError> {
        let (sender, receiver) = mpsc::channel(queue.max(1));
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || engine.run(receiver))
            .map_err(|e| StoreError::Other(format!("the writer thread does not start: {e}")))?;
        Ok(Self { queue: Some(sender), thread: Mutex::new(Some(thread)) })
    }

    /// Runs `verb`, which is about so many items, in the next transaction and returns
    /// once that is committed. The verb may run twice when another one in its batch
    /// fails; its first run is undone.
    pub(super) async fn submit<T, F>(&self, items: usize, verb: F) -> Result<T, StoreError>
    where
        F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
        T: Unclaimed + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { verb, outcome: None, reply });
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.send(Message::Verb { job, items }).await.map_err(|_| StoreError::Closed)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Broken("the writer thread ended".into())))
    }

    /// Commits what was asked for and ends the thread.
    pub(super) async fn close(&self) {
        if let Some(queue) = &self.queue {
            // An error: it has ended already.
            let _ = queue.send(Message::Close).await;
        }
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // Its panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

/// Runs every verb of a batch inside the transaction that is open.
type RunBatch = fn(&Connection, &mut Tx<'_>, &mut [Box<dyn Job>]) -> Result<(), StoreError>;

/// A verb with its caller.
trait Job: Send {
    /// Runs the verb and keeps what it returned.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;
    /// What it returned is not true after all.
    fn fail(&mut self, error: StoreError);
    /// Tells the caller. Leases that nobody is there to take are given back.
    fn answer(self: Box<Self>, ledger: &mut Ledger);
}

struct Task<F, T> {
    verb: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send,
    T: Unclaimed + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.outcome = Some(Ok((self.verb)(tx)?));
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        self.outcome = Some(Err(error));
    }

    fn answer(self: Box<Self>, ledger: &mut Ledger) {
        if let Some(outcome) = self.outcome
            && let Err(Ok(unheard)) = self.reply.send(outcome)
        {
            unheard.give_back(ledger);
        }
    }
}

/// The writer's own: looks at a part of what a gate has passed.
struct Gatekeeping {
    window: Window,
    rest: Option<Window>,
}

impl Job for Gatekeeping {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        self.rest = gates::look(tx, self.window.clone())?.1;
        Ok(())
    }

    /// It is looked at again, with the verbs that come next.
    fn fail(&mut self, error: StoreError) {
        tracing::warn!(%error, "what waits in line cannot go on");
        self.rest = Some(self.window.clone());
    }

    fn answer(self: Box<Self>, ledger: &mut Ledger) {
        ledger.windows.extend(self.rest);
    }
}

/// The last batch.
#[derive(Clone, Copy, Debug, Default)]
struct Last {
    /// Items in it.
    items: usize,
    took: Duration,
    /// When its callers were answered.
    answered: Duration,
}

/// Looks at the queue for callers who come back, and the part of the last batch's time
/// that passes before each. Few, because on a busy machine a thread that sleeps gets its
/// turn late.
const LOOKS: u32 = 2;
const LOOK_PART: u32 = 8;
const LEAST_LOOK: Duration = Duration::from_micros(60);
const MOST_LOOK: Duration = Duration::from_micros(500);
/// Items below which a fuller batch gains nothing: then the disk keeps up anyway.
const WORTH_GATHERING: usize = 32;

impl Last {
    /// How long to wait before each look for more, where `expected` items might come.
    ///
    /// Callers that were just answered come back a moment later. Beginning without
    /// them splits all callers into two halves that wait for each other's sync for ever
    /// after, at half the rate. So where a sync is slow, a part of its time is well
    /// spent on letting them gather; few callers never wait.
    fn let_gather(self, expected: usize, now: Duration) -> Option<Duration> {
        let gone = now.saturating_sub(self.answered) > self.took;
        let pause = (self.took / LOOK_PART).min(MOST_LOOK);
        (expected >= WORTH_GATHERING && !gone && pause >= LEAST_LOOK).then_some(pause)
    }
}

/// The next batch, as it fills up.
#[derive(Default)]
struct Filling {
    jobs: Vec<Box<dyn Job>>,
    items: usize,
}

impl Filling {
    fn take(&mut self, message: Message, queue: &mut mpsc::Receiver<Message>) {
        match message {
            Message::Verb { job, items } => {
                self.jobs.push(job);
                self.items += items;
            }
            Message::Close => queue.close(),
        }
    }

    /// Takes what waits, up to so many verbs.
    fn take_waiting(&mut self, queue: &mut mpsc::Receiver<Message>, max_batch: usize) {
        while self.jobs.len() < max_batch
            && let Ok(message) = queue.try_recv()
        {
            self.take(message, queue);
        }
    }
}

impl Engine {
    fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        let mut last = Last::default();
        loop {
            let mut batch = Filling::default();
            batch.take_waiting(&mut queue, self.max_batch);
            self.keep_gates(&mut batch, &queue);
            // Those who waited already, and those of the last batch, who will be back.
            let expected = batch.items + last.items;
            if batch.jobs.is_empty() {
                let Some(message) = queue.blocking_recv() else { break };
                batch.take(message, &mut queue);
                batch.take_waiting(&mut queue, self.max_batch);
            }
            if let Some(pause) = last.let_gather(expected, self.clock.monotonic()) {
                for _ in 0..LOOKS {
                    if batch.items >= expected || batch.jobs.len() >= self.max_batch {
                        break;
                    }
                    std::thread::sleep(pause);
                    batch.take_waiting(&mut queue, self.max_batch);
                }
            }
            let (items, begin) = (batch.items, self.clock.monotonic());
            self.serve(batch.jobs);
            let answered = self.clock.monotonic();
            last = Last { items, took: answered.saturating_sub(begin), answered };
        }
        // What is in the log is durable already: a checkpoint that fails loses nothing.
        let _ = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Adds work of the writer's own, where there is some: beside the verbs that wait, or
    /// while none does. After a failure only beside verbs, and not when it is to end: what
    /// is left is found again when the store opens.
    fn keep_gates(&mut self, batch: &mut Filling, queue: &mpsc::Receiver<Message>) {
        if (batch.jobs.is_empty() && self.failed) || (queue.is_closed() && queue.is_empty()) {
            return;
        }
        if let Some(window) = self.ledger.windows.pop() {
            batch.jobs.push(Box::new(Gatekeeping { window, rest: None }));
        }
    }

    fn serve(&mut self, mut batch: Vec<Box<dyn Job>>) {
        if batch.is_empty() {
            return;
        }
        let outcome = self.shared.check().and_then(|()| self.commit(&mut batch));
        self.failed = outcome.is_err();
        if let Err(error) = outcome {
            if let StoreError::Broken(why) = &error {
                // Only the first cause is kept.
                let _ = self.shared.broken.set(why.clone());
            }
            for job in &mut batch {
                job.fail(error.clone());
            }
        }
        for job in batch {
            job.answer(&mut self.ledger);
        }
    }

    /// One transaction for all. Verbs hardly ever fail, so they share it without
    /// savepoints (which copy every page that they touch); when one does, everything
    /// is undone and done again, each verb within its own.
    fn commit(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        match self.transaction(batch, run_together) {
            Err(error) if !error.is_fatal() && batch.len() > 1 => self.transaction(batch, run_apart),
            outcome => outcome,
        }
    }

    fn transaction(&mut self, batch: &mut [Box<dyn Job>], run: RunBatch) -> Result<(), StoreError> {
        let before = self.conn.total_changes();
        let start = self.ledger.mark();
        let outcome = self.attempt(batch, run);
        if outcome.is_err() {
            self.ledger.undo_to(start);
            if !self.conn.is_autocommit() {
                self.conn.execute_batch("ROLLBACK")?;
            }
            return outcome;
        }
        self.ledger.runs.keep();
        self.ledger.deliveries.keep();
        let mut accepted = 0;
        let mut counters = self.shared.counters.lock().unwrap_or_else(PoisonError::into_inner);
        for change in self.ledger.changes.drain(..) {
            match change {
                Change::Accepted(events) => accepted += events,
                Change::Destination(state) => {
                    self.shared.destinations.lock().unwrap_or_else(PoisonError::into_inner).apply(state);
                }
                change => counters.apply(change),
            }
        }
        drop(counters);
        if self.conn.total_changes() > before {
            self.metrics.store_batch(u64::try_from(batch.len()).unwrap_or(u64::MAX), accepted);
        }
        Ok(())
    }

    fn attempt(&mut self, batch: &mut [Box<dyn Job>], run: RunBatch) -> Result<(), StoreError> {
        execute(&self.conn, "BEGIN IMMEDIATE")?;
        let (now, monotonic) = (self.clock.now(), self.clock.monotonic());
        let mut tx = Tx::new(&self.conn, &self.shared.counters, &mut self.ledger, now, monotonic);
        run(&self.conn, &mut tx, batch)?;
        execute(&self.conn, "COMMIT")
    }
}

fn run_together(_: &Connection, tx: &mut Tx<'_>, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    batch.iter_mut().try_for_each(|job| job.run(tx))
}

fn run_apart(conn: &Connection, tx: &mut Tx<'_>, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
    for job in batch {
        let start = tx.ledger.mark();
        execute(conn, "SAVEPOINT verb")?;
        match job.run(tx) {
            Ok(()) => {}
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => {
                execute(conn, "ROLLBACK TO verb")?;
                tx.ledger.undo_to(start);
                job.fail(error);
            }
        }
        execute(conn, "RELEASE verb")?;
    }
    Ok(())
}

fn execute(conn: &Connection, sql: &str) -> Result<(), StoreError> {
    conn.prepare_cached(sql)?.execute([])?;
    Ok(())
}
