//! Requests that somebody changed, and that a gateway with a mistake would take.

use hookloom::verify::{Accepted, Verdict};
use serde_json::{Value, json};

use super::*;

/// Signed by nobody: the oracle takes a verdict at its word.
fn original() -> Sent {
    let header = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    Sent {
        method: "POST".to_owned(),
        below: "/eu".to_owned(),
        query: Some("q=A&sig=ab12".to_owned()),
        headers: vec![header("x-sig", b"ab12"), header("x-id", b"id-1")],
        body: b"b=2&a=1".to_vec(),
    }
}

fn judged(scheme: (Option<&str>, &Value), sent: &Sent, id: &str) -> Result<(), &'static str> {
    let case = json!({
        "preset": scheme.0, "verify": scheme.1, "secret": "k", "now": 1_700_000_000,
        "original": original().to_value(), "sent": sent.to_value(),
    });
    let accepted = Accepted { id: Some(id.to_owned()), event_type: None };
    allows(&Case::from_value(&case).unwrap(), &Verdict::Accepted(accepted))
}

const OTHER: Result<(), &str> = Err("it says something else");

/// What is done to the original.
type Change = fn(&mut Sent);

#[test]
fn what_is_signed_of_the_target_is_what_was_signed() {
    let (same, method): (Change, Change) = (|_| (), |sent| sent.method = "GET".to_owned());
    let (path, bare): (Change, Change) = (|sent| sent.below = "/us".to_owned(), |sent| sent.below.clear());
    let no_query: Change = |sent| sent.query = None;
    let query: Change = |sent| sent.query = Some("q=B&sig=ab12".to_owned());
    let coded: Change = |sent| sent.query = Some("q=%41&sig=ab12".to_owned());
    let lower: Change = |sent| sent.query = Some("q=a&sig=ab12".to_owned());
    let second: Change = |sent| sent.query = Some("q=A&q=B&sig=ab12".to_owned());
    let body: Change = |sent| sent.body = b"a=1&b=2".to_vec();
    for (message, change, expected) in [
        ("{method}{body}", same, Ok(())),
        ("{method}{body}", method, OTHER),
        ("{method}{body}", path, Ok(())),
        ("{url}{body}", same, Ok(())),
        ("{url}{body}", method, Ok(())),
        ("{url}{body}", path, OTHER),
        ("{url}{body}", bare, OTHER),
        ("{url}{body}", query, OTHER),
        ("{url}{body}", coded, OTHER),
        ("{url}{body}", second, OTHER),
        ("{url}{body}", no_query, OTHER),
        ("{url}{body}", body, OTHER),
        ("{url}{form_sorted}", body, Ok(())),
        ("{query:q}{body}", path, Ok(())),
        ("{query:q}{body}", query, OTHER),
        ("{query:q}{body}", lower, OTHER),
        ("{query:q}{body}", coded, Ok(())),
        ("{query:q}{body}", second, Ok(())),
        ("{query:q}{body}", no_query, OTHER),
        ("{lower:query:q}{body}", lower, Ok(())),
        ("{lower:query:q}{body}", query, OTHER),
        ("[[{query:q};]]{body}", no_query, OTHER),
        ("[[{query:none};]]{body}", no_query, Ok(())),
        ("[[{query:none};]]{body}", body, OTHER),
    ] {
        let mut sent = original();
        change(&mut sent);
        let verify = json!({ "signature": { "header": "x-sig" }, "message": message });
        assert_eq!(judged((None, &verify), &sent, "id-1"), expected, "{message}: {sent:?}");
    }
}

#[test]
fn code_signs_what_it_signs() {
    let (path, method): (Change, Change) =
        (|sent| sent.below.push('/'), |sent| sent.method = "GET".to_owned());
    let body: Change = |sent| sent.body.clear();
    let (order, twice): (Change, Change) =
        (|sent| sent.body = b"a=1&b=2".to_vec(), |sent| sent.body = b"b=2&a=1&b=2".to_vec());
    let field: Change = |sent| sent.body = b"b=2&a=2".to_vec();
    for (preset, change, expected) in [
        ("twilio", path, OTHER),
        ("twilio", method, Ok(())),
        ("twilio", body, OTHER),
        ("twilio", order, Ok(())),
        ("twilio", twice, Ok(())),
        ("twilio", field, OTHER),
        ("twilio-sharedkey", path, OTHER),
        ("messagebird", path, OTHER),
        ("messagebird", body, OTHER),
        ("contentful", path, OTHER),
        ("contentful", method, OTHER),
        ("contentful", body, OTHER),
    ] {
        let mut sent = original();
        change(&mut sent);
        assert_eq!(judged((Some(preset), &Value::Null), &sent, "id-1"), expected, "{preset}: {sent:?}");
    }
}

/// Contentful's own library writes no question mark where nothing is behind it.
#[test]
fn an_empty_query_of_contentful_is_none() {
    let signed = Sent { query: None, ..original() };
    for (query, expected) in [(None, Ok(())), (Some(""), Ok(())), (Some("a"), OTHER)] {
        let sent = Sent { query: query.map(str::to_owned), ..original() };
        let case = json!({
            "preset": "contentful", "verify": null, "secret": "k", "now": 1_700_000_000,
            "original": signed.to_value(), "sent": sent.to_value(),
        });
        let verdict = Verdict::Accepted(Accepted { id: None, event_type: None });
        assert_eq!(allows(&Case::from_value(&case).unwrap(), &verdict), expected, "{query:?}");
    }
}

#[test]
fn of_several_headers_the_signed_one_is_told() {
    let header = |name: &str, value: &[u8]| (name.to_owned(), value.to_vec());
    let verify = json!({
        "signature": { "header": "x-sig" }, "message": "{header:x-id}{body}", "id": { "header": "x-id" },
    });
    for (at, name, value, told, expected) in [
        (0, "x-id", &b"id-2"[..], "id-1", Ok(())),
        (0, "X-ID", b"id-2", "id-2", Err("its id is not the one that was signed")),
        (2, "x-id", b"id-2", "id-2", Err("its id is not the one that was signed")),
        (0, "x-sig", b"00", "id-1", Ok(())),
    ] {
        let mut sent = original();
        sent.headers.insert(at, header(name, value));
        assert_eq!(judged((None, &verify), &sent, told), expected, "{sent:?}");
    }
    let mut sent = original();
    sent.headers[0] = header("x-sig", b"00");
    assert_eq!(judged((None, &verify), &sent, "id-1"), Err("it has another signature"));
    sent.headers[0] = header("X-Sig", b"AB12");
    assert_eq!(judged((None, &verify), &sent, "id-1"), Ok(()));
}

#[test]
fn signatures_and_times_in_the_query_count() {
    let verify = json!({
        "signature": { "query": "sig" }, "timestamp": { "query": "t" }, "message": "{timestamp}{body}",
    });
    let mut sent = original();
    sent.add_query("t=1700000000");
    assert_eq!(judged((None, &verify), &sent, "id-1"), OTHER);
    sent.query = Some("t=1699990000&sig=ab12".to_owned());
    assert_eq!(judged((None, &verify), &sent, "id-1"), Err("its time is far"));
    sent.query = Some("t=1700000000&sig=00".to_owned());
    assert_eq!(judged((None, &verify), &sent, "id-1"), Err("it has another signature"));
}
