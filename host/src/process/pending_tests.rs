//! What is on its way over what is stored, and runs that have plugins for themselves.

use std::sync::mpsc;
use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::model::{Event, EventId, Millis, StateChanges, StateWrite};
use crate::store::{RunEnd, RunLease};

/// How long it is watched that nothing happens.
const A_WHILE: Duration = Duration::from_millis(200);

/// Ten bytes a plugin, and the value `stored` under every key.
#[derive(Debug)]
struct Stored;

impl StateReader for Stored {
    fn read(&self, _: &str, _: &str) -> Result<Option<StateValue>, String> {
        Ok(Some(StateValue { version: 7, value: Bytes::from_static(b"stored") }))
    }

    fn size(&self, _: &str) -> Result<u64, String> {
        Ok(10)
    }
}

fn pending() -> Pending {
    Pending::new(Arc::new(Stored), Random::seeded(1))
}

/// A result whose run read `k` of these plugins under a version, and wrote it.
fn result(plugins: &[&str], seen: u64) -> RunResult {
    let event = Event {
        id: EventId::from_text("evt_1"),
        source: "s".into(),
        event_type: None,
        received_at: Millis(0),
        method: "POST".into(),
        path: "/".into(),
        query: None,
        headers: Vec::new(),
        body: Bytes::new(),
        attributes: Vec::new(),
    };
    let write = |plugin: &&str| StateWrite {
        plugin: (*plugin).into(),
        key: "k".into(),
        value: Some(Bytes::from_static(b"new")),
        ttl: None,
    };
    let state = StateChanges {
        reads: plugins.iter().map(|plugin| ((*plugin).into(), "k".into(), seen)).collect(),
        writes: plugins.iter().map(write).collect(),
        version: 0,
    };
    let run = RunLease { seq: 1, route: "r".into(), generation: 0, lease: 1 };
    RunResult { run, event: Arc::new(event), end: RunEnd::Processed(Vec::new()), steps: Vec::new(), state }
}

fn names(plugins: &[&str]) -> BTreeSet<String> {
    plugins.iter().map(|&plugin| plugin.to_owned()).collect()
}

#[test]
fn what_is_on_its_way_hides_what_is_stored_until_it_is_settled() {
    let pending = pending();
    let mut version = 0;
    assert!(pending.publish(result(&["p"], 7), None, |result| version = result.state.version).is_ok());
    let read = |plugin: &str| pending.read(plugin, "k").unwrap().unwrap();
    assert_eq!((read("p").version, &read("p").value[..]), (version, &b"new"[..]));
    assert_eq!((read("q").version, pending.size("p"), pending.size("q")), (7, Ok(14), Ok(10)));
    let lost = pending.publish(result(&["p"], 7), None, |_| panic!("it is not sent"));
    assert_eq!(lost.unwrap_err().state.version, 0);
    pending.settle(version, true);
    assert_eq!((read("p").version, pending.size("p")), (7, Ok(10)));
    assert!(pending.publish(result(&["p"], 7), None, drop).is_ok(), "now the store is the judge");
}

#[test]
fn a_run_that_is_alone_publishes_before_others_do() {
    let pending = pending();
    let (sent, order) = mpsc::channel();
    std::thread::scope(|scope| {
        let alone = pending.alone(&names(&["p"])).unwrap();
        let (other, sent_by_other) = (&pending, sent.clone());
        scope.spawn(move || {
            assert!(
                other
                    .publish(result(&["q", "p"], 7), None, |_| sent_by_other.send("other").unwrap())
                    .is_err()
            );
            assert!(
                other.publish(result(&["p"], 0), None, |_| sent_by_other.send("other").unwrap()).is_err()
            );
        });
        assert!(order.recv_timeout(A_WHILE).is_err(), "it waits");
        assert!(pending.publish(result(&["q"], 7), None, |_| sent.send("beside").unwrap()).is_ok());
        assert!(pending.publish(result(&["p"], 7), Some(&alone), |_| sent.send("alone").unwrap()).is_ok());
        drop(alone);
    });
    drop(sent);
    assert_eq!(order.iter().collect::<Vec<_>>(), ["beside", "alone"]);
}

#[test]
fn one_run_at_a_time_is_alone_and_others_may_be_with_other_plugins() {
    let pending = pending();
    assert!(pending.alone(&BTreeSet::new()).is_none());
    let (sent, order) = mpsc::channel();
    std::thread::scope(|scope| {
        let first = pending.alone(&names(&["p"])).unwrap();
        let other = &pending;
        let second = scope.spawn(move || {
            let _alone = other.alone(&names(&["o", "p"])).unwrap();
            sent.send(()).unwrap();
        });
        assert!(order.recv_timeout(A_WHILE).is_err(), "it waits");
        drop(pending.alone(&names(&["o", "q"])).unwrap());
        drop(first);
        second.join().unwrap();
    });
    assert_eq!(order.recv(), Ok(()));
}

#[test]
fn a_run_that_is_alone_and_touches_more_comes_back_rather_than_wait() {
    let pending = pending();
    let alone = pending.alone(&names(&["p"]));
    let back = pending.publish(result(&["p", "q"], 7), alone.as_ref(), |_| panic!("it is not sent"));
    assert_eq!(touched(&back.unwrap_err().state), names(&["p", "q"]));
}

#[test]
fn what_the_store_refused_is_alone_once() {
    let pending = pending();
    pending.refuse(5, names(&["p"]));
    assert_eq!((pending.take_refused(4), pending.take_refused(5)), (names(&[]), names(&["p"])));
    assert_eq!(pending.take_refused(5), names(&[]));
}
