//! The example plugins as users get them: built by the binary, run by the gateway.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookloom::clock::Clock;
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use serde_json::{Value, json};
use sha2::Sha256;

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

/// Builds every example plugin into `folder`.
fn build_examples(folder: &Path) {
    build_all(&plugins(), folder);
}

/// Builds every crate that lies in `crates` into `folder`, by one cargo.
fn build_all(crates: &Path, folder: &Path) {
    let built = Command::new(BINARY)
        .args(["plugin", "build", "--all", "--lang", "rust", "--quiet", "--plugins"])
        .arg(crates)
        .arg("--out")
        .arg(folder)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn the_demo_goes_as_it_tells() {
    let shown = Command::new(BINARY).args(["demo", "--once"]).output().unwrap();
    let story = String::from_utf8_lossy(&shown.stdout);
    let errors = String::from_utf8_lossy(&shown.stderr);
    assert!(shown.status.success(), "{story}\n{errors}");
    assert!(story.contains("answered 503, to be tried again under the same id"), "{story}");
    assert!(story.contains("dropped (drop-bots: the sender is a bot)"), "{story}");
    assert!(story.contains("Everything arrived as it should."), "{story}");
}

#[tokio::test]
async fn json_nested_128_deep_is_parsed_on_a_plugins_stack() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::new(&format!(
        r#"
[sources.open]
scheme = "none"

[destinations.d]
url = "{}"

[[routes]]
name = "r"
from = ["open"]
steps = [{{ plugin = "redact", config = {{ paths = ["/secret"] }} }}]
to = ["d"]
"#,
        receiver.url()
    ));
    build_examples(&gateway.path("plugins"));
    gateway.run_here().await;
    // The object is one level, the arrays are the other 127.
    let nested =
        |arrays: usize| format!(r#"{{"secret":"s","deep":{}{}}}"#, "[".repeat(arrays), "]".repeat(arrays));
    let id = gateway.post("open", &[], nested(127)).await.id();
    gateway.event_when(&id, "delivered").await;
    let body = receiver.requests(1).await.remove(0).body;
    let deep = nested(127).replace("{\"secret\":\"s\",", "{").replace('}', ",\"secret\":\"[redacted]\"}");
    assert_eq!(String::from_utf8(body).unwrap(), deep);

    // One more level is an error of the plugin, not a trap.
    let id = gateway.post("open", &[], nested(128)).await.id();
    let event = gateway.event_when(&id, "failed").await;
    assert_eq!(event["runs"][0]["steps"][0]["verdict"], "invalid-input");
    let plugins: Value = gateway.get("/api/v1/plugins").await.json();
    let names: Vec<_> =
        plugins["items"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["drop-bots", "envelope", "redact", "slack-message", "split-batch"]);
    gateway.stop().await;
}

/// What a recipe of the cookbook may use, and nothing else does.
const GRANTS: [(&str, &str, &str); 4] = [
    ("dedupe-content", "kv", "kv"),
    ("enrich", "kv", "kv"),
    ("to-pagerduty", "reveal", "reveal:KEY"),
    ("verify-acme", "secrets", "secrets:KEY"),
];

/// The interfaces of the contract that need a grant, among a plugin's imports.
fn granted_imports(plugin: &Value) -> Vec<String> {
    let imports =
        plugin["serving"]["imports"].as_array().unwrap().iter().map(|import| import.as_str().unwrap());
    let named = imports.filter_map(|import| import.strip_prefix("hookloom:plugin/")?.strip_suffix("@0.1.0"));
    named.filter(|name| ["kv", "secrets", "reveal"].contains(name)).map(str::to_owned).collect()
}

#[tokio::test]
async fn recipes_keep_their_word_on_the_engine_and_import_what_they_call() {
    let grants = GRANTS.map(|(plugin, _, grant)| format!("[plugin.{plugin}]\ngrants = [\"{grant}\"]\n"));
    let mut gateway = Gateway::new(&format!("{}[secrets]\nKEY = \"k\"\n", grants.concat()));
    let built = gateway.path("plugins");
    build_all(&plugins().join("cookbook"), &built);
    // Beside each component, the folder that its fixtures are in.
    let mut with_fixtures = Vec::new();
    for component in fs::read_dir(&built).unwrap().map(|entry| entry.unwrap().path()) {
        let package = plugins().join("cookbook").join(component.file_stem().unwrap());
        if package.join("fixtures").is_dir() {
            symlink(package.canonicalize().unwrap(), component.with_extension("")).unwrap();
            with_fixtures.push(component);
        }
    }
    let tested = Command::new(BINARY).args(["plugin", "test"]).args(&with_fixtures).output().unwrap();
    let lines = String::from_utf8_lossy(&tested.stdout);
    assert!(tested.status.success(), "{lines}\n{}", String::from_utf8_lossy(&tested.stderr));
    assert!(with_fixtures.len() >= 14, "only {with_fixtures:?} have fixtures");

    gateway.run_here().await;
    let shown: Value = gateway.get("/api/v1/plugins").await.json();
    let shown = shown["items"].as_array().unwrap();
    assert_eq!(shown.len(), fs::read_dir(plugins().join("cookbook")).unwrap().count() - 1, "{shown:?}");
    for plugin in shown {
        let name = plugin["name"].as_str().unwrap();
        let expected: Vec<_> = GRANTS
            .iter()
            .filter(|(own, ..)| *own == name)
            .map(|(_, import, _)| (*import).to_owned())
            .collect();
        assert_eq!(plugin["state"], "active", "{plugin}");
        assert_eq!(granted_imports(plugin), expected, "{name}");
    }
    gateway.stop().await;
}

/// A provider that no preset knows, and an API that says 200 to everything.
#[tokio::test]
async fn a_recipe_verifies_the_sender_and_another_one_reads_the_answer() {
    let said = |ok: bool, error: &str| {
        Answer::Full(200, vec![], json!({ "ok": ok, "error": error }).to_string().into_bytes())
    };
    let receiver = Receiver::start([said(false, "ratelimited"), said(true, "")]).await;
    let mut gateway = Gateway::new(&format!(
        r#"
[plugin.verify-acme]
grants = ["secrets:ACME_KEY"]
[secrets]
ACME_KEY = "s3cret"

[sources.acme]
scheme = "plugin:verify-acme"

[destinations.chat]
url = "{}"
classify = {{ plugin = "ok-in-body", config = {{ again = ["ratelimited"] }} }}
retry = {{ schedule = ["1ms"] }}

[[routes]]
name = "all"
from = ["acme"]
to = ["chat"]
"#,
        receiver.url()
    ));
    build_all(&plugins().join("cookbook"), &gateway.path("plugins"));
    gateway.run_here().await;

    let body = json!({ "id": "7", "event": "order.paid" }).to_string();
    let now = Clock::system().now().0 / 1000;
    let forged = gateway.post("acme", &[("x-acme-signature", &format!("{now}:AAAA"))], body.clone()).await;
    assert_eq!(forged.status, 401, "{}", forged.body);
    let mut signature = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
    signature.update(format!("{now}\n{body}").as_bytes());
    let signed = format!("{now}:{}", BASE64_STANDARD.encode(signature.finalize().into_bytes()));
    let accepted = gateway.post("acme", &[("x-acme-signature", &signed)], body.clone()).await;
    let event = gateway.event_when(&accepted.id(), "delivered").await;
    assert_eq!(event["type"], "order.paid");
    assert_eq!(receiver.requests(2).await.len(), 2);
    let again = gateway.post("acme", &[("x-acme-signature", &signed)], body).await;
    assert_eq!(again.json()["status"], "duplicate");
    let ping = gateway.post("acme", &[("x-acme-ping", "hello")], "").await;
    assert_eq!((ping.status, ping.body.as_str()), (200, "hello"));
    gateway.stop().await;
}
