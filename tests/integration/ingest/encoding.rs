//! Bodies that come compressed: signed as sent, read as meant, kept as sent.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use hmac::{Hmac, KeyInit as _, Mac as _};
use hookloom_testkit::gateway::{Answer, Gateway};
use hookloom_testkit::guests::guest;
use hookloom_testkit::receiver::Receiver;
use hookloom_testkit::sender::SECRET;
use serde_json::json;
use sha2::Sha256;

use super::{assert_refused, open_source, rows};

/// A source that reads what its events are from their bodies.
fn signed_source(more: &str) -> String {
    format!(
        "[sources.inhouse]\nsecrets = [\"{SECRET}\"]\n{more}\n[sources.inhouse.verify]\n\
         algorithm = \"hmac-sha256\"\nencoding = \"hex\"\nsignature = {{ header = \"x-signature\" }}\n\
         message = \"{{body}}\"\nid = {{ json = \"/id\" }}\ntype = {{ json = \"/type\" }}\n"
    )
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

async fn post(gateway: &Gateway, coding: &str, body: &[u8]) -> Answer {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    let signature = hex::encode(mac.finalize().into_bytes());
    let headers = [
        ("x-signature", signature.as_str()),
        ("content-type", "application/json"),
        ("content-encoding", coding),
    ];
    gateway.post("inhouse", &headers, body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_see_what_is_inside_and_others_get_what_was_sent() {
    let (plain, stepped) = (Receiver::start([]).await, Receiver::start([]).await);
    let config = format!(
        "{}[destinations.plain]\nurl = \"{}\"\n[destinations.stepped]\nurl = \"{}\"\n\
         forward_headers = [\"content-encoding\"]\n\
         [[routes]]\nname = \"plain\"\nfrom = [\"inhouse\"]\ntypes = [\"order\"]\nto = [\"plain\"]\n\
         [[routes]]\nname = \"stepped\"\nfrom = [\"inhouse\"]\ntypes = [\"order\"]\n\
         steps = [{{ plugin = \"guest\", config = {{ do = \"pass\" }} }}]\nto = [\"stepped\"]\n",
        signed_source(""),
        plain.url(),
        stepped.url()
    );
    let mut gateway = Gateway::new(&config);
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let text = br#"{"id":"1","type":"order"}"#;
    let body = gzip(text);
    let id = post(&gateway, "gzip", &body).await.id();
    let (sent, seen) = (plain.requests(1).await.remove(0), stepped.requests(1).await.remove(0));
    assert_eq!((&sent.body, sent.header("content-encoding")), (&body, Some("gzip")));
    assert_eq!((seen.body.as_slice(), seen.header("content-encoding")), (&text[..], None));
    assert_eq!(seen.header("content-type"), Some("application/json"));

    let event = gateway.event_when(&id, "delivered").await;
    assert_eq!(event["type"], "order");
    assert_eq!(event["headers"]["content-encoding"], "gzip");
    assert_eq!(event["decoded"], json!({ "body": { "id": "1", "type": "order" } }));
    assert!(event["body_base64"].is_string() && event.get("body").is_none(), "{event}");
    // The id is inside: sent again in another coding it is the same event.
    let again = post(&gateway, "Deflate", &deflate(text)).await;
    assert_eq!((again.json()["status"].as_str(), again.id()), (Some("duplicate"), id));
    gateway.stop().await;
}

#[tokio::test]
async fn what_cannot_be_decompressed_is_refused_before_it_is_an_event() {
    let mut gateway = Gateway::start(&signed_source("")).await;
    let body = gzip(b"{}");
    let corrupt = "the body is not what its content-encoding says";
    assert_refused(&post(&gateway, "gzip", b"{}").await, 400, corrupt);
    assert_refused(&post(&gateway, "gzip", &body[..body.len() - 1]).await, 400, corrupt);
    assert_refused(&post(&gateway, "deflate", &body).await, 400, corrupt);
    let bomb = gzip(&vec![b' '; (16 << 20) + 1]);
    let inflated = "the body is larger than 16777216 bytes once it is decompressed";
    assert_refused(&post(&gateway, "gzip", &bomb).await, 413, inflated);
    // Who is not known has nothing decompressed.
    let unsigned = gateway.post("inhouse", &[("content-encoding", "gzip")], bomb.clone()).await;
    assert_refused(&unsigned, 401, "the signature is missing");
    // Not a coding that is undone here, or several: bytes like any others.
    for coding in ["br", "gzip, gzip", "identity"] {
        assert_eq!(post(&gateway, coding, b"{}").await.status, 200, "{coding}");
    }
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 3);
}

#[tokio::test]
async fn a_source_has_a_limit_of_its_own_for_what_is_inside() {
    let mut gateway = Gateway::start(&signed_source("max_decoded_body = \"1KiB\"")).await;
    assert_eq!(post(&gateway, "gzip", &gzip(&[b' '; 1024])).await.status, 200);
    let inflated = "the body is larger than 1024 bytes once it is decompressed";
    for (coding, body) in [("gzip", gzip(&[b' '; 1025])), ("deflate", deflate(&[b' '; 1025]))] {
        assert_refused(&post(&gateway, coding, &body).await, 413, inflated);
    }
    // What came as it is has `max_body`.
    assert_eq!(post(&gateway, "identity", &[b' '; 1025]).await.status, 200);
    gateway.stop().await;
    assert_eq!(rows(&gateway, "events"), 2);
}

/// Whoever reads it later reads all that was accepted, whatever the limit is by then.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_above_the_default_is_read_to_its_end() {
    let receiver = Receiver::start([]).await;
    let config = |limit: &str| {
        format!(
            "[plugins]\ndeadline = \"10s\"\nmemory = \"256MiB\"\n{}\
             [destinations.stepped]\nurl = \"{}\"\n[[routes]]\nname = \"stepped\"\nfrom = [\"inhouse\"]\n\
             types = [\"order\"]\nsteps = [{{ plugin = \"guest\", config = {{ do = \"pass\" }} }}]\n\
             to = [\"stepped\"]\n",
            signed_source(&format!("max_decoded_body = \"{limit}\"")),
            receiver.url()
        )
    };
    let mut gateway = Gateway::new(&config("17MiB"));
    gateway.run_here().await;
    let mut text = br#"{"id":"1","type":"order"}"#.to_vec();
    text.resize(17 << 20, b' ');
    assert_eq!(post(&gateway, "gzip", &gzip(&text)).await.status, 200);
    gateway.stop().await;
    // Its plugin comes when the source takes less.
    gateway.write_config(&config("1KiB"));
    gateway.put_plugin("guest", guest());
    gateway.run_here().await;
    let seen = receiver.requests(1).await.remove(0);
    assert!(seen.body == text && seen.header("content-encoding").is_none(), "{} bytes", seen.body.len());
    gateway.stop().await;
}

#[tokio::test]
async fn what_makes_a_repeat_is_read_inside() {
    let mut gateway = Gateway::start(&open_source("dedupe_key = \"json:/id\"")).await;
    let post = async |body: &[u8]| {
        let answer = gateway.post("open", &[("content-encoding", "gzip")], body).await;
        answer.json()["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(post(&gzip(br#"{"id":1,"n":1}"#)).await, "accepted");
    assert_eq!(post(&gzip(br#"{"id":1,"n":2}"#)).await, "duplicate");
    assert_eq!(post(&gzip(br#"{"id":2}"#)).await, "accepted");
    gateway.stop().await;
}
