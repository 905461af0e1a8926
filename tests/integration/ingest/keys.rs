//! Keys that are fetched to verify: once for all, never from a look-alike, and never an
//! event without one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hookloom::app::Surroundings;
use hookloom::clock::Clock;
use hookloom::deliver::{Egress, EgressPolicy, FetchFailure, OutsideClient, TlsSettings};
use hookloom::ingest::{FetchError, Fetcher};
use hookloom::model::Millis;
use hookloom::verify::Fetch;
use hookloom_testkit::certs::Authority;
use hookloom_testkit::gateway::{Answer, Gateway};
use hookloom_testkit::tls_receiver::{TlsAnswer, TlsOptions, TlsReceiver};
use hookloom_testkit::wait::eventually;
use serde_json::Value;
use tokio::sync::watch;

use super::{assert_refused, counted, open_source};

const CERTIFICATE: &str = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-FAKE.pem";
const SUBSCRIBE: &str =
    "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=fake&Token=FAKE";
const GOOGLE: &str = "https://www.googleapis.com/oauth2/v1/certs";

const SOURCES: &str = r#"
    [sources.aws-sns]
    scheme = "aws-sns"
    secrets = ["arn:aws:sns:us-east-1:000000000000:fake"]

    [sources.google-pubsub]
    scheme = "google-pubsub"
    secrets = ["fake-push@fake-project.iam.gserviceaccount.com"]
    audience = "https://hooks.example.test/in/google-pubsub"

    [sources.paypal]
    scheme = "paypal"
    secrets = ["FAKEWEBHOOKID0001"]

    [sources.plaid]
    scheme = "plaid"
    secrets = ["FAKE-client-id:FAKE-secret"]
"#;

const PLAID_KEY: &str = "plaid:/webhook_verification_key/get?key_id=FAKEKID";
const PAYPAL_CERTIFICATE: &str = "https://api.paypal.com/v1/notifications/certs/CERT-FAKE";

/// A key server that answers as told, and remembers what it was asked.
#[derive(Debug)]
struct Stub {
    answers: Mutex<BTreeMap<String, Result<Bytes, FetchError>>>,
    calls: Mutex<Vec<String>>,
    /// Answers are held back until then.
    open: watch::Sender<bool>,
}

#[async_trait]
impl Fetcher for Stub {
    async fn fetch(&self, name: &str, fetch: &Fetch) -> Result<Bytes, FetchError> {
        let is_plaid = fetch.url == "https://production.plaid.com/webhook_verification_key/get";
        let due = if is_plaid { (name, "POST") } else { (fetch.url.as_str(), "GET") };
        assert_eq!((name, fetch.method), due);
        self.calls.lock().unwrap().push(name.to_owned());
        self.open.subscribe().wait_for(|open| *open).await.expect("the stub lives");
        let answers = self.answers.lock().unwrap();
        answers.get(name).cloned().unwrap_or(Err(FetchError::Refused(404)))
    }
}

impl Stub {
    fn set(&self, name: &str, answer: Result<&str, FetchError>) {
        let answer = answer.map(|text| Bytes::from(text.to_owned()));
        self.answers.lock().unwrap().insert(name.to_owned(), answer);
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

struct Scene {
    gateway: Gateway,
    stub: Arc<Stub>,
    clock: Clock,
}

const THEN: Millis = Millis(1_700_000_000_000);

/// A gateway at the time of the recorded requests, whose key server knows nothing yet.
async fn scene() -> Scene {
    scene_at(Clock::standing(THEN)).await
}

async fn scene_at(clock: Clock) -> Scene {
    let open = watch::Sender::new(true);
    let stub = Arc::new(Stub { answers: Mutex::default(), calls: Mutex::default(), open });
    let surroundings =
        Surroundings { clock: clock.clone(), fetcher: Some(stub.clone()), ..Surroundings::system() };
    let gateway = Gateway::start_in(surroundings, SOURCES).await;
    Scene { gateway, stub, clock }
}

/// The recorded request of that description.
fn recorded(provider: &str, description: &str) -> Value {
    let path = format!("../tests/vectors/{provider}.json");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let cases: Vec<Value> = serde_json::from_str(&text).unwrap();
    cases.into_iter().find(|case| case["description"] == description).expect("it is recorded")
}

async fn send(gateway: &Gateway, case: &Value) -> Answer {
    let headers = case["headers"].as_object().unwrap();
    let headers: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let body = STANDARD.decode(case["body_base64"].as_str().unwrap()).unwrap();
    gateway.post(case["provider"].as_str().unwrap(), &headers, body).await
}

fn fixture<'c>(case: &'c Value, name: &str) -> &'c str {
    case["fixtures"][name].as_str().expect("the case has it")
}

impl Scene {
    async fn events(&self) -> usize {
        self.gateway.get("/api/v1/events").await.json()["items"].as_array().unwrap().len()
    }

    /// Lets wall-clock time pass.
    fn pass(&self, seconds: i64) {
        self.clock.jump_to(Millis(self.clock.now().0 + seconds * 1000));
    }
}

#[tokio::test]
async fn fifty_requests_at_once_make_one_fetch() {
    let scene = scene().await;
    let case = recorded("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)");
    scene.stub.set(CERTIFICATE, Ok(fixture(&case, CERTIFICATE)));
    scene.stub.open.send_replace(false);
    let sending = (0..50).map(|_| send(&scene.gateway, &case));
    let let_go = async {
        while scene.stub.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        scene.stub.open.send_replace(true);
    };
    let (answers, ()) = tokio::join!(futures_all(sending), let_go);
    for answer in answers {
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(scene.stub.calls(), [CERTIFICATE]);
    assert_eq!(scene.events().await, 1, "all were the same event");

    // It is kept for a day, and then asked for again.
    scene.pass(24 * 3600 - 60);
    assert_eq!(send(&scene.gateway, &case).await.status, 200);
    assert_eq!(scene.stub.calls().len(), 1);
    scene.pass(120);
    assert_eq!(send(&scene.gateway, &case).await.status, 200);
    assert_eq!(scene.stub.calls().len(), 2);
}

/// All of them at once, in order.
async fn futures_all<F: Future<Output = Answer>>(all: impl Iterator<Item = F>) -> Vec<Answer> {
    let mut waiting: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, answer) in &mut waiting {
            if answer.is_none()
                && let std::task::Poll::Ready(came) = one.as_mut().poll(context)
            {
                *answer = Some(came);
            }
        }
        if waiting.iter().all(|(_, answer)| answer.is_some()) {
            return std::task::Poll::Ready(());
        }
        std::task::Poll::Pending
    })
    .await;
    waiting.into_iter().filter_map(|(_, answer)| answer).collect()
}

#[tokio::test]
async fn without_a_key_nothing_is_accepted_and_with_it_all_is_well_again() {
    let scene = scene().await;
    let case = recorded("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)");
    scene.stub.set(CERTIFICATE, Err(FetchError::Unreachable("no route".to_owned())));
    for _ in 0..3 {
        let answer = send(&scene.gateway, &case).await;
        assert_refused(&answer, 503, "the request cannot be verified now");
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(scene.stub.calls().len(), 1, "a failure is remembered for a moment");
    assert_eq!(scene.events().await, 0);
    assert_eq!(scene.gateway.count("hookloom_key_fetches_total{outcome=\"unreachable\"}").await, 1);

    scene.stub.set(CERTIFICATE, Ok(fixture(&case, CERTIFICATE)));
    scene.pass(5);
    assert_eq!(send(&scene.gateway, &case).await.status, 200);
    assert_eq!(scene.events().await, 1);
    assert_eq!(scene.gateway.count("hookloom_key_fetches_total{outcome=\"ok\"}").await, 1);
}

#[tokio::test]
async fn a_key_that_is_not_to_be_had_proves_nothing() {
    let scene = scene().await;
    let case = recorded("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)");
    assert_refused(&send(&scene.gateway, &case).await, 401, "the key that signed is not known");
    // Google's keys are one set, so a refusal of it is about no key at all.
    let google = recorded("google-pubsub", "valid");
    assert_refused(&send(&scene.gateway, &google).await, 503, "the request cannot be verified now");
    scene.pass(5);
    assert_eq!(scene.events().await, 0);
}

#[tokio::test]
async fn what_comes_instead_of_a_key_says_nothing_and_is_not_kept() {
    let scene = scene().await;
    for (provider, description, name) in [
        ("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)", CERTIFICATE),
        ("google-pubsub", "valid", GOOGLE),
        ("paypal", "valid", PAYPAL_CERTIFICATE),
        ("plaid", "valid", PLAID_KEY),
    ] {
        let case = recorded(provider, description);
        let before = scene.stub.calls().len();
        // A key that is cut off, a page, and an answer that is JSON and no key.
        let good = fixture(&case, name);
        for garbage in [&good[..good.len() / 2], "<html>", "{\"error\":\"later\"}"] {
            scene.stub.set(name, Ok(garbage));
            let answer = send(&scene.gateway, &case).await;
            assert_refused(&answer, 503, "the request cannot be verified now");
            scene.pass(5);
        }
        scene.stub.set(name, Ok(good));
        assert_eq!(send(&scene.gateway, &case).await.status, 200, "{provider}");
        assert_eq!(scene.stub.calls().len(), before + 4, "{provider}");
    }
    assert_eq!(scene.gateway.count("hookloom_key_fetches_total{outcome=\"unusable\"}").await, 12);
}

/// The request of somebody who made up a key of Plaid's: all else in it is as it should be.
fn with_key_id(case: &Value, key_id: &str) -> Value {
    let mut made_up = case.clone();
    let token = &mut made_up["headers"]["plaid-verification"];
    let (_, rest) = token.as_str().unwrap().split_once('.').unwrap();
    let head = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"ES256","kid":"{key_id}"}}"#));
    *token = format!("{head}.{rest}").into();
    made_up
}

/// The message with the certificate at that URL, which nothing in it signs.
fn with_certificate(case: &Value, url: &str) -> Value {
    let mut other = case.clone();
    let body = STANDARD.decode(case["body_base64"].as_str().unwrap()).unwrap();
    let mut message: Value = serde_json::from_slice(&body).unwrap();
    message["SigningCertURL"] = url.into();
    other["body_base64"] = STANDARD.encode(message.to_string()).into();
    other
}

#[tokio::test(flavor = "multi_thread")]
async fn made_up_keys_are_asked_for_so_often_and_cost_no_genuine_one() {
    const TOO_MANY: &str = "too many unknown keys are named at once";
    let clock = Clock::manual(THEN);
    let scene = scene_at(clock.clone()).await;
    let sns = recorded("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)");
    let (plaid, paypal) = (recorded("plaid", "valid"), recorded("paypal", "valid"));
    scene.stub.set(CERTIFICATE, Ok(fixture(&sns, CERTIFICATE)));
    scene.stub.set(PAYPAL_CERTIFICATE, Ok(fixture(&paypal, PAYPAL_CERTIFICATE)));
    scene.stub.set(PLAID_KEY, Ok(fixture(&plaid, PLAID_KEY)));
    assert_eq!(send(&scene.gateway, &sns).await.status, 200);

    for at in 0..10 {
        let answer = send(&scene.gateway, &with_key_id(&plaid, &format!("made-up-{at}"))).await;
        let due = if at < 4 { (401, "the key that signed is not known") } else { (503, TOO_MANY) };
        assert_refused(&answer, due.0, due.1);
    }
    assert_eq!(scene.stub.calls().len(), 1 + 4);
    assert_eq!(scene.gateway.count("hookloom_key_fetches_total{outcome=\"postponed\"}").await, 6);

    // Plaid's own key is one that nobody knows yet: it is asked to come again, not refused.
    let answer = send(&scene.gateway, &plaid).await;
    assert_refused(&answer, 503, TOO_MANY);
    assert!(answer.headers.contains_key("retry-after"));
    // Others notice nothing: neither who has its key, nor who needs one.
    assert_eq!(send(&scene.gateway, &sns).await.status, 200);
    assert_eq!(send(&scene.gateway, &paypal).await.status, 200);
    assert_eq!(scene.stub.calls().len(), 1 + 4 + 1);

    clock.advance(Duration::from_secs(2));
    assert_eq!(send(&scene.gateway, &plaid).await.status, 200);
    assert_refused(&send(&scene.gateway, &with_key_id(&plaid, "made-up")).await, 503, TOO_MANY);
    assert_eq!(send(&scene.gateway, &plaid).await.status, 200, "what was had once is had");

    scene.gateway.write_config(&(SOURCES.to_owned() + &open_source("")));
    eventually("the other source is there", async || {
        let answer = scene.gateway.post("open", &[], "{}").await;
        if answer.status == 200 { Ok(()) } else { Err(answer.body) }
    })
    .await;
    assert_refused(&send(&scene.gateway, &with_key_id(&plaid, "made-up")).await, 503, TOO_MANY);
    assert_eq!(scene.stub.calls().len(), 1 + 4 + 1 + 1, "a reload grants no other burst");
}

#[tokio::test]
async fn one_certificate_is_one_document_however_its_url_is_spelled() {
    let scene = scene().await;
    let sns = recorded("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)");
    let paypal = recorded("paypal", "valid");
    scene.stub.set(CERTIFICATE, Ok(fixture(&sns, CERTIFICATE)));
    scene.stub.set(PAYPAL_CERTIFICATE, Ok(fixture(&paypal, PAYPAL_CERTIFICATE)));
    for (from, to) in [("", ""), ("sns.", "SNS."), (".com/", ".com:443/"), (".com/", ".com/./")] {
        let answer = send(&scene.gateway, &with_certificate(&sns, &CERTIFICATE.replacen(from, to, 1))).await;
        assert_eq!(answer.status, 200, "{from} to {to}: {}", answer.body);
    }
    for (from, to) in [("", ""), ("api.", "API."), (".com/", ".com:443/"), ("certs/", "certs/../certs/")] {
        let mut other = paypal.clone();
        other["headers"]["paypal-cert-url"] = PAYPAL_CERTIFICATE.replacen(from, to, 1).into();
        let answer = send(&scene.gateway, &other).await;
        assert_eq!(answer.status, 200, "{from} to {to}: {}", answer.body);
    }
    assert_eq!(scene.stub.calls(), [CERTIFICATE, PAYPAL_CERTIFICATE]);
}

#[tokio::test]
async fn certificates_that_proved_nothing_do_not_drive_out_the_one_that_did() {
    // As many as a place keeps.
    const MANY: usize = 256;
    let clock = Clock::manual(THEN);
    let scene = scene_at(clock.clone()).await;
    let genuine = recorded("aws-sns", "valid notification, SignatureVersion 2 (SHA-256)");
    let forged = recorded("aws-sns", "tampered Message");
    let certificate = fixture(&genuine, CERTIFICATE);
    scene.stub.set(CERTIFICATE, Ok(certificate));
    assert_eq!(send(&scene.gateway, &genuine).await.status, 200);
    // Each under a name of its own.
    for at in 0..MANY {
        clock.advance(Duration::from_secs(2));
        let url = CERTIFICATE.replace("FAKE", &at.to_string());
        scene.stub.set(&url, Ok(certificate));
        let answer = send(&scene.gateway, &with_certificate(&forged, &url)).await;
        assert_refused(&answer, 401, "the signature does not match");
    }
    assert_eq!(scene.stub.calls().len(), 1 + MANY);
    assert_eq!(send(&scene.gateway, &genuine).await.status, 200);
    assert_eq!(scene.stub.calls().len(), 1 + MANY, "its certificate is still there");
}

#[tokio::test]
async fn look_alikes_are_never_asked() {
    let scene = scene().await;
    for description in [
        "certificate on a look-alike host",
        "certificate over http",
        "certificate path not .pem",
        "right signature, topic of somebody else",
        "SignatureVersion 3",
        "Signature missing",
    ] {
        let answer = send(&scene.gateway, &recorded("aws-sns", description)).await;
        assert_eq!(answer.status, 401, "{description}: {}", answer.body);
    }
    for description in ["another audience", "another service account", "expired", "no Bearer scheme"] {
        let answer = send(&scene.gateway, &recorded("google-pubsub", description)).await;
        assert_eq!(answer.status, 401, "{description}: {}", answer.body);
    }
    assert_eq!(scene.stub.calls(), Vec::<String>::new());
    assert_eq!(scene.events().await, 0);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_again_once_in_five_minutes() {
    let scene = scene().await;
    let good = recorded("google-pubsub", "valid");
    let unknown = recorded("google-pubsub", "unknown kid");
    scene.stub.set(GOOGLE, Ok(fixture(&good, GOOGLE)));
    assert_eq!(send(&scene.gateway, &good).await.status, 200);
    let refused = "the key that signed is not known";
    assert_refused(&send(&scene.gateway, &unknown).await, 401, refused);
    assert_eq!(scene.stub.calls().len(), 1, "the set is new enough to know");
    scene.pass(301);
    for _ in 0..3 {
        assert_refused(&send(&scene.gateway, &unknown).await, 401, refused);
    }
    assert_eq!(scene.stub.calls().len(), 2);
}

#[tokio::test]
async fn a_subscription_is_confirmed_before_it_is_answered_and_is_no_event() {
    let scene = scene().await;
    let begin = recorded("aws-sns", "subscription confirmation");
    scene.stub.set(CERTIFICATE, Ok(fixture(&begin, CERTIFICATE)));
    scene.stub.set(SUBSCRIBE, Err(FetchError::Unreachable("no route".to_owned())));
    let answer = send(&scene.gateway, &begin).await;
    assert_refused(&answer, 503, "the subscription cannot be confirmed now");
    scene.stub.set(SUBSCRIBE, Ok("<ConfirmSubscriptionResponse/>"));
    assert_eq!(send(&scene.gateway, &begin).await.status, 200);
    assert_eq!(scene.stub.calls(), [CERTIFICATE, SUBSCRIBE, SUBSCRIBE]);

    // Its end is acknowledged, and its URL, which would undo it, is not called.
    let end = recorded("aws-sns", "unsubscribe confirmation");
    assert_eq!(send(&scene.gateway, &end).await.status, 200);
    assert_eq!(scene.stub.calls().len(), 3);
    assert_eq!(counted(&scene.gateway, "aws-sns", "handshake").await, "2");
    assert_eq!(scene.events().await, 0);
}

/// A client that may dial loopback and trusts that authority.
fn client(authority: &Authority, allow: &[&str]) -> OutsideClient {
    let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
    let mut tls = TlsSettings::default();
    tls.trust_only(authority.pem().as_bytes()).unwrap();
    let egress = Egress::from(EgressPolicy { allow, ..EgressPolicy::default() });
    OutsideClient::new(&egress, tls).unwrap()
}

async fn key_server(authority: &Authority, script: &[TlsAnswer]) -> TlsReceiver {
    let options =
        TlsOptions { pair: authority.server("127.0.0.1"), alpn: vec!["http/1.1"], client_authority: None };
    TlsReceiver::start(options, script.iter().copied()).await
}

#[tokio::test]
async fn the_client_follows_nothing_and_reads_no_more_than_it_must() {
    let authority = Authority::new();
    let script = [
        TlsAnswer::Body(64 * 1024),
        TlsAnswer::Body(64 * 1024 + 1),
        TlsAnswer::Redirect,
        TlsAnswer::Status(503),
        TlsAnswer::Cut,
    ];
    let server = key_server(&authority, &script).await;
    let client = client(&authority, &["127.0.0.0/8"]);
    let url = server.url("127.0.0.1");
    let ask = || client.fetch("GET", &url, &[], Vec::new());
    let whole = ask().await.unwrap();
    assert_eq!((whole.status, whole.body.len()), (200, 64 * 1024));
    assert!(matches!(ask().await, Err(FetchFailure::TooLarge)));
    assert_eq!(ask().await.unwrap().status, 302);
    assert_eq!(ask().await.unwrap().status, 503);
    assert!(matches!(ask().await, Err(FetchFailure::Unanswered(_))));
    assert_eq!(server.seen().len(), 5, "nobody went where the redirect pointed");
}

#[tokio::test]
async fn the_client_dials_what_the_guard_allows_over_https_alone() {
    let authority = Authority::new();
    let server = key_server(&authority, &[]).await;
    let url = server.url("127.0.0.1");
    let guarded = client(&authority, &[]);
    let refused = guarded.fetch("GET", &url, &[], Vec::new()).await.unwrap_err().to_string();
    assert!(refused.contains("127.0.0.1"), "{refused}");
    let open = client(&authority, &["127.0.0.0/8"]);
    let plain = url.replace("https", "http");
    assert!(matches!(open.fetch("GET", &plain, &[], Vec::new()).await, Err(FetchFailure::Request(_))));
    let stranger = client(&Authority::new(), &["127.0.0.0/8"]);
    assert!(matches!(stranger.fetch("GET", &url, &[], Vec::new()).await, Err(FetchFailure::Unanswered(_))));
    assert!(server.seen().is_empty());
    assert_eq!(open.fetch("GET", &url, &[], Vec::new()).await.unwrap().status, 200);
}

#[tokio::test]
async fn the_client_waits_five_seconds_and_no_longer() {
    let authority = Authority::new();
    let server = key_server(&authority, &[TlsAnswer::Held(200)]).await;
    let client = client(&authority, &["127.0.0.0/8"]);
    let answer = client.fetch("GET", &server.url("127.0.0.1"), &[], Vec::new()).await;
    assert!(matches!(answer, Err(FetchFailure::Timeout)), "{answer:?}");
    server.open();
}
