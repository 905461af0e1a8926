//! How fast a destination is sent to: overload, failures in a row, rate limits, and what
//! of a backlog is in memory meanwhile.

use std::time::Duration;

use hookloom::alerts::{Alert, SOURCE};
use hookloom::clock::Clock;
use hookloom::deliver::{BreakerPolicy, Destination, EgressPolicy, StandingState};
use hookloom::model::{DeliveryId, DeliveryState, Millis};
use hookloom::rate::Rate;
use hookloom_testkit::receiver::{Answer, Receiver};

use super::rig::{NEW, New, Rig, destination, eventually, loopback, to};

const NOW: Millis = Millis(1_700_000_000_000);
const HOUR_MS: u64 = 3_600_000;
const MS: fn(u64) -> Duration = Duration::from_millis;

fn asking(status: u16, retry_after: &str) -> Answer {
    Answer::Full(status, vec![("retry-after", retry_after.into())], Vec::new())
}

fn one_by_one(receiver: &Receiver) -> Destination {
    Destination { concurrency: 1, ..to(receiver, &[HOUR_MS, HOUR_MS, HOUR_MS]) }
}

/// With a clock that stands still.
fn rig(destination: Destination) -> Rig {
    Rig::start_at(Clock::manual(NOW), vec![destination], loopback())
}

/// Waits until so many attempts are on disk, and no more.
async fn attempts_made(rig: &Rig, ids: &[DeliveryId], expected: u32) {
    eventually(async || {
        let mut made = 0;
        for id in ids {
            made += rig.look(id).await.0.attempts;
        }
        if made == expected { Ok(()) } else { Err(format!("{made} attempts")) }
    })
    .await;
}

async fn all_delivered(rig: &Rig, ids: &[DeliveryId]) {
    for id in ids {
        rig.ended(id, DeliveryState::Delivered).await;
    }
}

#[tokio::test]
async fn answers_of_one_round_trip_halve_concurrency_once() {
    let overloaded = || Answer::Held(Box::new(Answer::Status(503)));
    let receiver = Receiver::start_with(std::iter::repeat_with(overloaded).take(8), Answer::Silence).await;
    let rig = rig(Destination { concurrency: 8, ..to(&receiver, &[HOUR_MS]) });
    rig.put("d", 30).await;
    receiver.until("eight at once", |seen| seen.waiting == 8).await;
    receiver.open();
    let seen = receiver.until("the next ones", |seen| seen.requests.len() == 12).await;
    assert_eq!((seen.waiting, seen.most_waiting), (4, 8));
    let standing = rig.stands("d", |standing| standing.in_flight == 4).await;
    assert_eq!((standing.state, standing.until), (StandingState::Throttled, None));
    assert_eq!(standing.concurrency, 4);
    rig.counted(&[r#"hookloom_destination_concurrency{destination="d"} 4"#]).await;
}

#[tokio::test]
async fn retry_after_holds_the_whole_destination_back_up_to_the_cap() {
    for (status, value, seconds) in [(429, "60", 60), (502, "60", 60), (503, "7200", 600), (504, "60", 60)] {
        let receiver = Receiver::start([asking(status, value)]).await;
        let mut destination = one_by_one(&receiver);
        destination.retry = destination.retry.with_retry_after_cap(Duration::from_mins(10));
        let rig = rig(destination);
        let ids = [rig.hand_over("d", 1).await, rig.put("d", 20).await].concat();
        let standing = rig.stands("d", |standing| standing.state == StandingState::Throttled).await;
        assert_eq!(standing.until, Some(NOW.after(Duration::from_secs(seconds))), "{status}");
        rig.stands("d", |standing| (standing.queued, standing.in_flight) == (0, 0)).await;
        let later = rig.hand_over("d", 5).await;
        eventually(async || if rig.store.released() >= 5 { Ok(()) } else { Err("kept".into()) }).await;
        assert_eq!(rig.standing("d").queued, 0, "nothing waits in memory for that long");
        rig.advance(MS(seconds * 1_000 - 1));
        rig.stands("d", |standing| standing.state == StandingState::Throttled).await;
        assert_eq!(receiver.seen().requests.len(), 1);
        attempts_made(&rig, &[&ids[..], &later].concat(), 1).await;
        rig.advance(MS(1));
        receiver.requests(2).await;
    }
}

#[tokio::test]
async fn one_that_is_overloaded_by_single_attempts_is_paused_for_longer_and_longer() {
    let receiver = Receiver::start([503, 429, 504, 200, 502].map(Answer::Status)).await;
    let rig = rig(one_by_one(&receiver));
    rig.put("d", 9).await;
    for (requests, pause) in [(1, 100), (2, 200), (3, 400), (5, 100)] {
        receiver.requests(requests).await;
        let until = Some(rig.clock.now().after(MS(pause)));
        rig.stands("d", |standing| standing.until == until).await;
        assert_eq!(receiver.seen().requests.len(), requests);
        rig.advance(MS(pause));
    }
    receiver.requests(9).await;
}

#[tokio::test]
async fn failures_in_a_row_leave_it_alone_and_one_probe_at_a_time_brings_it_back() {
    let receiver = Receiver::start([500, 501, 500, 505].map(Answer::Status)).await;
    let breaker = BreakerPolicy::new(3, Duration::from_mins(1)).unwrap();
    let mut rig = rig(Destination { breaker, ..one_by_one(&receiver) });
    let ids = rig.put("d", 30).await;
    let opened = |at: Millis| Some(at.after(Duration::from_mins(1)));
    let standing = rig.stands("d", |standing| standing.state == StandingState::BreakerOpen).await;
    assert_eq!((standing.until, standing.concurrency), (opened(NOW), 0));
    let (failures, pause, destination) = (3, Duration::from_mins(1), "d".to_owned());
    assert_eq!(rig.alert().await, Alert::BreakerOpen { destination, failures, pause });
    rig.counted(&[
        r#"hookloom_destination_breaker{destination="d"} 2"#,
        r#"hookloom_breaker_openings_total{destination="d"} 1"#,
    ])
    .await;
    rig.stands("d", |standing| (standing.queued, standing.in_flight) == (0, 0)).await;

    rig.advance(Duration::from_mins(1));
    receiver.requests(4).await;
    let again = opened(rig.clock.now());
    rig.stands("d", |standing| standing.until == again && standing.queued == 0).await;
    assert_eq!(receiver.seen().requests.len(), 4, "one probe");
    attempts_made(&rig, &ids, 4).await;

    rig.advance(Duration::from_mins(1));
    receiver.requests(5).await;
    rig.stands("d", |standing| standing.state == StandingState::Ok).await;
    receiver.requests(30).await;
    rig.counted(&[
        r#"hookloom_destination_breaker{destination="d"} 0"#,
        r#"hookloom_breaker_openings_total{destination="d"} 1"#,
    ])
    .await;
    assert!(rig.raised.try_recv().is_err(), "a failed probe is no news");
}

#[tokio::test]
async fn the_probe_is_alone() {
    let failures = std::iter::repeat_n(Answer::Reset, 8);
    let receiver = Receiver::start_with(failures, Answer::Silence).await;
    let breaker = BreakerPolicy::new(8, Duration::from_mins(1)).unwrap();
    let rig = rig(Destination { breaker, ..one_by_one(&receiver) });
    rig.put("d", 40).await;
    rig.stands("d", |standing| standing.state == StandingState::BreakerOpen && standing.in_flight == 0).await;
    rig.reload(vec![Destination { breaker, concurrency: 8, ..to(&receiver, &[HOUR_MS]) }]);
    rig.advance(Duration::from_mins(1));
    rig.hand_over("d", 10).await;
    // The probe is one of these, or of those that the store had.
    rig.stands("d", |standing| standing.in_flight == 1 && standing.queued >= 9).await;
    receiver.until("the probe", |seen| seen.waiting == 1).await;
    assert_eq!(receiver.seen().requests.len(), 8 + 1);
    rig.counted(&[r#"hookloom_destination_breaker{destination="d"} 1"#]).await;
}

#[tokio::test]
async fn refusals_of_our_own_and_answers_do_not_open_a_breaker() {
    let receiver = Receiver::start_with([], Answer::Status(404)).await;
    let breaker = BreakerPolicy::new(2, Duration::from_mins(1)).unwrap();
    let refused = destination("refused", "http://127.0.0.1:9/", &[]);
    let refused = Destination { breaker, ..refused };
    let rig = Rig::start_at(Clock::manual(NOW), vec![refused], EgressPolicy::default());
    for id in rig.put("refused", 9).await {
        rig.ended(&id, DeliveryState::Dead).await;
    }
    assert_eq!(rig.standing("refused").state, StandingState::Ok);
    let rig = self::rig(Destination { breaker, ..to(&receiver, &[]) });
    for id in rig.put("d", 9).await {
        rig.ended(&id, DeliveryState::Dead).await;
    }
    assert_eq!(rig.standing("d").state, StandingState::Ok);
}

#[tokio::test]
async fn a_broken_destination_of_alerts_raises_one_alert() {
    let receiver = Receiver::start_with([], Answer::Status(500)).await;
    let breaker = BreakerPolicy::new(2, Duration::from_mins(1)).unwrap();
    let mut rig = rig(Destination { breaker, concurrency: 1, ..to(&receiver, &[]) });
    let ids = rig.put_such(&New { source: SOURCE, ..NEW }, 4).await;
    for _ in 0..2 {
        rig.stands("d", |standing| standing.until.is_some() && standing.queued == 0).await;
        rig.advance(Duration::from_mins(1));
    }
    for id in &ids {
        rig.ended(id, DeliveryState::Dead).await;
    }
    assert!(matches!(rig.alert().await, Alert::BreakerOpen { failures: 2, .. }));
    assert!(rig.raised.try_recv().is_err(), "neither another opening nor its own deliveries' deaths");
}

#[tokio::test]
async fn a_rate_limit_is_kept_also_over_a_reload() {
    let receiver = Receiver::start([]).await;
    let limited =
        |rate: f64| Destination { rate_limit: Some(Rate::per_second(rate)), ..to(&receiver, &[HOUR_MS]) };
    let rig = rig(limited(5.0));
    let ids = [rig.hand_over("d", 20).await, rig.put("d", 80).await].concat();
    let used_up = async |requests: usize| {
        receiver.requests(requests).await;
        let until = Some(rig.clock.now().after(MS(200)));
        rig.stands("d", |standing| standing.until == until && standing.in_flight == 0).await;
        let standing = rig.standing("d");
        assert_eq!(standing.state, StandingState::RateLimited);
        assert!(standing.queued <= 60, "{standing:?}");
        assert_eq!(receiver.seen().requests.len(), requests);
    };
    used_up(5).await;
    rig.advance(MS(200));
    used_up(6).await;
    rig.reload(vec![Destination { concurrency: 3, ..limited(5.0) }]);
    rig.advance(MS(200));
    used_up(7).await;
    rig.advance(MS(10_000));
    used_up(12).await;
    rig.reload(vec![to(&receiver, &[HOUR_MS])]);
    all_delivered(&rig, &ids).await;
}

#[tokio::test]
async fn what_is_in_memory_is_bounded_whatever_the_backlog() {
    let receiver = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let rig = rig(Destination { concurrency: 4, ..to(&receiver, &[]) });
    let backlog = rig.put("d", 2_000).await;
    let in_memory = |queued: usize| queued <= 2 * 256;
    rig.stands("d", |standing| standing.in_flight == 4 && standing.queued == 252).await;
    let new = rig.hand_over("d", 600).await;
    rig.stands("d", |standing| standing.queued > 256).await;
    assert!(in_memory(rig.standing("d").queued));
    receiver.open();
    for id in backlog.iter().chain(&new) {
        assert!(in_memory(rig.standing("d").queued));
        rig.ended(id, DeliveryState::Delivered).await;
    }
    assert_eq!(receiver.seen().requests.len(), 2_600, "each once");
}

#[tokio::test]
async fn new_events_do_not_stand_behind_a_backlog_of_retries() {
    let receiver = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let rig = rig(Destination { concurrency: 1, ..to(&receiver, &[]) });
    let old = rig.put("d", 2_000).await;
    rig.stands("d", |standing| standing.in_flight == 1 && standing.queued == 255).await;
    let new = rig.hand_over("d", 20).await;
    rig.stands("d", |standing| standing.queued == 275).await;
    receiver.open();
    all_delivered(&rig, &new).await;
    all_delivered(&rig, &old).await;
    let requests = receiver.seen().requests;
    let position =
        |id: &DeliveryId| requests.iter().position(|r| r.header("webhook-id") == Some(id.as_str()));
    for (rank, id) in new.iter().enumerate() {
        let position = position(id).unwrap();
        assert!(position <= 2 * rank + 2, "new {rank} was sent as number {position}");
    }
}
