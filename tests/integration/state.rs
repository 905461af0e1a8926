//! Durable values on their way with everything else: committed with the run or not at
//! all, and of two that race to be first one wins.

use std::collections::BTreeSet;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest_with_kv;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;
use serde_json::Value;
use tokio::task::JoinSet;

const GRANTS: &str = "[plugin.guest]\ndeadline = \"5s\"\ngrants = [\"kv\"]\n";
const ONCE: &str = r#"{ plugin = "guest", config = { do = "once" } }"#;

/// A step that does these acts, and what follows when it ends as an error.
fn acts(acts: &str, rest: &str) -> String {
    format!(r#"{{ plugin = "guest", config = {{ do = "state", acts = [{acts}] {rest} }} }}"#)
}

fn config(receiver: &Receiver, grants: &str, steps: &str) -> String {
    let url = receiver.url();
    format!(
        "[plugins]\nworkers = 4\n{grants}\
         [sources.github]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n\
         [destinations.crm]\nurl = \"{url}\"\nsecrets = [\"{DESTINATION_SECRET}\"]\n\
         [[routes]]\nname = \"all\"\nfrom = [\"github\"]\nsteps = [{steps}]\nto = [\"crm\"]\n"
    )
}

async fn started(config: &str) -> Gateway {
    let mut gateway = Gateway::new(config);
    gateway.put_plugin("guest", guest_with_kv());
    gateway.run_here().await;
    gateway
}

async fn post(gateway: &Gateway) -> String {
    let accepted = gateway.post("github", &borrowed(&github("push", b"{}")), "{}").await;
    assert_eq!(accepted.status, 200, "{}", accepted.body);
    accepted.id()
}

/// So many events at once, each with its number or all with one body; their ids.
async fn post_at_once(gateway: &Gateway, count: usize, body: impl Fn(usize) -> String) -> Vec<String> {
    let mut posting = JoinSet::new();
    for n in 0..count {
        let (door, body) = (gateway.door(), body(n));
        posting.spawn(async move {
            let headers = github("push", body.as_bytes());
            door.try_post("github", &borrowed(&headers), body).await.expect("the gateway answers").id()
        });
    }
    posting.join_all().await
}

fn bodies(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.seen().requests;
    requests.into_iter().map(|request| String::from_utf8(request.body).unwrap()).collect()
}

async fn ended(gateway: &Gateway, outcome: &str) -> u64 {
    gateway.count(&format!(r#"hookloom_runs_total{{route="all",outcome="{outcome}"}}"#)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_events_that_race_to_be_first_one_is_delivered() {
    const EVENTS: usize = 60;
    let receiver = Receiver::start([]).await;
    let mut gateway = started(&config(&receiver, GRANTS, ONCE)).await;
    for round in 0..3 {
        let body = format!(r#"{{"round":{round}}}"#);
        let ids = post_at_once(&gateway, EVENTS, |_| body.clone()).await;
        let mut delivered = 0;
        for id in &ids {
            let event = eventually("the event has ended", async || {
                let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
                if event["status"] == "pending" { Err(event.to_string()) } else { Ok(event) }
            })
            .await;
            delivered += usize::from(event["status"] == "delivered");
            if event["status"] == "dropped" {
                assert_eq!(event["runs"][0]["reason"], "guest: seen before: true");
            }
        }
        assert_eq!(delivered, 1, "in round {round}");
    }
    assert_eq!(bodies(&receiver).into_iter().collect::<BTreeSet<_>>().len(), 3);
    gateway.stop().await;
    assert_eq!(bodies(&receiver).len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_that_many_events_add_to_counts_each_once_and_goes_on_after_a_restart() {
    const EVENTS: usize = 300;
    let receiver = Receiver::start([]).await;
    let mut gateway = started(&config(&receiver, GRANTS, &acts(r#"["add", "n", 1]"#, ""))).await;
    post_at_once(&gateway, EVENTS, |n| format!(r#"{{"n":{n}}}"#)).await;
    receiver.requests(EVENTS).await;
    gateway.stop().await;
    gateway.run_here().await;
    post(&gateway).await;
    receiver.requests(EVENTS + 1).await;
    gateway.stop().await;
    let sums: Vec<_> = bodies(&receiver);
    let expected: BTreeSet<_> = (1..=EVENTS + 1).map(|sum| format!("[\"{sum}\"]")).collect();
    assert_eq!((sums.len(), sums.into_iter().collect::<BTreeSet<_>>()), (EVENTS + 1, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_ends_in_an_error_or_is_tried_again_commits_nothing_and_a_passed_step_only_its_own() {
    let receiver = Receiver::start([]).await;
    let add = r#"["add", "n", 1]"#;
    let (kept, failing) = (acts(add, ""), acts(add, r#", end = "error""#));
    let with = |on_error: &str| failing.replace(" } }", &format!(" }}, on_error = {on_error} }}"));
    let mut gateway = started(&config(&receiver, GRANTS, &format!("{kept}, {}", with("\"dead\"")))).await;
    let id = post(&gateway).await;
    gateway.event_when(&id, "failed").await;

    // The same run again and again: its first step would count each try.
    let retry = with(r#"{ retry = ["1ms", "1ms"], then = "dead" }"#);
    reload(&gateway, &config(&receiver, GRANTS, &format!("{kept}, {retry}"))).await;
    let id = post(&gateway).await;
    let event = gateway.event_when(&id, "failed").await;
    assert_eq!(event["runs"][0]["attempts"], 2, "{event}");

    // Only now something is committed: by the first step, and by the last.
    reload(&gateway, &config(&receiver, GRANTS, &format!("{kept}, {}, {kept}", with("\"pass\"")))).await;
    post(&gateway).await;
    receiver.requests(1).await;
    assert_eq!(bodies(&receiver), [r#"["2"]"#]);
    gateway.stop().await;
}

/// Puts another configuration in force.
async fn reload(gateway: &Gateway, config: &str) {
    let name = r#"hookloom_reloads_total{what="config",outcome="ok"}"#;
    let before = gateway.count(name).await;
    gateway.write_config(config);
    eventually("the configuration is in force", async || {
        let count = gateway.count(name).await;
        if count > before { Ok(()) } else { Err(count.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_waits_for_its_grant_and_its_runs_with_it() {
    let receiver = Receiver::start([]).await;
    let without = "[plugin.guest]\ndeadline = \"5s\"\n";
    let mut gateway = started(&config(&receiver, without, ONCE)).await;
    let refused = gateway.plugin_when("guest", |plugin| plugin["state"] == "failed").await;
    let line = r#"imports kv, which is not granted: add grants = ["kv"] under [plugin.guest]"#;
    assert_eq!(refused["error"], line);
    let id = post(&gateway).await;
    held(&gateway, &id).await;

    gateway.write_config(&config(&receiver, GRANTS, ONCE));
    gateway.event_when(&id, "delivered").await;
    let plugin = gateway.plugin_when("guest", |plugin| plugin["state"] == "active").await;
    assert_eq!(plugin["grants"], serde_json::json!(["kv"]));

    gateway.write_config(&config(&receiver, without, ONCE));
    gateway.plugin_when("guest", |plugin| plugin["state"] == "failed").await;
    let body = "{ }";
    let id = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await.id();
    held(&gateway, &id).await;
    gateway.write_config(&config(&receiver, GRANTS, ONCE));
    gateway.event_when(&id, "delivered").await;
    gateway.stop().await;
}

/// Waits until the event's run is held.
async fn held(gateway: &Gateway, id: &str) -> Value {
    eventually("the run is held", async || {
        let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
        if event["runs"][0]["held"] == true { Ok(event) } else { Err(event.to_string()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_guest_wrote_for_a_while_is_forgotten_and_tidied_away() {
    let receiver = Receiver::start([]).await;
    let steps = acts(r#"["get", "short"], ["set", "short", "x", 1]"#, "");
    let mut gateway = started(&config(&receiver, GRANTS, &steps)).await;
    for n in 1..=2 {
        post(&gateway).await;
        receiver.requests(n).await;
        eventually("the value is tidied away", async || {
            let gone = gateway.count("hookloom_tidied_keys_total").await;
            if gone >= u64::try_from(n).unwrap() { Ok(()) } else { Err(gone.to_string()) }
        })
        .await;
    }
    assert_eq!(bodies(&receiver), [r#"["null","set"]"#; 2]);
    assert_eq!(ended(&gateway, "processed").await, 2);
    gateway.stop().await;
}
