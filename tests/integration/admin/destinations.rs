//! How destinations stand: in force, paused, or only named by what still waits.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};

use super::{config, event};

async fn destination(gateway: &Gateway, name: &str) -> Value {
    let list = gateway.get("/api/v1/destinations").await.json();
    list["items"].as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_destination_is_paused_and_resumed() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let crm = destination(&gateway, "crm").await;
    assert_eq!((&crm["configured"], &crm["pending"]), (&json!(true), &json!(0)), "{crm}");
    assert_eq!((&crm["paused_at"], &crm["disabled"]), (&Value::Null, &Value::Null), "{crm}");
    let command =
        async |verb: &str| gateway.command(&format!("/api/v1/destinations/crm/{verb}"), &Value::Null).await;
    let paused = command("pause").await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    assert!(paused.json()["paused_at"].is_string(), "{}", paused.body);
    assert_eq!(destination(&gateway, "crm").await["paused_at"], paused.json()["paused_at"]);
    assert_eq!(
        command("pause").await.json()["paused_at"],
        paused.json()["paused_at"],
        "it is since the first"
    );
    assert_eq!(command("resume").await.json()["paused_at"], Value::Null);
    assert_eq!(destination(&gateway, "crm").await["paused_at"], Value::Null);
    gateway.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_destination_that_is_gone_is_shown() {
    let receiver = Receiver::start([Answer::Status(503)]).await;
    let text = config(&receiver.url()).replace("schedule = []", "schedule = [\"1h\"]");
    let mut gateway = Gateway::start(&text).await;
    event(&gateway, "push", b"{}", "pending").await;
    receiver.requests(1).await;
    gateway.write_config(&text.replace("destinations.crm", "destinations.new").replace("\"crm\"", "\"new\""));
    let gone = eventually("the next configuration is in force", async || {
        let old = destination(&gateway, "crm").await;
        if old["configured"] == json!(false) { Ok(old) } else { Err(old.to_string()) }
    })
    .await;
    assert_eq!((&gone["pending"], gone.get("url")), (&json!(1), None), "{gone}");
    let paused = gateway.command("/api/v1/destinations/crm/pause", &Value::Null).await;
    assert_eq!((paused.status, &paused.json()["configured"]), (200, &json!(false)), "{}", paused.body);
    assert_eq!(destination(&gateway, "new").await["configured"], json!(true));
    gateway.stop().await;
}
