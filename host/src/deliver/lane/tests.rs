//! Queues, slots and closings of one lane.

use std::sync::Arc;

use bytes::Bytes;

use super::*;
use crate::deliver::breaker::BreakerPolicy;
use crate::deliver::queue::{MAX_WAIT, MIN_QUEUE, QUEUE_BYTES};
use crate::model::{DeliveryId, Event, EventId, Message, Millis};
use crate::rate::Rate;

const T0: Duration = Duration::ZERO;
const S: fn(u64) -> Duration = Duration::from_secs;

fn pace(concurrency: usize) -> Pace {
    Pace { concurrency, breaker: BreakerPolicy::new(3, S(60)).unwrap(), rate: None }
}

fn limited(concurrency: usize, per_second: f64) -> Pace {
    Pace { rate: Some(Rate::per_second(per_second)), ..pace(concurrency) }
}

/// A lane of which nothing is said.
fn free() -> Lane {
    let lane = Lane::new("d".into());
    lane.hear(Hold::Free, lane.hold_version());
    lane
}

/// Makes attempts with this signal until none may start, at `now`; how many.
fn attempt(lane: &Lane, now: Duration, pace: &Pace, signal: Signal) -> usize {
    let mut made = 0;
    loop {
        let hired = lane.hire(now, pace);
        if hired == 0 {
            return made;
        }
        for _ in 0..hired {
            while let Some((_, number)) = lane.next(now, pace).delivery {
                lane.heed(now, number, signal, pace);
                made += 1;
            }
        }
    }
}

/// Makes a lane closed.
type Close = fn(&Lane, Duration, &Pace);

/// As many as open its breaker.
fn fail_three_times(lane: &Lane, now: Duration, pace: &Pace) {
    for number in 0..3 {
        lane.heed(now, number, Signal::Failed, pace);
    }
}

fn sized(id: usize, bytes: usize) -> Delivery {
    let event = Event {
        id: EventId::from_text("evt_1"),
        source: "s".into(),
        event_type: None,
        received_at: Millis(0),
        method: "POST".into(),
        path: "/".into(),
        query: None,
        headers: Vec::new(),
        body: Bytes::from(vec![0; bytes]),
        attributes: Vec::new(),
    };
    Delivery {
        id: DeliveryId::from_text(id.to_string()),
        event: Arc::new(event),
        route: "r".into(),
        destination: "d".into(),
        generation: 0,
        replay_of: None,
        message: Message::default(),
        attempts: 0,
        lease: 1,
    }
}

fn some(ids: std::ops::Range<usize>) -> Vec<Delivery> {
    ids.map(|id| sized(id, 1)).collect()
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|d| d.id.as_str()).collect()
}

#[test]
fn both_queues_are_served_in_turn() {
    let lane = free();
    lane.offer(Origin::Claim, some(100..102), T0, &pace(1));
    lane.offer(Origin::Handoff, some(0..4), T0, &pace(1));
    assert_eq!(lane.hire(T0, &pace(1)), 1);
    let served: Vec<_> =
        std::iter::from_fn(|| lane.next(T0, &pace(1)).delivery).map(|(delivery, _)| delivery).collect();
    assert_eq!(ids(&served), ["0", "100", "1", "101", "2", "3"]);
}

#[test]
fn slots_are_hired_for_work_and_given_up_without() {
    let lane = free();
    assert_eq!(lane.hire(T0, &pace(4)), 0);
    lane.offer(Origin::Handoff, some(0..2), T0, &pace(4));
    assert_eq!(lane.hire(T0, &pace(4)), 2);
    assert!(lane.next(T0, &pace(4)).delivery.is_some());
    assert!(lane.next(T0, &pace(4)).delivery.is_some());
    assert!(lane.next(T0, &pace(4)).delivery.is_none());
    assert!(lane.next(T0, &pace(4)).delivery.is_none());
    assert!(lane.is_idle());
}

#[test]
fn a_slot_that_was_lost_is_hired_again_for_what_still_waits() {
    let lane = free();
    lane.offer(Origin::Handoff, some(0..3), T0, &pace(1));
    assert_eq!((lane.hire(T0, &pace(1)), lane.hire(T0, &pace(1))), (1, 0));
    lane.abandon();
    assert_eq!(lane.hire(T0, &pace(1)), 1);
}

#[test]
fn a_lowered_concurrency_takes_slots_back() {
    let lane = free();
    lane.offer(Origin::Handoff, some(0..9), T0, &pace(3));
    assert_eq!(lane.hire(T0, &pace(3)), 3);
    assert!(lane.next(T0, &pace(1)).delivery.is_none());
    assert!(lane.next(T0, &pace(1)).delivery.is_none());
    assert!(lane.next(T0, &pace(1)).delivery.is_some());
    assert_eq!(lane.hire(T0, &pace(1)), 0);
}

#[test]
fn what_does_not_fit_is_returned_and_remembered() {
    let lane = free();
    lane.set_more_in_store(false);
    let rest = lane.offer(Origin::Handoff, some(0..MIN_QUEUE + 2), T0, &pace(1));
    assert_eq!(ids(&rest), [MIN_QUEUE.to_string(), (MIN_QUEUE + 1).to_string()]);
    assert_eq!(lane.appetite(T0, &pace(1)), (MIN_QUEUE, true));
    let large = (0..3).map(|id| sized(id, QUEUE_BYTES)).collect();
    assert_eq!(lane.offer(Origin::Claim, large, T0, &pace(1)).len(), 2, "one always fits");
    assert_eq!(lane.appetite(T0, &pace(1)).0, 0);
}

#[test]
fn the_store_is_asked_again_once_half_is_gone() {
    let lane = free();
    lane.offer(Origin::Claim, some(0..MIN_QUEUE), T0, &pace(1));
    lane.hire(T0, &pace(1));
    let taken = std::iter::repeat_with(|| lane.next(T0, &pace(1))).position(|next| next.wake);
    assert_eq!(taken, Some(MIN_QUEUE / 2 - 1));
    assert_eq!(lane.appetite(T0, &pace(1)), (MIN_QUEUE / 2, true));
}

#[test]
fn large_bodies_are_claimed_few_at_a_time() {
    let lane = free();
    lane.offer(Origin::Handoff, vec![sized(0, QUEUE_BYTES / 4)], T0, &pace(1));
    assert_eq!(lane.appetite(T0, &pace(1)).0, 4);
}

#[test]
fn the_store_is_not_asked_again_for_what_did_not_fit_until_something_has_left() {
    let lane = free();
    let third = |id| sized(id, QUEUE_BYTES / 3);
    let large = sized(9, QUEUE_BYTES);
    assert!(lane.offer(Origin::Claim, vec![third(0)], T0, &pace(1)).is_empty());
    assert_eq!(lane.offer(Origin::Claim, vec![large], T0, &pace(1)).len(), 1);
    assert_eq!(lane.appetite(T0, &pace(1)), (0, true));
    lane.hire(T0, &pace(1));
    assert!(lane.next(T0, &pace(1)).delivery.is_some());
    assert!(lane.appetite(T0, &pace(1)).0 > 0);
}

#[test]
fn deliveries_that_waited_too_long_go_back() {
    let lane = free();
    lane.offer(Origin::Handoff, some(0..2), T0, &pace(1));
    lane.offer(Origin::Handoff, some(2..3), MAX_WAIT, &pace(1));
    lane.set_more_in_store(false);
    lane.hire(T0, &pace(1));
    let next = lane.next(MAX_WAIT + Duration::from_millis(1), &pace(1));
    assert_eq!((ids(&next.returned), next.delivery.unwrap().0.id.as_str()), (vec!["0", "1"], "2"));
    assert!(next.wake);
}

#[test]
fn draining_empties_both_queues() {
    let lane = free();
    lane.offer(Origin::Handoff, some(0..1), T0, &pace(1));
    lane.offer(Origin::Claim, some(1..2), T0, &pace(1));
    assert_eq!(ids(&lane.drain()), ["0", "1"]);
    assert_eq!(lane.hire(T0, &pace(1)), 0);
}

#[test]
fn nothing_is_kept_for_a_lane_that_stays_closed() {
    let (now, pace) = (S(1), pace(4));
    let closings: [(&str, Close); 4] = [
        ("paused", |lane, _, _| drop(lane.hear(Hold::Paused, lane.hold_version()))),
        ("disabled", |lane, _, _| assert!(lane.disable())),
        ("breaker", fail_three_times),
        ("throttle", |lane, now, pace| {
            let signal = Signal::Overloaded { retry_after: Some(S(6)) };
            lane.heed(now, 0, signal, pace);
        }),
    ];
    for (why, close) in closings {
        let lane = free();
        assert!(lane.offer(Origin::Handoff, some(0..9), now, &pace).is_empty());
        assert_eq!(lane.hire(now, &pace), 4);
        assert!(lane.next(now, &pace).delivery.is_some());
        close(&lane, now, &pace);
        let left = lane.next(now, &pace);
        assert!(left.delivery.is_none(), "{why}");
        assert_eq!(left.returned.len(), if why == "paused" { 0 } else { 8 }, "{why}: given back at once");
        assert_eq!(lane.offer(Origin::Claim, some(9..12), now, &pace).len(), 3, "{why}");
        assert_eq!(lane.offer(Origin::Handoff, some(9..12), now, &pace).len(), 3, "{why}");
        assert_eq!(lane.appetite(now, &pace), (0, true), "{why}");
        assert_eq!(lane.glance(now, &pace).queued, 0, "{why}");
        assert_eq!(lane.hire(now, &pace), 0, "{why}");
    }
}

#[test]
fn a_pause_gives_back_what_is_queued_and_its_end_asks_for_it() {
    let (lane, pace) = (free(), pace(1));
    lane.offer(Origin::Handoff, some(0..3), T0, &pace);
    let heard = lane.hear(Hold::Paused, lane.hold_version());
    assert_eq!((ids(&heard.returned), heard.changed, heard.freed), (vec!["0", "1", "2"], true, false));
    assert_eq!(lane.opens_in(T0, &pace), None, "nobody knows when");
    let heard = lane.hear(Hold::Free, lane.hold_version());
    assert_eq!((heard.returned.len(), heard.changed, heard.freed), (0, true, true));
    assert_eq!(lane.appetite(T0, &pace), (MIN_QUEUE, true));
}

#[test]
fn what_waits_for_a_moment_waits_in_memory() {
    let (lane, pace) = (free(), pace(4));
    lane.offer(Origin::Handoff, some(0..3), T0, &pace);
    lane.heed(T0, 0, Signal::Overloaded { retry_after: Some(S(3)) }, &pace);
    assert_eq!((lane.hire(T0, &pace), lane.opens_in(T0, &pace)), (0, Some(S(3))));
    assert!(lane.offer(Origin::Handoff, some(3..5), T0, &pace).is_empty());
    assert_eq!(lane.hire(S(3), &pace), 2, "half of four at once");
    assert_eq!(lane.opens_in(S(3), &pace), None);
}

#[test]
fn a_slot_that_finds_the_rate_used_up_is_given_up_and_says_when_to_come_back() {
    let (lane, pace) = (free(), limited(4, 2.0));
    lane.set_more_in_store(false);
    lane.offer(Origin::Handoff, some(0..5), T0, &pace);
    assert_eq!(lane.hire(T0, &pace), 2, "no more than may start");
    assert!(lane.next(T0, &pace).delivery.is_some() && lane.next(T0, &pace).delivery.is_some());
    let next = lane.next(T0, &pace);
    assert!(next.delivery.is_none() && next.returned.is_empty() && next.wake);
    assert_eq!(lane.opens_in(T0, &pace), Some(Duration::from_millis(500)));
    assert_eq!(lane.hire(Duration::from_millis(500), &pace), 1);
}

#[test]
fn a_slow_rate_keeps_little_in_memory() {
    let (lane, pace) = (free(), limited(16, 2.0));
    assert_eq!(lane.appetite(T0, &pace).0, 12, "a burst and five seconds");
    let rest = lane.offer(Origin::Handoff, some(0..20), T0, &pace);
    assert_eq!(rest.len(), 8);
    let (lane, pace) = (free(), limited(16, 1.0 / 60.0));
    assert_eq!(lane.appetite(T0, &pace).0, 1);
    lane.offer(Origin::Claim, some(0..2), T0, &pace);
    assert_eq!(attempt(&lane, T0, &pace, Signal::Took), 1);
    assert_eq!((lane.appetite(T0, &pace), lane.glance(T0, &pace).queued), ((0, true), 0));
    assert_eq!(lane.opens_in(T0, &pace), Some(S(60)));
}

#[test]
fn a_breaker_lets_single_probes_through_until_one_is_answered() {
    let (lane, pace) = (free(), pace(4));
    lane.offer(Origin::Handoff, some(0..9), T0, &pace);
    assert_eq!(attempt(&lane, T0, &pace, Signal::Failed), 3);
    assert_eq!((lane.is_idle(), lane.opens_in(T0, &pace)), (true, Some(S(60))));
    let mut now = S(60);
    for _ in 0..2 {
        assert_eq!(lane.appetite(now, &pace).0, 1, "one probe is enough");
        lane.offer(Origin::Claim, some(0..1), now, &pace);
        assert_eq!(lane.appetite(now, &pace).0, 0);
        assert_eq!(attempt(&lane, now, &pace, Signal::Failed), 1);
        now += S(60);
    }
    lane.offer(Origin::Claim, some(0..5), now, &pace);
    assert_eq!(lane.hire(now, &pace), 1);
    let (_, number) = lane.next(now, &pace).delivery.unwrap();
    assert_eq!(lane.hire(now, &pace), 0, "one at a time");
    assert!(lane.heed(now, number, Signal::Answered, &pace).freer);
    assert_eq!(lane.hire(now, &pace), 3);
}

#[test]
fn another_url_or_a_resumed_destination_begins_anew() {
    let url = |text: &str| text.parse::<Url>().unwrap();
    let restarts: [fn(&Lane); 2] = [
        |lane| lane.meet(&"https://b.example/".parse().unwrap()),
        |lane| {
            lane.hear(Hold::Paused, lane.hold_version());
            lane.hear(Hold::Free, lane.hold_version());
        },
    ];
    for restart in restarts {
        let (lane, pace) = (free(), pace(4));
        lane.meet(&url("https://a.example/"));
        fail_three_times(&lane, T0, &pace);
        lane.meet(&url("https://a.example/"));
        assert_eq!(lane.glance(T0, &pace).closed, Some((Why::Breaker, Some(S(60)))));
        restart(&lane);
        assert_eq!(lane.glance(T0, &pace).closed, None);
    }
}

#[test]
fn memory_is_bounded_whatever_comes() {
    let (lane, pace) = (free(), pace(16));
    let mut next = 0;
    for round in 0..200 {
        let (limit, _) = lane.appetite(T0, &pace);
        lane.offer(Origin::Claim, some(next..next + limit), T0, &pace);
        lane.offer(Origin::Handoff, some(next..next + 100), T0, &pace);
        next += 100 + limit;
        let queued = lane.glance(T0, &pace).queued;
        assert!(queued <= 2 * MIN_QUEUE, "round {round}: {queued}");
    }
}
