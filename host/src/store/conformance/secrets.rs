//! Secrets that handshakes handed over.

use super::support::{Bench, MINUTE, Subject, open};
use crate::model::Secret;
use crate::store::{Learning, MAX_LEARNT};

async fn learn(b: &Bench, source: &str, secret: &str) {
    assert_eq!(tried(b, source, secret).await, Learning::Kept, "{source} {secret}");
}

async fn tried(b: &Bench, source: &str, secret: &str) -> Learning {
    b.store.learn_secret(source, &Secret::from_text(secret)).await.unwrap()
}

/// `source secret`, in the order of the store.
async fn learnt(b: &Bench) -> Vec<String> {
    let all = b.store.learnt_secrets().await.unwrap();
    all.iter().map(|one| format!("{} {}", one.source, one.secret.expose())).collect()
}

pub(in crate::store) async fn secrets_are_kept_by_source_newest_first(subject: &dyn Subject) {
    let b = open(subject).await;
    assert_eq!(learnt(&b).await, [""; 0]);
    let start = b.clock.now();
    learn(&b, "b", "one").await;
    b.clock.advance(MINUTE);
    learn(&b, "a", "two").await;
    learn(&b, "b", "three").await;
    assert_eq!(learnt(&b).await, ["a two", "b three", "b one"]);
    let at: Vec<_> = b.store.learnt_secrets().await.unwrap().iter().map(|one| one.at).collect();
    assert_eq!(at, [start.after(MINUTE), start.after(MINUTE), start]);
    learn(&b, "b", "one").await;
    assert_eq!(learnt(&b).await, ["a two", "b one", "b three"], "learnt again, it is the newest");
}

pub(in crate::store) async fn a_source_that_is_full_keeps_what_it_has(subject: &dyn Subject) {
    let b = open(subject).await;
    for number in 0..MAX_LEARNT {
        learn(&b, "many", &number.to_string()).await;
    }
    assert_eq!(tried(&b, "many", "another").await, Learning::Full);
    learn(&b, "other", "has room").await;
    // One that is known is no further one.
    learn(&b, "many", "0").await;
    let mut expected: Vec<_> = (1..MAX_LEARNT).rev().map(|number| format!("many {number}")).collect();
    expected.insert(0, "many 0".to_owned());
    expected.push("other has room".to_owned());
    assert_eq!(learnt(&b).await, expected);
    assert_eq!(b.store.forget_secrets("many").await, Ok(MAX_LEARNT));
    learn(&b, "many", "another").await;
}

pub(in crate::store) async fn forgetting_takes_all_of_one_source(subject: &dyn Subject) {
    let b = open(subject).await;
    for (source, secret) in [("a", "one"), ("a", "two"), ("b", "three")] {
        learn(&b, source, secret).await;
    }
    assert_eq!(b.store.forget_secrets("a").await, Ok(2));
    assert_eq!(b.store.forget_secrets("a").await, Ok(0));
    assert_eq!(learnt(&b).await, ["b three"]);
}

pub(in crate::store) async fn secrets_survive_reopening_and_never_print(subject: &dyn Subject) {
    let b = open(subject).await;
    learn(&b, "a", "hunter2").await;
    learn(&b, "a", "hunter3").await;
    b.store.forget_secrets("b").await.unwrap();
    let b = b.reopen(subject).await;
    assert_eq!(learnt(&b).await, ["a hunter3", "a hunter2"]);
    let shown = format!("{:?}", b.store.learnt_secrets().await.unwrap());
    assert!(shown.contains("***") && !shown.contains("hunter"), "{shown}");
}
