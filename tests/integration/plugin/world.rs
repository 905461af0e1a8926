//! What a guest sees and says.

use std::sync::Arc;

use hookloom::model::StepVerdict;
use hookloom::plugin::{Limits, NoState, Output, StateReader};
use hookloom_testkit::guests::{guest, variant};
use serde_json::{Value, json};

use super::{Room, body, patient};

#[test]
fn a_guest_sees_the_event_and_nothing_else() {
    let room = Room::with_guest(patient());
    let seen: Value = serde_json::from_str(&body(&room.call(r#"{"do":"echo"}"#))).unwrap();
    let expected = json!({
        "id": "evt_test", "source": "github", "type": "issues.opened", "at": 1_700_000_000_000_i64,
        "method": "POST", "path": "/in/github", "query": "a=1",
        "headers": [["content-type", "application/json"], ["x-wanted", "1"], ["x-wanted", "2"]],
        "content_type": "application/json", "body": "{\"action\":\"opened\"}",
        "attributes": [["tenant", "acme"]],
    });
    assert_eq!(seen, expected);
    let around = body(&room.call(r#"{"do":"look-around"}"#));
    assert_eq!(around, "vars 0 args 0 root false written false dialled false");
}

#[test]
fn what_a_guest_does_not_need_is_not_sent() {
    let room = Room::open(Limits::default());
    room.put("guest.wasm", &variant(guest(), "events-wholly-sent-", "events-without-body"));
    assert_eq!(room.host.scan(&[]).problems, []);
    let seen: Value = serde_json::from_str(&body(&room.call(r#"{"do":"echo"}"#))).unwrap();
    assert_eq!(seen["headers"], json!([["x-wanted", "1"], ["x-wanted", "2"]]));
    assert_eq!(seen["body"], "");
}

#[test]
fn verdicts_and_reasons() {
    let room = Room::with_guest(patient());
    let cases = [
        (r#"{"do":"pass"}"#, StepVerdict::Unchanged, None),
        (r#"{"do":"drop"}"#, StepVerdict::Drop, Some("told to")),
        (r#"{"filter":"drop","do":"panic"}"#, StepVerdict::Drop, Some("told to")),
        (r#"{"filter":"invalid-input"}"#, StepVerdict::InvalidInput, Some("told to")),
        (r#"{"do":"split","n":0}"#, StepVerdict::Drop, Some("split into no message")),
        (r#"{"do":"split","n":2}"#, StepVerdict::Split, None),
        (r#"{"do":"replace"}"#, StepVerdict::Replace, None),
        (r#"{"do":"invalid-input"}"#, StepVerdict::InvalidInput, Some("told to")),
        (r#"{"do":"misconfigured"}"#, StepVerdict::Misconfigured, Some("told to")),
        (r#"{"do":"retry"}"#, StepVerdict::Retry, Some("told to")),
        (r#"{"do":"other"}"#, StepVerdict::Error, Some("told to")),
        (
            r#"{"configure":"refuse"}"#,
            StepVerdict::Misconfigured,
            Some("refuses its configuration: told to refuse"),
        ),
    ];
    for (config, verdict, reason) in cases {
        let call = room.call(config);
        assert_eq!((call.verdict, call.reason.as_deref()), (verdict, reason), "{config}");
    }
    assert_eq!(room.host.status()[0].calls, 12);
}

#[test]
fn a_message_keeps_what_it_does_not_say() {
    let room = Room::with_guest(patient());
    let call = room.call(r#"{"do":"message","header":["X-Own","v"],"type":"renamed","suffix":"one"}"#);
    let Some(Output::Replace(message)) = call.output else { panic!("{:?}", call.reason) };
    assert_eq!(message.set_headers[0].name, "x-own");
    assert_eq!(message.event_type.as_deref(), Some("renamed"));
    assert_eq!(message.idempotency_suffix.as_deref(), Some("one"));
    assert_eq!((message.content_type, message.destinations), (None, None));
}

#[test]
fn clocks_and_chance_work_without_a_grant() {
    let room = Room::with_guest(patient());
    assert_eq!(body(&room.call(r#"{"do":"random"}"#)), "4 16");
    let time = body(&room.call(r#"{"do":"time"}"#));
    let parts: Vec<i64> = time.split(' ').map(|part| part.parse().unwrap()).collect();
    assert!(parts[0] - parts[1] < 60_000 && parts[0] > 1_700_000_000_000 && parts[2] == 1, "{time}");
}

/// The guest keeps the first configuration that an instance is given.
#[test]
fn each_call_has_an_instance_of_its_own() {
    let room = Room::with_guest(patient());
    assert_eq!(body(&room.call(r#"{"do":"replace"}"#)), "replaced");
    assert_eq!(body(&room.call(r#"{"do":"version"}"#)), "guest-version-1");
}

#[test]
fn a_warm_call_fails_as_a_fresh_one_does() {
    let room = Room::with_guest(Limits::default());
    let (event, guest) = (super::event(), room.host.plugins().get("guest").unwrap());
    let (input, values): (_, Arc<dyn StateReader>) = (super::input(&event), Arc::new(NoState));
    let warm = |config: &str, times| guest.call_warm(config, &input, &values, times);
    assert!(warm(r#"{"do":"replace"}"#, 100).is_ok());
    assert!(warm(r#"{"do":"spin"}"#, 100).unwrap_err().contains("more than"));
    assert!(warm(r#"{"do":"retry"}"#, 1).unwrap_err().contains("told to"));
}
