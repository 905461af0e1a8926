//! The example plugins as users get them: built by the binary, run by the gateway.

use std::path::Path;
use std::process::Command;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::Receiver;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");

/// Builds every example plugin into `folder`.
fn build_examples(folder: &Path) {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let built = Command::new(BINARY)
        .args(["plugin", "build", "--all", "--quiet", "--plugins"])
        .arg(plugins)
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
