//! Recorded requests of real providers, judged as a source would have.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookloom::model::Millis;
use hookloom::verify::case::{self, Expectation};
use hookloom::verify::{Reply, Request, Scheme, Verdict, preset_names};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

const HANDSHAKES: &str = "handshakes.json";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder can be read");
    let entries = entries.map(|entry| entry.expect("the folder can be read").path());
    let is_json = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
    let mut files: Vec<_> = entries.filter(|path| is_json(path) && !path.ends_with(HANDSHAKES)).collect();
    files.sort();
    files
}

#[test]
fn every_recorded_request_is_judged_as_expected() {
    let (mut accepted, mut rejected, mut failures) = (0, 0, Vec::new());
    for file in files() {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let cases = case::parse(&std::fs::read(&file).unwrap()).unwrap();
        assert!(!cases.is_empty(), "{name} has no cases");
        for case in &cases {
            assert_eq!(case.provider, name, "a case of another provider: {}", case.description);
            assert!(preset_names().any(|preset| preset == case.provider), "{name} has no preset");
            match case.expect {
                Expectation::Accept => accepted += 1,
                Expectation::Reject => rejected += 1,
            }
            let judged = case.judge();
            if !judged.as_expected {
                failures.push(format!("{name}, {}: {}", case.description, judged.explanation));
            }
        }
        eprintln!("{name}: {} cases", cases.len());
    }
    eprintln!("{accepted} to accept, {rejected} to reject");
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(accepted >= 60 && rejected >= 80, "cases were lost");
}

#[test]
fn every_preset_has_recorded_requests() {
    let recorded: Vec<_> =
        files().iter().map(|file| file.file_stem().unwrap().to_string_lossy().into_owned()).collect();
    for preset in preset_names() {
        assert!(recorded.iter().any(|name| name == preset), "no recorded requests of {preset}");
    }
}

#[test]
fn handshakes_are_answered_and_only_when_they_are_signed() {
    let text = std::fs::read_to_string(folder().join(HANDSHAKES)).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let text = |pointer: &str| case.pointer(pointer).and_then(Value::as_str).unwrap();
        let scheme =
            Scheme::compile(Some(text("/provider")), None, &[text("/config/secret")], false).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in case["request"]["headers"].as_object().unwrap() {
            let value = HeaderValue::try_from(value.as_str().unwrap()).unwrap();
            headers.append(HeaderName::try_from(name).unwrap(), value);
        }
        let body = STANDARD.decode(text("/request/body_base64")).unwrap();
        let request = Request {
            method: text("/request/method"),
            path: "/in/x",
            query: None,
            headers: &headers,
            body: &body,
            public_url: None,
        };
        let now = Millis(1_700_000_000_000);
        let Verdict::Handshake(Reply { status, content_type, body }) = scheme.verify(&request, now) else {
            panic!("{}: not answered", text("/provider"));
        };
        assert_eq!(u64::from(status), case["expect"]["status"]);
        assert_eq!(content_type, text("/expect/headers/content-type"));
        assert_eq!(body, text("/expect/body"));

        let forged = Request { body: b"{\"type\":\"url_verification\",\"challenge\":\"x\"}", ..request };
        assert!(
            matches!(scheme.verify(&forged, now), Verdict::Unauthorized(_)),
            "an unsigned one is answered"
        );
    }
}
