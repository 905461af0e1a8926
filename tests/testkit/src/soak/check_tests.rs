//! The checker catches each kind of breach in a made-up history, and nothing else.

use super::super::history::{Arrival, Arrivals, Fate, History, Name};
use super::{Violation, check};

const A0: Name = Name { key: 0, number: 0 };
const A1: Name = Name { key: 0, number: 1 };
const A2: Name = Name { key: 0, number: 2 };
const B0: Name = Name { key: 1, number: 0 };

/// Three destinations, of which the last is ordered; every event arrived at each of them
/// once, at ten ticks a time.
fn whole(sent: &[(Name, Fate)]) -> History {
    let mut history = History { sent: sent.to_vec(), ..History::default() };
    for (index, destination) in ["flaky", "slow", "ordered"].into_iter().enumerate() {
        let mut arrivals = Arrivals {
            destination: destination.into(),
            ordered: destination == "ordered",
            attempts: Vec::new(),
        };
        for (began, (event, _)) in (0..).step_by(10).zip(sent) {
            let id = history.ids.number(&format!("{event}@{destination}"));
            arrivals.attempts.push(Arrival {
                event: *event,
                id,
                body: 7,
                began,
                ended: began + 5,
                taken: true,
            });
        }
        assert_eq!(history.arrivals.len(), index);
        history.arrivals.push(arrivals);
    }
    history
}

fn acknowledged(events: &[Name]) -> History {
    whole(&events.iter().map(|event| (*event, Fate::Acknowledged)).collect::<Vec<_>>())
}

fn ordered(history: &mut History) -> &mut Vec<Arrival> {
    &mut history.arrivals[2].attempts
}

/// The attempt once more, at that time, for so long.
fn again(attempt: Arrival, began: u64, lasting: u64) -> Arrival {
    Arrival { began, ended: began + lasting, ..attempt }
}

fn at(destination: &str) -> String {
    destination.into()
}

#[test]
fn a_history_in_which_every_promise_was_kept_is_clean() {
    assert_eq!(check(&History::default()), []);
    let mut history = acknowledged(&[A0, B0, A1, A2]);
    // Duplicates under the same id are what a crash may make of anything.
    let (first, last) = (ordered(&mut history)[0], ordered(&mut history)[3]);
    ordered(&mut history).extend([again(first, 6, 2), again(last, 40, 5)]);
    // Where no order is asked for, none is expected.
    let early = history.arrivals[1].attempts[0];
    history.arrivals[1].attempts.extend([again(early, 100, 5), again(early, 101, 50)]);
    // Keys do not wait for each other.
    let other = &mut ordered(&mut history)[1];
    *other = again(*other, 1, 100);
    assert_eq!(check(&history), []);
}

#[test]
fn an_acknowledged_event_that_is_missing_at_one_destination_is_lost() {
    let mut history = acknowledged(&[A0, A1]);
    history.arrivals[1].attempts.remove(0);
    assert_eq!(check(&history), [Violation::Lost { destination: at("slow"), event: A0 }]);
}

#[test]
fn an_event_of_unknown_fate_may_be_missing_but_not_in_part() {
    let mut history = whole(&[(A0, Fate::Acknowledged), (A1, Fate::Unknown)]);
    assert_eq!(check(&history), []);
    history.arrivals[0].attempts.pop();
    assert_eq!(check(&history), [Violation::Lost { destination: at("flaky"), event: A1 }]);
    history.arrivals[1].attempts.pop();
    history.arrivals[2].attempts.pop();
    assert_eq!(check(&history), []);
}

#[test]
fn an_event_that_nobody_sent_is_noticed() {
    let mut history = acknowledged(&[A0, A1]);
    history.sent.pop();
    let unsent = ["flaky", "slow", "ordered"]
        .map(|destination| Violation::Unsent { destination: at(destination), event: A1 });
    assert_eq!(check(&history), unsent);
}

#[test]
fn a_duplicate_under_another_id_is_caught() {
    let mut history = acknowledged(&[A0]);
    let id = history.ids.number("another");
    let first = history.arrivals[0].attempts[0];
    history.arrivals[0].attempts.push(Arrival { id, ..again(first, 20, 5) });
    let ids = vec!["k0:0@flaky".to_owned(), "another".to_owned()];
    assert_eq!(check(&history), [Violation::SecondId { destination: at("flaky"), event: A0, ids }]);
}

#[test]
fn an_id_that_two_deliveries_share_is_caught() {
    let mut history = acknowledged(&[A0]);
    history.arrivals[1].attempts[0].id = history.arrivals[0].attempts[0].id;
    let by = [(at("flaky"), A0), (at("slow"), A0)];
    assert_eq!(check(&history), [Violation::SharedId { id: "k0:0@flaky".into(), by }]);
}

#[test]
fn another_body_under_the_same_id_is_caught() {
    let mut history = acknowledged(&[A0]);
    let first = history.arrivals[0].attempts[0];
    history.arrivals[0].attempts.push(Arrival { body: 8, ..again(first, 20, 5) });
    let expected = Violation::OtherBody { id: "k0:0@flaky".into(), destination: at("flaky"), event: A0 };
    assert_eq!(check(&history), [expected]);
}

#[test]
fn a_key_that_was_reordered_is_caught() {
    let mut history = acknowledged(&[A0, A1, A2]);
    let attempts = ordered(&mut history);
    // Now A0 at 20 and A2 at 0.
    (attempts[0].event, attempts[2].event) = (A2, A0);
    (attempts[0].id, attempts[2].id) = (attempts[2].id, attempts[0].id);
    let late = |event| Violation::Overtaken { destination: at("ordered"), event, by: A2 };
    assert_eq!(check(&history), [late(A1), late(A0)]);
}

#[test]
fn an_earlier_event_that_comes_again_after_a_later_one_is_caught() {
    let mut history = acknowledged(&[A0, A1]);
    let first = ordered(&mut history)[0];
    ordered(&mut history).push(again(first, 30, 5));
    let expected = Violation::Overtaken { destination: at("ordered"), event: A0, by: A1 };
    assert_eq!(check(&history), [expected]);
}

#[test]
fn attempts_of_one_key_that_overlap_are_caught() {
    let mut history = acknowledged(&[A0, A1, A2]);
    // A0 lasts until after A2 began.
    ordered(&mut history)[0].ended = 21;
    let over = |second| Violation::Overlap { destination: at("ordered"), first: A0, second };
    assert_eq!(check(&history), [over(A1), over(A2)]);
}
