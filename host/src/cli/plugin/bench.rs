//! `hookloom plugin bench`: what a call costs, in a fresh instance and in one that is
//! there already.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::figures::{Spread, bytes, time};
use super::fixture::Input;
use super::room::{self, Room};
use super::run::Events;
use super::trial;
use crate::cli::table::Table;
use crate::cli::{print, say};
use crate::clock::Clock;
use crate::plugin::{Plugin, StateView};

/// Calls before the first one that counts.
const WARM_UP: u32 = 50;
/// Warm calls that are timed together: one alone is too short for the clock.
const BATCH: u32 = 20;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component
    #[arg(value_name = "X.wasm")]
    wasm: PathBuf,
    #[command(flatten)]
    events: Events,
    /// Calls of each kind
    #[arg(short = 'n', long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    calls: u32,
    #[command(flatten)]
    room: room::Options,
    /// One JSON object an event
    #[arg(long)]
    json: bool,
}

/// What was measured for one event.
struct Figures {
    verdict: &'static str,
    /// Of an instance after its call, in bytes.
    memory: usize,
    fresh: Spread,
    warm: Spread,
}

pub(in crate::cli) fn main(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let events = arguments.events.read()?;
    let room = Room::open(&arguments.wasm, &arguments.room)?;
    if cfg!(debug_assertions) {
        say("warning: this hookloom is a debug build: it is far slower than what users run");
    }
    let status = room.status()?;
    if !arguments.json {
        let compiled = format!("compiled in {} ms", status.compile_ms);
        print(&format!("{} {}, {}, {compiled}", room.name(), status.version, bytes(status.size)));
    }
    let clock = Clock::system();
    for event in &events {
        let plugin = room.plugin(event.input.now.unwrap_or_else(|| clock.now()), &event.input.secrets)?;
        let figures = measure(&plugin, &event.input, arguments.calls, &clock)
            .map_err(|why| anyhow::anyhow!("{}: {why}\n    help: only calls that answer are measured; `hookloom plugin run` shows this one", event.name()))?;
        if arguments.json {
            let mut all = as_json(&figures);
            all["event"] = json!(event.name());
            all["plugin"] = json!(plugin.name());
            all["digest"] = json!(plugin.digest());
            all["size"] = json!(status.size);
            all["compile_ms"] = json!(status.compile_ms);
            print(&all.to_string());
        } else {
            let size = bytes(event.input.event.body.len() as u64);
            print(&format!("\n{} ({size}): {}", event.name(), figures.verdict));
            print(&render(&figures));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(plugin: &Plugin, input: &Input, calls: u32, clock: &Clock) -> Result<Figures, String> {
    let mut last = trial::run(plugin, input);
    for _ in 0..WARM_UP {
        last = trial::run(plugin, input);
        if !last.answered() {
            let reason = last.call.reason.unwrap_or_default();
            return Err(format!("{}: {reason}", last.call.verdict.as_str()));
        }
    }
    let values = trial::values(input);
    let fresh = (0..calls)
        .map(|_| {
            let mut state = StateView::new(Arc::clone(&values));
            let began = clock.monotonic();
            let call = plugin.call(&input.config, &trial::call_input(&input.event), &mut state);
            // Taking the instance down is part of what an event costs.
            let took = clock.monotonic().saturating_sub(began);
            call.output.map(|_| took).ok_or_else(|| call.reason.unwrap_or_default())
        })
        .collect::<Result<Vec<_>, _>>()?;
    let warm = (0..calls.div_ceil(BATCH))
        .map(|_| plugin.call_warm(&input.config, &trial::call_input(&input.event), &values, BATCH))
        .collect::<Result<Vec<_>, _>>()?;
    let spread = |times| Spread::of(times).ok_or_else(|| "no calls were made".to_owned());
    Ok(Figures {
        verdict: last.call.verdict.as_str(),
        memory: last.call.memory,
        fresh: spread(fresh)?,
        warm: spread(warm)?,
    })
}

fn render(figures: &Figures) -> String {
    let mut table = Table::new(&["INSTANCE", "MEDIAN", "P99", "LEAST", "MOST"]);
    for (name, spread) in [("fresh", figures.fresh), ("warm", figures.warm)] {
        let Spread { median, p99, least, most } = spread;
        let [median, p99, least, most] = [median, p99, least, most].map(time);
        table.row([name.to_owned(), median, p99, least, most]);
    }
    format!(
        "{}{} of memory an instance; one core makes {:.0} fresh calls/s, {:.0} warm ones",
        table.render(),
        bytes(figures.memory as u64),
        per_second(figures.fresh.median),
        per_second(figures.warm.median),
    )
}

fn per_second(time: Duration) -> f64 {
    1.0 / time.as_secs_f64().max(1e-9)
}

fn as_json(figures: &Figures) -> Value {
    let spread = |spread: Spread| {
        let micros = |time: Duration| time.as_secs_f64() * 1e6;
        let Spread { median, p99, least, most } = spread;
        json!({ "median": micros(median), "p99": micros(p99), "least": micros(least), "most": micros(most) })
    };
    json!({
        "verdict": figures.verdict,
        "fresh_micros": spread(figures.fresh),
        "warm_micros": spread(figures.warm),
        "memory": figures.memory,
        "fresh_per_second": per_second(figures.fresh.median),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_both_kinds() {
        let spread = |micros: u64| {
            let time = Duration::from_micros(micros);
            Spread { median: time, p99: time * 2, least: time / 2, most: time * 10 }
        };
        let figures = Figures { verdict: "pass", memory: 1 << 20, fresh: spread(20), warm: spread(10) };
        let expected = "\
INSTANCE  MEDIAN   P99      LEAST    MOST
fresh     20.0 µs  40.0 µs  10.0 µs  200.0 µs
warm      10.0 µs  20.0 µs  5.0 µs   100.0 µs
1.0 MiB of memory an instance; one core makes 50000 fresh calls/s, 100000 warm ones";
        assert_eq!(render(&figures), expected);
        assert_eq!(as_json(&figures)["fresh_micros"]["p99"], 40.0);
    }
}
