//! A store, the workers around it, and what they know to be true of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::Connection;

use super::super::{MINUTE, Place};
use super::{AttemptEnd, End, Made, Step};
use crate::clock::{Clock, Random};
use crate::model::{
    Attempt, Decision, Delivery, DeliveryId, DeliveryState, DeliveryTransition, EventId, Line, Message,
    MessageKey, Millis, OnDead, Outcome, Run,
};
use crate::store::sqlite::{SqliteOptions, SqliteStore, Synchronous};
use crate::store::{
    Accepted, AttemptRecord, Commanded, Committed, Created, DedupeKey, DeliveryCommand, Disables,
    NewDelivery, NewEvent, NewRun, Recorded, Replay, Replayed, RunEnd, RunLease, RunResult, StateChanges,
    Store, Want,
};

/// A start; wall clocks begin somewhere.
const START: Millis = Millis(1_735_689_600_000);
const DESTINATIONS: [&str; 2] = ["hold", "skip"];
const KEYS: [&str; 2] = ["k", "l"];
/// The last one asks for no order.
const ROUTES: [&str; 3] = ["r", "s", "unordered"];

/// A delivery in a worker's hands.
pub(super) struct Hand {
    pub(super) delivery: Delivery,
    expires: Duration,
}

pub(super) struct World {
    place: Place,
    pub(super) clock: Clock,
    store: Option<SqliteStore>,
    /// Looks at what is committed.
    pub(super) look: Connection,
    pub(super) events: Vec<EventId>,
    runs: Vec<Run>,
    pub(super) hands: Vec<Hand>,
    /// The lease under which each run and delivery was given out last, while it is valid.
    run_leases: HashMap<(i64, String, u32), u64>,
    leases: HashMap<DeliveryId, u64>,
    /// What every delivery must be.
    pub(super) deliveries: BTreeMap<DeliveryId, (EventId, DeliveryState)>,
    /// The place of the last start in each line, by route.
    started: HashMap<(String, String, String), (i64, i64)>,
}

impl World {
    pub(super) fn new() -> Self {
        let (place, clock) = (Place::new(), Clock::manual(START));
        let store = open(&place, &clock);
        let look = Connection::open(place.path()).unwrap();
        Self {
            place,
            clock,
            store: Some(store),
            look,
            events: Vec::new(),
            runs: Vec::new(),
            hands: Vec::new(),
            run_leases: HashMap::new(),
            leases: HashMap::new(),
            deliveries: BTreeMap::new(),
            started: HashMap::new(),
        }
    }

    pub(super) fn store(&self) -> &SqliteStore {
        self.store.as_ref().unwrap()
    }

    /// Everything that is held, whatever holds it.
    pub(super) async fn resume_all(&self) {
        for holder in self.store().holders().await.unwrap() {
            self.store().resume_held(&holder, 0, 999).await.unwrap();
        }
    }

    pub(super) async fn take(&mut self, step: &Step) {
        match step {
            Step::Accept { routes, key, lease } => self.accept(*routes, *key, *lease).await,
            Step::ClaimRuns(limit) => self.claim_runs(*limit).await,
            Step::Commit { which, end, lease } => self.commit(*which, end, *lease).await,
            Step::ResumeHeld => self.resume_all().await,
            Step::ClaimDeliveries(limit) => self.claim(*limit).await,
            Step::Record { which, end, disables } => self.record(*which, *end, *disables).await,
            Step::Release(which) => self.release(*which).await,
            Step::Command { which, command } => self.command(*which, *command).await,
            Step::Replay { which, routes } => self.replay(*which, *routes).await,
            Step::Settle { destination, on_dead } => {
                self.store().settle_lines(name(*destination), *on_dead, 2).await.unwrap();
            }
            Step::Destination { destination, command } => {
                self.store().command_destination(name(*destination), *command).await.unwrap();
            }
            Step::Wait(seconds) => self.clock.advance(Duration::from_secs(*seconds)),
            Step::Crash => {
                self.store = None;
                self.store = Some(open(&self.place, &self.clock));
                self.run_leases.clear();
                self.leases.clear();
            }
        }
    }

    async fn accept(&mut self, routes: u8, key: Option<u8>, lease: bool) {
        let id = EventId::from_text(format!("evt_{}", self.events.len()));
        let dedupe = key.map(|key| DedupeKey { key: format!("{key}"), window: Duration::from_hours(1) });
        let event = NewEvent { routes: chosen(routes), dedupe, ..super::super::new(id.as_str()) };
        let accepted = self.store().accept(vec![event], lease.then_some(MINUTE)).await.unwrap().remove(0);
        match accepted {
            Accepted::New(runs) => {
                self.events.push(id);
                for run in runs {
                    self.hand_run(run);
                }
            }
            Accepted::Duplicate(first) => {
                let newest = self.of_newest_generation();
                for (id, (event, state)) in &mut self.deliveries {
                    if *event == first && *state == DeliveryState::Dead && newest.contains(id) {
                        *state = DeliveryState::Pending;
                    }
                }
            }
        }
    }

    fn hand_run(&mut self, run: Run) {
        self.run_leases.insert((run.seq, run.route.clone(), run.generation), run.lease);
        self.runs.push(run);
    }

    pub(super) async fn claim_runs(&mut self, limit: usize) {
        let claimed = self.store().claim_runs(limit, usize::MAX, MINUTE).await.unwrap();
        for run in claimed.items {
            self.hand_run(run);
        }
    }

    async fn commit(&mut self, which: usize, end: &End, lease: bool) {
        if self.runs.is_empty() {
            return;
        }
        let run = self.runs.remove(which % self.runs.len());
        self.commit_run(run, end, lease).await;
    }

    /// The next run of those in the workers' hands.
    pub(super) fn next_run(&mut self) -> Option<Run> {
        self.runs.pop()
    }

    pub(super) async fn commit_run(&mut self, run: Run, end: &End, lease: bool) {
        let later = |seconds| self.clock.now().after(Duration::from_secs(seconds));
        let made: Vec<_> = match end {
            End::Processed(made) => (0..).zip(made).map(|(at, made)| delivery(&run, at, made)).collect(),
            _ => Vec::new(),
        };
        let end = match end {
            End::Processed(_) => RunEnd::Processed(made.clone()),
            End::Dropped => RunEnd::Dropped("dropped".into()),
            End::Failed => RunEnd::Failed("failed".into()),
            End::Retry(seconds) => RunEnd::Retry(later(*seconds), "again".into()),
            End::Held => RunEnd::Held("held".into()),
        };
        let result = RunResult {
            run: RunLease::from(&run),
            event: Arc::clone(&run.event),
            end,
            steps: Vec::new(),
            state: StateChanges::default(),
        };
        let before = self.going();
        let committed = self.store().commit_processed(vec![result], lease.then_some(MINUTE)).await;
        let key = (run.seq, run.route.clone(), run.generation);
        let valid = self.run_leases.get(&key) == Some(&run.lease);
        match committed.unwrap().remove(0) {
            Committed::Done(created) => {
                assert!(valid, "a stale lease is refused");
                self.run_leases.remove(&key);
                self.created(&run, &made, created, &before, lease);
            }
            Committed::Stale => assert!(!valid, "a valid lease is not"),
            Committed::Conflict => panic!("no state was read"),
        }
    }

    fn created(
        &mut self,
        run: &Run,
        made: &[NewDelivery],
        created: Created,
        before: &BTreeSet<DeliveryId>,
        lease: bool,
    ) {
        for new in made {
            let dead = created.dead.iter().any(|(id, _)| *id == new.id);
            let state = if dead { DeliveryState::Dead } else { DeliveryState::Pending };
            let known = self.deliveries.insert(new.id.clone(), (run.event.id.clone(), state));
            assert!(known.is_none(), "a run is committed once");
            let leased = created.leased.iter().any(|delivery| delivery.id == new.id);
            assert_eq!(leased, lease && !dead && new.line.is_none(), "{new:?}");
        }
        let unleased = made.len() - created.dead.len() > 0
            && !lease
            && made
                .iter()
                .any(|new| new.line.is_none() && self.deliveries[&new.id].1 == DeliveryState::Pending);
        let promoted = self.going().difference(before).next().is_some();
        assert_eq!(created.claimable, unleased || promoted, "{made:?}");
        for delivery in created.leased {
            self.start(delivery);
        }
    }

    pub(super) async fn claim(&mut self, limit: usize) {
        let wants = DESTINATIONS.map(|destination| Want { destination: destination.into(), limit });
        let claimed = self.store().claim_deliveries(wants.into(), MINUTE).await.unwrap();
        for delivery in claimed.items {
            self.start(delivery);
        }
    }

    /// An attempt begins: nothing that is finished, nothing that another works on, and in
    /// line nothing beside another or out of order.
    fn start(&mut self, delivery: Delivery) {
        let id = &delivery.id;
        assert!(super::is_open(self.deliveries[id].1), "{id} is {:?}", self.deliveries[id].1);
        let now = self.clock.monotonic();
        let place = self.place_in_line(id);
        for hand in self.hands.iter().filter(|hand| hand.expires > now) {
            let other = &hand.delivery;
            if self.leases.get(&other.id) == Some(&other.lease) {
                assert_ne!(other.id, *id, "it is leased");
                let beside = self.place_in_line(&other.id);
                let both = place.as_ref().zip(beside.as_ref());
                assert!(both.is_none_or(|(a, b)| a.0 != b.0), "{id} and {} go at once", other.id);
            }
        }
        if let Some(((destination, line), at)) = place {
            let line = (destination, line, delivery.route.clone());
            let last = self.started.insert(line, at);
            assert!(last.is_none_or(|last| last <= at), "{id} passed another: {last:?} {at:?}");
        }
        self.leases.insert(delivery.id.clone(), delivery.lease);
        self.hands.push(Hand { delivery, expires: now + MINUTE });
    }

    async fn record(&mut self, which: usize, end: AttemptEnd, disables: bool) {
        if !self.hands.is_empty() {
            let hand = self.hands.remove(which % self.hands.len());
            self.record_of(hand, end, disables).await;
        }
    }

    pub(super) async fn record_of(&mut self, hand: Hand, end: AttemptEnd, disables: bool) {
        let Hand { delivery, .. } = hand;
        let decision = match end {
            AttemptEnd::Delivered => Decision::Delivered,
            AttemptEnd::Retry(seconds) => {
                Decision::Retry(self.clock.now().after(Duration::from_secs(seconds)))
            }
            AttemptEnd::Dead => Decision::Dead,
        };
        let before = self.going();
        let record = attempt(&delivery, decision, disables);
        let recorded = self.store().record_attempts(vec![record]).await.unwrap()[0];
        let valid = self.leases.get(&delivery.id) == Some(&delivery.lease);
        match recorded {
            Recorded::Done { next_in_line } => {
                assert!(valid, "a stale lease is refused");
                let promoted = self.going().difference(&before).next().is_some();
                assert_eq!(next_in_line, promoted, "{}", delivery.id);
                self.leases.remove(&delivery.id);
                self.apply(&delivery.id, DeliveryTransition::Attempted(decision)).unwrap();
            }
            Recorded::Stale => assert!(!valid, "a valid lease is not"),
        }
    }

    async fn release(&mut self, which: usize) {
        if self.hands.is_empty() {
            return;
        }
        let Hand { delivery, .. } = self.hands.remove(which % self.hands.len());
        if self.leases.get(&delivery.id) == Some(&delivery.lease) {
            self.leases.remove(&delivery.id);
        }
        self.store().release(Vec::new(), vec![(delivery.id, delivery.lease)]).await.unwrap();
    }

    fn apply(&mut self, id: &DeliveryId, transition: DeliveryTransition) -> Option<DeliveryState> {
        let (_, state) = self.deliveries.get_mut(id).unwrap();
        let next = state.apply(transition)?;
        *state = next;
        Some(next)
    }

    async fn command(&mut self, which: usize, command: DeliveryCommand) {
        if !self.deliveries.is_empty() {
            let id = self.deliveries.keys().nth(which % self.deliveries.len()).unwrap().clone();
            self.command_of(&id, command).await;
        }
    }

    pub(super) async fn command_of(&mut self, id: &DeliveryId, command: DeliveryCommand) {
        let commanded = self.store().command_deliveries(vec![id.clone()], command).await.unwrap();
        let before = self.deliveries[id].1;
        let transition = match command {
            DeliveryCommand::Retry => DeliveryTransition::Retry,
            DeliveryCommand::Cancel => DeliveryTransition::Cancel,
        };
        let expected = self.apply(id, transition).map_or(Commanded::Refused(before), Commanded::Done);
        assert_eq!(commanded, [expected]);
    }

    async fn replay(&mut self, which: usize, routes: u8) {
        if self.events.is_empty() {
            return;
        }
        let event = self.events[which % self.events.len()].clone();
        let replayed = self.store().replay(vec![Replay { event, routes: chosen(routes) }]).await.unwrap();
        assert!(matches!(replayed[..], [Replayed::Done { .. }]), "{replayed:?}");
    }
}

fn open(place: &Place, clock: &Clock) -> SqliteStore {
    let options = SqliteOptions { synchronous: Synchronous::Off, ..SqliteOptions::default() };
    SqliteStore::open(&place.path(), &options, clock.clone(), &Random::system(), Arc::default()).unwrap()
}

fn name(destination: u8) -> &'static str {
    DESTINATIONS[usize::from(destination)]
}

/// The routes of these bits.
fn chosen(bits: u8) -> Vec<NewRun> {
    let routes = ROUTES.iter().zip(0..).filter(|(_, bit)| bits >> bit & 1 == 1);
    routes
        .map(|(&route, _)| NewRun { route: route.into(), ordered: route != "unordered", dead: None })
        .collect()
}

fn on_dead(destination: &str) -> OnDead {
    if destination == "skip" { OnDead::Skip } else { OnDead::Hold }
}

fn delivery(run: &Run, at: u32, made: &Made) -> NewDelivery {
    let destination = name(made.destination);
    let key = MessageKey::Index(at);
    let id = DeliveryId::derive(&run.event.id, &run.route, destination, key, run.generation);
    let line = |key: u8| Line { key: KEYS[usize::from(key)].into(), on_dead: on_dead(destination) };
    NewDelivery {
        line: made.line.map(line),
        max_pending: made.max_pending,
        ..NewDelivery::new(id, destination, Message::default())
    }
}

fn attempt(delivery: &Delivery, decision: Decision, disables: bool) -> AttemptRecord {
    let attempt = Attempt {
        number: delivery.attempts + 1,
        started_at: START,
        duration: Duration::ZERO,
        outcome: Outcome::Status(if disables { 410 } else { 200 }),
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
        on_dead: on_dead(&delivery.destination),
        disables: disables.then(|| Disables { url: "url".into(), reason: "gone".into() }),
    }
}
