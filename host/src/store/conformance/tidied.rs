//! Retention: what goes, what stays, and what is left of what is gone.

use std::time::Duration;

use super::support::{
    Bench, HOUR, MINUTE, SECOND, START, Subject, attempt, event, keyed, new, open, result, to,
};
use crate::model::{Decision, Delivery, DeliveryId, EventId, Millis, Run};
use crate::store::{Accepted, NewEvent, Replay, Retention, RunEnd, StateChanges, StateWrite, Store, Tidied};

const RETENTION: Retention = Retention { finished: HOUR, dead: Duration::from_hours(3) };
/// A second less than each.
const ALMOST: Duration = Duration::from_secs(3_599);
const ALMOST_DEAD: Duration = Duration::from_secs(10_799);

/// Calls until there is no more to do; what all of them did.
pub(super) async fn tidy(b: &Bench) -> Tidied {
    tidy_with(b.store.as_ref(), RETENTION).await
}

async fn tidy_with(store: &dyn Store, retention: Retention) -> Tidied {
    let mut sum = Tidied { more: true, ..Tidied::default() };
    for _ in 0..10_000 {
        let Tidied { events, expired, pages, more } = store.tidy(&retention).await.unwrap();
        sum = Tidied {
            events: sum.events + events,
            expired: sum.expired + expired,
            pages: sum.pages + pages,
            more,
        };
        if !more {
            return sum;
        }
    }
    panic!("there is always more: {sum:?}");
}

/// Of these, the events that are there.
async fn left<'a>(b: &Bench, names: &[&'a str]) -> Vec<&'a str> {
    let mut left = Vec::new();
    for name in names {
        let id = EventId::from_text(format!("evt_{name}"));
        left.extend(b.store.event(&id).await.unwrap().map(|_| *name));
    }
    left
}

/// An event that was received now, as the clock of the case has it.
async fn run(b: &Bench, name: &str) -> Run {
    let mut new = new(name, &["r"]);
    new.event.received_at = b.clock.now();
    let Accepted::New(mut runs) = b.store.accept(vec![new], Some(MINUTE)).await.unwrap().remove(0) else {
        panic!("{name} is a repeat")
    };
    runs.remove(0)
}

async fn delivery(b: &Bench, name: &str) -> Delivery {
    let run = run(b, name).await;
    b.done(result(&run, to(&run, &["d"]))).await.remove(0)
}

async fn ended(b: &Bench, name: &str, decision: Decision) -> DeliveryId {
    let delivery = delivery(b, name).await;
    b.record(attempt(&delivery, decision)).await;
    delivery.id
}

/// The newest event is never deleted.
async fn newest(b: &Bench) {
    b.accept("newest", &[]).await;
}

pub(in crate::store) async fn finished_events_go_with_all_that_is_theirs(subject: &dyn Subject) {
    let b = open(subject).await;
    let arrived = ended(&b, "arrived", Decision::Delivered).await;
    let dropped = run(&b, "dropped").await;
    b.done(result(&dropped, RunEnd::Dropped("x".into()))).await;
    b.accept_unleased(NewEvent { routes: Vec::new(), ..new("no-route", &[]) }).await;
    newest(&b).await;
    let names = ["arrived", "dropped", "no-route", "newest"];
    b.clock.advance(ALMOST);
    assert_eq!(tidy(&b).await, Tidied::default());
    assert_eq!(left(&b, &names).await, names);
    b.clock.advance(SECOND);
    assert_eq!(tidy(&b).await, Tidied { events: 3, ..Tidied::default() });
    assert_eq!(left(&b, &names).await, ["newest"]);
    assert!(b.store.delivery(&arrived).await.unwrap().is_none());
    assert_eq!(b.listed(crate::store::DeliveryFilter::default()).await, [] as [String; 0]);
    // Nor does anything of it come back.
    let b = b.reopen(subject).await;
    assert_eq!(left(&b, &names).await, ["newest"]);
    assert_eq!(b.waiting().await, (0, 0, Vec::new()));
}

pub(in crate::store) async fn what_waits_stays_however_old(subject: &dyn Subject) {
    let b = open(subject).await;
    let far = b.clock.now().after(Duration::from_hours(10_000));
    b.accept_unleased(new("unclaimed", &["r"])).await;
    run(&b, "claimed").await;
    let held = run(&b, "held").await;
    b.done(result(&held, RunEnd::Held("missing".into()))).await;
    let later = run(&b, "postponed").await;
    b.done(result(&later, RunEnd::Retry(far, "later".into()))).await;
    delivery(&b, "in-flight").await;
    ended(&b, "retried", Decision::Retry(far)).await;
    // One of two arrived.
    let half = run(&b, "half").await;
    let both = b.done(result(&half, to(&half, &["d", "e"]))).await;
    b.record(attempt(&both[0], Decision::Delivered)).await;
    newest(&b).await;
    let before = b.waiting().await;
    b.clock.advance(Duration::from_hours(1000));
    assert_eq!(tidy(&b).await, Tidied::default());
    let names = ["unclaimed", "claimed", "held", "postponed", "in-flight", "retried", "half"];
    assert_eq!(left(&b, &names).await, names);
    assert_eq!(b.waiting().await, before);
}

pub(in crate::store) async fn failed_events_are_kept_for_their_own_time(subject: &dyn Subject) {
    let b = open(subject).await;
    ended(&b, "dead", Decision::Dead).await;
    let failed = run(&b, "failed").await;
    b.done(result(&failed, RunEnd::Failed("x".into()))).await;
    ended(&b, "arrived", Decision::Delivered).await;
    newest(&b).await;
    let names = ["dead", "failed", "arrived"];
    b.clock.advance(ALMOST_DEAD);
    assert_eq!(tidy(&b).await.events, 1);
    assert_eq!(left(&b, &names).await, ["dead", "failed"]);
    b.clock.advance(SECOND);
    assert_eq!(tidy(&b).await.events, 2);
    assert_eq!(left(&b, &names).await, [] as [&str; 0]);
}

pub(in crate::store) async fn time_is_counted_from_the_last_end(subject: &dyn Subject) {
    let b = open(subject).await;
    let slow = delivery(&b, "slow").await;
    let two = run(&b, "two").await;
    let two = b.done(result(&two, to(&two, &["d", "e"]))).await;
    b.record(attempt(&two[0], Decision::Delivered)).await;
    newest(&b).await;
    b.clock.advance(RETENTION.finished * 2);
    b.record(attempt(&slow, Decision::Delivered)).await;
    b.record(attempt(&two[1], Decision::Delivered)).await;
    b.clock.advance(ALMOST);
    assert_eq!(tidy(&b).await.events, 0);
    b.clock.advance(SECOND);
    assert_eq!(tidy(&b).await.events, 2);
}

pub(in crate::store) async fn a_replay_keeps_its_event(subject: &dyn Subject) {
    let b = open(subject).await;
    ended(&b, "a", Decision::Delivered).await;
    newest(&b).await;
    b.clock.advance(ALMOST);
    let routes = new("a", &["r"]).routes;
    b.store.replay(vec![Replay { event: EventId::from_text("evt_a"), routes }]).await.unwrap();
    b.clock.advance(RETENTION.dead);
    assert_eq!(tidy(&b).await.events, 0, "the replay is pending");
    let again = super::support::one(b.claim_runs(9).await);
    let again = b.done(result(&again, to(&again, &["d"]))).await.remove(0);
    b.record(attempt(&again, Decision::Delivered)).await;
    b.clock.advance(ALMOST);
    assert_eq!(tidy(&b).await.events, 0, "it ended a moment ago");
    b.clock.advance(SECOND);
    assert_eq!(tidy(&b).await.events, 1);
    assert!(b.store.delivery(&again.id).await.unwrap().is_none());
}

pub(in crate::store) async fn those_behind_a_dead_one_that_is_gone_go_on(subject: &dyn Subject) {
    let b = open(subject).await;
    for name in ["a", "b", "c"] {
        b.stand(name, "k").await;
    }
    assert_eq!(b.attempt_next(Decision::Dead).await.0, "a");
    assert_eq!(b.may_go().await, [] as [&str; 0], "the dead one holds them");
    b.clock.advance(RETENTION.dead);
    assert_eq!(tidy(&b).await.events, 1);
    assert_eq!(b.may_go().await, ["b"]);
    assert_eq!(left(&b, &["a", "b", "c"]).await, ["b", "c"]);
}

pub(in crate::store) async fn a_repeat_of_what_is_gone_is_still_a_repeat(subject: &dyn Subject) {
    let b = open(subject).await;
    let Accepted::New(_) = b.accept_unleased(keyed("a", "k", Duration::from_hours(2))).await else {
        panic!()
    };
    let run = super::support::one(b.claim_runs(1).await);
    b.done(result(&run, RunEnd::Dropped("x".into()))).await;
    newest(&b).await;
    b.clock.advance(RETENTION.finished);
    assert_eq!(tidy(&b).await, Tidied { events: 1, ..Tidied::default() });
    let Accepted::Duplicate(first) = b.accept_unleased(keyed("b", "k", HOUR)).await else {
        panic!("its key lives longer than it")
    };
    assert_eq!(first, EventId::from_text("evt_a"));
    assert_eq!(left(&b, &["a", "b"]).await, [] as [&str; 0]);
    assert_eq!(b.waiting().await, (0, 0, Vec::new()));
    b.clock.advance(HOUR);
    assert_eq!(tidy(&b).await, Tidied { expired: 1, ..Tidied::default() });
    let Accepted::New(_) = b.accept_unleased(keyed("c", "k", HOUR)).await else { panic!("it is new again") };
}

pub(in crate::store) async fn what_has_expired_goes_and_what_has_not_stays(subject: &dyn Subject) {
    let b = open(subject).await;
    for (name, window) in [("a", MINUTE), ("b", HOUR), ("c", MINUTE)] {
        b.accept_unleased(keyed(name, name, window)).await;
    }
    let write =
        |key: &str, ttl| StateWrite { plugin: "p".into(), key: key.into(), value: Some("1".into()), ttl };
    let writes = vec![write("short", Some(MINUTE)), write("long", Some(HOUR)), write("for-ever", None)];
    let keeper = run(&b, "keeper").await;
    let mut result = result(&keeper, RunEnd::Dropped("x".into()));
    result.state = StateChanges { reads: Vec::new(), writes, version: 1 };
    b.done(result).await;
    b.clock.advance(MINUTE);
    assert_eq!(tidy(&b).await, Tidied { expired: 3, ..Tidied::default() });
    for (name, duplicate) in [("a", false), ("b", true), ("c", false)] {
        let again = b.accept_unleased(keyed(&format!("{name}2"), name, HOUR)).await;
        assert_eq!(matches!(again, Accepted::Duplicate(_)), duplicate, "{name}");
    }
    b.clock.advance(HOUR * 2);
    // Two keys were given again, `b` and `long` have run out.
    assert_eq!(tidy(&b).await.expired, 4);
    assert!(b.store.plugin_state("p", "for-ever").await.unwrap().is_some());
    assert!(b.store.plugin_state("p", "short").await.unwrap().is_none());
}

pub(in crate::store) async fn a_number_is_never_given_again(subject: &dyn Subject) {
    let b = open(subject).await;
    let first = run(&b, "a").await;
    b.done(result(&first, RunEnd::Dropped("x".into()))).await;
    b.clock.advance(RETENTION.finished);
    assert_eq!(tidy(&b).await.events, 0, "the newest event stays");
    let b = b.reopen(subject).await;
    let second = run(&b, "b").await;
    assert!(second.seq > first.seq);
    assert_eq!(tidy(&b).await.events, 1, "it is the newest no more");
}

pub(in crate::store) async fn many_go_in_small_steps_and_the_walk_begins_again(subject: &dyn Subject) {
    const EVENTS: usize = 3000;
    /// Far more than a step may be, and far less than there are.
    const STEP: usize = 500;
    let b = open(subject).await;
    let old = Millis(START.0 - 7_200_000);
    let events = |part: &str, received_at| -> Vec<NewEvent> {
        let new = |n| {
            let mut new = new(&format!("{part}-{n:04}"), &[]);
            new.event.received_at = received_at;
            new
        };
        (0..EVENTS).map(new).collect()
    };
    b.store.accept(events("old", old), None).await.unwrap();
    b.store.accept(events("young", b.clock.now()), None).await.unwrap();
    let (mut gone, mut calls) = (0, 0);
    loop {
        let step = b.store.tidy(&RETENTION).await.unwrap();
        assert!(step.events <= STEP, "{step:?}");
        gone += step.events;
        calls += 1;
        assert!(calls < 10_000, "it does not end");
        if gone == EVENTS {
            break;
        }
        assert!(step.more, "{gone} of {EVENTS} are gone");
    }
    assert!(calls >= EVENTS / STEP);
    assert_eq!(tidy(&b).await.events, 0);
    // Behind where the walk is now, and found all the same.
    let mut late = new("aaa", &[]);
    late.event = event("aaa");
    late.event.received_at = old;
    b.accept_unleased(late).await;
    newest(&b).await;
    let mut gone = 0;
    for _ in 0..100 {
        gone += b.store.tidy(&RETENTION).await.unwrap().events;
    }
    assert_eq!(gone, 1);
    assert_eq!(left(&b, &["aaa", "young-0000", "newest"]).await, ["young-0000", "newest"]);
}
