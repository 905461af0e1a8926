//! The configuration file changes.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::{guest, guest_with_kv, variant};
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::Load;
use hookloom_testkit::wait::eventually;

use super::{STEP, config, held, post, reloaded, reloads, text, version};

/// A version that wants `v2` in its configuration.
fn wants_v2(n: u32) -> Vec<u8> {
    variant(&version(n), "configure-wants-no", "configure-wants-v2")
}

fn step(config: &str) -> String {
    format!(r#"{{ plugin = "guest", config = {{ do = "version", {config} }} }}"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_changes_nothing_and_a_repaired_one_counts() {
    let (old, new) = (Receiver::start([]).await, Receiver::start([]).await);
    let good = |receiver: &Receiver| config(&[("crm", &receiver.url())], &[("all", STEP, "crm")]);
    let mut gateway = Gateway::new(&good(&old));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let load = Load::start(&gateway.door(), "github", 2);
    let broken = [
        "[sources".to_owned(),
        good(&new).replace("to = [\"crm\"]", "to = [\"nowhere\"]"),
        good(&new) + "surprise = 1\n",
        good(&new).replace("do = \"version\"", "configure = \"refuse\""),
        good(&new).replace(&new.url(), "no url"),
    ];
    for (i, text) in (1..).zip(&broken) {
        gateway.write_config(text);
        reloaded(&gateway, "config", "refused", i).await;
        load.more(10).await;
        let id = post(&gateway).await;
        gateway.event_when(&id, "delivered").await;
    }
    assert_eq!(new.seen().requests.len(), 0);
    gateway.write_config(&good(&new));
    reloaded(&gateway, "config", "ok", 1).await;
    let id = post(&gateway).await;
    gateway.event_when(&id, "delivered").await;
    assert!(new.seen().requests.iter().any(|r| r.header("hookloom-event-id") == Some(&id)));
    for sent in load.stop().await {
        gateway.event_when(&sent.id, "delivered").await;
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_configuration_is_tried_again_when_the_plugins_change() {
    let receiver = Receiver::start([]).await;
    let with = |step: &str| config(&[("crm", &receiver.url())], &[("all", step, "crm")]);
    let mut gateway = Gateway::new(&with(&step("v2 = 1")));
    gateway.put_plugin("guest", &wants_v2(1));
    gateway.run_here().await;
    gateway.write_config(&with(STEP));
    reloaded(&gateway, "config", "refused", 1).await;
    gateway.put_plugin("guest", &version(2));
    reloaded(&gateway, "config", "ok", 1).await;
    let id = post(&gateway).await;
    gateway.event_when(&id, "delivered").await;
    assert_eq!(receiver.requests(1).await[0].body, text(2).as_bytes());
    gateway.stop().await;
}

/// A new version and the configuration that only it takes: whichever comes first waits
/// for the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_and_its_configuration_change_together_in_either_order() {
    for plugin_first in [true, false] {
        let receiver = Receiver::start([]).await;
        let with = |step: &str| config(&[("crm", &receiver.url())], &[("all", step, "crm")]);
        // The old version refuses `v3`'s configuration, the new one that of `v1`.
        let mut gateway = Gateway::new(&with(STEP));
        let old = variant(&version(1), "configure-wants-no", "configure-hates-v2");
        gateway.put_plugin("guest", &old);
        gateway.run_here().await;
        let first = post(&gateway).await;
        gateway.event_when(&first, "delivered").await;
        if plugin_first {
            gateway.put_plugin("guest", &wants_v2(2));
            gateway.plugin_when("guest", |plugin| plugin["state"] == "degraded").await;
            gateway.write_config(&with(&step("v2 = 1")));
        } else {
            gateway.write_config(&with(&step("v2 = 1")));
            reloaded(&gateway, "config", "refused", 1).await;
            gateway.put_plugin("guest", &wants_v2(2));
        }
        gateway
            .plugin_when("guest", |plugin| {
                plugin["state"] == "active" && plugin["serving"]["version"] == text(2)
            })
            .await;
        let id = post(&gateway).await;
        gateway.event_when(&id, "delivered").await;
        assert_eq!(receiver.requests(2).await[1].body, text(2).as_bytes());
        gateway.stop().await;
    }
}

/// What the new version needs beside its configuration comes in the same edit.
#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_waits_for_its_grant_and_its_configuration_together() {
    let receiver = Receiver::start([]).await;
    let with = |step: &str| config(&[("crm", &receiver.url())], &[("all", step, "crm")]);
    let mut gateway = Gateway::new(&with(STEP));
    gateway.put_plugin("guest", &variant(&version(1), "configure-wants-no", "configure-hates-v2"));
    gateway.run_here().await;
    let with_kv = variant(guest_with_kv(), "guest-version-1", &text(2));
    gateway.put_plugin("guest", &variant(&with_kv, "configure-wants-no", "configure-wants-v2"));
    let refused = gateway.plugin_when("guest", |plugin| plugin["state"] == "degraded").await;
    assert!(refused["error"].as_str().unwrap().contains("kv, which is not granted"), "{refused}");
    let grant = "[plugin.guest]\ndeadline = \"5s\"\ngrants = [\"kv\"]\n";
    gateway.write_config(&(with(&step("v2 = 1")) + grant));
    gateway
        .plugin_when("guest", |plugin| plugin["state"] == "active" && plugin["serving"]["version"] == text(2))
        .await;
    assert_eq!(reloads(&gateway, "config", "refused").await, 0);
    let id = post(&gateway).await;
    gateway.event_when(&id, "delivered").await;
    assert_eq!(receiver.requests(1).await[0].body, text(2).as_bytes());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_come_change_and_go() {
    let (a, b) = (Receiver::start([]).await, Receiver::start([]).await);
    let (a_url, b_url) = (a.url(), b.url());
    let to = [("a", a_url.as_str()), ("b", b_url.as_str())];
    let mut gateway = Gateway::new(&config(&to, &[("one", "\"absent\"", "a")]));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let first = post(&gateway).await;
    held(&gateway, &first).await;

    // Changed: what was held goes the new way. Added: it takes what comes from now on.
    gateway.write_config(&config(&to, &[("one", STEP, "a"), ("two", "", "b")]));
    reloaded(&gateway, "config", "ok", 1).await;
    gateway.event_when(&first, "delivered").await;
    let second = post(&gateway).await;
    gateway.event_when(&second, "delivered").await;
    assert_eq!((a.seen().requests.len(), b.seen().requests.len()), (2, 1));

    // Removed with a run that is held: it stays held, until the route is back.
    gateway.write_config(&config(&to, &[("one", "\"absent\"", "a")]));
    reloaded(&gateway, "config", "ok", 2).await;
    let third = post(&gateway).await;
    held(&gateway, &third).await;
    gateway.write_config(&config(&to, &[("two", "", "b")]));
    reloaded(&gateway, "config", "ok", 3).await;
    eventually("the route is missed", async || {
        let run = held(&gateway, &third).await;
        let reason = run["reason"].as_str().unwrap_or_default().to_owned();
        if reason.contains("not in the configuration") { Ok(()) } else { Err(reason) }
    })
    .await;
    let fourth = post(&gateway).await;
    gateway.event_when(&fourth, "delivered").await;
    gateway.write_config(&config(&to, &[("one", "", "a"), ("two", "", "b")]));
    gateway.event_when(&third, "delivered").await;
    assert_eq!((a.seen().requests.len(), b.seen().requests.len()), (3, 2));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_where_the_destination_is_now() {
    let dead = Receiver::start_with([], Answer::Status(500)).await;
    let alive = Receiver::start([]).await;
    let at = |receiver: &Receiver| config(&[("crm", &receiver.url())], &[("all", "", "crm")]);
    let mut gateway = Gateway::new(&at(&dead));
    gateway.run_here().await;
    let id = post(&gateway).await;
    dead.requests(1).await;
    gateway.write_config(&at(&alive));
    gateway.event_when(&id, "delivered").await;
    let (before, after) = (dead.seen().requests.remove(0), alive.seen().requests.remove(0));
    assert_eq!(before.header("webhook-id"), after.header("webhook-id"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_of_a_removed_destination_wait_for_its_return() {
    let (crm, other) = (Receiver::start_with([], Answer::Status(503)).await, Receiver::start([]).await);
    let both = |crm: &Receiver| {
        config(&[("crm", &crm.url()), ("other", &other.url())], &[("all", "", "crm"), ("rest", "", "other")])
    };
    let mut gateway = Gateway::new(&both(&crm));
    gateway.run_here().await;
    let id = post(&gateway).await;
    crm.requests(2).await;
    gateway.write_config(&config(&[("other", &other.url())], &[("rest", "", "other")]));
    reloaded(&gateway, "config", "ok", 1).await;
    // Once no attempt is under way, there is none any more; the others go on.
    eventually("the last attempt was recorded", async || {
        let deliveries = gateway.get("/api/v1/deliveries?destination=crm&status=pending").await.json();
        let recorded = deliveries["items"][0]["attempt_count"].as_u64().unwrap();
        let sent = crm.seen().requests.len() as u64;
        if recorded == sent { Ok(()) } else { Err(format!("{recorded} of {sent}")) }
    })
    .await;
    let sent = crm.seen().requests.len();
    let later = post(&gateway).await;
    gateway.event_when(&later, "delivered").await;
    assert_eq!(gateway.event_when(&id, "pending").await["runs"][0]["status"], "processed");
    assert_eq!(crm.seen().requests.len(), sent);

    let back = Receiver::start([]).await;
    gateway.write_config(&both(&back));
    gateway.event_when(&id, "delivered").await;
    assert_eq!(back.seen().requests[0].header("webhook-id"), crm.seen().requests[0].header("webhook-id"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_plugins_change_without_a_restart() {
    let receiver = Receiver::start([]).await;
    let nap = r#"{ plugin = "guest", config = { do = "sleep", n = 300 } }"#;
    let patient = config(&[("crm", &receiver.url())], &[("all", nap, "crm")]);
    let mut gateway = Gateway::new(&patient.replace("\"5s\"", "\"20ms\""));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let cut = post(&gateway).await;
    let event = gateway.event_when(&cut, "failed").await;
    assert_eq!(event["runs"][0]["steps"][0]["verdict"], "timeout");
    gateway.write_config(&patient);
    reloaded(&gateway, "config", "ok", 1).await;
    let id = post(&gateway).await;
    gateway.event_when(&id, "delivered").await;
    gateway.stop().await;
}
