//! Values on their way: what builds on what, and what goes when the store refuses it.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::model::StateWrite;

/// A result that read these versions of keys and wrote these values (`None`: deletes).
fn result(reads: &[(&str, u64)], writes: &[(&str, Option<&str>)]) -> StateChanges {
    let write = |(key, text): &(&str, Option<&str>)| StateWrite {
        plugin: "p".into(),
        key: (*key).into(),
        value: text.map(|text| Bytes::copy_from_slice(text.as_bytes())),
        ttl: None,
    };
    StateChanges {
        reads: reads.iter().map(|(key, seen)| ("p".into(), (*key).into(), *seen)).collect(),
        writes: writes.iter().map(write).collect(),
        version: 0,
    }
}

fn admit(overlay: &mut Overlay, version: u64, mut result: StateChanges) -> bool {
    let admitted = overlay.admit(&mut result, version);
    assert_eq!(result.version, if admitted && !result.writes.is_empty() { version } else { 0 });
    admitted
}

/// The version that a run sees of `k`; `None`: it asks the store.
fn seen(overlay: &Overlay, key: &str) -> Option<u64> {
    overlay.newest("p", key).map(Newest::seen)
}

#[test]
fn a_result_builds_on_what_is_on_its_way_and_the_loser_of_a_race_is_not_admitted() {
    let mut overlay = Overlay::default();
    assert_eq!(seen(&overlay, "k"), None);
    assert!(admit(&mut overlay, 11, result(&[("k", 7)], &[("k", Some("1"))])));
    assert_eq!(overlay.newest("p", "k").unwrap().value().unwrap().value, "1");
    assert!(!admit(&mut overlay, 12, result(&[("k", 7)], &[("k", Some("2"))])), "it read what was before");
    assert!(admit(&mut overlay, 13, result(&[("k", 11)], &[("k", None)])));
    assert_eq!(seen(&overlay, "k"), Some(0));
    assert!(!admit(&mut overlay, 14, result(&[("k", 11)], &[])), "nor may it only have looked");
    assert!(admit(&mut overlay, 15, result(&[("k", 0)], &[("k", Some("3"))])));
    assert!(admit(&mut overlay, 16, result(&[], &[("k", Some("blind"))])), "who reads nothing loses nothing");
    assert_eq!((seen(&overlay, "k"), overlay.newest("q", "k").is_none()), (Some(16), true));
}

#[test]
fn what_is_committed_is_left_to_the_store() {
    let mut overlay = Overlay::default();
    assert!(admit(&mut overlay, 11, result(&[], &[("k", Some("1")), ("l", Some("1"))])));
    assert!(admit(&mut overlay, 12, result(&[("k", 11)], &[("k", Some("22"))])));
    assert_eq!(overlay.bytes("p"), 2 + 3, "what is written over takes no room");
    overlay.settle(11, true);
    assert_eq!((seen(&overlay, "k"), seen(&overlay, "l")), (Some(12), None));
    overlay.settle(11, true);
    assert!(admit(&mut overlay, 13, result(&[("k", 12)], &[("l", None)])));
    assert_eq!(overlay.bytes("p"), 3);
    overlay.settle(12, true);
    overlay.settle(13, true);
    assert_eq!((seen(&overlay, "k"), overlay.bytes("p")), (None, 0));
    assert!(overlay.plugins.is_empty() && overlay.admitted.is_empty());
}

#[test]
fn what_is_refused_takes_with_it_all_that_built_on_it_and_nothing_else() {
    let mut overlay = Overlay::default();
    assert!(admit(&mut overlay, 11, result(&[], &[("a", Some("1"))])));
    assert!(admit(&mut overlay, 12, result(&[("a", 11)], &[("b", Some("1"))])));
    assert!(admit(&mut overlay, 13, result(&[], &[("other", Some("1"))])));
    assert!(admit(&mut overlay, 14, result(&[("b", 12)], &[("c", Some("1"))])));
    assert!(admit(&mut overlay, 15, result(&[("other", 13)], &[("b", Some("2"))])));
    overlay.settle(11, false);
    let left = ["a", "b", "c", "other"].map(|key| seen(&overlay, key));
    assert_eq!(left, [None, Some(15), None, Some(13)]);
    for version in [12, 14] {
        overlay.settle(version, false);
    }
    for version in [13, 15] {
        overlay.settle(version, true);
    }
    assert!(overlay.plugins.is_empty() && overlay.admitted.is_empty());
}

/// One step of two workers and a store beside them.
#[derive(Clone, Debug)]
enum Step {
    /// A worker begins a run: it reads the sum.
    Read { worker: usize },
    /// It adds one to what it read, and publishes.
    Publish { worker: usize },
    /// The store takes the first of what was published, or refuses it for its own reasons.
    Commit { refuse: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_usize..3).prop_map(|worker| Step::Read { worker }),
        4 => (0_usize..3).prop_map(|worker| Step::Publish { worker }),
        3 => prop::bool::weighted(0.2).prop_map(|refuse| Step::Commit { refuse }),
    ]
}

/// A counter that runs add one to, as the store and the overlay have it.
#[derive(Default)]
struct Counter {
    overlay: Overlay,
    /// Version and sum.
    stored: (u64, u64),
    sent: VecDeque<(StateChanges, u64)>,
    committed: u64,
    versions: u64,
}

impl Counter {
    fn read(&self) -> (u64, u64) {
        let on_its_way = self.overlay.newest("p", "sum").and_then(Newest::value);
        on_its_way.map_or(self.stored, |value| {
            (value.version, std::str::from_utf8(&value.value).unwrap().parse().unwrap())
        })
    }

    fn publish(&mut self, (version, sum): (u64, u64)) {
        let sum = sum + 1;
        let mut changes = result(&[("sum", version)], &[("sum", Some(&sum.to_string()))]);
        self.versions += 1;
        if self.overlay.admit(&mut changes, self.versions) {
            self.sent.push_back((changes, sum));
        }
    }

    fn commit(&mut self, refuse: bool) {
        let Some((changes, sum)) = self.sent.pop_front() else { return };
        let current = changes.reads[0].2 == self.stored.0;
        let commits = current && !refuse;
        if commits {
            self.stored = (changes.version, sum);
            self.committed += 1;
        }
        self.overlay.settle(changes.version, commits);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_increment_is_lost_however_workers_and_store_interleave(steps in vec(step(), 1..80)) {
        let mut counter = Counter::default();
        let mut workers = [None; 3];
        for step in steps {
            match step {
                Step::Read { worker } => workers[worker] = Some(counter.read()),
                Step::Publish { worker } => {
                    if let Some(read) = workers[worker].take() {
                        counter.publish(read);
                    }
                }
                Step::Commit { refuse } => counter.commit(refuse),
            }
            prop_assert_eq!(counter.stored.1, counter.committed);
        }
        while !counter.sent.is_empty() {
            counter.commit(false);
        }
        prop_assert_eq!(counter.stored.1, counter.committed);
        prop_assert_eq!(counter.read(), counter.stored, "nothing is left on its way");
        // What is read and published now is committed.
        let before = counter.committed;
        counter.publish(counter.read());
        counter.commit(false);
        prop_assert_eq!(counter.committed, before + 1);
    }
}
