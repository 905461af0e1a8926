//! Destinations that somebody keeps back: an operator who pauses them, or they
//! themselves with 410. And lines that a reload sets free.

use std::time::Duration;

use hookloom::alerts::Alert;
use hookloom::clock::Clock;
use hookloom::deliver::{Destination, StandingState};
use hookloom::model::{Decision, DeliveryState, Millis, OnDead};
use hookloom::store::{DeliveryCommand, DestinationCommand, Store as _};
use hookloom_testkit::receiver::{Answer, Receiver};
use sha2::{Digest as _, Sha256};

use super::rig::{Rig, destination, eventually, loopback, to};

const HOUR_MS: u64 = 3_600_000;

impl Rig {
    async fn say(&self, destination: &str, command: DestinationCommand) {
        self.store.command_destination(destination, command).await.unwrap();
        self.bell.notify_one();
    }

    async fn all_pending(&self) -> bool {
        self.store.backlog().await.unwrap().deliveries.iter().map(|(_, pending)| pending).sum::<u64>() == 12
    }
}

#[tokio::test]
async fn nothing_is_sent_to_a_paused_destination_and_everything_when_it_is_resumed() {
    let receiver = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let healthy = Receiver::start([]).await;
    let one = Destination { concurrency: 1, ..to(&receiver, &[]) };
    let rig = Rig::start(vec![one, destination("healthy", &healthy.url(), &[])]);
    let first = rig.hand_over("d", 4).await;
    receiver.until("one request", |seen| seen.waiting == 1).await;
    rig.say("d", DestinationCommand::Pause).await;
    rig.stands("d", |standing| standing.state == StandingState::Paused && standing.queued == 0).await;
    eventually(async || if rig.store.released() == 3 { Ok(()) } else { Err("kept".into()) }).await;
    receiver.open();
    rig.ended(&first[0], DeliveryState::Delivered).await;
    let later = [rig.hand_over("d", 4).await, rig.put("d", 5).await].concat();
    eventually(async || if rig.store.released() == 7 { Ok(()) } else { Err("kept".into()) }).await;
    for id in rig.put("healthy", 5).await {
        rig.ended(&id, DeliveryState::Delivered).await;
    }
    rig.counted(&[
        r#"hookloom_destination_paused{destination="d"} 1"#,
        r#"hookloom_destination_paused{destination="healthy"} 0"#,
    ])
    .await;
    assert_eq!(receiver.seen().requests.len(), 1, "what was under way");
    assert!(rig.all_pending().await);

    rig.say("d", DestinationCommand::Resume).await;
    for id in first.iter().chain(&later) {
        assert_eq!(rig.ended(id, DeliveryState::Delivered).await.len(), 1);
    }
}

#[tokio::test]
async fn a_410_disables_the_destination_until_it_is_resumed() {
    let receiver = Receiver::start([Answer::Status(410)]).await;
    let mut rig = Rig::start(vec![Destination { concurrency: 1, ..to(&receiver, &[HOUR_MS]) }]);
    let ids = rig.hand_over("d", 6).await;
    let attempts = rig.attempts(&ids[0], 1).await;
    let ended = attempts[0].started_at.after(attempts[0].duration);
    let Decision::Retry(due) = attempts[0].decision else { panic!("{attempts:?}") };
    assert!(due <= ended.after(Duration::from_mins(1)), "no delay of its schedule was used: {due:?}");
    assert!(attempts[0].reason.contains("disabled until it is resumed"), "{}", attempts[0].reason);
    let standing = rig.stands("d", |standing| standing.in_flight == 0).await;
    assert_eq!((standing.state, standing.queued), (StandingState::Disabled, 0));
    let [said] = &rig.store.destinations().await.unwrap()[..] else { panic!("nothing is said") };
    let disabled = said.disabled.as_ref().unwrap();
    assert_eq!((said.name.as_str(), &disabled.url), ("d", &hex::encode(Sha256::digest(receiver.url()))));
    let reason = disabled.reason.clone();
    assert_eq!(rig.alert().await, Alert::DestinationDisabled { destination: "d".into(), reason });
    // Asked again and again by now, it is still what the store says.
    for _ in 0..3 {
        let claims = rig.store.claims();
        rig.put("d", 2).await;
        assert!(rig.store.claims() >= claims);
    }
    rig.counted(&[r#"hookloom_destination_disabled{destination="d"} 1"#]).await;
    assert_eq!((receiver.seen().requests.len(), rig.all_pending().await), (1, true));

    rig.say("d", DestinationCommand::Resume).await;
    let attempts = rig.ended(&ids[0], DeliveryState::Delivered).await;
    // The 410 cost it no part of its schedule.
    assert_eq!(attempts.iter().map(|attempt| attempt.number).collect::<Vec<_>>(), [1, 1]);
    for id in &ids[1..] {
        assert_eq!(rig.ended(id, DeliveryState::Delivered).await.len(), 1);
    }
    assert!(rig.raised.try_recv().is_err(), "one alert");
}

#[tokio::test]
async fn another_url_is_another_receiver() {
    let gone = Receiver::start_with([], Answer::Status(410)).await;
    let moved = Receiver::start([]).await;
    let rig = Rig::start(vec![to(&gone, &[HOUR_MS])]);
    let ids = rig.hand_over("d", 40).await;
    rig.stands("d", |standing| standing.state == StandingState::Disabled && standing.in_flight == 0).await;
    let asked = gone.seen().requests.len();
    assert!(asked <= 16, "none began after the first answer: {asked}");
    rig.reload(vec![Destination { timeout: Duration::from_secs(3), ..to(&gone, &[HOUR_MS]) }]);
    rig.put("d", 1).await;
    rig.reload(vec![to(&moved, &[HOUR_MS])]);
    for id in &ids {
        rig.ended(id, DeliveryState::Delivered).await;
    }
    assert_eq!(gone.seen().requests.len(), asked, "the old one was left alone");
    eventually(async || match &rig.store.destinations().await.unwrap()[..] {
        [] => Ok(()),
        said => Err(format!("{said:?}")),
    })
    .await;
    rig.counted(&[r#"hookloom_destination_disabled{destination="d"} 0"#]).await;
}

#[tokio::test]
async fn lines_are_settled_at_the_start_and_when_on_dead_is_another() {
    let named = |name: &str, on_dead| Destination { on_dead, ..destination(name, "https://192.0.2.1/", &[]) };
    let with = |b| vec![named("a", OnDead::Hold), named("b", b)];
    let rig = Rig::start_at(Clock::manual(Millis(0)), with(OnDead::Skip), loopback());
    let settled = async |expected: &[(&str, OnDead)]| {
        let expected: Vec<_> =
            expected.iter().map(|(name, on_dead)| ((*name).to_owned(), *on_dead)).collect();
        eventually(async || {
            let settled = rig.store.settled();
            if settled == expected { Ok(()) } else { Err(format!("{settled:?}")) }
        })
        .await;
    };
    settled(&[("b", OnDead::Skip)]).await;
    rig.reload(with(OnDead::Skip));
    rig.store.lines_to_settle(2);
    rig.reload(vec![named("a", OnDead::Skip)]);
    let (a, b) = (("a", OnDead::Skip), ("b", OnDead::Skip));
    settled(&[b, a, a, a]).await;
    // What was gone has to be settled again when it is back.
    rig.reload(vec![named("a", OnDead::Skip), named("b", OnDead::Skip)]);
    settled(&[b, a, a, a, b]).await;
    rig.reload(vec![named("a", OnDead::Hold), named("b", OnDead::Skip)]);
    settled(&[b, a, a, a, b, ("a", OnDead::Hold)]).await;
}

#[tokio::test]
async fn what_was_cancelled_is_not_sent_although_it_was_queued() {
    let receiver = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let rig = Rig::start(vec![Destination { concurrency: 1, ..to(&receiver, &[]) }]);
    let ids = rig.hand_over("d", 5).await;
    receiver.until("the first attempt", |seen| seen.waiting == 1).await;
    let sent = receiver.seen().requests[0].header("webhook-id").unwrap().to_owned();
    let (cancelled, kept): (Vec<_>, Vec<_>) =
        ids.into_iter().filter(|id| id.as_str() != sent).enumerate().partition(|(n, _)| n % 2 == 0);
    let cancel = cancelled.iter().map(|(_, id)| id.clone()).collect();
    rig.store.command_deliveries(cancel, DeliveryCommand::Cancel).await.unwrap();
    rig.recall.notify_one();
    eventually(async || if rig.store.released() >= 4 { Ok(()) } else { Err("kept in memory".into()) }).await;
    receiver.open();
    for (_, id) in &kept {
        rig.ended(id, DeliveryState::Delivered).await;
    }
    for (_, id) in &cancelled {
        let (record, attempts) = rig.look(id).await;
        assert_eq!((record.state, attempts.len()), (DeliveryState::Cancelled, 0));
    }
    assert_eq!(receiver.seen().requests.len(), 1 + kept.len());
}
