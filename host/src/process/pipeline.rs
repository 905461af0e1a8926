//! A route's steps over one event: pure but for the calls, which are handed in.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{
    DeliveryId, Event, Line, MessageKey, Millis, OnError, Route, Run, Step, StepRecord, StepVerdict,
};
use crate::plugin::{Call, CallInput, Output, PluginMessage, shortened};
use crate::store::{NewDelivery, RunEnd};

use super::draft::Draft;

/// What processing a run came to.
#[derive(Debug)]
pub(super) struct Processed {
    pub(super) end: RunEnd,
    pub(super) steps: Vec<StepRecord>,
}

/// Messages that one run may be at any step. A step's own limit is on one call; splits
/// behind splits multiply.
const MAX_MESSAGES: usize = 1_000;
/// Bytes that these may have together, all that steps can set included.
const MAX_BYTES: usize = 32 << 20;
/// Wall-clock time of all its calls: a run's lease outlasts it.
pub(super) const MAX_TIME: Duration = Duration::from_mins(5);

/// The component that ran; empty when none did.
#[derive(Debug, Default)]
pub(super) struct Ran {
    pub(super) digest: String,
    /// By its own account.
    pub(super) version: String,
}

/// How steps are called.
pub(super) trait StepCalls {
    /// The calls that follow are another step's.
    fn begin_step(&mut self);
    /// Calls a step: what ran, and what it said.
    fn call(&mut self, step: &Step, input: &CallInput<'_>) -> (Ran, Call);
    /// What the last call said cannot be used: what it wrote is undone, as after an error.
    fn take_back(&mut self);
    /// What the step's calls said cannot be used together: what all of them wrote is undone.
    fn take_back_step(&mut self);
}

/// What a step's messages may still be.
#[derive(Clone, Copy)]
struct Budget {
    messages: usize,
    bytes: usize,
}

impl Budget {
    const WHOLE: Self = Self { messages: MAX_MESSAGES, bytes: MAX_BYTES };

    fn spend(&mut self, draft: &Draft) -> Result<(), String> {
        self.messages = self
            .messages
            .checked_sub(1)
            .ok_or_else(|| format!("the run would be more than {MAX_MESSAGES} messages"))?;
        self.bytes = self
            .bytes
            .checked_sub(draft.size())
            .ok_or_else(|| format!("the run would be more than {MAX_BYTES} bytes of messages"))?;
        Ok(())
    }

    /// For a message that is there already, and stays whether there is room or not.
    fn spend_anyway(&mut self, draft: &Draft) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(draft.size());
    }
}

/// Why a run ends before its last step.
enum Stop {
    End(RunEnd),
    /// This message goes no further; others of the run may.
    DropMessage(String),
}

struct Pipeline<'a> {
    run: &'a Run,
    route: &'a Route,
    now: Millis,
    steps: Vec<StepRecord>,
    /// In calls, so far.
    spent: Duration,
}

/// Runs the steps of `route` over the run's event.
pub(super) fn process(run: &Run, route: &Route, now: Millis, calls: &mut dyn StepCalls) -> Processed {
    let steps = Vec::with_capacity(route.steps.len());
    let mut pipeline = Pipeline { run, route, now, steps, spent: Duration::ZERO };
    let end = match pipeline.all_steps(calls) {
        Ok(drafts) => RunEnd::Processed(deliveries(run, route, &drafts)),
        Err(end) => end,
    };
    Processed { end, steps: pipeline.steps }
}

impl Pipeline<'_> {
    fn all_steps(&mut self, calls: &mut dyn StepCalls) -> Result<Vec<Draft>, RunEnd> {
        let mut drafts = vec![Draft::of(&self.run.event, self.route)];
        for step in &self.route.steps {
            let mut next = Vec::with_capacity(drafts.len());
            let mut kept = Vec::with_capacity(drafts.len());
            let mut dropped = None;
            let mut budget = Budget::WHOLE;
            calls.begin_step();
            for draft in &drafts {
                match self.one_call(step, draft, &mut budget, calls) {
                    Ok(made) => {
                        next.extend(made);
                        kept.push(draft);
                    }
                    Err(Stop::DropMessage(reason)) => dropped = Some(reason),
                    Err(Stop::End(end)) => return Err(end),
                }
            }
            if let Some(suffix) = repeated_suffix(&next) {
                let reason = format!("the idempotency suffix \"{suffix}\" occurs twice in the run");
                calls.take_back_step();
                self.mark_bad_output(&reason);
                match self.failed(step, &reason) {
                    Ok(()) => next = kept.into_iter().cloned().collect(),
                    Err(Stop::DropMessage(reason)) => return Err(RunEnd::Dropped(reason)),
                    Err(Stop::End(end)) => return Err(end),
                }
            }
            if next.is_empty() {
                return Err(RunEnd::Dropped(dropped.unwrap_or_default()));
            }
            drafts = next;
        }
        Ok(drafts)
    }

    fn one_call(
        &mut self,
        step: &Step,
        draft: &Draft,
        budget: &mut Budget,
        calls: &mut dyn StepCalls,
    ) -> Result<Vec<Draft>, Stop> {
        let event: &Arc<Event> = &self.run.event;
        let (ran, Call { verdict, reason, output, took, .. }) = calls.call(step, &draft.input(event));
        let Ran { digest, version } = ran;
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let reason = reason.as_deref().map(shortened);
        self.spent = self.spent.saturating_add(took);
        let plugin = step.plugin.clone();
        self.steps.push(StepRecord { plugin, digest, version, verdict, reason: reason.clone(), micros });
        let reason = reason.unwrap_or_default();
        if verdict.holds() {
            return Err(Stop::End(RunEnd::Held(format!("{}: {reason}", step.plugin))));
        }
        if self.spent > MAX_TIME {
            let spent = format!("{}: the run took more than {MAX_TIME:?} in its calls", step.plugin);
            return Err(Stop::End(RunEnd::Failed(spent)));
        }
        let made = match output {
            Some(Output::Pass | Output::Unchanged) => budget.spend(draft).map(|()| vec![draft.clone()]),
            Some(Output::Drop(reason)) => {
                return Err(Stop::DropMessage(format!("{}: {}", step.plugin, shortened(&reason))));
            }
            Some(Output::Replace(message)) => self.apply_all(draft, vec![message], budget),
            Some(Output::Split(messages)) => self.apply_all(draft, messages, budget),
            None => {
                let reason = format!("{}: {reason}", verdict.as_str());
                return self.passed_over(step, draft, &reason, budget);
            }
        };
        made.or_else(|reason| {
            calls.take_back();
            self.mark_bad_output(&reason);
            self.passed_over(step, draft, &reason, budget)
        })
    }

    /// `draft` after a step made these messages of it, one by one: each is a copy of what
    /// the steps before had made, and a thousand copies must not be there before they are
    /// counted.
    fn apply_all(
        &self,
        draft: &Draft,
        messages: Vec<PluginMessage>,
        budget: &mut Budget,
    ) -> Result<Vec<Draft>, String> {
        let several = messages.len() > 1;
        let mut left = *budget;
        let apply = |(index, message): (usize, PluginMessage)| {
            let mut made = draft.apply(message, self.route)?;
            // What has a suffix already must not be told apart by its place alone.
            if several && made.suffix.is_some() && made.suffix == draft.suffix {
                made.suffix = draft.suffix.as_ref().map(|outer| format!("{outer}.{index}"));
            }
            left.spend(&made)?;
            Ok(made)
        };
        let made = messages.into_iter().enumerate().map(apply).collect::<Result<_, String>>()?;
        *budget = left;
        Ok(made)
    }

    /// What is left of `draft` after a call that failed: itself, where the step's policy is
    /// to pass it over.
    fn passed_over(
        &self,
        step: &Step,
        draft: &Draft,
        reason: &str,
        budget: &mut Budget,
    ) -> Result<Vec<Draft>, Stop> {
        self.failed(step, reason)?;
        budget.spend_anyway(draft);
        Ok(vec![draft.clone()])
    }

    fn mark_bad_output(&mut self, reason: &str) {
        if let Some(last) = self.steps.last_mut() {
            last.verdict = StepVerdict::BadOutput;
            last.reason = Some(reason.to_owned());
        }
    }

    /// What a failed call does to the run: `Ok` passes the step over.
    fn failed(&self, step: &Step, reason: &str) -> Result<(), Stop> {
        let reason = format!("{}: {reason}", step.plugin);
        let mut on_error = &step.on_error;
        if let OnError::Retry { delays, then } = on_error {
            if let Some(delay) = delays.get(self.run.attempts as usize) {
                return Err(Stop::End(RunEnd::Retry(self.now.after(*delay), reason)));
            }
            on_error = then;
        }
        match on_error {
            OnError::Pass => Ok(()),
            OnError::Drop => Err(Stop::DropMessage(reason)),
            OnError::Dead | OnError::Retry { .. } => Err(Stop::End(RunEnd::Failed(reason))),
        }
    }
}

fn repeated_suffix(drafts: &[Draft]) -> Option<&str> {
    let mut seen = std::collections::HashSet::new();
    drafts.iter().filter_map(|draft| draft.suffix.as_deref()).find(|suffix| !seen.insert(*suffix))
}

fn deliveries(run: &Run, route: &Route, drafts: &[Draft]) -> Vec<NewDelivery> {
    let mut deliveries = Vec::with_capacity(drafts.len() * route.to.len());
    for (index, draft) in drafts.iter().enumerate() {
        let key = match &draft.suffix {
            Some(suffix) => MessageKey::Suffix(suffix),
            None => MessageKey::Index(u32::try_from(index).unwrap_or(u32::MAX)),
        };
        for target in draft.targets(route) {
            let id = |generation| {
                DeliveryId::derive(&run.event.id, &route.name, &target.destination, key, generation)
            };
            let message = draft.message();
            let key = target.order.key(&run.event, &message);
            deliveries.push(NewDelivery {
                id: id(run.generation),
                destination: target.destination.clone(),
                replay_of: (run.generation > 0).then(|| id(0)),
                line: key.map(|key| Line { key, on_dead: target.on_dead }),
                max_pending: target.max_pending,
                message,
            });
        }
    }
    deliveries
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
