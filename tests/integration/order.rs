//! Deliveries that follow each other, as a destination sees them.

use std::collections::BTreeMap;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver, Request};
use hookloom_testkit::sender::{SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};

fn config(receiver: &Receiver, settings: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{}"
{settings}

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#,
        receiver.url()
    )
}

async fn send(gateway: &Gateway, key: &str, n: usize) -> String {
    let body = json!({ "key": key, "n": n }).to_string();
    let accepted = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    accepted.id()
}

/// The first and only delivery of an event, once `reached` holds of it.
async fn delivery_when(gateway: &Gateway, event: &str, reached: impl Fn(&Value) -> bool) -> Value {
    eventually("the delivery gets there", async || {
        let event = gateway.get(&format!("/api/v1/events/{event}")).await.json();
        let delivery = event["deliveries"][0].clone();
        if delivery.is_object() && reached(&delivery) { Ok(delivery) } else { Err(event.to_string()) }
    })
    .await
}

async fn is(gateway: &Gateway, event: &str, status: &str) -> Value {
    delivery_when(gateway, event, |delivery| delivery["status"] == status).await
}

/// The numbers that arrived, by key.
fn arrived(requests: &[Request]) -> BTreeMap<String, Vec<u64>> {
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for request in requests {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        by_key.entry(body["key"].as_str().unwrap().to_owned()).or_default().push(body["n"].as_u64().unwrap());
    }
    by_key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_delivered_one_at_a_time_in_order_and_keys_side_by_side() {
    let receiver = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let gateway = Gateway::start(&config(&receiver, r#"order = "json:/key""#)).await;
    for n in 0..20 {
        for key in ["a", "b", "c"] {
            send(&gateway, key, n).await;
        }
    }
    receiver.until("the first of each key", |seen| seen.waiting == 3).await;
    receiver.open();
    let requests = receiver.requests(60).await;
    let in_order: Vec<u64> = (0..20).collect();
    for (key, numbers) in arrived(&requests) {
        assert_eq!(numbers, in_order, "{key}");
    }
    assert_eq!(receiver.seen().most_waiting, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_is_waited_for_by_its_key_alone() {
    // The first answer is a failure, which is tried again after a while.
    let receiver = Receiver::start([Answer::Status(500)]).await;
    let settings = "order = \"json:/key\"\nretry = { schedule = [\"300ms\"], jitter = 0.0 }";
    let gateway = Gateway::start(&config(&receiver, settings)).await;
    let first = send(&gateway, "a", 0).await;
    delivery_when(&gateway, &first, |delivery| delivery["attempt_count"] == 1).await;
    let (behind, beside) = (send(&gateway, "a", 1).await, send(&gateway, "b", 0).await);
    is(&gateway, &beside, "delivered").await;
    is(&gateway, &behind, "delivered").await;
    let arrived = arrived(&receiver.seen().requests);
    assert_eq!((&arrived["a"][..], &arrived["b"][..]), (&[0, 0, 1][..], &[0][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_one_holds_its_key_until_an_operator_decides() {
    for decision in ["retry", "cancel"] {
        let receiver = Receiver::start([Answer::Status(500)]).await;
        let settings = "order = \"json:/key\"\nretry = { schedule = [] }";
        let gateway = Gateway::start(&config(&receiver, settings)).await;
        let first = send(&gateway, "a", 0).await;
        let dead = is(&gateway, &first, "dead").await;
        let (behind, beside) = (send(&gateway, "a", 1).await, send(&gateway, "b", 0).await);
        is(&gateway, &beside, "delivered").await;
        let waits = is(&gateway, &behind, "pending").await;
        assert_eq!((&waits["due"], &waits["line"]), (&Value::Null, &"a".into()));

        let path = format!("/api/v1/deliveries/{}/{decision}", dead["id"].as_str().unwrap());
        assert_eq!(gateway.command(&path, &Value::Null).await.status, 200);
        is(&gateway, &behind, "delivered").await;
        let expected: &[u64] = if decision == "retry" { &[0, 0, 1] } else { &[0, 1] };
        assert_eq!(arrived(&receiver.seen().requests)["a"], expected, "{decision}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_skip_those_behind_a_dead_one_go_on() {
    let receiver = Receiver::start([Answer::Status(500)]).await;
    let hold = "order = \"source\"\nretry = { schedule = [] }";
    let gateway = Gateway::start(&config(&receiver, &format!("{hold}\non_dead = \"skip\""))).await;
    let first = send(&gateway, "a", 0).await;
    is(&gateway, &first, "dead").await;
    let second = send(&gateway, "a", 1).await;
    is(&gateway, &second, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_says_skip_frees_what_was_held() {
    let receiver = Receiver::start([Answer::Status(500)]).await;
    let hold = "order = \"source\"\nretry = { schedule = [] }";
    let gateway = Gateway::start(&config(&receiver, hold)).await;
    let first = send(&gateway, "a", 0).await;
    is(&gateway, &first, "dead").await;
    let behind = send(&gateway, "a", 1).await;
    delivery_when(&gateway, &behind, |delivery| delivery["due"].is_null()).await;
    gateway.write_config(&config(&receiver, &format!("{hold}\non_dead = \"skip\"")));
    is(&gateway, &behind, "delivered").await;
    is(&gateway, &first, "dead").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_max_pending_deliveries_are_born_dead_and_the_door_stays_open() {
    let hole = Receiver::start_with([], Answer::Held(Box::new(Answer::Status(200)))).await;
    let gateway = Gateway::start(&config(&hole, "max_pending = 3\nconcurrency = 1")).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let id = send(&gateway, "a", n).await;
        // One after the other, so that it is known which ones are too many.
        delivery_when(&gateway, &id, |_| true).await;
        ids.push(id);
    }
    for id in &ids[..3] {
        is(&gateway, id, "pending").await;
    }
    for id in &ids[3..] {
        let dead = is(&gateway, id, "dead").await;
        assert!(dead["reason"].as_str().unwrap().contains("max_pending"), "{dead}");
    }
    assert_eq!(gateway.get("/readyz").await.status, 200);
    hole.open();
    is(&gateway, &ids[2], "delivered").await;
    let dead = is(&gateway, &ids[5], "dead").await;
    let path = format!("/api/v1/deliveries/{}/retry", dead["id"].as_str().unwrap());
    assert_eq!(gateway.command(&path, &Value::Null).await.status, 200);
    let retried = is(&gateway, &ids[5], "delivered").await;
    assert_eq!(retried["id"], dead["id"]);
}
