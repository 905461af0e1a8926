//! Plugins and the configuration change under traffic: whole or not at all, and nothing
//! is lost meanwhile.

#[path = "reload/config.rs"]
mod config;
#[path = "reload/plugins.rs"]
mod plugins;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::{guest, variant};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;
use serde_json::Value;

/// The guest as its Nth version: it answers with that text where it is asked to.
fn version(n: u32) -> Vec<u8> {
    variant(guest(), "guest-version-1", &text(n))
}

fn text(n: u32) -> String {
    assert!(n < 10);
    format!("guest-version-{n}")
}

const STEP: &str = r#"{ plugin = "guest", config = { do = "version" } }"#;

/// A source `github` and these destinations and routes.
fn config(destinations: &[(&str, &str)], routes: &[(&str, &str, &str)]) -> String {
    let mut parts = vec![format!(
        "[sources.github]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n[plugins]\ndeadline = \"5s\"\n"
    )];
    let retry = "{ max_attempts = 50, base = \"20ms\", factor = 1.5, cap = \"200ms\", jitter = 0.0 }";
    parts.extend(destinations.iter().map(|(name, url)| {
        let secret = DESTINATION_SECRET;
        format!("[destinations.{name}]\nurl = \"{url}\"\nsecrets = [\"{secret}\"]\nretry = {retry}\n")
    }));
    parts.extend(routes.iter().map(|(name, steps, to)| {
        format!("[[routes]]\nname = \"{name}\"\nfrom = [\"github\"]\nsteps = [{steps}]\nto = [\"{to}\"]\n")
    }));
    parts.concat()
}

async fn post(gateway: &Gateway) -> String {
    let accepted = gateway.post("github", &borrowed(&github("push", b"{}")), "{}").await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    accepted.id()
}

/// Waits until a run of the event is held.
async fn held(gateway: &Gateway, id: &str) -> Value {
    eventually(&format!("{id} is held"), async || {
        let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
        let runs = event["runs"].as_array().unwrap();
        let found = runs.iter().find(|run| run["held"] == true && run["status"] == "pending");
        found.cloned().ok_or_else(|| event.to_string())
    })
    .await
}

async fn reloads(gateway: &Gateway, what: &str, outcome: &str) -> u64 {
    gateway.count(&format!(r#"hookloom_reloads_total{{what="{what}",outcome="{outcome}"}}"#)).await
}

/// Waits until there were so many reloads.
async fn reloaded(gateway: &Gateway, what: &str, outcome: &str, count: u64) {
    eventually(&format!("{what} {outcome} {count}"), async || {
        let seen = reloads(gateway, what, outcome).await;
        if seen == count { Ok(()) } else { Err(seen.to_string()) }
    })
    .await;
}
