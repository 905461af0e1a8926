//! What a destination's plugin says of an answer, and what that says of the destination.

use std::sync::Arc;
use std::time::Duration;

use crate::metrics::Metrics;
use crate::model::{Header, NamedPlugin, Outcome};
use crate::plugin::{Classification, ClassifyInput, Judge, NoAnswer};

use super::signal::{self, Signal};
use super::transport::Exchange;

/// What a plugin said of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub plugin: String,
    /// Or why it said nothing: then the gateway decides by itself.
    pub said: Result<Classification, NoAnswer>,
}

impl Judgement {
    /// Whether the gateway is to decide as it does without a plugin.
    pub(super) const fn is_default(&self) -> bool {
        matches!(self.said, Ok(Classification::Default) | Err(_))
    }
}

/// Asks the plugin; an attempt without an answer gives it nothing to judge.
pub(super) async fn ask(
    judge: &Judge,
    metrics: &Metrics,
    destination: &str,
    named: &Arc<NamedPlugin>,
    exchange: &Exchange,
    attempt: u32,
) -> Option<Judgement> {
    let Outcome::Status(status) = exchange.outcome else { return None };
    let headers = Header::list(&exchange.head);
    let input = ClassifyInput { status, headers, body: exchange.body.clone(), attempt };
    let judged = judge.classify(destination, named, input).await;
    let verdict = match &judged.answer {
        Ok(said) => said.as_str(),
        Err(none) => none.verdict.as_str(),
    };
    metrics.classification(destination, &named.plugin, verdict, judged.took);
    let (plugin, digest, micros) = (&named.plugin, &judged.digest, judged.took.as_micros());
    match &judged.answer {
        Ok(_) => {
            tracing::debug!(
                destination,
                plugin,
                digest,
                micros,
                verdict,
                status,
                "a plugin classified an answer"
            );
        }
        Err(none) => {
            let reason = &none.reason;
            tracing::warn!(
                destination,
                plugin,
                digest,
                micros,
                verdict,
                reason,
                "a plugin could not classify an answer"
            );
        }
    }
    Some(Judgement { plugin: plugin.clone(), said: judged.answer })
}

/// What an attempt says of its destination when a plugin has judged the answer. What it
/// calls delivered is a success whatever the status. Otherwise an overloaded destination
/// stays one, and a 5xx that is to be retried stays a failure: these protect the
/// destination. Anything else is an answer of somebody who is there.
pub(super) fn signal(
    judgement: Option<&Judgement>,
    outcome: &Outcome,
    retry_after: Option<Duration>,
) -> Signal {
    let by_status = signal::read(outcome, retry_after);
    match judgement.map(|judgement| &judgement.said) {
        Some(Ok(Classification::Done)) => Signal::Took,
        Some(Ok(Classification::Dead(_))) if by_status == Signal::Failed => Signal::Answered,
        Some(Ok(Classification::Dead(_) | Classification::Retry(_))) if by_status == Signal::Took => {
            Signal::Answered
        }
        _ => by_status,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepVerdict;

    #[test]
    fn what_a_judgement_says_of_the_destination() {
        let asked = Some(Duration::from_secs(3));
        let overloaded = Signal::Overloaded { retry_after: asked };
        let done = || Ok(Classification::Done);
        let retry = || Ok(Classification::Retry(None));
        let dead = || Ok(Classification::Dead("no".into()));
        let late = || Err(NoAnswer { verdict: StepVerdict::Timeout, reason: "late".into() });
        let table = [
            (200, done(), Signal::Took),
            (200, retry(), Signal::Answered),
            (200, dead(), Signal::Answered),
            (200, Ok(Classification::Default), Signal::Took),
            (404, done(), Signal::Took),
            (404, retry(), Signal::Answered),
            (429, done(), Signal::Took),
            (429, retry(), overloaded),
            (429, dead(), overloaded),
            (500, done(), Signal::Took),
            (500, retry(), Signal::Failed),
            (500, dead(), Signal::Answered),
            (500, Ok(Classification::Default), Signal::Failed),
            (500, late(), Signal::Failed),
            (503, late(), overloaded),
        ];
        for (status, said, expected) in table {
            let judgement = Judgement { plugin: "p".into(), said };
            let signal = signal(Some(&judgement), &Outcome::Status(status), asked);
            assert_eq!(signal, expected, "{status} {judgement:?}");
        }
        assert_eq!(signal(None, &Outcome::Status(500), asked), Signal::Failed);
    }
}
