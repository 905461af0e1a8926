//! Claims, their order and limits, and the leases that they give.

use super::support::{
    ALMOST_A_MINUTE, DONE, HOUR, MINUTE, SECOND, START, Subject, attempt, delivery_names, name, new, one,
    open, result, run_names, to,
};
use crate::model::{Decision, DeliveryState, RunState};
use crate::store::{Committed, Recorded, RunEnd, RunLease, Want};

pub(in crate::store) async fn runs_come_oldest_due_first_up_to_the_limit(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["a", "b", "c"] {
        b.accept_unleased(new(name, &["r"])).await;
        b.clock.advance(SECOND);
    }
    let first = b.claim_runs(1).await;
    assert_eq!(run_names(&first), ["a"]);
    let due = START.after(SECOND / 2);
    b.done(result(&one(first), RunEnd::Retry(due, "again".into()))).await;
    assert_eq!(run_names(&b.claim_runs(2).await), ["a", "b"]);
    assert_eq!(run_names(&b.claim_runs(2).await), ["c"]);
}

pub(in crate::store) async fn what_is_leased_is_not_claimed_again(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.accept_unleased(new("b", &["r"])).await;
    assert_eq!(run_names(&b.claim_runs(9).await), ["b"]);
    assert!(b.claim_runs(9).await.items.is_empty());
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.record(attempt(&delivery, Decision::Delivered)).await, DONE);
}

pub(in crate::store) async fn a_claim_of_runs_ends_with_the_bytes_that_are_asked_for(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["a", "b", "c"] {
        b.accept_unleased(new(name, &["r"])).await;
    }
    let size = b.store.claim_runs(1, usize::MAX, SECOND).await.unwrap().items[0].event.size();
    b.clock.advance(SECOND);
    let claimed = b.store.claim_runs(9, size + 1, MINUTE).await.unwrap();
    assert_eq!((run_names(&claimed).len(), claimed.next_due.is_some()), (2, true));
    let at_least_one = b.store.claim_runs(9, 0, MINUTE).await.unwrap();
    assert_eq!((run_names(&at_least_one).len(), at_least_one.next_due), (1, None));
}

pub(in crate::store) async fn an_expired_lease_is_claimable_and_its_token_then_stale(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(new("a", &["r"])).await;
    let first = one(b.claim_runs(9).await);
    b.clock.advance(ALMOST_A_MINUTE);
    assert!(b.claim_runs(9).await.items.is_empty());
    b.clock.advance(SECOND);
    let second = one(b.claim_runs(9).await);
    assert_ne!(first.lease, second.lease);
    assert!(matches!(b.commit(result(&first, to(&first, &["d"]))).await, Committed::Stale));
    assert!(b.shown("a").await.deliveries.is_empty());
    b.done(result(&second, to(&second, &["d"]))).await;
    assert_eq!(b.shown("a").await.deliveries.len(), 1);
}

pub(in crate::store) async fn released_runs_are_claimable_at_once(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.store.release(vec![RunLease::from(&run)], Vec::new()).await.unwrap();
    assert!(matches!(b.commit(result(&run, to(&run, &["d"]))).await, Committed::Stale));
    let again = one(b.claim_runs(9).await);
    assert_eq!(again.attempts, 0);
    // A token that is not the holder's any more releases nothing.
    b.store.release(vec![RunLease::from(&run)], Vec::new()).await.unwrap();
    assert!(b.claim_runs(9).await.items.is_empty());
}

pub(in crate::store) async fn next_due_names_the_earliest_that_was_left(subject: &dyn Subject) {
    let b = open(subject).await;
    assert_eq!(b.claim_runs(1).await.next_due, None);
    for name in ["a", "b", "c"] {
        b.accept_unleased(new(name, &["r"])).await;
        b.clock.advance(SECOND);
    }
    assert_eq!(b.claim_runs(1).await.next_due, Some(START.after(SECOND)), "b was due a while ago");
    let rest = b.claim_runs(9).await;
    assert_eq!((run_names(&rest), rest.next_due), (vec!["b".into(), "c".into()], None));
    let [b_run, c_run] = <[_; 2]>::try_from(rest.items).unwrap();
    let later = b.clock.now().after(HOUR);
    b.done(result(&b_run, RunEnd::Retry(later, "later".into()))).await;
    b.done(result(&c_run, RunEnd::Held("no plugin".into()))).await;
    let none = b.claim_runs(9).await;
    assert_eq!((none.items.len(), none.next_due), (0, Some(later)), "neither the leased nor the held one");

    let delivery = b.deliver("d", "d").await;
    assert_eq!(b.claim("d", 9).await.next_due, None, "leased");
    b.record(attempt(&delivery, Decision::Retry(later))).await;
    let claimed = b.claim("d", 9).await;
    assert_eq!((claimed.items.len(), claimed.next_due), (0, Some(later)));
    assert_eq!(b.claim("other", 9).await.next_due, None);
}

pub(in crate::store) async fn deliveries_are_claimed_for_each_destination_up_to_its_limit(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    for name in ["a", "b", "c"] {
        let run = b.accept(name, &["r"]).await.remove(0);
        b.store.commit_processed(vec![result(&run, to(&run, &["x", "y", "z"]))], None).await.unwrap();
        b.clock.advance(SECOND);
    }
    let wants = [("x", 1), ("y", 9), ("none", 5)].map(|(d, limit)| Want { destination: d.into(), limit });
    let claimed = b.store.claim_deliveries(wants.into(), MINUTE).await.unwrap();
    let mut got: Vec<_> = claimed.items.iter().map(|d| (d.destination.clone(), name(&d.event.id))).collect();
    got.sort();
    let expected =
        [("x", "a"), ("y", "a"), ("y", "b"), ("y", "c")].map(|(d, n)| (d.to_owned(), n.to_owned()));
    assert_eq!(got, expected);
    assert_eq!(claimed.next_due, Some(START.after(SECOND)), "x has more, and z was not asked for");
}

pub(in crate::store) async fn deliveries_come_oldest_due_first(subject: &dyn Subject) {
    let b = open(subject).await;
    let late = b.deliver("late", "d").await;
    let early = b.deliver("early", "d").await;
    b.record(attempt(&late, Decision::Retry(START.after(2 * SECOND)))).await;
    b.record(attempt(&early, Decision::Retry(START.after(SECOND)))).await;
    b.clock.advance(MINUTE);
    let claimed = b.claim("d", 9).await;
    assert_eq!(delivery_names(&claimed), ["early", "late"]);
    assert_eq!(claimed.items[0].attempts, 1);
}

pub(in crate::store) async fn expired_delivery_leases_are_claimable_and_their_tokens_then_stale(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    let first = b.deliver("a", "d").await;
    b.clock.advance(MINUTE);
    let second = one(b.claim("d", 9).await);
    assert_eq!(b.record(attempt(&first, Decision::Dead)).await, Recorded::Stale);
    let (shown, attempts) = b.delivery(&first.id).await;
    assert_eq!((shown.state, attempts.len()), (DeliveryState::Pending, 0));
    assert_eq!(b.record(attempt(&second, Decision::Delivered)).await, DONE);
}

pub(in crate::store) async fn released_deliveries_are_claimable_at_once(subject: &dyn Subject) {
    let b = open(subject).await;
    let first = b.deliver("a", "d").await;
    b.store.release(Vec::new(), vec![(first.id.clone(), first.lease)]).await.unwrap();
    assert_eq!(b.record(attempt(&first, Decision::Delivered)).await, Recorded::Stale);
    assert_eq!(one(b.claim("d", 9).await).id, first.id);
}

pub(in crate::store) async fn runs_of_one_event_are_claimed_each(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(new("a", &["r", "s"])).await;
    let first = one(b.claim_runs(1).await);
    let second = one(b.claim_runs(9).await);
    assert_ne!(first.route, second.route);
    assert_eq!(first.seq, second.seq);
    b.done(result(&first, to(&first, &["d"]))).await;
    let states: Vec<_> = b.shown("a").await.runs.iter().map(|run| run.state == RunState::Pending).collect();
    assert_eq!(states.iter().filter(|pending| **pending).count(), 1);
}

pub(in crate::store) async fn leases_are_void_after_reopening(subject: &dyn Subject) {
    let b = open(subject).await;
    let old = b.deliver("a", "d").await;
    let run = b.accept("b", &["r"]).await.remove(0);
    let b = b.reopen(subject).await;
    let claimed = one(b.claim("d", 9).await);
    assert_eq!(b.record(attempt(&old, Decision::Dead)).await, Recorded::Stale);
    assert_eq!(b.record(attempt(&claimed, Decision::Delivered)).await, DONE);
    assert_eq!(run_names(&b.claim_runs(9).await), ["b"]);
    assert!(matches!(b.commit(result(&run, to(&run, &["d"]))).await, Committed::Stale));
}
