//! Asks plugins what somebody waits for: whether a request is a webhook (`verify`), and
//! what an answer means (`classify`).
//!
//! These calls are made on threads of their own, in turns: neither a flood of forged
//! requests nor a slow answer holds up the processing of events, and one place whose
//! plugin is slow holds up no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::Instance;

use super::bindings::v0_1_0::hookloom::plugin::types;
use super::call::{self, Failure};
use super::classify::{self, Classification, ClassifyInput};
use super::granted::StateMode;
use super::guest::Guest;
use super::plugins::{Plugin, Plugins};
use super::reason::shortened;
use super::state::StateView;
use super::turns::Turns;
use super::verify::{self, Verification, VerifyInput};
use super::version::Version;
use crate::model::{Header, NamedPlugin, StepVerdict};

/// How long anybody waits for an answer, its turn included; senders and leases wait for
/// as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where plugins are asked. Cloning shares.
#[derive(Clone)]
pub struct Judge {
    turns: Arc<Turns>,
    plugins: Arc<dyn Fn() -> Arc<Plugins> + Send + Sync>,
}

impl std::fmt::Debug for Judge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judge").field("turns", &self.turns).finish_non_exhaustive()
    }
}

/// What a question came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged<T> {
    /// First 16 hex digits of the SHA-256 of the component that was asked; empty when
    /// none was.
    pub digest: String,
    /// What it said.
    pub answer: Result<T, NoAnswer>,
    /// Wall-clock time of the call, instance included; zero when none was made.
    pub took: Duration,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// Which kind of failure; [`StepVerdict::Retry`]: there was no room for the call, or its
    /// turn did not come in time.
    pub verdict: StepVerdict,
    /// For people.
    pub reason: String,
}

impl<T> Judged<T> {
    fn unasked(verdict: StepVerdict, reason: impl Into<String>) -> Self {
        let answer = Err(NoAnswer { verdict, reason: reason.into() });
        Self { digest: String::new(), answer, took: Duration::ZERO }
    }
}

impl Judge {
    /// Asks those of `plugins` (as of each question) on threads with that name. One
    /// place gets `share` threads at most, which leaves one to the others.
    pub fn new(
        threads: &'static str,
        share: usize,
        plugins: impl Fn() -> Arc<Plugins> + Send + Sync + 'static,
    ) -> Self {
        Self { turns: Arc::new(Turns::new(threads, share)), plugins: Arc::new(plugins) }
    }

    /// Whether a request to the source `place` is a webhook of it.
    pub async fn verify(
        &self,
        place: &str,
        named: &Arc<NamedPlugin>,
        input: VerifyInput,
    ) -> Judged<Verification> {
        self.ask(place, named, move |plugin, config| plugin.verify(config, &input)).await
    }

    /// What an answer of the destination `place` means.
    pub async fn classify(
        &self,
        place: &str,
        named: &Arc<NamedPlugin>,
        input: ClassifyInput,
    ) -> Judged<Classification> {
        self.ask(place, named, move |plugin, config| plugin.classify(config, &input)).await
    }

    async fn ask<T: Send + 'static>(
        &self,
        place: &str,
        named: &Arc<NamedPlugin>,
        call: impl FnOnce(&Plugin, &str) -> Judged<T> + Send + 'static,
    ) -> Judged<T> {
        let (named, plugins) = (Arc::clone(named), Arc::clone(&self.plugins));
        // The version that serves when its turn has come.
        let call = move || match plugins().get(&named.plugin) {
            Some(plugin) => call(&plugin, &named.config),
            None => Judged::unasked(StepVerdict::Missing, Plugins::MISSING),
        };
        answered(&self.turns, place, call, tokio::time::sleep(PATIENCE)).await
    }
}

/// What `call` comes to in the turn of `place`, unless `patience` ends before. One whose turn
/// has not come by then was not made, and is no failure of its plugin.
async fn answered<T: Send + 'static>(
    turns: &Turns,
    place: &str,
    call: impl FnOnce() -> Judged<T> + Send + 'static,
    patience: impl Future<Output = ()>,
) -> Judged<T> {
    let begun = Arc::new(AtomicBool::new(false));
    let begins = Arc::clone(&begun);
    let call = move || {
        begins.store(true, Ordering::Release);
        call()
    };
    tokio::select! {
        biased;
        heard = turns.run(place, call) => {
            heard.unwrap_or_else(|unheard| Judged::unasked(StepVerdict::Retry, unheard.to_string()))
        }
        () = patience => {
            let begun = begun.load(Ordering::Acquire);
            let (verdict, what) =
                if begun { (StepVerdict::Timeout, "answer") } else { (StepVerdict::Retry, "turn") };
            let patience = humantime::format_duration(PATIENCE);
            Judged::unasked(verdict, format!("no {what} within {patience}"))
        }
    }
}

impl Plugin {
    /// Asks a fresh instance, on this thread, whether a request is a webhook. `config` is
    /// the source's, as JSON text.
    pub fn verify(&self, config: &str, input: &VerifyInput) -> Judged<Verification> {
        self.judge(config, |version, store, instance| verify::run(version, store, instance, input))
    }

    /// Asks a fresh instance, on this thread, what an answer means. `config` is the
    /// destination's, as JSON text.
    pub fn classify(&self, config: &str, input: &ClassifyInput) -> Judged<Classification> {
        self.judge(config, |version, store, instance| classify::run(version, store, instance, input))
    }

    fn judge<T>(
        &self,
        config: &str,
        run: impl FnOnce(&Version, &mut Store<Guest>, &Instance) -> Result<T, Failure>,
    ) -> Judged<T> {
        let limits = &self.policy.limits;
        let mut store = Guest::store(self.version.pre.engine(), &self.shared, limits, None);
        let mut state = StateView::new(Arc::clone(&self.shared.state));
        let result = call::instance(&self.version, &mut store, config).and_then(|instance| {
            store.data_mut().empower(StateMode::ReadOnly, &self.granted, limits.kv_size, &mut state);
            run(&self.version, &mut store, &instance)
        });
        let answer = result.map_err(|failure| {
            let (verdict, reason) = match failure {
                Failure::Said(verdict, reason) => (verdict, reason),
                Failure::Ended(error) => call::explain(&error, store.data()),
            };
            NoAnswer { verdict, reason: shortened(&reason) }
        });
        let guest = store.data();
        let (took, log_dropped) = (guest.meter.took(), guest.journal.dropped());
        if log_dropped > 0 {
            self.shared.metrics.plugin_log_dropped(self.name(), log_dropped);
        }
        self.shared.called(took, matches!(&answer, Err(none) if none.verdict.is_cut()));
        Judged { digest: self.digest().to_owned(), answer, took }
    }
}

/// Headers as the contract has them.
pub(super) fn headers(headers: &[Header]) -> Vec<types::HeaderParam<'_>> {
    headers.iter().map(|h| types::HeaderParam { name: &h.name, value: &h.value }).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn only_a_call_that_was_made_takes_too_long() {
        let turns = Turns::new("test", 1);
        let ((begins, begun), (go, gate)) = (tokio::sync::oneshot::channel(), mpsc::channel::<()>());
        let slow = move || {
            begins.send(()).unwrap();
            let _ = gate.recv();
            Judged::<()>::unasked(StepVerdict::Missing, "late")
        };
        let made = answered(&turns, "a", slow, async { begun.await.unwrap() }).await;
        let verdict = |judged: &Judged<()>| judged.answer.as_ref().unwrap_err().verdict;
        assert_eq!(verdict(&made), StepVerdict::Timeout, "{made:?}");

        let waiting = || Judged::<()>::unasked(StepVerdict::Missing, "never called");
        let unmade = answered(&turns, "a", waiting, std::future::ready(())).await;
        assert_eq!(verdict(&unmade), StepVerdict::Retry, "{unmade:?}");
        assert!(!verdict(&unmade).is_failure(), "nobody is told of it");
        drop(go);
    }
}
