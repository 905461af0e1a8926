//! What HTTP allows: bytes as they are, connections that are used again.

use std::fmt::Write as _;

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::Raw;
use hookloom_testkit::receiver::Receiver;

use super::{assert_raw_refused, github_source, open_source, post_signed, wire_request};

fn to_crm(receiver: &Receiver) -> String {
    format!(
        "{}[destinations.crm]\nurl = \"{}\"\nforward_headers = [\"x-many\", \"x-kept\"]\n\
         [[routes]]\nname = \"all\"\nfrom = [\"open\"]\nto = [\"crm\"]\n",
        open_source(""),
        receiver.url()
    )
}

#[tokio::test]
async fn bytes_arrive_as_they_came() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&to_crm(&receiver)).await;
    let body: Vec<u8> = (0..=255).chain([0xff, 0xfe, 0, b'\r', b'\n']).collect();
    let headers =
        [("x-many", "1"), ("x-kept", "a, b;c=\"d\""), ("x-many", "2"), ("content-type", "application/x-odd")];
    let id = gateway.post("open", &headers, body.clone()).await.id();
    let request = receiver.requests(1).await.remove(0);
    assert_eq!(request.body, body);
    let many: Vec<_> =
        request.headers.iter().filter(|(name, _)| name == "x-many").map(|(_, v)| v.as_str()).collect();
    assert_eq!(many, ["1", "2"]);
    assert_eq!(request.header("x-kept"), Some("a, b;c=\"d\""));
    assert_eq!(request.header("content-type"), Some("application/x-odd"));
    let event = gateway.event_when(&id, "delivered").await;
    assert_eq!(event["headers"]["x-many"], serde_json::json!(["1", "2"]));
    gateway.stop().await;
}

#[tokio::test]
async fn an_empty_body_is_one() {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&to_crm(&receiver)).await;
    let id = gateway.post("open", &[], "").await.id();
    let request = receiver.requests(1).await.remove(0);
    assert_eq!((request.body.as_slice(), request.header("content-type")), (&b""[..], None));
    assert_eq!(gateway.event_when(&id, "delivered").await["body_text"], "");
    gateway.stop().await;
}

#[tokio::test]
async fn sub_paths_and_queries_belong_to_the_event() {
    let mut gateway = Gateway::start(&open_source("")).await;
    let id = gateway.post("open/a/b%20c/?x=1&x=%C3%A9&flag", &[], "{}").await.id();
    let event = gateway.event_when(&id, "dropped").await;
    assert_eq!(event["path"], "/in/open/a/b%20c/");
    assert_eq!(event["query"], "x=1&x=%C3%A9&flag");
    let id = gateway.post("open", &[], "{}").await.id();
    assert_eq!(gateway.event_when(&id, "dropped").await["query"], serde_json::Value::Null);
    gateway.stop().await;
}

#[tokio::test]
async fn a_chunked_body_is_put_together() {
    let mut gateway = Gateway::start(&open_source("")).await;
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send("POST /in/open HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n").await;
    raw.send("3\r\n{\"a\r\n5;x=y\r\n\":1}\n\r\n0\r\n\r\n").await;
    let answer = raw.answer().await;
    let event = gateway.event_when(answer.json()["id"].as_str().unwrap(), "dropped").await;
    assert_eq!(event["body_text"], "{\"a\":1}\n");
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_serves_on_after_a_refusal() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let mut raw = Raw::connect(gateway.listen()).await;
    let refusals = [("github", 401, "the signature is missing"), ("unknown", 404, "no such source")];
    for (source, status, why) in refusals {
        raw.send(format!("POST /in/{source} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n\r\n{{}}"))
            .await;
        assert_raw_refused(&raw.answer().await, status, why);
        raw.send(wire_request(b"{}")).await;
        assert_eq!(raw.answer().await.status, 200, "after {status}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn requests_that_do_not_wait_are_answered_in_order() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let unsigned = b"POST /in/github HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n\r\n{}";
    let (first, last) = (wire_request(b"{\"n\":1}"), wire_request(b"{\"n\":2}"));
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send([&first[..], unsigned, &last[..]].concat()).await;
    let answers = [raw.answer().await, raw.answer().await, raw.answer().await];
    assert_eq!(answers.each_ref().map(|answer| answer.status), [200, 401, 200]);
    for (answer, n) in [(&answers[0], 1), (&answers[2], 2)] {
        let event = gateway.event_when(answer.json()["id"].as_str().unwrap(), "dropped").await;
        assert_eq!(event["body"]["n"], n);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_http_ends_its_own_connection_only() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let mut many = String::from("POST /in/github HTTP/1.1\r\nhost: gateway\r\n");
    for n in 0..200 {
        let _ = write!(many, "x-{n}: 1\r\n");
    }
    let conflicting =
        "POST /in/github HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}";
    for bytes in ["\u{16}\u{3}\u{1}", "nonsense\r\n\r\n", conflicting, &format!("{many}\r\n")] {
        let mut raw = Raw::connect(gateway.listen()).await;
        raw.send(bytes).await;
        raw.finish().await;
        let said = String::from_utf8(raw.closed().await).unwrap();
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{bytes:?}: {said}");
    }
    assert_eq!(post_signed(&gateway, "{}").await.status, 200);
    gateway.stop().await;
}
