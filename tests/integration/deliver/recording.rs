//! What becomes of ended attempts: on disk, in line, and before operators.

use hookloom::alerts::{Alert, SOURCE};
use hookloom::clock::Clock;
use hookloom::deliver::LEASE;
use hookloom::model::{DeliveryId, DeliveryState, Millis};
use hookloom_testkit::receiver::{Answer, Receiver};

use super::rig::{NEW, New, Rig, loopback, to};

#[tokio::test]
async fn an_attempt_that_cannot_be_recorded_holds_up_no_other() {
    let receiver = Receiver::start([]).await;
    let rig = Rig::start_at(Clock::manual(Millis(0)), vec![to(&receiver, &[])], loopback());
    let ids = rig.put_silently("d", 60).await;
    rig.store.refuse_to_record(&ids[30], true);
    rig.bell.notify_one();
    for id in ids.iter().filter(|id| **id != ids[30]) {
        rig.ended(id, DeliveryState::Delivered).await;
    }
    let (record, attempts) = rig.look(&ids[30]).await;
    assert_eq!((record.state, attempts.len()), (DeliveryState::Pending, 0));
    receiver.requests(60).await;
    rig.store.refuse_to_record(&ids[30], false);
    rig.advance(LEASE);
    rig.ended(&ids[30], DeliveryState::Delivered).await;
    assert_eq!(receiver.seen().requests.len(), 61, "it alone was sent twice");
}

#[tokio::test]
async fn a_death_is_heard_of_unless_it_is_an_alert_that_died() {
    let receiver = Receiver::start_with([], Answer::Status(400)).await;
    let mut rig = Rig::start(vec![to(&receiver, &[])]);
    let alerts = rig.put_such(&New { source: SOURCE, ..NEW }, 3).await;
    for id in &alerts {
        rig.ended(id, DeliveryState::Dead).await;
    }
    let id = rig.put("d", 1).await.remove(0);
    let (record, _) = {
        rig.ended(&id, DeliveryState::Dead).await;
        rig.look(&id).await
    };
    let reason = "answered 400; attempt 1 of 1 was the last".to_owned();
    let (destination, event) = ("d".to_owned(), record.event);
    assert_eq!(rig.alert().await, Alert::DeliveryDead { destination, delivery: id, event, reason });
    assert!(rig.raised.try_recv().is_err());
}

#[tokio::test]
async fn the_next_in_line_goes_at_once() {
    // At the pace of the poll this would take far longer than the test waits.
    const MANY: usize = 100;
    let receiver = Receiver::start([]).await;
    let rig = Rig::start(vec![to(&receiver, &[])]);
    let ids = rig.put_such(&New { line: Some("a"), ..NEW }, MANY).await;
    rig.ended(&ids[MANY - 1], DeliveryState::Delivered).await;
    let requests = receiver.seen().requests;
    let sent: Vec<_> = requests.iter().map(|request| request.header("webhook-id").unwrap()).collect();
    assert_eq!(sent, ids.iter().map(DeliveryId::as_str).collect::<Vec<_>>(), "in order, each once");
}
