//! The capability `verify`: what a guest sees of a request, and what becomes of its word.

use std::time::Duration;

use bytes::Bytes;
use hookloom::model::{Attribute, Header, Millis, StepVerdict};
use hookloom::plugin::{Acceptance, Judged, Limits, NoAnswer, Verification, VerifyInput};
use serde_json::{Value, json};

use super::{Room, patient};

fn request() -> VerifyInput {
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    VerifyInput {
        method: "POST".into(),
        path: "/in/odd/sub".into(),
        query: Some("a=1".into()),
        headers: vec![
            header("authorization", "Bearer unmasked"),
            header("x-edge-key", "let-me-in"),
            header("x-edge-id", "id-1"),
            header("x-edge-type", "order.paid"),
            header("x-edge-tenant", "acme"),
        ],
        body: Bytes::from_static(b"{}"),
        public_url: "https://hooks.example.com/in/odd".into(),
        now: Millis(1_700_000_000_000),
    }
}

fn verify(room: &Room, config: &str, input: &VerifyInput) -> Judged<Verification> {
    room.host.plugins().get("guest").unwrap().verify(config, input)
}

fn said(room: &Room, config: &str) -> Result<Verification, NoAnswer> {
    verify(room, config, &request()).answer
}

#[test]
fn an_accepted_request_has_what_the_guest_read() {
    let room = Room::at_the_edge(patient());
    let judged = verify(&room, "{}", &request());
    let accepted = Acceptance {
        id: Some("id-1".into()),
        event_type: Some("order.paid".into()),
        attributes: vec![Attribute { name: "tenant".into(), value: "acme".into() }],
    };
    assert_eq!(judged.answer, Ok(Verification::Accepted(accepted)));
    assert_eq!(judged.digest, room.host.plugins().get("guest").unwrap().digest());
    assert!(judged.took > Duration::ZERO);
    assert_eq!(room.host.status()[0].calls, 1);
}

#[test]
fn a_guest_that_verifies_sees_the_request_as_it_came() {
    let room = Room::at_the_edge(patient());
    let Ok(Verification::Respond(response)) = said(&room, r#"{"verify":"saw"}"#) else {
        panic!("no response")
    };
    let seen: Value = serde_json::from_slice(&response.body).unwrap();
    let expected = json!({
        "method": "POST", "path": "/in/odd/sub", "query": "a=1",
        "headers": [
            ["authorization", "Bearer unmasked"], ["x-edge-key", "let-me-in"], ["x-edge-id", "id-1"],
            ["x-edge-type", "order.paid"], ["x-edge-tenant", "acme"],
        ],
        "body": "{}", "public_url": "https://hooks.example.com/in/odd", "now_ms": 1_700_000_000_000_i64,
    });
    assert_eq!(seen, expected);
}

#[test]
fn what_breaks_the_bounds_of_names_is_left_out_and_the_event_is_kept() {
    let room = Room::at_the_edge(patient());
    let attribute = |name: &str, value: &str| Attribute { name: name.into(), value: value.into() };
    let accepted = Acceptance {
        id: None,
        event_type: None,
        attributes: vec![attribute("twice", "second"), attribute("empty", "")],
    };
    assert_eq!(said(&room, r#"{"verify":"unsound"}"#), Ok(Verification::Accepted(accepted)));
}

#[test]
fn a_call_without_an_answer_says_why() {
    let room = Room::at_the_edge(Limits::default());
    let cases = [
        (r#"{"verify":"nonsense"}"#, StepVerdict::Trap, "does not know how to verify by nonsense"),
        (r#"{"verify":"spin"}"#, StepVerdict::Timeout, "deadline of 50ms"),
        (r#"{"verify":"cookie"}"#, StepVerdict::BadOutput, "`set-cookie`"),
        (r#"{"verify":"server-error"}"#, StepVerdict::BadOutput, "the status 500"),
        (
            r#"{"configure":"refuse"}"#,
            StepVerdict::Misconfigured,
            "refuses its configuration: told to refuse",
        ),
    ];
    for (config, verdict, reason) in cases {
        let none = said(&room, config).unwrap_err();
        assert_eq!(none.verdict, verdict, "{config}: {}", none.reason);
        assert!(none.reason.contains(reason), "{config}: {}", none.reason);
    }
    let status = room.host.status().remove(0);
    assert_eq!((status.calls, status.traps), (5, 2));
}

#[test]
fn a_plugin_without_the_export_says_so() {
    let room = Room::with_guest(patient());
    let none = said(&room, "{}").unwrap_err();
    let expected = (StepVerdict::Misconfigured, "the plugin exports no `verify`");
    assert_eq!((none.verdict, none.reason.as_str()), expected);
}
