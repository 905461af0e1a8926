//! What fixtures say of calls.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::model::{Attribute, Header, Millis};
use crate::plugin::Call;

fn event() -> Event {
    event_file::read(&Node::top(&json!({ "source": "s", "body": { "a": 1 } })), Millis(0)).unwrap()
}

fn trial(verdict: StepVerdict, reason: Option<&str>, output: Option<Output>) -> Trial {
    let call = Call {
        verdict,
        reason: reason.map(str::to_owned),
        output,
        took: Duration::ZERO,
        memory: 0,
        log_dropped: 0,
    };
    Trial { call, log: vec![], state: BTreeMap::from([("n".to_owned(), Bytes::from("2"))]) }
}

fn replaced(message: PluginMessage) -> Trial {
    trial(StepVerdict::Replace, None, Some(Output::Replace(message)))
}

fn read(expect: &Value) -> Result<Expect, String> {
    Expect::read(&Node::top(expect))
}

/// What differs, as sentences.
fn differs(expect: &Value, trial: &Trial) -> Vec<String> {
    read(expect).unwrap().compare(&event(), trial).into_iter().map(|difference| difference.what).collect()
}

#[test]
fn the_answer_is_compared_by_its_word() {
    let dropped = trial(StepVerdict::Drop, Some("a bot"), Some(Output::Drop("a bot".into())));
    for key in ["verdict", "outcome"] {
        assert_eq!(differs(&json!({ key: "drop" }), &dropped), [] as [&str; 0]);
    }
    assert_eq!(differs(&json!({ "verdict": "drop", "reason": "bot" }), &dropped), [] as [&str; 0]);
    assert_eq!(differs(&json!({ "verdict": "pass" }), &dropped), ["expected verdict pass, got drop: a bot"]);
    assert_eq!(
        differs(&json!({ "verdict": "drop", "reason": "human" }), &dropped),
        ["expected the reason \"human\", got \"a bot\""]
    );
    let other = trial(StepVerdict::Error, Some("why"), None);
    assert_eq!(differs(&json!({ "error": "other" }), &other), [] as [&str; 0]);
    assert_eq!(differs(&json!({ "error": "retry" }), &other), ["expected error retry, got other: why"]);
}

#[test]
fn json_bodies_are_compared_as_json_and_others_byte_by_byte() {
    let said =
        |body: &'static str| replaced(PluginMessage { body: Some(body.into()), ..PluginMessage::default() });
    let expect = |message: Value| json!({ "outcome": "replace", "messages": [message] });
    let json = expect(json!({ "body": { "a": 1, "b": 2 } }));
    assert_eq!(differs(&json, &said("{\"b\": 2, \"a\": 1}")), [] as [&str; 0]);
    assert_eq!(differs(&json, &said("{\"b\":2}")), ["message 1: its body is another"]);
    assert_eq!(differs(&expect(json!({ "body_text": "x" })), &said("x")), [] as [&str; 0]);
    assert_eq!(
        differs(&expect(json!({ "body_text": "x" })), &said("x ")),
        ["message 1: its body is another"]
    );
    let untouched = replaced(PluginMessage::default());
    assert_eq!(
        differs(&expect(json!({ "body": { "a": 1 } })), &untouched),
        [] as [&str; 0],
        "the event's own"
    );
}

#[test]
fn every_part_of_a_message_can_be_expected() {
    let header = |value: &str| Header { name: "x-a".into(), value: value.into() };
    let message = PluginMessage {
        body: None,
        content_type: Some("text/plain".into()),
        set_headers: vec![header("1"), header("2")],
        remove_headers: vec!["x-old".into()],
        event_type: Some("t".into()),
        destinations: Some(vec!["crm".into()]),
        attributes: vec![Attribute { name: "k".into(), value: "v".into() }],
        idempotency_suffix: Some("one".into()),
    };
    let expect = |message: Value| json!({ "outcome": "replace", "messages": [message] });
    let all = json!({
        "headers": { "X-A": ["1", "2"], "content-type": "text/plain" },
        "removed_headers": ["X-Old"], "type": "t", "destinations": ["crm"],
        "attributes": { "k": "v" }, "suffix": "one",
    });
    let trial = replaced(message);
    assert_eq!(differs(&expect(all), &trial), [] as [&str; 0]);
    let table = [
        (json!({ "headers": { "x-a": "1" } }), "the header x-a 1, got 1, 2"),
        (json!({ "headers": { "x-b": "1" } }), "the header x-b 1, got none"),
        (json!({ "removed_headers": [] }), "the removed headers none, got x-old"),
        (json!({ "type": "u" }), "the type u, got t"),
        (json!({ "destinations": ["a", "b"] }), "the destinations a, b, got crm"),
        (json!({ "attributes": { "k": "w" } }), "the attribute k \"w\", got \"v\""),
        (json!({ "attributes": { "l": "w" } }), "the attribute l \"w\", got none"),
        (json!({ "suffix": "two" }), "the suffix two, got one"),
    ];
    for (message, difference) in table {
        assert_eq!(differs(&expect(message), &trial), [format!("message 1: expected {difference}")]);
    }
}

#[test]
fn messages_and_state_are_counted_and_compared() {
    let unchanged = trial(StepVerdict::Unchanged, None, Some(Output::Unchanged));
    assert_eq!(
        differs(&json!({ "outcome": "unchanged", "messages": [{}] }), &unchanged),
        ["expected 1 message(s), got 0"]
    );
    let state = |state: Value| differs(&json!({ "outcome": "unchanged", "state": state }), &unchanged);
    assert_eq!(state(json!({ "n": 2, "gone": null })), [] as [&str; 0]);
    assert_eq!(state(json!({ "n": null })), ["expected nothing under the key n of kv, got 2"]);
    assert_eq!(state(json!({ "m": "x" })), ["expected \"x\" under the key m of kv, got nothing"]);
}

#[test]
fn mistakes_are_named() {
    let table = [
        (json!({}), "has to name one of"),
        (json!({ "verdict": "pass", "error": "retry" }), "has to name one of"),
        (json!({ "outcome": "replaced" }), "outcome: `replaced` is none of unchanged, replace, split, drop"),
        (json!({ "otcome": "drop" }), "unknown field `otcome`"),
        (json!({ "outcome": "replace", "messages": [{ "bod": 1 }] }), "messages[0]: unknown field `bod`"),
    ];
    for (expect, message) in table {
        let error = read(&expect).unwrap_err();
        assert!(error.starts_with(message), "{expect}: {error}");
    }
}
