//! Requests as providers sign them, one at a time and as load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hookloom::clock::{Clock, Random};
use hookloom::verify::{Outgoing, Scheme, Setup};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::gateway::Door;
use crate::wait::DEADLINE;

/// The secret that test sources share with their senders.
pub const SECRET: &str = "a secret of the tests";
/// The secret that test destinations are given.
pub const DESTINATION_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The headers of one GitHub webhook of that type (`issues`) with an id of its own.
pub fn github(event_type: &str, body: &[u8]) -> Vec<(String, String)> {
    let id = format!("{:032x}", Random::system().bits());
    signed("github", SECRET, &id, Some(event_type), body)
}

/// The headers that a preset's provider sends with `body`.
pub fn signed(
    preset: &str,
    secret: &str,
    id: &str,
    event_type: Option<&str>,
    body: &[u8],
) -> Vec<(String, String)> {
    let scheme = Scheme::compile(&Setup::preset(preset, &[secret])).expect("a preset");
    let now = Clock::system().now();
    let outgoing = Outgoing { method: "POST", url: None, body, id, event_type, now };
    let headers = scheme.sign(&outgoing).expect("it can be signed").headers;
    headers.into_iter().map(|header| (header.name, header.value)).collect()
}

/// Headers as the clients take them.
pub fn borrowed(headers: &[(String, String)]) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// What several senders at once were answered with.
pub struct Load {
    state: Arc<State>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    accepted: watch::Sender<Vec<Sent>>,
    stop: AtomicBool,
}

/// An event that was answered with 200.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id that it was given.
    pub id: String,
    /// Its body, `{"n":…}`, which no other event has.
    pub body: String,
}

impl Load {
    /// Starts `senders` tasks that post GitHub webhooks to `source`, one after the
    /// other. What is not answered with 200 is sent again, as a provider does it.
    pub fn start(door: &Door, source: &'static str, senders: usize) -> Self {
        let state = Arc::new(State::default());
        let send = |sender| tokio::spawn(send(door.clone(), source, sender, Arc::clone(&state)));
        let tasks = (0..senders).map(send).collect();
        Self { state, tasks }
    }

    /// How many were accepted so far.
    pub fn count(&self) -> usize {
        self.state.accepted.borrow().len()
    }

    /// Waits until so many were accepted since the start.
    ///
    /// # Panics
    /// After the deadline of tests.
    pub async fn accepted(&self, count: usize) {
        let mut accepted = self.state.accepted.subscribe();
        let enough = accepted.wait_for(|all| all.len() >= count);
        let waited = tokio::time::timeout(DEADLINE, enough).await.map(|found| found.is_ok());
        assert_eq!(waited, Ok(true), "{count} events were not accepted, only {}", self.count());
    }

    /// Waits until so many more were accepted.
    pub async fn more(&self, count: usize) {
        self.accepted(self.count() + count).await;
    }

    /// Ends the senders, each after its last answer, and returns what was accepted.
    ///
    /// # Panics
    /// When a sender did.
    pub async fn stop(self) -> Vec<Sent> {
        self.state.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("a sender");
        }
        self.state.accepted.borrow().clone()
    }
}

async fn send(door: Door, source: &'static str, sender: usize, state: Arc<State>) {
    for n in 0.. {
        let body = format!(r#"{{"n":"{sender}-{n}"}}"#);
        let headers = github("push", body.as_bytes());
        let id = loop {
            if state.stop.load(Ordering::Relaxed) {
                return;
            }
            match door.try_post(source, &borrowed(&headers), body.clone()).await {
                Some(answer) if answer.status == 200 => break answer.id(),
                _ => tokio::task::yield_now().await,
            }
        };
        state.accepted.send_modify(|all| all.push(Sent { id, body }));
    }
}
