//! `hookloom send` and `hookloom listen`, each at an end of a gateway.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use hookloom_testkit::certs::Authority;
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};
use hookloom_testkit::wait::DEADLINE;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{BINARY, Ended, GOOD, file, hookloom};

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

/// A folder with a certificate, and the settings that serve it.
fn with_tls() -> (TempDir, String) {
    let (dir, pair) = (TempDir::new().unwrap(), Authority::new().server("hooks.test"));
    fs::write(dir.path().join("chain.pem"), pair.cert).unwrap();
    fs::write(dir.path().join("key.pem"), pair.key).unwrap();
    let server = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n\
                  tls_cert = \"chain.pem\"\ntls_key = \"key.pem\"\n\n";
    (dir, server.to_owned())
}

#[test]
fn send_to_a_port_that_speaks_tls_needs_a_name() {
    let (dir, server) = with_tls();
    let path = file(&dir, "hookloom.toml", &format!("{server}{GOOD}"));
    let ended = hookloom(&["send", "github", "-c", &path]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("say --url https://NAME:0/in/github, or configure public_url"),
        "{}",
        ended.stderr
    );
    // Bound and given back: nobody listens there.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("https://{nobody}/hooks");
    let known = GOOD.replace("secrets = [\"s\"]\n", &format!("secrets = [\"s\"]\npublic_url = \"{url}\"\n"));
    let path = file(&dir, "hookloom.toml", &format!("{server}{known}"));
    let ended = hookloom(&["send", "github", "-c", &path]);
    assert!(ended.stderr.contains(&format!("{url} cannot be reached")), "{}", ended.stderr);
}

#[test]
fn serve_says_which_protocol_it_speaks() {
    let (dir, tls) = with_tls();
    let plain = "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n";
    for (server, expected) in
        [(&*tls, "come in at https://127.0.0.1:"), (plain, "come in at http://127.0.0.1:")]
    {
        let path = file(&dir, "hookloom.toml", server);
        let mut command = Command::new(BINARY);
        command.args(["serve", "-c", &path]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let line = log.find(|line| line.contains("come in at"));
        let _ = child.kill();
        let _ = child.wait();
        let line = line.expect("it says where it listens");
        assert!(line.contains(expected), "{line}");
    }
}
