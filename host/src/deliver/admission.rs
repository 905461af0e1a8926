//! May an attempt start now, and if not, when? The one place that knows: what keeps a
//! destination back by somebody's word, its breaker, its throttle and its rate. Pure.

use std::time::Duration;

use super::breaker::{Breaker, BreakerPolicy, Change, Phase};
use super::hold::{Hold, Holding};
use super::signal::Signal;
use super::throttle::Throttle;
use crate::rate::{Rate, RateLimiter};

/// How fast a destination may be sent to, as it is configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub concurrency: usize,
    pub breaker: BreakerPolicy,
    pub rate: Option<Rate>,
}

/// What a destination's attempts and its operators have said of it.
#[derive(Debug, Default)]
pub(super) struct Admission {
    pub holding: Holding,
    breaker: Breaker,
    throttle: Throttle,
    limiter: Option<RateLimiter>,
    /// The number of the next attempt.
    next: u64,
}

/// Whether an attempt may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Yes.
    Open {
        /// So many may be under way.
        concurrency: usize,
        /// So many may start now.
        attempts: usize,
        /// One that failed is tried for whether it is back.
        probing: bool,
    },
    /// No.
    Closed {
        /// Why.
        why: Why,
        /// Until then (monotonic); `None`: until somebody says otherwise.
        until: Option<Duration>,
    },
}

/// What keeps attempts back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody asked the store yet.
    Unknown,
    /// An operator.
    Paused,
    /// Its own 410.
    Disabled,
    /// Failures in a row.
    Breaker,
    /// Its own 429 or 503.
    Throttle,
    /// Its rate limit.
    Rate,
}

/// What an ended attempt changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heeded {
    pub breaker: Option<Change>,
    /// More attempts may be under way than before it.
    pub freer: bool,
    /// What is shown of the destination is another.
    pub changed: bool,
}

impl Admission {
    /// Whether an attempt may start at `now`. Of several reasons against it, the one
    /// that lasts longest is named.
    pub(super) fn ask(&mut self, now: Duration, pace: &Pace) -> Verdict {
        let closed = |why| Verdict::Closed { why, until: None };
        match self.holding.get() {
            Hold::Unknown => return closed(Why::Unknown),
            Hold::Paused => return closed(Why::Paused),
            Hold::Disabled => return closed(Why::Disabled),
            Hold::Free => {}
        }
        let limiter = self.limiter(pace);
        let attempts = limiter.map_or(usize::MAX, |limiter| limiter.within(now, Duration::ZERO));
        let rate_until = limiter.map(|limiter| limiter.wait(now)).filter(|wait| !wait.is_zero());
        let rate_until = rate_until.map(|wait| now.saturating_add(wait));
        let phase = self.breaker.phase(now, pace.breaker);
        let breaker_until = if let Phase::Open(until) = phase { Some(until) } else { None };
        let reasons = [
            (breaker_until, Why::Breaker),
            (self.throttle.closed_until(now), Why::Throttle),
            (rate_until, Why::Rate),
        ];
        let reasons = reasons.into_iter().filter_map(|(until, why)| Some((until?, why)));
        if let Some((until, why)) = reasons.max_by_key(|(until, _)| *until) {
            return Verdict::Closed { why, until: Some(until) };
        }
        let probing = phase == Phase::HalfOpen;
        let concurrency = if probing { 1 } else { self.throttle.concurrency(pace.concurrency) };
        Verdict::Open { concurrency, attempts, probing }
    }

    /// How many attempts its rate lets start from `now` until `span` later.
    pub(super) fn within(&mut self, now: Duration, span: Duration, pace: &Pace) -> usize {
        self.limiter(pace).map_or(usize::MAX, |limiter| limiter.within(now, span))
    }

    /// An attempt starts, where [`Self::ask`] allowed it; its number.
    pub(super) fn start(&mut self, now: Duration, pace: &Pace) -> u64 {
        if let Some(limiter) = self.limiter(pace) {
            // It was asked a moment ago, under the same lock.
            let _ = limiter.take(now);
        }
        let number = self.next;
        self.next += 1;
        number
    }

    /// An attempt has ended.
    pub(super) fn heed(&mut self, now: Duration, number: u64, signal: Signal, pace: &Pace) -> Heeded {
        let before = self.shape(now, pace);
        let breaker = match signal {
            Signal::Took => {
                self.throttle.succeeded(number, pace.concurrency);
                self.breaker.answered()
            }
            Signal::Answered => self.breaker.answered(),
            Signal::Overloaded { retry_after } => {
                self.throttle.overloaded(now, (number, self.next), retry_after, pace.concurrency);
                self.breaker.failed(now, (number, self.next), pace.breaker)
            }
            Signal::Failed => self.breaker.failed(now, (number, self.next), pace.breaker),
            Signal::Silent => None,
        };
        let after = self.shape(now, pace);
        let freer = after.0 > before.0 || breaker == Some(Change::Closed);
        Heeded { breaker, freer, changed: after != before || breaker.is_some() }
    }

    /// It is another receiver, or somebody says that it is well again.
    pub(super) fn forgive(&mut self) {
        // The numbers go on: attempts under way are still those of before.
        self.breaker = Breaker::default();
        self.throttle = Throttle::default();
    }

    /// Attempts that may be under way at `now`, whatever keeps new ones from starting,
    /// and the breaker's phase.
    pub(super) fn shape(&self, now: Duration, pace: &Pace) -> (usize, Phase) {
        let phase = self.breaker.phase(now, pace.breaker);
        let concurrency = match phase {
            Phase::Closed => self.throttle.concurrency(pace.concurrency),
            Phase::HalfOpen => 1,
            Phase::Open(_) => 0,
        };
        (concurrency, phase)
    }

    /// Whether it gets less at once than is configured, because of its own answers.
    pub(super) const fn is_slowed(&self) -> bool {
        self.throttle.is_slowed()
    }

    /// The limiter of the rate in force; it goes on while that stays the same.
    fn limiter(&mut self, pace: &Pace) -> Option<&RateLimiter> {
        if self.limiter.as_ref().map(RateLimiter::rate) != pace.rate {
            self.limiter = pace.rate.map(RateLimiter::new);
        }
        self.limiter.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn pace(rate: Option<f64>) -> Pace {
        let breaker = BreakerPolicy::new(3, S(10)).unwrap();
        Pace { concurrency: 8, breaker, rate: rate.map(Rate::per_second) }
    }

    fn free() -> Admission {
        let mut admission = Admission::default();
        admission.holding.hear(Hold::Free, 0);
        admission
    }

    fn open(concurrency: usize, probing: bool) -> Verdict {
        Verdict::Open { concurrency, attempts: usize::MAX, probing }
    }

    fn closed(why: Why, until: impl Into<Option<u64>>) -> Verdict {
        Verdict::Closed { why, until: until.into().map(S) }
    }

    #[test]
    fn the_verdict_follows_the_reason_that_lasts_longest() {
        use Signal::{Answered, Failed, Silent, Took};
        let overloaded = |seconds: u64| Signal::Overloaded { retry_after: Some(S(seconds)) };
        let table = [
            (vec![], open(8, false)),
            (vec![Took, Answered, Silent], open(8, false)),
            (vec![Failed, Failed, Answered, Failed, Failed], open(8, false)),
            (vec![Failed, Failed, Silent, Failed], closed(Why::Breaker, 10)),
            (vec![Signal::Overloaded { retry_after: None }], open(4, false)),
            (vec![overloaded(4)], closed(Why::Throttle, 4)),
            (vec![overloaded(4), Failed, Failed], closed(Why::Breaker, 10)),
            (vec![overloaded(14), Failed, Failed], closed(Why::Throttle, 14)),
            (vec![Failed, Failed, Failed, Took], open(8, false)),
        ];
        for (signals, expected) in table {
            let (mut admission, pace) = (free(), pace(None));
            for signal in &signals {
                let number = admission.start(S(0), &pace);
                admission.heed(S(0), number, *signal, &pace);
            }
            assert_eq!(admission.ask(S(0), &pace), expected, "{signals:?}");
        }
    }

    #[test]
    fn a_word_outweighs_everything() {
        let (mut admission, pace) = (Admission::default(), pace(Some(0.01)));
        admission.start(S(0), &pace);
        for (hold, why) in [(Hold::Paused, Why::Paused), (Hold::Disabled, Why::Disabled)] {
            admission.holding.hear(hold, 0);
            assert_eq!(admission.ask(S(0), &pace), closed(why, None));
        }
        assert_eq!(Admission::default().ask(S(0), &pace), closed(Why::Unknown, None));
    }

    #[test]
    fn a_probe_at_a_time_then_everything() {
        let (mut admission, pace) = (free(), pace(None));
        for _ in 0..3 {
            let number = admission.start(S(0), &pace);
            admission.heed(S(0), number, Signal::Failed, &pace);
        }
        assert_eq!(admission.ask(S(10), &pace), open(1, true));
        let number = admission.start(S(10), &pace);
        let heeded = admission.heed(S(11), number, Signal::Failed, &pace);
        assert_eq!(heeded, Heeded { breaker: Some(Change::Reopened), freer: false, changed: true });
        assert_eq!(admission.ask(S(11), &pace), closed(Why::Breaker, 21));
        let number = admission.start(S(21), &pace);
        assert!(!admission.heed(S(21), number, Signal::Silent, &pace).changed, "it never got there");
        let heeded = admission.heed(S(21), number, Signal::Answered, &pace);
        assert_eq!(heeded, Heeded { breaker: Some(Change::Closed), freer: true, changed: true });
        assert_eq!(admission.ask(S(21), &pace), open(8, false));
    }

    #[test]
    fn a_rate_is_kept_over_reloads_that_leave_it_as_it_is() {
        let mut admission = free();
        let two = pace(Some(2.0));
        let attempts = |verdict| match verdict {
            Verdict::Open { attempts, .. } => Ok(attempts),
            Verdict::Closed { why, until } => Err((why, until)),
        };
        assert_eq!(attempts(admission.ask(S(9), &two)), Ok(2));
        assert_eq!([(); 2].map(|()| admission.start(S(9), &two)), [0, 1]);
        let wait = Err((Why::Rate, Some(Duration::from_millis(9_500))));
        assert_eq!(attempts(admission.ask(S(9), &two)), wait);
        let reloaded = Pace { concurrency: 3, ..two };
        assert_eq!(attempts(admission.ask(S(9), &reloaded)), wait);
        assert_eq!(admission.within(S(9), S(3), &reloaded), 6);
        assert_eq!(attempts(admission.ask(S(9), &pace(Some(3.0)))), Ok(3));
        assert_eq!(attempts(admission.ask(S(9), &pace(None))), Ok(usize::MAX));
    }

    #[test]
    fn who_is_forgiven_begins_anew() {
        let (mut admission, pace) = (free(), pace(None));
        for _ in 0..3 {
            let number = admission.start(S(0), &pace);
            admission.heed(S(0), number, Signal::Overloaded { retry_after: Some(S(60)) }, &pace);
        }
        assert_eq!(admission.ask(S(0), &pace), closed(Why::Throttle, 60));
        admission.forgive();
        assert_eq!(admission.ask(S(0), &pace), open(8, false));
    }

    fn any_signal() -> impl Strategy<Value = Signal> {
        let overloaded = proptest::option::of(0..100_000_u64)
            .prop_map(|asked| Signal::Overloaded { retry_after: asked.map(Duration::from_millis) });
        let plain = [Signal::Took, Signal::Answered, Signal::Failed, Signal::Silent];
        prop_oneof![prop::sample::select(plain.to_vec()), overloaded]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever it answers, a destination is neither sent more than is configured nor
        /// left alone for good.
        #[test]
        fn no_answers_close_it_for_good_or_open_it_too_far(
            steps in vec((0..20_000_u64, any_signal(), any::<bool>()), 1..200),
            rate in proptest::option::of(0.5..500.0),
            concurrency in 1..40_usize,
        ) {
            let (mut admission, pace) = (free(), Pace { concurrency, ..pace(rate) });
            let mut now = S(1_000);
            let mut oldest = admission.start(now, &pace);
            for (wait, signal, is_old) in steps {
                now += Duration::from_millis(wait);
                if let Verdict::Open { concurrency: allowed, attempts, probing } = admission.ask(now, &pace) {
                    prop_assert!((1..=concurrency).contains(&allowed) && attempts > 0);
                    prop_assert!(!probing || allowed == 1);
                    let number = admission.start(now, &pace);
                    admission.heed(now, if is_old { oldest } else { number }, signal, &pace);
                    oldest = oldest.max(number.saturating_sub(8));
                } else {
                    admission.heed(now, oldest, signal, &pace);
                }
            }
            let later = now + S(100);
            let opened = matches!(admission.ask(later, &pace), Verdict::Open { .. });
            prop_assert!(opened, "{:?}", admission);
        }
    }
}
