//! What durability costs: accepts per second with and without waiting for the disk, in
//! pairs that take turns, and how many events share one sync.
//!
//! `cargo bench --bench store -- [TASKS] [SECONDS] [PAIRS]`; the store is created in
//! the folder for temporary files, which should be on the disk in question.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hookloom::clock::{Clock, Random};
use hookloom::metrics::Metrics;
use hookloom::model::{Event, EventId, Header};
use hookloom::store::{DedupeKey, NewEvent, NewRun, SqliteOptions, SqliteStore, Store, Synchronous};

/// What one span of load came to.
#[derive(Clone, Copy, Debug)]
struct Figures {
    events_per_second: f64,
    events_per_commit: f64,
    p99: Duration,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // cargo passes `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<u64>().ok());
    let tasks = numbers.next().unwrap_or(32);
    let seconds = numbers.next().unwrap_or(3);
    let pairs = numbers.next().unwrap_or(5);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut out = std::io::stdout();
    writeln!(out, "{tasks} callers, one 1 KiB event a call, {seconds} s each, {pairs} pairs")?;
    let mut full = Vec::new();
    let mut off = Vec::new();
    for pair in 1..=pairs {
        for (synchronous, figures) in [(Synchronous::Full, &mut full), (Synchronous::Off, &mut off)] {
            let measured = runtime.block_on(span(synchronous, tasks, Duration::from_secs(seconds)))?;
            writeln!(
                out,
                "{pair} {synchronous:?}: {:.0} events/s, {:.1} events/commit, p99 {:?}",
                measured.events_per_second, measured.events_per_commit, measured.p99
            )?;
            figures.push(measured);
        }
    }
    let ratios = full.iter().zip(&off).map(|(f, o)| f.events_per_second / o.events_per_second).collect();
    for (name, figures) in [("full", &full), ("off", &off)] {
        summary(
            &mut out,
            &format!("{name}: events/s"),
            figures.iter().map(|f| f.events_per_second).collect(),
        )?;
        summary(
            &mut out,
            &format!("{name}: events/commit"),
            figures.iter().map(|f| f.events_per_commit).collect(),
        )?;
    }
    summary(&mut out, "full / off", ratios)?;
    Ok(())
}

fn summary(out: &mut impl Write, name: &str, mut values: Vec<f64>) -> std::io::Result<()> {
    values.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (values.first(), values.last()) else { return Ok(()) };
    writeln!(out, "{name}: median {:.2} ({least:.2} to {most:.2})", values[values.len() / 2])
}

async fn span(
    synchronous: Synchronous,
    tasks: u64,
    length: Duration,
) -> Result<Figures, Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let metrics = Arc::new(Metrics::new());
    let options = SqliteOptions { synchronous, ..SqliteOptions::default() };
    let path = folder.path().join("bench.db");
    let store = Arc::new(open(&path, &options, &metrics)?);
    let begin = Instant::now();
    let callers: Vec<_> =
        (0..tasks).map(|_| tokio::spawn(call(Arc::clone(&store), begin + length))).collect();
    let mut latencies = Vec::new();
    for caller in callers {
        latencies.append(&mut caller.await??);
    }
    let took = begin.elapsed().as_secs_f64();
    store.close().await;
    latencies.sort_unstable();
    let events = u32::try_from(latencies.len())?;
    Ok(Figures {
        events_per_second: f64::from(events) / took,
        events_per_commit: f64::from(events) / commits(&metrics)?,
        p99: latencies[latencies.len() * 99 / 100],
    })
}

fn open(
    path: &Path,
    options: &SqliteOptions,
    metrics: &Arc<Metrics>,
) -> Result<SqliteStore, Box<dyn std::error::Error>> {
    Ok(SqliteStore::open(path, options, Clock::system(), &Random::system(), Arc::clone(metrics))?)
}

async fn call(store: Arc<SqliteStore>, end: Instant) -> Result<Vec<Duration>, hookloom::store::StoreError> {
    let random = Random::system();
    let clock = Clock::system();
    let body = Bytes::from(vec![b'x'; 1024]);
    let mut latencies = Vec::new();
    loop {
        let begin = Instant::now();
        if begin >= end {
            return Ok(latencies);
        }
        let event = event(&clock, &random, &body);
        let dedupe =
            Some(DedupeKey { key: format!("{:032x}", random.bits()), window: Duration::from_mins(1) });
        let new = NewEvent {
            event,
            routes: vec![NewRun { route: "issues-to-crm".into(), ordered: false, dead: None }],
            dedupe,
        };
        store.accept(vec![new], Some(Duration::from_mins(1))).await?;
        latencies.push(begin.elapsed());
    }
}

/// Shaped like a webhook of GitHub's.
fn event(clock: &Clock, random: &Random, body: &Bytes) -> Event {
    let now = clock.now();
    let headers = [
        ("content-type", "application/json"),
        ("user-agent", "GitHub-Hookshot/044aadd"),
        ("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
        ("x-github-event", "issues"),
        ("x-hub-signature-256", "sha256=d57c68ca6f92289e6987922ff26938930f6e66a2d161ef06abdf1859230aa23c"),
    ];
    Event {
        id: EventId::new(now.0, random.bits()),
        source: "github".into(),
        event_type: Some("issues.opened".into()),
        received_at: now,
        method: "POST".into(),
        path: "/in/github".into(),
        query: None,
        headers: headers.map(|(name, value)| Header { name: name.into(), value: value.into() }).into(),
        body: body.clone(),
        attributes: Vec::new(),
    }
}

/// Transactions that were synced, as the metrics count them.
fn commits(metrics: &Metrics) -> Result<f64, Box<dyn std::error::Error>> {
    let text = metrics.render();
    let line = text.lines().find_map(|line| line.strip_prefix("hookloom_store_batches_total "));
    Ok(line.ok_or("no commits were counted")?.parse()?)
}
