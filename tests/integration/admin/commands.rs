//! Retry and cancel, of one delivery and of many.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use serde_json::{Value, json};

use super::{config, event, ids};

async fn delivery(gateway: &Gateway, event: &str) -> Value {
    gateway.get(&format!("/api/v1/events/{event}")).await.json()["deliveries"][0].clone()
}

fn id(delivery: &Value) -> &str {
    delivery["id"].as_str().unwrap()
}

async fn command(gateway: &Gateway, delivery: &Value, verb: &str) -> (u16, Value) {
    let answer = gateway.command(&format!("/api/v1/deliveries/{}/{verb}", id(delivery)), &Value::Null).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_dead_delivery_is_retried_under_its_own_id() {
    let receiver = Receiver::start([Answer::Status(410 + 2)]).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let event_id = event(&gateway, "push", b"{}", "failed").await;
    let dead = delivery(&gateway, &event_id).await;
    assert_eq!(
        command(&gateway, &dead, "retry").await,
        (200, json!({ "id": dead["id"], "status": "pending" }))
    );
    let requests = receiver.requests(2).await;
    assert_eq!(requests[1].header("webhook-id"), Some(id(&dead)));
    gateway.event_when(&event_id, "delivered").await;
    for (verb, why) in [
        ("retry", "it is delivered and cannot be retried"),
        ("cancel", "it is delivered and cannot be cancelled"),
    ] {
        let refused = command(&gateway, &dead, verb).await;
        assert_eq!(refused, (409, json!({ "error": why, "status": "delivered" })));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_cancelled_delivery_is_sent_no_more_until_it_is_retried() {
    let receiver = Receiver::start([Answer::Status(503)]).await;
    let patient = config(&receiver.url()).replace("schedule = []", "schedule = [\"1h\"]");
    let mut gateway = Gateway::start(&patient).await;
    let event_id = event(&gateway, "push", b"{}", "pending").await;
    receiver.requests(1).await;
    let pending = delivery(&gateway, &event_id).await;
    assert_eq!(
        command(&gateway, &pending, "cancel").await,
        (200, json!({ "id": pending["id"], "status": "cancelled" }))
    );
    gateway.event_when(&event_id, "failed").await;
    let (status, refused) = command(&gateway, &pending, "cancel").await;
    assert_eq!((status, &refused["status"]), (409, &json!("cancelled")));
    assert_eq!(command(&gateway, &pending, "retry").await.0, 200);
    gateway.event_when(&event_id, "delivered").await;
    assert_eq!(receiver.seen().requests.len(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn many_are_retried_and_cancelled_by_a_filter() {
    let receiver = Receiver::start((0..4).map(|n| Answer::Status(if n == 0 { 200 } else { 400 }))).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let mut events = Vec::new();
    for n in 0..4 {
        let body = format!("{{\"n\":{n}}}");
        events.push(
            event(&gateway, "push", body.as_bytes(), if n == 0 { "delivered" } else { "failed" }).await,
        );
    }
    let many =
        async |verb: &str, body: Value| gateway.command(&format!("/api/v1/deliveries/{verb}"), &body).await;
    let counted = many("retry", json!({ "destination": "crm", "dry_run": true })).await.json();
    assert_eq!(counted, json!({ "found": 3, "refused": 1, "next": null, "retried": 0 }));
    assert_eq!(receiver.seen().requests.len(), 4, "counting sends nothing");

    let cancelled = many("cancel", json!({ "status": "dead", "limit": 1 })).await.json();
    assert_eq!((&cancelled["cancelled"], cancelled["next"].is_string()), (&json!(1), true), "{cancelled}");
    let list = async |query: &str| gateway.get(&format!("/api/v1/deliveries?{query}")).await.json();
    assert_eq!(ids(&list("status=cancelled").await), [id(&delivery(&gateway, &events[3]).await)]);

    let retried = many("retry", json!({ "status": "dead", "since": "1h" })).await.json();
    assert_eq!(retried, json!({ "found": 2, "refused": 0, "next": null, "retried": 2 }));
    for event in &events[..3] {
        gateway.event_when(event, "delivered").await;
    }
    assert_eq!(receiver.requests(6).await.len(), 6);
    assert_eq!(list("since=1h&status=delivered").await["items"].as_array().unwrap().len(), 3);
    assert_eq!(list("until=1h").await["items"], json!([]));
    for (body, why) in [
        (json!({}), "say which deliveries"),
        (json!({ "status": "failed" }), "`failed` is not one of pending, delivered, dead, cancelled"),
        (json!({ "since": "soon" }), "`soon` is neither"),
        (json!({ "id": "msg_1" }), "unknown field `id`"),
    ] {
        let answer = many("cancel", body).await;
        assert!(answer.status == 400 && answer.body.contains(why), "{} {}", answer.status, answer.body);
    }
    gateway.stop().await;
}
