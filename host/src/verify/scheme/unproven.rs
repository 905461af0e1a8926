//! What is done for whoever has proven nothing.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::verify::template::Word;
use crate::verify::testing::mac;
use crate::verify::{Outgoing, Setup, preset_names};

const NOW: Millis = Millis(1_700_000_000_000);

/// With the times that Linear and Pusher have in it.
const BODY: &[u8] = br#"{"webhookTimestamp":1700000000000,"time_ms":1700000000000,"challenge":"c","pad":"#;

/// Presets whose signature and time are not in the body, so that nobody has to look into it
/// before the proof.
fn schemes() -> Vec<Scheme> {
    let compiled = preset_names().filter_map(|name| {
        let secrets = ["c2VjcmV0LXNlY3JldA=="];
        Scheme::compile(&Setup { has_public_url: true, ..Setup::preset(name, &secrets) }).ok()
    });
    compiled.filter(is_proven_outside).collect()
}

fn is_proven_outside(scheme: &Scheme) -> bool {
    let Proof::Signed(signed) = &scheme.proof else { return false };
    let is_time_outside = signed.timestamp.as_ref().is_none_or(|timestamp| {
        let is_filled_in = signed.templates.iter().any(|template| template.mentions(Word::Timestamp));
        !timestamp.extractor.is_in_body() || !is_filled_in
    });
    is_time_outside
        && signed.groups.iter().all(|group| !group.is_token && !group.signature.is_in_body())
        && signed.templates.iter().all(|template| template.has(Word::Body))
}

fn outgoing(body: &[u8]) -> Outgoing<'_> {
    let url = Some("https://h.test/in");
    Outgoing { method: "POST", url, body, id: "id-1", event_type: Some("a.b"), now: NOW }
}

/// A request as its provider would send it, but for its last byte.
fn forged(scheme: &Scheme, genuine: &[u8]) -> Option<(HeaderMap, Vec<u8>)> {
    let made = scheme.sign(&outgoing(genuine)).ok()?;
    let mut headers = HeaderMap::new();
    for header in made.headers {
        headers.append(
            HeaderName::try_from(&header.name).unwrap(),
            HeaderValue::try_from(&header.value).unwrap(),
        );
    }
    let mut body = made.body.unwrap_or_else(|| genuine.to_owned());
    body.push(b' ');
    Some((headers, body))
}

/// The verdict, and whether anything inside the body was looked at.
fn judge(scheme: &Scheme, headers: &HeaderMap, body: &[u8]) -> (Verdict, bool) {
    let public_url = Some("https://h.test/in");
    let request = Request { method: "POST", path: "/in", query: None, headers, body, public_url };
    let reader = scheme.reader(&request);
    let verdict = scheme.unsigned_handshake(&reader);
    let verdict = verdict.unwrap_or_else(|| scheme.judge(&reader, NOW, &Documents::default()));
    (verdict, reader.is_parsed())
}

#[test]
fn no_body_is_parsed_before_it_is_proven() {
    let long = [BODY, b"\"", &[b'x'; 8192], b"\"}"].concat();
    let mut count = 0;
    for scheme in schemes() {
        let Some((headers, body)) = forged(&scheme, &long) else { continue };
        let (verdict, is_parsed) = judge(&scheme, &headers, &body);
        assert!(matches!(verdict, Verdict::Unauthorized(_)), "{}: {verdict}", scheme.name());
        assert!(!is_parsed, "{}", scheme.name());
        let (verdict, _) = judge(&scheme, &headers, body.strip_suffix(b" ").unwrap());
        assert!(matches!(verdict, Verdict::Accepted(_)), "{}: {verdict}", scheme.name());
        count += 1;
    }
    assert!(count >= 45, "{count} presets were tried");
}

#[test]
fn challenges_are_short_and_not_compressed() {
    let notion = Scheme::compile(&Setup::preset("notion", &[])).unwrap();
    let told = |length: usize| format!("{{\"verification_token\":\"t\"}}{}", " ".repeat(length - 26));
    let is_handshake = |headers: &HeaderMap, body: &[u8]| {
        let (verdict, is_parsed) = judge(&notion, headers, body);
        let is_handshake = matches!(verdict, Verdict::Handshake(_));
        assert!(!is_parsed || is_handshake, "{verdict}");
        is_handshake
    };
    let plain = HeaderMap::new();
    assert!(is_handshake(&plain, told(4096).as_bytes()));
    assert!(!is_handshake(&plain, told(4097).as_bytes()));
    let (coded, body) = gzip(told(4096).as_bytes());
    assert!(!is_handshake(&coded, &body));
}

fn gzip(body: &[u8]) -> (HeaderMap, Vec<u8>) {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    let coded = HeaderMap::from_iter([(http::header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    (coded, encoder.finish().unwrap())
}

/// Linear's time is in the body, which is signed as it was sent.
#[test]
fn the_time_in_a_proven_body_is_read_however_large_the_body_is() {
    let linear = Scheme::compile(&Setup::preset("linear", &["key"])).unwrap();
    for (time, expected) in [(NOW.0, true), (NOW.0 - 61_000, false)] {
        let body = format!(r#"{{"webhookTimestamp":{time},"pad":"{}"}}"#, "x".repeat(2 << 20));
        let (mut headers, body) = gzip(body.as_bytes());
        let signature = hex::encode(mac(b"key", &body));
        headers.insert("linear-signature", signature.parse().unwrap());
        let (verdict, _) = judge(&linear, &headers, &body);
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), expected, "{verdict}");
        assert!(!matches!(verdict, Verdict::Malformed(_)), "{verdict}");
    }
}

/// Mailgun's signature is in the body, so that has to be read before it proves anything.
#[test]
fn little_is_inflated_before_the_proof() {
    let mailgun = Scheme::compile(&Setup::preset("mailgun", &["key"])).unwrap();
    for (length, expected) in [(1 << 19, true), (2 << 20, false)] {
        let body =
            format!(r#"{{"signature":{{"token":"t"}},"event-data":{{}},"pad":"{}"}}"#, "x".repeat(length));
        let made = mailgun.sign(&outgoing(body.as_bytes())).unwrap();
        let (coded, body) = gzip(&made.body.unwrap());
        let (verdict, _) = judge(&mailgun, &coded, &body);
        assert_eq!(matches!(verdict, Verdict::Accepted(_)), expected, "{length}: {verdict}");
    }
}
