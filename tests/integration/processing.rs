//! The processing stage over a real store, with the stages around it played by the test.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hookloom::alerts::Alerts;
use hookloom::budget::Budget;
use hookloom::clock::{Clock, Random};
use hookloom::lifecycle::Shutdown;
use hookloom::metrics::Metrics;
use hookloom::model::{Event, EventId, Millis, Route, RouteTarget, Run, RunState};
use hookloom::plugin::{self, Limits, PluginHost, PluginSettings, Workers};
use hookloom::process::{self, Changes, DeliveryHandoff, Parts, RUN_LEASE};
use hookloom::store::{Accepted, NewEvent, NewRun, RunRecord, SqliteOptions, SqliteStore, Store};
use hookloom_testkit::wait::eventually;
use tokio::sync::{Notify, mpsc};

use crate::deliver::moody::Moody;

/// The stage at work on a route without steps to the destination `d`.
struct Rig {
    store: Arc<Moody>,
    runs: mpsc::Sender<Run>,
    bell: Arc<Notify>,
    budget: Budget,
    shutdown: Shutdown,
    random: Random,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn start(budget: Budget) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (clock, random, metrics) = (Clock::system(), Random::seeded(7), Arc::new(Metrics::new()));
        let path = folder.path().join("hookloom.db");
        let store =
            SqliteStore::open(&path, &SqliteOptions::default(), clock.clone(), &random, metrics.clone());
        let store = Arc::new(Moody::new(Arc::new(store.unwrap())));
        let settings = PluginSettings::new(folder.path().join("plugins"), Limits::default());
        let context = plugin::Context {
            clock: clock.clone(),
            random: random.clone(),
            metrics: metrics.clone(),
            state: Arc::new(plugin::NoState),
        };
        let plugins = PluginHost::start(settings, context).unwrap();
        let to = RouteTarget { destination: "d".into(), ..RouteTarget::default() };
        let route = Route { name: "r".into(), from: vec![], types: vec![], steps: vec![], to: vec![to] };
        let (runs, claimed) = mpsc::channel(process::MAX_IN_FLIGHT);
        let (deliveries, _) = mpsc::channel(1);
        let (bell, shutdown) = (Arc::new(Notify::new()), Shutdown::new());
        let parts = Parts {
            store: store.clone(),
            routes: Arc::new(ArcSwap::from_pointee(HashMap::from([("r".to_owned(), route)]))),
            plugins,
            state: Arc::new(plugin::NoState),
            workers: Arc::new(Workers::start(1, 1).unwrap()),
            runs: claimed,
            bell: bell.clone(),
            budget: budget.clone(),
            changes: Changes::default(),
            handoff: DeliveryHandoff { deliveries, bell: Arc::default(), lease: Duration::from_mins(1) },
            clock,
            random: random.clone(),
            metrics,
            alerts: Alerts::new().0,
        };
        tokio::spawn(process::run(parts, shutdown.clone()));
        Self { store, runs, bell, budget, shutdown, random, _folder: folder }
    }

    /// So many events of 1 KiB.
    fn events(&self, count: usize) -> Vec<Event> {
        (0..count).map(|_| event(self.random.bits())).collect()
    }

    /// Accepts them; claimed ones are handed over.
    async fn accept(&self, events: Vec<Event>, lease: Option<Duration>) -> Vec<EventId> {
        let ids = events.iter().map(|event| event.id.clone()).collect();
        let routes = vec![NewRun { route: "r".into(), ordered: false, dead: None }];
        let new = |event| NewEvent { event, routes: routes.clone(), dedupe: None };
        for accepted in self.store.accept(events.into_iter().map(new).collect(), lease).await.unwrap() {
            let Accepted::New(runs) = accepted else { panic!("{accepted:?}") };
            for run in runs {
                self.budget.take(run.event.size());
                self.runs.send(run).await.unwrap();
            }
        }
        self.bell.notify_one();
        ids
    }

    /// The event's only run, once it has ended.
    async fn ended(&self, id: &EventId) -> RunRecord {
        eventually("the run has ended", async || {
            let run = self.store.event(id).await.unwrap().unwrap().runs.remove(0);
            if run.state == RunState::Pending { Err(format!("{run:?}")) } else { Ok(run) }
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

fn event(random: u128) -> Event {
    Event {
        id: EventId::new(1_700_000_000_000, random),
        source: "s".into(),
        event_type: None,
        received_at: Millis(1_700_000_000_000),
        method: "POST".into(),
        path: "/in/s".into(),
        query: None,
        headers: Vec::new(),
        body: Bytes::from(vec![b'x'; 1024]),
        attributes: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_budget_makes_runs_wait_in_the_store_and_loses_none() {
    const BYTES: usize = 4 * 1024;
    let rig = Rig::start(Budget::new(BYTES));
    let handed = rig.accept(rig.events(30), Some(RUN_LEASE)).await;
    let waiting = rig.accept(rig.events(30), None).await;
    for id in handed.iter().chain(&waiting) {
        assert_eq!(rig.ended(id).await.state, RunState::Processed);
    }
    eventually("everything is given back", async || match rig.budget.left() {
        BYTES => Ok(()),
        left => Err(format!("{left} bytes are left")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_larger_than_the_budget_is_processed_alone() {
    let rig = Rig::start(Budget::new(10));
    for id in rig.accept(rig.events(3), None).await {
        assert_eq!(rig.ended(&id).await.state, RunState::Processed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_the_store_refuses_fails_its_run_and_holds_up_no_other() {
    let rig = Rig::start(Budget::new(1 << 20));
    let events = rig.events(30);
    let bad = events[10].id.clone();
    rig.store.refuse_deliveries_of(&bad);
    for id in rig.accept(events, Some(RUN_LEASE)).await {
        let run = rig.ended(&id).await;
        if id == bad {
            assert_eq!(run.state, RunState::Failed);
            assert!(run.reason.unwrap().contains("its result cannot be stored"));
        } else {
            assert_eq!(run.state, RunState::Processed);
        }
    }
}
