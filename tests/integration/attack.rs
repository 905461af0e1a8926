//! An attacker's list through a gateway: each request is refused with the right status,
//! leaves nothing behind, and the true one is accepted afterwards.

mod tokens;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookloom::app::Surroundings;
use hookloom::clock::Clock;
use hookloom::config::Config;
use hookloom::model::Millis;
use hookloom::verify::{self, preset_names};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::{Raw, RawAnswer};
use sha2::Sha256;

/// Unix seconds.
const NOW: i64 = 1_700_000_000;
const GITHUB: &str = "the secret of github";
const OTHER: &str = "the secret of another source";
const STRIPE: &str = "whsec_the secret of stripe";
const TOKEN: &str = "the-token";
/// An Ed25519 key of Standard Webhooks' own examples.
const PUBLIC: &str = "aG+IPl4AsoailbJrQpMGOuqX4oO9qc3e+CoXY0xiEpE=";
const SHARED: &str = "C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BODY: &str = r#"{"id":"evt_1","type":"order.paid","name":"e\u0301 é"}"#;

type Headers = Vec<(String, String)>;

fn mac(key: &[u8], message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn github_signature(secret: &str, body: &str) -> String {
    format!("sha256={}", hex::encode(mac(secret.as_bytes(), body)))
}

fn github(secret: &str, id: &str, body: &str) -> Headers {
    let signature = github_signature(secret, body);
    headers(&[("x-hub-signature-256", &signature), ("x-github-event", "push"), ("x-github-delivery", id)])
}

fn stripe(at: i64, body: &str) -> Headers {
    let signature = hex::encode(mac(STRIPE.as_bytes(), &format!("{at}.{body}")));
    headers(&[("stripe-signature", &format!("t={at},v1={signature}"))])
}

/// A message of Standard Webhooks, "signed" with that key under that version.
fn standard(version: &str, key: &[u8], body: &str) -> Headers {
    let signature = STANDARD.encode(mac(key, &format!("msg_1.{NOW}.{body}")));
    headers(&[
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", &NOW.to_string()),
        ("webhook-signature", &format!("{version},{signature}")),
    ])
}

fn sources() -> String {
    format!(
        "[sources.github]\nscheme = \"github\"\nsecrets = [\"{GITHUB}\"]\n\
         [sources.other]\nscheme = \"github\"\nsecrets = [\"{OTHER}\"]\n\
         [sources.stripe]\nscheme = \"stripe\"\nsecrets = [\"{STRIPE}\"]\n\
         [sources.public]\nscheme = \"standard-webhooks\"\nsecrets = [\"whpk_{PUBLIC}\"]\n\
         [sources.shared]\nscheme = \"standard-webhooks\"\nsecrets = [\"whsec_{SHARED}\"]\n\
         [sources.token]\nsecrets = [\"{TOKEN}\"]\nverify = {{ algorithm = \"token\", body_unsigned = true, \
         signature = {{ header = \"x-token\" }} }}\n"
    )
}

async fn start(clock: &Clock) -> Gateway {
    let surroundings = Surroundings { clock: clock.clone(), ..Surroundings::system() };
    Gateway::start_in(surroundings, &sources()).await
}

/// Posts what no client library would.
async fn post(gateway: &Gateway, source: &str, headers: &Headers, body: &str) -> RawAnswer {
    let lines: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let length = body.len();
    let request = format!(
        "POST /in/{source} HTTP/1.1\r\nhost: gateway\r\n{lines}content-length: {length}\r\n\r\n{body}"
    );
    let mut connection = Raw::connect(gateway.listen()).await;
    connection.send(request).await;
    connection.answer().await
}

async fn stored(gateway: &Gateway) -> usize {
    gateway.get("/api/v1/events").await.json()["items"].as_array().expect("a list").len()
}

/// Name, source, headers, body, status.
type Attack = (&'static str, &'static str, Headers, String, u16);

fn attack(name: &'static str, source: &'static str, headers: Headers, body: &str, status: u16) -> Attack {
    (name, source, headers, body.to_owned(), status)
}

fn with(mut headers: Headers, name: &str, value: &str) -> Headers {
    headers.push((name.to_owned(), value.to_owned()));
    headers
}

fn renamed(headers: Headers, from: &str, to: &str) -> Headers {
    let rename = |name: String| if name == from { to.to_owned() } else { name };
    headers.into_iter().map(|(name, value)| (rename(name), value)).collect()
}

fn bodies() -> Vec<Attack> {
    let signed = || github(GITHUB, "d-1", BODY);
    vec![
        attack("a truncated body", "github", signed(), &BODY[..BODY.len() - 1], 401),
        attack("a body with more behind it", "github", signed(), &format!("{BODY} "), 401),
        attack("a body serialised again", "github", signed(), &BODY.replace(':', ": "), 401),
        attack(
            "a body whose escapes were resolved",
            "github",
            signed(),
            &BODY.replace("\\u0301", "\u{301}"),
            401,
        ),
        attack("a body in another normal form", "github", signed(), &BODY.replace('é', "e\u{301}"), 401),
        attack("an empty body under the signature of another", "github", signed(), "", 401),
        attack("another body under this signature", "github", signed(), r#"{"id":"evt_2"}"#, 401),
        attack("the signature of another body", "github", github(GITHUB, "d-1", "{}"), BODY, 401),
        attack("an empty body, unsigned", "github", headers(&[("x-github-event", "push")]), "", 401),
        attack("another body in Stripe's envelope", "stripe", stripe(NOW, "{}"), BODY, 401),
    ]
}

fn times() -> Vec<Attack> {
    let moved = stripe(NOW, BODY)[0].1.replace(&format!("t={NOW}"), &format!("t={}", NOW + 1));
    let second = format!("t={NOW},{}", stripe(NOW - 301, BODY)[0].1);
    vec![
        attack("a stale request", "stripe", stripe(NOW - 301, BODY), BODY, 401),
        attack("one from the future", "stripe", stripe(NOW + 301, BODY), BODY, 401),
        attack(
            "a fresh time beside an old signature",
            "stripe",
            headers(&[("stripe-signature", &moved)]),
            BODY,
            401,
        ),
        attack(
            "a fresh time before the old one",
            "stripe",
            headers(&[("stripe-signature", &second)]),
            BODY,
            401,
        ),
        attack("no time", "stripe", headers(&[("stripe-signature", "v1=00")]), BODY, 401),
        attack("a time that is none", "stripe", headers(&[("stripe-signature", "t=-1,v1=00")]), BODY, 400),
    ]
}

fn signatures() -> Vec<Attack> {
    let signed = || github(GITHUB, "d-1", BODY);
    let bare = || headers(&[("x-github-event", "push")]);
    let good = github_signature(GITHUB, BODY);
    let (left, right) = good.split_at(30);
    vec![
        attack("no signature", "github", bare(), BODY, 401),
        attack("an empty signature", "github", with(bare(), "x-hub-signature-256", ""), BODY, 401),
        attack("a prefix alone", "github", with(bare(), "x-hub-signature-256", "sha256="), BODY, 401),
        attack("half a signature", "github", with(bare(), "x-hub-signature-256", left), BODY, 401),
        attack(
            "the signature twice in one",
            "github",
            with(bare(), "x-hub-signature-256", &format!("{good}{}", &good[7..])),
            BODY,
            401,
        ),
        attack(
            "the prefix in another case",
            "github",
            with(bare(), "x-hub-signature-256", &good.replace("sha256", "SHA256")),
            BODY,
            401,
        ),
        attack(
            "the older header",
            "github",
            renamed(signed(), "x-hub-signature-256", "x-hub-signature"),
            BODY,
            401,
        ),
        attack(
            "an underscore for a dash",
            "github",
            renamed(signed(), "x-hub-signature-256", "x_hub_signature_256"),
            BODY,
            401,
        ),
        attack(
            "a folded signature",
            "github",
            with(bare(), "x-hub-signature-256", &format!("{left}\r\n {right}")),
            BODY,
            400,
        ),
        attack(
            "a signature over two headers",
            "github",
            with(with(bare(), "x-hub-signature-256", left), "x-hub-signature-256", right),
            BODY,
            401,
        ),
        attack(
            "two wrong signatures joined",
            "github",
            with(
                bare(),
                "x-hub-signature-256",
                &format!("{}, {}", github_signature("x", BODY), github_signature("y", BODY)),
            ),
            BODY,
            401,
        ),
        attack(
            "hex of nothing",
            "stripe",
            headers(&[("stripe-signature", &format!("t={NOW},v1="))]),
            BODY,
            401,
        ),
    ]
}

fn confusions() -> Vec<Attack> {
    let public = STANDARD.decode(PUBLIC).unwrap();
    let shared = STANDARD.decode(SHARED).unwrap();
    let jwt = |head: &str, key: &[u8]| {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(BODY));
        headers(&[("authorization", &format!("Bearer {input}.{}", URL_SAFE_NO_PAD.encode(mac(key, &input))))])
    };
    vec![
        attack("the public key as an HMAC key", "public", standard("v1", &public, BODY), BODY, 401),
        attack("the same under v1a", "public", standard("v1a", &public, BODY), BODY, 401),
        attack(
            "the public key's text as an HMAC key",
            "public",
            standard("v1", format!("whpk_{PUBLIC}").as_bytes(), BODY),
            BODY,
            401,
        ),
        attack("a true v1 called v1a", "shared", standard("v1a", &shared, BODY), BODY, 401),
        attack("the secret undecoded", "shared", standard("v1", SHARED.as_bytes(), BODY), BODY, 401),
        attack("a JWT without algorithm", "shared", jwt(r#"{"alg":"none"}"#, b""), BODY, 401),
        attack("a JWT by the public key", "public", jwt(r#"{"alg":"HS256"}"#, &public), BODY, 401),
        attack("GitHub's signature at Stripe's source", "stripe", github(GITHUB, "d-1", BODY), BODY, 401),
        attack("Stripe's signature at GitHub's source", "github", stripe(NOW, BODY), BODY, 401),
        attack("another source's secret", "github", github(OTHER, "d-1", BODY), BODY, 401),
        attack(
            "the secret itself as signature",
            "github",
            headers(&[("x-hub-signature-256", &format!("sha256={}", hex::encode(GITHUB)))]),
            BODY,
            401,
        ),
        attack("a source that is none", "nowhere", github(GITHUB, "d-1", BODY), BODY, 404),
    ]
}

fn tokens() -> Vec<Attack> {
    let token = |name: &str, value: &str| headers(&[(name, value)]);
    vec![
        attack("no token", "token", Headers::new(), BODY, 401),
        attack("a token in another header", "token", token("authorization", TOKEN), BODY, 401),
        attack("a token in another case", "token", token("x-token", &TOKEN.to_uppercase()), BODY, 401),
        attack("the beginning of a token", "token", token("x-token", &TOKEN[..4]), BODY, 401),
        attack("more than a token", "token", token("x-token", &format!("{TOKEN}0")), BODY, 401),
        attack("a token in a list", "token", token("x-token", &format!("x, {TOKEN}")), BODY, 401),
        attack("an empty token", "token", token("x-token", ""), BODY, 401),
    ]
}

/// What each source's provider would have sent.
fn true_requests() -> Vec<(&'static str, Headers)> {
    vec![
        ("github", github(GITHUB, "d-1", BODY)),
        ("other", github(OTHER, "d-1", BODY)),
        ("stripe", stripe(NOW, BODY)),
        ("shared", standard("v1", &STANDARD.decode(SHARED).unwrap(), BODY)),
        ("token", headers(&[("x-token", TOKEN)])),
    ]
}

#[tokio::test]
async fn what_is_not_proven_is_refused_and_leaves_nothing() {
    let gateway = start(&Clock::standing(Millis(NOW * 1000))).await;
    for (name, source, headers, body, status) in
        [bodies(), times(), signatures(), confusions(), tokens()].into_iter().flatten()
    {
        let answer = post(&gateway, source, &headers, &body).await;
        let text = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, status, "{name}: {text}");
        for secret in [GITHUB, OTHER, STRIPE, TOKEN, SHARED] {
            assert!(!text.contains(secret), "{name}: the answer holds a secret");
        }
        assert_eq!(stored(&gateway).await, 0, "{name} was stored");
    }
    for (place, (source, headers)) in true_requests().into_iter().enumerate() {
        let answer = post(&gateway, source, &headers, BODY).await;
        assert_eq!(answer.status, 200, "{source}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(stored(&gateway).await, place + 1, "{source}");
    }
}

#[tokio::test]
async fn a_replay_is_recognised_and_a_stale_one_refused() {
    let clock = Clock::standing(Millis(NOW * 1000));
    let gateway = start(&clock).await;
    let first = post(&gateway, "stripe", &stripe(NOW, BODY), BODY).await.json();
    assert_eq!(first["status"], "accepted");
    for (later, status) in [(0, 200), (300, 200), (301, 401), (86_400, 401)] {
        clock.jump_to(Millis((NOW + later) * 1000));
        let again = post(&gateway, "stripe", &stripe(NOW, BODY), BODY).await;
        assert_eq!(again.status, status, "{later} s later");
        if status == 200 {
            assert_eq!((&again.json()["status"], &again.json()["id"]), (&"duplicate".into(), &first["id"]));
        }
        assert_eq!(stored(&gateway).await, 1, "{later} s later");
    }
    // The same event, signed again by its provider, is still the same.
    clock.jump_to(Millis((NOW + 400) * 1000));
    let retried = post(&gateway, "stripe", &stripe(NOW + 400, BODY), BODY).await.json();
    assert_eq!((&retried["status"], &retried["id"]), (&"duplicate".into(), &first["id"]));
}

#[tokio::test]
async fn what_a_proxy_may_change_is_no_attack() {
    let gateway = start(&Clock::standing(Millis(NOW * 1000))).await;
    let good = github_signature(GITHUB, BODY);
    let wrong = github_signature("wrong", BODY);
    let upper = format!("sha256={}", good[7..].to_uppercase());
    let signature = |value: &str| with(headers(&[("x-github-event", "push")]), "X-HUB-Signature-256", value);
    for (name, headers) in [
        ("names in another case", signature(&good)),
        ("hex in capitals", signature(&upper)),
        ("white space around it", signature(&format!("  {good} "))),
        ("a wrong one before it", with(signature(&wrong), "x-hub-signature-256", &good)),
        ("joined with a wrong one", signature(&format!("{wrong}, {good}"))),
    ] {
        let answer = post(&gateway, "github", &headers, BODY).await;
        assert_eq!(answer.status, 200, "{name}: {}", String::from_utf8_lossy(&answer.body));
    }
}

#[test]
fn a_source_without_secrets_never_comes_into_force() {
    let needed = |key: &str| match key {
        // Every source below has one.
        "public_url" => String::new(),
        key => format!("{key} = \"given\"\n"),
    };
    let mut awaited = Vec::new();
    for preset in preset_names() {
        let needs: String = verify::preset(preset).unwrap().needs.iter().map(|key| needed(key)).collect();
        let text =
            format!("[sources.a]\nscheme = \"{preset}\"\npublic_url = \"https://h.test/in/a\"\n{needs}");
        match Config::from_text(Path::new("/hookloom.toml"), &text) {
            Err(problems) => {
                let said = problems.to_string();
                assert!(said.contains("source \"a\": secrets: are missing"), "{preset}: {said}");
                assert_eq!(problems.0.len(), 1, "{preset}: {said}");
            }
            Ok(config) => {
                let scheme = config.front_door.sources["a"].scheme.own().expect("a preset");
                assert!(scheme.learns() && scheme.has_no_secret(), "{preset} takes what nobody signed");
                awaited.push(preset);
            }
        }
    }
    assert_eq!(awaited, ["asana", "notion"]);
}
