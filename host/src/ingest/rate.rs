//! A rate limit as one number: the time at which the next request would be on time
//! (the generic cell rate algorithm, ITU-T I.371).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Lets a rate through, with bursts of one second's worth.
#[derive(Debug)]
pub struct RateLimiter {
    interval: Duration,
    burst: Duration,
    next: Mutex<Duration>,
}

impl RateLimiter {
    /// So many per second; above zero.
    pub fn per_second(rate: f64) -> Self {
        let interval = Duration::from_secs_f64(1.0 / rate);
        Self { interval, burst: interval.max(Duration::from_secs(1)), next: Mutex::new(Duration::ZERO) }
    }

    /// Takes one at `now` (monotonic).
    ///
    /// # Errors
    /// How long until there is room.
    pub fn take(&self, now: Duration) -> Result<(), Duration> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let after = (*next).max(now) + self.interval;
        if after > now + self.burst {
            return Err(after.saturating_sub(now).saturating_sub(self.burst));
        }
        *next = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_then_the_rate() {
        let limiter = RateLimiter::per_second(10.0);
        let now = Duration::from_secs(100);
        assert_eq!((0..20).filter(|_| limiter.take(now).is_ok()).count(), 10);
        assert_eq!(limiter.take(now), Err(Duration::from_millis(100)));
        assert!(limiter.take(now + Duration::from_millis(100)).is_ok());
        assert!(limiter.take(now + Duration::from_millis(100)).is_err());
    }

    #[test]
    fn rates_below_one_per_second_let_single_requests_through() {
        let limiter = RateLimiter::per_second(0.1);
        assert!(limiter.take(Duration::ZERO).is_ok());
        assert_eq!(limiter.take(Duration::ZERO), Err(Duration::from_secs(10)));
        assert!(limiter.take(Duration::from_secs(10)).is_ok());
    }
}
