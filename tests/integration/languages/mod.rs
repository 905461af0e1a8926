//! Plugins in other languages, from nothing to a verdict: scaffolded by the binary, tested
//! natively, built, and called as the gateway calls them. Where a language's tools are not
//! there and cannot be had, its tests say so on stderr and are skipped.

mod c;
mod examples;
mod js;
mod python;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use bytes::Bytes;
use hookloom::model::{Event, EventId, Header};
use hookloom::plugin::Call;
use serde_json::Value;
use tempfile::TempDir;

use crate::plugin::{Room, call_plugin, patient};

/// Downloads are kept here from one run to the next.
fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("languages")
}

/// A program with the downloads of earlier runs.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("npm_config_cache", cache().join("npm")).env("npm_config_update_notifier", "false");
    command.env("PIP_CACHE_DIR", cache().join("pip"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn works(program: &str, arguments: &[&str]) -> bool {
    command(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// What the test harness does not hold back, unlike `eprintln!`.
fn skip(what: &str, missing: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {what}: {missing}");
}

/// A folder of plugins in one language.
struct Language {
    lang: &'static str,
    plugins: PathBuf,
}

impl Language {
    /// In folders of its own, where what was installed once stays.
    fn new(lang: &'static str, test: &str) -> Self {
        let plugins = cache().join(format!("{lang}-{test}"));
        fs::create_dir_all(&plugins).unwrap();
        Self { lang, plugins }
    }

    fn hookloom(&self, arguments: &[&str]) -> Output {
        let mut command = command(env!("CARGO_BIN_EXE_hookloom"));
        command.arg("plugin").args(arguments).arg("--plugins").arg(&self.plugins);
        command.output().expect("the binary starts")
    }

    /// Scaffolds a plugin anew.
    fn scaffold(&self, name: &str, kind: &str) -> PathBuf {
        let folder = self.plugins.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let output = self.hookloom(&["new", name, "--lang", self.lang, "--kind", kind]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        folder
    }

    /// Builds it, if what it needs can be downloaded.
    fn build(&self, name: &str) -> Option<Vec<u8>> {
        self.build_to(name, &self.plugins)
    }

    fn build_to(&self, name: &str, out: &Path) -> Option<Vec<u8>> {
        let output = self.hookloom(&["build", name, "--out", out.to_str().unwrap()]);
        let said = text(&output.stderr);
        let offline = ["npm install failed", "pip install failed"].iter().any(|step| said.contains(step));
        if offline && !output.status.success() {
            skip(name, &said);
            return None;
        }
        assert!(output.status.success(), "{said}");
        // What is being done is told step by step.
        assert!(said.contains(&format!("{name}: ")), "{said}");
        Some(fs::read(out.join(name).with_extension("wasm")).unwrap())
    }
}

thread_local! {
    /// A test's own, so that a component is compiled once for all of its fixtures.
    static DIRS: Arc<TempDir> = Arc::new(TempDir::new().unwrap());
}

/// Runs a fixture of a plugin's folder on the production engine.
fn run_fixture(component: &[u8], fixture: &Path) -> Call {
    let fixture: Value = serde_json::from_slice(&fs::read(fixture).unwrap()).unwrap();
    let room = Room::open_in(DIRS.with(Arc::clone), patient());
    room.put("guest.wasm", component);
    assert_eq!(room.host.scan(&[]).problems, []);
    let plugin = room.host.plugins().get("guest").expect("the plugin serves");
    call_plugin(&plugin, &fixture["config"].to_string(), &event_of(&fixture["event"]))
}

/// The event of a fixture whose headers occur once and whose body is JSON.
fn event_of(file: &Value) -> Event {
    let headers = file["headers"].as_object().into_iter().flatten();
    let headers = headers
        .map(|(name, value)| Header { name: name.clone(), value: value.as_str().unwrap().to_owned() })
        .collect();
    let usual = crate::plugin::event();
    Event {
        id: file["id"].as_str().map_or(usual.id, EventId::from_text),
        source: file["source"].as_str().unwrap().into(),
        event_type: file["type"].as_str().map(Into::into),
        body: Bytes::from(file["body"].to_string()),
        headers,
        ..usual
    }
}

/// That a fixture's answer is the expected one, on the production engine.
#[track_caller]
fn assert_fixture(component: &[u8], path: &Path) {
    let fixture: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let expect = &fixture["expect"];
    let expected = ["verdict", "outcome", "error"].iter().find_map(|key| expect[key].as_str()).unwrap();
    let call = run_fixture(component, path);
    assert_eq!(call.verdict.as_str(), expected, "{}: {call:?}", path.display());
    if let Some(message) = expect["messages"].get(0) {
        let body: Value = serde_json::from_str(&crate::plugin::body(&call)).unwrap();
        assert_eq!(body, message["body"], "{}", path.display());
    }
}

#[test]
fn tools_that_are_missing_come_with_a_remedy() {
    for (lang, remedy) in [
        ("js", "npm was not found\n    help: plugins in JavaScript need Node"),
        ("python", "python3 was not found\n    help: plugins in Python need Python 3.10"),
        ("c", "rustc was not found\n    help: plugins in C are linked with what comes with Rust"),
    ] {
        let language = Language::new(lang, "missing");
        language.scaffold("toolless", "filter");
        let mut command = command(env!("CARGO_BIN_EXE_hookloom"));
        command.env("PATH", "/nonexistent").args(["plugin", "build", "toolless", "--quiet", "--plugins"]);
        let output = command.arg(&language.plugins).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{lang}");
        assert_eq!(text(&output.stdout), "", "{lang}");
        let said = text(&output.stderr);
        assert!(said.starts_with("error: toolless: ") && said.contains(remedy), "{said}");
    }
}
