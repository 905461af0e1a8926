//! `commit_processed`: where runs go, and the deliveries that they become.

use super::support::{
    ALMOST_AN_HOUR, DONE, HOUR, MINUTE, SECOND, Subject, attempt, delivery_id, event, header, held_by, name,
    new, one, open, result, to,
};
use crate::model::{Decision, DeliveryId, DeliveryState, Message, RunState, StepRecord, StepVerdict};
use crate::store::{Committed, Holder, NewDelivery, Resumed, RunEnd};

pub(in crate::store) async fn deliveries_are_born_pending_and_due(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.clock.advance(SECOND);
    let committed = b.store.commit_processed(vec![result(&run, to(&run, &["x", "y"]))], None).await.unwrap();
    assert!(matches!(&committed[..], [Committed::Done(leased)] if leased.leased.is_empty()));
    let shown = b.shown("a").await;
    assert_eq!(shown.runs[0].state, RunState::Processed);
    assert_eq!(shown.runs[0].due, None);
    let destinations: Vec<_> = shown.deliveries.iter().map(|d| d.destination.as_str()).collect();
    assert_eq!(destinations, ["x", "y"]);
    let first = &shown.deliveries[0];
    assert_eq!((first.state, first.attempts, &first.reason), (DeliveryState::Pending, 0, &None));
    assert_eq!((first.due, first.created_at), (Some(b.clock.now()), b.clock.now()));
    assert_eq!((first.route.as_str(), first.generation), ("r", 0));
    assert_eq!(one(b.claim("x", 9).await).id, delivery_id(&run, "x"));
}

pub(in crate::store) async fn with_a_lease_new_deliveries_are_handed_over(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    let message = Message {
        body: Some("made of it".into()),
        content_type: Some("text/plain".into()),
        event_type: Some("made".into()),
        set_headers: vec![header("x-set", "1"), header("x-set", "2")],
        remove_headers: vec!["x-b".into()],
    };
    let own = NewDelivery::new(DeliveryId::from_text("msg_own"), "d", message);
    let RunEnd::Processed(mut new) = to(&run, &["plain"]) else { unreachable!() };
    new.push(own.clone());
    let handed = b.done(result(&run, RunEnd::Processed(new))).await;
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!((&handed[0].message, handed[0].body()), (&Message::default(), &event("a").body));
    assert_eq!((&handed[1].message, &handed[1].id, handed[1].attempts), (&own.message, &own.id, 0));
    assert_eq!(b.record(attempt(&handed[0], Decision::Delivered)).await, DONE);
    // What is claimed later is the same as what was handed over.
    b.store.release(Vec::new(), vec![(own.id.clone(), handed[1].lease)]).await.unwrap();
    let claimed = one(b.claim("d", 9).await);
    assert_eq!((claimed.id, claimed.message), (own.id, own.message));
    assert_eq!((*claimed.event).clone(), event("a"));
    assert_eq!((claimed.route.as_str(), claimed.destination.as_str(), claimed.generation), ("r", "d", 0));
}

pub(in crate::store) async fn a_run_without_deliveries_is_processed(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    assert!(b.done(result(&run, RunEnd::Processed(Vec::new()))).await.is_empty());
    assert_eq!(b.run("a").await.state, RunState::Processed);
    assert!(b.shown("a").await.deliveries.is_empty());
}

fn step(verdict: StepVerdict) -> StepRecord {
    StepRecord {
        plugin: "drop-bots".into(),
        digest: "0123456789abcdef".into(),
        version: "1.2.3".into(),
        verdict,
        reason: Some("a bot".into()),
        micros: 21,
    }
}

pub(in crate::store) async fn a_dropped_run_keeps_its_reason_and_steps(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    let mut dropped = result(&run, RunEnd::Dropped("drop-bots: a bot".into()));
    dropped.steps = vec![step(StepVerdict::Pass), step(StepVerdict::Drop)];
    b.done(dropped).await;
    let shown = b.run("a").await;
    assert_eq!((shown.state, shown.reason.as_deref()), (RunState::Dropped, Some("drop-bots: a bot")));
    assert_eq!(shown.steps, [step(StepVerdict::Pass), step(StepVerdict::Drop)]);
    assert_eq!(b.waiting().await.0, 0);
}

pub(in crate::store) async fn a_failed_run_keeps_its_reason(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.done(result(&run, RunEnd::Failed("it trapped".into()))).await;
    let shown = b.run("a").await;
    assert_eq!((shown.state, shown.reason.as_deref()), (RunState::Failed, Some("it trapped")));
    assert_eq!((shown.due, shown.held), (None, false));
    b.clock.advance(HOUR);
    assert!(b.claim_runs(9).await.items.is_empty());
}

pub(in crate::store) async fn a_run_to_retry_is_due_then_and_counts_an_attempt(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    let due = b.clock.now().after(HOUR);
    b.done(result(&run, RunEnd::Retry(due, "the plugin asked".into()))).await;
    let shown = b.run("a").await;
    assert_eq!((shown.state, shown.due, shown.attempts), (RunState::Pending, Some(due), 1));
    assert_eq!(shown.reason.as_deref(), Some("the plugin asked"));
    b.clock.advance(ALMOST_AN_HOUR);
    assert!(b.claim_runs(9).await.items.is_empty());
    b.clock.advance(SECOND);
    let again = one(b.claim_runs(9).await);
    assert_eq!(again.attempts, 1);
    b.done(result(&again, to(&again, &["d"]))).await;
    assert_eq!(b.run("a").await.reason, None);
}

pub(in crate::store) async fn a_held_run_waits_and_counts_no_attempt(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.done(held_by(&run, "redact", "redact is missing")).await;
    let shown = b.run("a").await;
    assert_eq!((shown.state, shown.held, shown.attempts), (RunState::Pending, true, 0));
    assert_eq!((shown.reason.as_deref(), shown.due), (Some("redact is missing"), None));
    b.clock.advance(HOUR);
    assert!(b.claim_runs(9).await.items.is_empty());
    assert_eq!(b.resume("r", Some("redact"), 0, 9).await.count, 1);
    let shown = b.run("a").await;
    assert_eq!((shown.state, shown.held, shown.due), (RunState::Pending, false, Some(b.clock.now())));
    let again = one(b.claim_runs(9).await);
    assert_eq!(again.attempts, 0);
    b.done(result(&again, to(&again, &["d"]))).await;
    assert_eq!(b.resume("r", Some("redact"), 0, 9).await.count, 0);
    assert_eq!(b.store.holders().await.unwrap(), []);
}

pub(in crate::store) async fn resuming_stops_at_its_limit_and_goes_on_behind_it(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["a", "b", "c"] {
        let run = b.accept(name, &["r"]).await.remove(0);
        b.done(held_by(&run, "p", "missing")).await;
    }
    let first = b.resume("r", Some("p"), 0, 2).await;
    assert_eq!(first.count, 2);
    assert_eq!(b.waiting().await, (3, 1, Vec::new()));
    let claimed = b.claim_runs(9).await.items;
    assert_eq!(claimed.len(), 2);
    // What is held again meanwhile had its turn.
    b.done(held_by(&claimed[0], "p", "still missing")).await;
    let second = b.resume("r", Some("p"), first.last, 2).await;
    assert_eq!((second.count, b.claim_runs(9).await.items.len()), (1, 1));
    let rest = b.resume("r", Some("p"), second.last, 2).await;
    assert_eq!(rest, Resumed { count: 0, last: second.last });
    assert_eq!(b.resume("r", Some("p"), 0, 2).await.count, 1);
}

pub(in crate::store) async fn only_those_go_on_whose_holder_is_named(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["a", "b"] {
        let runs = b.accept(name, &["gone", "r", "s"]).await;
        b.done(result(&runs[0], RunEnd::Held("the route is gone".into()))).await;
        b.done(held_by(&runs[1], "p", "missing")).await;
        b.done(held_by(&runs[2], if name == "a" { "p" } else { "q" }, "missing")).await;
    }
    let holder =
        |route: &str, plugin: Option<&str>| Holder { route: route.into(), plugin: plugin.map(Into::into) };
    let all = [holder("gone", None), holder("r", Some("p")), holder("s", Some("p")), holder("s", Some("q"))];
    assert_eq!(b.store.holders().await.unwrap(), all);
    let b = b.reopen(subject).await;
    assert_eq!(b.store.holders().await.unwrap(), all);
    assert_eq!(b.resume("r", Some("q"), 0, 9).await.count, 0);
    assert_eq!(b.resume("r", None, 0, 9).await.count, 0);
    assert_eq!(b.resume("s", Some("q"), 0, 9).await.count, 1);
    let claimed = one(b.claim_runs(9).await);
    assert_eq!((claimed.route.as_str(), claimed.event.id.as_str()), ("s", "evt_b"));
    assert_eq!(b.resume("gone", None, 0, 9).await.count, 2);
    assert_eq!(b.waiting().await, (6, 3, Vec::new()));
    assert_eq!(b.store.holders().await.unwrap(), [holder("r", Some("p")), holder("s", Some("p"))]);
}

pub(in crate::store) async fn a_second_commit_is_stale_and_changes_nothing(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    b.done(result(&run, to(&run, &["d"]))).await;
    assert!(matches!(b.commit(result(&run, RunEnd::Failed("late".into()))).await, Committed::Stale));
    assert!(matches!(b.commit(result(&run, to(&run, &["other"]))).await, Committed::Stale));
    let shown = b.shown("a").await;
    assert_eq!((shown.runs[0].state, shown.deliveries.len()), (RunState::Processed, 1));
}

pub(in crate::store) async fn a_delivery_that_exists_is_left_as_it_is(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    let delivered = b.done(result(&run, to(&run, &["d"]))).await.remove(0);
    b.record(attempt(&delivered, Decision::Delivered)).await;
    let other = b.accept("b", &["r"]).await.remove(0);
    let other_bytes = Message { body: Some("other bytes".into()), ..Message::default() };
    let same = NewDelivery::new(delivered.id.clone(), "d", other_bytes);
    let RunEnd::Processed(mut new) = to(&other, &["e"]) else { unreachable!() };
    new.push(same);
    let handed = b.done(result(&other, RunEnd::Processed(new))).await;
    assert_eq!(handed.iter().map(|d| d.destination.as_str()).collect::<Vec<_>>(), ["e"]);
    let (shown, attempts) = b.delivery(&delivered.id).await;
    assert_eq!((shown.state, name(&shown.event), attempts.len()), (DeliveryState::Delivered, "a".into(), 1));
    assert_eq!(b.waiting().await.2, [("e".to_owned(), 1)]);
}

pub(in crate::store) async fn one_stale_result_leaves_the_others(subject: &dyn Subject) {
    let b = open(subject).await;
    let good = b.accept("good", &["r"]).await.remove(0);
    let gone = b.accept("gone", &["r"]).await.remove(0);
    b.done(result(&gone, RunEnd::Dropped("no".into()))).await;
    b.accept_unleased(new("unclaimed", &["r"])).await;
    let mut guessed = one(b.claim_runs(1).await);
    guessed.lease = guessed.lease.wrapping_add(1000);
    let batch = vec![
        result(&gone, to(&gone, &["d"])),
        result(&good, to(&good, &["d"])),
        result(&guessed, to(&guessed, &["d"])),
    ];
    let committed = b.store.commit_processed(batch, Some(MINUTE)).await.unwrap();
    assert!(
        matches!(&committed[..], [Committed::Stale, Committed::Done(one), Committed::Stale] if one.leased.len() == 1)
    );
    assert_eq!(b.run("good").await.state, RunState::Processed);
    assert_eq!(b.run("gone").await.state, RunState::Dropped);
    assert_eq!(b.run("unclaimed").await.state, RunState::Pending);
}
