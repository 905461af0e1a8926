//! Fixtures: events with what is expected of them, one or a list in a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::{Value, json};

use super::event_file;
use super::expect::Expect;
use super::node::Node;
use crate::model::{Event, Millis, Secret};

/// What the clock says to a plugin under test, and when events came that do not say it:
/// 2026-01-01T00:00Z, as in the SDK's native tests.
pub(super) const NOW: Millis = Millis(1_767_225_600_000);

const KEYS: [&str; 6] = ["event", "config", "state", "secrets", "now", "expect"];

/// What a plugin is called with.
#[derive(Clone, Debug)]
pub(super) struct Input {
    /// The event.
    pub(super) event: Event,
    /// The step's configuration, as JSON text.
    pub(super) config: String,
    /// What the plugin's `kv` holds before.
    pub(super) state: BTreeMap<String, Bytes>,
    /// What its `secrets` are.
    pub(super) secrets: BTreeMap<String, Secret>,
    /// What its `clock` says; `None`: nothing in particular.
    pub(super) now: Option<Millis>,
}

/// One fixture, or one event without expectations.
#[derive(Clone, Debug)]
pub(super) struct Fixture {
    /// The file.
    pub(super) file: PathBuf,
    /// Its place in a file that holds a list.
    pub(super) index: Option<usize>,
    /// The call.
    pub(super) input: Input,
    /// What it should come to; `None` where nothing is said.
    pub(super) expect: Option<Expect>,
}

impl Fixture {
    /// Its name for people: the file's, and which of a list.
    pub(super) fn name(&self) -> String {
        let file = self.file.display();
        self.index.map_or_else(|| file.to_string(), |index| format!("{file}[{index}]"))
    }
}

/// The fixtures of a file.
pub(super) fn read(file: &Path) -> anyhow::Result<Vec<Fixture>> {
    let text = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let value: Value =
        serde_json::from_slice(&text).with_context(|| format!("{} is no JSON", file.display()))?;
    parse(file, &value).map_err(|message| anyhow::anyhow!("{}: {message}", file.display()))
}

/// The fixtures of each `*.json` of a folder, in the order of their names.
pub(super) fn read_folder(folder: &Path) -> anyhow::Result<Vec<Fixture>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    let mut all = Vec::new();
    for file in files {
        all.extend(read(&file)?);
    }
    Ok(all)
}

fn parse(file: &Path, value: &Value) -> Result<Vec<Fixture>, String> {
    let top = Node::top(value);
    if !value.is_array() {
        return Ok(vec![one(file, None, &top)?]);
    }
    let all = top.elements()?;
    if all.is_empty() {
        return Err("an empty list: it has to hold a fixture".to_owned());
    }
    all.iter().enumerate().map(|(index, at)| one(file, Some(index), at)).collect()
}

fn one(file: &Path, index: Option<usize>, at: &Node<'_>) -> Result<Fixture, String> {
    let (input, expect) = if at.value.get("event").is_some() || at.value.get("source").is_none() {
        at.object(&KEYS)?;
        let expect = at.get("expect").map(|node| Expect::read(&node)).transpose()?;
        (input(at)?, expect)
    } else {
        (bare(event_file::read(at, NOW)?), None)
    };
    Ok(Fixture { file: file.to_owned(), index, input, expect })
}

fn bare(event: Event) -> Input {
    Input { event, config: "null".to_owned(), state: BTreeMap::new(), secrets: BTreeMap::new(), now: None }
}

fn input(at: &Node<'_>) -> Result<Input, String> {
    let now = at.get("now").map(|node| node.instant()).transpose()?;
    let event = at.get("event").ok_or_else(|| at.wrong("`event` is missing"))?;
    let mut input = bare(event_file::read(&event, now.unwrap_or(NOW))?);
    input.now = now;
    if let Some(config) = at.get("config") {
        input.config = config.value.to_string();
    }
    if let Some(state) = at.get("state") {
        input.state = read_state(&state)?;
    }
    for (name, text) in at.get("secrets").map(|node| node.members()).transpose()?.unwrap_or_default() {
        input.secrets.insert(name.to_owned(), Secret::from_text(text.text()?.to_owned()));
    }
    Ok(input)
}

/// What `kv` holds, by key.
pub(super) fn read_state(at: &Node<'_>) -> Result<BTreeMap<String, Bytes>, String> {
    Ok(at.members()?.into_iter().map(|(key, node)| (key.to_owned(), stored(node.value))).collect())
}

/// The bytes of a value: a text is itself, other JSON is its text.
pub(super) fn stored(value: &Value) -> Bytes {
    match value {
        Value::String(text) => text.clone().into(),
        other => other.to_string().into(),
    }
}

/// How bytes of `kv` are written: JSON where they are, otherwise as text.
pub(super) fn shown(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        // A text in quotes would lose them.
        Ok(Value::String(_)) | Err(_) => json!(String::from_utf8_lossy(bytes)),
        Ok(value) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixtures(value: &Value) -> Result<Vec<Fixture>, String> {
        parse(Path::new("f.json"), value)
    }

    #[test]
    fn a_file_is_a_fixture_a_list_or_an_event() {
        let fixture =
            json!({ "event": { "source": "s" }, "config": { "a": 1 }, "expect": { "verdict": "pass" } });
        let one = fixtures(&fixture).unwrap().remove(0);
        assert_eq!((one.name().as_str(), one.input.config.as_str()), ("f.json", r#"{"a":1}"#));
        assert!(one.expect.is_some());
        let list = fixtures(&json!([fixture, { "source": "t" }])).unwrap();
        assert_eq!((list[1].name().as_str(), list[1].input.event.source.as_str()), ("f.json[1]", "t"));
        assert!(list[1].expect.is_none());
    }

    #[test]
    fn what_surrounds_the_call_is_read() {
        let one = fixtures(&json!({
            "event": { "source": "s" },
            "state": { "seen": 1, "name": "x", "list": [1] },
            "secrets": { "KEY": "k" },
            "now": "2026-02-01T00:00:00Z",
        }));
        let Input { event, state, secrets, now, .. } = one.unwrap().remove(0).input;
        assert_eq!(state["seen"], "1");
        assert_eq!(state["name"], "x");
        assert_eq!(state["list"], "[1]");
        assert_eq!(secrets["KEY"].expose(), "k");
        assert_eq!(now, Some(event.received_at), "an event came now unless it says otherwise");
    }

    #[test]
    fn mistakes_are_named_by_their_place() {
        let table = [
            (json!([]), "an empty list"),
            (json!({}), "`event` is missing"),
            (json!({ "expect": {} }), "expect: has to name one of"),
            (json!([{ "event": {} }]), "[0].event: `source` is missing"),
            (
                json!({ "event": { "source": "s" }, "expected": {} }),
                "unknown field `expected`; known are event",
            ),
            (json!({ "event": { "source": "s" }, "secrets": { "K": 1 } }), "secrets.K: must be a text"),
        ];
        for (file, message) in table {
            let error = fixtures(&file).unwrap_err();
            assert!(error.starts_with(message), "{file}: {error}");
        }
    }

    #[test]
    fn what_is_stored_is_shown_so_that_it_reads_back() {
        for bytes in ["1", "[1]", "plain", "\"quoted\"", ""] {
            assert_eq!(stored(&shown(bytes.as_bytes())), bytes);
        }
    }
}
