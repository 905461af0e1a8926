//! The stage as a whole: slots, queues, reloads, failures of the store, shutdown.

use std::time::Duration;

use hookloom::clock::Clock;
use hookloom::deliver::Destination;
use hookloom::model::{DeliveryId, DeliveryState, Millis};
use hookloom_testkit::receiver::{Answer, DEADLINE, Receiver};

use super::rig::{Rig, destination, eventually, loopback, to};

fn held(status: u16) -> Answer {
    Answer::Held(Box::new(Answer::Status(status)))
}

async fn all_delivered(rig: &Rig, ids: &[DeliveryId]) {
    for id in ids {
        let attempts = rig.ended(id, DeliveryState::Delivered).await;
        assert_eq!(attempts.len(), 1, "{id}");
    }
}

#[tokio::test]
async fn concurrency_is_used_and_not_exceeded() {
    let receiver = Receiver::start_with([], held(200)).await;
    let rig = Rig::start(vec![Destination { concurrency: 3, ..to(&receiver, &[]) }]);
    let ids = [rig.hand_over("d", 10).await, rig.put("d", 10).await].concat();
    receiver.until("three requests at once", |seen| seen.waiting == 3).await;
    receiver.open();
    all_delivered(&rig, &ids).await;
    assert_eq!(receiver.seen().most_waiting, 3);
}

#[tokio::test]
async fn a_black_hole_delays_nobody_else() {
    let hole = Receiver::start_with([], Answer::Silence).await;
    let healthy = Receiver::start([]).await;
    let slow = Destination { concurrency: 2, ..destination("hole", &hole.url(), &[60_000]) };
    let rig = Rig::start(vec![slow, destination("healthy", &healthy.url(), &[])]);
    let swallowed = [rig.hand_over("hole", 400).await, rig.put("hole", 400).await].concat();
    hole.until("every slot taken", |seen| seen.waiting == 2).await;
    let ids = [rig.put("healthy", 50).await, rig.hand_over("healthy", 50).await].concat();
    all_delivered(&rig, &ids).await;
    let seen = hole.seen();
    assert_eq!((seen.waiting, seen.most_waiting), (2, 2), "the hole still holds its own slots, and no other");
    let claims = rig.store.claims();
    assert!(claims < 50, "the store was asked {claims} times for what has no room");
    let (record, _) = rig.look(swallowed.last().unwrap()).await;
    assert_eq!((record.state, record.attempts), (DeliveryState::Pending, 0));
}

#[tokio::test]
async fn what_has_no_place_in_memory_goes_back_and_comes_again() {
    let receiver = Receiver::start_with([], held(200)).await;
    let rig = Rig::start(vec![Destination { concurrency: 1, ..to(&receiver, &[]) }]);
    let ids = rig.hand_over("d", 700).await;
    eventually(async || if rig.store.released() > 0 { Ok(()) } else { Err("nothing given back".into()) })
        .await;
    receiver.open();
    all_delivered(&rig, &ids).await;
    assert_eq!(receiver.seen().requests.len(), 700);
}

#[tokio::test]
async fn deliveries_for_a_destination_that_is_not_there_wait_in_the_store() {
    let receiver = Receiver::start([]).await;
    let rig = Rig::start(vec![]);
    let ids = rig.hand_over("d", 2).await;
    eventually(async || if rig.store.released() == 2 { Ok(()) } else { Err("kept".into()) }).await;
    rig.reload(vec![to(&receiver, &[])]);
    all_delivered(&rig, &ids).await;
}

#[tokio::test]
async fn a_removed_destination_gives_its_queue_back() {
    let receiver = Receiver::start_with([], held(200)).await;
    let one = Destination { concurrency: 1, ..to(&receiver, &[]) };
    let rig = Rig::start(vec![one.clone()]);
    let ids = rig.hand_over("d", 5).await;
    receiver.until("one request", |seen| seen.waiting == 1).await;
    rig.reload(vec![]);
    eventually(async || if rig.store.released() == 4 { Ok(()) } else { Err("kept".into()) }).await;
    receiver.open();
    rig.ended(&ids[0], DeliveryState::Delivered).await;
    assert_eq!(receiver.seen().requests.len(), 1);
    rig.reload(vec![one]);
    all_delivered(&rig, &ids).await;
}

#[tokio::test]
async fn a_new_url_is_in_force_for_the_next_attempt() {
    let before = Receiver::start_with([], Answer::Status(503)).await;
    let after = Receiver::start([]).await;
    let clock = Clock::manual(Millis(1_700_000_000_000));
    let rig = Rig::start_at(clock.clone(), vec![to(&before, &[60_000])], loopback());
    let id = rig.put("d", 1).await.remove(0);
    rig.attempts(&id, 1).await;
    rig.reload(vec![to(&after, &[60_000])]);
    clock.advance(Duration::from_mins(1));
    rig.bell.notify_one();
    let attempts = rig.ended(&id, DeliveryState::Delivered).await;
    assert_eq!(attempts[1].address, Some(after.address()));
    let (first, second) = (before.requests(1).await, after.requests(1).await);
    assert_eq!(first[0].header("webhook-id"), second[0].header("webhook-id"));
    assert_eq!((first.len(), second.len()), (1, 1));
}

#[tokio::test]
async fn what_could_not_be_recorded_is_kept_and_not_sent_again() {
    let receiver = Receiver::start([]).await;
    let rig = Rig::start(vec![to(&receiver, &[1])]);
    rig.store.fail_to_record(3);
    let mut ids = rig.hand_over("d", 5).await;
    eventually(async || match rig.store.failures_left() {
        0 => Ok(()),
        left => Err(format!("{left} failures to come")),
    })
    .await;
    ids.extend(rig.put("d", 5).await);
    all_delivered(&rig, &ids).await;
    assert_eq!(receiver.seen().requests.len(), 10);
}

#[tokio::test]
async fn soft_shutdown_finishes_what_is_under_way_and_gives_back_the_rest() {
    let receiver = Receiver::start_with([], held(200)).await;
    let mut rig = Rig::start(vec![Destination { concurrency: 2, ..to(&receiver, &[]) }]);
    let ids = rig.hand_over("d", 6).await;
    receiver.until("two requests at once", |seen| seen.waiting == 2).await;
    rig.shutdown.escalate();
    eventually(async || if rig.store.released() == 4 { Ok(()) } else { Err("kept".into()) }).await;
    assert!(!rig.task.is_finished());
    receiver.open();
    tokio::time::timeout(DEADLINE, &mut rig.task).await.expect("it stops").expect("it does not panic");
    let mut delivered = 0;
    for id in &ids {
        delivered += usize::from(rig.look(id).await.0.state == DeliveryState::Delivered);
    }
    assert_eq!((delivered, receiver.seen().requests.len()), (2, 2));
}

#[tokio::test]
async fn hard_shutdown_drops_what_is_under_way() {
    let receiver = Receiver::start([Answer::Status(200), Answer::Silence]).await;
    let one = Destination { concurrency: 1, timeout: Duration::from_mins(5), ..to(&receiver, &[]) };
    let mut rig = Rig::start(vec![one]);
    let ids = rig.hand_over("d", 2).await;
    receiver.until("the second request", |seen| seen.requests.len() == 2).await;
    rig.shutdown.escalate();
    rig.shutdown.escalate();
    tokio::time::timeout(DEADLINE, &mut rig.task).await.expect("it stops").expect("it does not panic");
    assert_eq!(rig.look(&ids[0]).await.0.state, DeliveryState::Delivered, "what had ended is recorded");
    let (record, attempts) = rig.look(&ids[1]).await;
    assert_eq!((record.state, attempts.len()), (DeliveryState::Pending, 0));
}

#[tokio::test]
async fn a_lost_bell_only_costs_time() {
    let receiver = Receiver::start([]).await;
    let rig = Rig::start(vec![to(&receiver, &[])]);
    let first = rig.put("d", 1).await;
    all_delivered(&rig, &first).await;
    let ids = rig.put_silently("d", 3).await;
    all_delivered(&rig, &ids).await;
}
