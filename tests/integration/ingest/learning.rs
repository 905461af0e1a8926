//! Handshakes that hand over a secret: the window that an operator opens, and what comes
//! of it.

use std::process::{Command, Stdio};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hookloom::app::Surroundings;
use hookloom::clock::Clock;
use hookloom::model::Millis;
use hookloom_testkit::gateway::{Answer, Gateway};
use hookloom_testkit::wait::eventually;
use serde_json::{Value, json};
use sha2::Sha256;

use super::{assert_refused, counted, github_source, rows};
use crate::cli::{BINARY, Ended};

const ASANA: &str = r#"
[sources.asana]
[sources.asana.verify]
signature = { header = "x-hook-signature" }
handshake = "hook-secret"
"#;

const NOTION: &str = r#"
[sources.notion]
[sources.notion.verify]
signature = { header = "x-notion-signature", prefix = "sha256=" }
handshake = "notion-verification-token"
"#;

const UNAWAITED: &str =
    "nobody waits for this handshake: the operator runs `hookloom source arm asana` before it";
const NO_SECRET: &str = "no secret yet: run `hookloom source arm asana`";
const EVENT: &str = r#"{"events":[{"action":"added"}]}"#;

async fn hand_over(gateway: &Gateway, secret: &str) -> Answer {
    gateway.post("asana", &[("x-hook-secret", secret)], "").await
}

async fn event_signed_by(gateway: &Gateway, secret: &str) -> Answer {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(EVENT.as_bytes());
    let signature = hex::encode(mac.finalize().into_bytes());
    gateway.post("asana", &[("x-hook-signature", &signature)], EVENT).await
}

/// Opens the window; returns the ticket.
async fn arm(gateway: &Gateway, body: &Value) -> String {
    let armed = gateway.command("/api/v1/sources/asana/arm", body).await;
    assert_eq!(
        (armed.status, &armed.headers["cache-control"]),
        (200, &"no-store".parse().unwrap()),
        "{}",
        armed.body
    );
    armed.json()["ticket"].as_str().unwrap().to_owned()
}

async fn window(gateway: &Gateway, source: &str, ticket: &str) -> Answer {
    gateway.get(&format!("/api/v1/sources/{source}/arm?ticket={ticket}")).await
}

/// A source as the API lists it.
async fn listed(gateway: &Gateway, name: &str) -> Value {
    let sources = gateway.get("/api/v1/sources").await.json();
    sources["items"].as_array().unwrap().iter().find(|source| source["name"] == name).unwrap().clone()
}

/// `hookloom source …`, off the runtime's threads: the gateway answers on them.
fn hookloom(gateway: &Gateway, arguments: &[&str]) -> tokio::task::JoinHandle<Ended> {
    let mut command = Command::new(BINARY);
    command.arg("source").args(arguments).args(["--url", &format!("http://{}", gateway.admin())]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || command.output().unwrap().into())
}

async fn armed(gateway: &Gateway, name: &str) {
    eventually("the window is open", async || {
        let source = listed(gateway, name).await;
        if source["armed_until"].is_string() { Ok(()) } else { Err(source.to_string()) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asana_hands_over_its_secret_while_the_operator_waits() {
    let mut gateway = Gateway::start(ASANA).await;
    assert_refused(&event_signed_by(&gateway, "FAKE1").await, 401, NO_SECRET);
    assert_refused(&hand_over(&gateway, "FAKE1").await, 403, UNAWAITED);
    let waiting = hookloom(&gateway, &["arm", "asana", "--for", "5m"]);
    armed(&gateway, "asana").await;
    let answer = hand_over(&gateway, "FAKE1").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.headers["x-hook-secret"], "FAKE1");
    let ended = waiting.await.unwrap();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("asana has learnt its secret; it is stored, and in force"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("FAKE1"));

    assert_eq!(event_signed_by(&gateway, "FAKE1").await.status, 200);
    assert_refused(&event_signed_by(&gateway, "other").await, 401, "the signature does not match");
    assert_refused(&hand_over(&gateway, "FAKE2").await, 403, UNAWAITED);
    let source = listed(&gateway, "asana").await;
    assert_eq!((&source["learnt_secrets"], &source["armed_until"]), (&json!(1), &Value::Null));
    gateway.stop().await;

    // After a restart, and after a reload that adds a secret of the operator's own.
    gateway.run_here().await;
    assert_eq!(event_signed_by(&gateway, "FAKE1").await.status, 200);
    gateway.write_config(&ASANA.replacen("[sources.asana]", "[sources.asana]\nsecrets = [\"own\"]", 1));
    eventually("the reload is in force", async || {
        let answer = event_signed_by(&gateway, "own").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert_eq!(event_signed_by(&gateway, "FAKE1").await.status, 200);

    let ended = hookloom(&gateway, &["forget", "asana"]).await.unwrap();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "asana: 1 forgotten\n"), "{}", ended.stderr);
    assert_refused(&event_signed_by(&gateway, "FAKE1").await, 401, "the signature does not match");
    assert_eq!(event_signed_by(&gateway, "own").await.status, 200);
    assert_eq!(listed(&gateway, "asana").await["learnt_secrets"], 0);
    gateway.stop().await;
    assert_eq!(rows(&gateway, "source_secrets"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn notions_token_is_shown_once_to_who_waits() {
    const TOKEN: &str = "secret_FAKE0123456789";
    let mut gateway = Gateway::start(NOTION).await;
    let body = json!({ "verification_token": TOKEN }).to_string();
    let waiting = hookloom(&gateway, &["arm", "notion"]);
    armed(&gateway, "notion").await;
    let answer = gateway.post("notion", &[], body.as_str()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    let ended = waiting.await.unwrap();
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), &*format!("{TOKEN}\n")), "{}", ended.stderr);
    assert!(!ended.stderr.contains(TOKEN));

    let armed = gateway.command("/api/v1/sources/notion/arm", &json!({ "for": "1m" })).await.json();
    let ticket = armed["ticket"].as_str().unwrap();
    assert_eq!(gateway.post("notion", &[], body.as_str()).await.status, 200);
    for shown in [json!(TOKEN), Value::Null] {
        let seen = window(&gateway, "notion", ticket).await.json();
        assert_eq!((&seen["state"], seen.get("secret").unwrap_or(&Value::Null)), (&json!("learnt"), &shown));
    }
    for path in ["/api/v1/sources", "/api/v1/events", "/metrics"] {
        let answer = gateway.get(path).await;
        assert!(!answer.body.contains(TOKEN) && !answer.body.contains(ticket), "{path}: {}", answer.body);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_window_closes_by_time() {
    let clock = Clock::manual(Millis(1_700_000_000_000));
    let mut gateway = Gateway::new(ASANA);
    gateway.run_here_in(Surroundings { clock: clock.clone(), ..Surroundings::system() }).await;
    let ticket = arm(&gateway, &json!({ "for": "10m" })).await;
    assert_eq!(listed(&gateway, "asana").await["armed_until"], "2023-11-14T22:23:20.000Z");
    clock.advance(Duration::from_secs(599));
    assert_eq!(window(&gateway, "asana", &ticket).await.json()["state"], "open");
    clock.advance(Duration::from_secs(1));
    assert_eq!(window(&gateway, "asana", &ticket).await.json()["state"], "closed");
    assert_refused(&hand_over(&gateway, "FAKE").await, 403, UNAWAITED);
    assert_eq!(listed(&gateway, "asana").await["armed_until"], Value::Null);
    assert_refused(&event_signed_by(&gateway, "FAKE").await, 401, NO_SECRET);
    assert_eq!(counted(&gateway, "asana", "forbidden").await, "1");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_handshakes_at_once_one_wins() {
    let mut gateway = Gateway::start(ASANA).await;
    arm(&gateway, &Value::Null).await;
    let names: Vec<_> = (0..4).map(|number| format!("FAKE{number}")).collect();
    let answers = tokio::join!(
        hand_over(&gateway, &names[0]),
        hand_over(&gateway, &names[1]),
        hand_over(&gateway, &names[2]),
        hand_over(&gateway, &names[3])
    );
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let won: Vec<_> = (0..4).filter(|at| answers[*at].status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    for (at, answer) in answers.iter().enumerate().filter(|(at, _)| !won.contains(at)) {
        assert_refused(answer, 403, UNAWAITED);
        assert_eq!(event_signed_by(&gateway, &names[at]).await.status, 401);
    }
    assert_eq!(event_signed_by(&gateway, &names[won[0]]).await.status, 200);
    gateway.stop().await;
    assert_eq!(rows(&gateway, "source_secrets"), 1);
}

#[tokio::test]
async fn a_stop_closes_windows_and_keeps_secrets() {
    let mut gateway = Gateway::start(ASANA).await;
    arm(&gateway, &Value::Null).await;
    assert_eq!(hand_over(&gateway, "FAKE1").await.status, 200);
    let ticket = arm(&gateway, &Value::Null).await;
    gateway.stop().await;
    gateway.run_here().await;
    assert_refused(&hand_over(&gateway, "FAKE2").await, 403, UNAWAITED);
    let gone = window(&gateway, "asana", &ticket).await;
    let why = "that window is gone: another one was opened, or the gateway was started again";
    assert_refused(&gone, 409, why);
    assert_eq!(event_signed_by(&gateway, "FAKE1").await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_learnt_is_refused_and_leaves_the_window_open() {
    let mut gateway = Gateway::start(ASANA).await;
    let ticket = arm(&gateway, &Value::Null).await;
    let refused = hand_over(&gateway, "whpk_aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e").await;
    assert_refused(&refused, 400, "what is handed over cannot be a secret of this source");
    let first = window(&gateway, "asana", &ticket).await.json();
    assert_eq!(first["state"], "open");
    let second = arm(&gateway, &json!({ "for": "1h" })).await;
    assert_eq!(window(&gateway, "asana", &ticket).await.status, 409, "another one was opened");
    assert_eq!(hand_over(&gateway, "FAKE").await.status, 200);
    assert_eq!(window(&gateway, "asana", &second).await.json()["state"], "learnt");
    gateway.stop().await;
}

#[tokio::test]
async fn a_further_secret_is_refused_and_costs_none_of_those_that_are_kept() {
    const FULL: &str = "asana has learnt 16 secrets and keeps no more: the operator runs `hookloom source \
                        forget asana`, which drops them all";
    let mut gateway = Gateway::start(ASANA).await;
    let names: Vec<_> = (0..16).map(|number| format!("FAKE{number}")).collect();
    for name in &names {
        arm(&gateway, &Value::Null).await;
        assert_eq!(hand_over(&gateway, name).await.status, 200, "{name}");
    }
    let ticket = arm(&gateway, &Value::Null).await;
    assert_refused(&hand_over(&gateway, "FAKE16").await, 403, FULL);
    assert_refused(&event_signed_by(&gateway, "FAKE16").await, 401, "the signature does not match");
    assert_eq!(window(&gateway, "asana", &ticket).await.json()["state"], "open");
    for name in &names {
        assert_eq!(event_signed_by(&gateway, name).await.status, 200, "{name}");
    }
    assert_eq!(hand_over(&gateway, "FAKE0").await.status, 200, "one that is known is no further one");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "source_secrets"), 16);

    gateway.run_here().await;
    arm(&gateway, &Value::Null).await;
    assert_refused(&hand_over(&gateway, "FAKE16").await, 403, FULL);
    assert_eq!(gateway.command("/api/v1/sources/asana/forget", &Value::Null).await.status, 200);
    assert_eq!(hand_over(&gateway, "FAKE16").await.status, 200);
    assert_eq!(event_signed_by(&gateway, "FAKE16").await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_armed_says_why() {
    let mut gateway = Gateway::start(&(github_source("") + ASANA)).await;
    let command =
        async |path: &str, body: &Value| gateway.command(&format!("/api/v1/sources/{path}"), body).await;
    assert_refused(&command("nobody/arm", &Value::Null).await, 404, "no such source");
    assert_refused(&command("nobody/forget", &Value::Null).await, 404, "no such source");
    let why = "github does not learn its secret in a handshake (its scheme is github)";
    assert_refused(&command("github/arm", &Value::Null).await, 409, why);
    let why = "`2d` is not a time up to 24h, like 10m";
    assert_refused(&command("asana/arm", &json!({ "for": "2d" })).await, 400, why);
    assert_eq!(command("asana/arm", &json!({ "span": "2m" })).await.status, 400);
    assert_eq!(window(&gateway, "asana", "0").await.status, 409);
    assert_eq!(gateway.get("/api/v1/sources/asana/arm").await.status, 400);
    assert_eq!(listed(&gateway, "asana").await["armed_until"], Value::Null);
    gateway.stop().await;
}
