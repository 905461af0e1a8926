//! `hookloom compile-plugin`, which the gateway calls and people do not: one component
//! from stdin becomes machine code on stdout, within limits that the process puts on
//! itself.

use std::io::Write;
use std::process::ExitCode;

use crate::plugin::{self, Budget, Compiled};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Memory, in bytes
    #[arg(long)]
    memory: u64,
    /// Processor time, in seconds
    #[arg(long)]
    seconds: u64,
}

pub(super) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let budget = Budget { memory: options.memory, seconds: options.seconds };
    let (bytes, code) = match plugin::compile_within(&budget, std::io::stdin().lock())? {
        Compiled::Code(code) => (code, ExitCode::SUCCESS),
        Compiled::Refused(reason) => (reason.into_bytes(), plugin::REFUSED.into()),
    };
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(&bytes)?;
    stdout.flush()?;
    Ok(code)
}
