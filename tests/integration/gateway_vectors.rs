//! Every recorded request through a gateway: over a socket, with the clock and the keys of
//! its day. What is to be accepted is stored under its type and recognised when it comes
//! again; what is not leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use hookloom::app::Surroundings;
use hookloom::clock::Clock;
use hookloom::ingest::{FetchError, Fetcher};
use hookloom::model::Millis;
use hookloom::verify::case::{self, Case, Expectation};
use hookloom::verify::{Fetch, preset};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::raw::{Raw, RawAnswer};
use serde_json::Value;
use toml::Table;

use crate::recorded::{self, Recorded};
use crate::vectors;

/// A case, and what the pure decision says of it.
struct Sent {
    recorded: Recorded,
    case: Case,
    source: String,
}

#[tokio::test]
async fn recorded_requests_through_a_gateway() {
    let (mut carried, mut left_out) = (Vec::new(), Vec::new());
    for (place, sent) in load().into_iter().enumerate() {
        match cannot_carry(&sent.recorded) {
            Some(reason) => left_out.push(format!("{}: {reason}", sent.recorded.description)),
            None => carried.push(Sent { source: format!("s{place}"), ..sent }),
        }
    }
    eprintln!("{} requests; HTTP cannot carry {}:\n{}", carried.len(), left_out.len(), left_out.join("\n"));
    assert!(left_out.len() * 20 <= carried.len(), "too many are left out");
    let accepted = carried.iter().filter(|sent| sent.recorded.expect == Expectation::Accept).count();
    let (accept, reject) = vectors::FEWEST;
    assert!(accepted >= accept && carried.len() - accepted + 10 >= reject, "cases were lost");
    // Keys are kept for a while, so what publishes others under one name meets another
    // gateway; so does another day.
    let mut groups: BTreeMap<_, Vec<Sent>> = BTreeMap::new();
    for sent in carried {
        let fixtures = sent.recorded.fixtures.clone();
        let day = if fixtures.is_empty() { 0 } else { sent.recorded.now };
        groups.entry((fixtures, day)).or_default().push(sent);
    }
    let mut failures = Vec::new();
    for ((fixtures, _), group) in groups {
        failures.extend(through_one_gateway(fixtures, &group).await);
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

fn load() -> Vec<Sent> {
    let cases =
        recorded::files().into_iter().flat_map(|file| case::parse(&std::fs::read(file).unwrap()).unwrap());
    let pairs = recorded::all().into_iter().zip(cases);
    pairs.map(|(recorded, case)| Sent { recorded, case, source: String::new() }).collect()
}

/// Why that request cannot come over HTTP/1.1 as it is written.
fn cannot_carry(recorded: &Recorded) -> Option<&'static str> {
    let query = |url: &str| url.split_once('?').map(|(_, query)| query.to_owned());
    if let Some(url) = recorded.config.get("public_url").and_then(Value::as_str)
        && query(url) != query(&recorded.url)
    {
        return Some("a source's URL has no query of its own: it is the request's");
    }
    let body = recorded.body().len().to_string();
    recorded.headers().iter().find_map(|(name, value)| match name.to_ascii_lowercase().as_str() {
        "content-length" if *value != body => Some("content-length would cut the body"),
        "transfer-encoding" => Some("transfer-encoding would cut the body"),
        "expect" | "upgrade" => Some("the header speaks to the connection"),
        _ if value.trim_matches([' ', '\t']) != value => {
            Some("white space around a header's value is not part of it (RFC 9110 5.5)")
        }
        _ => None,
    })
}

/// What is wrong, a line each.
async fn through_one_gateway(fixtures: BTreeMap<String, String>, group: &[Sent]) -> Vec<String> {
    let clock = Clock::standing(Millis(0));
    let keys = Arc::new(Published { fixtures });
    let surroundings =
        Surroundings { clock: clock.clone(), fetcher: Some(keys.clone()), ..Surroundings::system() };
    let gateway =
        Gateway::start_in(surroundings, &config(group.iter().map(|sent| (&*sent.source, &sent.recorded))))
            .await;
    let mut failures = Vec::new();
    for sent in group {
        clock.jump_to(Millis(sent.recorded.now * 1000));
        let answer = post(&gateway, &sent.source, &sent.recorded).await;
        let wrong = match sent.recorded.expect {
            Expectation::Accept => accepted(&gateway, sent, &answer).await,
            Expectation::Reject => rejected(&gateway, sent, &answer).await,
        };
        let Recorded { provider, description, .. } = &sent.recorded;
        failures.extend(wrong.map(|wrong| format!("{provider}, {description}: {wrong}")));
    }
    failures
}

/// A source for each case, so that what is stored is its own.
pub(crate) fn config<'a>(group: impl Iterator<Item = (&'a str, &'a Recorded)>) -> String {
    let mut sources = Table::new();
    for (name, recorded) in group {
        let mut source = Table::new();
        source.insert("scheme".to_owned(), recorded.provider.clone().into());
        source.insert("secrets".to_owned(), recorded.secrets().into());
        for (key, value) in &recorded.config {
            source.insert(key.clone(), value.as_str().expect("a text").into());
        }
        source.insert("methods".to_owned(), vec![recorded.method.clone()].into());
        let needs = preset(&recorded.provider).map_or(&[][..], |preset| &preset.needs);
        if needs.iter().any(|key| key == "verify_token") && !source.contains_key("verify_token") {
            source.insert("verify_token".to_owned(), "of handshakes alone".into());
        }
        let url = recorded.config.get("public_url").and_then(Value::as_str).unwrap_or(&recorded.url);
        // The query is that of the request.
        let url = url.split(['?', '#']).next().unwrap_or_default();
        source.insert("public_url".to_owned(), url.into());
        sources.insert(name.to_owned(), source.into());
    }
    let config = Table::from_iter([("sources".to_owned(), sources.into())]);
    format!("[store]\nretention = \"3650d\"\n\n{config}")
}

pub(crate) async fn post(gateway: &Gateway, source: &str, recorded: &Recorded) -> RawAnswer {
    let Recorded { method, url, .. } = recorded;
    let body = recorded.body();
    let query = url.split_once('?').map(|(_, query)| format!("?{query}")).unwrap_or_default();
    let mut head = format!("{method} /in/{source}{query} HTTP/1.1\r\n");
    let headers = recorded.headers();
    let has = |name: &str| headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    if !has("host") {
        head.push_str("host: gateway\r\n");
    }
    if !has("content-length") {
        head.extend(["content-length: ", &body.len().to_string(), "\r\n"]);
    }
    for (name, value) in &headers {
        head.extend([name, ": ", value, "\r\n"]);
    }
    let mut connection = Raw::connect(gateway.listen()).await;
    connection.send([head.as_bytes(), b"\r\n", &body].concat()).await;
    connection.answer().await
}

/// Events of a source, as the API shows them.
pub(crate) async fn stored(gateway: &Gateway, source: &str) -> Vec<Value> {
    let events = gateway.get(&format!("/api/v1/events?source={source}")).await.json();
    events["items"].as_array().expect("a list").clone()
}

/// What is wrong with the answer to a request that is to be accepted, if anything is.
async fn accepted(gateway: &Gateway, sent: &Sent, answer: &RawAnswer) -> Option<String> {
    let shown = || format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body));
    if !(200..300).contains(&answer.status) {
        return Some(format!("answered {}", shown()));
    }
    let events = stored(gateway, &sent.source).await;
    if sent.case.judge().explanation.starts_with("handshake") {
        return (!events.is_empty()).then(|| "a handshake became an event".to_owned());
    }
    let [event] = events.as_slice() else { return Some(format!("{} events were stored", events.len())) };
    let due = sent.recorded.event_type.as_deref();
    if due.is_some() && event["type"].as_str() != due {
        return Some(format!("stored as {}", event["type"]));
    }
    let reply = preset(&sent.recorded.provider).and_then(|preset| preset.reply.as_ref());
    if let Some(reply) = reply {
        let is_own = answer.status == reply.status && answer.body == reply.body.as_bytes();
        let has_kind = answer.header("content-type") == reply.content_type.as_deref();
        if !is_own || !has_kind {
            return Some(format!("the provider was answered {}", shown()));
        }
    }
    sent.recorded.id.as_ref()?;
    let again = post(gateway, &sent.source, &sent.recorded).await;
    let events = stored(gateway, &sent.source).await;
    let is_known = again.status == answer.status && events.len() == 1;
    (!is_known).then(|| format!("a repeat was answered {} and made {} events", again.status, events.len()))
}

/// What is wrong with the answer to a request that is to be refused, if anything is.
async fn rejected(gateway: &Gateway, sent: &Sent, answer: &RawAnswer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    if !(400..500).contains(&answer.status) {
        return Some(format!("answered {} {text}", answer.status));
    }
    if sent.recorded.secrets().iter().any(|secret| text.contains(secret.as_str())) {
        return Some("the answer holds a secret".to_owned());
    }
    let events = stored(gateway, &sent.source).await;
    (!events.is_empty()).then(|| "it was refused and stored".to_owned())
}

/// What cases say that their providers publish.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) fixtures: BTreeMap<String, String>,
}

#[async_trait]
impl Fetcher for Published {
    async fn fetch(&self, name: &str, _fetch: &Fetch) -> Result<Bytes, FetchError> {
        if name.contains("Action=ConfirmSubscription") {
            return Ok(Bytes::new());
        }
        let found = self.fixtures.get(name).cloned().map(Bytes::from);
        found.ok_or(FetchError::Refused(404))
    }
}
