//! The door closes while durability cannot be promised, says why, and opens again.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::wait::eventually;
use serde_json::json;

use super::{assert_refused, counted, github_source, post_signed};

async fn is_ready(gateway: &Gateway, reason: Option<&str>) {
    eventually(&format!("/readyz says {reason:?}"), async || {
        let answer = gateway.get("/readyz").await;
        let expected = match reason {
            None => (200, json!({ "status": "ready" })),
            Some(reason) => (503, json!({ "status": "not ready", "reason": reason })),
        };
        let found = (answer.status, answer.json());
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_closes_the_door() {
    let mut gateway =
        Gateway::start(&format!("[store]\nmin_free_disk = \"1000TiB\"\n{}", github_source(""))).await;
    is_ready(&gateway, Some("the disk is almost full")).await;
    let refused = post_signed(&gateway, "{}").await;
    assert_refused(&refused, 503, "the disk is almost full");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 0);
    assert_eq!(gateway.get("/healthz").await.status, 200, "it is alive all the same");
    assert_eq!(counted(&gateway, "github", "unavailable").await, "1");
    gateway.stop().await;
}

#[tokio::test]
async fn a_backlog_closes_the_door_until_it_is_gone() {
    let route = |steps: &str| {
        format!(
            "[store]\nmax_backlog = 0\n{}[destinations.crm]\nurl = \"http://127.0.0.1:1\"\n\
             [[routes]]\nname = \"all\"\nfrom = [\"github\"]\nsteps = [{steps}]\nto = [\"crm\"]\n",
            github_source("")
        )
    };
    let mut gateway = Gateway::start(&route("\"not-there\"")).await;
    is_ready(&gateway, None).await;
    let id = post_signed(&gateway, "{}").await.id();
    is_ready(&gateway, Some("too many events are waiting")).await;
    let refused = post_signed(&gateway, "{}").await;
    assert_refused(&refused, 503, "too many events are waiting");
    assert!(refused.headers.contains_key("retry-after"));
    // The events that wait get their step back; nobody touches the door.
    gateway.write_config(&route(""));
    is_ready(&gateway, None).await;
    assert_eq!(post_signed(&gateway, "{}").await.status, 200);
    let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
    assert_eq!(event["runs"][0]["status"], "processed");
    gateway.stop().await;
}
