//! Asks the store for due deliveries, when there is reason to and room for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::MissedTickBehavior;

use crate::model::Delivery;
use crate::store::{Claimed, StoreError, Want};

use super::lane::Lane;
use super::queue::Origin;
use super::stage::{LEASE, Stage};

/// Deliveries in one claim at most, whatever the number of destinations.
const BATCH: usize = 512;

/// The store is asked so often when nothing else says that it should be: a bell may be
/// lost, a clock may jump.
const POLL: Duration = Duration::from_secs(1);

/// A due time that has passed is looked at again only after so long: another may have
/// its lease.
const MIN_WAIT: Duration = Duration::from_millis(20);

/// Lanes that open are looked at only so often: one that is limited to a high rate opens
/// again at once, and what it may send adds up meanwhile.
const MIN_REST: Duration = Duration::from_millis(5);

/// After a claim that found nothing: a bell that rings for deliveries which were handed
/// over costs few claims.
const EMPTY_PAUSE: Duration = Duration::from_millis(5);

/// Between tries while the store does not answer.
const ERROR_PAUSE: Duration = Duration::from_millis(200);

/// Claims until the soft shutdown.
pub(super) async fn run(stage: Arc<Stage>, bell: Arc<Notify>, recall: Arc<Notify>) {
    let soft = stage.shutdown.soft.clone();
    let mut targets = stage.targets.clone();
    // Apart from the waits below, which are as short as lanes and due times are.
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    stage.adopt_targets().await;
    loop {
        if soft.is_cancelled() {
            return;
        }
        // Claims may follow each other without a pause; a change is not to wait for one.
        if targets.has_changed().unwrap_or(false) {
            targets.mark_unchanged();
            stage.adopt_targets().await;
        }
        let asked = round(&stage).await;
        let opening = stage.restaff();
        match asked {
            Ok(Round::Claimed) => continue,
            Ok(Round::Empty) => drop(soft.run_until_cancelled(sleep(Some(EMPTY_PAUSE))).await),
            Ok(Round::NotAsked) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot claim deliveries");
                soft.run_until_cancelled(sleep(Some(ERROR_PAUSE))).await;
                continue;
            }
        }
        tokio::select! {
            () = soft.cancelled() => return,
            () = recall.notified() => stage.recall().await,
            () = stage.plan.changed() => {}
            () = bell.notified() => {
                stage.expect_more();
                stage.orders.notify_one();
            }
            () = sleep(until_due(&stage)) => stage.expect_more(),
            () = sleep(opening.map(|wait| wait.max(MIN_REST))) => {}
            _ = poll.tick() => {
                stage.expect_more();
                stage.show();
            }
            Ok(()) = targets.changed() => stage.adopt_targets().await,
        }
    }
}

enum Round {
    Claimed,
    Empty,
    NotAsked,
}

/// Asks once, for every destination with room, if any may have something due.
async fn round(stage: &Arc<Stage>) -> Result<Round, StoreError> {
    if !stage.recording_is_well().await {
        return Ok(Round::NotAsked);
    }
    let asked = appetites(stage);
    if !asked.iter().any(|appetite| appetite.worth_asking) {
        return Ok(Round::NotAsked);
    }
    // Before the store is asked: what happens meanwhile must not be forgotten.
    stage.plan.forget();
    let share = (BATCH / asked.len()).max(1);
    let want = |Appetite { lane, limit, .. }: &Appetite| {
        lane.set_more_in_store(false);
        Want { destination: lane.name.clone(), limit: share.min(*limit) }
    };
    let wants: Vec<Want> = asked.iter().map(want).collect();
    let Claimed { items, next_due } = match stage.store.claim_deliveries(wants.clone(), LEASE).await {
        Ok(claimed) => claimed,
        Err(error) => {
            for appetite in &asked {
                appetite.lane.set_more_in_store(true);
            }
            return Err(error);
        }
    };
    if let Some(due) = next_due {
        stage.plan.due_at(due);
    }
    if items.is_empty() {
        return Ok(Round::Empty);
    }
    let mut claimed: HashMap<String, Vec<Delivery>> = HashMap::new();
    for delivery in items {
        claimed.entry(delivery.destination.clone()).or_default().push(delivery);
    }
    let mut rest = Vec::new();
    for (Want { destination, limit }, Appetite { lane, .. }) in wants.into_iter().zip(asked) {
        let Some(deliveries) = claimed.remove(&destination) else { continue };
        if deliveries.len() >= limit {
            lane.set_more_in_store(true);
        }
        rest.append(&mut stage.admit(Origin::Claim, deliveries));
    }
    stage.release(rest).await;
    Ok(Round::Claimed)
}

/// What a lane can take.
struct Appetite {
    lane: Arc<Lane>,
    limit: usize,
    worth_asking: bool,
}

/// The lanes with room.
fn appetites(stage: &Stage) -> Vec<Appetite> {
    let targets = stage.targets.borrow().clone();
    let now = stage.clock.monotonic();
    let appetite = |lane: Arc<Lane>| {
        let destination = targets.get(&lane.name)?;
        let (limit, worth_asking) = lane.appetite(now, &destination.pace());
        if limit == 0 {
            // Not asked for, so not covered by the due time that the store will name.
            lane.set_more_in_store(true);
            return None;
        }
        Some(Appetite { lane, limit, worth_asking })
    };
    stage.lanes().into_iter().filter_map(appetite).collect()
}

fn until_due(stage: &Stage) -> Option<Duration> {
    stage.plan.next_due().map(|due| stage.clock.now().until(due).max(MIN_WAIT))
}

/// For so long; for ever, if nothing is to be waited for.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;
    use tokio::sync::{mpsc, watch};

    use super::*;
    use crate::alerts::Alerts;
    use crate::clock::{Clock, Random};
    use crate::deliver::{Board, Deliver, Destination, EgressPolicy, Targets};
    use crate::lifecycle::Shutdown;
    use crate::model::{Attempt, DeliveryId, Event, EventId, Message, Millis, OnDead, Run, Secret};
    use crate::plugin::Judge;
    use crate::store::{
        Accepted, AttemptRecord, Backlog, Commanded, Committed, DeliveryCommand, DeliveryFilter,
        DeliveryRecord, DestinationCommand, DestinationState, EventFilter, EventRecord, EventSummary, Holder,
        Learning, LearntSecret, NewEvent, Page, PageOf, Recorded, Replay, Replayed, Resumed, Retention,
        RunLease, RunResult, StateValue, Store, Tidied,
    };

    fn targets(names: &[&str]) -> Arc<Targets> {
        let destination = |name: &&str| Destination {
            concurrency: 256,
            ..Destination::new(*name, "https://192.0.2.1/".parse().unwrap())
        };
        Arc::new(Targets::new(names.iter().map(destination).collect(), EgressPolicy::default()).unwrap())
    }

    /// A store with more for "a" than anybody can take. The configuration changes while
    /// it is asked for the first time.
    struct Endless {
        event: Arc<Event>,
        targets: watch::Sender<Arc<Targets>>,
        asked: mpsc::UnboundedSender<Vec<String>>,
        claims: Mutex<usize>,
    }

    #[async_trait]
    impl Store for Endless {
        async fn claim_deliveries(
            &self,
            wants: Vec<Want>,
            _: Duration,
        ) -> Result<Claimed<Delivery>, StoreError> {
            self.targets.send_if_modified(|now| {
                let is_first = now.get("b").is_none();
                *now = targets(&["a", "b"]);
                is_first
            });
            let mut claims = self.claims.lock().unwrap();
            *claims += 1;
            let limit = wants.iter().find(|want| want.destination == "a").map_or(0, |want| want.limit);
            let delivery = |number| Delivery {
                id: DeliveryId::from_text(format!("{claims}-{number}")),
                event: Arc::clone(&self.event),
                route: "r".into(),
                destination: "a".into(),
                generation: 0,
                replay_of: None,
                message: Message::default(),
                attempts: 0,
                lease: 1,
            };
            let items = (0..limit).map(delivery).collect();
            self.asked.send(wants.into_iter().map(|want| want.destination).collect()).unwrap();
            Ok(Claimed { items, next_due: None })
        }

        async fn record_attempts(&self, _: Vec<AttemptRecord>) -> Result<Vec<Recorded>, StoreError> {
            std::future::pending().await
        }

        async fn release(&self, _: Vec<RunLease>, _: Vec<(DeliveryId, u64)>) -> Result<(), StoreError> {
            Ok(())
        }

        async fn accept(&self, _: Vec<NewEvent>, _: Option<Duration>) -> Result<Vec<Accepted>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn claim_runs(&self, _: usize, _: usize, _: Duration) -> Result<Claimed<Run>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn commit_processed(
            &self,
            _: Vec<RunResult>,
            _: Option<Duration>,
        ) -> Result<Vec<Committed>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn resume_held(&self, _: &Holder, _: i64, _: usize) -> Result<Resumed, StoreError> {
            Err(StoreError::Closed)
        }

        async fn command_deliveries(
            &self,
            _: Vec<DeliveryId>,
            _: DeliveryCommand,
        ) -> Result<Vec<Commanded>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn replay(&self, _: Vec<Replay>) -> Result<Vec<Replayed>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn destinations(&self) -> Result<Vec<DestinationState>, StoreError> {
            Ok(Vec::new())
        }

        async fn command_destination(
            &self,
            _: &str,
            _: DestinationCommand,
        ) -> Result<DestinationState, StoreError> {
            Err(StoreError::Closed)
        }

        async fn learn_secret(&self, _: &str, _: &Secret) -> Result<Learning, StoreError> {
            Err(StoreError::Closed)
        }

        async fn forget_secrets(&self, _: &str) -> Result<usize, StoreError> {
            Err(StoreError::Closed)
        }

        async fn learnt_secrets(&self) -> Result<Vec<LearntSecret>, StoreError> {
            Ok(Vec::new())
        }

        async fn settle_lines(&self, _: &str, _: OnDead, _: usize) -> Result<bool, StoreError> {
            Ok(false)
        }

        async fn tidy(&self, _: &Retention) -> Result<Tidied, StoreError> {
            Err(StoreError::Closed)
        }

        async fn events(&self, _: EventFilter, _: Page) -> Result<PageOf<EventSummary>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn plugin_state(&self, _: &str, _: &str) -> Result<Option<StateValue>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn plugin_state_size(&self, _: &str) -> Result<u64, StoreError> {
            Err(StoreError::Closed)
        }

        async fn event(&self, _: &EventId) -> Result<Option<EventRecord>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn delivery(
            &self,
            _: &DeliveryId,
        ) -> Result<Option<(DeliveryRecord, Vec<Attempt>)>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn deliveries(&self, _: DeliveryFilter, _: Page) -> Result<PageOf<DeliveryRecord>, StoreError> {
            Err(StoreError::Closed)
        }

        async fn backlog(&self) -> Result<Backlog, StoreError> {
            Err(StoreError::Closed)
        }

        async fn close(&self) {}
    }

    #[tokio::test]
    async fn a_changed_configuration_is_adopted_between_claims() {
        let event = Event {
            id: EventId::from_text("evt_1"),
            source: "s".into(),
            event_type: None,
            received_at: Millis(0),
            method: "POST".into(),
            path: "/".into(),
            query: None,
            headers: Vec::new(),
            body: Bytes::from_static(b"{}"),
            attributes: Vec::new(),
        };
        let (sender, seen) = watch::channel(targets(&["a"]));
        let (asked, mut heard) = mpsc::unbounded_channel();
        let (_handoff, handed) = mpsc::channel(1);
        let store = Endless { event: Arc::new(event), targets: sender, asked, claims: Mutex::default() };
        let clock = Clock::manual(Millis(0));
        let stage = Deliver {
            board: Board::new(seen.clone(), clock.clone()),
            store: Arc::new(store),
            targets: seen,
            handoff: handed,
            bell: Arc::default(),
            recall: Arc::default(),
            judge: Judge::new("classify", 1, Arc::default),
            clock,
            random: Random::seeded(1),
            metrics: Arc::default(),
            alerts: Alerts::new().0,
        };
        let shutdown = Shutdown::new();
        let task = tokio::spawn(stage.run(shutdown));
        assert_eq!(heard.recv().await.unwrap(), ["a"]);
        let mut second = heard.recv().await.unwrap();
        second.sort();
        assert_eq!(second, ["a", "b"]);
        task.abort();
    }
}
