//! Deliveries, verified by the SDKs of Standard Webhooks.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::receiver::{Receiver, Request};
use hookloom_testkit::sender::DESTINATION_SECRET;
use serde_json::{Map, Value, json};

use super::packages::{NODE, PYTHON, packages, repository};
use super::sdk::{Asked, Sdks};

/// A delivery as it is verified: by whom is the test's to say.
#[derive(Clone)]
struct Delivery {
    secret: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Delivery {
    fn of(request: &Request) -> Self {
        let headers = request.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { secret: DESTINATION_SECRET.to_owned(), headers, body: request.body.clone() }
    }

    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(own, _)| own == name).unwrap().1
    }

    fn with_header(mut self, name: &str, value: &str) -> Self {
        value.clone_into(&mut self.headers.iter_mut().find(|(own, _)| own == name).unwrap().1);
        self
    }
}

/// Runs a Python script of `tests/peers` with a delivery; its complaint if it fails.
fn python(folder: &Path, script: &str, delivery: &Delivery) -> Result<(), String> {
    let mut child = Command::new("python3")
        .env("PYTHONPATH", folder)
        .arg(repository().join("tests/peers").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("an interpreter whose package manager ran");
    let headers: Map<_, _> =
        delivery.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let body = BASE64_STANDARD.encode(&delivery.body);
    let input: Value = json!({ "secret": delivery.secret, "headers": headers, "body_base64": body });
    write!(child.stdin.take().unwrap(), "{input}").unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

fn config(receiver: &Receiver, secrets: &str) -> String {
    format!(
        "[sources.open]\nscheme = \"none\"\n\
         [destinations.crm]\nurl = \"{}\"\nsecrets = [{secrets}]\n\
         [[routes]]\nname = \"all\"\nfrom = [\"open\"]\nto = [\"crm\"]\n",
        receiver.url()
    )
}

/// Bodies that a peer must take: JSON, text beyond ASCII, nothing.
const TEXTS: [&[u8]; 3] = [br#"{"type":"order.paid","n":1.0}"#, "grüße, \u{1f9f5}\r\n".as_bytes(), b""];
/// What is no text in any encoding.
const BINARY: &[u8] = &[0x89, b'P', b'N', b'G', b'\r', b'\n', 0, 0xff, 0xfe, 0xc0];

/// Deliveries of those bodies, as they arrived.
async fn deliveries(secrets: &str, bodies: &[&[u8]]) -> Vec<Delivery> {
    let receiver = Receiver::start([]).await;
    let mut gateway = Gateway::start(&config(&receiver, secrets)).await;
    for (n, body) in bodies.iter().enumerate() {
        assert_eq!(gateway.post("open", &[], *body).await.status, 200);
        assert_eq!(receiver.requests(n + 1).await[n].body, *body);
    }
    gateway.stop().await;
    receiver.seen().requests.iter().map(Delivery::of).collect()
}

/// Every delivery verifies; the same with one thing changed does not.
fn assert_verified(deliveries: &[Delivery], mut verify: impl FnMut(&Delivery) -> Result<(), String>) {
    for good in deliveries {
        verify(good)
            .unwrap_or_else(|complaint| panic!("{:?}: {complaint}", String::from_utf8_lossy(&good.body)));
    }
    let good = &deliveries[0];
    let timestamp: i64 = good.header("webhook-timestamp").parse().unwrap();
    for bad in [
        Delivery { body: br#"{"type":"order.paid","n":1}"#.to_vec(), ..good.clone() },
        good.clone().with_header("webhook-id", "msg_another"),
        good.clone().with_header("webhook-timestamp", &(timestamp + 1).to_string()),
        Delivery { secret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned(), ..good.clone() },
    ] {
        let complaint = verify(&bad).expect_err("it was accepted");
        assert!(complaint.contains("WebhookVerificationError"), "refused for another reason: {complaint}");
    }
}

#[tokio::test]
async fn the_python_sdk_verifies_deliveries() {
    let Some(folder) = packages(&PYTHON, "the_python_sdk_verifies_deliveries") else { return };
    let arrived = deliveries(&format!("\"{DESTINATION_SECRET}\""), &TEXTS).await;
    assert_verified(&arrived, |delivery| python(&folder, "verify.py", delivery));
}

#[tokio::test]
async fn a_body_that_is_no_text_verifies_by_the_specification() {
    // Python's own library is enough, but a machine without it has no packages either.
    let Some(folder) = packages(&PYTHON, "a_body_that_is_no_text_verifies_by_the_specification") else {
        return;
    };
    let arrived = deliveries(&format!("\"{DESTINATION_SECRET}\""), &[BINARY]).await;
    assert_verified(&arrived, |delivery| python(&folder, "verify_bytes.py", delivery));
}

#[tokio::test]
async fn the_node_sdk_verifies_deliveries() {
    let Some(folder) = packages(&NODE, "the_node_sdk_verifies_deliveries") else { return };
    // The peer knows the second of two keys: a rotation.
    let arrived =
        deliveries(&format!("\"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oE\", \"{DESTINATION_SECRET}\""), &TEXTS)
            .await;
    assert_eq!(arrived[0].header("webhook-signature").split(' ').count(), 2);
    let now = arrived[0].header("webhook-timestamp").parse().unwrap();
    let mut sdks = Sdks::start(&folder);
    assert_verified(&arrived, |delivery| {
        let Delivery { secret, headers, body } = delivery.clone();
        sdks.verify(&Asked { provider: "standard-webhooks", secret, now, url: String::new(), headers, body })
    });
}
