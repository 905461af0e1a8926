//! What follows an attempt: the retry policy and the one decision. Pure.

use std::time::Duration;

use crate::model::{AttemptError, Decision, Millis, Outcome};
use crate::plugin::{Classification, NoAnswer};

use super::judgement::Judgement;

/// The longest that `Retry-After` can postpone an attempt, unless configured otherwise.
pub const DEFAULT_RETRY_AFTER_CAP: Duration = Duration::from_hours(24);

/// More attempts than anybody waits for; a larger schedule is a slip.
pub const MAX_DELAYS: usize = 1_000;

/// When a delivery is tried again: n delays are n + 1 attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    delays: Vec<Duration>,
    jitter: f64,
    retry_after_cap: Duration,
}

/// Why settings are not a retry policy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RetryPolicyError {
    /// Jitter is a share of the delay.
    #[error("jitter must be between 0 and 1, not {0}")]
    Jitter(f64),
    /// A delay that shrinks, or is no number.
    #[error("factor must be at least 1, not {0}")]
    Factor(f64),
    /// There is always a first attempt, and an end.
    #[error("between 1 and {max} attempts are possible, not {0}", max = MAX_DELAYS + 1)]
    Attempts(usize),
}

impl RetryPolicy {
    /// After the first attempt the first delay, and so on; none: a single attempt.
    /// `jitter` 0.2 moves each delay by up to a fifth, both ways.
    pub fn schedule(delays: Vec<Duration>, jitter: f64) -> Result<Self, RetryPolicyError> {
        if !(0.0..=1.0).contains(&jitter) {
            return Err(RetryPolicyError::Jitter(jitter));
        }
        if delays.len() > MAX_DELAYS {
            return Err(RetryPolicyError::Attempts(delays.len() + 1));
        }
        Ok(Self { delays, jitter, retry_after_cap: DEFAULT_RETRY_AFTER_CAP })
    }

    /// `max_attempts` in all: the first delay is `base`, each next one `factor` times
    /// the last, none longer than `cap`.
    pub fn exponential(
        max_attempts: usize,
        base: Duration,
        factor: f64,
        cap: Duration,
        jitter: f64,
    ) -> Result<Self, RetryPolicyError> {
        if !(factor >= 1.0 && factor.is_finite()) {
            return Err(RetryPolicyError::Factor(factor));
        }
        if max_attempts == 0 || max_attempts > MAX_DELAYS + 1 {
            return Err(RetryPolicyError::Attempts(max_attempts));
        }
        let longer = |delay: &Duration| {
            let next = Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(cap);
            Some(next.min(cap))
        };
        let delays = std::iter::successors(Some(base.min(cap)), longer).take(max_attempts - 1).collect();
        Self::schedule(delays, jitter)
    }

    /// With another bound on what `Retry-After` can ask for.
    #[must_use]
    pub fn with_retry_after_cap(mut self, cap: Duration) -> Self {
        self.retry_after_cap = cap;
        self
    }

    /// The longest that `Retry-After` can postpone an attempt.
    pub fn retry_after_cap(&self) -> Duration {
        self.retry_after_cap
    }

    /// The delays without jitter.
    pub fn delays(&self) -> &[Duration] {
        &self.delays
    }

    fn jittered(&self, delay: Duration, unit: f64) -> Duration {
        let factor = 1.0 + self.jitter * (2.0 * unit - 1.0);
        Duration::try_from_secs_f64(delay.as_secs_f64() * factor).unwrap_or(delay)
    }
}

/// Standard Webhooks' example without its last days, moved by up to a fifth.
impl Default for RetryPolicy {
    fn default() -> Self {
        const DELAYS: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400];
        let delays = DELAYS.map(Duration::from_secs).to_vec();
        Self { delays, jitter: 0.2, retry_after_cap: DEFAULT_RETRY_AFTER_CAP }
    }
}

/// What is known when an attempt has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended<'a> {
    /// Attempts before this one.
    pub attempts_before: u32,
    /// What it came to.
    pub outcome: &'a Outcome,
    /// What the answer asks for.
    pub retry_after: Option<Duration>,
    /// What the destination's plugin says of it.
    pub judgement: Option<&'a Judgement>,
    /// When it ended.
    pub now: Millis,
    /// Chance, from 0 to 1.
    pub jitter_unit: f64,
}

/// Decides what follows, and says why.
///
/// Only 2xx is success, unless the destination's plugin says otherwise. What can never
/// succeed as it stands (an address that the guard refuses, no signature, a body that is
/// too large for the receiver) is dead at once: waiting would help nobody. It is kept,
/// and a repeat of its event makes it due again.
/// 410 is the destination's word on all deliveries: this one waits with the others, at
/// the place in its schedule where it was.
/// Everything else is due again at the later of the jittered delay and `Retry-After`. A
/// plugin may choose another delay, up to the cap of `Retry-After`, but neither shorten
/// what the destination asks for nor make the schedule longer.
pub(super) fn decide(policy: &RetryPolicy, ended: &Ended<'_>) -> (Decision, String) {
    let what = describe(ended.outcome);
    let Some(Judgement { plugin, said }) = ended.judgement else { return by_status(policy, ended, what) };
    match said {
        Ok(Classification::Done) => {
            (Decision::Delivered, format!("{what}; \"{plugin}\" says that it is delivered"))
        }
        Ok(Classification::Dead(reason)) => {
            (Decision::Dead, format!("{what}; \"{plugin}\" gives it up: {reason}"))
        }
        Ok(Classification::Retry(after)) => {
            by_schedule(policy, ended, &format!("{what}; \"{plugin}\" wants another try"), *after)
        }
        Ok(Classification::Default) => {
            let (decision, reason) = by_status(policy, ended, what);
            (decision, format!("{reason}; \"{plugin}\" leaves it at that"))
        }
        Err(NoAnswer { verdict, reason: why }) => {
            let (decision, reason) = by_status(policy, ended, what);
            let verdict = verdict.as_str();
            (decision, format!("{reason}; \"{plugin}\" did not say what it means: {verdict}: {why}"))
        }
    }
}

fn by_status(policy: &RetryPolicy, ended: &Ended<'_>, what: String) -> (Decision, String) {
    match ended.outcome {
        Outcome::Status(200..=299) => (Decision::Delivered, what),
        Outcome::Status(410) => {
            let reason =
                format!("{what}; its destination is disabled until it is resumed or its URL is another");
            (Decision::Retry(ended.now), reason)
        }
        outcome if is_permanent(outcome) => (Decision::Dead, format!("{what}; trying again cannot help")),
        _ => by_schedule(policy, ended, &what, None),
    }
}

/// The next attempt, if the schedule has one; `chosen`: after so long instead.
fn by_schedule(
    policy: &RetryPolicy,
    ended: &Ended<'_>,
    what: &str,
    chosen: Option<Duration>,
) -> (Decision, String) {
    let before = usize::try_from(ended.attempts_before).unwrap_or(usize::MAX);
    let attempts = policy.delays.len() + 1;
    let Some(delay) = policy.delays.get(before) else {
        let number = before.saturating_add(1);
        return (Decision::Dead, format!("{what}; attempt {number} of {attempts} was the last"));
    };
    let delay = match chosen {
        Some(chosen) => chosen.min(policy.retry_after_cap),
        None => policy.jittered(*delay, ended.jitter_unit),
    };
    let asked = ended.retry_after.unwrap_or_default().min(policy.retry_after_cap);
    let (wait, whose) = if asked > delay { (asked, ", as Retry-After asks") } else { (delay, "") };
    let (next, wait_ms) = (before + 2, wait.as_millis());
    let shown = humantime::format_duration(Duration::from_millis(u64::try_from(wait_ms).unwrap_or(u64::MAX)));
    let reason = format!("{what}; attempt {next} of {attempts} in {shown}{whose}");
    (Decision::Retry(ended.now.after(wait)), reason)
}

fn is_permanent(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Status(status) => *status == 413,
        Outcome::Error { kind, .. } => {
            matches!(kind, AttemptError::RefusedByGuard | AttemptError::Unsignable)
        }
    }
}

/// What an attempt came to, for people.
pub(super) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Status(status @ 300..=399) => format!("answered {status}; redirects are not followed"),
        Outcome::Status(status) => format!("answered {status}"),
        Outcome::Error { kind, detail } => format!("{}: {detail}", kind.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::model::StepVerdict;

    const NOW: Millis = Millis(1_000_000);

    fn policy(seconds: &[u64], jitter: f64) -> RetryPolicy {
        RetryPolicy::schedule(seconds.iter().copied().map(Duration::from_secs).collect(), jitter).unwrap()
    }

    fn error(kind: AttemptError) -> Outcome {
        Outcome::Error { kind, detail: "x".into() }
    }

    fn decided(
        policy: &RetryPolicy,
        before: u32,
        outcome: &Outcome,
        retry_after: Option<u64>,
        unit: f64,
    ) -> Decision {
        let retry_after = retry_after.map(Duration::from_secs);
        decide(
            policy,
            &Ended {
                attempts_before: before,
                outcome,
                retry_after,
                judgement: None,
                now: NOW,
                jitter_unit: unit,
            },
        )
        .0
    }

    #[test]
    fn every_outcome() {
        use AttemptError::{Connect, Dns, Other, RefusedByGuard, Reset, Timeout, Tls, TooLarge, Unsignable};
        let again = Decision::Retry(Millis(NOW.0 + 5_000));
        let statuses = [(200, Decision::Delivered), (202, Decision::Delivered), (299, Decision::Delivered)];
        let retried =
            [100, 199, 300, 301, 304, 308, 400, 401, 404, 408, 409, 422, 429, 500, 502, 503, 504, 599];
        let errors = [Dns, Connect, Tls, Timeout, Reset, TooLarge, Other].map(|kind| (error(kind), again));
        let refused = [RefusedByGuard, Unsignable].map(|kind| (error(kind), Decision::Dead));
        let table = statuses.map(|(status, decision)| (Outcome::Status(status), decision)).into_iter();
        let table = table.chain(retried.map(|status| (Outcome::Status(status), again)));
        let special = [(413, Decision::Dead), (410, Decision::Retry(NOW))];
        let table = table
            .chain(special.map(|(status, decision)| (Outcome::Status(status), decision)))
            .chain(errors)
            .chain(refused);
        for (outcome, expected) in table {
            assert_eq!(decided(&policy(&[5], 0.0), 0, &outcome, None, 0.5), expected, "{outcome:?}");
        }
    }

    #[test]
    fn due_times() {
        /// Delays, jitter, attempts before, Retry-After, unit → seconds, or dead.
        type Row = (&'static [u64], f64, u32, Option<u64>, f64, Option<u64>);
        let failed = Outcome::Status(503);
        let table: [Row; 13] = [
            (&[10, 100], 0.0, 0, None, 0.9, Some(10)),
            (&[10, 100], 0.0, 1, None, 0.9, Some(100)),
            (&[10, 100], 0.0, 2, None, 0.9, None),
            (&[10, 100], 0.0, 3, Some(1), 0.9, None),
            (&[], 0.0, 0, None, 0.9, None),
            (&[10], 0.2, 0, None, 0.0, Some(8)),
            (&[10], 0.2, 0, None, 0.5, Some(10)),
            (&[10], 0.2, 0, None, 1.0, Some(12)),
            (&[10], 0.2, 0, Some(11), 1.0, Some(12)),
            (&[10], 0.2, 0, Some(13), 1.0, Some(13)),
            (&[10], 0.0, 0, Some(86_400), 0.5, Some(86_400)),
            (&[10], 0.0, 0, Some(u64::MAX), 0.5, Some(86_400)),
            (&[200_000], 0.0, 0, Some(u64::MAX), 0.5, Some(200_000)),
        ];
        for (delays, jitter, before, retry_after, unit, expected) in table {
            let decision = decided(&policy(delays, jitter), before, &failed, retry_after, unit);
            let due = |s: u64| Decision::Retry(NOW.after(Duration::from_secs(s)));
            assert_eq!(decision, expected.map_or(Decision::Dead, due), "{delays:?} {before} {retry_after:?}");
        }
        let capped = policy(&[10], 0.0).with_retry_after_cap(Duration::from_mins(1));
        assert_eq!(decided(&capped, 0, &failed, Some(3_600), 0.5), Decision::Retry(Millis(NOW.0 + 60_000)));
    }

    #[test]
    fn reasons_are_for_people() {
        let reason = |before, outcome: &Outcome, retry_after| {
            let policy = policy(&[5, 300], 0.0);
            decide(
                &policy,
                &Ended {
                    attempts_before: before,
                    outcome,
                    retry_after,
                    judgement: None,
                    now: NOW,
                    jitter_unit: 0.5,
                },
            )
            .1
        };
        let refused = error(AttemptError::RefusedByGuard);
        let wait = Some(Duration::from_mins(1));
        assert_eq!(reason(0, &Outcome::Status(204), None), "answered 204");
        assert_eq!(reason(1, &Outcome::Status(503), None), "answered 503; attempt 3 of 3 in 5m");
        assert_eq!(
            reason(0, &Outcome::Status(429), wait),
            "answered 429; attempt 2 of 3 in 1m, as Retry-After asks"
        );
        assert_eq!(reason(2, &Outcome::Status(500), None), "answered 500; attempt 3 of 3 was the last");
        assert_eq!(reason(0, &refused, None), "refused-by-guard: x; trying again cannot help");
        assert!(reason(0, &Outcome::Status(302), None).contains("redirects are not followed"));
    }

    #[test]
    fn a_plugins_word_is_bounded_by_what_protects_others() {
        use Classification::{Dead, Default, Done, Retry};
        let minute = Duration::from_mins(1);
        let policy = policy(&[10, 10], 0.0).with_retry_after_cap(minute);
        let decided = |status: u16, before, retry_after: Option<u64>, said| {
            let judgement = Judgement { plugin: "p".into(), said };
            let (outcome, retry_after) = (Outcome::Status(status), retry_after.map(Duration::from_secs));
            let judgement = Some(&judgement);
            let ended = Ended {
                attempts_before: before,
                outcome: &outcome,
                retry_after,
                judgement,
                now: NOW,
                jitter_unit: 0.5,
            };
            decide(&policy, &ended).0
        };
        let after = |seconds| Decision::Retry(NOW.after(Duration::from_secs(seconds)));
        let late = || Err(NoAnswer { verdict: StepVerdict::Timeout, reason: "late".into() });
        let wait = |seconds| Ok(Retry(Some(Duration::from_secs(seconds))));
        let cases = [
            (500, 0, None, Ok(Done), Decision::Delivered),
            (200, 0, None, Ok(Dead("no".into())), Decision::Dead),
            (200, 0, None, Ok(Retry(None)), after(10)),
            (200, 0, None, wait(3), after(3)),
            (413, 0, None, wait(3), after(3)),
            // Neither longer than anybody could ask for, nor sooner than was asked for.
            (200, 0, None, wait(9_999), after(60)),
            (503, 0, Some(30), wait(3), after(30)),
            (503, 0, Some(9_999), wait(3), after(60)),
            // Nor more often than the schedule says.
            (200, 2, None, wait(3), Decision::Dead),
            (200, 2, None, Ok(Retry(None)), Decision::Dead),
            // 410 waits for the operator, unless the plugin says what it means.
            (410, 0, None, Ok(Default), after(0)),
            (410, 0, None, late(), after(0)),
            (410, 0, None, Ok(Retry(None)), after(10)),
            (410, 0, None, Ok(Dead("gone".into())), Decision::Dead),
            // Without a word the status counts.
            (200, 0, None, late(), Decision::Delivered),
            (500, 0, None, Ok(Default), after(10)),
            (413, 0, None, late(), Decision::Dead),
        ];
        for (status, before, retry_after, said, expected) in cases {
            let shown = format!("{status} {said:?}");
            assert_eq!(decided(status, before, retry_after, said), expected, "{shown}");
        }
    }

    #[test]
    fn the_exponential_form_is_a_schedule() {
        let seconds = Duration::from_secs;
        let policy = RetryPolicy::exponential(5, seconds(1), 3.0, seconds(20), 0.0).unwrap();
        assert_eq!(policy.delays(), [1, 3, 9, 20].map(seconds));
        assert!(RetryPolicy::exponential(1, seconds(1), 2.0, seconds(9), 0.0).unwrap().delays().is_empty());
        assert_eq!(
            RetryPolicy::exponential(0, seconds(1), 2.0, seconds(9), 0.0),
            Err(RetryPolicyError::Attempts(0))
        );
        assert_eq!(
            RetryPolicy::exponential(3, seconds(1), 0.5, seconds(9), 0.0),
            Err(RetryPolicyError::Factor(0.5))
        );
        assert_eq!(RetryPolicy::schedule(vec![], 1.5), Err(RetryPolicyError::Jitter(1.5)));
        assert!(RetryPolicy::schedule(vec![], f64::NAN).is_err());
    }

    fn any_duration() -> impl Strategy<Value = Duration> {
        let common = (0..100_000_000_u64).prop_map(Duration::from_millis);
        prop_oneof![4 => common, 1 => any::<Duration>(), 1 => Just(Duration::MAX)]
    }

    fn any_policy() -> impl Strategy<Value = RetryPolicy> {
        let written = (vec(any_duration(), 0..9), 0.0..=1.0)
            .prop_map(|(delays, jitter)| RetryPolicy::schedule(delays, jitter).unwrap());
        let grown = (1..30_usize, any_duration(), 1.0..1e300, any_duration(), 0.0..=1.0).prop_map(
            |(attempts, base, factor, cap, jitter)| {
                RetryPolicy::exponential(attempts, base, factor, cap, jitter).unwrap()
            },
        );
        (prop_oneof![written, grown], any_duration())
            .prop_map(|(policy, cap)| policy.with_retry_after_cap(cap))
    }

    fn any_outcome() -> impl Strategy<Value = Outcome> {
        use AttemptError::{Connect, Dns, Other, RefusedByGuard, Reset, Timeout, Tls, Unsignable};
        let kinds = [Dns, Connect, Tls, Timeout, Reset, Other, RefusedByGuard, Unsignable];
        prop_oneof![
            (0..=999_u16).prop_map(Outcome::Status),
            any::<u16>().prop_map(Outcome::Status),
            prop::sample::select(kinds.to_vec()).prop_map(error),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_answer_makes_it_late_early_or_endless(
            policy in any_policy(),
            outcome in any_outcome(),
            before in prop_oneof![0..40_u32, any::<u32>()],
            retry_after in proptest::option::of(any_duration()),
            now in 0..i64::MAX,
            jitter_unit in 0.0..=1.0,
        ) {
            let now = Millis(now);
            let ended = Ended { attempts_before: before, outcome: &outcome, retry_after, judgement: None, now, jitter_unit };
            let (decision, reason) = decide(&policy, &ended);
            prop_assert!(!reason.is_empty());
            match decision {
                Decision::Delivered => prop_assert!(matches!(outcome, Outcome::Status(200..=299))),
                Decision::Dead => {
                    prop_assert!(outcome != Outcome::Status(410), "it waits with the others");
                    let last = usize::try_from(before).unwrap() >= policy.delays.len();
                    prop_assert!(last || is_permanent(&outcome), "given up too early: {reason}");
                }
                Decision::Retry(due) if outcome == Outcome::Status(410) => prop_assert_eq!(due, now),
                Decision::Retry(due) => {
                    let delay = policy.delays.get(usize::try_from(before).unwrap());
                    prop_assert!(delay.is_some(), "one attempt too many: {reason}");
                    prop_assert!(!is_permanent(&outcome));
                    let latest = delay.unwrap().as_secs_f64() * (1.0 + policy.jitter);
                    let asked = retry_after.unwrap_or_default().min(policy.retry_after_cap).as_secs_f64();
                    // A millisecond, and what a float cannot tell apart.
                    let latest = latest.max(asked) * 1.000_001 + 0.001;
                    prop_assert!(due >= now, "{due:?} is before {now:?}");
                    prop_assert!(now.until(due).as_secs_f64() <= latest, "{due:?} is late for {latest}");
                    prop_assert!(due == Millis(i64::MAX) || now.until(due).as_secs_f64() >= asked.floor());
                }
            }
        }
    }
}
