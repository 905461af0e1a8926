//! The built binary, as a user runs it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};
use hookloom_testkit::wait::DEADLINE;
use serde_json::{Value, json};
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
        (GOOD.replace("\"github\"\nsec", "\"gihub\"\nsec"), ":2:10: ", "help: did you mean \"github\"?"),
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
fn verify_judges_recorded_requests() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors");
    let (stripe, github) = (vectors.join("stripe.json"), vectors.join("github.json"));
    let count = |path: &Path| -> usize {
        serde_json::from_slice::<Vec<Value>>(&fs::read(path).unwrap()).unwrap().len()
    };
    let all = count(&stripe) + count(&github);
    let (stripe_path, github_path) = (stripe.to_str().unwrap(), github.to_str().unwrap());
    let ended = hookloom(&["verify", "--case", stripe_path, github_path]);
    assert_eq!(
        (ended.code, ended.stdout),
        (Some(0), format!("{all} passed, 0 failed\n")),
        "{}",
        ended.stderr
    );

    let explained = hookloom(&["verify", "-v", "--case", stripe_path]);
    assert_eq!(explained.stdout.lines().count(), count(&stripe) + 1);
    assert!(
        explained.stdout.contains("tampered body: unauthorized: the signature does not match"),
        "{}",
        explained.stdout
    );

    let mut cases: Vec<Value> = serde_json::from_slice(&fs::read(&stripe).unwrap()).unwrap();
    let valid = cases.iter_mut().find(|case| case["expect"] == "accept").unwrap();
    valid["now"] = json!(valid["now"].as_i64().unwrap() + 100_000);
    let altered = TempDir::new().unwrap();
    let altered = file(&altered, "altered.json", &json!(cases).to_string());
    let ended = hookloom(&["verify", "--case", &altered]);
    assert_eq!((ended.code, ended.stdout), (Some(1), format!("{} passed, 1 failed\n", cases.len() - 1)));
    assert!(ended.stderr.starts_with("FAILED  "), "{}", ended.stderr);
    assert!(ended.stderr.contains("unauthorized: the timestamp is more than 300 s off"), "{}", ended.stderr);

    let ended = hookloom(&["verify", "--case", "/nowhere/cases.json"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("/nowhere/cases.json cannot be read"), "{}", ended.stderr);
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

/// `hookloom listen`, ended when it is dropped.
struct Listener {
    child: Child,
    url: String,
    lines: Receiver<String>,
}

impl Listener {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["listen", "--port", "0", "--json"]).args(arguments);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts");
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let url =
            said.find_map(|line| Some(line.split_once("listening on ")?.1.split(';').next()?.to_owned()));
        // Its end must not find nobody reading.
        std::thread::spawn(move || said.for_each(drop));
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, url: url.expect("it says where it listens"), lines }
    }

    /// The next delivery it was sent.
    fn next(&self) -> Value {
        let line = self.lines.recv_timeout(DEADLINE).expect("a delivery arrives");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not JSON: {line}"))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(listener: &Listener) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[sources.stripe]
scheme = "stripe"
secrets = ["{SECRET}"]

[destinations.listener]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ schedule = ["1ms", "1ms"], jitter = 0.0 }}

[[routes]]
name = "all"
from = ["github", "stripe"]
to = ["listener"]
"#,
        listener.url
    )
}

/// Runs `hookloom send` against the gateway; the ids it was answered with.
fn send(gateway: &Gateway, source: &str, more: &[&str], stdin: &str) -> Vec<String> {
    let mut command = Command::new(BINARY);
    command
        .args(["send", source, "--url", &gateway.source_url(source), "-c"])
        .arg(gateway.config_file())
        .args(more);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that reads no stdin may have ended already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let id = |line: &str| {
        let answer: Value =
            serde_json::from_str(line.strip_prefix("200 ").unwrap_or_else(|| panic!("{line}"))).unwrap();
        assert_eq!(answer["status"], "accepted");
        answer["id"].as_str().unwrap().to_owned()
    };
    ended.stdout.lines().map(id).collect()
}

#[tokio::test]
async fn what_is_sent_goes_through_a_served_gateway_to_a_listener() {
    let listener = Listener::start(&["--secret", DESTINATION_SECRET]);
    let mut gateway = Gateway::new(&config(&listener));
    gateway.run_process(BINARY);

    let sent = send(&gateway, "github", &["-n", "3"], "");
    assert_eq!(sent.len(), 3);
    let mut arrived: Vec<String> = Vec::new();
    for _ in 0..3 {
        let delivery = listener.next();
        assert_eq!((&delivery["verified"], &delivery["status"]), (&json!(true), &json!(200)), "{delivery}");
        assert_eq!(delivery["headers"]["hookloom-event-type"], "issues.opened");
        arrived.push(delivery["headers"]["hookloom-event-id"].as_str().unwrap().to_owned());
    }
    arrived.sort();
    let mut expected = sent;
    expected.sort();
    assert_eq!(arrived, expected);

    send(&gateway, "stripe", &["--type", "charge.refunded"], "");
    let delivery = listener.next();
    assert_eq!(delivery["headers"]["hookloom-event-type"], "charge.refunded", "{delivery}");
    send(&gateway, "github", &["--type", "ping", "--body", "-"], "{\"zen\": \"grüße\"}");
    let delivery = listener.next();
    assert_eq!((&delivery["body"], &delivery["verified"]), (&json!("{\"zen\": \"grüße\"}"), &json!(true)));
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn a_listener_fails_as_it_is_told() {
    let listener = Listener::start(&["--fail", "100%", "--status", "500"]);
    let mut gateway = Gateway::new(&config(&listener));
    gateway.run_process(BINARY);
    let id = send(&gateway, "github", &[], "").remove(0);
    for attempt in ["1", "2", "3"] {
        let delivery = listener.next();
        assert_eq!((&delivery["verified"], &delivery["status"]), (&Value::Null, &json!(500)), "{delivery}");
        assert_eq!(delivery["headers"]["hookloom-attempt"], attempt);
    }
    let event = gateway.event_when(&id, "failed").await;
    assert_eq!(event["deliveries"][0]["attempt_count"], 3);
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn a_listener_with_another_secret_refuses() {
    let listener = Listener::start(&["--secret", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oE"]);
    let mut gateway = Gateway::new(&config(&listener));
    gateway.run_process(BINARY);
    send(&gateway, "github", &[], "");
    let delivery = listener.next();
    assert_eq!((&delivery["verified"], &delivery["status"]), (&json!(false), &json!(401)), "{delivery}");
    assert_eq!(delivery["reason"], "the signature does not match");
    assert!(gateway.terminate().success());
}

#[test]
fn send_says_what_it_cannot_do() {
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "hookloom.toml", GOOD);
    let ended = hookloom(&["send", "gitlab", "-c", &path]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("there is no source \"gitlab\"; there are: github"), "{}", ended.stderr);
    // Bound and given back: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{nobody}/in/github");
    let ended = hookloom(&["send", "github", "-c", &path, "--url", &url]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains(&format!("{url} cannot be reached")), "{}", ended.stderr);
}

#[tokio::test]
async fn send_fails_where_it_is_refused() {
    let mut gateway = Gateway::new(GOOD);
    gateway.run_process(BINARY);
    let dir = TempDir::new().unwrap();
    let path = file(&dir, "hookloom.toml", &GOOD.replace("[\"s\"]", "[\"another\"]"));
    let url = gateway.source_url("github");
    let ended = hookloom(&["send", "github", "-c", &path, "--url", &url]);
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(1), "401 {\"error\":\"the signature does not match\"}\n")
    );
    assert!(gateway.terminate().success());
}
