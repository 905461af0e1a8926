//! A gateway under load that is killed again and again, and the judge of what came of
//! it: three destinations for each event, one that fails every third attempt, one that
//! is slow, one that keeps each key's order.

pub mod check;
mod destination;
pub mod history;
mod rig;
mod senders;

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::time::Duration;

use check::{Violation, check};
use hookloom::clock::Random;
use rig::Rig;

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Kills.
    pub rounds: u32,
    /// The kill falls anywhere into it.
    pub round: Duration,
    /// Of the instants of the kills.
    pub seed: u64,
    /// Each with a key of its own.
    pub senders: u32,
    /// Events a second, of all senders together, while the gateway is up.
    pub rate: u32,
    /// For everything to be delivered after the last round.
    pub drain: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            rounds: 100,
            round: Duration::from_secs(3),
            seed: 1,
            senders: 8,
            rate: 300,
            drain: Duration::from_mins(20),
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Kills.
    pub rounds: u32,
    /// Events that were answered with 200.
    pub acknowledged: usize,
    /// Events whose answer was lost and that were given up.
    pub unknown: usize,
    /// Requests that destinations saw.
    pub attempts: usize,
    /// Of these, those answered with 503 or cut off by a kill.
    pub refused: usize,
    /// Of these, those of deliveries that were taken before: a crash forgot it.
    pub duplicates: usize,
    /// From exec to the first ready 200 after a kill.
    pub longest_restart: Duration,
    /// From the last event to the last delivery.
    pub drained_in: Duration,
    /// Promises that were not kept.
    pub violations: Vec<Violation>,
}

/// Violations that are listed; the others are only counted.
const LISTED: usize = 20;

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, acknowledged, unknown, attempts, refused, duplicates, .. } = self;
        writeln!(f, "rounds (kill -9)                     {rounds:>9}")?;
        writeln!(f, "events acknowledged                  {acknowledged:>9}")?;
        writeln!(f, "events without an answer, given up   {unknown:>9}")?;
        writeln!(f, "attempts at three destinations       {attempts:>9}")?;
        writeln!(f, "of these answered 503 or cut off     {refused:>9}")?;
        writeln!(f, "of these duplicates                  {duplicates:>9}")?;
        writeln!(f, "longest restart, ms                  {:>9}", self.longest_restart.as_millis())?;
        writeln!(f, "everything delivered after, ms       {:>9}", self.drained_in.as_millis())?;
        let [losses, identities, order] = self.kinds();
        writeln!(f, "lost                                 {losses:>9}")?;
        writeln!(f, "second ids, other bodies, strangers  {identities:>9}")?;
        writeln!(f, "out of order                         {order:>9}")?;
        for violation in self.violations.iter().take(LISTED) {
            writeln!(f, "  {violation}")?;
        }
        let more = self.violations.len().saturating_sub(LISTED);
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        Ok(())
    }
}

impl Summary {
    /// How many violations there are: losses, wrong identities, breaches of order.
    pub fn kinds(&self) -> [usize; 3] {
        let mut kinds = [0; 3];
        for violation in &self.violations {
            let kind = match violation {
                Violation::Lost { .. } => 0,
                Violation::Unsent { .. }
                | Violation::SecondId { .. }
                | Violation::SharedId { .. }
                | Violation::OtherBody { .. } => 1,
                Violation::Overtaken { .. } | Violation::Overlap { .. } => 2,
            };
            kinds[kind] += 1;
        }
        kinds
    }

    /// The figures as one line of JSON.
    pub fn json(&self) -> String {
        let [lost, identities, order] = self.kinds();
        serde_json::json!({
            "bench": "soak",
            "rounds": self.rounds,
            "acknowledged": self.acknowledged,
            "unknown": self.unknown,
            "attempts": self.attempts,
            "refused": self.refused,
            "duplicates": self.duplicates,
            "longest_restart_ms": u64::try_from(self.longest_restart.as_millis()).unwrap_or(u64::MAX),
            "drained_in_ms": u64::try_from(self.drained_in.as_millis()).unwrap_or(u64::MAX),
            "lost": lost,
            "identities": identities,
            "order": order,
        })
        .to_string()
    }
}

/// Runs the soak on `binary`, with a line on `out` for each round.
///
/// # Errors
/// When it could not be carried out, or not everything was delivered in time. A promise
/// that was broken is no error but a violation in the summary.
pub async fn soak(binary: &str, options: Options, out: &mut impl Write) -> anyhow::Result<Summary> {
    let mut rig = Rig::start(binary).await?;
    let (sent, mut summary) = rig.rounds(options, &Random::seeded(options.seed), out).await?;
    summary.drained_in = rig.drain(options.drain).await?;
    let history = rig.history(sent)?;
    for arrivals in &history.arrivals {
        let mut taken = HashSet::new();
        for attempt in &arrivals.attempts {
            summary.attempts += 1;
            summary.duplicates += usize::from(taken.contains(&attempt.event));
            if attempt.taken {
                taken.insert(attempt.event);
            } else {
                summary.refused += 1;
            }
        }
    }
    summary.acknowledged =
        history.sent.iter().filter(|(_, fate)| *fate == history::Fate::Acknowledged).count();
    summary.unknown = history.sent.len() - summary.acknowledged;
    summary.violations = check(&history);
    Ok(summary)
}
