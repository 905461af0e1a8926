//! How long a call has run, and whether that is too long.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use super::limits::WALL_FACTOR;
use crate::clock::Clock;

/// What a test at load may take by the wall clock, at least.
const LOAD_WALL: Duration = Duration::from_secs(10);

/// Why the room itself ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cut {
    /// Its CPU time and the time it waited.
    #[error("used more than its deadline of {}", humantime::format_duration(*.0))]
    Deadline(Duration),
    /// The wall clock: the machine is too busy to let it end.
    #[error("took more than {} by the wall clock", humantime::format_duration(*.0))]
    Wall(Duration),
    /// A wait that cannot end before the deadline, or at all.
    #[error("waits for longer than its deadline of {}", humantime::format_duration(*.0))]
    Wait(Duration),
}

/// Counts one call's CPU time on the thread that makes it, so that a busy machine
/// kills no innocent guest, and adds what the guest spent waiting.
#[derive(Debug)]
pub(super) struct Meter {
    deadline: Duration,
    wall: Duration,
    cpu_at_start: Duration,
    wall_at_start: Duration,
    waited: Duration,
    clock: Clock,
}

impl Meter {
    /// Starts counting, for a call on this thread.
    pub(super) fn start(deadline: Duration, clock: &Clock) -> Self {
        Self {
            deadline,
            wall: deadline.saturating_mul(WALL_FACTOR),
            cpu_at_start: thread_cpu(),
            wall_at_start: clock.monotonic(),
            waited: Duration::ZERO,
            clock: clock.clone(),
        }
    }

    /// For a test at load: its result is kept for as long as the file is the same, and
    /// must not depend on how busy the machine was.
    pub(super) fn be_patient(&mut self) {
        self.wall = self.wall.max(LOAD_WALL);
    }

    /// Wall-clock time since the start.
    pub(super) fn took(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.wall_at_start)
    }

    /// Whether the call may go on.
    pub(super) fn check(&self) -> Result<(), Cut> {
        if self.left().is_zero() {
            return Err(Cut::Deadline(self.deadline));
        }
        if self.took() > self.wall {
            return Err(Cut::Wall(self.wall));
        }
        Ok(())
    }

    /// Lets the guest wait, when that can end before its deadline.
    pub(super) fn wait(&mut self, time: Option<Duration>) -> Result<(), Cut> {
        match time {
            Some(time) if time < self.left() => {
                std::thread::sleep(time);
                self.waited += time;
                self.check()
            }
            _ => Err(Cut::Wait(self.deadline)),
        }
    }

    fn left(&self) -> Duration {
        let used = thread_cpu().saturating_sub(self.cpu_at_start) + self.waited;
        self.deadline.saturating_sub(used)
    }
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Millis;

    const DEADLINE: Duration = Duration::from_secs(1);

    #[test]
    fn a_wait_that_cannot_end_in_time_is_refused_at_once() {
        let clock = Clock::manual(Millis(0));
        let mut meter = Meter::start(DEADLINE, &clock);
        assert_eq!(meter.wait(Some(DEADLINE)), Err(Cut::Wait(DEADLINE)));
        assert_eq!(meter.wait(None), Err(Cut::Wait(DEADLINE)));
        assert_eq!(meter.waited, Duration::ZERO);
    }

    #[test]
    fn waits_add_up_to_the_deadline() {
        let clock = Clock::manual(Millis(0));
        let mut meter = Meter::start(Duration::from_millis(20), &clock);
        let nap = Duration::from_millis(6);
        let naps = std::iter::from_fn(|| meter.wait(Some(nap)).ok()).count();
        assert!((1..=3).contains(&naps), "{naps} naps of 6 ms in 20 ms");
    }

    #[test]
    fn the_wall_clock_ends_a_call_that_gets_no_cpu() {
        let clock = Clock::manual(Millis(0));
        let meter = Meter::start(DEADLINE, &clock);
        clock.advance(DEADLINE * WALL_FACTOR);
        assert_eq!(meter.check(), Ok(()));
        clock.advance(Duration::from_millis(1));
        assert_eq!(meter.check(), Err(Cut::Wall(DEADLINE * WALL_FACTOR)));
    }
}
