//! A running gateway, operated from the command line.

use std::io::Write as _;
use std::process::{Command, Stdio};

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github};
use serde_json::{Value, json};

use super::cli::{BINARY, Ended, hookloom};

fn config(url: &str, schedule: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{url}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ schedule = [{schedule}] }}

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#
    )
}

/// A gateway in this process, and the commands that ask it.
struct Bench {
    gateway: Gateway,
    receiver: Receiver,
}

impl Bench {
    async fn start(script: impl IntoIterator<Item = Answer>, schedule: &str) -> Self {
        let receiver = Receiver::start(script).await;
        let gateway = Gateway::start(&config(&receiver.url(), schedule)).await;
        Self { gateway, receiver }
    }

    async fn event(&self, event_type: &str, body: &[u8], status: &str) -> String {
        let id = self.gateway.post("github", &borrowed(&github(event_type, body)), body).await.id();
        self.gateway.event_when(&id, status).await;
        id
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "").await
    }

    /// Off the runtime's threads: the gateway answers on them.
    async fn run_with(&self, arguments: &[&str], stdin: &str) -> Ended {
        let url = format!("http://{}/", self.gateway.admin());
        let mut command = Command::new(BINARY);
        command.args(arguments).args(["--url", &url]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let stdin = stdin.to_owned();
        let run = move || -> Ended {
            let mut child = command.spawn().expect("the binary starts");
            // A command that reads no stdin may have ended already.
            let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
            child.wait_with_output().unwrap().into()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// The lines of a command that succeeds and prints JSON.
    async fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let ended = self.run(&[arguments, &["--json"]].concat()).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_listed_and_shown() {
    let mut b = Bench::start([Answer::Full(422, vec![], b"no \x1b[31msuch customer".to_vec())], "").await;
    let failed = b.event("issues", br#"{"action":"opened"}"#, "failed").await;
    let fine = b.event("push", b"{}", "delivered").await;
    let listed = b.run(&["events", "list"]).await;
    assert_eq!((listed.code, listed.stderr.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> = listed.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "SOURCE", "TYPE", "STATUS", "RECEIVED", "SIZE"]);
    assert_eq!(
        (&lines[1][..4], &lines[1][5..6]),
        (&[&*fine, "github", "push", "delivered"][..], &["ago"][..])
    );
    assert_eq!(&lines[2][..4], [&*failed, "github", "issues.opened", "failed"]);
    assert_eq!(lines.len(), 3);
    assert!(!listed.stdout.contains('\x1b'), "no colours where no terminal is");

    assert_eq!(b.json(&["events", "list", "--status", "failed", "--since", "1h"]).await[0]["id"], failed);
    assert_eq!(b.json(&["events", "list", "-n", "1"]).await.len(), 1);
    assert_eq!(b.json(&["events", "list", "--source", "other"]).await, [] as [Value; 0]);
    let shown = b.run(&["events", "show", &failed]).await;
    for part in [
        &*failed,
        "failed",
        "issues.opened",
        "POST /in/github",
        r#"{"action":"opened"}"#,
        "all: processed",
        " to crm: dead after 1 attempt(s)",
    ] {
        assert!(shown.stdout.contains(part), "{part} is not in\n{}", shown.stdout);
    }
    let whole = b.json(&["events", "show", &failed]).await.remove(0);
    assert_eq!(whole, b.gateway.get(&format!("/api/v1/events/{failed}")).await.json());

    let delivery = whole["deliveries"][0]["id"].as_str().unwrap();
    let shown = b.run(&["deliveries", "show", delivery]).await;
    assert!(shown.stdout.contains("no \u{fffd}[31msuch customer"), "{}", shown.stdout);
    assert!(shown.stdout.contains("422 in "), "{}", shown.stdout);

    let some = b.run_with(&["events", "show", "evt_nothing", "-"], &format!("{fine}\n")).await;
    assert_eq!((some.code, some.stderr.as_str()), (Some(1), "evt_nothing: no such event\n"));
    assert!(some.stdout.starts_with(&fine), "the others are shown: {}", some.stdout);
    b.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_replayed_by_id_and_by_filter() {
    let mut b = Bench::start((0..3).map(|_| Answer::Status(400)), "").await;
    let mut events = Vec::new();
    for n in 0..3 {
        events.push(b.event("push", format!("{{\"n\":{n}}}").as_bytes(), "failed").await);
    }
    let one = b.run(&["events", "replay", &events[0]]).await;
    assert_eq!((one.code, one.stdout), (Some(0), format!("{}: replay 1 through all\n", events[0])));
    b.receiver.requests(4).await;

    // As the list prints them.
    let lines = b.run(&["events", "list", "--json", "-n", "2"]).await.stdout;
    let two = b.run_with(&["events", "replay", "-", "--route", "all", "--json"], &lines).await;
    let answered: Vec<Value> = two.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let expected = |event: &str| json!({ "event": event, "generation": 1, "routes": ["all"] });
    assert_eq!(answered, [expected(&events[2]), expected(&events[1])]);
    b.receiver.requests(6).await;

    let bulk = b
        .run(&["events", "replay", "--source", "github", "--status", "failed", "--since", "2h", "--yes"])
        .await;
    assert_eq!((bulk.code, bulk.stdout.as_str()), (Some(0), "3 of 3 event(s) replayed\n"), "{}", bulk.stderr);
    assert_eq!(bulk.stderr, "", "progress is for terminals");
    b.receiver.requests(9).await;
    let nothing = b.json(&["events", "replay", "--type", "issues"]).await;
    assert_eq!(nothing, [json!({ "found": 0, "replayed": 0, "no_route": 0, "not_found": 0 })]);
    let refused = b.run(&["events", "replay", "--type", "push", "--route", "other"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), "0 of 3 event(s) replayed\n"));
    assert_eq!(refused.stderr, "3 event(s) are taken by no route now\n");
    let refused = b.run(&["events", "replay", "evt_nothing", &events[0], "--route", "other"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    assert!(refused.stderr.contains("evt_nothing: no such event\n"), "{}", refused.stderr);
    assert!(refused.stderr.contains("the route \"other\" does not take this event"), "{}", refused.stderr);
    assert_eq!(b.receiver.seen().requests.len(), 9);
    b.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_retried_cancelled_and_replayed() {
    let mut b = Bench::start((0..2).map(|_| Answer::Status(503)), "\"1h\"").await;
    let mut deliveries = Vec::new();
    for n in 0..2 {
        let event = b.event("push", format!("{{\"n\":{n}}}").as_bytes(), "pending").await;
        b.receiver.requests(n + 1).await;
        deliveries
            .push(b.gateway.get(&format!("/api/v1/events/{event}")).await.json()["deliveries"][0].clone());
    }
    let id = |n: usize| deliveries[n]["id"].as_str().unwrap();
    let event = |n: usize| deliveries[n]["event"].as_str().unwrap();
    let listed = b.run(&["deliveries", "list", "--destination", "crm", "--status", "pending"]).await;
    assert!(listed.stdout.starts_with("ID "), "{}", listed.stdout);
    for part in [id(0), id(1), event(0), "crm", "pending"] {
        assert!(listed.stdout.contains(part), "{part}: {}", listed.stdout);
    }
    let cancelled = b.run(&["deliveries", "cancel", id(0)]).await;
    assert_eq!((cancelled.code, cancelled.stdout), (Some(0), format!("{}: cancelled\n", id(0))));
    assert_eq!(b.json(&["deliveries", "retry", id(1)]).await, [json!({ "id": id(1), "status": "pending" })]);
    b.gateway.event_when(event(1), "delivered").await;
    let refused = b.run(&["deliveries", "retry", id(1), "msg_nothing"]).await;
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""));
    let why = format!("{}: it is delivered and cannot be retried\nmsg_nothing: no such delivery\n", id(1));
    assert_eq!(refused.stderr, why);

    let bulk = b.run(&["deliveries", "retry", "--status", "cancelled", "--destination", "crm"]).await;
    assert_eq!((bulk.code, bulk.stdout.as_str()), (Some(0), "1 deliveries retried\n"), "{}", bulk.stderr);
    b.gateway.event_when(event(0), "delivered").await;
    let bulk = b.json(&["deliveries", "cancel", "--since", "1h", "--yes"]).await;
    assert_eq!(bulk, [json!({ "found": 0, "refused": 2, "cancelled": 0 })]);

    let replayed = b.json(&["deliveries", "replay", id(0)]).await.remove(0);
    assert_eq!(replayed, json!({ "event": event(0), "generation": 1, "routes": ["all"] }));
    let requests = b.receiver.requests(5).await;
    assert_eq!(requests[4].header("hookloom-replay-of"), Some(id(0)));
    b.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn destinations_are_listed_paused_and_resumed() {
    let mut b = Bench::start([], "").await;
    let row = async || -> Vec<String> {
        let ended = b.run(&["destinations", "list"]).await;
        ended.stdout.lines().nth(1).unwrap().split_whitespace().map(str::to_owned).collect()
    };
    let url = b.receiver.url();
    assert_eq!(row().await, ["crm", "enabled", "0", &url, "-"]);
    let paused = b.run(&["destinations", "pause", "crm"]).await;
    assert_eq!((paused.code, paused.stdout.as_str()), (Some(0), "crm: paused, 0 pending\n"));
    assert_eq!(row().await[1], "paused");
    let some = b.run(&["destinations", "resume", "nothing", "crm"]).await;
    assert_eq!((some.code, some.stdout.as_str()), (Some(1), "crm: enabled, 0 pending\n"));
    assert_eq!(some.stderr, "nothing: no such destination\n");
    assert_eq!(b.json(&["destinations", "list"]).await[0]["paused_at"], Value::Null);
    b.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_says_where_the_gateway_is_and_what_to_say_to_it() {
    const TOKEN: &str = "the token of the tests";
    let mut gateway = Gateway::new(&format!("admin_token = \"{TOKEN}\""));
    gateway.run_process(BINARY);
    let file = gateway.path("operator.toml");
    // Whoever operates it does not have the gateway's other secrets.
    let text = |token: &str| {
        let server = format!("[server]\nadmin_listen = \"{}\"\n{token}\n", gateway.admin());
        format!("{server}[sources.s]\nscheme = \"github\"\nsecrets = [\"env:HOOKLOOM_TEST_UNSET\"]\n")
    };
    let list = |more: &[&str], file: &std::path::Path| -> Ended {
        let mut command = Command::new(BINARY);
        command.args(["events", "list", "--json", "-c"]).arg(file).args(more);
        command.env("HOOKLOOM_TEST_TOKEN", TOKEN).stdin(Stdio::null()).output().unwrap().into()
    };
    std::fs::write(&file, text("admin_token = \"env:HOOKLOOM_TEST_TOKEN\"")).unwrap();
    let ended = list(&[], &file);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    std::fs::write(&file, text("")).unwrap();
    let ended = list(&[], &file);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    let why = "error: the admin token is missing or wrong; --token-env names the variable that holds it\n";
    assert_eq!(ended.stderr, why);
    assert_eq!(list(&["--token-env", "HOOKLOOM_TEST_TOKEN"], &file).code, Some(0));
    let ended = list(&["--token-env", "HOOKLOOM_TEST_UNSET"], &file);
    assert_eq!(ended.stderr, "error: the environment variable HOOKLOOM_TEST_UNSET is not set\n");
    let ended = list(&[], &gateway.config_file());
    assert!(
        ended.stderr.contains("has no fixed port; say where the gateway is with --url"),
        "{}",
        ended.stderr
    );
    assert!(gateway.terminate().success());
    let ended = list(&[], &file);
    assert!(ended.stderr.contains("no gateway answers at http://127.0.0.1:"), "{}", ended.stderr);
}

#[test]
fn somebody_else_who_answers_is_no_gateway() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello").unwrap();
    });
    let ended = hookloom(&["events", "list", "--url", &url]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(
        ended.stderr.contains("answered 200, and not as the admin side of a gateway"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn check_counts_what_waits_for_what_is_not_configured() {
    let receiver = Receiver::start([Answer::Status(503)]).await;
    let text = config(&receiver.url(), "\"1h\"").replace("\nfrom =", "\nsteps = []\nfrom =");
    let late =
        "\n[[routes]]\nname = \"late\"\nfrom = [\"github\"]\nsteps = [\"not-there\"]\nto = [\"crm\"]\n";
    let mut gateway = Gateway::new(&format!("{text}{late}"));
    gateway.run_here().await;
    let body = b"{}";
    let id = gateway.post("github", &borrowed(&github("push", body)), body.as_slice()).await.id();
    receiver.requests(1).await;
    gateway.event_when(&id, "pending").await;
    gateway.stop().await;
    gateway.write_config(&text.replace("destinations.crm", "destinations.new").replace("\"crm\"", "\"new\""));
    let file = gateway.config_file();
    let ended = hookloom(&["check", "-c", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    for waits in ["1 deliveries wait for the destination \"crm\"", "1 runs wait for the route \"late\""] {
        let said = format!("warning: {waits}, which is not in the configuration: they are held\n");
        assert!(ended.stderr.contains(&said), "{}", ended.stderr);
    }
}
