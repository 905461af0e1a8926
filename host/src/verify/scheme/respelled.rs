//! What somebody can make of a recorded request without its secret: nothing that says
//! something else, and no second event.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::*;
use crate::verify::testing::mac;
use crate::verify::{Extras, Outgoing, Setup};

/// 2023-11-14T22:13:20Z
const NOW: Millis = Millis(1_700_000_000_000);
const URL: &str = "https://h.test/in";
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

fn scheme(preset: &str, secret: &str) -> Scheme {
    let extras = Extras { public_key: (preset == "braintree").then_some("pub"), ..Extras::default() };
    Scheme::compile(&Setup { has_public_url: true, extras, ..Setup::preset(preset, &[secret]) }).unwrap()
}

/// What its provider would send, under the id `id-1`.
fn genuine(scheme: &Scheme, body: &str) -> (HeaderMap, Vec<u8>) {
    let body = body.as_bytes();
    let outgoing =
        Outgoing { method: "POST", url: Some(URL), body, id: "id-1", event_type: Some("a.b"), now: NOW };
    let made = scheme.sign(&outgoing).unwrap();
    let mut headers = HeaderMap::new();
    for header in made.headers {
        headers.append(HeaderName::try_from(header.name).unwrap(), header.value.parse().unwrap());
    }
    (headers, made.body.unwrap_or_else(|| body.to_owned()))
}

fn judge(scheme: &Scheme, headers: &HeaderMap, body: &[u8]) -> Verdict {
    let request = Request { method: "POST", path: "/in", query: None, headers, body, public_url: Some(URL) };
    scheme.verify(&request, NOW, &Documents::default())
}

fn id(verdict: &Verdict) -> Option<&str> {
    let Verdict::Accepted(accepted) = verdict else { panic!("{verdict}") };
    accepted.id.as_deref()
}

#[test]
fn another_content_type_hides_no_id() {
    let slack = scheme("slack", "s3cret");
    let (mut headers, body) = genuine(&slack, r#"{"event_id":"E1","type":"event_callback"}"#);
    for kind in [FORM, HeaderValue::from_static("multipart/form-data; boundary=x")] {
        headers.insert(CONTENT_TYPE, kind);
        assert_eq!(id(&judge(&slack, &headers, &body)), Some("E1"));
    }
}

#[test]
fn fields_that_are_not_signed_again_hide_no_id() {
    let twilio = scheme("twilio", "s3cret");
    let (headers, body) = genuine(&twilio, "MessageSid=SM1&MessageStatus=sent");
    for more in ["", "&MessageSid=SM1", "&&MessageStatus=%73ent"] {
        let body = [&body, more.as_bytes()].concat();
        assert_eq!(id(&judge(&twilio, &headers, &body)), Some("SM1.sent"), "{more}");
    }
    let braintree = scheme("braintree", "s3cret");
    let (headers, body) = genuine(&braintree, "<n><kind>check</kind></n>");
    let first = judge(&braintree, &headers, &body);
    assert_eq!(id(&first).map(str::len), Some(64));
    for more in ["&", "&x=1"] {
        let body = [&body, more.as_bytes()].concat();
        assert_eq!(id(&judge(&braintree, &headers, &body)), id(&first), "{more}");
    }
}

/// Nothing stands between the id, the time and the body.
#[test]
fn an_id_has_no_part_of_the_body_in_it() {
    let twitch = scheme("twitch", "s3cret-s3cret");
    let (mut headers, body) = genuine(&twitch, r#"{"at":"2023-11-14T22:13:20Z","n":1}"#);
    assert_eq!(id(&judge(&twitch, &headers, &body)), Some("id-1"));
    let time = headers["twitch-eventsub-message-timestamp"].to_str().unwrap().to_owned();
    let longer = format!(r#"id-1{time}{{"at":""#);
    headers.insert("twitch-eventsub-message-id", longer.parse().unwrap());
    headers.insert("twitch-eventsub-message-timestamp", HeaderValue::from_static("2023-11-14T22:13:20Z"));
    let verdict = judge(&twitch, &headers, br#"","n":1}"#);
    assert_eq!(verdict.to_string(), "malformed: the signed id has characters that it cannot have");

    let dotted = scheme("standard-webhooks", "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=");
    let (mut headers, body) = genuine(&dotted, r#"{"text":"a.1700000000.b"}"#);
    assert_eq!(id(&judge(&dotted, &headers, &body)), Some("id-1"));
    headers.insert("webhook-id", HeaderValue::from_static(r#"id-1.1700000000.{"text":"a"#));
    let verdict = judge(&dotted, &headers, br#"b"}"#);
    assert_eq!(verdict.to_string(), "malformed: the signed id has characters that it cannot have");
}

#[test]
fn a_nonce_has_no_part_of_the_form_in_it() {
    let plivo = scheme("plivo-v3", "s3cret");
    let (mut headers, body) = genuine(&plivo, "c=3&d=4");
    assert_eq!(id(&judge(&plivo, &headers, &body)), Some("id-1"));
    headers.insert("x-plivo-signature-v3-nonce", HeaderValue::from_static("c3d4.id-1"));
    let verdict = judge(&plivo, &headers, b"");
    assert!(matches!(verdict, Verdict::Malformed(_)), "{verdict}");
}

#[test]
fn an_item_of_a_batch_comes_once() {
    let adyen = scheme("adyen", "0f");
    let item = json!({ "pspReference": "p", "eventCode": "REFUND", "success": "true" });
    let batch = json!({ "notificationItems": [{ "NotificationRequestItem": item }] });
    let (headers, body) = genuine(&adyen, &batch.to_string());
    assert_eq!(id(&judge(&adyen, &headers, &body)), Some("p.REFUND.true"));
    let mut twice: Value = serde_json::from_slice(&body).unwrap();
    let items = twice["notificationItems"].as_array_mut().unwrap();
    items.push(items[0].clone());
    let verdict = judge(&adyen, &headers, twice.to_string().as_bytes());
    assert_eq!(verdict.to_string(), "malformed: an item is there twice");
}

/// Mailgun sends mail with attachments so.
#[test]
fn a_form_in_parts_is_a_form() {
    let mailgun = scheme("mailgun", "key");
    let signature = hex::encode(mac(b"key", b"1700000000token1"));
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let headers =
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=b"))]);
    for (signature, expected) in [(signature.as_str(), true), (&"0".repeat(64), false)] {
        let parts = [part("timestamp", "1700000000"), part("token", "token1"), part("signature", signature)];
        let verdict = judge(&mailgun, &headers, format!("{}--b--\r\n", parts.concat()).as_bytes());
        assert_eq!(matches!(&verdict, Verdict::Accepted(_)), expected, "{verdict}");
        assert!(!expected || id(&verdict) == Some("token1"));
    }
}
