//! Signals: what stops the process, how, and what is left to the next one.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use hookloom::deliver::{SigningKey, sign};
use hookloom::model::Millis;
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::receiver::{Answer, Receiver, Request};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");
const OTHER_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";

fn config(receiver: &Receiver, secret: &str, steps: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[plugins]
deadline = "500ms"

[destinations.crm]
url = "{}"
secrets = ["{secret}"]
concurrency = 4
timeout = "2m"

[[routes]]
name = "all"
from = ["github"]
steps = [{steps}]
to = ["crm"]
"#,
        receiver.url()
    )
}

fn started(receiver: &Receiver) -> Gateway {
    let mut gateway = Gateway::new(&config(receiver, DESTINATION_SECRET, ""));
    gateway.run_process(BINARY);
    gateway
}

/// Posts so many events; their ids.
async fn post(gateway: &Gateway, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let body = format!(r#"{{"n":{n}}}"#);
        let accepted = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await;
        assert_eq!(accepted.status, 200, "{}", accepted.body);
        ids.push(accepted.id());
    }
    ids
}

async fn refuses_connections(address: SocketAddr) {
    eventually("connections are refused", async || match tokio::net::TcpStream::connect(address).await {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
}

fn webhook_ids(requests: &[Request]) -> BTreeSet<&str> {
    requests.iter().map(|request| request.header("webhook-id").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_attempts_end_and_nothing_is_sent_again() {
    let receiver = Receiver::start([]).await;
    let held = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let mut gateway = started(&held);
    let ids = post(&gateway, 3).await;
    held.until("three attempts", |seen| seen.waiting == 3).await;

    gateway.ask_to_stop();
    refuses_connections(gateway.listen()).await;
    assert!(!gateway.has_ended(), "attempts are under way");
    held.open();
    assert_eq!(gateway.ended().await.code(), Some(0));

    // The next process knows that they arrived: only what is new is sent.
    gateway.write_config(&config(&receiver, DESTINATION_SECRET, ""));
    gateway.run_process(BINARY);
    for id in &ids {
        gateway.event_when(id, "delivered").await;
    }
    let new = post(&gateway, 1).await;
    gateway.event_when(&new[0], "delivered").await;
    assert_eq!((held.seen().requests.len(), receiver.seen().requests.len()), (3, 1));
    assert_eq!(gateway.terminate().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_hurries_and_what_was_under_way_is_sent_again_under_its_id() {
    let receiver = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let mut gateway = started(&receiver);
    // More than are attempted at once.
    let ids = post(&gateway, 6).await;
    receiver.until("four attempts", |seen| seen.waiting == 4).await;
    gateway.ask_to_stop();
    refuses_connections(gateway.listen()).await;
    let hurried = Instant::now();
    gateway.ask_to_stop();
    assert_eq!(gateway.ended().await.code(), Some(0));
    assert!(hurried.elapsed() < Duration::from_secs(15), "half of the grace period: {:?}", hurried.elapsed());

    let before = receiver.seen().requests;
    assert_eq!(before.len(), 4);
    receiver.open();
    gateway.run_process(BINARY);
    for id in &ids {
        gateway.event_when(id, "delivered").await;
    }
    let requests = receiver.seen().requests;
    assert_eq!(requests.len(), 10, "four were begun twice");
    assert_eq!(webhook_ids(&requests).len(), 6);
    assert!(webhook_ids(&requests[4..]).is_superset(&webhook_ids(&before)));
    gateway.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_runs_that_were_not_begun() {
    let receiver = Receiver::start([]).await;
    let spin = r#"{ plugin = "guest", config = { do = "spin" } }"#;
    let mut gateway = Gateway::new(&config(&receiver, DESTINATION_SECRET, spin));
    gateway.put_plugin("guest", guests::guest());
    gateway.run_process(BINARY);
    // A minute's work at the least.
    let ids = post(&gateway, 240).await;
    gateway.plugin_when("guest", |plugin| plugin["calls"].as_u64().unwrap() > 0).await;
    let asked = Instant::now();
    assert_eq!(gateway.terminate().code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(20), "it took {:?}", asked.elapsed());

    gateway.write_config(&config(&receiver, DESTINATION_SECRET, ""));
    gateway.run_process(BINARY);
    let mut delivered = 0;
    for id in &ids {
        let event = eventually("the event has ended", async || {
            let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
            if event["status"] == "pending" { Err(event.to_string()) } else { Ok(event) }
        })
        .await;
        delivered += usize::from(event["status"] == "delivered");
    }
    assert!(delivered > 100, "only {delivered} runs were left to the next process");
    assert_eq!(receiver.seen().requests.len(), delivered);
    gateway.terminate();
}

/// Whether the request is signed with that secret, and with nothing else.
fn signed_with(request: &Request, secret: &str) -> bool {
    let key = SigningKey::parse(secret).unwrap();
    let at: i64 = request.header("webhook-timestamp").unwrap().parse().unwrap();
    let signature = sign(&[key], request.header("webhook-id").unwrap(), Millis(at * 1000), &request.body);
    request.header("webhook-signature") == Some(&signature)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hang_up_reads_the_configuration_and_its_secrets_again() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&receiver, "file:secrets/crm", ""));
    // Not beside the configuration: there, writing it would be noticed.
    std::fs::create_dir(gateway.path("secrets")).unwrap();
    std::fs::write(gateway.path("secrets/crm"), DESTINATION_SECRET).unwrap();
    gateway.run_process(BINARY);
    post(&gateway, 1).await;
    assert!(signed_with(&receiver.requests(1).await[0], DESTINATION_SECRET));

    std::fs::write(gateway.path("secrets/crm"), OTHER_SECRET).unwrap();
    gateway.hang_up();
    reloads(&gateway, "ok", 1).await;
    post(&gateway, 1).await;
    assert!(signed_with(&receiver.requests(2).await[1], OTHER_SECRET));

    // What is broken changes nothing.
    std::fs::remove_file(gateway.path("secrets/crm")).unwrap();
    gateway.hang_up();
    reloads(&gateway, "refused", 1).await;
    post(&gateway, 1).await;
    assert!(signed_with(&receiver.requests(3).await[2], OTHER_SECRET));
    assert_eq!(gateway.terminate().code(), Some(0));
}

async fn reloads(gateway: &Gateway, outcome: &str, count: u64) {
    let name = format!(r#"hookloom_reloads_total{{what="config",outcome="{outcome}"}}"#);
    eventually(&name, async || {
        let seen = gateway.count(&name).await;
        if seen == count { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_the_same_store_is_refused() {
    let receiver = Receiver::start([]).await;
    let mut gateway = started(&receiver);
    let second = Command::new(BINARY).args(["serve", "-c"]).arg(gateway.config_file()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains("in use by another process; only one gateway may run on it"), "{said}");
    // The first one does not notice.
    let id = post(&gateway, 1).await.remove(0);
    gateway.event_when(&id, "delivered").await;
    assert_eq!(gateway.terminate().code(), Some(0));
}
