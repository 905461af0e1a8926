//! Lines: one at a time, in the order of acceptance, and what holds them up.

use super::support::{
    DONE, HOUR, MINUTE, NEXT, SECOND, Subject, attempt, delivery_id, delivery_names, in_line, keyed, name,
    one, open, ordered, result,
};
use crate::model::{Decision, DeliveryState, OnDead, Run};
use crate::store::{Committed, DeliveryCommand, NewDelivery, NewEvent, RunEnd};

fn stands(run: &Run, key: &str) -> RunEnd {
    RunEnd::Processed(vec![in_line(run, "d", key)])
}

pub(in crate::store) async fn the_first_of_a_line_is_due_and_the_others_wait(subject: &dyn Subject) {
    let b = open(subject).await;
    let mut ids = Vec::new();
    for (name, first) in [("a", true), ("b", false), ("c", false)] {
        let run = b.accept_ordered(name, &["r"]).await.remove(0);
        let created = b.created(result(&run, stands(&run, "k"))).await;
        assert_eq!((created.leased.len(), created.claimable, created.dead.len()), (0, first, 0), "{name}");
        ids.push(delivery_id(&run, "d"));
    }
    let mut shown = Vec::new();
    for id in &ids {
        let delivery = b.delivery(id).await.0;
        assert_eq!((delivery.state, delivery.line.as_deref()), (DeliveryState::Pending, Some("k")));
        shown.push(delivery.due);
    }
    assert_eq!(shown, [Some(b.clock.now()), None, None]);
    assert_eq!(b.waiting().await.2, [("d".into(), 3)]);

    let claimed = b.claim("d", 9).await;
    assert_eq!((delivery_names(&claimed), claimed.next_due), (vec!["a".to_owned()], None));
    assert!(b.claim("d", 9).await.items.is_empty(), "a is under way");
    assert_eq!(b.record(attempt(&one(claimed), Decision::Delivered)).await, NEXT);
    assert_eq!(b.delivery(&ids[0]).await.0.line, None, "it left");
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("b".into(), NEXT));
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("c".into(), DONE));
    assert_eq!(b.waiting().await.2, []);
}

pub(in crate::store) async fn lines_go_side_by_side(subject: &dyn Subject) {
    let b = open(subject).await;
    for (name, key) in [("a", "k"), ("b", "l"), ("c", "k"), ("d", "l")] {
        let run = b.accept_ordered(name, &["r"]).await.remove(0);
        let both = vec![in_line(&run, "d", key), in_line(&run, "e", key)];
        b.created(result(&run, RunEnd::Processed(both))).await;
    }
    assert_eq!(b.may_go().await, ["a", "b"]);
    assert_eq!(delivery_names(&b.claim("e", 9).await), ["a", "b"]);
    // What stands in no line waits for none.
    b.deliver("free", "d").await;
    b.deliver("other", "d").await;
    assert_eq!(b.may_go().await, ["a", "b"]);
}

pub(in crate::store) async fn a_retry_keeps_its_place(subject: &dyn Subject) {
    let b = open(subject).await;
    b.stand("a", "k").await;
    b.stand("b", "k").await;
    let later = b.clock.now().after(HOUR);
    assert_eq!(b.attempt_next(Decision::Retry(later)).await, ("a".into(), DONE));
    let none = b.claim("d", 9).await;
    assert_eq!((none.items.len(), none.next_due), (0, Some(later)));
    b.clock.advance(HOUR);
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("a".into(), NEXT));
    assert_eq!(b.may_go().await, ["b"]);
}

pub(in crate::store) async fn an_expired_lease_lets_nobody_past(subject: &dyn Subject) {
    let b = open(subject).await;
    b.stand("a", "k").await;
    b.stand("b", "k").await;
    one(b.claim("d", 9).await);
    b.clock.advance(MINUTE);
    assert_eq!(b.may_go().await, ["a"]);
}

pub(in crate::store) async fn a_dead_one_holds_its_line(subject: &dyn Subject) {
    let b = open(subject).await;
    let a = b.stand("a", "k").await;
    b.stand("b", "k").await;
    b.stand("c", "other").await;
    let first = one_named(b.claim("d", 9).await.items, "a");
    assert_eq!(b.record(attempt(&first, Decision::Dead)).await, DONE);
    let shown = b.delivery(&a).await.0;
    assert_eq!((shown.state, shown.line.as_deref()), (DeliveryState::Dead, Some("k")));
    b.clock.advance(HOUR);
    assert_eq!(b.may_go().await, ["c"], "b waits");

    b.command(&a, DeliveryCommand::Retry).await;
    assert_eq!(b.may_go().await, ["a", "c"], "in its place, and at once");
    let again = one_named(b.claim("d", 9).await.items, "a");
    assert_eq!(b.record(attempt(&again, Decision::Dead)).await, DONE);
    b.command(&a, DeliveryCommand::Cancel).await;
    b.clock.advance(MINUTE);
    assert_eq!(b.may_go().await, ["b", "c"]);
    b.command(&a, DeliveryCommand::Retry).await;
    assert_eq!(b.may_go().await, ["a", "b", "c"], "it gave its place away");
    assert_eq!(b.delivery(&a).await.0.line, None);
}

fn one_named(claimed: Vec<crate::model::Delivery>, wanted: &str) -> crate::model::Delivery {
    claimed.into_iter().find(|delivery| name(&delivery.event.id) == wanted).unwrap()
}

pub(in crate::store) async fn where_the_dead_are_skipped_the_next_goes_on(subject: &dyn Subject) {
    let b = open(subject).await;
    let a = b.stand("a", "k").await;
    b.stand("b", "k").await;
    let mut dead = attempt(&one(b.claim("d", 9).await), Decision::Dead);
    dead.on_dead = OnDead::Skip;
    assert_eq!(b.record(dead).await, NEXT);
    assert_eq!(b.may_go().await, ["b"]);
    let shown = b.delivery(&a).await.0;
    assert_eq!((shown.state, shown.line), (DeliveryState::Dead, None));
    b.command(&a, DeliveryCommand::Retry).await;
    assert_eq!(b.may_go().await, ["a", "b"]);
}

pub(in crate::store) async fn nothing_passes_an_earlier_run_of_its_route(subject: &dyn Subject) {
    let b = open(subject).await;
    let later = b.clock.now().after(HOUR);
    let ends = [
        ("processed", RunEnd::Processed(Vec::new()), true),
        ("dropped", RunEnd::Dropped("no".into()), true),
        ("failed", RunEnd::Failed("no".into()), true),
        ("postponed", RunEnd::Retry(later, "no".into()), false),
        ("held", RunEnd::Held("no".into()), false),
    ];
    for (word, end, passes) in ends {
        let early = b.accept_ordered(&format!("early-{word}"), &["r"]).await.remove(0);
        let late = b.accept_ordered(&format!("late-{word}"), &["r"]).await.remove(0);
        assert!(!b.created(result(&late, stands(&late, word))).await.claimable, "{word}");
        assert_eq!(b.may_go().await, [] as [String; 0], "{word}");
        assert_eq!(b.created(result(&early, end)).await.claimable, passes, "{word}");
        let expected: Vec<_> = passes.then(|| format!("late-{word}")).into_iter().collect();
        assert_eq!(b.may_go().await, expected, "{word}");
        if passes {
            b.attempt_next(Decision::Delivered).await;
        } else {
            // It comes to its end after all, in front of what waited.
            b.resume("r", None, 0, 9).await;
            b.clock.advance(HOUR);
            let again = one(b.claim_runs(9).await);
            assert!(b.created(result(&again, stands(&again, word))).await.claimable);
            assert_eq!(b.attempt_next(Decision::Delivered).await, (format!("early-{word}"), NEXT));
            assert_eq!(b.attempt_next(Decision::Delivered).await, (format!("late-{word}"), DONE));
        }
    }
}

pub(in crate::store) async fn a_gate_moves_as_far_as_the_next_pending_run(subject: &dyn Subject) {
    let b = open(subject).await;
    let mut runs = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        runs.push(b.accept_ordered(name, &["r"]).await.remove(0));
    }
    for at in [4, 2, 1] {
        b.created(result(&runs[at], stands(&runs[at], &format!("line {at}")))).await;
    }
    assert_eq!(b.may_go().await, [] as [String; 0]);
    assert!(b.created(result(&runs[0], RunEnd::Dropped("no".into()))).await.claimable);
    assert_eq!(b.may_go().await, ["b", "c"], "d is still to be processed, and e behind it");
    assert!(b.created(result(&runs[3], stands(&runs[3], "line 3"))).await.claimable);
    assert_eq!(b.may_go().await, ["b", "c", "d", "e"]);
}

pub(in crate::store) async fn other_routes_and_unordered_runs_hold_nobody(subject: &dyn Subject) {
    let b = open(subject).await;
    b.accept_ordered("other", &["s"]).await;
    b.accept("unordered", &["r"]).await;
    b.stand("a", "k").await;
    assert_eq!(b.may_go().await, ["a"]);
}

pub(in crate::store) async fn two_routes_into_one_line_go_one_at_a_time(subject: &dyn Subject) {
    let b = open(subject).await;
    let early = b.accept_ordered("early", &["s"]).await.remove(0);
    b.stand("a", "k").await;
    b.stand("b", "k").await;
    let under_way = one(b.claim("d", 9).await);
    assert!(!b.created(result(&early, stands(&early, "k"))).await.claimable, "a is on its way");
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.record(attempt(&under_way, Decision::Delivered)).await, NEXT);
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("early".into(), NEXT));
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("b".into(), DONE));
}

pub(in crate::store) async fn messages_of_one_run_follow_each_other(subject: &dyn Subject) {
    let b = open(subject).await;
    let run = b.accept_ordered("a", &["r"]).await.remove(0);
    let part =
        |id: &str| NewDelivery { id: crate::model::DeliveryId::from_text(id), ..in_line(&run, "d", "k") };
    b.created(result(&run, RunEnd::Processed(vec![part("msg_z"), part("msg_a")]))).await;
    b.stand("b", "k").await;
    for expected in ["msg_z", "msg_a"] {
        let delivery = one(b.claim("d", 9).await);
        assert_eq!(delivery.id.as_str(), expected);
        assert_eq!(b.record(attempt(&delivery, Decision::Delivered)).await, NEXT);
    }
    assert_eq!(b.may_go().await, ["b"]);
}

pub(in crate::store) async fn a_run_from_before_the_order_stands_behind_all(subject: &dyn Subject) {
    let b = open(subject).await;
    let before = b.accept("before", &["r"]).await.remove(0);
    b.stand("a", "k").await;
    let under_way = one(b.claim("d", 9).await);
    b.created(result(&before, stands(&before, "k"))).await;
    b.stand("b", "k").await;
    assert!(b.claim("d", 9).await.items.is_empty());
    assert_eq!(b.record(attempt(&under_way, Decision::Delivered)).await, NEXT);
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("before".into(), NEXT));
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("b".into(), DONE));
}

pub(in crate::store) async fn a_failed_run_that_is_due_again_stands_behind_all(subject: &dyn Subject) {
    let b = open(subject).await;
    let event = |name| NewEvent { routes: vec![ordered("r")], ..keyed(name, "key", HOUR) };
    b.accept_unleased(event("a")).await;
    let run = one(b.claim_runs(9).await);
    b.created(result(&run, RunEnd::Failed("broken".into()))).await;
    b.stand("b", "k").await;
    b.stand("b2", "k").await;
    let under_way = one(b.claim("d", 9).await);
    b.accept_unleased(event("repeat")).await;
    let again = one(b.claim_runs(9).await);
    b.stand("c", "k").await;
    b.stand("d", "other").await;
    assert_eq!(b.may_go().await, [] as [String; 0], "d waits for the run in front of it");
    b.created(result(&again, stands(&again, "k"))).await;
    assert_eq!(b.may_go().await, ["d"]);
    assert_eq!(b.record(attempt(&under_way, Decision::Delivered)).await, NEXT);
    assert_eq!(b.may_go().await, ["b2", "d"], "it was accepted before a came again");
}

pub(in crate::store) async fn a_repeat_revives_a_dead_one_in_its_place(subject: &dyn Subject) {
    let b = open(subject).await;
    let event = |name| NewEvent { routes: vec![ordered("r")], ..keyed(name, "key", HOUR) };
    b.accept_unleased(event("a")).await;
    let run = one(b.claim_runs(9).await);
    b.created(result(&run, stands(&run, "k"))).await;
    b.stand("b", "k").await;
    b.attempt_next(Decision::Dead).await;
    assert_eq!(b.may_go().await, [] as [String; 0]);
    b.accept_unleased(event("repeat")).await;
    let shown = b.delivery(&delivery_id(&run, "d")).await.0;
    assert_eq!((shown.state, shown.due, shown.ended_at), (DeliveryState::Pending, Some(b.clock.now()), None));
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("a".into(), NEXT));
    assert_eq!(b.may_go().await, ["b"]);
}

pub(in crate::store) async fn lines_survive_reopening(subject: &dyn Subject) {
    let b = open(subject).await;
    b.stand("a", "k").await;
    b.stand("b", "k").await;
    let run = b.accept_ordered("c", &["r"]).await.remove(0);
    b.stand("d", "other").await;
    one(b.claim("d", 9).await);
    let b = b.reopen(subject).await;
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("a".into(), NEXT));
    assert_eq!(b.may_go().await, ["b"]);
    let again = one(b.claim_runs(9).await);
    assert_eq!(again.event.id, run.event.id);
    b.created(result(&again, stands(&again, "k"))).await;
    assert_eq!(b.may_go().await, ["b", "d"]);
    b.stand("e", "k").await;
    b.stand("f", "other").await;
    assert_eq!(b.may_go().await, ["b", "d"], "what comes after the opening stands behind");
}

/// Two lines with a dead one in front, and one that goes.
pub(in crate::store) async fn settling_lets_those_behind_the_dead_go_on(subject: &dyn Subject) {
    let b = open(subject).await;
    for key in ["k", "l"] {
        let dead = b.stand(&format!("dead-{key}"), key).await;
        b.attempt_next(Decision::Dead).await;
        b.stand(&format!("next-{key}"), key).await;
        assert_eq!(b.delivery(&dead).await.0.line.as_deref(), Some(key));
    }
    b.stand("free", "m").await;
    assert!(!b.store.settle_lines("d", OnDead::Hold, 9).await.unwrap());
    assert!(!b.store.settle_lines("other", OnDead::Skip, 9).await.unwrap());
    assert_eq!(b.may_go().await, ["free"]);
    assert!(b.store.settle_lines("d", OnDead::Skip, 1).await.unwrap());
    assert_eq!(b.may_go().await.len(), 2);
    while b.store.settle_lines("d", OnDead::Skip, 1).await.unwrap() {}
    assert_eq!(b.may_go().await, ["free", "next-k", "next-l"]);
    assert_eq!(b.waiting().await.2, [("d".into(), 3)]);
}

pub(in crate::store) async fn beyond_max_pending_they_are_born_dead(subject: &dyn Subject) {
    let b = open(subject).await;
    let bounded = |run: &Run, id: &str| NewDelivery {
        id: crate::model::DeliveryId::from_text(id),
        line: None,
        max_pending: Some(2),
        ..in_line(run, "d", "k")
    };
    b.deliver("first", "d").await;
    b.deliver("elsewhere", "e").await;
    let run = b.accept("a", &["r"]).await.remove(0);
    // The second of them is counted inside the same step.
    let new = vec![bounded(&run, "msg_1"), bounded(&run, "msg_2")];
    let created = b.created(result(&run, RunEnd::Processed(new))).await;
    assert_eq!(created.leased.iter().map(|d| d.id.as_str()).collect::<Vec<_>>(), ["msg_1"]);
    let [(dead, destination)] = &created.dead[..] else { panic!("{:?}", created.dead) };
    assert_eq!((dead.as_str(), destination.as_str()), ("msg_2", "d"));
    assert_eq!(b.waiting().await.2, [("d".into(), 2), ("e".into(), 1)]);

    let shown = b.delivery(dead).await.0;
    assert_eq!((shown.state, shown.due, shown.ended_at), (DeliveryState::Dead, None, Some(b.clock.now())));
    assert!(shown.reason.as_ref().unwrap().contains("max_pending = 2"), "{shown:?}");
    b.command(dead, DeliveryCommand::Retry).await;
    assert_eq!(one(b.claim("d", 9).await).id, *dead);
}

pub(in crate::store) async fn one_that_is_born_dead_has_its_place_in_line(subject: &dyn Subject) {
    let b = open(subject).await;
    b.stand("first", "k").await;
    let mut dead = Vec::new();
    for (name, on_dead) in [("held", OnDead::Hold), ("skipped", OnDead::Skip)] {
        let run = b.accept_ordered(name, &["r"]).await.remove(0);
        let mut new = NewDelivery { max_pending: Some(1), ..in_line(&run, "d", "k") };
        new.line.as_mut().unwrap().on_dead = on_dead;
        let created = b.store.commit_processed(vec![result(&run, RunEnd::Processed(vec![new]))], None).await;
        let [Committed::Done(created)] = &created.unwrap()[..] else { panic!("refused") };
        assert_eq!((created.dead.len(), created.claimable), (1, false));
        dead.push(delivery_id(&run, "d"));
    }
    b.stand("last", "k").await;
    let lines = [b.delivery(&dead[0]).await.0.line, b.delivery(&dead[1]).await.0.line];
    assert_eq!(lines, [Some("k".into()), None]);
    // Retried while it is not the first, it waits for its turn.
    b.command(&dead[0], DeliveryCommand::Retry).await;
    assert_eq!(b.delivery(&dead[0]).await.0.due, None);
    b.clock.advance(SECOND);
    assert_eq!(b.attempt_next(Decision::Delivered).await, ("first".into(), NEXT));
    assert_eq!(b.attempt_next(Decision::Dead).await, ("held".into(), DONE));
    assert_eq!(b.may_go().await, [] as [String; 0], "and then holds those behind it");
}
