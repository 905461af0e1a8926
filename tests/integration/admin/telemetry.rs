//! Health and metrics after traffic that is known.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests::guest;
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{SECRET, borrowed, github, signed};
use hookloom_testkit::wait::eventually;

use super::config;

#[tokio::test]
async fn a_gateway_that_is_fine_says_so() {
    let mut gateway = Gateway::start("").await;
    let alive = gateway.get("/healthz").await;
    assert_eq!((alive.status, alive.body.as_str()), (200, r#"{"status":"alive"}"#));
    let ready = gateway.get("/readyz").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, r#"{"status":"ready"}"#));
    gateway.stop().await;
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let receiver = Receiver::start([Answer::Status(503), Answer::Status(200), Answer::Status(404)]).await;
    let config = config(&receiver.url())
        .replace("schedule = []", "schedule = [\"1ms\"], jitter = 0.0")
        .replace("to = [\"crm\"]", "steps = [\"guest\"]\nto = [\"crm\"]");
    let mut gateway = Gateway::new(&config);
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    // 503, then 200; 404, then 200; 200.
    for n in 0..3 {
        let body = format!("{{\"n\":{n}}}");
        let id = gateway.post("github", &borrowed(&github("push", body.as_bytes())), body).await.id();
        gateway.event_when(&id, "delivered").await;
    }
    let headers = signed("github", SECRET, "twice", Some("push"), b"{}");
    for _ in 0..2 {
        let id = gateway.post("github", &borrowed(&headers), "{}").await.id();
        gateway.event_when(&id, "delivered").await;
    }
    gateway.post("github", &[], "{}").await;

    let expected = [
        (r#"hookloom_requests_total{source="github",outcome="accepted"}"#, 4.0),
        (r#"hookloom_requests_total{source="github",outcome="duplicate"}"#, 1.0),
        (r#"hookloom_requests_total{source="github",outcome="unauthorized"}"#, 1.0),
        (r#"hookloom_accept_seconds_count{source="github"}"#, 5.0),
        (r#"hookloom_runs_total{route="all",outcome="processed"}"#, 4.0),
        // The guest is a filter and a transform: one call of each.
        (r#"hookloom_steps_total{route="all",plugin="guest",verdict="unchanged"}"#, 4.0),
        (r#"hookloom_step_seconds_count{plugin="guest"}"#, 4.0),
        (r#"hookloom_attempts_total{destination="crm",outcome="5xx"}"#, 1.0),
        (r#"hookloom_attempts_total{destination="crm",outcome="4xx"}"#, 1.0),
        (r#"hookloom_attempts_total{destination="crm",outcome="2xx"}"#, 4.0),
        (r#"hookloom_attempt_seconds_count{destination="crm"}"#, 6.0),
        (r#"hookloom_deliveries_total{destination="crm",state="delivered"}"#, 4.0),
        (r#"hookloom_delivery_seconds_count{destination="crm"}"#, 4.0),
        ("hookloom_backlog_runs", 0.0),
    ];
    for (name, value) in expected {
        eventually(&format!("{name} is {value}"), async || {
            let found = gateway.metric(name).await;
            if (found - value).abs() < f64::EPSILON { Ok(()) } else { Err(found.to_string()) }
        })
        .await;
    }
    assert_histograms(&gateway.get("/metrics").await.body);
    gateway.stop().await;
}

/// Every histogram ends in a bucket that holds everything, and has a sum above zero.
fn assert_histograms(text: &str) {
    assert!(text.ends_with("# EOF\n"), "it is whole");
    let value = |start: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let of = [
        ("accept", "source=\"github\""),
        ("step", "plugin=\"guest\""),
        ("attempt", "destination=\"crm\""),
        ("delivery", "destination=\"crm\""),
    ];
    for (name, label) in of {
        let all = value(&format!("hookloom_{name}_seconds_bucket{{le=\"+Inf\",{label}}}"));
        let count = value(&format!("hookloom_{name}_seconds_count{{{label}}}"));
        assert!((all - count).abs() < f64::EPSILON, "{name}: {all} of {count}");
        assert!(value(&format!("hookloom_{name}_seconds_sum{{{label}}}")) > 0.0, "{name}");
    }
}
