//! `record_attempts`: an attempt and what follows from it, as one.

use std::time::Duration;

use super::support::{ALMOST_AN_HOUR, DONE, HOUR, SECOND, START, Subject, attempt, header, one, open};
use crate::model::{AttemptError, Decision, DeliveryState, Millis, Outcome};
use crate::store::Recorded;

pub(in crate::store) async fn a_2xx_delivers(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    assert_eq!(b.record(attempt(&delivery, Decision::Delivered)).await, DONE);
    let (shown, attempts) = b.delivery(&delivery.id).await;
    assert_eq!((shown.state, shown.attempts, shown.due), (DeliveryState::Delivered, 1, None));
    assert_eq!(shown.reason.as_deref(), Some("because"));
    assert_eq!(attempts.len(), 1);
    assert_eq!(b.waiting().await, (0, 0, Vec::new()));
    b.clock.advance(HOUR);
    assert!(b.claim("d", 9).await.items.is_empty());
}

pub(in crate::store) async fn a_retry_is_pending_until_its_due_time(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    let due = START.after(HOUR);
    b.record(attempt(&delivery, Decision::Retry(due))).await;
    let (shown, _) = b.delivery(&delivery.id).await;
    assert_eq!((shown.state, shown.attempts, shown.due), (DeliveryState::Pending, 1, Some(due)));
    b.clock.advance(ALMOST_AN_HOUR);
    assert!(b.claim("d", 9).await.items.is_empty());
    b.clock.advance(SECOND);
    let again = one(b.claim("d", 9).await);
    assert_eq!((again.attempts, &again.id), (1, &delivery.id));
    b.record(attempt(&again, Decision::Delivered)).await;
    let (shown, attempts) = b.delivery(&delivery.id).await;
    assert_eq!((shown.state, shown.attempts), (DeliveryState::Delivered, 2));
    assert_eq!(
        attempts.iter().map(|a| (a.number, a.decision)).collect::<Vec<_>>(),
        [(1, Decision::Retry(due)), (2, Decision::Delivered)]
    );
}

pub(in crate::store) async fn an_answer_of_410_costs_no_part_of_the_schedule(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    let mut gone = attempt(&delivery, Decision::Retry(START));
    gone.attempt.outcome = Outcome::Status(410);
    b.record(gone).await;
    let (shown, attempts) = b.delivery(&delivery.id).await;
    assert_eq!((shown.state, shown.attempts, attempts.len()), (DeliveryState::Pending, 0, 1));
    let again = one(b.claim("d", 9).await);
    b.record(attempt(&again, Decision::Retry(START))).await;
    let (shown, attempts) = b.delivery(&delivery.id).await;
    assert_eq!((shown.attempts, attempts.len()), (1, 2));
}

pub(in crate::store) async fn a_dead_delivery_is_kept(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.record(attempt(&delivery, Decision::Dead)).await;
    let (shown, attempts) = b.delivery(&delivery.id).await;
    assert_eq!((shown.state, shown.due, attempts.len()), (DeliveryState::Dead, None, 1));
    b.clock.advance(HOUR);
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.waiting().await.2, []);
}

pub(in crate::store) async fn every_part_of_an_attempt_is_kept(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    let mut refused = attempt(&delivery, Decision::Retry(START));
    let kinds = [
        AttemptError::Dns,
        AttemptError::Connect,
        AttemptError::Tls,
        AttemptError::Timeout,
        AttemptError::Reset,
        AttemptError::RefusedByGuard,
        AttemptError::Unsignable,
        AttemptError::TooLarge,
        AttemptError::Other,
    ];
    let mut expected = Vec::new();
    for (kind, number) in kinds.into_iter().zip(1..) {
        refused.attempt.number = number;
        refused.attempt.outcome = Outcome::Error { kind, detail: format!("{kind:?}") };
        expected.push(refused.attempt.clone());
        assert_eq!(b.record(refused.clone()).await, DONE);
        refused.lease = one(b.claim("d", 9).await).lease;
    }
    let mut answered = refused;
    answered.attempt.number = 9;
    answered.attempt.started_at = Millis(START.0 + 17);
    answered.attempt.duration = Duration::from_micros(1_234_567);
    answered.attempt.outcome = Outcome::Status(599);
    answered.attempt.address = Some("[2001:db8::1]:443".parse().unwrap());
    answered.attempt.response_headers = vec![header("retry-after", "5"), header("x", "\"")];
    answered.attempt.response_body = b"no\0\xff"[..].into();
    answered.attempt.decision = Decision::Dead;
    answered.attempt.reason = "the last of nine".into();
    expected.push(answered.attempt.clone());
    b.record(answered).await;
    assert_eq!(b.delivery(&delivery.id).await.1, expected);
}

pub(in crate::store) async fn an_attempt_under_a_stale_lease_is_refused(subject: &dyn Subject) {
    let b = open(subject).await;
    let good = b.deliver("good", "d").await;
    let mut stale = b.deliver("stale", "d").await;
    stale.lease = stale.lease.wrapping_add(1000);
    let batch = vec![attempt(&stale, Decision::Delivered), attempt(&good, Decision::Delivered)];
    let recorded = b.store.record_attempts(batch).await.unwrap();
    assert_eq!(recorded, [Recorded::Stale, DONE]);
    let (shown, attempts) = b.delivery(&stale.id).await;
    assert_eq!((shown.state, shown.attempts, attempts.len()), (DeliveryState::Pending, 0, 0));
    assert_eq!(b.delivery(&good.id).await.0.state, DeliveryState::Delivered);
}

pub(in crate::store) async fn an_attempt_is_recorded_once(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    let record = attempt(&delivery, Decision::Delivered);
    let recorded = b.store.record_attempts(vec![record.clone(), record]).await.unwrap();
    assert_eq!(recorded, [DONE, Recorded::Stale]);
    assert_eq!(b.delivery(&delivery.id).await.1.len(), 1);
}

pub(in crate::store) async fn another_deliverys_lease_is_refused(subject: &dyn Subject) {
    let b = open(subject).await;
    let one = b.deliver("a", "d").await;
    let mut other = b.deliver("b", "d").await;
    other.lease = one.lease;
    assert_eq!(b.record(attempt(&other, Decision::Delivered)).await, Recorded::Stale);
    assert_eq!(b.delivery(&other.id).await.0.state, DeliveryState::Pending);
    assert_eq!(b.record(attempt(&one, Decision::Delivered)).await, DONE);
}
