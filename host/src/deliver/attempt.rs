//! One attempt of a delivery: sign, send, decide.

use std::time::Duration;

use crate::clock::{Clock, Random};
use crate::metrics::Metrics;
use crate::model::{Attempt, Delivery, Outcome};
use crate::plugin::Judge;

use super::destination::{Destination, Targets};
use super::judgement::{self, Judgement};
use super::retry::{Ended, decide};
use super::{request, retry_after};

/// An attempt that was made.
#[derive(Debug)]
pub(super) struct Performed {
    pub attempt: Attempt,
    /// How long the destination asks to be left alone, up to its policy's cap.
    pub retry_after: Option<Duration>,
    /// What the destination's plugin says of the answer.
    pub judgement: Option<Judgement>,
}

/// What attempts are made with.
#[derive(Clone, Copy)]
pub(super) struct Tools<'a> {
    pub judge: &'a Judge,
    pub clock: &'a Clock,
    pub random: &'a Random,
    pub metrics: &'a Metrics,
}

/// Makes the attempt and says what follows. `destination` is of `targets`.
pub(super) async fn perform(
    targets: &Targets,
    destination: &Destination,
    delivery: &Delivery,
    Tools { judge, clock, random, metrics }: Tools<'_>,
) -> Performed {
    let started_at = clock.now();
    let began = clock.monotonic();
    let headers = request::headers(delivery, destination, started_at);
    let body = delivery.body().clone();
    let exchange = targets.post(destination, headers, body).await;
    let duration = clock.monotonic().saturating_sub(began);
    let number = delivery.attempts.saturating_add(1);
    let judgement = match &destination.classify {
        Some(named) => judgement::ask(judge, metrics, &destination.name, named, &exchange, number).await,
        None => None,
    };
    let now = clock.now();
    let asked = exchange.retry_after.as_deref().and_then(|value| retry_after::parse(value, now));
    let ended = Ended {
        attempts_before: delivery.attempts,
        outcome: &exchange.outcome,
        retry_after: asked,
        judgement: judgement.as_ref(),
        now,
        jitter_unit: random.unit(),
    };
    let (decision, reason) = decide(&destination.retry, &ended);
    let attempt = Attempt {
        number,
        started_at,
        duration,
        outcome: exchange.outcome,
        address: exchange.address,
        response_headers: exchange.headers,
        response_body: exchange.body,
        decision,
        reason,
    };
    let retry_after = asked.map(|asked| asked.min(destination.retry.retry_after_cap()));
    Performed { attempt, retry_after, judgement }
}

/// The word under which an outcome is counted.
pub(super) const fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Status(200..=299) => "2xx",
        Outcome::Status(300..=399) => "3xx",
        Outcome::Status(400..=499) => "4xx",
        Outcome::Status(500..=599) => "5xx",
        Outcome::Status(_) => "other",
        Outcome::Error { kind, .. } => kind.as_str(),
    }
}

/// From the event's receipt to the end of this attempt.
pub(super) fn since_receipt(delivery: &Delivery, attempt: &Attempt) -> Duration {
    delivery.event.received_at.until(attempt.started_at) + attempt.duration
}
