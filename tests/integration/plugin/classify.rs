//! The capability `classify`: what a guest sees of an answer, and what it may decide.

use std::time::Duration;

use bytes::Bytes;
use hookloom::model::{Header, StepVerdict};
use hookloom::plugin::{Classification, ClassifyInput, Limits, NoAnswer};
use serde_json::{Value, json};

use super::{Room, patient};

fn said(room: &Room, config: &str) -> Result<Classification, NoAnswer> {
    let input = ClassifyInput {
        status: 418,
        headers: vec![Header { name: "x-why".into(), value: "tea".into() }],
        body: Bytes::from(vec![b'x'; 5_000]),
        attempt: 3,
    };
    room.host.plugins().get("guest").unwrap().classify(config, &input).answer
}

#[test]
fn every_decision() {
    let room = Room::at_the_edge(patient());
    let after = Some(Duration::from_millis(1_500));
    let cases = [
        (r#"{"classify":"done"}"#, Classification::Done),
        (r#"{"classify":"retry"}"#, Classification::Retry(None)),
        (r#"{"classify":"retry","ms":1500}"#, Classification::Retry(after)),
        (r#"{"classify":"dead"}"#, Classification::Dead("told to".into())),
        (r#"{"classify":"default"}"#, Classification::Default),
    ];
    for (config, expected) in cases {
        assert_eq!(said(&room, config), Ok(expected), "{config}");
    }
}

#[test]
fn a_guest_that_classifies_sees_the_beginning_of_the_answer() {
    let room = Room::at_the_edge(patient());
    let Ok(Classification::Dead(seen)) = said(&room, r#"{"classify":"saw"}"#) else { panic!("no reason") };
    let seen: Value = serde_json::from_str(&seen).unwrap();
    let expected = json!({ "status": 418, "headers": [["x-why", "tea"]], "bytes": 4096, "attempt": 3 });
    assert_eq!(seen, expected);
}

#[test]
fn a_call_without_an_answer_says_why() {
    let room = Room::at_the_edge(Limits::default());
    let none = said(&room, r#"{"classify":"spin"}"#).unwrap_err();
    assert_eq!(none.verdict, StepVerdict::Timeout, "{}", none.reason);
    let none = said(&room, r#"{"classify":"nonsense"}"#).unwrap_err();
    assert_eq!(none.verdict, StepVerdict::Trap, "{}", none.reason);
    let room = Room::with_guest(patient());
    assert_eq!(said(&room, "{}").unwrap_err().reason, "the plugin exports no `classify`");
}
