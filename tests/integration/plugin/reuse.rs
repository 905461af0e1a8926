//! An instance that serves several events, where its plugin's policy says so.

use std::time::Duration;

use hookloom::model::StepVerdict;
use hookloom::plugin::{Limits, PluginSettings, Policy};
use hookloom_testkit::guests::{guest, variant};

use super::{Room, body, call_plugin, event, patient};

/// Answers how many calls its instance has seen.
const COUNT: &str = r#"{"do":"calls"}"#;

/// Sets the guest's policy, and looks at the folder.
fn allow(room: &Room, reuse: u32, limits: Limits) {
    let mut settings = PluginSettings::new(room.plugins(), patient());
    settings.plugins.insert("guest".into(), Policy { limits, reuse, ..Policy::default() });
    room.host.set_settings(settings);
    assert_eq!(room.host.scan(&[]).problems, []);
}

fn room(reuse: u32, limits: Limits) -> Room {
    let room = Room::with_guest(patient());
    allow(&room, reuse, limits);
    room
}

fn count(room: &Room, config: &str) -> u32 {
    body(&room.call(config)).parse().unwrap()
}

fn counts<const N: usize>(room: &Room) -> [u32; N] {
    std::array::from_fn(|_| count(room, COUNT))
}

#[test]
fn an_instance_serves_its_number_of_events_and_is_replaced() {
    assert_eq!(counts(&room(0, patient())), [1, 1, 1], "a fresh one for each, by default");
    assert_eq!(counts(&room(1, patient())), [1, 1, 1]);
    assert_eq!(counts(&room(3, patient())), [1, 2, 3, 1, 2, 3, 1]);
}

#[test]
fn an_instance_that_ended_badly_serves_no_more() {
    let short = Limits { deadline: Duration::from_millis(300), ..Limits::default() };
    for (bad, verdict) in [
        (r#"{"do":"calls","then":"panic"}"#, StepVerdict::Trap),
        (r#"{"do":"calls","then":"spin"}"#, StepVerdict::Timeout),
        (r#"{"do":"calls","then":"same-suffix"}"#, StepVerdict::BadOutput),
        (r#"{"do":"calls","then":"misconfigured"}"#, StepVerdict::Misconfigured),
    ] {
        let room = room(100, short.clone());
        assert_eq!([count(&room, bad), count(&room, bad)], [1, 2]);
        let third = room.call(bad);
        assert_eq!(third.verdict, verdict, "{bad}: {:?}", third.reason);
        assert_eq!(count(&room, bad), 1, "another instance after {bad}");
    }
    // An answer that is an error leaves it as good as it was.
    let room = room(100, short);
    let sound = r#"{"do":"calls","then":"invalid-input"}"#;
    assert_eq!([count(&room, sound), count(&room, sound)], [1, 2]);
    assert_eq!(room.call(sound).verdict, StepVerdict::InvalidInput);
    assert_eq!(count(&room, sound), 4);
}

#[test]
fn configurations_versions_and_policies_never_share_an_instance() {
    let room = room(100, patient());
    let other = r#"{"do":"calls","of":"another step"}"#;
    assert_eq!([count(&room, COUNT), count(&room, other)], [1, 1]);
    assert_eq!([count(&room, COUNT), count(&room, other)], [2, 2]);

    let before = room.host.plugins().get("guest").unwrap();
    room.put("guest.wasm", &variant(guest(), "guest-version-1", "guest-version-2"));
    assert_eq!(room.host.scan(&[]).loaded, ["guest"]);
    assert_eq!(count(&room, COUNT), 1, "the new version's own");
    let old = || body(&call_plugin(&before, COUNT, &event()));
    assert_eq!([old(), old()], ["1", "1"], "a run of the old version leaves nothing behind");
    assert_eq!(count(&room, COUNT), 2);

    // A look at the folder changes nothing by itself; another policy does.
    assert!(!room.host.scan(&[]).changed());
    assert_eq!(count(&room, COUNT), 3);
    allow(&room, 50, patient());
    assert_eq!(count(&room, COUNT), 1);
}

#[test]
fn each_event_has_its_own_budgets_and_memory_that_grew_stays_counted() {
    let limits = Limits { log_lines: 2, deadline: patient().deadline, ..Limits::default() };
    let room = room(100, limits);
    let chatty = r#"{"do":"calls","log":3}"#;
    for expected in 1..=3 {
        let call = room.call(chatty);
        assert_eq!((body(&call), call.log_dropped), (expected.to_string(), 1));
    }
    // What it leaks adds up until there is no more, and then it is replaced.
    let leaky = r#"{"do":"calls","leak":16777216}"#;
    let seen: Vec<_> = (0..6).map(|_| room.call(leaky)).collect();
    let denied = seen.iter().position(|call| call.verdict == StepVerdict::Memory);
    assert!(matches!(denied, Some(2..=4)), "{seen:?}");
    assert_eq!(body(&seen[denied.unwrap() + 1]), "1");
}

#[test]
fn instances_that_wait_give_way_when_the_pool_is_full_of_them() {
    let room = room(100, patient());
    let slots = room.host.pool_slots();
    for n in 0..2 * slots {
        assert_eq!(count(&room, &format!(r#"{{"do":"calls","of":{n}}}"#)), 1);
    }
    let last = format!(r#"{{"do":"calls","of":{}}}"#, 2 * slots - 1);
    assert_eq!(count(&room, &last), 2, "the latest wait");
    assert_eq!(count(&room, r#"{"do":"calls","of":0}"#), 1, "the first had to go");
}
