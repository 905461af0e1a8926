//! What the sandbox costs: a call in a fresh instance against the same call of an instance
//! that is there already, and against the same work done by others. The difference is
//! store, instance, `configure` and taking all of it down.
//!
//! `--guest X.wasm --config JSON` measures that component as well; `--rounds N`, 5 without.
#![expect(clippy::print_stdout, reason = "the figures are what it is run for")]

mod event;
mod meter;
mod peers;
mod subject;

use hookloom_testkit::guests::{lean_guest, variant};

use event::event;
use meter::{Table, micros};
use subject::Subject;

const PASS: &str = r#"{"do":"pass"}"#;
const REWRITE: &str = r#"{"do":"json","n":1}"#;
const COPY: &str = r#"{"do":"copy"}"#;
const KIB: usize = 1024;

fn main() {
    let arguments = Arguments::read();
    fresh_and_warm(&arguments);
    copies(arguments.rounds);
    peers(arguments.rounds);
}

/// What was asked for.
struct Arguments {
    rounds: usize,
    guest: Option<String>,
    config: String,
}

impl Arguments {
    fn read() -> Self {
        let given: Vec<_> = std::env::args().skip(1).collect();
        let value = |name: &str| {
            given.iter().position(|argument| argument == name).and_then(|at| given.get(at + 1)).cloned()
        };
        Self {
            rounds: value("--rounds").and_then(|n| n.parse().ok()).unwrap_or(5),
            guest: value("--guest"),
            config: value("--config").unwrap_or_else(|| "null".into()),
        }
    }
}

/// Calls for one figure: fewer of those that take long.
fn calls(bytes: usize) -> u32 {
    if bytes > 16 * KIB { 200 } else { 2_000 }
}

fn fresh_and_warm(arguments: &Arguments) {
    let guest = Subject::new(lean_guest(), 0);
    let reused = Subject::new(lean_guest(), 1_000);
    let mut cases: Vec<(String, &Subject, &Subject, &str, usize)> = vec![
        ("filter, 1 KiB".into(), &guest, &reused, PASS, KIB),
        ("JSON, 1 KiB".into(), &guest, &reused, REWRITE, KIB),
        ("JSON, 16 KiB".into(), &guest, &reused, REWRITE, 16 * KIB),
        ("JSON, 256 KiB".into(), &guest, &reused, REWRITE, 256 * KIB),
    ];
    let other = arguments.guest.as_ref().map(|path| match std::fs::read(path) {
        Ok(bytes) => Some((Subject::new(&bytes, 0), Subject::new(&bytes, 1_000), path)),
        Err(error) => {
            println!("SKIPPED: {path}: {error}");
            None
        }
    });
    if let Some(Some((fresh, reused, path))) = &other {
        cases.push((format!("{path}, 1 KiB"), fresh, reused, &arguments.config, KIB));
    }
    for (what, fresh, reused, config, bytes) in cases {
        let event = event(bytes);
        let times = calls(bytes);
        let mut table = Table::default();
        for _ in 0..arguments.rounds {
            let warm = micros(times, || fresh.warm(config, &event, times));
            let cold = micros(times, || fresh.calls(config, &event, times));
            let again = micros(times, || reused.calls(config, &event, times));
            table.add("warm: the code alone", warm.cpu);
            table.add("fresh: a sandbox for each", cold.cpu);
            table.add("reuse = 1000", again.cpu);
            table.add("the sandbox (fresh - warm)", cold.cpu - warm.cpu);
            table.add("fresh, wall clock", cold.wall);
            table.add("page faults of a fresh call", cold.faults);
            for (part, micros) in fresh.parts(config, &event, times) {
                table.add(part, micros);
            }
        }
        table.print(&format!("{what}: {} bytes, µs of CPU a call", event.body.len()));
    }
}

/// Only what a plugin reads goes in, and only what it changed comes back.
fn copies(rounds: usize) {
    let whole = Subject::new(lean_guest(), 0);
    let sparing = Subject::new(&variant(lean_guest(), "events-wholly-sent-", "events-without-body"), 0);
    let event = event(256 * KIB);
    let times = calls(event.body.len());
    let mut table = Table::default();
    for _ in 0..rounds {
        table.add("the body goes in and comes back", micros(times, || whole.calls(COPY, &event, times)).cpu);
        table.add("goes in, unchanged", micros(times, || whole.calls(PASS, &event, times)).cpu);
        table.add("`needs-body: false`", micros(times, || sparing.calls(PASS, &event, times)).cpu);
    }
    table.print("a body of 256 KiB, fresh, µs of CPU a call");
}

/// The same rewrite of 1 KiB by others, and what each costs in ours.
fn peers(rounds: usize) {
    let ours = Subject::new(lean_guest(), 0);
    let reused = Subject::new(lean_guest(), 1_000);
    let event = event(KIB);
    let times = calls(KIB);
    let script = peers::Script::new();
    let compiling = peers::Compiling::new();
    let mut table = Table::default();
    for _ in 0..rounds {
        let fresh = micros(times, || ours.calls(REWRITE, &event, times)).cpu;
        let rows = [
            ("Rust, in the gateway itself", micros(times, || peers::natively(&event, times)).cpu),
            ("warm instance", micros(times, || ours.warm(REWRITE, &event, times)).cpu),
            ("reuse = 1000", micros(times, || reused.calls(REWRITE, &event, times)).cpu),
            ("fresh instance", fresh),
            ("QuickJS, context kept", micros(times, || script.kept(&event, times)).cpu),
            ("QuickJS, context for each", micros(times, || script.fresh(&event, times)).cpu),
            ("compiled for each event", compiling.micros(lean_guest(), 3) + fresh),
        ];
        for (what, micros) in rows {
            table.add(what, micros);
        }
    }
    table.print_against("fresh instance", "the same rewrite of 1 KiB of JSON, µs of CPU a call");
}
