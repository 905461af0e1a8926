//! The admin side over real sockets: who may ask, and what they are told.

mod access;
mod commands;
mod destinations;
mod lists;
mod plugins;
mod records;
mod replay;
mod telemetry;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET, borrowed, github};
use serde_json::Value;

/// A GitHub source that is delivered to `url`, once.
fn config(url: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{url}"
secrets = ["{DESTINATION_SECRET}"]
timeout = "300ms"
retry = {{ schedule = [] }}

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#
    )
}

/// Posts an event of that type and waits until it is `status`; its id.
async fn event(gateway: &Gateway, event_type: &str, body: &[u8], status: &str) -> String {
    let id = gateway.post("github", &borrowed(&github(event_type, body)), body).await.id();
    gateway.event_when(&id, status).await;
    id
}

/// The ids of a list's items.
fn ids(list: &Value) -> Vec<String> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}
