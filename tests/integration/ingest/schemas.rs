//! Bodies that do not match their source's schema: refused, dead on arrival, or let pass.

use std::fs;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::wait::eventually;
use serde_json::json;

use super::{assert_refused, counted, rows};

const ORDER: &str = r#"{"required":["id"],"properties":{"total":{"type":"string"}}}"#;
const SOUND: &str = r#"{"id":1,"total":"5"}"#;
const UNFIT: &str = r#"{"id":1,"total":5}"#;
const REASON: &str = "/total: 5 is not of type \"string\"";

/// A gateway whose source has a schema, and a route to the receiver.
async fn started(receiver: &Receiver, more: &str) -> Gateway {
    let config = format!(
        "[sources.shop]\nscheme = \"none\"\ndedupe_key = \"header:x-id\"\n{more}\n\
         [destinations.crm]\nurl = \"{}\"\n[[routes]]\nname = \"all\"\nfrom = [\"shop\"]\nto = [\"crm\"]\n",
        receiver.url()
    );
    let mut gateway = Gateway::new(&config);
    fs::write(gateway.path("order.json"), ORDER).unwrap();
    gateway.run_here().await;
    gateway
}

#[tokio::test]
async fn rejected_with_the_reason() {
    let receiver = Receiver::start([]).await;
    let mut gateway = started(&receiver, "schema = \"order.json\"").await;
    for (body, why) in [
        (UNFIT, REASON),
        ("{}", "\"id\" is a required property"),
        ("a=b", "it is not JSON that can be read: expected value at line 1 column 1"),
        ("", "it is not JSON that can be read: EOF while parsing a value at line 1 column 0"),
    ] {
        let refused = gateway.post("shop", &[], body).await;
        assert_refused(&refused, 400, &format!("the body does not match its schema: {why}"));
    }
    let long = format!("{{\"id\":1,\"total\":[\"{}\"]}}", "x".repeat(200 << 10));
    let refused = gateway.post("shop", &[], long).await;
    assert!(refused.status == 400 && refused.body.len() < 320, "{}", refused.body);
    let id = gateway.post("shop", &[], r#"{"id":1,"total":"5"}"#).await.id();
    gateway.event_when(&id, "delivered").await;
    assert_eq!(counted(&gateway, "shop", "schema").await, "5");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_on_arrival_until_somebody_replays_it() {
    let receiver = Receiver::start([]).await;
    let mut gateway = started(&receiver, "schema = \"order.json\"\non_invalid = \"dead\"").await;
    let first = gateway.post("shop", &[("x-id", "1")], UNFIT).await;
    assert_eq!((first.status, first.json()["status"].as_str()), (200, Some("accepted")));
    let id = first.id();
    let event = gateway.event_when(&id, "failed").await;
    assert_eq!(event["runs"].as_array().map(Vec::len), Some(1));
    let run = &event["runs"][0];
    let reason = format!("the body does not match its schema: {REASON}");
    assert_eq!(
        (&run["status"], &run["reason"], &run["due"]),
        (&json!("failed"), &json!(reason), &json!(null))
    );
    // The provider's repeat is as unfit as the first one.
    let repeat = gateway.post("shop", &[("x-id", "1")], UNFIT).await;
    assert_eq!((repeat.json()["status"].as_str(), repeat.id()), (Some("duplicate"), id.clone()));
    assert_eq!(gateway.event_when(&id, "failed").await["repeats"], 1);
    assert_eq!(receiver.seen().requests.len(), 0);
    assert_eq!(counted(&gateway, "shop", "unfit").await, "1");
    assert_eq!(gateway.metric(r#"hookloom_runs_total{route="all",outcome="failed"}"#).await.to_string(), "1");
    // A sound one is delivered as it came; the unfit one stays for who replays it.
    let sound = gateway.post("shop", &[("x-id", "1")], SOUND).await;
    assert_eq!(sound.json()["status"].as_str(), Some("accepted"));
    assert_ne!(sound.id(), id);
    assert_eq!(receiver.requests(1).await[0].body, SOUND.as_bytes());
    let repeat = gateway.post("shop", &[("x-id", "1")], UNFIT).await;
    assert_eq!((repeat.json()["status"].as_str(), repeat.id()), (Some("duplicate"), sound.id()));
    gateway.event_when(&id, "failed").await;

    let replayed = gateway.command(&format!("/api/v1/events/{id}/replay"), &json!({})).await;
    assert!((200..300).contains(&replayed.status), "{}", replayed.body);
    assert_eq!(receiver.requests(2).await[1].body, UNFIT.as_bytes());
    gateway.stop().await;
}

#[tokio::test]
async fn passed_on_with_a_mark() {
    let receiver = Receiver::start([]).await;
    let mut gateway = started(&receiver, "schema = \"order.json\"\non_invalid = \"pass\"").await;
    let id = gateway.post("shop", &[], UNFIT).await.id();
    let event = gateway.event_when(&id, "delivered").await;
    assert_eq!(event["attributes"], json!({ "hookloom.schema": REASON }));
    let id = gateway.post("shop", &[], r#"{"id":1}"#).await.id();
    assert_eq!(gateway.event_when(&id, "delivered").await.get("attributes"), None);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_schema_is_in_force_after_a_reload_and_a_broken_one_is_not() {
    let config = "[sources.shop]\nscheme = \"none\"\nschema = { \"*\" = \"order.json\" }\n";
    let mut gateway = Gateway::new(config);
    fs::write(gateway.path("order.json"), ORDER).unwrap();
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    assert_eq!(gateway.post("shop", &[], "{}").await.status, 400);
    fs::write(gateway.path("order.json"), "{\"type\":").unwrap();
    gateway.hang_up();
    let reloads = |outcome: &str| format!("hookloom_reloads_total{{what=\"config\",outcome=\"{outcome}\"}}");
    eventually("the broken schema is refused", async || {
        let refused = gateway.count(&reloads("refused")).await;
        if refused == 1 { Ok(()) } else { Err(refused.to_string()) }
    })
    .await;
    assert_eq!(gateway.post("shop", &[], "{}").await.status, 400);
    fs::write(gateway.path("order.json"), "true").unwrap();
    gateway.hang_up();
    eventually("anything matches", async || {
        let answer = gateway.post("shop", &[], "{}").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert!(gateway.terminate().success());
}
