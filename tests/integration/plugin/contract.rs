//! The contract is frozen: its text, and what was built against it goes on working.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hookloom::model::{Event, Header};
use hookloom::plugin::{Call, Output, Plugin, PluginMessage};
use hookloom_testkit::guests::variant;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Room, call_plugin, event, patient};

/// The version of the contract that this gateway serves.
const CONTRACT: &str = "v0.1.0";

/// SHA-256 over the files of the contract in the order of their names, each as its name,
/// a line feed and its text.
///
/// If this fails, do NOT write the new digest here: a field, a case or a function that is
/// added to a released contract refuses every component that was built before. Undo the
/// change, and follow the recipe in `wit/README.md` to put a new version beside this one.
/// Only a comment may change, and only where it says better what was true all along.
const TEXT: &str = "adf1c4ef98b5e33e9723c7ca169802d6ca181a94153938fe46758a7c76f18539";

/// A component from its text, without a toolchain, as another version of itself.
pub(super) fn by_hand(version: u16) -> Vec<u8> {
    let component = include_bytes!("../../corpus/v0.1.0/by-hand.wasm");
    variant(component, "by-hand-000", &format!("by-hand-{version:03}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: PathBuf, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

#[test]
fn the_text_of_the_contract_is_frozen() {
    let mut hash = Sha256::new();
    for file in files(root().join("wit").join(CONTRACT), "wit") {
        hash.update(file.file_name().unwrap().to_str().unwrap());
        hash.update("\n");
        hash.update(fs::read(&file).unwrap());
    }
    assert_eq!(hex::encode(hash.finalize()), TEXT, "wit/{CONTRACT} was changed: see the comment on TEXT");
}

/// What is kept of a component beside it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    title: String,
    version: String,
    exports: Vec<String>,
    calls: Vec<Recorded>,
}

/// A call and its answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Recorded {
    config: Value,
    body: String,
    verdict: String,
    reason: Option<String>,
    #[serde(default)]
    bodies: Vec<String>,
}

#[test]
fn what_was_built_for_the_contract_loads_and_answers_as_recorded() {
    let components = files(root().join("tests/corpus").join(CONTRACT), "wasm");
    assert!(components.len() >= 5, "{components:?}");
    for component in components {
        let record: Record =
            serde_json::from_slice(&fs::read(component.with_extension("json")).unwrap()).unwrap();
        let room = Room::open(patient());
        room.put("guest.wasm", &fs::read(&component).unwrap());
        let shown = component.display();
        assert_eq!(room.host.scan(&[]).problems, [], "{shown}");
        let serving = room.host.status().remove(0).serving.unwrap();
        assert_eq!(
            (serving.title, serving.version, serving.exports),
            (record.title, record.version, record.exports)
        );
        let plugin = room.host.plugins().get("guest").unwrap();
        for recorded in record.calls {
            let made = answer(&plugin, &recorded);
            let expected = (recorded.verdict, recorded.bodies);
            assert_eq!(seen(&made), expected, "{shown} of {}: {made:?}", recorded.body);
            if let Some(reason) = recorded.reason {
                assert_eq!(made.reason.as_deref(), Some(&*reason), "{shown}");
            }
        }
    }
}

fn answer(plugin: &Plugin, recorded: &Recorded) -> Call {
    let json = Header { name: "content-type".into(), value: "application/json".into() };
    let event = Event { body: Bytes::from(recorded.body.clone()), headers: vec![json], ..event() };
    call_plugin(plugin, &recorded.config.to_string(), &event)
}

fn seen(call: &Call) -> (String, Vec<String>) {
    let body = |message: &PluginMessage| {
        String::from_utf8(message.body.as_deref().unwrap_or_default().to_vec()).unwrap()
    };
    let bodies = match &call.output {
        Some(Output::Replace(message)) => vec![body(message)],
        Some(Output::Split(messages)) => messages.iter().map(body).collect(),
        _ => vec![],
    };
    (call.verdict.as_str().to_owned(), bodies)
}

/// Until it is served: see the recipe in `wit/README.md`.
#[test]
fn a_component_of_the_next_contract_is_refused_by_what_it_wants_and_what_is_served() {
    let room = Room::open(patient());
    room.put("guest.wasm", &by_hand(1));
    assert_eq!(room.host.scan(&[]).problems, []);
    for interface in ["lifecycle", "filter", "types"] {
        let name = format!("hookloom:plugin/{interface}@0.");
        room.put("guest.wasm", &variant(&by_hand(2), &format!("{name}1.0"), &format!("{name}2.0")));
        let report = room.host.scan(&[]);
        let message = &report.problems[0].message;
        assert!(message.contains("0.2.0") && message.contains("0.1.0"), "{interface}: {message}");
        assert!(message.contains(&format!("`{interface}`")) || message.contains("contract"), "{message}");
        let serving = room.host.status().remove(0).serving.unwrap();
        assert_eq!(serving.version, "by-hand-001", "the version of 0.1.0 goes on serving");
    }
}
