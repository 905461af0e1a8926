//! The built binary, as a user runs it.

mod providers;
mod send;
mod verify;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hookloom_testkit::guests;
use tempfile::TempDir;

pub(super) const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");

/// What a command came to.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }
}

pub(super) fn hookloom(arguments: &[&str]) -> Ended {
    Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().expect("the binary starts").into()
}

fn check(file: &Path) -> Ended {
    hookloom(&["check", "-c", file.to_str().unwrap()])
}

fn file(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn help_says_what_there_is() {
    let help = hookloom(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    let commands = [
        "serve",
        "check",
        "demo",
        "init",
        "send",
        "listen",
        "verify",
        "providers",
        "events",
        "deliveries",
        "destinations",
        "backup",
        "plugin",
        "config",
    ];
    for command in commands {
        let described = help.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{command} ")));
        assert!(described, "{command} is not in\n{}", help.stdout);
        assert_eq!(hookloom(&[command, "--help"]).code, Some(0), "{command}");
    }
    let version = hookloom(&["--version"]);
    assert_eq!(version.stdout, format!("hookloom {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn what_is_no_command_is_a_usage_error() {
    let wrong: [&[&str]; 18] = [
        &["events"],
        &["events", "list", "--status", "dead"],
        &["events", "show"],
        &["events", "replay"],
        &["events", "replay", "evt_1", "--since", "2h"],
        &["deliveries", "retry", "--yes"],
        &["deliveries", "list", "--status", "failed"],
        &["destinations", "pause"],
        &["backup"],
        &[],
        &["serv"],
        &["serve", "--port", "1"],
        &["check", "extra"],
        &["send"],
        &["listen", "--fail", "often"],
        &["listen", "--status", "42"],
        &["verify"],
        &["config", "schemas"],
    ];
    for arguments in wrong {
        let ended = hookloom(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("--help") || ended.stderr.contains("Usage: "),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}

const GOOD: &str = "[sources.github]\nscheme = \"github\"\nsecrets = [\"s\"]\n\n\
    [destinations.crm]\nurl = \"https://crm.example.com/hooks\"\n\n\
    [[routes]]\nname = \"all\"\nfrom = [\"github\"]\nto = [\"crm\"]\n";

#[test]
fn check_is_content_with_a_good_file_and_leaves_no_trace() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    let path = file(&dir, "hookloom.toml", GOOD);
    let ended = check(Path::new(&path));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout, format!("{path}: 1 source(s), 1 route(s), 1 destination(s): fine\n"));
    assert!(
        ended.stderr.contains(&format!("warning: {path}:3:12: the secret stands in")),
        "{}",
        ended.stderr
    );
    assert!(!dir.path().join("data").exists(), "a store was made");
}

#[test]
fn check_shows_the_place_and_the_remedy_of_what_is_wrong() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    let cases = [
        ("[server]\nlistne = \"127.0.0.1:1\"\n".to_owned(), ":2:1: unknown field `listne`", ""),
        ("[server\n".to_owned(), ":1:8: ", ""),
        (GOOD.replace("\"github\"\nsec", "\"gihub\"\nsec"), ":2:1: ", "help: did you mean \"github\"?"),
        (
            GOOD.replace("[\"s\"]", "[\"env:HOOKLOOM_TEST_UNSET\"]"),
            ":3:12: the environment variable HOOKLOOM_TEST_UNSET is not set",
            "",
        ),
        (
            GOOD.replace("[\"crm\"]", "[\"crn\"]"),
            ":11:7: there is no destination \"crn\"",
            "help: did you mean \"crm\"?",
        ),
        (
            GOOD.replace("https://crm.example.com/hooks", "crm"),
            ":6:7: this is not a URL",
            "help: write it like",
        ),
        (
            GOOD.replace("to = ", "steps = [\"not-there\"]\nto = "),
            ": route \"all\" names the plugin \"not-there\"",
            "until then its runs are held",
        ),
        (
            GOOD.replace("\"github\"\nsecrets = [\"s\"]", "\"plugin:not-there\""),
            ": source \"github\" names the plugin \"not-there\"",
            "until then its requests are answered 503",
        ),
        (
            GOOD.replace("/hooks\"\n", "/hooks\"\nclassify = \"not-there\"\n"),
            ": destination \"crm\" names the plugin \"not-there\"",
            "until then its answers mean what their status says",
        ),
    ];
    for (text, problem, remedy) in cases {
        let path = file(&dir, "hookloom.toml", &text);
        let ended = check(Path::new(&path));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{text}");
        let shown = &ended.stderr;
        assert!(shown.contains(&format!("{path}{problem}")) && shown.contains(remedy), "{text}\n{shown}");
        assert!(shown.ends_with("1 problem(s)\n"), "{shown}");
    }
    let ended = check(&dir.path().join("nothing.toml"));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("nothing.toml: cannot be read"), "{}", ended.stderr);
}

#[test]
fn check_shows_what_plugins_need_beside_what_they_are_granted() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    fs::write(dir.path().join("plugins/enrich.wasm"), guests::guest_with_kv()).unwrap();
    let path = file(&dir, "hookloom.toml", GOOD);
    let ended = check(Path::new(&path));
    let line = "enrich: imports kv, which is not granted: add grants = [\"kv\"] under [plugin.enrich]";
    assert_eq!((ended.code, ended.stderr.contains(line)), (Some(1), true), "{}", ended.stderr);
    let granted = "[secrets]\nKEY = \"a secret\"\n[plugin.enrich]\ngrants = [\"kv\", \"secrets:KEY\"]\n";
    let path = file(&dir, "hookloom.toml", &format!("{GOOD}{granted}"));
    let ended = check(Path::new(&path));
    let shown = "plugin enrich: needs kv, is granted kv, secrets:KEY\n";
    assert_eq!((ended.code, ended.stdout.starts_with(shown)), (Some(0), true), "{ended:?}");
    assert!(!format!("{ended:?}").contains("a secret"), "{ended:?}");
}

#[test]
fn check_finds_plugins_that_are_none() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    fs::write(dir.path().join("plugins/broken.wasm"), b"not a component").unwrap();
    let path = file(&dir, "hookloom.toml", GOOD);
    let ended = check(Path::new(&path));
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("broken: "), "{}", ended.stderr);
}

#[test]
fn check_names_the_places_that_a_plugin_does_not_serve() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    fs::write(dir.path().join("plugins/plain.wasm"), guests::guest()).unwrap();
    fs::write(dir.path().join("plugins/edge.wasm"), guests::edge_guest()).unwrap();
    let source = |scheme: &str| GOOD.replace("\"github\"\nsecrets = [\"s\"]", scheme);
    let destination =
        |classify: &str| GOOD.replace("/hooks\"\n", &format!("/hooks\"\nclassify = {classify}\n"));
    let refuses = "config = { configure = \"refuse\" }";
    let cases = [
        (source("\"plugin:edge\""), None),
        (destination("\"edge\""), None),
        (source("\"plugin:plain\""), Some("source \"github\": the plugin \"plain\" exports no `verify`")),
        (destination("\"plain\""), Some("destination \"crm\": the plugin \"plain\" exports no `classify`")),
        (
            source(&format!("\"plugin:edge\"\n{refuses}")),
            Some("source \"github\": the plugin \"edge\" refuses its configuration: told to refuse"),
        ),
        (
            destination(&format!("{{ plugin = \"edge\", {refuses} }}")),
            Some("destination \"crm\": the plugin \"edge\" refuses its configuration: told to refuse"),
        ),
    ];
    for (text, problem) in cases {
        let path = file(&dir, "hookloom.toml", &text);
        let ended = check(Path::new(&path));
        assert_eq!(ended.code, Some(i32::from(problem.is_some())), "{text}\n{}", ended.stderr);
        if let Some(problem) = problem {
            assert!(
                ended.stderr.contains(problem) && ended.stderr.ends_with("1 problem(s)\n"),
                "{}",
                ended.stderr
            );
        }
    }
    let path = file(&dir, "hookloom.toml", &source("\"plugin:edge\""));
    let sent = hookloom(&["send", "github", "-c", &path]);
    assert_eq!(sent.code, Some(1));
    assert!(sent.stderr.contains("is verified by a plugin (plugin:edge)"), "{}", sent.stderr);
}

#[test]
fn serve_refuses_what_check_refuses() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "hookloom.toml", "[server]\nlisten = \"nowhere\"\n");
    let ended = hookloom(&["serve", "-c", &path]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains(&format!("{path}:2:10: `nowhere` is not an address")), "{}", ended.stderr);
}

#[test]
fn the_defaults_can_be_started_from() {
    let ended = hookloom(&["config", "default"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("plugins")).unwrap();
    let path = file(&dir, "hookloom.toml", &ended.stdout);
    let checked = check(Path::new(&path));
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    for setting in
        ["listen", "admin_listen", "max_body", "max_backlog", "min_free_disk", "deadline", "memory"]
    {
        assert!(ended.stdout.lines().any(|line| line.starts_with(&format!("{setting} = "))), "{setting}");
    }
}

#[test]
fn init_writes_into_an_empty_folder_only() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("mine.txt"), "mine").unwrap();
    let ended = hookloom(&["init", dir.path().to_str().unwrap()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("exists and is not empty; nothing was written"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}
