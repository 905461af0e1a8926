//! Threads for calls that somebody waits for: bounded, and shared fairly.
//!
//! Whoever asks has a lane with a bounded queue; lanes take turns, and none of them has
//! all threads, so that one whose calls are slow makes nobody wait but itself. Threads
//! are started when there is work for them: most gateways ask no plugin here.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::workers::{Job, STACK};

/// Calls of one lane that may wait.
const PLACES: usize = 64;

/// The threads and the lanes. Threads end when this is dropped and nothing waits.
#[derive(Debug)]
pub(super) struct Turns {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// What threads are called.
    name: &'static str,
    /// Threads at most; one more than a single lane may have.
    threads: usize,
    state: Mutex<State>,
    woken: Condvar,
}

#[derive(Default)]
struct State {
    lanes: HashMap<String, Lane>,
    /// Lanes in which calls wait, each once.
    turns: VecDeque<String>,
    /// Calls that wait, in all lanes.
    waiting: usize,
    started: usize,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State").field("turns", &self.turns).field("idle", &self.idle).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Lane {
    waiting: VecDeque<Job>,
    running: usize,
}

/// Why a call was not made, or has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unheard {
    /// As many wait already as may.
    #[error("too many calls wait for their turn")]
    Full,
    /// It panicked, or no thread can be started.
    #[error("the call was lost")]
    Lost,
}

impl Turns {
    /// `share` threads for one lane (at least one), and one more that it never has.
    pub(super) fn new(name: &'static str, share: usize) -> Self {
        let shared =
            Shared { name, threads: share.max(1) + 1, state: Mutex::default(), woken: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Runs `call` when it is the lane's turn and returns what it returns. One whose
    /// caller has gone away meanwhile is not run.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lane: &str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unheard> {
        let (reply, answer) = oneshot::channel();
        self.queue(
            lane,
            Box::new(move || {
                if !reply.is_closed() {
                    drop(reply.send(call()));
                }
            }),
        )?;
        answer.await.map_err(|_| Unheard::Lost)
    }

    fn queue(&self, name: &str, job: Job) -> Result<(), Unheard> {
        let mut state = self.shared.state();
        if !state.lanes.contains_key(name) {
            state.lanes.insert(name.to_owned(), Lane::default());
        }
        let Some(lane) = state.lanes.get_mut(name) else { return Err(Unheard::Lost) };
        if lane.waiting.len() >= PLACES {
            return Err(Unheard::Full);
        }
        lane.waiting.push_back(job);
        if lane.waiting.len() == 1 {
            state.turns.push_back(name.to_owned());
        }
        state.waiting += 1;
        // A thread that was woken is idle until it has the lock: the first call that waits
        // is its, and not the second.
        if state.idle < state.waiting && state.started < self.shared.threads {
            let started = self.start(state.started);
            if let Err(error) = started {
                tracing::error!(%error, "no thread for calls of plugins");
                if state.started == 0 {
                    state.forget_last(name);
                    return Err(Unheard::Lost);
                }
            } else {
                state.started += 1;
            }
        }
        drop(state);
        self.shared.woken.notify_one();
        Ok(())
    }

    fn start(&self, number: usize) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(format!("{}-{number}", shared.name)).stack_size(STACK);
        thread.spawn(move || shared.work()).map(drop)
    }
}

impl Drop for Turns {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.woken.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some((lane, job)) = state.next(self.threads - 1) {
                drop(state);
                // A panic in a host function is a bug, and must not cost a thread as well.
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a call of a plugin panicked");
                }
                state = self.state();
                state.ended(&lane);
                // Its lane may have waited for its share.
                self.woken.notify_one();
                continue;
            }
            if state.closed {
                return;
            }
            state.idle += 1;
            state = self.woken.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

impl State {
    /// The call whose turn it is, if a lane that has one may have another thread.
    fn next(&mut self, share: usize) -> Option<(String, Job)> {
        let free = |name: &String| self.lanes.get(name).is_some_and(|lane| lane.running < share);
        let turn = self.turns.iter().position(free)?;
        let name = self.turns.remove(turn)?;
        let lane = self.lanes.get_mut(&name)?;
        let job = lane.waiting.pop_front()?;
        self.waiting -= 1;
        lane.running += 1;
        if !lane.waiting.is_empty() {
            self.turns.push_back(name.clone());
        }
        Some((name, job))
    }

    /// One of the lane's calls has ended; a lane without any is forgotten.
    fn ended(&mut self, name: &str) {
        if let Some(lane) = self.lanes.get_mut(name) {
            lane.running -= 1;
            if lane.running == 0 && lane.waiting.is_empty() {
                self.lanes.remove(name);
            }
        }
    }

    /// Takes back what was queued last, because nobody will run it.
    fn forget_last(&mut self, name: &str) {
        self.waiting -= self.lanes.remove(name).map_or(0, |lane| lane.waiting.len());
        self.turns.retain(|turn| turn != name);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Calls that wait until they are let go, and say when they have begun.
    struct Blocked {
        began: mpsc::Receiver<()>,
        go: Vec<mpsc::Sender<()>>,
    }

    impl Blocked {
        fn queue(turns: &Turns, lane: &str, count: usize) -> Self {
            let (begins, began) = mpsc::channel();
            let go = (0..count).map(|_| {
                let (go, gate) = mpsc::channel::<()>();
                let begins = begins.clone();
                let job = move || {
                    begins.send(()).unwrap();
                    let _ = gate.recv();
                };
                turns.queue(lane, Box::new(job)).unwrap();
                go
            });
            let go = go.collect();
            Self { began, go }
        }
    }

    #[tokio::test]
    async fn a_slow_lane_leaves_a_thread_to_the_others() {
        let turns = Turns::new("test", 2);
        let slow = Blocked::queue(&turns, "slow", 5);
        slow.began.recv().unwrap();
        slow.began.recv().unwrap();
        for n in 0..50 {
            assert_eq!(turns.run("quick", move || n).await, Ok(n));
        }
        assert!(slow.began.try_recv().is_err(), "it has its share already");
        drop(slow.go);
        assert_eq!(turns.run("slow", || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_full_lane_is_said_at_once_and_is_nobody_elses() {
        let turns = Turns::new("test", 1);
        let slow = Blocked::queue(&turns, "slow", 1);
        slow.began.recv().unwrap();
        let waiting = Blocked::queue(&turns, "slow", PLACES);
        assert_eq!(turns.run("slow", || ()).await, Err(Unheard::Full));
        assert_eq!(turns.run("quick", || 1).await, Ok(1));
        drop((slow.go, waiting.go));
        assert_eq!(turns.run("last", || 2).await, Ok(2));
    }

    #[tokio::test]
    async fn lanes_take_turns() {
        let turns = Turns::new("test", 1);
        let first = Blocked::queue(&turns, "a", 1);
        let other = Blocked::queue(&turns, "b", 1);
        first.began.recv().unwrap();
        other.began.recv().unwrap();
        let (said, order) = mpsc::channel();
        for lane in ["a", "a", "a", "b", "b"] {
            let said = said.clone();
            turns.queue(lane, Box::new(move || said.send(lane).unwrap())).unwrap();
        }
        // One thread is given back: it serves both lanes, though "a" was busy first.
        drop(other.go);
        let heard: Vec<_> = order.iter().take(2).collect();
        assert_eq!(heard, ["b", "b"], "\"a\" has its share");
        drop(first.go);
        assert_eq!(order.iter().take(3).collect::<Vec<_>>(), ["a", "a", "a"]);
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_run_and_a_panic_costs_no_thread() {
        let turns = Turns::new("test", 1);
        let first = Blocked::queue(&turns, "a", 1);
        first.began.recv().unwrap();
        let (said, heard) = mpsc::channel();
        let asked = turns.run("a", move || said.send(()).unwrap());
        tokio::time::timeout(std::time::Duration::ZERO, asked).await.unwrap_err();
        drop(first.go);
        for _ in 0..4 {
            assert_eq!(turns.run("a", || panic!("a bug")).await, Err::<(), _>(Unheard::Lost));
        }
        assert_eq!(turns.run("a", || 1).await, Ok(1));
        assert!(heard.recv().is_err(), "its caller had gone");
    }
}
