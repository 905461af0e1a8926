//! The crash soak: nothing that was acknowledged is lost, doubled under another id, or
//! out of order, however often the process is killed.
//!
//! `cargo bench --bench soak -- [--rounds N] [--seconds-per-round N] [--seed S]
//! [--senders N] [--rate EVENTS_PER_SECOND] [--drain-seconds N]`
//!
//! Add `--profile dev` before the `--` for a build that takes a minute instead of ten.
//! Each round kills the process (`kill -9`) at an instant that the seed chooses, anywhere
//! in the round, under load with three deliveries an event, and starts it again. At the
//! end everything is delivered and the whole history is judged. Exit code 1 on any
//! violation, or when not everything was delivered in time.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use hookloom_testkit::soak::{Options, soak};

fn main() -> anyhow::Result<ExitCode> {
    let options = parse(std::env::args().skip(1))?;
    let mut out = std::io::stdout();
    writeln!(out, "{options:?}")?;
    let runtime = tokio::runtime::Runtime::new()?;
    let summary = runtime.block_on(soak(env!("CARGO_BIN_EXE_hookloom"), options, &mut out))?;
    writeln!(out, "{summary}{}", summary.json())?;
    Ok(if summary.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn parse(mut args: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| anyhow::anyhow!("{arg} needs a value"));
        match arg.as_str() {
            // cargo's own.
            "--bench" => {}
            "--rounds" => options.rounds = value()?.parse()?,
            "--seconds-per-round" => options.round = Duration::from_secs_f64(value()?.parse()?),
            "--seed" => options.seed = value()?.parse()?,
            "--senders" => options.senders = value()?.parse()?,
            "--rate" => options.rate = value()?.parse()?,
            "--drain-seconds" => options.drain = Duration::from_secs(value()?.parse()?),
            _ => anyhow::bail!("unknown argument {arg}"),
        }
    }
    Ok(options)
}
