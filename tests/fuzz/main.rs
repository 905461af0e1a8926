//! Looks for a component, or an answer of one, that the plugin room cannot stand: a panic
//! of the host, a hang above the limits, memory that is not given back. And for a request
//! that the front door cannot stand, or takes although somebody changed it.
//!
//! `cargo bench --bench fuzz -- --target load|output|request --seconds N --seed S`. What is found
//! is written to the current folder; a seed finds the same again.
#![expect(clippy::print_stdout, reason = "the findings are what it is run for")]

use std::process::ExitCode;
use std::time::Duration;

use hookloom_testkit::fuzz::{Plan, Target, Until, fuzz};

fn main() -> ExitCode {
    let plan = match plan(std::env::args().skip(1)) {
        Ok(plan) => plan,
        Err(wrong) => {
            println!("{wrong}; say --target load|output|request --seconds N --seed S");
            return ExitCode::from(2);
        }
    };
    let report = fuzz(&plan);
    println!("{report}");
    if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plan(mut arguments: impl Iterator<Item = String>) -> Result<Plan, String> {
    let mut plan = Plan {
        target: Target::Load,
        until: Until::Time(Duration::from_mins(1)),
        seed: 1,
        program: program(),
    };
    while let Some(name) = arguments.next() {
        // Cargo says that of its own accord.
        if name == "--bench" {
            continue;
        }
        let value = arguments.next().ok_or(format!("{name} has no value"))?;
        let number = || value.parse::<u64>().map_err(|_| format!("{name} is not a number: {value}"));
        match name.as_str() {
            "--target" => plan.target = Target::named(&value).ok_or(format!("there is no target {value}"))?,
            "--seconds" => plan.until = Until::Time(Duration::from_secs(number()?)),
            "--seed" => plan.seed = number()?,
            _ => return Err(format!("{name} is unknown")),
        }
    }
    Ok(plan)
}

fn program() -> std::path::PathBuf {
    env!("CARGO_BIN_EXE_hookloom").into()
}
