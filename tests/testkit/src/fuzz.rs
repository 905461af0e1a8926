//! Looking for what the plugin room and the front door cannot stand.

mod load;
mod mutate;
mod output;
mod request;
mod room;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hookloom::clock::Random;

use crate::measure::memory;

/// What is fuzzed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Components, from the file to the first call.
    Load,
    /// What a guest returns, through the canonical ABI and the rules of the contract.
    Output,
    /// Requests of providers, and those that somebody changed on their way.
    Request,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is fuzzed.
    pub target: Target,
    /// For how long.
    pub until: Until,
    /// Of the pseudo-random choices.
    pub seed: u64,
    /// The gateway's program, which compiles now and then.
    pub program: PathBuf,
}

/// When it is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After this time; an input that was begun is ended.
    Time(Duration),
    /// After so many inputs, however long they take.
    Executions(u64),
}

impl Until {
    fn is_over(self, begin: Instant, executions: u64) -> bool {
        match self {
            Self::Time(time) => begin.elapsed() >= time,
            Self::Executions(all) => executions >= all,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Inputs tried.
    pub executions: u64,
    /// How often each end was met, by verdict and kind of reason.
    pub ends: BTreeMap<String, u64>,
    /// The input that took longest.
    pub worst_time: Duration,
    /// The most memory that was resident, in MiB.
    pub worst_memory: f64,
    /// Panics and hangs, with the file that has the input.
    pub findings: Vec<String>,
}

/// Above this an input hangs: far beyond each limit, on the busiest machine.
const HANG: Duration = Duration::from_mins(2);
/// Above this, in MiB, memory is not given back: the room's pool and caches stay far below.
const BLOAT: f64 = 2048.0;
/// Executions between two looks at the memory.
const LOOK: u64 = 64;

impl Target {
    /// `load`, `output` or `request`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "load" => Some(Self::Load),
            "output" => Some(Self::Output),
            "request" => Some(Self::Request),
            _ => None,
        }
    }
}

/// One input, and what the room made of it.
trait Fuzzer {
    /// The next input.
    fn next(&mut self, random: &Random) -> Vec<u8>;
    /// Its end in a few words.
    fn run(&mut self, input: &[u8]) -> String;
}

/// Tries inputs until it is enough.
///
/// # Panics
/// When the room cannot be opened or a finding cannot be written.
pub fn fuzz(plan: &Plan) -> Report {
    let random = Random::seeded(plan.seed);
    let mut fuzzer: Box<dyn Fuzzer> = match plan.target {
        Target::Load => Box::new(load::Load::new(&plan.program)),
        Target::Output => Box::new(output::Output::new(&plan.program)),
        Target::Request => Box::new(request::Requests::new()),
    };
    let mut report = Report::default();
    let begin = Instant::now();
    while !plan.until.is_over(begin, report.executions) {
        let input = fuzzer.next(&random);
        let before = Instant::now();
        let end = catch_unwind(AssertUnwindSafe(|| fuzzer.run(&input)));
        let took = before.elapsed();
        report.executions += 1;
        report.worst_time = report.worst_time.max(took);
        match end {
            Ok(end) => *report.ends.entry(kind(&end)).or_default() += 1,
            Err(_) => report.found("panic", &input),
        }
        if took > HANG {
            report.found("hang", &input);
        }
        if report.executions % LOOK == 1 {
            report.look(&input);
        }
    }
    report
}

impl Report {
    fn found(&mut self, what: &str, input: &[u8]) {
        let file = format!("fuzz-{what}-{}.bin", self.findings.len());
        std::fs::write(&file, input).expect("the finding is kept");
        self.findings.push(format!("{what}: {file}"));
    }

    fn look(&mut self, input: &[u8]) {
        let resident = memory(std::process::id()).map_or(0.0, |memory| memory.resident);
        if resident > BLOAT && self.worst_memory <= BLOAT {
            self.found("bloat", input);
        }
        self.worst_memory = self.worst_memory.max(resident);
    }
}

/// A reason without what differs from one input to the next.
fn kind(end: &str) -> String {
    let words: Vec<_> = end.split_whitespace().take(12).collect();
    let letters = words.join(" ");
    let mut kind = String::new();
    for c in letters.chars().take(90) {
        let c = if c.is_ascii_digit() { '#' } else { c };
        if !(c == '#' && kind.ends_with('#')) {
            kind.push(c);
        }
    }
    kind
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} executions, {} distinct ends", self.executions, self.ends.len())?;
        writeln!(f, "worst time {:?}, most memory {:.0} MiB", self.worst_time, self.worst_memory)?;
        let mut ends: Vec<_> = self.ends.iter().collect();
        ends.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (end, count) in ends.into_iter().take(60) {
            writeln!(f, "{count:8}  {end}")?;
        }
        write!(
            f,
            "findings: {}",
            if self.findings.is_empty() { "none".into() } else { self.findings.join(", ") }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_numbers_are_of_one_kind() {
        assert_eq!(kind("at offset 0x12 of 345"), kind("at offset 0x9 of 6"));
        assert_ne!(kind("trap: a"), kind("trap: b"));
    }
}
