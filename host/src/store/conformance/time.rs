//! A wall clock that jumps: leases go by the monotonic clock, so nothing is sent twice
//! and nothing is lost.

use super::support::{DONE, HOUR, MINUTE, START, Subject, attempt, new, one, open, result, run_names, to};
use crate::model::{Decision, Millis};
use crate::store::RunEnd;

pub(in crate::store) async fn a_wall_clock_that_jumps_ahead_sends_nothing_leased_again(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    let run = b.accept("b", &["r"]).await.remove(0);
    b.clock.jump_to(START.after(1000 * HOUR));
    assert!(b.claim("d", 9).await.items.is_empty());
    assert!(b.claim_runs(9).await.items.is_empty());
    assert_eq!(b.record(attempt(&delivery, Decision::Delivered)).await, DONE);
    b.done(result(&run, to(&run, &["d"]))).await;
}

pub(in crate::store) async fn a_wall_clock_that_jumps_back_loses_nothing(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.accept_unleased(new("b", &["r"])).await;
    b.clock.jump_to(Millis(START.0 - 3_600_000));
    // Leased work ends as it would have.
    b.record(attempt(&delivery, Decision::Delivered)).await;
    // Other work says when it is due, and is, at the latest when the clock is there again.
    let waiting = b.claim_runs(9).await;
    if waiting.items.is_empty() {
        assert_eq!(waiting.next_due, Some(START));
        b.clock.advance(HOUR);
        assert_eq!(run_names(&b.claim_runs(9).await), ["b"]);
    } else {
        assert_eq!(run_names(&waiting), ["b"]);
    }
    assert_eq!(b.shown("b").await.runs.len(), 1);
}

pub(in crate::store) async fn work_under_a_lease_survives_jumps(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.clock.jump_to(START.after(HOUR));
    b.clock.jump_to(Millis(START.0 - 3_600_000));
    b.clock.jump_to(START);
    b.clock.advance(MINUTE / 2);
    assert!(b.claim_runs(9).await.items.is_empty());
    b.done(result(&run, RunEnd::Retry(b.clock.now(), "again".into()))).await;
    let again = one(b.claim_runs(9).await);
    b.clock.jump_to(Millis(0));
    b.clock.advance(MINUTE);
    b.clock.jump_to(START.after(MINUTE));
    assert_ne!(one(b.claim_runs(9).await).lease, again.lease, "a minute has passed, whatever the wall says");
}
