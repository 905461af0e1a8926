//! A store that fails on demand and counts what is asked of it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hookloom::model::{Attempt, Delivery, DeliveryId, EventId, OnDead, Run, Secret};
use hookloom::store::{
    Accepted, AttemptRecord, Backlog, Claimed, Commanded, Committed, DeliveryCommand, DeliveryFilter,
    DeliveryRecord, DestinationCommand, DestinationState, EventFilter, EventRecord, EventSummary, Holder,
    Learning, LearntSecret, NewEvent, Page, PageOf, Recorded, Replay, Replayed, Resumed, Retention, RunEnd,
    RunLease, RunResult, StateValue, Store, StoreError, Tidied, Want,
};

/// The store behind it, with a mood.
pub(crate) struct Moody {
    store: Arc<dyn Store>,
    refused: Mutex<Option<EventId>>,
    failures: AtomicUsize,
    released: AtomicUsize,
    claims: AtomicUsize,
    unfit: Mutex<HashSet<DeliveryId>>,
    settled: Mutex<Vec<(String, OnDead)>>,
    unsettled: AtomicUsize,
}

impl Moody {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            refused: Mutex::default(),
            failures: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
            unfit: Mutex::default(),
            settled: Mutex::default(),
            unsettled: AtomicUsize::new(0),
        }
    }

    /// Results with deliveries of that event are not to its liking.
    pub(crate) fn refuse_deliveries_of(&self, event: &EventId) {
        *self.refused.lock().unwrap() = Some(event.clone());
    }

    /// The next so many tries to record find the disk full.
    pub(super) fn fail_to_record(&self, times: usize) {
        self.failures.store(times, Ordering::SeqCst);
    }

    /// Tries to record that are still going to fail.
    pub(super) fn failures_left(&self) -> usize {
        self.failures.load(Ordering::SeqCst)
    }

    /// Takes no attempt of this delivery, until it is told otherwise.
    pub(super) fn refuse_to_record(&self, delivery: &DeliveryId, refuse: bool) {
        let mut unfit = self.unfit.lock().unwrap();
        if refuse {
            unfit.insert(delivery.clone());
        } else {
            unfit.remove(delivery);
        }
    }

    /// Of the next steps that settle lines, so many say that there are more.
    pub(super) fn lines_to_settle(&self, steps: usize) {
        self.unsettled.store(steps, Ordering::SeqCst);
    }

    /// What lines were settled for, step by step.
    pub(super) fn settled(&self) -> Vec<(String, OnDead)> {
        self.settled.lock().unwrap().clone()
    }

    /// How often it was asked for deliveries.
    pub(super) fn claims(&self) -> usize {
        self.claims.load(Ordering::SeqCst)
    }

    /// Deliveries that were given back.
    pub(super) fn released(&self) -> usize {
        self.released.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Store for Moody {
    async fn accept(
        &self,
        events: Vec<NewEvent>,
        lease: Option<Duration>,
    ) -> Result<Vec<Accepted>, StoreError> {
        self.store.accept(events, lease).await
    }

    async fn claim_runs(
        &self,
        limit: usize,
        bytes: usize,
        lease: Duration,
    ) -> Result<Claimed<Run>, StoreError> {
        self.store.claim_runs(limit, bytes, lease).await
    }

    async fn commit_processed(
        &self,
        results: Vec<RunResult>,
        lease: Option<Duration>,
    ) -> Result<Vec<Committed>, StoreError> {
        let refused = self.refused.lock().unwrap().clone();
        let is_refused = |result: &RunResult| {
            Some(&result.event.id) == refused.as_ref() && matches!(result.end, RunEnd::Processed(_))
        };
        if results.iter().any(is_refused) {
            return Err(StoreError::Other("not to its liking".into()));
        }
        self.store.commit_processed(results, lease).await
    }

    async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        self.store.holders().await
    }

    async fn resume_held(&self, holder: &Holder, after: i64, limit: usize) -> Result<Resumed, StoreError> {
        self.store.resume_held(holder, after, limit).await
    }

    async fn claim_deliveries(
        &self,
        wants: Vec<Want>,
        lease: Duration,
    ) -> Result<Claimed<Delivery>, StoreError> {
        self.claims.fetch_add(1, Ordering::SeqCst);
        self.store.claim_deliveries(wants, lease).await
    }

    async fn record_attempts(&self, attempts: Vec<AttemptRecord>) -> Result<Vec<Recorded>, StoreError> {
        let take_one = |left: usize| left.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok() {
            return Err(StoreError::Full);
        }
        if attempts.iter().any(|attempt| self.unfit.lock().unwrap().contains(&attempt.delivery)) {
            return Err(StoreError::Other("a constraint failed".into()));
        }
        self.store.record_attempts(attempts).await
    }

    async fn release(
        &self,
        runs: Vec<RunLease>,
        deliveries: Vec<(DeliveryId, u64)>,
    ) -> Result<(), StoreError> {
        self.released.fetch_add(deliveries.len(), Ordering::SeqCst);
        self.store.release(runs, deliveries).await
    }

    async fn command_deliveries(
        &self,
        deliveries: Vec<DeliveryId>,
        command: DeliveryCommand,
    ) -> Result<Vec<Commanded>, StoreError> {
        self.store.command_deliveries(deliveries, command).await
    }

    async fn replay(&self, replays: Vec<Replay>) -> Result<Vec<Replayed>, StoreError> {
        self.store.replay(replays).await
    }

    async fn destinations(&self) -> Result<Vec<DestinationState>, StoreError> {
        self.store.destinations().await
    }

    async fn command_destination(
        &self,
        name: &str,
        command: DestinationCommand,
    ) -> Result<DestinationState, StoreError> {
        self.store.command_destination(name, command).await
    }

    async fn settle_lines(
        &self,
        destination: &str,
        on_dead: OnDead,
        limit: usize,
    ) -> Result<bool, StoreError> {
        assert_eq!(limit, 200);
        let more = self.store.settle_lines(destination, on_dead, limit).await?;
        let take_one = |left: usize| left.checked_sub(1);
        let more = self.unsettled.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one).is_ok() || more;
        self.settled.lock().unwrap().push((destination.to_owned(), on_dead));
        Ok(more)
    }

    async fn tidy(&self, retention: &Retention) -> Result<Tidied, StoreError> {
        self.store.tidy(retention).await
    }

    async fn events(&self, filter: EventFilter, page: Page) -> Result<PageOf<EventSummary>, StoreError> {
        self.store.events(filter, page).await
    }

    async fn learn_secret(&self, source: &str, secret: &Secret) -> Result<Learning, StoreError> {
        self.store.learn_secret(source, secret).await
    }

    async fn forget_secrets(&self, source: &str) -> Result<usize, StoreError> {
        self.store.forget_secrets(source).await
    }

    async fn learnt_secrets(&self) -> Result<Vec<LearntSecret>, StoreError> {
        self.store.learnt_secrets().await
    }

    async fn plugin_state(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, StoreError> {
        self.store.plugin_state(plugin, key).await
    }

    async fn plugin_state_size(&self, plugin: &str) -> Result<u64, StoreError> {
        self.store.plugin_state_size(plugin).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<EventRecord>, StoreError> {
        self.store.event(id).await
    }

    async fn delivery(&self, id: &DeliveryId) -> Result<Option<(DeliveryRecord, Vec<Attempt>)>, StoreError> {
        self.store.delivery(id).await
    }

    async fn deliveries(
        &self,
        filter: DeliveryFilter,
        page: Page,
    ) -> Result<PageOf<DeliveryRecord>, StoreError> {
        self.store.deliveries(filter, page).await
    }

    async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.store.backlog().await
    }

    async fn close(&self) {
        self.store.close().await;
    }
}
