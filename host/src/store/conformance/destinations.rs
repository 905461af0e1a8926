//! What operators and answers say of destinations.

use super::support::{DONE, MINUTE, Subject, attempt, open};
use crate::model::{Decision, DeliveryState, Millis};
use crate::store::{AttemptRecord, DestinationCommand, DestinationState, Disabled, Disables, Recorded};
use DestinationCommand::{Enable, Pause, Resume};

fn disabling(record: AttemptRecord, url: &str) -> AttemptRecord {
    AttemptRecord { disables: Some(Disables { url: url.into(), reason: format!("{url} is gone") }), ..record }
}

fn disabled(since: Millis, url: &str) -> Disabled {
    Disabled { since, url: url.into(), reason: format!("{url} is gone") }
}

pub(in crate::store) async fn commands_change_what_is_said(subject: &dyn Subject) {
    let b = open(subject).await;
    let start = b.clock.now();
    let state = |paused, disabled| DestinationState { name: "d".into(), paused, disabled };
    assert_eq!(b.store.destinations().await.unwrap(), [], "nothing is said");
    let gone = Some(disabled(start, "u1"));
    let delivery = b.deliver("a", "d").await;
    b.record(disabling(attempt(&delivery, Decision::Retry(start)), "u1")).await;
    b.clock.advance(MINUTE);
    let now = b.clock.now();
    let steps = [
        (Pause, state(Some(now), gone.clone())),
        (Enable, state(Some(now), None)),
        (Pause, state(Some(now), None)),
        (Resume, state(None, None)),
        (Resume, state(None, None)),
        (Enable, state(None, None)),
    ];
    for (command, expected) in steps {
        assert_eq!(b.store.command_destination("d", command).await.unwrap(), expected, "{command:?}");
        let listed: Vec<_> = Some(expected).into_iter().filter(|state| *state != nothing("d")).collect();
        assert_eq!(b.store.destinations().await.unwrap(), listed, "{command:?}");
    }
    // Resuming one that is disabled and paused sends again, whatever kept it.
    let delivery = b.deliver("b", "d").await;
    b.record(disabling(attempt(&delivery, Decision::Dead), "u1")).await;
    b.store.command_destination("d", Pause).await.unwrap();
    assert_eq!(b.store.command_destination("d", Resume).await.unwrap(), nothing("d"));
}

fn nothing(name: &str) -> DestinationState {
    DestinationState { name: name.into(), ..DestinationState::default() }
}

pub(in crate::store) async fn since_when_is_what_was_said_first(subject: &dyn Subject) {
    let b = open(subject).await;
    let start = b.clock.now();
    let deliveries = [b.deliver("a", "d").await, b.deliver("b", "d").await, b.deliver("c", "d").await];
    b.store.command_destination("d", Pause).await.unwrap();
    for (delivery, url, expected) in [
        (&deliveries[0], "u1", disabled(start, "u1")),
        (&deliveries[1], "u1", disabled(start, "u1")),
        (&deliveries[2], "u2", disabled(start.after(MINUTE), "u2")),
    ] {
        let decision = Decision::Retry(b.clock.now());
        assert_eq!(b.record(disabling(attempt(delivery, decision), url)).await, DONE);
        assert_eq!(b.delivery(&delivery.id).await.0.state, DeliveryState::Pending);
        let [state] = &b.store.destinations().await.unwrap()[..] else { panic!("one is known") };
        assert_eq!((state.paused, state.disabled.as_ref()), (Some(start), Some(&expected)));
        b.clock.advance(MINUTE / 2);
    }
    let again = b.store.command_destination("d", Pause).await.unwrap();
    assert_eq!(again.paused, Some(start));
}

pub(in crate::store) async fn a_stale_attempt_disables_nothing(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "d").await;
    b.store.release(Vec::new(), vec![(delivery.id.clone(), delivery.lease)]).await.unwrap();
    let record = disabling(attempt(&delivery, Decision::Dead), "u1");
    assert_eq!(b.record(record).await, Recorded::Stale);
    assert_eq!(b.store.destinations().await.unwrap(), []);
}

pub(in crate::store) async fn what_is_said_survives_reopening(subject: &dyn Subject) {
    let b = open(subject).await;
    let delivery = b.deliver("a", "gone").await;
    b.record(disabling(attempt(&delivery, Decision::Retry(b.clock.now())), "u1")).await;
    for name in ["paused", "resumed"] {
        b.store.command_destination(name, Pause).await.unwrap();
    }
    b.store.command_destination("resumed", Resume).await.unwrap();
    let before = b.store.destinations().await.unwrap();
    let names: Vec<_> = before.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(names, ["gone", "paused"]);
    let b = b.reopen(subject).await;
    assert_eq!(b.store.destinations().await.unwrap(), before);
}
