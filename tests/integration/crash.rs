//! What was answered with 200 arrives, however often the process is killed.

use std::collections::{BTreeMap, BTreeSet};

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::receiver::{Answer, Receiver, Request};
use hookloom_testkit::sender::{DESTINATION_SECRET, Load, SECRET, Sent};
use hookloom_testkit::wait::eventually;
use serde_json::Value;

/// Events that are accepted before each kill: from before the first one to well into
/// the backlog, so that each stage is met at work.
const KILL_AFTER: [usize; 10] = [1, 60, 7, 150, 2, 31, 90, 13, 45, 110];

fn config(receiver: &Receiver) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[plugins]
deadline = "5s"

[destinations.crm]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
concurrency = 4
retry = {{ max_attempts = 30, base = "5ms", factor = 1.5, cap = "50ms", jitter = 0.5 }}

[[routes]]
name = "all"
from = ["github"]
steps = [{{ plugin = "guest", config = {{ do = "json" }} }}]
to = ["crm"]
"#,
        receiver.url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost_when_the_process_is_killed_ten_times() {
    // Every third attempt fails, so that some deliveries wait for a retry at any time.
    let script = (0..100_000).map(|n| Answer::Status(if n % 3 == 0 { 503 } else { 200 }));
    let receiver = Receiver::start(script).await;
    let mut gateway = Gateway::new(&config(&receiver));
    gateway.put_plugin("guest", guests::guest());
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    let load = Load::start(&gateway.door(), "github", 8);
    for count in KILL_AFTER {
        load.more(count).await;
        gateway.kill();
        gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    }
    load.more(10).await;
    let accepted = load.stop().await;
    assert!(accepted.len() > KILL_AFTER.iter().sum());

    for event in &accepted {
        gateway.event_when(&event.id, "delivered").await;
    }
    nothing_is_pending(&gateway).await;
    let arrived = ids_by_event(&receiver.seen().requests);
    for Sent { body, .. } in &accepted {
        let ids = arrived.get(&name(body.as_bytes())).unwrap_or_else(|| panic!("{body} did not arrive"));
        assert_eq!(ids.len(), 1, "{body} was delivered under several ids");
    }
    gateway.terminate();
}

/// Also what was accepted without an answer, because the process was killed before it.
async fn nothing_is_pending(gateway: &Gateway) {
    eventually("nothing is pending", async || {
        let pending = gateway.get("/api/v1/deliveries?status=pending").await.json();
        let runs = gateway.count("hookloom_backlog_runs").await;
        if pending["items"] == Value::Array(vec![]) && runs == 0 {
            Ok(())
        } else {
            Err(format!("{runs} runs, {pending}"))
        }
    })
    .await;
    let dead = gateway.get("/api/v1/deliveries?status=dead").await.json();
    assert_eq!(dead["items"], Value::Array(vec![]));
}

/// What tells an event from all others; the plugin keeps it.
fn name(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap();
    body["n"].as_str().unwrap().to_owned()
}

/// The `webhook-id`s under which each event arrived.
fn ids_by_event(requests: &[Request]) -> BTreeMap<String, BTreeSet<String>> {
    let mut ids: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for request in requests {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["seen"], true, "it went through the plugin");
        ids.entry(name(&request.body)).or_default().insert(request.header("webhook-id").unwrap().to_owned());
    }
    ids
}
