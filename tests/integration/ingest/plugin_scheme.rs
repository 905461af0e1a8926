//! Sources that a plugin verifies, over real sockets.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::{edge_guest, guest};
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};

use super::{assert_refused, counted, github_source, post_signed, rows};

const KEY: (&str, &str) = ("x-edge-key", "let-me-in");
const UNAVAILABLE: &str = "the request cannot be verified now";

/// A source `odd` whose plugin has that configuration.
fn odd(config: &str) -> String {
    format!("[plugins]\ndeadline = \"5s\"\n[sources.odd]\nscheme = \"plugin:edge\"\nconfig = {config}\n")
}

/// A gateway with the guest as plugin `edge`.
async fn start(config: &str) -> Gateway {
    let mut gateway = Gateway::new(config);
    gateway.put_plugin("edge", edge_guest());
    gateway.run_here().await;
    gateway
}

async fn verified(gateway: &Gateway, verdict: &str) -> u64 {
    let labels = format!(r#"source="odd",plugin="edge",verdict="{verdict}""#);
    gateway.count(&format!("hookloom_verifications_total{{{labels}}}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_says_who_sent_it_what_it_is_and_what_a_repeat_is() {
    let receiver = Receiver::start([]).await;
    let route = "[[routes]]\nname = \"all\"\nfrom = [\"odd\"]\ntypes = [\"order\"]\nsteps = [{ plugin = \"edge\", config = { do = \"echo\" } }]\nto = [\"crm\"]\n";
    let destination = format!("[destinations.crm]\nurl = \"{}\"\n", receiver.url());
    let gateway = start(&format!("{}{destination}{route}", odd("{ verify = \"key\" }"))).await;
    let headers = [
        KEY,
        ("x-edge-id", "one"),
        ("x-edge-type", "order.paid"),
        ("x-edge-tenant", "acme"),
        ("authorization", "Bearer b"),
        ("x-acme-token", "t"),
        ("x-authtoken", "t"),
        ("idempotency-key", "i"),
        ("x-signature", "s"),
    ];
    let first = gateway.post("odd?api_key=k&key=k&a=1", &headers, r#"{"n":1}"#).await;
    assert_eq!((first.status, &first.json()["status"]), (200, &json!("accepted")), "{}", first.body);
    let repeat = gateway.post("odd", &headers, r#"{"n":2}"#).await;
    assert_eq!((repeat.id(), &repeat.json()["status"]), (first.id(), &json!("duplicate")));
    assert_eq!(receiver.requests(1).await[0].header("hookloom-event-type"), Some("order.paid"));

    let event = gateway.event_when(&first.id(), "delivered").await;
    let kept =
        |names: &[&str]| -> Vec<_> { names.iter().map(|name| event["headers"][name].clone()).collect() };
    assert_eq!(kept(&["authorization", "x-acme-token", "x-authtoken", KEY.0]), ["***"; 4]);
    assert_eq!(kept(&["x-signature", "idempotency-key"]), ["s", "i"]);
    assert_eq!(event["query"], "api_key=***&key=***&a=1");
    let seen: Value = serde_json::from_slice(&receiver.requests(1).await[0].body).unwrap();
    assert_eq!(seen["attributes"], json!([["tenant", "acme"]]));
    assert_eq!(verified(&gateway, "accepted").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_believed_learns_nothing() {
    let mut gateway = start(&odd("{ verify = \"key\" }")).await;
    let none = gateway.post("odd", &[], "{}").await;
    let close = gateway.post("odd", &[("x-edge-key", "let-me-ix")], "{}").await;
    assert_refused(&none, 401, "the request is not authorized");
    let told = |answer: &hookloom_testkit::gateway::Answer| {
        let mut headers = answer.headers.clone();
        headers.remove("date");
        (answer.status, answer.body.clone(), headers)
    };
    assert_eq!(told(&none), told(&close));
    assert_eq!(verified(&gateway, "unauthorized").await, 2);
    assert_eq!(counted(&gateway, "odd", "unauthorized").await, "2");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_is_answered_as_the_plugin_says_and_kept_nowhere() {
    let mut gateway = start(&odd("{ verify = \"challenge\" }")).await;
    let answer = gateway.post("odd", &[], "3eZbrw1a").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "3eZbrw1a"));
    assert_eq!(answer.headers["content-type"], "text/plain");
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    assert_eq!(counted(&gateway, "odd", "handshake").await, "1");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_told_the_url_that_the_provider_was_given() {
    let source = odd("{ verify = \"saw\" }");
    let with = format!("{source}public_url = \"https://hooks.example.com/in/odd\"\n");
    for (config, expected) in [(with, "https://hooks.example.com/in/odd"), (source, "")] {
        let gateway = start(&config).await;
        let seen = gateway.post("odd/sub", &[("x-a", "1"), ("x-a", "2")], "body").await.json();
        assert_eq!(
            (&seen["public_url"], &seen["path"], &seen["body"]),
            (&json!(expected), &json!("/in/odd/sub"), &json!("body"))
        );
        let repeated: Vec<&Value> =
            seen["headers"].as_array().unwrap().iter().filter(|h| h[0] == "x-a").collect();
        assert_eq!(repeated, [&json!(["x-a", "1"]), &json!(["x-a", "2"])]);
        assert!(seen["now_ms"].as_u64().unwrap() > 1_700_000_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_decided_is_refused_for_now() {
    for (how, verdict) in [
        ("unavailable", "unavailable"),
        ("nonsense", "trap"),
        ("spin", "timeout"),
        ("cookie", "bad-output"),
        ("server-error", "bad-output"),
    ] {
        let config = odd(&format!("{{ verify = \"{how}\" }}")).replace("5s", "50ms");
        let mut gateway = start(&config).await;
        let answer = gateway.post("odd", &[KEY], "{}").await;
        assert_refused(&answer, 503, UNAVAILABLE);
        assert!(answer.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
        assert_eq!(verified(&gateway, verdict).await, 1, "{how}");
        gateway.stop().await;
        assert_eq!(rows(&gateway, "events"), 0, "{how}");
    }
    let gateway = start(&odd("{ verify = \"malformed\" }")).await;
    assert_refused(&gateway.post("odd", &[], "{}").await, 400, "told tosay so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_not_there_accepts_nothing_until_it_is() {
    let mut gateway = Gateway::new(&odd("{}"));
    gateway.run_here().await;
    assert_refused(&gateway.post("odd", &[KEY], "{}").await, 503, UNAVAILABLE);
    assert_eq!(verified(&gateway, "missing").await, 1);
    // One that cannot verify is no better.
    gateway.put_plugin("edge", guest());
    gateway.plugin_when("edge", |plugin| plugin["state"] == "active").await;
    assert_refused(&gateway.post("odd", &[KEY], "{}").await, 503, UNAVAILABLE);
    assert_eq!(verified(&gateway, "misconfigured").await, 1);
    gateway.put_plugin("edge", edge_guest());
    eventually("the plugin verifies", async || {
        let answer = gateway.post("odd", &[KEY], "{}").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    let sources = gateway.get("/api/v1/sources").await.json();
    assert_eq!(sources["items"][0]["scheme"], "plugin:edge");
    assert_eq!(sources["items"][0]["plugin"], "edge");
}

/// A source whose plugin never comes to an end keeps neither the others waiting nor the
/// processing of events.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_that_nobody_can_verify_delays_nobody_else() {
    let receiver = Receiver::start([]).await;
    let route =
        "[[routes]]\nname = \"all\"\nfrom = [\"github\", \"odd\"]\nsteps = [\"edge\"]\nto = [\"crm\"]\n";
    let destination = format!("[destinations.crm]\nurl = \"{}\"\n", receiver.url());
    let flooded = "[sources.flooded]\nscheme = \"plugin:edge\"\nconfig = { verify = \"spin\" }\n";
    let config = format!("{}{}{flooded}{destination}{route}", odd("{}"), github_source(""));
    let gateway = start(&config).await;
    let flood: Vec<_> = (0..100)
        .map(|_| {
            let door = gateway.door();
            tokio::spawn(async move { door.try_post("flooded", &[], "{}").await.map(|answer| answer.status) })
        })
        .collect();
    eventually("the flood has come", async || {
        match gateway.count(r#"hookloom_requests_total{source="flooded",outcome="unavailable"}"#).await {
            0 => Err("it fits into the queue".to_owned()),
            _ => Ok(()),
        }
    })
    .await;
    let signed = post_signed(&gateway, "{}").await.id();
    let odd = gateway.post("odd", &[KEY], "{}").await.id();
    gateway.event_when(&signed, "delivered").await;
    gateway.event_when(&odd, "delivered").await;
    assert!(!flood.iter().all(tokio::task::JoinHandle::is_finished), "the flood is over already");
    for task in flood {
        task.abort();
    }
}
