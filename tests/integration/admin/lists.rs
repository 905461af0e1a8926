//! Lists of events and of what is configured.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Answer, Receiver};
use serde_json::json;

use super::{config, event, ids};

#[tokio::test]
async fn events_are_listed_filtered_and_paged() {
    let receiver = Receiver::start([Answer::Status(400)]).await;
    let mut gateway = Gateway::start(&config(&receiver.url())).await;
    let failed = event(&gateway, "issues", br#"{"action":"opened"}"#, "failed").await;
    let push = event(&gateway, "push", b"{}", "delivered").await;
    let issue = event(&gateway, "issues", br#"{"action":"closed"}"#, "delivered").await;
    let list = async |query: &str| gateway.get(&format!("/api/v1/events{query}")).await.json();
    let all = list("").await;
    assert_eq!(ids(&all), [&*issue, &push, &failed]);
    assert_eq!(all["next"], json!(null));
    let keys: Vec<_> = all["items"][0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "source", "type", "received_at", "status", "repeats", "size"]);
    assert_eq!(all["items"][0]["type"], "issues.closed");
    assert_eq!(all["items"][0]["size"], 19);
    assert!(humantime::parse_rfc3339(all["items"][0]["received_at"].as_str().unwrap()).is_ok());

    let at = all["items"][1]["received_at"].as_str().unwrap();
    let table: [(String, &[&String]); 10] = [
        ("?status=failed".into(), &[&failed]),
        ("?status=delivered".into(), &[&issue, &push]),
        ("?type=issues".into(), &[&issue, &failed]),
        ("?type=*.opened".into(), &[&failed]),
        ("?source=stripe".into(), &[]),
        ("?since=1h".into(), &[&issue, &push, &failed]),
        ("?until=1h".into(), &[]),
        (format!("?since={at}&type=push"), &[&push]),
        (format!("?until={at}&type=push"), &[]),
        ("?since=2001-01-01T00:00:00%2B01:00&status=failed".into(), &[&failed]),
    ];
    for (query, expected) in table {
        assert_eq!(ids(&list(&query).await).iter().collect::<Vec<_>>(), expected, "{query}");
    }

    let first = list("?limit=2").await;
    assert_eq!(ids(&first), [&*issue, &push]);
    let second = list(&format!("?limit=2&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!((ids(&second), &second["next"]), (vec![failed], &json!(null)));
    gateway.stop().await;
}

#[tokio::test]
async fn bad_questions_about_events_are_told_what_is_wrong() {
    let mut gateway = Gateway::start("").await;
    let cases = [
        ("status=dead", "`dead` is not one of pending, delivered, dropped, failed"),
        ("cursor=abc", "not a cursor of this list"),
        ("since=yesterday", "`yesterday` is neither an instant like 2026-01-31T12:00:00Z nor an age like 2h"),
        ("until=-1h", "`-1h` is neither"),
        ("kind=push", "unknown field `kind`"),
    ];
    for (query, why) in cases {
        let answer = gateway.get(&format!("/api/v1/events?{query}")).await;
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && said.contains(why), "{query}: {} {said}", answer.status);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_in_force_is_shown_without_secrets() {
    let receiver = Receiver::start([]).await;
    let text = config(&format!("{}?token=hunter2", receiver.url()))
        .replace("timeout", "headers = { authorization = \"Bearer hunter3\" }\ntimeout")
        .replace("from =", "types = [\"push\"]\nfrom =");
    let mut gateway = Gateway::start(&text).await;
    let list = async |name: &str| gateway.get(&format!("/api/v1/{name}")).await;
    let (sources, routes, destinations) =
        (list("sources").await, list("routes").await, list("destinations").await);
    for answer in [&sources, &routes, &destinations] {
        assert_eq!((answer.status, &answer.json()["next"]), (200, &json!(null)));
        for secret in ["hunter", "whsec_", hookloom_testkit::sender::SECRET] {
            assert!(!answer.body.contains(secret), "{}", answer.body);
        }
    }
    let (source, destination) = (&sources.json()["items"][0], &destinations.json()["items"][0]);
    assert_eq!((&source["name"], &source["scheme"]), (&json!("github"), &json!("github")));
    assert_eq!((&source["path"], &source["routes"]), (&json!("/in/github"), &json!(["all"])));
    assert_eq!(destination["url"], receiver.url());
    assert_eq!((&destination["signed"], &destination["routes"]), (&json!(true), &json!(["all"])));
    let route = json!({ "name": "all", "from": ["github"], "types": ["push"], "steps": [], "to": ["crm"] });
    assert_eq!(routes.json()["items"], json!([route]));
    gateway.stop().await;
}
