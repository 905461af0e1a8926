//! Who may ask: whoever has the token, and no web page.

use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::{Raw, RawAnswer};
use hookloom_testkit::wait::eventually;
use serde_json::json;

const TOKEN: &str = "the token of the tests";
const API: [&str; 8] = [
    "/api/v1/events/evt_1",
    "/api/v1/events",
    "/api/v1/deliveries",
    "/api/v1/deliveries/msg_1",
    "/api/v1/plugins",
    "/api/v1/sources",
    "/api/v1/routes",
    "/api/v1/destinations",
];
const COMMANDS: [&str; 8] = [
    "/api/v1/events/evt_1/replay",
    "/api/v1/replay",
    "/api/v1/deliveries/msg_1/retry",
    "/api/v1/deliveries/msg_1/cancel",
    "/api/v1/deliveries/retry",
    "/api/v1/deliveries/cancel",
    "/api/v1/destinations/crm/pause",
    "/api/v1/destinations/crm/resume",
];
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

async fn ask(gateway: &Gateway, request: &str) -> RawAnswer {
    let mut raw = Raw::connect(gateway.admin()).await;
    raw.send(format!("{request}\r\n\r\n")).await;
    raw.answer().await
}

async fn get(gateway: &Gateway, path: &str, headers: &str) -> RawAnswer {
    ask(gateway, &format!("GET {path} HTTP/1.1\r\nhost: {}{headers}", gateway.admin())).await
}

#[tokio::test]
async fn the_api_wants_the_token_and_health_does_not() {
    let mut gateway = Gateway::start(&format!("admin_token = \"{TOKEN}\"")).await;
    for path in API {
        for wrong in [
            "",
            "\r\nauthorization: Bearer other",
            "\r\nauthorization: Basic dGhlIHRva2Vu",
            "\r\nauthorization: Bearer",
        ] {
            let refused = get(&gateway, path, wrong).await;
            assert_eq!(refused.status, 401, "{path} {wrong}");
            assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
            assert_eq!(refused.json(), json!({ "error": "the admin token is missing or wrong" }));
        }
        for scheme in ["Bearer", "bearer"] {
            let answer = get(&gateway, path, &format!("\r\nauthorization: {scheme} {TOKEN}")).await;
            assert!(matches!(answer.status, 200 | 404), "{path}: {}", answer.status);
        }
    }
    for path in OPEN {
        assert_eq!(get(&gateway, path, "").await.status, 200, "{path}");
    }
    for path in COMMANDS {
        assert_eq!(gateway.command(path, &json!({})).await.status, 401, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn another_token_is_in_force_once_the_configuration_is() {
    let mut gateway = Gateway::start(&format!("admin_token = \"{TOKEN}\"")).await;
    gateway.write_config("admin_token = \"the next one\"");
    eventually("the next token is in force", async || {
        let answer = get(&gateway, API[0], "\r\nauthorization: Bearer the next one").await;
        if answer.status == 404 { Ok(()) } else { Err(answer.status.to_string()) }
    })
    .await;
    assert_eq!(get(&gateway, API[0], &format!("\r\nauthorization: Bearer {TOKEN}")).await.status, 401);
    gateway.stop().await;
}

#[tokio::test]
async fn without_a_token_nobody_is_asked_for_one() {
    let mut gateway = Gateway::start("").await;
    assert_eq!(get(&gateway, "/api/v1/deliveries", "").await.status, 200);
    assert_eq!(get(&gateway, "/api/v1/deliveries", "\r\nauthorization: Bearer any").await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn a_page_in_somebodys_browser_gets_nothing() {
    let mut gateway = Gateway::start("").await;
    let port = gateway.admin().port();
    let foreign = [
        format!("host: evil.example:{port}"),
        format!("host: 127.0.0.1.evil.example:{port}"),
        "host: 10.0.0.1".to_owned(),
        format!("host: localhost:{port}\r\norigin: https://evil.example"),
        format!("host: localhost:{port}\r\norigin: null"),
    ];
    for headers in &foreign {
        for path in API.into_iter().chain(OPEN) {
            let refused = ask(&gateway, &format!("GET {path} HTTP/1.1\r\n{headers}")).await;
            assert_eq!(refused.status, 403, "{path} {headers}");
            assert_eq!(refused.json(), json!({ "error": "this port answers to its loopback names only" }));
        }
    }
    for path in COMMANDS {
        for headers in &foreign {
            let request = format!("POST {path} HTTP/1.1\r\n{headers}\r\ncontent-length: 0");
            assert_eq!(ask(&gateway, &request).await.status, 403, "{path} {headers}");
        }
    }
    let own = [
        format!("host: localhost:{port}"),
        format!("host: [::1]:{port}"),
        format!("host: 127.0.0.1:{port}\r\norigin: http://localhost:3000"),
    ];
    for headers in own {
        let answer = ask(&gateway, &format!("GET /api/v1/deliveries HTTP/1.1\r\n{headers}")).await;
        assert_eq!(answer.status, 200, "{headers}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let mut gateway = Gateway::start("").await;
    let cases = [
        ("GET /", 404, "no such page"),
        ("GET /api/v1/nothing", 404, "no such page"),
        ("POST /in/github", 404, "no such page"),
        ("GET /api/v1/events/evt_nothing", 404, "no such event"),
        ("GET /api/v1/deliveries/msg_nothing", 404, "no such delivery"),
        ("GET /api/v1/events/%ff", 404, "no such event"),
        ("POST /api/v1/events/evt_nothing/replay", 404, "no such event"),
        ("POST /api/v1/events/%ff/replay", 404, "no such event"),
        ("POST /api/v1/deliveries/msg_nothing/retry", 404, "no such delivery"),
        ("POST /api/v1/deliveries/%ff/cancel", 404, "no such delivery"),
        ("POST /api/v1/destinations/nothing/pause", 404, "no such destination"),
        ("POST /api/v1/destinations/%ff/resume", 404, "no such destination"),
        ("GET /api/v1/deliveries/%ff", 404, "no such delivery"),
        ("DELETE /api/v1/deliveries", 405, "method not allowed"),
        ("POST /metrics", 405, "method not allowed"),
    ];
    for (line, status, why) in cases {
        let request = format!("{line} HTTP/1.1\r\nhost: {}\r\ncontent-length: 0", gateway.admin());
        let answer = ask(&gateway, &request).await;
        assert_eq!((answer.status, answer.json()), (status, json!({ "error": why })), "{line}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{line}");
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("GET,HEAD"), "{line}");
        }
    }
    gateway.stop().await;
}
