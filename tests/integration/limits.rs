//! Guests that misbehave, on their way with everything else: cut, recorded, and no
//! burden for their neighbours.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::{DESTINATION_SECRET, Load, SECRET, borrowed, github};
use serde_json::{Value, json};

struct Route<'a> {
    name: &'a str,
    config: &'a str,
    on_error: &'a str,
    from: &'a str,
    to: &'a str,
}

const ROUTE: Route<'static> =
    Route { name: "", config: "do = \"pass\"", on_error: "\"dead\"", from: "\"github\"", to: "\"crm\"" };

fn config(receivers: &[(&str, &Receiver)], deadline: &str, routes: &[Route<'_>]) -> String {
    let source = |name| format!("[sources.{name}]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n");
    let mut parts = vec![source("github"), source("other")];
    parts.push(format!("[plugins]\ndeadline = \"{deadline}\"\nmemory = \"32MiB\"\n"));
    parts.extend(receivers.iter().map(|(name, receiver)| {
        let (url, secret) = (receiver.url(), DESTINATION_SECRET);
        format!("[destinations.{name}]\nurl = \"{url}\"\nsecrets = [\"{secret}\"]\n")
    }));
    parts.extend(routes.iter().map(|Route { name, config, on_error, from, to }| {
        format!(
            "[[routes]]\nname = \"{name}\"\nfrom = [{from}]\n\
             steps = [{{ plugin = \"guest\", config = {{ {config} }}, on_error = {on_error} }}]\nto = [{to}]\n"
        )
    }));
    parts.concat()
}

async fn started(config: &str) -> Gateway {
    let mut gateway = Gateway::new(config);
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    gateway
}

async fn post(gateway: &Gateway, source: &str) -> String {
    gateway.post(source, &borrowed(&github("push", b"{}")), "{}").await.id()
}

fn run<'a>(event: &'a Value, route: &str) -> &'a Value {
    event["runs"].as_array().unwrap().iter().find(|run| run["route"] == route).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_misdeed_is_a_recorded_verdict_and_the_neighbour_is_delivered() {
    let receiver = Receiver::start([]).await;
    let misdeeds = [
        ("spins", "do = \"spin\"", "timeout", "deadline"),
        ("sleeps", "do = \"sleep\", n = 3600000", "timeout", "deadline"),
        ("naps", "do = \"nap\", n = 5", "timeout", "deadline"),
        ("allocates", "do = \"alloc\"", "memory", "33554432"),
        ("panics", "do = \"panic\"", "trap", "told to panic"),
        ("recurses", "do = \"recurse\"", "trap", "wasm trap"),
        ("configures", "configure = \"spin\"", "timeout", "deadline"),
    ];
    let mut routes = vec![Route { name: "healthy", ..ROUTE }];
    routes.extend(misdeeds.iter().map(|(name, config, ..)| Route { name, config, ..ROUTE }));
    let mut gateway = started(&config(&[("crm", &receiver)], "400ms", &routes)).await;
    let digest = gateway.plugin_when("guest", |_| true).await["serving"]["digest"].clone();
    for _ in 0..3 {
        let id = post(&gateway, "github").await;
        let event = gateway.event_when(&id, "failed").await;
        for (route, _, verdict, reason) in misdeeds {
            let run = run(&event, route);
            let step = &run["steps"][0];
            assert_eq!((&run["status"], &step["verdict"]), (&json!("failed"), &json!(verdict)), "{run}");
            assert_eq!(step["digest"], digest, "{run}");
            assert!(step["reason"].as_str().unwrap().contains(reason), "{run}");
            assert!(run["reason"].as_str().unwrap().contains(verdict), "{run}");
        }
        assert_eq!(run(&event, "healthy")["status"], "processed");
        assert_eq!(event["deliveries"].as_array().unwrap().len(), 1);
    }
    assert_eq!(receiver.requests(3).await.len(), 3);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_an_error_is_the_steps_to_say() {
    let receiver = Receiver::start([]).await;
    let route = |name, on_error| Route { name, config: "do = \"panic\"", on_error, ..ROUTE };
    let routes = [
        route("dead", "\"dead\""),
        route("drop", "\"drop\""),
        route("pass", "\"pass\""),
        route("retry-dead", "{ retry = [\"10ms\", \"20ms\"] }"),
        route("retry-drop", "{ retry = [\"10ms\"], then = \"drop\" }"),
        route("retry-pass", "{ retry = [\"10ms\", \"10ms\", \"10ms\"], then = \"pass\" }"),
    ];
    let mut gateway = started(&config(&[("crm", &receiver)], "5s", &routes)).await;
    let id = post(&gateway, "github").await;
    let event = gateway.event_when(&id, "failed").await;
    let expected = [
        ("dead", "failed", 0),
        ("drop", "dropped", 0),
        ("pass", "processed", 0),
        ("retry-dead", "failed", 2),
        ("retry-drop", "dropped", 1),
        ("retry-pass", "processed", 3),
    ];
    for (route, status, attempts) in expected {
        let run = run(&event, route);
        assert_eq!((&run["status"], &run["attempts"]), (&json!(status), &json!(attempts)), "{run}");
        assert_eq!(run["steps"][0]["verdict"], "trap");
    }
    let calls = gateway.plugin_when("guest", |_| true).await["calls"].clone();
    assert_eq!(calls, 1 + 1 + 1 + 3 + 2 + 4);
    // What passed the step over is delivered as it came.
    let requests = receiver.requests(2).await;
    assert!(requests.iter().all(|request| request.body == b"{}"));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn splits_and_narrowed_destinations_arrive_as_the_plugin_says() {
    let (crm, audit) = (Receiver::start([]).await, Receiver::start([]).await);
    let both = "\"crm\", \"audit\"";
    let routes = [
        Route { name: "split", config: "do = \"split\", n = 3", to: both, ..ROUTE },
        Route {
            name: "narrow",
            config: "do = \"message\", header = [\"x-by\", \"guest\"], to = [\"audit\"]",
            to: both,
            ..ROUTE
        },
        Route {
            name: "outside",
            config: "do = \"message\", header = [\"x-by\", \"guest\"], to = [\"audit\"]",
            ..ROUTE
        },
    ];
    let mut gateway = started(&config(&[("crm", &crm), ("audit", &audit)], "5s", &routes)).await;
    let id = post(&gateway, "github").await;
    let event = gateway.event_when(&id, "failed").await;
    let outside = run(&event, "outside");
    assert_eq!(
        (&outside["status"], &outside["steps"][0]["verdict"]),
        (&json!("failed"), &json!("bad-output"))
    );
    assert!(outside["reason"].as_str().unwrap().contains("no destination \"audit\""), "{outside}");

    let split = |requests: &[hookloom_testkit::receiver::Request]| {
        let mut bodies: Vec<_> =
            requests.iter().filter(|r| r.header("x-by").is_none()).map(|r| r.body.clone()).collect();
        bodies.sort();
        bodies
    };
    let (to_crm, to_audit) = (crm.requests(3).await, audit.requests(4).await);
    assert_eq!(split(&to_crm), [b"0", b"1", b"2"]);
    assert_eq!(split(&to_audit), [b"0", b"1", b"2"]);
    assert_eq!((to_crm.len(), to_audit.len()), (3, 4));
    let ids: std::collections::BTreeSet<_> =
        to_crm.iter().chain(&to_audit).map(|r| r.header("webhook-id").unwrap()).collect();
    assert_eq!(ids.len(), 7, "each delivery has an id of its own");
    gateway.stop().await;
}

/// A route that needs more than there is gets what is left; the others do not wait
/// until it is done.
#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_spins_does_not_make_others_wait() {
    // More than are kept in memory at once, and minutes of work.
    const SPINNING: usize = 5000;
    let receiver = Receiver::start([]).await;
    let routes = [
        Route { name: "spins", config: "do = \"spin\"", from: "\"other\"", ..ROUTE },
        Route { name: "healthy", ..ROUTE },
    ];
    let mut gateway = started(&config(&[("crm", &receiver)], "200ms", &routes)).await;
    let load = Load::start(&gateway.door(), "other", 16);
    load.accepted(SPINNING).await;
    let spinning = load.stop().await.len();
    for n in 1..=20 {
        let id = post(&gateway, "github").await;
        gateway.event_when(&id, "delivered").await;
        let spun = gateway.plugin_when("guest", |_| true).await["traps"].as_u64().unwrap();
        assert!(spun < 500, "{spun} of {spinning} calls that spin came before healthy event {n}");
    }
    gateway.stop().await;
}
