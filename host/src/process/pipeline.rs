//! A route's steps over one event: pure but for the calls, which are handed in.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{
    DeliveryId, Event, Line, MessageKey, Millis, OnError, Route, Run, Step, StepRecord, StepVerdict,
};
use crate::plugin::{Call, CallInput, Output, PluginMessage};
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
/// Bytes of bodies that its steps may have made, together.
const MAX_BYTES: usize = 32 << 20;
/// Wall-clock time of all its calls: a run's lease outlasts it.
pub(super) const MAX_TIME: Duration = Duration::from_mins(5);
/// Of a plugin's reason, so much is kept.
const REASON_BYTES: usize = 1 << 10;

/// One call of a step: the digest of the component that ran, and what it said.
pub(super) type StepCall<'a> = dyn FnMut(&Step, &CallInput<'_>) -> (String, Call) + 'a;

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
pub(super) fn process(run: &Run, route: &Route, now: Millis, call: &mut StepCall<'_>) -> Processed {
    let steps = Vec::with_capacity(route.steps.len());
    let mut pipeline = Pipeline { run, route, now, steps, spent: Duration::ZERO };
    let end = match pipeline.all_steps(call) {
        Ok(drafts) => RunEnd::Processed(deliveries(run, route, &drafts)),
        Err(end) => end,
    };
    Processed { end, steps: pipeline.steps }
}

impl Pipeline<'_> {
    fn all_steps(&mut self, call: &mut StepCall<'_>) -> Result<Vec<Draft>, RunEnd> {
        let mut drafts = vec![Draft::default()];
        for step in &self.route.steps {
            let mut next = Vec::with_capacity(drafts.len());
            let mut kept = Vec::with_capacity(drafts.len());
            let mut dropped = None;
            for draft in &drafts {
                let made = self.one_call(step, draft, call);
                match made.and_then(|made| self.within_budget(step, draft, &next, made)) {
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

    fn one_call(&mut self, step: &Step, draft: &Draft, call: &mut StepCall<'_>) -> Result<Vec<Draft>, Stop> {
        let event: &Arc<Event> = &self.run.event;
        let (digest, Call { verdict, reason, output, took, .. }) = call(step, &draft.input(event));
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let reason = reason.map(shortened);
        self.spent = self.spent.saturating_add(took);
        let plugin = step.plugin.clone();
        self.steps.push(StepRecord { plugin, digest, verdict, reason: reason.clone(), micros });
        let reason = reason.unwrap_or_default();
        if verdict.holds() {
            return Err(Stop::End(RunEnd::Held(format!("{}: {reason}", step.plugin))));
        }
        if self.spent > MAX_TIME {
            let spent = format!("{}: the run took more than {MAX_TIME:?} in its calls", step.plugin);
            return Err(Stop::End(RunEnd::Failed(spent)));
        }
        let messages = match output {
            Some(Output::Pass | Output::Unchanged) => return Ok(vec![draft.clone()]),
            Some(Output::Drop(reason)) => {
                return Err(Stop::DropMessage(format!("{}: {}", step.plugin, shortened(reason))));
            }
            Some(Output::Replace(message)) => vec![message],
            Some(Output::Split(messages)) => messages,
            None => {
                return self
                    .failed(step, &format!("{}: {reason}", verdict.as_str()))
                    .map(|()| vec![draft.clone()]);
            }
        };
        self.apply_all(step, draft, messages)
    }

    fn apply_all(
        &mut self,
        step: &Step,
        draft: &Draft,
        messages: Vec<PluginMessage>,
    ) -> Result<Vec<Draft>, Stop> {
        let several = messages.len() > 1;
        let apply = |(index, message): (usize, PluginMessage)| {
            let mut made = draft.apply(message, self.route)?;
            // What has a suffix already must not be told apart by its place alone.
            if several && made.suffix.is_some() && made.suffix == draft.suffix {
                made.suffix = draft.suffix.as_ref().map(|outer| format!("{outer}.{index}"));
            }
            Ok(made)
        };
        match messages.into_iter().enumerate().map(apply).collect::<Result<_, String>>() {
            Ok(drafts) => Ok(drafts),
            Err(reason) => {
                self.mark_bad_output(&reason);
                self.failed(step, &reason).map(|()| vec![draft.clone()])
            }
        }
    }

    /// `made`, unless the run would become too many messages or bytes with it.
    fn within_budget(
        &mut self,
        step: &Step,
        draft: &Draft,
        next: &[Draft],
        made: Vec<Draft>,
    ) -> Result<Vec<Draft>, Stop> {
        let bytes =
            |drafts: &[Draft]| drafts.iter().filter_map(|d| d.body.as_ref()).map(Bytes::len).sum::<usize>();
        let reason = if next.len() + made.len() > MAX_MESSAGES {
            format!("the run would be more than {MAX_MESSAGES} messages")
        } else if bytes(next) + bytes(&made) > MAX_BYTES {
            format!("the run would be more than {MAX_BYTES} bytes of messages")
        } else {
            return Ok(made);
        };
        self.mark_bad_output(&reason);
        self.failed(step, &reason).map(|()| vec![draft.clone()])
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

/// A plugin chooses its reasons; the store does not keep novels.
fn shortened(mut reason: String) -> String {
    if reason.len() > REASON_BYTES {
        reason.truncate(reason.floor_char_boundary(REASON_BYTES));
        reason.push('…');
    }
    reason
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
