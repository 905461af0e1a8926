//! Runs that wait for a worker: a lane for each route, served in turn, so that a route
//! whose plugins are slow makes nobody wait but itself.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::Run;
use crate::store::RunLease;

/// Runs in one job of a worker at most: enough to make the hop to the thread cheap.
const MAX_JOB: usize = 32;
/// Jobs for each worker that are under way: one at work and one behind it.
const JOBS_AHEAD: usize = 2;
/// A route whose runs take this long is slow: it leaves one worker to the others.
const SLOW: Duration = Duration::from_millis(10);
/// Runs of a slow route that wait in memory; more would fill it at the others' expense.
const MAX_SLOW_WAITING: usize = 256;
/// Leases of parked runs; beyond that no run is taken in.
const MAX_PARKED: usize = 100_000;

/// The lanes, and the turns in which they are served.
#[derive(Debug)]
pub(super) struct Queue {
    workers: usize,
    lanes: HashMap<String, Lane>,
    /// Routes with runs that wait, each once.
    turns: VecDeque<String>,
    running: usize,
    slow_running: usize,
    parked: usize,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Run>,
    slow: bool,
    /// Runs without room here. They stay claimed, so that others are found behind them.
    parked: VecDeque<RunLease>,
}

/// Runs of one route for one worker.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) route: String,
    pub(super) runs: Vec<Run>,
    counts_as_slow: bool,
}

/// A job that has ended.
#[derive(Debug)]
pub(super) struct JobEnd {
    route: String,
    counts_as_slow: bool,
    /// Runs that were not begun.
    rest: Vec<Run>,
    /// What each of the others took.
    took_each: Duration,
}

/// What the end of a job moved between the queue and the store.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Runs of which only the leases are kept from now on.
    pub(super) parked: usize,
    /// Bytes of their events.
    pub(super) parked_bytes: usize,
    /// Leases to give back, because their runs have room now.
    pub(super) unparked: Vec<RunLease>,
}

impl Job {
    /// Ends it, after `begun` of its runs took `took` together.
    pub(super) fn end(self, begun: usize, rest: Vec<Run>, took: Duration) -> JobEnd {
        let took_each =
            u32::try_from(begun).ok().and_then(|begun| took.checked_div(begun)).unwrap_or_default();
        JobEnd { route: self.route, counts_as_slow: self.counts_as_slow, rest, took_each }
    }
}

impl Queue {
    pub(super) fn new(workers: usize) -> Self {
        let workers = workers.max(1);
        Self {
            workers,
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            running: 0,
            slow_running: 0,
            parked: 0,
        }
    }

    /// Whether anything may be pushed at all.
    pub(super) fn is_open(&self) -> bool {
        self.parked < MAX_PARKED
    }

    /// Queues a run. False: only its lease is kept, and returned by
    /// [`Self::job_ended`] when there is room for it.
    pub(super) fn push(&mut self, run: Run) -> bool {
        let lane = self.lanes.entry(run.route.clone()).or_default();
        if lane.slow && lane.waiting.len() >= MAX_SLOW_WAITING {
            lane.parked.push_back(RunLease::from(&run));
            self.parked += 1;
            return false;
        }
        if lane.waiting.is_empty() {
            self.turns.push_back(run.route.clone());
        }
        lane.waiting.push_back(run);
        true
    }

    /// Queues runs that were in a job before: in their order, and in front of all that
    /// wait, because they came earlier.
    pub(super) fn push_first(&mut self, runs: Vec<Run>) {
        for run in runs.into_iter().rev() {
            let lane = self.lanes.entry(run.route.clone()).or_default();
            if lane.waiting.is_empty() {
                self.turns.push_back(run.route.clone());
            }
            lane.waiting.push_front(run);
        }
    }

    /// The next job, if a worker can take one.
    pub(super) fn next_job(&mut self) -> Option<Job> {
        if self.running >= self.workers * JOBS_AHEAD {
            return None;
        }
        let slow_may_run = self.slow_running < (self.workers - 1).max(1);
        let turn = self.turns.iter().position(|route| slow_may_run || !self.is_slow(route))?;
        let route = self.turns.remove(turn)?;
        let lane = self.lanes.get_mut(&route)?;
        let share = lane.waiting.len().div_ceil(self.workers).clamp(1, MAX_JOB);
        let runs = lane.waiting.drain(..share.min(lane.waiting.len())).collect();
        let counts_as_slow = lane.slow;
        if !lane.waiting.is_empty() {
            self.turns.push_back(route.clone());
        }
        self.running += 1;
        self.slow_running += usize::from(counts_as_slow);
        Some(Job { route, runs, counts_as_slow })
    }

    /// Takes back what a job left. A lane that turns out to be slow keeps only the leases
    /// of what it has too much of; leases whose runs have room again are to be given back
    /// to the store, once half of the room is free: few claims for many runs.
    pub(super) fn job_ended(&mut self, end: JobEnd) -> Moved {
        let JobEnd { route, counts_as_slow, rest, took_each } = end;
        self.running -= 1;
        self.slow_running -= usize::from(counts_as_slow);
        let lane = self.lanes.entry(route.clone()).or_default();
        lane.slow = took_each >= SLOW;
        let had_none = lane.waiting.is_empty();
        for run in rest.into_iter().rev() {
            lane.waiting.push_front(run);
        }
        let (mut parked, mut parked_bytes) = (0, 0);
        while lane.slow
            && lane.waiting.len() > MAX_SLOW_WAITING
            && let Some(run) = lane.waiting.pop_back()
        {
            // In front: it was claimed before what is parked already.
            lane.parked.push_front(RunLease::from(&run));
            parked += 1;
            parked_bytes += run.event.size();
        }
        self.parked += parked;
        let room = MAX_SLOW_WAITING.saturating_sub(lane.waiting.len());
        let fitting = if room < MAX_SLOW_WAITING / 2 { 0 } else { room.min(lane.parked.len()) };
        let unparked: Vec<_> = lane.parked.drain(..fitting).collect();
        self.parked -= unparked.len();
        if !lane.waiting.is_empty() {
            if had_none {
                self.turns.push_back(route);
            }
        } else if !lane.slow && lane.parked.is_empty() {
            self.lanes.remove(&route);
        }
        Moved { parked, parked_bytes, unparked }
    }

    /// Empties it.
    pub(super) fn drain(&mut self) -> Vec<Run> {
        self.turns.clear();
        self.lanes.drain().flat_map(|(_, lane)| lane.waiting).collect()
    }

    fn is_slow(&self, route: &str) -> bool {
        self.lanes.get(route).is_some_and(|lane| lane.slow)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{Event, EventId, Millis};

    const QUICK: Duration = Duration::from_micros(30);

    fn run(route: &str, seq: i64) -> Run {
        let event = Event {
            id: EventId::from_text("evt_1"),
            source: "s".into(),
            event_type: None,
            received_at: Millis(0),
            method: "POST".into(),
            path: "/".into(),
            query: None,
            headers: Vec::new(),
            body: bytes::Bytes::new(),
            attributes: Vec::new(),
        };
        Run { seq, route: route.into(), generation: 0, attempts: 0, event: Arc::new(event), lease: 1 }
    }

    fn queue(workers: usize, routes: &[(&str, i64)]) -> Queue {
        let mut queue = Queue::new(workers);
        for (route, count) in routes {
            (0..*count).for_each(|seq| assert!(queue.push(run(route, seq))));
        }
        queue
    }

    fn numbers(job: &Job) -> Vec<i64> {
        job.runs.iter().map(|run| run.seq).collect()
    }

    /// Ends a job after so many of its runs, each of which took `each`.
    /// How many leases that gave back.
    fn end(queue: &mut Queue, job: Job, begun: usize, each: Duration) -> usize {
        moved(queue, job, begun, each).unparked.len()
    }

    fn moved(queue: &mut Queue, mut job: Job, begun: usize, each: Duration) -> Moved {
        let rest = job.runs.split_off(begun);
        queue.job_ended(job.end(begun, rest, each * u32::try_from(begun).unwrap()))
    }

    #[test]
    fn a_route_that_turns_out_to_be_slow_gives_up_what_it_had_too_much_of() {
        let many = i64::try_from(MAX_SLOW_WAITING).unwrap() + 100;
        let mut queue = queue(1, &[("slow", many)]);
        let job = queue.next_job().unwrap();
        let moved = moved(&mut queue, job, 1, SLOW);
        assert_eq!((moved.parked, moved.unparked.len()), (99, 0));
        assert_eq!(queue.drain().len(), MAX_SLOW_WAITING);
    }

    #[test]
    fn routes_take_turns_and_workers_share_a_route() {
        let mut queue = queue(2, &[("a", 100), ("b", 2)]);
        let jobs: Vec<_> = std::iter::from_fn(|| queue.next_job()).collect();
        let shown: Vec<_> = jobs.iter().map(|job| (job.route.as_str(), job.runs.len())).collect();
        assert_eq!(shown, [("a", 32), ("b", 1), ("a", 32), ("b", 1)]);
        for job in jobs {
            let all = job.runs.len();
            end(&mut queue, job, all, QUICK);
        }
        assert_eq!(queue.next_job().unwrap().runs.len(), 18);
    }

    #[test]
    fn what_a_job_did_not_begin_is_first_in_its_lane() {
        let mut queue = queue(1, &[("a", 4)]);
        let job = queue.next_job().unwrap();
        queue.push(run("a", 4));
        end(&mut queue, job, 3, QUICK);
        assert_eq!(numbers(&queue.next_job().unwrap()), [3, 4]);
        assert!(queue.next_job().is_none());
    }

    #[test]
    fn what_is_repeated_is_first_in_its_lane() {
        let mut queue = queue(1, &[("a", 4)]);
        let job = queue.next_job().unwrap();
        queue.push(run("a", 4));
        let again = job.runs[1..3].to_vec();
        end(&mut queue, job, 4, QUICK);
        queue.push_first(again);
        assert_eq!(numbers(&queue.next_job().unwrap()), [1, 2, 4]);
        queue.push_first(vec![run("b", 9)]);
        assert_eq!(queue.next_job().unwrap().route, "b");
    }

    #[test]
    fn a_slow_route_leaves_a_worker_to_the_others_until_it_is_quick_again() {
        let mut queue = queue(3, &[("slow", 100)]);
        let first = queue.next_job().unwrap();
        end(&mut queue, first, 1, SLOW);
        let jobs: Vec<_> = std::iter::from_fn(|| queue.next_job()).collect();
        assert_eq!(jobs.len(), 2, "of three workers");
        queue.push(run("quick", 0));
        assert_eq!(queue.next_job().unwrap().route, "quick");
        for job in jobs {
            end(&mut queue, job, 1, QUICK);
        }
        assert_eq!(std::iter::from_fn(|| queue.next_job()).count(), 5);
    }

    #[test]
    fn one_worker_serves_slow_routes_too() {
        let mut queue = queue(1, &[("slow", 9), ("quick", 1)]);
        let job = queue.next_job().unwrap();
        end(&mut queue, job, 1, SLOW);
        let routes: Vec<_> = std::iter::from_fn(|| queue.next_job()).map(|job| job.route).collect();
        assert_eq!(routes, ["quick", "slow"]);
    }

    #[test]
    fn a_slow_route_does_not_fill_the_memory() {
        let mut queue = queue(1, &[("slow", 1)]);
        let job = queue.next_job().unwrap();
        assert_eq!(end(&mut queue, job, 1, SLOW), 0);
        let room = i64::try_from(MAX_SLOW_WAITING).unwrap();
        (0..room).for_each(|seq| assert!(queue.push(run("slow", seq))));
        (0..room).for_each(|seq| assert!(!queue.push(run("slow", room + seq))));
        assert!(queue.push(run("quick", 0)), "others have room");
        let mut unparked = Vec::new();
        for _ in 0..2 * MAX_SLOW_WAITING {
            let Some(job) = queue.next_job() else { break };
            let begun = job.runs.len().min(1);
            unparked.push(end(&mut queue, job, begun, SLOW));
        }
        unparked.retain(|count| *count > 0);
        assert_eq!(unparked[0], MAX_SLOW_WAITING / 2, "{unparked:?}");
        assert_eq!(unparked.iter().sum::<usize>(), MAX_SLOW_WAITING, "{unparked:?}");
    }

    #[test]
    fn draining_empties_every_lane() {
        let mut queue = queue(1, &[("a", 3), ("b", 2)]);
        assert_eq!(queue.drain().len(), 5);
        assert!(queue.next_job().is_none());
    }
}
