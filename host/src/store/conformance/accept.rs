//! `accept`: durable events, their runs, and repeats.

use super::support::{
    ALMOST_A_MINUTE, DONE, HOUR, MINUTE, SECOND, Subject, attempt, event, keyed, new, one, open, result,
    run_names, run_of, to,
};
use crate::model::{Decision, DeliveryState, EventId, Millis, RunState};
use crate::store::{Accepted, NewEvent, NewRun, RunEnd};

fn duplicate_of(accepted: &Accepted) -> Option<&str> {
    match accepted {
        Accepted::New(_) => None,
        Accepted::Duplicate(id) => Some(id.as_str()),
    }
}

pub(in crate::store) async fn an_event_has_one_pending_run_for_each_route(subject: &dyn Subject) {
    let b = open(subject).await;
    assert!(
        matches!(b.accept_unleased(new("a", &["r2", "r1"])).await, Accepted::New(runs) if runs.is_empty())
    );
    let shown = b.shown("a").await;
    assert_eq!(shown.event, event("a"));
    let runs: Vec<_> = shown.runs.iter().map(|run| (run.route.as_str(), run.state, run.due)).collect();
    let due = Some(b.clock.now());
    assert_eq!(runs, [("r1", RunState::Pending, due), ("r2", RunState::Pending, due)]);
    assert_eq!(b.claim_runs(9).await.items.len(), 2);
}

pub(in crate::store) async fn an_event_without_a_route_is_recorded(subject: &dyn Subject) {
    let b = open(subject).await;
    assert!(b.accept("a", &[]).await.is_empty());
    let shown = b.shown("a").await;
    assert_eq!(shown.event, event("a"));
    assert!(shown.runs.is_empty());
    assert!(b.claim_runs(9).await.items.is_empty());
}

pub(in crate::store) async fn a_run_that_is_dead_on_arrival_stays_so_and_a_sound_repeat_is_an_event(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    let dead = |name| NewEvent {
        routes: vec![NewRun { dead: Some("unfit".into()), ..run_of("r") }],
        ..keyed(name, "k", HOUR)
    };
    let accepted = b.store.accept(vec![dead("a")], Some(MINUTE)).await.unwrap();
    assert!(matches!(&accepted[..], [Accepted::New(runs)] if runs.is_empty()));
    let run = b.run("a").await;
    assert_eq!((run.state, run.reason.as_deref(), run.due), (RunState::Failed, Some("unfit"), None));
    assert_eq!(b.store.backlog().await.unwrap().runs, 0);
    assert!(b.claim_runs(9).await.items.is_empty());
    // A repeat that is as unfit is one. What is sound is another event, which repeats mean
    // from then on, whatever they hold.
    assert_eq!(duplicate_of(&b.accept_unleased(dead("b")).await), Some("evt_a"));
    assert_eq!(b.run("a").await.state, RunState::Failed);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("c", "k", HOUR)).await), None);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("d", "k", HOUR)).await), Some("evt_c"));
    assert_eq!(duplicate_of(&b.accept_unleased(dead("e")).await), Some("evt_c"));
    assert_eq!((b.run("a").await.state, b.shown("a").await.repeats), (RunState::Failed, 1));
    let runs = b.claim_runs(9).await;
    assert_eq!(run_names(&runs), ["c"]);
    assert_eq!((&one(runs).event.body, b.shown("c").await.repeats), (&event("c").body, 2));
}

pub(in crate::store) async fn a_batch_is_answered_in_order(subject: &dyn Subject) {
    let b = open(subject).await;
    let batch = vec![keyed("a", "k", HOUR), new("b", &["r", "s"]), keyed("c", "k", HOUR), new("d", &[])];
    let accepted = b.store.accept(batch, Some(MINUTE)).await.unwrap();
    let told: Vec<_> = accepted
        .iter()
        .map(|accepted| match accepted {
            Accepted::New(runs) => {
                runs.iter().map(|run| (run.event.id.as_str(), run.route.as_str())).collect()
            }
            Accepted::Duplicate(id) => vec![("duplicate", id.as_str())],
        })
        .collect();
    let expected =
        [vec![("evt_a", "r")], vec![("evt_b", "r"), ("evt_b", "s")], vec![("duplicate", "evt_a")], vec![]];
    assert_eq!(told, expected);
}

pub(in crate::store) async fn with_a_lease_new_runs_are_claimed_in_the_same_step(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept("a", &["r"]).await.remove(0);
    assert_eq!((run.route.as_str(), run.generation, run.attempts), ("r", 0, 0));
    assert_eq!(*run.event, event("a"));
    assert!(b.claim_runs(9).await.items.is_empty());
    b.done(result(&run, to(&run, &["d"]))).await;
    assert_eq!(b.run("a").await.state, RunState::Processed);
}

pub(in crate::store) async fn a_repeat_inside_the_window_is_answered_with_the_first_id(
    subject: &dyn Subject,
) {
    let b = open(subject).await;
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("a", "k", MINUTE)).await), None);
    b.clock.advance(ALMOST_A_MINUTE);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("b", "k", MINUTE)).await), Some("evt_a"));
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("c", "k", MINUTE)).await), Some("evt_a"));
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("d", "other", MINUTE)).await), None);
    assert_eq!(b.shown("a").await.repeats, 2);
    assert!(b.store.event(&EventId::from_text("evt_b")).await.unwrap().is_none());
    assert_eq!(run_names(&b.claim_runs(9).await), ["a", "d"]);
}

pub(in crate::store) async fn a_repeat_in_the_same_batch_is_one(subject: &dyn Subject) {
    let b = open(subject).await;
    let batch = vec![keyed("a", "k", MINUTE), keyed("b", "k", MINUTE)];
    let accepted = b.store.accept(batch, None).await.unwrap();
    assert_eq!(accepted.iter().map(duplicate_of).collect::<Vec<_>>(), [None, Some("evt_a")]);
    assert_eq!(b.shown("a").await.repeats, 1);
}

pub(in crate::store) async fn keys_of_other_sources_are_other_keys(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(keyed("a", "k", MINUTE)).await;
    let mut other = keyed("b", "k", MINUTE);
    other.event.source = "stripe".into();
    assert_eq!(duplicate_of(&b.accept_unleased(other).await), None);
}

pub(in crate::store) async fn after_the_window_a_key_is_new_again(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(keyed("a", "k", MINUTE)).await;
    b.clock.advance(MINUTE);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("b", "k", MINUTE)).await), None);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("c", "k", MINUTE)).await), Some("evt_b"));
    assert_eq!((b.shown("a").await.repeats, b.shown("b").await.repeats), (0, 1));
}

pub(in crate::store) async fn a_window_is_counted_from_the_first(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(keyed("a", "k", MINUTE)).await;
    b.clock.advance(ALMOST_A_MINUTE);
    b.accept_unleased(keyed("b", "k", HOUR)).await;
    b.clock.advance(SECOND);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("c", "k", MINUTE)).await), None);
}

pub(in crate::store) async fn a_repeat_makes_failed_runs_due_again(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(keyed("a", "k", HOUR)).await;
    let run = one(b.claim_runs(9).await);
    b.done(result(&run, RunEnd::Retry(Millis(0), "not yet".into()))).await;
    let run = one(b.claim_runs(9).await);
    assert_eq!(run.attempts, 1);
    b.done(result(&run, RunEnd::Failed("broken".into()))).await;
    b.clock.advance(MINUTE);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("b", "k", HOUR)).await), Some("evt_a"));
    let shown = b.run("a").await;
    assert_eq!((shown.state, shown.due, shown.attempts), (RunState::Pending, Some(b.clock.now()), 0));
    assert_eq!(b.waiting().await.0, 1);
    let again = one(b.claim_runs(9).await);
    assert_eq!((again.event.id.as_str(), again.attempts), ("evt_a", 0));
}

pub(in crate::store) async fn a_repeat_leaves_other_runs_alone(subject: &dyn Subject) {
    let b = open(subject).await;
    let first = NewEvent { routes: vec![run_of("done"), run_of("failed")], ..keyed("a", "k", HOUR) };
    b.accept_unleased(first).await;
    for run in b.claim_runs(9).await.items {
        let end = if run.route == "done" { to(&run, &["d"]) } else { RunEnd::Failed("broken".into()) };
        b.done(result(&run, end)).await;
    }
    b.accept_unleased(keyed("b", "k", HOUR)).await;
    let states: Vec<_> = b.shown("a").await.runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Processed, RunState::Pending]);
    assert_eq!(one(b.claim_runs(9).await).route, "failed");
}

pub(in crate::store) async fn a_repeat_makes_dead_deliveries_due_again(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_unleased(keyed("a", "k", HOUR)).await;
    let run = one(b.claim_runs(9).await);
    let first = b.done(result(&run, to(&run, &["d"]))).await.remove(0);
    b.record(attempt(&first, Decision::Retry(Millis(0)))).await;
    b.record(attempt(&one(b.claim("d", 9).await), Decision::Dead)).await;
    b.clock.advance(MINUTE);
    assert_eq!(duplicate_of(&b.accept_unleased(keyed("b", "k", HOUR)).await), Some("evt_a"));

    let (shown, attempts) = b.delivery(&first.id).await;
    assert_eq!((shown.state, shown.due), (DeliveryState::Pending, Some(b.clock.now())));
    assert_eq!((shown.attempts, attempts.len()), (0, 2), "a new schedule; what was tried is kept");
    assert_eq!(b.waiting().await, (0, 0, vec![("d".into(), 1)]));

    let again = one(b.claim("d", 9).await);
    assert_eq!((&again.id, again.attempts), (&first.id, 0));
    assert_eq!(b.record(attempt(&again, Decision::Retry(Millis(0)))).await, DONE);
    assert_eq!(b.record(attempt(&one(b.claim("d", 9).await), Decision::Delivered)).await, DONE);
    let (shown, attempts) = b.delivery(&first.id).await;
    assert_eq!((shown.state, shown.attempts), (DeliveryState::Delivered, 2));
    assert_eq!(attempts.iter().map(|a| a.number).collect::<Vec<_>>(), [1, 2, 1, 2], "in the order made");
    assert_eq!(b.waiting().await, (0, 0, Vec::new()));
}

pub(in crate::store) async fn a_repeat_leaves_other_deliveries_alone(subject: &dyn Subject) {
    let b = open(subject).await;
    let other = b.deliver("other", "dead").await;
    b.record(attempt(&other, Decision::Dead)).await;
    b.accept_unleased(keyed("a", "k", HOUR)).await;
    let run = one(b.claim_runs(9).await);
    let later = b.clock.now().after(HOUR);
    for delivery in b.done(result(&run, to(&run, &["done", "later", "dead"]))).await {
        let decision = match delivery.destination.as_str() {
            "done" => Decision::Delivered,
            "later" => Decision::Retry(later),
            _ => Decision::Dead,
        };
        b.record(attempt(&delivery, decision)).await;
    }
    b.accept_unleased(keyed("b", "k", HOUR)).await;
    let shown = b.shown("a").await.deliveries;
    let shown: Vec<_> = shown.iter().map(|d| (d.destination.as_str(), d.state, d.due, d.attempts)).collect();
    let now = b.clock.now();
    assert_eq!(
        shown,
        [
            ("done", DeliveryState::Delivered, None, 1),
            ("later", DeliveryState::Pending, Some(later), 1),
            ("dead", DeliveryState::Pending, Some(now), 0),
        ]
    );
    assert_eq!(b.delivery(&other.id).await.0.state, DeliveryState::Dead);
    assert_eq!(b.waiting().await.2, [("dead".into(), 1), ("later".into(), 1)]);
}
