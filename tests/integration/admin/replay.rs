//! Replays: new generations through the routes as they are now.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};

use super::{config, event, ids};

#[tokio::test]
async fn a_replay_is_delivered_under_a_new_id_that_names_the_first() {
    let receiver = Receiver::start([Answer::Status(500)]).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let id = event(&gateway, "push", b"{}", "failed").await;
    let answer = gateway.command(&format!("/api/v1/events/{id}/replay"), &Value::Null).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(answer.json(), json!({ "event": id, "generation": 1, "routes": ["all"] }));
    let requests = receiver.requests(2).await;
    let of = |n: usize, name: &str| requests[n].header(name).map(str::to_owned);
    assert_eq!(of(1, "hookloom-event-id"), Some(id.clone()));
    assert_eq!(of(1, "hookloom-replay-of"), of(0, "webhook-id"));
    assert_ne!(of(1, "webhook-id"), of(0, "webhook-id"));
    assert_eq!(of(0, "hookloom-replay-of"), None);

    let again = gateway.command(&format!("/api/v1/events/{id}/replay"), &json!({ "routes": ["all"] })).await;
    assert_eq!(again.json()["generation"], 2);
    receiver.requests(3).await;
    let replayed = eventually("all are recorded", async || {
        let event = gateway.get(&format!("/api/v1/events/{id}")).await.json();
        let deliveries = event["deliveries"].as_array().unwrap();
        let states: Vec<_> = deliveries.iter().map(|d| d["status"].as_str().unwrap().to_owned()).collect();
        if states == ["dead", "delivered", "delivered"] { Ok(event) } else { Err(event.to_string()) }
    })
    .await;
    assert_eq!(replayed["status"], "failed", "what was dead is dead still");
    let first = &replayed["deliveries"][0];
    assert_eq!(replayed["deliveries"][2]["replay_of"], first["id"]);
    assert!(first["ended_at"].is_string() && first["replay_of"].is_null());
    gateway.stop().await;
}

#[tokio::test]
async fn the_routes_of_now_decide() {
    let receiver = Receiver::start([]).await;
    let text = config(&receiver.url());
    let mut gateway = Gateway::start(&text).await;
    let id = event(&gateway, "push", b"{}", "delivered").await;
    let path = format!("/api/v1/events/{id}/replay");
    let refused = async |body: Value, status: u16, why: &str| {
        let answer = gateway.command(&path, &body).await;
        assert_eq!((answer.status, answer.json()), (status, json!({ "error": why })), "{body}");
    };
    refused(json!({ "routes": ["other"] }), 409, "the route \"other\" does not take this event").await;
    refused(json!({ "routes": [] }), 400, "`routes` names none; leave it out for all that take the event")
        .await;
    assert_eq!(gateway.command(&path, &json!({ "route": "all" })).await.status, 400);
    assert_eq!(gateway.command(&path, &json!("x")).await.status, 400);

    gateway.write_config(&text.replace("from =", "types = [\"issues\"]\nfrom ="));
    eventually("no route takes it any more", async || {
        let answer = gateway.command(&path, &json!({ "routes": ["none"] })).await;
        let routes = gateway.get("/api/v1/routes").await.json();
        if routes["items"][0]["types"] == json!(["issues"]) { Ok(()) } else { Err(answer.body) }
    })
    .await;
    refused(Value::Null, 409, "no route takes this event").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_bulk_replay_takes_what_passes_a_filter_the_oldest_first() {
    let receiver = Receiver::start((0..4).map(|n| Answer::Status(if n == 1 { 200 } else { 400 }))).await;
    let mut gateway =
        Gateway::start(&config(&receiver.url()).replace("timeout", "concurrency = 1\ntimeout")).await;
    let mut sent = Vec::new();
    for n in 0..4 {
        let body = format!("{{\"n\":{n}}}");
        sent.push(
            event(&gateway, "push", body.as_bytes(), if n == 1 { "delivered" } else { "failed" }).await,
        );
    }
    let replay = async |body: Value| gateway.command("/api/v1/replay", &body).await;
    let counted = replay(json!({ "status": "failed", "dry_run": true })).await.json();
    let expected = |found: usize, replayed: usize| json!({ "found": found, "replayed": replayed, "no_route": 0, "not_found": 0, "next": null });
    assert_eq!(counted, expected(3, 0));
    assert_eq!(replay(json!({ "source": "other" })).await.json(), expected(0, 0));
    assert_eq!(receiver.seen().requests.len(), 4, "counting sends nothing");

    assert_eq!(replay(json!({ "status": "failed", "since": "1h" })).await.json(), expected(3, 3));
    let requests = receiver.requests(7).await;
    let mut events: Vec<_> =
        requests[4..].iter().map(|request| request.header("hookloom-event-id").unwrap().to_owned()).collect();
    events.sort();
    assert_eq!(events, [&*sent[0], &sent[2], &sent[3]]);

    // By pages, and by name.
    let first = replay(json!({ "type": "push", "limit": 3 })).await.json();
    assert_eq!((&first["replayed"], first["next"].is_string()), (&json!(3), true), "{first}");
    let second = replay(json!({ "type": "push", "limit": 3, "cursor": first["next"] })).await.json();
    assert_eq!((&second["replayed"], &second["next"]), (&json!(1), &Value::Null), "{second}");
    let named = replay(json!({ "events": [sent[1], "evt_nothing"], "routes": ["all"] })).await.json();
    assert_eq!((&named["replayed"], &named["not_found"]), (&json!(1), &json!(1)), "{named}");
    let other = replay(json!({ "events": [sent[1]], "routes": ["other"] })).await.json();
    assert_eq!((&other["replayed"], &other["no_route"]), (&json!(0), &json!(1)), "{other}");
    receiver.requests(12).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_bulk_replay_of_everything_is_not_meant() {
    let mut gateway = Gateway::start("").await;
    let many: Vec<_> = (0..501).map(|n| format!("evt_{n}")).collect();
    let cases = [
        (Value::Null, "say which events"),
        (json!({}), "say which events"),
        (json!({ "limit": 5 }), "say which events"),
        (json!({ "events": [] }), "`events` takes 1 to 500 ids"),
        (json!({ "events": many }), "`events` takes 1 to 500 ids"),
        (json!({ "events": ["evt_1"], "source": "s" }), "give ids or a filter, not both"),
        (json!({ "source": "s", "cursor": "x" }), "not a cursor of this list"),
        (json!({ "sauce": "s" }), "unknown field `sauce`"),
        (json!([]), "the body: "),
    ];
    for (body, why) in cases {
        let answer = gateway.command("/api/v1/replay", &body).await;
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && said.contains(why), "{body}: {} {said}", answer.status);
    }
    assert_eq!(ids(&gateway.get("/api/v1/events").await.json()), [] as [String; 0]);
    gateway.stop().await;
}
