//! The whole gateway under the reference load, against a bare axum → reqwest forwarder
//! that has neither store nor sandbox: 1 KiB GitHub-signed events over 32 connections,
//! one JSON transform in a fresh sandbox, one destination, everything on disk.
//!
//! `cargo bench --bench gateway -- [--quick] [--pairs N] [--seconds N] [--against BINARY]`
//!
//! Subjects take turns, because a shared machine's speed drifts; the ratios within a
//! pair are what counts. `--against` measures another build of the gateway, too.

mod figures;
mod forwarder;
mod subject;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figures::{Figures, Table};
use hookloom_testkit::load::{Load, Requests};
use hookloom_testkit::measure::percentile_ms;
use hookloom_testkit::sink::Sink;
use subject::Subject;
use tokio::time::Instant;

type Error = Box<dyn std::error::Error>;

/// Connections of the reference load.
const CONNECTIONS: usize = 32;
/// Of load before anything is measured: connections, caches and pools fill.
const WARM_UP: Duration = Duration::from_millis(700);

struct Options {
    pairs: usize,
    length: Duration,
    against: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind<'a> {
    Gateway { binary: &'a Path, synchronous: &'static str },
    Forwarder,
}

fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    if let (Some(forwarder::ARGUMENT), Some(url)) = (args.next().as_deref(), args.next()) {
        return forwarder::run(&url);
    }
    let options = Options::parse(std::env::args().skip(1))?;
    let plugin = hookloom_testkit::guests::example("redact");
    // One thread makes the load and receives, so that the other cores are the subject's.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, compare(&options, &plugin))
}

impl Options {
    fn parse(mut args: impl Iterator<Item = String>) -> Result<Self, Error> {
        let mut options = Self { pairs: 5, length: Duration::from_secs(6), against: None };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value"));
            match arg.as_str() {
                // cargo's own.
                "--bench" => {}
                "--quick" => (options.pairs, options.length) = (1, Duration::from_secs(2)),
                "--pairs" => options.pairs = value()?.parse()?,
                "--seconds" => options.length = Duration::from_secs(value()?.parse()?),
                "--against" => options.against = Some(value()?.into()),
                _ => return Err(format!("unknown argument {arg}").into()),
            }
        }
        Ok(options)
    }
}

async fn compare(options: &Options, plugin: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    writeln!(out, "{CONNECTIONS} connections, {:?} of load each, {} pairs", options.length, options.pairs)?;
    let binary = Path::new(env!("CARGO_BIN_EXE_hookloom"));
    let mut subjects = vec![
        ("gateway", Kind::Gateway { binary, synchronous: "full" }),
        ("forwarder", Kind::Forwarder),
        ("synchronous=off", Kind::Gateway { binary, synchronous: "off" }),
    ];
    if let Some(binary) = &options.against {
        subjects.insert(1, ("against", Kind::Gateway { binary, synchronous: "full" }));
    }
    let mut table = Table::default();
    for pair in 1..=options.pairs {
        let sync = figures::time_of_sync(folder)?;
        writeln!(out, "pair {pair}: one fdatasync takes {sync:.0?} (median of 100)")?;
        table.sync.push(sync.as_secs_f64() * 1e3);
        // Whoever comes first after a pause has a rested disk: not always the same.
        let turn = pair % subjects.len();
        subjects.rotate_left(turn);
        for (name, kind) in &subjects {
            let figures = measure(*kind, options.length, folder, plugin).await?;
            writeln!(out, "  {name:16} {figures}")?;
            table.subject(name).push(figures);
        }
        subjects.rotate_right(turn);
    }
    table.summary(&mut out)?;
    Ok(())
}

/// One subject, from its start to its end.
async fn measure(kind: Kind<'_>, length: Duration, folder: &Path, plugin: &[u8]) -> Result<Figures, Error> {
    let sink = Sink::start(Instant::now()).await?;
    let subject = match kind {
        Kind::Gateway { binary, synchronous } => {
            Subject::gateway(binary, synchronous, &sink.url(), folder, plugin)?
        }
        Kind::Forwarder => Subject::forwarder(&sink.url())?,
    };
    let load = Load::connect(subject.address, CONNECTIONS, &Requests::to("github")).await?;
    let mut sent = load.closed(WARM_UP).await?;
    sink.wait_for(sent).await?;

    let (counted_before, cpu_before) = (subject.commits()?, subject.cpu()?);
    let begin = Instant::now();
    let accepted = load.closed(length).await?;
    let accepting = begin.elapsed().as_secs_f64();
    sent += accepted;
    sink.wait_for(sent).await?;
    let arriving = begin.elapsed().as_secs_f64();
    let cpu = subject.cpu()?.saturating_sub(cpu_before);
    let commits = subject.commits()?.zip(counted_before).map(|(now, before)| now.since(before));

    let events = f64::from(accepted);
    let rate = events / arriving;
    let latencies = load.paced(rate / 2.0, length).await?;
    sink.wait_for(sent + u32::try_from(latencies.len())?).await?;
    if let Kind::Gateway { .. } = kind {
        let last = String::from_utf8(sink.last())?;
        if !last.contains("[redacted]") {
            return Err(format!("not transformed: {last}").into());
        }
    }
    Ok(Figures {
        rate,
        accept_rate: events / accepting,
        cpu_micros: cpu.as_secs_f64() * 1e6 / events,
        memory_mib: subject.memory()?.most,
        ack_p50_ms: percentile_ms(&latencies, 50),
        ack_p99_ms: percentile_ms(&latencies, 99),
        commits,
    })
}
