//! Results that wait for their commit: what they take, and who waits for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};

use super::super::committer::{Committer, Ended};
use super::super::{Changes, DeliveryHandoff, Done, Pending, Processor, Queue, Stage};
use super::*;
use crate::alerts::Alerts;
use crate::clock::{Clock, Random};
use crate::lifecycle::Shutdown;
use crate::metrics::Metrics;
use crate::model::{DeliveryId, Event, EventId, Header, Millis, Route, RouteTarget, Run, StateChanges};
use crate::plugin::{self, Limits, PluginHost, PluginSettings, Workers};
use crate::store::{NewDelivery, RunLease, SqliteOptions, SqliteStore, Store};

const WHOLE: usize = 1 << 20;

fn run(lease: u64) -> Run {
    let event = Event {
        id: EventId::from_text("evt_1"),
        source: "s".into(),
        event_type: None,
        received_at: Millis(0),
        method: "POST".into(),
        path: "/in/s".into(),
        query: None,
        headers: Vec::new(),
        body: Bytes::from_static(b"{}"),
        attributes: Vec::new(),
    };
    Run { seq: 1, route: "r".into(), generation: 0, attempts: 0, event: Arc::new(event), lease }
}

fn result(run: &Run, messages: Vec<Message>) -> RunResult {
    let id = DeliveryId::from_text("msg_1");
    let new = |message| NewDelivery::new(id.clone(), "d", message);
    RunResult {
        run: RunLease::from(run),
        event: run.event.clone(),
        end: RunEnd::Processed(messages.into_iter().map(new).collect()),
        steps: Vec::new(),
        state: StateChanges::default(),
    }
}

/// A stage over a store in a folder, whose route `r` has no steps.
struct Rig {
    stage: Stage,
    committer: Committer,
    done: mpsc::UnboundedReceiver<Vec<Done>>,
    committed: mpsc::UnboundedReceiver<Ended>,
    _folder: tempfile::TempDir,
}

fn rig() -> Rig {
    let folder = tempfile::tempdir().unwrap();
    let (clock, random, metrics) = (Clock::standing(Millis(0)), Random::seeded(7), Arc::new(Metrics::new()));
    let options = SqliteOptions::default();
    let store =
        SqliteStore::open(&folder.path().join("db"), &options, clock.clone(), &random, metrics.clone());
    let store: Arc<dyn Store> = Arc::new(store.unwrap());
    let context = plugin::Context {
        clock: clock.clone(),
        random: random.clone(),
        metrics: metrics.clone(),
        state: Arc::new(plugin::NoState),
    };
    let plugins =
        PluginHost::start(PluginSettings::new(folder.path().join("plugins"), Limits::default()), context)
            .unwrap();
    let to = vec![RouteTarget { destination: "d".into(), ..RouteTarget::default() }];
    let route = Route { name: "r".into(), from: vec![], types: vec![], steps: vec![], to };
    let pending = Arc::new(Pending::new(Arc::new(plugin::NoState), random));
    let ((done, finished), (ended, commits)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let committer = Committer {
        store: store.clone(),
        handoff: DeliveryHandoff {
            deliveries: mpsc::channel(1).0,
            bell: Arc::new(Notify::new()),
            lease: Duration::from_mins(1),
        },
        changes: Changes::default(),
        metrics: metrics.clone(),
        alerts: Alerts::new().0,
        pending: pending.clone(),
        committed: ended,
    };
    let processor = Processor {
        routes: Arc::new(ArcSwap::from_pointee(HashMap::from([("r".to_owned(), route)]))),
        plugins,
        pending,
        workers: Arc::new(Workers::start(1, 1).unwrap()),
        changes: Changes::default(),
        clock,
        metrics,
        alerts: Alerts::new().0,
        results: Budget::new(WHOLE),
        soft: Shutdown::new().soft,
        done,
        freed: mpsc::unbounded_channel().0,
    };
    let stage = Stage {
        store,
        processor,
        queue: Queue::new(1),
        in_flight: 0,
        budget: Budget::new(WHOLE),
        next_claim: Duration::ZERO,
        drained: Arc::new(watch::Sender::new(false)),
    };
    Rig { stage, committer, done: finished, committed: commits, _folder: folder }
}

#[test]
fn a_shared_body_counts_once_and_everything_else_each_time() {
    let run = run(1);
    let body = |body: &Bytes| Message { body: Some(body.clone()), ..Message::default() };
    let (one, other) = (Bytes::from(vec![b'x'; 1000]), Bytes::from(vec![b'y'; 500]));
    let bare = size(&result(&run, vec![Message::default()]));
    let set_headers = vec![Header { name: "x-a".into(), value: "1".into() }];
    let headed = Message { set_headers, ..Message::default() };
    assert_eq!(size(&result(&run, vec![body(&one), body(&one), body(&other)])), 1500 + 3 * bare);
    assert_eq!(size(&result(&run, vec![headed])), bare + size_of::<Header>() + 4);
    let dropped = RunResult { end: RunEnd::Dropped("no".into()), ..result(&run, vec![]) };
    assert_eq!(size(&dropped), 0);
}

#[tokio::test]
async fn no_run_begins_until_there_is_room_for_what_it_makes() {
    let mut rig = rig();
    let results = rig.stage.processor.results.clone();
    rig.stage.take_in((1..=4).map(run));
    results.take(WHOLE);
    rig.stage.give_work().await;
    assert!(rig.done.try_recv().is_err());
    let waiting = rig.stage.queue.next_job().map(|job| job.runs.len());
    assert_eq!(waiting, Some(4), "nothing was given to a worker");

    results.give_back(1);
    rig.stage.take_in((5..=8).map(run));
    rig.stage.give_work().await;
    let done = rig.done.recv().await.unwrap();
    assert_eq!(done.len(), 1, "the first took what was left");
    assert_eq!(results.left(), 0);
    results.give_back(WHOLE - 1);
    assert_eq!(results.left(), WHOLE - size(&done[0].result));

    // Whatever the commit says.
    rig.committer.commit(done, &Shutdown::new()).await;
    assert_eq!(rig.committed.recv().await.unwrap().count, 1);
    assert_eq!(results.left(), WHOLE);
}
