//! Repeats: recognised by what the source says makes one, and nothing else.

use hookloom_testkit::gateway::{Answer, Gateway};
use hookloom_testkit::guests::guest;
use hookloom_testkit::sender::{SECRET, borrowed, signed};

use super::open_source;

fn status(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["status"].as_str().unwrap().to_owned()
}

/// Posts each (value of `x-id`, body) in turn; what they were answered.
async fn statuses(more: &str, posts: &[(&str, &str)]) -> Vec<String> {
    let mut gateway = Gateway::start(&open_source(more)).await;
    let mut statuses = Vec::new();
    for (id, body) in posts {
        let headers = [("x-id", *id)];
        statuses.push(status(&gateway.post("open", &headers[usize::from(id.is_empty())..], *body).await));
    }
    gateway.stop().await;
    statuses
}

const NEW: &str = "accepted";
const REPEAT: &str = "duplicate";

#[tokio::test]
async fn by_a_header() {
    let found =
        statuses("dedupe_key = \"header:X-Id\"", &[("1", "a"), ("1", "b"), ("2", "a"), ("", "a"), ("", "a")]);
    assert_eq!(found.await, [NEW, REPEAT, NEW, NEW, NEW]);
}

#[tokio::test]
async fn by_a_value_of_the_body() {
    let posts = [
        ("", r#"{"n":{"id":7},"x":1}"#),
        ("", r#"{"n":{"id":7},"x":2}"#),
        ("", r#"{"n":{"id":8}}"#),
        ("", r#"{"n":{}}"#),
        ("", r#"{"n":{}}"#),
        ("", "no json"),
        ("", "no json"),
    ];
    let found = statuses("dedupe_key = \"json:/n/id\"", &posts).await;
    assert_eq!(found, [NEW, REPEAT, NEW, NEW, NEW, NEW, NEW]);
}

#[tokio::test]
async fn by_content() {
    let found = statuses("dedupe_key = \"content\"", &[("1", "a"), ("2", "a"), ("1", "b")]).await;
    assert_eq!(found, [NEW, REPEAT, NEW]);
}

#[tokio::test]
async fn never_where_the_window_is_zero() {
    let found = statuses("dedupe = \"0s\"\ndedupe_key = \"content\"", &[("1", "a"), ("1", "a")]).await;
    assert_eq!(found, [NEW, NEW]);
}

#[tokio::test]
async fn no_id_no_repeat() {
    assert_eq!(statuses("", &[("1", "a"), ("1", "a")]).await, [NEW, NEW]);
}

#[tokio::test]
async fn one_sources_ids_are_not_anothers() {
    let source = |name: &str| format!("[sources.{name}]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n");
    let mut gateway = Gateway::start(&(source("a") + &source("b"))).await;
    let headers = signed("github", SECRET, "one-id", Some("push"), b"{}");
    let headers = borrowed(&headers);
    assert_eq!(status(&gateway.post("a", &headers, "{}").await), NEW);
    assert_eq!(status(&gateway.post("b", &headers, "{}").await), NEW);
    assert_eq!(status(&gateway.post("a", &headers, "{}").await), REPEAT);
    gateway.stop().await;
}

#[tokio::test]
async fn a_repeat_of_what_failed_makes_it_due_again() {
    let config = |what: &str| {
        format!(
            "[sources.github]\nscheme = \"github\"\nsecrets = [\"{SECRET}\"]\n\
             [destinations.crm]\nurl = \"http://127.0.0.1:1\"\nretry = {{ schedule = [] }}\n\
             [[routes]]\nname = \"all\"\nfrom = [\"github\"]\nto = [\"crm\"]\n\
             steps = [{{ plugin = \"guest\", config = {{ do = \"{what}\" }} }}]\n"
        )
    };
    let mut gateway = Gateway::new(&config("panic"));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let headers = signed("github", SECRET, "one-id", Some("push"), b"{}");
    let headers = borrowed(&headers);
    let first = gateway.post("github", &headers, "{}").await;
    let failed = gateway.event_when(&first.id(), "failed").await;
    assert_eq!(failed["runs"][0]["status"], "failed", "{failed}");
    assert_eq!(failed["runs"][0]["steps"][0]["verdict"], "trap", "{failed}");
    assert_eq!(failed["deliveries"], serde_json::json!([]));

    gateway.stop().await;
    gateway.write_config(&config("drop"));
    gateway.run_here().await;
    let repeat = gateway.post("github", &headers, "{}").await;
    assert_eq!((status(&repeat).as_str(), repeat.id()), (REPEAT, first.id()));
    let dropped = gateway.event_when(&first.id(), "dropped").await;
    assert_eq!(
        (&dropped["runs"][0]["status"], &dropped["repeats"]),
        (&"dropped".into(), &1.into()),
        "{dropped}"
    );

    let repeat = gateway.post("github", &headers, "{}").await;
    assert_eq!(status(&repeat), REPEAT);
    let event = gateway.get(&format!("/api/v1/events/{}", first.id())).await.json();
    assert_eq!(event["status"], "dropped", "what ended well is not done again");
    gateway.stop().await;
}
