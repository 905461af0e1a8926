//! What people read of a fixture, and where fixtures are looked for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::cli::plugin::log_lines::Line;
use crate::model::StepVerdict;
use crate::plugin::Call;

#[test]
fn a_fixture_that_differs_is_shown_with_what_the_plugin_logged() {
    let call = Call {
        verdict: StepVerdict::Replace,
        reason: None,
        output: None,
        took: Duration::ZERO,
        memory: 0,
        log_dropped: 0,
    };
    let log = vec![Line { level: "info".into(), message: "hm".into(), ..Line::default() }];
    let trial = Trial { call, log, state: BTreeMap::new() };
    assert_eq!(report("a.json", &trial, "ok", &[], Style::PLAIN), "ok      a.json\n");
    let texts = Some(("{\n  \"a\": 1\n}\n".to_owned(), "{\n  \"a\": 2\n}\n".to_owned()));
    let differences = [Difference { what: "message 1: its body is another".into(), texts }];
    let expected = "\
FAILED  a.json
        message 1: its body is another
        - expected + got
          {
        -   \"a\": 1
        +   \"a\": 2
          }
        log info: hm
";
    assert_eq!(report("a.json", &trial, "FAILED", &differences, Style::PLAIN), expected);
}

#[test]
fn without_fixtures_the_error_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("fixtures");
    let error = fixtures(std::slice::from_ref(&missing), None).unwrap_err().to_string();
    assert!(error.starts_with(&format!("no fixtures in {}\n", missing.display())), "{error}");
    assert!(error.contains("hookloom events export ID"), "{error}");
}
