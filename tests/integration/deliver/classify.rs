//! Destinations whose answers a plugin classifies.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::edge_guest;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::wait::eventually;
use serde_json::Value;

/// A destination `crm` that has the guest classify, with that configuration.
fn config(receiver: &Receiver, config: &str, deadline: &str) -> String {
    format!(
        r#"
[plugins]
deadline = "{deadline}"

[sources.open]
scheme = "none"

[destinations.crm]
url = "{}"
classify = {{ plugin = "edge", config = {config} }}
retry = {{ schedule = ["1ms", "1ms"], jitter = 0.0 }}

[[routes]]
name = "all"
from = ["open"]
to = ["crm"]
"#,
        receiver.url()
    )
}

async fn start(receiver: &Receiver, how: &str, deadline: &str) -> Gateway {
    let mut gateway = Gateway::new(&config(receiver, how, deadline));
    gateway.put_plugin("edge", edge_guest());
    gateway.run_here().await;
    gateway
}

/// The delivery of one event, once the event is `status`.
async fn delivery(gateway: &Gateway, status: &str) -> Value {
    let id = gateway.post("open", &[], "{}").await.id();
    let event = gateway.event_when(&id, status).await;
    let delivery = event["deliveries"][0]["id"].as_str().unwrap().to_owned();
    gateway.get(&format!("/api/v1/deliveries/{delivery}")).await.json()
}

/// What an answer with that status comes to when the plugin is told `how`: the delivery's
/// attempts, and the reason of the last.
async fn outcome(how: &str, answer: Answer, ends: &str) -> (usize, String) {
    let receiver = Receiver::start_with([], answer).await;
    let gateway = start(&receiver, how, "5s").await;
    let delivery = delivery(&gateway, ends).await;
    let attempts = delivery["attempts"].as_array().unwrap();
    (attempts.len(), attempts.last().unwrap()["reason"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plugin_says_is_what_the_answer_means() {
    let cases = [
        (r#"{ classify = "done" }"#, 500, "delivered", 1, "answered 500; \"edge\" says that it is delivered"),
        (r#"{ classify = "dead" }"#, 200, "failed", 1, "answered 200; \"edge\" gives it up: told to"),
        (
            r#"{ classify = "retry" }"#,
            200,
            "failed",
            3,
            "answered 200; \"edge\" wants another try; attempt 3 of 3 was the last",
        ),
        (
            r#"{ classify = "retry", ms = 2 }"#,
            413,
            "failed",
            3,
            "answered 413; \"edge\" wants another try; attempt 3 of 3 was the last",
        ),
        (r#"{ classify = "retry-once" }"#, 200, "delivered", 2, "answered 200; \"edge\" leaves it at that"),
        (
            r#"{ classify = "default" }"#,
            500,
            "failed",
            3,
            "answered 500; attempt 3 of 3 was the last; \"edge\" leaves it at that",
        ),
    ];
    for (how, status, ends, attempts, reason) in cases {
        assert_eq!(outcome(how, Answer::Status(status), ends).await, (attempts, reason.to_owned()), "{how}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_sees_all_headers_and_the_beginning_of_the_body() {
    let headers = vec![("x-own", "1".to_owned()), ("set-cookie", "c".to_owned())];
    let answer = Answer::Full(302, headers, vec![b'x'; 10_000]);
    let (_, reason) = outcome(r#"{ classify = "saw" }"#, answer, "failed").await;
    let seen: Value = serde_json::from_str(reason.split_once("up: ").unwrap().1).unwrap();
    assert_eq!((&seen["status"], &seen["bytes"], &seen["attempt"]), (&302.into(), &4096.into(), &1.into()));
    for (name, value) in [("x-own", "1"), ("set-cookie", "c")] {
        assert!(seen["headers"].as_array().unwrap().contains(&serde_json::json!([name, value])), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_of_the_plugin_the_status_counts_and_the_record_says_so() {
    for (how, why) in
        [("nonsense", "did not say what it means: trap: "), ("spin", "did not say what it means: timeout: ")]
    {
        let receiver = Receiver::start_with([], Answer::Status(200)).await;
        let gateway = start(&receiver, &format!("{{ classify = \"{how}\" }}"), "50ms").await;
        let delivery = delivery(&gateway, "delivered").await;
        let reason = delivery["attempts"][0]["reason"].as_str().unwrap();
        assert!(reason.starts_with("answered 200; \"edge\"") && reason.contains(why), "{reason}");
    }
    let receiver = Receiver::start_with([], Answer::Status(200)).await;
    let gateway = Gateway::start(&config(&receiver, "{}", "5s")).await;
    let delivery = delivery(&gateway, "delivered").await;
    let reason = delivery["attempts"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("missing: the plugin is not in the plugins folder"), "{reason}");
    let missing = r#"hookloom_classifications_total{destination="crm",plugin="edge",verdict="missing"}"#;
    assert_eq!(gateway.count(missing).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_410_disables_unless_the_plugin_knows_better() {
    for (how, disables) in [("default", true), ("dead", false), ("done", false)] {
        let receiver = Receiver::start_with([], Answer::Status(410)).await;
        let gateway = start(&receiver, &format!("{{ classify = \"{how}\" }}"), "5s").await;
        let id = gateway.post("open", &[], "{}").await.id();
        receiver.requests(1).await;
        let ended = async || {
            let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
            let shown = gateway.get("/api/v1/destinations").await.json()["items"][0].clone();
            (event["status"] != "pending", shown)
        };
        let disabled = eventually("it is decided", async || {
            let (over, shown) = ended().await;
            let disabled = shown.to_string().contains("disabled\":{");
            if over || disabled { Ok(disabled) } else { Err(shown.to_string()) }
        })
        .await;
        assert_eq!(disabled, disables, "{how}");
        let shown = gateway.get("/api/v1/destinations").await.json();
        assert_eq!(shown["items"][0]["classify"], "edge");
    }
}

/// Answers that a plugin calls delivered are successes: the breaker stays closed.
#[tokio::test(flavor = "multi_thread")]
async fn what_counts_as_delivered_is_no_failure_of_the_destination() {
    for (how, openings) in [("done", 0), ("default", 1)] {
        let receiver = Receiver::start_with([], Answer::Status(500)).await;
        let text = config(&receiver, &format!("{{ classify = \"{how}\" }}"), "5s")
            .replace("schedule = [\"1ms\", \"1ms\"]", "schedule = []")
            .replace("[[routes]]", "[destinations.crm.breaker]\nfailures = 3\npause = \"1h\"\n\n[[routes]]");
        let mut gateway = Gateway::new(&text);
        gateway.put_plugin("edge", edge_guest());
        gateway.run_here().await;
        let status = if openings == 0 { "delivered" } else { "failed" };
        for _ in 0..3 {
            delivery(&gateway, status).await;
        }
        let opened = gateway.count(r#"hookloom_breaker_openings_total{destination="crm"}"#).await;
        assert_eq!(opened, openings, "{how}");
    }
}
