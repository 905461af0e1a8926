//! Plugin state: committed with its run, compared by version.

use std::time::Duration;

use super::support::{ALMOST_A_MINUTE, Bench, HOUR, MINUTE, SECOND, Subject, open, result, to};
use super::tidied::tidy;
use crate::model::{Millis, Run, RunState};
use crate::store::{Committed, RunEnd, RunResult, StateValue, StateWrite};

fn write(key: &str, value: Option<&str>) -> StateWrite {
    StateWrite { plugin: "p".into(), key: key.into(), value: value.map(|v| v.to_owned().into()), ttl: None }
}

/// What this run's writes are known by.
fn version(run: &Run) -> u64 {
    u64::try_from(run.seq).unwrap()
}

/// A run that read these versions and wrote this.
fn with(run: &Run, reads: &[(&str, u64)], writes: Vec<StateWrite>) -> RunResult {
    let mut result = result(run, to(run, &["d"]));
    result.state.reads = reads.iter().map(|(key, seen)| ("p".into(), (*key).into(), *seen)).collect();
    result.state.writes = writes;
    result.state.version = version(run);
    result
}

impl Bench {
    async fn state(&self, key: &str) -> Option<StateValue> {
        self.store.plugin_state("p", key).await.unwrap()
    }

    async fn version(&self, key: &str) -> u64 {
        self.state(key).await.map_or(0, |value| value.version)
    }

    /// One event whose run reads nothing and writes this.
    async fn written(&self, name: &str, writes: Vec<StateWrite>) {
        let run = self.accept(name, &["r"]).await.remove(0);
        self.done(with(&run, &[], writes)).await;
    }
}

pub(in crate::store) async fn what_a_run_writes_is_read_with_a_version(subject: &dyn Subject) {
    let b = open(subject).await;
    assert_eq!(b.state("k").await, None);
    b.written("a", vec![write("k", Some("1"))]).await;
    let first = b.state("k").await.unwrap();
    assert_eq!(&first.value[..], b"1");
    b.written("b", vec![write("k", Some("2"))]).await;
    let second = b.state("k").await.unwrap();
    assert_eq!(&second.value[..], b"2");
    assert_ne!(second.version, first.version);
    b.written("c", vec![write("k", None)]).await;
    assert_eq!(b.state("k").await, None);
}

pub(in crate::store) async fn a_changed_version_is_a_conflict_and_writes_nothing(subject: &dyn Subject) {
    let b = open(subject).await;
    b.written("a", vec![write("k", Some("1"))]).await;
    let seen = b.version("k").await;
    let run = b.accept("b", &["r"]).await.remove(0);
    b.written("c", vec![write("k", Some("2"))]).await;
    let late = with(&run, &[("k", seen)], vec![write("k", Some("lost"))]);
    assert!(matches!(b.commit(late).await, Committed::Conflict));
    assert_eq!(&b.state("k").await.unwrap().value[..], b"2");
    let shown = b.shown("b").await;
    assert_eq!((shown.runs[0].state, shown.deliveries.len()), (RunState::Pending, 0));
    assert!(b.claim_runs(9).await.items.is_empty(), "the lease holds");
    let repeated = with(&run, &[("k", b.version("k").await)], vec![write("k", Some("3"))]);
    b.done(repeated).await;
    assert_eq!(&b.state("k").await.unwrap().value[..], b"3");
}

pub(in crate::store) async fn a_key_that_appeared_is_a_conflict(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.written("b", vec![write("k", Some("1"))]).await;
    assert!(matches!(b.commit(with(&run, &[("k", 0)], Vec::new())).await, Committed::Conflict));
    assert_eq!(b.done(with(&run, &[("other", 0)], Vec::new())).await.len(), 1);
}

pub(in crate::store) async fn one_batch_compares_in_order(subject: &dyn Subject) {
    let b = open(subject).await;
    let runs = b.accept("a", &["r", "s"]).await;
    let batch = runs.iter().map(|run| with(run, &[("count", 0)], vec![write("count", Some("1"))])).collect();
    let committed = b.store.commit_processed(batch, None).await.unwrap();
    assert!(matches!(committed[..], [Committed::Done(_), Committed::Conflict]));
    let states: Vec<_> = b.shown("a").await.runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Processed, RunState::Pending]);
}

pub(in crate::store) async fn a_dropped_run_commits_its_state(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    let mut dropped = with(&run, &[("seen", 0)], vec![write("seen", Some("1"))]);
    dropped.end = RunEnd::Dropped("seen before".into());
    b.done(dropped).await;
    assert_ne!(b.version("seen").await, 0);
}

pub(in crate::store) async fn ends_that_are_no_end_of_the_plugins_work_commit_no_state(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    let ends = [
        RunEnd::Failed("broken".into()),
        RunEnd::Held("missing".into()),
        RunEnd::Retry(Millis(i64::MAX), "later".into()),
    ];
    for (name, end) in ["a", "b", "c"].into_iter().zip(ends) {
        let run = b.accept(name, &["r"]).await.remove(0);
        let mut result = with(&run, &[], vec![write("k", Some("1"))]);
        result.end = end;
        b.done(result).await;
        assert_eq!(b.version("k").await, 0);
    }
}

pub(in crate::store) async fn a_version_is_the_writers_own(subject: &dyn Subject) {
    let b = open(subject).await;
    let first = b.accept("a", &["r"]).await.remove(0);
    b.done(with(&first, &[], vec![write("k", Some("1")), write("l", Some("1"))])).await;
    assert_eq!((b.version("k").await, b.version("l").await), (version(&first), version(&first)));
    let late = b.accept("b", &["r"]).await.remove(0);
    b.written("c", vec![write("k", None)]).await;
    b.written("d", vec![write("k", Some("1"))]).await;
    let late = with(&late, &[("k", version(&first))], Vec::new());
    assert!(matches!(b.commit(late).await, Committed::Conflict), "the same bytes under another version");
    let last = b.version("k").await;
    let b = b.reopen(subject).await;
    assert_eq!(b.version("k").await, last);
}

pub(in crate::store) async fn a_result_may_build_on_one_that_is_committed_before_it(subject: &dyn Subject) {
    let b = open(subject).await;
    let mut runs = Vec::new();
    for name in ["a", "b", "c", "d"] {
        runs.extend(b.accept(name, &["r"]).await);
    }
    let adds = |run: &Run, seen: u64, sum: &str| with(run, &[("sum", seen)], vec![write("sum", Some(sum))]);
    let first = adds(&runs[0], 0, "1");
    let second = adds(&runs[1], version(&runs[0]), "2");
    let third = adds(&runs[2], version(&runs[1]), "3");
    let committed = b.store.commit_processed(vec![first, second], None).await.unwrap();
    assert!(matches!(committed[..], [Committed::Done(_), Committed::Done(_)]), "{committed:?}");
    assert!(matches!(b.commit(third).await, Committed::Done(_)), "in another batch as well");
    assert_eq!(&b.state("sum").await.unwrap().value[..], b"3");
}

pub(in crate::store) async fn what_builds_on_a_refused_result_is_refused_with_it(subject: &dyn Subject) {
    let b = open(subject).await;
    let mut runs = Vec::new();
    for name in ["a", "b", "c"] {
        runs.extend(b.accept(name, &["r"]).await);
    }
    b.written("d", vec![write("k", Some("other"))]).await;
    let refused = with(&runs[0], &[("k", 0)], vec![write("sum", Some("1"))]);
    let built_on = with(&runs[1], &[("sum", version(&runs[0]))], vec![write("sum", Some("2"))]);
    let beside = with(&runs[2], &[("sum", 0)], vec![write("sum", Some("9"))]);
    let committed = b.store.commit_processed(vec![refused, built_on, beside], None).await.unwrap();
    assert!(
        matches!(committed[..], [Committed::Conflict, Committed::Conflict, Committed::Done(_)]),
        "{committed:?}"
    );
    assert_eq!(&b.state("sum").await.unwrap().value[..], b"9");
}

pub(in crate::store) async fn what_a_plugins_values_take_is_counted(subject: &dyn Subject) {
    let b = open(subject).await;
    let size = async |b: &Bench| b.store.plugin_state_size("p").await.unwrap();
    assert_eq!(size(&b).await, 0);
    b.written("a", vec![write("key", Some("12345")), write("é", Some("1"))]).await;
    assert_eq!(size(&b).await, 8 + 3, "keys and values, in bytes");
    b.written("b", vec![write("key", Some("1")), write("absent", None)]).await;
    assert_eq!(size(&b).await, 4 + 3);
    b.written("c", vec![write("é", None), StateWrite { ttl: Some(MINUTE), ..write("short", Some("1")) }])
        .await;
    assert_eq!(size(&b).await, 4 + 6);
    let b = b.reopen(subject).await;
    assert_eq!(size(&b).await, 4 + 6, "counted when it opens");
    let run = b.accept("d", &["r"]).await.remove(0);
    assert!(matches!(
        b.commit(with(&run, &[("key", 0)], vec![write("x", Some("1"))])).await,
        Committed::Conflict
    ));
    assert_eq!(size(&b).await, 4 + 6);
    b.clock.advance(MINUTE);
    tidy(&b).await;
    assert_eq!(size(&b).await, 4, "what has expired is tidied away");
    assert_eq!(b.store.plugin_state_size("q").await.unwrap(), 0);
}

pub(in crate::store) async fn writes_take_effect_in_order(subject: &dyn Subject) {
    let b = open(subject).await;
    let writes =
        [("x", Some("1")), ("x", Some("2")), ("y", Some("1")), ("y", None), ("z", None), ("z", Some("1"))];
    b.written("a", writes.map(|(key, value)| write(key, value)).into()).await;
    assert_eq!(&b.state("x").await.unwrap().value[..], b"2");
    assert_eq!(b.state("y").await, None);
    assert_eq!(&b.state("z").await.unwrap().value[..], b"1");
}

pub(in crate::store) async fn a_value_is_forgotten_after_its_ttl(subject: &dyn Subject) {
    let b = open(subject).await;
    b.written(
        "a",
        vec![StateWrite { ttl: Some(MINUTE), ..write("k", Some("1")) }, write("stays", Some("1"))],
    )
    .await;
    let seen = b.version("k").await;
    b.clock.advance(ALMOST_A_MINUTE);
    assert_eq!(b.version("k").await, seen);
    let run = b.accept("b", &["r"]).await.remove(0);
    b.clock.advance(SECOND);
    assert_eq!(b.state("k").await, None);
    assert!(matches!(b.commit(with(&run, &[("k", seen)], Vec::new())).await, Committed::Conflict));
    b.done(with(&run, &[("k", 0)], vec![write("k", Some("2"))])).await;
    assert_ne!(b.version("k").await, seen);
    b.clock.advance(HOUR + Duration::from_millis(1));
    assert_ne!(b.version("k").await, 0, "written again without a ttl");
    assert_ne!(b.version("stays").await, 0);
}

pub(in crate::store) async fn plugins_do_not_share_keys(subject: &dyn Subject) {
    let b = open(subject).await;
    b.written("a", vec![write("k", Some("1"))]).await;
    assert_eq!(b.store.plugin_state("q", "k").await.unwrap(), None);
}
