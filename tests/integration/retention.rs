//! What has served its time goes, and nothing else.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{SECRET, borrowed, github};
use hookloom_testkit::wait::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn finished_events_go_and_pending_and_dead_ones_stay() {
    // The first delivery dies, the second is never answered, the others arrive.
    let receiver = Receiver::start([Answer::Status(413), Answer::Silence]).await;
    let gateway = Gateway::start(&format!(
        r#"
[store]
retention = "1ms"
dead_retention = "1h"

[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{}"
timeout = "4m"

[[routes]]
name = "all"
from = ["github"]
to = ["crm"]
"#,
        receiver.url()
    ))
    .await;
    let mut ids = Vec::new();
    for (n, status) in ["failed", "pending", "delivered", "delivered"].into_iter().enumerate() {
        let body = format!(r#"{{"n":{n}}}"#);
        let id = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await.id();
        receiver.requests(n + 1).await;
        ids.push((id, status));
    }
    let goes = &ids[2].0;
    eventually("the delivered event is gone", async || {
        match gateway.get(&format!("/api/v1/events/{goes}")).await.status {
            404 => Ok(()),
            other => Err(other.to_string()),
        }
    })
    .await;
    for (id, status) in &ids[..2] {
        gateway.event_when(id, status).await;
    }
    // The newest is kept, so that its number is never given again.
    gateway.event_when(&ids[3].0, ids[3].1).await;
    assert!(gateway.count("hookloom_tidied_events_total").await >= 1);
}
