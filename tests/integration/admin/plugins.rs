//! Plugins as the API shows and reloads them.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest;
use serde_json::Value;

use super::config;

#[tokio::test]
async fn a_reload_answers_with_what_came_of_it() {
    let gateway = Gateway::start(&config("http://127.0.0.1:9")).await;
    gateway.put_plugin("guest", guest());
    gateway.put_plugin("broken", b"\0asm\x0d\0\x01\0 and no more");
    let answer = gateway.command("/api/v1/plugins/reload", &Value::Null).await;
    assert_eq!(answer.status, 200);
    let items = answer.json()["items"].clone();
    let state = |name: &str| {
        let found = items.as_array().unwrap().iter().find(|plugin| plugin["name"] == name);
        found.map(|plugin| plugin["state"].clone())
    };
    assert_eq!(state("guest"), Some("active".into()), "{items}");
    assert_eq!(state("broken"), Some("failed".into()), "{items}");
}
