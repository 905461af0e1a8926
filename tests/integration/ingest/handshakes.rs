//! Every recorded handshake, and those of our own, through a gateway: what is answered,
//! and that none of it is an event.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use hookloom::app::Surroundings;
use hookloom::clock::Clock;
use hookloom::model::Millis;
use hookloom::verify::{VerifyConfig, preset_text};
use hookloom_testkit::gateway::Gateway;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{counted, rows};
use crate::recorded;

/// When they were recorded.
const NOW: Millis = Millis(1_700_000_000_000);

/// One of the list: needs the envelope of another file and a call to outside.
const NOT_HERE: &[&str] = &["aws-sns"];

/// A handshake with what the file leaves to whoever replays it.
struct Case {
    /// As it was recorded.
    told: Value,
    /// The source's name, which the case has for itself.
    name: String,
    /// Of Discord's recorded pings, which came without one.
    signature: Option<String>,
}

fn cases() -> Vec<Case> {
    let mut told = recorded::handshakes();
    told.retain(|case| !NOT_HERE.contains(&case["provider"].as_str().unwrap()));
    let case = |(number, told): (usize, Value)| {
        let is_unsigned = told["provider"] == "discord" && told["config"].get("secret").is_none();
        let signature = is_unsigned.then(|| {
            let message = [b"1700000000", &body(&told)[..]].concat();
            hex::encode(discord_key().sign(&message).to_bytes())
        });
        Case { told, name: format!("case-{number}"), signature }
    };
    told.into_iter().enumerate().map(case).collect()
}

fn body(told: &Value) -> Vec<u8> {
    STANDARD.decode(told["request"]["body_base64"].as_str().unwrap()).unwrap()
}

/// JSON as a value of TOML.
fn inline(value: &Value) -> String {
    let Some(table) = value.as_object() else { return value.to_string() };
    let fields: Vec<_> = table.iter().map(|(name, value)| format!("{name} = {}", inline(value))).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// What a handshake is nothing without, as a key of the source.
fn taken_by(handshake: &str) -> &'static str {
    match handshake {
        "meta-subscribe" => "verify_token",
        "braintree-challenge" => "public_key",
        _ => "",
    }
}

fn discord_key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

impl Case {
    fn text(&self, pointer: &str) -> &str {
        self.told.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn shown(&self) -> String {
        format!("{}, {}", self.text("/provider"), self.text("/description"))
    }

    /// The fields of its scheme where that is no preset.
    fn verify(&self) -> Option<String> {
        let fields = self.told.pointer("/config/verify")?.as_object().unwrap().iter();
        let lines: Vec<_> = fields.map(|(name, value)| format!("{name} = {}", inline(value))).collect();
        Some(lines.join("\n"))
    }

    /// The handshake that it is one of.
    fn handshake(&self) -> Option<String> {
        let text = match self.verify() {
            Some(verify) => format!("[verify]\n{verify}"),
            None => preset_text(self.text("/provider"))?.to_owned(),
        };
        let parsed: toml::Table = toml::from_str(&text).unwrap();
        parsed["verify"].get("handshake").map(|word| word.as_str().unwrap().to_owned())
    }

    fn secrets(&self) -> Vec<String> {
        let config = &self.told["config"];
        if let Some(several) = config["secrets"].as_array() {
            return several.iter().map(|one| one.as_str().unwrap().to_owned()).collect();
        }
        match config["secret"].as_str() {
            Some(one) => vec![one.to_owned()],
            None if self.signature.is_some() => vec![hex::encode(discord_key().verifying_key())],
            // These are to learn theirs.
            None if ["asana", "clio", "notion"].contains(&self.text("/provider")) => Vec::new(),
            None => vec!["FAKE-test-only".to_owned()],
        }
    }

    /// Its table of the configuration.
    fn source(&self) -> String {
        let url = url::Url::parse(self.text("/request/url")).unwrap();
        let mut text = format!(
            "[sources.{}]\nsecrets = {}\npublic_url = \"https://{}{}\"\n",
            self.name,
            json!(self.secrets()),
            url.host_str().unwrap(),
            url.path()
        );
        for key in ["verify_token", "public_key"] {
            let takes = self.handshake().is_some_and(|word| key == taken_by(&word));
            let value = self.told["config"][key].as_str().or(takes.then_some("FAKE"));
            if let Some(value) = value {
                writeln!(text, "{key} = \"{value}\"").unwrap();
            }
        }
        match self.verify() {
            Some(verify) => writeln!(text, "[sources.{}.verify]\n{verify}", self.name).unwrap(),
            None => writeln!(text, "scheme = \"{}\"", self.text("/provider")).unwrap(),
        }
        text
    }

    async fn send(&self, gateway: &Gateway, client: &reqwest::Client) -> reqwest::Response {
        let url = url::Url::parse(self.text("/request/url")).unwrap();
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        let method = Method::from_bytes(self.text("/request/method").as_bytes()).unwrap();
        let mut request = client.request(method, format!("{}{query}", gateway.source_url(&self.name)));
        for (name, value) in self.told["request"]["headers"].as_object().unwrap() {
            let values = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
            for value in values {
                request = request.header(name, value.as_str().unwrap().as_bytes());
            }
        }
        if let Some(signature) = &self.signature {
            request = request.header("x-signature-timestamp", "1700000000");
            request = request.header("x-signature-ed25519", signature);
        }
        request.body(body(&self.told)).send().await.unwrap()
    }

    /// What is not as the case expects.
    async fn mistakes(&self, answer: reqwest::Response) -> Vec<String> {
        let expect = &self.told["expect"];
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer.text().await.unwrap();
        let mut wrong = Vec::new();
        if u64::from(status.as_u16()) != expect["status"] {
            wrong.push(format!("status {status}"));
        }
        let header = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        for (name, value) in expect["headers"].as_object().into_iter().flatten() {
            if header(name).as_deref() != value.as_str() {
                wrong.push(format!("{name}: {:?}", header(name)));
            }
        }
        if expect["body"].as_str().is_some_and(|expected| expected != body) {
            wrong.push(format!("body {body:?}"));
        }
        if let Some(expected) = expect.get("json")
            && serde_json::from_str::<Value>(&body).ok().as_ref() != Some(expected)
        {
            wrong.push(format!("body {body:?}"));
        }
        let is_absent = |text: &str| !body.contains(text) && !format!("{headers:?}").contains(text);
        if expect["absent"].as_str().is_some_and(|text| !is_absent(text)) {
            wrong.push(format!("echoes: {body:?} {headers:?}"));
        }
        if !body.is_empty() && header("content-type").is_none_or(|kind| kind.contains("html")) {
            wrong.push("a browser may take it for a page".to_owned());
        }
        let is_answer = status.is_success() && self.told["forward"] == json!(false) && !body.is_empty();
        if is_answer && header("x-content-type-options").as_deref() != Some("nosniff") {
            wrong.push("no nosniff".to_owned());
        }
        wrong
    }
}

#[tokio::test]
async fn every_handshake_is_answered_as_recorded_and_no_event() {
    let cases = cases();
    let mut gateway = Gateway::new(&cases.iter().map(Case::source).collect::<String>());
    let clock = Clock::manual(NOW);
    gateway.run_here_in(Surroundings { clock, ..Surroundings::system() }).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut wrong, mut due) = (Vec::new(), Vec::new());
    for case in &cases {
        if case.told.get("store").is_some() {
            let armed = gateway.command(&format!("/api/v1/sources/{}/arm", case.name), &Value::Null).await;
            assert_eq!(armed.status, 200, "{}: {}", case.shown(), armed.body);
        }
        let answer = case.send(&gateway, &client).await;
        due.push(match (case.told["forward"] == json!(true), answer.status().is_success()) {
            (true, _) => &["accepted"][..],
            (false, true) => &["handshake", "probe"],
            (false, false) => &["malformed", "unauthorized", "forbidden", "not-found", "method"],
        });
        wrong.extend(case.mistakes(answer).await.into_iter().map(|what| format!("{}: {what}", case.shown())));
    }
    let metrics = gateway.get("/metrics").await.body;
    for (case, outcomes) in cases.iter().zip(&due) {
        let mut seen = metrics.lines().filter(|line| {
            let name = format!("hookloom_requests_total{{source=\"{}\",", case.name);
            line.starts_with(&name) && line.ends_with(" 1")
        });
        let is_due = |line: &str| outcomes.iter().any(|one| line.contains(&format!("outcome=\"{one}\"")));
        if !seen.next().is_some_and(is_due) || seen.next().is_some() {
            wrong.push(format!("{}: is not counted as one of {outcomes:?}", case.shown()));
        }
    }
    assert!(wrong.is_empty(), "{} mistakes:\n{}", wrong.len(), wrong.join("\n"));
    gateway.stop().await;
    let events = i64::try_from(due.iter().filter(|outcomes| **outcomes == ["accepted"]).count()).unwrap();
    assert!(events > 0);
    assert_eq!((rows(&gateway, "events"), rows(&gateway, "deliveries")), (events, 0));
}

/// What a scheme may name is in the error that names what it does not know.
fn known() -> BTreeSet<String> {
    let error = toml::from_str::<VerifyConfig>("handshake = \"?\"").unwrap_err();
    let (_, names) = error.message().split_once("expected one of ").unwrap();
    names.split(", ").map(|name| name.trim_matches('`').to_owned()).collect()
}

#[test]
fn every_handshake_has_one_that_is_answered_and_one_that_is_not() {
    let (mut answered, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for case in cases() {
        let Some(handshake) = case.handshake() else { continue };
        let is_event = case.told["forward"] == json!(true);
        let status =
            StatusCode::from_u16(case.told["expect"]["status"].as_u64().unwrap().try_into().unwrap());
        match status.unwrap() {
            status if status.is_success() && !is_event => answered.insert(handshake),
            _ => refused.insert(handshake),
        };
    }
    let known = known();
    assert!(known.len() >= 19, "{known:?}");
    assert_eq!(answered, known, "no recorded handshake is answered");
    assert_eq!(refused, known, "no recorded handshake is refused");
}

#[tokio::test]
async fn probes_say_no_more_than_a_refusal_did() {
    let config = super::open_source("methods = [\"PUT\", \"HEAD\"]") + &super::github_source("");
    let mut gateway = Gateway::start(&config).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |method: &str, source: &str| {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = client.request(method, gateway.source_url(source)).send().await.unwrap();
        let allow = answer.headers().get("allow").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), allow, answer.text().await.unwrap())
    };
    assert_eq!(ask("HEAD", "github").await, (200, None, String::new()));
    assert_eq!(ask("OPTIONS", "github").await, (204, Some("POST".into()), String::new()));
    assert_eq!(ask("OPTIONS", "open").await, (204, Some("PUT, HEAD".into()), String::new()));
    assert_eq!(ask("GET", "github").await.0, 405);
    assert_eq!(ask("HEAD", "unknown").await.0, 404);
    assert_eq!(ask("OPTIONS", "unknown").await.0, 404);
    assert_eq!(counted(&gateway, "github", "probe").await, "2");
    // Where it is configured, it is an event like any other.
    assert_eq!(ask("HEAD", "open").await.0, 200);
    assert_eq!(counted(&gateway, "open", "accepted").await, "1");
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 1);
}

#[tokio::test]
async fn a_cloudevents_sender_is_told_the_rate_of_its_source() {
    let source = "[sources.events]\nsecrets = [\"FAKE\"]\nrate_limit = \"30/m\"\n[sources.events.verify]\n\
                  algorithm = \"token\"\nbody_unsigned = true\nsignature = { header = \"authorization\" }\n\
                  handshake = \"cloudevents\"\n";
    let mut gateway = Gateway::start(source).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.request(Method::OPTIONS, gateway.source_url("events"));
    let answer = asked.header("webhook-request-origin", "events.example").send().await.unwrap();
    assert_eq!(answer.headers()["webhook-allowed-rate"], "30");
    assert_eq!(answer.headers()["webhook-allowed-origin"], "events.example");
    gateway.stop().await;
}

#[test]
fn metas_verify_token_is_asked_for_at_load() {
    let config = "[sources.meta]\nscheme = \"meta\"\nsecrets = [\"FAKE\"]\nTOKEN\n";
    let load = |token: &str| {
        let gateway = Gateway::new(&config.replace("TOKEN", token));
        hookloom::config::Config::load(&gateway.config_file()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(load("verify_token = \"FAKE\""), Ok(()));
    let refused = load("").unwrap_err();
    assert!(refused.contains("source \"meta\": `verify_token` is missing"), "{refused}");
    assert!(refused.contains("that you type in at the provider"), "{refused}");
}
