//! Every refusal, with its status, its headers and its words.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::Raw;
use hookloom_testkit::sender::{SECRET, borrowed, github, signed};
use hookloom_testkit::wait::eventually;

use super::{
    assert_raw_refused, assert_refused, counted, github_source, open_source, post_signed, rows, wire_request,
};

/// Long enough ago for any tolerance.
const STALE: &str = "1700000000";

fn with_stripe() -> String {
    format!("{}[sources.stripe]\nscheme = \"stripe\"\nsecrets = [\"{SECRET}\"]\n", github_source(""))
}

#[tokio::test]
async fn what_is_not_proven_is_unauthorized() {
    let mut gateway = Gateway::start(&with_stripe()).await;
    let headers = github("push", b"{}");

    let missing = gateway.post("github", &[("x-github-event", "push")], "{}").await;
    assert_refused(&missing, 401, "the signature is missing");
    let other_body = gateway.post("github", &borrowed(&headers), "{ }").await;
    assert_refused(&other_body, 401, "the signature does not match");
    let other_secret = signed("github", "another secret", "id", Some("push"), b"{}");
    let other_secret = gateway.post("github", &borrowed(&other_secret), "{}").await;
    assert_refused(&other_secret, 401, "the signature does not match");
    let unreadable = gateway.post("github", &[("x-hub-signature-256", "sha256=zz")], "{}").await;
    assert_refused(&unreadable, 401, "the signature cannot be decoded");

    let stale = format!("t={STALE},v1={}", "0".repeat(64));
    let stale = gateway.post("stripe", &[("stripe-signature", &stale)], "{}").await;
    assert_refused(&stale, 401, "the timestamp is more than 300 s off");

    assert_eq!(counted(&gateway, "github", "unauthorized").await, "4");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 0);
}

#[tokio::test]
async fn what_cannot_be_read_is_malformed() {
    let mut gateway = Gateway::start(&with_stripe()).await;
    let no_time = format!("t=yesterday,v1={}", "0".repeat(64));
    let refused = gateway.post("stripe", &[("stripe-signature", &no_time)], "{}").await;
    assert_refused(&refused, 400, "the timestamp cannot be read");
    assert_eq!(counted(&gateway, "stripe", "malformed").await, "1");
    gateway.stop().await;
}

#[tokio::test]
async fn only_configured_sources_are_there_and_their_names_are_no_labels() {
    let mut gateway = Gateway::start(&github_source("")).await;
    for path in ["/in/gitlab", "/in/", "/in", "/", "/in/GITHUB", "/healthz", "/metrics", "/api/v1/deliveries"]
    {
        let mut raw = Raw::connect(gateway.listen()).await;
        raw.send(format!("POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-length: 0\r\n\r\n")).await;
        assert_raw_refused(&raw.answer().await, 404, "no such source");
    }
    assert_eq!(counted(&gateway, "", "unknown-source").await, "8");
    assert!(!gateway.get("/metrics").await.body.contains("gitlab"));
    gateway.stop().await;
}

#[tokio::test]
async fn other_methods_are_told_which_are_allowed() {
    let config = github_source("") + &open_source("methods = [\"put\", \"POST\"]");
    let mut gateway = Gateway::start(&config).await;
    for method in ["GET", "PUT", "DELETE", "BREW"] {
        let mut raw = Raw::connect(gateway.listen()).await;
        raw.send(format!("{method} /in/github HTTP/1.1\r\nhost: gateway\r\ncontent-length: 0\r\n\r\n")).await;
        let refused = raw.answer().await;
        assert_raw_refused(&refused, 405, "method not allowed");
        assert_eq!(refused.header("allow"), Some("POST"), "{method}");
    }
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send("PUT /in/open HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\n\r\n{}").await;
    let accepted = raw.answer().await;
    assert_eq!(accepted.status, 200);
    let event = gateway.event_when(accepted.json()["id"].as_str().unwrap(), "dropped").await;
    assert_eq!(event["method"], "PUT");
    raw.send("GET /in/open HTTP/1.1\r\nhost: gateway\r\n\r\n").await;
    assert_eq!(raw.answer().await.header("allow"), Some("PUT, POST"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut gateway = Gateway::start(&format!("read_timeout = \"200ms\"\n{}", github_source(""))).await;
    let request = wire_request(b"{\"n\": 1}");
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send(&request[..request.len() - 4]).await;
    let refused = raw.answer().await;
    assert_raw_refused(&refused, 408, "the body did not arrive in time");
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(raw.closed().await, b"");
    assert_eq!(post_signed(&gateway, "{}").await.status, 200, "others are served");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_not_read() {
    let mut gateway = Gateway::start(&format!("max_body = \"1KiB\"\n{}", github_source(""))).await;
    let head =
        "POST /in/github HTTP/1.1\r\nhost: gateway\r\nexpect: 100-continue\r\ncontent-length: 1025\r\n\r\n";
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send(head).await;
    let refused = raw.answer().await;
    assert_raw_refused(&refused, 413, "the body is larger than 1024 bytes");
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(raw.closed().await, b"");

    let just_fits = "x".repeat(1024);
    assert_eq!(post_signed(&gateway, &just_fits).await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_not_read_to_its_end() {
    let mut gateway = Gateway::start(&format!("max_body = \"1KiB\"\n{}", github_source(""))).await;
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send("POST /in/github HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n").await;
    // No last chunk: only who stops reading can answer.
    raw.send(format!("400\r\n{}\r\n1\r\n+\r\n", "x".repeat(1024))).await;
    let refused = raw.answer().await;
    assert_raw_refused(&refused, 413, "the body is larger than 1024 bytes");
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(raw.closed().await, b"");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 0);
}

#[tokio::test]
async fn a_sender_that_is_still_sending_reads_why_it_is_refused() {
    let mut gateway = Gateway::start(&github_source("")).await;
    // More than sockets buffer: an end of the connection before the body's would reset
    // it, and the answer with it.
    let answer = gateway.try_post("github", &[], vec![b'x'; 8 << 20]).await.expect("an answer, not a reset");
    assert_refused(&answer, 413, "the body is larger than 1048576 bytes");
    gateway.stop().await;
}

#[tokio::test]
async fn a_sender_that_sends_everything_first_reads_why_it_is_refused() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let body = vec![b'x'; 8 << 20];
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send(format!("POST /in/github HTTP/1.1\r\nhost: gateway\r\ncontent-length: {}\r\n\r\n", body.len()))
        .await;
    raw.send(body).await;
    assert_raw_refused(&raw.answer().await, 413, "the body is larger than 1048576 bytes");
    assert_eq!(raw.closed().await, b"");
    gateway.stop().await;
}

#[tokio::test]
async fn a_sender_that_never_ends_is_cut_off() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send("POST /in/github HTTP/1.1\r\nhost: gateway\r\ncontent-length: 1000000000000\r\n\r\n").await;
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while raw.try_send(&chunk).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 1 << 30, "the gateway reads without end");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_rate_limit_counts_what_is_verified_and_nothing_else() {
    let mut gateway = Gateway::start(&github_source("rate_limit = \"1/m\"")).await;
    for _ in 0..5 {
        assert_eq!(gateway.post("github", &[], "{}").await.status, 401);
    }
    assert_eq!(post_signed(&gateway, "{}").await.status, 200);
    let refused = post_signed(&gateway, "{}").await;
    assert_refused(&refused, 429, "too many requests");
    let wait: u64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        gateway.post("github", &[], "{}").await.status,
        401,
        "who is not known learns nothing of the rate"
    );
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn a_sender_that_goes_away_in_the_middle_leaves_nothing() {
    let mut gateway = Gateway::start(&github_source("")).await;
    let request = wire_request(b"{\"n\": 1}");
    let mut raw = Raw::connect(gateway.listen()).await;
    raw.send(&request[..request.len() - 1]).await;
    drop(raw);
    eventually("the broken request is counted", async || {
        let counted = counted(&gateway, "github", "malformed").await;
        if counted == "1" { Ok(()) } else { Err(counted) }
    })
    .await;
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 0);
}

#[tokio::test]
async fn a_source_has_a_limit_of_its_own() {
    let config = format!("max_body = \"1KiB\"\n{}{}", github_source("max_body = \"2KiB\""), open_source(""));
    let mut gateway = Gateway::start(&config).await;
    assert_eq!(post_signed(&gateway, &"x".repeat(2048)).await.status, 200);
    assert_refused(
        &post_signed(&gateway, &"x".repeat(2049)).await,
        413,
        "the body is larger than 2048 bytes",
    );
    let above = gateway.post("open", &[], "x".repeat(1025)).await;
    assert_refused(&above, 413, "the body is larger than 1024 bytes");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_grants_no_other_burst() {
    let config = github_source("rate_limit = \"1/h\"");
    let mut gateway = Gateway::start(&config).await;
    assert_eq!(post_signed(&gateway, "{}").await.status, 200);
    gateway.write_config(&(config + &open_source("")));
    eventually("the other source is there", async || {
        let answer = gateway.post("open", &[], "{}").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert_refused(&post_signed(&gateway, "{}").await, 429, "too many requests");
    gateway.stop().await;
}
