//! What operators want to hear of arrives like any other event.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::receiver::{Answer, Receiver, Request};
use hookloom_testkit::sender::{SECRET, borrowed, github};
use serde_json::{Value, json};

/// A gateway of which `broken` is one destination and `pager` hears of what happens.
fn config(broken: &str, pager: &Receiver, steps: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.crm]
url = "{broken}"
retry = {{ schedule = [] }}

[destinations.pager]
url = "{}"

[[routes]]
name = "all"
from = ["github"]
steps = [{steps}]
to = ["crm"]

[[routes]]
name = "alerts"
from = ["hookloom"]
to = ["pager"]
"#,
        pager.url()
    )
}

async fn post(gateway: &Gateway, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let body = format!(r#"{{"n":{n}}}"#);
        let accepted = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await;
        ids.push(accepted.id());
    }
    ids
}

fn alert(request: &Request) -> (String, Value) {
    assert_eq!(request.header("hookloom-source"), Some("hookloom"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(Some(body["type"].as_str().unwrap()), request.header("hookloom-event-type"));
    (body["type"].as_str().unwrap().to_owned(), body["data"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_traps_is_told_once_with_what_happened() {
    let (pager, crm) = (Receiver::start([]).await, Receiver::start([]).await);
    let step = r#"{ plugin = "guest", config = { do = "panic" } }"#;
    let mut gateway = Gateway::new(&config(&crm.url(), &pager, step));
    gateway.put_plugin("guest", guests::guest());
    gateway.run_here().await;
    let ids = post(&gateway, 3).await;
    for id in &ids {
        gateway.event_when(id, "failed").await;
    }
    // Stopping tells what was only counted so far; it is delivered after the next start.
    gateway.stop().await;
    gateway.run_here().await;
    let requests = pager.requests(2).await;
    let (first, rest) = (alert(&requests[0]), alert(&requests[1]));
    assert_eq!((first.0.as_str(), first.1["count"].as_u64()), ("hookloom.plugin_failed", Some(1)));
    assert_eq!((&first.1["plugin"], &first.1["route"]), (&"guest".into(), &"all".into()));
    assert!(ids.contains(&first.1["event"].as_str().unwrap().to_owned()), "{first:?}");
    assert!(first.1["reason"].as_str().unwrap().starts_with("trap: "), "{first:?}");
    assert_eq!((rest.0.as_str(), rest.1["count"].as_u64()), ("hookloom.plugin_failed", Some(2)));
    assert_eq!(pager.seen().requests.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_cannot_verify_is_told_with_its_source() {
    let (pager, crm) = (Receiver::start([]).await, Receiver::start([]).await);
    let odd = "[sources.odd]\nscheme = \"plugin:guest\"\nconfig = { verify = \"nonsense\" }\n";
    let mut gateway = Gateway::new(&format!("{odd}{}", config(&crm.url(), &pager, "")));
    gateway.put_plugin("guest", guests::edge_guest());
    gateway.run_here().await;
    assert_eq!(gateway.post("odd", &[], "{}").await.status, 503);
    let (kind, data) = alert(&pager.requests(1).await[0]);
    assert_eq!(kind, "hookloom.plugin_failed");
    assert_eq!((&data["plugin"], &data["source"]), (&"guest".into(), &"odd".into()));
    assert_eq!((&data["route"], &data["event"]), (&Value::Null, &Value::Null));
    assert!(data["reason"].as_str().unwrap().starts_with("trap: panicked at "), "{data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_delivery_is_told_and_a_dead_alert_is_not() {
    let pager = Receiver::start_with([], Answer::Status(500)).await;
    let crm = Receiver::start_with([], Answer::Status(500)).await;
    let text = config(&crm.url(), &pager, "")
        .replace("[destinations.pager]", "[destinations.pager]\nretry = { schedule = [] }");
    let gateway = Gateway::start(&text).await;
    let id = post(&gateway, 1).await.remove(0);
    let event = gateway.event_when(&id, "failed").await;
    let (kind, data) = alert(&pager.requests(1).await[0]);
    assert_eq!(kind, "hookloom.delivery_dead");
    assert_eq!((&data["destination"], &data["event"]), (&"crm".into(), &id.clone().into()));
    assert_eq!(data["delivery"], event["deliveries"][0]["id"]);
    let told = pager.seen().requests[0].header("hookloom-event-id").unwrap().to_owned();
    gateway.event_when(&told, "failed").await;
    let dead = r#"hookloom_deliveries_total{destination="pager",state="dead"}"#;
    assert_eq!((gateway.count(dead).await, pager.seen().requests.len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_that_are_dead_on_arrival_are_told_once_for_their_source() {
    let (pager, crm) = (Receiver::start([]).await, Receiver::start([]).await);
    let strict = "scheme = \"github\"\nschema = \"n.json\"\non_invalid = \"dead\"";
    let text = config(&crm.url(), &pager, "").replace("scheme = \"github\"", strict);
    let second = "[[routes]]\nname = \"audit\"\nfrom = [\"github\"]\nto = [\"crm\"]\n";
    let mut gateway = Gateway::new(&format!("{text}{second}"));
    let schema = gateway.config_file().with_file_name("n.json");
    std::fs::write(schema, r#"{"properties":{"n":{"minimum":3}}}"#).unwrap();
    gateway.run_here().await;
    // The last one matches, and is nothing to tell of.
    let ids = post(&gateway, 4).await;
    gateway.event_when(&ids[0], "failed").await;
    gateway.event_when(&ids[3], "delivered").await;
    // Stopping tells what was only counted so far; it is delivered after the next start.
    gateway.stop().await;
    gateway.run_here().await;
    let requests = pager.requests(2).await;
    for (request, n, count) in [(&requests[0], 0, 1), (&requests[1], 2, 2)] {
        let reason = format!("the body does not match its schema: /n: {n} is less than the minimum of 3");
        let data = json!({
            "source": "github", "routes": ["all", "audit"], "event": ids[n], "reason": reason, "count": count,
        });
        assert_eq!(alert(request), ("hookloom.run_dead".to_owned(), data));
    }
    assert_eq!(pager.seen().requests.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_posts_alerts_from_outside() {
    let (pager, crm) = (Receiver::start([]).await, Receiver::start([]).await);
    let gateway = Gateway::start(&config(&crm.url(), &pager, "")).await;
    assert_eq!(gateway.post("hookloom", &[], "{}").await.status, 404);
    let taken = config(&crm.url(), &pager, "").replace("[sources.github]", "[sources.hookloom]");
    let refused = hookloom::config::Config::from_text("hookloom.toml".as_ref(), &taken).unwrap_err();
    assert!(refused.to_string().contains("the gateway's own"), "{refused}");
}
