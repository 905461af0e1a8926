//! The gateway with a backlog that nothing moves, beside one without.

use std::io::Write;
use std::time::Duration;

use hookloom::clock::Clock;
use hookloom_testkit::fill::{Filling, Stand, fill};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::guests;
use hookloom_testkit::load::{Load, Requests};
use hookloom_testkit::measure::{Figure, compare, memory, percentile_ms, store_mib};
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sink::Sink;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{BINARY, CONNECTIONS, DESTINATION, Options, PLUGIN, ROUTE, SOURCE, config, say, settle};

/// Above any backlog that is measured here: the door stays open.
const LIMITS: &str = "max_backlog = 1000000000";
const WARM_UP: Duration = Duration::from_secs(1);
/// For the first delivery after a start.
const PATIENCE: Duration = Duration::from_mins(5);

/// One process, from its start to its end.
struct Figures {
    start_ms: f64,
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    memory_mib: f64,
}

pub(crate) async fn run(
    options: &Options,
    name: &str,
    stand: Stand,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let silent = Receiver::start_with([], Answer::Silence).await;
    // Where runs are held for want of a plugin, none of them gets as far as that.
    let step = if stand == Stand::Held {
        &format!(r#"{{ plugin = "{PLUGIN}", config = {{ do = "json" }} }}"#)
    } else {
        ""
    };
    let of = |url: &str| config(url, LIMITS, step);
    let fresh = || {
        let mut gateway = Gateway::new(&of(&silent.url()));
        gateway.keep_log();
        gateway
    };
    let mut full = fresh();
    let store = full.path("data/hookloom.db");
    let began = Instant::now();
    let filling = Filling { source: SOURCE, route: ROUTE, destination: DESTINATION, stand };
    fill(&store, &Clock::system(), options.events, filling).await?;
    settle(&store)?;
    let events = options.events;
    writeln!(out, "{events} events {name}, put there in {:.0?} by the store's verbs", began.elapsed())?;
    let file_mib = store_mib(&store);

    let requests = Requests::to(SOURCE);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 1..=options.rounds {
        for (name, gateway, all) in [("empty", &mut fresh(), &mut without), ("full", &mut full, &mut with)] {
            let figures = measure(gateway, options, &requests).await?;
            writeln!(
                out,
                "{round} {name:5}: ready in {:6.0} ms, {:6.0}/s accepted, p50 {:6.2} ms, p99 {:7.2} ms, VmHWM {:5.1} MiB",
                figures.start_ms, figures.rate, figures.p50_ms, figures.p99_ms, figures.memory_mib
            )?;
            all.push(figures);
        }
    }
    let first = first_delivery(&mut full, &of, stand).await?;
    summary(out, options, name, &without, &with, (file_mib, first))
}

/// Accepts as fast as it can, then at a fixed rate.
async fn measure(gateway: &mut Gateway, options: &Options, requests: &Requests) -> anyhow::Result<Figures> {
    let start = gateway.run_until_ready(BINARY).await;
    let load = Load::connect(gateway.listen(), CONNECTIONS, requests).await?;
    load.closed(WARM_UP).await?;
    let begin = Instant::now();
    let accepted = load.closed(options.length).await?;
    let rate = f64::from(accepted) / begin.elapsed().as_secs_f64();
    let latencies = load.paced(options.rate, options.length).await?;
    let memory = memory(gateway.pid())?;
    // Attempts that nobody answers would hold up a gentle stop.
    gateway.kill();
    Ok(Figures {
        start_ms: start.as_secs_f64() * 1e3,
        rate,
        p50_ms: percentile_ms(&latencies, 50),
        p99_ms: percentile_ms(&latencies, 99),
        memory_mib: memory.most,
    })
}

/// From exec to the first arrival at a destination that answers, the plugin being there.
async fn first_delivery(
    gateway: &mut Gateway,
    config: impl Fn(&str) -> String,
    stand: Stand,
) -> anyhow::Result<Duration> {
    let sink = Sink::start(Instant::now()).await?;
    gateway.write_config(&config(&sink.url()));
    if stand == Stand::Held {
        gateway.put_plugin(PLUGIN, guests::guest());
    }
    let begin = Instant::now();
    gateway.run_process(BINARY);
    loop {
        if let Some(first) = sink.first() {
            gateway.kill();
            return Ok(first.duration_since(begin));
        }
        anyhow::ensure!(begin.elapsed() < PATIENCE, "nothing was delivered within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn summary(
    out: &mut impl Write,
    options: &Options,
    name: &str,
    without: &[Figures],
    with: &[Figures],
    (file_mib, first): (f64, Duration),
) -> anyhow::Result<()> {
    let figures: &[Figure<Figures>] = &[
        ("ready_ms", |f| f.start_ms),
        ("accepted_per_second", |f| f.rate),
        ("accept_p50_ms", |f| f.p50_ms),
        ("accept_p99_ms", |f| f.p99_ms),
        ("vmhwm_mib", |f| f.memory_mib),
    ];
    let mut line = compare(out, ["empty", "full"], figures, [without, with])?;
    let first_ms = first.as_secs_f64() * 1e3;
    say(out, "store_mib", file_mib)?;
    say(out, "first_delivery_ms", first_ms)?;
    line.extend([
        ("bench".into(), json!("backlog")),
        ("kind".into(), json!(name)),
        ("events".into(), json!(options.events)),
        ("rate".into(), json!(options.rate)),
        ("store_mib".into(), json!(file_mib)),
        ("first_delivery_ms".into(), json!(first_ms)),
    ]);
    Ok(writeln!(out, "{}", Value::from(line))?)
}
