//! The integers that stand for words in the tables. They are on disk: a number keeps
//! its meaning for ever.

use crate::model::{AttemptError, Decision, DeliveryState, Millis, RunState};
use crate::store::StoreError;

/// A pending run that is due at its time. Partial indexes name it literally.
pub(super) const RUN_PENDING: i64 = 0;
/// A pending run that waits for plugins or configuration.
pub(super) const RUN_HELD: i64 = 4;

/// A run's state; `held` is a kind of pending.
pub(super) const fn run_state(state: RunState, held: bool) -> i64 {
    match state {
        RunState::Pending if held => RUN_HELD,
        RunState::Pending => RUN_PENDING,
        RunState::Processed => 1,
        RunState::Dropped => 2,
        RunState::Failed => 3,
    }
}

/// The state and whether it is held.
pub(super) fn to_run_state(code: i64) -> Result<(RunState, bool), StoreError> {
    Ok(match code {
        RUN_PENDING => (RunState::Pending, false),
        1 => (RunState::Processed, false),
        2 => (RunState::Dropped, false),
        3 => (RunState::Failed, false),
        RUN_HELD => (RunState::Pending, true),
        _ => return Err(unknown("run state", code)),
    })
}

pub(super) const fn delivery_state(state: DeliveryState) -> i64 {
    match state {
        DeliveryState::Pending => 0,
        DeliveryState::Delivered => 1,
        DeliveryState::Dead => 2,
        DeliveryState::Cancelled => 3,
    }
}

pub(super) fn to_delivery_state(code: i64) -> Result<DeliveryState, StoreError> {
    Ok(match code {
        0 => DeliveryState::Pending,
        1 => DeliveryState::Delivered,
        2 => DeliveryState::Dead,
        3 => DeliveryState::Cancelled,
        _ => return Err(unknown("delivery state", code)),
    })
}

/// The decision and, for a retry, its due time.
pub(super) const fn decision(decision: Decision) -> (i64, Option<i64>) {
    match decision {
        Decision::Delivered => (0, None),
        Decision::Retry(due) => (1, Some(due.0)),
        Decision::Dead => (2, None),
    }
}

pub(super) fn to_decision(code: i64, due: Option<i64>) -> Result<Decision, StoreError> {
    Ok(match (code, due) {
        (0, _) => Decision::Delivered,
        (1, Some(due)) => Decision::Retry(Millis(due)),
        (2, _) => Decision::Dead,
        _ => return Err(unknown("decision", code)),
    })
}

pub(super) const fn attempt_error(kind: AttemptError) -> i64 {
    match kind {
        AttemptError::Dns => 0,
        AttemptError::Connect => 1,
        AttemptError::Tls => 2,
        AttemptError::Timeout => 3,
        AttemptError::Reset => 4,
        AttemptError::RefusedByGuard => 5,
        AttemptError::Unsignable => 6,
        AttemptError::Other => 7,
        AttemptError::TooLarge => 8,
    }
}

pub(super) fn to_attempt_error(code: i64) -> Result<AttemptError, StoreError> {
    Ok(match code {
        0 => AttemptError::Dns,
        1 => AttemptError::Connect,
        2 => AttemptError::Tls,
        3 => AttemptError::Timeout,
        4 => AttemptError::Reset,
        5 => AttemptError::RefusedByGuard,
        6 => AttemptError::Unsignable,
        7 => AttemptError::Other,
        8 => AttemptError::TooLarge,
        _ => return Err(unknown("kind of failure", code)),
    })
}

fn unknown(what: &str, code: i64) -> StoreError {
    StoreError::Other(format!("{code} is not a {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_as_what_was_written() {
        for (state, held) in [
            (RunState::Pending, false),
            (RunState::Pending, true),
            (RunState::Processed, false),
            (RunState::Dropped, false),
            (RunState::Failed, false),
        ] {
            assert_eq!(to_run_state(run_state(state, held)), Ok((state, held)));
        }
        for code in 0..4 {
            assert_eq!(to_delivery_state(code).map(delivery_state), Ok(code));
        }
        for code in 0..9 {
            assert_eq!(to_attempt_error(code).map(attempt_error), Ok(code));
        }
        for value in [Decision::Delivered, Decision::Retry(Millis(7)), Decision::Dead] {
            let (code, due) = decision(value);
            assert_eq!(to_decision(code, due), Ok(value));
        }
    }

    #[test]
    fn a_code_that_nothing_has_is_an_error() {
        assert!(to_run_state(5).is_err());
        assert!(to_delivery_state(4).is_err());
        assert!(to_attempt_error(9).is_err());
        assert!(to_decision(1, None).is_err());
    }
}
