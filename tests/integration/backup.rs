//! Backups of a gateway under load, and what a gateway makes of one.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver, Request};
use hookloom_testkit::sender::{DESTINATION_SECRET, Load, SECRET, borrowed, github};
use serde_json::Value;

use super::cli::{BINARY, Ended, hookloom};

fn config(receiver: &Receiver) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{}"
secrets = ["{DESTINATION_SECRET}"]
retry = {{ schedule = ["10h"] }}
breaker = {{ failures = 0 }}

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#,
        receiver.url()
    )
}

fn backup(gateway: &Gateway, target: &Path, more: &[&str]) -> Ended {
    let config = gateway.config_file();
    let fixed = ["backup", "-c", config.to_str().unwrap(), target.to_str().unwrap()];
    hookloom(&[&fixed, more].concat())
}

/// The one id under which each event was sent.
fn ids(requests: &[Request]) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    for request in requests {
        let of = |name: &str| request.header(name).unwrap().to_owned();
        let before = ids.insert(of("hookloom-event-id"), of("webhook-id"));
        assert!(before.is_none_or(|before| before == of("webhook-id")), "{request:?}");
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_taken_under_load_is_served_by_another_gateway() {
    let down = Receiver::start_with([], Answer::Status(500)).await;
    let mut gateway = Gateway::new(&config(&down));
    gateway.run_process(BINARY);
    let load = Load::start(&gateway.door(), "github", 4);
    load.accepted(100).await;

    let up = Receiver::start([]).await;
    let mut restored = Gateway::new(&config(&up));
    let store = restored.path("data/hookloom.db");
    std::fs::create_dir(store.parent().unwrap()).unwrap();
    let before = load.count();
    let ended = backup(&gateway, &store, &["--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    let copied: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(copied["bytes"].as_u64(), std::fs::metadata(&store).ok().map(|file| file.len()));
    load.more(20).await;
    let accepted = load.stop().await;
    for event in &accepted {
        gateway.event_when(&event.id, "pending").await;
    }
    assert!(gateway.terminate().success(), "it goes on as if nothing had been copied");

    restored.run_process(BINARY);
    let admin = format!("http://{}", restored.admin());
    for event in &accepted[..before] {
        let shown = restored.get(&format!("/api/v1/events/{}", event.id)).await;
        assert_eq!(shown.status, 200, "{} was answered before the backup began", event.id);
    }
    // Their next attempts are hours away.
    let retried = hookloom(&["deliveries", "retry", "--destination", "crm", "--yes", "--url", &admin]);
    assert_eq!(retried.code, Some(0), "{}", retried.stderr);
    for event in &accepted[..before] {
        restored.event_when(&event.id, "delivered").await;
    }
    let (sent, arrived) = (ids(&down.seen().requests), ids(&up.seen().requests));
    for event in &accepted[..before] {
        assert!(arrived.contains_key(&event.id), "{} did not arrive", event.id);
        if let Some(id) = sent.get(&event.id) {
            assert_eq!(arrived[&event.id], *id, "{} got another id", event.id);
        }
    }
    assert!(sent.len() >= before, "the first gateway had tried them");
    assert!(restored.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_says_what_it_cannot_do_and_leaves_nothing_behind() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&config(&receiver));
    let target = gateway.path("copy.db");
    let ended = backup(&gateway, &target, &[]);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""));
    assert!(ended.stderr.contains("there is none at"), "{}", ended.stderr);

    gateway.run_here().await;
    let body = format!("{{\"long\":\"{}\"}}", "x".repeat(500_000));
    let id = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await.id();
    gateway.event_when(&id, "delivered").await;
    gateway.stop().await;
    // No file may grow beyond a little: as on a disk that is full, a write fails.
    let script = "trap '' XFSZ; ulimit -f 200; exec \"$0\" backup -c \"$1\" \"$2\"";
    let ended: Ended = Command::new("sh")
        .args(["-c", script, BINARY])
        .args([&gateway.config_file(), &target])
        .stdin(Stdio::null())
        .output()
        .unwrap()
        .into();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("the copy failed: disk I/O error"), "{}", ended.stderr);
    let left = || -> Vec<String> {
        let names = std::fs::read_dir(gateway.path("")).unwrap();
        let names = names.map(|file| file.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with("copy")).collect()
    };
    assert_eq!(left(), [] as [String; 0]);

    let ended = backup(&gateway, &target, &[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.ends_with(", with 0 run(s) and 0 deliveries pending\n"), "{}", ended.stdout);
    let again = backup(&gateway, &target, &[]);
    assert_eq!(again.code, Some(1));
    assert!(again.stderr.contains("exists already and is not overwritten"), "{}", again.stderr);
    assert_eq!(left(), ["copy.db"]);
}

#[test]
fn the_help_says_how_to_restore() {
    let help = hookloom(&["backup", "--help"]).stdout;
    for part in ["To restore: stop the gateway", "-wal", "webhook-id"] {
        assert!(help.contains(part), "{part} is not in\n{help}");
    }
}
