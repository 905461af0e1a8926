//! What an ended attempt says of its destination. Pure.

use std::time::Duration;

use crate::model::{AttemptError, Outcome};

/// How a destination is doing, as one attempt has found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// It took the delivery.
    Took,
    /// It answers, though it did not want this one.
    Answered,
    /// It has more to do than it can.
    Overloaded {
        /// How long it asks to be left alone.
        retry_after: Option<Duration>,
    },
    /// It is not there, or is broken.
    Failed,
    /// Nothing: the attempt never got to it, for a reason of our own.
    Silent,
}

/// Reads the signal. 503 and the gateways' 502 and 504 are overload, as 429 is:
/// whoever stands in front of a service answers so when it does not keep up.
pub(super) const fn read(outcome: &Outcome, retry_after: Option<Duration>) -> Signal {
    match outcome {
        Outcome::Status(200..=299) => Signal::Took,
        Outcome::Status(429 | 502..=504) => Signal::Overloaded { retry_after },
        Outcome::Status(500..) => Signal::Failed,
        Outcome::Status(_) => Signal::Answered,
        Outcome::Error { kind: AttemptError::RefusedByGuard | AttemptError::Unsignable, .. } => {
            Signal::Silent
        }
        Outcome::Error { .. } => Signal::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome() {
        use AttemptError::{Connect, Dns, Other, RefusedByGuard, Reset, Timeout, Tls, TooLarge, Unsignable};
        let asked = Some(Duration::from_secs(3));
        let overloaded = Signal::Overloaded { retry_after: asked };
        let statuses = [
            (200..=299, Signal::Took),
            (100..=199, Signal::Answered),
            (300..=428, Signal::Answered),
            (429..=429, overloaded),
            (430..=499, Signal::Answered),
            (500..=501, Signal::Failed),
            (502..=504, overloaded),
            (505..=999, Signal::Failed),
        ];
        for (range, expected) in statuses {
            for status in range {
                assert_eq!(read(&Outcome::Status(status), asked), expected, "{status}");
            }
        }
        let errors = [Dns, Connect, Tls, Timeout, Reset, TooLarge, Other].map(|kind| (kind, Signal::Failed));
        for (kind, expected) in
            errors.into_iter().chain([RefusedByGuard, Unsignable].map(|k| (k, Signal::Silent)))
        {
            let outcome = Outcome::Error { kind, detail: String::new() };
            assert_eq!(read(&outcome, asked), expected, "{kind:?}");
        }
    }
}
