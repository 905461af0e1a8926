//! A scheme spelled out, a handshake, and the answers that providers want.

use hmac::{Hmac, KeyInit as _, Mac as _};
use hookloom_testkit::gateway::{Answer, Gateway};
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::{SECRET, borrowed, signed};
use sha2::Sha256;

use super::{assert_refused, counted, open_source, rows};

fn inhouse(receiver: &Receiver) -> String {
    format!(
        r#"
[sources.inhouse]
secrets = ["{SECRET}"]
[sources.inhouse.verify]
algorithm = "hmac-sha256"
encoding  = "hex"
signature = {{ header = "x-acme-signature", split = ",", prefix = "v1=" }}
timestamp = {{ header = "x-acme-signature", split = ",", prefix = "t=", unit = "s", tolerance = 300 }}
message   = "{{timestamp}}.{{body}}"
id        = {{ header = "x-acme-delivery" }}
type      = {{ json = "/type" }}

[destinations.crm]
url = "{}"

[[routes]]
name = "orders"
from = ["inhouse"]
types = ["order"]
to = ["crm"]
"#,
        receiver.url()
    )
}

/// `v1=…,t=…` made here, not by the gateway's own code.
fn acme_signature(at: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{at}.{body}").as_bytes());
    format!("v0=ignored, t={at},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[expect(clippy::disallowed_methods, reason = "a sender has a clock of its own")]
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[tokio::test]
async fn a_scheme_of_ones_own_verifies_names_and_recognises() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&inhouse(&receiver)).await;
    let body = r#"{"type":"order.paid","n":1}"#;
    let post = async |at: i64, signed: &str, delivery: &str| -> Answer {
        let signature = acme_signature(at, signed);
        gateway
            .post("inhouse", &[("x-acme-signature", &signature), ("x-acme-delivery", delivery)], body)
            .await
    };
    let accepted = post(now(), body, "d1").await;
    assert_eq!(
        (accepted.status, accepted.json()["status"].as_str()),
        (200, Some("accepted")),
        "{}",
        accepted.body
    );
    let repeat = post(now() - 1, body, "d1").await;
    assert_eq!((repeat.json()["status"].as_str(), repeat.id()), (Some("duplicate"), accepted.id()));
    assert_refused(&post(now(), "{}", "d2").await, 401, "the signature does not match");
    assert_refused(&post(now() - 400, body, "d2").await, 401, "the timestamp is more than 300 s off");

    let event = gateway.event_when(&accepted.id(), "delivered").await;
    assert_eq!(event["type"], "order.paid");
    let request = receiver.requests(1).await.remove(0);
    assert_eq!(
        (request.header("hookloom-event-type"), request.body.as_slice()),
        (Some("order.paid"), body.as_bytes())
    );
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn slacks_handshake_is_answered_and_no_event() {
    let config = format!("[sources.slack]\nscheme = \"slack\"\nsecrets = [\"{SECRET}\"]\n");
    let mut gateway = Gateway::start(&config).await;
    let body = r#"{"type":"url_verification","token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV"}"#;
    let headers = signed("slack", SECRET, "", None, body.as_bytes());
    let answer = gateway.post("slack", &borrowed(&headers), body).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "3eZbrw1aBm2rZgRNFdxV"));
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");

    let unsigned = gateway.post("slack", &[], body).await;
    assert_refused(&unsigned, 401, "the signature is missing");
    assert_eq!(counted(&gateway, "slack", "handshake").await, "1");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 0);
}

#[tokio::test]
async fn success_is_answered_as_the_source_says() {
    let mut gateway = Gateway::start(&open_source("")).await;
    let own = gateway.post("open", &[], "{}").await;
    assert_eq!((own.status, &own.headers["content-type"]), (200, &"application/json".parse().unwrap()));
    assert_eq!(own.json(), serde_json::json!({ "id": own.id(), "status": "accepted" }));
    assert!(own.id().starts_with("evt_"), "{}", own.id());
    gateway.stop().await;

    let adyen = "reply = { status = 202, content_type = \"text/plain\", body = \"[accepted]\" }";
    let mut gateway = Gateway::start(&open_source(adyen)).await;
    let answer = gateway.post("open", &[], "{}").await;
    assert_eq!((answer.status, answer.body.as_str()), (202, "[accepted]"));
    assert_eq!(answer.headers["content-type"], "text/plain");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn a_reply_without_a_content_type_has_none() {
    for (reply, status, body) in [("{ status = 204 }", 204, ""), ("{ body = \"ok\" }", 200, "ok")] {
        let mut gateway = Gateway::start(&open_source(&format!("reply = {reply}"))).await;
        let answer = gateway.post("open", &[], "{}").await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body));
        assert_eq!(answer.headers.get("content-type"), None);
        gateway.stop().await;
    }
}
