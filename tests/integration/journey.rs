//! An event's whole way: signed in, durable, through plugins, signed out, retried.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github, signed};
use serde_json::json;

/// One source of each given preset, one destination, one route without steps.
fn config(receiver: &Receiver, steps: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[sources.stripe]
scheme = "stripe"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
forward_headers = ["x-github-event"]
retry = {{ schedule = ["10ms", "10ms"], jitter = 0.0 }}

[[routes]]
name = "all"
from = ["github", "stripe"]
steps = [{steps}]
to = ["crm"]
"#,
        receiver.url()
    )
}

#[tokio::test]
async fn a_signed_webhook_arrives_signed() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver, "")).await;
    let body = json!({ "action": "opened", "n": 1 }).to_string();
    let accepted = gateway.post("github", &borrowed(&github("issues", body.as_bytes())), body.clone()).await;
    assert_eq!(
        (accepted.status, accepted.json()["status"].as_str()),
        (200, Some("accepted")),
        "{}",
        accepted.body
    );

    let request = receiver.requests(1).await.remove(0);
    assert_eq!(request.body, body.as_bytes());
    assert_eq!(request.header("hookloom-event-id"), Some(accepted.id().as_str()));
    assert_eq!(request.header("hookloom-event-type"), Some("issues.opened"));
    assert_eq!(request.header("hookloom-source"), Some("github"));
    assert_eq!(request.header("hookloom-attempt"), Some("1"));
    assert_eq!(request.header("x-github-event"), Some("issues"));
    assert!(request.header("webhook-signature").unwrap().starts_with("v1,"));

    let event = gateway.event_when(&accepted.id(), "delivered").await;
    assert_eq!(event["body"]["action"], "opened");
    assert_eq!(event["runs"][0]["status"], "processed");
    let delivery = event["deliveries"][0]["id"].as_str().unwrap();
    assert_eq!(request.header("webhook-id"), Some(delivery));
    let shown = gateway.get(&format!("/api/v1/deliveries/{delivery}")).await.json();
    assert_eq!(shown["attempts"][0]["status"], 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_repeat_is_answered_with_the_first_id_and_delivered_once() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver, "")).await;
    let headers = signed("github", SECRET, "delivery-1", Some("push"), b"{}");
    let first = gateway.post("github", &borrowed(&headers), "{}").await;
    let second = gateway.post("github", &borrowed(&headers), "{}").await;
    assert_eq!(second.json()["status"], "duplicate");
    assert_eq!(second.id(), first.id());
    let event = gateway.event_when(&first.id(), "delivered").await;
    assert_eq!(event["repeats"], 1);
    assert_eq!(event["deliveries"].as_array().unwrap().len(), 1);
    gateway.stop().await;
    assert_eq!(receiver.seen().requests.len(), 1);
}

#[tokio::test]
async fn a_failed_attempt_is_repeated_with_the_same_id() {
    let receiver = Receiver::start([Answer::Status(503), Answer::Status(500)]).await;
    let mut gateway = Gateway::start(&config(&receiver, "")).await;
    let id = gateway.post("github", &borrowed(&github("push", b"{}")), "{}").await.id();
    let event = gateway.event_when(&id, "delivered").await;
    assert_eq!(event["deliveries"][0]["attempt_count"], 3);
    let requests = receiver.requests(3).await;
    let ids: std::collections::HashSet<_> =
        requests.iter().map(|r| r.header("webhook-id").unwrap()).collect();
    assert_eq!(ids.len(), 1);
    let attempts: Vec<_> = requests.iter().map(|r| r.header("hookloom-attempt").unwrap()).collect();
    assert_eq!(attempts, ["1", "2", "3"]);
    gateway.stop().await;
}

#[tokio::test]
async fn after_the_last_attempt_a_delivery_is_dead_and_the_event_failed() {
    let receiver = Receiver::start_with([], Answer::Status(500)).await;
    let mut gateway = Gateway::start(&config(&receiver, "")).await;
    let id = gateway.post("github", &borrowed(&github("push", b"{}")), "{}").await.id();
    let event = gateway.event_when(&id, "failed").await;
    assert_eq!(event["deliveries"][0]["status"], "dead");
    let dead = gateway.get("/api/v1/deliveries?destination=crm&status=dead").await.json();
    assert_eq!(dead["items"].as_array().unwrap().len(), 1);
    assert_eq!(receiver.requests(3).await.len(), 3);
    gateway.stop().await;
}

#[tokio::test]
async fn an_event_that_no_route_takes_is_recorded_as_dropped() {
    let receiver = Receiver::start([]).await;
    let config = config(&receiver, "").replace("name = \"all\"", "name = \"all\"\ntypes = [\"issues\"]");
    let mut gateway = Gateway::start(&config).await;
    let id = gateway.post("github", &borrowed(&github("push", b"{}")), "{}").await.id();
    gateway.event_when(&id, "dropped").await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_was_accepted_survives_a_restart() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&receiver, "\"not-built-yet\""));
    gateway.run_here().await;
    let id = gateway.post("github", &borrowed(&github("push", b"{}")), "{}").await.id();
    let event = gateway.event_when(&id, "pending").await;
    assert_eq!(event["deliveries"], json!([]));
    gateway.stop().await;
    gateway.write_config(&config(&receiver, ""));
    gateway.run_here().await;
    gateway.event_when(&id, "delivered").await;
    gateway.stop().await;
}
