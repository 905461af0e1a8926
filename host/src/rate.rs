//! A rate limit as one number: the time at which the next one would be on time (the
//! generic cell rate algorithm, ITU-T I.371). Sources limit requests with it,
//! destinations attempts.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// So many in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Between one and the next; above zero.
    interval: Duration,
    /// The time that what may come at once takes at this rate; no less than `interval`.
    burst: Duration,
}

impl Rate {
    /// So many per second; above zero. What one second brings may come at once, at least one.
    pub fn per_second(rate: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / rate).unwrap_or(Duration::MAX);
        let interval = interval.clamp(Duration::from_nanos(1), Duration::from_hours(24 * 365));
        Self { interval, burst: interval.max(Duration::from_secs(1)) }
    }

    /// The same rate, with so many at once; at least one.
    #[must_use]
    pub fn with_burst(self, many: u32) -> Self {
        Self { burst: self.interval.saturating_mul(many.max(1)), ..self }
    }

    /// How many in a minute, at least one.
    pub fn per_minute(self) -> u64 {
        let many = Duration::from_mins(1).as_nanos() / self.interval.as_nanos().max(1);
        u64::try_from(many).unwrap_or(u64::MAX).max(1)
    }
}

/// Lets a rate through, with its bursts.
#[derive(Debug)]
pub struct RateLimiter {
    rate: Rate,
    next: Mutex<Duration>,
}

impl RateLimiter {
    /// With a whole burst to give.
    pub fn new(rate: Rate) -> Self {
        Self { rate, next: Mutex::new(Duration::ZERO) }
    }

    /// The rate that it lets through.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Goes on where `earlier` is, if it lets the same rate through.
    pub fn continue_from(&self, earlier: &Self) {
        if self.rate == earlier.rate && !std::ptr::eq(self, earlier) {
            let reached = *earlier.next.lock().unwrap_or_else(PoisonError::into_inner);
            *self.next.lock().unwrap_or_else(PoisonError::into_inner) = reached;
        }
    }

    /// Takes one at `now` (monotonic).
    ///
    /// # Errors
    /// How long until there is room.
    pub fn take(&self, now: Duration) -> Result<(), Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*next).max(now).saturating_add(self.rate.interval);
        let latest = now.saturating_add(self.rate.burst);
        if after > latest {
            return Err(after.saturating_sub(latest));
        }
        *next = after;
        Ok(())
    }

    /// How many could be taken from `now` until `span` later.
    pub fn within(&self, now: Duration, span: Duration) -> usize {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let latest = now.saturating_add(span).saturating_add(self.rate.burst);
        let room = latest.saturating_sub(next.max(now));
        usize::try_from(room.as_nanos() / self.rate.interval.as_nanos()).unwrap_or(usize::MAX)
    }

    /// How long from `now` until one can be taken.
    pub fn wait(&self, now: Duration) -> Duration {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let after = next.max(now).saturating_add(self.rate.interval);
        after.saturating_sub(now.saturating_add(self.rate.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rate_is_in_a_minute() {
        for (rate, many) in [(2.0, 120), (0.5, 30), (1.0 / 3_600.0, 1), (1e9, 60_000_000_000)] {
            assert_eq!(Rate::per_second(rate).per_minute(), many, "{rate}");
        }
    }

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn per_second(rate: f64) -> RateLimiter {
        RateLimiter::new(Rate::per_second(rate))
    }

    #[test]
    fn a_burst_of_one_second_then_the_rate() {
        let limiter = per_second(10.0);
        let now = S(100);
        assert_eq!((0..20).filter(|_| limiter.take(now).is_ok()).count(), 10);
        assert_eq!(limiter.take(now), Err(Duration::from_millis(100)));
        assert!(limiter.take(now + Duration::from_millis(100)).is_ok());
        assert!(limiter.take(now + Duration::from_millis(100)).is_err());
    }

    #[test]
    fn a_burst_of_another_size() {
        for (many, expected) in [(0, 1), (1, 1), (4, 4)] {
            let limiter = RateLimiter::new(Rate::per_second(0.5).with_burst(many));
            let now = S(100);
            assert_eq!((0..20).filter(|_| limiter.take(now).is_ok()).count(), expected, "{many}");
            assert_eq!(limiter.take(now), Err(S(2)), "{many}");
            assert_eq!((0..20).filter(|_| limiter.take(S(102)).is_ok()).count(), 1, "{many}");
        }
    }

    #[test]
    fn a_limiter_goes_on_where_another_of_the_same_rate_is() {
        let (spent, same, other) = (per_second(1.0), per_second(1.0), per_second(2.0));
        assert!(spent.take(S(5)).is_ok());
        same.continue_from(&spent);
        other.continue_from(&spent);
        assert_eq!(same.take(S(5)), Err(S(1)));
        assert!(other.take(S(5)).is_ok());
        same.continue_from(&same);
        assert!(same.take(S(6)).is_ok());
    }

    #[test]
    fn rates_below_one_per_second_let_single_requests_through() {
        let limiter = per_second(0.1);
        assert!(limiter.take(Duration::ZERO).is_ok());
        assert_eq!(limiter.take(Duration::ZERO), Err(S(10)));
        assert!(limiter.take(S(10)).is_ok());
    }

    #[test]
    fn what_is_foretold_is_what_can_be_taken() {
        for (rate, taken, span) in [(10.0, 0, 0), (10.0, 4, 3), (10.0, 10, 0), (0.1, 1, 0), (0.1, 1, 25)] {
            let (limiter, now) = (per_second(rate), S(100));
            (0..taken).for_each(|_| limiter.take(now).unwrap());
            let foretold = limiter.within(now, S(span));
            assert_eq!(limiter.take(now).err().unwrap_or_default(), limiter.wait(now), "{rate} {taken}");
            let limiter = per_second(rate);
            (0..taken).for_each(|_| limiter.take(now).unwrap());
            let takes = (0..=span * 1000).map(|ms| now + Duration::from_millis(ms));
            let took = takes.map(|at| std::iter::repeat_with(|| limiter.take(at)).position(|t| t.is_err()));
            assert_eq!(took.flatten().sum::<usize>(), foretold, "{rate} {taken} {span}");
        }
    }

    #[test]
    fn the_fastest_and_the_slowest_rate_are_no_accident() {
        for rate in [f64::from(u32::MAX), f64::MIN_POSITIVE] {
            let limiter = per_second(rate);
            assert!(limiter.take(S(1)).is_ok(), "{rate}");
            limiter.within(S(2), S(5));
            limiter.wait(S(2));
        }
    }
}
