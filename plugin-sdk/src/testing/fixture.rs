//! Runs a plugin's `fixtures/*.json` on its function: the same files that
//! `hookloom plugin test` runs on the built component.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::{base64, event};
use crate::plugin::{Handler, refuse_unread};
use crate::{Event, Message, Outcome, Result, Verdict};

/// Runs every `*.json` of a folder on a plugin's function, and panics with the file's
/// name where the answer is not the expected one.
///
/// A fixture is `{"event": {…}, "config": {…}, "expect": {…}}`. An event has `source`,
/// `type`, `method`, `path`, `query`, `headers`, and `body` (JSON), `body_text` or
/// `body_base64`, all but `source` optional. What is expected is
/// `{"verdict": "pass" | "drop"}`, `{"outcome": "unchanged" | "drop" | "replace" |
/// "split", "messages": [{"body": …, "headers": {…}}]}` or `{"error": "invalid-input"}`.
///
/// Tests run in the package's folder, so `run_fixtures("fixtures", my_function)` will do.
pub fn run_fixtures<Reply: Answer, Config>(
    folder: impl AsRef<Path>,
    function: impl Handler<Reply, Config> + Copy,
) {
    let folder = folder.as_ref();
    let files = json_files(folder);
    assert!(!files.is_empty(), "{} holds no fixture (*.json)", folder.display());
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if let Err(difference) = run(&text, function) {
            panic!("{}: {difference}", file.display());
        }
    }
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixture {
    event: EventFile,
    #[serde(default)]
    config: Value,
    expect: Expected,
}

#[derive(Deserialize)]
struct EventFile {
    id: Option<String>,
    source: String,
    r#type: Option<String>,
    method: Option<String>,
    path: Option<String>,
    query: Option<String>,
    received_at_ms: Option<u64>,
    #[serde(default)]
    headers: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    body: Option<Value>,
    body_text: Option<String>,
    body_base64: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What a fixture expects: the name of the answer under the key of its kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    verdict: Option<String>,
    outcome: Option<String>,
    error: Option<String>,
    messages: Option<Vec<ExpectedMessage>>,
}

/// Only what is there is compared.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedMessage {
    body: Option<Value>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

/// An answer that a fixture can expect: [`Verdict`] and [`Outcome`].
pub trait Answer: Debug + sealed::Sealed {
    /// The key it is expected under, and its name there.
    #[doc(hidden)]
    fn name(&self) -> (&'static str, &'static str);
    /// The messages it sends.
    #[doc(hidden)]
    fn messages(&self) -> &[Message];
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::Verdict {}
    impl Sealed for crate::Outcome {}
}

impl Answer for Verdict {
    fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::Pass => ("verdict", "pass"),
            Self::Drop(_) => ("verdict", "drop"),
        }
    }

    fn messages(&self) -> &[Message] {
        &[]
    }
}

impl Answer for Outcome {
    fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::Unchanged => ("outcome", "unchanged"),
            Self::Replace(_) => ("outcome", "replace"),
            Self::Split(_) => ("outcome", "split"),
            Self::Drop(_) => ("outcome", "drop"),
        }
    }

    fn messages(&self) -> &[Message] {
        match self {
            Self::Replace(message) => std::slice::from_ref(message),
            Self::Split(messages) => messages,
            Self::Unchanged | Self::Drop(_) => &[],
        }
    }
}

/// How the function's answer differs from the fixture's, if it does.
fn run<Reply: Answer, Config, H: Handler<Reply, Config>>(text: &str, function: H) -> Result<(), String> {
    let fixture: Fixture = serde_json::from_str(text).map_err(|error| format!("no fixture: {error}"))?;
    let event = fixture.event.into_event()?;
    let config = fixture.config.to_string();
    let bound = refuse_unread(&[H::READS_CONFIG], &config)
        .and_then(|()| function.bind(&config))
        .map_err(|refusal| format!("its config is refused: {refusal}"))?;
    fixture.expect.compare(&bound(&event), &event)
}

impl EventFile {
    fn into_event(self) -> Result<Event, String> {
        let mut builder = event(self.source);
        for (name, value) in self.attributes {
            builder = builder.attribute(name, value);
        }
        for (name, values) in self.headers {
            let values = match values {
                OneOrMany::One(value) => vec![value],
                OneOrMany::Many(values) => values,
            };
            builder = values.into_iter().fold(builder, |builder, value| builder.header(&name, value));
        }
        builder = match (self.body, self.body_text, self.body_base64) {
            (None, None, None) => builder,
            (Some(body), None, None) => builder.json(body),
            (None, Some(text), None) => builder.body(text),
            (None, None, Some(text)) => {
                builder.body(base64::decode(&text).ok_or("`body_base64` is no base64")?)
            }
            _ => return Err("more than one of `body`, `body_text` and `body_base64`".to_owned()),
        };
        let usual = builder.build();
        Ok(Event {
            id: self.id.unwrap_or(usual.id),
            event_type: self.r#type,
            method: self.method.unwrap_or(usual.method),
            path: self.path.unwrap_or(usual.path),
            query: self.query,
            received_at_ms: self.received_at_ms.unwrap_or(usual.received_at_ms),
            ..usual
        })
    }
}

impl Expected {
    fn compare<Reply: Answer>(&self, answer: &Result<Reply>, event: &Event) -> Result<(), String> {
        let got = match answer {
            Ok(reply) => reply.name(),
            Err(error) => ("error", error.kind()),
        };
        let expected = match (&self.verdict, &self.outcome, &self.error) {
            (Some(name), None, None) => ("verdict", name.as_str()),
            (None, Some(name), None) => ("outcome", name.as_str()),
            (None, None, Some(name)) => ("error", name.as_str()),
            _ => return Err("`expect` has to name one of `verdict`, `outcome` and `error`".to_owned()),
        };
        if got != expected {
            return Err(format!("expected {} {:?}, got {answer:?}", expected.0, expected.1));
        }
        let (Some(expected), Ok(reply)) = (&self.messages, answer) else { return Ok(()) };
        let messages = reply.messages();
        if messages.len() != expected.len() {
            return Err(format!("expected {} messages, got {}", expected.len(), messages.len()));
        }
        for (index, (message, expected)) in messages.iter().zip(expected).enumerate() {
            expected
                .compare(message, event)
                .map_err(|difference| format!("message {index}: {difference}"))?;
        }
        Ok(())
    }
}

impl ExpectedMessage {
    fn compare(&self, message: &Message, event: &Event) -> Result<(), String> {
        if let Some(expected) = &self.body {
            let body = message.body.as_deref().unwrap_or(&event.body);
            let body: Value = serde_json::from_slice(body).map_err(|error| {
                format!("its body is no JSON: {error}: {}", String::from_utf8_lossy(body))
            })?;
            if body != *expected {
                return Err(format!("expected the body\n{expected:#}\ngot\n{body:#}"));
            }
        }
        for (name, expected) in &self.headers {
            let content_type = message.content_type.as_deref().filter(|_| name == "content-type");
            let set = message.set_headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            let got = set.map(|header| header.value.as_str()).or(content_type);
            if got != Some(expected) {
                return Err(format!("expected the header {name}: {expected}, got {got:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{drop, replace, unchanged};

    fn shout(event: &Event) -> Result<Outcome> {
        let text: String = event.json()?;
        Ok(match text.as_str() {
            "LOUD" => unchanged(),
            "" => drop("nothing to shout"),
            _ => replace(Message::json(&text.to_uppercase())?.header("x-shout", "1")),
        })
    }

    fn judge(body: &str, expect: &str) -> Result<(), String> {
        run(&format!(r#"{{"event": {{"source": "s", {body}}}, "expect": {expect}}}"#), shout)
    }

    #[test]
    fn agrees_with_what_is_so() {
        let replaced = r#"{"outcome": "replace", "messages": [{"body": "HI", "headers": {"X-Shout": "1", "content-type": "application/json"}}]}"#;
        assert_eq!(judge(r#""body": "hi""#, replaced), Ok(()));
        assert_eq!(judge(r#""body_text": "\"LOUD\"""#, r#"{"outcome": "unchanged"}"#), Ok(()));
        assert_eq!(judge(r#""body_base64": "IiI=""#, r#"{"outcome": "drop"}"#), Ok(()));
        assert_eq!(judge(r#""body": 3"#, r#"{"error": "invalid-input"}"#), Ok(()));
    }

    #[test]
    fn says_what_differs() {
        let judge = |body, expect| judge(body, expect).unwrap_err();
        assert!(
            judge(r#""body": "hi""#, r#"{"outcome": "drop"}"#)
                .starts_with("expected outcome \"drop\", got Ok(Replace")
        );
        assert!(
            judge(r#""body": "hi""#, r#"{"outcome": "replace", "messages": [{"body": "hi"}]}"#)
                .starts_with("message 0: expected the body")
        );
        assert!(
            judge(r#""body": "hi""#, r#"{"outcome": "replace", "messages": [{"headers": {"x-a": "1"}}]}"#)
                .contains("x-a: 1, got None")
        );
        assert!(
            judge(r#""body": "hi""#, r#"{"outcome": "replace", "messages": []}"#)
                .contains("0 messages, got 1")
        );
        assert!(judge(r#""body": "hi""#, r#"{"otcome": "drop"}"#).contains("unknown field `otcome`"));
        assert!(judge(r#""body": "hi""#, "{}").contains("has to name one"));
        assert!(judge(r#""body": 1, "body_text": "x""#, "{}").contains("more than one"));
    }

    #[test]
    fn a_refused_config_is_a_difference() {
        let text = r#"{"event": {"source": "s"}, "config": {"a": 1}, "expect": {"outcome": "drop"}}"#;
        assert_eq!(run(text, shout), Err("its config is refused: this plugin takes no config".to_owned()));
    }
}
