//! How fast a destination that is overloaded can be sent to: it says so, and gets less
//! until it keeps up. Pure.
//!
//! ```text
//! overload        half as many at once, not below one; answers to attempts that began
//!                 before that do not halve again
//! Retry-After     none until then, up to the policy's cap
//! without it,
//! one at a time   none for a pause, 100 ms doubling to 30 s
//! success         no pause any more; one more at once for each window of successes, as
//!                 many as there are at once
//! ```

use std::time::Duration;

/// The first pause of a destination that is overloaded by one attempt at a time, and the
/// longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// What is left of a destination's concurrency.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    /// Attempts at once; `None`: as many as are configured.
    limit: Option<usize>,
    /// Attempts numbered below began before the last slow-down.
    slowed_at: u64,
    /// Since the limit was last changed.
    successes: usize,
    /// The last pause; zero: none since the last success.
    pause: Duration,
    /// No attempt until then (monotonic).
    until: Duration,
}

impl Throttle {
    /// Attempts at once, of `configured`.
    pub(super) fn concurrency(&self, configured: usize) -> usize {
        self.limit.map_or(configured, |limit| limit.min(configured))
    }

    /// Whether it gets less than is configured.
    pub(super) const fn is_slowed(&self) -> bool {
        self.limit.is_some()
    }

    /// When the next attempt may start; `None`: now.
    pub(super) fn closed_until(&self, now: Duration) -> Option<Duration> {
        (self.until > now).then_some(self.until)
    }

    /// Attempt `number` found it overloaded; the next one will be number `next`.
    /// `retry_after` is capped already; zero asks for nothing.
    pub(super) fn overloaded(
        &mut self,
        now: Duration,
        (number, next): (u64, u64),
        retry_after: Option<Duration>,
        configured: usize,
    ) {
        let asked = retry_after.filter(|asked| !asked.is_zero());
        if let Some(asked) = asked {
            self.until = self.until.max(now.saturating_add(asked));
        }
        if number < self.slowed_at {
            return;
        }
        let before = self.concurrency(configured);
        self.limit = Some((before / 2).max(1));
        self.slowed_at = next;
        self.successes = 0;
        if before == 1 && asked.is_none() {
            self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
            self.until = self.until.max(now.saturating_add(self.pause));
        }
    }

    /// Attempt `number` succeeded.
    pub(super) fn succeeded(&mut self, number: u64, configured: usize) {
        let Some(limit) = self.limit else { return };
        if number < self.slowed_at {
            return;
        }
        self.pause = Duration::ZERO;
        self.successes += 1;
        if self.successes >= limit {
            self.successes = 0;
            self.limit = (limit + 1 < configured).then_some(limit + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    /// What happens, at which millisecond.
    enum Answer {
        /// An attempt that began after everything before it.
        Overload(Option<u64>),
        /// One that began before everything else.
        OldOverload(Option<u64>),
        Success,
        OldSuccess,
    }

    #[test]
    fn every_step_down_and_up() {
        use Answer::{OldOverload, OldSuccess, Overload, Success};
        /// Configured, answers with their times; concurrency and the end of the pause.
        type Row = (usize, &'static [(u64, Answer)], usize, u64);
        let table: [Row; 16] = [
            (16, &[], 16, 0),
            (16, &[(10, Success)], 16, 0),
            (16, &[(10, Overload(None))], 8, 0),
            (16, &[(10, Overload(None)), (11, OldOverload(None)), (12, OldOverload(None))], 8, 0),
            (16, &[(10, Overload(None)), (20, Overload(None))], 4, 0),
            (3, &[(10, Overload(None))], 1, 0),
            (16, &[(10, Overload(Some(5_000)))], 8, 5_010),
            (16, &[(10, Overload(Some(5_000))), (20, OldOverload(Some(9_000)))], 8, 9_020),
            (16, &[(10, Overload(Some(5_000))), (20, OldOverload(Some(1)))], 8, 5_010),
            (16, &[(10, Overload(Some(5_000))), (20, OldSuccess)], 8, 5_010),
            (16, &[(10, Overload(None)), (20, Overload(None)), (30, OldSuccess), (30, Success)], 4, 0),
            (1, &[(10, Overload(None))], 1, 110),
            (1, &[(10, Overload(Some(0)))], 1, 110),
            (1, &[(10, Overload(None)), (200, Overload(None)), (500, Overload(None))], 1, 900),
            (
                1,
                &[(10, Overload(None)), (200, Overload(None)), (500, Success), (600, Overload(None))],
                1,
                700,
            ),
            (2, &[(10, Overload(None)), (20, Overload(Some(40))), (90, Overload(None))], 1, 190),
        ];
        for (row, (configured, answers, concurrency, until)) in table.into_iter().enumerate() {
            let mut throttle = Throttle::default();
            for (number, (at, answer)) in answers.iter().enumerate() {
                let (now, young) = (MS(*at), number as u64 + 1);
                let mut overload = |number, asked: &Option<u64>| {
                    throttle.overloaded(now, (number, young + 1), asked.map(MS), configured);
                };
                match answer {
                    Overload(asked) => overload(young, asked),
                    OldOverload(asked) => overload(0, asked),
                    Success => throttle.succeeded(young, configured),
                    OldSuccess => throttle.succeeded(0, configured),
                }
            }
            assert_eq!(throttle.concurrency(configured), concurrency, "row {row}");
            let closed = throttle.closed_until(Duration::ZERO);
            assert_eq!(closed, (until > 0).then_some(MS(until)), "row {row}");
        }
    }

    #[test]
    fn it_recovers_by_one_for_each_window_of_successes() {
        let mut throttle = Throttle::default();
        (1..=4).for_each(|number| throttle.overloaded(MS(number), (number, number + 1), None, 16));
        let recovery = std::iter::repeat_with(|| {
            throttle.succeeded(9, 16);
            throttle.concurrency(16)
        });
        let recovery: Vec<_> = recovery.take(9).collect();
        assert_eq!(recovery, [2, 2, 3, 3, 3, 4, 4, 4, 4]);
        (0..16 * 16).for_each(|_| throttle.succeeded(9, 16));
        assert_eq!((throttle.concurrency(16), throttle.is_slowed()), (16, false));
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut throttle = Throttle::default();
        let mut now = Duration::ZERO;
        let pauses = (1..=12).map(|number| {
            throttle.overloaded(now, (number, number + 1), None, 1);
            let until = throttle.closed_until(now).unwrap();
            let pause = until.saturating_sub(now);
            now = until;
            u64::try_from(pause.as_millis()).unwrap()
        });
        let expected = [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000, 30_000];
        assert_eq!(pauses.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_configured_stays_the_bound() {
        let mut throttle = Throttle::default();
        throttle.overloaded(MS(0), (0, 1), None, 100);
        assert_eq!((throttle.concurrency(100), throttle.concurrency(10)), (50, 10));
        throttle.overloaded(MS(0), (1, 2), Some(Duration::MAX), 10);
        assert_eq!(throttle.closed_until(MS(1)), Some(Duration::MAX));
    }
}
