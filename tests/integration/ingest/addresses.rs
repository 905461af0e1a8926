//! Who may send: by the address of the connection, or the one that a trusted proxy names.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::Raw;

use super::{assert_raw_refused, assert_refused, counted, github_source, open_source, post_signed, rows};

const WHY: &str = "this address may not send here";

#[tokio::test]
async fn only_who_is_listed_may_send_and_nobody_else_is_read() {
    let config = open_source("allow_from = [\"127.0.0.0/8\", \"::1\"]")
        + &github_source("allow_from = [\"192.0.2.0/24\"]");
    let mut gateway = Gateway::start(&config).await;
    assert_eq!(gateway.post("open", &[], "{}").await.status, 200);
    assert_refused(&post_signed(&gateway, "{}").await, 403, WHY);
    // Nothing that a stranger says of itself counts without a proxy to believe.
    let claims = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
    assert_refused(&gateway.post("github", &claims, "{}").await, 403, WHY);
    // Before its body is there, and whatever its method.
    for method in ["POST", "GET"] {
        let mut raw = Raw::connect(gateway.listen()).await;
        raw.send(format!("{method} /in/github HTTP/1.1\r\nhost: gateway\r\ncontent-length: 9\r\n\r\n")).await;
        assert_raw_refused(&raw.answer().await, 403, WHY);
    }
    assert_eq!(counted(&gateway, "github", "address").await, "4");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn a_trusted_proxy_says_who_sends() {
    let config = format!(
        "trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]\n{}",
        open_source("allow_from = [\"192.0.2.0/24\", \"2001:db8::/32\"]")
    );
    let mut gateway = Gateway::start(&config).await;
    for (headers, status) in [
        (&[("x-forwarded-for", "192.0.2.7")][..], 200),
        (&[("x-forwarded-for", "203.0.113.1, 192.0.2.7, 10.1.1.1")], 200),
        (&[("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "::ffff:192.0.2.7")], 200),
        (&[("forwarded", "for=\"[2001:db8::7]:443\";proto=https")], 200),
        (&[("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.7")], 200),
        // What the sender wrote itself stands on the left.
        (&[("x-forwarded-for", "192.0.2.7, 203.0.113.1")], 403),
        (&[("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=203.0.113.1")], 403),
        (&[("x-forwarded-for", "192.0.2.7, garbage")], 403),
        (&[("x-forwarded-for", "")], 403),
        (&[("forwarded", "for=unknown")], 403),
        // The proxy itself.
        (&[], 403),
    ] {
        assert_eq!(gateway.post("open", headers, "{}").await.status, status, "{headers:?}");
    }
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 5);
}
