//! Time and chance, handed in wherever they are needed; only this file asks the
//! machine for them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::model::Millis;

/// Wall-clock and monotonic time.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { origin: Instant },
    Standing { origin: Instant, wall: Arc<Mutex<Millis>> },
    Manual(Arc<Mutex<ManualTime>>),
}

#[derive(Debug)]
struct ManualTime {
    wall: Millis,
    monotonic: Duration,
}

impl Clock {
    /// The machine's.
    pub fn system() -> Self {
        Self(Source::System { origin: Instant::now() })
    }

    /// Stands still at `wall` until it is moved.
    pub fn manual(wall: Millis) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(ManualTime { wall, monotonic: Duration::ZERO }))))
    }

    /// The wall clock stands at `wall` until it is set; what is measured takes the time
    /// that it takes.
    pub fn standing(wall: Millis) -> Self {
        Self(Source::Standing { origin: Instant::now(), wall: Arc::new(Mutex::new(wall)) })
    }

    /// The wall clock. It may jump.
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn now(&self) -> Millis {
        match &self.0 {
            Source::System { .. } => SystemTime::now().into(),
            Source::Standing { wall, .. } => *wall.lock().unwrap_or_else(PoisonError::into_inner),
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).wall,
        }
    }

    /// Time since some point; never goes back. Leases and measured durations use it.
    pub fn monotonic(&self) -> Duration {
        match &self.0 {
            Source::System { origin } | Source::Standing { origin, .. } => origin.elapsed(),
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).monotonic,
        }
    }

    /// Lets time pass on a manual clock; what is measured by others passes by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(time) = &self.0 {
            let mut time = time.lock().unwrap_or_else(PoisonError::into_inner);
            time.wall = time.wall.after(by);
            time.monotonic += by;
        }
    }

    /// Sets a wall clock that is not the system's without time passing, as an operator or
    /// NTP does.
    pub fn jump_to(&self, to: Millis) {
        match &self.0 {
            Source::System { .. } => {}
            Source::Standing { wall, .. } => *wall.lock().unwrap_or_else(PoisonError::into_inner) = to,
            Source::Manual(time) => time.lock().unwrap_or_else(PoisonError::into_inner).wall = to,
        }
    }
}

/// Ids and jitter.
#[derive(Clone, Debug)]
pub struct Random(Option<Arc<Mutex<StdRng>>>);

impl Random {
    /// The machine's.
    pub const fn system() -> Self {
        Self(None)
    }

    /// The same sequence for the same seed.
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// 128 bits.
    pub fn bits(&self) -> u128 {
        match &self.0 {
            None => rand::rng().random(),
            Some(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).random(),
        }
    }

    /// Between 0 (included) and 1.
    pub fn unit(&self) -> f64 {
        match &self.0 {
            None => rand::rng().random(),
            Some(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).random(),
        }
    }

    /// Fills `bytes`.
    pub fn fill(&self, bytes: &mut [u8]) {
        match &self.0 {
            None => rand::rng().fill_bytes(bytes),
            Some(rng) => rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_wall_clock_is_where_it_was_put_and_what_is_measured_passes() {
        let clock = Clock::standing(Millis(5));
        let began = clock.monotonic();
        assert_eq!(clock.now(), Millis(5));
        clock.jump_to(Millis(3));
        assert_eq!(clock.now(), Millis(3));
        while clock.monotonic() == began {
            std::thread::yield_now();
        }
    }
}
