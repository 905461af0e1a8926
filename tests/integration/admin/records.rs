//! Events, deliveries and attempts as the API shows them.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{borrowed, github};
use serde_json::{Value, json};

use super::config;

async fn post(gateway: &Gateway, body: &[u8]) -> String {
    gateway.post("github", &borrowed(&github("push", body)), body).await.id()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn an_event_with_its_runs_and_deliveries() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let bodies: [(&[u8], &str, Value); 4] = [
        (br#"{"z":1,"a":[true]}"#, "body", json!({ "z": 1, "a": [true] })),
        (br#"{ "z": 1 }"#, "body_text", json!("{ \"z\": 1 }")),
        ("grüße".as_bytes(), "body_text", json!("grüße")),
        (&[0xff, 0, 1], "body_base64", json!(BASE64_STANDARD.encode([0xff, 0, 1]))),
    ];
    for (body, key, shown) in bodies {
        let id = post(&gateway, body).await;
        let event = gateway.event_when(&id, "delivered").await;
        assert_eq!(event[key], shown, "{event}");
        let expected = [
            "source",
            "type",
            "method",
            "path",
            "query",
            "headers",
            key,
            "id",
            "received_at",
            "status",
            "repeats",
            "runs",
            "deliveries",
        ];
        assert_eq!(keys(&event), expected);
        assert_eq!(
            (&event["source"], &event["type"], &event["method"]),
            (&json!("github"), &json!("push"), &json!("POST"))
        );
        assert_eq!(event["headers"]["x-github-event"], "push");
        assert!(humantime::parse_rfc3339(event["received_at"].as_str().unwrap()).is_ok(), "{event}");

        let expected = ["route", "generation", "status", "held", "reason", "attempts", "due", "steps"];
        assert_eq!(keys(&event["runs"][0]), expected);
        assert_eq!(
            (&event["runs"][0]["route"], &event["runs"][0]["status"]),
            (&json!("all"), &json!("processed"))
        );
        let delivery = &event["deliveries"][0];
        assert_eq!((&delivery["event"], &delivery["destination"]), (&json!(id), &json!("crm")));
        assert_eq!((&delivery["status"], &delivery["attempt_count"]), (&json!("delivered"), &json!(1)));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn deliveries_are_filtered_and_paged() {
    let receiver = Receiver::start([Answer::Status(500), Answer::Status(400)]).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let id = post(&gateway, format!("{{\"n\":{n}}}").as_bytes()).await;
        gateway.event_when(&id, if n < 2 { "failed" } else { "delivered" }).await;
        ids.push(id);
    }
    let list = async |query: &str| gateway.get(&format!("/api/v1/deliveries{query}")).await.json();
    let events = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|d| d["event"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first: Vec<_> = ids.iter().rev().cloned().collect();
    assert_eq!(events(&list("").await), newest_first);
    assert_eq!(events(&list("?status=dead").await), newest_first[5..]);
    assert_eq!(events(&list("?status=delivered&destination=crm").await), newest_first[..5]);
    assert_eq!(list("?destination=other").await, json!({ "items": [], "next": null }));
    assert_eq!(list("?status=cancelled").await, json!({ "items": [], "next": null }));

    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = list(&format!("?limit=3{cursor}")).await;
        seen.extend(events(&page));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((seen, pages), (newest_first, 3));
    gateway.stop().await;
}

#[tokio::test]
async fn bad_questions_are_told_what_is_wrong() {
    let mut gateway = Gateway::start("").await;
    let cases = [
        ("status=lost", "`lost` is not one of pending, delivered, dead, cancelled"),
        ("cursor=abc", "not a cursor of this list"),
        ("limit=many", "invalid digit"),
        ("limit=-1", "invalid digit"),
        ("state=dead", "unknown field `state`"),
    ];
    for (query, why) in cases {
        let answer = gateway.get(&format!("/api/v1/deliveries?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.body);
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(said.contains(why), "{query}: {said}");
    }
    assert_eq!(
        gateway.get("/api/v1/deliveries?limit=100000").await.status,
        200,
        "a page is as long as allowed"
    );
    gateway.stop().await;
}

/// The attempts of one event whose destination is `url`.
async fn attempts(url: &str, egress: &str) -> Value {
    let mut gateway = Gateway::start(&format!("{}{egress}", config(url))).await;
    let id = post(&gateway, b"{}").await;
    let event = gateway.event_when(&id, "failed").await;
    let delivery = event["deliveries"][0]["id"].as_str().unwrap();
    let shown = gateway.get(&format!("/api/v1/deliveries/{delivery}")).await.json();
    assert_eq!(shown["status"], "dead", "{shown}");
    assert_eq!(shown["attempts"].as_array().unwrap().len(), 1);
    gateway.stop().await;
    shown["attempts"][0].clone()
}

#[tokio::test]
async fn an_attempt_says_what_the_destination_answered() {
    let headers = vec![("content-type", "text/plain".to_owned())];
    let receiver = Receiver::start([Answer::Full(422, headers, b"no such customer".to_vec())]).await;
    let attempt = attempts(&receiver.url(), "").await;
    let expected = [
        "number",
        "started_at",
        "duration_ms",
        "status",
        "error",
        "detail",
        "address",
        "response_headers",
        "response_body",
        "decision",
        "reason",
        "next_due",
    ];
    assert_eq!(keys(&attempt), expected);
    assert_eq!(
        (&attempt["number"], &attempt["status"], &attempt["error"]),
        (&json!(1), &json!(422), &Value::Null)
    );
    assert_eq!(attempt["address"], receiver.address().to_string());
    assert_eq!(attempt["response_body"], "no such customer");
    assert_eq!((&attempt["decision"], &attempt["next_due"]), (&json!("dead"), &Value::Null));
    assert!(attempt["duration_ms"].is_u64());
}

#[tokio::test]
async fn an_attempt_says_what_went_wrong() {
    let silent = Receiver::start([Answer::Silence]).await;
    let reset = Receiver::start([Answer::Reset]).await;
    let garbage = Receiver::start([Answer::Garbage]).await;
    // A port that was free a moment ago and that nobody else asks for.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let cases = [
        (format!("http://{nobody}/"), "", "connect"),
        (silent.url(), "", "timeout"),
        (reset.url(), "", "reset"),
        (garbage.url(), "", "other"),
        (silent.url(), "[egress]\nallow = []\n", "refused-by-guard"),
        (silent.url().replace("http:", "https:"), "", "tls"),
    ];
    for (url, egress, kind) in cases {
        let attempt = attempts(&url, egress).await;
        assert_eq!((&attempt["error"], &attempt["status"]), (&json!(kind), &Value::Null), "{url}: {attempt}");
        assert!(!attempt["detail"].as_str().unwrap().is_empty(), "{attempt}");
        assert_eq!(attempt["decision"], "dead");
    }
}
