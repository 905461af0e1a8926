//! Explanations: each hint where it is true, and no secret in any of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use super::super::testing::{self, compile, mac};
use super::*;

const NOW: Millis = Millis(1_700_000_000_000);
const KEY: &str = "hunter2-aGVsbG8=";

fn explain(scheme: &Scheme, headers: &[(&str, &str)], body: &[u8]) -> Explanation {
    let map = testing::headers(headers);
    let request = Request {
        method: "POST",
        path: "/in/x",
        query: Some("a=b"),
        headers: &map,
        body,
        public_url: Some("https://h.test/in/x?a=b"),
    };
    scheme.explain(&request, NOW, &Documents::default())
}

/// Explains a request to GitHub's preset whose signature was made over `signed`.
fn github(signed: &[u8], body: &[u8]) -> Explanation {
    let signature = format!("sha256={}", hex::encode(mac(KEY.as_bytes(), signed)));
    explain(&compile(Some("github"), "", &[KEY]), &[("x-hub-signature-256", &signature)], body)
}

#[track_caller]
fn assert_hint(explanation: &Explanation, expected: &str) {
    let hints = &explanation.hints;
    assert!(hints.iter().any(|hint| hint.contains(expected)), "{expected} is not in {hints:#?}");
    assert!(hints.len() <= 3, "{hints:#?}");
    assert!(matches!(explanation.verdict, Verdict::Unauthorized(_)), "{}", explanation.verdict);
    for text in hints.iter().chain(explanation.steps.iter().map(|step| &step.found)) {
        assert!(!text.contains("hunter2"), "a secret is shown: {text}");
    }
}

#[test]
fn bodies_that_were_changed_on_the_way() {
    let pretty = "{\n  \"a\": [\n    1.0,\n    \"\u{e9}/\"\n  ],\n  \"b\": {}\n}";
    for (signed, received, expected) in [
        ("{}\n", "{}", "with a line break added at the body's end"),
        ("{}\r\n", "{}", "with CR LF added at the body's end"),
        ("{}", "{}\n", "with the line break at the body's end removed"),
        ("x", "  x \n", "with the white space around the body removed"),
        ("a\nb", "a\r\nb", "with LF instead of CR LF in the body"),
        ("a\r\nb", "a\nb", "with CR LF instead of LF in the body"),
        ("{\"a\":[1.0,\"\u{e9}/\"],\"b\":{}}", pretty, "re-serialised without spaces"),
        (pretty, "{\"a\":[1.0,\"\u{e9}/\"],\"b\":{}}", "on indented lines (2 spaces)"),
        ("{\"a\": [1.0, \"\\u00e9/\"], \"b\": {}}", pretty, "a space behind each comma and colon"),
        ("{\"a\":[1.0,\"\u{e9}/\"],\"b\":{}}", "{\"a\":[1.0,\"\\u00e9\\/\"],\"b\":{}}", "without spaces"),
        ("{\"a\": \"\\ud83d\\ude00 \"}", "{\"a\": \"\u{1f600} \"}", "written as \\uXXXX"),
        ("{ \"a\" :\"x\\/y\"}", "{ \"a\" :\"x/y\"}", "slashes escaped"),
        ("\u{e9}", "e\u{301}", "normal form C"),
        ("e\u{301}", "\u{e9}", "normal form D"),
        ("\u{c3}\u{a9}", "\u{e9}", "read as Latin-1 and written as UTF-8"),
        ("\u{e9}", "\u{c3}\u{a9}", "written as Latin-1"),
        ("plain", "cGxhaW4=", "decoded from base64"),
        ("x", "\u{feff}x", "byte order mark removed"),
        ("\u{feff}x", "x", "a byte order mark before"),
    ] {
        assert_hint(&github(signed.as_bytes(), received.as_bytes()), expected);
    }
    assert_hint(&github("a\u{fffd}".as_bytes(), b"a\xff"), "replaced by U+FFFD");
    assert_eq!(github(b"{}", b"{\"other\":1}").hints, [""; 0]);
}

#[test]
fn secrets_and_rules_that_are_mistaken() {
    let (hexadecimal, body) = ("X-S", "{\"a\":1}");
    let verify = "signature = { header = \"x-s\" }";
    let key = STANDARD.encode("the key");
    let signed = |key: &[u8]| mac(key, body.as_bytes());
    let sha1 = {
        let mut mac = Hmac::<Sha1>::new_from_slice(KEY.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    for (secret, signature, expected) in [
        (format!(" {KEY}\n"), hex::encode(signed(KEY.as_bytes())), "with secret 1 trimmed"),
        (format!("\"{KEY}\""), hex::encode(signed(KEY.as_bytes())), "with secret 1 without the quotes"),
        (
            KEY.to_owned(),
            hex::encode(signed(format!("{KEY}\n").as_bytes())),
            "with secret 1 with a line break",
        ),
        (format!("whsec_{key}"), hex::encode(signed(b"the key")), "base64 behind whsec_"),
        (format!("whsec_{key}"), hex::encode(signed(key.as_bytes())), "without what is before its first _"),
        (key.clone(), hex::encode(signed(b"the key")), "decoded from base64"),
        (hex::encode("the key"), hex::encode(signed(b"the key")), "decoded from hex"),
        (KEY.to_owned(), STANDARD.encode(signed(KEY.as_bytes())), "with encoding = \"base64\""),
        (KEY.to_owned(), hex::encode(&sha1), "with algorithm = \"hmac-sha1\""),
    ] {
        let explanation =
            explain(&compile(None, verify, &[&secret]), &[(hexadecimal, &signature)], body.as_bytes());
        assert_hint(&explanation, expected);
    }
    let whsec = compile(None, &format!("{verify}\nsecret = \"whsec\""), &[&format!("whsec_{key}")]);
    let signature = hex::encode(signed(format!("whsec_{key}").as_bytes()));
    assert_hint(&explain(&whsec, &[("x-s", &signature)], body.as_bytes()), "own bytes as key, whole");
    let unmarked = hex::encode(signed(KEY.as_bytes()));
    let unmarked = [("x-hub-signature-256", unmarked.as_str())];
    assert_hint(
        &explain(&compile(Some("github"), "", &[KEY]), &unmarked, body.as_bytes()),
        "without the prefix of the signature",
    );
}

#[test]
fn urls_and_times_that_are_mistaken() {
    let signed = "signature = { header = \"x-s\" }\nmessage = \"{url}{body}\"";
    for (url, expected) in [
        ("http://h.test/in/x?a=b", "the other of http and https in the URL: http://h.test/in/x?a=b"),
        ("https://h.test:443/in/x?a=b", "with the port in the URL: https://h.test:443/in/x?a=b"),
        ("https://h.test/in/x", "without the query in the URL"),
        ("https://h.test/in/x/?a=b", "the slash at the end"),
    ] {
        let signature = hex::encode(mac(KEY.as_bytes(), format!("{url}b").as_bytes()));
        assert_hint(&explain(&compile(None, signed, &[KEY]), &[("x-s", &signature)], b"b"), expected);
    }

    let timed = "signature = { header = \"x-s\" }\ntimestamp = { header = \"x-t\" }\nmessage = \"{timestamp}.{body}\"";
    for (time, message, expected) in [
        ("1700000000000", "1700000000000.b", "with the time's unit = \"ms\""),
        ("1699990000", "1699990000.b", "judged at its own time, 2023-11-14T19:26:40"),
        ("1700000000", "b", "if the body alone were what is signed"),
        ("1699990000", "1699990000.b\n", "added at the body's end, judged at its own time"),
    ] {
        let signature = hex::encode(mac(KEY.as_bytes(), message.as_bytes()));
        let headers = [("x-s", signature.as_str()), ("x-t", time)];
        assert_hint(&explain(&compile(None, timed, &[KEY]), &headers, b"b"), expected);
    }
}

#[test]
fn every_step_says_what_was_found() {
    let verify = "signature = { header = \"x-s\", split = \",\", prefix = \"v1=\" }\n\
                  timestamp = { header = \"x-t\" }\nrequire = { x-v = \"2\" }\n\
                  message = [\"{timestamp}.{body}\", \"{header:x-no}{timestamp}{body}\"]\nid = { header = \"x-i\" }";
    let scheme = compile(None, verify, &["other", KEY]);
    let signature = hex::encode(mac(KEY.as_bytes(), b"1700000100.b"));
    let signature = format!("v1=00ff,v1=zz,v1={signature}");
    let headers = [("x-s", signature.as_str()), ("x-t", "1700000100"), ("x-v", "2"), ("x-i", "7")];
    let told = |explanation: &Explanation| -> Vec<String> {
        explanation.steps.iter().map(|s| format!("{:?} {}: {}", s.outcome, s.what, s.found)).collect()
    };
    let explanation = explain(&scheme, &headers, b"b");
    assert_eq!(
        told(&explanation),
        [
            "Good required: header x-v is as required",
            "Good signature: header x-s: 3 found, 2 readable as hex (2, 32 bytes)",
            "Good timestamp: 1700000100 (2023-11-14T22:15:00.000Z), 100 s in the future; 300 s are tolerated",
            "Good message 1: 12 bytes to sign",
            "Failed message 2: header x-no is missing",
            "Failed secret 1: did not make this signature",
            "Good secret 2: made this signature",
            "Neutral id: 7",
            "Neutral type: none: the scheme finds none",
        ]
    );
    let signed = SignedBytes { name: "message 1".to_owned(), bytes: b"1700000100.b".to_vec() };
    assert_eq!((explanation.signed, explanation.hints.len()), (vec![signed], 0));

    for (headers, expected) in [
        (&headers[1..], "Failed signature: header x-s is missing"),
        (&[("x-s", "v2=00")], "Failed signature: header x-s is there, but nothing in it begins with \"v1=\""),
        (&[("x-s", "v1=zz")], "Failed signature: header x-s: 1 found, 0 readable as hex"),
        (&headers[..1], "Failed timestamp: header x-t is missing"),
        (&[("x-t", "so\u{e9}n")], "Failed timestamp: so\\xc3\\xa9n is no time of this unit"),
        (
            &[("x-t", "1")],
            "Failed timestamp: 1 (1970-01-01T00:00:01.000Z), 1699999999 s old; 300 s are tolerated",
        ),
        (&headers[..2], "Failed required: header x-v is missing or not the expected one"),
    ] {
        let told = told(&explain(&scheme, headers, b"b"));
        assert!(told.iter().any(|line| line == expected), "{expected} is not in {told:#?}");
    }
}

#[test]
fn neither_tokens_nor_hashed_secrets_are_shown() {
    let token = "algorithm = \"token\"\nbody_unsigned = true\nsignature = { header = \"x-s\" }";
    let hashed = "algorithm = \"sha256\"\nmessage = \"{secret}:{body}\"\nsignature = { header = \"x-s\" }";
    let signature = hex::encode(Sha256::digest(format!("{KEY}:b")));
    for (verify, header, messages) in [(token, KEY, 0), (token, "hunter2-x", 0), (hashed, &*signature, 1)] {
        let explanation = explain(&compile(None, verify, &[KEY]), &[("x-s", header)], b"b");
        assert!(!format!("{explanation:?}").contains("hunter2"), "{explanation:?}");
        assert_eq!(explanation.signed.len(), messages);
        assert!(explanation.signed.iter().all(|signed| signed.bytes == b"***:b"));
    }
}

#[test]
fn what_needs_no_proof_is_said() {
    let explanation = explain(&compile(Some("none"), "", &[]), &[], b"b");
    assert_eq!(explanation.steps[0].found, "none: anybody is believed");
    assert!(matches!(explanation.verdict, Verdict::Accepted(_)));
}
