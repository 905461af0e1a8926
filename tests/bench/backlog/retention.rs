//! A million finished events become too old while others come in.

use std::collections::VecDeque;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use hookloom::clock::Clock;
use hookloom::model::EventId;
use hookloom_testkit::fill::{Filling, Stand, fill};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::load::{Load, Requests};
use hookloom_testkit::measure::{Figure, Memory, compare, memory, percentile_ms, store_mib};
use hookloom_testkit::sink::Sink;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{BINARY, CONNECTIONS, DESTINATION, Options, ROUTE, SOURCE, config, say, settle};

/// The old events are so old.
const AGE: Duration = Duration::from_hours(30 * 24);
const KEEPS_THEM: &str = r#"retention = "3650d""#;
const DELETES_THEM: &str = r#"retention = "7d""#;
/// Load between two looks at what is left.
const SLICE: Duration = Duration::from_secs(1);
/// Without any progress for so long, retention does not work.
const PATIENCE: Duration = Duration::from_mins(1);

/// While accepting at the fixed rate.
struct Accepts {
    sorted: Vec<Duration>,
    memory: Memory,
}

pub(crate) async fn run(options: &Options, out: &mut impl Write) -> anyhow::Result<()> {
    let sink = Sink::start(Instant::now()).await?;
    let mut gateway = Gateway::new(&config(&sink.url(), KEEPS_THEM, ""));
    gateway.keep_log();
    let store = gateway.path("data/hookloom.db");
    let mut old = VecDeque::from(old_events(&store, options.events).await?);
    settle(&store)?;
    let full_mib = store_mib(&store);
    writeln!(
        out,
        "{} delivered events, 30 days old, {full_mib:.0} MiB; {}/s come in",
        options.events, options.rate
    )?;

    let requests = Requests::to(SOURCE);
    gateway.run_until_ready(BINARY).await;
    let load = Load::connect(gateway.listen(), CONNECTIONS, &requests).await?;
    load.paced(options.rate, SLICE).await?;
    let sorted = load.paced(options.rate, options.length).await?;
    let before = Accepts { sorted, memory: memory(gateway.pid())? };
    drop(load);
    stop(&mut gateway).await;

    gateway.write_config(&config(&sink.url(), DELETES_THEM, ""));
    let began = Instant::now();
    gateway.run_until_ready(BINARY).await;
    let load = Load::connect(gateway.listen(), CONNECTIONS, &requests).await?;
    let during = while_they_go(&mut gateway, &load, options, &mut old).await?;
    let took = began.elapsed();
    let gone = gateway.count("hookloom_tidied_events_total").await;
    let left_mib = store_mib(&store);
    drop(load);
    stop(&mut gateway).await;
    report(out, options, &before, &during, (took, gone), [full_mib, left_mib, store_mib(&store)])
}

/// Stops it gently. The sink must go on answering meanwhile, hence no blocking wait.
async fn stop(gateway: &mut Gateway) {
    gateway.ask_to_stop();
    gateway.ended().await;
}

/// Events of [`AGE`]; the ids of some of them.
async fn old_events(store: &Path, count: usize) -> anyhow::Result<Vec<EventId>> {
    let now = Clock::system().now().0;
    let clock = Clock::manual(hookloom::model::Millis(now - i64::try_from(AGE.as_millis())?));
    let filling = Filling { source: SOURCE, route: ROUTE, destination: DESTINATION, stand: Stand::Delivered };
    fill(store, &clock, count, filling).await
}

/// Goes on accepting until none of the sampled events is there any more, or it is enough.
async fn while_they_go(
    gateway: &mut Gateway,
    load: &Load,
    options: &Options,
    old: &mut VecDeque<EventId>,
) -> anyhow::Result<Accepts> {
    let mut sorted = Vec::new();
    let began = Instant::now();
    let mut progress = began;
    while !old.is_empty() && began.elapsed() < options.at_most {
        sorted.extend(load.paced(options.rate, SLICE).await?);
        // The oldest go first, and one of them stands for those that were made with it.
        while let Some(id) = old.front()
            && gateway.get(&format!("/api/v1/events/{id}")).await.status == 404
        {
            old.pop_front();
            progress = Instant::now();
        }
        anyhow::ensure!(
            progress.elapsed() < PATIENCE,
            "no event that is older than `retention` was deleted for {PATIENCE:?}; {} of the sample are left",
            old.len()
        );
    }
    sorted.sort_unstable();
    Ok(Accepts { sorted, memory: memory(gateway.pid())? })
}

fn report(
    out: &mut impl Write,
    options: &Options,
    before: &Accepts,
    during: &Accepts,
    (took, gone): (Duration, u64),
    [full_mib, left_mib, closed_mib]: [f64; 3],
) -> anyhow::Result<()> {
    let figures: &[Figure<Accepts>] = &[
        ("accept_p50_ms", |f| percentile_ms(&f.sorted, 50)),
        ("accept_p99_ms", |f| percentile_ms(&f.sorted, 99)),
        ("vmhwm_mib", |f| f.memory.most),
    ];
    let [before, during] = [std::slice::from_ref(before), std::slice::from_ref(during)];
    let mut line = compare(out, ["before", "during"], figures, [before, during])?;
    for (name, value) in [
        ("seconds", took.as_secs_f64()),
        ("events_gone", f64::from(u32::try_from(gone)?)),
        ("store_before_mib", full_mib),
        ("store_then_mib", left_mib),
        ("store_after_stop_mib", closed_mib),
    ] {
        say(out, name, value)?;
        line.insert(name.into(), json!(value));
    }
    line.extend([
        ("bench".into(), json!("retention")),
        ("events".into(), json!(options.events)),
        ("rate".into(), json!(options.rate)),
    ]);
    Ok(writeln!(out, "{}", Value::from(line))?)
}
