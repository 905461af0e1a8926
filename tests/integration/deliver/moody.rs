//! A store that fails on demand and counts what is asked of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hookloom::model::{Attempt, Delivery, DeliveryId, EventId, Run};
use hookloom::store::{
    Accepted, AttemptRecord, Backlog, Claimed, Committed, DeliveryFilter, DeliveryRecord, EventRecord,
    NewEvent, Page, PageOf, Recorded, Resumed, RunLease, RunResult, StateValue, Store, StoreError, Want,
};

/// The store behind it, with a mood.
pub(super) struct Moody {
    store: Arc<dyn Store>,
    failures: AtomicUsize,
    released: AtomicUsize,
    claims: AtomicUsize,
}

impl Moody {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            failures: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            claims: AtomicUsize::new(0),
        }
    }

    /// The next so many tries to record find the disk full.
    pub(super) fn fail_to_record(&self, times: usize) {
        self.failures.store(times, Ordering::SeqCst);
    }

    /// Tries to record that are still going to fail.
    pub(super) fn failures_left(&self) -> usize {
        self.failures.load(Ordering::SeqCst)
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

    async fn claim_runs(&self, limit: usize, lease: Duration) -> Result<Claimed<Run>, StoreError> {
        self.store.claim_runs(limit, lease).await
    }

    async fn commit_processed(
        &self,
        results: Vec<RunResult>,
        lease: Option<Duration>,
    ) -> Result<Vec<Committed>, StoreError> {
        self.store.commit_processed(results, lease).await
    }

    async fn resume_held(&self, after: i64, limit: usize) -> Result<Resumed, StoreError> {
        self.store.resume_held(after, limit).await
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

    async fn plugin_state(&self, plugin: &str, key: &str) -> Result<Option<StateValue>, StoreError> {
        self.store.plugin_state(plugin, key).await
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
