//! The story: what is sent, what came of it, and whether that is as it should be.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use serde_json::Value;

use super::super::print;
use super::super::samples;
use super::receiver::{Received, Receiver};
use crate::clock::{Clock, Random};
use crate::config::Config;
use crate::deliver::Poster;
use crate::model::Header;
use crate::verify::{Outgoing, Scheme, Setup};

/// Far above what a retry after a 503 takes.
const DEADLINE: Duration = Duration::from_secs(30);
/// Between two looks at an event.
const INTERVAL: Duration = Duration::from_millis(20);

/// One scene: a webhook, and what is to become of it.
struct Scene {
    title: &'static str,
    source: &'static str,
    body: Bytes,
    event_type: &'static str,
    /// The event's status in the end, and deliveries by receiver.
    expected: (&'static str, &'static [(&'static str, usize)]),
}

struct Stage<'a> {
    config: &'a Config,
    poster: Poster,
    listen: SocketAddr,
    admin: SocketAddr,
    receivers: [&'a Receiver; 2],
}

/// Tells it; whether every event went as it should.
pub(super) async fn tell(
    config: &Config,
    listen: SocketAddr,
    admin: SocketAddr,
    crm: &Receiver,
    chat: &Receiver,
) -> anyhow::Result<bool> {
    let stage = Stage { config, poster: Poster::new()?, listen, admin, receivers: [crm, chat] };
    print(&format!(
        "A gateway listens on http://{listen}; \"crm\" and \"chat\" are two receivers that verify what they get.\n\
         \"crm\" answers its first delivery with 503.\n"
    ));
    let mut right = true;
    for (number, scene) in scenes()?.iter().enumerate() {
        right &= stage.play(number + 1, scene).await?;
    }
    right &= stage.forgery().await?;
    print(if right {
        "Everything arrived as it should.\n"
    } else {
        "NOT everything arrived as it should.\n"
    });
    Ok(right)
}

fn scenes() -> anyhow::Result<Vec<Scene>> {
    let sample = |preset: &str, event_type: &str| -> anyhow::Result<Bytes> {
        let id = format!("{:032x}", Random::system().bits());
        // What a scheme reads is the same with any secret.
        let scheme = Scheme::compile(&Setup::preset(preset, &["any"]))?;
        Ok(samples::of(preset).request(&scheme, &id, event_type).body.into())
    };
    let mut by_a_bot: Value = serde_json::from_slice(&sample("github", "issues.opened")?)?;
    by_a_bot["sender"] = serde_json::json!({ "login": "dependabot[bot]", "type": "Bot" });
    Ok(vec![
        Scene {
            title: "GitHub: somebody opened an issue",
            source: "github",
            body: sample("github", "issues.opened")?,
            event_type: "issues.opened",
            expected: ("delivered", &[("crm", 1), ("chat", 1)]),
        },
        Scene {
            title: "GitHub: a bot opened an issue",
            source: "github",
            body: by_a_bot.to_string().into(),
            event_type: "issues.opened",
            expected: ("dropped", &[]),
        },
        Scene {
            title: "Stripe: a payment succeeded",
            source: "stripe",
            body: sample("stripe", "payment_intent.succeeded")?,
            event_type: "payment_intent.succeeded",
            expected: ("delivered", &[("crm", 1)]),
        },
        Scene {
            title: "Shopify: an order of two lines",
            source: "shopify",
            body: sample("shopify", "orders/create")?,
            event_type: "orders/create",
            expected: ("delivered", &[("crm", 2)]),
        },
    ])
}

impl Stage<'_> {
    async fn play(&self, number: usize, scene: &Scene) -> anyhow::Result<bool> {
        print(&format!("{number}. {}", scene.title));
        let headers = self.sign(scene)?;
        let answer = self.poster.post(&self.source_url(scene.source), &headers, scene.body.clone()).await?;
        let answered: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let Some(id) = answered["id"].as_str().filter(|_| answer.status == 200) else {
            print(&format!("   REFUSED: {} {answered}\n", answer.status));
            return Ok(false);
        };
        print(&format!("   signature verified, on disk as {id}, answered 200"));
        let event = self.event_when_done(id).await?;
        tell_runs(&event);
        let (status, deliveries) = scene.expected;
        let mut right = event["status"] == status;
        for receiver in self.receivers {
            let received = receiver.received(id);
            tell_deliveries(receiver.name, &received);
            let arrived = received.iter().filter(|r| r.verified && r.answered == 200).count();
            let due =
                deliveries.iter().find(|(name, _)| *name == receiver.name).map_or(0, |(_, count)| *count);
            right &= arrived == due;
        }
        print(&format!(
            "   {} {}\n",
            if right { "=>" } else { "NOT AS EXPECTED =>" },
            event["status"].as_str().unwrap_or("?")
        ));
        Ok(right)
    }

    /// A request with a signature of somebody who does not know the secret.
    async fn forgery(&self) -> anyhow::Result<bool> {
        print("5. Somebody who does not know the secret posts as GitHub");
        let forged =
            Header { name: "x-hub-signature-256".into(), value: format!("sha256={}", "0".repeat(64)) };
        let answer =
            self.poster.post(&self.source_url("github"), &[forged], Bytes::from_static(b"{}")).await?;
        let right = answer.status == 401;
        print(&format!("   answered {} {}\n", answer.status, String::from_utf8_lossy(&answer.body)));
        Ok(right)
    }

    fn sign(&self, scene: &Scene) -> anyhow::Result<Vec<Header>> {
        let source = self.config.front_door.sources.get(scene.source).context("the demo's source")?;
        let id = format!("{:032x}", Random::system().bits());
        let now = Clock::system().now();
        let event_type = Some(scene.event_type);
        let outgoing = Outgoing { method: "POST", url: None, body: &scene.body, id: &id, event_type, now };
        let scheme = source.scheme.own().context("the demo's sources are signed")?;
        let mut headers = scheme.sign(&outgoing)?.headers;
        headers.push(Header { name: "content-type".into(), value: "application/json".into() });
        Ok(headers)
    }

    fn source_url(&self, source: &str) -> String {
        format!("http://{}/in/{source}", self.listen)
    }

    async fn event_when_done(&self, id: &str) -> anyhow::Result<Value> {
        let url = format!("http://{}/api/v1/events/{id}", self.admin);
        tokio::time::timeout(DEADLINE, async {
            loop {
                let event: Value = serde_json::from_slice(&self.poster.get(&url).await?.body)?;
                if event["status"] != "pending" {
                    return Ok(event);
                }
                tokio::time::sleep(INTERVAL).await;
            }
        })
        .await
        .with_context(|| format!("{id} is still pending after {DEADLINE:?}"))?
    }
}

fn tell_runs(event: &Value) {
    for run in event["runs"].as_array().into_iter().flatten() {
        let steps: Vec<_> = run["steps"].as_array().into_iter().flatten().map(step).collect();
        let reason = run["reason"].as_str().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (route, status) = (run["route"].as_str().unwrap_or("?"), run["status"].as_str().unwrap_or("?"));
        print(&format!("   route {route}: {} — {status}{reason}", steps.join(", ")));
    }
}

fn step(step: &Value) -> String {
    let (plugin, verdict) = (step["plugin"].as_str().unwrap_or("?"), step["verdict"].as_str().unwrap_or("?"));
    format!("{plugin} says {verdict} in {} µs", step["micros"])
}

fn tell_deliveries(name: &str, received: &[Received]) {
    for delivery in received {
        let signature = if delivery.verified { "signature verified" } else { "WRONG SIGNATURE" };
        let more = if delivery.answered == 503 { ", to be tried again under the same id" } else { "" };
        print(&format!("   {name} got {}, {signature}, answered {}{more}", delivery.id, delivery.answered));
        if delivery.answered == 200 {
            print(&format!("      {}", excerpt(&delivery.body)));
        }
    }
}

/// A body's first words.
fn excerpt(body: &Value) -> String {
    const LENGTH: usize = 150;
    let text = body.to_string();
    if text.chars().count() <= LENGTH { text } else { text.chars().take(LENGTH).chain(['…']).collect() }
}
