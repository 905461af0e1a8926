//! The circuit breaker: a destination that fails again and again is left alone for a
//! while, and then tried with one attempt. Pure; each process has its own.
//!
//! ```text
//!          failures in a row             the pause is over
//! closed ────────────────────► open ───────────────────────► half-open
//!   ▲                            ▲         the probe failed      │
//!   │                            └───────────────────────────────┤
//!   └──────────── it answers ────────────────────────────────────┘
//! ```

use std::time::Duration;

/// The longest that a destination is left alone at a time.
const MAX_PAUSE: Duration = Duration::from_hours(24);

/// When a destination is left alone, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    failures: u32,
    pause: Duration,
}

/// Why settings are no breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BreakerPolicyError {
    /// No pause, or one in which nobody remembers why.
    #[error("a breaker's pause is above zero and at most {}", humantime::format_duration(MAX_PAUSE))]
    Pause,
}

impl BreakerPolicy {
    /// After so many failures in a row, so long; without failures: never.
    pub fn new(failures: u32, pause: Duration) -> Result<Self, BreakerPolicyError> {
        if pause.is_zero() || pause > MAX_PAUSE {
            return Err(BreakerPolicyError::Pause);
        }
        Ok(Self { failures, pause })
    }

    /// How many in a row; 0: it is switched off.
    pub fn failures(self) -> u32 {
        self.failures
    }

    /// How long.
    pub fn pause(self) -> Duration {
        self.pause
    }
}

/// A minute after twenty failures: long enough for a restart, short enough for people
/// to wait for.
impl Default for BreakerPolicy {
    fn default() -> Self {
        Self { failures: 20, pause: Duration::from_mins(1) }
    }
}

/// One destination's breaker.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Failures since it last answered.
    streak: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// Attempts numbered from here are probes.
    first_probe: u64,
    /// The end of the pause (monotonic).
    until: Duration,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// All is well.
    Closed,
    /// One probe at a time.
    HalfOpen,
    /// No attempt until then.
    Open(Duration),
}

/// What an attempt did to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was closed and is open, after so many failures.
    Opened(u32),
    /// A probe failed.
    Reopened,
    /// It was open and is closed.
    Closed,
}

impl Breaker {
    /// Where it stands at `now`.
    pub(super) fn phase(&self, now: Duration, policy: BreakerPolicy) -> Phase {
        match &self.open {
            Some(open) if policy.failures > 0 => {
                if open.until > now {
                    Phase::Open(open.until)
                } else {
                    Phase::HalfOpen
                }
            }
            _ => Phase::Closed,
        }
    }

    /// Attempt `number` failed; the next one will be number `next`. One that began before
    /// the breaker opened says nothing new.
    pub(super) fn failed(
        &mut self,
        now: Duration,
        (number, next): (u64, u64),
        policy: BreakerPolicy,
    ) -> Option<Change> {
        self.streak = self.streak.saturating_add(1);
        if policy.failures == 0 {
            return self.open.take().map(|_| Change::Closed);
        }
        let change = match &self.open {
            Some(open) if number < open.first_probe => return None,
            Some(_) => Change::Reopened,
            None if self.streak < policy.failures => return None,
            None => Change::Opened(self.streak),
        };
        self.open = Some(Open { first_probe: next, until: now.saturating_add(policy.pause) });
        Some(change)
    }

    /// It answered, so it is there: also when that attempt began before the breaker opened.
    pub(super) fn answered(&mut self) -> Option<Change> {
        self.streak = 0;
        self.open.take().map(|_| Change::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn every_transition() {
        use Change::{Closed, Opened, Reopened};
        /// Second, number of the attempt (`None`: it answered); what changes, where it
        /// stands after that.
        type Row = (u64, Option<u64>, Option<Change>, Phase);
        let table: [Row; 13] = [
            (0, Some(1), None, Phase::Closed),
            (1, Some(2), None, Phase::Closed),
            (2, None, None, Phase::Closed),
            (3, Some(3), None, Phase::Closed),
            (4, Some(4), None, Phase::Closed),
            (5, Some(5), Some(Opened(3)), Phase::Open(S(15))),
            (6, Some(4), None, Phase::Open(S(15))),
            (16, Some(4), None, Phase::HalfOpen),
            (20, Some(17), Some(Reopened), Phase::Open(S(30))),
            (40, Some(31), Some(Reopened), Phase::Open(S(50))),
            (55, None, Some(Closed), Phase::Closed),
            (56, Some(57), None, Phase::Closed),
            (57, None, None, Phase::Closed),
        ];
        let policy = BreakerPolicy::new(3, S(10)).unwrap();
        let mut breaker = Breaker::default();
        for (at, failed, change, phase) in table {
            let next = failed.unwrap_or(0) + 1;
            let changed = match failed {
                Some(number) => breaker.failed(S(at), (number, next), policy),
                None => breaker.answered(),
            };
            assert_eq!(changed, change, "at {at}");
            assert_eq!(breaker.phase(S(at), policy), phase, "at {at}");
        }
    }

    #[test]
    fn an_old_attempt_that_succeeds_closes_it() {
        let policy = BreakerPolicy::new(1, S(10)).unwrap();
        let mut breaker = Breaker::default();
        assert_eq!(breaker.failed(S(0), (5, 6), policy), Some(Change::Opened(1)));
        assert_eq!(breaker.answered(), Some(Change::Closed));
        assert_eq!(breaker.phase(S(0), policy), Phase::Closed);
    }

    #[test]
    fn without_failures_it_is_switched_off_and_a_reload_switches_it_off() {
        let (on, off) = (BreakerPolicy::new(1, S(10)).unwrap(), BreakerPolicy::new(0, S(10)).unwrap());
        let mut breaker = Breaker::default();
        (0..100).for_each(|number| assert_eq!(breaker.failed(S(0), (number, number + 1), off), None));
        assert_eq!(breaker.failed(S(0), (100, 101), on), Some(Change::Opened(101)));
        assert_eq!(breaker.phase(S(0), off), Phase::Closed);
        assert_eq!(breaker.failed(S(0), (101, 102), off), Some(Change::Closed));
    }

    #[test]
    fn a_pause_has_bounds() {
        for pause in [Duration::ZERO, MAX_PAUSE * 2] {
            assert_eq!(BreakerPolicy::new(20, pause), Err(BreakerPolicyError::Pause));
        }
        assert_eq!(BreakerPolicy::new(20, S(60)), Ok(BreakerPolicy::default()));
    }
}
