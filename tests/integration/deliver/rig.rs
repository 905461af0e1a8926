//! The stage over a real store, with the stages before it played by the test.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookloom::alerts::{Alert, Alerts};
use hookloom::clock::{Clock, Random};
use hookloom::deliver::{
    Board, Deliver, Destination, Egress, EgressPolicy, LEASE, RetryPolicy, SigningKey, Standing, Targets,
};
use hookloom::lifecycle::Shutdown;
use hookloom::metrics::Metrics;
use hookloom::model::{
    Attempt, Delivery, DeliveryId, DeliveryState, Event, EventId, Header, Line, Message, MessageKey, Millis,
    OnDead,
};
use hookloom::plugin::Judge;
use hookloom::store::{
    Accepted, Committed, DeliveryRecord, NewDelivery, NewEvent, NewRun, RunEnd, RunLease, RunResult,
    SqliteStore, StateChanges, Store,
};
use hookloom_testkit::receiver::{DEADLINE, Receiver, Request};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;

use super::moody::Moody;

pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub(super) const BODY: &[u8] = br#"{"action":"opened"}"#;

/// What is committed for a test.
pub(super) struct New<'a> {
    pub(super) destination: &'a str,
    pub(super) source: &'a str,
    /// Where it stands in line, if it does.
    pub(super) line: Option<&'a str>,
}

/// Ordinary.
pub(super) const NEW: New<'static> = New { destination: "d", source: "github", line: None };

/// Everything that a test looks at. Dropping it stops the stage.
pub(super) struct Rig {
    pub(super) store: Arc<Moody>,
    pub(super) targets: watch::Sender<Arc<Targets>>,
    pub(super) handoff: mpsc::Sender<Vec<Delivery>>,
    pub(super) bell: Arc<Notify>,
    pub(super) recall: Arc<Notify>,
    pub(super) clock: Clock,
    pub(super) shutdown: Shutdown,
    pub(super) metrics: Arc<Metrics>,
    pub(super) task: JoinHandle<()>,
    pub(super) board: Board,
    /// What operators would hear of.
    pub(super) raised: mpsc::Receiver<Alert>,
    random: Random,
    _folder: tempfile::TempDir,
}

/// Loopback is open, as every receiver of these tests is there.
pub(super) fn loopback() -> EgressPolicy {
    EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() }
}

/// A signed destination that tries again after so many milliseconds.
pub(super) fn destination(name: &str, url: &str, delays_ms: &[u64]) -> Destination {
    let delays = delays_ms.iter().copied().map(Duration::from_millis).collect();
    Destination {
        keys: vec![SigningKey::parse(SECRET).unwrap()],
        retry: RetryPolicy::schedule(delays, 0.0).unwrap(),
        ..Destination::new(name, url.parse().unwrap())
    }
}

/// The same for a receiver, under the name "d".
pub(super) fn to(receiver: &Receiver, delays_ms: &[u64]) -> Destination {
    destination("d", &receiver.url(), delays_ms)
}

impl Rig {
    pub(super) fn start(destinations: Vec<Destination>) -> Self {
        Self::start_at(Clock::system(), destinations, loopback())
    }

    pub(super) fn start_at(clock: Clock, destinations: Vec<Destination>, egress: impl Into<Egress>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (metrics, random) = (Arc::new(Metrics::new()), Random::seeded(7));
        let path = folder.path().join("hookloom.db");
        let options = hookloom::store::SqliteOptions::default();
        let store = SqliteStore::open(&path, &options, clock.clone(), &random, Arc::clone(&metrics)).unwrap();
        let store = Arc::new(Moody::new(Arc::new(store)));
        let (targets, targets_seen) = watch::channel(Arc::new(Targets::new(destinations, egress).unwrap()));
        let (handoff, handed) = mpsc::channel(64);
        let (bell, recall, shutdown) = (Arc::new(Notify::new()), Arc::default(), Shutdown::new());
        let (alerts, raised) = Alerts::new();
        let board = Board::new(targets.subscribe(), clock.clone());
        let stage = Deliver {
            board: board.clone(),
            store: Arc::clone(&store) as Arc<dyn Store>,
            targets: targets_seen,
            handoff: handed,
            bell: Arc::clone(&bell),
            recall: Arc::clone(&recall),
            judge: Judge::new("classify", 1, Arc::default),
            clock: clock.clone(),
            random: random.clone(),
            metrics: Arc::clone(&metrics),
            alerts,
        };
        let task = tokio::spawn(stage.run(shutdown.clone()));
        Self {
            store,
            targets,
            handoff,
            bell,
            recall,
            clock,
            shutdown,
            metrics,
            task,
            board,
            raised,
            random,
            _folder: folder,
        }
    }

    /// Puts other destinations in force.
    pub(super) fn reload(&self, destinations: Vec<Destination>) {
        let next = self.targets.borrow().replaced(destinations, loopback()).unwrap();
        self.targets.send_replace(Arc::new(next));
    }

    /// Commits deliveries and rings the bell.
    pub(super) async fn put(&self, destination: &str, count: usize) -> Vec<DeliveryId> {
        let ids = self.put_silently(destination, count).await;
        self.bell.notify_one();
        ids
    }

    /// Commits deliveries and tells nobody.
    pub(super) async fn put_silently(&self, destination: &str, count: usize) -> Vec<DeliveryId> {
        self.commit(&New { destination, ..NEW }, count, None).await.0
    }

    /// Commits deliveries that are out of the ordinary and rings the bell.
    pub(super) async fn put_such(&self, new: &New<'_>, count: usize) -> Vec<DeliveryId> {
        let ids = self.commit(new, count, None).await.0;
        self.bell.notify_one();
        ids
    }

    /// Commits deliveries that are born leased and hands them over.
    pub(super) async fn hand_over(&self, destination: &str, count: usize) -> Vec<DeliveryId> {
        let (ids, deliveries) = self.commit(&New { destination, ..NEW }, count, Some(LEASE)).await;
        self.handoff.send(deliveries).await.unwrap();
        ids
    }

    async fn commit(
        &self,
        new: &New<'_>,
        count: usize,
        lease: Option<Duration>,
    ) -> (Vec<DeliveryId>, Vec<Delivery>) {
        let events = (0..count).map(|_| NewEvent {
            event: event(new.source, self.clock.now(), self.random.bits()),
            routes: vec![NewRun { route: "r".into(), ordered: new.line.is_some(), dead: None }],
            dedupe: None,
        });
        let accepted = self.store.accept(events.collect(), Some(LEASE)).await.unwrap();
        let runs = accepted.into_iter().flat_map(|accepted| match accepted {
            Accepted::New(runs) => runs,
            Accepted::Duplicate(id) => panic!("{id} is no repeat"),
        });
        let mut ids = Vec::new();
        let results = runs.map(|run| {
            let id = DeliveryId::derive(&run.event.id, "r", new.destination, MessageKey::Index(0), 0);
            ids.push(id.clone());
            let line = new.line.map(|key| Line { key: key.into(), on_dead: OnDead::Hold });
            let new = NewDelivery { line, ..NewDelivery::new(id, new.destination, Message::default()) };
            RunResult {
                run: RunLease::from(&run),
                event: run.event,
                end: RunEnd::Processed(vec![new]),
                steps: Vec::new(),
                state: StateChanges::default(),
            }
        });
        let committed = self.store.commit_processed(results.collect(), lease).await.unwrap();
        let deliveries = committed.into_iter().flat_map(|committed| match committed {
            Committed::Done(created) => created.leased,
            other => panic!("{other:?}"),
        });
        let deliveries = deliveries.collect();
        (ids, deliveries)
    }

    /// How the destination stands.
    pub(super) fn standing(&self, name: &str) -> Standing {
        self.board.standing(name).expect("a destination of that name")
    }

    /// Waits until the destination stands so.
    pub(super) async fn stands(&self, name: &str, reached: impl Fn(&Standing) -> bool) -> Standing {
        eventually(async || {
            let standing = self.board.standing(name);
            standing.clone().filter(&reached).ok_or_else(|| format!("{standing:?}"))
        })
        .await
    }

    /// The next thing that operators hear.
    pub(super) async fn alert(&mut self) -> Alert {
        tokio::time::timeout(DEADLINE, self.raised.recv()).await.expect("an alert in time").unwrap()
    }

    /// Lets time pass and says so.
    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.bell.notify_one();
    }

    /// Waits until the metrics have all of these lines.
    pub(super) async fn counted(&self, lines: &[&str]) {
        eventually(async || {
            let metrics = self.metrics.render();
            if lines.iter().all(|line| metrics.lines().any(|l| l == *line)) { Ok(()) } else { Err(metrics) }
        })
        .await;
    }

    /// The delivery and its attempts as of now.
    pub(super) async fn look(&self, id: &DeliveryId) -> (DeliveryRecord, Vec<Attempt>) {
        self.store.delivery(id).await.unwrap().unwrap()
    }

    /// Waits until the delivery has had so many attempts.
    pub(super) async fn attempts(&self, id: &DeliveryId, count: usize) -> Vec<Attempt> {
        self.until(id, |_, attempts| attempts.len() >= count).await.1
    }

    /// Waits until the delivery is in that state.
    pub(super) async fn ended(&self, id: &DeliveryId, state: DeliveryState) -> Vec<Attempt> {
        self.until(id, |record, _| record.state == state).await.1
    }

    /// Waits until nothing more happens to the delivery.
    pub(super) async fn final_state(&self, id: &DeliveryId) -> (DeliveryRecord, Vec<Attempt>) {
        self.until(id, |record, _| record.state.is_final()).await
    }

    async fn until(
        &self,
        id: &DeliveryId,
        reached: impl Fn(&DeliveryRecord, &[Attempt]) -> bool,
    ) -> (DeliveryRecord, Vec<Attempt>) {
        eventually(async || {
            let (record, attempts) = self.look(id).await;
            if reached(&record, &attempts) {
                Ok((record, attempts))
            } else {
                Err(format!("{record:?} {attempts:?}"))
            }
        })
        .await
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.shutdown.escalate();
        self.shutdown.escalate();
    }
}

/// Looks again and again until `look` finds what it looks for; fails the test after
/// the deadline with what was there instead.
pub(super) async fn eventually<T>(look: impl AsyncFn() -> Result<T, String>) -> T {
    let mut seen = String::new();
    let looking = async {
        loop {
            match look().await {
                Ok(found) => return found,
                Err(instead) => seen = instead,
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let found = tokio::time::timeout(DEADLINE, looking).await;
    found.unwrap_or_else(|_| panic!("it did not come to this in time; last: {seen}"))
}

/// Checks a request's signature as a receiver does.
pub(super) fn assert_signed(request: &Request) {
    let timestamp: i64 = request.header("webhook-timestamp").unwrap().parse().unwrap();
    let key = SigningKey::parse(SECRET).unwrap();
    let id = request.header("webhook-id").unwrap();
    let expected = hookloom::deliver::sign(&[key], id, Millis(timestamp * 1000), &request.body);
    assert_eq!(request.header("webhook-signature"), Some(expected.as_str()));
}

fn event(source: &str, now: Millis, random: u128) -> Event {
    Event {
        id: EventId::new(now.0, random),
        source: source.into(),
        event_type: Some("issues.opened".into()),
        received_at: now,
        method: "POST".into(),
        path: "/in/github".into(),
        query: None,
        headers: vec![Header { name: "content-type".into(), value: "application/json".into() }],
        body: Bytes::from_static(BODY),
        attributes: Vec::new(),
    }
}
