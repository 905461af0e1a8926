//! The senders of the soak: each has a key of its own and sends one event after the
//! other, so that the order in which they are accepted is known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use super::history::{Fate, Name};
use crate::gateway::Door;
use crate::sender::{borrowed, github};

/// What all senders write to. Cloning shares.
#[derive(Clone, Debug, Default)]
struct Log {
    sent: Arc<Mutex<Vec<(Name, Fate)>>>,
    stop: Arc<AtomicBool>,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<(Name, Fate)>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Senders at work.
pub(super) struct Senders {
    log: Log,
    tasks: Vec<JoinHandle<()>>,
}

impl Senders {
    /// So many, which together send at most `rate` events a second.
    pub(super) fn start(door: &Door, source: &'static str, count: u32, rate: u32) -> Self {
        let log = Log::default();
        let pause = Duration::from_secs(1) * count / rate.max(1);
        let tasks = (0..count).map(|key| tokio::spawn(send(door.clone(), source, key, pause, log.clone())));
        Self { tasks: tasks.collect(), log }
    }

    /// How many were acknowledged so far.
    pub(super) fn acknowledged(&self) -> usize {
        self.log.lock().iter().filter(|(_, fate)| *fate == Fate::Acknowledged).count()
    }

    /// Ends the senders, each after its last answer, and returns what was sent.
    pub(super) async fn stop(self) -> anyhow::Result<Vec<(Name, Fate)>> {
        self.log.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await?;
        }
        Ok(std::mem::take(&mut *self.log.lock()))
    }
}

async fn send(door: Door, source: &'static str, key: u32, pause: Duration, log: Log) {
    let mut pace = tokio::time::interval(pause.max(Duration::from_micros(1)));
    // What was missed while the gateway was down is not made up for.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        pace.tick().await;
        let name = Name { key, number };
        let Some(fate) = settle(&door, source, name, &log).await else { return };
        log.lock().push((name, fate));
    }
}

/// Sends the event until its fate is settled; `None`: the senders stop, and it was not
/// sent. Where no answer comes, every other event is given up, as some providers do it:
/// it may have been accepted and may not. The rest is sent again, as the same request.
async fn settle(door: &Door, source: &'static str, name: Name, log: &Log) -> Option<Fate> {
    let body = name.body();
    let headers = github("push", body.as_bytes());
    let gives_up = name.number.is_multiple_of(2);
    let mut lost = false;
    loop {
        if log.stop.load(Ordering::Relaxed) {
            return lost.then_some(Fate::Unknown);
        }
        match door.try_post(source, &borrowed(&headers), body.clone()).await {
            Some(answer) if answer.status == 200 => return Some(Fate::Acknowledged),
            Some(_) => {}
            None if gives_up => return Some(Fate::Unknown),
            None => lost = true,
        }
        tokio::task::yield_now().await;
    }
}
