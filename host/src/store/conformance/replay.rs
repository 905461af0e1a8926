//! Replays: the same event again, under new ids.

use super::support::{
    DONE, HOUR, NEXT, Subject, attempt, delivery_id, in_line, keyed, name, one, open, ordered, result,
    run_of, to,
};
use crate::model::{Decision, DeliveryId, DeliveryState, EventId, Message, Run, RunState};
use crate::store::{NewDelivery, Replay, Replayed, RunEnd};

fn replay(name: &str, routes: &[&str]) -> Replay {
    let routes = routes.iter().map(|route| run_of(route)).collect();
    Replay { event: EventId::from_text(format!("evt_{name}")), routes }
}

fn again_in_line(name: &str) -> Replay {
    Replay { routes: vec![ordered("r")], ..replay(name, &[]) }
}

pub(in crate::store) async fn a_replay_is_a_new_generation_of_runs(subject: &dyn Subject) {
    let b = open(subject).await;
    let first = b.deliver("a", "d").await;
    b.record(attempt(&first, Decision::Delivered)).await;
    let replayed = b.store.replay(vec![replay("a", &["r", "s"])]).await.unwrap();
    assert_eq!(replayed, [Replayed::Done { generation: 1 }]);
    assert_eq!(b.waiting().await, (2, 0, Vec::new()));
    let runs = b.claim_runs(9).await.items;
    let mut found: Vec<_> =
        runs.iter().map(|run| (run.route.as_str(), run.generation, run.attempts)).collect();
    found.sort_unstable();
    assert_eq!(found, [("r", 1, 0), ("s", 1, 0)]);
    assert_eq!(runs[0].event, first.event);

    let run = runs.into_iter().find(|run| run.route == "r").unwrap();
    let id = delivery_id(&run, "d");
    assert_ne!(id, first.id);
    let new =
        NewDelivery { replay_of: Some(first.id.clone()), ..NewDelivery::new(id, "d", Message::default()) };
    let handed = b.done(result(&run, RunEnd::Processed(vec![new]))).await.remove(0);
    assert_eq!((handed.generation, handed.replay_of.as_ref()), (1, Some(&first.id)));
    // What is claimed later says so, too, and so does what is shown.
    b.store.release(Vec::new(), vec![(handed.id.clone(), handed.lease)]).await.unwrap();
    let claimed = one(b.claim("d", 9).await);
    assert_eq!((claimed.generation, claimed.replay_of.as_ref()), (1, Some(&first.id)));
    let shown = b.shown("a").await.deliveries;
    let shown: Vec<_> = shown.into_iter().map(|d| (d.generation, d.replay_of)).collect();
    assert_eq!(shown, [(0, None), (1, Some(first.id))]);
}

pub(in crate::store) async fn each_replay_is_the_next_generation(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept("a", &["r"]).await;
    b.accept("nowhere", &[]).await;
    let batch = vec![
        replay("a", &["s"]),
        replay("a", &["r"]),
        replay("a", &[]),
        replay("none", &["r"]),
        replay("nowhere", &["r"]),
    ];
    let replayed = b.store.replay(batch).await.unwrap();
    let (done, no_route) = (|generation| Replayed::Done { generation }, Replayed::NoRoute);
    assert_eq!(replayed, [done(1), done(2), no_route, Replayed::NotFound, done(1)]);
    assert_eq!(b.waiting().await.0, 4);
    let runs = b.shown("a").await.runs;
    let runs: Vec<_> = runs.iter().map(|run| (run.route.as_str(), run.generation, run.state)).collect();
    assert_eq!(runs, [("r", 0, RunState::Pending), ("r", 2, RunState::Pending), ("s", 1, RunState::Pending)]);
    let b = b.reopen(subject).await;
    assert_eq!(b.store.replay(vec![replay("a", &["r"])]).await.unwrap(), [done(3)]);
}

async fn process(b: &super::support::Bench, run: &Run) -> DeliveryId {
    b.created(result(run, RunEnd::Processed(vec![in_line(run, "d", "k")]))).await;
    delivery_id(run, "d")
}

/// The old events come behind those that were accepted before their replay, and among
/// themselves in the order of their replays.
pub(in crate::store) async fn replays_stand_behind_what_was_accepted_before(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["old-1", "old-2"] {
        b.stand(name, "k").await;
        assert_eq!(b.attempt_next(Decision::Delivered).await.0, name);
    }
    b.stand("a", "k").await;
    let under_way = one(b.claim("d", 9).await);
    b.store.replay(vec![again_in_line("old-2")]).await.unwrap();
    b.store.replay(vec![again_in_line("old-1")]).await.unwrap();
    let runs = b.claim_runs(9).await.items;
    let [second, first] =
        ["old-2", "old-1"].map(|wanted| runs.iter().find(|run| name(&run.event.id) == wanted).unwrap());
    let late = b.accept_ordered("late", &["r"]).await.remove(0);
    process(&b, &late).await;
    process(&b, first).await;
    process(&b, second).await;
    assert_eq!(b.record(attempt(&under_way, Decision::Delivered)).await, NEXT);
    for (expected, recorded) in [("old-2", NEXT), ("old-1", NEXT), ("late", DONE)] {
        assert_eq!(b.attempt_next(Decision::Delivered).await, (expected.into(), recorded));
    }
}

/// A replay that is on its way is passed by no replay that was asked for later.
pub(in crate::store) async fn a_later_replay_of_an_earlier_event_waits(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["old-1", "old-2"] {
        b.stand(name, "k").await;
        b.attempt_next(Decision::Delivered).await;
    }
    b.store.replay(vec![again_in_line("old-2")]).await.unwrap();
    process(&b, &one(b.claim_runs(9).await)).await;
    let under_way = one(b.claim("d", 9).await);
    b.store.replay(vec![again_in_line("old-1")]).await.unwrap();
    process(&b, &one(b.claim_runs(9).await)).await;
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.record(attempt(&under_way, Decision::Delivered)).await, NEXT);
    assert_eq!(b.may_go().await, ["old-1"]);
}

pub(in crate::store) async fn unordered_replays_wait_for_nobody(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_ordered("early", &["r"]).await;
    let first = b.deliver("a", "d").await;
    b.record(attempt(&first, Decision::Delivered)).await;
    b.store.replay(vec![replay("a", &["r"])]).await.unwrap();
    let run = one(b.claim_runs(9).await);
    assert_eq!(b.done(result(&run, to(&run, &["d"]))).await.len(), 1);
}

pub(in crate::store) async fn a_repeat_revives_nothing_that_a_replay_replaced(subject: &dyn Subject) {
    let b = open(subject).await;
    b.store.accept(vec![keyed("a", "k", HOUR)], None).await.unwrap();
    let run = one(b.claim_runs(9).await);
    let dead = b.done(result(&run, to(&run, &["d"]))).await.remove(0);
    b.record(attempt(&dead, Decision::Dead)).await;
    b.store.replay(vec![replay("a", &["r"])]).await.unwrap();
    let run = one(b.claim_runs(9).await);
    let delivered = b.done(result(&run, to(&run, &["d"]))).await.remove(0);
    b.record(attempt(&delivered, Decision::Delivered)).await;
    b.store.accept(vec![keyed("again", "k", HOUR)], None).await.unwrap();
    assert!(b.claim("d", 9).await.items.is_empty(), "the replay has settled it");
    assert_eq!(b.delivery(&dead.id).await.0.state, DeliveryState::Dead);
}
