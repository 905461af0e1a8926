//! What a fixture expects of a call, and how the call differs from it.

use bytes::Bytes;
use serde_json::Value;

use super::diff;
use super::event_file::{self, Body};
use super::fixture::{shown, stored};
use super::node::Node;
use super::trial::Trial;
use crate::model::{Event, StepVerdict};
use crate::plugin::{Output, PluginMessage};

const KEYS: [&str; 6] = ["verdict", "outcome", "error", "messages", "reason", "state"];
const MESSAGE_KEYS: [&str; 9] = [
    "body",
    "body_text",
    "body_base64",
    "headers",
    "removed_headers",
    "type",
    "destinations",
    "attributes",
    "suffix",
];

/// What each key may say: of filters, of transforms, and of calls without an output.
const WORDS: [(&str, &[&str]); 3] = [
    ("verdict", &["pass", "drop"]),
    ("outcome", &["unchanged", "replace", "split", "drop"]),
    (
        "error",
        &["invalid-input", "misconfigured", "retry", "other", "trap", "timeout", "memory", "bad-output"],
    ),
];

/// What is expected. Only what is said is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Expect {
    key: &'static str,
    word: &'static str,
    /// Part of the reason.
    reason: Option<String>,
    messages: Option<Vec<Message>>,
    /// Keys of `kv` after the call; `None`: it is not there.
    state: Vec<(String, Option<Bytes>)>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Message {
    body: Option<Body>,
    headers: Vec<(String, Vec<String>)>,
    removed_headers: Option<Vec<String>>,
    event_type: Option<String>,
    destinations: Option<Vec<String>>,
    attributes: Vec<(String, String)>,
    suffix: Option<String>,
}

/// One way in which a call is not as expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// In a sentence.
    pub(super) what: String,
    /// Expected and found, where that takes several lines.
    pub(super) texts: Option<(String, String)>,
}

/// The word of a verdict in fixtures, which call the contract's `other` by its name.
pub(super) const fn word(verdict: StepVerdict) -> &'static str {
    match verdict {
        StepVerdict::Error => "other",
        verdict => verdict.as_str(),
    }
}

impl Expect {
    /// What stands at that place.
    pub(super) fn read(at: &Node<'_>) -> Result<Self, String> {
        at.object(&KEYS)?;
        let mut said = WORDS.iter().filter_map(|(key, words)| Some((*key, *words, at.get(key)?)));
        let (Some((key, words, node)), None) = (said.next(), said.next()) else {
            return Err(at.wrong("has to name one of `verdict`, `outcome` and `error`"));
        };
        let text = node.text()?;
        let word = words.iter().find(|word| **word == text);
        let word = word.ok_or_else(|| node.wrong(&format!("`{text}` is none of {}", words.join(", "))))?;
        let messages = at.get("messages").map(|node| node.elements()).transpose()?;
        let messages = messages.map(|all| all.iter().map(Message::read).collect()).transpose()?;
        let state = at.get("state").map(|node| node.members()).transpose()?.unwrap_or_default();
        let after = |value: &Value| (!value.is_null()).then(|| stored(value));
        Ok(Self {
            key,
            word,
            reason: at.get("reason").map(|node| node.text().map(str::to_owned)).transpose()?,
            messages,
            state: state.into_iter().map(|(key, node)| (key.to_owned(), after(node.value))).collect(),
        })
    }

    /// Whether it says why.
    pub(super) const fn has_reason(&self) -> bool {
        self.reason.is_some()
    }

    /// How the call differs; nothing when it is as expected.
    pub(super) fn compare(&self, event: &Event, trial: &Trial) -> Vec<Difference> {
        let call = &trial.call;
        let got = word(call.verdict);
        if got != self.word {
            let why = call.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            return vec![said(format!("expected {} {}, got {got}{why}", self.key, self.word))];
        }
        let mut all = Vec::new();
        let reason = call.reason.as_deref().unwrap_or_default();
        if let Some(expected) = self.reason.as_ref().filter(|expected| !reason.contains(*expected)) {
            all.push(said(format!("expected the reason {expected:?}, got {reason:?}")));
        }
        all.extend(self.compare_messages(event, call.output.as_ref()));
        for (key, expected) in &self.state {
            let got = trial.state.get(key);
            if !same_value(expected.as_ref(), got) {
                let text = |value: Option<&Bytes>| {
                    value.map_or_else(|| "nothing".to_owned(), |bytes| shown(bytes).to_string())
                };
                let (expected, got) = (text(expected.as_ref()), text(got));
                all.push(said(format!("expected {expected} under the key {key} of kv, got {got}")));
            }
        }
        all
    }

    fn compare_messages(&self, event: &Event, output: Option<&Output>) -> Vec<Difference> {
        let Some(expected) = &self.messages else { return Vec::new() };
        let messages = messages(output);
        if messages.len() != expected.len() {
            return vec![said(format!("expected {} message(s), got {}", expected.len(), messages.len()))];
        }
        let pairs = expected.iter().zip(messages).enumerate();
        pairs
            .flat_map(|(i, (expected, message))| {
                expected.compare(event, message).into_iter().map(move |difference| Difference {
                    what: format!("message {}: {}", i + 1, difference.what),
                    ..difference
                })
            })
            .collect()
    }
}

/// The messages of an output.
pub(super) fn messages(output: Option<&Output>) -> &[PluginMessage] {
    match output {
        Some(Output::Replace(message)) => std::slice::from_ref(message),
        Some(Output::Split(messages)) => messages,
        _ => &[],
    }
}

impl Message {
    fn read(at: &Node<'_>) -> Result<Self, String> {
        at.object(&MESSAGE_KEYS)?;
        let text = |key: &str| at.get(key).map(|node| node.text().map(str::to_owned)).transpose();
        let texts = |key: &str| -> Result<Option<Vec<String>>, String> {
            let list = at.get(key).map(|node| node.elements()).transpose()?;
            list.map(|all| all.iter().map(|node| node.text().map(str::to_owned)).collect()).transpose()
        };
        let lower = |name: &str| name.to_ascii_lowercase();
        let headers = at.get("headers").map(|node| node.members()).transpose()?.unwrap_or_default();
        let headers = headers
            .into_iter()
            .map(|(name, node)| Ok((lower(name), node.texts()?.into_iter().map(str::to_owned).collect())))
            .collect::<Result<_, String>>()?;
        Ok(Self {
            body: event_file::body(at)?,
            headers,
            removed_headers: texts("removed_headers")?
                .map(|names| names.iter().map(|name| lower(name)).collect()),
            event_type: text("type")?,
            destinations: texts("destinations")?,
            attributes: event_file::attributes(at)?,
            suffix: text("suffix")?,
        })
    }

    fn compare(&self, event: &Event, message: &PluginMessage) -> Vec<Difference> {
        let mut all = Vec::new();
        let body = message.body.as_ref().unwrap_or(&event.body);
        all.extend(self.body.as_ref().and_then(|expected| compare_body(expected, body)));
        let mut differs = |what: &str, expected: String, got: String| {
            if expected != got {
                all.push(said(format!("expected {what} {expected}, got {got}")));
            }
        };
        for (name, expected) in &self.headers {
            differs(&format!("the header {name}"), list(expected), list(&header(message, name)));
        }
        for (name, expected) in &self.attributes {
            let got = message.attributes.iter().find(|attribute| attribute.name == *name);
            let got = got.map_or_else(|| "none".to_owned(), |attribute| format!("{:?}", attribute.value));
            differs(&format!("the attribute {name}"), format!("{expected:?}"), got);
        }
        if let Some(expected) = &self.removed_headers {
            differs("the removed headers", list(expected), list(&message.remove_headers));
        }
        if let Some(expected) = &self.destinations {
            let got = message.destinations.as_ref().map_or_else(|| "all".to_owned(), |names| list(names));
            differs("the destinations", list(expected), got);
        }
        let texts = [
            ("the type", &self.event_type, &message.event_type),
            ("the suffix", &self.suffix, &message.idempotency_suffix),
        ];
        for (what, expected, got) in texts {
            if let Some(expected) = expected {
                differs(what, expected.clone(), got.clone().unwrap_or_else(|| "none".to_owned()));
            }
        }
        all
    }
}

/// The values of a header that a message sets, its content type among them.
fn header(message: &PluginMessage, name: &str) -> Vec<String> {
    let set = message.set_headers.iter().filter(|header| header.name == name).map(|h| h.value.clone());
    let content_type = message.content_type.clone().filter(|_| name == "content-type");
    set.chain(content_type).collect()
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// JSON is compared as JSON, anything else byte by byte.
fn compare_body(expected: &Body, got: &Bytes) -> Option<Difference> {
    let bytes = expected.bytes();
    let same = match expected {
        Body::Json(value) => serde_json::from_slice::<Value>(got).is_ok_and(|got| got == *value),
        Body::Exact(exact) => exact == got,
    };
    let texts = || diff::comparable(&bytes, got);
    (!same).then(|| Difference { what: "its body is another".to_owned(), texts: Some(texts()) })
}

/// Equal bytes, or equal JSON: whoever wrote it chose spaces and order.
fn same_value(expected: Option<&Bytes>, got: Option<&Bytes>) -> bool {
    let json = |bytes: &Bytes| serde_json::from_slice::<Value>(bytes).ok();
    expected == got || expected.zip(got).is_some_and(|(e, g)| json(e).is_some() && json(e) == json(g))
}

const fn said(what: String) -> Difference {
    Difference { what, texts: None }
}

#[cfg(test)]
#[path = "expect_tests.rs"]
mod tests;
