//! A plugin is replaced, broken, repaired, deleted and brought back.

use std::collections::BTreeMap;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::Load;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{STEP, config, held, post, reloaded, reloads, text, version};

/// Events between two changes.
const SOME: usize = 40;

fn serves(n: u32) -> impl Fn(&Value) -> bool {
    move |plugin| plugin["state"] == "active" && plugin["serving"]["version"] == text(n)
}

/// The version that made each event's delivery; each arrived once.
fn versions(receiver: &Receiver) -> BTreeMap<String, String> {
    let mut made = BTreeMap::new();
    for request in receiver.seen().requests {
        let id = request.header("hookloom-event-id").unwrap().to_owned();
        let version = String::from_utf8(request.body.clone()).unwrap();
        assert_eq!(made.insert(id.clone(), version), None, "{id} was sent twice");
    }
    made
}

async fn is_made_by(gateway: &Gateway, receiver: &Receiver, n: u32) {
    let id = post(gateway).await;
    gateway.event_when(&id, "delivered").await;
    assert_eq!(versions(receiver)[&id], text(n));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_changes_under_load_and_no_event_is_lost_or_failed() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&[("crm", &receiver.url())], &[("all", STEP, "crm")]));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let load = Load::start(&gateway.door(), "github", 3);
    load.more(SOME).await;

    gateway.put_plugin("guest", &version(2));
    gateway.plugin_when("guest", serves(2)).await;
    is_made_by(&gateway, &receiver, 2).await;

    // In place, as a careless copy does it.
    std::fs::write(gateway.path("plugins/guest.wasm"), b"\0asm garbage").unwrap();
    gateway.plugin_when("guest", |plugin| plugin["state"] == "degraded").await;
    is_made_by(&gateway, &receiver, 2).await;
    load.more(SOME).await;

    gateway.put_plugin("guest", &version(3));
    gateway.plugin_when("guest", serves(3)).await;
    is_made_by(&gateway, &receiver, 3).await;

    gateway.remove_plugin("guest");
    gateway.plugin_when("guest", |plugin| plugin["state"] == "missing").await;
    let waiting = post(&gateway).await;
    let run = held(&gateway, &waiting).await;
    assert_eq!((&run["status"], &run["attempts"]), (&Value::from("pending"), &Value::from(0)));
    load.more(SOME).await;

    // A deleted plugin does not come back by a broken file.
    gateway.put_plugin("guest", b"\0asm garbage");
    gateway.plugin_when("guest", |plugin| plugin["state"] == "failed").await;
    load.more(SOME).await;
    held(&gateway, &waiting).await;

    gateway.put_plugin("guest", &version(4));
    gateway.plugin_when("guest", serves(4)).await;
    load.more(SOME).await;
    for sent in load.stop().await {
        gateway.event_when(&sent.id, "delivered").await;
    }
    gateway.event_when(&waiting, "delivered").await;
    let made = versions(&receiver);
    assert_eq!(made[&waiting], text(4));
    let known: Vec<_> = (1..5).map(text).collect();
    assert!(made.values().all(|version| known.contains(version)), "{made:?}");
    for ended in ["failed", "dropped"] {
        let name = format!(r#"hookloom_runs_total{{route="all",outcome="{ended}"}}"#);
        assert_eq!(gateway.count(&name).await, 0);
    }
    gateway.stop().await;
}

/// Held runs are looked at again after each change, and not because others are.
#[tokio::test(flavor = "multi_thread")]
async fn held_runs_are_tried_once_a_change() {
    const CHANGES: usize = 6;
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&[("crm", &receiver.url())], &[("all", "\"absent\"", "crm")]));
    gateway.run_here().await;
    let load = Load::start(&gateway.door(), "github", 8);
    for change in 1..=CHANGES {
        load.more(SOME).await;
        gateway.put_plugin(&format!("other-{change}"), guest());
        gateway.plugin_when(&format!("other-{change}"), serves(1)).await;
    }
    let accepted = load.stop().await;
    for sent in &accepted {
        held(&gateway, &sent.id).await;
    }
    let tried = gateway.count(r#"hookloom_runs_total{route="all",outcome="held"}"#).await;
    // Once when it came, once for each change, and once more where it met one.
    let most = u64::try_from(accepted.len() * (2 + CHANGES)).unwrap();
    assert!(tried <= most, "{} runs were tried {tried} times", accepted.len());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_beside_a_broken_file_serves_the_last_good_version() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&[("crm", &receiver.url())], &[("all", STEP, "crm")]));
    gateway.put_plugin("guest", &version(2));
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    is_made_by(&gateway, &receiver, 2).await;
    gateway.kill();
    gateway.put_plugin("guest", b"\0asm garbage");
    gateway.run_process(env!("CARGO_BIN_EXE_hookloom"));
    gateway.plugin_when("guest", |plugin| plugin["state"] == "degraded").await;
    is_made_by(&gateway, &receiver, 2).await;
    gateway.put_plugin("guest", &version(3));
    gateway.plugin_when("guest", serves(3)).await;
    is_made_by(&gateway, &receiver, 3).await;
    gateway.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_broken_is_said_once() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&[("crm", &receiver.url())], &[("all", STEP, "crm")]));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    gateway.put_plugin("guest", b"\0asm garbage");
    gateway.write_config("this is no configuration");
    reloaded(&gateway, "plugin", "refused", 1).await;
    eventually_refused(&gateway).await;
    let before = reloads(&gateway, "config", "refused").await;
    // The folder is looked at again twice, and nothing about these two has changed.
    for other in ["one", "two"] {
        std::fs::write(gateway.path("plugins/notes.txt"), other).unwrap();
        let refused = reloads(&gateway, "plugin", "refused").await;
        gateway.put_plugin(other, guest());
        gateway.plugin_when(other, serves(1)).await;
        assert_eq!(refused, 1);
    }
    // The configuration was: it may have waited for these plugins.
    assert!(reloads(&gateway, "config", "refused").await <= before + 2);
    assert_eq!(reloads(&gateway, "plugin", "refused").await, 1);
    assert_eq!(reloads(&gateway, "plugins", "refused").await, 0);
    gateway.stop().await;
}

async fn eventually_refused(gateway: &Gateway) {
    hookloom_testkit::wait::eventually("the configuration is refused", async || {
        let refused = reloads(gateway, "config", "refused").await;
        if refused >= 1 { Ok(()) } else { Err(refused.to_string()) }
    })
    .await;
}

/// The scan that finds the plugin is the one that tells of it.
#[tokio::test(flavor = "multi_thread")]
async fn held_runs_go_on_after_a_reload_whose_client_has_gone() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&[("crm", &receiver.url())], &[("all", STEP, "crm")]));
    gateway.run_here().await;
    let id = post(&gateway).await;
    held(&gateway, &id).await;
    gateway.put_plugin("guest", guest());
    let mut asking = TcpStream::connect(gateway.admin()).await.unwrap();
    let host = gateway.admin();
    let request =
        format!("POST /api/v1/plugins/reload HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n");
    asking.write_all(request.as_bytes()).await.unwrap();
    drop(asking);
    gateway.event_when(&id, "delivered").await;
    gateway.stop().await;
}
