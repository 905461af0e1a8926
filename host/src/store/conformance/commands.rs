//! What operators do to deliveries.

use super::support::{DONE, HOUR, MINUTE, NEXT, Subject, attempt, delivery_names, one, open, result, to};
use crate::model::{Decision, DeliveryId, DeliveryState};
use crate::store::{Commanded, DeliveryCommand};
use DeliveryCommand::{Cancel, Retry};
use DeliveryState::{Cancelled, Delivered, Pending};

pub(in crate::store) async fn a_dead_one_is_due_at_the_beginning_of_its_schedule(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.record(attempt(&delivery, Decision::Dead)).await;
    assert_eq!(b.delivery(&delivery.id).await.0.ended_at, Some(b.clock.now()));
    b.clock.advance(MINUTE);
    assert_eq!(b.command(&delivery.id, Retry).await, Commanded::Done(Pending));
    let (shown, attempts) = b.delivery(&delivery.id).await;
    assert_eq!((shown.state, shown.due, shown.ended_at), (Pending, Some(b.clock.now()), None));
    assert_eq!((shown.attempts, attempts.len()), (0, 1), "what was tried is kept");
    assert_eq!(b.waiting().await.2, [("d".into(), 1)]);
    let again = one(b.claim("d", 9).await);
    assert_eq!((&again.id, again.attempts), (&delivery.id, 0));
    assert_eq!(b.record(attempt(&again, Decision::Delivered)).await, DONE);
    assert_eq!(b.waiting().await.2, []);
}

pub(in crate::store) async fn a_pending_one_is_due_now_and_goes_on_with_its_schedule(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.record(attempt(&delivery, Decision::Retry(b.clock.now().after(HOUR)))).await;
    b.clock.advance(MINUTE);
    assert_eq!(b.command(&delivery.id, Retry).await, Commanded::Done(Pending));
    assert_eq!(b.delivery(&delivery.id).await.0.due, Some(b.clock.now()));
    assert_eq!(one(b.claim("d", 9).await).attempts, 1);
    assert_eq!(b.waiting().await.2, [("d".into(), 1)]);
}

pub(in crate::store) async fn one_that_is_under_way_is_not_sent_twice(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    let before = b.delivery(&delivery.id).await;
    b.clock.advance(MINUTE / 2);
    assert_eq!(b.command(&delivery.id, Retry).await, Commanded::Done(Pending));
    assert_eq!(b.delivery(&delivery.id).await, before);
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.record(attempt(&delivery, Decision::Delivered)).await, DONE);
}

pub(in crate::store) async fn a_cancelled_one_is_sent_no_more(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.store.commit_processed(vec![result(&run, to(&run, &["d", "e"]))], None).await.unwrap();
    let delivery = b.shown("a").await.deliveries.remove(0);
    b.clock.advance(MINUTE);
    assert_eq!(b.command(&delivery.id, Cancel).await, Commanded::Done(Cancelled));
    let shown = b.delivery(&delivery.id).await.0;
    assert_eq!((shown.state, shown.due, shown.ended_at), (Cancelled, None, Some(b.clock.now())));
    assert_eq!(b.waiting().await.2, [("e".into(), 1)]);
    b.clock.advance(HOUR);
    let claimed = b.claim("d", 9).await;
    assert_eq!((claimed.items.len(), claimed.next_due), (0, None));

    assert_eq!(b.command(&delivery.id, Retry).await, Commanded::Done(Pending));
    assert_eq!(b.waiting().await.2, [("d".into(), 1), ("e".into(), 1)]);
    assert_eq!(one(b.claim("d", 9).await).id, delivery.id);
}

pub(in crate::store) async fn what_happened_after_a_cancel_is_what_is_shown(subject: &dyn Subject) {
    let b = open(subject).await;
    b.deliver("other", "d").await;
    let later = b.clock.now().after(HOUR);
    let table = [
        ("arrived", Decision::Delivered, Delivered),
        ("refused", Decision::Retry(later), Cancelled),
        ("gave-up", Decision::Dead, Cancelled),
    ];
    for (name, decision, expected) in table {
        let delivery = b.deliver(name, "d").await;
        assert_eq!(b.command(&delivery.id, Cancel).await, Commanded::Done(Cancelled));
        let cancelled_at = b.clock.now();
        b.clock.advance(MINUTE / 2);
        assert_eq!(b.record(attempt(&delivery, decision)).await, DONE);
        let (shown, attempts) = b.delivery(&delivery.id).await;
        assert_eq!((shown.state, shown.due, attempts.len()), (expected, None, 1), "{name}");
        let ended_at = if expected == Delivered { b.clock.now() } else { cancelled_at };
        assert_eq!(shown.ended_at, Some(ended_at), "{name}");
        assert_eq!(b.waiting().await.2, [("d".into(), 1)], "{name}: the other one");
        let claimed = delivery_names(&b.claim("d", 9).await);
        assert!(!claimed.contains(&name.to_owned()), "{name}");
    }
}

pub(in crate::store) async fn one_cancelled_and_retried_under_way_waits_for_its_attempt(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.command(&delivery.id, Cancel).await;
    b.command(&delivery.id, Retry).await;
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.record(attempt(&delivery, Decision::Delivered)).await, DONE);
    assert_eq!(b.delivery(&delivery.id).await.0.state, Delivered);
    assert_eq!(b.waiting().await.2, []);
}

pub(in crate::store) async fn what_cannot_be_done_is_refused(subject: &dyn Subject) {
    let b = open(subject).await;
    let [delivered, dead, cancelled] =
        [b.deliver("a", "d").await, b.deliver("b", "d").await, b.deliver("c", "d").await];
    b.record(attempt(&delivered, Decision::Delivered)).await;
    b.record(attempt(&dead, Decision::Dead)).await;
    b.command(&cancelled.id, Cancel).await;
    let all = || {
        let ids = [&delivered.id, &cancelled.id, &dead.id].map(Clone::clone);
        [ids.to_vec(), vec![DeliveryId::from_text("msg_none")]].concat()
    };
    let commanded = b.store.command_deliveries(all(), Cancel).await.unwrap();
    let refused = [Commanded::Refused(Delivered), Commanded::Refused(Cancelled)];
    assert_eq!(commanded[..2], refused);
    assert_eq!(commanded[2..], [Commanded::Done(Cancelled), Commanded::NotFound]);
    let commanded = b.store.command_deliveries(all(), Retry).await.unwrap();
    assert_eq!(commanded[0], Commanded::Refused(Delivered));
    assert_eq!(commanded[1..3], [Commanded::Done(Pending), Commanded::Done(Pending)]);
    assert_eq!(b.waiting().await.2, [("d".into(), 2)]);
}

pub(in crate::store) async fn commands_keep_lines_in_order(subject: &dyn Subject) {
    let b = open(subject).await;
    b.stand("a", "k").await;
    let second = b.stand("b", "k").await;
    let third = b.stand("c", "k").await;
    b.stand("d", "k").await;
    assert_eq!(b.command(&second, Retry).await, Commanded::Done(Pending));
    assert_eq!(b.delivery(&second).await.0.due, None, "it waits for its turn");
    assert_eq!(b.command(&third, Cancel).await, Commanded::Done(Cancelled));
    assert_eq!(b.delivery(&third).await.0.line, None);
    let first = one(b.claim("d", 9).await);
    // Under way, and taken back: the next one begins.
    assert_eq!(b.command(&first.id, Cancel).await, Commanded::Done(Cancelled));
    assert_eq!(delivery_names(&b.claim("d", 9).await), ["b"]);
    b.clock.advance(MINUTE);
    assert_eq!(b.record(attempt(&first, Decision::Delivered)).await, DONE, "it promoted when it left");
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("b".into(), NEXT));
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("d".into(), DONE));
}
