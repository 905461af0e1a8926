//! What a destination that is dead costs a healthy one: how long deliveries to the healthy
//! one take, from the request to the arrival, while a backlog waits for a dead one.
//!
//! `cargo bench --bench isolation -- [--quick] [--waiting N] [--rate N] [--seconds N]
//! [--rounds N] [--how silent|refused]`
//!
//! Add `--profile dev` before the `--` for a build that takes a minute instead of ten.
//! `silent` takes connections and never answers; `refused` takes none. Rounds alternate:
//! first without (the other destination's deliveries are all delivered, so that the store
//! is as large), then with; each on a fresh copy of its store. Compare within one run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hookloom::clock::Clock;
use hookloom_testkit::fill::{Filling, Stand, fill};
use hookloom_testkit::gateway::Gateway;
use hookloom_testkit::load::{Load, Requests, SENT};
use hookloom_testkit::measure::{Figure, Memory, compare, memory, percentile_ms};
use hookloom_testkit::receiver::{Answer, Receiver};
use hookloom_testkit::sender::{DESTINATION_SECRET, SECRET};
use hookloom_testkit::sink::Sink;
use serde_json::{Value, json};
use tokio::time::Instant;

const BINARY: &str = env!("CARGO_BIN_EXE_hookloom");
/// Of the load; far fewer than are busy at once at its rate.
const CONNECTIONS: usize = 32;
/// Before anything is measured: connections and caches fill, and the backlog's first
/// attempts are under way.
const WARM_UP: Duration = Duration::from_secs(1);

struct Options {
    waiting: usize,
    rate: f64,
    length: Duration,
    rounds: usize,
    how: Vec<&'static str>,
}

/// One round.
struct Figures {
    p50_ms: f64,
    p99_ms: f64,
    before: Memory,
    after: Memory,
    still_waiting: u64,
    /// At the dead destination.
    attempts: u64,
}

/// The stores that rounds begin with.
struct Stores {
    _folder: tempfile::TempDir,
    delivered: PathBuf,
    undelivered: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    // One thread makes the load and receives, so that the other cores are the subject's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, run(&options))
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut options = Self {
            waiting: 100_000,
            rate: 200.0,
            length: Duration::from_secs(10),
            rounds: 3,
            how: vec!["silent", "refused"],
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| anyhow::anyhow!("{arg} needs a value"));
            match arg.as_str() {
                // cargo's own.
                "--bench" => {}
                "--quick" => {
                    (options.waiting, options.rounds, options.length) = (5_000, 2, Duration::from_secs(2));
                }
                "--waiting" => options.waiting = value()?.parse()?,
                "--rate" => options.rate = value()?.parse()?,
                "--seconds" => options.length = Duration::from_secs(value()?.parse()?),
                "--rounds" => options.rounds = value()?.parse()?,
                "--how" => {
                    let how = value()?;
                    options.how.retain(|known| *known == how);
                    anyhow::ensure!(!options.how.is_empty(), "--how is silent or refused");
                }
                _ => anyhow::bail!("unknown argument {arg}"),
            }
        }
        Ok(options)
    }
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let Options { waiting, rate, length, rounds, .. } = options;
    writeln!(
        out,
        "{waiting} deliveries of the dead destination, {rate}/s for the healthy one, {rounds} rounds of {length:?}"
    )?;
    let stores = Stores::fill(*waiting).await?;
    for how in &options.how {
        let (mut without, mut with) = (Vec::new(), Vec::new());
        for round in 1..=*rounds {
            for (name, store, all) in
                [("without", &stores.delivered, &mut without), ("with", &stores.undelivered, &mut with)]
            {
                let figures = measure(options, how, store).await?;
                writeln!(
                    out,
                    "{how} {round} {name:7}: p50 {:7.2} ms, p99 {:7.2} ms, RSS {:5.1} to {:5.1} MiB, VmHWM {:5.1} MiB, {} still waiting, {} attempts",
                    figures.p50_ms,
                    figures.p99_ms,
                    figures.before.resident,
                    figures.after.resident,
                    figures.after.most,
                    figures.still_waiting,
                    figures.attempts,
                )?;
                all.push(figures);
            }
        }
        summary(&mut out, how, options, &without, &with)?;
    }
    Ok(())
}

fn summary(
    out: &mut impl Write,
    how: &str,
    options: &Options,
    without: &[Figures],
    with: &[Figures],
) -> std::io::Result<()> {
    let figures: &[Figure<Figures>] = &[
        ("p50_ms", |f| f.p50_ms),
        ("p99_ms", |f| f.p99_ms),
        ("rss_before_mib", |f| f.before.resident),
        ("rss_after_mib", |f| f.after.resident),
        ("vmhwm_mib", |f| f.after.most),
    ];
    writeln!(out, "{how}:")?;
    let mut line = compare(out, ["without", "with"], figures, [without, with])?;
    line.extend([
        ("bench".into(), json!("isolation")),
        ("how".into(), json!(how)),
        ("waiting".into(), json!(options.waiting)),
        ("rate".into(), json!(options.rate)),
    ]);
    writeln!(out, "{}", Value::from(line))
}

impl Stores {
    async fn fill(count: usize) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let (delivered, undelivered) =
            (folder.path().join("delivered.db"), folder.path().join("undelivered.db"));
        for (path, stand) in [(&delivered, Stand::Delivered), (&undelivered, Stand::Undelivered)] {
            let filling = Filling { source: "other", route: "to-dead", destination: "dead", stand };
            fill(path, &Clock::system(), count, filling).await?;
        }
        Ok(Self { _folder: folder, delivered, undelivered })
    }
}

/// One gateway on a copy of `store`, from its start to its end.
async fn measure(options: &Options, how: &str, store: &Path) -> anyhow::Result<Figures> {
    let origin = Instant::now();
    let sink = Sink::start(origin).await?;
    let silent = Receiver::start_with([], Answer::Silence).await;
    let dead = if how == "silent" { silent.url() } else { nobody()? };
    let mut gateway = Gateway::new(&config(&sink.url(), &dead));
    gateway.keep_log();
    copy(store, &gateway.path("data/hookloom.db"))?;
    gateway.run_until_ready(BINARY).await;
    let load = Load::connect(gateway.listen(), CONNECTIONS, &Requests::timed("github", origin)).await?;

    let mut sent = load.paced(options.rate, WARM_UP).await?.len();
    sink.wait_for(u32::try_from(sent)?).await?;
    sink.take_latencies();
    let before = memory(gateway.pid())?;
    sent += load.paced(options.rate, options.length).await?.len();
    sink.wait_for(u32::try_from(sent)?).await?;
    let after = memory(gateway.pid())?;
    let latencies = sink.take_latencies();
    let still_waiting = gateway.count(r#"hookloom_backlog_deliveries{destination="dead"}"#).await;
    let attempts = attempts(&gateway).await;
    // Attempts that nobody answers would hold up a gentle stop.
    gateway.kill();
    Ok(Figures {
        p50_ms: percentile_ms(&latencies, 50),
        p99_ms: percentile_ms(&latencies, 99),
        before,
        after,
        still_waiting,
        attempts,
    })
}

/// On the disk when it returns: what is written back later would be in the subject's way.
fn copy(store: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to.parent().unwrap_or(Path::new(".")))?;
    std::fs::copy(store, to)?;
    std::fs::File::open(to)?.sync_all()
}

/// Attempts at the dead destination that have ended, however.
async fn attempts(gateway: &Gateway) -> u64 {
    let metrics = gateway.get("/metrics").await.body;
    let of_dead =
        |line: &&str| line.starts_with("hookloom_attempts_total{") && line.contains(r#"destination="dead""#);
    let counts =
        metrics.lines().filter(of_dead).filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    counts.sum()
}

/// An address at which nobody listens.
fn nobody() -> std::io::Result<String> {
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    Ok(format!("http://{address}/hooks"))
}

/// Everything that is not needed for the routes is at its default.
fn config(healthy: &str, dead: &str) -> String {
    format!(
        r#"
[sources.github]
scheme = "github"
secrets = ["{SECRET}"]

[sources.other]
scheme = "github"
secrets = ["{SECRET}"]

[destinations.healthy]
url = "{healthy}"
secrets = ["{DESTINATION_SECRET}"]
forward_headers = ["{SENT}"]

[destinations.dead]
url = "{dead}"
secrets = ["{DESTINATION_SECRET}"]

[[routes]]
name = "to-healthy"
from = ["github"]
to = ["healthy"]

[[routes]]
name = "to-dead"
from = ["other"]
to = ["dead"]
"#
    )
}
