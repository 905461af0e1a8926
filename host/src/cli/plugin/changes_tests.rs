//! What people read of a call.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::cli::plugin::event_file;
use crate::cli::plugin::log_lines::Line;
use crate::cli::plugin::node::Node;
use crate::model::{Header, Millis, StepVerdict};
use crate::plugin::{Call, Output};

fn input() -> Input {
    let event = json!({ "source": "s", "type": "issues.opened", "body": { "b": 1, "a": "x" } });
    Input {
        event: event_file::read(&Node::top(&event), Millis(0)).unwrap(),
        config: "null".to_owned(),
        state: BTreeMap::from([("n".to_owned(), "1".into())]),
        secrets: BTreeMap::new(),
        now: None,
    }
}

fn trial(verdict: StepVerdict, reason: Option<&str>, output: Option<Output>) -> Trial {
    let reason = reason.map(str::to_owned);
    let call =
        Call { verdict, reason, output, took: Duration::from_micros(312), memory: 1 << 20, log_dropped: 0 };
    Trial { call, log: vec![], state: input().state }
}

#[test]
fn a_message_is_shown_against_its_event() {
    let message = PluginMessage {
        body: Some(r#"{"a":"y","b":1}"#.into()),
        set_headers: vec![Header { name: "x-new".into(), value: "1".into() }],
        remove_headers: vec!["x-old".into()],
        event_type: Some("issue".into()),
        destinations: Some(vec!["crm".into()]),
        ..PluginMessage::default()
    };
    let mut trial = trial(StepVerdict::Replace, None, Some(Output::Replace(message)));
    trial.state.insert("n".to_owned(), "2".into());
    let line = |level: &str, message: &str, at: &str| Line {
        level: level.into(),
        message: message.into(),
        at: at.into(),
        ..Line::default()
    };
    trial.log = vec![line("info", "hello\u{1b}[0m", ""), line("warn", "trap", "0: here\n1: there")];
    let expected = "\
replace  f.json
  body        15 B → 15 B
      {
        \"b\": 1,
    -   \"a\": \"x\"
    +   \"a\": \"y\"
      }
  header      - x-old
  header      + x-new: 1
  type        issues.opened → issue
  to          crm
  kv          n: 1 → 2
  log         info: hello\u{fffd}[0m
  at          0: here
  at          1: there
  took        312.0 µs, instance included, 1.0 MiB of memory
";
    assert_eq!(render("f.json", &input(), &trial, Style::PLAIN), expected);
}

#[test]
fn why_there_is_no_message_is_said_first() {
    let failed = trial(StepVerdict::Trap, Some("wasm trap"), None);
    assert!(render("f.json", &input(), &failed, Style::PLAIN).starts_with("trap: wasm trap  f.json\n  took"));
    let coloured = render("f.json", &input(), &failed, Style::COLOURED);
    assert!(coloured.starts_with("\u{1b}[31mtrap\u{1b}[0m: wasm trap"), "{coloured:?}");
}

#[test]
fn a_body_that_says_the_same_is_said_to() {
    let body = |body: Option<&'static str>| {
        let message = PluginMessage { body: body.map(Into::into), ..PluginMessage::default() };
        let trial = trial(StepVerdict::Replace, None, Some(Output::Replace(message)));
        render("f.json", &input(), &trial, Style::PLAIN)
    };
    let kept = body(None);
    assert!(kept.contains("  body        as it came\n"), "{kept}");
    let written = body(Some(r#"{"a":"x","b":1}"#));
    assert!(written.contains("  body        15 B → 15 B, the same JSON written otherwise\n"), "{written}");
}

#[test]
fn messages_of_a_split_are_shown_whole() {
    let message =
        |body: Option<&'static str>| PluginMessage { body: body.map(Into::into), ..PluginMessage::default() };
    let output = Output::Split(vec![message(Some("[1]")), message(None)]);
    let text = render("f.json", &input(), &trial(StepVerdict::Split, None, Some(output)), Style::PLAIN);
    let expected = "\
split  f.json
  message 1 of 2
  body        3 B
    + [
    +   1
    + ]
  message 2 of 2
  body        as it came
";
    assert!(text.starts_with(expected), "{text}");
}
