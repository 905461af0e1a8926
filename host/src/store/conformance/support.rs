//! What the cases are told with: small events, results and attempts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::clock::Clock;
use crate::model::{
    Attempt, Attribute, Decision, Delivery, DeliveryId, Event, EventId, Header, Line, Message, MessageKey,
    Millis, OnDead, Outcome, Run, StepRecord, StepVerdict,
};
use crate::store::{
    Accepted, AttemptRecord, Claimed, Commanded, Committed, Created, DedupeKey, DeliveryCommand,
    DeliveryFilter, DeliveryRecord, EventRecord, Holder, NewDelivery, NewEvent, NewRun, Page, Recorded,
    Resumed, RunEnd, RunLease, RunRecord, RunResult, StateChanges, Store, Want,
};

/// A place where a store is kept.
#[async_trait]
pub(in crate::store) trait Subject: Send + Sync {
    /// Opens the store there; the first time it is empty. An earlier opening was
    /// closed.
    async fn open(&self, clock: &Clock) -> Box<dyn Store>;
}

/// 2025-01-01.
pub(super) const START: Millis = Millis(1_735_689_600_000);
/// It is recorded, and nobody behind it goes on.
pub(super) const DONE: Recorded = Recorded::Done { next_in_line: false };
/// It is recorded, and the next in its line goes on.
pub(super) const NEXT: Recorded = Recorded::Done { next_in_line: true };
pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_mins(1);
/// A second less.
pub(super) const ALMOST_A_MINUTE: Duration = Duration::from_secs(59);
pub(super) const ALMOST_AN_HOUR: Duration = Duration::from_secs(3599);
pub(super) const HOUR: Duration = Duration::from_hours(1);

/// An open store and the clock that it goes by.
pub(super) struct Bench {
    pub(super) clock: Clock,
    pub(super) store: Box<dyn Store>,
}

pub(super) async fn open(subject: &dyn Subject) -> Bench {
    let clock = Clock::manual(START);
    let store = subject.open(&clock).await;
    Bench { clock, store }
}

/// An event with something in every field, told apart by its name.
pub(super) fn event(name: &str) -> Event {
    Event {
        id: EventId::from_text(format!("evt_{name}")),
        source: "github".into(),
        event_type: Some("issues.opened".into()),
        received_at: Millis(START.0 - 5),
        method: "POST".into(),
        path: "/in/github/sub".into(),
        query: Some("a=1&b=%20".into()),
        headers: vec![header("x-a", "1"), header("x-a", "ü \" \n"), header("x-b", "")],
        body: Bytes::from(format!("body of {name} \0\u{ff}")),
        attributes: vec![Attribute { name: "plan".into(), value: "gold".into() }],
    }
}

pub(super) fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

pub(super) fn new(name: &str, routes: &[&str]) -> NewEvent {
    NewEvent { event: event(name), routes: routes.iter().map(|&route| run_of(route)).collect(), dedupe: None }
}

pub(super) fn keyed(name: &str, key: &str, window: Duration) -> NewEvent {
    NewEvent { dedupe: Some(DedupeKey { key: key.into(), window }), ..new(name, &["r"]) }
}

/// One step's work on a result that a case then changes.
pub(super) fn result(run: &Run, end: RunEnd) -> RunResult {
    RunResult {
        run: RunLease::from(run),
        event: Arc::clone(&run.event),
        end,
        steps: Vec::new(),
        state: StateChanges::default(),
    }
}

/// Held by a plugin, in its last step.
pub(super) fn held_by(run: &Run, plugin: &str, reason: &str) -> RunResult {
    let step = |plugin: &str, verdict| StepRecord {
        plugin: plugin.into(),
        digest: String::new(),
        version: String::new(),
        verdict,
        reason: None,
        micros: 0,
    };
    let steps = vec![step("first", StepVerdict::Pass), step(plugin, StepVerdict::Missing)];
    RunResult { steps, ..result(run, RunEnd::Held(reason.into())) }
}

pub(super) fn delivery_id(run: &Run, destination: &str) -> DeliveryId {
    DeliveryId::derive(&run.event.id, &run.route, destination, MessageKey::Index(0), run.generation)
}

/// A message that is the event's own, for each destination.
pub(super) fn to(run: &Run, destinations: &[&str]) -> RunEnd {
    let new = |&destination: &&str| {
        NewDelivery::new(delivery_id(run, destination), destination, Message::default())
    };
    let deliveries = destinations.iter().map(new);
    RunEnd::Processed(deliveries.collect())
}

/// A run of an ordered route.
pub(super) fn ordered(route: &str) -> NewRun {
    NewRun { route: route.into(), ordered: true, dead: None }
}

/// The event's own message for a destination, in the line of that key.
pub(super) fn in_line(run: &Run, destination: &str, key: &str) -> NewDelivery {
    let line = Line { key: key.into(), on_dead: OnDead::Hold };
    let new = NewDelivery::new(delivery_id(run, destination), destination, Message::default());
    NewDelivery { line: Some(line), ..new }
}

/// A run of an unordered route.
pub(super) fn run_of(route: &str) -> NewRun {
    NewRun { route: route.into(), ordered: false, dead: None }
}

/// The delivery's next attempt, which ended so.
pub(in crate::store) fn attempt(delivery: &Delivery, decision: Decision) -> AttemptRecord {
    let attempt = Attempt {
        number: delivery.attempts + 1,
        started_at: START,
        duration: Duration::from_micros(1500),
        outcome: Outcome::Status(if decision == Decision::Delivered { 200 } else { 503 }),
        address: None,
        response_headers: Vec::new(),
        response_body: Bytes::new(),
        decision,
        reason: "because".into(),
    };
    AttemptRecord {
        delivery: delivery.id.clone(),
        lease: delivery.lease,
        attempt,
        on_dead: OnDead::Hold,
        disables: None,
    }
}

impl Bench {
    /// Closes the store and opens it again on the same data.
    pub(super) async fn reopen(self, subject: &dyn Subject) -> Self {
        self.store.close().await;
        drop(self.store);
        let store = subject.open(&self.clock).await;
        Self { clock: self.clock, store }
    }

    /// Accepts one event, leased, and returns its runs.
    pub(super) async fn accept(&self, name: &str, routes: &[&str]) -> Vec<Run> {
        let accepted = self.store.accept(vec![new(name, routes)], Some(MINUTE)).await.unwrap();
        match <[Accepted; 1]>::try_from(accepted).unwrap() {
            [Accepted::New(runs)] => runs,
            [Accepted::Duplicate(id)] => panic!("{name} is a duplicate of {id}"),
        }
    }

    /// Accepts one event on ordered routes, leased, and returns its runs.
    pub(super) async fn accept_ordered(&self, name: &str, routes: &[&str]) -> Vec<Run> {
        let event =
            NewEvent { routes: routes.iter().map(|&route| ordered(route)).collect(), ..new(name, &[]) };
        match self.store.accept(vec![event], Some(MINUTE)).await.unwrap().remove(0) {
            Accepted::New(runs) => runs,
            Accepted::Duplicate(id) => panic!("{name} is a duplicate of {id}"),
        }
    }

    /// An event of the ordered route `r` that stands in a line of `d`.
    pub(super) async fn stand(&self, name: &str, key: &str) -> DeliveryId {
        let run = self.accept_ordered(name, &["r"]).await.remove(0);
        self.created(result(&run, RunEnd::Processed(vec![in_line(&run, "d", key)]))).await;
        delivery_id(&run, "d")
    }

    /// Commits one result that is not refused.
    pub(super) async fn created(&self, result: RunResult) -> Created {
        match self.commit(result).await {
            Committed::Done(created) => created,
            other => panic!("refused: {other:?}"),
        }
    }

    /// The names of what is claimed of `d`, and the claims given back.
    pub(super) async fn may_go(&self) -> Vec<String> {
        let claimed = self.claim("d", 99).await;
        let leases = claimed.items.iter().map(|delivery| (delivery.id.clone(), delivery.lease)).collect();
        self.store.release(Vec::new(), leases).await.unwrap();
        let mut names = delivery_names(&claimed);
        names.sort();
        names
    }

    /// Claims the one delivery of `d` that may go and records an attempt of it.
    pub(super) async fn attempt_next(&self, decision: Decision) -> (String, Recorded) {
        let delivery = one(self.claim("d", 99).await);
        (name(&delivery.event.id), self.record(attempt(&delivery, decision)).await)
    }

    pub(super) async fn command(&self, id: &DeliveryId, command: DeliveryCommand) -> Commanded {
        self.store.command_deliveries(vec![id.clone()], command).await.unwrap().remove(0)
    }

    /// Accepts one event without a lease.
    pub(super) async fn accept_unleased(&self, event: NewEvent) -> Accepted {
        let [accepted] =
            <[Accepted; 1]>::try_from(self.store.accept(vec![event], None).await.unwrap()).unwrap();
        accepted
    }

    pub(super) async fn claim_runs(&self, limit: usize) -> Claimed<Run> {
        self.store.claim_runs(limit, usize::MAX, MINUTE).await.unwrap()
    }

    pub(super) async fn claim(&self, destination: &str, limit: usize) -> Claimed<Delivery> {
        let wants = vec![Want { destination: destination.into(), limit }];
        self.store.claim_deliveries(wants, MINUTE).await.unwrap()
    }

    /// Commits one result; the deliveries come leased.
    pub(super) async fn commit(&self, result: RunResult) -> Committed {
        let mut committed = self.store.commit_processed(vec![result], Some(MINUTE)).await.unwrap();
        assert_eq!(committed.len(), 1);
        committed.remove(0)
    }

    /// Puts held runs back as due.
    pub(super) async fn resume(
        &self,
        route: &str,
        plugin: Option<&str>,
        after: i64,
        limit: usize,
    ) -> Resumed {
        let holder = Holder { route: route.into(), plugin: plugin.map(Into::into) };
        self.store.resume_held(&holder, after, limit).await.unwrap()
    }

    /// Commits one result that is not refused.
    pub(super) async fn done(&self, result: RunResult) -> Vec<Delivery> {
        self.created(result).await.leased
    }

    /// An event that has become one leased delivery.
    pub(super) async fn deliver(&self, name: &str, destination: &str) -> Delivery {
        let run = self.accept(name, &["r"]).await.remove(0);
        self.done(result(&run, to(&run, &[destination]))).await.remove(0)
    }

    pub(super) async fn record(&self, attempt: AttemptRecord) -> Recorded {
        self.store.record_attempts(vec![attempt]).await.unwrap()[0]
    }

    pub(super) async fn shown(&self, name: &str) -> EventRecord {
        self.store.event(&EventId::from_text(format!("evt_{name}"))).await.unwrap().unwrap()
    }

    /// The only run of an event.
    pub(super) async fn run(&self, name: &str) -> RunRecord {
        let [run] = <[RunRecord; 1]>::try_from(self.shown(name).await.runs).unwrap();
        run
    }

    pub(super) async fn delivery(&self, id: &DeliveryId) -> (DeliveryRecord, Vec<Attempt>) {
        self.store.delivery(id).await.unwrap().unwrap()
    }

    /// The events of a list's first page, by name.
    pub(super) async fn listed(&self, filter: DeliveryFilter) -> Vec<String> {
        let page = self.store.deliveries(filter, Page { cursor: None, limit: 100 }).await.unwrap();
        page.items.iter().map(|delivery| name(&delivery.event)).collect()
    }

    /// Pending runs, held runs, and pending deliveries where there are any.
    pub(super) async fn waiting(&self) -> (u64, u64, Vec<(String, u64)>) {
        let mut backlog = self.store.backlog().await.unwrap();
        backlog.deliveries.retain(|(_, count)| *count > 0);
        backlog.deliveries.sort();
        (backlog.runs, backlog.held, backlog.deliveries)
    }
}

/// What [`event`] was told apart by.
pub(super) fn name(id: &EventId) -> String {
    id.as_str().trim_start_matches("evt_").into()
}

pub(super) fn run_names(claimed: &Claimed<Run>) -> Vec<String> {
    claimed.items.iter().map(|run| name(&run.event.id)).collect()
}

pub(super) fn delivery_names(claimed: &Claimed<Delivery>) -> Vec<String> {
    claimed.items.iter().map(|delivery| name(&delivery.event.id)).collect()
}

pub(super) fn one<T>(claimed: Claimed<T>) -> T {
    assert_eq!(claimed.items.len(), 1);
    claimed.items.into_iter().next().unwrap()
}
