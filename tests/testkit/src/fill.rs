//! Fills a store through its verbs, without a gateway: much faster than the front door,
//! and in whatever year the clock says it is.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{
    Attempt, Decision, Delivery, DeliveryId, Event, EventId, Header, Message, MessageKey, OnDead, Outcome,
    Run, StepRecord, StepVerdict,
};
use hookloom::store::{
    Accepted, AttemptRecord, Committed, NewDelivery, NewEvent, NewRun, RunEnd, RunLease, RunResult,
    SqliteOptions, SqliteStore, StateChanges, Store, Synchronous,
};

/// Events in one call of a verb.
const BATCH: usize = 1_000;
const LEASE: Duration = Duration::from_mins(1);
/// Of an event's body, as in the reference load.
const BODY: usize = 1_024;

/// How far the events have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// Their runs are held, as for a plugin that is missing.
    Held,
    /// One delivery each, due and not attempted.
    Undelivered,
    /// One delivery each, delivered at the first attempt.
    Delivered,
}

/// What is put into a store.
#[derive(Clone, Copy, Debug)]
pub struct Filling<'a> {
    /// Whose they are.
    pub source: &'a str,
    /// The route that took them.
    pub route: &'a str,
    /// Where they are, or would be, delivered.
    pub destination: &'a str,
    /// How far they have come.
    pub stand: Stand,
}

/// Puts `count` events into the store at `path`, which is made if it is missing, all at
/// the time that `clock` shows. The ids of one in a thousand.
///
/// Nothing waits for the disk: a machine that dies in the middle takes the store with it.
pub async fn fill(
    path: &Path,
    clock: &Clock,
    count: usize,
    filling: Filling<'_>,
) -> anyhow::Result<Vec<EventId>> {
    let options = SqliteOptions { synchronous: Synchronous::Off, ..SqliteOptions::default() };
    let metrics = Arc::new(Metrics::new());
    let store = SqliteStore::open(path, &options, clock.clone(), &Random::system(), metrics)?;
    let body = Bytes::from(format!(r#"{{"filling":"{}"}}"#, "x".repeat(BODY - 14)));
    let mut sample = Vec::new();
    let mut left = count;
    while left > 0 {
        let size = left.min(BATCH);
        let events = (0..size).map(|_| event(clock, filling, &body)).collect();
        let runs = accept(&store, events).await?;
        sample.extend(runs.first().map(|run| run.event.id.clone()));
        let deliveries = process(&store, &runs, filling).await?;
        if filling.stand == Stand::Delivered {
            let records = deliveries.iter().map(|delivery| delivered(clock, delivery)).collect();
            store.record_attempts(records).await?;
        }
        left -= size;
    }
    store.close().await;
    Ok(sample)
}

async fn accept(store: &SqliteStore, events: Vec<NewEvent>) -> anyhow::Result<Vec<Run>> {
    let mut runs = Vec::with_capacity(events.len());
    for accepted in store.accept(events, Some(LEASE)).await? {
        match accepted {
            Accepted::New(new) => runs.extend(new),
            Accepted::Duplicate(id) => anyhow::bail!("a repeat of {id}"),
        }
    }
    Ok(runs)
}

async fn process(store: &SqliteStore, runs: &[Run], filling: Filling<'_>) -> anyhow::Result<Vec<Delivery>> {
    let result = |run: &Run| RunResult {
        run: RunLease::from(run),
        event: Arc::clone(&run.event),
        end: end(run, filling),
        steps: if filling.stand == Stand::Held { vec![missing()] } else { Vec::new() },
        state: StateChanges::default(),
    };
    let lease = (filling.stand == Stand::Delivered).then_some(LEASE);
    let mut deliveries = Vec::with_capacity(runs.len());
    for committed in store.commit_processed(runs.iter().map(result).collect(), lease).await? {
        match committed {
            Committed::Done(created) => deliveries.extend(created.leased),
            other => anyhow::bail!("a run was not committed: {other:?}"),
        }
    }
    Ok(deliveries)
}

/// What a call of the plugin came to that holds runs.
fn missing() -> StepRecord {
    let (digest, version) = (String::new(), String::new());
    let plugin = "guest".to_owned();
    StepRecord { plugin, digest, version, verdict: StepVerdict::Missing, reason: None, micros: 0 }
}

fn end(run: &Run, filling: Filling<'_>) -> RunEnd {
    if filling.stand == Stand::Held {
        return RunEnd::Held("the plugin is missing".into());
    }
    let (id, route, destination) = (&run.event.id, &run.route, filling.destination);
    let id = DeliveryId::derive(id, route, destination, MessageKey::Index(0), run.generation);
    RunEnd::Processed(vec![NewDelivery::new(id, destination, Message::default())])
}

fn delivered(clock: &Clock, delivery: &Delivery) -> AttemptRecord {
    let attempt = Attempt {
        number: 1,
        started_at: clock.now(),
        duration: Duration::from_millis(3),
        outcome: Outcome::Status(200),
        address: None,
        response_headers: Vec::new(),
        response_body: Bytes::new(),
        decision: Decision::Delivered,
        reason: "200".into(),
    };
    AttemptRecord {
        delivery: delivery.id.clone(),
        lease: delivery.lease,
        attempt,
        on_dead: OnDead::Hold,
        disables: None,
    }
}

/// Shaped like a webhook of GitHub's.
fn event(clock: &Clock, filling: Filling<'_>, body: &Bytes) -> NewEvent {
    // A thousand a second, so that ids are in the order of numbers, as they are in life.
    clock.advance(Duration::from_millis(1));
    let now = clock.now();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
        ("x-github-event", "issues"),
        ("x-hub-signature-256", "sha256=d57c68ca6f92289e6987922ff26938930f6e66a2d161ef06abdf1859230aa23c"),
    ];
    let event = Event {
        id: EventId::new(now.0, Random::system().bits()),
        source: filling.source.into(),
        event_type: Some("issues.opened".into()),
        received_at: now,
        method: "POST".into(),
        path: format!("/in/{}", filling.source),
        query: None,
        headers: headers.map(|(name, value)| Header { name: name.into(), value: value.into() }).into(),
        body: body.clone(),
        attributes: Vec::new(),
    };
    let run = NewRun { route: filling.route.into(), ordered: false, dead: None };
    NewEvent { event, routes: vec![run], dedupe: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_filled_store_stands_where_it_was_told_to() {
        for (stand, held, undelivered) in
            [(Stand::Held, 2_500, 0), (Stand::Undelivered, 0, 2_500), (Stand::Delivered, 0, 0)]
        {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("hookloom.db");
            let filling = Filling { source: "github", route: "all", destination: "crm", stand };
            let sample = fill(&path, &Clock::system(), 2_500, filling).await.unwrap();
            assert_eq!(sample.len(), 3);
            let backlog = SqliteStore::inspect(&path).unwrap().backlog;
            let deliveries: u64 = backlog.deliveries.iter().map(|(_, count)| count).sum();
            assert_eq!((backlog.runs, backlog.held, deliveries), (held, held, undelivered), "{stand:?}");
        }
    }
}
