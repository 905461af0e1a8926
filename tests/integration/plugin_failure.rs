//! What becomes of a run when a plugin fails, for each kind of failure and each policy;
//! what is held, and goes on; and that nobody else notices.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};

/// Name and TOML of each policy.
const POLICIES: [(&str, &str); 5] = [
    ("dead", "\"dead\""),
    ("drop", "\"drop\""),
    ("pass", "\"pass\""),
    ("retry", "{ retry = [\"1ms\", \"1ms\"] }"),
    ("retry-pass", "{ retry = [\"1ms\"], then = \"pass\" }"),
];

/// A step of the guest that fails, with the verdict and a part of the reason that are
/// recorded.
struct Failure {
    verdict: &'static str,
    plugin: &'static str,
    config: &'static str,
    reason: &'static str,
}

const FAILURES: [Failure; 7] = [
    Failure {
        verdict: "invalid-input",
        plugin: "guest",
        config: "do = \"invalid-input\"",
        reason: "told to",
    },
    Failure { verdict: "retry", plugin: "guest", config: "do = \"retry\"", reason: "told to" },
    Failure { verdict: "error", plugin: "guest", config: "do = \"other\"", reason: "told to" },
    Failure { verdict: "trap", plugin: "guest", config: "do = \"panic\"", reason: "panicked at " },
    Failure { verdict: "timeout", plugin: "guest", config: "do = \"spin\"", reason: " more than " },
    Failure { verdict: "memory", plugin: "guest", config: "do = \"alloc\"", reason: "bytes of memory" },
    Failure {
        verdict: "bad-output",
        plugin: "guest",
        config: "do = \"message\", header = [\"x\", \"y\"], to = [\"nowhere\"]",
        reason: "no destination \"nowhere\"",
    },
];

const HOLDS: [Failure; 2] = [
    Failure {
        verdict: "misconfigured",
        plugin: "guest",
        config: "do = \"misconfigured\"",
        reason: "told to",
    },
    Failure { verdict: "missing", plugin: "absent", config: "", reason: "not in the plugins folder" },
];

/// An open source, a destination, and the given routes as (name, steps).
fn config(receiver: &Receiver, routes: &[(String, String)]) -> String {
    let mut parts = vec![format!(
        "[plugins]\ndeadline = \"400ms\"\n[sources.open]\nscheme = \"none\"\n[destinations.crm]\nurl = \"{}\"\n",
        receiver.url()
    )];
    parts.extend(routes.iter().map(|(name, steps)| {
        format!("[[routes]]\nname = \"{name}\"\nfrom = [\"open\"]\nsteps = [{steps}]\nto = [\"crm\"]\n")
    }));
    parts.concat()
}

async fn start(receiver: &Receiver, routes: &[(String, String)]) -> Gateway {
    let mut gateway = Gateway::new(&config(receiver, routes));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    gateway
}

fn step(failure: &Failure, policy: &str) -> String {
    format!("{{ plugin = \"{}\", config = {{ {} }}, on_error = {policy} }}", failure.plugin, failure.config)
}

/// The event as the API shows it, once `reached` holds of each of its runs.
async fn event_when(gateway: &Gateway, id: &str, reached: impl Fn(&Value) -> bool) -> Value {
    eventually("every run gets there", async || {
        let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
        let all = event["runs"].as_array().unwrap().iter().all(&reached);
        if all { Ok(event) } else { Err(event["runs"].to_string()) }
    })
    .await
}

fn run<'a>(event: &'a Value, route: &str) -> &'a Value {
    event["runs"].as_array().unwrap().iter().find(|run| run["route"] == route).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_under_each_policy() {
    let receiver = Receiver::start([]).await;
    let route = |failure: &Failure, (name, policy): &(&str, &str)| {
        (format!("{}-{name}", failure.verdict), step(failure, policy))
    };
    let routes: Vec<_> =
        FAILURES.iter().flat_map(|failure| POLICIES.iter().map(|policy| route(failure, policy))).collect();
    let gateway = start(&receiver, &routes).await;
    let digest = gateway.plugin_when("guest", |_| true).await["serving"]["digest"].clone();
    let id = gateway.post("open", &[], "{}").await.id();
    let event = event_when(&gateway, &id, |run| run["status"] != "pending").await;
    for failure in &FAILURES {
        let verdict = failure.verdict;
        for (policy, status, attempts) in [
            ("dead", "failed", 0),
            ("drop", "dropped", 0),
            ("pass", "processed", 0),
            ("retry", "failed", 2),
            ("retry-pass", "processed", 1),
        ] {
            let run = run(&event, &format!("{verdict}-{policy}"));
            assert_eq!((&run["status"], &run["attempts"]), (&json!(status), &json!(attempts)), "{run}");
            assert_eq!(run["held"], false, "{run}");
            let [step] = run["steps"].as_array().unwrap().as_slice() else { panic!("{run}") };
            assert_eq!((&step["plugin"], &step["verdict"]), (&json!("guest"), &json!(verdict)), "{run}");
            assert_eq!(step["digest"], digest, "{run}");
            assert!(step["micros"].as_u64().unwrap() > 0, "{run}");
            let said = step["reason"].as_str().unwrap();
            assert!(said.contains(failure.reason), "{run}");
            // What was passed over is told by its step alone.
            let reason = (status != "processed").then(|| run["reason"].as_str().unwrap());
            assert!(
                reason.is_none_or(|reason| reason.starts_with("guest: ") && reason.contains(said)),
                "{run}"
            );
        }
    }
    let passed = event["deliveries"].as_array().unwrap().len();
    assert_eq!(passed, FAILURES.len() * 2, "each policy that passes delivers the event as it was");
    for request in receiver.requests(passed).await {
        assert_eq!(request.body, b"{}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_or_misconfigured_plugin_holds_under_each_policy() {
    let receiver = Receiver::start([]).await;
    let route = |failure: &Failure, (name, policy): &(&str, &str)| {
        (format!("{}-{name}", failure.verdict), step(failure, policy))
    };
    let routes: Vec<_> =
        HOLDS.iter().flat_map(|failure| POLICIES.iter().map(|policy| route(failure, policy))).collect();
    let gateway = start(&receiver, &routes).await;
    let id = gateway.post("open", &[], "{}").await.id();
    let event = event_when(&gateway, &id, |run| run["held"] == true).await;
    for failure in &HOLDS {
        for (policy, _) in &POLICIES {
            let run = run(&event, &format!("{}-{policy}", failure.verdict));
            assert_eq!(
                (&run["status"], &run["attempts"], &run["due"]),
                (&json!("pending"), &json!(0), &Value::Null)
            );
            assert_eq!(run["steps"][0]["verdict"], failure.verdict, "{run}");
            let reason = run["reason"].as_str().unwrap();
            assert!(reason.starts_with(failure.plugin) && reason.contains(failure.reason), "{run}");
        }
    }
    assert_eq!(event["status"], "pending");
    assert_eq!(receiver.seen().requests.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_says_where_it_happened_and_a_panic_what_it_said() {
    let receiver = Receiver::start([]).await;
    let dead = |name: &str, what: &str| {
        (name.to_owned(), format!("{{ plugin = \"guest\", config = {{ do = \"{what}\" }} }}"))
    };
    let gateway = start(&receiver, &[dead("panics", "panic"), dead("recurses", "recurse")]).await;
    let id = gateway.post("open", &[], "{}").await.id();
    let event = event_when(&gateway, &id, |run| run["status"] == "failed").await;
    let panicked = run(&event, "panics");
    let reason = panicked["steps"][0]["reason"].as_str().unwrap();
    let place = reason.strip_prefix("panicked at ").unwrap_or_else(|| panic!("{reason}"));
    let (file, rest) = place.split_once(".rs:").unwrap();
    assert!(file.ends_with("misbehave") && rest.ends_with(": told to panic"), "{reason}");
    assert!(rest.starts_with(|c: char| c.is_ascii_digit()), "{reason}");
    assert_eq!(panicked["reason"], format!("guest: trap: {reason}"));
    let reason = run(&event, "recurses")["steps"][0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("wasm trap: ") && reason.ends_with(" at hookloom_test_guests::misbehave::recurse"),
        "{reason}"
    );
}

async fn held_count(gateway: &Gateway, route: &str) -> u64 {
    gateway.count(&format!(r#"hookloom_runs_total{{route="{route}",outcome="held"}}"#)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn held_runs_go_on_when_their_plugin_comes_and_no_others_are_tried() {
    const EVENTS: usize = 5;
    let receiver = Receiver::start([]).await;
    let route = |name: &str| (name.to_owned(), format!("\"{name}\""));
    let mut gateway = start(&receiver, &[route("first"), route("second")]).await;
    let mut ids = Vec::new();
    for _ in 0..EVENTS {
        ids.push(gateway.post("open", &[], "{}").await.id());
    }
    for id in &ids {
        event_when(&gateway, id, |run| run["held"] == true).await;
    }
    // A restart tries none of them: nothing that they wait for has come.
    gateway.stop().await;
    gateway.run_here().await;
    gateway.put_plugin("first", guest());
    for id in &ids {
        let went_on = |run: &Value| run["route"] == "second" || run["status"] == "processed";
        event_when(&gateway, id, went_on).await;
    }
    assert_eq!((held_count(&gateway, "first").await, held_count(&gateway, "second").await), (0, 0));
    gateway.put_plugin("second", guest());
    for id in &ids {
        gateway.event_when(id, "delivered").await;
    }
    assert_eq!(held_count(&gateway, "second").await, 0);
    assert_eq!(receiver.seen().requests.len(), 2 * EVENTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_always_traps_costs_its_siblings_nothing() {
    const EVENTS: usize = 50;
    let receiver = Receiver::start([]).await;
    let routes = [
        ("broken".to_owned(), "{ plugin = \"guest\", config = { do = \"panic\" } }".to_owned()),
        ("healthy".to_owned(), "{ plugin = \"guest\", config = { do = \"pass\" } }".to_owned()),
        ("plain".to_owned(), String::new()),
    ];
    let gateway = start(&receiver, &routes).await;
    let mut ids = Vec::new();
    for _ in 0..EVENTS {
        ids.push(gateway.post("open", &[], "{}").await.id());
    }
    for id in &ids {
        let event = event_when(&gateway, id, |run| run["status"] != "pending").await;
        let statuses = ["broken", "healthy", "plain"].map(|route| run(&event, route)["status"].clone());
        assert_eq!(statuses, ["failed", "processed", "processed"]);
    }
    assert_eq!(receiver.requests(2 * EVENTS).await.len(), 2 * EVENTS);
    let plugin = gateway.plugin_when("guest", |_| true).await;
    assert_eq!((&plugin["state"], &plugin["traps"]), (&json!("active"), &json!(EVENTS)));
}
